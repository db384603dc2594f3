#include "lib/rules/plain.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "lib/rules/wildcard.h"

enum { SQ_NUMBER_TEXT_MAX = 64 };

/* A number as written: whole numbers keep all their digits, others are what a double can hold. */
struct number {
	bool whole, minus;
	uint64_t digits; /* of a whole number, without its sign */
	double value;
};

/* [-] digits [. digits] [e [+-] digits], and nothing else that strtod() would take. */
static bool looks_floating(struct sq_sv v)
{
	size_t i = v.n && v.p[0] == '-', digits = 0;

	for (; i < v.n && sq_is_digit(v.p[i]); i++)
		digits++;
	if (i < v.n && v.p[i] == '.') {
		for (i++; i < v.n && sq_is_digit(v.p[i]); i++)
			digits++;
	}
	if (!digits)
		return false;
	if (i == v.n)
		return true;
	if (v.p[i] != 'e' && v.p[i] != 'E')
		return false;
	i++;
	if (i < v.n && (v.p[i] == '+' || v.p[i] == '-'))
		i++;
	if (i == v.n)
		return false;
	while (i < v.n && sq_is_digit(v.p[i]))
		i++;
	return i == v.n;
}

static bool parse_number(struct sq_sv v, struct number *ret)
{
	char text[SQ_NUMBER_TEXT_MAX + 1];
	struct number x = { .minus = v.n && v.p[0] == '-' };

	if (sq_sv_to_u64(sq_sv_skip(v, x.minus), &x.digits)) {
		x.whole = true;
		x.value = x.minus ? -(double)x.digits : (double)x.digits;
		if (x.digits == 0)
			x.minus = false;
		*ret = x;
		return true;
	}
	if (v.n > SQ_NUMBER_TEXT_MAX || !looks_floating(v))
		return false;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	x.value = strtod(text, NULL);
	*ret = x;
	return true;
}

/* < 0, 0, > 0 */
static int compare_numbers(const struct number *a, const struct number *b)
{
	if (!a->whole || !b->whole)
		return (a->value > b->value) - (a->value < b->value);
	if (a->minus != b->minus)
		return a->minus ? -1 : 1;
	if (a->digits == b->digits)
		return 0;
	return (a->digits > b->digits) != a->minus ? 1 : -1;
}

static bool number_holds(const struct sq_pred *p, struct sq_sv value)
{
	struct number have, want;
	int c;

	if (p->compare == SQ_EQ && sq_sv_ieq(value, p->text))
		return true;
	if (!parse_number(value, &have))
		return false;
	if (!parse_number(p->text, &want))
		want = (struct number){ .value = p->number };
	c = compare_numbers(&have, &want);
	switch (p->compare) {
	case SQ_EQ:
		return c == 0;
	case SQ_LT:
		return c < 0;
	case SQ_LTE:
		return c <= 0;
	case SQ_GT:
		return c > 0;
	case SQ_GTE:
		return c >= 0;
	}
	return false;
}

bool sq_plain_address(struct sq_sv text, uint8_t ret[16])
{
	char buf[INET6_ADDRSTRLEN];
	uint8_t v4[4];

	text = sq_sv_first(text, sq_sv_chr(text, '%'));
	if (text.n == 0 || text.n >= sizeof(buf) || sq_sv_chr(text, '\0') != SIZE_MAX)
		return false;
	memcpy(buf, text.p, text.n);
	buf[text.n] = '\0';
	if (inet_pton(AF_INET, buf, v4) == 1) {
		memcpy(ret, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
		memcpy(ret + 12, v4, 4);
		return true;
	}
	return inet_pton(AF_INET6, buf, ret) == 1;
}

static bool cidr_holds(const struct sq_pred *p, struct sq_sv value)
{
	unsigned whole = p->cidr.bits / 8u, rest = p->cidr.bits % 8u;
	uint8_t address[16], mask = (uint8_t)(0xff00u >> rest);

	if (!sq_plain_address(value, address) || memcmp(address, p->cidr.address, whole) != 0)
		return false;
	return rest == 0 || ((address[whole] ^ p->cidr.address[whole]) & mask) == 0;
}

bool sq_plain_value(const struct sq_pred *p, const struct sq_regex *re, struct sq_plain_work *w,
                    struct sq_sv value)
{
	int r;

	switch (p->match) {
	case SQ_MATCH_GLOB:
		return sq_wildcard_match(p->globs, p->n_globs, p->cased, value);
	case SQ_MATCH_REGEX:
		r = sq_regex_search(re, w->regex, value);
		if (r < 0)
			w->limits++;
		return r > 0;
	case SQ_MATCH_NUMBER:
		return number_holds(p, value);
	case SQ_MATCH_CIDR:
		return cidr_holds(p, value);
	case SQ_MATCH_EXISTS:
		return p->expect;
	case SQ_MATCH_NULL:
		return false;
	}
	return false;
}

static bool keyword_holds(const struct sq_pred *p, const struct sq_regex *re,
                          struct sq_plain_work *w, const struct sq_event *ev,
                          struct sq_sv *ret_value)
{
	for (uint32_t i = 0; i < ev->n_all; i++) {
		if (sq_plain_value(p, re, w, ev->all[i])) {
			*ret_value = ev->all[i];
			return true;
		}
	}
	return false;
}

bool sq_plain_event(const struct sq_pred *p, const struct sq_regex *re, struct sq_plain_work *w,
                    const struct sq_event *ev, struct sq_sv *ret_value)
{
	const struct sq_value *v;
	struct sq_sv none;

	if (!ret_value)
		ret_value = &none;
	*ret_value = SQ_SV("");
	if (p->field < 0)
		return keyword_holds(p, re, w, ev, ret_value);

	v = &ev->values[p->field];
	if (v->kind == SQ_VALUE_ABSENT)
		return p->match == SQ_MATCH_NULL || (p->match == SQ_MATCH_EXISTS && !p->expect);
	for (; v; v = sq_event_next(ev, v)) {
		bool null = v->kind == SQ_VALUE_NULL;

		if (null ? p->match == SQ_MATCH_NULL || (p->match == SQ_MATCH_EXISTS && p->expect)
		         : sq_plain_value(p, re, w, sq_value_sv(v))) {
			if (!null)
				*ret_value = sq_value_sv(v);
			return true;
		}
	}
	return false;
}
