#include "lib/text/members.h"

#include <errno.h>

#include "lib/base/utf8.h"

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && sq_is_space(*p))
		p++;
	return p;
}

/* `p` is behind the opening quote. @return the closing one, or NULL */
static const char *string_end(const char *p, const char *end)
{
	for (const char *q = p; (q = memchr(q, '"', (size_t)(end - q))); q++) {
		const char *slash = q;

		while (slash > p && slash[-1] == '\\')
			slash--;
		if ((q - slash) % 2 == 0)
			return q;
	}
	return NULL;
}

/* @return behind the object or array that begins at `p`, or NULL */
static const char *nested_end(const char *p, const char *end)
{
	uint32_t depth = 0;

	for (; p < end; p++) {
		if (*p == '"') {
			p = string_end(p + 1, end);
			if (!p)
				return NULL;
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if ((*p == '}' || *p == ']') && --depth == 0) {
			return p + 1;
		}
	}
	return NULL;
}

/* @return behind the value that begins at `p`, or NULL */
static const char *value_end(const char *p, const char *end)
{
	const char *q = p;

	if (p == end)
		return NULL;
	if (*p == '{' || *p == '[')
		return nested_end(p, end);
	if (*p == '"') {
		q = string_end(p + 1, end);
		return q ? q + 1 : NULL;
	}
	while (q < end && !sq_is_space(*q) && *q != ',' && *q != '}' && *q != ']')
		q++;
	return q > p ? q : NULL;
}

int sq_members_next(struct sq_members *m, struct sq_member *ret)
{
	const char *begin = m->p, *key, *p, *value;

	key = skip_blanks(begin, m->end);
	if (key == m->end)
		return -EBADMSG;
	if (*key == '}' && !m->more && (m->n == 0 || key == begin)) {
		m->p = key + 1;
		return 0;
	}
	if (*key != '"' || (m->n && !m->more))
		return -EBADMSG;
	p = string_end(++key, m->end);
	if (!p)
		return -EBADMSG;
	ret->key = (struct sq_sv){ key, (size_t)(p - key) };
	p = skip_blanks(p + 1, m->end);
	if (p == m->end || *p != ':')
		return -EBADMSG;
	value = skip_blanks(p + 1, m->end);
	p = value_end(value, m->end);
	if (!p)
		return -EBADMSG;
	ret->value = (struct sq_sv){ value, (size_t)(p - value) };
	p = skip_blanks(p, m->end);
	if (p == m->end || (*p != ',' && *p != '}'))
		return -EBADMSG;
	ret->all = (struct sq_sv){ begin, (size_t)(p - begin) };
	m->more = *p == ',';
	m->p = p + m->more;
	m->n++;
	return 1;
}

/* ---- names ------------------------------------------------------------------------------- */

static int hex_of(char c)
{
	if (sq_is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \uXXXX as UTF-8. Halves of pairs become three bytes each, which no name of ours has.
 * @return bytes, 0: no such escape */
static size_t unicode(struct sq_sv in, char to[4])
{
	uint32_t c = 0;

	if (in.n < 4)
		return 0;
	for (int i = 0; i < 4; i++) {
		int h = hex_of(in.p[i]);

		if (h < 0)
			return 0;
		c = c << 4 | (uint32_t)h;
	}
	return sq_utf8_put(c, to);
}

/* What the front of `in` says, without its escape. @return bytes of `in` used; 0: broken */
static size_t unescape(struct sq_sv in, char to[4], size_t *ret_n)
{
	static const char from[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *found;

	*ret_n = 1;
	to[0] = in.p[0];
	if (in.p[0] != '\\')
		return 1;
	if (in.n < 2)
		return 0;
	if (in.p[1] == 'u') {
		*ret_n = unicode(sq_sv_skip(in, 2), to);
		return *ret_n ? 6 : 0;
	}
	found = in.p[1] ? strchr(from, in.p[1]) : NULL;
	if (!found)
		return 0;
	to[0] = means[found - from];
	return 2;
}

/* Is `key` the front of `name`? @return how much of it, or SIZE_MAX */
static size_t front_of(struct sq_sv key, struct sq_sv name)
{
	size_t at = 0;

	if (key.n <= name.n && (key.n == 0 || memcmp(key.p, name.p, key.n) == 0))
		return key.n;
	if (sq_sv_chr(key, '\\') == SIZE_MAX)
		return SIZE_MAX;
	while (key.n) {
		char text[4];
		size_t n = 0, used = unescape(key, text, &n);

		if (!used || n > name.n - at || memcmp(text, name.p + at, n) != 0)
			return SIZE_MAX;
		at += n;
		key = sq_sv_skip(key, used);
	}
	return at;
}

bool sq_member_is(struct sq_sv key, struct sq_sv name)
{
	return front_of(key, name) == name.n;
}

/* ---- leaving out ------------------------------------------------------------------------- */

enum choice { TAKE, LEAVE, INSIDE };

/* What becomes of a member; when its inside decides, `inside` has the rest of the names. */
static enum choice choose(const struct sq_fieldset *set, struct sq_sv key, struct sq_sv value,
                          struct sq_fieldset *inside)
{
	inside->n = 0;
	inside->keep = set->keep;
	for (uint32_t i = 0; i < set->n; i++) {
		struct sq_sv name = set->names[i];
		size_t n = front_of(key, name);

		if (n == SIZE_MAX)
			continue;
		if (n == name.n)
			return set->keep ? TAKE : LEAVE;
		if (name.p[n] == '.' && value.p[0] == '{')
			inside->names[inside->n++] = sq_sv_skip(name, n + 1);
	}
	if (inside->n)
		return INSIDE;
	return set->keep ? LEAVE : TAKE;
}

static bool write_members(const struct sq_fieldset *set, struct sq_sv object, struct sq_sv without,
                          struct sq_outbuf *out, uint32_t *ret_n, unsigned depth);

/* A member of which only a part stays. @return false: no JSON */
static bool write_inside(const struct sq_fieldset *inside, const struct sq_member *m,
                         struct sq_outbuf *out, bool *ret_any, unsigned depth)
{
	size_t lead = (size_t)(m->value.p - m->all.p) + 1;
	uint32_t n = 0;

	sq_outbuf_put(out, sq_sv_first(m->all, lead));
	if (!write_members(inside, m->value, SQ_SV(""), out, &n, depth + 1))
		return false;
	sq_outbuf_put(out, sq_sv_skip(m->all, lead + m->value.n - 2));
	*ret_any = n > 0 || !inside->keep;
	return true;
}

static bool write_members(const struct sq_fieldset *set, struct sq_sv object, struct sq_sv without,
                          struct sq_outbuf *out, uint32_t *ret_n, unsigned depth)
{
	struct sq_members walk = sq_members_of(object);
	struct sq_fieldset inside;
	struct sq_member m;
	int r;

	*ret_n = 0;
	while ((r = sq_members_next(&walk, &m)) == 1) {
		enum choice what = choose(set, m.key, m.value, &inside);
		size_t before = out->len;
		bool any = what != LEAVE;

		if (!any || (without.n && sq_member_is(m.key, without)))
			continue;
		if (*ret_n)
			sq_outbuf_putc(out, ',');
		if (what == TAKE || depth == SQ_FIELDSET_DEPTH)
			sq_outbuf_put(out, m.all);
		else if (!write_inside(&inside, &m, out, &any, depth))
			return false;
		if (!any && !out->failed)
			sq_outbuf_cut(out, before);
		*ret_n += any;
	}
	return r == 0 && walk.p == object.p + object.n;
}

bool sq_fieldset_write(const struct sq_fieldset *set, struct sq_sv object, struct sq_sv without,
                       struct sq_outbuf *out, uint32_t *ret_n)
{
	if (!object.n || object.p[0] != '{')
		return false;
	return write_members(set, object, without, out, ret_n, 0);
}
