/* What leaves a batch where it is received, and what stays. */
#include "lib/engine/sifter.h"
#include "tests/unit/engine/rig.h"

#define CLEAN(x)  "{\"EventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"dir " x "\"}"
#define ATTACK(x) "{\"EventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"scrobj " x "\"}"

struct sift {
	struct rig rig;
	struct sq_sifter sifter;
};

static void open_with(struct sift *t, struct sq_pipeline_opts opts, uint32_t one_in,
                      uint64_t generation)
{
	struct sq_ruleset *rs = rig_ruleset(true);
	struct sq_sieve *sieve = sq_sieve_new(rs, generation);

	assert_non_null(sieve);
	assert_false(sq_sieve_is_open(sieve));
	opts.sieve = sieve;
	rig_open(&t->rig, opts, 1 << 20);
	t->sifter = (struct sq_sifter){ .one_in = one_in, .secret = { { 1, 2 } } };
	sq_sifter_begin(&t->sifter);
	sq_sifter_use(&t->sifter, sieve);
	sq_sifter_open(&t->sifter, t->rig.batch);
	sq_sieve_unref(sieve);
	sq_ruleset_unref(rs);
}

static void close_all(struct sift *t)
{
	sq_sifter_end(&t->sifter);
	rig_close(&t->rig);
}

static void records_are(const struct sift *t, const char *const *want, uint32_t n)
{
	const struct sq_batch *b = t->rig.batch;
	const char *end = b->chunk;

	assert_int_equal(b->n_records, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_sv_equal(b->records[i].raw, sq_sv_of(want[i]));
		assert_ptr_equal(b->records[i].raw.p, end); /* one behind the other */
		end += b->records[i].raw.n;
	}
	assert_int_equal(b->tail, end - b->chunk);
}

static void what_no_rule_can_match_leaves_and_the_rest_moves_together(void **state)
{
	static const char *const kept[] = { ATTACK("1"), ATTACK("2"), "no JSON", ATTACK("3") };
	struct sift t;

	(void)state;
	open_with(&t, (struct sq_pipeline_opts){ 0 }, 0, 7);
	rig_add(&t.rig, SQ_SV(CLEAN("a")));
	rig_add(&t.rig, SQ_SV(ATTACK("1")));
	sq_sifter_run(&t.sifter, t.rig.batch);
	records_are(&t, kept, 1);

	rig_add(&t.rig, SQ_SV(CLEAN("b")));
	rig_add(&t.rig, SQ_SV(ATTACK("2")));
	rig_add(&t.rig, SQ_SV("no JSON"));
	rig_add(&t.rig, SQ_SV(CLEAN("c")));
	sq_sifter_run(&t.sifter, t.rig.batch);
	records_are(&t, kept, 3);
	sq_sifter_run(&t.sifter, t.rig.batch); /* nothing new */
	records_are(&t, kept, 3);

	rig_add(&t.rig, SQ_SV(ATTACK("3")));
	sq_sifter_run(&t.sifter, t.rig.batch);
	records_are(&t, kept, 4);
	assert_int_equal(t.rig.batch->counts.clean, 3);
	assert_int_equal(t.rig.batch->counts.left_out, 3);
	assert_int_equal(t.rig.batch->counts.received, 7);
	assert_int_equal(t.rig.batch->origins[0].n, 7); /* the sender is owed all of them */
	close_all(&t);
}

/* Lines in the chunk, some bytes behind its tail. */
static bool lines(struct sift *t, const char *text, uint32_t *ret_n)
{
	struct sq_batch *b = t->rig.batch;
	struct sq_sv v = { b->chunk + b->tail + 5, strlen(text) };

	memcpy(b->chunk + b->tail + 5, text, v.n);
	return sq_sifter_lines(&t->sifter, b, 0, v, 1000, ret_n);
}

