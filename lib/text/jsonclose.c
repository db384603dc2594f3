#include "lib/text/jsonclose.h"

enum { DEPTH_MAX = 256 };

enum state { WANT_KEY, GOT_KEY, WANT_VALUE, GOT_VALUE };

struct scan {
	struct sq_sv in;
	size_t n; /* bytes of `in` that are kept */
	enum state state;
	bool in_string;
	size_t bare; /* where a number or word at the end began; SIZE_MAX: there is none */
	uint32_t depth;
	char open[DEPTH_MAX];
};

/* The text of a string from `i` on. @return position behind it; an escape cut short is left out */
static size_t skip_string(struct scan *s, size_t i)
{
	while (i < s->in.n) {
		size_t escape;

		if (s->in.p[i] == '"') {
			s->in_string = false;
			s->state = s->state == WANT_KEY ? GOT_KEY : GOT_VALUE;
			return i + 1;
		}
		if (s->in.p[i] != '\\') {
			i++;
			continue;
		}
		escape = i + 1 < s->in.n && s->in.p[i + 1] == 'u' ? 6 : 2;
		if (escape > s->in.n - i) {
			s->n = i;
			return s->in.n;
		}
		i += escape;
	}
	return i;
}

/* @return false: it is whole, or too deep */
static bool on_byte(struct scan *s, size_t i)
{
	char c = s->in.p[i];

	if (sq_is_space(c)) {
		s->bare = SIZE_MAX;
		return true;
	}
	if (!strchr("{}[],:\"", c) || c == '\0') {
		if (s->bare == SIZE_MAX)
			s->bare = i;
		s->state = GOT_VALUE;
		return true;
	}
	s->bare = SIZE_MAX;
	if (c == '"') {
		s->in_string = true;
	} else if (c == '{' || c == '[') {
		if (s->depth == DEPTH_MAX)
			return false;
		s->open[s->depth++] = c;
		s->state = c == '{' ? WANT_KEY : WANT_VALUE;
	} else if (c == '}' || c == ']') {
		s->state = GOT_VALUE;
		return s->depth && --s->depth > 0;
	} else if (c == ':') {
		s->state = WANT_VALUE;
	} else {
		s->state = s->depth && s->open[s->depth - 1] == '{' ? WANT_KEY : WANT_VALUE;
	}
	return true;
}

static size_t put(char *to, size_t n, const char *text)
{
	size_t more = strlen(text);

	memcpy(to + n, text, more);
	return n + more;
}

size_t sq_json_close(struct sq_sv cut, char *to)
{
	struct scan s = { .in = cut, .n = cut.n, .state = WANT_VALUE, .bare = SIZE_MAX };
	size_t n;

	for (size_t i = 0; i < cut.n;) {
		if (s.in_string) {
			i = skip_string(&s, i);
			continue;
		}
		if (!on_byte(&s, i))
			return 0;
		i++;
	}
	if (s.depth == 0)
		return 0;
	n = s.bare != SIZE_MAX ? s.bare : s.n;
	memcpy(to, cut.p, n);
	if (s.bare != SIZE_MAX)
		s.state = WANT_VALUE;
	if (s.in_string) {
		n = put(to, n, "\"");
		s.state = s.state == WANT_KEY ? GOT_KEY : GOT_VALUE;
	}
	if (s.state == WANT_KEY)
		n = put(to, n, "\"\":null");
	else if (s.state == GOT_KEY)
		n = put(to, n, ":null");
	else if (s.state == WANT_VALUE)
		n = put(to, n, "null");
	while (s.depth)
		to[n++] = s.open[--s.depth] == '{' ? '}' : ']';
	return n;
}
