/* An alert as JSON. What is the same in all alerts of a rule was encoded with the rules (see
 * alert_texts.h); what is the same in all alerts of an event is copied from the first of them.
 */
#include "lib/engine/alert_private.h"
#include "lib/text/jsonw.h"

enum { DERIVED_LIST_MAX = 16 }; /* values of one derived field in an alert */

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

/* An object that is opened with its first member and closed only when it has one. */
struct section {
	struct sq_jsonw *w;
	const char *name;
	bool open;
};

static void open_section(struct section *s)
{
	if (s->open)
		return;
	sq_jsonw_key(s->w, s->name);
	sq_jsonw_object(s->w);
	s->open = true;
}

static void close_section(struct section *s)
{
	if (s->open)
		sq_jsonw_end_object(s->w);
}

static void member(struct section *s, const char *key, struct sq_sv v)
{
	if (v.n == 0)
		return;
	open_section(s);
	sq_jsonw_member(s->w, key, v);
}

/* Process ids come as 4711, "4711" or "0x1267"; ECS wants a number. */
static void number(struct section *s, const char *key, struct sq_sv v)
{
	uint64_t n;

	if (!sq_sv_to_u64(v, &n) || n > UINT32_MAX)
		return;
	open_section(s);
	sq_jsonw_key(s->w, key);
	sq_jsonw_int(s->w, (int64_t)n);
}

static void one_string_array(struct sq_jsonw *w, const char *key, const char *v)
{
	sq_jsonw_key(w, key);
	sq_jsonw_array(w);
	sq_jsonw_string(w, sq_sv_of(v));
	sq_jsonw_end_array(w);
}

/* Member `key`: an id, as sq_id_format() writes it. */
static void write_id(struct sq_jsonw *w, const char *key, const uint64_t id[2])
{
	char text[1 + SQ_ID_TEXT + 1] = "\"";

	if (!sq_id_known(id))
		return;
	sq_id_format(id, text + 1);
	text[sizeof(text) - 1] = '"';
	sq_jsonw_key(w, key);
	sq_jsonw_raw(w, (struct sq_sv){ text, sizeof(text) });
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

	(void)f; /* the parts of an alert look alike to write_part() */
	sq_jsonw_member(w, "created",
	                (struct sq_sv){ time, sq_time_format(al->now.wall_us, time) });
	if (!al->without_original)
		sq_jsonw_member(w, "original", al->event->raw);
	sq_jsonw_end_object(w);
}