static void lines_are_cut_and_leave_at_once(void **state)
{
	static const char *const kept[] = { ATTACK("1"), ATTACK("2"), ATTACK("3") };
	struct sift t;
	uint32_t n;

	(void)state;
	open_with(&t, (struct sq_pipeline_opts){ 0 }, 0, 7);
	rig_add(&t.rig, SQ_SV(CLEAN("a")));
	assert_false(lines(&t, CLEAN("a") "\n", &n)); /* one has not been looked at */
	sq_sifter_run(&t.sifter, t.rig.batch);
	assert_true(lines(&t, CLEAN("a") "\n" ATTACK("1") "\r\n" CLEAN("b") "\n", &n));
	assert_int_equal(n, 3);
	records_are(&t, kept, 1);
	assert_true(lines(&t, ATTACK("2") "\n" ATTACK("3") "\n", &n));
	assert_int_equal(n, 2);
	assert_false(lines(&t, CLEAN("b") "\n" ATTACK("4") "\nno JSON\n", &n));
	records_are(&t, kept, 3);
	sq_sifter_run(&t.sifter, t.rig.batch); /* they have been looked at */
	records_are(&t, kept, 3);
	assert_int_equal(t.rig.batch->counts.clean, 3);
	assert_int_equal(t.rig.batch->counts.left_out, 3);
	assert_int_equal(t.rig.batch->origins[0].n, 6);
	sq_pipeline_run(t.rig.pipeline, t.rig.batch, rig_now);
	assert_int_equal(t.rig.batch->counts.alerted, 3);
	close_all(&t);
}

/* As many as of records that are looked at one by one. */
static void of_lines_that_leave_some_are_checked(void **state)
{
	uint32_t checked[2] = { 0 }, n;
	struct sift t;

	(void)state;
	for (int way = 0; way < 2; way++) {
		open_with(&t, (struct sq_pipeline_opts){ 0 }, 5, 7);
		for (int i = 0; i < 1000; i++) {
			struct sq_batch *b = t.rig.batch;

			if (way) {
				assert_false(lines(&t, CLEAN("a") "\n[]\n", &n)); /* uses none up */
				assert_true(lines(&t, CLEAN("a") "\n", &n));
			} else {
				rig_add(&t.rig, SQ_SV(CLEAN("a")));
				sq_sifter_run(&t.sifter, b);
			}
			checked[way] += b->n_records;
			if (b->n_records)
				assert_true(b->records[0].check && b->records[0].left_out);
			b->n_records = b->sifted = b->tail = 0;
		}
		close_all(&t);
	}
	assert_in_range(checked[0], 100, 400);
	assert_int_equal(checked[0], checked[1]);
}

static void lines_are_left_alone_where_clean_records_go_on(void **state)
{
	static const struct sq_view view = { .min_level = SQ_LEVEL_INFORMATIONAL };
	const struct sq_pipeline_opts opts = { .views = &view, .n_views = 1 };
	struct sift t;
	uint32_t n;

	(void)state;
	open_with(&t, opts, 0, 7);
	assert_false(lines(&t, CLEAN("a") "\n", &n));
	close_all(&t);
	open_with(&t, (struct sq_pipeline_opts){ 0 }, 0, 7);
	t.rig.batch->sieve = 6;
	assert_false(lines(&t, CLEAN("a") "\n", &n));
	close_all(&t);
}

static void a_batch_may_become_empty(void **state)
{
	struct sift t;

	(void)state;
	open_with(&t, (struct sq_pipeline_opts){ 0 }, 0, 7);
	for (int i = 0; i < 10; i++)
		rig_add(&t.rig, SQ_SV(CLEAN("a")));
	sq_sifter_run(&t.sifter, t.rig.batch);
	records_are(&t, NULL, 0);
	assert_int_equal(t.rig.batch->counts.clean, 10);
	assert_int_equal(t.rig.batch->origins[0].n, 10);
	close_all(&t);
}

static void a_batch_of_other_rules_is_left_to_whoever_runs_it(void **state)
{
	static const char *const both[] = { CLEAN("a"), ATTACK("1") };
	struct sq_ruleset *rs = rig_ruleset(true);
	struct sq_sieve *newer = sq_sieve_new(rs, 8);
	struct sift t;

	(void)state;
	open_with(&t, (struct sq_pipeline_opts){ 0 }, 0, 7);
	sq_sifter_use(&t.sifter, newer);
	rig_add(&t.rig, SQ_SV(CLEAN("a")));
	rig_add(&t.rig, SQ_SV(ATTACK("1")));
	sq_sifter_run(&t.sifter, t.rig.batch);
	records_are(&t, both, 2);
	sq_batch_reset(t.rig.batch);
	sq_sifter_use(&t.sifter, NULL);
	sq_sifter_open(&t.sifter, t.rig.batch);
	assert_int_equal(t.rig.batch->sieve, 0);
	sq_sieve_unref(newer);
	sq_ruleset_unref(rs);
	close_all(&t);
}

