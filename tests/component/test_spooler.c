/* A queue with a spool: what has passed is on disk, what is too much for the memory is read back,
 * what a process before us left comes first. */
#include "daemon/flow/refusals.h"
#include "tests/support/spool_world.h"

static void what_is_committed_has_passed_though_nothing_is_sent(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ 0 });
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(push(&w, i, 100), 0);
	assert_true(sqd_outqueue_passed(w.q) < sqd_outqueue_taken(w.q));
	assert_false(sqd_outqueue_empty(w.q));
	until_passed(&w);
	assert_int_equal(sqd_outqueue_counts(w.q)->sent, 0);
	assert_int_equal(sqd_outqueue_waiting(w.q), 10);
	close_queue(&w);
}

static void what_is_left_comes_first_at_the_next_start(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ 0 });
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(push(&w, i, 100), 0);
	close_queue(&w); /* which commits */
	open_queue(&w, *state, (struct queue_opts){ 0 });
	assert_int_equal(sqd_outqueue_waiting(w.q), 10);
	assert_int_equal(push(&w, 10, 100), 0);
	deliver(&w, 11);
	for (unsigned i = 0; i < 11; i++)
		assert_int_equal(nth(&w, i, 100), i);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	assert_int_equal(sqd_outqueue_counts(w.q)->queued, 1);
	close_queue(&w);
	open_queue(&w, *state, (struct queue_opts){ 0 });
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	close_queue(&w);
}

static void what_is_too_much_for_the_memory_is_read_back_in_order(void **state)
{
	struct world w;
	unsigned n = 0;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	while (n < 300) {
		if (push(&w, n, 1000))
			until_passed(&w); /* what gathers is bounded too */
		else
			n++;
	}
	until_passed(&w);
	assert_true(metric(&w, "waiting_bytes") <= 65536);
	assert_int_equal(sqd_outqueue_waiting(w.q), 300);
	deliver(&w, 300);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(nth(&w, i, 1000), i);
	assert_int_equal(push(&w, 300, 1000), 0); /* and straight again */
	assert_true(w.f->sending.p != NULL);
	deliver(&w, 301);
	close_queue(&w);
}

/* Push until it is full; gives how many. */
static unsigned fill(struct world *w)
{
	unsigned n = 0;

	for (;; n++) {
		int r = push(w, n, 2000);

		if (r == -ENOSPC) {
			uint64_t passed = sqd_outqueue_passed(w->q);

			until_passed(w);
			if (passed == sqd_outqueue_passed(w->q))
				return n;
			n--;
		} else {
			assert_int_equal(r, 0);
		}
	}
}

static void a_full_spool_refuses_until_something_is_delivered(void **state)
{
	struct world w;
	unsigned n;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	n = fill(&w);
	assert_true(n > 150 && n < 500);
	deliver(&w, n / 2);
	while (push(&w, n, 2000))
		turn(&w, UV_RUN_ONCE);
	deliver(&w, n + 1);
	for (unsigned i = 0; i <= n; i++)
		assert_int_equal(nth(&w, i, 2000), i);
	close_queue(&w);
}

static void the_oldest_make_room_for_the_newest(void **state)
{
	struct sqd_outqueue_health h;
	struct world w;
	unsigned n = 0;
	uint64_t left;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536, .drop_oldest = true });
	while (n < 1000)
		if (push(&w, n, 2000))
			turn(&w, UV_RUN_ONCE);
		else
			n++;
	until_passed(&w);
	left = sqd_outqueue_waiting(w.q);
	assert_true(left < 500);
	sqd_outqueue_health(w.q, &h);
	assert_true(h.full);
	assert_int_equal(h.cost, SQD_COST_OLDEST);
	assert_int_equal(h.dropped, 1000 - left);
	assert_true(h.lost_ms < SPOOL_WORLD_DEADLINE_MS);
	deliver(&w, left);
	assert_int_equal(nth(&w, 0, 2000), 0); /* was on its way */
	assert_int_equal(nth(&w, left - 1, 2000), 999);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	close_queue(&w);
}

/* Who cannot be reached fills the disk alone, and gets all of it in order when that is over. */
static void an_output_that_fails_does_not_fill_the_memory(void **state)
{
	const struct sqd_failure refused = { .level = SQD_LOG_WARNING,
		                             .why = "refused",
		                             .then = "retrying" };
	const struct queue_opts o = { .max = 8 << 20, .size = 64 << 20 };
	struct world w;

	open_queue(&w, *state, o);
	push_all(&w, 0, 10, 4000);
	sqd_output_failed(&w.f->base, &refused);
	push_all(&w, 10, 1500, 4000);
	until_passed(&w);
	until_idle(&w);
	assert_in_range(metric(&w, "waiting_bytes"), 1 << 20, (1 << 20) + 8192);
	assert_int_equal(sqd_outqueue_waiting(w.q), 1500);
	(void)sqd_output_works(&w.f->base, "connected");
	deliver(&w, 1500);
	assert_arrived(&w, 1500, 4000);
	assert_int_equal(push(&w, 1500, 4000), 0); /* and straight again */
	assert_true(w.f->sending.p != NULL);
	deliver(&w, 1501);
	assert_int_equal(close_queue(&w), 0);
}

