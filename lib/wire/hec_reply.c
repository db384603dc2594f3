#include "lib/wire/hec_reply.h"

#include <errno.h>

static bool on_begin(void *ctx, bool array)
{
	struct sq_hec_reply *r = ctx;

	r->next = NULL;
	return r->depth++ > 0 || !array;
}

static bool on_end(void *ctx, bool array SQ_UNUSED)
{
	struct sq_hec_reply *r = ctx;

	r->next = NULL;
	r->depth--;
	return true;
}

static bool on_key(void *ctx, struct sq_sv key)
{
	struct sq_hec_reply *r = ctx;

	r->next = NULL;
	if (r->depth == 1 && sq_sv_eq(key, SQ_SV("code")))
		r->next = &r->code;
	else if (r->depth == 1 && sq_sv_eq(key, SQ_SV("invalid-event-number")))
		r->next = &r->event;
	return true;
}

static bool on_scalar(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays SQ_UNUSED)
{
	struct sq_hec_reply *r = ctx;
	int64_t v;

	if (r->next && kind == SQ_JSON_NUMBER && sq_sv_to_i64(text, &v) && v >= 0)
		*r->next = v;
	r->next = NULL;
	return true;
}

int sq_hec_reply_init(struct sq_hec_reply *r)
{
	static const struct sq_json_sink sink = {
		.begin = on_begin, .end = on_end, .key = on_key, .scalar = on_scalar
	};
	static const struct sq_json_limits limits = { .max_depth = 16, .max_keys = 1000 };

	*r = (struct sq_hec_reply){ .code = -1, .event = -1 };
	r->json = sq_json_new(&sink, r, &limits);
	return r->json ? 0 : -ENOMEM;
}

void sq_hec_reply_fini(struct sq_hec_reply *r)
{
	sq_json_free(r->json);
	r->json = NULL;
}

int sq_hec_reply_read(struct sq_hec_reply *r, struct sq_sv text)
{
	size_t used;
	int e;

	r->code = r->event = -1;
	r->depth = 0;
	r->next = NULL;
	e = sq_json_read(r->json, text, &used);
	return e == 0 || e == -ENOMEM ? e : -EBADMSG;
}
