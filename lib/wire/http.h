/* HTTP/1 requests out of a byte stream, and answers to them (RFC 9112).
 *
 * A parser that many servers live by reads the protocol (docs/decisions/http-parser.md); this wraps
 * it so that nothing of it is seen, asks for one thing at a time, and is stricter where two readers
 * of one request could disagree:
 *
 *	next() -> HEAD -> BODY ... BODY -> END -> HEAD ...
 *
 * A request is refused that has both Content-Length and Transfer-Encoding, either of them twice, a
 * transfer coding other than chunked, two Authorization or Content-Encoding, a folded header line,
 *a NUL, or a version that is not 1.0 or 1.1. Everything is bounded but the body, which the caller
 *counts.
 *
 * Pure. One struct sq_http belongs to one connection; it owns memory only between the first byte of
 * a request and sq_http_reset().
 */
#pragma once

#include "lib/base/outbuf.h"

enum sq_http_method {
	SQ_HTTP_GET,
	SQ_HTTP_HEAD,
	SQ_HTTP_POST,
	SQ_HTTP_PUT,
	SQ_HTTP_DELETE,
	SQ_HTTP_OTHER,
};

/** What sq_http_next() has found. */
enum sq_http_event {
	SQ_HTTP_MORE,  /* all is used: more bytes are needed */
	SQ_HTTP_BEGUN, /* the header is whole: look at `head` */
	SQ_HTTP_BODY,  /* a piece of the body, unchunked, as it was encoded */
	SQ_HTTP_END,   /* the request is whole; reset before the next one */
};

/** Headers that are looked at. */
enum sq_http_header {
	SQ_HTTP_AUTHORIZATION,
	SQ_HTTP_CONTENT_ENCODING,
	SQ_HTTP_CONTENT_TYPE,
	SQ_HTTP_EXPECT,
	SQ_HTTP_SPLUNK_CHANNEL, /* X-Splunk-Request-Channel */
	SQ_HTTP_USER_AGENT,
	SQ_HTTP_HEADERS
};

struct sq_http_limits {
	uint32_t max_header;  /* bytes of request line and headers; at most SQ_HTTP_HEADER_MAX */
	uint32_t max_headers; /* lines */
};

enum { SQ_HTTP_HEADER_MAX = 64 * 1024 };

/** The head of a request. Views are good until sq_http_reset(). */
struct sq_http_head {
	enum sq_http_method method;
	const char *method_name; /* static */
	struct sq_sv path;       /* as sent, without the query */
	struct sq_sv query;      /* without '?' */
	/* Values; empty: none. The first, if repeated; Authorization and Content-Encoding are not.
	 */
	struct sq_sv headers[SQ_HTTP_HEADERS];
	uint64_t length; /* of the body as it is sent; 0 when it is chunked or there is none */
	bool sized;      /* it says how long its body is, or where that ends */
	bool chunked;
	bool minor_0;    /* HTTP/1.0 */
	bool keep_alive; /* the client wants to go on after this request */
};

struct sq_http {
	struct sq_http_limits limits;
	struct sq_http_head head;
	int status;      /* of an error: the answer's, 400, 413 ... */
	const char *why; /* of an error: static */
	uint64_t body;   /* bytes of the stream that the body has taken, chunk sizes included */
	uint32_t used;   /* bytes of the stream that the head has taken; 0: no request has begun */

	/* Private. */
	struct sq_outbuf text; /* target and values */
	struct {
		uint32_t at, n;
	} url, values[SQ_HTTP_HEADERS];
	struct sq_sv piece; /* of the body */
	uint32_t lines, transfer_encodings;
	uint8_t n_name, event, phase;
	uint8_t header;     /* that is being read; SQ_HTTP_HEADERS: one that is not looked at */
	char last;          /* byte of the head, or of what is between chunks */
	uint8_t after_data; /* bytes of the line end behind a chunk's data that have come, plus one
	                     */
	uint64_t tail;      /* the last eight bytes of the request line */
	uint64_t chunk_left;
	bool request_line; /* it has been seen */
	bool bad_name;     /* a header's name holds what none may hold */
	uint8_t seen;      /* bit per header that is looked at */
	bool repeated;     /* one came again that two readers would choose from in two ways */
	bool in_value;
	bool in_coding;      /* the value of Transfer-Encoding is being read */
	uint8_t n_coding;    /* at most one more than there is room for */
	char coding[16];     /* that value; cut */
	char name[32];       /* of the header that is being read; cut */
	char first[4];       /* bytes of the request */
	uint64_t parser[16]; /* the library's state */
};

/** Empty, for a new connection. It may not be moved from now on. */
void sq_http_init(struct sq_http *h, const struct sq_http_limits *limits);
/** Ready for the next request; gives memory back. */
void sq_http_reset(struct sq_http *h);

/**
 * Read on.
 *
 * @param ret_used   always set: bytes of `in` that were used
 * @param ret_piece  on SQ_HTTP_BODY a view into `in`
 * @return an enum sq_http_event, or -EBADMSG: `status` and `why` say what to answer, and the
 *         stream cannot be read on; -ENOMEM
 */
int sq_http_next(struct sq_http *h, struct sq_sv in, size_t *ret_used,
                 struct sq_sv *ret_piece) SQ_MUST_CHECK;

/** After an error: what the bytes look like instead of HTTP, for the log: "speaks TLS on a plain
 * HTTP port"; NULL when they look like nothing known. */
const char *sq_http_guess(const struct sq_http *h);

/** The value of `key` in a query ("a=1&b=2"), as it stands there (still percent-encoded). @return
 * false: it is not there */
bool sq_http_query(struct sq_sv query, struct sq_sv key, struct sq_sv *ret);

struct sq_http_answer {
	int status;
	bool close;        /* say that the connection ends */
	bool minor_0;      /* the request was HTTP/1.0 */
	bool head;         /* the request was HEAD: length, but no body */
	bool elastic;      /* say that we are Elasticsearch */
	bool authenticate; /* say how to prove who one is */
	uint32_t retry_s;  /* 0: do not say when to come again */
	const char *allow; /* methods, for 405; NULL: none are named */
	const char *type;  /* NULL: application/json */
	struct sq_sv body;
};

/** Write a whole answer. */
void sq_http_answer(struct sq_outbuf *out, const struct sq_http_answer *a);
/** "Too Many Requests"; never NULL. */
const char *sq_http_reason(int status);
/** What a client that said "Expect: 100-continue" waits for. */
#define SQ_HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"
