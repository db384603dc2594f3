#include "lib/derive/derive.h"

#include <assert.h>

#include "lib/derive/identity.h"
#include "lib/derive/launch.h"
#include "lib/derive/places.h"
#include "lib/derive/regsvr32.h"
#include "lib/derive/rundll32.h"
#include "lib/derive/stored.h"

/* Values of one field that are read each by itself: more is nobody's event. */
enum {
	READINGS_MAX = 4,
	PAYLOAD_MAX = 64, /* commands of one payload */
};

/* The argument models: a program's is one file, one bit here, one row in each table below. */
enum {
	SQ_MODEL_REGSVR32 = 1u << 0,
	SQ_MODEL_SHAPE = 1u << 1,
	SQ_MODEL_LAUNCH = 1u << 2,
	SQ_MODEL_RUNDLL32 = 1u << 3,
	SQ_MODEL_PLACES = 1u << 4,
};

static sq_program_fn *const models[] = {
	sq_regsvr32_derive, sq_regsvr32_shape, sq_launch_derive,
	sq_rundll32_derive, sq_places_derive,
};

/* clang-format off */
static const struct {
	struct sq_sv name;
	unsigned models;
} programs[] = {
	{ SQ_SV("regsvr32.exe"), SQ_MODEL_REGSVR32 },
	{ SQ_SV("rundll32.exe"), SQ_MODEL_RUNDLL32 | SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	/* Shells. */
	{ SQ_SV("cmd.exe"), SQ_MODEL_LAUNCH },
	{ SQ_SV("powershell.exe"), SQ_MODEL_LAUNCH },
	{ SQ_SV("pwsh.exe"), SQ_MODEL_LAUNCH },
	{ SQ_SV("bash.exe"), SQ_MODEL_LAUNCH },
	{ SQ_SV("wsl.exe"), SQ_MODEL_LAUNCH },
	{ SQ_SV("conhost.exe"), SQ_MODEL_LAUNCH },
	{ SQ_SV("explorer.exe"), SQ_MODEL_LAUNCH },
	/* Who starts, or stores, what it is given. */
	{ SQ_SV("wmic.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("schtasks.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("sc.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("reg.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("at.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("bitsadmin.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("winrs.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("pcalua.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("forfiles.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("ftp.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("runas.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("psexec.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("psexec64.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("msdt.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("scriptrunner.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("ssh.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("sftp.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("scp.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("syncappvpublishingserver.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("appvlp.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("wt.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("sqlps.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("sqlcmd.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES }, /* xp_cmdshell */
	{ SQ_SV("osql.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("mftrace.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("tttracer.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("paexec.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("mshta.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("wscript.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	{ SQ_SV("cscript.exe"), SQ_MODEL_LAUNCH | SQ_MODEL_PLACES },
	/* Who loads what it is given. */
	{ SQ_SV("msiexec.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("odbcconf.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("cmstp.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("installutil.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("regasm.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("regsvcs.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("msbuild.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("hh.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("control.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("certutil.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("certoc.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("mavinject.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("presentationhost.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("ieexec.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("msxsl.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("xwizard.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("infdefaultinstall.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("register-cimprovider.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("wuauclt.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	{ SQ_SV("mofcomp.exe"), SQ_MODEL_SHAPE | SQ_MODEL_PLACES },
	/* Browsers, editors, and tools that search or fetch: they take arguments of all kinds from
	 * people, so that the look of those says nothing. */
	{ SQ_SV("chrome.exe"), 0 },
	{ SQ_SV("msedge.exe"), 0 },
	{ SQ_SV("firefox.exe"), 0 },
	{ SQ_SV("iexplore.exe"), 0 },
	{ SQ_SV("opera.exe"), 0 },
	{ SQ_SV("brave.exe"), 0 },
	{ SQ_SV("notepad.exe"), 0 },
	{ SQ_SV("notepad++.exe"), 0 },
	{ SQ_SV("code.exe"), 0 },
	{ SQ_SV("devenv.exe"), 0 },
	{ SQ_SV("winword.exe"), 0 },
	{ SQ_SV("wordpad.exe"), 0 },
	{ SQ_SV("write.exe"), 0 },
	{ SQ_SV("vim.exe"), 0 },
	{ SQ_SV("gvim.exe"), 0 },
	{ SQ_SV("git.exe"), 0 },
	{ SQ_SV("findstr.exe"), 0 },
	{ SQ_SV("find.exe"), 0 },
	{ SQ_SV("grep.exe"), 0 },
	{ SQ_SV("rg.exe"), 0 },
	{ SQ_SV("where.exe"), 0 },
	{ SQ_SV("curl.exe"), 0 },
	{ SQ_SV("wget.exe"), 0 },
};
/* clang-format on */

static unsigned models_of(struct sq_sv program)
{
	for (size_t i = 0; i < SQ_LEN(programs); i++) {
		struct sq_sv name = programs[i].name;

		if (name.n == program.n && name.p[0] == program.p[0] && sq_sv_eq(name, program))
			return programs[i].models;
	}
	return SQ_MODEL_SHAPE;
}

/* Does the program lie where only administrators write? */
static bool is_installed(const struct sq_event *ev)
{
	struct sq_sv place = sq_event_get(ev, SQ_F_D_PLACE);

	return sq_sv_eq(place, SQ_SV("program_files")) || sq_sv_eq(place, SQ_SV("system")) ||
	       sq_sv_eq(place, SQ_SV("windows"));
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

/* An event may say several images: each is told, and the arguments are read as any of them would.
 */
static void put_image(struct sq_event *ev, struct sq_arena *a, uint32_t field, bool is_start,
                      uint32_t *tricks)
{
	const struct sq_value *v = &ev->values[field];

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
	}
}

static void put_parent(struct sq_event *ev, struct sq_arena *a)
{
	const struct sq_value *v = &ev->values[SQ_F_PARENT_IMAGE];
	uint32_t tricks = 0;

	for (int i = 0; v && i < READINGS_MAX; v = sq_event_next(ev, v), i++) {
		struct sq_winpath path;

		if (v->kind < SQ_VALUE_TEXT || v->n == 0)
			continue;
		sq_image_fold(a, folded_of(ev, a, sq_value_sv(v), &tricks), &path);
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

/* An event without an image: the line says who it is for, with or without ".exe". */
static void put_program(struct sq_event *ev, struct sq_arena *a, struct sq_sv argv0)
{
	struct sq_identity id;
	char *name;

	sq_identity_find(ev, a, argv0, true, &id);
	if (id.program.n && id.program.p == id.image.name.p && id.image.extension.n == 0) {
		name = sq_arena_bytes(a, id.program.n + 4);
		if (!name)
			return;
		memcpy(name, id.program.p, id.program.n);
		memcpy(name + id.program.n, ".exe", 4);
		id.program = (struct sq_sv){ name, id.program.n + 4 };
	}
	sq_derive_list(ev, SQ_F_D_PROGRAM, id.program);
}

/* The models of all programs that the event names. */
static unsigned models_for(const struct sq_event *ev)
{
	const struct sq_value *v = &ev->values[SQ_F_D_PROGRAM];
	unsigned wanted = 0;

	if (v->kind == SQ_VALUE_ABSENT)
		return SQ_MODEL_SHAPE;
	for (; v; v = sq_event_next(ev, v))
		wanted |= models_of(sq_value_sv(v));
	if (wanted != SQ_MODEL_REGSVR32 && !is_installed(ev)) /* a copy may bear any name */
		wanted |= SQ_MODEL_SHAPE;
	return wanted;
}

/* One command line. @return tricks seen */
static uint32_t read_line(struct sq_event *ev, struct sq_arena *a, struct sq_sv raw)
{
	struct sq_process p = { .ev = ev, .arena = a, .raw = raw };
	struct sq_cmdline cmd;
	unsigned wanted;

	p.line = folded_of(ev, a, raw, &p.tricks);
	if (sq_sv_trim(p.line).n == 0)
		return p.tricks;
	if (!sq_cmdline_split(a, p.line, sq_event_get(ev, SQ_F_D_NAME), &cmd))
		ev->flags |= SQ_EVENT_OVERFLOW;
	p.cmd = &cmd;
	p.tricks |= cmd.tricks;
	sq_derive_list(ev, SQ_F_D_LINE, cmd.joined);
	if (!sq_event_has(ev, SQ_F_D_PROGRAM))
		put_program(ev, a, cmd.argv0);
	wanted = models_for(ev);
	for (size_t i = 0; i < SQ_LEN(models); i++)
		if (wanted >> i & 1)
			models[i](&p);
	put_arguments(ev, a, &cmd);
	return p.tricks;
}

static void derive_process(struct sq_event *ev, struct sq_arena *a)
{
	const struct sq_value *v = &ev->values[SQ_F_COMMAND_LINE];
	uint32_t tricks = 0;

	put_image(ev, a, SQ_F_IMAGE, true, &tricks);
	put_parent(ev, a);
	for (int i = 0; v && i < READINGS_MAX; v = sq_event_next(ev, v), i++)
		if (v->kind >= SQ_VALUE_TEXT && v->n)
			tricks |= read_line(ev, a, sq_value_sv(v));
	put_tricks(ev, tricks);
}

/* Registry data that holds no text. */
static bool is_number(struct sq_sv v)
{
	return sq_sv_starts(v, SQ_SV("DWORD (")) || sq_sv_starts(v, SQ_SV("QWORD (")) ||
	       sq_sv_eq(v, SQ_SV("Binary Data")) || sq_sv_eq(v, SQ_SV("(Empty)"));
}

/* A command line that a launcher was given. @return tricks seen */
static uint32_t read_launch(struct sq_event *ev, struct sq_arena *a, struct sq_sv raw)
{
	struct sq_process p = { .ev = ev, .arena = a, .raw = raw };

	p.line = folded_of(ev, a, raw, &p.tricks);
	sq_launch_derive(&p);
	return p.tricks;
}

/* The command line of the process in which PowerShell runs, and what its cmdlets were told to run.
 * @return tricks seen */
static uint32_t derive_powershell(struct sq_event *ev, struct sq_arena *a)
{
	const struct sq_value *v = &ev->values[SQ_F_HOST_APPLICATION];
	uint32_t tricks = 0;

	for (int k = 0; v && k < READINGS_MAX; v = sq_event_next(ev, v), k++)
		if (v->kind == SQ_VALUE_TEXT)
			tricks |= read_launch(ev, a, sq_value_sv(v));
	if (ev->category != SQ_CATEGORY_PS_MODULE)
		return tricks;
	v = &ev->values[SQ_F_PAYLOAD];
	for (int k = 0; v && k < READINGS_MAX; v = sq_event_next(ev, v), k++) {
		struct sq_sv rest = v->kind == SQ_VALUE_TEXT ? sq_value_sv(v) : SQ_SV(""), command;

		for (int i = 0; i < PAYLOAD_MAX && sq_stored_payload(a, &rest, &command); i++)
			tricks |= read_launch(ev, a, command);
	}
	return tricks;
}

static void derive_stored(struct sq_event *ev, struct sq_arena *a)
{
	static const uint16_t fields[] = { SQ_F_SCRIPT_BLOCK_TEXT, SQ_F_TASK_CONTENT,
		                           SQ_F_TASK_CONTENT_NEW,  SQ_F_SERVICE_FILE_NAME,
		                           SQ_F_IMAGE_PATH,        SQ_F_DETAILS,
		                           SQ_F_NEW_VALUE,         SQ_F_DESTINATION,
		                           SQ_F_POSSIBLE_CAUSE };
	uint32_t tricks = 0;

	for (size_t i = 0; i < SQ_LEN(fields); i++) {
		const struct sq_value *v = &ev->values[fields[i]];

		for (int k = 0; v && k < READINGS_MAX; v = sq_event_next(ev, v), k++)
			if (v->kind >= SQ_VALUE_TEXT && v->n && !is_number(sq_value_sv(v)))
				tricks |= sq_launch_stored(ev, a, sq_value_sv(v),
				                           fields[i] == SQ_F_SCRIPT_BLOCK_TEXT);
	}
	put_tricks(ev, tricks | derive_powershell(ev, a));
}

/* The process that an event is about, where it is not the one that starts. */
static void derive_image(struct sq_event *ev, struct sq_arena *a)
{
	static const uint16_t fields[] = { SQ_F_IMAGE, SQ_F_PROCESS_NAME, SQ_F_APPLICATION };
	uint32_t tricks = 0;

	for (size_t i = 0; i < SQ_LEN(fields); i++) {
		if (!sq_event_get(ev, fields[i]).n)
			continue;
		put_image(ev, a, fields[i], false, &tricks);
		put_tricks(ev, tricks);
		return;
	}
}

#define BIT(field) (UINT64_C(1) << (SQ_F_D_##field - SQ_F_PRODUCED))

static_assert(SQ_F_CANONICAL - SQ_F_PRODUCED < 64, "a bit for each derived field");

/* What is made together, and for the sake of which fields. */
enum part { PROCESS = 1u << 0, IMAGE = 1u << 1, STORED = 1u << 2 };

static const uint64_t image_fields =
	BIT(PATH) | BIT(NAME) | BIT(PLACE) | BIT(PROGRAM) | BIT(MOVED) | BIT(TRICK);
static const uint64_t stored_fields = BIT(LAUNCH_COMMAND) | BIT(LAUNCH_CARRIES) |
                                      BIT(ENCODED_COMMAND) | BIT(ENCODED_CARRIES) |
                                      BIT(STORED_COMMAND) | BIT(TRICK);

static bool to_make(struct sq_event *ev, enum part part, bool wanted)
{
	if (!wanted || ev->derived & part)
		return false;
	ev->derived |= part;
	return true;
}

static void make_process(struct sq_recall *known, struct sq_event *ev, struct sq_arena *a)
{
	if (known && sq_recall_find(known, ev, a))
		return;
	derive_process(ev, a);
	if (known)
		sq_recall_learn(known, ev, a);
}

void sq_derive(struct sq_event *ev, struct sq_arena *a, uint64_t wanted)
{
	sq_derive_again(NULL, ev, a, wanted);
}

void sq_derive_again(struct sq_recall *known, struct sq_event *ev, struct sq_arena *a,
                     uint64_t wanted)
{
	if (ev->category == SQ_CATEGORY_PROCESS_CREATION) {
		if (to_make(ev, PROCESS, wanted != 0))
			make_process(known, ev, a);
	} else {
		if (to_make(ev, IMAGE, wanted & image_fields))
			derive_image(ev, a);
		if (to_make(ev, STORED, wanted & stored_fields))
			derive_stored(ev, a);
	}
	if (a->overflow)
		ev->flags |= SQ_EVENT_OVERFLOW;
}
