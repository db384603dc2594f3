/* Each body that this CPU runs against one place after the other. */
#include "tests/support/test.h"

#include "lib/text/grams.h"

enum { TEXT_MAX = 2 * SQ_GRAMS_WINDOW + 200 };

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_\\/ \"";

static void draw(char *to, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		to[i] = letters[test_random(seed) % (sizeof(letters) - 1)];
}

static void fill(struct sq_grams *g, char (*grams)[SQ_GRAM], uint32_t n)
{
	uint64_t seed = n;

	*g = (struct sq_grams){ 0 };
	for (uint32_t k = 0; k < n; k++) {
		draw(grams[k], SQ_GRAM, &seed);
		sq_grams_add(g, grams[k], n);
	}
}

/* The places that sq_grams_at() allows, in order, and no others, by each body. @return how many */
static uint32_t all_agree(const struct sq_grams *g, struct sq_sv text)
{
	static uint32_t found[TEXT_MAX + SQ_GRAMS_ROOM];
	uint32_t n = 0;

	for (size_t k = 0; k < sq_grams_bodies_n; k++) {
		const struct sq_grams_body *body = &sq_grams_bodies[k];
		uint32_t next = 0;
		size_t at = 0;

		if (!body->runs())
			continue;
		for (n = 0; at < text.n;) {
			size_t before = at;

			n += sq_grams_next_by(body, g, text, &at, found + n);
			assert_true(at > before && at <= text.n);
			assert_true(at - before <= SQ_GRAMS_WINDOW + SQ_GRAM);
		}
		for (size_t i = 0; i + SQ_GRAM <= text.n; i++) {
			if (!sq_grams_at(g, text.p + i))
				continue;
			if (next == n || found[next] != i)
				fail_msg("%s misses place %zu of %zu", body->name, i, text.n);
			next++;
		}
		assert_int_equal(next, n);
	}
	return n;
}

static void every_piece_is_found_in_either_case(void **state)
{
	static const uint32_t rows[] = { 1, 40, 500, 501, SQ_GRAMS_MAX };
	static char grams[SQ_GRAMS_MAX][SQ_GRAM];
	struct sq_grams g;

	(void)state;
	for (size_t r = 0; r < SQ_LEN(rows); r++) {
		fill(&g, grams, rows[r]);
		for (uint32_t k = 0; k < rows[r]; k++) {
			char upper[SQ_GRAM];

			for (size_t i = 0; i < SQ_GRAM; i++)
				upper[i] = grams[k][i] >= 'a' && grams[k][i] <= 'z'
				                   ? (char)(grams[k][i] - 32)
				                   : grams[k][i];
			assert_true(sq_grams_at(&g, grams[k]));
			assert_true(sq_grams_at(&g, upper));
		}
	}
}

static void bodies_agree_on_texts_of_all_lengths(void **state)
{
	static const uint32_t rows[] = { 3, 400, 1200 };
	static char grams[SQ_GRAMS_MAX][SQ_GRAM];
	struct sq_grams g;
	uint64_t seed = 1;

	(void)state;
	for (size_t r = 0; r < SQ_LEN(rows); r++) {
		fill(&g, grams, rows[r]);
		for (size_t n = 0; n < TEXT_MAX; n += n < 300 ? 1 : 997) {
			char *text =
				malloc(n + 1); /* of its own, so that reading behind it is seen */

			assert_non_null(text);
			draw(text, n, &seed);
			for (size_t i = 0; i < n; i += 1 + test_random(&seed) % 60)
				text[i] = (char)test_random(&seed); /* any byte */
			for (size_t i = 0; i + SQ_GRAM <= n; i += 20 + test_random(&seed) % 60)
				memcpy(text + i, grams[test_random(&seed) % rows[r]], SQ_GRAM);
			all_agree(&g, (struct sq_sv){ text, n });
			free(text);
		}
	}
}

/* What is none of the pieces is mostly not found: else the filter would be sound and of no use. */
static void few_other_places_are_found(void **state)
{
	static const struct {
		uint32_t n, most; /* places of 100 */
	} rows[] = { { 100, 1 }, { 400, 2 }, { 1200, 7 }, { SQ_GRAMS_MAX, 10 } };
	static char grams[SQ_GRAMS_MAX][SQ_GRAM], text[TEXT_MAX];
	struct sq_grams g;
	uint64_t seed = 2;

	(void)state;
	draw(text, sizeof(text), &seed);
	for (size_t r = 0; r < SQ_LEN(rows); r++) {
		fill(&g, grams, rows[r].n);
		assert_true(all_agree(&g, (struct sq_sv){ text, sizeof(text) }) <
		            rows[r].most * sizeof(text) / 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_piece_is_found_in_either_case),
		cmocka_unit_test(bodies_agree_on_texts_of_all_lengths),
		cmocka_unit_test(few_other_places_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
