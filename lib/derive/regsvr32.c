#include "lib/derive/regsvr32.h"

#include "lib/derive/install.h"
#include "lib/derive/library.h"

#define BIT(letter) (1u << ((letter) - 'a'))

static bool is_lawful(const struct sq_winpath *path)
{
	return path->place == SQ_PLACE_PROGRAM_FILES || path->place == SQ_PLACE_SYSTEM ||
	       path->place == SQ_PLACE_WINDOWS || path->place == SQ_PLACE_VENDOR ||
	       path->place == SQ_PLACE_BARE_SYSTEM;
}

static void add_switch(struct sq_event *ev, char letter)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789?";
	const char *at = memchr(all, letter, sizeof(all) - 1);

	if (at)
		sq_derive_list(ev, SQ_F_D_RS_SWITCH, (struct sq_sv){ at, 1 });
}

/* The letters of "/s/u/i:x", up to the value: tried by those who think that regsvr32 takes them. */
static void add_joined(struct sq_event *ev, struct sq_sv token)
{
	for (size_t i = 2; i + 1 < token.n && token.p[i] != ':'; i++)
		if (token.p[i] == '/' || token.p[i] == '-')
			add_switch(ev, token.p[i + 1]);
}

/* "/si:x": the same without the slashes. @return false: nothing but one switch */
static bool value_of_joined(struct sq_sv token, struct sq_sv *ret)
{
	size_t at = 1;

	while (at < token.n && memchr("usn", token.p[at], 3))
		at++;
	if (at == 1 || at + 1 >= token.n || token.p[at] != 'i' || token.p[at + 1] != ':')
		return false;
	*ret = sq_sv_skip(token, at + 2);
	return true;
}

static void add_install(struct sq_process *p, struct sq_sv value)
{
	enum sq_place place;
	uint32_t kinds = sq_install_kinds(p->arena, value, &place);

	sq_derive_list(p->ev, SQ_F_D_RS_INSTALL, value);
	for (unsigned k = 0; k < SQ_INSTALL_N; k++)
		if (kinds >> k & 1)
			sq_derive_list(p->ev, SQ_F_D_RS_INSTALL_CLASS,
			               sq_sv_of(sq_install_name((enum sq_install)k)));
	if (place != SQ_PLACE_NONE)
		sq_derive_list(p->ev, SQ_F_D_RS_INSTALL_PLACE, sq_sv_of(sq_place_name(place)));
}

static void add_library(struct sq_process *p, const struct sq_winpath *path)
{
	struct sq_event *ev = p->ev;
	bool scrobj = sq_winpath_names(path, SQ_SV("scrobj"));

	sq_derive_list(ev, SQ_F_D_RS_LIBRARY, path->path);
	sq_derive_list(ev, SQ_F_D_RS_LIBRARY_NAME,
	               scrobj ? SQ_SV("scrobj") : sq_derive_library_name(path));
	sq_derive_list(ev, SQ_F_D_RS_LIBRARY_EXTENSION,
	               path->extension.n ? path->extension : SQ_SV("none"));
	sq_derive_list(ev, SQ_F_D_RS_LIBRARY_PLACE, sq_sv_of(sq_place_name(path->place)));
	sq_derive_or(ev, SQ_F_D_RS_SCROBJ, scrobj);
	sq_derive_and(ev, SQ_F_D_RS_LAWFUL, is_lawful(path));
}

static bool is_silent(const struct sq_cmdline *cmd)
{
	for (uint32_t i = 0; i < cmd->n; i++)
		if (sq_switch_letter(cmd->args[i]) == 's')
			return true;
	return false;
}

/* "c:\users\bob\a.dll" */
static bool is_in_profile_itself(struct sq_sv path)
{
	struct sq_sv profiles = SQ_SV("c:\\users\\"), rest = sq_sv_skip(path, profiles.n);

	if (!sq_sv_starts(path, profiles))
		return false;
	(void)sq_sv_cut(&rest, '\\');
	return sq_sv_chr(rest, '\\') == SIZE_MAX;
}

/* A bare name is sought in the folders of Windows and of PATH too. So a harmless directory proves
 * nothing about it; nor does that in which every prompt begins, when somebody types a name there.
 */
