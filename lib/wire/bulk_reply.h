/* The answer of Elasticsearch or OpenSearch to a _bulk request, taken apart into its items.
 *
 *	{"errors":true,"items":[{"create":{"status":201}},
 *	 {"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"..."}}}]}
 *
 * There is one item for each action, in their order; what each of them was called is not looked at.
 * An error may have a `caused_by` with a reason of its own, which says what "failed to parse" does
 * not; and that one too, which is not looked at.
 * https://www.elastic.co/guide/en/elasticsearch/reference/8.17/docs-bulk.html
 *
 * Pure. The answer comes from a network: nothing in it is believed, and nothing is allocated but
 * what the JSON reader keeps from text to text.
 */
#pragma once

#include "lib/text/json.h"

enum {
	SQ_BULK_REPLY_TYPE_MAX = 64,    /* bytes kept of an error's type */
	SQ_BULK_REPLY_REASON_MAX = 256, /* of its reason */
};

struct sq_bulk_reply_item {
	size_t at;           /* which, from 0 */
	unsigned status;     /* as of HTTP; 0: it told none that is a number from 100 to 999 */
	struct sq_sv type;   /* of the error; empty without one */
	struct sq_sv reason; /* cut to the maximum */
	struct sq_sv cause;  /* the reason of what caused it, cut to the same; not of the request */
};

/** One item; what it views stays until return. */
typedef void sq_bulk_reply_fn(void *ctx, const struct sq_bulk_reply_item *item);

struct sq_bulk_reply;

/** NULL: out of memory. */
struct sq_bulk_reply *sq_bulk_reply_new(void);
/** NULL is fine. */
void sq_bulk_reply_free(struct sq_bulk_reply *r);

/**
 * Read a whole answer and hand on its items, of which there must be `want`.
 *
 * Items may have been handed on when it fails: they are not to be trusted then.
 * @return 0; -EBADMSG: it is no such answer, see sq_bulk_reply_why(); -ENOMEM
 */
int sq_bulk_reply_read(struct sq_bulk_reply *r, struct sq_sv text, size_t want,
                       sq_bulk_reply_fn *on_item, void *ctx) SQ_MUST_CHECK;

/** What the last answer said in place of items, when all of the request was refused:
 *	{"error":{"root_cause":[...],"type":"illegal_argument_exception","reason":"..."},"status":400}
 *  @return type and reason, empty when it said no such thing; until the next answer is read */
const struct sq_bulk_reply_item *sq_bulk_reply_whole(const struct sq_bulk_reply *r);

/** Why the last answer was none: one short line. */
const char *sq_bulk_reply_why(const struct sq_bulk_reply *r);
