#include "lib/derive/cmdline.h"

#include "lib/derive/fold.h"

enum { VARIABLE_MAX = 64 /* bytes of a variable's name that are looked at */ };

struct split {
	struct sq_sv line;
	size_t at; /* next byte of `line` */
	char *out;
	size_t n, begin; /* bytes written; where the token being written begins */
	struct sq_sv tokens[SQ_CMDLINE_MAX + 1]; /* the program's name may be one of them */
	uint32_t count, max, tricks;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Letters, digits and every byte of other alphabets. */
static bool is_word(char c)
{
	unsigned char low = sq_lower((unsigned char)c);

	return (low >= 'a' && low <= 'z') || sq_is_digit(c) || low >= 0x80;
}

static bool is_switch_char(char c)
{
	return c == '/' || c == '-';
}

/* Quotes around a path or a value are ordinary. Between two letters, or around the letter of a
 * switch, they are there to hide the word. */
static void look_at_quote(struct split *s, bool opens)
{
	const char *p = s->line.p;
	size_t at = s->at;
	bool splits = false;

	if (opens && at > 0)
		splits = is_word(p[at - 1]) ||
		         (is_switch_char(p[at - 1]) &&
		          (at == 1 || is_blank(p[at - 2]) || p[at - 2] == '"'));
	else if (!opens && at + 1 < s->line.n)
		splits = is_word(p[at + 1]) || p[at + 1] == ':' || p[at + 1] == '.';
	if (splits)
		s->tricks |= SQ_TRICK_BIT(SQ_TRICK_SPLIT_QUOTES);
}

static void end_token(struct split *s)
{
	struct sq_sv token = { s->out + s->begin, s->n - s->begin };

	if (s->count == s->max) {
		struct sq_sv *last = &s->tokens[s->count - 1];

		s->tricks |= SQ_TRICK_BIT(SQ_TRICK_MANY_ARGUMENTS);
		last->n = (size_t)(token.p + token.n - last->p);
		return;
	}
	s->tokens[s->count++] = token;
}

static void begin_token(struct split *s)
{
	if (s->count)
		s->out[s->n++] = ' ';
	s->begin = s->n;
}

static bool skip_blanks(struct split *s)
{
	while (s->at < s->line.n && is_blank(s->line.p[s->at]))
		s->at++;
	return s->at < s->line.n;
}

/* Quotes toggle, nothing escapes them. */
static void take_program(struct split *s)
{
	const char *p = s->line.p;
	bool quoted = p[s->at] == '"', whole = quoted;

	begin_token(s);
	if (quoted)
		s->at++;
	for (; s->at < s->line.n && (quoted || !is_blank(p[s->at])); s->at++) {
		if (p[s->at] != '"') {
			s->out[s->n++] = p[s->at];
			continue;
		}
		if (whole && quoted && s->at + 1 < s->line.n && is_switch_char(p[s->at + 1])) {
			s->at++;
			break;
		}
		look_at_quote(s, !quoted);
		quoted = !quoted;
		whole = false;
	}
	end_token(s);
}

/* Copy up to the next byte that a rule is about. */
static void copy_run(struct split *s, bool quoted)
{
	const char *p = s->line.p;
	size_t at = s->at, n = s->n;

	while (at < s->line.n && p[at] != '"' && p[at] != '\\' && (quoted || !is_blank(p[at])))
		s->out[n++] = p[at++];
	s->at = at;
	s->n = n;
}

/* A run of backslashes and what comes of the quote behind it. */
static void take_escapes(struct split *s, bool *quoted)
{
	const char *p = s->line.p;
	size_t slashes = 0, keep;
	bool quote;

	while (s->at < s->line.n && p[s->at] == '\\') {
		s->at++;
		slashes++;
	}
	quote = s->at < s->line.n && p[s->at] == '"';
	keep = quote ? slashes / 2 : slashes;
	memset(s->out + s->n, '\\', keep);
	s->n += keep;
	if (!quote)
		return;
	if (slashes % 2) {
		s->out[s->n++] = '"';
	} else if (*quoted && s->at + 1 < s->line.n && p[s->at + 1] == '"') {
		s->out[s->n++] = '"';
		s->at++;
	} else {
		look_at_quote(s, !*quoted);
		*quoted = !*quoted;
	}
	s->at++;
}

static void take_argument(struct split *s)
{
	bool quoted = false;

	begin_token(s);
	for (;;) {
		copy_run(s, quoted);
		if (s->at == s->line.n || (!quoted && is_blank(s->line.p[s->at])))
			break;
		take_escapes(s, &quoted);
	}
	end_token(s);
}

static struct sq_sv base_of(struct sq_sv v)
{
	size_t i = v.n;

