/* An alert as a Detection Finding of the Open Cybersecurity Schema Framework, version 1.4.0:
 * https://schema.ocsf.io/1.4.0/classes/detection_finding with the profile "host".
 *
 * What a rule says was encoded with the rules, and what alerts of an event share is copied, as in
 * alert_json.c. "metadata" comes first with the alert's id, before anything that the event says:
 * sq_alert_write_repeats() relies on it, and on "unmapped" being last.
 */
#include "lib/engine/alert_private.h"
#include "lib/engine/alert_section.h"

/* Values of the schema. */
enum {
	CATEGORY_FINDINGS = 2,
	CLASS_DETECTION_FINDING = 2004,
	ACTIVITY_CREATE = 1,
	STATUS_NEW = 1,
	ANALYTIC_RULE = 1,
	FILE_REGULAR = 1,
	DEVICE_UNKNOWN = 0,
	OBSERVABLE_HOSTNAME = 1,
	OBSERVABLE_USER_NAME = 4,
	OBSERVABLE_PROCESS_NAME = 9,
	OBSERVABLE_COMMAND_LINE = 13,
};

enum { MS = 1000 }; /* microseconds in a timestamp_t's unit */

static void number(struct sq_jsonw *w, const char *key, int64_t n)
{
	sq_jsonw_key(w, key);
	sq_jsonw_int(w, n);
}

static void text(struct sq_jsonw *w, const char *key, const char *v)
{
	sq_jsonw_member(w, key, sq_sv_of(v));
}

static void one_string(struct sq_jsonw *w, const char *key, struct sq_sv v)
{
	if (!v.n)
		return;
	sq_jsonw_key(w, key);
	sq_jsonw_array(w);
	sq_jsonw_string(w, v);
	sq_jsonw_end_array(w);
}

/* The rest of "metadata", and the classification. */
static void write_head(struct sq_jsonw *w, const struct sq_alert *al,
                       const struct sq_alert_facts *f)
{
	sq_jsonw_key(w, "product");
	sq_jsonw_object(w);
	text(w, "name", "squiblyd");
	text(w, "vendor_name", "squiblyd");
	text(w, "version", al->observer->version ? al->observer->version : "");
	sq_jsonw_end_object(w);
	one_string(w, "profiles", SQ_SV("host"));
	sq_jsonw_member(w, "tenant_uid", al->tenant);
	sq_jsonw_member(w, "log_name", f->channel);
	sq_jsonw_member(w, "log_provider", f->provider);
	sq_jsonw_member(w, "event_code", sq_alert_value(al, SQ_F_EVENT_ID));
	sq_jsonw_end_object(w);
	number(w, "category_uid", CATEGORY_FINDINGS);
	text(w, "category_name", "Findings");
	number(w, "class_uid", CLASS_DETECTION_FINDING);
	text(w, "class_name", "Detection Finding");
	number(w, "activity_id", ACTIVITY_CREATE);
	text(w, "activity_name", "Create");
	number(w, "type_uid", CLASS_DETECTION_FINDING * 100 + ACTIVITY_CREATE);
	text(w, "type_name", "Detection Finding: Create");
	number(w, "status_id", STATUS_NEW);
	text(w, "status", "New");
	number(w, "time", al->now.wall_us / MS);
	number(w, "start_time", f->time_us / MS);
	number(w, "end_time", f->time_us / MS);
	sq_jsonw_key(w, "is_alert");
	sq_jsonw_bool(w, true);
}

static void write_severity(struct sq_jsonw *w, enum sq_level level)
{
	static const struct sq_sv severities[SQ_LEVELS] = {
		[SQ_LEVEL_INFORMATIONAL] =
			SQ_SV("\"severity_id\":1,\"severity\":\"Informational\""),
		[SQ_LEVEL_LOW] = SQ_SV("\"severity_id\":2,\"severity\":\"Low\""),
		[SQ_LEVEL_MEDIUM] = SQ_SV("\"severity_id\":3,\"severity\":\"Medium\""),
		[SQ_LEVEL_HIGH] = SQ_SV("\"severity_id\":4,\"severity\":\"High\""),
		[SQ_LEVEL_CRITICAL] = SQ_SV("\"severity_id\":5,\"severity\":\"Critical\""),
	};

	sq_jsonw_raw(w, severities[level]);
}

