#include "lib/engine/alert.h"

#include <stdio.h>

#include "lib/engine/alert_private.h"
#include "lib/text/jsonw.h"

int sq_level_severity(enum sq_level l)
{
	static const int severities[SQ_LEVELS] = {
		[SQ_LEVEL_INFORMATIONAL] = 1, [SQ_LEVEL_LOW] = 21,      [SQ_LEVEL_MEDIUM] = 47,
		[SQ_LEVEL_HIGH] = 73,         [SQ_LEVEL_CRITICAL] = 99,
	};

	return severities[l];
}

const char *sq_format_name(enum sq_format f)
{
	static const char *const names[SQ_FORMATS] = {
		[SQ_FORMAT_JSON] = "json", [SQ_FORMAT_SYSLOG] = "syslog",
		[SQ_FORMAT_CEF] = "cef",   [SQ_FORMAT_LEEF] = "leef",
		[SQ_FORMAT_OCSF] = "ocsf", [SQ_FORMAT_SYSLOG3164] = "syslog3164",
	};

	return names[f];
}

struct sq_sv sq_alert_cut(struct sq_sv v, size_t max)
{
	size_t n = max;

	if (v.n <= max)
		return v;
	/* Step back over the continuation bytes of a sequence that would be cut; more than three of
	 * them are no sequence, and the writers mend those. */
	while (n && max - n < 3 && ((unsigned char)v.p[n] & 0xc0) == 0x80)
		n--;
	return sq_sv_first(v, n);
}

struct sq_sv sq_alert_value(const struct sq_alert *al, enum sq_field field)
{
	struct sq_sv v = sq_event_get(al->event, field);

	if (sq_sv_eq(v, SQ_SV("-")) || sq_sv_eq(v, SQ_SV("(null)")))
		return (struct sq_sv){ "", 0 };
	return sq_alert_cut(v, al->value_max ? al->value_max : SQ_ALERT_VALUE_MAX);
}

void sq_alert_facts(const struct sq_alert *al, struct sq_alert_facts *ret)
{
	struct sq_sv user = sq_alert_value(al, SQ_F_USER);
	size_t slash = sq_sv_chr(user, '\\');

	*ret = (struct sq_alert_facts){
		.time_us = al->event->time_us ? al->event->time_us : al->now.wall_us,
		.host = sq_alert_value(al, SQ_F_COMPUTER),
		.user = slash == SIZE_MAX ? user : sq_sv_skip(user, slash + 1),
		.domain = slash == SIZE_MAX ? (struct sq_sv){ "", 0 } : sq_sv_first(user, slash),
		.executable = sq_alert_value(al, SQ_F_IMAGE),
		.command_line = sq_alert_value(al, SQ_F_COMMAND_LINE),
		.parent_executable = sq_alert_value(al, SQ_F_PARENT_IMAGE),
		.parent_command_line = sq_alert_value(al, SQ_F_PARENT_COMMAND_LINE),
		.channel = sq_alert_value(al, SQ_F_CHANNEL),
		.provider = sq_alert_value(al, SQ_F_PROVIDER),
		.computer = sq_alert_value(al, SQ_F_COMPUTER),
		.record_id = sq_alert_value(al, SQ_F_RECORD_ID),
	};
}

struct sq_sv sq_alert_base_name(struct sq_sv path)
{
	for (size_t i = path.n; i > 0; i--) {
		if (path.p[i - 1] == '\\' || path.p[i - 1] == '/')
			return sq_sv_skip(path, i);
	}
	return path;
}

static bool attack_tag(struct sq_sv *tag)
{
	if (!sq_sv_istarts(*tag, SQ_SV("attack.")))
		return false;
	*tag = sq_sv_skip(*tag, sizeof("attack.") - 1);
	return true;
}

static bool all_digits(struct sq_sv v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (!sq_is_digit(v.p[i]))
			return false;
	}
	return v.n > 0;
}

