#include "lib/derive/regsvr32.h"

#include "lib/derive/install.h"

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

static void add_library(struct sq_process *p, struct sq_sv token)
{
	struct sq_event *ev = p->ev;
	struct sq_winpath path;
	bool scrobj;

	if (!sq_winpath_fold(p->arena, token, &path))
		ev->flags |= SQ_EVENT_OVERFLOW;
	scrobj = sq_winpath_names(&path, SQ_SV("scrobj"));
	sq_derive_list(ev, SQ_F_D_RS_LIBRARY, path.path);
	sq_derive_list(ev, SQ_F_D_RS_LIBRARY_NAME,
	               scrobj ? SQ_SV("scrobj") : sq_derive_library_name(&path));
	sq_derive_list(ev, SQ_F_D_RS_LIBRARY_EXTENSION,
	               path.extension.n ? path.extension : SQ_SV("none"));
	sq_derive_list(ev, SQ_F_D_RS_LIBRARY_PLACE, sq_sv_of(sq_place_name(path.place)));
	sq_derive_or(ev, SQ_F_D_RS_SCROBJ, scrobj);
	sq_derive_and(ev, SQ_F_D_RS_LAWFUL, is_lawful(&path));
}

/* What is known when all arguments have been read. */
struct seen {
	uint32_t libraries;
	bool install;
};

static void read_argument(struct sq_process *p, struct sq_sv token, struct seen *seen)
{
	char letter = sq_switch_letter(token);
	struct sq_sv value;

	if (token.n == 0)
		return;
	if (!letter) {
		add_library(p, token);
		seen->libraries++;
		return;
	}
	add_switch(p->ev, letter);
	if (sq_install_value(token, &value)) {
		add_joined(p->ev, token);
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

/* Whole letters are what write-ups show, so two of them are enough; words ("-silent
 * -unregister") are also what other programs take, so it needs three. */
void sq_regsvr32_shape(struct sq_process *p)
{
	const uint32_t remote =
		1u << SQ_INSTALL_URL | 1u << SQ_INSTALL_UNC | 1u << SQ_INSTALL_WEBDAV;
	const struct sq_cmdline *cmd = p->cmd;
	uint32_t kinds = 0, short_ones = 0, all = 0, libraries = 0, others = 0;
	bool scrobj = false;

	for (uint32_t i = 0; i < cmd->n; i++) {
		struct sq_sv token = cmd->args[i], value;
		char letter = sq_switch_letter(token);

		if (!letter) {
			scrobj = scrobj || is_scrobj(p->arena, token);
			libraries += is_library(token);
			others += token.n && !is_library(token);
			continue;
		}
		all |= switch_bit(letter);
		if (token.n == 2 || token.p[2] == ':')
			short_ones |= switch_bit(letter);
		others += token.n > 2 || !switch_bit(letter);
		if (sq_install_value(token, &value)) {
			kinds |= sq_install_kinds(p->arena, value, NULL);
			all |= BIT('i');
			if (letter != 'i' && token.p[2] != ':') /* "/s/u/i:x" */
				short_ones |= switch_bit(letter) | BIT('i');
		}
	}
	kinds &= ~(1u << SQ_INSTALL_EMPTY);
	sq_derive_or(p->ev, SQ_F_D_RS_SHAPE,
	             (kinds & remote && (bits_in(short_ones) >= 2 || bits_in(all) >= 3)) ||
	                     (kinds && scrobj));
	sq_derive_or(p->ev, SQ_F_D_RS_WEAK_SHAPE, short_ones && libraries && !others);
}
