/* Each body that this CPU runs against one byte after the other. */
#include "tests/support/test.h"

#include "lib/text/spot.h"

enum { TEXT_MAX = 3 * SQ_SPOT_WINDOW };

/* "ab", a byte, "c" in one bucket; any digit behind a backslash in another; what is not ASCII in a
 * third; "x" and the end of the text in a fourth. */
static void some_windows(struct sq_spot *s)
{
	memset(s, 0, sizeof(*s));
	sq_spot_allow(s, 0, 0, 'a');
	sq_spot_allow(s, 0, 1, 'b');
	sq_spot_allow(s, 0, 3, 'c');
	sq_spot_allow(s, 7, 0, '\\');
	for (unsigned c = '0'; c <= '9'; c++)
		sq_spot_allow(s, 7, 1, (unsigned char)c);
	sq_spot_allow(s, 15, 0, 'x');
	sq_spot_allow(s, 15, 1, '\0');
	for (unsigned c = 0; c < 256; c++) {
		sq_spot_allow(s, 0, 2, (unsigned char)c);
		sq_spot_allow(s, 7, 2, (unsigned char)c);
		sq_spot_allow(s, 7, 3, (unsigned char)c);
		sq_spot_allow(s, 15, 2, (unsigned char)c);
		sq_spot_allow(s, 15, 3, (unsigned char)c);
		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++)
			if (i > 0 || c >= 0x80)
				sq_spot_allow(s, 8, i, (unsigned char)c);
	}
	sq_spot_ready(s);
}

/* The same, and no window of the first half cares for its last byte. */
static void some_narrow_windows(struct sq_spot *s)
{
	some_windows(s);
	assert_false(s->narrow);
	for (unsigned c = 0; c < 256; c++)
		for (unsigned b = 0; b < SQ_SPOT_BUCKETS / 2; b++)
			sq_spot_allow(s, b, SQ_SPOT_WIDTH - 1, (unsigned char)c);
	sq_spot_ready(s);
	assert_true(s->narrow);
}

/* Just the places that are allowed are found, in order, by each body; beside them, where a body
 * takes DEL for what is not ASCII, some with that. */
static void all_agree(const struct sq_spot *s, struct sq_sv text)
{
	for (size_t k = 0; k < sq_spot_bodies_n; k++) {
		const struct sq_spot_body *body = &sq_spot_bodies[k];
		static uint32_t found[TEXT_MAX + SQ_SPOT_ROOM];
		uint32_t n = 0, next = 0;
		size_t at = 0, before;

		if (!body->runs())
			continue;
		while (at < text.n) {
			before = at;
			n += sq_spot_next_by(body, s, text, &at, found + n);
			assert_true(at > before && at <= text.n);
			assert_true(at - before <= SQ_SPOT_WINDOW + 64);
		}
		for (uint32_t i = 0; i < n; i++) {
			assert_true(found[i] < text.n);
			assert_true(i == 0 || found[i] > found[i - 1]);
			if (!sq_spot_at(s, text, found[i]) &&
			    sq_sv_chr(sq_sv_first(sq_sv_skip(text, found[i]), SQ_SPOT_WIDTH),
			              0x7f) == SIZE_MAX)
				fail_msg("%s invents place %u", body->name, found[i]);
		}
		for (size_t i = 0; i < text.n; i++) {
			if (!sq_spot_at(s, text, i))
				continue;
			while (next < n && found[next] < i)
				next++;
			if (next == n || found[next] != i)
				fail_msg("%s misses place %zu of %zu", body->name, i, text.n);
		}
	}
}

