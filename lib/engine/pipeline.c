#include "lib/engine/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/derive/derive.h"
#include "lib/engine/alert_private.h"
#include "lib/engine/encode.h"

enum {
	DEAD_RECORD_MAX = 64 * 1024, /* bytes of a malformed record that its dead letter keeps */
};

struct sq_pipeline {
	struct sq_ruleset *rules; /* one reference */
	struct sq_reader *reader;
	struct sq_matcher *matcher;
	struct sq_recall *recall;
	struct sq_pipeline_opts opts;
	const struct sq_alert_texts *texts; /* of the rule set */
	sq_pipeline_see_fn *see;            /* NULL: nobody watches */
	void *see_ctx;
	struct sq_oracle *oracle; /* NULL: nothing is checked */
	uint64_t unchecked;       /* records that go by before the next one that is checked */
	bool checking;            /* the record that is being run */
	bool identifies;          /* some output wants to know what tells each record from others */
	bool rewrites; /* some record is handed on otherwise than it came though nothing matched */
	struct sq_event event;
	struct sq_hits hits;
};

struct sq_pipeline *sq_pipeline_new(struct sq_ruleset *rs, const struct sq_pipeline_opts *opts)
{
	struct sq_pipeline *pl = calloc(1, sizeof(*pl));
	struct sq_reader_opts reader = opts->reader;

	if (!pl)
		return NULL;
	reader.want_all = reader.want_all || sq_ruleset_wants_all(rs);
	pl->rules = sq_ruleset_ref(rs);
	pl->opts = *opts;
	pl->opts.lookups = sq_lookups_ref(opts->lookups);
	pl->opts.sieve = opts->validate_all ? NULL : sq_sieve_ref(opts->sieve);
	pl->reader = sq_reader_new(sq_ruleset_fields(rs), &reader);
	pl->matcher = sq_matcher_new(rs);
	pl->recall =
		opts->reader.skim ? sq_recall_new() : NULL; /* the plain way derives all anew */
	pl->texts = sq_alert_texts_of(rs);
	if (opts->check.one_in)
		pl->oracle = sq_oracle_new(rs, &reader, &opts->check, &opts->secret);
	if (!pl->reader || !pl->matcher || !pl->texts || (opts->reader.skim && !pl->recall) ||
	    (opts->check.one_in && !pl->oracle)) {
		sq_pipeline_free(pl);
		return NULL;
	}
	for (uint32_t i = 0; i < opts->n_views; i++) {
		const struct sq_view *v = &opts->views[i];

		pl->identifies |= v->identify;
		pl->rewrites |= v->identify || v->json || v->always || v->fields.n;
	}
	pl->unchecked = pl->oracle ? sq_oracle_stride(pl->oracle) : UINT64_MAX;
	return pl;
}

void sq_pipeline_free(struct sq_pipeline *pl)
{
	if (!pl)
		return;
	sq_oracle_free(pl->oracle);
	sq_matcher_free(pl->matcher);
	sq_recall_free(pl->recall);
	sq_reader_free(pl->reader);
	sq_ruleset_unref(pl->rules);
	sq_sieve_unref(pl->opts.sieve);
	sq_lookups_unref(pl->opts.lookups);
	free(pl);
}

void sq_pipeline_watch(struct sq_pipeline *pl, sq_pipeline_see_fn *see, void *ctx)
{
	pl->see = see;
	pl->see_ctx = ctx;
}

/* What is being run, for the functions below. */
struct run {
	struct sq_pipeline *pl;
	struct sq_batch *b;
	struct sq_origin *origin; /* of the record */
	struct sq_now now;
};

/* Where the batch's output stood before an event, to take back what was written for it. */
struct mark {
	size_t len;
	uint32_t n_alerts, n_dead;
};

static struct mark mark_of(const struct sq_batch *b)
{
	return (struct mark){ b->out.len, b->n_alerts, b->n_dead };
}

static void cut_to(struct sq_batch *b, struct mark m)
{
	sq_outbuf_cut(&b->out, m.len);
	b->n_alerts = m.n_alerts;
	b->n_dead = m.n_dead;
}

static bool is_empty(struct mark m)
{
	return m.len == 0 && m.n_alerts == 0 && m.n_dead == 0;
}

/* What there is must be delivered first. */
static bool is_full(const struct run *r)
{
	const struct sq_batch *b = r->b;

	return (b->out.len >= b->limits.out && !is_empty(mark_of(b))) ||
	       (r->pl->opts.deduplicate && b->n_events == b->limits.events);
}

