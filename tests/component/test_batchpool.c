/* Batches that loops of one thread share, and what of their memory stays. */
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/flow/batchpool.h"
#include "lib/base/asan.h"
#include "tests/support/test.h"

enum { PAGES = 64, EACH = 4 };

static struct sq_batch_limits limits(void)
{
	return (struct sq_batch_limits){ .chunk = (uint32_t)(PAGES * sysconf(_SC_PAGESIZE)),
		                         .records = 16,
		                         .origins = 2,
		                         .arena = 1 << 20,
		                         .out = 65536 };
}

/* Pages of its chunk that are in memory. */
static unsigned resident(const struct sq_batch *b)
{
	unsigned char in[PAGES];
	unsigned n = 0;

#ifdef SQ_ASAN
	(void)b;
	(void)in;
	return n + PAGES;
#endif
	assert_int_equal(mincore(b->chunk, b->limits.chunk, in), 0);
	for (unsigned i = 0; i < PAGES; i++)
		n += in[i] & 1;
	return n;
}

static struct sq_batch *fill(struct sqd_batchshare *s)
{
	struct sq_batch *b = sqd_batchshare_get(s);

	assert_non_null(b);
	memset(b->chunk, 'x', b->limits.chunk);
	return b;
}

struct world {
	struct sqd_batchpool pool;
	struct sqd_batchshare one, two;
};

static void setup(struct world *w)
{
	struct sq_batch_limits l = limits();

	*w = (struct world){ 0 };
	assert_int_equal(sqd_batchshare_init(&w->one, &w->pool, EACH, &l), 0);
	assert_int_equal(sqd_batchshare_init(&w->two, &w->pool, EACH, &l), 0);
}

static void teardown(struct world *w)
{
	sqd_batchshare_fini(&w->one);
	sqd_batchshare_fini(&w->two);
	sqd_batchpool_fini(&w->pool);
}

static void who_has_all_of_his_own_takes_none_of_anothers(void **state SQ_UNUSED)
{
	struct sq_batch *one[EACH], *two[EACH];
	struct world w;

	setup(&w);
	for (unsigned i = 0; i < EACH; i++)
		one[i] = fill(&w.one);
	assert_null(sqd_batchshare_get(&w.one));
	assert_true(sqd_batchshare_none(&w.one));
	for (unsigned i = 0; i < EACH; i++)
		two[i] = fill(&w.two);
	assert_null(sqd_batchshare_get(&w.two));
	sqd_batchshare_put(&w.two, two[0]); /* it is the other's who has it */
	assert_null(sqd_batchshare_get(&w.one));
	assert_true(sqd_batchshare_high(&w.two));
	assert_false(sqd_batchshare_high(&w.one));
	for (unsigned i = 0; i < EACH; i++)
		sqd_batchshare_put(&w.one, one[i]);
	for (unsigned i = 1; i < EACH; i++)
		sqd_batchshare_put(&w.two, two[i]);
	teardown(&w);
}

static void whoever_is_next_gets_the_warm_one(void **state SQ_UNUSED)
{
	struct sq_batch *b;
	struct world w;

	setup(&w);
	b = fill(&w.one);
	sqd_batchshare_put(&w.one, b);
	for (unsigned i = 0; i < 100; i++) {
		struct sqd_batchshare *s = i & 1 ? &w.one : &w.two;

		assert_ptr_equal(fill(s), b);
		sqd_batchshare_put(s, b);
	}
	teardown(&w);
}

/* Not where it is AddressSanitizer's. */
static unsigned expected(unsigned pages)
{
#ifdef SQ_ASAN
	(void)pages;
	return PAGES;
#else
	return pages;
#endif
}

static void what_was_not_needed_for_a_while_is_given_back(void **state SQ_UNUSED)
{
	struct sq_batch *had[EACH];
	struct world w;

	setup(&w);
	for (unsigned i = 0; i < EACH; i++)
		had[i] = fill(&w.one);
	for (unsigned i = EACH; i-- > 0;)
		sqd_batchshare_put(&w.one, had[i]);
	sqd_batchpool_trim(&w.pool, 10000); /* all were in use since it was looked last */
	for (unsigned i = 0; i < EACH; i++)
		assert_int_equal(resident(had[i]), PAGES);
	sqd_batchshare_put(&w.two, fill(&w.two)); /* the first is */
	sqd_batchpool_trim(&w.pool, 10001);       /* a moment ago */
	assert_int_equal(resident(had[1]), PAGES);
	sqd_batchpool_trim(&w.pool, 20000);
	assert_int_equal(resident(had[0]), PAGES);
	for (unsigned i = 1; i < EACH; i++)
		assert_int_equal(resident(had[i]), expected(0));
	sqd_batchpool_trim(&w.pool, 30000);
	assert_int_equal(resident(had[0]), expected(0));
	/* They are as good as new. */
	for (unsigned i = 0; i < EACH; i++) {
		had[i] = fill(&w.two);
		assert_int_equal(sq_batch_origin(had[i], NULL, "peer"), 0);
		assert_int_equal(sq_batch_add(had[i], 0, (struct sq_sv){ had[i]->chunk, 5 }), 0);
		assert_non_null(sq_arena_bytes(&had[i]->arena, 1 << 20));
		sq_outbuf_put(&had[i]->out, SQ_SV("alert"));
		assert_false(had[i]->out.failed);
	}
	for (unsigned i = 0; i < EACH; i++)
		sqd_batchshare_put(&w.two, had[i]);
	teardown(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_all_of_his_own_takes_none_of_anothers),
		cmocka_unit_test(whoever_is_next_gets_the_warm_one),
		cmocka_unit_test(what_was_not_needed_for_a_while_is_given_back),
	};

	return cmocka_run_group_tests_name("flow/batchpool", tests, NULL, NULL);
}