/* One sentence for the line of a list: "Title on HOST". */
static void write_message(struct sq_jsonw *w, const struct sq_alert *al,
                          const struct sq_alert_facts *f)
{
	struct sq_sv title = sq_alert_cut(al->rule->title, SQ_ALERT_TITLE_MAX);
	struct sq_sv host = sq_alert_cut(f->host, 256);

	if (!title.n && !host.n)
		return;
	sq_jsonw_key(w, "message");
	sq_jsonw_raw(w, SQ_SV("\""));
	if (al->texts)
		sq_outbuf_put(w->out, al->texts->rules[al->hit->rule].title);
	else
		sq_json_escape(w->out, title);
	if (host.n) {
		sq_outbuf_put(w->out, SQ_SV(" on "));
		sq_json_escape(w->out, host);
	}
	sq_outbuf_putc(w->out, '"');
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

static void write_tactics(struct section *s, const struct sq_rule *rule)
{
	bool open = false;

	for (uint32_t i = 0; i < rule->n_tags; i++) {
		const struct sq_alert_tactic *t = sq_alert_tactic(rule->tags[i]);

		if (!t)
			continue;
		if (!open) {
			member(s, "framework", SQ_SV("MITRE ATT&CK"));
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

static void write_techniques(struct section *s, const struct sq_rule *rule)
{
	bool open = false;

	for (uint32_t i = 0; i < rule->n_tags; i++) {
		char id[16];
		size_t n = sq_alert_technique(rule->tags[i], id);

		if (n == 0)
			continue;
		if (!open) {
			if (!s->open)
				member(s, "framework", SQ_SV("MITRE ATT&CK"));
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
	struct section s = { .w = w, .name = "threat" };

	write_tactics(&s, rule);
	write_techniques(&s, rule);
	close_section(&s);
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
	struct section host = { .w = w, .name = "host" };
	struct section user = { .w = w, .name = "user" };

	member(&host, "name", f->host);
	close_section(&host);
	member(&user, "name", f->user);
	member(&user, "domain", f->domain);
	close_section(&user);
}

static void write_process(struct sq_jsonw *w, const struct sq_alert *al,
                          const struct sq_alert_facts *f)
{
	struct section process = { .w = w, .name = "process" };
	struct section parent = { .w = w, .name = "parent" };
	struct section pe = { .w = w, .name = "pe" };
	struct sq_sv original = sq_alert_value(al, SQ_F_ORIGINAL_FILE_NAME);
	struct sq_sv parent_pid = sq_alert_value(al, SQ_F_PARENT_PROCESS_ID);
	struct sq_sv parent_guid = sq_alert_value(al, SQ_F_PARENT_PROCESS_GUID);

	member(&process, "executable", f->executable);
	member(&process, "name", sq_alert_base_name(f->executable));
	member(&process, "command_line", f->command_line);
	member(&process, "working_directory", sq_alert_value(al, SQ_F_CURRENT_DIRECTORY));
	number(&process, "pid", sq_alert_value(al, SQ_F_PROCESS_ID));
	member(&process, "entity_id", sq_alert_value(al, SQ_F_PROCESS_GUID));
	if (original.n) {
		open_section(&process);
		member(&pe, "original_file_name", original);
		close_section(&pe);
	}
	if (f->parent_executable.n || f->parent_command_line.n || parent_pid.n || parent_guid.n) {
		open_section(&process);
		member(&parent, "executable", f->parent_executable);
		member(&parent, "name", sq_alert_base_name(f->parent_executable));
		member(&parent, "command_line", f->parent_command_line);
		number(&parent, "pid", parent_pid);
		member(&parent, "entity_id", parent_guid);
		close_section(&parent);
	}
	close_section(&process);
}

static void write_winlog(struct sq_jsonw *w, const struct sq_alert *al,
                         const struct sq_alert_facts *f)
{
	struct section s = { .w = w, .name = "winlog" };

	member(&s, "channel", f->channel);
	member(&s, "event_id", sq_alert_value(al, SQ_F_EVENT_ID));
	member(&s, "record_id", f->record_id);
	member(&s, "provider_name", f->provider);
	member(&s, "computer_name", f->computer);
	close_section(&s);
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

void sq_alert_write_flags(struct sq_jsonw *w, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ SQ_EVENT_DUPLICATE_KEY, "duplicate_key" },
		{ SQ_EVENT_OVERFLOW, "overflow" },
		{ SQ_EVENT_FROM_MESSAGE, "from_message" },
		{ SQ_EVENT_BAD_UTF8, "bad_utf8" },
		{ SQ_EVENT_CUT, "cut" },
	};

	if (!flags)
		return;
	sq_jsonw_key(w, "flags");
	sq_jsonw_array(w);
	for (size_t i = 0; i < SQ_LEN(names); i++) {
		if (flags & names[i].flag)
			sq_jsonw_string(w, sq_sv_of(names[i].name));
	}
	sq_jsonw_end_array(w);
}

/* Name of a derived field without "squibly.", and the object that it stands in ("" = none). */
static struct sq_sv derived_group(size_t i, struct sq_sv *ret_key)
{
#define NAME(id, name, says, example) SQ_SV(name),
	static const struct sq_sv names[] = { SQ_DERIVED(NAME) };
#undef NAME
	struct sq_sv name = sq_sv_skip(names[i], sizeof("squibly.") - 1);
	struct sq_sv rest = name, group = sq_sv_cut(&rest, '.');

	*ret_key = rest.n ? rest : name;
	return rest.n ? group : SQ_SV("");
}

static void write_derived_values(struct sq_jsonw *w, const struct sq_alert *al, uint32_t field)
{
	const struct sq_value *v = &al->event->values[field];
	size_t max = al->value_max ? al->value_max : SQ_ALERT_VALUE_MAX;
	bool many = v->more != 0;

	if (many)
		sq_jsonw_array(w);
	for (int n = 0; v && n < DERIVED_LIST_MAX; v = sq_event_next(al->event, v), n++)
		sq_jsonw_string(w, sq_alert_cut(sq_value_sv(v), max));
	if (many)
		sq_jsonw_end_array(w);
}

/* The derived fields under the names that rules know them by: squibly.program and so on. The single
 * arguments are left out, since the command line holds them. */
void sq_alert_write_derived(struct sq_jsonw *w, const struct sq_alert *al)
{
	struct sq_sv open = SQ_SV(""), key;

	for (uint32_t field = SQ_F_PRODUCED; field < SQ_F_CANONICAL; field++) {
		struct sq_sv group;

		if (!sq_event_has(al->event, field) || field == SQ_F_D_ARGUMENT)
			continue;
		group = derived_group(field - SQ_F_PRODUCED, &key);
		if (!sq_sv_eq(group, open)) {
			if (open.n)
				sq_jsonw_end_object(w);
			if (group.n) {
				sq_jsonw_key_sv(w, group);
				sq_jsonw_object(w);
			}
			open = group;
		}
		sq_jsonw_key_sv(w, key);
		write_derived_values(w, al, field);
	}
	if (open.n)
		sq_jsonw_end_object(w);
}

/* Parts of the rule's condition that hold. */
static void write_selections(struct sq_jsonw *w, const struct sq_hit *hit, size_t max)
{
	if (!hit->n_selections)
		return;
	sq_jsonw_key(w, "selections");
	sq_jsonw_array(w);
	for (uint32_t i = 0; i < hit->n_selections; i++)
		sq_jsonw_string(w, sq_alert_cut(hit->selections[i], max));
	sq_jsonw_end_array(w);
}

static void write_matched(struct sq_jsonw *w, const struct sq_hit *hit, size_t max)
{
	sq_jsonw_key(w, "matched");
	sq_jsonw_array(w);
	for (uint32_t i = 0; i < hit->n_matched; i++) {
		const struct sq_matched *m = &hit->matched[i];

		sq_jsonw_object(w);
		sq_jsonw_member(w, "field", sq_sv_of(m->field));
		sq_jsonw_key(w, "value");
		sq_jsonw_string(w, sq_alert_cut(m->value, max));
		sq_jsonw_end_object(w);
	}
	sq_jsonw_end_array(w);
}

/* From behind what the rule says of itself up to what it says of the event. "squibly" is the last
 * member of the document and never empty: sq_alert_write_repeats() relies on both. */
static void write_facts(struct sq_jsonw *w, const struct sq_alert *al,
                        const struct sq_alert_facts *f)
{
	write_host_and_user(w, f);
	write_process(w, al, f);
	write_winlog(w, al, f);
	write_observer(w, al->observer);
	sq_alert_write_sender(w, al->identity);
	sq_jsonw_key(w, "squibly");
	sq_jsonw_object(w);
	write_id(w, "event_id", al->event_id);
	sq_jsonw_member(w, "peer", sq_sv_of(al->peer ? al->peer : ""));
	sq_jsonw_member(w, "proxy", sq_sv_of(al->identity ? al->identity->proxy : ""));
	sq_jsonw_member(w, "shape", sq_sv_of(al->event->shape ? al->event->shape : ""));
	sq_alert_write_flags(w, al->event->flags);
	sq_alert_write_derived(w, al);
	sq_lookups_write(al->lookups, f->host, sq_sv_of(al->peer ? al->peer : ""), w);
}

/* What each alert of an event says alike: number `i` of such parts, which leaves `depth` objects
 * open. */
static void write_part(struct sq_jsonw *w, const struct sq_alert *al,
                       const struct sq_alert_facts *f, unsigned i)
{
	static const struct {
		void (*write)(struct sq_jsonw *w, const struct sq_alert *al,
		              const struct sq_alert_facts *f);
		uint32_t depth;
	} parts[] = { { write_head, 2 }, { write_origin, 1 }, { write_facts, 2 } };
	struct sq_alert_part *part = al->shared ? &al->shared->parts[i] : NULL;
	size_t begin = w->out->len;

	if (!part || !part->n) {
		parts[i].write(w, al, f);
		if (part)
			*part = (struct sq_alert_part){ begin, w->out->len - begin, w->comma };
		return;
	}
	/* Room first: what is copied lies in the same buffer, which may move to grow. */
	if (sq_outbuf_reserve(w->out, part->n))
		sq_outbuf_put(w->out, (struct sq_sv){ w->out->p + part->at, part->n });
	w->comma = part->comma;
	w->depth = parts[i].depth;
}

void sq_alert_write_json(struct sq_outbuf *out, const struct sq_alert *al)
{
	size_t max = al->value_max ? al->value_max : SQ_ALERT_VALUE_MAX;
	struct sq_jsonw writer = sq_jsonw_of(out), *w = &writer;
	struct sq_alert_facts f;

	sq_alert_facts(al, &f);
	write_part(w, al, &f, 0);
	sq_jsonw_int(w, sq_level_severity(al->rule->level));
	write_id(w, "id", al->id);
	write_part(w, al, &f, 1);
	write_message(w, al, &f);
	if (al->texts)
		sq_jsonw_raw(w, al->texts->rules[al->hit->rule].rule);
	else
		sq_alert_write_rule(w, al->rule);
	write_part(w, al, &f, 2);
	write_selections(w, al->hit, max);
	write_matched(w, al->hit, max);
	sq_jsonw_end_object(w);
	sq_jsonw_end_object(w);
}
