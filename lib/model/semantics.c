#include "lib/model/semantics.h"

#include <stdio.h>

#include "lib/base/time.h"
#include "lib/model/logsource.h"
#include "lib/model/message.h"
#include "lib/model/positions.h"
#include "lib/model/shape.h"
#include "lib/text/xml.h"

static bool has_text(struct sq_collect *c, uint32_t field)
{
	return sq_collect_get(c, field).n > 0;
}

static struct sq_sv number_text(struct sq_collect *c, uint64_t u)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)u);

	return sq_collect_keep(c, (struct sq_sv){ text, (size_t)n }, false);
}

/* Significant digits and the power of ten behind them: 4.688e3 is 4688 and 0. */
static bool decimal_parts(struct sq_sv text, uint64_t *ret_digits, int64_t *ret_power)
{
	uint64_t digits = 0;
	int64_t power = 0, e = 0;
	bool point = false, any = false;

	for (; text.n && (sq_is_digit(text.p[0]) || (text.p[0] == '.' && !point));
	     text = sq_sv_skip(text, 1)) {
		if (text.p[0] == '.') {
			point = true;
			continue;
		}
		any = true;
		if (digits > UINT64_MAX / 100)
			return false;
		digits = digits * 10 + (unsigned)(text.p[0] - '0');
		power -= point;
	}
	if (text.n && (text.p[0] == 'e' || text.p[0] == 'E')) {
		text = sq_sv_skip(text, 1);
		if (text.n && text.p[0] == '+')
			text = sq_sv_skip(text, 1);
		if (!sq_sv_to_i64(text, &e) || e > 100 || e < -100)
			return false;
		text.n = 0;
	}
	*ret_digits = digits;
	*ret_power = power + e;
	return any && text.n == 0;
}

/* Number of an event id: "4688", "4688.0", "4.688e3", "0x1250". @return false: none */
static bool parse_event_id(struct sq_sv text, uint32_t *ret)
{
	uint64_t u;
	int64_t power;

	text = sq_sv_trim(text);
	if (!sq_sv_to_u64(text, &u)) {
		if (!decimal_parts(text, &u, &power))
			return false;
		for (; power > 0 && u <= UINT32_MAX; power--)
			u *= 10;
		for (; power < 0 && u % 10 == 0 && u; power++)
			u /= 10;
		if (power < 0 && u)
			return false;
	}
	if (u > UINT32_MAX)
		return false;
	*ret = (uint32_t)u;
	return true;
}

/* Every value counts, so that a second EventID does not hide the first; process creation is what
 * we are here for. The texts become plain decimal, since rules compare them as such. */
static void find_event_id(struct sq_collect *c, enum sq_source source)
{
	struct sq_event *ev = c->ev;
	struct sq_value *v = &c->values[SQ_F_EVENT_ID];
	bool first = true;

	for (;; v = &ev->more[v->more - 1]) {
		enum sq_category category;
		uint32_t id;

		if (v->kind >= SQ_VALUE_TEXT && parse_event_id(sq_value_sv(v), &id)) {
			uint64_t plain;

			if (v->p[0] == '0' || v->n > 10 || !sq_is_digit(v->p[v->n - 1]) ||
			    !sq_sv_to_u64(sq_value_sv(v), &plain)) {
				struct sq_sv text = number_text(c, id);

				v->p = text.p;
				v->n = (uint32_t)text.n;
			}
			category = sq_category_of(ev, source, id);
			if (first || (category == SQ_CATEGORY_PROCESS_CREATION &&
			              ev->category != category)) {
				ev->event_id = id;
				ev->category = category;
			}
			first = false;
		}
		if (!v->more)
			return;
	}
}

