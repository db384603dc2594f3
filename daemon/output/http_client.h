/* One POST at a time to one place, by libcurl on our loop. The only module that knows curl.
 *
 *   sqd_http_client_post ──▶ curl's sockets and timer are uv_poll and uv_timer ──▶ done(answer)
 *
 * Connections are kept and used again; a request that finds its kept connection closed is made once
 * more by curl. Nothing blocks: names are looked up in a thread of curl's (which is left to itself
 * when it is slow). Redirects are not followed, cookies not kept, proxies not taken from the
 * environment, answers not unpacked; what an answer may take of memory and time is bounded.
 * Main loop only.
 */
#pragma once

#include <uv.h>

#include "lib/base/outbuf.h"
#include "lib/host/tls.h"
#include "lib/text/opt.h"

enum {
	SQD_HTTP_SHOWN = 96,              /* bytes of sqd_http_url.shown */
	SQD_HTTP_HEADERS_MAX = 64 * 1024, /* bytes of an answer's headers */
};

/** What is said of a URL in logs and names: no path and no query, which may be secrets. */
struct sqd_http_url {
	bool tls;
	char shown[SQD_HTTP_SHOWN]; /* "https://es.example.org:9200" */
};

/** Is it a URL that can be sent to? http or https, a host, printable ASCII, no user and password
 *  (they belong into files), no fragment. @return 0, -EINVAL with `err`, -ENOMEM */
int sqd_http_url_read(const char *url, struct sqd_http_url *ret, struct sq_err *err) SQ_MUST_CHECK;

/** Can it be a proxy: http://proxy.example.org:3128? @return 0, -EINVAL with `err`, -ENOMEM */
int sqd_http_proxy_check(const char *proxy, struct sq_err *err) SQ_MUST_CHECK;

/** "Name: value" that can be no more than this one header: a token, a colon, printable bytes.
 *  @return 0, or -EINVAL with `err` */
int sqd_http_header_check(const char *header, struct sq_err *err) SQ_MUST_CHECK;

/** Basic authentication. */
struct sqd_http_login {
	const char *user, *password;
};

/** Borrowed until return: where requests go, and what is the same in all of them. */
struct sqd_http_target {
	const char *url;
	const char *const *headers;         /* "Name: value", NULL at the end */
	const char *proxy;                  /* URL; NULL: none */
	const struct sqd_http_login *login; /* NULL: none */
	const struct sq_tls_client_cfg *tls;
	uint64_t connect_ms, request_ms; /* the second from begin to end */
};

struct sqd_http_answer {
	unsigned status;         /* of HTTP; 0: there is none, see `why` */
	const char *why;         /* in words, of curl and the network: not to be logged as it is */
	struct sq_sv body;       /* valid until return */
	bool cut;                /* it had more than could be kept */
	uint64_t retry_after_ms; /* 0: not said */
	unsigned connections;    /* made for this request */
};

/** The request has ended; another may be posted, or the client closed. Never from inside post. */
typedef void sqd_http_done_fn(void *ctx, const struct sqd_http_answer *a);
typedef void sqd_http_closed_fn(void *ctx);

struct sqd_http_client;

/** @param max_answer  bytes of an answer's body that are kept. NULL: out of memory */
struct sqd_http_client *sqd_http_client_new(uv_loop_t *loop, size_t max_answer,
                                            sqd_http_done_fn *done, void *ctx);

/** From the next request on; not while one is under way. Kept connections are closed, and files of
 *  TLS read anew. When it fails, all is as before.
 *  @return 0, -EINVAL or -ENOMEM with `err` */
int sqd_http_client_aim(struct sqd_http_client *c, const struct sqd_http_target *to,
                        struct sq_err *err) SQ_MUST_CHECK;

/**
 * Begin a request. `body` and `header` (one more "Name: value", or NULL) are borrowed until `done`.
 * @return 0: `done` will be called; -ENOMEM: it will not
 */
int sqd_http_client_post(struct sqd_http_client *c, struct sq_sv body,
                         const char *header) SQ_MUST_CHECK;

/** End; a request under way is given up without a word. `closed` is called once, later; then the
 *  client is no more. */
void sqd_http_client_close(struct sqd_http_client *c, sqd_http_closed_fn *closed);
