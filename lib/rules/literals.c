#include "lib/rules/literals.h"

enum {
	EXACT_MAX = 48,   /* texts that a part of an expression is written out to */
	LENGTH_MAX = 128, /* bytes of such a text */
	NEED_MAX = 192,   /* texts of which one must occur */
	DEPTH_MAX = 64,   /* of groups */
	CLASS_MAX = 4,    /* characters of a class that are tried one by one */
};

static bool is_border(char c)
{
	return c == ' ' || c == '.' || c == '-' || c == '_' || c == '(' || c == ')' || c == ';' ||
	       c == ',' || c == '/' || c == '\\';
}

/* A part of it that says about as much: so rules that mean the same ask for the same. */
static struct sq_sv core_of(struct sq_sv v, const struct sq_literal_opts *opts)
{
	enum { ENOUGH = 5 };
	struct sq_sv core = v;

	while (core.n > ENOUGH && is_border(core.p[0]))
		core = sq_sv_skip(core, 1);
	for (size_t n = 0; n != core.n;) {
		n = core.n;
		if (core.n > ENOUGH && is_border(core.p[core.n - 1]))
			core.n--;
		if (core.n >= ENOUGH + 4 &&
		    (sq_sv_ends(core, SQ_SV(".exe")) || sq_sv_ends(core, SQ_SV(".dll"))))
			core.n -= 4;
	}
	return core.n >= opts->min ? sq_sv_first(core, opts->max) : sq_sv_first(v, opts->max);
}

struct sq_sv sq_literal_run(struct sq_arena *a, struct sq_sv text,
                            const struct sq_literal_opts *opts)
{
	struct sq_sv best = { "", 0 };
	uint32_t best_cost = UINT32_MAX;
	char *copy = sq_arena_bytes(a, text.n);

	if (!copy)
		return best;
	for (size_t i = 0; i < text.n; i++)
		copy[i] = (char)sq_lower((unsigned char)text.p[i]);
	for (size_t i = 0; i < text.n;) {
		size_t end = i;
		struct sq_sv run;
		uint32_t cost;

		while (end < text.n && opts->safe[(unsigned char)copy[end]])
			end++;
		if (end > i && i && opts->lead && copy[i - 1] && strchr(opts->lead, copy[i - 1]))
			i--;
		run = (struct sq_sv){ copy + i, end - i };
		i = end + 1;
		if (run.n < opts->min)
			continue;
		run = core_of(run, opts);
		cost = sq_literal_cost(run);
		if (cost < best_cost || (cost == best_cost && run.n > best.n)) {
			best = run;
			best_cost = cost;
		}
	}
	return best;
}

/* A part of an expression: all that it can be, or texts that must occur in what it is. */
struct part {
	bool exact;
	struct sq_sv *texts; /* exact */
	uint32_t n;
	struct sq_literals need; /* not exact */
};

struct parser {
	struct sq_arena *a;
	const struct sq_literal_opts *opts;
	const char *p, *end;
	unsigned depth;
	bool failed; /* not understood, or no memory */
};

static struct part unknown(void)
{
	return (struct part){ 0 };
}

static struct part fail(struct parser *s)
{
	s->failed = true;
	s->p = s->end;
	return unknown();
}

static struct part exact(struct parser *s, uint32_t n)
{
	struct part r = { .exact = true, .n = n };

	r.texts = sq_arena_alloc(s->a, (n ? n : 1) * sizeof(*r.texts));
	if (!r.texts)
		return fail(s);
	for (uint32_t i = 0; i < n; i++)
		r.texts[i] = SQ_SV("");
	return r;
}

static struct part one_text(struct parser *s, const char *p, size_t n)
{
	struct part r = exact(s, 1);

	if (r.exact)
		r.texts[0] = sq_arena_dup(s->a, (struct sq_sv){ p, n });
	return r;
}

static struct part one_byte(struct parser *s, unsigned char c)
{
	char low = (char)sq_lower(c);

	return one_text(s, &low, 1);
}

static void add_need(struct sq_literals *to, struct sq_sv text)
{
	for (uint32_t i = 0; i < to->n; i++) {
		if (sq_sv_find(text, to->v[i]) != SIZE_MAX)
			return; /* what is there says more */
	}
	to->cost += sq_literal_cost(text);
	to->v[to->n++] = text;
}

/* What must occur in a part. */
static struct sq_literals need_of(struct parser *s, const struct part *part)
{
	struct sq_literals r = { 0 };

	if (!part->exact)
		return part->need;
	if (part->n == 0 || part->n > NEED_MAX)
		return r;
	r.v = sq_arena_alloc(s->a, part->n * sizeof(*r.v));
	for (uint32_t i = 0; r.v && i < part->n; i++) {
		struct sq_sv run = sq_literal_run(s->a, part->texts[i], s->opts);

		if (run.n == 0)
			return (struct sq_literals){ 0 };
		add_need(&r, run);
	}
	return r;
}

