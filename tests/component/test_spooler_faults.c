/* A queue with a spool whose disk fails or is full; and a process without memory. */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/flow/outqueue_private.h"
#include "lib/host/spool.h"
#include "tests/support/fault_alloc.h"
#include "tests/support/mortal.h"
#include "tests/support/spool_world.h"

static void until_failures(struct world *w, uint64_t n)
{
	while (metric(w, "commit_failures") < n)
		turn(w, UV_RUN_ONCE);
}

/* ---- the disk fails ---- */

static void what_has_gathered_is_sent_while_the_disk_fails(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	push_all(&w, 0, 60, 1000); /* the memory of the output is full of what is safe */
	until_passed(&w);
	mortal_set("eio:1+");
	push_all(&w, 60, 110, 1000);
	until_failures(&w, 1);
	assert_false(all_passed(&w));
	deliver(&w, 110);
	assert_arrived(&w, 110, 1000);
	assert_true(all_passed(&w));
	mortal_set("");
	push_all(&w, 110, 120, 1000);
	until_passed(&w);
	assert_int_equal(close_queue(&w), 10);
	open_queue(&w, *state, (struct queue_opts){ 0 });
	deliver(&w, 10);
	assert_int_equal(nth(&w, 0, 1000), 110);
	close_queue(&w);
}

static void the_spool_is_ours_also_while_its_disk_fails(void **state)
{
	const struct sq_spool_opts other = { .size = 1 << 20 };
	struct sq_spool_opts o = other;
	struct sq_err aside, err = { 0 };
	struct sq_spool *s;
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ 0 });
	o.dir = w.dir;
	mortal_set("eio:1+");
	push_all(&w, 0, 10, 1000);
	for (uint64_t n = 1; n <= 2; n++) { /* when it has failed, and when it was opened anew */
		until_failures(&w, n);
		assert_int_equal(sq_spool_open(&o, &s, &aside, &err), -EBUSY);
	}
	mortal_set("");
	until_passed(&w);
	assert_int_equal(close_queue(&w), 10);
}

/* ---- the disk is full ---- */

static void while_the_disk_is_full_what_is_there_is_sent(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	push_all(&w, 0, 300, 1000);
	until_passed(&w);
	mortal_set("full:1+");
	push_all(&w, 300, 310, 1000);
	until_failures(&w, 1);
	deliver(&w, 310);
	assert_arrived(&w, 310, 1000);
	mortal_set("");
	assert_int_equal(close_queue(&w), 0);
}

/* Trimming may find a page where many messages do not. */
static void while_the_disk_is_full_what_was_delivered_is_taken_out(void **state)
{
	struct world w;
	uint64_t commits;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	push_all(&w, 0, 100, 1000);
	until_passed(&w);
	until_idle(&w);
	commits = metric(&w, "commits");
	fake_sent(w.f, 0);
	mortal_set("full:1");
	push_all(&w, 100, 110, 1000);
	until_failures(&w, 1);
	assert_int_equal(metric(&w, "commits"), commits + 1);
	assert_false(all_passed(&w));
	until_passed(&w); /* and after a while all */
	mortal_set("");
	close_queue(&w);
}

static void a_disk_without_room_is_asked_again_in_a_while_and_not_at_once(void **state)
{
	struct world w;
	uint64_t begin_ns;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536, .drop_oldest = true });
	push_all(&w, 0, 300, 1000);
	until_passed(&w);
	mortal_set("full:1+");
	for (unsigned n = 300; !push(&w, n, 1000); n++)
		;
	until_failures(&w, 1);
	assert_true(push(&w, 500, 1000) < 0); /* starved: the oldest is to go */
	begin_ns = uv_hrtime();
	mortal_set("full:1+");
	while (uv_hrtime() - begin_ns < 1200000000)
		turn(&w, UV_RUN_ONCE);
	assert_true(mortal_calls() > 0 && mortal_calls() < 30);
	mortal_set("");
	close_queue(&w);
}

