#include "lib/derive/launch_private.h"

#define BIT(c) (UINT32_C(1) << SQ_CARRIES_##c)

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || sq_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_separator(char c)
{
	return c == '\\' || c == '/';
}

static bool is_rooted(struct sq_sv v)
{
	return v.n > 2 && v.p[0] == '\\' && is_word(v.p[1]) && v.p[2] != ':';
}

static bool is_climbing(struct sq_sv v)
{
	return v.n > 3 && v.p[0] == '.' && v.p[1] == '.' && is_separator(v.p[2]);
}

/* What shells put in front of a path, and what winpath knows for it. */
static const struct {
	struct sq_sv begin, end; /* of it, as written; the variable's name between them */
	struct sq_sv name;       /* or this one */
} shell_names[] = {
	{ SQ_SV("$env:"), SQ_SV(""), { 0 } },
	{ SQ_SV("${env:"), SQ_SV("}"), { 0 } },
	{ SQ_SV("$home"), SQ_SV(""), SQ_SV("userprofile") },
	{ SQ_SV("${home}"), SQ_SV(""), SQ_SV("userprofile") },
	{ SQ_SV("~"), SQ_SV(""), SQ_SV("userprofile") },
};

/* Does a path begin here? A drive, a share, a variable, or a name below a folder. */
static bool begins_path(struct sq_sv v)
{
	if (v.n > 2 && v.p[1] == ':' && is_separator(v.p[2]))
		return true;
	if (v.n > 2 && (sq_sv_starts(v, SQ_SV("\\\\")) || sq_sv_starts(v, SQ_SV("//")) ||
	                v.p[0] == '%' || is_rooted(v) || is_climbing(v)))
		return true;
	for (size_t i = 0; i < SQ_LEN(shell_names); i++) {
		struct sq_sv begin = shell_names[i].begin;

		if (sq_sv_starts(v, begin) && v.n > begin.n &&
		    (!shell_names[i].name.n || is_separator(v.p[begin.n])))
			return true;
	}
	return false;
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

static struct sq_sv join(struct sq_arena *arena, struct sq_sv a, struct sq_sv b, struct sq_sv c)
{
	char *to = sq_arena_bytes(arena, a.n + b.n + c.n + 1);

	if (!to)
		return c;
	memcpy(to, a.p, a.n);
	memcpy(to + a.n, b.p, b.n);
	memcpy(to + a.n + b.n, c.p, c.n);
	return (struct sq_sv){ to, a.n + b.n + c.n };
}

/* A path as winpath knows it; nothing when it is a variable and no path. Who climbs out of a folder
 * that we do not know comes to the root of its drive, if he climbs far enough. */
static struct sq_sv resolved(struct sq_arena *arena, struct sq_sv v)
{
	if (is_rooted(v))
		return join(arena, SQ_SV("c:"), SQ_SV(""), v);
	if (is_climbing(v)) {
		while (is_climbing(v))
			v = sq_sv_skip(v, 3);
		return join(arena, SQ_SV("c:"), SQ_SV("\\"), v);
	}
	for (size_t i = 0; i < SQ_LEN(shell_names); i++) {
		struct sq_sv end = shell_names[i].end, name = shell_names[i].name;
		struct sq_sv rest = sq_sv_skip(v, shell_names[i].begin.n);
		size_t n = sq_sv_chr(rest, '\\');

		if (!sq_sv_starts(v, shell_names[i].begin))
			continue;
		if (n == SIZE_MAX)
			return (struct sq_sv){ 0 };
		if (!name.n) {
			name = sq_sv_first(rest, n);
			if (!sq_sv_ends(name, end))
				continue;
			name.n -= end.n;
		}
		return join(arena, SQ_SV("%"), name,
		            join(arena, SQ_SV("%"), SQ_SV(""), sq_sv_skip(rest, n)));
	}
	return v;
}

/* Extensions of files that people open, never of a library. */
static bool is_odd_extension(struct sq_sv v)
{
	static const char list[] =
		" 7z bat bmp cab cmd csv doc docx gif gz htm html ico ini iso jpeg jpg js json log "
		"md mp3 mp4 pdf png ppt pptx ps1 rar rtf sct svg tar tif tiff tmp txt vbs wav wsc "
		"xls xlsx xml yml zip ";
	char word[8] = " ";

	if (v.n == 0 || v.n > 5)
		return false;
	memcpy(word + 1, v.p, v.n);
	word[v.n + 1] = ' ';
	return sq_sv_find(sq_sv_of(list), sq_sv_of(word)) != SIZE_MAX;
}

static uint32_t bit_of(const struct sq_winpath *path)
{
	if (path->place == SQ_PLACE_USER_WRITABLE)
		return BIT(USER_WRITABLE);
	if (path->place == SQ_PLACE_REMOTE)
		return BIT(UNC);
	if (path->place == SQ_PLACE_STREAM || path->place == SQ_PLACE_DEVICE)
		return BIT(STREAM);
	if (path->place == SQ_PLACE_UNKNOWN && path->flags & SQ_WINPATH_LOOPBACK)
		return BIT(ODD_DRIVE);
	/* D: is the second disk of many a computer. */
	return path->place == SQ_PLACE_OTHER_DRIVE && path->path.p[0] != 'd' ? BIT(ODD_DRIVE) : 0;
}

static uint32_t look_at_paths(struct sq_arena *arena, struct sq_sv args)
{
	uint32_t found = 0;

	for (size_t i = 0; i + 2 < args.n; i++) {
		struct sq_sv v = sq_sv_skip(args, i);
		size_t n, mark = sq_arena_mark(arena);
		bool drive = v.p[1] == ':';
		struct sq_winpath path;

		if ((i && is_word(args.p[i - 1])) || !begins_path(v))
			continue;
		if (drive && i && memchr("/-", args.p[i - 1], 2))
			continue; /* "/i:\\host" */
		if (i && !drive && v.p[0] != '%' && v.p[0] != '$' && !sq_is_space(args.p[i - 1]) &&
		    !memchr(",=(", args.p[i - 1], 3))
			continue; /* the slashes of a URL, or of this path */
		n = path_end(v);
		v = resolved(arena, sq_sv_first(v, n));
		if (v.n && sq_winpath_fold(arena, v, &path))
			found |= bit_of(&path);
		if (!arena->overflow)
			sq_arena_rewind(arena, mark);
		i += n - 1;
	}
	return found;
}

/* Is the next word the value of this parameter of PowerShell, and no argument of regsvr32? */
static bool has_own_value(struct sq_sv word)
{
	static const char *const names[] = { "-cred", "-file", "-redi", "-verb", "-wind", "-work" };

	for (size_t i = 0; i < SQ_LEN(names); i++)
		if (sq_sv_starts(word, sq_sv_of(names[i])))
			return true;
	return false;
}

/* Is this a file that no library is? Programs bring libraries of odd names along; a word without an
 * extension may be one of a sentence unless it `may_lack` that. */
static bool is_odd_file(struct sq_arena *arena, struct sq_sv text, bool may_lack)
{
	struct sq_winpath path;
	size_t mark = sq_arena_mark(arena);
	bool odd = false;

	text = resolved(arena, text);
	if (text.n && sq_winpath_fold(arena, text, &path)) {
		odd = path.place == SQ_PLACE_BARE && may_lack && !path.extension.n;
		if (is_odd_extension(path.extension))
			odd = path.place != SQ_PLACE_PROGRAM_FILES &&
			      path.place != SQ_PLACE_SYSTEM && path.place != SQ_PLACE_WINDOWS &&
			      path.place != SQ_PLACE_URL && path.place != SQ_PLACE_NONE;
	}
	if (!arena->overflow)
		sq_arena_rewind(arena, mark);
	return odd;
}

/* The first file behind a switch, and those behind it as long as they look like files: "regsvr32
 * writes a.log" is a sentence, "findstr regsvr32 a.log" a search, and so is what has wildcards. A
 * bare name without an extension counts where it ends a stored command, behind /s. */
static uint32_t look_at_files(struct sq_arena *arena, struct sq_sv args, enum sq_launch_kind kind)
{
	bool switched = false, silent = false;

	for (args = sq_sv_trim(args); args.n; args = sq_sv_trim(args)) {
		struct sq_sv rest = args, word = sq_sv_cut(&args, ' ');

		if (has_own_value(word)) {
			args = sq_sv_trim(args);
			(void)sq_sv_cut(&args, ' ');
			continue;
		}
		if (word.p[0] == '-' || (word.p[0] == '/' && !begins_path(word))) {
			switched = switched || word.p[0] == '/' || word.n == 2;
			silent = silent || (word.n == 2 && word.p[1] == 's');
			continue;
		}
		if (begins_path(rest)) {
			word = sq_sv_first(rest, path_end(rest));
			args = sq_sv_skip(rest, word.n);
		} else if (sq_sv_chr(word, '.') == SIZE_MAX &&
		           (kind != SQ_LAUNCH_STORED || !silent || args.n)) {
			break;
		}
		if (!switched || memchr(word.p, '*', word.n))
			break;
		if (is_odd_file(arena, word,
		                !memchr(word.p, '$', word.n) && !memchr(word.p, '%', word.n)))
			return BIT(ODD_FILE);
	}
	return 0;
}

uint32_t sq_launch_libraries(struct sq_arena *arena, struct sq_sv args, enum sq_launch_kind kind)
{
	return look_at_paths(arena, args) | look_at_files(arena, args, kind);
}
