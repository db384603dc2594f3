#include "lib/derive/launch.h"

#include "lib/derive/install.h"
#include "lib/text/xml.h"

enum {
	COMMAND_MAX = 8191, /* bytes of a command that are reported: what cmd.exe takes */
	PLAIN_ROUNDS = 8,   /* commands looked at in one text */
};

#define BIT(c) (UINT32_C(1) << SQ_CARRIES_##c)

/* A plain text and what was found in it so far. */
struct look {
	struct sq_arena *arena;
	struct sq_sv text; /* plain: no carets, no quotes, one blank between words */
	uint32_t found;    /* 1 << enum sq_carries */
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || sq_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Does `word` begin at `at`, by itself? "myregsvr32" is another one, and so are "regsvr32_x.log"
 * and "regsvr32-notes". An extension and what a shell ends a word with may follow. */
static bool stands(struct sq_sv text, size_t at, struct sq_sv word)
{
	struct sq_sv rest = sq_sv_skip(text, at + word.n);

	if (at && (is_word(text.p[at - 1]) || text.p[at - 1] == '-'))
		return false;
	for (int i = 0; i < 2; i++)
		if (sq_sv_starts(rest, i ? SQ_SV(".dll") : SQ_SV(".exe")))
			rest = sq_sv_skip(rest, 4);
	while (rest.n && rest.p[0] == '.') /* "scrobj.dll." */
		rest = sq_sv_skip(rest, 1);
	return rest.n == 0 || !(is_word(rest.p[0]) || rest.p[0] == '-');
}

/* A word, and the byte of it that is rare in command lines: memchr() for that is many times faster
 * than looking for the word. */
struct rare {
	struct sq_sv word;
	size_t at;
};

static const struct rare regsvr32 = { SQ_SV("regsvr32"), 6 };
static const struct rare scrobj = { SQ_SV("scrobj"), 5 };
static const struct rare script = { SQ_SV("script:"), 6 };

/* Position of `what` from `from` on, or SIZE_MAX. */
static size_t find_rare(struct sq_sv text, size_t from, const struct rare *what)
{
	char c = what->word.p[what->at];

	for (size_t i = from + what->at; i < text.n; i++) {
		const char *p = memchr(text.p + i, c, text.n - i);

		if (!p)
			return SIZE_MAX;
		i = (size_t)(p - text.p);
		if (sq_sv_starts(sq_sv_skip(text, i - what->at), what->word))
			return i - what->at;
	}
	return SIZE_MAX;
}

/* Position of a word standing by itself from `from` on, or SIZE_MAX. */
static size_t find_word(struct sq_sv text, size_t from, const struct rare *what)
{
	for (;;) {
		size_t at = find_rare(text, from, what);

		if (at == SIZE_MAX || stands(text, at, what->word))
			return at;
		from = at + 1;
	}
}

/* What ends a command for the shells: & | > and a line end; ';' where a blank follows, since URLs
 * hold some. */
static struct sq_sv command_at(struct sq_sv text, size_t at)
{
	struct sq_sv v = sq_sv_skip(text, at);

	for (size_t i = 0; i < v.n; i++) {
		bool joined = i + 1 < v.n && v.p[i + 1] != ' ' && v.p[i + 1] != '&';

		if (v.p[i] == '|' || v.p[i] == '>' || v.p[i] == '\n' || v.p[i] == '\r' ||
		    (v.p[i] == '&' && !(joined && i && v.p[i - 1] != ' ')) ||
		    (v.p[i] == ';' && !joined))
			return sq_sv_first(v, i);
	}
	return v;
}

/* The i-switch: '-' or '/', 'i', letters, ':'. At the beginning of a word or behind another
 * switch. @return position behind the colon, or SIZE_MAX */
static size_t find_install(struct sq_sv text, size_t from)
{
	for (size_t i = from; i + 2 < text.n; i++) {
		size_t end = i + 2;

		if ((text.p[i] != '/' && text.p[i] != '-') || text.p[i + 1] != 'i')
			continue;
		if (i && !sq_is_space(text.p[i - 1]) && !memchr(",=(;&|", text.p[i - 1], 6) &&
		    !(i >= 2 && is_word(text.p[i - 1]) &&
		      (text.p[i - 2] == '/' || text.p[i - 2] == '-')))
			continue;
		while (end < text.n && end < i + 32 && text.p[end] >= 'a' && text.p[end] <= 'z')
			end++;
		if (end < text.n && text.p[end] == ':')
			return end + 1;
	}
	return SIZE_MAX;
}

static struct sq_sv word_at(struct sq_sv text, size_t at)
{
	size_t end = at;

