#include "tests/support/test.h"

#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/wire/gzip_header.h"
#include "lib/wire/unpack.h"
#include "tests/support/fault_alloc.h"

enum { LONG = 110 * 1000, BOMB = 1000 * 1000 };

static const struct sq_unpack_limits unlimited = { 0, 0 };

/* ---- streams, made by the libraries that senders use ---- */

static struct sq_sv deflated(struct sq_sv plain, int window_bits)
{
	size_t cap = plain.n + plain.n / 100 + 100;
	char *to = malloc(cap);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)plain.p,
		       .avail_in = (uInt)plain.n,
		       .next_out = (Bytef *)to,
		       .avail_out = (uInt)cap };

	assert_int_equal(deflateInit2(&z, 3, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(deflateEnd(&z), Z_OK);
	return (struct sq_sv){ to, cap - z.avail_out };
}

static struct sq_sv zlib_of(struct sq_sv plain)
{
	return deflated(plain, 15);
}

static struct sq_sv gzip_of(struct sq_sv plain)
{
	return deflated(plain, 15 + 16);
}

static struct sq_sv bare_of(struct sq_sv plain)
{
	return deflated(plain, -15);
}

static struct sq_sv zstd_of(struct sq_sv plain)
{
	size_t cap = ZSTD_compressBound(plain.n), n;
	ZSTD_CCtx *c = ZSTD_createCCtx();
	char *to = malloc(cap);

	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	n = ZSTD_compress2(c, to, cap, plain.p, plain.n);
	assert_false(ZSTD_isError(n));
	ZSTD_freeCCtx(c);
	return (struct sq_sv){ to, n };
}

static struct sq_sv joined(struct sq_sv a, struct sq_sv b)
{
	char *to = malloc(a.n + b.n);

	memcpy(to, a.p, a.n);
	memcpy(to + a.n, b.p, b.n);
	return (struct sq_sv){ to, a.n + b.n };
}

static void drop(struct sq_sv v)
{
	free((void *)(uintptr_t)v.p);
}

/* Text that packs to about a fifth, with long and short repeats and a run of one letter. */
static struct sq_sv text_of(size_t n)
{
	static const char *const words[] = { "EventID",     "regsvr32.exe", "\"CommandLine\":",
		                             "C:\\",        "System32",     "{",
		                             "}",           "scrobj.dll",   ",",
		                             "NT AUTHORITY" };
	char *to = malloc(n + 32);
	uint32_t seed = 1;
	size_t at = 0;

	while (at < n) {
		const char *w;

		seed = seed * 1664525 + 1013904223;
		w = words[(seed >> 16) % SQ_LEN(words)];
		memcpy(to + at, w, strlen(w));
		at += strlen(w);
		to[at++] = (char)(seed >> 24);
	}
	if (n > 100 * 1000)
		memset(to + 50 * 1000, ' ', 20 * 1000);
	return (struct sq_sv){ to, n };
}

static struct sq_sv zeros_of(size_t n)
{
	return (struct sq_sv){ calloc(1, n), n };
}

/* ---- running a stream in pieces, each of them a heap block of its own ---- */

struct outcome {
	int r;
	char *out;
	size_t made, used;
	bool done;
};

static struct outcome run_pieces(struct sq_unpack *u, struct sq_sv in, size_t piece, size_t room,
                                 size_t cap)
{
	struct outcome o = { .out = malloc(cap + room) };
	size_t at = 0;

	do {
		struct sq_sv give = { exact(in.p + at, in.n - at < piece ? in.n - at : piece),
			              in.n - at < piece ? in.n - at : piece };
		size_t given = 0, used, made;

		do {
			char *to = malloc(room);

			o.r = sq_unpack_run(u, sq_sv_skip(give, given), &used, to, room, &made);
			assert_true(made <= room && given + used <= give.n);
			assert_true(o.made + made <= cap + room);
			memcpy(o.out + o.made, to, made);
			o.made += made;
			given += used;
			free(to);
			if (o.r == 0 && made < room)
				assert_int_equal(given, give.n);
		} while (o.r == 0 && (given < give.n || made == room));
		at += given;
		drop(give);
	} while (o.r >= 0 && at < in.n);
	o.used = at;
	o.done = sq_unpack_done(u);
	assert_int_equal(sq_unpack_made(u), o.made);
	return o;
}

static void expect_whole(struct sq_unpack *u, enum sq_unpack_kind kind, struct sq_sv packed,
                         struct sq_sv plain, size_t piece, size_t room)
{
	struct outcome o;

	assert_int_equal(sq_unpack_begin(u, kind, unlimited), 0);
	o = run_pieces(u, packed, piece, room, plain.n);
	assert_int_equal(o.r, 1);
	assert_true(o.done);
	assert_int_equal(o.used, packed.n);
	assert_int_equal(o.made, plain.n);
	assert_memory_equal(o.out, plain.p, plain.n);
	free(o.out);
}

struct kind_row {
	const char *name;
	enum sq_unpack_kind kind;
	struct sq_sv (*pack)(struct sq_sv plain);
	bool again; /* members may follow one another */
};

static struct kind_row kinds[] = {
	{ "zlib", SQ_UNPACK_ZLIB, zlib_of, false },
	{ "gzip", SQ_UNPACK_GZIP, gzip_of, true },
	{ "deflate with the header of zlib", SQ_UNPACK_DEFLATE, zlib_of, false },
	{ "deflate without a header", SQ_UNPACK_DEFLATE, bare_of, false },
	{ "zstd", SQ_UNPACK_ZSTD, zstd_of, true },
};

static void test_whole(void **state)
{
	static const size_t pieces[] = { 1, 7, 4096, SIZE_MAX }, rooms[] = { 1, 100, 65536 };
	const struct kind_row *row = *state;
	struct sq_sv plain = text_of(LONG), packed = row->pack(plain);
	struct sq_unpack *u = sq_unpack_new();

	for (size_t i = 0; i < SQ_LEN(pieces); i++)
		for (size_t k = 0; k < SQ_LEN(rooms); k++)
			expect_whole(u, row->kind, packed, plain, pieces[i], rooms[k]);
	sq_unpack_free(u);
	drop(plain);
	drop(packed);
}

/* Every cut in two, of one member and of two with an empty one between them. */
static void test_cuts(void **state)
{
	const struct kind_row *row = *state;
	struct sq_sv plain = text_of(600), packed = row->pack(plain), twice = joined(plain, plain);
	struct sq_sv empty = row->pack(SQ_SV(""));
	struct sq_sv begin = joined(packed, empty), three = joined(begin, packed);
	struct sq_unpack *u = sq_unpack_new();

	expect_whole(u, row->kind, empty, SQ_SV(""), SIZE_MAX, 10);
	for (size_t cut = 1; cut < (row->again ? three.n : packed.n); cut++) {
		if (row->again)
			expect_whole(u, row->kind, three, twice, cut, 1 + cut % 700);
		expect_whole(u, row->kind, packed, plain, cut, 1 + cut % 700);
	}
	sq_unpack_free(u);
	drop(plain);
	drop(packed);
	drop(twice);
	drop(empty);
	drop(begin);
	drop(three);
}

/* A stream that stops early is never whole, wherever it stops. */
static void test_truncated(void **state)
{
	const struct kind_row *row = *state;
	struct sq_sv plain = text_of(600), packed = row->pack(plain);
	struct sq_unpack *u = sq_unpack_new();

	for (size_t n = 0; n < packed.n; n++) {
		struct outcome o;

		assert_int_equal(sq_unpack_begin(u, row->kind, unlimited), 0);
		o = run_pieces(u, sq_sv_first(packed, n), 1 + n / 3, 1000, plain.n);
		assert_int_equal(o.r, 0);
		assert_false(o.done);
		assert_int_equal(o.used, n);
		assert_true(o.made <= plain.n);
		assert_memory_equal(o.out, plain.p, o.made);
		free(o.out);
	}
	sq_unpack_free(u);
	drop(plain);
	drop(packed);
}

/* What follows the end is told of, however the bytes come; all of the stream is out before. */
static void test_trailing(void **state)
{
	const struct kind_row *row = *state;
	struct sq_sv plain = text_of(600), packed = row->pack(plain);
	struct sq_sv all = joined(packed, SQ_SV("0123456789abcdef"));
	struct sq_unpack *u = sq_unpack_new();

	for (size_t extra = 1; extra <= 16; extra += extra < 9 ? 1 : 7) {
		for (size_t piece = 1; piece <= packed.n + extra; piece++) {
			struct outcome o;

			assert_int_equal(sq_unpack_begin(u, row->kind, unlimited), 0);
			o = run_pieces(u, sq_sv_first(all, packed.n + extra), piece,
			               1 + piece * 7 % 900, plain.n);
			assert_false(o.done);
			if (o.r || row->kind != SQ_UNPACK_ZSTD || extra >= 4)
				assert_int_equal(o.r, -EILSEQ); /* or a magic number yet */
			assert_int_equal(o.made, plain.n);
			assert_memory_equal(o.out, plain.p, plain.n);
			free(o.out);
		}
	}
	sq_unpack_free(u);
	drop(plain);
	drop(packed);
	drop(all);
}

/* One wrong byte is never taken for the whole text. */
static void test_damaged(void **state)
{
	const struct kind_row *row = *state;
	struct sq_sv plain = text_of(600), packed = row->pack(plain);
	struct sq_unpack *u = sq_unpack_new();
	char *bad = exact(packed.p, packed.n);
	unsigned refused = 0;

	if (row->pack == bare_of)
		goto out; /* nothing in it could tell */
	for (size_t i = 0; i < packed.n; i++) {
		struct outcome o;

		bad[i] = (char)(bad[i] ^ 0x11);
		assert_int_equal(sq_unpack_begin(u, row->kind, unlimited), 0);
		o = run_pieces(u, (struct sq_sv){ bad, packed.n }, 50, 1000, 1000 * 1000);
		if (o.r == 1)
			assert_memory_equal(o.out, plain.p, plain.n);
		refused += o.r < 0;
		free(o.out);
		bad[i] = packed.p[i];
	}
	assert_true(refused > packed.n / 2);
out:
	free(bad);
	sq_unpack_free(u);
	drop(plain);
	drop(packed);
}

static void test_max_out(void **state)
{
	const struct kind_row *row = *state;
	struct sq_sv plain = text_of(LONG), packed = row->pack(plain);
	struct sq_unpack *u = sq_unpack_new();
	struct outcome o;

	assert_int_equal(sq_unpack_begin(u, row->kind, (struct sq_unpack_limits){ LONG, 0 }), 0);
	o = run_pieces(u, packed, 1000, 5000, LONG);
	assert_int_equal(o.r, 1);
	assert_int_equal(o.made, LONG);
	free(o.out);

	assert_int_equal(sq_unpack_begin(u, row->kind, (struct sq_unpack_limits){ LONG - 1, 0 }),
	                 0);
	o = run_pieces(u, packed, 1000, 5000, LONG);
	assert_int_equal(o.r, -EMSGSIZE);
	assert_int_equal(o.made, LONG - 1);
	assert_memory_equal(o.out, plain.p, LONG - 1);
	free(o.out);
	sq_unpack_free(u);
	drop(plain);
	drop(packed);
}

static void test_max_ratio(void **state)
{
	const struct kind_row *row = *state;
	struct sq_sv plain = zeros_of(BOMB), packed = row->pack(plain);
	struct sq_unpack *u = sq_unpack_new();
	uint32_t over = (uint32_t)(BOMB / packed.n) / 2;
	struct outcome o;

	assert_int_equal(sq_unpack_begin(u, row->kind, (struct sq_unpack_limits){ 0, over }), 0);
	o = run_pieces(u, packed, 16, 4096, BOMB);
	assert_int_equal(o.r, -E2BIG);
	assert_true(o.made > SQ_UNPACK_JUDGED);
	free(o.out);

	assert_int_equal(sq_unpack_begin(u, row->kind, (struct sq_unpack_limits){ 0, over * 8 }),
	                 0);
	o = run_pieces(u, packed, 16, 4096, BOMB);
	assert_int_equal(o.r, 1);
	free(o.out);
	sq_unpack_free(u);
	drop(plain);
	drop(packed);
}

static void test_memory(void **state)
{
	const struct kind_row *row = *state;
	struct sq_unpack *u;

	if (row->kind == SQ_UNPACK_ZSTD)
		return; /* its allocations are the library's own */
	fault_alloc_at(1);
	assert_null(sq_unpack_new());
	assert_true(fault_alloc_end());
	u = sq_unpack_new();
	fault_alloc_at(1);
	assert_int_equal(sq_unpack_begin(u, row->kind, unlimited), -ENOMEM);
	assert_true(fault_alloc_end());
	assert_int_equal(sq_unpack_begin(u, row->kind, unlimited), 0);
	fault_alloc_at(1); /* a context that has worked needs no more */
	assert_int_equal(sq_unpack_begin(u, row->kind, unlimited), 0);
	assert_false(fault_alloc_end());
	sq_unpack_free(u);
}

/* ---- what has only one case ---- */

static void test_dictionary(void **state)
{
	static const char needs[] = "\x78\xbb\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00";
	struct sq_unpack *u = sq_unpack_new();
	size_t used, made;
	char to[100];

	(void)state;
	assert_int_equal(sq_unpack_begin(u, SQ_UNPACK_ZLIB, unlimited), 0);
	assert_int_equal(sq_unpack_run(u, (struct sq_sv){ needs, sizeof(needs) - 1 }, &used, to,
	                               sizeof(to), &made),
	                 -EBADMSG);
	/* An error stays until the next stream. */
	assert_int_equal(sq_unpack_run(u, SQ_SV(""), &used, to, sizeof(to), &made), -EBADMSG);
	assert_false(sq_unpack_done(u));
	sq_unpack_free(u);
}

/* A copy from before the beginning would hand out what another sender's stream left in memory. */
static void test_lookback(void **state)
{
	/* Fixed codes: 'a', then length 3 from distance 2, then the end. */
	static const char before[] = "\x4b\x04\x42\x00";
	struct sq_unpack *u = sq_unpack_new();
	struct sq_sv plain = text_of(LONG), other = bare_of(plain);

	(void)state;
	expect_whole(u, SQ_UNPACK_DEFLATE, other, plain, SIZE_MAX, 65536);
	for (size_t piece = 1; piece <= 4; piece++) {
		struct outcome o;

		assert_int_equal(sq_unpack_begin(u, SQ_UNPACK_DEFLATE, unlimited), 0);
		o = run_pieces(u, (struct sq_sv){ before, 4 }, piece, 100, 100);
		assert_int_equal(o.r, -EBADMSG);
		assert_true(o.made <= 1);
		free(o.out);
	}
	sq_unpack_free(u);
	drop(plain);
	drop(other);
}

/* Two members, one behind the other: one with a plain header, and one with what the flags say. */
static struct sq_sv with_header(uint8_t flags, struct sq_sv plain)
{
	static const struct {
		uint8_t flag;
		struct sq_sv field;
	} fields[] = {
		{ 4, SQ_SV("\x05\0extra") },
		{ 8, SQ_SV("a name\0") },
		{ 16, SQ_SV("a comment\0") },
	};
	char head[64] = { 0x1f, (char)0x8b, 8, (char)flags, 1, 2, 3, 4, 0, 3 };
	struct sq_sv parts[] = { gzip_of(plain), { head, 10 }, bare_of(plain), { NULL, 0 } };
	struct sq_sv all = { "", 0 }, before = { NULL, 0 };

	for (size_t i = 0; i < SQ_LEN(fields); i++) {
		if (!(flags & fields[i].flag))
			continue;
		memcpy(head + parts[1].n, fields[i].field.p, fields[i].field.n);
		parts[1].n += fields[i].field.n;
	}
	if (flags & 2) {
		uLong crc = crc32(0, (const Bytef *)head, (uInt)parts[1].n);

		head[parts[1].n++] = (char)crc;
		head[parts[1].n++] = (char)(crc >> 8);
	}
	parts[3] = (struct sq_sv){ parts[0].p + parts[0].n - 8, 8 };
	for (size_t i = 0; i < SQ_LEN(parts); i++) {
		all = joined(all, parts[i]);
		drop(before);
		before = all;
	}
	drop(parts[0]);
	drop(parts[2]);
	return all;
}

static void test_gzip_headers(void **state)
{
	struct sq_sv plain = text_of(100), twice = joined(plain, plain);
	struct sq_unpack *u = sq_unpack_new();

	(void)state;
	for (unsigned flags = 0; flags < 32; flags++) {
		struct sq_sv all = with_header((uint8_t)flags, plain);

		for (size_t piece = 1; piece <= all.n; piece++)
			expect_whole(u, SQ_UNPACK_GZIP, all, twice, piece, 40);
		drop(all);
	}
	sq_unpack_free(u);
	drop(plain);
	drop(twice);
}

/* What the standard keeps for later, another method, an extra field of no bytes, and a name that
 * never ends. */
static void test_gzip_odd_headers(void **state)
{
	static const struct {
		struct sq_sv bytes;
		int r;
		size_t used;
	} rows[] = {
		{ SQ_SV("\x1f\x8b\x08\x20\0\0\0\0\0\x03"), -EBADMSG, 4 },
		{ SQ_SV("\x1f\x8b\x07\0\0\0\0\0\0\x03"), -EBADMSG, 3 },
		{ SQ_SV("\x1f\x8c"), -EBADMSG, 2 },
		{ SQ_SV("\x1f\x8b\x08\x04\0\0\0\0\0\x03\0\0rest"), 1, 12 },
		{ SQ_SV("\x1f\x8b\x08\x0c\0\0\0\0\0\x03\0\0n\0rest"), 1, 14 },
		{ SQ_SV("\x1f\x8b\x08\x08\0\0\0\0\0\x03name"), 0, 14 },
		{ SQ_SV("\x1f\x8b\x08"), 0, 3 },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct sq_gzip_header h = { 0 };
		size_t used;

		assert_int_equal(sq_gzip_header_run(&h, rows[i].bytes, &used), rows[i].r);
		assert_int_equal(used, rows[i].used);
	}
}

static void test_zstd_window(void **state)
{
	struct sq_sv plain = text_of(100 * 1000);
	char *packed = malloc(200 * 1000);
	ZSTD_outBuffer out = { packed, 200 * 1000, 0 };
	ZSTD_inBuffer in = { plain.p, plain.n, 0 };
	ZSTD_CCtx *c = ZSTD_createCCtx();
	struct sq_unpack *u = sq_unpack_new();
	size_t used, made;
	char to[1000];

	(void)state;
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 24);
	assert_false(ZSTD_isError(ZSTD_compressStream2(c, &out, &in, ZSTD_e_flush)));
	assert_int_equal(sq_unpack_begin(u, SQ_UNPACK_ZSTD, unlimited), 0);
	assert_int_equal(sq_unpack_run(u, (struct sq_sv){ packed, out.pos }, &used, to, sizeof(to),
	                               &made),
	                 -E2BIG);
	ZSTD_freeCCtx(c);
	sq_unpack_free(u);
	free(packed);
	drop(plain);
}

