/* Messages one after another, on their way between a loop and the disk: head, key, text.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/host/spool.h"

/** In front of each message. */
struct sqd_packed {
	uint64_t seq;
	uint64_t id[2];
	uint32_t n, n_key;
};

/** Take the first of `*v`, which views it. @return false: there is none */
static inline bool sqd_unpack(struct sq_sv *v, struct sq_spool_record *r)
{
	struct sqd_packed p;

	if (v->n < sizeof(p))
		return false;
	memcpy(&p, v->p, sizeof(p));
	*v = sq_sv_skip(*v, sizeof(p));
	sq_assert(v->n >= (size_t)p.n_key + p.n);
	*r = (struct sq_spool_record){ .seq = p.seq,
		                       .id = { p.id[0], p.id[1] },
		                       .key = { v->p, p.n_key },
		                       .text = { v->p + p.n_key, p.n } };
	*v = sq_sv_skip(*v, (size_t)p.n_key + p.n);
	return true;
}

/** Append one; when there is no room `failed` is set, and nothing is left of it. */
static inline void sqd_pack(struct sq_outbuf *to, const struct sq_spool_record *r)
{
	struct sqd_packed p = { .seq = r->seq,
		                .id = { r->id[0], r->id[1] },
		                .n = (uint32_t)r->text.n,
		                .n_key = (uint32_t)r->key.n };
	size_t mark = to->len;

	sq_outbuf_put(to, (struct sq_sv){ (const char *)&p, sizeof(p) });
	sq_outbuf_put(to, r->key);
	sq_outbuf_put(to, r->text);
	if (to->failed)
		sq_outbuf_cut(to, mark);
	else
		return;
	to->failed = true;
}
