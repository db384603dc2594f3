#include "lib/model/fieldmap.h"

/* clang-format off */
#define TO(p, f)            { .path = p, .kind = SQ_PATH_FIELD, .field = SQ_F_##f, .band = SQ_BAND_NATIVE }
#define TO_HINT(p, f, h)    { .path = p, .kind = SQ_PATH_FIELD, .field = SQ_F_##f, .band = SQ_BAND_NATIVE, .hint = SQ_HINT_##h }
#define ECS(p, f)           { .path = p, .kind = SQ_PATH_FIELD, .field = SQ_F_##f, .band = SQ_BAND_ECS }
#define WEAK(p, f)          { .path = p, .kind = SQ_PATH_FIELD, .field = SQ_F_##f, .band = SQ_BAND_WEAK }
#define LAST(p, f)          { .path = p, .kind = SQ_PATH_FIELD, .field = SQ_F_##f, .band = SQ_BAND_LAST }
#define AUX(p, f)           { .path = p, .kind = SQ_PATH_FIELD, .field = SQ_AUX_##f, .band = SQ_BAND_NATIVE }
#define HINT(p, h)          { .path = p, .hint = SQ_HINT_##h }
#define NAMES(p, more, h)   { .path = p, .kind = SQ_PATH_NAMES | (more), .band = SQ_BAND_NAMES, .hint = SQ_HINT_##h }
#define WRAPPER(p)          { .path = p, .kind = SQ_PATH_ROOT | SQ_PATH_TEXT }
#define TEXT(p, h)          { .path = p, .kind = SQ_PATH_TEXT, .hint = SQ_HINT_##h }
#define LIST(p, h)          { .path = p, .kind = SQ_PATH_LIST, .hint = SQ_HINT_##h }

/* What those who make JSON of XML call an attribute, and the text of an element beside it: evtx_dump; xmltodict and Json.NET; fast-xml-parser;
 * mxj; x2js; xml-js; those that follow PHP; xml2js; and many that add nothing to its name. */
#define ATTRIBUTE(KIND, p, a, f) \
	KIND(p ".#attributes." a, f), KIND(p "." a, f), KIND(p ".@" a, f), KIND(p ".@_" a, f), KIND(p ".-" a, f), KIND(p "._" a, f), \
	KIND(p "._attributes." a, f), KIND(p ".@attributes." a, f), KIND(p ".attributes." a, f), KIND(p ".$." a, f)
#define CONTENT(KIND, p, f) \
	KIND(p ".#text", f), KIND(p ".value", f), KIND(p ".Value", f), KIND(p ".text", f), KIND(p ".content", f), KIND(p "._text", f), \
	KIND(p ".__text", f), KIND(p "._", f), KIND(p ".$t", f), KIND(p ".$", f), KIND(p ".@value", f), KIND(p ".", f)
#define ELEMENT(p, f)       TO(p, f), TO(p "._text", f), TO(p ".$t", f), TO(p ".$", f)

#define PAIRS(p)            NAMES(p, SQ_PATH_PAIRS | SQ_PATH_LIST, NONE), AUX(p ".name", PAIR_NAME), AUX(p ".key", PAIR_NAME), AUX(p ".Key", PAIR_NAME), \
                            ATTRIBUTE(AUX, p, "Name", PAIR_NAME), CONTENT(AUX, p, PAIR_VALUE)
/* EventData as such a list itself. Where it is an object its members have names of their own. */
#define PAIR_LIST(p)        { .path = p, .kind = SQ_PATH_PAIR_LIST }, AUX(p ".name", PAIR_NAME), AUX(p ".Name", PAIR_NAME), AUX(p ".@Name", PAIR_NAME), \
                            AUX(p ".@_Name", PAIR_NAME), AUX(p ".#attributes.Name", PAIR_NAME), AUX(p "._attributes.Name", PAIR_NAME), \
                            AUX(p ".@attributes.Name", PAIR_NAME), AUX(p ".attributes.Name", PAIR_NAME), AUX(p ".value", PAIR_VALUE), \
                            AUX(p ".Value", PAIR_VALUE), AUX(p ".#text", PAIR_VALUE), AUX(p ".text", PAIR_VALUE), AUX(p "._text", PAIR_VALUE), \
                            AUX(p ".content", PAIR_VALUE), AUX(p ".key", PAIR_NAME), AUX(p ".Key", PAIR_NAME)

