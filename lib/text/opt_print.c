#include "lib/text/opt_private.h"

const struct sq_opt_unit sq_opt_byte_units[] = {
	{ "GiB", UINT64_C(1) << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "B", 1 }, { 0 }
};

const struct sq_opt_unit sq_opt_time_units[] = { { "d", 86400000 }, { "h", 3600000 },
	                                         { "min", 60000 },  { "s", 1000 },
	                                         { "ms", 1 },       { 0 } };

static const void *member_const(const struct sq_opt *o, const void *of)
{
	return (const char *)of + o->offset;
}

void sq_opt_print_number(enum sq_opt_type type, uint64_t v, struct sq_outbuf *out)
{
	const struct sq_opt_unit *u = type == SQ_OPT_MSEC ? sq_opt_time_units : sq_opt_byte_units;

	if (type == SQ_OPT_U32 || v == 0) {
		sq_outbuf_printf(out, "%llu", (unsigned long long)v);
		return;
	}
	while (v % u->size)
		u++;
	/* Plain bytes need no unit; plain milliseconds are clearer with one. */
	sq_outbuf_printf(out, "%llu%s", (unsigned long long)(v / u->size),
	                 type == SQ_OPT_BYTES && u->size == 1 ? "" : u->name);
}

static bool reads_back_plain(struct sq_sv v)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_./-:";

	if (v.n == 0 || sq_sv_ieq(v, SQ_SV("null")) || v.p[v.n - 1] == ':' ||
	    strchr("_.-:", v.p[0]))
		return false;
	return strspn(v.p, ok) == v.n;
}

/* How many bytes of UTF-8 at `p` make a character that YAML does not show as it is: C1 controls,
 * line separators, the byte order mark. 0: it may stand as it is. */
static size_t unprintable(const char *p, uint32_t *ret_code)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f) {
		*ret_code = u[1];
		return 2;
	}
	if ((u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0xa8 || u[2] == 0xa9)) ||
	    (u[0] == 0xef && u[1] == 0xbb && u[2] == 0xbf) ||
	    (u[0] == 0xef && u[1] == 0xbf && (u[2] == 0xbe || u[2] == 0xbf))) {
		*ret_code =
			(uint32_t)(u[0] & 0xf) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
		return 3;
	}
	return 0;
}

/* Plain where that is safe, else in double quotes. */
static void print_text(const char *text, struct sq_outbuf *out)
{
	if (reads_back_plain(sq_sv_of(text))) {
		sq_outbuf_put(out, sq_sv_of(text));
		return;
	}
	sq_outbuf_putc(out, '"');
	for (const char *p = text; *p; p++) {
		uint32_t code;
		size_t n = unprintable(p, &code);

		if (n) {
			sq_outbuf_printf(out, "\\u%04X", (unsigned)code);
			p += n - 1;
		} else if (*p == '"' || *p == '\\') {
			sq_outbuf_printf(out, "\\%c", *p);
		} else if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			sq_outbuf_printf(out, "\\x%02X", (unsigned)(unsigned char)*p);
		} else {
			sq_outbuf_putc(out, *p);
		}
	}
	sq_outbuf_putc(out, '"');
}

static void print_list(const struct sq_opt_strs *strs, struct sq_outbuf *out)
{
	sq_outbuf_putc(out, '[');
	for (size_t i = 0; i < strs->n; i++) {
		if (i)
			sq_outbuf_put(out, SQ_SV(", "));
		print_text(strs->list[i], out);
	}
	sq_outbuf_putc(out, ']');
}

static const char *enum_name(const struct sq_opt *o, int value)
{
	const struct sq_opt_enum *e = o->enums;

	while (e->name && e->value != value)
		e++;
	sq_assert(e->name);
	return e->name;
}

