#include "lib/model/message.h"

#include "lib/model/positions.h"

struct label {
	struct sq_sv text;
	uint16_t field; /* SQ_AUX_NONE: only ends the one before */
	bool last;      /* look for its last place: the value before it is a user's text */
};

/* clang-format off */
static const struct label sysmon_1[] = {
	{ SQ_SV("UtcTime: "),           SQ_F_UTC_TIME, false },
	{ SQ_SV("ProcessGuid: "),       SQ_F_PROCESS_GUID, false },
	{ SQ_SV("ProcessId: "),         SQ_F_PROCESS_ID, false },
	{ SQ_SV("Image: "),             SQ_F_IMAGE, false },
	{ SQ_SV("FileVersion: "),       SQ_AUX_NONE, false },
	{ SQ_SV("Description: "),       SQ_F_DESCRIPTION, false },
	{ SQ_SV("Product: "),           SQ_F_PRODUCT, false },
	{ SQ_SV("Company: "),           SQ_F_COMPANY, false },
	{ SQ_SV("OriginalFileName: "),  SQ_F_ORIGINAL_FILE_NAME, false },
	{ SQ_SV("CommandLine: "),       SQ_F_COMMAND_LINE, false },
	{ SQ_SV("CurrentDirectory: "),  SQ_F_CURRENT_DIRECTORY, true },
	{ SQ_SV("User: "),              SQ_F_USER, false },
	{ SQ_SV("LogonGuid: "),         SQ_AUX_NONE, false },
	{ SQ_SV("LogonId: "),           SQ_F_LOGON_ID, false },
	{ SQ_SV("TerminalSessionId: "), SQ_AUX_NONE, false },
	{ SQ_SV("IntegrityLevel: "),    SQ_F_INTEGRITY_LEVEL, false },
	{ SQ_SV("Hashes: "),            SQ_F_HASHES, false },
	{ SQ_SV("ParentProcessGuid: "), SQ_F_PARENT_PROCESS_GUID, false },
	{ SQ_SV("ParentProcessId: "),   SQ_F_PARENT_PROCESS_ID, false },
	{ SQ_SV("ParentImage: "),       SQ_F_PARENT_IMAGE, false },
	{ SQ_SV("ParentCommandLine: "), SQ_F_PARENT_COMMAND_LINE, false },
	{ SQ_SV("ParentUser: "),        SQ_F_PARENT_USER, true },
};

/* The second "Account Name" and "Account Domain" are the new process' own. */
static const struct label security_4688[] = {
	{ SQ_SV("Account Name:"),         SQ_F_SUBJECT_USER_NAME, false },
	{ SQ_SV("Account Domain:"),       SQ_F_SUBJECT_DOMAIN_NAME, false },
	{ SQ_SV("Logon ID:"),             SQ_F_SUBJECT_LOGON_ID, false },
	{ SQ_SV("Account Name:"),         SQ_F_TARGET_USER_NAME, false },
	{ SQ_SV("Account Domain:"),       SQ_F_TARGET_DOMAIN_NAME, false },
	{ SQ_SV("New Process ID:"),       SQ_F_NEW_PROCESS_ID, false },
	{ SQ_SV("New Process Name:"),     SQ_F_NEW_PROCESS_NAME, false },
	{ SQ_SV("Token Elevation Type:"), SQ_AUX_NONE, false },
	{ SQ_SV("Mandatory Label:"),      SQ_F_MANDATORY_LABEL, false },
	{ SQ_SV("Creator Process ID:"),   SQ_F_PROCESS_ID, false },
	{ SQ_SV("Creator Process Name:"), SQ_F_PARENT_PROCESS_NAME, false },
	{ SQ_SV("Process Command Line:"), SQ_F_COMMAND_LINE, false },
	{ SQ_SV("Token Elevation Type indicates"), SQ_AUX_NONE, true },
};

static const struct label security_process[] = {
	{ SQ_SV("Account Name:"),         SQ_F_SUBJECT_USER_NAME, false },
	{ SQ_SV("Account Domain:"),       SQ_F_SUBJECT_DOMAIN_NAME, false },
	{ SQ_SV("Logon ID:"),             SQ_F_SUBJECT_LOGON_ID, false },
	{ SQ_SV("Process ID:"),           SQ_F_PROCESS_ID, false },
	{ SQ_SV("Process Name:"),         SQ_F_PROCESS_NAME, false },
	{ SQ_SV("Exit Status:"),          SQ_AUX_NONE, false },
};
/* clang-format on */

/* Nothing but blanks between `at` and the line end before it? */
static bool begins_line(struct sq_sv text, size_t at)
{
	while (at && (text.p[at - 1] == ' ' || text.p[at - 1] == '\t'))
		at--;
	return at && (text.p[at - 1] == '\n' || text.p[at - 1] == '\r');
}