static bool lies_in_folder(const struct sq_process *p, const struct sq_winpath *joined)
{
	return !is_lawful(joined) && (!is_in_profile_itself(joined->path) || is_silent(p->cmd));
}

/* What is known when all arguments have been read. */
struct seen {
	uint32_t libraries;
	bool install;
	bool halved; /* the last library was "C:\Program" of a path that lacks its quotes */
};

/* What follows of a path that lacks its quotes is relative to no folder. */
static bool is_rest(struct sq_sv token)
{
	return sq_sv_starts(token, SQ_SV("files\\")) || sq_sv_eq(token, SQ_SV("files")) ||
	       sq_sv_starts(token, SQ_SV("(x86)\\"));
}

static void read_library(struct sq_process *p, struct sq_sv token, struct seen *seen)
{
	struct sq_winpath path;

	seen->libraries++;
	seen->halved = sq_sv_eq(token, SQ_SV("c:\\program")) || (seen->halved && is_rest(token));
	if (!seen->halved) {
		sq_library_read(p, token, lies_in_folder, add_library);
		return;
	}
	if (!sq_winpath_fold(p->arena, token, &path))
		p->ev->flags |= SQ_EVENT_OVERFLOW;
	add_library(p, &path);
}

static void read_argument(struct sq_process *p, struct sq_sv token, struct seen *seen)
{
	char letter = sq_switch_letter(token);
	struct sq_sv value;

	if (token.n == 0)
		return;
	if (!letter) {
		read_library(p, token, seen);
		return;
	}
	add_switch(p->ev, letter);
	if (sq_install_value(token, &value)) {
		add_joined(p->ev, token);
		add_install(p, value);
		seen->install = true;
	} else if (value_of_joined(token, &value)) {
		add_switch(p->ev, 'i');
		add_install(p, value);
		seen->install = true;
	} else if (letter == 'i') {
		add_install(p, SQ_SV(""));
		seen->install = true;
	}
}

/* The last argument of a line that holds too many is all that is left of it: it is split anew, as
 * often as a command line of Windows can need that. */
static void read_arguments(struct sq_process *p, struct seen *seen)
{
	enum { ROUNDS = 32767 / 2 / (SQ_CMDLINE_MAX - 2) + 1 };
	struct sq_cmdline cmd = *p->cmd;

	for (int round = 0; round < ROUNDS; round++) {
		bool many = cmd.n > 1 && cmd.tricks & SQ_TRICK_BIT(SQ_TRICK_MANY_ARGUMENTS);
		struct sq_sv tail;

		for (uint32_t i = 0; i < cmd.n - many; i++)
			read_argument(p, sq_sv_trim(cmd.args[i]), seen);
		if (!many)
			return;
		/* The blank in front of it says that no program's name follows. */
		tail = cmd.args[cmd.n - 1];
		tail = (struct sq_sv){ tail.p - 1, tail.n + 1 };
		if (!sq_cmdline_split(p->arena, tail, SQ_SV(""), &cmd)) {
			p->ev->flags |= SQ_EVENT_OVERFLOW;
			return;
		}
	}
}

void sq_regsvr32_derive(struct sq_process *p)
{
	struct sq_event *ev = p->ev;
	struct seen seen = { 0 };

	read_arguments(p, &seen);
	if (!seen.install)
		sq_derive_list(ev, SQ_F_D_RS_INSTALL_CLASS,
		               sq_sv_of(sq_install_name(SQ_INSTALL_NONE)));
	if (!seen.libraries) {
		sq_derive_and(ev, SQ_F_D_RS_LAWFUL, false);
		sq_derive_or(ev, SQ_F_D_RS_SCROBJ, false);
	}
}

static uint32_t bits_in(uint32_t v)
{
	return (uint32_t)__builtin_popcount(v);
}

static uint32_t switch_bit(char letter)
{
	return letter && memchr("usni", letter, 4) ? BIT(letter) : 0;
}