static void who_is_away_at_the_start_has_no_more_read_back(void **state)
{
	const struct sqd_failure refused = { .level = SQD_LOG_WARNING,
		                             .why = "refused",
		                             .then = "retrying" };
	const struct queue_opts o = { .max = 8 << 20, .size = 64 << 20 };
	struct world w;

	open_queue(&w, *state, o);
	push_all(&w, 0, 800, 4000);
	until_passed(&w);
	close_queue(&w);
	open_queue(&w, *state, o);
	sqd_output_failed(&w.f->base, &refused);
	until_idle(&w);
	assert_in_range(metric(&w, "waiting_bytes"), 1 << 20, (1 << 20) + 8192);
	(void)sqd_output_works(&w.f->base, "connected");
	deliver(&w, 800);
	assert_arrived(&w, 800, 4000);
	assert_int_equal(close_queue(&w), 0);
}

/* What a receiver never takes leaves the spool when it is with the dead letters, and not before:
 * this process may be killed at any time. */
static void what_is_refused_stays_until_its_letter_is_written(void **state)
{
	for (int written = 0; written < 2; written++) {
		struct fake_output *dead = fake_new(SQD_FRAMING_LF);
		struct sqd_outqueue *letters = sqd_outqueue_new(&dead->base, 65536);
		struct sqd_message m = { .text = SQ_SV("x") };
		struct sqd_refusals r;
		struct world w;

		sqd_refusals_init(&r, letters);
		open_queue(&w, *state, (struct queue_opts){ 0 });
		sqd_refusals_watch(&r, w.q);
		assert_int_equal(push(&w, 0, 100), 0);
		assert_int_equal(push(&w, 1, 100), 0);
		until_passed(&w);
		fake_sent(w.f, 0);
		w.f->base.refused(&w.f->base, &m, "bad");
		fake_sent(w.f, 0);
		assert_int_equal(sqd_outqueue_waiting(w.q), 0);
		if (written)
			fake_sent(dead, 0);
		close_queue(&w);
		open_queue(&w, *state, (struct queue_opts){ 0 });
		assert_int_equal(sqd_outqueue_waiting(w.q), !written);
		deliver(&w, !written);
		close_queue(&w);
		fake_end(dead, letters);
		sqd_refusals_fini(&r);
	}
}

/* The queue is no larger than what is read back at a time, and messages are of all sizes: with the
 * output away nothing is left to be done, and nothing is done. */
static void an_output_that_is_away_keeps_nobody_busy(void **state)
{
	static const uint64_t sizes[] = { 4096, 10000, 65536, 200000, 1 << 20 };

	for (size_t i = 0; i < SQ_LEN(sizes); i++) {
		char name[32], *folder;
		struct world w;

		snprintf(name, sizeof(name), "of-%zu", i);
		scratch_folder(*state, name);
		folder = scratch_path(*state, name);
		open_queue(&w, folder, (struct queue_opts){ .max = sizes[i] });
		for (unsigned n = 0; n < 200; n++)
			push_all(&w, n, n + 1, n % 2 ? 4000 : 100);
		until_passed(&w);
		until_idle(&w);
		assert_int_equal(sqd_outqueue_waiting(w.q), 200);
		deliver(&w, 200);
		assert_int_equal(sqd_outqueue_waiting(w.q), 0);
		close_queue(&w);
		free(folder);
	}
}

static void what_was_delivered_is_taken_out_to_the_last(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ .max = 4 << 20, .size = 16 << 20 });
	push_all(&w, 0, 20000, 50); /* more than are trimmed at a time */
	until_passed(&w);
	until_idle(&w);
	assert_true(metric(&w, "spool_bytes") > 1 << 20);
	deliver(&w, 20000);
	until_idle(&w);
	assert_true(metric(&w, "spool_bytes") < 65536);
	close_queue(&w);
}

static void wait_for_post(uv_work_t *work)
{
	uv_sem_wait(work->data);
}

static void ignore_done(uv_work_t *work, int status)
{
	(void)work;
	(void)status;
}

