#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int sq_err_set(struct sq_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap); /* cut is fine */
	va_end(ap);
	return code;
}

int sq_err_wrap(struct sq_err *err, int code, const char *fmt, ...)
{
	char inner[SQ_ERR_TEXT];
	va_list ap;
	int n;

	if (!err)
		return code;
	memcpy(inner, err->text, sizeof(inner));
	err->code = code;
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		(void)snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %.*s",
		               SQ_ERR_TEXT - 3, inner);
	return code;
}

const char *sq_strerror(int code)
{
	const char *text = strerrordesc_np(code < 0 ? -code : code);

	return text ? text : "unknown error";
}

void sq_diag_add(struct sq_diags *d, enum sq_severity severity, const char *file, unsigned line,
                 unsigned col, const char *fmt, ...)
{
	struct sq_diag *to;
	va_list ap;

	if (severity == SQ_DIAG_ERROR)
		d->errors++;
	else
		d->warnings++;
	if (d->n == SQ_DIAGS_MAX) {
		if (severity != SQ_DIAG_ERROR || d->errors > 1)
			return;
		/* The first error is worth more than the last of a thousand warnings. */
		d->n--;
		free(d->list[d->n].file);
		free(d->list[d->n].text);
	}
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 16;
		struct sq_diag *list = reallocarray(d->list, cap, sizeof(*list));

		if (!list)
			return;
		d->list = list;
		d->cap = cap;
	}
	to = &d->list[d->n];
	*to = (struct sq_diag){ .line = line, .col = col, .severity = severity };
	to->file = strdup(file ? file : "");
	va_start(ap, fmt);
	if (vasprintf(&to->text, fmt, ap) < 0)
		to->text = NULL;
	va_end(ap);
	if (!to->file || !to->text) {
		free(to->file);
		free(to->text);
		return;
	}
	/* What a file holds is quoted in texts: no line end or escape of it may reach a terminal.
	 */
	for (char *p = to->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	d->n++;
}

void sq_diags_fini(struct sq_diags *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free(d->list[i].file);
		free(d->list[i].text);
	}
	free(d->list);
	*d = (struct sq_diags){ 0 };
}

int sq_diags_to_err(const struct sq_diags *d, struct sq_err *err)
{
	const struct sq_diag *first = NULL;
	char at[32] = "", more[48] = "";

	if (!d->errors)
		return 0;
	for (size_t i = 0; i < d->n && !first; i++) {
		if (d->list[i].severity == SQ_DIAG_ERROR)
			first = &d->list[i];
	}
	if (!first)
		return sq_err_set(err, -EINVAL, "%zu errors, and no memory to tell them",
		                  d->errors);
	if (first->line && first->col)
		(void)snprintf(at, sizeof(at), ":%u:%u", first->line, first->col);
	else if (first->line)
		(void)snprintf(at, sizeof(at), ":%u", first->line);
	if (d->errors > 1)
		(void)snprintf(more, sizeof(more), " (and %zu more error%s)", d->errors - 1,
		               d->errors > 2 ? "s" : "");
	return sq_err_set(err, -EINVAL, "%s%s: %s%s", first->file, at, first->text, more);
}