/* How much of an alert is written, in the order in which it is tried. */
enum effort {
	WHOLE,
	ORIGINAL_ONCE, /* the record only in the first alert of its event */
	NO_ORIGINAL,
	SMALL, /* and values cut short */
	EFFORTS,
};

/* `id` is the event's, made with its first alert. */
static void name_alert(const struct sq_pipeline *pl, struct sq_alert *al, uint64_t id[2])
{
	if (!pl->opts.formats)
		return;
	if (!sq_id_known(id))
		sq_event_id(al->event, al->tenant, id);
	memcpy(al->event_id, id, sizeof(al->event_id));
	sq_alert_id(id, al->rule, al->event, al->hit, al->id);
}

/* Write the alerts of an event. @return how many; fewer than wanted when one did not fit */
static uint32_t encode_hits(const struct run *r, const struct sq_event *ev,
                            const struct sq_hits *hits, enum effort effort)
{
	const struct sq_pipeline *pl = r->pl;
	struct sq_alert_shared shared = { 0 };
	struct sq_encode_host host = { 0 };
	uint64_t id[2] = { 0 };
	uint32_t written = 0;

	for (uint32_t i = 0; i < hits->n; i++) {
		const struct sq_hit *hit = &hits->list[i];
		struct sq_alert al = {
			.event = ev,
			.rule = sq_ruleset_rule(pl->rules, hit->rule),
			.hit = hit,
			.observer = &pl->opts.observer,
			.peer = r->origin->peer,
			.identity = r->origin->identity,
			.tenant = r->origin->tenant,
			.texts = pl->texts,
			.lookups = pl->opts.lookups,
			.shared = effort == WHOLE ? &shared : NULL,
			.now = r->now,
			.without_original =
				effort >= NO_ORIGINAL || (effort == ORIGINAL_ONCE && written > 0),
			.value_max = effort == SMALL ? SQ_ENCODE_SMALL : 0,
		};
		struct mark before = mark_of(r->b);

		if (al.rule->level < pl->opts.min_level)
			continue;
		name_alert(pl, &al, id);
		if (!sq_encode(r->b, &pl->opts, &al, &host)) {
			cut_to(r->b, before);
			break;
		}
		written++;
	}
	return written;
}

static uint32_t wanted_hits(const struct sq_pipeline *pl, const struct sq_hits *hits)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < hits->n; i++)
		n += sq_ruleset_rule(pl->rules, hits->list[i].rule)->level >= pl->opts.min_level;
	return n;
}

/* They do not fit, and there is nothing to deliver first: say less of each rather than lose one.
 * @return how many were written, of `wanted` */
static uint32_t encode_less(const struct run *r, const struct sq_event *ev,
                            const struct sq_hits *hits, struct mark before, uint32_t wanted)
{
	uint32_t written = 0;

	for (unsigned effort = ORIGINAL_ONCE; written < wanted && effort < EFFORTS; effort++) {
		cut_to(r->b, before);
		written = encode_hits(r, ev, hits, (enum effort)effort);
		if (written == wanted)
			r->b->counts.alerts_shortened += wanted - (effort == ORIGINAL_ONCE);
	}
	r->b->counts.alerts_lost += wanted - written;
	return written;
}

static struct sq_verdict_source source_of(const struct run *r)
{
	return (struct sq_verdict_source){ .rules = r->pl->rules,
		                           .lookups = r->pl->opts.lookups,
		                           .texts = r->pl->texts,
		                           .peer = r->origin->peer,
		                           .identity = r->origin->identity,
		                           .tenant = r->origin->tenant,
		                           .now = r->now };
}

/* Keep what was found in an event for when its record is handed on. */
static void note_verdict(const struct run *r, const struct sq_event *ev, const struct sq_hits *hits)
{
	const struct sq_verdict_source from = source_of(r);

	if (r->pl->identifies)
		sq_verdict_identify(&r->b->verdict, ev, from.tenant);
	if (r->b->limits.views && hits->n)
		sq_verdict_add(&r->b->verdict, &from, ev, hits);
}

/* The record is through: what is to be handed on of it, if that is not just what came. */
static void pass_on(const struct run *r)
{
	const struct sq_verdict_source from = source_of(r);
	struct sq_batch *b = r->b;

	if (b->limits.views && (b->verdict.rules || r->pl->rewrites))
		sq_verdict_pass(b, r->pl->opts.views, &from);
}

