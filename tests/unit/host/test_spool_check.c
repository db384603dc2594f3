/* A spool is walked by a child: what becomes of that child, and what is made of it. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "lib/host/spool_chunk.h"
#include "lib/host/spool_private.h"
#include "tests/support/spool_key.h"
#include "tests/unit/host/scratch.h"

static int to_come; /* the signal that ends the child */

/* In the place of the C library's: the child asks for its limits before it walks. */
int setrlimit(__rlimit_resource_t what, const struct rlimit *limit)
{
	if (to_come)
		(void)raise(to_come);
	return (int)syscall(SYS_prlimit64, 0, what, limit, NULL);
}

struct signal_case {
	int signal;
	int want; /* what opening gives */
};

static const struct signal_case cases[] = {
	{ SIGKILL, -EIO }, { SIGTERM, -EIO }, { SIGHUP, -EIO }, { SIGINT, -EIO },
	{ SIGUSR1, -EIO }, { SIGSEGV, 0 },    { SIGBUS, 0 },    { SIGABRT, 0 },
};

static void on_signal(int n)
{
	(void)n; /* as a daemon has one, which is not for its child */
}

static void only_what_damage_ends_in_is_taken_as_damage(void **state)
{
	const struct sigaction handler = { .sa_handler = on_signal };

	(void)sigaction(SIGTERM, &handler, NULL);
	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		char name[32], *dir;
		struct sq_err aside, err = { 0 };
		struct sq_spool *s = NULL;
		struct sq_spool_opts o = { .size = 4 << 20 };

		snprintf(name, sizeof(name), "spool-%zu", i);
		o.dir = dir = scratch_path(*state, name);
		assert_int_equal(sq_spool_open(&o, &s, &aside, &err), 0);
		sq_spool_close(s);
		to_come = cases[i].signal;
		s = NULL;
		assert_int_equal(sq_spool_open(&o, &s, &aside, &err), cases[i].want);
		assert_int_equal(aside.code, cases[i].want ? 0 : -EUCLEAN);
		to_come = 0;
		sq_spool_close(s);
		s = NULL;
		assert_int_equal(sq_spool_open(&o, &s, &aside, &err), 0); /* it is as it was */
		assert_int_equal(aside.code, 0);
		sq_spool_close(s);
		free(dir);
	}
}

static unsigned cursor_to_fail; /* from 1; 0: none */

int __real_mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **ret);
int __wrap_mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **ret);

int __wrap_mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **ret)
{
	if (cursor_to_fail && !--cursor_to_fail)
		return ENOMEM;
	return __real_mdb_cursor_open(txn, dbi, ret);
}

static void a_child_without_memory_says_nothing_of_the_file(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool_opts o = { .dir = dir, .size = 4 << 20 };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = NULL;

	assert_int_equal(sq_spool_open(&o, &s, &aside, &err), 0);
	sq_spool_close(s);
	for (unsigned n = 1; n <= 3; n++) { /* to read, of the free pages, and to count */
		cursor_to_fail = n;
		assert_int_equal(sq_spool_open(&o, &s, &aside, &err), -EIO);
		assert_int_equal(aside.code, 0);
	}
	cursor_to_fail = 0;
	assert_int_equal(sq_spool_open(&o, &s, &aside, &err), 0);
	assert_int_equal(aside.code, 0);
	sq_spool_close(s);
	free(dir);
}

static unsigned steps; /* from chunk to chunk */

int __real_mdb_cursor_get(MDB_cursor *c, MDB_val *k, MDB_val *v, MDB_cursor_op op);
int __wrap_mdb_cursor_get(MDB_cursor *c, MDB_val *k, MDB_val *v, MDB_cursor_op op);

int __wrap_mdb_cursor_get(MDB_cursor *c, MDB_val *k, MDB_val *v, MDB_cursor_op op)
{
	steps++;
	return __real_mdb_cursor_get(c, k, v, op);
}

enum { CHUNKS = 50, DAMAGED = 30, BASE = 0x00315a01 }; /* all on one page */

/* Each that is taken out is found from the one before it, not from the beginning. */
static void what_is_dropped_behind_much_damage_costs_what_it_is(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool_opts o = { .dir = dir, .size = 4 << 20 };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = NULL;
	uint64_t n;

	assert_int_equal(sq_spool_open(&o, &s, &aside, &err), 0);
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	for (uint64_t i = 0; i < CHUNKS; i++) {
		struct sq_spool_record r = { .seq = BASE + i, .text = SQ_SV("alert") };

		assert_int_equal(sq_spool_put(s, &r, 1, NULL), 0);
	}
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	for (uint64_t i = 0; i < DAMAGED; i++) {
		uint64_t key = sq_chunk_key(BASE + i, 1);

		spool_key_change(dir, key, key, true);
	}
	steps = 0;
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_drop(s, BASE + DAMAGED, 4 << 20, &n, NULL), 0);
	assert_int_equal(n, CHUNKS - DAMAGED);
	assert_int_equal(sq_spool_trim(s, BASE + DAMAGED, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	assert_int_equal(sq_spool_state(s)->records, 0);
	assert_in_range(steps, 1, 6 * CHUNKS);
	sq_spool_close(s);
	free(dir);
}

static void pages_that_cannot_be_are_damage(void **state)
{
	static const struct {
		int said, want;
	} rows[] = {
		{ MDB_CURSOR_FULL, -EUCLEAN }, { MDB_PAGE_FULL, -EUCLEAN },
		{ MDB_CORRUPTED, -EUCLEAN },   { MDB_MAP_FULL, -ENOSPC },
		{ MDB_PANIC, -EIO },           { ENOMEM, -ENOMEM },
		{ ENOSPC, -EDQUOT },
	};
	const struct sq_spool s = { .dir = *state };
	struct sq_err err;

	for (size_t i = 0; i < SQ_LEN(rows); i++)
		assert_int_equal(sq_spool_fail(&s, &err, rows[i].said, "x"), rows[i].want);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_damage_ends_in_is_taken_as_damage),
		TEST(a_child_without_memory_says_nothing_of_the_file),
		TEST(what_is_dropped_behind_much_damage_costs_what_it_is),
		TEST(pages_that_cannot_be_are_damage),
	};

	return cmocka_run_group_tests_name("host/spool-check", tests, NULL, NULL);
}