/* NXLog CE cuts EventData out of the XML and leaves its entities in. */
static void decode_entities(struct sq_collect *c)
{
	struct sq_event *ev = c->ev;

	for (uint32_t i = SQ_F_IMAGE; i < c->n_fields; i++) {
		struct sq_value *v = &c->values[i];

		if (v->kind != SQ_VALUE_TEXT)
			continue;
		for (;; v = &ev->more[v->more - 1]) {
			if (v->n && memchr(v->p, '&', v->n)) {
				struct sq_sv text = sq_xml_decode(sq_value_sv(v), c->arena);

				v->p = text.p;
				v->n = (uint32_t)text.n;
			}
			if (!v->more)
				break;
		}
	}
}

static void put_decimal(struct sq_collect *c, uint32_t to, struct sq_value from)
{
	struct sq_value *v = &c->values[to];
	struct sq_sv text;
	uint64_t u;

	*v = from;
	if (v->kind < SQ_VALUE_TEXT || v->n < 3 || v->p[0] != '0' ||
	    !sq_sv_to_u64(sq_value_sv(v), &u))
		return;
	text = number_text(c, u);
	*v = (struct sq_value){ text.p, (uint32_t)text.n, from.more, SQ_VALUE_NUMBER, from.rank };
}

/* Value of `field`, or when it has none that of `other`. */
static struct sq_value either(struct sq_collect *c, uint32_t field, uint32_t other)
{
	const struct sq_value *v = sq_collect_slot(c, field);

	return v->kind >= SQ_VALUE_TEXT && v->n ? *v : *sq_collect_slot(c, other);
}

static void put_made(struct sq_collect *c, uint32_t field, struct sq_sv text)
{
	c->values[field] =
		(struct sq_value){ text.p, (uint32_t)text.n, 0, SQ_VALUE_TEXT, SQ_BAND_MADE };
}

/* "DOMAIN\name", or the name alone. */
static struct sq_sv account(struct sq_collect *c, struct sq_sv domain, struct sq_sv name)
{
	char *p;

	if (domain.n == 0 || name.n == 0)
		return name;
	p = sq_arena_bytes(c->arena, domain.n + 1 + name.n);
	if (!p)
		return name;
	memcpy(p, domain.p, domain.n);
	p[domain.n] = '\\';
	memcpy(p + domain.n + 1, name.p, name.n);
	return (struct sq_sv){ p, domain.n + 1 + name.n };
}

/* "S-1-16-12288", or the rendered "Mandatory Label\High Mandatory Level". */
static struct sq_sv integrity(struct sq_sv label)
{
	static const struct {
		struct sq_sv sid, level;
	} rows[] = {
		{ SQ_SV("S-1-16-0"), SQ_SV("Untrusted") },
		{ SQ_SV("S-1-16-4096"), SQ_SV("Low") },
		{ SQ_SV("S-1-16-8192"), SQ_SV("Medium") },
		{ SQ_SV("S-1-16-8448"), SQ_SV("MediumPlus") },
		{ SQ_SV("S-1-16-12288"), SQ_SV("High") },
		{ SQ_SV("S-1-16-16384"), SQ_SV("System") },
		{ SQ_SV("S-1-16-20480"), SQ_SV("Protected") },
	};
	static const struct sq_sv before = SQ_SV("Mandatory Label\\");
	static const struct sq_sv after = SQ_SV(" Mandatory Level");

	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		if (sq_sv_ieq(label, rows[i].sid))
			return rows[i].level;
	}
	if (sq_sv_istarts(label, before))
		label = sq_sv_skip(label, before.n);
	if (sq_sv_iends(label, after))
		label.n -= after.n;
	return label;
}

static void put_subject(struct sq_collect *c)
{
	if (has_text(c, SQ_F_SUBJECT_USER_NAME))
		put_made(c, SQ_F_USER,
		         account(c, sq_collect_get(c, SQ_F_SUBJECT_DOMAIN_NAME),
		                 sq_collect_get(c, SQ_F_SUBJECT_USER_NAME)));
}

/* What stands under another name counts too, when it is different. */
static void put_beside(struct sq_collect *c, uint32_t field, uint32_t other)
{
	const struct sq_value *v = &c->values[other];

	if (has_text(c, field) && has_text(c, other))
		sq_collect_put(c, field,
		               &(struct sq_found){ sq_value_sv(v), v->kind, SQ_BAND_MESSAGE - 1,
		                                   true, false });
}

