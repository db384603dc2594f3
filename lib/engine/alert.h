/* An alert and its encodings: JSON with ECS names, syslog RFC 5424 or RFC 3164 around that JSON,
 * CEF, LEEF, OCSF.
 *
 * The document is described in docs/formats.md. Always valid JSON and UTF-8. Every encoding is one
 * line without its end; what the outputs frame it with is theirs.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/base/time.h"
#include "lib/engine/alert_texts.h"
#include "lib/engine/event_id.h"
#include "lib/engine/lookup.h"
#include "lib/model/batch.h"
#include "lib/rules/matcher.h"

struct sq_observer {
	char hostname[256]; /* of this machine */
	const char *version;
};

/** Where an earlier alert of the same event, in the same buffer, has what both say alike. All zero
 *  to begin with; good until the buffer is cut back. */
struct sq_alert_shared {
	struct sq_alert_part {
		size_t at, n;
		bool comma; /* whether one comes next */
	} parts[5];
};

struct sq_alert {
	const struct sq_event *event;
	const struct sq_rule *rule;
	const struct sq_hit *hit;
	const struct sq_observer *observer;
	const char *peer;                   /* where the record came from; NULL or "" = not said */
	const struct sq_identity *identity; /* who sent it, as was proved; NULL: nothing was */
	struct sq_sv tenant;                /* as in struct sq_origin; n = 0: not told */
	const struct sq_alert_texts *texts; /* of the rule set; NULL: encode the rule anew */
	const struct sq_lookups *lookups;   /* what is known of host and peer; NULL: nothing */
	struct sq_alert_shared *shared;     /* NULL: of this event there is no more to come */
	struct sq_now now;
	uint64_t id[2], event_id[2]; /* see event_id.h; zero: not told */
	bool without_original;       /* leave out event.original: the alert would not fit with it */
	uint32_t value_max; /* bytes of one value; 0 = SQ_ALERT_VALUE_MAX. Longer ones are cut */
};

/* Above what Windows can put into a command line (32,767 UTF-16 units, three bytes each). */
enum { SQ_ALERT_VALUE_MAX = 128 * 1024 };

/** Append one encoding to `out` (see outbuf.h for failure). */
void sq_alert_write(struct sq_outbuf *out, enum sq_format format, const struct sq_alert *al);

/** Repeats of an alert, told by the last of them. */
struct sq_alert_repeats {
	struct sq_sv text; /* which sq_alert_write() made of the last */
	uint64_t last[2];  /* its id */
	uint64_t id[2];    /* of the message that stands for all */
	uint64_t n;
};

/** The same text with the count in its place (squibly.repeats, cnt) and an id of its own, so that
 *  no receiver takes it for the alert. Appended to `out`. */
void sq_alert_write_repeats(struct sq_outbuf *out, enum sq_format format,
                            const struct sq_alert_repeats *what);

/** 128 bits over rule id, host, who sent it as far as that was proved, tenant, and command line:
 * what folding compares; hosts of two tenants may have one name. Case of the host does not count.
 * An event without a command line is told from others by the values that matched. */
void sq_alert_fold_key(const struct sq_alert *al, uint64_t ret[2]);

/** ECS event.severity: 1, 21, 47, 73, 99. */
int sq_level_severity(enum sq_level l);

const char *sq_format_name(enum sq_format f); /* "json" ... */
