#include "lib/text/csv.h"

#include <errno.h>

struct sq_csv sq_csv_of(char *text, size_t n)
{
	struct sq_csv c = { .p = text, .end = text + n, .line = 1, .col = 1 };

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		c.p += 3;
	return c;
}

static int bad(struct sq_csv *c, const char *why)
{
	c->bad_line = c->line;
	c->bad_col = c->col;
	c->why = why;
	return -EBADMSG;
}

static void step(struct sq_csv *c)
{
	c->col++;
	if (*c->p++ == '\n') {
		c->line++;
		c->col = 1;
	}
}

/* The end of a row: skipped. @return 1: it was one, 0: it was not, -EBADMSG */
static int row_end(struct sq_csv *c)
{
	if (c->p == c->end)
		return 1;
	if (*c->p == '\r') {
		if (c->p + 1 == c->end || c->p[1] != '\n')
			return bad(c, "a carriage return without a line feed");
		step(c);
	}
	if (*c->p != '\n')
		return 0;
	step(c);
	return 1;
}

static int quoted(struct sq_csv *c, struct sq_sv *ret)
{
	char *to = c->p + 1;
	struct sq_csv begin = *c;

	ret->p = to;
	for (step(c); c->p < c->end; step(c)) {
		if (*c->p == '\0')
			return bad(c, "a NUL byte");
		if (*c->p == '"') {
			step(c);
			if (c->p == c->end || *c->p != '"') {
				ret->n = (size_t)(to - ret->p);
				return 0;
			}
		}
		*to++ = *c->p;
	}
	*c = begin;
	return bad(c, "a quote that is never closed");
}

static int bare(struct sq_csv *c, struct sq_sv *ret)
{
	ret->p = c->p;
	for (; c->p < c->end && *c->p != ',' && *c->p != '\n' && *c->p != '\r'; step(c)) {
		if (*c->p == '"')
			return bad(c, "a quote inside of a field that does not begin with one");
		if (*c->p == '\0')
			return bad(c, "a NUL byte");
	}
	ret->n = (size_t)(c->p - ret->p);
	return 0;
}

int sq_csv_row(struct sq_csv *c, struct sq_sv *fields, size_t max)
{
	size_t n = 0;
	int r;

	while (c->p < c->end && (*c->p == '\n' || *c->p == '\r')) {
		r = row_end(c);
		if (r < 0)
			return r;
	}
	c->row_line = c->line;
	if (c->p == c->end)
		return 0;
	for (;;) {
		if (n == max) {
			(void)bad(c, "too many fields");
			return -E2BIG;
		}
		r = c->p < c->end && *c->p == '"' ? quoted(c, &fields[n]) : bare(c, &fields[n]);
		if (r < 0)
			return r;
		n++;
		r = row_end(c);
		if (r)
			return r < 0 ? r : (int)n;
		if (*c->p != ',')
			return bad(c, "text behind a closing quote");
		step(c);
	}
}