/* Whether the event is one to be counted later, when it is known to be no repeat. Of one whose
 * alerts were lost a repeat is welcome. */
static bool leave_event(const struct run *r, struct mark before, uint32_t alerts)
{
	const struct sq_pipeline *pl = r->pl;
	struct sq_batch *b = r->b;
	struct sq_event_ref *ref = &b->events[b->n_events];

	if (!pl->opts.deduplicate || alerts < wanted_hits(pl, &pl->hits))
		return false;
	sq_assert(b->n_events < b->limits.events);
	*ref = (struct sq_event_ref){ .record = b->done,
		                      .first_alert = before.n_alerts,
		                      .end_alert = b->n_alerts,
		                      .alerts = alerts,
		                      .alerted = pl->hits.n > 0 };
	if (!sq_dedup_key(&pl->opts.secret, &pl->event, r->origin, &pl->hits, pl->rules, ref->key))
		return false;
	b->n_events++;
	return true;
}

/* Was it read without finding what rules ask about? The start of a process has an image or a
 * command line in every log that tells of one: then they stand where nobody looked. */
static bool is_unread(const struct sq_event *ev)
{
	return ev->event_id == 0 ||
	       (ev->category == SQ_CATEGORY_PROCESS_CREATION &&
	        sq_event_get(ev, SQ_F_IMAGE).n == 0 && sq_event_get(ev, SQ_F_COMMAND_LINE).n == 0);
}

static void count_event(const struct run *r, struct mark before, uint32_t alerts)
{
	const struct sq_pipeline *pl = r->pl;
	const struct sq_event *ev = &pl->event;
	struct sq_counters *c = &r->b->counts;

	if (!leave_event(r, before, alerts)) {
		r->b->records[r->b->done].fresh = true;
		c->alerted += pl->hits.n > 0;
		c->clean += pl->hits.n == 0;
		c->alerts += alerts;
	}
	c->alerts_capped += pl->hits.capped;
	c->duplicate_keys += (ev->flags & SQ_EVENT_DUPLICATE_KEY) != 0;
	c->fields_overflow += (ev->flags & SQ_EVENT_OVERFLOW) != 0;
	c->cut_alerted += (ev->flags & SQ_EVENT_CUT) != 0;
	c->unknown_shape += is_unread(ev);
}

/* Make the derived fields that rules ask for, and run the rules. An alert tells all of them. */
static bool match(const struct run *r)
{
	struct sq_pipeline *pl = r->pl;

	sq_derive_again(pl->recall, &pl->event, &r->b->arena,
	                pl->opts.derive_all ? SQ_DERIVE_ALL
	                                    : sq_matcher_derived(pl->matcher, &pl->event));
	if (sq_matcher_run(pl->matcher, &pl->event, &pl->hits) == 0)
		return false;
	sq_derive(&pl->event, &r->b->arena, SQ_DERIVE_ALL);
	return true;
}

/* Match one event and write its alerts. @return false: they do not fit beside what is there; the
 * event is to be run again when that has been delivered */
static bool run_event(const struct run *r)
{
	struct sq_pipeline *pl = r->pl;
	struct mark before = mark_of(r->b);
	uint32_t wanted = 0, written = 0;

	pl->hits.n = 0;
	pl->hits.capped = false;
	if (match(r)) {
		wanted = wanted_hits(pl, &pl->hits);
		written = encode_hits(r, &pl->event, &pl->hits, WHOLE);
		if (written < wanted && !is_empty(before)) {
			cut_to(r->b, before);
			return false;
		}
		if (written < wanted)
			written = encode_less(r, &pl->event, &pl->hits, before, wanted);
		if (pl->checking)
			sq_oracle_note(pl->oracle, &pl->event, &pl->hits);
	}
	note_verdict(r, &pl->event, &pl->hits);
	count_event(r, before, written);
	if (pl->see)
		pl->see(pl->see_ctx, &pl->event, &pl->hits, pl->event.raw, NULL);
	return true;
}

