#include "lib/rules/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/rules/glob.h"
#include "lib/rules/regex.h"

enum {
	SQ_DIGITS_MAX = 15, /* of a number: what a double holds exactly */
	SQ_BASE64_MIN = 3,  /* bytes: of less nothing is left once the ends are cut off */
};

#define NUMERIC (SQ_BIT(SQ_MOD_LT) | SQ_BIT(SQ_MOD_LTE) | SQ_BIT(SQ_MOD_GT) | SQ_BIT(SQ_MOD_GTE))

/* Digits, perhaps a '-' before and a fraction behind. All else that YAML takes for numbers (0x10,
 * 1e3, 012) is text as it is written. */
static bool to_number(struct sq_sv v, double *ret)
{
	struct sq_sv whole, part, rest = v;
	char text[SQ_DIGITS_MAX + 3];
	bool point;

	if (sq_sv_starts(rest, SQ_SV("-")))
		rest = sq_sv_skip(rest, 1);
	point = sq_sv_chr(rest, '.') != SIZE_MAX;
	part = rest;
	whole = sq_sv_cut(&part, '.');
	if (!whole.n || (point && !part.n) || whole.n + part.n > SQ_DIGITS_MAX)
		return false;
	if (whole.n > 1 && whole.p[0] == '0')
		return false;
	for (size_t i = 0; i < rest.n; i++)
		if (!sq_is_digit(rest.p[i]) && !(point && i == whole.n))
			return false;
	memcpy(text, v.p, v.n);
	text[v.n] = 0;
	*ret = strtod(text, NULL); /* the C locale: nothing here sets another */
	return true;
}

static struct sq_pred *pred_new(struct sq_parse *p, int32_t field, enum sq_match match,
                                const struct sq_yaml *value)
{
	struct sq_pred *pred = sq_parse_alloc(p, sizeof(*pred));

	if (!pred)
		return NULL;
	pred->field = field;
	pred->match = match;
	pred->file = p->rule->file;
	pred->line = value->line;
	pred->col = value->col;
	pred->text = sq_parse_dup(p, value->text);
	return pred;
}

static const struct sq_expr *of_exists(struct sq_parse *p, int32_t field,
                                       const struct sq_yaml *value)
{
	struct sq_pred *pred;
	bool expect;

	if (!sq_yaml_is_bool(value, &expect)) {
		sq_parse_error(p, value, "'exists' takes true or false, without quotes");
		return NULL;
	}
	pred = pred_new(p, field, SQ_MATCH_EXISTS, value);
	if (!pred)
		return NULL;
	pred->expect = expect;
	return sq_expr_of_pred(p, pred);
}

static const struct sq_expr *of_null(struct sq_parse *p, int32_t field,
                                     const struct sq_modifiers *mods, const struct sq_yaml *value)
{
	struct sq_pred *pred;

	if (field < 0) {
		sq_parse_error(p, value, "a keyword is empty: write the text to look for");
		return NULL;
	}
	if (mods->n) {
		sq_parse_error(p, value, "modifier '%s' needs a value; null stands alone",
		               sq_modifier_name(mods->list[0]));
		return NULL;
	}
	pred = pred_new(p, field, SQ_MATCH_NULL, value);
	return pred ? sq_expr_of_pred(p, pred) : NULL;
}

static const struct sq_expr *of_regex(struct sq_parse *p, int32_t field,
                                      const struct sq_modifiers *mods, const struct sq_yaml *value)
{
	struct sq_pred *pred;

	if (!value->text.n) {
		sq_parse_error(p, value, "the regular expression is empty: it would match always");
		return NULL;
	}
	pred = pred_new(p, field, SQ_MATCH_REGEX, value);
	if (!pred)
		return NULL;
	pred->cased = true;
	if (mods->set & SQ_BIT(SQ_MOD_I)) {
		pred->cased = false;
		pred->regex_flags |= SQ_REGEX_ICASE;
	}
	if (mods->set & SQ_BIT(SQ_MOD_M))
		pred->regex_flags |= SQ_REGEX_MULTI;
	if (mods->set & SQ_BIT(SQ_MOD_S))
		pred->regex_flags |= SQ_REGEX_DOTALL;
	return sq_expr_of_pred(p, pred);
}

/* Address and prefix length to 128 bits; IPv4 is mapped into IPv6. @return what is wrong, or NULL
 */
