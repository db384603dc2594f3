#include "daemon/output/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT_CONNECTIONS = 2 };

/* A socket of curl's that it wants to be told about. */
struct watch {
	uv_poll_t poll; /* first: it ends in its close callback */
	struct sqd_http_client *client;
	curl_socket_t fd;
	int wanted;         /* events */
	struct watch *next; /* of those that are open */
};

struct sqd_http_client {
	uv_loop_t *loop;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers; /* of every request */
	struct curl_slist *connect_to;
	struct curl_slist first; /* one more header, in front of them */
	uv_timer_t timer;
	struct watch *watches;
	unsigned handles; /* open */
	bool busy, closing;
	bool deaf; /* a socket of the request cannot be watched */
	size_t headers_got;
	struct sq_outbuf body;
	bool cut;
	char why[CURL_ERROR_SIZE];
	sqd_http_done_fn *done;
	sqd_http_closed_fn *closed;
	void *ctx;
};

/* ---- the end ----------------------------------------------------------------------------- */

/* curl's own state is for all of the process, and used by the main thread alone. */
static unsigned users;

static bool curl_up(void)
{
	if (users == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return false;
	users++;
	return true;
}

static void curl_down(void)
{
	sq_assert(users);
	if (--users == 0)
		curl_global_cleanup();
}

static void unwatch(struct watch *w);

/* With the connections that were kept: they were made with the files of before. */
static void forget_peer(struct sqd_http_client *c)
{
	if (c->easy)
		curl_easy_cleanup(c->easy);
	if (c->multi)
		(void)curl_multi_cleanup(c->multi);
	while (c->watches)
		unwatch(c->watches);
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->connect_to);
	c->easy = NULL;
	c->multi = NULL;
	c->headers = c->connect_to = NULL;
}

static void client_free(struct sqd_http_client *c)
{
	forget_peer(c);
	sq_outbuf_fini(&c->body);
	free(c);
	curl_down();
}

static void release(struct sqd_http_client *c)
{
	sqd_http_closed_fn *closed = c->closed;
	void *ctx = c->ctx;

	sq_assert(c->handles);
	if (--c->handles || !c->closing)
		return;
	client_free(c);
	closed(ctx); /* last */
}

/* ---- curl's sockets and timer on our loop ------------------------------------------------ */

static void look(struct sqd_http_client *c);

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct watch *w = (struct watch *)p;
	struct sqd_http_client *c = w->client;
	int flags = 0, running;

	/* A reset may stand behind an answer, of a receiver that did not want to hear all that we
	 * have to say. Told of an error alone, curl would not read it: so it shall try, and find
	 * the error by itself. libuv has stopped polling. */
	if (status < 0) {
		events = UV_READABLE | UV_WRITABLE;
		c->deaf |= uv_poll_start(p, w->wanted, on_poll) < 0;
	}
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	/* It may close `w`, whose memory stays until its close callback. */
	(void)curl_multi_socket_action(c->multi, w->fd, flags, &running);
	look(c); /* last */
}

static void on_watch_closed(uv_handle_t *h)
{
	struct watch *w = (struct watch *)h;
	struct sqd_http_client *c = w->client;

	free(w);
	release(c);
}

