/* An alert as JSON. What is the same in all alerts of a rule was encoded with the rules (see
 * alert_texts.h); what is the same in all alerts of an event is copied from the first of them.
 */
#include "lib/engine/alert_private.h"
#include "lib/engine/alert_section.h"
#include "lib/text/jsonw.h"

/* https://www.elastic.co/guide/en/ecs/8.17/ecs-allowed-values-event-category.html */
struct kind {
	const char *category, *type;
};

/* clang-format off */
static const struct kind kinds[SQ_CATEGORIES] = {
	[SQ_CATEGORY_PROCESS_CREATION]          = { "process", "start" },
	[SQ_CATEGORY_FILE_CHANGE]               = { "file", "change" },
	[SQ_CATEGORY_NETWORK_CONNECTION]        = { "network", "connection" },
	[SQ_CATEGORY_SYSMON_STATUS]             = { "configuration", "change" },
	[SQ_CATEGORY_PROCESS_TERMINATION]       = { "process", "end" },
	[SQ_CATEGORY_DRIVER_LOAD]               = { "driver", "start" },
	[SQ_CATEGORY_IMAGE_LOAD]                = { "library", "start" },
	[SQ_CATEGORY_CREATE_REMOTE_THREAD]      = { "process", "change" },
	[SQ_CATEGORY_RAW_ACCESS_THREAD]         = { "process", "access" },
	[SQ_CATEGORY_PROCESS_ACCESS]            = { "process", "access" },
	[SQ_CATEGORY_FILE_EVENT]                = { "file", "creation" },
	[SQ_CATEGORY_REGISTRY_ADD]              = { "registry", "creation" },
	[SQ_CATEGORY_REGISTRY_DELETE]           = { "registry", "deletion" },
	[SQ_CATEGORY_REGISTRY_SET]              = { "registry", "change" },
	[SQ_CATEGORY_REGISTRY_RENAME]           = { "registry", "change" },
	[SQ_CATEGORY_REGISTRY_EVENT]            = { "registry", "change" },
	[SQ_CATEGORY_CREATE_STREAM_HASH]        = { "file", "creation" },
	[SQ_CATEGORY_PIPE_CREATED]              = { "file", "creation" },
	[SQ_CATEGORY_WMI_EVENT]                 = { "configuration", "change" },
	[SQ_CATEGORY_DNS_QUERY]                 = { "network", "protocol" },
	[SQ_CATEGORY_FILE_DELETE]               = { "file", "deletion" },
	[SQ_CATEGORY_CLIPBOARD_CAPTURE]         = { "host", "info" },
	[SQ_CATEGORY_PROCESS_TAMPERING]         = { "process", "change" },
	[SQ_CATEGORY_FILE_BLOCK_EXECUTABLE]     = { "file", "info" },
	[SQ_CATEGORY_FILE_EXECUTABLE_DETECTED]  = { "file", "creation" },
	[SQ_CATEGORY_SYSMON_ERROR]              = { "host", "info" },
	[SQ_CATEGORY_PS_SCRIPT]                 = { "process", "info" },
	[SQ_CATEGORY_PS_MODULE]                 = { "process", "info" },
	[SQ_CATEGORY_PS_CLASSIC_START]          = { "process", "start" },
	[SQ_CATEGORY_PS_CLASSIC_PROVIDER_START] = { "process", "info" },
	[SQ_CATEGORY_PS_CLASSIC_SCRIPT]         = { "process", "info" },
};
/* clang-format on */

static void one_string_array(struct sq_jsonw *w, const char *key, const char *v)
{
	sq_jsonw_key(w, key);
	sq_jsonw_array(w);
	sq_jsonw_string(w, sq_sv_of(v));
	sq_jsonw_end_array(w);
}

/* The document up to where the level of the rule has a say. */
static void write_head(struct sq_jsonw *w, const struct sq_alert *al,
                       const struct sq_alert_facts *f)
{
	const struct kind *kind = &kinds[al->event->category];
	char time[SQ_TIME_TEXT];

	sq_jsonw_object(w);
	sq_jsonw_member(w, "@timestamp", (struct sq_sv){ time, sq_time_format(f->time_us, time) });
	sq_jsonw_key(w, "ecs");
	sq_jsonw_raw(w, SQ_SV("{\"version\":\"8.17.0\"}"));
	sq_jsonw_key(w, "event");
	sq_jsonw_object(w);
	sq_jsonw_member(w, "kind", SQ_SV("alert"));
	if (kind->category) {
		one_string_array(w, "category", kind->category);
		one_string_array(w, "type", kind->type);
	}
	sq_jsonw_member(w, "code", sq_alert_value(al, SQ_F_EVENT_ID));
	sq_jsonw_member(w, "provider", f->provider);
	sq_jsonw_key(w, "severity");
}

