#include <errno.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/core/config_private.h"

#define SQD_AT(member)        .offset = offsetof(struct sqd_config, member)
#define SQD_INPUT_AT(member)  .offset = offsetof(struct sqd_input_common, member)
#define SQD_OUTPUT_AT(member) .offset = offsetof(struct sqd_output_common, member)

static const struct sq_opt_enum log_levels[] = {
	{ "error", SQD_LOG_ERROR }, { "warning", SQD_LOG_WARNING }, { "notice", SQD_LOG_NOTICE },
	{ "info", SQD_LOG_INFO },   { "debug", SQD_LOG_DEBUG },     { 0 },
};

static const struct sq_opt_enum formats[] = {
	{ "json", SQ_FORMAT_JSON },
	{ "syslog", SQ_FORMAT_SYSLOG },
	{ "cef", SQ_FORMAT_CEF },
	{ "leef", SQ_FORMAT_LEEF },
	{ "ocsf", SQ_FORMAT_OCSF },
	{ "syslog3164", SQ_FORMAT_SYSLOG3164 },
	{ 0 },
};

static const struct sq_opt_enum levels[] = {
	{ "informational", SQ_LEVEL_INFORMATIONAL },
	{ "low", SQ_LEVEL_LOW },
	{ "medium", SQ_LEVEL_MEDIUM },
	{ "high", SQ_LEVEL_HIGH },
	{ "critical", SQ_LEVEL_CRITICAL },
	{ 0 },
};

static const struct sq_opt_enum when_full[] = {
	{ "block", SQD_FULL_BLOCK },
	{ "drop_newest", SQD_FULL_DROP_NEWEST },
	{ "drop_oldest", SQD_FULL_DROP_OLDEST },
	{ 0 },
};

static const struct sq_opt_enum durability[] = {
	{ "memory", SQD_DURABILITY_MEMORY },
	{ "spool", SQD_DURABILITY_SPOOL },
	{ 0 },
};

static const struct sq_opt_enum validate[] = {
	{ "needed", SQD_VALIDATE_NEEDED },
	{ "all", SQD_VALIDATE_ALL },
	{ 0 },
};

static const struct sq_opt_enum forwards[] = {
	{ "alerts", SQD_FORWARD_ALERTS },
	{ "all", SQD_FORWARD_ALL },
	{ "matched", SQD_FORWARD_MATCHED },
	{ "clean", SQD_FORWARD_CLEAN },
	{ 0 },
};

static const struct sq_opt_enum verdicts[] = {
	{ "matched", SQD_VERDICT_MATCHED },
	{ "all", SQD_VERDICT_ALL },
	{ 0 },
};

static const struct sq_opt_enum records[] = {
	{ "original", SQD_RECORD_ORIGINAL },
	{ "json", SQD_RECORD_JSON },
	{ 0 },
};

/* clang-format off */
static const struct sq_opt general_opts[] = {
	{ "workers",           SQ_OPT_U32,  SQD_AT(workers), .min = 0, .max = 64, .def = "0",
	  .doc = "Threads that read and match events; 0 means what `loops` leaves of the processors, one at least." },
	{ "loops",             SQ_OPT_U32,  SQD_AT(loops), .min = 0, .max = 32, .def = "0",
	  .doc = "Threads that receive: each has a part of the connections of every input, and of the senders of "
		 "datagrams; 0 means one for every four processors, up to 4, and one below eight processors." },
	{ "batches",           SQ_OPT_U32,  SQD_AT(batches), .min = 0, .max = 1024, .def = "0",
	  .doc = "Batches of events under way at one time, each with room for the longest record; every loop has "
		 "an equal part, and when that is used up, its inputs wait; 0 means 4 for each loop and 2 for each worker." },
	{ "log_level",         SQ_OPT_ENUM, SQD_AT(log_level), .enums = log_levels, .def = "info",
	  .doc = "How much is said on standard error." },
	{ "skim",              SQ_OPT_BOOL, SQD_AT(skim), .def = "true",
	  .doc = "Read JSON by the positions of its tokens, several times faster than by yajl, which reads what is "
		 "out of the ordinary; false leaves everything to yajl, with the same events." },
	{ "validate",          SQ_OPT_ENUM, SQD_AT(validate), .enums = validate, .def = "needed",
	  .doc = "Which records are read: those that a rule may match, by their bytes, or all, so that every malformed "
		 "one is noticed, counted and kept; the alerts are the same." },
	{ "check_one_in",      SQ_OPT_U32,  SQD_AT(check_one_in), .min = 0, .max = 1000000000, .def = "10000",
	  .doc = "Check one record in so many: read and match it once more in the slow, plain way, and tell when that "
		 "finds other alerts; 0 means none." },
	{ "check_share",       SQ_OPT_U32,  SQD_AT(check_share), .min = 1, .max = 100, .def = "1",
	  .doc = "Percent of the time of each worker that these checks may take; what is over is left out and counted; "
		 "100 means any." },
	{ "shutdown_deadline", SQ_OPT_MSEC, SQD_AT(shutdown_ms), .min = 0, .max = 3600000, .def = "10s",
	  .doc = "How long, when told to stop, to wait for outputs to take what is queued for them." },
	{ 0 }
};

