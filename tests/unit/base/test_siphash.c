#include "lib/base/siphash.h"
#include "tests/support/test.h"

/* Key 00 01 ... 0f, input 00 01 ... of so many bytes; the vectors of the authors' own program, and
 * the same of OpenSSL. */
static void results_are_those_of_the_reference(void **state)
{
	static const struct {
		size_t n;
		unsigned char want[16];
	} cases[] = {
		{ 0, "\xa3\x81\x7f\x04\xba\x25\xa8\xe6\x6d\xf6\x72\x14\xc7\x55\x02\x93" },
		{ 1, "\xda\x87\xc1\xd8\x6b\x99\xaf\x44\x34\x76\x59\x11\x9b\x22\xfc\x45" },
		{ 3, "\x9c\x70\xb6\x0c\x52\x67\xa9\x4e\x5f\x33\xb6\xb0\x29\x85\xed\x51" },
		{ 15, "\x54\x93\xe9\x99\x33\xb0\xa8\x11\x7e\x08\xec\x0f\x97\xcf\xc3\xd9" },
		{ 16, "\x6e\xe2\xa4\xca\x67\xb0\x54\xbb\xfd\x33\x15\xbf\x85\x23\x05\x77" },
		{ 63, "\x51\x50\xd1\x77\x2f\x50\x83\x4a\x50\x3e\x06\x9a\x97\x3f\xbd\x7c" },
	};
	const struct sq_siphash_key key = { { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u } };
	unsigned char input[63];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (unsigned char)i;
	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		/* In two parts, cut everywhere. */
		for (size_t cut = 0; cut <= cases[i].n; cut++) {
			struct sq_siphash h;
			uint64_t got[2];

			sq_siphash_begin(&h, &key);
			sq_siphash_put(&h, (struct sq_sv){ (const char *)input, cut });
			sq_siphash_put(&h, (struct sq_sv){ (const char *)input + cut,
			                                   cases[i].n - cut });
			sq_siphash_end(&h, got);
			assert_memory_equal(got, cases[i].want, 16);
		}
	}
}

static void texts_do_not_run_into_each_other(void **state)
{
	static const char *const pairs[][2] = {
		{ "ab", "c" }, { "a", "bc" }, { "", "abc" }, { "abc", "" }
	};
	const struct sq_siphash_key key = { { 1, 2 } };
	uint64_t got[SQ_LEN(pairs)][2];

	(void)state;
	for (size_t i = 0; i < SQ_LEN(pairs); i++) {
		struct sq_siphash h;

		sq_siphash_begin(&h, &key);
		sq_siphash_put_text(&h, sq_sv_of(pairs[i][0]));
		sq_siphash_put_text(&h, sq_sv_of(pairs[i][1]));
		sq_siphash_end(&h, got[i]);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(got[i], got[k], sizeof(got[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_those_of_the_reference),
		cmocka_unit_test(texts_do_not_run_into_each_other),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
