#include "lib/base/outbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void sq_outbuf_fini(struct sq_outbuf *b)
{
	if (!b)
		return;
	free(b->p);
	*b = (struct sq_outbuf){ .max = b->max };
}

char *sq_outbuf_reserve(struct sq_outbuf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	if (b->failed || b->max == 0 || n > b->max - b->len)
		goto fail;
	if (b->p && n <= b->cap - b->len)
		return b->p + b->len;
	while (cap < b->len + n)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	p = realloc(b->p, cap);
	if (!p)
		goto fail;
	b->p = p;
	b->cap = cap;
	return p + b->len;

fail:
	b->failed = true;
	return NULL;
}

void sq_outbuf_put_slowly(struct sq_outbuf *b, struct sq_sv v)
{
	char *to;

	if (v.n == 0)
		return;
	to = sq_outbuf_reserve(b, v.n);
	if (!to)
		return;
	memcpy(to, v.p, v.n);
	b->len += v.n;
}

void sq_outbuf_printf(struct sq_outbuf *b, const char *fmt, ...)
{
	char text[512]; /* nearly always enough, and then formatted once */
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if ((size_t)n < sizeof(text)) {
		sq_outbuf_put(b, (struct sq_sv){ text, (size_t)n });
		return;
	}
	to = sq_outbuf_reserve(b, (size_t)n + 1); /* vsnprintf() wants to end it with a NUL */
	if (!to)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}