static void finish_4688(struct sq_collect *c)
{
	struct sq_value *v = c->values;
	struct sq_value creator = v[SQ_F_PROCESS_ID];

	put_beside(c, SQ_F_NEW_PROCESS_NAME, SQ_F_IMAGE);
	put_beside(c, SQ_F_PARENT_PROCESS_NAME, SQ_F_PARENT_IMAGE);
	v[SQ_F_IMAGE] = v[SQ_F_NEW_PROCESS_NAME] = either(c, SQ_F_NEW_PROCESS_NAME, SQ_F_IMAGE);
	v[SQ_F_PARENT_IMAGE] = v[SQ_F_PARENT_PROCESS_NAME] =
		either(c, SQ_F_PARENT_PROCESS_NAME, SQ_F_PARENT_IMAGE);
	put_decimal(c, SQ_F_PROCESS_ID, either(c, SQ_F_NEW_PROCESS_ID, SQ_AUX_PID));
	put_decimal(c, SQ_F_PARENT_PROCESS_ID,
	            creator.n ? creator : either(c, SQ_F_PARENT_PROCESS_ID, SQ_AUX_PARENT_PID));
	v[SQ_F_LOGON_ID] = either(c, SQ_F_LOGON_ID, SQ_F_SUBJECT_LOGON_ID);
	put_subject(c);
	if (has_text(c, SQ_F_MANDATORY_LABEL))
		put_made(c, SQ_F_INTEGRITY_LEVEL,
		         integrity(sq_collect_get(c, SQ_F_MANDATORY_LABEL)));
}

/* The end of a process, and what it opened: Windows calls its image ProcessName here. */
static void finish_security_process(struct sq_collect *c)
{
	struct sq_value *v = c->values;

	v[SQ_F_IMAGE] = v[SQ_F_PROCESS_NAME] = either(c, SQ_F_PROCESS_NAME, SQ_F_IMAGE);
	put_decimal(c, SQ_F_PROCESS_ID, either(c, SQ_F_PROCESS_ID, SQ_AUX_PID));
	put_subject(c);
}

/* HELK writes every backslash twice, as text. */
static void halve_backslashes(struct sq_collect *c, struct sq_value *v)
{
	char *p, *to;

	if (v->kind != SQ_VALUE_TEXT || v->rank < SQ_BAND_WEAK || v->rank >= SQ_BAND_MESSAGE)
		return;
	for (uint32_t i = 0; i < v->n; i++) {
		if (v->p[i] == '\\' && (i + 1 == v->n || v->p[++i] != '\\'))
			return; /* a single one: this value is as it should be */
	}
	p = to = sq_arena_bytes(c->arena, v->n);
	if (!p)
		return;
	for (uint32_t i = 0; i < v->n; i++) {
		*to++ = v->p[i];
		i += v->p[i] == '\\';
	}
	v->p = p;
	v->n = (uint32_t)(to - p);
}

/* "SHA1=..,MD5=..": ECS has them apart and in lower case. */
static void make_hashes(struct sq_collect *c)
{
	static const struct sq_sv names[] = { SQ_SV("SHA1="), SQ_SV("MD5="), SQ_SV("SHA256="),
		                              SQ_SV("IMPHASH=") };
	char text[512];
	size_t n = 0;

	for (uint32_t i = 0; i < SQ_LEN(names); i++) {
		struct sq_sv hash = sq_collect_get(c, SQ_AUX_SHA1 + i);

		if (hash.n == 0 || hash.n > 64)
			continue;
		if (n)
			text[n++] = ',';
		memcpy(text + n, names[i].p, names[i].n);
		n += names[i].n;
		for (size_t k = 0; k < hash.n; k++) {
			char h = hash.p[k];

			text[n++] = (char)(h >= 'a' && h <= 'f' ? h - 32 : h);
		}
	}
	if (n)
		put_made(c, SQ_F_HASHES, sq_collect_keep(c, (struct sq_sv){ text, n }, false));
}

