#include "lib/rules/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SQ_SHOWN_MAX = 60 };

SQ_PRINTF(5, 0)
static void report(struct sq_parse *p, enum sq_severity severity, unsigned line, unsigned col,
                   const char *fmt, va_list ap)
{
	char text[SQ_ERR_TEXT];

	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut is fine */
	sq_diag_add(p->diags, severity, p->name, line, col, "%s", text);
}

void sq_parse_error(struct sq_parse *p, const struct sq_yaml *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(p, SQ_DIAG_ERROR, at ? at->line : 0, at ? at->col : 0, fmt, ap);
	va_end(ap);
}

void sq_parse_warn(struct sq_parse *p, const struct sq_yaml *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(p, SQ_DIAG_WARNING, at ? at->line : 0, at ? at->col : 0, fmt, ap);
	va_end(ap);
}

/* Column of that byte: exact for a text of one line without escapes, else that of the scalar. */
static unsigned column_of(const struct sq_yaml *at, size_t offset)
{
	size_t chars = 0;

	if (at->block || offset > at->text.n || sq_sv_chr(at->text, '\n') != SIZE_MAX)
		return at->col;
	for (size_t i = 0; i < offset; i++)
		chars += ((unsigned char)at->text.p[i] & 0xc0) != 0x80;
	return at->col + at->quoted + (unsigned)chars;
}

void sq_parse_error_in(struct sq_parse *p, const struct sq_yaml *at, size_t offset, const char *fmt,
                       ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(p, SQ_DIAG_ERROR, at->line, column_of(at, offset), fmt, ap);
	va_end(ap);
}

void *sq_parse_alloc(struct sq_parse *p, size_t n)
{
	void *m = sq_rules_alloc(p->rules, n);

	if (!m)
		p->nomem = true;
	return m;
}

struct sq_sv sq_parse_dup(struct sq_parse *p, struct sq_sv v)
{
	struct sq_sv copy = sq_rules_dup(p->rules, v);

	if (copy.p)
		return copy;
	p->nomem = true;
	return SQ_SV("");
}

struct sq_sv sq_parse_shown(struct sq_sv v)
{
	size_t n = SQ_SHOWN_MAX;

	if (v.n <= n)
		return v;
	while (n > 0 && ((unsigned char)v.p[n] & 0xc0) == 0x80)
		n--;
	return sq_sv_first(v, n);
}

void sq_parse_nearer(struct sq_sv word, struct sq_sv candidate, struct sq_sv *best)
{
	unsigned limit = word.n < 4 ? 1 : word.n < 9 ? 2 : 3;
	size_t longer = word.n > candidate.n ? word.n - candidate.n : candidate.n - word.n;
	unsigned d;

	if (longer > limit) /* each letter more is an edit; spares counting most of them */
		return;
	d = sq_sv_distance(word, candidate);
	if (d <= limit && d < candidate.n && (!best->n || d < sq_sv_distance(word, *best)))
		*best = candidate;
}

const char *sq_parse_hint(struct sq_hint *buf, struct sq_sv best)
{
	buf->text[0] = 0;
	if (best.n)
		(void)snprintf(buf->text, sizeof(buf->text), "; did you mean '%.*s'?",
		               SQ_SHOW(best));
	return buf->text;
}

void sq_args_add(struct sq_parse *p, struct sq_args *args, const struct sq_expr *e)
{
	if (args->n == args->cap) {
		uint32_t cap = args->cap ? args->cap * 2 : 8;
		const struct sq_expr **v;

		v = reallocarray(args->v, cap, sizeof(const struct sq_expr *));
		if (!v) {
			p->nomem = true;
			return;
		}
		args->v = v;
		args->cap = cap;
	}
	args->v[args->n++] = e;
}

void sq_args_fini(struct sq_args *args)
{
	free(args->v);
	*args = (struct sq_args){ 0 };
}

static struct sq_expr *expr_new(struct sq_parse *p, int kind)
{
	struct sq_expr *e = sq_parse_alloc(p, sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct sq_expr){ .selection = SQ_SV("") };
	e->kind = kind;
	return e;
}

struct sq_expr *sq_expr_of_pred(struct sq_parse *p, const struct sq_pred *pred)
{
	struct sq_expr *e = expr_new(p, SQ_EXPR_PRED);

	if (e)
		e->pred = pred;
	return e;
}

const struct sq_expr *sq_expr_group(struct sq_parse *p, bool all, const struct sq_args *args)
{
	struct sq_expr *e;

	if (args->n == 1)
		return args->v[0];
	e = expr_new(p, all ? SQ_EXPR_AND : SQ_EXPR_OR);
	if (!e)
		return NULL;
	e->args = sq_parse_alloc(p, args->n * sizeof(const struct sq_expr *));
	if (!e->args)
		return NULL;
	if (args->n)
		memcpy(e->args, args->v, args->n * sizeof(const struct sq_expr *));
	e->n = args->n;
	return e;
}

struct sq_expr *sq_expr_not(struct sq_parse *p, const struct sq_expr *inner)
{
	struct sq_expr *e = expr_new(p, SQ_EXPR_NOT);

	if (!e)
		return NULL;
	e->args = sq_parse_alloc(p, sizeof(const struct sq_expr *));
	if (!e->args)
		return NULL;
	e->args[0] = inner;
	e->n = 1;
	return e;
}

struct sq_expr *sq_expr_false(struct sq_parse *p)
{
	return expr_new(p, SQ_EXPR_FALSE);
}

uint32_t sq_expr_weight(const struct sq_expr *e)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < e->n; i++)
		sum += sq_expr_weight(e->args[i]);
	return sum ? sum : 1;
}
