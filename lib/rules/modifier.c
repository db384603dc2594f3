#include "lib/rules/modifier.h"

#include <errno.h>

#define SHAPES  (SQ_BIT(SQ_MOD_CONTAINS) | SQ_BIT(SQ_MOD_STARTSWITH) | SQ_BIT(SQ_MOD_ENDSWITH))
#define UTF16S  (SQ_BIT(SQ_MOD_WIDE) | SQ_BIT(SQ_MOD_UTF16) | SQ_BIT(SQ_MOD_UTF16BE))
#define BASE64S (SQ_BIT(SQ_MOD_BASE64) | SQ_BIT(SQ_MOD_BASE64OFFSET))
#define FLAGS   (SQ_BIT(SQ_MOD_I) | SQ_BIT(SQ_MOD_M) | SQ_BIT(SQ_MOD_S))
#define ALL     SQ_BIT(SQ_MOD_ALL)
#define CASED   SQ_BIT(SQ_MOD_CASED)

struct row {
	const char *name;
	int mod;             /* enum sq_modifier, or -1: known to Sigma and not read yet */
	uint32_t with;       /* those it may stand with */
	const char *instead; /* what to do: of one that is not read, or not in a combination */
};

/* The first name of a modifier is the one that messages use. */
/* clang-format off */
static const struct row rows[] = {
	{ "contains",     SQ_MOD_CONTAINS,   ALL | CASED | SQ_BIT(SQ_MOD_WINDASH) | UTF16S | BASE64S, NULL },
	{ "startswith",   SQ_MOD_STARTSWITH, ALL | CASED | SQ_BIT(SQ_MOD_WINDASH) | UTF16S | SQ_BIT(SQ_MOD_BASE64), NULL },
	{ "endswith",     SQ_MOD_ENDSWITH,   ALL | CASED | SQ_BIT(SQ_MOD_WINDASH) | UTF16S | SQ_BIT(SQ_MOD_BASE64), NULL },
	{ "all",          SQ_MOD_ALL,        ~SQ_BIT(SQ_MOD_EXISTS), NULL },
	{ "cased",        SQ_MOD_CASED,      ALL | SHAPES | SQ_BIT(SQ_MOD_WINDASH) | UTF16S | BASE64S, NULL },
	{ "windash",      SQ_MOD_WINDASH,    ALL | SHAPES | CASED, NULL },
	{ "wide",         SQ_MOD_WIDE,       ALL | SHAPES | CASED | BASE64S, NULL },
	{ "utf16le",      SQ_MOD_WIDE,       ALL | SHAPES | CASED | BASE64S, NULL },
	{ "utf16",        SQ_MOD_UTF16,      ALL | SHAPES | CASED | BASE64S, NULL },
	{ "utf16be",      SQ_MOD_UTF16BE,    ALL | SHAPES | CASED | BASE64S, NULL },
	{ "base64",       SQ_MOD_BASE64,     ALL | SHAPES | CASED | UTF16S, NULL },
	{ "base64offset", SQ_MOD_BASE64OFFSET, ALL | SQ_BIT(SQ_MOD_CONTAINS) | CASED | UTF16S, NULL },
	{ "re",           SQ_MOD_RE,         ALL | FLAGS,
	  "a regular expression is found anywhere in the value and minds case: use ^, $ and |i" },
	{ "i",            SQ_MOD_I,          ALL | FLAGS | SQ_BIT(SQ_MOD_RE), NULL },
	{ "m",            SQ_MOD_M,          ALL | FLAGS | SQ_BIT(SQ_MOD_RE), NULL },
	{ "s",            SQ_MOD_S,          ALL | FLAGS | SQ_BIT(SQ_MOD_RE), NULL },
	{ "cidr",         SQ_MOD_CIDR,       ALL, "an address range takes no text modifiers" },
	{ "lt",           SQ_MOD_LT,         ALL, "a number takes no other modifiers" },
	{ "lte",          SQ_MOD_LTE,        ALL, "a number takes no other modifiers" },
	{ "gt",           SQ_MOD_GT,         ALL, "a number takes no other modifiers" },
	{ "gte",          SQ_MOD_GTE,        ALL, "a number takes no other modifiers" },
	{ "exists",       SQ_MOD_EXISTS,     0, "it asks for the field alone" },
	{ "fieldref",     -1, 0, "write the value itself" },
	{ "expand",       -1, 0, "write the values out" },
	{ "neq",          -1, 0, "put the comparison into a selection of its own and write 'not' in the condition" },
	{ "minute",       -1, 0, "leave the time out" },
	{ "hour",         -1, 0, "leave the time out" },
	{ "day",          -1, 0, "leave the time out" },
	{ "week",         -1, 0, "leave the time out" },
	{ "month",        -1, 0, "leave the time out" },
	{ "year",         -1, 0, "leave the time out" },
};
/* Names of one converter, which the specification does not have. */
static const char *const foreign[][2] = {
	{ "ignorecase", "i" }, { "multiline", "m" }, { "dotall", "s" },
};
/* clang-format on */

