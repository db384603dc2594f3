/* A queue with a spool whose file is damaged while it is used, or before: what is lost is counted,
 * all else is sent. */
#include <errno.h>

#include "lib/host/spool_chunk.h"
#include "tests/support/spool_key.h"
#include "tests/support/spool_world.h"

static void until_failures(struct world *w, uint64_t n)
{
	while (metric(w, "commit_failures") < n)
		turn(w, UV_RUN_ONCE);
}

/* All but the two pages that say where the others are. */
static void damage(const struct world *w)
{
	static const char zeros[4096];
	char *path = scratch_path(w->dir, "data.mdb");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 8192; at < st.st_size; at += 4096)
		assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), sizeof(zeros));
	close(fd);
	free(path);
}

static void a_file_that_is_damaged_while_it_is_used_is_set_aside(void **state)
{
	struct world w;
	uint64_t lost;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	push_all(&w, 0, 150, 1000);
	until_passed(&w);
	until_idle(&w);
	damage(&w);
	assert_int_equal(push(&w, 150, 1000), 0);
	until_passed(&w);
	assert_int_equal(metric(&w, "set_aside"), 1);
	lost = metric(&w, "dropped_damaged");
	assert_true(lost > 80 && lost < 90); /* what was not in memory */
	assert_int_equal(sqd_outqueue_waiting(w.q), 151 - lost);
	deliver(&w, 151 - lost);
	assert_int_equal(nth(&w, 150 - lost, 1000), 150);
	assert_int_equal(close_queue(&w), 0);
}

/* Pages that say where messages are, which an opening that trusts them does not look at. */
static void damage_leaves(const struct world *w)
{
	static const char zeros[4096];
	char *path = scratch_path(w->dir, "data.mdb"), page[4096];
	int fd = open(path, O_RDWR | O_CLOEXEC), n = 0;

	for (off_t at = 8192; pread(fd, page, sizeof(page), at) == sizeof(page); at += sizeof(page))
		if (page[10] == 2) { /* P_LEAF of LMDB; a message has letters there */
			assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), sizeof(zeros));
			n++;
		}
	assert_true(n > 0);
	close(fd);
	free(path);
}

static void a_damaged_file_is_walked_before_it_is_trusted_again(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	push_all(&w, 0, 150, 1000);
	until_passed(&w);
	until_idle(&w);
	damage_leaves(&w);
	assert_int_equal(push(&w, 150, 1000), 0);
	until_passed(&w);
	assert_int_equal(metric(&w, "set_aside"), 1);
	assert_int_equal(metric(&w, "dropped_damaged") + sqd_outqueue_waiting(w.q), 151);
	close_queue(&w);
}

/* It is noticed as it is read; and what is sent after that, was in memory only. */
static void what_was_in_a_damaged_file_is_counted_and_no_longer_waits(void **state)
{
	struct world w;
	uint64_t sent, waiting, lost;

	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	push_all(&w, 0, 150, 1000);
	until_passed(&w);
	until_idle(&w);
	damage(&w);
	deliver(&w, 65); /* all that was in memory; the next are to be read */
	until_failures(&w, 1);
	push_all(&w, 150, 160, 1000);
	while (metric(&w, "set_aside") < 1)
		turn(&w, UV_RUN_ONCE);
	until_passed(&w);
	sent = sqd_outqueue_counts(w.q)->sent;
	lost = metric(&w, "dropped_damaged");
	assert_int_equal(sent + lost, 150);
	waiting = close_queue(&w);
	assert_int_equal(waiting, 10);
	open_queue(&w, *state, (struct queue_opts){ 0 });
	assert_int_equal(metric(&w, "found"), waiting);
	close_queue(&w);
}

