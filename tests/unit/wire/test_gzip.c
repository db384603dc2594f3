#include "tests/support/test.h"

#include <zlib.h>

#include "lib/wire/gzip.h"

/* zlib gives back what ISA-L packed. */
static void there_and_back(struct sq_sv plain)
{
	struct sq_outbuf packed = sq_outbuf_of(16 << 20);
	char *copy = exact(plain.p, plain.n), *back = malloc(plain.n + 1);
	z_stream z = { 0 };

	sq_gzip((struct sq_sv){ copy, plain.n }, &packed);
	assert_false(packed.failed);
	assert_true(packed.len <= plain.n + plain.n / 65535 * 5 + 64);
	assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
	z.next_in = (unsigned char *)packed.p;
	z.avail_in = (unsigned)packed.len;
	z.next_out = (unsigned char *)back;
	z.avail_out = (unsigned)plain.n + 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_sv_equal(((struct sq_sv){ back, z.total_out }), plain);
	assert_int_equal(inflateEnd(&z), Z_OK);
	sq_outbuf_fini(&packed);
	free(copy);
	free(back);
}

static void all_sizes_come_back(void **state SQ_UNUSED)
{
	static const size_t sizes[] = { 0,     1,     2,     100,    4096,   32767,
		                        32768, 65535, 65536, 131070, 200000, 1 << 20 };
	uint64_t seed = 1;
	char *text = malloc(1 << 20);

	for (int kind = 0; kind < 3; kind++) {
		for (size_t i = 0; i < 1 << 20; i++)
			text[i] = kind == 0   ? 'a'
			          : kind == 1 ? (char)(test_random(&seed) >> 8)
			                      : "{\"event\":4688,"[i % 14];
		for (size_t i = 0; i < SQ_LEN(sizes); i++)
			there_and_back((struct sq_sv){ text, sizes[i] });
	}
	free(text);
}

static void what_has_no_room_fails(void **state SQ_UNUSED)
{
	struct sq_outbuf out = sq_outbuf_of(32);

	sq_gzip(SQ_SV("some text"), &out);
	assert_true(out.failed);
	sq_outbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sizes_come_back),
		cmocka_unit_test(what_has_no_room_fails),
	};

	return cmocka_run_group_tests_name("gzip", tests, NULL, NULL);
}