/* A label begins a line. Where line ends were made blanks it follows one; only there, since then a
 * command line that has a label in it is told from the real one by luck alone. */
static bool begins(struct sq_sv text, size_t at, bool lines)
{
	if (lines)
		return begins_line(text, at);
	return at == 0 || sq_is_space(text.p[at - 1]) || text.p[at - 1] == '"';
}

static size_t find_label(struct sq_sv text, const struct label *l, bool lines)
{
	size_t found = SIZE_MAX, from = 0;

	for (;;) {
		size_t at = sq_sv_find(sq_sv_skip(text, from), l->text);

		if (at == SIZE_MAX)
			return found;
		at += from;
		from = at + 1;
		if (!begins(text, at, lines))
			continue;
		found = at;
		if (!l->last)
			return found;
	}
}

/* Does the text still have its lines? */
static bool has_lines(struct sq_sv text, const struct label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (find_label(text, &labels[i], true) != SIZE_MAX)
			return true;
	}
	return false;
}

static void put(struct sq_collect *c, uint16_t field, struct sq_sv text)
{
	while (text.n && sq_is_space(text.p[0]) && text.p[0] != ' ')
		text = sq_sv_skip(text, 1); /* the tabs after a label of 4688 */
	while (text.n && sq_is_space(text.p[text.n - 1]) && text.p[text.n - 1] != ' ')
		text.n--; /* the line end; a blank may belong to a command line */
	if (field == SQ_AUX_NONE || sq_collect_get(c, field).n)
		return;
	sq_collect_text(c, field, SQ_BAND_MESSAGE, text);
	c->ev->flags |= SQ_EVENT_FROM_MESSAGE;
}

/* The labels in their order; each value lasts to the next label that is there. `one_line`: to the
 * end of its line, if that comes before. */
static void read_labels(struct sq_collect *c, const struct label *labels, size_t n, bool one_line)
{
	struct sq_sv text = sq_collect_get(c, SQ_F_MESSAGE);
	bool lines = has_lines(text, labels, n);
	const struct label *open = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t at = find_label(text, &labels[i], lines);

		if (at == SIZE_MAX)
			continue;
		if (open) {
			struct sq_sv value = sq_sv_first(text, at);

			if (one_line && !labels[i].last)
				value = sq_sv_cut(&value, '\n');
			put(c, open->field, value);
		}
		text = sq_sv_skip(text, at + labels[i].text.n);
		open = &labels[i];
	}
	if (open)
		put(c, open->field,
		    one_line && open->field != SQ_F_COMMAND_LINE ? sq_sv_cut(&text, '\n') : text);
}

void sq_message_sysmon_1(struct sq_collect *c)
{
	read_labels(c, sysmon_1, SQ_LEN(sysmon_1), false);
}

void sq_message_security_4688(struct sq_collect *c)
{
	read_labels(c, security_4688, SQ_LEN(security_4688), true);
}

void sq_message_security_process(struct sq_collect *c)
{
	read_labels(c, security_process, SQ_LEN(security_process), true);
}

void sq_message_process_id(struct sq_collect *c)
{
	static const struct sq_sv label = SQ_SV("\nProcessId: ");
	struct sq_sv text = sq_collect_get(c, SQ_F_MESSAGE);
	size_t at = sq_sv_find(text, label);

	if (at == SIZE_MAX)
		return;
	text = sq_sv_skip(text, at + label.n);
	put(c, SQ_F_PROCESS_ID, sq_sv_cut(&text, '\n'));
}

void sq_message_sysmon(struct sq_collect *c)
{
	struct sq_sv text = sq_collect_get(c, SQ_F_MESSAGE);

	while (text.n) {
		struct sq_sv line = sq_sv_cut(&text, '\n');
		struct sq_sv name = sq_sv_cut(&line, ':');
		int field = sq_fields_find(c->ev->fields, name);

		if (sq_collect_is_open(c, field))
			put(c, (uint16_t)field, sq_sv_skip(line, line.n && line.p[0] == ' '));
	}
}

/* What stands behind a label up to the last place of the next one: it is a user's text. */
static struct sq_sv behind(struct sq_sv text, struct sq_sv label, struct sq_sv next)
{
	const struct label begin = { label, SQ_AUX_NONE, false }, end = { next, SQ_AUX_NONE, true };
	bool lines = find_label(text, &begin, true) != SIZE_MAX;
	size_t at = find_label(text, &begin, lines), n;

	if (at == SIZE_MAX)
		return (struct sq_sv){ 0 };
	text = sq_sv_skip(text, at + label.n);
	n = find_label(text, &end, lines);
	text = n == SIZE_MAX ? sq_sv_cut(&text, '\n') : sq_sv_first(text, n);
	while (text.n && (sq_is_space(text.p[text.n - 1]) || (!lines && text.p[text.n - 1] == ',')))
		text.n--;
	return text;
}

