/* Depths: 1 the answer, 2 its list of items, 3 an item, 4 what was done in it, 5 its error, 6 the
 * cause of that; or 2 the error of the whole request. */
#include "lib/wire/bulk_reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_DEPTH = 64,
	MAX_KEYS = 4 * 1024 * 1024, /* of some thousands of items with their errors */
	STATUS_MIN = 100,
	STATUS_MAX = 999,
};

enum place {
	PLACE_ELSEWHERE,
	PLACE_ITEMS,  /* the value of "items" comes, or we are in it */
	PLACE_STATUS, /* the value of an item's "status" comes */
	PLACE_ERROR,  /* of its "error" */
	PLACE_TYPE,   /* of its error's "type" */
	PLACE_REASON,
	PLACE_CAUSE,        /* of its error's "caused_by" */
	PLACE_CAUSE_REASON, /* of that one's "reason" */
};

struct sq_bulk_reply {
	struct sq_json *json;
	sq_bulk_reply_fn *on_item;
	void *ctx;
	unsigned depth;
	bool in_items, seen_items;
	bool in_error; /* the object at depth 5 is the item's error */
	bool in_cause; /* that at depth 6 is its cause */
	bool in_whole; /* the object at depth 2 is that of the request */
	enum place next;
	struct sq_bulk_reply_item item;
	size_t want;
	char type[SQ_BULK_REPLY_TYPE_MAX];
	char reason[SQ_BULK_REPLY_REASON_MAX], cause[SQ_BULK_REPLY_REASON_MAX];
	char why[160];
};

static bool on_begin(void *ctx, bool array)
{
	struct sq_bulk_reply *r = ctx;

	r->depth++;
	if (r->depth == 2 && r->next == PLACE_ITEMS && array && !r->seen_items)
		r->in_items = r->seen_items = true;
	if (r->in_items && r->depth == 3) {
		if (array)
			return false;
		r->item.status = 0;
		r->item.type = r->item.reason = r->item.cause = (struct sq_sv){ 0 };
	}
	if (r->depth == 5)
		r->in_error = r->in_items && r->next == PLACE_ERROR && !array;
	if (r->depth == 6)
		r->in_cause = r->in_error && r->next == PLACE_CAUSE && !array;
	if (r->depth == 2)
		r->in_whole = r->next == PLACE_ERROR && !array && !r->seen_items;
	r->next = PLACE_ELSEWHERE;
	return true;
}

static bool on_end(void *ctx, bool array SQ_UNUSED)
{
	struct sq_bulk_reply *r = ctx;

	if (r->in_items && r->depth == 3) {
		if (r->item.at >= r->want)
			return false; /* more than were asked about */
		r->on_item(r->ctx, &r->item);
		r->item.at++;
	}
	if (r->in_items && r->depth == 2)
		r->in_items = false;
	if (r->depth == 6)
		r->in_cause = false;
	if (r->depth == 5)
		r->in_error = false;
	if (r->depth == 2)
		r->in_whole = false;
	r->depth--;
	r->next = PLACE_ELSEWHERE;
	return true;
}

static bool on_key(void *ctx, struct sq_sv key)
{
	struct sq_bulk_reply *r = ctx;
	bool of_error = (r->in_error && r->depth == 5) || (r->in_whole && r->depth == 2);
	bool of_item = r->in_items && r->depth == 4;

	r->next = PLACE_ELSEWHERE;
	if (r->depth == 1 && sq_sv_eq(key, SQ_SV("items")))
		r->next = PLACE_ITEMS;
	else if (of_item && sq_sv_eq(key, SQ_SV("status")))
		r->next = PLACE_STATUS;
	else if ((of_item || r->depth == 1) && sq_sv_eq(key, SQ_SV("error")))
		r->next = PLACE_ERROR;
	else if (of_error && sq_sv_eq(key, SQ_SV("type")))
		r->next = PLACE_TYPE;
	else if (of_error && sq_sv_eq(key, SQ_SV("reason")))
		r->next = PLACE_REASON;
	else if (r->in_error && r->depth == 5 && sq_sv_eq(key, SQ_SV("caused_by")))
		r->next = PLACE_CAUSE;
	else if (r->in_cause && r->depth == 6 && sq_sv_eq(key, SQ_SV("reason")))
		r->next = PLACE_CAUSE_REASON;
	return true;
}