/* {"@timestamp":..,"peer":..[,whose and who],"reason":..,"record":..[,"record_length":N]} */
static void write_dead(const struct run *r, struct sq_sv record, const char *why, size_t keep)
{
	struct sq_jsonw w = sq_jsonw_of(&r->b->out);
	const struct sq_identity *id = r->origin->identity;
	char time[SQ_TIME_TEXT];

	sq_jsonw_object(&w);
	sq_jsonw_member(&w, "@timestamp",
	                (struct sq_sv){ time, sq_time_format(r->now.wall_us, time) });
	sq_jsonw_member(&w, "peer", sq_sv_of(r->origin->peer));
	if (id)
		sq_jsonw_member(&w, "proxy", sq_sv_of(id->proxy));
	sq_jsonw_member(&w, "tenant", r->origin->tenant);
	sq_alert_write_sender(&w, id);
	sq_jsonw_member(&w, "reason", sq_sv_of(why));
	sq_jsonw_key(&w, "record");
	sq_jsonw_string(&w, sq_sv_first(record, keep));
	if (record.n > keep) {
		sq_jsonw_key(&w, "record_length");
		sq_jsonw_int(&w, (int64_t)record.n);
	}
	sq_jsonw_end_object(&w);
}

/* @return false: it does not fit */
static bool try_dead(const struct run *r, struct sq_sv record, const char *why, size_t keep)
{
	struct sq_batch *b = r->b;
	struct mark before = mark_of(b);

	if (b->n_dead == b->cap_dead)
		return false;
	write_dead(r, record, why, keep);
	if (b->out.failed || b->out.len > UINT32_MAX) {
		cut_to(b, before);
		return false;
	}
	b->dead[b->n_dead++] = (struct sq_dead_ref){ .at = (uint32_t)before.len,
		                                     .n = (uint32_t)(b->out.len - before.len) };
	return true;
}

/* Count a malformed record, and keep it when that is wanted. @return as run_event() */
static bool run_malformed(const struct run *r, struct sq_sv record, const char *why)
{
	struct sq_batch *b = r->b;

	if (r->pl->opts.dead_letters && !try_dead(r, record, why, DEAD_RECORD_MAX)) {
		if (!is_empty(mark_of(b)))
			return false;
		if (!try_dead(r, record, why, SQ_ENCODE_SMALL))
			b->counts.dead_letters_lost++;
	}
	b->counts.malformed++;
	b->records[b->done].fresh = true;
	r->origin->malformed++;
	(void)snprintf(b->why, sizeof(b->why), "%s%s%s", r->origin->peer,
	               r->origin->peer[0] ? ": " : "", why);
	if (r->pl->see)
		r->pl->see(r->pl->see_ctx, NULL, NULL, record, why);
	return true;
}

/* The part of `whole` that has been read between two calls of the reader. */
static struct sq_sv between(struct sq_sv before, struct sq_sv after)
{
	if (after.n == 0 || after.p < before.p || after.p > before.p + before.n)
		return before;
	return (struct sq_sv){ before.p, (size_t)(after.p - before.p) };
}

/* A record that was cut off is malformed, unless a rule matches what there is of it.
 * @return true: it is the event to be run */
static bool salvage(const struct run *r, const struct sq_syslog *header)
{
	struct sq_pipeline *pl = r->pl;

	for (int round = 0; round < 2; round++) {
		sq_arena_reset(&r->b->arena);
		if (!sq_reader_salvage(pl->reader, header, &r->b->arena, &pl->event))
			return false;
		if (round == 1) /* as it was read: run_event() derives for itself */
			break;
		if (!match(r))
			return false;
	}
	return true;
}

/* Run the events of one record, from b->rest on when it has been begun already.
 * @return false: stopped before one of them; b->rest says where */
static bool run_record(const struct run *r, struct sq_sv raw)
{
	struct sq_batch *b = r->b;
	bool first = !b->rest.p; /* no event of this record has been counted */
	struct sq_syslog header;
	struct sq_sv rest, before;

	sq_syslog_strip(raw, &header);
	rest = first ? header.payload : b->rest;
	for (;;) {
		bool counted;
		int n = 0;

		if (is_full(r))
			return false;
		before = rest;
		sq_arena_reset(&b->arena);
		if (rest.n)
			n = sq_reader_next(r->pl->reader, &rest, &header, &b->arena, &r->pl->event);
		if (n == 0 && !first)
			return true;
		b->verdict.several |= !first;
		if (n > 0 || (n < 0 && salvage(r, &header)))
			counted = run_event(r);
		else if (n == 0)
			counted = run_malformed(r, raw, "no event in it");
		else
			counted =
				run_malformed(r, first ? between(raw, rest) : between(before, rest),
			                      sq_reader_why(r->pl->reader));
		if (!counted)
			return false;
		b->counts.received += !first;
		b->counts.further += !first;
		r->origin->further += !first;
		first = false;
		/* A reader that did not move would hold us here for ever. */
		if (rest.n == 0 || rest.n >= before.n)
			return true;
		b->rest = rest;
	}
}