static void print_value(const struct sq_opt *o, const void *at, struct sq_outbuf *out)
{
	switch (o->type) {
	case SQ_OPT_STR: {
		const char *text = *(char *const *)at;

		if (text)
			print_text(text, out);
		else
			sq_outbuf_put(out, SQ_SV("null"));
		return;
	}
	case SQ_OPT_BOOL:
		sq_outbuf_put(out, *(const bool *)at ? SQ_SV("true") : SQ_SV("false"));
		return;
	case SQ_OPT_U32:
		sq_opt_print_number(o->type, *(const uint32_t *)at, out);
		return;
	case SQ_OPT_BYTES:
	case SQ_OPT_MSEC:
		sq_opt_print_number(o->type, *(const uint64_t *)at, out);
		return;
	case SQ_OPT_ENUM:
		sq_outbuf_put(out, sq_sv_of(enum_name(o, *(const int *)at)));
		return;
	case SQ_OPT_STRS:
		print_list(at, out);
		return;
	}
}

static void print_indent(unsigned indent, struct sq_outbuf *out)
{
	sq_outbuf_printf(out, "%*s", (int)indent, "");
}

void sq_opt_print(const struct sq_opt *table, const void *from, unsigned indent,
                  struct sq_outbuf *out)
{
	for (const struct sq_opt *o = table; o->key; o++) {
		print_indent(indent, out);
		sq_outbuf_printf(out, "%s: ", o->key);
		print_value(o, member_const(o, from), out);
		sq_outbuf_putc(out, '\n');
	}
}

/* A sentence as comment lines of at most 100 columns. */
static void print_comment(struct sq_sv text, unsigned indent, struct sq_outbuf *out)
{
	size_t width = indent < 60 ? 98 - indent : 38;

	while (text.n) {
		struct sq_sv line = sq_sv_first(text, width);

		if (text.n > width) {
			while (line.n && line.p[line.n - 1] != ' ')
				line.n--;
			if (!line.n)
				line = sq_sv_first(text, width);
		}
		print_indent(indent, out);
		sq_outbuf_printf(out, "# %.*s\n", SQ_SV_ARG(sq_sv_trim(line)));
		text = sq_sv_skip(text, line.n);
	}
}

static void print_range(const struct sq_opt *o, struct sq_outbuf *to)
{
	switch (o->type) {
	case SQ_OPT_STR:
	case SQ_OPT_BOOL:
	case SQ_OPT_STRS:
		return;
	case SQ_OPT_U32:
	case SQ_OPT_BYTES:
	case SQ_OPT_MSEC:
		if (!o->min && !o->max)
			return;
		sq_outbuf_put(to, o->max ? SQ_SV(" (") : SQ_SV(" (at least "));
		sq_opt_print_number(o->type, o->min, to);
		if (o->max) {
			sq_outbuf_put(to, SQ_SV(" to "));
			sq_opt_print_number(o->type, o->max, to);
		}
		sq_outbuf_putc(to, ')');
		return;
	case SQ_OPT_ENUM:
		for (const struct sq_opt_enum *e = o->enums; e->name; e++)
			sq_outbuf_printf(to, "%s%s", e == o->enums ? " (" : ", ", e->name);
		sq_outbuf_putc(to, ')');
		return;
	}
}

void sq_opt_help(const struct sq_opt *table, unsigned indent, struct sq_outbuf *out)
{
	struct sq_outbuf text = sq_outbuf_of(4096);

	for (const struct sq_opt *o = table; o->key; o++) {
		sq_outbuf_reset(&text);
		sq_outbuf_put(&text, sq_sv_of(o->doc));
		print_range(o, &text);
		if (o->required)
			sq_outbuf_put(&text, SQ_SV(" Required."));
		print_comment(sq_outbuf_view(&text), indent, out);
		print_indent(indent, out);
		sq_outbuf_printf(out, "#%s:", o->key);
		if (o->def) {
			sq_outbuf_putc(out, ' ');
			if (o->type == SQ_OPT_STR)
				print_text(o->def, out);
			else
				sq_outbuf_put(out, sq_sv_of(o->def));
		}
		sq_outbuf_putc(out, '\n');
	}
	if (text.failed)
		out->failed = true;
	sq_outbuf_fini(&text);
}
