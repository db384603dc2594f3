/* The encodings that are a line of text of another standard: syslog RFC 5424 and RFC 3164 with the
 * JSON as its message, CEF (ArcSight), LEEF 2.0 (QRadar).
 *
 * What an event says ends up between separators, so each is escaped as its standard says; control
 * characters, which no standard knows how to write, become '?', and what is not UTF-8 U+FFFD.
 */
#include "lib/engine/alert_private.h"
#include "lib/text/jsonw.h"

enum {
	FACILITY_AUDIT = 13, /* RFC 5424: log audit */
	SYSLOG_HOST_MAX = 255,
	SYSLOG_MSGID_MAX = 32,
	CEF_STRING_MAX = 4000, /* custom strings; the dictionary's other limits below */
	CEF_NAME_MAX = 1023,
};

/* A header field: printable ASCII without blanks, "-" when empty. */
static void syslog_field(struct sq_outbuf *out, struct sq_sv v, size_t max)
{
	v = sq_sv_first(v, max);
	if (v.n == 0)
		sq_outbuf_putc(out, '-');
	for (size_t i = 0; i < v.n; i++)
		sq_outbuf_putc(out, v.p[i] > 0x20 && v.p[i] < 0x7f ? v.p[i] : '_');
}

/* MSGID has room for 32 bytes: a UUID without its dashes just fits. A longer id that is none would
 * be cut to something that names nothing. */
static void syslog_msgid(struct sq_outbuf *out, struct sq_sv id)
{
	char text[SYSLOG_MSGID_MAX];
	size_t n = 0;

	if (id.n && id.n <= SYSLOG_MSGID_MAX) {
		syslog_field(out, id, SYSLOG_MSGID_MAX);
		return;
	}
	for (size_t i = 0; i < id.n; i++) {
		if (id.p[i] == '-')
			continue;
		if (n == sizeof(text)) {
			n = 0;
			break;
		}
		text[n++] = id.p[i];
	}
	syslog_field(out, n ? (struct sq_sv){ text, n } : SQ_SV("alert"), SYSLOG_MSGID_MAX);
}

static int priority(const struct sq_alert *al)
{
	static const int severities[SQ_LEVELS] = {
		[SQ_LEVEL_INFORMATIONAL] = 6, [SQ_LEVEL_LOW] = 5,      [SQ_LEVEL_MEDIUM] = 4,
		[SQ_LEVEL_HIGH] = 3,          [SQ_LEVEL_CRITICAL] = 2,
	};

	return FACILITY_AUDIT * 8 + severities[al->rule->level];
}

void sq_alert_write_syslog(struct sq_outbuf *out, const struct sq_alert *al)
{
	char time[SQ_TIME_TEXT];

	(void)sq_time_format(al->now.wall_us, time); /* terminated */
	sq_outbuf_printf(out, "<%d>1 %s ", priority(al), time);
	syslog_field(out, sq_sv_of(al->observer->hostname), SYSLOG_HOST_MAX);
	sq_outbuf_put(out, SQ_SV(" squiblyd - "));
	syslog_msgid(out, al->rule->id);
	/* No BOM before the message: RFC 5424 asks for one, and the receivers that look for JSON
	 * stumble over it. */
	sq_outbuf_put(out, SQ_SV(" - "));
	sq_alert_write_json(out, al);
}

/* RFC 3164, 4.1.2: the name of the host without its domain. An address stays whole. */
static struct sq_sv bsd_host(const char *hostname)
{
	struct sq_sv name = sq_sv_of(hostname);
	bool address = true;

	for (size_t i = 0; i < name.n; i++)
		address &= sq_is_digit(name.p[i]) || name.p[i] == '.';
	address |= sq_sv_chr(name, ':') != SIZE_MAX;
	return address ? name : sq_sv_cut(&name, '.');
}

void sq_alert_write_syslog3164(struct sq_outbuf *out, const struct sq_alert *al)
{
	char time[SQ_TIME_BSD];

	sq_time_format_bsd(al->now.wall_us + al->now.east_s * INT64_C(1000000), time);
	sq_outbuf_printf(out, "<%d>%s ", priority(al), time);
	syslog_field(out, bsd_host(al->observer->hostname), SYSLOG_HOST_MAX);
	sq_outbuf_put(out, SQ_SV(" squiblyd: "));
	sq_alert_write_json(out, al);
}