/* The slow way found alerts that the fast one did not: they go out behind those of the record, and
 * shortened when they do not fit, since the batch cannot be left in the middle of a check. */
static void raise_missed(void *ctx, const struct sq_event *ev, const struct sq_hits *hits)
{
	const struct run *r = ctx;
	struct mark before = mark_of(r->b);
	uint32_t wanted = wanted_hits(r->pl, hits), written;

	written = encode_hits(r, ev, hits, WHOLE);
	if (written < wanted)
		written = encode_less(r, ev, hits, before, wanted);
	r->b->counts.alerts += written;
	r->b->counts.oracle_raised += written;
	note_verdict(r, ev, hits);
}

/* Tell whoever reads the log, and keep the record where malformed ones are kept. */
static void tell_doubt(const struct run *r, struct sq_sv record)
{
	struct sq_batch *b = r->b;
	char reason[SQ_ORACLE_WORDS + 16];

	(void)snprintf(reason, sizeof(reason), "oracle: %s", sq_oracle_words(r->pl->oracle));
	sq_oracle_tell(r->pl->oracle, r->origin->peer, b->doubt, sizeof(b->doubt));
	if (r->pl->opts.dead_letters && !try_dead(r, record, reason, DEAD_RECORD_MAX) &&
	    !try_dead(r, record, reason, SQ_ENCODE_SMALL))
		b->counts.dead_letters_lost++;
}

/* Run the record, which the fast way is done with, the slow way too. */
static void check(const struct run *r, struct sq_sv record)
{
	struct sq_counters *c = &r->b->counts;
	struct run run = *r;

	switch (sq_oracle_end(r->pl->oracle, &r->b->arena, raise_missed, &run)) {
	case SQ_ORACLE_UNDECIDED:
		c->oracle_skipped++;
		return;
	case SQ_ORACLE_DISAGREES:
		c->oracle_disagreed++;
		tell_doubt(r, record);
		break;
	case SQ_ORACLE_AGREES:
		break;
	}
	c->oracle_checked++;
}

/* Whether the next record is to be checked. One that has been begun already is not: what the fast
 * way found in its first events is not known here any more; the next one is checked in its place.
 */
static bool begin_check(struct sq_pipeline *pl, struct sq_batch *b)
{
	if (b->rest.p)
		return false;
	if (sq_oracle_begin(pl->oracle, b->records[b->done].raw))
		return true;
	b->counts.oracle_skipped++;
	pl->unchecked = 1 + sq_oracle_stride(pl->oracle); /* this one is gone by, too */
	return false;
}

void sq_pipeline_run(struct sq_pipeline *pl, struct sq_batch *b, struct sq_now now)
{
	uint64_t unsure = sq_reader_unsure(pl->reader);

	if (pl->oracle)
		sq_oracle_time(pl->oracle, now.mono_ns);
	/* Once for each batch, however often it comes again for want of room for its alerts. */
	if (pl->opts.sieve && b->sieve != sq_sieve_generation(pl->opts.sieve)) {
		sq_sieve_run(pl->opts.sieve, b, b->done);
		b->sieve = sq_sieve_generation(pl->opts.sieve);
	}
	while (b->done < b->n_records) {
		const struct sq_record *rec = &b->records[b->done];
		const struct run r = { pl, b, &b->origins[rec->origin], now };

		if (pl->rewrites && b->out.len >= b->limits.out)
			break;
		pl->checking = pl->oracle && (rec->check || !pl->unchecked) && begin_check(pl, b);
		if (rec->left_out && !b->rest.p) {
			b->counts.clean++;
			b->counts.left_out++;
		} else if (!run_record(&r, rec->raw)) {
			break;
		}
		if (pl->checking) {
			check(&r, rec->raw);
			pl->unchecked = sq_oracle_stride(pl->oracle);
		} else if (pl->unchecked) {
			pl->unchecked--;
		}
		pass_on(&r);
		b->rest = (struct sq_sv){ 0 };
		b->done++;
	}
	b->counts.regex_limits += sq_matcher_take_limits(pl->matcher);
	b->counts.scan_fallbacks += sq_matcher_take_fallbacks(pl->matcher);
	b->counts.skim_unsure += sq_reader_unsure(pl->reader) - unsure;
}
