/* What rules found in a record, added to the record itself: its bytes stay as they came, and the
 * object "squibly" is put in before its closing brace. docs/formats.md describes it.
 *
 * A record that is one JSON object, with whatever stands in front of it (a syslog header), gets it
 * as its last member. A member of that name which its sender wrote is taken out, so that nobody
 * else speaks for us and no receiver meets a key twice. Every other record (an array, several
 * objects, text, XML, JSON that was cut off) becomes the text of a new object:
 * {"message":"...","squibly":{...}}.
 *
 * Pure; the thread of the batch.
 */
#pragma once

#include "lib/engine/alert.h"
#include "lib/text/members.h"

/** One way in which records are handed on. */
struct sq_view {
	enum sq_level min_level; /* a record is matched when a rule of this level or above did */
	bool always;             /* records that are not matched say so too */
	bool json;     /* each is to be one JSON object that all read, nothing in front of it */
	bool identify; /* each has its id and its host told beside it */
	struct sq_fieldset fields; /* what of the record is left out; n = 0: nothing */
};

bool sq_view_eq(const struct sq_view *a, const struct sq_view *b);

/** Where a record came from, and what it is judged by. */
struct sq_verdict_source {
	const struct sq_ruleset *rules;
	const struct sq_alert_texts *texts;
	const struct sq_lookups *lookups;   /* NULL: none */
	const char *peer;                   /* "" = not said */
	const struct sq_identity *identity; /* NULL: nothing was proved */
	struct sq_sv tenant;                /* as in struct sq_origin; n = 0: not told */
	struct sq_now now;
};

/** What tells the record's first event from others, and its host; of a record that holds none, its
 * bytes alone. Nothing when that is known already. */
void sq_verdict_identify(struct sq_finding *v, const struct sq_event *ev, struct sq_sv tenant);

/** Add what was found in an event of the record. Of the first such event its derived fields are
 * told. */
void sq_verdict_add(struct sq_finding *v, const struct sq_verdict_source *from,
                    const struct sq_event *ev, const struct sq_hits *hits);

/** Record `b->done` has been run: when it goes on otherwise than it came, make its row of
 * b->passes, in each of the b->limits.views ways, and count it. Begins the next verdict. */
void sq_verdict_pass(struct sq_batch *b, const struct sq_view *views,
                     const struct sq_verdict_source *from);

enum sq_verdict_shape {
	SQ_VERDICT_AS_IT_CAME, /* nothing was written: it goes on as it is */
	SQ_VERDICT_SPLICED,
	SQ_VERDICT_REPLACED, /* spliced, in place of a member that was there */
	SQ_VERDICT_WRAPPED,
	/** Nothing is added, but fields were left out, or what is in front, or it was mended. */
	SQ_VERDICT_LEFT_OUT,
	SQ_VERDICT_ENCLOSED, /* nothing is added, but it is the text of an object now */
	SQ_VERDICT_FAILED,   /* no memory: out->failed */
};

/** Append the record `raw` as `view` wants it. `*ret_mended` says whether bytes of it that JSON
 *  cannot hold were replaced (lib/text/jsonfit.h); in the text of an object they always are. */
enum sq_verdict_shape sq_verdict_write(struct sq_outbuf *out, const struct sq_view *view,
                                       struct sq_sv raw, const struct sq_finding *v,
                                       bool *ret_mended);
