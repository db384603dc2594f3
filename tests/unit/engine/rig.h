/* A pipeline with a few rules and a batch, for the tests of what runs through it. */
#pragma once

#include "lib/engine/pipeline.h"
#include "lib/rules/sigma.h"
#include "tests/support/test.h"

#define RIG_LOGSOURCE "logsource:\n  category: process_creation\n  product: windows\n"

/* The first matches twice as often as the second; the last has another log source. */
static const char rig_rules[] =
	"title: Scriptlet engine\n"
	"id: 11111111-1111-4111-8111-111111111111\n"
	"status: test\nlevel: high\n" RIG_LOGSOURCE
	"detection:\n  s:\n    CommandLine|contains: scrobj\n  condition: s\n"
	"---\n"
	"title: Registration tool\n"
	"id: 22222222-2222-4222-8222-222222222222\n"
	"status: test\nlevel: low\n" RIG_LOGSOURCE
	"detection:\n  s:\n    Image|endswith: '\\regsvr32.exe'\n"
	"  condition: s\n";

static inline struct sq_ruleset *rig_ruleset(bool plain)
{
	struct sq_rules rules;
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_err err = { 0 };

	assert_int_equal(sq_rules_init(&rules), 0);
	if (sq_sigma_parse(&rules, sq_sv_of(rig_rules), "rig.yml", &diags) < 0)
		fail_msg("%s", diags.n ? diags.list[0].text : "no rules");
	sq_diags_fini(&diags);
	if (sq_ruleset_build(&rules, &(struct sq_ruleset_opts){ .plain = plain }, &rs, NULL, &err))
		fail_msg("%s", err.text);
	return rs;
}

struct rig {
	struct sq_pipeline *pipeline;
	struct sq_batch *batch;
	struct sq_outbuf alerts; /* all that was delivered, a line each */
	struct sq_outbuf dead;
	unsigned runs;
	struct sq_counters counts; /* of all runs */
	struct sq_origin origin;   /* of the last run: what it was told */
};

static const struct sq_now rig_now = { .mono_ns = 1, .wall_us = 1595388480000000 };

static inline void rig_open(struct rig *g, struct sq_pipeline_opts opts, uint32_t out)
{
	const struct sq_batch_limits limits = { .chunk = 1 << 20,
		                                .records = 64,
		                                .origins = 4,
		                                .events = opts.deduplicate ? 4 : 0,
		                                .arena = 1 << 20,
		                                .views = opts.n_views,
		                                .clean = opts.n_views > 0,
		                                .out = out };
	struct sq_ruleset *rs = rig_ruleset(true);

	memcpy(opts.observer.hostname, "sensor1", 8);
	opts.observer.version = "0.1.0";
	*g = (struct rig){ .alerts = sq_outbuf_of(64 << 20), .dead = sq_outbuf_of(64 << 20) };
	g->pipeline = sq_pipeline_new(rs, &opts);
	g->batch = sq_batch_new(&limits);
	assert_non_null(g->pipeline);
	assert_non_null(g->batch);
	sq_ruleset_unref(rs); /* the pipeline keeps its own */
	assert_int_equal(sq_batch_origin(g->batch, NULL, "192.0.2.7:51234"), 0);
}

static inline void rig_close(struct rig *g)
{
	sq_batch_free(g->batch);
	sq_pipeline_free(g->pipeline);
	sq_outbuf_fini(&g->alerts);
	sq_outbuf_fini(&g->dead);
}

/** Put a record into the batch, as an input does: `received` is counted there. */
static inline void rig_add(struct rig *g, struct sq_sv raw)
{
	char *to = g->batch->chunk + g->batch->tail;

	assert_true(raw.n <= sq_batch_room(g->batch));
	memcpy(to, raw.p, raw.n);
	g->batch->tail += (uint32_t)raw.n;
	assert_int_equal(sq_batch_add(g->batch, 0, (struct sq_sv){ to, raw.n }), 0);
	g->batch->counts.received++;
}

/** Deliver what one run has made: each text and a line end, by format. */
static inline void rig_deliver(struct rig *g)
{
	struct sq_batch *b = g->batch;

	for (uint32_t i = 0; i < b->n_alerts; i++) {
		for (unsigned f = 0; f < SQ_FORMATS; f++) {
			if (!b->alerts[i].text[f].n)
				continue;
			sq_outbuf_put(&g->alerts,
			              (struct sq_sv){ b->out.p + b->alerts[i].text[f].at,
			                              b->alerts[i].text[f].n });
			sq_outbuf_putc(&g->alerts, '\n');
		}
	}
	for (uint32_t i = 0; i < b->n_dead; i++) {
		sq_outbuf_put(&g->dead, (struct sq_sv){ b->out.p + b->dead[i].at, b->dead[i].n });
		sq_outbuf_putc(&g->dead, '\n');
	}
	assert_false(b->out.failed);
	sq_batch_clear_out(b);
}

/** Run the batch to its end, delivering in between; what is delivered ends with a NUL. */
static inline void rig_run(struct rig *g)
{
	do {
		assert_true(g->runs++ < 10000);
		sq_pipeline_run(g->pipeline, g->batch, rig_now);
		rig_deliver(g);
	} while (sq_batch_unfinished(g->batch));
	sq_outbuf_putc(&g->alerts, '\0');
	sq_outbuf_putc(&g->dead, '\0');
	g->alerts.len--;
	g->dead.len--;
	sq_counters_add(&g->counts, &g->batch->counts);
	assert_int_equal(g->counts.received, sq_counters_accounted(&g->counts));
	g->origin = g->batch->origins[0];
	sq_batch_reset(g->batch);
	assert_int_equal(sq_batch_origin(g->batch, NULL, "192.0.2.7:51234"), 0);
}