static void write_tactic(struct sq_jsonw *w, const struct sq_alert_tactic *t)
{
	sq_jsonw_key(w, "tactic");
	sq_jsonw_object(w);
	text(w, "uid", t->id);
	text(w, "name", t->name);
	sq_jsonw_end_object(w);
}

static void write_technique(struct sq_jsonw *w, const char *key, struct sq_sv id)
{
	sq_jsonw_key(w, key);
	sq_jsonw_object(w);
	sq_jsonw_member(w, "uid", id);
	sq_jsonw_end_object(w);
}

/* The rule's tactic, when it has just one: its techniques are then of that. */
static const struct sq_alert_tactic *only_tactic(const struct sq_rule *rule)
{
	const struct sq_alert_tactic *only = NULL;

	for (uint32_t i = 0; i < rule->n_tags; i++) {
		const struct sq_alert_tactic *t = sq_alert_tactic(rule->tags[i]);

		if (t && only)
			return NULL;
		only = t ? t : only;
	}
	return only;
}

static void begin_attack(struct sq_jsonw *w, bool *open)
{
	if (!*open) {
		sq_jsonw_key(w, "attacks");
		sq_jsonw_array(w);
	}
	*open = true;
	sq_jsonw_object(w);
}

/* An attack has one tactic and one technique. Tags do not say which belong together. */
static void write_attacks(struct sq_jsonw *w, const struct sq_rule *rule)
{
	const struct sq_alert_tactic *only = only_tactic(rule);
	bool open = false, told = false;

	for (uint32_t i = 0; i < rule->n_tags; i++) {
		char id[16];
		size_t n = sq_alert_technique(rule->tags[i], id);

		if (n == 0)
			continue;
		begin_attack(w, &open);
		if (only)
			write_tactic(w, only);
		told = true;
		write_technique(w, "technique", sq_sv_first((struct sq_sv){ id, n }, 5));
		if (n > 5)
			write_technique(w, "sub_technique", (struct sq_sv){ id, n });
		sq_jsonw_end_object(w);
	}
	for (uint32_t i = 0; i < rule->n_tags; i++) {
		const struct sq_alert_tactic *t = sq_alert_tactic(rule->tags[i]);

		if (!t || (only && told))
			continue;
		begin_attack(w, &open);
		write_tactic(w, t);
		sq_jsonw_end_object(w);
	}
	if (open)
		sq_jsonw_end_array(w);
}

void sq_alert_write_ocsf_rule(struct sq_jsonw *w, const struct sq_rule *rule)
{
	sq_jsonw_member(w, "title", rule->title);
	sq_jsonw_member(w, "desc", rule->description);
	sq_jsonw_key(w, "analytic");
	sq_jsonw_object(w);
	sq_jsonw_member(w, "uid", rule->id);
	sq_jsonw_member(w, "name", rule->title);
	number(w, "type_id", ANALYTIC_RULE);
	text(w, "type", "Rule");
	sq_jsonw_end_object(w);
	write_attacks(w, rule);
}

static void write_file(struct sq_section *process, struct sq_sv path, struct sq_sv original)
{
	struct sq_sv name = sq_alert_base_name(path);

	if (!name.n)
		return;
	sq_section_open(process);
	sq_jsonw_key(process->w, "file");
	sq_jsonw_object(process->w);
	sq_jsonw_member(process->w, "name", name);
	sq_jsonw_member(process->w, "path", path);
	sq_jsonw_member(process->w, "internal_name", original);
	number(process->w, "type_id", FILE_REGULAR);
	sq_jsonw_end_object(process->w);
}

