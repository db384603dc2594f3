#include "tests/support/test.h"

/* A view of exactly as many bytes as it says, for ASan. Freed by drop(). */
static struct sq_sv tight(const char *text)
{
	return (struct sq_sv){ exact(text, strlen(text)), strlen(text) };
}

static void drop(struct sq_sv v)
{
	free((void *)(uintptr_t)v.p);
}

struct pair_row {
	const char *name, *a, *b;
	bool eq, ieq, starts, istarts, ends, iends;
	int cmp;
	size_t find, ifind;
};

#define NO SIZE_MAX

/* clang-format off */
static struct pair_row pairs[] = {
	/*                               eq     ieq    starts istarts ends  iends  cmp find ifind */
	{ "the same",   "abc",  "abc",   true,  true,  true,  true,  true,  true,  0,  0,  0 },
	{ "other case", "aBc",  "AbC",   false, true,  false, true,  false, true,  1,  NO, 0 },
	{ "front",      "abc",  "ab",    false, false, true,  true,  false, false, 1,  0,  0 },
	{ "front, other case", "abc", "AB", false, false, false, true, false, false, 1, NO, 0 },
	{ "end",        "abc",  "bc",    false, false, false, false, true,  true,  -1, 1,  1 },
	{ "end, other case", "abc", "BC", false, false, false, false, false, true, 1,  NO, 1 },
	{ "longer",     "abc",  "abcd",  false, false, false, false, false, false, -1, NO, NO },
	{ "nothing in something", "abc", "", false, false, true, true, true, true, 1,  0,  0 },
	{ "something in nothing", "", "abc", false, false, false, false, false, false, -1, NO, NO },
	{ "nothing in nothing", "", "",  true,  true,  true,  true,  true,  true,  0,  0,  0 },
	{ "a second try", "aab", "ab",   false, false, false, false, true,  true,  -1, 1,  1 },
	{ "case is ASCII only", "\xc3\x84", "\xc3\xa4", false, false, false, false, false, false, -1, NO, NO },
	{ "next to the letters", "@[`{", "`{@[", false, false, false, false, false, false, -1, NO, NO },
	{ "bytes are unsigned", "\xff", "a", false, false, false, false, false, false, 1, NO, NO },
};
/* clang-format on */

static void check_pair(void **state)
{
	const struct pair_row *row = *state;
	struct sq_sv a = tight(row->a), b = tight(row->b);
	int cmp = sq_sv_cmp(a, b);

	assert_int_equal(sq_sv_eq(a, b), row->eq);
	assert_int_equal(sq_sv_ieq(a, b), row->ieq);
	assert_int_equal(sq_sv_starts(a, b), row->starts);
	assert_int_equal(sq_sv_istarts(a, b), row->istarts);
	assert_int_equal(sq_sv_ends(a, b), row->ends);
	assert_int_equal(sq_sv_iends(a, b), row->iends);
	assert_int_equal((cmp > 0) - (cmp < 0), row->cmp);
	cmp = sq_sv_cmp(b, a);
	assert_int_equal((cmp > 0) - (cmp < 0), -row->cmp);
	assert_true(sq_sv_find(a, b) == row->find);
	assert_true(sq_sv_ifind(a, b) == row->ifind);
	drop(a);
	drop(b);
}

static void null_views_are_empty(void **state)
{
	const struct sq_sv null = { NULL, 0 };
	struct sq_sv v = null;

	(void)state;
	assert_true(sq_sv_eq(null, SQ_SV("")));
	assert_true(sq_sv_starts(null, null) && sq_sv_ends(null, null));
	assert_int_equal(sq_sv_cmp(null, null), 0);
	assert_int_equal(sq_sv_find(null, null), 0);
	assert_true(sq_sv_chr(null, 'x') == SIZE_MAX);
	assert_int_equal(sq_sv_trim(null).n, 0);
	assert_int_equal(sq_sv_cut(&v, ',').n, 0);
	assert_int_equal(sq_sv_hash(null), sq_sv_hash(SQ_SV("")));
	assert_int_equal(sq_sv_distance(null, null), 0);
}

static void parts(void **state)
{
	struct sq_sv v = SQ_SV("a,,b");

	(void)state;
	assert_sv_equal(sq_sv_skip(v, 1), SQ_SV(",,b"));
	assert_sv_equal(sq_sv_skip(v, 4), SQ_SV(""));
	assert_sv_equal(sq_sv_skip(v, SIZE_MAX), SQ_SV(""));
	assert_sv_equal(sq_sv_first(v, 2), SQ_SV("a,"));
	assert_sv_equal(sq_sv_first(v, SIZE_MAX), v);
	assert_int_equal(sq_sv_chr(v, 'b'), 3);
	assert_true(sq_sv_chr(v, 'c') == SIZE_MAX);
	assert_sv_equal(sq_sv_cut(&v, ','), SQ_SV("a"));
	assert_sv_equal(sq_sv_cut(&v, ','), SQ_SV(""));
	assert_sv_equal(sq_sv_cut(&v, ','), SQ_SV("b"));
	assert_sv_equal(v, SQ_SV(""));
	assert_sv_equal(sq_sv_cut(&v, ','), SQ_SV(""));
	assert_sv_equal(sq_sv_trim(SQ_SV(" \t\r\na b\n ")), SQ_SV("a b"));
	assert_sv_equal(sq_sv_trim(SQ_SV(" \n ")), SQ_SV(""));
	assert_sv_equal(sq_sv_trim(SQ_SV("\v\xa0")), SQ_SV("\v\xa0"));
}

