/* A frame that goes on in the middle, and long pieces that are followed by blocks: random texts,
 * cut in every way, give the same records. */
#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/frame.h"

#define BLANKS "                                                                      "

enum { RANDOM_BYTES = 700, RANDOM_TEXTS = 20000 };

static uint64_t roll(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* Records and what is left, of pieces of at least `step` bytes, summed up. */
static uint64_t sum_of_pieces(struct sq_sv in, size_t step, uint64_t seed)
{
	struct sq_frame f = sq_frame_of(2 * RANDOM_BYTES);
	size_t at = 0, have = 0, used;
	struct sq_sv rec = { 0 };
	uint64_t sum = 0;

	while (have < in.n) {
		char *copy;
		int r;

		have += step > 1 ? step + roll(&seed) % step : 1;
		have = have < in.n ? have : in.n;
		do {
			copy = exact(in.p + at, have - at);
			r = sq_frame_next(&f, (struct sq_sv){ copy, have - at }, have == in.n,
			                  &used, &rec);
			assert_true(r >= 0 && used <= have - at);
			at += used;
			if (r)
				sum = sum * 31 + sq_sv_hash(rec);
			free(copy);
		} while (r);
	}
	return sum;
}

/* Records of all of `in`, summed up, as `f` goes on with it. `*ret_used` of it are used. */
static uint64_t sum_of(struct sq_frame *f, struct sq_sv in, bool eof, size_t *ret_used)
{
	struct sq_sv rec = { 0 };
	uint64_t sum = 0;
	size_t used;
	int r;

	*ret_used = 0;
	do {
		r = sq_frame_next(f, sq_sv_skip(in, *ret_used), eof, &used, &rec);
		assert_int_not_equal(r, -EPROTO);
		*ret_used += used;
		if (r)
			sum = sum * 31 + (r > 0 ? sq_sv_hash(rec) : 1);
	} while (r);
	return sum;
}

/* Whoever begins in the middle of a stream where a frame is between records cuts as that frame. */
static void check_between(void **state SQ_UNUSED)
{
	static const char *const parts[] = {
		"{\"a\":1}", "{\"a\":", "1}",      "{",    "}",  "[",   "]",
		"[{",        "\n",      "\n",      "\n",   "\n", ",\n", "12 {\"a\":12345}",
		"40 {",      "7 ",      "<14>x y", "text", "\"", " ",   "{}\n",
		"{}\n",
	};
	uint64_t seed = 20261123, between = 0;

	for (int i = 0; i < 2000; i++) {
		char text[200] = "x\n";
		size_t n = 2, used;

		while (n < sizeof(text) - 20) {
			const char *part = parts[roll(&seed) % SQ_LEN(parts)];

			memcpy(text + n, part, strlen(part));
			n += strlen(part);
		}
		for (size_t at = 1; at < n; at++) {
			struct sq_frame f = sq_frame_of(30), fresh = sq_frame_between(30);
			struct sq_sv rest = { text + at, n - at };

			(void)sum_of(&f, (struct sq_sv){ text, at }, false, &used);
			if (used < at || !sq_frame_is_between(&f))
				continue;
			between++;
			assert_int_equal(sum_of(&f, rest, true, &used),
			                 sum_of(&fresh, rest, true, &used));
		}
	}
	assert_true(between > 10000);
}

/* Long pieces are followed by blocks, bytes one at a time are not. No line of these ends with a
 * brace: those may be one record or several. */
static void check_blocks(void **state SQ_UNUSED)
{
	static const char *const parts[] = { "{",
		                             "{",
		                             "}",
		                             "}",
		                             "[",
		                             "]",
		                             "\"",
		                             "\"",
		                             "\"",
		                             "\\",
		                             "\\\\",
		                             ",",
		                             ":",
		                             "a",
		                             "xxxxxxxxxxxxxxxx",
		                             " ",
		                             "1",
		                             ",\n",
		                             ":\n",
		                             "\"k\":",
		                             "\"\\\"\"",
		                             "\t",
		                             "," BLANKS "\n",
		                             ":" BLANKS "\n",
		                             "\"k\":{" BLANKS };
	uint64_t seed = 20261122;

	for (int i = 0; i < RANDOM_TEXTS; i++) {
		char text[RANDOM_BYTES + 80] = "{";
		size_t n = 1, kinds = i % 2 ? SQ_LEN(parts) : 17;
		uint64_t want, from;

		while (n < RANDOM_BYTES) {
			const char *part = parts[roll(&seed) % kinds];

			memcpy(text + n, part, strlen(part));
			n += strlen(part);
		}
		want = sum_of_pieces((struct sq_sv){ text, n }, 1, 0);
		from = seed;
		for (size_t step = 3; step < RANDOM_BYTES; step = step * 2 + 1)
			if (sum_of_pieces((struct sq_sv){ text, n }, step, from) != want)
				fail_msg("text %d, pieces of %zu bytes or more: %.*s", i, step,
				         (int)n, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_blocks),
		cmocka_unit_test(check_between),
	};

	return cmocka_run_group_tests_name("frame_random", tests, NULL, NULL);
}