/** How one byte that needs it is written; empty = as it is. */
typedef struct sq_sv escape_fn(char c);

static struct sq_sv control(char c)
{
	if ((unsigned char)c < 0x20 || c == 0x7f)
		return SQ_SV("?");
	return (struct sq_sv){ 0 };
}

static struct sq_sv blank_or_control(char c)
{
	return sq_is_space(c) ? SQ_SV(" ") : control(c);
}

static struct sq_sv cef_header(char c)
{
	if (c == '|')
		return SQ_SV("\\|");
	if (c == '\\')
		return SQ_SV("\\\\");
	return blank_or_control(c);
}

static struct sq_sv cef_value(char c)
{
	if (c == '=')
		return SQ_SV("\\=");
	if (c == '\\')
		return SQ_SV("\\\\");
	if (c == '\n')
		return SQ_SV("\\n");
	if (c == '\r')
		return SQ_SV("\\r");
	return c == '\t' ? SQ_SV(" ") : control(c);
}

/* LEEF has no escapes at all. */
static struct sq_sv leef_header(char c)
{
	return c == '|' ? SQ_SV("_") : blank_or_control(c);
}

static void put_escaped(struct sq_outbuf *out, struct sq_sv v, escape_fn *escape)
{
	while (v.n) {
		size_t n = sq_utf8_length(v);
		struct sq_sv as = n == 0   ? SQ_SV("\xef\xbf\xbd")
		                  : n == 1 ? escape(v.p[0])
		                           : (struct sq_sv){ 0 };

		if (n == 2 && (unsigned char)v.p[0] == 0xc2 && (unsigned char)v.p[1] < 0xa0)
			as = SQ_SV("?"); /* U+0080 to U+009F: control characters too */
		sq_outbuf_put(out, as.n ? as : sq_sv_first(v, n));
		v = sq_sv_skip(v, n ? n : 1);
	}
}

/* The extension of a line: key=value, with `separator` between pairs. */
struct pairs {
	struct sq_outbuf *out;
	escape_fn *escape;
	char separator;
	bool more;
};

static void key(struct pairs *p, const char *name)
{
	if (p->more)
		sq_outbuf_putc(p->out, p->separator);
	p->more = true;
	sq_outbuf_put(p->out, sq_sv_of(name));
	sq_outbuf_putc(p->out, '=');
}

static void pair(struct pairs *p, const char *name, struct sq_sv v, size_t max)
{
	if (v.n == 0)
		return;
	key(p, name);
	put_escaped(p->out, sq_alert_cut(v, max), p->escape);
}

static void pair_number(struct pairs *p, const char *name, int64_t v)
{
	key(p, name);
	sq_outbuf_printf(p->out, "%lld", (long long)v);
}

static void pair_id(struct pairs *p, const char *name, const uint64_t id[2])
{
	char text[SQ_ID_TEXT];

	if (!sq_id_known(id))
		return;
	sq_id_format(id, text);
	key(p, name);
	sq_outbuf_put(p->out, (struct sq_sv){ text, sizeof(text) });
}

static void pair_pid(struct pairs *p, const char *name, struct sq_sv v)
{
	uint64_t n;

	if (sq_sv_to_u64(v, &n) && n <= UINT32_MAX)
		pair_number(p, name, (int64_t)n);
}

/* CEF's custom strings: csN with its meaning in csNLabel. */
static void custom(struct pairs *p, const char *label_key, const char *label, const char *name,
                   struct sq_sv v)
{
	if (v.n == 0)
		return;
	pair(p, label_key, sq_sv_of(label), CEF_STRING_MAX);
	pair(p, name, v, CEF_STRING_MAX);
}

/* "Field: value; Field: value", as much as fits into `max` bytes before escaping. */
static void matched(struct pairs *p, const struct sq_hit *hit, size_t max)
{
	for (uint32_t i = 0; i < hit->n_matched; i++) {
		struct sq_sv field = sq_sv_of(hit->matched[i].field);
		struct sq_sv value = hit->matched[i].value;
		size_t fixed = field.n + 4; /* ": " and "; " */

		if (fixed >= max)
			return;
		max -= fixed;
		value = sq_alert_cut(value, max);
		max -= value.n;
		if (i)
			put_escaped(p->out, SQ_SV("; "), p->escape);
		put_escaped(p->out, field, p->escape);
		put_escaped(p->out, SQ_SV(": "), p->escape);
		put_escaped(p->out, value, p->escape);
	}
}