static void unwatch(struct watch *w)
{
	struct watch **at = &w->client->watches;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	(void)uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static struct watch *watch_new(struct sqd_http_client *c, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	if (uv_poll_init_socket(c->loop, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	c->handles++;
	w->client = c;
	w->fd = fd;
	w->next = c->watches;
	c->watches = w;
	(void)curl_multi_assign(c->multi, fd, w);
	return w;
}

static int on_socket(CURL *easy SQ_UNUSED, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
	struct sqd_http_client *c = ctx;
	struct watch *w = of_socket;
	int events = 0;

	if (what == CURL_POLL_REMOVE) {
		(void)curl_multi_assign(c->multi, fd, NULL);
		if (w)
			unwatch(w);
		return 0;
	}
	if (!w)
		w = watch_new(c, fd);
	if (!w) {
		c->deaf = true; /* an error would be the end of `multi`, not of the request */
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	w->wanted = events;
	c->deaf |= uv_poll_start(&w->poll, events, on_poll) < 0;
	return 0;
}

static void on_timer(uv_timer_t *t)
{
	struct sqd_http_client *c = t->data;
	int running;

	(void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look(c); /* last */
}

static int on_timeout_wanted(CURLM *multi SQ_UNUSED, long ms, void *ctx)
{
	struct sqd_http_client *c = ctx;

	if (c->closing)
		return 0;
	if (ms < 0)
		return uv_timer_stop(&c->timer);
	return uv_timer_start(&c->timer, on_timer, (uint64_t)ms, 0);
}

/* ---- one request ------------------------------------------------------------------------- */

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct sqd_http_client *c = ctx;

	n *= size;
	if (c->cut || n > c->body.max - c->body.len) {
		c->cut = true; /* the rest is read and thrown away; its time is bounded */
		return n;
	}
	sq_outbuf_put(&c->body, (struct sq_sv){ p, n });
	return c->body.failed ? 0 : n; /* no memory: the request fails */
}

static size_t on_header(char *p SQ_UNUSED, size_t size, size_t n, void *ctx)
{
	struct sqd_http_client *c = ctx;

	c->headers_got += n * size;
	return c->headers_got > SQD_HTTP_HEADERS_MAX ? 0 : n * size;
}

static void fill_answer(struct sqd_http_client *c, CURLcode result, struct sqd_http_answer *a)
{
	long status = 0, connections = 0;
	curl_off_t wait = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connections);
	a->connections = connections > 0 ? (unsigned)connections : 0;
	if (result != CURLE_OK) {
		a->why = c->why[0] ? c->why : curl_easy_strerror(result);
		return;
	}
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &wait);
	a->status = status > 0 ? (unsigned)status : 0;
	a->why = a->status ? "" : "no answer of HTTP";
	a->body = sq_outbuf_view(&c->body);
	a->cut = c->cut;
	if (wait > 0)
		a->retry_after_ms = wait < UINT32_MAX ? (uint64_t)wait * 1000 : UINT32_MAX;
}

/* Has the request ended? */
static void look(struct sqd_http_client *c)
{
	struct sqd_http_answer a = { 0 };
	CURLMsg *m;
	int left;

	do {
		m = curl_multi_info_read(c->multi, &left);
	} while (m && m->msg != CURLMSG_DONE);
	if (!c->busy || (!m && !c->deaf))
		return;
	if (m)
		fill_answer(c, m->data.result, &a);
	else
		a.why = "out of memory";
	(void)curl_multi_remove_handle(c->multi, c->easy); /* `m` is no more */
	c->busy = false;
	c->done(c->ctx, &a); /* last: it may post again or close us */
}

int sqd_http_client_post(struct sqd_http_client *c, struct sq_sv body, const char *header)
{
	struct curl_slist *headers = c->headers;
	CURLcode r;

	sq_assert(!c->busy && !c->closing);
	if (header) {
		/* curl only reads through the pointer; its type does not say so. */
		memcpy(&c->first.data, &header, sizeof(c->first.data));
		c->first.next = headers;
		headers = &c->first;
	}
	c->headers_got = 0;
	c->why[0] = '\0';
	c->cut = c->deaf = false;
	sq_outbuf_reset(&c->body);
	r = curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
	if (!r)
		r = curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
	if (!r)
		r = curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, body.p);
	if (r || curl_multi_add_handle(c->multi, c->easy) != CURLM_OK)
		return -ENOMEM;
	c->busy = true;
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

/* It keeps connections, sessions of TLS and what was read of tls_ca. NULL: out of memory */
static CURLM *multi_new(struct sqd_http_client *c)
{
	CURLM *m = curl_multi_init();

	if (m && !curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket) &&
	    !curl_multi_setopt(m, CURLMOPT_SOCKETDATA, c) &&
	    !curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timeout_wanted) &&
	    !curl_multi_setopt(m, CURLMOPT_TIMERDATA, c) &&
	    !curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS) &&
	    !curl_multi_setopt(m, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)KEPT_CONNECTIONS))
		return m;
	if (m)
		(void)curl_multi_cleanup(m);
	return NULL;
}

struct sqd_http_client *sqd_http_client_new(uv_loop_t *loop, size_t max_answer,
                                            sqd_http_done_fn *done, void *ctx)
{
	struct sqd_http_client *c = calloc(1, sizeof(*c));

	if (!c || !curl_up()) {
		free(c);
		return NULL;
	}
	c->loop = loop;
	c->body = sq_outbuf_of(max_answer);
	c->done = done;
	c->ctx = ctx;
	(void)uv_timer_init(loop, &c->timer); /* cannot fail */
	c->timer.data = c;
	c->handles = 1;
	return c;
}