/* The rest of member "event". */
static void write_origin(struct sq_jsonw *w, const struct sq_alert *al,
                         const struct sq_alert_facts *f)
{
	char time[SQ_TIME_TEXT];

	(void)f; /* the parts of an alert look alike to sq_alert_write_common() */
	sq_jsonw_member(w, "created",
	                (struct sq_sv){ time, sq_time_format(al->now.wall_us, time) });
	if (!al->without_original)
		sq_jsonw_member(w, "original", al->event->raw);
	sq_jsonw_end_object(w);
}

static void write_rule(struct sq_jsonw *w, const struct sq_rule *rule)
{
	sq_jsonw_key(w, "rule");
	sq_jsonw_object(w);
	sq_jsonw_member(w, "id", rule->id);
	sq_jsonw_member(w, "name", rule->title);
	sq_jsonw_member(w, "level", sq_sv_of(sq_level_name(rule->level)));
	sq_jsonw_member(w, "description", rule->description);
	if (rule->n_references) {
		sq_jsonw_key(w, "reference");
		sq_jsonw_array(w);
		for (uint32_t i = 0; i < rule->n_references; i++)
			sq_jsonw_string(w, rule->references[i]);
		sq_jsonw_end_array(w);
	}
	sq_jsonw_end_object(w);
}

static void write_tactics(struct sq_section *s, const struct sq_rule *rule)
{
	bool open = false;

	for (uint32_t i = 0; i < rule->n_tags; i++) {
		const struct sq_alert_tactic *t = sq_alert_tactic(rule->tags[i]);

		if (!t)
			continue;
		if (!open) {
			sq_section_member(s, "framework", SQ_SV("MITRE ATT&CK"));
			sq_jsonw_key(s->w, "tactic");
			sq_jsonw_array(s->w);
			open = true;
		}
		sq_jsonw_object(s->w);
		sq_jsonw_member(s->w, "id", sq_sv_of(t->id));
		sq_jsonw_member(s->w, "name", sq_sv_of(t->name));
		sq_jsonw_end_object(s->w);
	}
	if (open)
		sq_jsonw_end_array(s->w);
}

static void write_techniques(struct sq_section *s, const struct sq_rule *rule)
{
	bool open = false;

	for (uint32_t i = 0; i < rule->n_tags; i++) {
		char id[16];
		size_t n = sq_alert_technique(rule->tags[i], id);

		if (n == 0)
			continue;
		if (!open) {
			if (!s->open)
				sq_section_member(s, "framework", SQ_SV("MITRE ATT&CK"));
			sq_jsonw_key(s->w, "technique");
			sq_jsonw_array(s->w);
			open = true;
		}
		sq_jsonw_object(s->w);
		sq_jsonw_member(s->w, "id", (struct sq_sv){ id, n });
		sq_jsonw_end_object(s->w);
	}
	if (open)
		sq_jsonw_end_array(s->w);
}

static void write_threat(struct sq_jsonw *w, const struct sq_rule *rule)
{
	struct sq_section s = { .w = w, .name = "threat" };

	write_tactics(&s, rule);
	write_techniques(&s, rule);
	sq_section_close(&s);
}

void sq_alert_write_brief(struct sq_jsonw *w, const struct sq_rule *rule)
{
	bool open = false;

	sq_jsonw_object(w);
	sq_jsonw_member(w, "id", rule->id);
	sq_jsonw_member(w, "name", sq_alert_cut(rule->title, SQ_ALERT_TITLE_MAX));
	sq_jsonw_member(w, "level", sq_sv_of(sq_level_name(rule->level)));
	for (uint32_t i = 0; i < rule->n_tags; i++) {
		char id[16];
		size_t n = sq_alert_technique(rule->tags[i], id);

		if (n == 0)
			continue;
		if (!open) {
			sq_jsonw_key(w, "techniques");
			sq_jsonw_array(w);
			open = true;
		}
		sq_jsonw_string(w, (struct sq_sv){ id, n });
	}
	if (open)
		sq_jsonw_end_array(w);
	sq_jsonw_end_object(w);
}

void sq_alert_write_rule(struct sq_jsonw *w, const struct sq_rule *rule)
{
	write_rule(w, rule);
	write_threat(w, rule);
}

static void write_host_and_user(struct sq_jsonw *w, const struct sq_alert_facts *f)
{
	struct sq_section host = { .w = w, .name = "host" };
	struct sq_section user = { .w = w, .name = "user" };

	sq_section_member(&host, "name", f->host);
	sq_section_close(&host);
	sq_section_member(&user, "name", f->user);
	sq_section_member(&user, "domain", f->domain);
	sq_section_close(&user);
}

