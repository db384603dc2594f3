/* An object of JSON that is opened with its first member, and left out when it has none. Included
 * by lib/engine/alert*.c only.
 */
#pragma once

#include "lib/text/jsonw.h"

struct sq_section {
	struct sq_jsonw *w;
	const char *name;
	bool open;
};

static inline void sq_section_open(struct sq_section *s)
{
	if (s->open)
		return;
	sq_jsonw_key(s->w, s->name);
	sq_jsonw_object(s->w);
	s->open = true;
}

static inline void sq_section_close(struct sq_section *s)
{
	if (s->open)
		sq_jsonw_end_object(s->w);
}

static inline void sq_section_member(struct sq_section *s, const char *key, struct sq_sv v)
{
	if (v.n == 0)
		return;
	sq_section_open(s);
	sq_jsonw_member(s->w, key, v);
}

/* Process ids come as 4711, "4711" or "0x1267"; ECS wants a number. */
static inline void sq_section_number(struct sq_section *s, const char *key, struct sq_sv v)
{
	uint64_t n;

	if (!sq_sv_to_u64(v, &n) || n > UINT32_MAX)
		return;
	sq_section_open(s);
	sq_jsonw_key(s->w, key);
	sq_jsonw_int(s->w, (int64_t)n);
}