static void what_was_in_memory_only_since_then_is_lost_with_us(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ 0 });
	push_all(&w, 0, 50, 1000);
	until_passed(&w);
	until_idle(&w);
	damage(&w);
	push_all(&w, 50, 60, 1000);
	until_passed(&w);
	assert_int_equal(metric(&w, "dropped_damaged"), 0); /* all of it may yet be sent */
	assert_int_equal(close_queue(&w), 10);
	open_queue(&w, *state, (struct queue_opts){ 0 });
	assert_int_equal(metric(&w, "found"), 10);
	close_queue(&w);
}

/* Another spool's file, of 40 messages, in place of ours. */
static void exchange(struct world *w)
{
	char *data = scratch_path(w->dir, "data.mdb"), *ours = scratch_path(w->folder, "ours");
	char *dir = scratch_path(w->folder, "other"), *other = scratch_path(dir, "data.mdb");
	const struct sq_spool_opts o = { .dir = dir, .size = 1 << 20 };
	struct sq_err aside;
	struct sq_spool *s;

	assert_int_equal(sq_spool_open(&o, &s, &aside, NULL), 0);
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	for (uint64_t i = 1; i <= 40; i++) {
		struct sq_spool_record r = { .seq = i, .text = SQ_SV("theirs") };

		assert_int_equal(sq_spool_put(s, &r, 1, NULL), 0);
	}
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	sq_spool_close(s);
	assert_int_equal(rename(data, ours), 0);
	assert_int_equal(rename(other, data), 0);
	free(data);
	free(ours);
	free(dir);
	free(other);
}

static void a_file_that_was_exchanged_is_told_and_left(void **state)
{
	char *dir = scratch_path(*state, "spool");
	const struct sq_spool_opts o = { .dir = dir, .read_only = true };
	struct sq_err aside;
	struct sq_spool *s;
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ 0 });
	push_all(&w, 0, 10, 1000);
	until_passed(&w);
	until_idle(&w);
	damage(&w);
	exchange(&w);
	assert_int_equal(push(&w, 10, 1000), 0);
	until_failures(&w, 2);
	assert_int_equal(metric(&w, "set_aside"), 0);
	deliver(&w, 11);
	assert_arrived(&w, 11, 1000);
	close_queue(&w);
	assert_int_equal(sq_spool_open(&o, &s, &aside, NULL), 0);
	assert_int_equal(sq_spool_state(s)->cursor, 1);
	assert_int_equal(sq_spool_state(s)->next, 41);
	sq_spool_close(s);
	free(dir);
}

/* Ten messages to a chunk; most of them are on the disk alone. */
static void open_chunks(struct world *w, const char *folder)
{
	open_queue(w, folder, (struct queue_opts){ .max = 65536 });
	for (unsigned n = 0; n < 150; n += 10) {
		push_all(w, n, n + 10, 1000);
		until_passed(w);
		until_idle(w);
	}
}

static uint64_t key_of_chunk(uint64_t i)
{
	return sq_chunk_key(1 + 10 * i, 10);
}

/* A queue whose tenth chunk has one bit of its key wrong, and its sum too, if asked for.
 * @return its folder */
static char *open_wrong_key(struct world *w, void **state, unsigned bit, bool sum)
{
	uint64_t key = key_of_chunk(9);
	char name[32], *folder;

	snprintf(name, sizeof(name), "bit-%u", bit);
	scratch_folder(*state, name);
	folder = scratch_path(*state, name);
	open_chunks(w, folder);
	spool_key_change(w->dir, key, key ^ 1ULL << bit, sum);
	push_all(w, 150, 160, 1000);
	return folder;
}

static void a_bit_of_a_key_loses_nothing(void **state)
{
	for (unsigned bit = 0; bit < 64; bit += bit < 8 ? 1 : 9) {
		struct world w;
		char *folder = open_wrong_key(&w, state, bit, false);

		deliver(&w, 160);
		assert_arrived(&w, 160, 1000);
		until_idle(&w);
		assert_int_equal(metric(&w, "dropped_damaged"), 0);
		assert_int_equal(metric(&w, "set_aside"), 0);
		push_all(&w, 160, 170, 1000);
		until_passed(&w);
		assert_int_equal(close_queue(&w), 10);
		open_queue(&w, folder, (struct queue_opts){ 0 }); /* nothing odd is left in it */
		assert_int_equal(metric(&w, "found"), 10);
		close_queue(&w);
		free(folder);
	}
}