/* `to` has room for `max`. */
static struct sq_sv kept(char *to, size_t max, struct sq_sv text)
{
	text = sq_sv_first(text, max);
	if (text.n)
		memcpy(to, text.p, text.n);
	return (struct sq_sv){ to, text.n };
}

static bool on_scalar(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays SQ_UNUSED)
{
	struct sq_bulk_reply *r = ctx;
	enum place place = r->next;
	uint64_t status;

	r->next = PLACE_ELSEWHERE;
	if (r->in_items && r->depth == 2)
		return false; /* an item is an object */
	if (place == PLACE_STATUS && kind == SQ_JSON_NUMBER && sq_sv_to_u64(text, &status) &&
	    status >= STATUS_MIN && status <= STATUS_MAX)
		r->item.status = (unsigned)status;
	else if (place == PLACE_TYPE && kind == SQ_JSON_STRING)
		r->item.type = kept(r->type, sizeof(r->type), text);
	else if ((place == PLACE_REASON || place == PLACE_ERROR) && kind == SQ_JSON_STRING)
		r->item.reason = kept(r->reason, sizeof(r->reason), text);
	else if (place == PLACE_CAUSE_REASON && kind == SQ_JSON_STRING)
		r->item.cause = kept(r->cause, sizeof(r->cause), text);
	return true;
}

struct sq_bulk_reply *sq_bulk_reply_new(void)
{
	static const struct sq_json_sink sink = {
		.begin = on_begin, .end = on_end, .key = on_key, .scalar = on_scalar
	};
	static const struct sq_json_limits limits = { .max_depth = MAX_DEPTH,
		                                      .max_keys = MAX_KEYS };
	struct sq_bulk_reply *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->json = sq_json_new(&sink, r, &limits);
	if (r->json)
		return r;
	free(r);
	return NULL;
}

void sq_bulk_reply_free(struct sq_bulk_reply *r)
{
	if (!r)
		return;
	sq_json_free(r->json);
	free(r);
}

static int refuse(struct sq_bulk_reply *r, const char *why)
{
	snprintf(r->why, sizeof(r->why), "%s", why);
	return -EBADMSG;
}

int sq_bulk_reply_read(struct sq_bulk_reply *r, struct sq_sv text, size_t want,
                       sq_bulk_reply_fn *on_item, void *ctx)
{
	size_t used;
	int e;

	r->on_item = on_item;
	r->ctx = ctx;
	r->want = want;
	r->depth = 0;
	r->in_items = r->seen_items = r->in_error = r->in_cause = r->in_whole = false;
	r->next = PLACE_ELSEWHERE;
	r->item = (struct sq_bulk_reply_item){ 0 };
	e = sq_json_read(r->json, text, &used);
	if (e == -ENOMEM)
		return e;
	if (e == -ECANCELED)
		return refuse(r, "it has items that nobody asked for");
	if (e < 0)
		return refuse(r, sq_json_why(r->json));
	if (sq_sv_trim(sq_sv_skip(text, used)).n)
		return refuse(r, "something stands behind it");
	if (!r->seen_items)
		return refuse(r, "it has no list of items");
	if (r->item.at != want)
		return refuse(r, "it has too few items");
	return 0;
}

const struct sq_bulk_reply_item *sq_bulk_reply_whole(const struct sq_bulk_reply *r)
{
	static const struct sq_bulk_reply_item nothing;

	return r->seen_items ? &nothing : &r->item;
}

const char *sq_bulk_reply_why(const struct sq_bulk_reply *r)
{
	return r->why;
}