size_t sq_alert_technique(struct sq_sv tag, char to[16])
{
	struct sq_sv main, sub;

	if (!attack_tag(&tag) || tag.n == 0 || sq_lower((unsigned char)tag.p[0]) != 't')
		return 0;
	sub = sq_sv_skip(tag, 1);
	main = sq_sv_cut(&sub, '.');
	if (main.n != 4 || !all_digits(main))
		return 0;
	if (tag.n > 5 && (sub.n != 3 || !all_digits(sub)))
		return 0;
	memcpy(to, tag.p, tag.n); /* 5 or 9 bytes: it was just checked */
	to[0] = 'T';
	to[tag.n] = '\0';
	return tag.n;
}

/* MITRE ATT&CK for Enterprise, https://attack.mitre.org/tactics/enterprise/ . Version 19 divides
 * Defense Evasion into the last two, for which we know no numbers; rules write either. */
static const struct sq_alert_tactic tactics[] = {
	{ "TA0043", "Reconnaissance" },
	{ "TA0042", "Resource Development" },
	{ "TA0001", "Initial Access" },
	{ "TA0002", "Execution" },
	{ "TA0003", "Persistence" },
	{ "TA0004", "Privilege Escalation" },
	{ "TA0005", "Defense Evasion" },
	{ "TA0006", "Credential Access" },
	{ "TA0007", "Discovery" },
	{ "TA0008", "Lateral Movement" },
	{ "TA0009", "Collection" },
	{ "TA0011", "Command and Control" },
	{ "TA0010", "Exfiltration" },
	{ "TA0040", "Impact" },
	{ "", "Stealth" },
	{ "", "Defense Impairment" },
};

/* Tags write a tactic in lower case with '-' or, in older rules, '_' for its blanks. */
static bool same_tactic(struct sq_sv tag, struct sq_sv name)
{
	if (tag.n != name.n)
		return false;
	for (size_t i = 0; i < tag.n; i++) {
		char c = tag.p[i] == '-' || tag.p[i] == '_' ? ' ' : tag.p[i];

		if (sq_lower((unsigned char)c) != sq_lower((unsigned char)name.p[i]))
			return false;
	}
	return true;
}

const struct sq_alert_tactic *sq_alert_tactic(struct sq_sv tag)
{
	if (!attack_tag(&tag))
		return NULL;
	for (size_t i = 0; i < SQ_LEN(tactics); i++) {
		if (same_tactic(tag, sq_sv_of(tactics[i].name)))
			return &tactics[i];
	}
	return NULL;
}

struct sq_sv sq_alert_techniques(const struct sq_rule *rule, char *to, size_t cap)
{
	size_t len = 0;

	for (uint32_t i = 0; i < rule->n_tags; i++) {
		char id[16];
		size_t n = sq_alert_technique(rule->tags[i], id);

		if (n == 0 || len + n + 1 > cap)
			continue;
		if (len)
			to[len++] = ',';
		memcpy(to + len, id, n);
		len += n;
	}
	return (struct sq_sv){ to, len };
}

void sq_alert_write(struct sq_outbuf *out, enum sq_format format, const struct sq_alert *al)
{
	switch (format) {
	case SQ_FORMAT_JSON:
		sq_alert_write_json(out, al);
		return;
	case SQ_FORMAT_SYSLOG:
		sq_alert_write_syslog(out, al);
		return;
	case SQ_FORMAT_CEF:
		sq_alert_write_cef(out, al);
		return;
	case SQ_FORMAT_LEEF:
		sq_alert_write_leef(out, al);
		return;
	case SQ_FORMAT_OCSF:
		sq_alert_write_ocsf(out, al);
		return;
	case SQ_FORMAT_SYSLOG3164:
		sq_alert_write_syslog3164(out, al);
		return;
	case SQ_FORMATS:
		break;
	}
	sq_assert(!"a format");
}

/* The text with the other id. Every format tells an alert's id before anything that its event could
 * have had it in: what comes first goes into the id. */
static struct sq_sv put_renamed(struct sq_outbuf *out, const struct sq_alert_repeats *what)
{
	char old[SQ_ID_TEXT], new[SQ_ID_TEXT];
	size_t at;