/* Winlogbeat 7.2 to 7.7 has the command line as its arguments only; they are joined already. */
static void use_args(struct sq_collect *c, uint32_t args, uint32_t field)
{
	if (has_text(c, args) && !has_text(c, field))
		put_made(c, field, sq_collect_get(c, args));
}

static void finish_ecs(struct sq_collect *c)
{
	/* Without `winlog` the record's `user` is the account of the logging process. */
	if (sq_collect_hinted(c, SQ_HINT_WINLOG) && !has_text(c, SQ_F_USER) &&
	    has_text(c, SQ_AUX_ACTOR_NAME))
		put_made(c, SQ_F_USER,
		         account(c, sq_collect_get(c, SQ_AUX_ACTOR_DOMAIN),
		                 sq_collect_get(c, SQ_AUX_ACTOR_NAME)));
	if (!has_text(c, SQ_F_HASHES))
		make_hashes(c);
	use_args(c, SQ_AUX_ARGS, SQ_F_COMMAND_LINE);
	use_args(c, SQ_AUX_PARENT_ARGS, SQ_F_PARENT_COMMAND_LINE);
}

static bool is_security_process(const struct sq_event *ev, enum sq_source source)
{
	uint32_t id = ev->event_id;

	return source == SQ_SOURCE_SECURITY &&
	       (id == 4689 || id == 4656 || id == 4657 || id == 4658 || id == 4663);
}

static bool is_powershell(const struct sq_event *ev, enum sq_source source)
{
	return source == SQ_SOURCE_POWERSHELL_CLASSIC ||
	       (source == SQ_SOURCE_POWERSHELL && ev->event_id == 4103);
}

static bool find_positions(struct sq_collect *c, enum sq_source source)
{
	if (c->ev->category == SQ_CATEGORY_PROCESS_CREATION)
		return source == SQ_SOURCE_SYSMON ? sq_positions_sysmon_1(c)
		                                  : sq_positions_security_4688(c);
	return source == SQ_SOURCE_SECURITY && c->ev->event_id == 4689 &&
	       sq_positions_security_4689(c);
}

/* The values have no names, or are not there at all. */
static void find_data(struct sq_collect *c, enum sq_source source)
{
	struct sq_event *ev = c->ev;
	bool creation = ev->category == SQ_CATEGORY_PROCESS_CREATION;
	bool image = has_text(c, SQ_F_IMAGE) || has_text(c, SQ_F_NEW_PROCESS_NAME) ||
	             has_text(c, SQ_F_PROCESS_NAME);
	bool named = c->n_data > 0;

	if (!named && c->n_list && find_positions(c, source))
		named = image = true;
	if (!has_text(c, SQ_F_MESSAGE))
		return;
	if (creation && source == SQ_SOURCE_SYSMON) {
		if (!image || !has_text(c, SQ_F_COMMAND_LINE) || !has_text(c, SQ_F_PROCESS_ID))
			sq_message_sysmon_1(c);
	} else if (creation) {
		if (!image || !has_text(c, SQ_F_COMMAND_LINE) || !has_text(c, SQ_F_PROCESS_ID))
			sq_message_security_4688(c);
	} else if (source == SQ_SOURCE_SYSMON) {
		if (!named && !has_text(c, SQ_F_UTC_TIME))
			sq_message_sysmon(c);
		else if (!has_text(c, SQ_F_PROCESS_ID))
			sq_message_process_id(c);
	} else if (is_security_process(ev, source)) {
		if (!image || !has_text(c, SQ_F_PROCESS_ID))
			sq_message_security_process(c);
	}
}

static int64_t time_of(struct sq_sv text, bool *ret_zoned)
{
	static const struct sq_sv wrap = SQ_SV("/Date(");
	int64_t us;

	*ret_zoned = true;
	if (text.n == 0)
		return 0;
	if (sq_sv_starts(text, wrap)) {
		text = sq_sv_skip(text, wrap.n);
		text = sq_sv_cut(&text, ')');
	}
	return sq_time_parse(text, &us, ret_zoned) || sq_time_parse_epoch(text, &us) ? us : 0;
}

