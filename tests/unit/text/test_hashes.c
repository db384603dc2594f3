/* Each body that this CPU runs against one place after the other. */
#include "tests/support/test.h"

#include "lib/text/hashes.h"

static void fill(struct sq_hashes *s, uint32_t pieces, uint64_t *seed)
{
	assert_true(sq_hashes_init(s, pieces));
	for (uint32_t i = 0; i < pieces; i++) {
		char piece[4];

		for (unsigned k = 0; k < sizeof(piece); k++)
			piece[k] = (char)('a' + test_random(seed) % 26);
		(void)sq_hashes_add(s, piece);
	}
}

static void what_was_added_is_found_in_either_case(void **state)
{
	struct sq_hashes s;
	uint64_t seed = 3;
	uint32_t h;

	(void)state;
	fill(&s, 10, &seed);
	h = sq_hashes_add(&s, "xwiz");
	assert_true(h < UINT32_C(1) << s.log);
	assert_true(sq_hashes_at(&s, "xwiz") && sq_hashes_at(&s, "XWiZ"));
	assert_int_equal(sq_hashes_of(sq_hashes_piece("XWIZ"), s.log), h);
	assert_false(sq_hashes_at(&s, "yyyy"));
	sq_hashes_fini(&s);
}

static void it_grows_with_its_pieces_up_to_a_bound(void **state)
{
	static const struct {
		uint32_t pieces;
		unsigned log;
	} rows[] = { { 1, 16 }, { 2048, 16 }, { 2049, 17 }, { 32768, 20 }, { 1000000, 20 } };
	struct sq_hashes s;

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		assert_true(sq_hashes_init(&s, rows[i].pieces));
		assert_int_equal(s.log, rows[i].log);
		sq_hashes_fini(&s);
	}
}

/* No byte behind those that may be read is: the text is as long as that. */
static void all_bodies_agree(void **state)
{
	static const uint32_t sizes[] = { 40, 1500, 40000 };
	uint64_t seed = 5, found = 0;

	(void)state;
	for (size_t n = 0; n < SQ_LEN(sizes); n++) {
		struct sq_hashes s;

		fill(&s, sizes[n], &seed);
		for (int round = 0; round < 2000; round++) {
			char *text = malloc(SQ_HASHES_READ);
			uint64_t expected = 0;
			uint32_t steps = 0;

			assert_non_null(text);
			for (unsigned i = 0; i < SQ_HASHES_READ; i++)
				text[i] = (char)(round % 2 ? test_random(&seed)
				                           : 'a' + test_random(&seed) % 26);
			for (unsigned i = 0; i < SQ_HASHES_BLOCK; i++)
				expected |= (uint64_t)sq_hashes_at(&s, text + i) << i;
			for (unsigned i = 0; i < SQ_HASHES_BLOCK / SQ_HASHES_STEP; i++)
				steps |= (uint32_t)(expected >> (i * SQ_HASHES_STEP) & 1) << i;
			found += (unsigned)__builtin_popcountll(expected);
			for (size_t b = 0; b < sq_hashes_bodies_n; b++) {
				const struct sq_hashes_body *body = &sq_hashes_bodies[b];

				if (body->runs() && (body->block(&s, text) != expected ||
				                     body->steps(&s, text) != steps))
					fail_msg("%s, %u pieces", body->name, sizes[n]);
			}
			assert_true(sq_hashes_block(&s, text) == expected);
			assert_true(sq_hashes_steps(&s, text) == steps);
			free(text);
		}
		sq_hashes_fini(&s);
	}
	assert_true(found > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_in_either_case),
		cmocka_unit_test(it_grows_with_its_pieces_up_to_a_bound),
		cmocka_unit_test(all_bodies_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
