/* Bytes that grow, up to a hard maximum.
 *
 * Writing never returns an error: a write that does not fit, or finds no memory, sets `failed` and
 * is left out, and so are all later ones until the next reset or cut. The writer looks once, at the
 * end. Memory is kept over resets, so a warm buffer allocates nothing.
 */
#pragma once

#include "lib/base/sv.h"

struct sq_outbuf {
	char *p;
	size_t len, cap; /* bytes used / available */
	size_t max;      /* `cap` never grows beyond this */
	bool failed;
};

static inline struct sq_outbuf sq_outbuf_of(size_t max)
{
	return (struct sq_outbuf){ .max = max };
}

/** Free the memory; empty then, and good for use again with the same `max`. */
void sq_outbuf_fini(struct sq_outbuf *b);

/** Room for `n` more bytes; grows when needed. @return where to write, or NULL (failed is set).
 *  The caller adds what it wrote to `len` itself. */
char *sq_outbuf_reserve(struct sq_outbuf *b, size_t n);

/** As the two below where there is no room, or no promise of it. */
void sq_outbuf_put_slowly(struct sq_outbuf *b, struct sq_sv v);

/* Here, so that what is put often and is of known length costs no call. */
static inline void sq_outbuf_put(struct sq_outbuf *b, struct sq_sv v)
{
	if (b->failed || v.n > b->cap - b->len) {
		sq_outbuf_put_slowly(b, v);
	} else if (v.n) {
		memcpy(b->p + b->len, v.p, v.n);
		b->len += v.n;
	}
}

static inline void sq_outbuf_putc(struct sq_outbuf *b, char c)
{
	if (b->failed || b->len == b->cap)
		sq_outbuf_put_slowly(b, (struct sq_sv){ &c, 1 });
	else
		b->p[b->len++] = c;
}

/** As printf(), without the NUL; all of it or nothing (`failed`). */
void sq_outbuf_printf(struct sq_outbuf *b, const char *fmt, ...) SQ_PRINTF(2, 3);

static inline void sq_outbuf_reset(struct sq_outbuf *b)
{
	b->len = 0;
	b->failed = false;
}

/** Take back what was written after `len` was `mark`; clears `failed`. */
static inline void sq_outbuf_cut(struct sq_outbuf *b, size_t mark)
{
	sq_assert(mark <= b->len);
	b->len = mark;
	b->failed = false;
}

static inline struct sq_sv sq_outbuf_view(const struct sq_outbuf *b)
{
	return (struct sq_sv){ b->p, b->len };
}
