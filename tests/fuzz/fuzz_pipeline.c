/* Record bytes through the whole pipeline, in all formats: every alert and dead letter must be one
 * line, those in JSON valid, and every record counted once. The slow way must find what the fast
 * one does. What explain says of an event must be valid JSON too, and the same as what matched. */
#include "lib/engine/pipeline.h"

#include <stdlib.h>

#include <yajl/yajl_parse.h>

#include "lib/engine/explain.h"
#include "lib/rules/sigma.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules_text[] =
	"title: Any value\nid: 11111111-1111-4111-8111-111111111111\nstatus: test\nlevel: high\n"
	"logsource:\n  product: windows\n"
	"detection:\n  words:\n    - a\n    - e\n  condition: words\n"
	"---\n"
	"title: Process\nid: 22222222-2222-4222-8222-222222222222\nstatus: test\nlevel: low\n"
	"logsource:\n  category: process_creation\n  product: windows\n"
	"detection:\n  s:\n    CommandLine|contains: s\n  t:\n    Image|re: '.'\n"
	"  condition: s or t\n";

static void check_json(struct sq_sv v)
{
	yajl_handle y = yajl_alloc(NULL, NULL, NULL);

	sq_assert(v.n && v.p[0] == '{' && v.p[v.n - 1] == '}');
	sq_assert(yajl_parse(y, (const unsigned char *)v.p, v.n) == yajl_status_ok);
	sq_assert(yajl_complete_parse(y) == yajl_status_ok);
	yajl_free(y);
}

static void explain(void *ctx, const struct sq_event *ev, const struct sq_hits *hits,
                    struct sq_sv raw, const char *why)
{
	static struct sq_outbuf out = { .max = 16 << 20 };
	struct sq_explain *x = ctx;
	struct sq_explained e;

	sq_outbuf_reset(&out);
	if (ev) {
		sq_explain_event(x, ev, &e);
		sq_assert(e.counts[SQ_VERDICT_MATCH] == hits->n);
		sq_explain_json(&out, x, &e, e.n, SQ_SV("f"), 1);
	} else {
		sq_explain_malformed(&out, sq_sv_of(why), raw, SQ_SV("f"), 1);
	}
	sq_assert(!out.failed);
	check_json(sq_outbuf_view(&out));
}

static struct sq_pipeline *make_pipeline(void)
{
	const struct sq_pipeline_opts opts = { .reader = { .skim = true },
		                               .observer = { .hostname = "h", .version = "1" },
		                               .formats = (1u << SQ_FORMATS) - 1,
		                               .dead_letters = true,
		                               .check.one_in = 1,
		                               .deduplicate = true };
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs;
	struct sq_pipeline *pl;
	struct sq_explain *x;
	struct sq_rules rules;

	sq_assert(sq_rules_init(&rules) == 0);
	sq_assert(sq_sigma_parse(&rules, sq_sv_of(rules_text), "fuzz", &diags) == 2);
	sq_diags_fini(&diags);
	sq_assert(sq_ruleset_build(&rules, &(struct sq_ruleset_opts){ 0 }, &rs, NULL, NULL) == 0);
	pl = sq_pipeline_new(rs, &opts);
	x = sq_explain_new(rs, -1);
	sq_assert(pl && x);
	sq_pipeline_watch(pl, explain, x);
	sq_ruleset_unref(rs);
	return pl;
}

static void check_line(struct sq_sv v)
{
	for (size_t i = 0; i < v.n; i++)
		sq_assert((unsigned char)v.p[i] >= 0x20 || v.p[i] == '\t');
}

/* Events that are left to be counted: one behind the other, with alerts of their own. */
static void count_events(struct sq_batch *b)
{
	uint32_t at = 0;

	sq_assert(b->n_events <= b->limits.events);
	for (uint32_t i = 0; i < b->n_events; i++) {
		const struct sq_event_ref *e = &b->events[i];

		sq_assert(e->first_alert >= at && e->end_alert == e->first_alert + e->alerts);
		sq_assert(e->end_alert <= b->n_alerts && e->alerted == (e->alerts > 0));
		at = e->end_alert;
		b->counts.alerted += e->alerted;
		b->counts.clean += !e->alerted;
	}
}

static void check_batch(const struct sq_batch *b)
{
	for (uint32_t i = 0; i < b->n_alerts; i++) {
		for (unsigned f = 0; f < SQ_FORMATS; f++) {
			struct sq_sv v = { b->out.p + b->alerts[i].text[f].at,
				           b->alerts[i].text[f].n };

			check_line(v);
			if (f == SQ_FORMAT_JSON || f == SQ_FORMAT_OCSF)
				check_json(v);
			if (f == SQ_FORMAT_SYSLOG || f == SQ_FORMAT_SYSLOG3164)
				check_json(sq_sv_skip(v, sq_sv_chr(v, '{')));
		}
	}
	for (uint32_t i = 0; i < b->n_dead; i++)
		check_json((struct sq_sv){ b->out.p + b->dead[i].at, b->dead[i].n });
}

static struct sq_batch *make_batch(uint32_t events, uint32_t out)
{
	const struct sq_batch_limits limits = { .chunk = 1 << 16,
		                                .records = 4,
		                                .origins = 1,
		                                .events = events,
		                                .arena = 1 << 18,
		                                .out = out };
	struct sq_batch *b = sq_batch_new(&limits);

	sq_assert(b);
	return b;
}

static void run(struct sq_pipeline *pl, struct sq_batch *b, const uint8_t *data, size_t size)
{
	const struct sq_now now = { .mono_ns = 1, .wall_us = 1 };

	sq_batch_reset(b);
	memcpy(b->chunk, data, size);
	b->tail = (uint32_t)size;
	sq_assert(sq_batch_origin(b, NULL, "peer") == 0);
	sq_assert(sq_batch_add(b, 0, (struct sq_sv){ b->chunk, size }) == 0);
	b->counts.received = 1;
	do {
		sq_batch_clear_out(b);
		sq_pipeline_run(pl, b, now);
		check_batch(b);
		count_events(b);
	} while (sq_batch_unfinished(b));
	sq_assert(b->counts.received == sq_counters_accounted(&b->counts));
	sq_assert(b->counts.alerts_lost == 0);
	sq_assert(b->counts.oracle_disagreed == 0 && b->counts.oracle_raised == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sq_pipeline *pl;
	static struct sq_batch *small, *large;

	if (!pl) {
		pl = make_pipeline();
		small = make_batch(3, 1 << 12);       /* stops within records */
		large = make_batch(1 << 12, 4 << 20); /* checks them */
	}
	if (size > small->limits.chunk)
		return 0;
	run(pl, small, data, size);
	run(pl, large, data, size);
	return 0;
}