static void better(struct sq_literals *best, struct sq_literals other)
{
	if (other.n && (best->n == 0 || other.cost < best->cost))
		*best = other;
}

static struct part parse_choice(struct parser *s);

static int hex_of(char c)
{
	if (sq_is_digit(c))
		return c - '0';
	c = (char)sq_lower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind a backslash. @return the byte; -1: one of several; -2: nothing, an assertion; -3: no */
static int escape(struct parser *s)
{
	unsigned char c = (unsigned char)*s->p++;
	int value = 0, digits = 0;

	if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || sq_is_digit((char)c)))
		return c;
	switch (c) {
	case 'b':
	case 'B':
	case 'A':
	case 'z':
	case 'Z':
		return -2;
	case 's':
	case 'S':
	case 'w':
	case 'W':
	case 'd':
	case 'D':
	case 'h':
	case 'H':
	case 'v':
	case 'V':
	case 'N':
		return -1;
	case 't':
		return '\t';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 'f':
		return '\f';
	case 'x':
		for (; digits < 2 && s->p < s->end && hex_of(*s->p) >= 0; digits++)
			value = value * 16 + hex_of(*s->p++);
		return digits == 2 ? value : -3;
	default:
		return -3;
	}
}

/* The inside of "[...]", from behind its bracket on. */
static struct part parse_class(struct parser *s)
{
	unsigned char set[CLASS_MAX];
	uint32_t n = 0;
	bool many = false, first = true;
	struct part r;

	if (s->p < s->end && *s->p == '^') {
		many = true;
		s->p++;
	}
	for (; s->p < s->end && (*s->p != ']' || first); first = false) {
		int low = (unsigned char)*s->p++, high;

		if (low == '[' && s->p < s->end && (*s->p == ':' || *s->p == '.' || *s->p == '='))
			return fail(s);
		if (low == '\\') {
			if (s->p == s->end)
				return fail(s);
			low = *s->p == 'b' ? (s->p++, '\b') : escape(s);
			if (low < -1)
				return fail(s);
		}
		high = low;
		if (low >= 0 && s->end - s->p > 1 && s->p[0] == '-' && s->p[1] != ']') {
			s->p++;
			high = (unsigned char)*s->p++;
			if (high == '\\') {
				if (s->p == s->end)
					return fail(s);
				high = escape(s);
			}
			if (high < low)
				return fail(s);
		}
		if (low < 0 || high - low >= CLASS_MAX) {
			many = true;
			continue;
		}
		for (int c = low; c <= high; c++) {
			unsigned char l = sq_lower((unsigned char)c);

			if (many || memchr(set, l, n))
				continue;
			if (n == CLASS_MAX)
				many = true;
			else
				set[n++] = l;
		}
	}
	if (s->p == s->end)
		return fail(s);
	s->p++;
	if (many || n == 0)
		return unknown();
	r = exact(s, n);
	for (uint32_t i = 0; r.exact && i < n; i++)
		r.texts[i] = sq_arena_dup(s->a, (struct sq_sv){ (const char *)&set[i], 1 });
	return r;
}

/* Behind a parenthesis. */
static struct part parse_group(struct parser *s)
{
	struct part r;

	if (s->p < s->end && *s->p == '*')
		return fail(s);
	if (s->p < s->end && *s->p == '?') {
		s->p++;
		while (s->p < s->end && (*s->p == 'i' || *s->p == 's' || *s->p == 'm'))
			s->p++;
		if (s->p == s->end || (*s->p != ':' && *s->p != ')'))
			return fail(s);
		if (*s->p++ == ')')
			return exact(s, 1);
	}
	if (++s->depth > DEPTH_MAX)
		return fail(s);
	r = parse_choice(s);
	s->depth--;
	if (s->p == s->end || *s->p != ')')
		return fail(s);
	s->p++;
	return r;
}

static struct part parse_atom(struct parser *s)
{
	unsigned char c = (unsigned char)*s->p++;
	int e;

	switch (c) {
	case '(':
		return parse_group(s);
	case '[':
		return parse_class(s);
	case '.':
		return unknown();
	case '^':
	case '$':
		return exact(s, 1);
	case '*':
	case '+':
	case '?':
		return fail(s);
	case '\\':
		if (s->p == s->end)
			return fail(s);
		e = escape(s);
		if (e == -3)
			return fail(s);
		return e == -1 ? unknown() : e == -2 ? exact(s, 1) : one_byte(s, (unsigned char)e);
	default:
		return one_byte(s, c);
	}
}