static void write_parent(struct sq_section *process, const struct sq_alert *al,
                         const struct sq_alert_facts *f)
{
	struct sq_section s = { .w = process->w, .name = "parent_process" };
	struct sq_sv pid = sq_alert_value(al, SQ_F_PARENT_PROCESS_ID);
	struct sq_sv guid = sq_alert_value(al, SQ_F_PARENT_PROCESS_GUID);

	if (!f->parent_executable.n && !f->parent_command_line.n && !pid.n && !guid.n)
		return;
	sq_section_open(process);
	sq_section_member(&s, "name", sq_alert_base_name(f->parent_executable));
	sq_section_number(&s, "pid", pid);
	sq_section_member(&s, "uid", guid);
	sq_section_member(&s, "cmd_line", f->parent_command_line);
	write_file(&s, f->parent_executable, SQ_SV(""));
	sq_section_close(&s);
}

static void write_process(struct sq_jsonw *w, const struct sq_alert *al,
                          const struct sq_alert_facts *f)
{
	struct sq_section s = { .w = w, .name = "process" };

	sq_section_member(&s, "name", sq_alert_base_name(f->executable));
	sq_section_number(&s, "pid", sq_alert_value(al, SQ_F_PROCESS_ID));
	sq_section_member(&s, "uid", sq_alert_value(al, SQ_F_PROCESS_GUID));
	sq_section_member(&s, "cmd_line", f->command_line);
	sq_section_member(&s, "working_directory", sq_alert_value(al, SQ_F_CURRENT_DIRECTORY));
	write_file(&s, f->executable, sq_alert_value(al, SQ_F_ORIGINAL_FILE_NAME));
	write_parent(&s, al, f);
	sq_section_close(&s);
}

static bool has_process(const struct sq_alert *al, const struct sq_alert_facts *f)
{
	uint64_t pid;

	return sq_alert_base_name(f->executable).n || f->command_line.n ||
	       sq_alert_value(al, SQ_F_PROCESS_GUID).n ||
	       (sq_sv_to_u64(sq_alert_value(al, SQ_F_PROCESS_ID), &pid) && pid <= UINT32_MAX);
}

static void write_device(struct sq_jsonw *w, struct sq_sv host)
{
	sq_jsonw_key(w, "device");
	sq_jsonw_object(w);
	sq_jsonw_member(w, "hostname", host);
	number(w, "type_id", DEVICE_UNKNOWN);
	text(w, "type", "Unknown");
	sq_jsonw_end_object(w);
}

static void write_user(struct sq_jsonw *w, const struct sq_alert_facts *f)
{
	sq_jsonw_key(w, "actor");
	sq_jsonw_object(w);
	sq_jsonw_key(w, "user");
	sq_jsonw_object(w);
	sq_jsonw_member(w, "name", f->user);
	sq_jsonw_member(w, "domain", f->domain);
	sq_jsonw_end_object(w);
	sq_jsonw_end_object(w);
}

static void observable(struct sq_jsonw *w, bool *open, const char *name, int type_id,
                       const char *type, struct sq_sv v)
{
	if (!v.n)
		return;
	if (!*open) {
		sq_jsonw_key(w, "observables");
		sq_jsonw_array(w);
	}
	*open = true;
	sq_jsonw_object(w);
	text(w, "name", name);
	number(w, "type_id", type_id);
	text(w, "type", type);
	sq_jsonw_member(w, "value", v);
	sq_jsonw_end_object(w);
}

static void write_observables(struct sq_jsonw *w, const struct sq_alert_facts *f)
{
	bool open = false;

	observable(w, &open, "device.hostname", OBSERVABLE_HOSTNAME, "Hostname", f->host);
	observable(w, &open, "actor.user.name", OBSERVABLE_USER_NAME, "User Name", f->user);
	observable(w, &open, "evidences.process.name", OBSERVABLE_PROCESS_NAME, "Process Name",
	           sq_alert_base_name(f->executable));
	observable(w, &open, "evidences.process.cmd_line", OBSERVABLE_COMMAND_LINE, "Command Line",
	           f->command_line);
	if (open)
		sq_jsonw_end_array(w);
}