const struct sq_path sq_fieldmap[] = {
	/* Where EventData names stand; the best place first. */
	NAMES("winlog.event_data", 0, EVENT_DATA),
	NAMES("event_data", SQ_PATH_TEXT | SQ_PATH_LIST, EVENT_DATA_TOP),
	NAMES("Event.EventData", SQ_PATH_LIST, EVENT_DATA),
	NAMES("Event.Data", 0, EVENT_DATA),
	NAMES("EventData", SQ_PATH_TEXT | SQ_PATH_LIST, EVENT_DATA_TOP),
	NAMES("data.win.eventdata", SQ_PATH_UPPER, WAZUH),
	NAMES("win.eventdata", SQ_PATH_UPPER, WAZUH), /* before Wazuh makes an alert of it */
	NAMES("fields", SQ_PATH_DATA_, NONE),
	NAMES("winlog.user_data", 0, NONE),
	NAMES("user_data", 0, NONE),
	NAMES("Event.UserData", 0, NONE),
	NAMES("UserData", 0, NONE),
	NAMES("", SQ_PATH_ROOT, NONE),
	PAIRS("event_data.data"),
	PAIRS("event_data.Data"),
	PAIRS("EventData.Data"),
	PAIRS("Event.EventData.Data"),
	PAIRS("Data"), /* of EventData as text, too */
	PAIR_LIST("event_data"),
	PAIR_LIST("EventData"),
	PAIR_LIST("Event.EventData"),
	LIST("ReplacementStrings", NONE),
	LIST("Event.EventData.Data.#text", NONE), /* evtx_dump's data without names */
	LIST("EventData.Data.#text", NONE),
	LIST("StringInserts", STRING_INSERTS),
	LIST("string_inserts", NONE),
	LIST("Properties", NONE),
	LIST("Properties.Value", NONE),

	/* Wrappers, and places whose text may be the event. */
	WRAPPER("_source"),
	WRAPPER("event"),
	WRAPPER("body"),
	WRAPPER("Body"), /* OpenTelemetry's exporters; the next two, to Elasticsearch */
	WRAPPER("body.structured"),
	TEXT("body.text", NONE),
	WRAPPER("jsonPayload"), /* Google Cloud */
	WRAPPER("log"),
	WRAPPER("json"),
	WRAPPER("payload"),
	WRAPPER("Payload"), /* EvtxECmd */
	WRAPPER("columns"),
	WRAPPER("data"),
	WRAPPER("message"),
	WRAPPER("properties"), /* Azure's diagnostics */
	WRAPPER("result"),     /* Splunk's exports and webhooks */
	TEXT("Message", NONE),
	TEXT("MESSAGE", NONE), /* syslog-ng */
	TEXT("msg", NONE),     /* rsyslog */
	TEXT("RawXml", NONE),
	TEXT("System", SYSTEM),
	TEXT("xml", NONE),
	TEXT("raw", NONE),
	TEXT("event.original", NONE),

	TO_HINT("winlog.event_id", EVENT_ID, WINLOG),
	TO("event_id", EVENT_ID),
	TO_HINT("event_id.id", EVENT_ID, OTEL),
	TO_HINT("Event.System.EventID", EVENT_ID, EVENT_SYSTEM),
	CONTENT(TO, "Event.System.EventID", EVENT_ID),
	TO("System.EventID", EVENT_ID),
	CONTENT(TO, "System.EventID", EVENT_ID),
	TO("data.win.system.eventID", EVENT_ID),
	TO("win.system.eventID", EVENT_ID),
	TO_HINT("tags.EventID", EVENT_ID, TELEGRAF),
	TO_HINT("EventID", EVENT_ID, FLAT),
	CONTENT(TO, "EventID", EVENT_ID),
	TO("EventId", EVENT_ID),
	TO("eventid", EVENT_ID),
	TO("EventCode", EVENT_ID),
	ECS("event.code", EVENT_ID),
	WEAK("fields.EventID", EVENT_ID),
	WEAK("Id", EVENT_ID),

	TO_HINT("winlog.channel", CHANNEL, WINLOG),
	TO_HINT("log_name", CHANNEL, LOG_NAME),
	ELEMENT("Event.System.Channel", CHANNEL),
	ELEMENT("System.Channel", CHANNEL),
	TO("data.win.system.channel", CHANNEL),
	TO("win.system.channel", CHANNEL),
	TO("tags.Channel", CHANNEL),
	TO("Channel", CHANNEL),
	TO("channel", CHANNEL),
	TO("LogName", CHANNEL),
	WEAK("EventLog", CHANNEL),

	TO("winlog.provider_name", PROVIDER),
	TO("source_name", PROVIDER),
	ATTRIBUTE(TO, "Event.System.Provider", "Name", PROVIDER),
	ATTRIBUTE(TO, "System.Provider", "Name", PROVIDER),
	TO("data.win.system.providerName", PROVIDER),
	TO("win.system.providerName", PROVIDER),
	TO("tags.Source", PROVIDER),
	TO("Provider_Name", PROVIDER),
	TO_HINT("ProviderName", PROVIDER, PROVIDER_NAME),
	TO_HINT("provider_name", PROVIDER, PROVIDER_NAME_LOWER),
	TO_HINT("SourceName", PROVIDER, NXLOG),
	TO("EventSourceName", PROVIDER),
	TO("provider.name", PROVIDER),
	TO("Provider", PROVIDER),
	ECS("event.provider", PROVIDER),
	WEAK("source", PROVIDER),
	WEAK("facility", PROVIDER),

	TO("winlog.computer_name", COMPUTER),
	TO("computer_name", COMPUTER),
	ELEMENT("Event.System.Computer", COMPUTER),
	ELEMENT("System.Computer", COMPUTER),
	TO("data.win.system.computer", COMPUTER),
	TO("win.system.computer", COMPUTER),
	TO("tags.Computer", COMPUTER),
	TO("Computer", COMPUTER),
	TO("computer", COMPUTER),
	TO("Hostname", COMPUTER),
	TO("ComputerName", COMPUTER),
	TO("MachineName", COMPUTER),
	TO("host_name", COMPUTER),
	WEAK("host.name", COMPUTER),
	WEAK("host.hostname", COMPUTER),
	WEAK("host", COMPUTER),
	WEAK("hostname", COMPUTER),
	WEAK("tags.host", COMPUTER),

	TO("winlog.record_id", RECORD_ID),
	TO("record_number", RECORD_ID),
	ELEMENT("Event.System.EventRecordID", RECORD_ID),
	ELEMENT("System.EventRecordID", RECORD_ID),
	TO("data.win.system.eventRecordID", RECORD_ID),
	TO("win.system.eventRecordID", RECORD_ID),
	TO("fields.EventRecordID", RECORD_ID),
	TO("EventRecordID", RECORD_ID),
	TO("EventRecordId", RECORD_ID),
	TO("eventRecordID", RECORD_ID),
	TO("RecordNumber", RECORD_ID),
	TO("RecordId", RECORD_ID),
	TO("record_id", RECORD_ID),

	ATTRIBUTE(TO, "Event.System.TimeCreated", "SystemTime", TIME),
	TO("System.TimeCreated", TIME),
	ATTRIBUTE(TO, "System.TimeCreated", "SystemTime", TIME),
	TO("data.win.system.systemTime", TIME),
	TO("win.system.systemTime", TIME),
	TO("fields.TimeCreated", TIME),
	TO("system_time", TIME),
	TO("TimeCreated", TIME),
	TO("timeCreated", TIME),
	TO("EventTime", TIME),
	TO("TimeGenerated", TIME),
	AUX("@timestamp", STAMP),
	WEAK("timestamp", TIME),
	WEAK("date", TIME),
	WEAK("time", TIME),

	TO("Message", MESSAGE),
	TO("message", MESSAGE),
	TO("full_message", MESSAGE),
	TO("RenderingInfo.Message", MESSAGE),
	TO("Event.RenderingInfo.Message", MESSAGE),
	TO("data.win.system.message", MESSAGE),
	TO("win.system.message", MESSAGE),
	TO("fields.Message", MESSAGE),
	WEAK("MESSAGE", MESSAGE),
	WEAK("msg", MESSAGE),
	WEAK("RenderedDescription", MESSAGE), /* Azure's table Event */
	{ .path = "short_message", .kind = SQ_PATH_FIELD, .field = SQ_F_MESSAGE, .band = SQ_BAND_LAST, .hint = SQ_HINT_GELF },

	/* Elastic Common Schema: what Winlogbeat's modules and ingest pipelines make of event_data. */
	ECS("process.executable", IMAGE),
	ECS("process.command_line", COMMAND_LINE),
	ECS("process.parent.executable", PARENT_IMAGE),
	ECS("process.parent.command_line", PARENT_COMMAND_LINE),
	ECS("process.working_directory", CURRENT_DIRECTORY),
	ECS("process.entity_id", PROCESS_GUID),
	ECS("process.parent.entity_id", PARENT_PROCESS_GUID),
	ECS("process.pe.original_file_name", ORIGINAL_FILE_NAME),
	ECS("process.pe.description", DESCRIPTION),
	ECS("process.pe.product", PRODUCT),
	ECS("process.pe.company", COMPANY),
	ECS("powershell.file.script_block_text", SCRIPT_BLOCK_TEXT),
	AUX("process.args", ARGS),
	AUX("process.parent.args", PARENT_ARGS),
	AUX("process.pid", PID),
	AUX("process.parent.pid", PARENT_PID),
	AUX("user.name", ACTOR_NAME),
	AUX("user.domain", ACTOR_DOMAIN),
	AUX("process.hash.sha1", SHA1),
	AUX("process.hash.md5", MD5),
	AUX("process.hash.sha256", SHA256),
	AUX("process.pe.imphash", IMPHASH),
	AUX("process.hash.imphash", IMPHASH),
	AUX("hash.sha1", SHA1),
	AUX("hash.md5", MD5),
	AUX("hash.sha256", SHA256),
	AUX("hash.imphash", IMPHASH),

	/* HELK's names. */
	{ .path = "process_path", .kind = SQ_PATH_FIELD, .field = SQ_F_IMAGE, .band = SQ_BAND_WEAK, .hint = SQ_HINT_HELK },
	WEAK("process_command_line", COMMAND_LINE),
	WEAK("process_parent_path", PARENT_IMAGE),
	WEAK("process_parent_command_line", PARENT_COMMAND_LINE),
	WEAK("process_guid", PROCESS_GUID),
	WEAK("process_parent_guid", PARENT_PROCESS_GUID),
	WEAK("process_integrity_level", INTEGRITY_LEVEL),
	WEAK("process_current_directory", CURRENT_DIRECTORY),
	AUX("hash_sha1", SHA1),
	AUX("hash_md5", MD5),
	AUX("hash_sha256", SHA256),
	AUX("hash_imphash", IMPHASH),
	WEAK("file_description", DESCRIPTION),
	WEAK("file_product", PRODUCT),
	WEAK("file_company", COMPANY),

	/* Splunk's names, out of the rendered text. */
	WEAK("New_Process_Name", NEW_PROCESS_NAME),
	WEAK("New_Process_ID", NEW_PROCESS_ID),
	WEAK("Process_Command_Line", COMMAND_LINE),
	WEAK("Creator_Process_Name", PARENT_PROCESS_NAME),

	/* Sentinel. */
	WEAK("SubjectAccount", USER),

	AUX("winlog.event_data.param2", PARAM2),
	AUX("winlog.event_data.param3", PARAM3),
	AUX("event_data.param2", PARAM2),
	AUX("event_data.param3", PARAM3),

	AUX("SourceModuleType", MODULE),
	HINT("SourceModuleType", NXLOG),
	HINT("Hostname", NXLOG),
	HINT("data.win", WAZUH),
	HINT("meta", META),
	HINT("columns", OSQUERY),
	HINT("TenantId", SENTINEL),
	HINT("create", BULK),
	HINT("index", BULK),
	HINT("update", BULK),
	HINT("delete", BULK),

	/* Lists of events. */
	HINT("resourceLogs", LISTS),
	HINT("scopeLogs", LISTS),
	HINT("instrumentationLibraryLogs", LISTS),
	HINT("logRecords", LISTS),
	HINT("logs", LISTS),
	HINT("resource_logs", LISTS),
	HINT("scope_logs", LISTS),
	HINT("log_records", LISTS),
	HINT("records", LISTS),
	HINT("events", LISTS),
	HINT("results", LISTS),
	HINT("value", LISTS), /* Azure's answers */
	HINT("logEvents", LISTS),
	HINT("body.kvlistValue", TYPED),
	HINT("body.stringValue", TYPED),
	HINT("body.kvlist_value", TYPED),
	HINT("body.string_value", TYPED),
};
/* clang-format on */

const size_t sq_fieldmap_n = SQ_LEN(sq_fieldmap);