/* "5.1.19041.1 <label>": is this a version, and nothing else before the next label? */
static bool is_version(struct sq_sv v)
{
	size_t n = 0;

	v = sq_sv_trim(v);
	while (n < v.n && (sq_is_digit(v.p[n]) || v.p[n] == '.'))
		n++;
	return n && n < v.n && sq_is_space(v.p[n]);
}

/* The next "= version <label> = GUID" of `text`, where Windows lists a version and then an id.
 * @return position of the version's '=', or SIZE_MAX; `*ret_end` is behind the GUID */
static size_t next_version(struct sq_sv text, size_t from, size_t *ret_end)
{
	size_t before = SIZE_MAX;

	for (size_t i = from; i < text.n; i++) {
		struct sq_sv id;

		if (text.p[i] != '=')
			continue;
		id = sq_sv_trim(sq_sv_first(sq_sv_skip(text, i + 1), SQ_GUID_LEN + 1));
		if (before != SIZE_MAX && sq_is_guid(sq_sv_first(id, SQ_GUID_LEN)) &&
		    is_version(sq_sv_first(sq_sv_skip(text, before + 1), i - before - 1))) {
			*ret_end = (size_t)(id.p - text.p) + SQ_GUID_LEN;
			return before;
		}
		before = i;
	}
	return SIZE_MAX;
}

/* The same in whatever language Windows speaks: its labels are translated, but not their order.
 * Version and id of the host, what we look for, version of the engine and id of its runspace. */
static struct sq_sv between_ids(struct sq_sv text)
{
	size_t begin, end = SIZE_MAX, at, behind_id = 0;

	if (next_version(text, 0, &begin) == SIZE_MAX)
		return (struct sq_sv){ 0 };
	text = sq_sv_skip(text, begin);
	at = sq_sv_chr(text, '=');
	if (at == SIZE_MAX)
		return (struct sq_sv){ 0 };
	text = sq_sv_skip(text, at + 1);
	/* The last place, as above. */
	while ((at = next_version(text, behind_id, &behind_id)) != SIZE_MAX)
		end = at;
	if (end == SIZE_MAX)
		return sq_sv_trim(sq_sv_cut(&text, '\n'));
	for (at = end; at && text.p[at - 1] != '\n';) /* without the label of the version */
		at--;
	return sq_sv_trim(sq_sv_first(text, at ? at : end));
}

static bool put_host(struct sq_collect *c, struct sq_sv text)
{
	struct sq_sv host = behind(text, SQ_SV("HostApplication="), SQ_SV("EngineVersion="));

	if (!host.n)
		host = behind(text, SQ_SV("Host Application = "), SQ_SV("Engine Version = "));
	if (!host.n)
		host = between_ids(text);
	if (host.n)
		sq_collect_text(c, SQ_F_HOST_APPLICATION, SQ_BAND_MESSAGE, host);
	return host.n > 0;
}

static bool put_host_of_list(struct sq_collect *c)
{
	for (uint32_t i = 0; i < c->n_list; i++)
		if (c->list[i].kind == SQ_VALUE_TEXT && put_host(c, sq_value_sv(&c->list[i])))
			return true;
	return false;
}

/* Winlogbeat's module has moved it to process.command_line. */
static bool put_host_of_ecs(struct sq_collect *c)
{
	struct sq_sv line = sq_collect_get(c, SQ_F_COMMAND_LINE);

	if (line.n)
		sq_collect_text(c, SQ_F_HOST_APPLICATION, SQ_BAND_ECS, line);
	return line.n > 0;
}

void sq_message_powershell(struct sq_collect *c)
{
	struct sq_sv message = sq_collect_get(c, SQ_F_MESSAGE);

	if (!sq_collect_get(c, SQ_F_HOST_APPLICATION).n &&
	    !put_host(c, sq_collect_get(c, SQ_F_CONTEXT_INFO)) && !put_host_of_list(c) &&
	    !put_host(c, sq_collect_get(c, SQ_AUX_PARAM2)) &&
	    !put_host(c, sq_collect_get(c, SQ_AUX_PARAM3)) && !put_host_of_ecs(c) &&
	    put_host(c, message))
		c->ev->flags |= SQ_EVENT_FROM_MESSAGE;
	if (c->ev->event_id != 4103 || sq_collect_get(c, SQ_F_PAYLOAD).n)
		return;
	if (c->n_list == 3) /* ContextInfo, UserData, Payload */
		sq_collect_text(c, SQ_F_PAYLOAD, SQ_BAND_LIST, sq_value_sv(&c->list[2]));
	else if (sq_sv_starts(message, SQ_SV("CommandInvocation(")))
		put(c, SQ_F_PAYLOAD, message);
}