static void test_reasons(void **state)
{
	(void)state;
	assert_string_equal(sq_unpack_reason(-EBADMSG), "compressed data is damaged");
	assert_string_equal(sq_unpack_reason(-EILSEQ),
	                    "bytes follow the end of the compressed data");
	assert_string_equal(sq_unpack_reason(-E2BIG),
	                    "compressed data unpacks to too many times its size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dictionary),   cmocka_unit_test(test_lookback),
		cmocka_unit_test(test_gzip_headers), cmocka_unit_test(test_gzip_odd_headers),
		cmocka_unit_test(test_zstd_window),  cmocka_unit_test(test_reasons),
	};
	int failed = cmocka_run_group_tests_name("unpack", tests, NULL, NULL);

	failed += RUN_TABLE("unpack in pieces", kinds, test_whole);
	failed += RUN_TABLE("cut everywhere", kinds, test_cuts);
	failed += RUN_TABLE("truncated is not whole", kinds, test_truncated);
	failed += RUN_TABLE("bytes that follow", kinds, test_trailing);
	failed += RUN_TABLE("damaged is not whole", kinds, test_damaged);
	failed += RUN_TABLE("output limit", kinds, test_max_out);
	failed += RUN_TABLE("ratio limit", kinds, test_max_ratio);
	failed += RUN_TABLE("no memory", kinds, test_memory);
	return failed;
}