static const char *read_cidr(struct sq_sv text, uint8_t address[16], uint8_t *ret_bits)
{
	struct sq_sv rest = text, part = sq_sv_cut(&rest, '/');
	bool has_bits = part.n < text.n, four;
	char host[INET6_ADDRSTRLEN];
	uint64_t bits;

	if (part.n >= sizeof(host))
		return "not an address";
	memcpy(host, part.p, part.n);
	host[part.n] = 0;
	memset(address, 0, 16);
	four = inet_pton(AF_INET, host, address + 12) == 1;
	if (four)
		address[10] = address[11] = 0xff;
	else if (inet_pton(AF_INET6, host, address) != 1)
		return "not an address; write 10.0.0.0/8 or fe80::/10";
	bits = four ? 32 : 128;
	if (has_bits && (!sq_sv_to_u64(rest, &bits) || !sq_is_digit(rest.p[0]) || rest.n > 3 ||
	                 bits > (four ? 32u : 128u)))
		return four ? "the number behind '/' is 0 to 32"
		            : "the number behind '/' is 0 to 128";
	*ret_bits = (uint8_t)(bits + (four ? 96 : 0));
	for (unsigned i = *ret_bits; i < 128; i++)
		if (address[i / 8] >> (7 - i % 8) & 1)
			return "bits are set behind the prefix; make them 0 or the prefix longer";
	return NULL;
}

static const struct sq_expr *of_cidr(struct sq_parse *p, int32_t field, const struct sq_yaml *value)
{
	struct sq_pred *pred = pred_new(p, field, SQ_MATCH_CIDR, value);
	const char *wrong;

	if (!pred)
		return NULL;
	wrong = read_cidr(value->text, pred->cidr.address, &pred->cidr.bits);
	if (wrong) {
		sq_parse_error(p, value, "'%.*s' is no address range: %s", SQ_SHOW(value->text),
		               wrong);
		return NULL;
	}
	return sq_expr_of_pred(p, pred);
}

static const struct sq_expr *of_number(struct sq_parse *p, int32_t field,
                                       const struct sq_modifiers *mods, const struct sq_yaml *value,
                                       double number)
{
	struct sq_pred *pred = pred_new(p, field, SQ_MATCH_NUMBER, value);

	if (!pred)
		return NULL;
	pred->number = number;
	pred->compare = mods->set & SQ_BIT(SQ_MOD_LT)    ? SQ_LT
	                : mods->set & SQ_BIT(SQ_MOD_LTE) ? SQ_LTE
	                : mods->set & SQ_BIT(SQ_MOD_GT)  ? SQ_GT
	                : mods->set & SQ_BIT(SQ_MOD_GTE) ? SQ_GTE
	                                                 : SQ_EQ;
	return sq_expr_of_pred(p, pred);
}

/* --- texts --- */

static const struct sq_expr *of_globs(struct sq_parse *p, int32_t field, bool cased,
                                      const struct sq_yaml *value, struct sq_globs g)
{
	struct sq_pred *pred = pred_new(p, field, SQ_MATCH_GLOB, value);

	if (!pred)
		return NULL;
	pred->cased = cased;
	pred->globs = g.v;
	pred->n_globs = g.n;
	return sq_expr_of_pred(p, pred);
}

/* What is being made of one text: one list of parts, or three behind base64offset. */
struct texts {
	struct sq_globs v[3];
	unsigned n;
};

