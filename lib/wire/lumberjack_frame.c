/* Lumberjack: one frame, and what D frames hold. */
#include <errno.h>

#include "lib/text/jsonw.h"
#include "lib/wire/frame.h"
#include "lib/wire/lumberjack_private.h"

static enum sq_lumber_fault foreign(char first)
{
	switch (first) {
	case 0x16:
		return SQ_LUMBER_TLS;
	case '{':
	case '[':
		return SQ_LUMBER_JSON;
	case 'C': /* the first letters of HTTP's methods */
	case 'D':
	case 'G':
	case 'H':
	case 'O':
	case 'P':
	case 'T':
		return SQ_LUMBER_HTTP;
	}
	return SQ_LUMBER_FOREIGN;
}

/* May an event come here? A window that begins without W is a version 1 client's: it says once how
 * large its windows are. */
static int check_place(struct sq_lumber *l, bool inside, char version)
{
	if (l->open)
		return l->got < l->count ? 0 : sq_lumber_fail(l, SQ_LUMBER_BEYOND);
	if (!inside && version == '1' && l->v1_window)
		return 0;
	return sq_lumber_fail(l, SQ_LUMBER_NO_WINDOW);
}

static int parse_json(struct sq_lumber *l, struct sq_sv v, struct sq_lumber_frame *f)
{
	const struct sq_lumber_limits *limits = &l->env->limits;

	f->body = sq_lumber_u32(v.p + 6);
	if (!f->body)
		return sq_lumber_fail(l, SQ_LUMBER_EMPTY);
	if (f->body > limits->max_frame)
		return sq_lumber_fail(l, SQ_LUMBER_MAX_FRAME);
	f->oversized = f->body > limits->max_record;
	f->length = SQ_LUMBER_HEAD + (f->oversized ? 0 : (size_t)f->body);
	return v.n >= f->length;
}

static int too_long(struct sq_lumber_frame *f)
{
	f->oversized = true;
	f->length = SQ_LUMBER_HEAD;
	return 1;
}

/* Walk over the strings as far as they are there. */
static int parse_pairs(struct sq_lumber *l, struct sq_sv v, struct sq_lumber_frame *f)
{
	const struct sq_lumber_limits *limits = &l->env->limits;
	size_t at = SQ_LUMBER_HEAD;

	f->pairs = sq_lumber_u32(v.p + 6);
	if (f->pairs > limits->max_pairs)
		return sq_lumber_fail(l, SQ_LUMBER_MAX_PAIRS);
	for (uint32_t i = 0; i < 2 * f->pairs; i++) {
		uint32_t n;

		/* The lengths alone take so much. Asking for one string after the other would mean
		 * to walk over all of them again for each. */
		f->length = at + 4 * (2 * (size_t)f->pairs - i);
		if (f->length > SQ_LUMBER_HEAD + (size_t)limits->max_record)
			return too_long(f);
		if (v.n < at + 4)
			return 0;
		n = sq_lumber_u32(v.p + at);
		if (i % 2 == 0 && n > limits->max_key)
			return sq_lumber_fail(l, SQ_LUMBER_MAX_KEY);
		if (n > limits->max_frame)
			return sq_lumber_fail(l, SQ_LUMBER_MAX_FRAME);
		at += 4 + (size_t)n;
		if (at > SQ_LUMBER_HEAD + (size_t)limits->max_record)
			return too_long(f);
	}
	f->length = at;
	return v.n >= at;
}

int sq_lumber_parse(struct sq_lumber *l, struct sq_sv v, bool inside, struct sq_lumber_frame *ret)
{
	*ret = (struct sq_lumber_frame){ .length = 2 };
	if (!v.n)
		return 0;
	ret->version = v.p[0];
	if (ret->version != '1' && ret->version != '2')
		return sq_lumber_fail(l, l->began ? SQ_LUMBER_VERSION : foreign(ret->version));
	l->began = true;
	if (v.n < 2)
		return 0;
	ret->type = v.p[1];
	switch (ret->type) {
	case 'W':
	case 'C':
		if (inside)
			return sq_lumber_fail(l, SQ_LUMBER_NESTED);
		if (ret->type == 'W' && l->open)
			return sq_lumber_fail(l, SQ_LUMBER_WINDOW_EARLY);
		if (ret->type == 'C' && check_place(l, false, ret->version) < 0)
			return -EPROTO;
		ret->length = 6;
		if (v.n < ret->length)
			return 0;
		ret->number = sq_lumber_u32(v.p + 2);
		return 1;
	case 'J':
	case 'D':
		if (check_place(l, inside, ret->version) < 0)
			return -EPROTO;
		ret->length = SQ_LUMBER_HEAD;
		if (v.n < ret->length)
			return 0;
		ret->number = sq_lumber_u32(v.p + 2);
		return ret->type == 'J' ? parse_json(l, v, ret) : parse_pairs(l, v, ret);
	}
	return sq_lumber_fail(l, SQ_LUMBER_TYPE);
}

/* The string at `*at`, whose length stands before it; all of the frame is there. */
static struct sq_sv string_at(struct sq_sv v, size_t *at)
{
	struct sq_sv s = { v.p + *at + 4, sq_lumber_u32(v.p + *at) };

	sq_dassert(*at + 4 + s.n <= v.n);
	*at += 4 + s.n;
	return s;
}

int sq_lumber_pairs(struct sq_lumber_env *e, struct sq_sv v, uint32_t pairs, struct sq_sv *ret)
{
	struct sq_jsonw w = sq_jsonw_of(&e->json);
	size_t at = SQ_LUMBER_HEAD;

	for (uint32_t i = 0; i < pairs; i++) {
		struct sq_sv key = string_at(v, &at), value = sq_sv_trim(string_at(v, &at));

		if (sq_sv_eq(key, SQ_SV("line")) && sq_sv_starts(value, SQ_SV("{")) &&
		    sq_frame_value_length(value) == value.n) {
			*ret = value;
			return 1;
		}
	}
	sq_outbuf_reset(&e->json);
	at = SQ_LUMBER_HEAD;
	sq_jsonw_object(&w);
	for (uint32_t i = 0; i < pairs; i++) {
		struct sq_sv key = string_at(v, &at);

		sq_jsonw_key_sv(&w, key);
		sq_jsonw_string(&w, string_at(v, &at));
	}
	sq_jsonw_end_object(&w);
	*ret = sq_outbuf_view(&e->json);
	return !e->json.failed;
}
