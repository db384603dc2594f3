#include "tests/support/test.h"

#include "lib/rules/memo.h"

static struct sq_memo_slot slots[SQ_MEMO_SLOTS];

static void keep(uint32_t group, struct sq_sv value, uint32_t hit)
{
	struct sq_memo_slot *s = sq_memo_place(slots, group, value, sq_memo_hash(group, value));

	assert_non_null(s);
	if (sq_memo_is(s, group, value))
		return;
	sq_memo_begin(s, value);
	assert_true(sq_memo_add(s, hit));
	sq_memo_end(s, group);
}

/* Many more values than slots, of every length: what is told of one is always its own. */
static void only_the_very_same_value(void **state)
{
	char text[SQ_MEMO_VALUE_MAX];
	uint32_t again = 0;

	(void)state;
	memset(slots, 0, sizeof(slots));
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 4 * SQ_MEMO_SLOTS; i++) {
			struct sq_sv value = { text, i % (SQ_MEMO_VALUE_MAX + 1) };
			struct sq_memo_slot *s;

			memset(text, 'a', sizeof(text));
			for (uint32_t k = 0, left = i; k < value.n && left; k++, left /= 26)
				text[(k * 7) % value.n] = (char)('a' + left % 26);
			s = sq_memo_place(slots, i % 3, value, sq_memo_hash(i % 3, value));
			if (sq_memo_is(s, i % 3, value)) {
				assert_int_equal(s->n, value.n);
				assert_int_equal(s->group, i % 3 + 1);
				assert_memory_equal(s->bytes, text, value.n);
				again++;
			}
			keep(i % 3, value, i);
		}
	}
	assert_true(again > 0);
}

static void a_group_of_its_own(void **state)
{
	struct sq_sv value = SQ_SV("C:\\Windows\\System32\\cmd.exe");
	struct sq_memo_slot *s;

	(void)state;
	memset(slots, 0, sizeof(slots));
	keep(0, value, 7);
	s = sq_memo_place(slots, 0, value, sq_memo_hash(0, value));
	assert_true(sq_memo_is(s, 0, value));
	assert_int_equal(sq_memo_hit(s, 0), 7);
	assert_false(sq_memo_is(s, 1, value));
	assert_false(sq_memo_is(s, 0, sq_sv_first(value, value.n - 1)));
	s = sq_memo_place(slots, 1, value, sq_memo_hash(1, value));
	assert_false(sq_memo_is(s, 1, value));
}

static bool is_kept(struct sq_sv value)
{
	return sq_memo_is(sq_memo_place(slots, 0, value, sq_memo_hash(0, value)), 0, value);
}

/* Thousands that come once, whatever the others among them that always come. */
static void what_comes_again_stays(void **state)
{
	struct sq_sv always = SQ_SV("C:\\Windows\\System32\\cmd.exe");
	char text[16];

	(void)state;
	memset(slots, 0, sizeof(slots));
	keep(0, always, 7);
	for (uint32_t i = 0; i < 16 * SQ_MEMO_SLOTS; i++) {
		struct sq_sv once = { text, (size_t)snprintf(text, sizeof(text), "%u", i) };

		assert_true(is_kept(always));
		keep(0, once, i);
		assert_true(is_kept(once));
		if (i % 64 == 0)
			assert_true(is_kept(always));
	}
}

static void what_is_too_much_is_not_kept(void **state)
{
	char text[SQ_MEMO_VALUE_MAX + 1] = "";
	struct sq_sv value = SQ_SV("v");
	struct sq_memo_slot *s;

	(void)state;
	memset(slots, 0, sizeof(slots));
	assert_null(sq_memo_place(slots, 0, (struct sq_sv){ text, sizeof(text) }, 0));
	s = sq_memo_place(slots, 0, value, sq_memo_hash(0, value));
	sq_memo_begin(s, value);
	for (uint32_t i = 0; i < SQ_MEMO_HITS_MAX; i++) {
		assert_true(sq_memo_add(s, i));
		assert_true(sq_memo_add(s, i)); /* once is enough */
	}
	assert_int_equal(s->n_hits, SQ_MEMO_HITS_MAX);
	assert_false(sq_memo_add(s, SQ_MEMO_HITS_MAX));
	assert_false(sq_memo_is(s, 0, value)); /* until its end is told */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_very_same_value),
		cmocka_unit_test(a_group_of_its_own),
		cmocka_unit_test(what_comes_again_stays),
		cmocka_unit_test(what_is_too_much_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