/* They are handed on: marked they stay, where they are. */
static void where_clean_records_go_on_none_leaves(void **state)
{
	static const struct sq_view view = { .min_level = SQ_LEVEL_INFORMATIONAL };
	const struct sq_pipeline_opts opts = { .views = &view, .n_views = 1 };
	struct sq_batch *b;
	uint32_t tail;
	struct sift t;

	(void)state;
	open_with(&t, opts, 0, 7);
	b = t.rig.batch;
	rig_add(&t.rig, SQ_SV(CLEAN("a")));
	rig_add(&t.rig, SQ_SV(ATTACK("1")));
	sq_sifter_run(&t.sifter, b);
	rig_add(&t.rig, SQ_SV(CLEAN("b")));
	tail = b->tail;
	sq_sifter_run(&t.sifter, b);
	assert_int_equal(b->n_records, 3);
	assert_int_equal(b->sifted, 3);
	assert_int_equal(b->tail, tail);
	assert_int_equal(b->counts.clean, 0);
	assert_true(b->records[0].left_out && b->records[2].left_out);
	assert_false(b->records[1].left_out);
	assert_true(sq_batch_raised(b));

	sq_pipeline_run(t.rig.pipeline, b, rig_now);
	assert_int_equal(b->counts.clean, 2);
	assert_int_equal(b->counts.left_out, 2);
	assert_int_equal(b->n_passes, 1);
	assert_int_equal(b->records[1].pass, 1);
	assert_sv_equal(b->records[0].raw, SQ_SV(CLEAN("a")));
	close_all(&t);
}

/* Records that are left out and stay are run by nobody but the oracle. */
static void some_stay_to_be_checked(void **state)
{
	const struct sq_pipeline_opts opts = { .check = { .one_in = 1000000 }, .formats = 1 };
	struct sift t;

	(void)state;
	open_with(&t, opts, 1, 7); /* every one of them */
	for (int i = 0; i < 5; i++)
		rig_add(&t.rig, SQ_SV(CLEAN("a")));
	rig_add(&t.rig, SQ_SV(ATTACK("1")));
	sq_sifter_run(&t.sifter, t.rig.batch);
	assert_int_equal(t.rig.batch->n_records, 6);
	for (uint32_t i = 0; i < 5; i++)
		assert_true(t.rig.batch->records[i].left_out && t.rig.batch->records[i].check);
	assert_false(t.rig.batch->records[5].left_out || t.rig.batch->records[5].check);
	assert_int_equal(t.rig.batch->counts.clean, 0);

	sq_pipeline_run(t.rig.pipeline, t.rig.batch, rig_now);
	assert_int_equal(t.rig.batch->counts.clean, 5);
	assert_int_equal(t.rig.batch->counts.left_out, 5);
	assert_int_equal(t.rig.batch->counts.alerted, 1);
	assert_in_range(t.rig.batch->counts.oracle_checked, 5, 6);
	assert_int_equal(t.rig.batch->counts.oracle_disagreed, 0);
	close_all(&t);
}

static void about_one_in_so_many_stays(void **state)
{
	struct sift t;
	uint32_t stayed = 0;

	(void)state;
	open_with(&t, (struct sq_pipeline_opts){ 0 }, 20, 7);
	for (int i = 0; i < 4000; i++) {
		rig_add(&t.rig, SQ_SV(CLEAN("a")));
		sq_sifter_run(&t.sifter, t.rig.batch);
		if (t.rig.batch->n_records) {
			assert_true(t.rig.batch->records[0].check);
			stayed++;
			t.rig.batch->n_records = t.rig.batch->sifted = t.rig.batch->tail = 0;
		}
	}
	assert_in_range(stayed, 150, 250);
	close_all(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_rule_can_match_leaves_and_the_rest_moves_together),
		cmocka_unit_test(lines_are_cut_and_leave_at_once),
		cmocka_unit_test(of_lines_that_leave_some_are_checked),
		cmocka_unit_test(lines_are_left_alone_where_clean_records_go_on),
		cmocka_unit_test(a_batch_may_become_empty),
		cmocka_unit_test(a_batch_of_other_rules_is_left_to_whoever_runs_it),
		cmocka_unit_test(where_clean_records_go_on_none_leaves),
		cmocka_unit_test(some_stay_to_be_checked),
		cmocka_unit_test(about_one_in_so_many_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