/* A process that is killed then does not send it again. */
static void what_is_delivered_during_a_commit_is_taken_out_after_it(void **state)
{
	uv_work_t work[4]; /* all threads of the pool, so that the commit does not end */
	uint64_t begin_ms;
	struct world w;
	uv_sem_t gate;

	assert_int_equal(uv_sem_init(&gate, 0), 0);
	open_queue(&w, *state, (struct queue_opts){ 0 });
	for (size_t i = 0; i < SQ_LEN(work); i++) {
		work[i].data = &gate;
		assert_int_equal(uv_queue_work(&w.loop, &work[i], wait_for_post, ignore_done), 0);
	}
	push_all(&w, 0, 20, 1000);
	for (begin_ms = uv_now(&w.loop); uv_now(&w.loop) < begin_ms + 10;)
		turn(&w, UV_RUN_NOWAIT);
	turn(&w, UV_RUN_NOWAIT); /* the commit has been asked for */
	while (w.f->sending.p)
		fake_sent(w.f, 0);
	assert_int_equal(sqd_outqueue_counts(w.q)->sent, 20);
	for (size_t i = 0; i < SQ_LEN(work); i++)
		uv_sem_post(&gate);
	until_idle(&w);
	assert_int_equal(metric(&w, "spooled"), 20);
	assert_int_equal(metric(&w, "spool_bytes"), 4096); /* with the cursor alone */
	close_queue(&w);
	uv_sem_destroy(&gate);
}

/* It fits into the queue, but not behind what is there; and it is more than is read at a time. */
static void what_has_no_room_yet_keeps_nobody_busy(void **state)
{
	static char text[120000];
	const struct sqd_message large = { .text = { text, sizeof(text) }, .id = { 7, 60 } };
	uint64_t begin_ns;
	unsigned turns = 0;
	struct world w;

	memset(text, 'x', sizeof(text));
	open_queue(&w, *state, (struct queue_opts){ .size = 8 << 20 });
	push_all(&w, 0, 60, 1000);
	assert_int_equal(sqd_outqueue_push(w.q, &large), 0);
	close_queue(&w);
	open_queue(&w, *state, (struct queue_opts){ .max = 160000, .size = 8 << 20 });
	for (begin_ns = uv_hrtime(); uv_hrtime() - begin_ns < 700000000; turns++)
		turn(&w, UV_RUN_ONCE);
	assert_true(turns < 20);
	assert_int_equal(sqd_outqueue_waiting(w.q), 61);
	deliver(&w, 61);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	close_queue(&w);
}

/* Who stops waits to hear of it. */
static void that_all_is_safe_is_told_however_full_the_spool_is(void **state)
{
	struct world w;
	unsigned n = 0;
	bool told = false;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	sqd_outqueue_on_room(w.q, fake_noted, &told);
	assert_int_equal(push(&w, n++, 3000), 0);
	until_passed(&w);
	assert_false(sqd_outqueue_empty(w.q)); /* it is on its way: an answer may come */
	sqd_outqueue_hurry(w.q);
	assert_true(sqd_outqueue_empty(w.q));
	for (; !push(&w, n, 3000); n++) {
		told = false;
		until_passed(&w);
		assert_true(told);
	}
	assert_true(n > 150);
	close_queue(&w);
}

/* What gathers has come to its maximum: the disk is behind, and that is no reason to drop what is
 * there. */
static void nothing_is_dropped_as_the_oldest_while_the_file_has_room(void **state)
{
	struct world w;
	unsigned refused = 0;

	open_queue(&w, *state,
	           (struct queue_opts){ .max = 65536, .size = 8 << 20, .drop_oldest = true });
	for (unsigned n = 0; n < 1000; n++)
		while (push(&w, n, 1000)) {
			refused++;
			turn(&w, UV_RUN_ONCE);
		}
	until_passed(&w);
	until_idle(&w);
	assert_true(refused > 0);
	assert_int_equal(metric(&w, "dropped_oldest"), 0);
	assert_int_equal(sqd_outqueue_waiting(w.q), 1000);
	close_queue(&w);
}

static enum sqd_cost cost_of_waiting(struct world *w)
{
	struct sqd_outqueue_health h;

	sqd_outqueue_waited(w->q);
	sqd_outqueue_health(w->q, &h);
	assert_true(h.full);
	return h.cost;
}

/* Who gives to the queue waits either way, and for the disk either way. */
static void what_waits_for_the_oldest_to_go_is_not_told_as_inputs_that_wait(void **state)
{
	for (int oldest = 1; oldest >= 0; oldest--) {
		enum sqd_cost cost = SQD_COST_WAIT;
		bool safe = false; /* what came, and still there is no room */
		struct world w;

		open_queue(&w, *state,
		           (struct queue_opts){ .max = 65536, .drop_oldest = oldest != 0 });
		while (!push(&w, 0, 1000))
			;
		assert_int_equal(cost_of_waiting(&w), SQD_COST_WAIT);
		while (!safe && cost == SQD_COST_WAIT) {
			turn(&w, UV_RUN_NOWAIT);
			safe = all_passed(&w);
			while (!push(&w, 0, 1000))
				safe = false;
			cost = cost_of_waiting(&w);
		}
		assert_int_equal(cost, oldest ? SQD_COST_OLDEST : SQD_COST_WAIT);
		close_queue(&w);
	}
}

