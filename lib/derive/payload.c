/* What cmdlets were told to run, out of the payload of PowerShell's event 4103:
 *
 *   CommandInvocation(Start-Process): "Start-Process"
 *   ParameterBinding(Start-Process): name="FilePath"; value="regsvr32"
 *   ParameterBinding(Start-Process): name="ArgumentList"; value="/s, a.dll"
 *
 * A value may hold line ends and quotes; it lasts to the line that begins with the next of these.
 */
#include "lib/derive/stored.h"

/* Which parameters are commands. Of two the first is the program of the second. */
static const struct row {
	struct sq_sv cmdlet, program, command;
} rows[] = {
	{ SQ_SV("Start-Process"), SQ_SV("FilePath"), SQ_SV("ArgumentList") },
	{ SQ_SV("New-ScheduledTaskAction"), SQ_SV("Execute"), SQ_SV("Argument") },
	{ SQ_SV("Invoke-Expression"), SQ_SV(""), SQ_SV("Command") },
	{ SQ_SV("Invoke-Command"), SQ_SV(""), SQ_SV("ScriptBlock") },
	{ SQ_SV("Start-Job"), SQ_SV(""), SQ_SV("ScriptBlock") },
	{ SQ_SV("Register-ScheduledJob"), SQ_SV(""), SQ_SV("ScriptBlock") },
	{ SQ_SV("Invoke-WmiMethod"), SQ_SV(""), SQ_SV("ArgumentList") },
	{ SQ_SV("Invoke-CimMethod"), SQ_SV(""), SQ_SV("Arguments") },
	{ SQ_SV("New-Service"), SQ_SV(""), SQ_SV("BinaryPathName") },
};

static const struct sq_sv invocation = SQ_SV("CommandInvocation(");
static const struct sq_sv binding = SQ_SV("ParameterBinding(");

struct bound {
	const struct row *row;
	struct sq_sv name, value;
};

static bool begins_entry(struct sq_sv line)
{
	return sq_sv_starts(line, binding) || sq_sv_starts(line, invocation) ||
	       sq_sv_starts(line, SQ_SV("Context:"));
}

/* The entry that begins `rest`, with all its lines. */
static struct sq_sv cut_entry(struct sq_sv *rest)
{
	struct sq_sv all = *rest;

	do
		(void)sq_sv_cut(rest, '\n');
	while (rest->n && !begins_entry(*rest));
	return sq_sv_first(all, all.n - rest->n);
}

/* What stands in `text` before `end`, which is passed over. @return false: that is not there */
static bool cut_at(struct sq_sv *text, struct sq_sv end, struct sq_sv *ret)
{
	size_t at = sq_sv_find(*text, end);

	if (at == SIZE_MAX)
		return false;
	*ret = sq_sv_first(*text, at);
	*text = sq_sv_skip(*text, at + end.n);
	return true;
}

/* Between two values nothing is joined, whatever they end and begin with. */
static struct sq_sv bare(struct sq_sv v)
{
	while (v.n && (sq_is_space(v.p[0]) || v.p[0] == '+'))
		v = sq_sv_skip(v, 1);
	while (v.n && (sq_is_space(v.p[v.n - 1]) || v.p[v.n - 1] == '+'))
		v.n--;
	return v;
}

/* CommandInvocation(regsvr32.exe): a program that is none of PowerShell's. */
static bool read_program(struct sq_sv entry, struct sq_sv *ret)
{
	struct sq_sv v = sq_sv_trim(sq_sv_skip(entry, invocation.n)), name;

	if (!sq_sv_starts(entry, invocation) || !cut_at(&v, SQ_SV("): "), &name) ||
	    !sq_sv_iends(name, SQ_SV(".exe")))
		return false;
	*ret = bare(v);
	return true;
}

/* What the parameters of the cmdlet are; NULL: it runs nothing. */
static const struct row *row_of(struct sq_sv cmdlet)
{
	for (size_t i = 0; i < SQ_LEN(rows); i++)
		if (sq_sv_ieq(cmdlet, rows[i].cmdlet))
			return &rows[i];
	return NULL;
}

/* Most entries are of cmdlets that run nothing: no more of these is looked at. Before the quotes
 * stand words of Windows' own language: name="FilePath"; value="a", Name="FilePath"; Wert="a". */
static bool read_entry(struct sq_sv entry, struct bound *ret)
{
	static const struct sq_sv quote = SQ_SV("=\"");
	struct sq_sv word;
	struct sq_sv v = sq_sv_trim(sq_sv_skip(entry, binding.n));
	size_t end = sq_sv_chr(v, ')');

	if (!sq_sv_starts(entry, binding) || end == SIZE_MAX)
		return false;
	ret->row = row_of(sq_sv_first(v, end));
	v = sq_sv_skip(v, end + 1);
	if (!ret->row || !cut_at(&v, quote, &word) || !cut_at(&v, SQ_SV("\"; "), &ret->name) ||
	    !cut_at(&v, quote, &word))
		return false;
	if (sq_sv_ends(v, SQ_SV("\"")))
		v.n--;
	ret->value = bare(v);
	return true;
}

static struct sq_sv joined(struct sq_arena *arena, struct sq_sv program, struct sq_sv arguments)
{
	char *p;

	if (!program.n || !arguments.n)
		return program.n ? program : arguments;
	p = sq_arena_bytes(arena, program.n + 1 + arguments.n);
	if (!p)
		return arguments;
	memcpy(p, program.p, program.n);
	p[program.n] = ' ';
	memcpy(p + program.n + 1, arguments.p, arguments.n);
	return (struct sq_sv){ p, program.n + 1 + arguments.n };
}

bool sq_stored_payload(struct sq_arena *arena, struct sq_sv *rest, struct sq_sv *ret)
{
	struct sq_sv program = { 0 }, command = { 0 };

	while (rest->n && !(program.n && command.n)) {
		struct sq_sv before = *rest, entry = cut_entry(rest);
		struct bound b;

		if ((program.n || command.n) && !sq_sv_starts(entry, binding)) {
			*rest = before; /* the next invocation */
			break;
		}
		if (read_program(entry, ret))
			return true;
		if (!read_entry(entry, &b))
			continue;
		if (b.row->program.n && sq_sv_ieq(b.name, b.row->program))
			program = b.value;
		else if (sq_sv_ieq(b.name, b.row->command))
			command = b.value;
	}
	*ret = joined(arena, program, command);
	return ret->n > 0;
}
