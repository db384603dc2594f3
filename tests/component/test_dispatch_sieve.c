/* Records that no rule can match leave their batch before a worker sees it. */
#include "tests/component/dispatch_world.h"

/* As new rules come: the sieve first, then the workers. */
static void use_sieve(struct fixture *f, const struct sq_ruleset *rs, uint64_t generation)
{
	struct sq_sieve *sieve = sq_sieve_new(rs, generation);

	assert_non_null(sieve);
	sqd_sievebox_put(&f->sieves, sieve);
	sq_sieve_unref(sieve);
}

static void what_no_rule_can_match_is_settled_without_a_worker(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 1);
	use_sieve(&f, f.rules, 1);
	f.attack_every = 1000000;
	feed_all(&f, 1); /* the attack */
	wait_for_alert(&f);
	feed_all(&f, 500);
	while (f.receipt.unsettled)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(f.totals.left_out, 499);
	assert_int_equal(f.totals.clean, 499);
	assert_int_equal(sq_counters_accounted(&f.totals), f.totals.received);
	drain(&f);
	assert_int_equal(f.seen, 1);
	teardown(&f);
}

/* Also when a batch is empty and those before it are not back: it waits for its turn. */
static void attacks_among_much_else_leave_in_order(void **state SQ_UNUSED)
{
	static const unsigned every[] = { 2, 7, 33, 100 };

	for (size_t i = 0; i < SQ_LEN(every); i++) {
		struct fixture f;

		setup(&f, 3);
		use_sieve(&f, f.rules, 1);
		f.attack_every = every[i];
		feed_all(&f, 6000);
		drain(&f);
		assert_int_equal(f.seen, (6000 + every[i] - 1) / every[i]);
		assert_int_equal(f.totals.alerted, f.seen);
		assert_int_equal(f.totals.clean, 6000 - f.seen);
		assert_true(f.totals.left_out > 0);
		assert_int_equal(f.receipt.unsettled, 0);
		teardown(&f);
	}
}

static void an_empty_batch_waits_for_those_before_it(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 1);
	use_sieve(&f, f.rules, 1);
	f.attack_every = 40; /* a batch has sixteen: the first has one, the second has none */
	f.hold = true;
	feed_all(&f, 32);
	for (int i = 0; i < 50 && !f.n_kept; i++) {
		uv_run(&f.loop, UV_RUN_NOWAIT);
		uv_sleep(1);
	}
	assert_int_equal(f.n_kept, 1);
	for (int i = 0; i < 5; i++)
		uv_run(&f.loop, UV_RUN_NOWAIT);
	assert_int_equal(f.receipt.unsettled, 32); /* not those of the second before the first */
	let_go(&f);
	drain(&f);
	assert_int_equal(f.receipt.unsettled, 0);
	assert_int_equal(f.settled, 1);
	teardown(&f);
}

static void sieves_change_while_records_run(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 2);
	f.attack_every = 5;
	f.wanted = 4000;
	for (uint64_t g = 2; f.fed < f.wanted; g++) {
		if (g % 3)
			use_sieve(&f, f.rules, g);
		else
			sqd_sievebox_put(&f.sieves, NULL);
		feed_more(&f);
		offer_rules(&f, 2, g);
	}
	uv_idle_stop(&f.feeder);
	drain(&f);
	assert_int_equal(f.seen, 800);
	assert_int_equal(f.totals.clean, 3200);
	assert_true(f.totals.left_out > 0 && f.totals.left_out < 3200);
	teardown(&f);
}

/* No rule of the old ones asks for the attack; of the new ones one does. */
static void an_open_batch_does_not_go_by_the_sieve_of_old_rules(void **state SQ_UNUSED)
{
	struct sq_ruleset *old = rules_of("other");
	struct fixture f;

	setup(&f, 1);
	use_sieve(&f, old, 1);
	sq_ruleset_unref(old);
	assert_non_null(sqd_dispatch_open(f.dispatch, 256)); /* for a sender without a word */
	uv_run(&f.loop, UV_RUN_NOWAIT);
	use_sieve(&f, f.rules, 2);
	offer_rules(&f, 1, 2);
	feed_all(&f, 3);
	drain(&f);
	assert_int_equal(f.seen, 3);
	assert_int_equal(f.totals.left_out, 0);
	teardown(&f);
}

/* The first batch is stalled; of those behind it nothing is left, and they fill on. */
static void so_many_records_leave_a_batch_and_no_more(void **state SQ_UNUSED)
{
	const uint32_t many = 1 << 20;
	struct sq_batch *b;
	struct fixture f;

	setup(&f, 1);
	use_sieve(&f, f.rules, 1);
	f.attack_every = 1000000;
	feed_and_keep_one(&f);
	feed_all(&f, 3);
	b = sqd_dispatch_open(f.dispatch, 256); /* as if so many more had come and gone: */
	b->counts.left_out += many;
	b->origins[0].n += many;
	sqd_receipt_owe(&f.receipt, many);
	assert_true(sqd_dispatch_open(f.dispatch, 256) != b);
	sqd_dispatch_delivered(f.dispatch, f.kept[0]);
	drain(&f);
	assert_int_equal(f.receipt.unsettled, 0);
	assert_int_equal(f.totals.left_out, many + 2);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_rule_can_match_is_settled_without_a_worker),
		cmocka_unit_test(attacks_among_much_else_leave_in_order),
		cmocka_unit_test(an_empty_batch_waits_for_those_before_it),
		cmocka_unit_test(sieves_change_while_records_run),
		cmocka_unit_test(an_open_batch_does_not_go_by_the_sieve_of_old_rules),
		cmocka_unit_test(so_many_records_leave_a_batch_and_no_more),
	};

	return cmocka_run_group_tests_name("flow/dispatch-sieve", tests, NULL, NULL);
}