static const struct sq_opt rules_opts[] = {
	{ "paths", SQ_OPT_STRS, SQD_AT(rule_paths),
	  .doc = "Files and folders of Sigma rules; without any, the shipped patterns." },
	{ "cache", SQ_OPT_STR,  SQD_AT(rule_cache),
	  .doc = "Folder for compiled rules, so that the next start is quick; \"\" means none; without it, the "
		 "cache folder that systemd gives, or ~/.cache/squibly." },
	{ 0 }
};

static const struct sq_opt fold_opts[] = {
	{ "window",  SQ_OPT_MSEC,  SQD_AT(fold_window_ms), .min = 0, .max = 86400000, .def = "0",
	  .doc = "Alerts of the same rule, host and command line within this time are sent once, and once "
		 "more at its end with their number; 0 means that every alert is sent." },
	{ "entries", SQ_OPT_U32,   SQD_AT(fold_entries), .min = 16, .max = 1000000, .def = "10000",
	  .doc = "Different alerts remembered at one time; further ones are sent." },
	{ "memory",  SQ_OPT_BYTES, SQD_AT(fold_bytes), .min = 65536, .max = (uint64_t)4 << 30, .def = "32MiB",
	  .doc = "Memory for remembered alerts." },
	{ 0 }
};

static const struct sq_opt deduplicate_opts[] = {
	{ "window", SQ_OPT_U32, SQD_AT(dedup_window), .min = 0, .max = 1 << 24, .def = "0",
	  .doc = "Events remembered, 24 to 32 bytes each, to leave out those that a sender sends again: same "
		 "computer, channel, record id and provider, and the same found in it by the same rules; 0 means "
		 "that none is left out." },
	{ 0 }
};

static const struct sq_opt limits_opts[] = {
	{ "max_depth",     SQ_OPT_U32,   SQD_AT(max_depth), .min = 4, .max = 256, .def = "64",
	  .doc = "Deepest nesting of a JSON record; a deeper one is malformed." },
	{ "max_keys",      SQ_OPT_U32,   SQD_AT(max_keys), .min = 16, .max = 1000000, .def = "10000",
	  .doc = "Most keys of a JSON record; one with more is malformed." },
	{ "batch_records", SQ_OPT_U32,   SQD_AT(batch_records), .min = 16, .max = 65536, .def = "4096",
	  .doc = "Most records in one batch." },
	{ "batch_alerts",  SQ_OPT_BYTES, SQD_AT(batch_alerts), .min = 65536, .max = 64 << 20, .def = "1MiB",
	  .doc = "Bytes of alerts that one batch gathers before outputs must have taken them." },
	{ 0 }
};

static const struct sq_opt control_opts[] = {
	{ "path",        SQ_OPT_STR,  SQD_AT(control_path),
	  .doc = "File of the socket on which `squibly status` asks; \"\" means none; without it, control.sock in the "
		 "runtime folder that systemd gives (/run/squiblyd), and none without such a folder." },
	{ "mode",        SQ_OPT_STR,  SQD_AT(control_mode), .def = "0660",
	  .doc = "Permissions of that file, in octal: who may connect may also have the rules loaded anew." },
	{ "connections", SQ_OPT_U32,  SQD_AT(control_connections), .min = 1, .max = 64, .def = "8",
	  .doc = "Connections that are served at one time; others wait." },
	{ "timeout",     SQ_OPT_MSEC, SQD_AT(control_timeout_ms), .min = 100, .max = 60000, .def = "2s",
	  .doc = "A connection whose request does not come within this time, or whose answer is not taken, is closed." },
	{ 0 }
};

const struct sqd_config_section sqd_config_sections[] = {
	{ NULL, NULL, general_opts },
	{ "rules", "What is looked for.", rules_opts },
	{ "fold", "Repeated alerts.", fold_opts },
	{ "deduplicate", "Events that are sent again.", deduplicate_opts },
	{ "limits", "Bounds of what one record or batch may cost.", limits_opts },
	{ "control", "The control socket, on which `squibly status` asks.", control_opts },
	{ 0 }
};