static bool is_scrobj(struct sq_arena *arena, struct sq_sv token)
{
	struct sq_winpath path;
	size_t mark = sq_arena_mark(arena);
	bool is;

	/* The name must stand in it, whole or short: no need to fold every path. */
	if (!token.n || !memchr(token.p, 'j', token.n))
		return false;
	is = sq_winpath_fold(arena, token, &path) && sq_winpath_names(&path, SQ_SV("scrobj"));
	if (!arena->overflow)
		sq_arena_rewind(arena, mark);
	return is;
}

static bool is_library(struct sq_sv token)
{
	struct sq_sv end = sq_sv_skip(token, token.n < 4 ? token.n : token.n - 4);

	return sq_sv_eq(end, SQ_SV(".dll")) || sq_sv_eq(end, SQ_SV(".ocx")) ||
	       sq_sv_eq(end, SQ_SV(".cpl")) || sq_sv_ends(token, SQ_SV(".ax"));
}

/* Does the value of /i end as a scriptlet's name does? Then the library is the engine of
 * scriptlets, whatever it is called. */
static bool is_scriptlet(struct sq_sv value)
{
	return sq_sv_iends(value, SQ_SV(".sct")) || sq_sv_iends(value, SQ_SV(".wsc"));
}

/* A file in a folder where any user may write. */
static bool is_user_writable(struct sq_arena *arena, struct sq_sv token)
{
	struct sq_winpath path;
	size_t mark = sq_arena_mark(arena);
	bool is = sq_winpath_fold(arena, token, &path) && path.place == SQ_PLACE_USER_WRITABLE &&
	          path.extension.n;

	if (!arena->overflow)
		sq_arena_rewind(arena, mark);
	return is;
}

/* regsvr32 does not mind what the name of a library ends in. Other programs take single letters and
 * files, too: so all of these have to lie where any user may write. */
static bool are_libraries_dressed(const struct sq_process *p)
{
	for (uint32_t i = 0; i < p->cmd->n; i++) {
		struct sq_sv token = p->cmd->args[i];

		if (token.n && !sq_switch_letter(token) && !is_library(token) &&
		    !is_user_writable(p->arena, token))
			return false;
	}
	return true;
}

/* Whole letters are what write-ups show, so two of them are enough; words ("-silent
 * -unregister") are also what other programs take, so it needs three. */
void sq_regsvr32_shape(struct sq_process *p)
{
	const uint32_t remote =
		1u << SQ_INSTALL_URL | 1u << SQ_INSTALL_UNC | 1u << SQ_INSTALL_WEBDAV;
	const struct sq_cmdline *cmd = p->cmd;
	uint32_t kinds = 0, short_ones = 0, all = 0, libraries = 0, files = 0, others = 0;
	bool scrobj = false, scriptlet = false;

	for (uint32_t i = 0; i < cmd->n; i++) {
		struct sq_sv token = cmd->args[i], value;
		char letter = sq_switch_letter(token);

		if (!letter) {
			scrobj = scrobj || is_scrobj(p->arena, token);
			libraries += is_library(token);
			files += token.n && !is_library(token);
			continue;
		}
		all |= switch_bit(letter);
		if (token.n == 2 || token.p[2] == ':')
			short_ones |= switch_bit(letter);
		others += token.n > 2 || !switch_bit(letter);
		if (sq_install_value(token, &value)) {
			kinds |= sq_install_kinds(p->arena, value, NULL);
			scriptlet = scriptlet || is_scriptlet(value);
			all |= BIT('i');
			if (letter != 'i' && token.p[2] != ':') /* "/s/u/i:x" */
				short_ones |= switch_bit(letter) | BIT('i');
		}
	}
	kinds &= ~(1u << SQ_INSTALL_EMPTY);
	scriptlet = scriptlet && (libraries || bits_in(short_ones) >= 2);
	sq_derive_or(p->ev, SQ_F_D_RS_SHAPE,
	             (kinds & remote && (bits_in(short_ones) >= 2 || bits_in(all) >= 3)) ||
	                     (kinds && (scrobj || scriptlet)));
	sq_derive_or(p->ev, SQ_F_D_RS_WEAK_SHAPE,
	             short_ones && !others &&
	                     (files ? short_ones & BIT('s') && bits_in(short_ones) >= 2 &&
	                                      are_libraries_dressed(p)
	                            : libraries > 0));
}