struct number_row {
	const char *name;
	bool is_i64;
	int64_t i64;
	bool is_u64;
	uint64_t u64;
};

/* clang-format off */
static struct number_row numbers[] = {
	{ "0", true, 0, true, 0 },
	{ "007", true, 7, true, 7 },
	{ "-0", true, 0, false, 0 },
	{ "-1", true, -1, false, 0 },
	{ "9223372036854775807", true, INT64_MAX, true, INT64_MAX },
	{ "9223372036854775808", false, 0, true, (uint64_t)INT64_MAX + 1 },
	{ "-9223372036854775808", true, INT64_MIN, false, 0 },
	{ "-9223372036854775809", false, 0, false, 0 },
	{ "18446744073709551615", false, 0, true, UINT64_MAX },
	{ "18446744073709551616", false, 0, false, 0 },
	{ "99999999999999999999", false, 0, false, 0 },
	{ "0x0", false, 0, true, 0 },
	{ "0XfF", false, 0, true, 255 },
	{ "0xffffffffffffffff", false, 0, true, UINT64_MAX },
	{ "0x10000000000000000", false, 0, false, 0 },
	{ "0x", false, 0, false, 0 },
	{ "0xg", false, 0, false, 0 },
	{ "", false, 0, false, 0 },
	{ "-", false, 0, false, 0 },
	{ "--1", false, 0, false, 0 },
	{ "+1", false, 0, false, 0 },
	{ "1 ", false, 0, false, 0 },
	{ " 1", false, 0, false, 0 },
	{ "1.0", false, 0, false, 0 },
	{ "1a", false, 0, false, 0 },
	{ "a", false, 0, false, 0 },
	{ "\xb2", false, 0, false, 0 },
};
/* clang-format on */

static void check_number(void **state)
{
	const struct number_row *row = *state;
	struct sq_sv v = tight(row->name);
	int64_t i64 = 42;
	uint64_t u64 = 42;

	assert_int_equal(sq_sv_to_i64(v, &i64), row->is_i64);
	assert_true(i64 == (row->is_i64 ? row->i64 : 42));
	assert_int_equal(sq_sv_to_u64(v, &u64), row->is_u64);
	assert_true(u64 == (row->is_u64 ? row->u64 : 42));
	drop(v);
}

struct distance_row {
	const char *name, *other;
	unsigned want;
};

static struct distance_row distances[] = {
	{ "listen", "listen", 0 }, { "listen", "LISTEN", 0 },
	{ "listen", "lisen", 1 },  { "listen", "listten", 1 },
	{ "listen", "lisden", 1 }, { "listen", "litsen", 1 },
	{ "listen", "", 6 },       { "", "", 0 },
	{ "ca", "abc", 3 },        { "kitten", "sitting", 3 },
	{ "ab", "ba", 1 },         { "abcdef", "badcfe", 3 },
};

static void check_distance(void **state)
{
	const struct distance_row *row = *state;
	struct sq_sv a = tight(row->name), b = tight(row->other);

	assert_int_equal(sq_sv_distance(a, b), row->want);
	assert_int_equal(sq_sv_distance(b, a), row->want);
	drop(a);
	drop(b);
}

static void long_words_are_cut(void **state)
{
	char a[200], b[200];

	(void)state;
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	assert_int_equal(sq_sv_distance((struct sq_sv){ a, 200 }, (struct sq_sv){ b, 200 }), 63);
	assert_int_equal(sq_sv_distance((struct sq_sv){ a, 200 }, (struct sq_sv){ a, 63 }), 0);
}

/* Every length and every byte of the key counts, and few of many keys meet. */
static void hashes_differ(void **state)
{
	char key[64] = { 0 };
	unsigned char seen[1 << 13] = { 0 };
	unsigned met = 0;

	(void)state;
	for (size_t n = 0; n < sizeof(key); n++) {
		uint64_t h = sq_sv_hash((struct sq_sv){ key, n });

		assert_true(h != sq_sv_hash((struct sq_sv){ key, n + 1 }));
		for (size_t i = 0; i < n; i++) {
			key[i] = 1;
			assert_true(h != sq_sv_hash((struct sq_sv){ key, n }));
			key[i] = 0;
		}
	}
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t h;

		(void)snprintf(key, sizeof(key), "Field%u", i);
		h = sq_sv_hash(sq_sv_of(key)) % sizeof(seen);
		met += seen[h];
		seen[h] = 1;
	}
	assert_in_range(met, 0, 120); /* 1000 in 8192 places: 59 are expected to meet */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_views_are_empty),
		cmocka_unit_test(parts),
		cmocka_unit_test(long_words_are_cut),
		cmocka_unit_test(hashes_differ),
	};

	return RUN_TABLE("sv/pairs", pairs, check_pair) +
	       RUN_TABLE("sv/numbers", numbers, check_number) +
	       RUN_TABLE("sv/distances", distances, check_distance) +
	       cmocka_run_group_tests_name("sv", tests, NULL, NULL);
}
