#include "lib/model/span.h"

#include "lib/wire/frame.h"

/* With both quotes. */
static size_t string_length(struct sq_sv v)
{
	size_t at = 1;

	while (at < v.n) {
		const char *quote = memchr(v.p + at, '"', v.n - at);
		size_t end, slashes = 0;

		if (!quote)
			break;
		end = (size_t)(quote - v.p);
		while (slashes < end - 1 && v.p[end - 1 - slashes] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			return end + 1;
		at = end + 1;
	}
	return v.n;
}

size_t sq_span_value(struct sq_sv v)
{
	size_t n = 0;

	if (v.n && v.p[0] == '"')
		return string_length(v);
	if (v.n && (v.p[0] == '{' || v.p[0] == '[')) {
		n = sq_frame_value_length(v);
		return n ? n : v.n;
	}
	while (n < v.n && v.p[n] != ',' && v.p[n] != '}' && v.p[n] != ']' && !sq_is_space(v.p[n]))
		n++;
	return n;
}

bool sq_span_key(struct sq_sv *v, struct sq_sv *ret_key)
{
	struct sq_sv rest;
	size_t n;

	if (v->n < 2 || v->p[0] != '"')
		return false;
	n = string_length(*v);
	rest = sq_span_skip(sq_sv_skip(*v, n), 0);
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*ret_key = (struct sq_sv){ v->p + 1, n - 2 };
	*v = sq_span_skip(sq_sv_skip(rest, 1), 0);
	return true;
}