static void what_is_damaged_with_its_key_is_counted_and_no_more(void **state)
{
	for (unsigned bit = 0; bit < 64; bit += 15) {
		struct world w;
		char *folder = open_wrong_key(&w, state, bit, true);

		deliver(&w, 150);
		until_idle(&w);
		assert_int_equal(nth(&w, 89, 1000), 89);
		assert_int_equal(nth(&w, 90, 1000), 100);
		assert_int_equal(nth(&w, 149, 1000), 159);
		assert_int_equal(metric(&w, "dropped_damaged"), 10);
		assert_int_equal(sqd_outqueue_waiting(w.q), 0);
		assert_int_equal(close_queue(&w), 0);
		free(folder);
	}
}

static void a_last_key_that_nothing_can_be_put_behind_ends_no_commits(void **state)
{
	uint64_t key = key_of_chunk(14);
	struct world w;

	open_chunks(&w, *state);
	spool_key_change(w.dir, key, key ^ 1ULL << 40, false);
	push_all(&w, 150, 160, 1000);
	until_passed(&w);
	assert_int_equal(metric(&w, "set_aside"), 0);
	deliver(&w, 160);
	assert_arrived(&w, 160, 1000);
	assert_int_equal(metric(&w, "dropped_damaged"), 0);
	assert_int_equal(close_queue(&w), 0);
}

/* What is in memory is sent, and what comes has a file. */
static void last_keys_that_cannot_be_put_right_end_no_commits_for_good(void **state)
{
	struct world w;
	uint64_t lost;

	open_chunks(&w, *state);
	for (unsigned i = 13; i <= 14; i++)
		spool_key_change(w.dir, key_of_chunk(i), key_of_chunk(i) ^ 1ULL << 40, false);
	push_all(&w, 150, 160, 1000);
	until_passed(&w);
	assert_int_equal(metric(&w, "set_aside"), 1);
	lost = metric(&w, "dropped_damaged");
	deliver(&w, 160 - lost);
	assert_int_equal(nth(&w, 159 - lost, 1000), 159);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	assert_int_equal(close_queue(&w), 0);
}

/* What is damaged and not passed at a stop is damaged at the next start, and kept again. */
static void what_is_kept_of_damage_has_a_maximum(void **state)
{
	const off_t before = (16 << 20) - 15000; /* there is room for one, not for two */
	struct world w;
	struct stat st;
	char *path;
	int fd;

	open_chunks(&w, *state);
	path = scratch_path(w.dir, "damaged.bin");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, before), 0);
	for (unsigned i = 9; i <= 11; i += 2)
		spool_key_change(w.dir, key_of_chunk(i), key_of_chunk(i), true);
	deliver(&w, 130);
	assert_int_equal(fstat(fd, &st), 0);
	assert_in_range(st.st_size - before, 10000, 11000);
	assert_int_equal(metric(&w, "dropped_damaged"), 20);
	assert_int_equal(close_queue(&w), 0);
	close(fd);
	free(path);
}

static void what_no_commit_could_take_is_refused_and_counted_once(void **state)
{
	const struct sqd_message m = { .text = { "", (64 << 20) + 1 } };
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ .max = 512 << 20, .size = 3ULL << 30 });
	assert_int_equal(sqd_outqueue_push(w.q, &m), -EMSGSIZE);
	assert_int_equal(sqd_outqueue_counts(w.q)->dropped_too_long, 1);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	assert_int_equal(push(&w, 0, 1000), 0);
	deliver(&w, 1);
	assert_int_equal(close_queue(&w), 0);
}

