/* Each message is delivered, dropped as the oldest, or waits, and is one of these only: while the
 * receiver is slow, and for the daemon that comes next. What one piece of the file holds, what is
 * committed, dropped and read back at a time are of different sizes, and end at different places.
 */
#include <stdlib.h>

#include "tests/support/spool_world.h"

enum { PUSHED_MAX = 12000 };

struct row {
	struct queue_opts o;
	unsigned pushed;
	size_t len, more;  /* of a message, and how much longer some are */
	unsigned patience; /* refusals, for each time that something is answered */
	unsigned answers;
};

static const struct row rows[] = {
	{ { .max = 1 << 20, .size = 4 << 20, .repeats = 20 }, 12000, 700, 400, 10, 30 },
	{ { .max = 65536, .size = 2 << 20, .repeats = 7 }, 12000, 300, 900, 20, 20 },
	{ { .max = 262144 }, 3000, 900, 3000, 20, 1 },
	{ { .max = 32768 }, 8000, 200, 60, 5, 3 },
};

static void assert_adds_up(const struct world *w, uint64_t pushed)
{
	uint64_t sent = sqd_outqueue_counts(w->q)->sent, dropped = metric(w, "dropped_oldest");

	assert_in_range(sqd_outqueue_waiting(w->q), 0, pushed);
	assert_int_equal(sent + dropped + sqd_outqueue_waiting(w->q), pushed);
}

static void answer(struct world *w, unsigned n)
{
	for (; n && w->f->sending.p; n--)
		fake_sent(w->f, 0);
}

static void push_slowly(struct world *w, const struct row *row)
{
	unsigned n = 0, refused = 0;

	while (n < row->pushed) {
		if (!push(w, n, row->len + n * 37 % row->more)) {
			n++;
			continue;
		}
		if (++refused % row->patience == 0)
			answer(w, row->answers);
		turn(w, UV_RUN_ONCE);
		assert_adds_up(w, n);
	}
	until_passed(w);
	assert_adds_up(w, n);
}

/* In order, and none that was there before. @return how many */
static unsigned note_arrived(const struct world *w, bool *arrived)
{
	struct sq_sv v = sq_outbuf_view(&w->f->got);
	unsigned n = 0, from = 0;

	while (v.n) {
		const char *end = memchr(v.p, '\n', v.n);
		unsigned i = (unsigned)strtoul(v.p, NULL, 10);

		assert_non_null(end);
		assert_in_range(i, from, PUSHED_MAX - 1);
		assert_false(arrived[i]);
		arrived[i] = true;
		from = i + 1;
		n++;
		v = sq_sv_skip(v, (size_t)(end - v.p) + 1);
	}
	return n;
}

static void each_is_delivered_or_dropped_and_not_both(void **state)
{
	for (const struct row *row = rows; row < rows + SQ_LEN(rows); row++) {
		struct queue_opts o = row->o;
		bool arrived[PUSHED_MAX] = { 0 };
		char name[32], *folder;
		uint64_t dropped, left;
		unsigned n;
		struct world w;

		o.drop_oldest = true;
		snprintf(name, sizeof(name), "row-%td", row - rows);
		scratch_folder(*state, name);
		folder = scratch_path(*state, name);
		open_queue(&w, folder, o);
		push_slowly(&w, row);
		dropped = metric(&w, "dropped_oldest");
		assert_true(dropped > 0);
		answer(&w, row->answers); /* a part of what lies together */
		assert_adds_up(&w, row->pushed);
		n = note_arrived(&w, arrived);
		assert_true(n > 0);
		left = close_queue(&w);
		assert_int_equal(n + dropped + left, row->pushed);

		open_queue(&w, folder, o);
		assert_int_equal(metric(&w, "found"), left);
		deliver(&w, left);
		until_idle(&w);
		assert_null(w.f->sending.p);
		assert_int_equal(sqd_outqueue_waiting(w.q), 0);
		assert_int_equal(note_arrived(&w, arrived), left);
		assert_int_equal(close_queue(&w), 0);
		free(folder);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_is_delivered_or_dropped_and_not_both),
	};

	return cmocka_run_group_tests_name("flow/spooler-drop", tests, NULL, NULL);
}
