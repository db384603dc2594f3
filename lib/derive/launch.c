#include "lib/derive/launch.h"

#include "lib/derive/encoded.h"
#include "lib/derive/install.h"
#include "lib/derive/launch_private.h"
#include "lib/derive/stored.h"
#include "lib/text/xml.h"

enum {
	COMMAND_MAX = 8191, /* bytes of a command that are reported: what cmd.exe takes */
	WORD_SWITCHES = 8,  /* i-switches looked at in one word, so that all takes linear time */
	ENCODED_MAX = 4,    /* encoded commands of a line */
};

#define BIT(c) (UINT32_C(1) << SQ_CARRIES_##c)

/* A plain text and what was found in it so far. */
struct look {
	struct sq_arena *arena;
	enum sq_launch_kind kind;
	struct sq_sv text; /* plain: no carets, no quotes, one blank between words */
	uint32_t found;    /* 1 << enum sq_carries */
	/* Of what is not an argument behind the name regsvr32. */
	uint32_t kinds; /* of i-switches: 1 << enum sq_install */
	bool engine;    /* scrobj is in it */
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
static const struct rare powershell = { SQ_SV("powershell"), 2 };
static const struct rare pwsh = { SQ_SV("pwsh"), 1 };

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
	size_t mark = sq_arena_mark(l->arena), at = 0, end = 0;
	uint32_t kinds = 0;
	int rounds = 0;

	for (;;) {
		struct sq_sv word;

		at = find_install(text, at);
		if (at == SIZE_MAX)
			return kinds & ~(1u << SQ_INSTALL_EMPTY);
		rounds = at < end ? rounds + 1 : 0;
		word = word_at(text, at);
		end = at + word.n;
		kinds |= sq_install_kinds(l->arena, word, NULL);
		if (!l->arena->overflow)
			sq_arena_rewind(l->arena, mark);
		if (rounds == WORD_SWITCHES)
			at = end;
	}
}

/* A switch of that letter. Behind a slash regsvr32 takes any word for it; behind a dash a word is
 * more likely a parameter of PowerShell, as in "-name" and "-nonewwindow". */