static void write_process(struct sq_jsonw *w, const struct sq_alert *al,
                          const struct sq_alert_facts *f)
{
	struct sq_section process = { .w = w, .name = "process" };
	struct sq_section parent = { .w = w, .name = "parent" };
	struct sq_section pe = { .w = w, .name = "pe" };
	struct sq_sv original = sq_alert_value(al, SQ_F_ORIGINAL_FILE_NAME);
	struct sq_sv parent_pid = sq_alert_value(al, SQ_F_PARENT_PROCESS_ID);
	struct sq_sv parent_guid = sq_alert_value(al, SQ_F_PARENT_PROCESS_GUID);

	sq_section_member(&process, "executable", f->executable);
	sq_section_member(&process, "name", sq_alert_base_name(f->executable));
	sq_section_member(&process, "command_line", f->command_line);
	sq_section_member(&process, "working_directory",
	                  sq_alert_value(al, SQ_F_CURRENT_DIRECTORY));
	sq_section_number(&process, "pid", sq_alert_value(al, SQ_F_PROCESS_ID));
	sq_section_member(&process, "entity_id", sq_alert_value(al, SQ_F_PROCESS_GUID));
	if (original.n) {
		sq_section_open(&process);
		sq_section_member(&pe, "original_file_name", original);
		sq_section_close(&pe);
	}
	if (f->parent_executable.n || f->parent_command_line.n || parent_pid.n || parent_guid.n) {
		sq_section_open(&process);
		sq_section_member(&parent, "executable", f->parent_executable);
		sq_section_member(&parent, "name", sq_alert_base_name(f->parent_executable));
		sq_section_member(&parent, "command_line", f->parent_command_line);
		sq_section_number(&parent, "pid", parent_pid);
		sq_section_member(&parent, "entity_id", parent_guid);
		sq_section_close(&parent);
	}
	sq_section_close(&process);
}

static void write_observer(struct sq_jsonw *w, const struct sq_observer *o)
{
	sq_jsonw_key(w, "observer");
	sq_jsonw_object(w);
	sq_jsonw_member(w, "vendor", SQ_SV("squiblyd"));
	sq_jsonw_member(w, "product", SQ_SV("squiblyd"));
	sq_jsonw_member(w, "type", SQ_SV("ids"));
	sq_jsonw_member(w, "version", sq_sv_of(o->version ? o->version : ""));
	sq_jsonw_member(w, "hostname", sq_sv_of(o->hostname));
	sq_jsonw_end_object(w);
}

/* ECS has no tenants; the organization is "the company or entity the data is associated with". */
static void write_organization(struct sq_jsonw *w, struct sq_sv tenant)
{
	struct sq_section organization = { .w = w, .name = "organization" };

	sq_section_member(&organization, "name", tenant);
	sq_section_close(&organization);
}

/* From behind what the rule says of itself up to what it says of the event. "squibly" is the last
 * member of the document and never empty: sq_alert_write_repeats() relies on both. */
static void write_facts(struct sq_jsonw *w, const struct sq_alert *al,
                        const struct sq_alert_facts *f)
{
	write_host_and_user(w, f);
	write_organization(w, al->tenant);
	write_process(w, al, f);
	sq_alert_write_winlog(w, al, f);
	write_observer(w, al->observer);
	sq_alert_write_sender(w, al->identity);
	sq_alert_write_squibly(w, al);
}

/* What each alert of an event says alike, and how many objects it leaves open. */
static const struct sq_alert_common parts[] = {
	{ write_head, 2 },
	{ write_origin, 1 },
	{ write_facts, 2 },
};

void sq_alert_write_json(struct sq_outbuf *out, const struct sq_alert *al)
{
	struct sq_jsonw writer = sq_jsonw_of(out), *w = &writer;
	struct sq_alert_facts f;

	sq_alert_facts(al, &f);
	sq_alert_write_common(w, al, &f, SQ_ALERT_PARTS_JSON, &parts[0]);
	sq_jsonw_int(w, sq_level_severity(al->rule->level));
	sq_alert_write_id(w, "id", al->id);
	sq_alert_write_common(w, al, &f, SQ_ALERT_PARTS_JSON + 1, &parts[1]);
	sq_alert_write_message(w, al, &f);
	if (al->texts)
		sq_jsonw_raw(w, al->texts->rules[al->hit->rule].rule);
	else
		sq_alert_write_rule(w, al->rule);
	sq_alert_write_common(w, al, &f, SQ_ALERT_PARTS_JSON + 2, &parts[2]);
	sq_alert_write_found(w, al);
	sq_jsonw_end_object(w);
	sq_jsonw_end_object(w);
}
