/* What Beats and other clients of Elasticsearch ask before they send: answers that satisfy them.
 *
 * They want to know a version (at least their own), a licence, and that templates, policies and
 * pipelines are there; all of that is said to be so, and nothing is kept (docs/formats.md).
 */
#pragma once

#include "lib/wire/http.h"

enum sq_elastic {
	SQ_ELASTIC_NOT,   /* nothing of Elasticsearch: not ours to answer */
	SQ_ELASTIC_BULK,  /* POST /_bulk, /INDEX/_bulk, /INDEX/_doc/_bulk */
	SQ_ELASTIC_KNOWN, /* answered with 200 and what was written to `body` */
	SQ_ELASTIC_ELSE,  /* the same, but nobody has thought of this request: worth a word */
};

/** What a request is; its answer, if there is one, is appended to `body`. */
enum sq_elastic sq_elastic_answer(const struct sq_http_head *head, struct sq_outbuf *body);