	sq_id_format(what->last, old);
	sq_id_format(what->id, new);
	at = sq_sv_find(what->text, (struct sq_sv){ old, sizeof(old) });
	if (!sq_id_known(what->last) || at == SIZE_MAX)
		return what->text;
	sq_outbuf_put(out, sq_sv_first(what->text, at));
	sq_outbuf_put(out, (struct sq_sv){ new, sizeof(new) });
	return sq_sv_skip(what->text, at + sizeof(old));
}

void sq_alert_write_repeats(struct sq_outbuf *out, enum sq_format format,
                            const struct sq_alert_repeats *what)
{
	unsigned long long count = what->n;
	struct sq_sv rest = put_renamed(out, what);

	switch (format) {
	case SQ_FORMAT_JSON:
	case SQ_FORMAT_SYSLOG:
	case SQ_FORMAT_SYSLOG3164:
		/* "squibly" is the last member of the document and never empty. */
		if (!sq_sv_ends(rest, SQ_SV("}}"))) {
			sq_outbuf_put(out, rest);
			return;
		}
		sq_outbuf_put(out, sq_sv_first(rest, rest.n - 2));
		sq_outbuf_printf(out, ",\"repeats\":%llu}}", count);
		return;
	case SQ_FORMAT_OCSF:
		if (!sq_sv_ends(rest, SQ_SV("}"))) {
			sq_outbuf_put(out, rest);
			return;
		}
		sq_outbuf_put(out, sq_sv_first(rest, rest.n - 1));
		sq_outbuf_printf(out, ",\"count\":%llu}", count);
		return;
	case SQ_FORMAT_CEF:
		sq_outbuf_put(out, rest);
		sq_outbuf_printf(out, " cnt=%llu", count);
		return;
	case SQ_FORMAT_LEEF:
		sq_outbuf_put(out, rest);
		sq_outbuf_printf(out, "\tcnt=%llu", count);
		return;
	case SQ_FORMATS:
		break;
	}
	sq_assert(!"a format");
}

/* Eight ASCII letters in lower case at once; other bytes stay. */
static uint64_t lower_eight(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
	uint64_t low = v & ~tops, capitals;

	capitals = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x80 - 'Z' - 1)) & ~v & tops;
	return v | capitals >> 2;
}

/* Two multiply-and-shift hashes side by side, eight bytes at a time, with lengths mixed in so that
 * parts cannot run into each other. */
static void mix(uint64_t key[2], struct sq_sv v, bool fold_case)
{
	uint64_t a = key[0] ^ (v.n * 0x9e3779b97f4a7c15u);
	uint64_t b = key[1] + v.n;

	while (v.n) {
		uint64_t w = 0;
		size_t n = v.n < sizeof(w) ? v.n : sizeof(w);

		memcpy(&w, v.p, n);
		if (fold_case)
			w = lower_eight(w);
		a = (a ^ w) * 0x9fb21c651e98df25u;
		a ^= a >> 29;
		b = (b + w) * 0xa0761d6478bd642fu + 1;
		b ^= b >> 32;
		v = sq_sv_skip(v, n);
	}
	key[0] = (a ^ (a >> 31)) * 0xbf58476d1ce4e5b9u;
	key[1] = (b ^ (b >> 33)) * 0x94d049bb133111ebu;
}

void sq_alert_fold_key(const struct sq_alert *al, uint64_t ret[2])
{
	struct sq_sv command_line = sq_event_get(al->event, SQ_F_COMMAND_LINE);

	ret[0] = 0x243f6a8885a308d3u;
	ret[1] = 0x13198a2e03707344u;
	mix(ret, al->rule->id.n ? al->rule->id : al->rule->title, false);
	mix(ret, sq_event_get(al->event, SQ_F_COMPUTER), true);
	mix(ret, sq_sv_of(al->identity ? al->identity->user : ""), false);
	mix(ret, sq_sv_of(al->identity ? al->identity->subject : ""), false);
	mix(ret, al->tenant, false);
	mix(ret, command_line, false);
	if (command_line.n)
		return;
	for (uint32_t i = 0; i < al->hit->n_matched; i++)
		mix(ret, al->hit->matched[i].value, false);
}