/* What is left lies together with what is on its way, and a commit of nothing succeeds. */
static void when_nothing_can_be_dropped_it_is_asked_again_in_a_while_and_not_at_once(void **state)
{
	struct world w;
	uint64_t begin_ns, commits;
	unsigned n = 33;

	open_queue(&w, *state, (struct queue_opts){ .max = 32768, .drop_oldest = true });
	push_all(&w, 0, n, 1000); /* one piece, and the memory has no room for the last of it */
	until_passed(&w);
	until_idle(&w);
	mortal_set("big:20000");
	while (!push(&w, n, 1000))
		n++;
	until_failures(&w, 1);
	assert_true(push(&w, n, 1000) < 0); /* starved: the oldest is to go */
	commits = metric(&w, "commits");
	begin_ns = uv_hrtime();
	while (uv_hrtime() - begin_ns < 1200000000)
		turn(&w, UV_RUN_ONCE);
	assert_true(metric(&w, "commits") - commits < 10);
	assert_int_equal(metric(&w, "dropped_oldest"), 0);
	mortal_set("");
	until_passed(&w);
	close_queue(&w);
}

/* Others may have filled it, and the spool may have all the room that it was given. */
static void for_a_full_disk_no_more_is_dropped_than_a_part_of_what_is_there(void **state)
{
	struct world w;
	uint64_t dropped;
	unsigned n = 310;

	open_queue(&w, *state,
	           (struct queue_opts){ .max = 65536, .size = 16 << 20, .drop_oldest = true });
	push_all(&w, 0, 300, 1000);
	until_passed(&w);
	until_idle(&w);
	mortal_set("full:1");
	push_all(&w, 300, 310, 1000);
	until_failures(&w, 1);
	while (!push(&w, n, 1000))
		n++;
	until_passed(&w);
	until_idle(&w);
	mortal_set("");
	dropped = metric(&w, "dropped_oldest");
	assert_true(dropped > 0 && dropped < 130); /* that, and what lies together with it */
	assert_int_equal(sqd_outqueue_waiting(w.q), n - dropped);
	close_queue(&w);
}

/* ---- the file is full ---- */

static int hold(void *ctx, const struct sq_spool_record *r)
{
	(void)r;
	if (write(*(int *)ctx, "x", 1) == 1)
		for (;;)
			pause();
	return 1;
}

static void no_damage(void *ctx, uint64_t seq, uint64_t n SQ_UNUSED, struct sq_sv bytes)
{
	(void)ctx;
	(void)seq;
	(void)bytes;
}

/* A process that reads the spool and does not come to an end. */
static pid_t start_reader(const char *folder)
{
	char *dir = scratch_path(folder, "spool"), byte;
	const struct sq_spool_opts o = { .dir = dir, .read_only = true };
	struct sq_err aside;
	struct sq_spool *s;
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it ends with the test at the latest */
		if (!sq_spool_open(&o, &s, &aside, NULL))
			(void)!sq_spool_read(s, 1, hold, no_damage, &ends[1], NULL);
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	free(dir);
	return child;
}