static const struct row *row_of(enum sq_modifier m)
{
	for (size_t i = 0; i < SQ_LEN(rows); i++)
		if (rows[i].mod == (int)m)
			return &rows[i];
	sq_assert(!"every modifier has a row");
	return NULL;
}

const char *sq_modifier_name(enum sq_modifier m)
{
	return row_of(m)->name;
}

static int unknown(struct sq_parse *p, const struct sq_yaml *key, size_t at, struct sq_sv name)
{
	struct sq_sv best = { "", 0 };
	struct sq_hint hint;

	for (size_t i = 0; i < SQ_LEN(foreign); i++)
		if (sq_sv_ieq(name, sq_sv_of(foreign[i][0])))
			best = sq_sv_of(foreign[i][1]);
	for (size_t i = 0; !best.n && i < SQ_LEN(rows); i++)
		if (sq_sv_ieq(name, sq_sv_of(rows[i].name)))
			best = sq_sv_of(rows[i].name);
	for (size_t i = 0; !best.n && i < SQ_LEN(rows); i++) {
		struct sq_sv near = { "", 0 };

		/* A name of one or two letters is near to everything. */
		if (strlen(rows[i].name) > 2)
			sq_parse_nearer(name, sq_sv_of(rows[i].name), &near);
		if (near.n)
			best = near;
	}
	if (name.n == 0)
		sq_parse_error_in(p, key, at, "a modifier is empty: remove the '|'");
	else
		sq_parse_error_in(p, key, at, "unknown modifier '%.*s'%s", SQ_SHOW(name),
		                  sq_parse_hint(&hint, best));
	return -EINVAL;
}

static int add(struct sq_parse *p, const struct sq_yaml *key, size_t at, struct sq_sv name,
               struct sq_modifiers *m)
{
	const struct row *row = NULL;

	for (size_t i = 0; i < SQ_LEN(rows) && !row; i++)
		if (sq_sv_eq(name, sq_sv_of(rows[i].name)))
			row = &rows[i];
	if (!row)
		return unknown(p, key, at, name);
	if (row->mod < 0) {
		sq_parse_error_in(p, key, at, "modifier '%s' is not read yet: %s", row->name,
		                  row->instead);
		return -EINVAL;
	}
	if (m->set & 1u << row->mod) {
		sq_parse_error_in(p, key, at, "modifier '%s' stands twice: remove one", row->name);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < m->n; i++) {
		const struct row *other = row_of(m->list[i]);

		if (row->with & 1u << other->mod && other->with & 1u << row->mod)
			continue;
		sq_parse_error_in(p, key, at, "modifier '%s' cannot stand with '%s'%s%s", row->name,
		                  other->name, row->instead || other->instead ? ": " : "",
		                  other->instead ? other->instead
		                  : row->instead ? row->instead
		                                 : "");
		return -EINVAL;
	}
	if (1u << row->mod & BASE64S && m->set & SHAPES) {
		sq_parse_error_in(p, key, at,
		                  "'%s' must stand before 'contains': modifiers apply from left to "
		                  "right",
		                  row->name);
		return -EINVAL;
	}
	if (1u << row->mod & FLAGS && !(m->set & SQ_BIT(SQ_MOD_RE))) {
		sq_parse_error_in(p, key, at, "'%s' belongs to a regular expression: write 're|%s'",
		                  row->name, row->name);
		return -EINVAL;
	}
	m->set |= 1u << row->mod;
	m->list[m->n++] = (uint8_t)row->mod;
	return 0;
}

int sq_modifiers_read(struct sq_parse *p, const struct sq_yaml *key, struct sq_sv *ret_field,
                      struct sq_modifiers *ret)
{
	struct sq_modifiers m = { 0 };
	struct sq_sv rest = key->text;
	struct sq_sv field = sq_sv_cut(&rest, '|');
	bool more = field.n < key->text.n;
	size_t at = field.n + 1;

	while (more) {
		struct sq_sv name = sq_sv_cut(&rest, '|');
		int r = add(p, key, at, name, &m);

		if (r < 0)
			return r;
		at += name.n + 1;
		more = at <= key->text.n;
	}
	if (m.set & SQ_BIT(SQ_MOD_BASE64OFFSET) && !(m.set & SQ_BIT(SQ_MOD_CONTAINS))) {
		sq_parse_error(p, key,
		               "'base64offset' needs 'contains' after it: what it makes is a "
		               "part of a longer text");
		return -EINVAL;
	}
	if (!field.n && m.set & SQ_BIT(SQ_MOD_EXISTS)) {
		sq_parse_error(p, key, "'exists' needs a field before it");
		return -EINVAL;
	}
	if (field.n != sq_sv_trim(field).n) {
		sq_parse_error(p, key, "blanks around the name of a field: remove them");
		return -EINVAL;
	}
	*ret_field = field;
	*ret = m;
	return 0;
}