static bool has_switch(struct sq_sv text, char letter)
{
	for (size_t i = 0; i + 2 < text.n; i++)
		if (sq_is_space(text.p[i]) && text.p[i + 2] == letter &&
		    (text.p[i + 1] == '/' ||
		     (text.p[i + 1] == '-' && (i + 3 == text.n || !is_word(text.p[i + 3])))))
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

/* Arguments of regsvr32. */
static void look_at_arguments(struct look *l, struct sq_sv args)
{
	const uint32_t remote = 1u << SQ_INSTALL_UNC | 1u << SQ_INSTALL_WEBDAV;
	uint32_t kinds = install_kinds(l, args);

	l->found |= BIT(REGSVR32);
	if (kinds >> SQ_INSTALL_URL & 1 || sq_install_has_url(args))
		l->found |= BIT(URL);
	if (kinds & remote)
		l->found |= BIT(UNC);
	if (find_word(args, 0, &scrobj) != SIZE_MAX &&
	    (kinds || has_switch(args, 'i') || has_switch(args, 'n') || has_variable(args)))
		l->found |= BIT(SCROBJ);
	l->found |= sq_launch_libraries(l->arena, args, l->kind);
}

/* Is this the parameter by which a program is given the arguments of another one? */
static bool hands_over(struct sq_sv word, bool by_pcalua)
{
	static const char *const names[] = { "-argumentlist", "-arguments", "-args" };

	word = sq_sv_first(word, sq_sv_chr(word, ':'));
	if (by_pcalua && sq_sv_eq(word, SQ_SV("-c")))
		return true;
	for (size_t i = 0; word.n > 1 && i < SQ_LEN(names); i++)
		if (sq_sv_starts(sq_sv_of(names[i]), word))
			return true;
	return false;
}

/* What is handed over to the program whose name ends `before`: "-argumentlist /s a.dll -filepath ".
 * Without the folder of the name. Nothing when no parameter says so: before the name may stand
 * anything, such as what a search looks through. */
static struct sq_sv handed_over(struct sq_sv before)
{
	bool by_pcalua = sq_sv_find(before, SQ_SV("pcalua")) != SIZE_MAX;

	while (before.n && !sq_is_space(before.p[before.n - 1]))
		before.n--;
	for (size_t i = 1; i < before.n; i++) {
		struct sq_sv word;

		if (before.p[i] != '-' || !sq_is_space(before.p[i - 1]))
			continue;
		word = word_at(before, i);
		if (hands_over(word, by_pcalua)) /* a value may follow its colon at once */
			return sq_sv_skip(before, i + sq_sv_first(word, sq_sv_chr(word, ':')).n);
	}
	return (struct sq_sv){ 0 };
}

/* What only regsvr32 takes, where its name does not say so. */
static void look_at_rest(struct look *l, struct sq_sv text)
{
	l->kinds |= install_kinds(l, text);
	l->engine = l->engine || find_word(text, 0, &scrobj) != SIZE_MAX;
}

/* One command with the name of regsvr32 at `at`. @return what is reported of it */
static struct sq_sv look_at_command(struct look *l, struct sq_sv command, size_t at)
{
	struct sq_sv before = sq_sv_first(command, at);
	struct sq_sv behind = sq_sv_skip(command, at + strlen("regsvr32"));
	struct sq_sv handed = handed_over(before);

	if (sq_sv_starts(behind, SQ_SV(".exe")))
		behind = sq_sv_skip(behind, 4);
	if (sq_sv_trim(behind).n)
		look_at_arguments(l, behind);
	if (sq_sv_trim(handed).n)
		look_at_arguments(l, handed);
	look_at_rest(l, before);
	return sq_sv_trim(handed).n ? command : sq_sv_skip(command, at);
}

/* Each command that names regsvr32. One that names it twice is one command.
 * @return the first of them, or `text` */
static struct sq_sv look_at_commands(struct look *l, struct sq_sv text)
{
	struct sq_sv first = text;
	bool named = false;

	while (text.n) {
		struct sq_sv command = command_at(text, 0), told;
		size_t at = find_word(command, 0, &regsvr32);

		text = sq_sv_skip(text, command.n + 1);
		if (at == SIZE_MAX) {
			look_at_rest(l, command);
			continue;
		}
		told = look_at_command(l, command, at);
		if (!named)
			first = told;
		named = true;
	}
	return first;
}

/* Does a command have both a variable and a switch that regsvr32 needs to run a scriptlet? */
static bool has_variable_beside_switch(struct look *l)
{
	struct sq_sv text = l->text;

	while (text.n) {
		struct sq_sv command = command_at(text, 0);

		if (has_variable(command) &&
		    (has_switch(command, 'i') || has_switch(command, 'n') ||
		     install_kinds(l, command)))
			return true;
		text = sq_sv_skip(text, command.n + 1);
	}
	return false;
}

/* Arguments without the name: built of variables, or handed over by somebody else. */
static void look_without_name(struct look *l)
{
	const uint32_t remote =
		1u << SQ_INSTALL_URL | 1u << SQ_INSTALL_UNC | 1u << SQ_INSTALL_WEBDAV;
	bool engine = find_word(l->text, 0, &scrobj) != SIZE_MAX;
	uint32_t kinds = install_kinds(l, l->text);

	if (l->engine && l->kinds & remote)
		l->found |= BIT(URL_SCROBJ);
	else if (l->engine && l->kinds)
		l->found |= BIT(PATH_SCROBJ);
	if ((engine || kinds & remote) && has_variable(l->text) &&
	    (kinds & remote || has_variable_beside_switch(l)))
		l->found |= BIT(VARIABLE);
}

/* Does an address begin here, as a moniker holds it? */
static bool is_address(struct sq_sv v)
{
	static const char *const schemes[] = { "http:", "https:", "ftp:", "file:", "\\\\", "//" };

	v = sq_sv_trim(v);
	for (size_t i = 0; i < SQ_LEN(schemes); i++)
		if (sq_sv_starts(v, sq_sv_of(schemes[i])))
			return true;
	return false;
}

/* "javascript:http://h" is no moniker, and "$script:file" is a variable of PowerShell. */
static void look_for_moniker(struct look *l)
{
	for (size_t at = 0; (at = find_rare(l->text, at, &script)) != SIZE_MAX; at++) {
		if (at && (is_word(l->text.p[at - 1]) || l->text.p[at - 1] == '$'))
			continue;
		if (is_address(sq_sv_first(sq_sv_skip(l->text, at + script.word.n), 16)))
			l->found |= BIT(SCRIPT_URL);
	}
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

	bool encoded = l->kind == SQ_LAUNCH_ENCODED;

	if (encoded)
		sq_derive_list(ev, SQ_F_D_ENCODED_COMMAND, l->text);
	else if (l->found)
		sq_derive_list(ev, SQ_F_D_LAUNCH_COMMAND, sq_sv_first(command, COMMAND_MAX));
	for (unsigned i = 0; i < SQ_CARRIES_N; i++)
		if (l->found >> i & 1)
			sq_derive_list(ev, encoded ? SQ_F_D_ENCODED_CARRIES : SQ_F_D_LAUNCH_CARRIES,
			               sq_sv_of(names[i]));
}

/* What the shells will see of a folded text. */
static struct sq_sv plain_of(struct sq_arena *arena, struct sq_sv folded, uint32_t *tricks)
{
	return powershell_plain(arena, sq_cmdline_plain(arena, folded, tricks),
	                        joins_texts(folded));
}

/* Everything above on one folded text. @return it, plain */
static struct sq_sv look_at_text(struct sq_event *ev, struct sq_arena *arena, struct sq_sv folded,
                                 enum sq_launch_kind kind, uint32_t *tricks)
{
	struct look l = { .arena = arena, .kind = kind };
	struct sq_sv command;
	bool named;

	l.text = plain_of(arena, folded, tricks);
	command = l.text;
	named = find_word(l.text, 0, &regsvr32) != SIZE_MAX;
	if (named)
		command = look_at_commands(&l, l.text);
	else if (find_rare(l.text, 0, &scrobj) != SIZE_MAX)
		look_at_rest(&l, l.text);
	if (find_rare(l.text, 0, &script) != SIZE_MAX)
		look_for_moniker(&l);
	if (find_rare(l.text, 0, &scrobj) != SIZE_MAX || has_variable(l.text))
		look_without_name(&l);
	if (l.found & ~BIT(REGSVR32) || named)
		look_for_split(&l, folded);
	if (l.found & (BIT(URL) | BIT(UNC) | BIT(SCROBJ))) /* then these say nothing new */
		l.found &= ~(BIT(URL_SCROBJ) | BIT(PATH_SCROBJ));
	report(ev, &l, command);
	return l.text;
}

static bool names_powershell(struct sq_sv plain)
{
	return find_rare(plain, 0, &powershell) != SIZE_MAX ||
	       find_rare(plain, 0, &pwsh) != SIZE_MAX;
}

/* What PowerShell is given in Base64 by the line `raw`. One such line within another is read, too;
 * what is wrapped once more, Windows logs when it starts. */
static void look_at_encoded(struct sq_event *ev, struct sq_arena *arena, struct sq_sv raw)
{
	struct sq_sv line[1 + ENCODED_MAX] = { raw };
	unsigned n = 1;

	for (unsigned i = 0; i < n; i++) {
		for (;;) {
			struct sq_sv code = sq_encoded_next(arena, &line[i]);
			struct sq_folded folded;

			if (!code.n)
				break;
			if (!sq_fold_text(arena, sq_stored_script(arena, code), false, &folded))
				ev->flags |= SQ_EVENT_OVERFLOW;
			(void)look_at_text(ev, arena, folded.text, SQ_LAUNCH_ENCODED, NULL);
			if (i || n == SQ_LEN(line))
				break;
			line[n++] = code;
		}
	}
}

/* Is the program that starts PowerShell, whatever its line calls it? */
static bool is_powershell(const struct sq_event *ev)
{
	const struct sq_value *v = &ev->values[SQ_F_D_PROGRAM];

	for (; v; v = sq_event_next(ev, v))
		if (names_powershell(sq_value_sv(v)))
			return true;
	return false;
}

void sq_launch_derive(struct sq_process *p)
{
	struct sq_sv plain = look_at_text(p->ev, p->arena, p->line, SQ_LAUNCH_LINE, &p->tricks);

	if (names_powershell(plain) || is_powershell(p->ev))
		look_at_encoded(p->ev, p->arena, p->raw);
}

static bool is_tag(struct sq_sv v)
{
	v = sq_sv_trim(v);
	return sq_sv_istarts(v, SQ_SV("<?xml")) || sq_sv_istarts(v, SQ_SV("<task"));
}

/* A stored command as it was, and plain. */
static void put_command(struct sq_event *ev, struct sq_arena *arena, struct sq_sv raw,
                        struct sq_sv plain)
{
	sq_derive_list(ev, SQ_F_D_STORED_COMMAND, plain);
	if (names_powershell(plain))
		look_at_encoded(ev, arena, raw);
}

/* The actions of a task, each by itself, so that nothing its author wrote about it is taken for a
 * part of a command. @return false: it has none */
static bool put_actions(struct sq_event *ev, struct sq_arena *arena, struct sq_sv xml)
{
	struct sq_folded folded;
	struct sq_sv action;
	bool any = false;

	for (; sq_stored_action(arena, &xml, &action); any = true) {
		if (!sq_fold_text(arena, action, false, &folded))
			ev->flags |= SQ_EVENT_OVERFLOW;
		put_command(ev, arena, action, plain_of(arena, folded.text, NULL));
	}
	return any;
}

uint32_t sq_launch_stored(struct sq_event *ev, struct sq_arena *arena, struct sq_sv raw,
                          bool is_script)
{
	struct sq_sv task, text;
	struct sq_folded folded;
	struct sq_winpath path;

	if (sq_sv_starts(sq_sv_trim(raw), SQ_SV("&lt;")))
		raw = sq_xml_decode(raw, arena);
	task = is_tag(raw) ? raw : SQ_SV("");
	if (task.n)
		raw = sq_stored_task(arena, raw);
	else if (is_script)
		raw = sq_stored_script(arena, raw);
	if (!sq_fold_text(arena, raw, false, &folded))
		ev->flags |= SQ_EVENT_OVERFLOW;
	text = look_at_text(ev, arena, folded.text, is_script ? SQ_LAUNCH_SCRIPT : SQ_LAUNCH_STORED,
	                    &folded.tricks);
	if (!is_script && !(task.n && put_actions(ev, arena, task)))
		put_command(ev, arena, raw, text);
	if (folded.text.n <= 1024 && sq_sv_find(folded.text, SQ_SV("scr")) != SIZE_MAX &&
	    sq_winpath_fold(arena, sq_sv_trim(folded.text), &path) &&
	    sq_winpath_names(&path, SQ_SV("scrobj")))
		sq_derive_list(ev, SQ_F_D_LAUNCH_CARRIES, SQ_SV("scrobj"));
	return folded.tricks;
}