/* What does not come from a configuration. */
static CURLcode set_ways(struct sqd_http_client *c, CURL *e)
{
	CURLcode r = CURLE_OK;

	r = r ? r : curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	r = r ? r : curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* no waiting for names */
	r = r ? r : curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	r = r ? r : curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	r = r ? r : curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	r = r ? r : curl_easy_setopt(e, CURLOPT_POST, 1L);
	r = r ? r : curl_easy_setopt(e, CURLOPT_USERAGENT, "squiblyd/" SQD_VERSION);
	r = r ? r : curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	r = r ? r : curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->why);
	r = r ? r : curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	r = r ? r : curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	r = r ? r : curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	r = r ? r : curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
	return r;
}

static CURLcode set_tls(CURL *e, const struct sq_tls_client_cfg *t)
{
	long oldest =
		t->min_version == SQ_TLS_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2;
	const char *key = t->key ? t->key : t->certificate;
	CURLcode r = CURLE_OK;

	r = r ? r : curl_easy_setopt(e, CURLOPT_SSLVERSION, oldest);
	r = r ? r : curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, t->verify ? 1L : 0L);
	r = r ? r : curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, t->verify ? 2L : 0L);
	if (t->ca) { /* and these alone */
		r = r ? r : curl_easy_setopt(e, CURLOPT_CAINFO, t->ca);
		r = r ? r : curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	}
	if (t->certificate) {
		r = r ? r : curl_easy_setopt(e, CURLOPT_SSLCERT, t->certificate);
		r = r ? r : curl_easy_setopt(e, CURLOPT_SSLKEY, key);
	}
	if (t->ciphers)
		r = r ? r : curl_easy_setopt(e, CURLOPT_SSL_CIPHER_LIST, t->ciphers);
	return r;
}

static bool add(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (longer)
		*list = longer;
	return longer;
}

/* The certificate must bear another name than the URL has: the request goes to that name, and the
 * connection to where the URL says; the Host header stays the URL's. */
static CURLcode set_name(CURL *e, CURLU *url, const char *name, struct curl_slist **headers,
                         struct curl_slist **connect_to)
{
	char *host = NULL, *port = NULL, text[600];
	bool ok = !curl_url_get(url, CURLUPART_HOST, &host, 0) &&
	          !curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
	          !curl_url_set(url, CURLUPART_HOST, name, 0);

	if (ok) {
		snprintf(text, sizeof(text), "::%.250s:%.8s", host, port);
		ok = add(connect_to, text);
		snprintf(text, sizeof(text), "Host: %.250s:%.8s", host, port);
		ok = ok && add(headers, text);
	}
	curl_free(host);
	curl_free(port);
	return ok ? curl_easy_setopt(e, CURLOPT_CONNECT_TO, *connect_to) : CURLE_OUT_OF_MEMORY;
}

static CURLcode set_target(CURL *e, const struct sqd_http_target *to, struct curl_slist **headers,
                           struct curl_slist **connect_to)
{
	CURLU *url = curl_url();
	char *text = NULL;
	CURLcode r = CURLE_OUT_OF_MEMORY;

	for (const char *const *h = to->headers; url && *h; h++)
		if (!add(headers, *h))
			goto out;
	/* Not wanted: a wait before large bodies. */
	if (!url || curl_url_set(url, CURLUPART_URL, to->url, 0) || !add(headers, "Expect:"))
		goto out;
	r = to->tls->name ? set_name(e, url, to->tls->name, headers, connect_to) : CURLE_OK;
	if (!r && curl_url_get(url, CURLUPART_URL, &text, 0))
		r = CURLE_URL_MALFORMAT;
	r = r ? r : curl_easy_setopt(e, CURLOPT_URL, text);
	r = r ? r : curl_easy_setopt(e, CURLOPT_PROXY, to->proxy ? to->proxy : "");
	r = r ? r : curl_easy_setopt(e, CURLOPT_NOPROXY, ""); /* nor is the environment's asked */
	r = r ? r : curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)to->connect_ms);
	r = r ? r : curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)to->request_ms);
	r = r ? r : set_tls(e, to->tls);
	if (to->login) {
		r = r ? r : curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		r = r ? r : curl_easy_setopt(e, CURLOPT_USERNAME, to->login->user);
		r = r ? r : curl_easy_setopt(e, CURLOPT_PASSWORD, to->login->password);
	}
out:
	curl_free(text);
	curl_url_cleanup(url);
	return r;
}