const struct sq_opt sqd_input_common_opts[] = {
	{ "type",   SQ_OPT_STR, SQD_INPUT_AT(type), .required = true,
	  .doc = "Kind of input." },
	{ "socket", SQ_OPT_STR, SQD_INPUT_AT(socket),
	  .doc = "Name (FileDescriptorName=) of a socket that systemd passes; without it, one that is bound to "
		 "the same address is used, if there is one." },
	{ "tenant", SQ_OPT_STR, SQD_INPUT_AT(tenant),
	  .doc = "Whose events come here: a name of at most 64 letters, digits, '.', '_' and '-', which alerts, verdicts "
		 "and dead letters bear; what two tenants send is never folded or left out as one." },
	{ "max_rate", SQ_OPT_BYTES, SQD_INPUT_AT(max_rate), .min = 0, .max = (uint64_t)8 << 30, .def = "0",
	  .doc = "Bytes a second that are taken in here at most, of all senders together, as they come over the network: "
		 "senders over streams have to wait, datagrams above it are dropped and counted. 0 means no limit." },
	{ 0 }
};

const struct sq_opt sqd_output_common_opts[] = {
	{ "type",      SQ_OPT_STR,   SQD_OUTPUT_AT(type), .required = true,
	  .doc = "Kind of output." },
	{ "tenants",   SQ_OPT_STRS,  SQD_OUTPUT_AT(tenants),
	  .doc = "Only what comes by inputs with these tenants is sent here: [north, south]; empty: what comes by all. Inputs "
		 "whose outputs are not the same share no loop and no batches, so that none waits for an output of others." },
	{ "format",    SQ_OPT_ENUM,  SQD_OUTPUT_AT(format), .enums = formats, .def = "json",
	  .doc = "How an alert is written; syslog is RFC 5424 and syslog3164 RFC 3164 with the JSON as their message, ocsf a Detection Finding." },
	{ "min_level", SQ_OPT_ENUM,  SQD_OUTPUT_AT(min_level), .enums = levels, .def = "informational",
	  .doc = "Alerts of rules below this level are not sent here." },
	{ "queue",     SQ_OPT_BYTES, SQD_OUTPUT_AT(queue), .min = 65536, .max = (uint64_t)16 << 30, .def = "64MiB",
	  .doc = "Memory for alerts that wait for this output." },
	{ "when_full", SQ_OPT_ENUM,  SQD_OUTPUT_AT(when_full), .enums = when_full, .def = "block",
	  .doc = "When the queue, or the spool, is full: let inputs wait, or drop and count the newest alert, or, with a "
		 "spool, the oldest." },
	{ "rate_limit", SQ_OPT_U32,  SQD_OUTPUT_AT(rate_limit), .min = 0, .max = 10000000, .def = "0",
	  .doc = "Messages a second that this output is given at most; the rest waits in the queue. 0 means no limit." },
	{ "forward",   SQ_OPT_ENUM,  SQD_OUTPUT_AT(forward), .enums = forwards, .def = "alerts",
	  .doc = "What is sent here: alerts, or in place of them the records themselves, byte for byte: all, those that "
		 "a rule of min_level or above matched, or the others (clean)." },
	{ "verdict",   SQ_OPT_ENUM,  SQD_OUTPUT_AT(verdict), .enums = verdicts, .def = "matched",
	  .doc = "Which forwarded records get the object \"squibly\" put in, with what rules found in them: matched or all; "
		 "all has every record read." },
	{ "record",    SQ_OPT_ENUM,  SQD_OUTPUT_AT(record), .enums = records, .def = "original",
	  .doc = "How a forwarded record is written: as it came, or as one JSON object, without a syslog header in front of it, "
		 "and as the text of a new object when it is none. Outputs that take JSON alone always have the latter." },
	{ "sample",    SQ_OPT_U32,   SQD_OUTPUT_AT(sample), .min = 1, .max = 1000000000, .def = "1",
	  .doc = "Forward one in so many of the records that no rule matched." },
	{ "drop_fields", SQ_OPT_STRS, SQD_OUTPUT_AT(drop_fields),
	  .doc = "Members that are left out of forwarded JSON, as in [Message, event.original]." },
	{ "keep_fields", SQ_OPT_STRS, SQD_OUTPUT_AT(keep_fields),
	  .doc = "The only members that forwarded JSON keeps." },
	{ "durability", SQ_OPT_ENUM, SQD_OUTPUT_AT(durability), .enums = durability, .def = "memory",
	  .doc = "Where alerts wait for this output: in memory, which a kill of the daemon ends, or in a spool on disk, "
		 "and what is acknowledged to a sender is committed there." },
	{ "spool",     SQ_OPT_STR,   SQD_OUTPUT_AT(spool),
	  .doc = "Folder of the spool, for this output alone; its parent must be there." },
	{ "spool_size", SQ_OPT_BYTES, SQD_OUTPUT_AT(spool_size), .min = 16 << 20, .max = (uint64_t)1 << 44, .def = "1GiB",
	  .doc = "Largest that the file of the spool may become; alerts have seven eighths of it." },
	{ "spool_interval", SQ_OPT_MSEC, SQD_OUTPUT_AT(spool_interval_ms), .min = 0, .max = 10000, .def = "5ms",
	  .doc = "How long alerts gather for one commit." },
	{ "spool_repeats", SQ_OPT_U32, SQD_OUTPUT_AT(spool_repeats), .min = 1, .max = 10000000, .def = "4096",
	  .doc = "How many alerts of a spool may be on their way to the receiver, not answered yet; at most so many "
		 "come twice after squiblyd was killed." },
	{ 0 }
};
/* clang-format on */