/* The rest of "finding_info". */
static void write_finding(struct sq_jsonw *w, const struct sq_alert *al,
                          const struct sq_alert_facts *f)
{
	number(w, "created_time", al->now.wall_us / MS);
	number(w, "first_seen_time", f->time_us / MS);
	number(w, "last_seen_time", f->time_us / MS);
	one_string(w, "types", sq_sv_of(sq_category_name(al->event->category)));
	one_string(w, "data_sources", f->channel);
	if (sq_id_known(al->event_id)) {
		sq_jsonw_key(w, "related_events");
		sq_jsonw_array(w);
		sq_jsonw_object(w);
		sq_alert_write_id(w, "uid", al->event_id);
		sq_jsonw_end_object(w);
		sq_jsonw_end_array(w);
	}
	sq_jsonw_end_object(w);
}

/* From "finding_info" on to what "unmapped" says of the event. */
static void write_facts(struct sq_jsonw *w, const struct sq_alert *al,
                        const struct sq_alert_facts *f)
{
	write_finding(w, al, f);
	if (f->host.n)
		write_device(w, f->host);
	if (f->user.n)
		write_user(w, f);
	if (has_process(al, f)) {
		sq_jsonw_key(w, "evidences");
		sq_jsonw_array(w);
		sq_jsonw_object(w);
		write_process(w, al, f);
		sq_jsonw_end_object(w);
		sq_jsonw_end_array(w);
	}
	write_observables(w, f);
	if (!al->without_original)
		sq_jsonw_member(w, "raw_data", al->event->raw);
	sq_jsonw_key(w, "unmapped");
	sq_jsonw_object(w);
	sq_alert_write_winlog(w, al, f);
	sq_jsonw_key(w, "observer");
	sq_jsonw_object(w);
	text(w, "hostname", al->observer->hostname);
	sq_jsonw_end_object(w);
	sq_alert_write_sender(w, al->identity);
	sq_alert_write_squibly(w, al);
}

static const struct sq_alert_common parts[] = {
	{ write_head, 1 },
	{ write_facts, 3 },
};

void sq_alert_write_ocsf(struct sq_outbuf *out, const struct sq_alert *al)
{
	struct sq_jsonw writer = sq_jsonw_of(out), *w = &writer;
	struct sq_alert_facts f;

	sq_alert_facts(al, &f);
	sq_jsonw_object(w);
	sq_jsonw_key(w, "metadata");
	sq_jsonw_object(w);
	text(w, "version", "1.4.0");
	sq_alert_write_id(w, "uid", al->id);
	sq_alert_write_common(w, al, &f, SQ_ALERT_PARTS_OCSF, &parts[0]);
	write_severity(w, al->rule->level);
	sq_alert_write_message(w, al, &f);
	sq_jsonw_key(w, "finding_info");
	sq_jsonw_object(w);
	if (sq_id_known(al->id))
		sq_alert_write_id(w, "uid", al->id);
	else /* required; without ids nothing names it better than its rule */
		sq_jsonw_member(w, "uid", al->rule->id.n ? al->rule->id : SQ_SV("alert"));
	if (al->texts)
		sq_jsonw_raw(w, al->texts->rules[al->hit->rule].ocsf);
	else
		sq_alert_write_ocsf_rule(w, al->rule);
	sq_alert_write_common(w, al, &f, SQ_ALERT_PARTS_OCSF + 1, &parts[1]);
	sq_alert_write_found(w, al);
	sq_jsonw_end_object(w);
	sq_jsonw_end_object(w);
	sq_jsonw_end_object(w);
}