/* A whole queue of them, more than may be on their way: none is, and nobody waits for an answer. */
static void datagrams_that_are_too_long_hold_up_nothing(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ .repeats = 3 });
	w.f->base.framing = SQD_FRAMING_MESSAGE;
	w.f->answer = -EAGAIN;
	push_all(&w, 0, 10, 1000);
	close_queue(&w);
	open_queue(&w, *state, (struct queue_opts){ .repeats = 3 });
	w.f->base.framing = SQD_FRAMING_MESSAGE;
	w.f->answer = -EMSGSIZE;
	until_idle(&w); /* of what is read back */
	assert_int_equal(sqd_outqueue_counts(w.q)->dropped_too_long, 10);
	push_all(&w, 10, 20, 1000); /* and of what comes */
	assert_int_equal(sqd_outqueue_counts(w.q)->dropped_too_long, 20);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	until_idle(&w);
	assert_true(all_passed(&w));
	close_queue(&w);
}

/* Messages of all that the output has and has not answered. */
static unsigned on_their_way(const struct world *w, size_t len)
{
	size_t bytes = w->f->sending.n;

	for (unsigned i = 0; i < w->f->n_later; i++)
		bytes += w->f->later[i].n;
	return (unsigned)(bytes / (len + 1));
}

/* They are what the receiver gets twice when we are killed. */
static void no_more_are_on_their_way_than_may_come_twice(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ .repeats = 7 });
	w.f->depth = 100;
	push_all(&w, 0, 100, 50);
	assert_int_equal(on_their_way(&w, 50), 7);
	for (unsigned failed = 0; sqd_outqueue_counts(w.q)->sent < 100;) {
		if (sqd_outqueue_counts(w.q)->sent > 50 && !failed++)
			fake_sent(w.f, -EPIPE);
		else
			fake_sent(w.f, 0);
		fake_ready(w.f);
		assert_true(on_their_way(&w, 50) <= 7);
		turn(&w, UV_RUN_NOWAIT);
	}
	assert_arrived(&w, 100, 50);
	close_queue(&w);
}

/* What is refused and has no letter yet is not before the cursor, answered though it is. */
static void what_waits_for_its_letter_counts_as_on_its_way(void **state)
{
	struct fake_output *dead = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *letters = sqd_outqueue_new(&dead->base, 65536);
	struct sqd_message m = { .text = SQ_SV("x") };
	struct sqd_refusals r;
	struct world w;

	sqd_refusals_init(&r, letters);
	open_queue(&w, *state, (struct queue_opts){ .repeats = 5 });
	w.f->depth = 100;
	sqd_refusals_watch(&r, w.q);
	push_all(&w, 0, 20, 50);
	w.f->base.refused(&w.f->base, &m, "bad");
	while (w.f->sending.p)
		fake_sent(w.f, 0);
	assert_int_equal(sqd_outqueue_counts(w.q)->sent, 4); /* and one refused */
	fake_sent(dead, 0);
	assert_true(on_their_way(&w, 50) > 0);
	deliver(&w, 19);
	close_queue(&w);
	fake_end(dead, letters);
	sqd_refusals_fini(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_committed_has_passed_though_nothing_is_sent),
		TEST(what_is_left_comes_first_at_the_next_start),
		TEST(what_is_too_much_for_the_memory_is_read_back_in_order),
		TEST(a_full_spool_refuses_until_something_is_delivered),
		TEST(the_oldest_make_room_for_the_newest),
		TEST(an_output_that_fails_does_not_fill_the_memory),
		TEST(who_is_away_at_the_start_has_no_more_read_back),
		TEST(what_is_refused_stays_until_its_letter_is_written),
		TEST(an_output_that_is_away_keeps_nobody_busy),
		TEST(what_was_delivered_is_taken_out_to_the_last),
		TEST(what_is_delivered_during_a_commit_is_taken_out_after_it),
		TEST(what_has_no_room_yet_keeps_nobody_busy),
		TEST(that_all_is_safe_is_told_however_full_the_spool_is),
		TEST(nothing_is_dropped_as_the_oldest_while_the_file_has_room),
		TEST(what_waits_for_the_oldest_to_go_is_not_told_as_inputs_that_wait),
		TEST(datagrams_that_are_too_long_hold_up_nothing),
		TEST(no_more_are_on_their_way_than_may_come_twice),
		TEST(what_waits_for_its_letter_counts_as_on_its_way),
	};

	return cmocka_run_group_tests_name("flow/spooler", tests, NULL, NULL);
}