const char sqd_config_builtin[] = "inputs:\n"
				  "  - type: tcp\n"
				  "    listen: 127.0.0.1:5170\n"
				  "  - type: udp\n"
				  "    listen: 127.0.0.1:5170\n"
				  "outputs:\n"
				  "  - type: stdout\n";

static size_t rows(const struct sq_opt *table)
{
	size_t n = 0;

	while (table[n].key)
		n++;
	return n;
}

int sqd_config_item_init(struct sqd_config_item *item, const struct sq_opt *common,
                         size_t common_size, const struct sq_opt *kind, size_t kind_size)
{
	size_t n_common = rows(common), n_kind = rows(kind);
	size_t at = (common_size + 15) / 16 * 16; /* the kind's struct may hold anything */

	item->table = calloc(n_common + n_kind + 1, sizeof(*item->table));
	item->common = calloc(1, at + kind_size + 1);
	item->spots = calloc(n_common + n_kind + 1, sizeof(*item->spots));
	if (!item->table || !item->common || !item->spots)
		return -ENOMEM;
	item->cfg = (char *)item->common + at;
	for (size_t i = 0; i < n_common; i++)
		item->table[i] = common[i];
	for (size_t i = 0; i < n_kind; i++) {
		item->table[n_common + i] = kind[i];
		item->table[n_common + i].offset += at;
	}
	return sq_opt_defaults(item->table, item->common);
}

void sqd_config_item_fini(struct sqd_config_item *item)
{
	if (item->table && item->common)
		sq_opt_free(item->table, item->common);
	free(item->table);
	free(item->common);
	free(item->spots);
	*item = (struct sqd_config_item){ 0 };
}

void sqd_config_item_note(struct sqd_config_item *item, const struct sq_yaml *map)
{
	size_t n = rows(item->table);

	for (size_t i = 0; i <= n; i++) {
		const struct sq_yaml *y = i < n ? sq_yaml_get(map, item->table[i].key) : map;

		if (y)
			item->spots[i] = (struct sqd_config_spot){ y->line, y->col };
	}
}

void sqd_config_blame(const struct sqd_config_item *item, const struct sqd_config_place *at,
                      enum sq_severity how, const char *what)
{
	size_t n = rows(item->table), n_key = strcspn(what, ": ");
	struct sqd_config_spot spot = item->spots[n];

	for (size_t i = 0; i < n; i++)
		if (item->spots[i].line && strlen(item->table[i].key) == n_key &&
		    strncmp(item->table[i].key, what, n_key) == 0)
			spot = item->spots[i];
	sq_diag_add(at->diags, how, at->file, spot.line, spot.col, "%s", what);
}

const struct sq_opt *sqd_config_row(const struct sqd_config_item *item, const char *key)
{
	for (const struct sq_opt *o = item->table; o && o->key; o++)
		if (strcmp(o->key, key) == 0)
			return o;
	return NULL;
}

const char *sqd_config_text(const struct sqd_config_item *item, const char *key)
{
	const struct sq_opt *o = sqd_config_row(item, key);

	if (!o || o->type != SQ_OPT_STR)
		return NULL;
	return *(char *const *)(const void *)((const char *)item->common + o->offset);
}

const struct sq_opt_strs *sqd_config_texts(const struct sqd_config_item *item, const char *key)
{
	const struct sq_opt *o = sqd_config_row(item, key);

	if (!o || o->type != SQ_OPT_STRS)
		return NULL;
	return (const void *)((const char *)item->common + o->offset);
}

void sqd_config_complain(const struct sqd_config_place *at, const struct sq_yaml *map,
                         const char *key, const char *what)
{
	const struct sq_yaml *y = sq_yaml_get(map, key);

	if (!y)
		y = map;
	sq_diag_add(at->diags, SQ_DIAG_ERROR, at->file, y->line, y->col, "%s: %s", key, what);
}