static int to_base64(struct sq_parse *p, const struct sq_yaml *value, struct texts *t, bool offset)
{
	struct sq_sv text;

	sq_assert(t->n == 1); /* base64 and base64offset do not stand together */
	if (!sq_globs_text(&t->v[0], &text)) {
		sq_parse_error(p, value,
		               "base64 of a text with wildcards is not possible: escape "
		               "them with a backslash, or leave them out");
		return -EINVAL;
	}
	if (text.n < (offset ? SQ_BASE64_MIN : 1)) {
		sq_parse_error(p, value, "too short for %s: at least %d bytes",
		               offset ? "base64offset" : "base64", offset ? SQ_BASE64_MIN : 1);
		return -EINVAL;
	}
	t->n = offset ? 3 : 1;
	for (unsigned i = 0; i < t->n; i++) {
		struct sq_sv part = offset ? sq_base64_shifted(p, text, i) : sq_base64(p, text);

		if (p->nomem || sq_globs_plain(p, part, &t->v[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int to_utf16(struct sq_parse *p, const struct sq_yaml *value, struct sq_globs *g, bool big,
                    bool bom)
{
	int r = sq_globs_utf16(p, g, big, bom);

	if (r == -EINVAL)
		sq_parse_error(p, value,
		               bom ? "utf16 of a text with wildcards is not possible: "
		                     "use wide"
		                   : "'?' in UTF-16 text is not possible: escape it with a "
		                     "backslash, or use '*'");
	return r;
}

static int apply(struct sq_parse *p, const struct sq_yaml *value, enum sq_modifier m,
                 struct sq_globs *g)
{
	switch (m) {
	case SQ_MOD_CONTAINS:
		return sq_globs_open(p, g, true, true);
	case SQ_MOD_STARTSWITH:
		return sq_globs_open(p, g, false, true);
	case SQ_MOD_ENDSWITH:
		return sq_globs_open(p, g, true, false);
	case SQ_MOD_WINDASH:
		return sq_globs_windash(p, g);
	case SQ_MOD_WIDE:
		return to_utf16(p, value, g, false, false);
	case SQ_MOD_UTF16:
		return to_utf16(p, value, g, false, true);
	case SQ_MOD_UTF16BE:
		return to_utf16(p, value, g, true, false);
	case SQ_MOD_ALL:
	case SQ_MOD_CASED:
	case SQ_MOD_BASE64: /* to_base64 */
	case SQ_MOD_BASE64OFFSET:
	case SQ_MOD_RE: /* the rest does not come to texts */
	case SQ_MOD_I:
	case SQ_MOD_M:
	case SQ_MOD_S:
	case SQ_MOD_CIDR:
	case SQ_MOD_LT:
	case SQ_MOD_LTE:
	case SQ_MOD_GT:
	case SQ_MOD_GTE:
	case SQ_MOD_EXISTS:
	case SQ_MODS:
		return 0;
	}
	return 0;
}

static int make_texts(struct sq_parse *p, const struct sq_modifiers *mods,
                      const struct sq_yaml *value, struct texts *t)
{
	int r = sq_globs_read(p, value->text, &t->v[0]);

	t->n = 1;
	for (uint32_t i = 0; i < mods->n && r == 0; i++) {
		enum sq_modifier m = mods->list[i];

		if (m == SQ_MOD_BASE64 || m == SQ_MOD_BASE64OFFSET)
			r = to_base64(p, value, t, m == SQ_MOD_BASE64OFFSET);
		for (unsigned k = 0; k < t->n && r == 0; k++)
			r = apply(p, value, m, &t->v[k]);
	}
	return r;
}

static const struct sq_expr *of_text(struct sq_parse *p, int32_t field,
                                     const struct sq_modifiers *mods, const struct sq_yaml *value)
{
	bool cased = mods->set & SQ_BIT(SQ_MOD_CASED);
	const struct sq_expr *e = NULL;
	struct sq_args args = { 0 };
	struct texts t;

	if (make_texts(p, mods, value, &t) < 0)
		return NULL;
	/* A keyword is found inside a value: the specification applies it to the whole message. */
	if (field < 0 && !(mods->set & (SQ_BIT(SQ_MOD_STARTSWITH) | SQ_BIT(SQ_MOD_ENDSWITH))))
		for (unsigned i = 0; i < t.n; i++)
			if (sq_globs_open(p, &t.v[i], true, true) < 0)
				return NULL;
	if (t.v[0].n == 1 && t.v[0].v[0].kind == SQ_GLOB_ANY && field < 0) {
		sq_parse_error(p, value,
		               "a keyword that every event holds: write the text to look "
		               "for");
		return NULL;
	}
	if (!value->text.n && t.v[0].n)
		sq_parse_warn(p, value,
		              "an empty value with '%s' is in every value: is a text "
		              "missing?",
		              sq_modifier_name(mods->list[0]));
	for (unsigned i = 0; i < t.n && !p->nomem; i++)
		sq_args_add(p, &args, of_globs(p, field, cased, value, t.v[i]));
	if (!p->nomem)
		e = sq_expr_group(p, false, &args);
	sq_args_fini(&args);
	return e;
}

const struct sq_expr *sq_value_expr(struct sq_parse *p, int32_t field,
                                    const struct sq_modifiers *mods, const struct sq_yaml *value)
{
	double number = 0;
	bool numeric = !value->quoted && to_number(value->text, &number);

	sq_assert(value->kind == SQ_YAML_SCALAR);
	if (mods->set & SQ_BIT(SQ_MOD_EXISTS))
		return of_exists(p, field, value);
	if (sq_yaml_is_null(value))
		return of_null(p, field, mods, value);
	if (mods->set & SQ_BIT(SQ_MOD_RE))
		return of_regex(p, field, mods, value);
	if (mods->set & SQ_BIT(SQ_MOD_CIDR))
		return of_cidr(p, field, value);
	if (mods->set & NUMERIC && !numeric) {
		sq_parse_error(p, value,
		               "'%s' needs a decimal number of at most %d digits, without "
		               "quotes",
		               sq_modifier_name(mods->list[mods->list[0] == SQ_MOD_ALL]),
		               SQ_DIGITS_MAX);
		return NULL;
	}
	if (numeric && !(mods->set & ~(NUMERIC | SQ_BIT(SQ_MOD_ALL))))
		return of_number(p, field, mods, value, number);
	return of_text(p, field, mods, value);
}
