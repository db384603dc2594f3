#include "lib/wire/peek.h"

#include <errno.h>

#include "lib/wire/frame.h"

static void skip_blanks(struct sq_sv *v)
{
	while (v->n && sq_is_space(v->p[0]))
		*v = sq_sv_skip(*v, 1);
}

/* Length of the string at the front, quotes included; 0: it does not end. */
static size_t string_length(struct sq_sv v)
{
	for (size_t i = 1; i < v.n; i++) {
		if (v.p[i] == '\\')
			i++;
		else if (v.p[i] == '"')
			return i + 1;
	}
	return 0;
}

static size_t value_length(struct sq_sv v)
{
	size_t n = 0;

	if (v.n == 0)
		return 0;
	if (v.p[0] == '"')
		return string_length(v);
	if (v.p[0] == '{' || v.p[0] == '[')
		return sq_frame_value_length(v);
	while (n < v.n && v.p[n] != ',' && v.p[n] != '}' && v.p[n] != ']' && v.p[n] != '"' &&
	       v.p[n] != ':' && !sq_is_space(v.p[n]))
		n++;
	return n;
}

bool sq_peek_begin(struct sq_peek *p, struct sq_sv object)
{
	skip_blanks(&object);
	*p = (struct sq_peek){ .rest = sq_sv_skip(object, 1) };
	return object.n && object.p[0] == '{';
}

int sq_peek_next(struct sq_peek *p, struct sq_sv *ret_key, struct sq_sv *ret_value)
{
	struct sq_sv v = p->rest;
	size_t n;

	skip_blanks(&v);
	if (v.n && v.p[0] == '}') {
		p->rest = sq_sv_skip(v, 1);
		return 0;
	}
	if (p->began) {
		if (v.n == 0 || v.p[0] != ',')
			return -EBADMSG;
		v = sq_sv_skip(v, 1);
		skip_blanks(&v);
	}
	n = v.n && v.p[0] == '"' ? string_length(v) : 0;
	if (n == 0)
		return -EBADMSG;
	*ret_key = (struct sq_sv){ v.p + 1, n - 2 };
	v = sq_sv_skip(v, n);
	skip_blanks(&v);
	if (v.n == 0 || v.p[0] != ':')
		return -EBADMSG;
	v = sq_sv_skip(v, 1);
	skip_blanks(&v);
	n = value_length(v);
	if (n == 0)
		return -EBADMSG;
	*ret_value = sq_sv_first(v, n);
	p->rest = sq_sv_skip(v, n);
	p->began = true;
	return 1;
}

struct sq_sv sq_peek_string(struct sq_sv value)
{
	if (value.n < 2 || value.p[0] != '"')
		return (struct sq_sv){ 0 };
	return (struct sq_sv){ value.p + 1, value.n - 2 };
}
