/* What the encodings of an alert share. Included by lib/engine/alert*.c and their tests only.
 */
#pragma once

#include "lib/engine/alert.h"
#include "lib/text/jsonw.h"

enum { SQ_TACTIC_TEXT = 64 };

/** Facts of an alert in the form that every encoding wants them; views into event and rule. */
struct sq_alert_facts {
	int64_t time_us; /* of the event, or now */
	struct sq_sv host, user, domain;
	struct sq_sv executable, command_line, parent_executable, parent_command_line;
	struct sq_sv channel, provider, computer, record_id;
};

void sq_alert_facts(const struct sq_alert *al, struct sq_alert_facts *ret);

/** Value of a field; empty when it is absent or says so in words ("-", "(null)"). Cut to what the
 *  alert allows (see struct sq_alert). */
struct sq_sv sq_alert_value(const struct sq_alert *al, enum sq_field field);

/** At most `max` bytes from the front, not ending inside a UTF-8 sequence. */
struct sq_sv sq_alert_cut(struct sq_sv v, size_t max);

/** A tag "attack.t1218.010" as "T1218.010". @return 0 when it is no technique, else its length */
size_t sq_alert_technique(struct sq_sv tag, char to[16]);

/** A tag "attack.defense_evasion" as its number in ATT&CK and its name. NULL: no tactic. */
struct sq_alert_tactic {
	const char *id; /* "" when we do not know it */
	const char *name;
};
const struct sq_alert_tactic *sq_alert_tactic(struct sq_sv tag);

/** Techniques of the rule with commas between. @return a view of `to` */
struct sq_sv sq_alert_techniques(const struct sq_rule *rule, char *to, size_t cap);

/** Part of a path after its last separator. */
struct sq_sv sq_alert_base_name(struct sq_sv path);

/** Members "rule" and "threat". */
void sq_alert_write_rule(struct sq_jsonw *w, const struct sq_rule *rule);

/** The rule as one object: id, name, level, techniques. */
void sq_alert_write_brief(struct sq_jsonw *w, const struct sq_rule *rule);

/** Members for the derived fields of an event, under the names that rules know them by. */
void sq_alert_write_derived(struct sq_jsonw *w, const struct sq_alert *al);

/** Members "client" and "tls" of an alert or a dead letter; left out when nothing was proved. */
void sq_alert_write_sender(struct sq_jsonw *w, const struct sq_identity *id);

/** Cut the first of the alternative names off `rest`, without its kind ("DNS:"). */
struct sq_sv sq_alert_next_name(struct sq_sv *rest);

/** Member "flags" of an event; left out when there are none. */
void sq_alert_write_flags(struct sq_jsonw *w, uint32_t flags);

/** Member `key`: an id, as sq_id_format() writes it; left out when it is not known. */
void sq_alert_write_id(struct sq_jsonw *w, const char *key, const uint64_t id[2]);

/** Member "message", one sentence for the line of a list: "Title on HOST". */
void sq_alert_write_message(struct sq_jsonw *w, const struct sq_alert *al,
                            const struct sq_alert_facts *f);

/** Member "winlog": where to find the event again. */
void sq_alert_write_winlog(struct sq_jsonw *w, const struct sq_alert *al,
                           const struct sq_alert_facts *f);

/** Opens member "squibly" and writes what it says of the event; what the rule found is to follow,
 *  and then its end. Never empty then. */
void sq_alert_write_squibly(struct sq_jsonw *w, const struct sq_alert *al);
void sq_alert_write_found(struct sq_jsonw *w, const struct sq_alert *al);

/** What each alert of an event says alike. */
struct sq_alert_common {
	void (*write)(struct sq_jsonw *w, const struct sq_alert *al,
	              const struct sq_alert_facts *f);
	uint32_t depth; /* objects that are open behind it */
};

/** Where in sq_alert_shared.parts each document has its own. */
enum { SQ_ALERT_PARTS_JSON = 0, SQ_ALERT_PARTS_OCSF = 3 };

/** Write it, or copy it from an earlier alert of the event. */
void sq_alert_write_common(struct sq_jsonw *w, const struct sq_alert *al,
                           const struct sq_alert_facts *f, unsigned part,
                           const struct sq_alert_common *common);

/** What OCSF says of a rule in "finding_info", with no comma before it. */
void sq_alert_write_ocsf_rule(struct sq_jsonw *w, const struct sq_rule *rule);

void sq_alert_write_json(struct sq_outbuf *out, const struct sq_alert *al);
void sq_alert_write_syslog(struct sq_outbuf *out, const struct sq_alert *al);
void sq_alert_write_syslog3164(struct sq_outbuf *out, const struct sq_alert *al);
void sq_alert_write_ocsf(struct sq_outbuf *out, const struct sq_alert *al);
void sq_alert_write_cef(struct sq_outbuf *out, const struct sq_alert *al);
void sq_alert_write_leef(struct sq_outbuf *out, const struct sq_alert *al);