/* The alternative names of the sender's certificate with commas between. */
static void names(struct pairs *p, const char *name, const char *list, size_t max)
{
	char text[sizeof(((struct sq_identity *)0)->names)];
	struct sq_sv rest = sq_sv_of(list);
	size_t n = 0;

	while (rest.n) {
		struct sq_sv one = sq_alert_next_name(&rest);

		if (!one.n)
			continue;
		if (n + one.n + 1 > sizeof(text))
			break;
		if (n)
			text[n++] = ',';
		memcpy(text + n, one.p, one.n);
		n += one.n;
	}
	pair(p, name, (struct sq_sv){ text, n }, max);
}

/* What the tables of the site know of host and sender: the object that JSON has as squibly.context,
 * whole, since no part of it could be read. Names of columns are anybody's, so they make no keys.
 */
static void context(struct pairs *p, const char *name, const struct sq_alert *al)
{
	struct sq_lookup_found found[SQ_LOOKUP_TABLES];
	size_t n = sq_lookups_find(al->lookups, sq_alert_value(al, SQ_F_COMPUTER),
	                           sq_sv_of(al->peer ? al->peer : ""), found);

	if (!n)
		return;
	key(p, name);
	for (size_t i = 0; i < n; i++) {
		put_escaped(p->out, i ? SQ_SV("},") : SQ_SV("{"), p->escape);
		put_escaped(p->out, found[i].head, p->escape);
		put_escaped(p->out, found[i].members, p->escape);
	}
	put_escaped(p->out, SQ_SV("}}"), p->escape);
}

/* Both standards count severity from 0 (LEEF: 1) to 10. */
static int ten(enum sq_level l)
{
	static const int severities[SQ_LEVELS] = {
		[SQ_LEVEL_INFORMATIONAL] = 1, [SQ_LEVEL_LOW] = 3,       [SQ_LEVEL_MEDIUM] = 5,
		[SQ_LEVEL_HIGH] = 8,          [SQ_LEVEL_CRITICAL] = 10,
	};

	return severities[l];
}

static struct sq_sv rule_id(const struct sq_rule *rule)
{
	return rule->id.n ? rule->id : SQ_SV("alert");
}

/* The dictionary has no places for these, since its source and destination are those of the event;
 * keys of one's own begin with the product's name. */
static void cef_sender(struct pairs *p, const struct sq_identity *id)
{
	custom(p, "flexString1Label", "senderUser", "flexString1", sq_sv_of(id->user));
	custom(p, "flexString2Label", "senderCertificate", "flexString2", sq_sv_of(id->subject));
	names(p, "squiblydSenderNames", id->names, CEF_NAME_MAX);
	pair(p, "squiblydProxy", sq_sv_of(id->proxy), CEF_NAME_MAX);
}

/* To find the event again. CEF's only fields for numbers of one's own take no text, but a record
 * id is a number whoever wrote it. */
static void cef_record(struct pairs *p, const struct sq_alert *al, struct sq_sv record)
{
	uint64_t n;

	if (sq_sv_to_u64(record, &n) && n <= INT64_MAX) {
		pair(p, "cn1Label", SQ_SV("recordId"), CEF_STRING_MAX);
		pair_number(p, "cn1", (int64_t)n);
	}
	pair_id(p, "squiblydEventId", al->event_id);
}