static void end_reader(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Pages that it may look at cannot be used again: so the file comes to its end though little is in
 * it. `*ret_n`: messages so far, of which `*ret_sent` are delivered. */
static pid_t fill_file(struct world *w, const char *folder, bool drop_oldest, unsigned *ret_n,
                       unsigned *ret_sent)
{
	const struct queue_opts o = { .max = 65536, .drop_oldest = drop_oldest };
	unsigned n = 10, sent = 0;
	pid_t reader;

	open_queue(w, folder, o);
	push_all(w, 0, 10, 1000);
	close_queue(w);
	reader = start_reader(folder);
	open_queue(w, folder, o);
	while (n < 150) { /* the pages of a good part of the file */
		push_all(w, n, n + 20, 1000);
		until_passed(w);
		n += 20;
		deliver(w, n);
	}
	sent = n;
	/* Of what is left, as far as that goes; it is not in memory alone. */
	do {
		push_all(w, n, n + 10, 1000);
		n += 10;
		while (!all_passed(w) && !sqd_outqueue_nearly_full(w->q))
			turn(w, UV_RUN_ONCE);
	} while (all_passed(w));
	*ret_n = n;
	*ret_sent = sent;
	return reader;
}

static void a_full_file_is_read_and_sent(void **state)
{
	struct world w;
	unsigned n, sent;
	pid_t reader = fill_file(&w, *state, false, &n, &sent);

	assert_true(n - sent > 150); /* more than the memory holds */
	assert_true(metric(&w, "spool_bytes") < 900000);
	deliver(&w, n);
	assert_arrived(&w, n, 1000);
	end_reader(reader);
	close_queue(&w);
}

/* It has dropped enough; that it finds no room is not for want of it. */
static void while_a_reader_keeps_the_room_that_was_made_no_more_is_dropped_at_once(void **state)
{
	struct world w;
	unsigned n, sent;
	pid_t reader = fill_file(&w, *state, true, &n, &sent);
	uint64_t begin_ns, once;
	bool again = false;

	while (push(&w, n, 1000) >= 0)
		n++;
	while (!(once = metric(&w, "dropped_oldest")))
		turn(&w, UV_RUN_ONCE);
	begin_ns = uv_hrtime();
	while (uv_hrtime() - begin_ns < 100000000) {
		turn(&w, UV_RUN_NOWAIT);
		again |= sqd_outspool_drops(w.q);
	}
	if (uv_hrtime() - begin_ns < 300000000) /* else it has been a while, on a machine so slow */
		assert_int_equal(metric(&w, "dropped_oldest"), once);
	assert_false(all_passed(&w));
	while (!again) { /* after a while more is to go, and who waits then waits for that */
		turn(&w, UV_RUN_ONCE);
		again = sqd_outspool_drops(w.q);
	}
	end_reader(reader);
	until_passed(&w);
	close_queue(&w);
}

static void a_reader_that_was_killed_keeps_nothing_from_being_used_again(void **state)
{
	struct world w;
	unsigned n, sent;
	pid_t reader = fill_file(&w, *state, false, &n, &sent);

	end_reader(reader);
	until_passed(&w);
	assert_int_equal(sqd_outqueue_counts(w.q)->sent, sent);
	assert_int_equal(close_queue(&w), n - sent);
}

static void closing_with_a_full_file_ends(void **state)
{
	struct world w;
	unsigned n, sent;
	pid_t reader = fill_file(&w, *state, false, &n, &sent);
	uint64_t durable, next;

	for (unsigned i = 0; i < 5; i++) /* behind what found no room */
		assert_int_equal(push(&w, n++, 100), 0);
	durable = sqd_outqueue_passed(w.q);
	next = sqd_outqueue_taken(w.q);
	assert_true(durable + 5 < next);
	assert_int_equal(close_queue(&w), n - sent - (next - durable));
	end_reader(reader);
}

/* ---- there is no memory ---- */

static bool live(struct world *w, struct queue_opts o)
{
	if (give_spool(w, o) < 0)
		return false;
	push_all(w, 0, 200, 1000);
	until_passed(w);
	deliver(w, 150);
	push_all(w, 200, 220, 1000);
	return true;
}

static void without_memory_nothing_is_lost(void **state)
{
	const struct queue_opts o = { .max = 65536 };
	bool reached = true;
	unsigned lived = 0;

	for (unsigned n = 1; reached; n++) {
		char name[32], *folder;
		struct world w;
		bool ok;

		snprintf(name, sizeof(name), "n-%u", n);
		scratch_folder(*state, name);
		folder = scratch_path(*state, name);
		begin_world(&w, folder, o.max);
		assert_non_null(sq_outbuf_reserve(&w.f->got, 1 << 20));
		fault_alloc_at(n);
		ok = live(&w, o);
		reached = fault_alloc_end();
		if (ok) {
			deliver(&w, 220);
			assert_arrived(&w, 220, 1000);
			assert_int_equal(sqd_outqueue_waiting(w.q), 0);
			assert_int_equal(metric(&w, "dropped_damaged"), 0);
			lived++;
		}
		assert_true(ok || reached);
		close_queue(&w);
		free(folder);
	}
	assert_true(lived > 3);
}

static int setup(void **state)
{
	mortal_set("");
	return scratch_setup(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_has_gathered_is_sent_while_the_disk_fails),
		TEST(the_spool_is_ours_also_while_its_disk_fails),
		TEST(while_the_disk_is_full_what_is_there_is_sent),
		TEST(while_the_disk_is_full_what_was_delivered_is_taken_out),
		TEST(a_disk_without_room_is_asked_again_in_a_while_and_not_at_once),
		TEST(when_nothing_can_be_dropped_it_is_asked_again_in_a_while_and_not_at_once),
		TEST(for_a_full_disk_no_more_is_dropped_than_a_part_of_what_is_there),
		TEST(a_full_file_is_read_and_sent),
		TEST(while_a_reader_keeps_the_room_that_was_made_no_more_is_dropped_at_once),
		TEST(a_reader_that_was_killed_keeps_nothing_from_being_used_again),
		TEST(closing_with_a_full_file_ends),
		TEST(without_memory_nothing_is_lost),
	};

	return cmocka_run_group_tests_name("flow/spooler-faults", tests, NULL, NULL);
}