	while (end < text.n && !sq_is_space(text.p[end]))
		end++;
	return (struct sq_sv){ text.p + at, end - at };
}

/* Kinds of all i-switches with a value in `text`. */
static uint32_t install_kinds(struct look *l, struct sq_sv text)
{
	uint32_t kinds = 0;
	size_t at = 0;

	for (int i = 0; i < PLAIN_ROUNDS; i++) {
		at = find_install(text, at);
		if (at == SIZE_MAX)
			break;
		kinds |= sq_install_kinds(l->arena, word_at(text, at), NULL);
	}
	return kinds & ~(1u << SQ_INSTALL_EMPTY);
}

static bool has_switch(struct sq_sv text, char letter)
{
	for (size_t i = 0; i + 2 < text.n; i++)
		if (sq_is_space(text.p[i]) && (text.p[i + 1] == '/' || text.p[i + 1] == '-') &&
		    text.p[i + 2] == letter)
			return true;
	return false;
}

/* %name%, !name!, $name, $env:name: what only the shell knows. The names that winpath resolves
 * count, too, but only beside something worse. */
static bool has_variable(struct sq_sv text)
{
	if (!text.n || (!memchr(text.p, '%', text.n) && !memchr(text.p, '$', text.n) &&
	                !memchr(text.p, '!', text.n)))
		return false;
	for (size_t i = 0; i + 1 < text.n; i++) {
		char c = text.p[i];
		size_t end;

		if (c == '$' && (is_word(text.p[i + 1]) || text.p[i + 1] == '{'))
			return true;
		if ((c != '%' && c != '!') || !is_word(text.p[i + 1]))
			continue;
		if (c == '%' && i + 2 < text.n && text.p[i + 1] == '%')
			return true;
		for (end = i + 1; end < text.n && end < i + 64; end++)
			if (text.p[end] == c || sq_is_space(text.p[end]) || text.p[end] == '/')
				break;
		if (end < text.n && text.p[end] == c)
			return true;
	}
	return false;
}

/* Does a path begin here? A drive, a share, a variable, or a name below a folder. */
static bool begins_path(struct sq_sv v)
{
	if (v.n > 2 && v.p[1] == ':' && (v.p[2] == '\\' || v.p[2] == '/'))
		return true;
	return v.n > 2 && (sq_sv_starts(v, SQ_SV("\\\\")) || sq_sv_starts(v, SQ_SV("//")) ||
	                   v.p[0] == '%' || sq_sv_starts(v, SQ_SV("$env:")));
}

/* A path without its quotes ends where the next switch or path begins, else with the command:
 * "c:\program files\x.dll". What is too much at its end does not change where it lies. */
static size_t path_end(struct sq_sv v)
{
	for (size_t i = 1; i + 1 < v.n; i++) {
		struct sq_sv next = sq_sv_skip(v, i + 1);

		if (!sq_is_space(v.p[i]))
			continue;
		if (next.p[0] == '/' || next.p[0] == '-' || begins_path(next) ||
		    sq_sv_starts(next, SQ_SV("scrobj")))
			return i;
	}
	return v.n;
}

static void look_at_path(struct look *l, struct sq_sv text)
{
	struct sq_winpath path;
	size_t mark = sq_arena_mark(l->arena);

	if (sq_sv_starts(text, SQ_SV("$env:"))) { /* PowerShell's way to write %name% */
		size_t end = sq_sv_chr(text, '\\');
		char *copy = end == SIZE_MAX ? NULL : sq_arena_bytes(l->arena, text.n);

		if (!copy)
			return;
		copy[0] = '%';
		memcpy(copy + 1, text.p + 5, end - 5);
		copy[end - 4] = '%';
		memcpy(copy + end - 3, text.p + end, text.n - end);
		text = (struct sq_sv){ copy, text.n - 3 };
	}
	if (!sq_winpath_fold(l->arena, text, &path))
		return;
	if (path.place == SQ_PLACE_USER_WRITABLE)
		l->found |= BIT(USER_WRITABLE);
	if (path.place == SQ_PLACE_REMOTE)
		l->found |= BIT(UNC);
	if (path.place == SQ_PLACE_STREAM || path.place == SQ_PLACE_DEVICE)
		l->found |= BIT(STREAM);
	if (!l->arena->overflow)
		sq_arena_rewind(l->arena, mark);
}

static void look_at_paths(struct look *l, struct sq_sv command)
{
	for (size_t i = 0; i + 2 < command.n; i++) {
		struct sq_sv v = sq_sv_skip(command, i);
		size_t n;

		if ((i && is_word(command.p[i - 1])) || !begins_path(v))
			continue;
		if (i && (v.p[0] == '/' || v.p[0] == '\\') && !sq_is_space(command.p[i - 1]) &&
		    command.p[i - 1] != ',' && command.p[i - 1] != '=')
			continue; /* the slashes of a URL, or of this path */
		n = path_end(v);
		look_at_path(l, sq_sv_first(v, n));
		i += n - 1;
	}
}

/* One regsvr32 command, from its name on. */
static void look_at_command(struct look *l, struct sq_sv command)
{
	const uint32_t remote = 1u << SQ_INSTALL_UNC | 1u << SQ_INSTALL_WEBDAV;
	struct sq_sv behind = sq_sv_skip(command, strlen("regsvr32"));
	uint32_t kinds;

	if (sq_sv_starts(behind, SQ_SV(".exe")))
		behind = sq_sv_skip(behind, 4);
	if (sq_sv_trim(behind).n == 0)
		return;
	kinds = install_kinds(l, behind);
	l->found |= BIT(REGSVR32);
	if (kinds >> SQ_INSTALL_URL & 1 || sq_install_has_url(behind))
		l->found |= BIT(URL);
	if (kinds & remote)
		l->found |= BIT(UNC);
	if (find_word(behind, 0, &scrobj) != SIZE_MAX &&
	    (kinds || has_switch(behind, 'i') || has_switch(behind, 'n') || has_variable(behind)))
		l->found |= BIT(SCROBJ);
	look_at_paths(l, behind);
}

/* Arguments without the name: built of variables, or handed over by somebody else. */
static void look_without_name(struct look *l)
{
	const uint32_t remote =
		1u << SQ_INSTALL_URL | 1u << SQ_INSTALL_UNC | 1u << SQ_INSTALL_WEBDAV;
	bool engine = find_word(l->text, 0, &scrobj) != SIZE_MAX;
	uint32_t kinds = install_kinds(l, l->text);

	if (engine && kinds & remote)
		l->found |= BIT(URL_SCROBJ);
	else if (engine && kinds)
		l->found |= BIT(PATH_SCROBJ);
	if ((engine || kinds & remote) && has_variable(l->text) &&
	    (kinds || has_switch(l->text, 'i') || has_switch(l->text, 'n')))
		l->found |= BIT(VARIABLE);
}

static void look_for_moniker(struct look *l)
{
	static const char *const schemes[] = { "script:http", "script:ftp", "script:file",
		                               "script:\\\\" };

	for (size_t i = 0; i < SQ_LEN(schemes); i++)
		if (sq_sv_find(l->text, sq_sv_of(schemes[i])) != SIZE_MAX)
			l->found |= BIT(SCRIPT_URL);
}

/* The letters of `word` from `at` on with something between two of them that a shell takes away. */
static bool is_split(struct sq_sv text, size_t at, struct sq_sv word)
{
	bool split = false;

	for (size_t k = 0; k < word.n; k++) {
		size_t gap = at;

		while (k && at < text.n && memchr("^\"`'+", text.p[at], 5))
			at++;
		if (at == text.n || text.p[at] != word.p[k])
			return false;
		split = split || at != gap;
		at++;
	}
	return split;
}

/* `folded` still has its carets and quotes. */
static void look_for_split(struct look *l, struct sq_sv folded)
{
	for (size_t i = 0; i + 6 < folded.n; i++) {
		if ((folded.p[i] == 'r' && is_split(folded, i, SQ_SV("regsvr32"))) ||
		    (folded.p[i] == 's' && is_split(folded, i, SQ_SV("scrobj"))))
			l->found |= BIT(CARET_NAME);
	}
}

/* Are texts put together with a plus sign? Base64 holds many signs, but none behind a quote. */
static bool joins_texts(struct sq_sv folded)
{
	const char *end = folded.p + folded.n;
	const char *at = folded.n ? memchr(folded.p, '+', folded.n) : NULL;

	for (; at; at = memchr(at + 1, '+', (size_t)(end - at) - 1))
		if (at > folded.p && memchr("'\") ", at[-1], 4))
			return true;
	return false;
}

/* What PowerShell takes away and cmd.exe does not: single quotes, backticks, and, when it `joins`
 * texts, plus signs with the blanks around them. Commas between arguments become blanks. */
static struct sq_sv powershell_plain(struct sq_arena *arena, struct sq_sv v, bool joins)
{
	char *to;
	size_t n = 0;