	while (i > 0 && v.p[i - 1] != '\\' && v.p[i - 1] != '/' && v.p[i - 1] != ':')
		i--;
	v = sq_sv_skip(v, i);
	if (sq_sv_iends(v, SQ_SV(".exe")))
		v.n -= 4;
	return v;
}

/* Does the line, its blanks skipped, begin with the program? Leaves it taken when it does. */
static bool begins_with_program(struct split *s, bool blank_first, struct sq_sv image)
{
	size_t begin = s->at;
	struct sq_sv rest = sq_sv_skip(s->line, s->at);
	char first = rest.p[0];

	if (first == '"' && rest.n > 1)
		first = rest.p[1];
	if (is_switch_char(first))
		return false;
	take_program(s);
	if (!blank_first || (image.n && sq_sv_ieq(base_of(s->tokens[0]), base_of(image))))
		return true;
	s->at = begin;
	s->n = s->begin = s->count = s->tricks = 0;
	return false;
}

bool sq_cmdline_split(struct sq_arena *arena, struct sq_sv line, struct sq_sv image,
                      struct sq_cmdline *ret)
{
	struct split s;
	struct sq_sv *args;
	bool program, blank_first;

	*ret = (struct sq_cmdline){ .joined = line };
	if (!line.n)
		return true;
	s.line = line;
	s.at = s.n = s.begin = s.count = s.tricks = 0;
	s.out = sq_arena_bytes(arena, line.n + 1);
	if (!s.out)
		return false;

	blank_first = is_blank(line.p[0]);
	s.max = SQ_CMDLINE_MAX + 1;
	program = skip_blanks(&s) && begins_with_program(&s, blank_first, image);
	s.max = SQ_CMDLINE_MAX + program;
	if (!program && s.at < line.n)
		s.tricks |= SQ_TRICK_BIT(SQ_TRICK_NO_ARGV0);
	while (skip_blanks(&s))
		take_argument(&s);
	sq_arena_trim(arena, s.out + s.n);
	sq_dassert(s.n <= line.n);

	args = sq_arena_alloc(arena, sizeof(*args) * (s.count ? s.count : 1));
	if (!args)
		return false;
	if (s.count)
		memcpy(args, s.tokens, sizeof(*args) * s.count);
	ret->joined = (struct sq_sv){ s.out, s.n };
	ret->argv0 = program ? args[0] : (struct sq_sv){ s.out, 0 };
	ret->args = args + program;
	ret->n = s.count - program;
	ret->tricks = s.tricks;
	return true;
}

/* "%comspec:~0,3%" and "%a:x=y%": a part of a variable, which nobody writes who means the whole. */
static bool is_part_of_variable(struct sq_sv v)
{
	char mark = v.p[0];
	size_t i = 1;
	bool replaces = false;

	v = sq_sv_first(v, VARIABLE_MAX);
	while (i < v.n && (is_word(v.p[i]) || strchr("_()#$.", v.p[i])))
		i++;
	if (i == 1 || i + 1 >= v.n || v.p[i] != ':')
		return false;
	if (v.p[i + 1] == '~')
		return true;
	for (i++; i < v.n && v.p[i] != mark; i++)
		replaces |= v.p[i] == '=';
	return replaces && i < v.n;
}

/* Escaping an operator is what a caret is for; a letter or a switch needs none. */
static bool is_caret_trick(struct sq_sv line, size_t at, bool quoted)
{
	char next = at + 1 < line.n ? line.p[at + 1] : ' ';

	if (is_switch_char(next))
		return true;
	return is_word(next) && (!quoted || (at > 0 && is_word(line.p[at - 1])));
}

struct sq_sv sq_cmdline_plain(struct sq_arena *arena, struct sq_sv line, uint32_t *tricks)
{
	char *out = line.n ? sq_arena_bytes(arena, line.n) : NULL;
	uint32_t seen = 0;
	bool quoted = false;
	size_t n = 0;

	if (!out)
		return line;
	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '^') {
			if (is_caret_trick(line, i, quoted))
				seen |= SQ_TRICK_BIT(SQ_TRICK_CARET);
			continue;
		}
		if ((c == '%' || c == '!') && is_part_of_variable(sq_sv_skip(line, i)))
			seen |= SQ_TRICK_BIT(SQ_TRICK_VARIABLE);
		if (is_blank(c) && (n == 0 || out[n - 1] == ' '))
			continue;
		out[n++] = is_blank(c) ? ' ' : c;
	}
	if (n && out[n - 1] == ' ')
		n--;
	sq_arena_trim(arena, out + n);
	if (tricks)
		*tricks |= seen;
	return (struct sq_sv){ out, n };
}