/* A time with a zone beats one without, even when a relay took it: NXLog's EventTime is local, and
 * hours off is worse than seconds off. Sysmon's UtcTime is the one that is neither. */
static void find_time(struct sq_collect *c, enum sq_source source, const struct sq_syslog *header)
{
	const struct sq_value *stamp = sq_collect_slot(c, SQ_AUX_STAMP);
	int64_t own, relayed = 0;
	bool zoned;

	if (!has_text(c, SQ_F_TIME) && stamp->kind >= SQ_VALUE_TEXT)
		c->values[SQ_F_TIME] = *stamp;
	if (source == SQ_SOURCE_SYSMON)
		c->ev->time_us = time_of(sq_collect_get(c, SQ_F_UTC_TIME), &zoned);
	if (c->ev->time_us)
		return;
	own = time_of(sq_collect_get(c, SQ_F_TIME), &zoned);
	if (!own || !zoned) {
		relayed = time_of(sq_collect_get(c, SQ_AUX_STAMP), &zoned);
		if (!zoned || !relayed)
			relayed = header ? header->time_us : 0;
	}
	c->ev->time_us = relayed ? relayed : own;
}

void sq_semantics_finish(struct sq_collect *c, const struct sq_syslog *header)
{
	struct sq_event *ev = c->ev;
	enum sq_source source = sq_source_of(ev);

	find_event_id(c, source);
	if (c->n_list)
		c->hints |= 1u << SQ_HINT_LIST;
	if (sq_sv_eq(sq_collect_get(c, SQ_AUX_MODULE), SQ_SV("im_msvistalog")))
		decode_entities(c);
	if (c->n_list && sq_collect_hinted(c, SQ_HINT_PROVIDER_NAME) &&
	    !has_text(c, SQ_F_MESSAGE)) { /* fluentd's rendered text */
		c->values[SQ_F_MESSAGE] = c->values[SQ_F_DESCRIPTION];
		c->values[SQ_F_DESCRIPTION] = (struct sq_value){ 0 };
	}
	if (sq_collect_slot(c, SQ_AUX_PID)->kind && ev->event_id != 4688)
		c->values[SQ_F_PROCESS_ID] = either(c, SQ_F_PROCESS_ID, SQ_AUX_PID);
	if (sq_collect_slot(c, SQ_AUX_PARENT_PID)->kind && ev->event_id != 4688)
		c->values[SQ_F_PARENT_PROCESS_ID] =
			either(c, SQ_F_PARENT_PROCESS_ID, SQ_AUX_PARENT_PID);
	find_data(c, source);
	if (is_powershell(ev, source))
		sq_message_powershell(c);
	finish_ecs(c);
	if (sq_collect_hinted(c, SQ_HINT_HELK)) {
		for (uint32_t i = SQ_F_IMAGE; i < SQ_F_PRODUCED; i++)
			halve_backslashes(c, &c->values[i]);
	}
	if (is_security_process(ev, source)) {
		finish_security_process(c);
	} else if (ev->category == SQ_CATEGORY_PROCESS_CREATION && source != SQ_SOURCE_SYSMON) {
		finish_4688(c);
	} else if (ev->category == SQ_CATEGORY_PROCESS_CREATION) {
		put_decimal(c, SQ_F_PROCESS_ID, c->values[SQ_F_PROCESS_ID]);
		put_decimal(c, SQ_F_PARENT_PROCESS_ID, c->values[SQ_F_PARENT_PROCESS_ID]);
	}
	if (header && header->host.n)
		sq_collect_text(c, SQ_F_COMPUTER, SQ_BAND_LAST, header->host);
	find_time(c, source, header);
	ev->shape = sq_shape_of(c);
	if (c->arena->overflow)
		ev->flags |= SQ_EVENT_OVERFLOW;
}