	if (!v.n ||
	    (!joins && !memchr(v.p, '\'', v.n) && !memchr(v.p, '`', v.n) && !memchr(v.p, ',', v.n)))
		return v;
	to = sq_arena_bytes(arena, v.n);
	if (!to)
		return v;
	for (size_t i = 0; i < v.n; i++) {
		char c = v.p[i], next = i + 1 < v.n ? v.p[i + 1] : ' ';

		if (c == '\'' || c == '`')
			continue;
		if (c == '+' && joins) {
			while (n && to[n - 1] == ' ')
				n--;
			i += next == ' ';
			continue;
		}
		if (c == ',' && n && (next == '/' || next == '-' || next == '\'' || next == ' '))
			c = ' ';
		to[n++] = c;
	}
	sq_arena_trim(arena, to + n);
	return (struct sq_sv){ to, n };
}

static void report(struct sq_event *ev, const struct look *l, struct sq_sv command)
{
	static const char *const names[] = {
#define SQ_CARRIES_NAME(e, name, help) name,
		SQ_CARRIES(SQ_CARRIES_NAME)
#undef SQ_CARRIES_NAME
	};

	if (!l->found)
		return;
	sq_derive_list(ev, SQ_F_D_LAUNCH_COMMAND, sq_sv_first(command, COMMAND_MAX));
	for (unsigned i = 0; i < SQ_CARRIES_N; i++)
		if (l->found >> i & 1)
			sq_derive_list(ev, SQ_F_D_LAUNCH_CARRIES, sq_sv_of(names[i]));
}

/* Everything above on one folded text. */
static void look_at_text(struct sq_event *ev, struct sq_arena *arena, struct sq_sv folded,
                         uint32_t *tricks)
{
	struct look l = { .arena = arena };
	struct sq_sv command;
	bool named = false;
	size_t at = 0;

	l.text = powershell_plain(arena, sq_cmdline_plain(arena, folded, tricks),
	                          joins_texts(folded));
	command = l.text;
	for (int i = 0; i < PLAIN_ROUNDS; i++, at++) {
		at = find_word(l.text, at, &regsvr32);
		if (at == SIZE_MAX)
			break;
		if (!named)
			command = command_at(l.text, at);
		named = true;
		look_at_command(&l, command_at(l.text, at));
	}
	if (find_rare(l.text, 0, &script) != SIZE_MAX)
		look_for_moniker(&l);
	if (find_rare(l.text, 0, &scrobj) != SIZE_MAX || has_variable(l.text))
		look_without_name(&l);
	if (l.found & ~BIT(REGSVR32) || named)
		look_for_split(&l, folded);
	if (named) /* then these say nothing new */
		l.found &= ~(BIT(URL_SCROBJ) | BIT(PATH_SCROBJ));
	report(ev, &l, command);
}

void sq_launch_derive(struct sq_process *p)
{
	look_at_text(p->ev, p->arena, p->line, &p->tricks);
}

/* A task's XML as one line: its tags become blanks, its entities are decoded. */
static struct sq_sv without_tags(struct sq_arena *arena, struct sq_sv xml)
{
	char *to = sq_arena_bytes(arena, xml.n);
	size_t n = 0;
	bool inside = false;