/* Change a letter of every message from `first` to `end`, `step` apart. */
static void damage_letters(const char *folder, unsigned first, unsigned end, unsigned step)
{
	char *path = scratch_path(folder, "spool/data.mdb"), *bytes, *at, text[16];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	for (unsigned i = first; i < end; i += step) {
		snprintf(text, sizeof(text), "%06u x", i);
		for (char *p = bytes; (at = memmem(p, (size_t)(bytes + st.st_size - p), text, 8));
		     p = at + 1)
			assert_int_equal(pwrite(fd, "Y", 1, at - bytes + 20), 1);
	}
	close(fd);
	free(bytes);
	free(path);
}

static void what_is_damaged_is_left_out_and_counted(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ 0 });
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(push(&w, i, 100), 0);
	close_queue(&w);
	damage_letters(*state, 4, 5, 1);
	open_queue(&w, *state, (struct queue_opts){ 0 });
	deliver(&w, 9);
	assert_int_equal(nth(&w, 3, 100), 3);
	assert_int_equal(nth(&w, 4, 100), 5);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	assert_int_equal(metric(&w, "dropped_damaged"), 1);
	close_queue(&w);
}

/* Whatever does not fit into one load any more, a damaged one is in front of it. */
static void what_is_damaged_is_counted_once_in_whatever_load_it_is(void **state)
{
	struct world w;

	open_queue(&w, *state, (struct queue_opts){ 0 });
	push_all(&w, 0, 240, 1000);
	close_queue(&w);
	damage_letters(*state, 1, 240, 2);
	open_queue(&w, *state, (struct queue_opts){ .max = 65536 });
	deliver(&w, 120);
	until_idle(&w);
	for (unsigned i = 0; i < 120; i++)
		assert_int_equal(nth(&w, i, 1000), 2 * i);
	assert_int_equal(metric(&w, "dropped_damaged"), 120);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	close_queue(&w);
}

/* More gaps than the memory keeps account of: those in the file behind them were read, and are
 * counted as damaged, but not passed yet when the oldest are dropped. */
static void what_is_damaged_is_not_counted_as_dropped_too(void **state)
{
	struct world w;
	uint64_t left;

	open_queue(&w, *state, (struct queue_opts){ 0 });
	push_all(&w, 0, 600, 100);
	close_queue(&w);
	damage_letters(*state, 1, 600, 2);
	open_queue(&w, *state, (struct queue_opts){ .max = 65536, .drop_oldest = true });
	push_all(&w, 600, 1400, 2000);
	until_passed(&w);
	until_idle(&w);
	assert_true(metric(&w, "dropped_oldest") > 0);
	left = sqd_outqueue_waiting(w.q);
	deliver(&w, left);
	until_idle(&w);
	assert_null(w.f->sending.p);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	assert_int_equal(metric(&w, "dropped_damaged"), 300);
	assert_int_equal(metric(&w, "dropped_oldest"), 1400 - 300 - left);
	close_queue(&w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_that_is_damaged_while_it_is_used_is_set_aside),
		TEST(a_damaged_file_is_walked_before_it_is_trusted_again),
		TEST(what_was_in_a_damaged_file_is_counted_and_no_longer_waits),
		TEST(what_was_in_memory_only_since_then_is_lost_with_us),
		TEST(a_file_that_was_exchanged_is_told_and_left),
		TEST(a_bit_of_a_key_loses_nothing),
		TEST(what_is_damaged_with_its_key_is_counted_and_no_more),
		TEST(a_last_key_that_nothing_can_be_put_behind_ends_no_commits),
		TEST(last_keys_that_cannot_be_put_right_end_no_commits_for_good),
		TEST(what_is_kept_of_damage_has_a_maximum),
		TEST(what_no_commit_could_take_is_refused_and_counted_once),
		TEST(what_is_damaged_is_left_out_and_counted),
		TEST(what_is_damaged_is_counted_once_in_whatever_load_it_is),
		TEST(what_is_damaged_is_not_counted_as_dropped_too),
	};

	return cmocka_run_group_tests_name("flow/spooler-damage", tests, NULL, NULL);
}
