#include "lib/derive/winpath_private.h"

enum { VARIABLE_NAME_MAX = 32, VARIABLE_VALUE_MAX = 40 };

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

bool sq_winpath_is_url(struct sq_sv v)
{
	size_t i = 0;

	while (i < v.n && is_letter((char)sq_lower((unsigned char)v.p[i])))
		i++;
	return i >= 2 && i + 1 < v.n && v.p[i] == ':' && (v.p[i + 1] == '/' || v.p[i + 1] == '\\');
}

/* "%name%", "$env:name" or "${env:name}" at the front of `v`. @return its length, or 0 */
static size_t variable_at(struct sq_sv v, struct sq_sv *ret_name)
{
	size_t begin, end;

	if (v.p[0] == '%')
		begin = 1;
	else if (sq_sv_istarts(v, SQ_SV("$env:")))
		begin = 5;
	else if (sq_sv_istarts(v, SQ_SV("${env:")))
		begin = 6;
	else
		return 0;
	for (end = begin; end < v.n && end - begin < VARIABLE_NAME_MAX; end++) {
		char c = (char)sq_lower((unsigned char)v.p[end]);

		if (!is_letter(c) && !sq_is_digit(c) && (begin == 5 || !strchr("()_", c)))
			break;
	}
	if (end == begin || (begin != 5 && (end == v.n || v.p[end] != (begin == 1 ? '%' : '}'))))
		return 0;
	*ret_name = (struct sq_sv){ v.p + begin, end - begin };
	return begin == 5 ? end : end + 1;
}

/* Writes the value of the variable at the front of `v`. @return bytes of `v` used, or 0 */
static size_t expand(struct sq_sv v, char *out, size_t *n, uint32_t *flags)
{
	char lower[VARIABLE_NAME_MAX];
	struct sq_sv name, value;
	size_t used = variable_at(v, &name);

	if (!used)
		return 0;
	*flags |= SQ_WINPATH_VARIABLE;
	for (size_t i = 0; i < name.n; i++)
		lower[i] = (char)sq_lower((unsigned char)name.p[i]);
	value = sq_winpath_variable((struct sq_sv){ lower, name.n });
	if (!value.n) {
		*flags |= SQ_WINPATH_UNRESOLVED;
		return 0;
	}
	sq_dassert(value.n <= VARIABLE_VALUE_MAX);
	memcpy(out + *n, value.p, value.n);
	*n += value.n;
	return used;
}

static size_t count_variables(struct sq_sv v)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n += v.p[i] == '%' || v.p[i] == '$';
	return n;
}

char *sq_winpath_flatten(struct sq_arena *arena, struct sq_sv text, uint32_t *flags, size_t *ret_n)
{
	char *out = sq_arena_bytes(arena, text.n + count_variables(text) * VARIABLE_VALUE_MAX);
	size_t n = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < text.n;) {
		char c = text.p[i];
		size_t used = 0;

		if (c == '%' || c == '$')
			used = expand(sq_sv_skip(text, i), out, &n, flags);
		if (!used && (unsigned char)c < ' ')
			c = ' ';
		if (!used)
			out[n++] = c == '/' ? '\\' : (char)sq_lower((unsigned char)c);
		i += used ? used : 1;
	}
	sq_arena_trim(arena, out + n);
	*ret_n = n;
	return out;
}