	if (!to)
		return xml;
	for (size_t i = 0; i < xml.n; i++) {
		char c = xml.p[i];

		if (c == '<')
			inside = true;
		if (!inside)
			to[n++] = c == '\n' || c == '\r' ? ' ' : c;
		else if (c == '>')
			to[n++] = ' ';
		inside = inside && c != '>';
	}
	sq_arena_trim(arena, to + n);
	return sq_xml_decode((struct sq_sv){ to, n }, arena);
}

static bool is_tag(struct sq_sv v)
{
	v = sq_sv_trim(v);
	return sq_sv_istarts(v, SQ_SV("<?xml")) || sq_sv_istarts(v, SQ_SV("<task"));
}

uint32_t sq_launch_stored(struct sq_event *ev, struct sq_arena *arena, struct sq_sv raw)
{
	struct sq_folded folded;
	struct sq_winpath path;

	if (sq_sv_starts(sq_sv_trim(raw), SQ_SV("&lt;")))
		raw = sq_xml_decode(raw, arena);
	if (is_tag(raw))
		raw = without_tags(arena, raw);
	if (!sq_fold_text(arena, raw, false, &folded))
		ev->flags |= SQ_EVENT_OVERFLOW;
	look_at_text(ev, arena, folded.text, &folded.tricks);
	if (folded.text.n <= 1024 && sq_sv_find(folded.text, SQ_SV("scr")) != SIZE_MAX &&
	    sq_winpath_fold(arena, sq_sv_trim(folded.text), &path) &&
	    sq_winpath_names(&path, SQ_SV("scrobj")))
		sq_derive_list(ev, SQ_F_D_LAUNCH_CARRIES, SQ_SV("scrobj"));
	return folded.tricks;
}