/* "{n}", "{n,}", "{n,m}". @return false: none; the brace is itself */
static bool braces(struct parser *s, uint32_t *ret_min)
{
	const char *q = s->p + 1;
	uint32_t min = 0;

	if (q == s->end || !sq_is_digit(*q))
		return false;
	for (; q < s->end && sq_is_digit(*q); q++)
		min = min < 1000 ? min * 10 + (uint32_t)(*q - '0') : min;
	if (q < s->end && *q == ',')
		for (q++; q < s->end && sq_is_digit(*q);)
			q++;
	if (q == s->end || *q != '}')
		return false;
	s->p = q + 1;
	*ret_min = min;
	return true;
}

/* An atom and what repeats it. */
static struct part parse_item(struct parser *s)
{
	struct part atom = parse_atom(s), r;
	uint32_t min = 1;
	bool once = false;

	if (s->failed || s->p == s->end)
		return atom;
	if (*s->p == '{') {
		if (!braces(s, &min))
			return fail(s); /* "{,n}" means different things to different versions */
	} else if (*s->p == '?' || *s->p == '*' || *s->p == '+') {
		min = *s->p == '+';
		once = *s->p == '?';
		s->p++;
	} else {
		return atom;
	}
	if (s->p < s->end && (*s->p == '?' || *s->p == '+'))
		s->p++;
	if (s->p < s->end && strchr("?*+{", *s->p) && *s->p)
		return fail(s);
	if (once && atom.exact && atom.n < EXACT_MAX) {
		r = exact(s, atom.n + 1); /* the last is empty */
		for (uint32_t i = 0; r.exact && i < atom.n; i++)
			r.texts[i] = atom.texts[i];
		return r;
	}
	r = unknown();
	if (min)
		r.need = need_of(s, &atom);
	return r;
}

/* All of `a` before all of `b`. @return false: too many */
static bool product(struct parser *s, const struct part *a, const struct part *b, struct part *ret)
{
	if (a->n * b->n > EXACT_MAX)
		return false;
	*ret = exact(s, a->n * b->n);
	for (uint32_t i = 0; ret->exact && i < a->n; i++) {
		for (uint32_t k = 0; k < b->n; k++) {
			struct sq_sv x = a->texts[i], y = b->texts[k];
			char *p = sq_arena_bytes(s->a, x.n + y.n + 1);

			if (!p || x.n + y.n > LENGTH_MAX)
				return false;
			memcpy(p, x.p, x.n);
			memcpy(p + x.n, y.p, y.n);
			ret->texts[i * b->n + k] = (struct sq_sv){ p, x.n + y.n };
		}
	}
	return ret->exact;
}

static struct part parse_sequence(struct parser *s)
{
	struct part so_far = exact(s, 1), r = unknown();
	bool whole = true;

	while (s->p < s->end && *s->p != '|' && *s->p != ')' && !s->failed) {
		struct part item = parse_item(s), both;

		if (item.exact && so_far.exact && product(s, &so_far, &item, &both)) {
			so_far = both;
			continue;
		}
		whole = false;
		better(&r.need, need_of(s, &so_far));
		better(&r.need, need_of(s, &item));
		so_far = item.exact ? item : exact(s, 1);
	}
	if (whole)
		return so_far;
	better(&r.need, need_of(s, &so_far));
	return r;
}

static struct part either(struct parser *s, const struct part *a, const struct part *b)
{
	struct sq_literals x, y;
	struct part r = unknown();

	if (a->exact && b->exact && a->n + b->n <= EXACT_MAX) {
		r = exact(s, a->n + b->n);
		for (uint32_t i = 0; r.exact && i < a->n + b->n; i++)
			r.texts[i] = i < a->n ? a->texts[i] : b->texts[i - a->n];
		return r;
	}
	x = need_of(s, a);
	y = need_of(s, b);
	if (!x.n || !y.n || x.n + y.n > NEED_MAX)
		return r;
	r.need.v = sq_arena_alloc(s->a, (x.n + y.n) * sizeof(*r.need.v));
	for (uint32_t i = 0; r.need.v && i < x.n + y.n; i++) {
		struct sq_sv text = i < x.n ? x.v[i] : y.v[i - x.n];

		add_need(&r.need, text);
	}
	return r;
}

static struct part parse_choice(struct parser *s)
{
	struct part r = parse_sequence(s);

	while (s->p < s->end && *s->p == '|' && !s->failed) {
		struct part next;

		s->p++;
		next = parse_sequence(s);
		r = either(s, &r, &next);
	}
	return r;
}

bool sq_literals_of_regex(struct sq_arena *a, struct sq_sv regex,
                          const struct sq_literal_opts *opts, struct sq_literals *ret)
{
	struct parser s = { .a = a, .opts = opts, .p = regex.p, .end = regex.p + regex.n };
	struct part whole = parse_choice(&s);

	*ret = (struct sq_literals){ 0 };
	if (s.failed || s.p != s.end)
		return false;
	*ret = need_of(&s, &whole);
	return ret->n > 0 && !a->overflow;
}
