/* Once it is warm the pipeline allocates nothing, whatever comes: the same events run again, every
 * one an attack or hardly any, and not one call of malloc or free is made. */
#include "tests/support/corpus.h"
#include "tests/support/count_alloc.h"
#include "tests/unit/engine/rig.h"

#include "lib/host/files.h"

enum { WANTED = 10000, BATCH = 500 };

static struct sq_ruleset *shipped(void)
{
	struct sq_paths paths = { 0 };
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_rules rules;
	char folder[4096];

	(void)snprintf(folder, sizeof(folder), "%s/patterns", getenv("SQ_SOURCE_DIR"));
	assert_int_equal(sq_paths_add(&paths, folder, ".yml", NULL, NULL), 0);
	assert_int_equal(sq_rules_init(&rules), 0);
	for (size_t i = 0; i < paths.n; i++) {
		struct sq_outbuf text = sq_outbuf_of(1 << 20);

		assert_int_equal(sq_file_read(paths.list[i], &text, NULL), 0);
		assert_true(sq_sigma_parse(&rules, sq_outbuf_view(&text), paths.list[i], &diags) >=
		            1);
		sq_outbuf_fini(&text);
	}
	sq_paths_fini(&paths);
	sq_diags_fini(&diags);
	assert_int_equal(sq_ruleset_build(&rules, &(struct sq_ruleset_opts){ 0 }, &rs, NULL, NULL),
	                 0);
	return rs;
}

/* What the daemon's worker does, all formats wanted; the time is another each time. */
static void run_batch(struct sq_pipeline *pl, struct sq_batch *b, uint64_t *alerts)
{
	static int64_t clock_us = 1595388480000000;

	do {
		struct sq_now now = { .mono_ns = 1, .wall_us = clock_us += 1001 };

		sq_batch_clear_out(b);
		sq_pipeline_run(pl, b, now);
		*alerts += b->n_alerts;
	} while (sq_batch_unfinished(b));
}

static void fill(struct sq_batch *b, const struct corpus *c, size_t *at)
{
	sq_batch_reset(b);
	assert_int_equal(sq_batch_origin(b, NULL, "192.0.2.7:51234"), 0);
	for (; *at < c->n && b->n_records < BATCH; (*at)++) {
		struct sq_sv raw = c->records[*at];
		char *to = b->chunk + b->tail;

		if (raw.n > b->limits.chunk)
			continue;
		if (raw.n > sq_batch_room(b))
			return;
		memcpy(to, raw.p, raw.n);
		b->tail += (uint32_t)raw.n;
		assert_int_equal(sq_batch_add(b, 0, (struct sq_sv){ to, raw.n }), 0);
		b->counts.received++;
	}
}

struct seen {
	uint64_t events, alerts;
};

/* All events once. @return what was allocated and freed while the pipeline ran */
static uint64_t run_all(struct sq_pipeline *pl, struct sq_batch *b, const struct corpus *c,
                        struct seen *seen)
{
	uint64_t calls = 0;

	for (size_t at = 0; at < c->n;) {
		fill(b, c, &at);
		count_alloc_begin();
		run_batch(pl, b, &seen->alerts);
		calls += count_alloc_calls + count_alloc_frees;
		seen->events += b->counts.received;
	}
	return calls;
}

static struct seen check(const struct corpus *c)
{
	const struct sq_batch_limits limits = { .chunk = 4 << 20,
		                                .records = BATCH,
		                                .origins = 1,
		                                .events = BATCH,
		                                .arena = 4 << 20,
		                                .out = 1 << 20 };
	struct sq_pipeline_opts opts = { .formats = (1u << SQ_FORMATS) - 1,
		                         .datagram_formats = 1u << SQ_FORMAT_JSON,
		                         .reader = { .skim = true },
		                         .dead_letters = true,
		                         .deduplicate = true };
	struct sq_ruleset *rs = shipped();
	struct sq_batch *b = sq_batch_new(&limits);
	struct seen warm = { 0 }, seen = { 0 };
	struct sq_pipeline *pl;
	uint64_t cold;

	memcpy(opts.observer.hostname, "sensor1", 8);
	opts.observer.version = "0.1.0";
	pl = sq_pipeline_new(rs, &opts);
	assert_non_null(pl);
	assert_non_null(b);
	sq_ruleset_unref(rs);
	cold = run_all(pl, b, c, &warm);
	assert_true(cold > 0); /* buffers grew: what counts does count */
	while (seen.events < WANTED) {
		uint64_t calls = run_all(pl, b, c, &seen);

		if (calls)
			fail_msg("%llu calls of malloc and free for %llu events",
			         (unsigned long long)calls, (unsigned long long)seen.events);
	}
	sq_batch_free(b);
	sq_pipeline_free(pl);
	return seen;
}

/* The rows beside the shipped patterns: those that must match. */
static void attacks_allocate_nothing(void **state)
{
	struct sq_paths paths = { 0 };
	struct corpus c = { 0 };
	struct seen seen;
	char folder[4096];

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/patterns", getenv("SQ_SOURCE_DIR"));
	assert_int_equal(sq_paths_add(&paths, folder, ".hit.ndjson", NULL, NULL), 0);
	for (size_t i = 0; i < paths.n; i++)
		corpus_file(&c, paths.list[i], 1);
	sq_paths_fini(&paths);
	seen = check(&c);
	assert_true(seen.alerts >= seen.events); /* of every event at least one */
	corpus_end(&c);
}

static void real_events_allocate_nothing(void **state)
{
	static const char *const shapes[] = { "nxlog", "winlogbeat" };
	struct corpus c = { 0 };
	struct seen seen;
	char path[5000];

	(void)state;
	corpus_add(&c, "corpus/nxlog", 1);
	corpus_add(&c, "corpus/nxlog-wef", 1);
	corpus_add(&c, "corpus/winlogbeat6", 1);
	corpus_add(&c, "corpus/shapes", 1);
	for (size_t i = 0; i < SQ_LEN(shapes); i++) {
		(void)snprintf(path, sizeof(path), "%s/labelled/commandlines.%s.jsonl.gz",
		               corpus_folder(), shapes[i]);
		corpus_file(&c, path, 1);
	}
	seen = check(&c);
	assert_true(seen.alerts > 100);
	corpus_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attacks_allocate_nothing),
		cmocka_unit_test(real_events_allocate_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