int sqd_http_client_aim(struct sqd_http_client *c, const struct sqd_http_target *to,
                        struct sq_err *err)
{
	struct curl_slist *headers = NULL, *connect_to = NULL;
	CURL *e = curl_easy_init();
	CURLM *m = multi_new(c);
	CURLcode r;

	sq_assert(!c->busy && !c->closing);
	r = e && m ? set_ways(c, e) : CURLE_OUT_OF_MEMORY;
	r = r ? r : set_target(e, to, &headers, &connect_to);
	if (r) {
		if (e)
			curl_easy_cleanup(e);
		if (m)
			(void)curl_multi_cleanup(m);
		curl_slist_free_all(headers);
		curl_slist_free_all(connect_to);
		return sq_err_set(err, r == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL, "%s",
		                  curl_easy_strerror(r));
	}
	forget_peer(c);
	c->easy = e;
	c->multi = m;
	c->headers = headers;
	c->connect_to = connect_to;
	return 0;
}

static void on_timer_closed(uv_handle_t *h)
{
	release(h->data);
}

void sqd_http_client_close(struct sqd_http_client *c, sqd_http_closed_fn *closed)
{
	sq_assert(!c->closing);
	c->closing = true;
	c->closed = closed;
	if (c->busy)
		(void)curl_multi_remove_handle(c->multi, c->easy);
	c->busy = false;
	forget_peer(c);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

/* ---- what a configuration may hold ------------------------------------------------------- */

static bool printable(const char *p)
{
	for (; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return true;
}

static bool is_token(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

int sqd_http_header_check(const char *header, struct sq_err *err)
{
	const char *p = header;

	while (is_token(*p))
		p++;
	if (p == header || *p != ':')
		return sq_err_set(err, -EINVAL, "a header is written as \"Name: value\"");
	if (!printable(header))
		return sq_err_set(err, -EINVAL, "a header holds printable ASCII alone");
	if (!p[1 + strspn(p + 1, " ")])
		return sq_err_set(err, -EINVAL, "header %.64s has no value", header);
	return 0;
}

/* "https://es.example.org:9200" */
static int show(CURLU *url, const char *scheme, struct sqd_http_url *ret)
{
	char *host = NULL, *port = NULL;
	int r = -ENOMEM;

	if (!curl_url_get(url, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
		snprintf(ret->shown, sizeof(ret->shown), "%s://%.70s:%s", scheme, host, port);
		r = 0;
	}
	curl_free(host);
	curl_free(port);
	return r;
}

int sqd_http_url_read(const char *text, struct sqd_http_url *ret, struct sq_err *err)
{
	char *scheme = NULL, *part = NULL;
	CURLU *url = curl_url();
	CURLUcode u;
	int r = -EINVAL;

	if (!url)
		return sq_err_set(err, -ENOMEM, "out of memory");
	u = printable(text) && !strchr(text, ' ') ? curl_url_set(url, CURLUPART_URL, text, 0)
	                                          : CURLUE_MALFORMED_INPUT;
	if (u || curl_url_get(url, CURLUPART_SCHEME, &scheme, 0))
		sq_err_set(err, r, "it is no URL as in https://siem.example.org:9200");
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		sq_err_set(err, r, "http:// or https:// is expected in front");
	else if (!curl_url_get(url, CURLUPART_USER, &part, 0) ||
	         !curl_url_get(url, CURLUPART_PASSWORD, &part, 0))
		sq_err_set(err, r, "user and password do not belong into a URL");
	else if (!curl_url_get(url, CURLUPART_FRAGMENT, &part, 0))
		sq_err_set(err, r, "nothing behind a # is ever sent");
	else
		r = show(url, scheme, ret);
	if (!r)
		ret->tls = strcmp(scheme, "https") == 0;
	curl_free(part);
	curl_free(scheme);
	curl_url_cleanup(url);
	return r;
}

int sqd_http_proxy_check(const char *proxy, struct sq_err *err)
{
	CURLU *url = curl_url();
	CURLUcode u;

	if (!url)
		return sq_err_set(err, -ENOMEM, "out of memory");
	u = printable(proxy) && !strchr(proxy, ' ')
	            ? curl_url_set(url, CURLUPART_URL, proxy,
	                           CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME)
	            : CURLUE_MALFORMED_INPUT;
	curl_url_cleanup(url);
	return u ? sq_err_set(err, -EINVAL, "it is no URL as in http://proxy.example.org:3128") : 0;
}