static void places_are_found_in_their_buckets(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		unsigned buckets;
	} rows[] = {
		{ "abXc", 0, 1 << 0 },
		{ "ab\xff"
		  "c",
		  0, 1 << 0 },
		{ "abXd", 0, 0 },
		{ "abX", 0, 0 },
		{ "..ab.c", 2, 1 << 0 },
		{ "\\7", 0, 1 << 7 },
		{ "\\x", 0, 0 },
		{ "-\xc3\xa4", 1, 1 << 8 },
		{ "x", 0, 1 << 15 },
		{ "xy", 0, 0 },
	};
	struct sq_spot s;

	(void)state;
	some_windows(&s);
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct sq_sv text = sq_sv_of(rows[i].text);

		assert_int_equal(sq_spot_at(&s, text, rows[i].at), rows[i].buckets);
		all_agree(&s, text);
	}
}

static void every_length_is_looked_at_to_its_end(void **state)
{
	struct sq_spot s;

	(void)state;
	some_windows(&s);
	for (size_t n = 1; n < 300; n++) {
		char *text = malloc(n); /* of its own, so that reading behind it is seen */

		assert_non_null(text);
		memset(text, '.', n);
		text[n - 1] = 'x';
		if (n > 4)
			memcpy(text + n - 5, "abcc", 4);
		all_agree(&s, (struct sq_sv){ text, n });
		free(text);
	}
}

static void random_bytes_give_the_same_places(void **state)
{
	static const char some[] = "abcx\\07.\0\xc3\xff";
	struct sq_spot s;
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 60; round++) {
		if (round % 2)
			some_narrow_windows(&s);
		else
			some_windows(&s);
		size_t n = 1 + (size_t)(test_random(&seed) % TEXT_MAX);
		char *text = malloc(n);

		assert_non_null(text);
		for (size_t i = 0; i < n; i++)
			text[i] = round % 2 ? (char)test_random(&seed)
			                    : some[test_random(&seed) % (sizeof(some) - 1)];
		all_agree(&s, (struct sq_sv){ text, n });
		free(text);
	}
}

/* One byte of a bucket: a few characters, most of them, or anything. */
static void allow_some(struct sq_spot *s, unsigned bucket, unsigned at, uint64_t *seed)
{
	unsigned kind = test_random(seed) % 8;

	for (unsigned c = 0; c < 256; c++)
		if (kind == 0 || (kind == 1 && test_random(seed) % 8) ||
		    (kind > 1 && test_random(seed) % 64 == 0))
			sq_spot_allow(s, bucket, at, (unsigned char)c);
}

/* Whatever the buckets hold, each body finds the same; of buckets that find one byte wherever it
 * stands (every fourth), of a large one, and of the others. */
static void random_windows_give_the_same_places(void **state)
{
	enum { TEXT = 2000 };
	static char text[TEXT];
	uint64_t seed = 7, places = 0;

	(void)state;
	for (int round = 0; round < 300; round++) {
		unsigned buckets = 1 + test_random(&seed) % SQ_SPOT_BUCKETS;
		struct sq_spot s = { .large = (uint8_t)(test_random(&seed) % SQ_SPOT_BUCKETS) };

		for (unsigned b = 0; b < buckets; b++) {
			bool single = test_random(&seed) % 4 == 0;

			allow_some(&s, b, 0, &seed);
			for (unsigned i = 1; i < SQ_SPOT_WIDTH; i++)
				for (unsigned c = 0; c < 256 && single; c++)
					sq_spot_allow(&s, b, i, (unsigned char)c);
			for (unsigned i = 1; i < SQ_SPOT_WIDTH && !single; i++)
				allow_some(&s, b, i, &seed);
		}
		sq_spot_ready(&s);
		for (size_t i = 0; i < TEXT; i++)
			text[i] = (char)(test_random(&seed) % (round % 2 ? 256 : 128));
		all_agree(&s, (struct sq_sv){ text, TEXT });
		for (size_t i = 0; i < TEXT; i++)
			places += sq_spot_at(&s, (struct sq_sv){ text, TEXT }, i) != 0;
	}
	assert_true(places > 300 * TEXT / 10 && places < 300 * TEXT / 10 * 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_found_in_their_buckets),
		cmocka_unit_test(every_length_is_looked_at_to_its_end),
		cmocka_unit_test(random_bytes_give_the_same_places),
		cmocka_unit_test(random_windows_give_the_same_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