void sq_alert_write_cef(struct sq_outbuf *out, const struct sq_alert *al)
{
	struct pairs p = { .out = out, .escape = cef_value, .separator = ' ' };
	const char *version = al->observer->version;
	struct sq_alert_facts f;
	char techniques[256];

	sq_alert_facts(al, &f);
	sq_outbuf_put(out, SQ_SV("CEF:0|squiblyd|squiblyd|"));
	put_escaped(out, sq_sv_of(version ? version : ""), cef_header);
	sq_outbuf_putc(out, '|');
	put_escaped(out, sq_alert_cut(rule_id(al->rule), CEF_NAME_MAX), cef_header);
	sq_outbuf_putc(out, '|');
	put_escaped(out, sq_alert_cut(al->rule->title, 512), cef_header);
	sq_outbuf_printf(out, "|%d|", ten(al->rule->level));

	pair_number(&p, "rt", f.time_us / 1000);
	pair_id(&p, "externalId", al->id);
	pair(&p, "dvchost", sq_sv_of(al->observer->hostname), 100);
	pair(&p, "dhost", f.host, 255);
	pair(&p, "dntdom", f.domain, 255);
	pair(&p, "duser", f.user, CEF_NAME_MAX);
	pair(&p, "dproc", f.executable, CEF_NAME_MAX);
	pair_pid(&p, "dpid", sq_alert_value(al, SQ_F_PROCESS_ID));
	pair(&p, "cat", sq_alert_techniques(al->rule, techniques, sizeof(techniques)),
	     CEF_NAME_MAX);
	pair(&p, "deviceFacility", f.channel, CEF_NAME_MAX);
	cef_record(&p, al, f.record_id);
	custom(&p, "cs1Label", "commandLine", "cs1", f.command_line);
	custom(&p, "cs2Label", "parentProcess", "cs2", f.parent_executable);
	custom(&p, "cs3Label", "parentCommandLine", "cs3", f.parent_command_line);
	custom(&p, "cs4Label", "eventCode", "cs4", sq_alert_value(al, SQ_F_EVENT_ID));
	if (al->hit->n_matched) {
		pair(&p, "cs5Label", SQ_SV("matched"), CEF_STRING_MAX);
		key(&p, "cs5");
		matched(&p, al->hit, CEF_STRING_MAX);
	}
	custom(&p, "cs6Label", "peer", "cs6", sq_sv_of(al->peer ? al->peer : ""));
	if (al->identity)
		cef_sender(&p, al->identity);
	pair(&p, "squiblydTenant", al->tenant, CEF_NAME_MAX);
	context(&p, "squiblydContext", al);
}

void sq_alert_write_leef(struct sq_outbuf *out, const struct sq_alert *al)
{
	size_t max = al->value_max ? al->value_max : SQ_ALERT_VALUE_MAX;
	struct pairs p = { .out = out, .escape = blank_or_control, .separator = '\t' };
	const char *version = al->observer->version;
	struct sq_alert_facts f;
	char techniques[256];

	sq_alert_facts(al, &f);
	sq_outbuf_put(out, SQ_SV("LEEF:2.0|squiblyd|squiblyd|"));
	put_escaped(out, sq_sv_of(version ? version : ""), leef_header);
	sq_outbuf_putc(out, '|');
	put_escaped(out, rule_id(al->rule), leef_header);
	sq_outbuf_put(out, SQ_SV("|x09|"));

	pair_number(&p, "devTime", f.time_us / 1000);
	pair_number(&p, "sev", ten(al->rule->level));
	pair_id(&p, "alertId", al->id);
	pair(&p, "cat", sq_alert_techniques(al->rule, techniques, sizeof(techniques)), max);
	pair(&p, "identHostName", f.host, max);
	pair(&p, "domain", f.domain, max);
	pair(&p, "usrName", f.user, max);
	pair(&p, "ruleName", al->rule->title, max);
	pair(&p, "level", sq_sv_of(sq_level_name(al->rule->level)), max);
	pair(&p, "process", f.executable, max);
	pair_pid(&p, "processId", sq_alert_value(al, SQ_F_PROCESS_ID));
	pair(&p, "commandLine", f.command_line, max);
	pair(&p, "parentProcess", f.parent_executable, max);
	pair(&p, "parentCommandLine", f.parent_command_line, max);
	pair(&p, "channel", f.channel, max);
	pair(&p, "eventCode", sq_alert_value(al, SQ_F_EVENT_ID), max);
	pair(&p, "recordId", f.record_id, max);
	pair_id(&p, "eventId", al->event_id);
	if (al->hit->n_matched) {
		key(&p, "matched");
		matched(&p, al->hit, max);
	}
	pair(&p, "peer", sq_sv_of(al->peer ? al->peer : ""), max);
	if (al->identity) {
		pair(&p, "senderUser", sq_sv_of(al->identity->user), max);
		pair(&p, "senderCertificate", sq_sv_of(al->identity->subject), max);
		names(&p, "senderNames", al->identity->names, max);
		pair(&p, "proxy", sq_sv_of(al->identity->proxy), max);
	}
	pair(&p, "tenant", al->tenant, max);
	context(&p, "context", al);
	pair(&p, "observer", sq_sv_of(al->observer->hostname), max);
}
