#include "lib/derive/derive.h"

#include "lib/derive/identity.h"
#include "lib/derive/launch.h"
#include "lib/derive/places.h"
#include "lib/derive/regsvr32.h"
#include "lib/derive/rundll32.h"

/* Values of one field that are read each by itself: more is nobody's event. */
enum { READINGS_MAX = 4 };

/* Who carries commands for others. */
#define SHELLS "cmd.exe powershell.exe pwsh.exe bash.exe wsl.exe conhost.exe explorer.exe "
#define STARTERS                                                                                   \
	"wmic.exe schtasks.exe sc.exe reg.exe at.exe bitsadmin.exe winrs.exe pcalua.exe "          \
	"forfiles.exe ftp.exe runas.exe rundll32.exe psexec.exe psexec64.exe msdt.exe "            \
	"scriptrunner.exe "
#define SCRIPT_HOSTS "mshta.exe wscript.exe cscript.exe "

/* Who loads or runs what it is given. */
#define LOADERS                                                                                    \
	"rundll32.exe msiexec.exe odbcconf.exe cmstp.exe installutil.exe regasm.exe regsvcs.exe "  \
	"msbuild.exe hh.exe control.exe msdt.exe certutil.exe certoc.exe mavinject.exe "           \
	"presentationhost.exe ieexec.exe msxsl.exe xwizard.exe infdefaultinstall.exe "             \
	"register-cimprovider.exe wuauclt.exe "

/* Who takes arguments of all kinds from people, so that a look of them says nothing: shells and
 * launchers (whose commands are read anyway), browsers, editors, and tools that search. */
#define READERS                                                                                    \
	"chrome.exe msedge.exe firefox.exe iexplore.exe opera.exe brave.exe notepad.exe "          \
	"notepad++.exe code.exe devenv.exe winword.exe wordpad.exe write.exe vim.exe gvim.exe "    \
	"git.exe findstr.exe find.exe grep.exe rg.exe where.exe curl.exe wget.exe"

struct program {
	const char *names; /* blanks between; NULL: any program but those that it ends with */
	const char *but;
	sq_program_fn *derive;
};

/* A program's argument model is one file and one row here. */
static const struct program programs[] = {
	{ "regsvr32.exe", NULL, sq_regsvr32_derive },
	{ NULL, SHELLS STARTERS SCRIPT_HOSTS READERS, sq_regsvr32_shape },
	{ SHELLS STARTERS SCRIPT_HOSTS, NULL, sq_launch_derive },
	{ "rundll32.exe", NULL, sq_rundll32_derive },
	{ LOADERS STARTERS SCRIPT_HOSTS, NULL, sq_places_derive },
};

static bool is_in(const char *names, struct sq_sv name)
{
	struct sq_sv rest = sq_sv_of(names);

	while (rest.n) {
		struct sq_sv one = sq_sv_cut(&rest, ' ');

		/* Most names differ in the first letter. */
		if (one.n == name.n && one.n && one.p[0] == name.p[0] && sq_sv_eq(one, name))
			return true;
	}
	return false;
}

static bool applies(const struct program *row, struct sq_sv program)
{
	return row->names ? is_in(row->names, program) : !is_in(row->but, program);
}

static struct sq_sv folded_of(struct sq_event *ev, struct sq_arena *a, struct sq_sv raw,
                              uint32_t *tricks)
{
	struct sq_folded f;

	if (!sq_fold_text(a, raw, false, &f))
		ev->flags |= SQ_EVENT_OVERFLOW;
	*tricks |= f.tricks;
	return f.text;
}

static void put_tricks(struct sq_event *ev, uint32_t tricks)
{
	for (unsigned t = 0; tricks >> t; t++)
		if (tricks >> t & 1)
			sq_derive_list(ev, SQ_F_D_TRICK, sq_sv_of(sq_trick_name((enum sq_trick)t)));
}

/* An event may say several images: each is told, and the first that is not what it seems decides
 * which program is taken. */
static struct sq_sv put_image(struct sq_event *ev, struct sq_arena *a, uint32_t field,
                              bool is_start, uint32_t *tricks)
{
	const struct sq_value *v = &ev->values[field];
	struct sq_sv program = { "", 0 };

	for (int i = 0; v && i < READINGS_MAX; v = sq_event_next(ev, v), i++) {
		struct sq_identity id;

		if (v->kind < SQ_VALUE_TEXT || v->n == 0)
			continue;
		sq_identity_find(ev, a, folded_of(ev, a, sq_value_sv(v), tricks), is_start, &id);
		sq_derive_list(ev, SQ_F_D_PATH, id.image.path);
		sq_derive_list(ev, SQ_F_D_NAME, id.image.name);
		sq_derive_list(ev, SQ_F_D_PLACE, sq_sv_of(sq_place_name(id.image.place)));
		sq_derive_list(ev, SQ_F_D_PROGRAM, id.program);
		sq_derive_or(ev, SQ_F_D_MOVED, id.moved);
		if (is_start)
			sq_derive_or(ev, SQ_F_D_RENAMED, id.renamed);
		if (program.n == 0 || id.renamed)
			program = id.program;
	}
	return program;
}

