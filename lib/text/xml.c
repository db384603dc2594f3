#include "lib/text/xml.h"

#include "lib/base/utf8.h"

/* Blank, or what ends a name. */
static bool ends_name(char c)
{
	return sq_is_space(c) || c == '/' || c == '>' || c == '=';
}

static struct sq_sv without_prefix(struct sq_sv name)
{
	size_t colon = sq_sv_chr(name, ':');

	return colon == SIZE_MAX ? name : sq_sv_skip(name, colon + 1);
}

static struct sq_sv take_name(struct sq_sv *in)
{
	size_t n = 0;
	struct sq_sv name;

	while (n < in->n && !ends_name(in->p[n]))
		n++;
	name = sq_sv_first(*in, n);
	*in = sq_sv_skip(*in, n);
	return without_prefix(name);
}

/* Position of the '>' that ends a tag; one inside a quoted value does not. */
static size_t tag_end(struct sq_sv in)
{
	char quote = 0;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '>')
			return i;
	}
	return SIZE_MAX;
}

/* Past `what`; false when it does not come. */
static bool skip_past(struct sq_sv *in, struct sq_sv what)
{
	size_t at = sq_sv_find(*in, what);

	if (at == SIZE_MAX)
		return false;
	*in = sq_sv_skip(*in, at + what.n);
	return true;
}

static struct sq_xml_token broken(struct sq_sv *in)
{
	*in = sq_sv_skip(*in, in->n);
	return (struct sq_xml_token){ .kind = SQ_XML_BROKEN };
}

static struct sq_xml_token take_cdata(struct sq_sv *in)
{
	struct sq_sv text = sq_sv_skip(*in, SQ_SV("<![CDATA[").n);
	size_t n = sq_sv_find(text, SQ_SV("]]>"));

	if (n == SIZE_MAX)
		return broken(in);
	*in = sq_sv_skip(text, n + 3);
	return (struct sq_xml_token){ .kind = SQ_XML_CDATA, .text = sq_sv_first(text, n) };
}

static struct sq_xml_token take_tag(struct sq_sv *in)
{
	struct sq_sv tag = sq_sv_skip(*in, 1);
	size_t n = tag_end(tag);
	struct sq_xml_token t = { .kind = SQ_XML_OPEN };

	if (n == SIZE_MAX)
		return broken(in);
	*in = sq_sv_skip(tag, n + 1);
	tag.n = n;
	if (tag.n && tag.p[0] == '/') {
		t.kind = SQ_XML_CLOSE;
		tag = sq_sv_skip(tag, 1);
	} else if (tag.n && tag.p[tag.n - 1] == '/') {
		t.kind = SQ_XML_EMPTY;
		tag.n--;
	}
	t.name = take_name(&tag);
	t.attrs = tag;
	return t;
}

struct sq_xml_token sq_xml_next(struct sq_sv *in)
{
	for (;;) {
		size_t n = sq_sv_chr(*in, '<');
		bool ok;

		if (in->n == 0)
			return (struct sq_xml_token){ .kind = SQ_XML_END };
		if (n != 0) {
			struct sq_sv text = sq_sv_first(*in, n);

			*in = sq_sv_skip(*in, text.n);
			return (struct sq_xml_token){ .kind = SQ_XML_TEXT, .text = text };
		}
		if (sq_sv_starts(*in, SQ_SV("<![CDATA[")))
			return take_cdata(in);
		if (sq_sv_starts(*in, SQ_SV("<!--")))
			ok = skip_past(in, SQ_SV("-->"));
		else if (sq_sv_starts(*in, SQ_SV("<?")))
			ok = skip_past(in, SQ_SV("?>"));
		else if (sq_sv_starts(*in, SQ_SV("<!")))
			ok = skip_past(in, SQ_SV(">"));
		else
			return take_tag(in);
		if (!ok)
			return broken(in);
	}
}

bool sq_xml_attr(struct sq_sv attrs, struct sq_sv name, struct sq_sv *ret)
{
	for (;;) {
		struct sq_sv key, value;
		size_t n;
		char quote;

		attrs = sq_sv_trim(attrs);
		key = take_name(&attrs);
		attrs = sq_sv_trim(attrs);
		if (attrs.n == 0 || attrs.p[0] != '=')
			return false;
		attrs = sq_sv_trim(sq_sv_skip(attrs, 1));
		if (attrs.n == 0 || (attrs.p[0] != '"' && attrs.p[0] != '\''))
			return false;
		quote = attrs.p[0];
		attrs = sq_sv_skip(attrs, 1);
		n = sq_sv_chr(attrs, quote);
		if (n == SIZE_MAX)
			return false;
		value = sq_sv_first(attrs, n);
		attrs = sq_sv_skip(attrs, n + 1);
		if (sq_sv_eq(key, name)) {
			*ret = value;
			return true;
		}
	}
}

/* "#65" or "#x41". A number that is no character is U+FFFD, so that none ends a text early. */
static bool numeric(struct sq_sv name, uint32_t *ret)
{
	bool hex = name.n > 1 && sq_lower((unsigned char)name.p[1]) == 'x';
	uint32_t base = hex ? 16 : 10, c = 0;
	size_t i = hex ? 2 : 1;

	if (i >= name.n)
		return false;
	for (; i < name.n; i++) {
		unsigned char d = sq_lower((unsigned char)name.p[i]);
		uint32_t v = d >= 'a' && d <= 'f' ? d - 'a' + 10u : d - (uint32_t)'0';

		if ((d > '9' && d < 'a') || v >= base)
			return false;
		if (c < 0x110000)
			c = c * base + v;
	}
	*ret = c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c == 0 ? 0xfffd : c;
	return true;
}

static bool entity(struct sq_sv name, uint32_t *ret)
{
	static const struct {
		struct sq_sv name;
		uint32_t c;
	} known[] = { { SQ_SV("amp"), '&' },
		      { SQ_SV("lt"), '<' },
		      { SQ_SV("gt"), '>' },
		      { SQ_SV("quot"), '"' },
		      { SQ_SV("apos"), '\'' } };

	if (name.n && name.p[0] == '#')
		return numeric(name, ret);
	for (size_t i = 0; i < SQ_LEN(known); i++) {
		if (sq_sv_eq(name, known[i].name)) {
			*ret = known[i].c;
			return true;
		}
	}
	return false;
}

enum { ENTITY_MAX = 12 }; /* bytes from '&' to ';': "&#x0010ffff;" */

struct sq_sv sq_xml_decode(struct sq_sv raw, struct sq_arena *a)
{
	size_t at = sq_sv_chr(raw, '&');
	char *to, *start;

	if (at == SIZE_MAX)
		return raw;
	start = to = sq_arena_bytes(a, raw.n); /* decoding never makes it longer */
	if (!start)
		return raw;
	while (at != SIZE_MAX) {
		size_t n;
		uint32_t c;

		memcpy(to, raw.p, at);
		to += at;
		raw = sq_sv_skip(raw, at);
		n = sq_sv_chr(sq_sv_first(raw, ENTITY_MAX), ';');
		if (n != SIZE_MAX && entity((struct sq_sv){ raw.p + 1, n - 1 }, &c)) {
			to += sq_utf8_put(c, to);
			raw = sq_sv_skip(raw, n + 1);
		} else {
			*to++ = '&';
			raw = sq_sv_skip(raw, 1);
		}
		at = sq_sv_chr(raw, '&');
	}
	if (raw.n)
		memcpy(to, raw.p, raw.n);
	to += raw.n;
	sq_arena_trim(a, to);
	return (struct sq_sv){ start, (size_t)(to - start) };
}