static void put_parent(struct sq_event *ev, struct sq_arena *a)
{
	const struct sq_value *v = &ev->values[SQ_F_PARENT_IMAGE];
	uint32_t tricks = 0;

	for (int i = 0; v && i < READINGS_MAX; v = sq_event_next(ev, v), i++) {
		struct sq_winpath path;

		if (v->kind < SQ_VALUE_TEXT || v->n == 0)
			continue;
		(void)sq_winpath_fold(a, folded_of(ev, a, sq_value_sv(v), &tricks), &path);
		sq_derive_list(ev, SQ_F_D_PARENT_NAME, path.name);
		sq_derive_list(ev, SQ_F_D_PARENT_PLACE, sq_sv_of(sq_place_name(path.place)));
	}
}

static void put_count(struct sq_event *ev, struct sq_arena *a, uint32_t n)
{
	char text[12], *at = text + sizeof(text);

	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	sq_derive_list(ev, SQ_F_D_ARGUMENT_COUNT,
	               sq_arena_dup(a, (struct sq_sv){ at, (size_t)(text + sizeof(text) - at) }));
}

/* Last of all, so that a thousand arguments leave room for what they mean. */
static void put_arguments(struct sq_event *ev, struct sq_arena *a, const struct sq_cmdline *cmd)
{
	enum { ARGUMENTS_MAX = 128 };
	uint32_t n = 0;

	for (uint32_t i = 0; i < cmd->n; i++) {
		if (cmd->args[i].n == 0)
			continue;
		if (n++ < ARGUMENTS_MAX)
			(void)sq_event_add(ev, SQ_F_D_ARGUMENT, cmd->args[i]);
	}
	put_count(ev, a, n);
}

/* One command line. @return tricks seen */
static uint32_t read_line(struct sq_event *ev, struct sq_arena *a, struct sq_sv raw,
                          struct sq_sv program)
{
	struct sq_process p = { .ev = ev, .arena = a };
	struct sq_cmdline cmd;

	p.line = folded_of(ev, a, raw, &p.tricks);
	if (sq_sv_trim(p.line).n == 0)
		return p.tricks;
	if (!sq_cmdline_split(a, p.line, sq_event_get(ev, SQ_F_D_NAME), &cmd))
		ev->flags |= SQ_EVENT_OVERFLOW;
	p.cmd = &cmd;
	p.tricks |= cmd.tricks;
	sq_derive_list(ev, SQ_F_D_LINE, cmd.joined);
	for (size_t i = 0; i < SQ_LEN(programs); i++)
		if (applies(&programs[i], program))
			programs[i].derive(&p);
	put_arguments(ev, a, &cmd);
	return p.tricks;
}

static void derive_process(struct sq_event *ev, struct sq_arena *a)
{
	const struct sq_value *v = &ev->values[SQ_F_COMMAND_LINE];
	uint32_t tricks = 0;
	struct sq_sv program = put_image(ev, a, SQ_F_IMAGE, true, &tricks);

	put_parent(ev, a);
	for (int i = 0; v && i < READINGS_MAX; v = sq_event_next(ev, v), i++)
		if (v->kind >= SQ_VALUE_TEXT && v->n)
			tricks |= read_line(ev, a, sq_value_sv(v), program);
	put_tricks(ev, tricks);
}

/* Registry data that holds no text. */
static bool is_number(struct sq_sv v)
{
	return sq_sv_starts(v, SQ_SV("DWORD (")) || sq_sv_starts(v, SQ_SV("QWORD (")) ||
	       sq_sv_eq(v, SQ_SV("Binary Data")) || sq_sv_eq(v, SQ_SV("(Empty)"));
}

static void derive_stored(struct sq_event *ev, struct sq_arena *a)
{
	static const uint16_t fields[] = { SQ_F_SCRIPT_BLOCK_TEXT, SQ_F_TASK_CONTENT,
		                           SQ_F_TASK_CONTENT_NEW,  SQ_F_SERVICE_FILE_NAME,
		                           SQ_F_IMAGE_PATH,        SQ_F_DETAILS,
		                           SQ_F_NEW_VALUE,         SQ_F_DESTINATION };
	uint32_t tricks = 0;

	for (size_t i = 0; i < SQ_LEN(fields); i++) {
		const struct sq_value *v = &ev->values[fields[i]];

		for (int k = 0; v && k < READINGS_MAX; v = sq_event_next(ev, v), k++)
			if (v->kind >= SQ_VALUE_TEXT && v->n && !is_number(sq_value_sv(v)))
				tricks |= sq_launch_stored(ev, a, sq_value_sv(v));
	}
	put_tricks(ev, tricks);
}

/* The process that an event is about, where it is not the one that starts. */
static void derive_image(struct sq_event *ev, struct sq_arena *a)
{
	static const uint16_t fields[] = { SQ_F_IMAGE, SQ_F_PROCESS_NAME, SQ_F_APPLICATION };
	uint32_t tricks = 0;

	for (size_t i = 0; i < SQ_LEN(fields); i++) {
		if (!sq_event_get(ev, fields[i]).n)
			continue;
		(void)put_image(ev, a, fields[i], false, &tricks);
		put_tricks(ev, tricks);
		return;
	}
}

void sq_derive(struct sq_event *ev, struct sq_arena *a)
{
	if (ev->category == SQ_CATEGORY_PROCESS_CREATION) {
		derive_process(ev, a);
	} else {
		derive_image(ev, a);
		derive_stored(ev, a);
	}
	if (a->overflow)
		ev->flags |= SQ_EVENT_OVERFLOW;
}
