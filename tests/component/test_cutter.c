/* Bytes to records in the open batch: where they are put, what is carried, what waits. */
#include "daemon/input/cutter.h"

#include "lib/wire/frame.h"
#include "tests/support/fake_dispatch.h"
#include "tests/support/test.h"

struct bench {
	struct sqd_dispatch d;
	struct sqd_input in;
	struct sq_counters counts;
	struct sqd_receipt receipt;
	struct sq_frame frame;
	struct sqd_cutter k;
};

/* Lines are cut by the dispatch where they can be. */
static bool lines;

static int frame(void *framer, struct sq_sv in, bool eof, size_t *ret_used, struct sq_sv *ret_rec)
{
	return sq_frame_next(framer, in, eof, ret_used, ret_rec);
}

static void make(struct bench *b, uint32_t max_record)
{
	*b = (struct bench){ .d = { .limits = { .chunk = 256 * 1024,
		                                .records = 8,
		                                .origins = 4,
		                                .arena = 4096,
		                                .out = 4096 },
		                    .free = FAKE_BATCHES,
		                    .lines = lines },
		             .frame = sq_frame_of(max_record) };
	b->in.dispatch = &b->d;
	b->in.counts = &b->counts;
	b->k = (struct sqd_cutter){ .in = &b->in,
		                    .receipt = &b->receipt,
		                    .peer = "192.0.2.7:1",
		                    .next = frame,
		                    .framer = &b->frame,
		                    .lines = lines ? &b->frame : NULL };
}

/* Everything that was sealed is settled, nothing is left anywhere. */
static void end(struct bench *b)
{
	sqd_cutter_reset(&b->k);
	sqd_dispatch_seal(&b->d);
	fake_dispatch_settle(&b->d);
	fake_dispatch_forget(&b->d);
	assert_int_equal(b->receipt.unsettled, 0);
}

/* Straight into the room, as a read does it. */
static int feed(struct bench *b, struct sq_sv bytes)
{
	struct sqd_room room;
	int r = sqd_cutter_room(&b->k, &room);

	if (r)
		return r;
	assert_true(room.n >= SQD_CUTTER_ROOM && bytes.n <= room.n);
	memcpy(room.p, bytes.p, bytes.n);
	return sqd_cutter_cut(&b->k, bytes.n);
}

static void expect(struct bench *b, const char *const *want, unsigned n)
{
	sqd_dispatch_seal(&b->d);
	assert_int_equal(b->d.n, n);
	for (unsigned i = 0; i < n; i++)
		assert_string_equal(b->d.records[i], want[i]);
}

static const char stream[] = "{\"a\":1}\n{\"b\":2}\r\n7 {\"c\":3}plain line\n{\"cut\":";
static const char *const records[] = { "{\"a\":1}", "{\"b\":2}", "{\"c\":3}", "plain line",
	                               "{\"cut\":" };

static void cut_at_every_byte_the_records_are_the_same(void **state SQ_UNUSED)
{
	const size_t n = sizeof(stream) - 1;

	for (int way = 0; way < 2; way++) {
		for (size_t cut = 0; cut <= n; cut++) {
			struct sq_sv one = { stream, cut }, two = { stream + cut, n - cut };
			struct bench b;

			make(&b, 1024);
			assert_int_equal(way ? sqd_cutter_put(&b.k, one) : feed(&b, one), 0);
			assert_int_equal(way ? sqd_cutter_put(&b.k, two) : feed(&b, two), 0);
			assert_int_equal(sqd_cutter_end(&b.k), 0);
			assert_int_equal(sqd_cutter_rest(&b.k).n, 0);
			assert_int_equal(b.k.records, SQ_LEN(records));
			assert_int_equal(b.counts.received, SQ_LEN(records));
			assert_int_equal(b.receipt.unsettled, SQ_LEN(records));
			expect(&b, records, SQ_LEN(records));
			end(&b);
		}
	}
}

static void one_byte_at_a_time(void **state SQ_UNUSED)
{
	struct bench b;

	make(&b, 1024);
	for (size_t i = 0; i < sizeof(stream) - 1; i++)
		assert_int_equal(feed(&b, (struct sq_sv){ stream + i, 1 }), 0);
	assert_sv_equal(sqd_cutter_rest(&b.k), SQ_SV("{\"cut\":"));
	assert_int_equal(sqd_cutter_end(&b.k), 0);
	expect(&b, records, SQ_LEN(records));
	end(&b);
}

/* Twenty records; a batch holds eight, and one is free. */
static void what_finds_no_batch_waits_in_order(void **state SQ_UNUSED)
{
	for (int way = 0; way < 2; way++) {
		char all[20 * 9 + 32] = "", *at = all, want[20][32];
		const char *list[20];
		struct bench b;
		struct sq_sv rest;

		for (int i = 0; i < 20; i++) {
			at += snprintf(at, 32, "{\"n\":%02d}\n", i);
			snprintf(want[i], sizeof(want[i]), "{\"n\":%02d}", i);
			list[i] = want[i];
		}
		make(&b, 1024);
		b.d.free = 1;
		rest = sq_sv_of(all);
		assert_int_equal(way ? sqd_cutter_put(&b.k, rest) : feed(&b, rest), -EAGAIN);
		assert_true(b.k.pending);
		assert_int_equal(b.k.records, 8);
		assert_int_equal(sqd_cutter_resume(&b.k), -EAGAIN);
		sqd_dispatch_seal(&b.d);
		fake_dispatch_settle(&b.d);
		assert_int_equal(sqd_cutter_resume(&b.k), -EAGAIN);
		assert_int_equal(b.k.records, 16);
		sqd_dispatch_seal(&b.d);
		fake_dispatch_settle(&b.d);
		assert_int_equal(sqd_cutter_resume(&b.k), 0);
		assert_false(b.k.pending);
		assert_int_equal(sqd_cutter_resume(&b.k), 0);
		expect(&b, list, 20);
		assert_int_equal(b.counts.received, 20);
		end(&b);
	}
}

static void bytes_given_without_any_batch_are_all_taken(void **state SQ_UNUSED)
{
	struct bench b;

	make(&b, 1024);
	b.d.free = 0;
	assert_int_equal(sqd_cutter_put(&b.k, SQ_SV("{\"a\":1}\n{\"b\":2}\n{\"c\"")), -EAGAIN);
	assert_int_equal(sqd_cutter_put(&b.k, SQ_SV(":3}\n")), -EAGAIN); /* not asked for, kept */
	assert_int_equal(sqd_cutter_end(&b.k), -EAGAIN);
	assert_int_equal(b.counts.received, 0);
	b.d.free = 1;
	assert_int_equal(sqd_cutter_resume(&b.k), 0);
	expect(&b, (const char *const[]){ "{\"a\":1}", "{\"b\":2}", "{\"c\":3}" }, 3);
	end(&b);
}

static void an_end_that_finds_no_batch_is_remembered(void **state SQ_UNUSED)
{
	struct bench b;

	make(&b, 1024);
	assert_int_equal(feed(&b, SQ_SV("a line")), 0);
	sqd_dispatch_seal(&b.d);
	fake_dispatch_settle(&b.d);
	b.d.free = 0;
	assert_int_equal(sqd_cutter_end(&b.k), -EAGAIN);
	b.d.free = 1;
	assert_int_equal(sqd_cutter_resume(&b.k), 0); /* without a line end */
	expect(&b, (const char *const[]){ "a line" }, 1);
	end(&b);
}

static void what_is_lost_is_counted(void **state SQ_UNUSED)
{
	struct bench b;

	make(&b, 1024);
	b.d.free = 0;
	assert_int_equal(sqd_cutter_put(&b.k, SQ_SV("{\"a\":1}\n{\"b\":2}\n{\"c\"")), -EAGAIN);
	assert_int_equal(sqd_cutter_resume(&b.k), -EAGAIN); /* the first is held now */
	sqd_cutter_lose(&b.k);
	assert_int_equal(b.counts.received, 3);
	assert_int_equal(b.counts.dropped_shutdown, 3);
	sqd_cutter_lose(&b.k);
	assert_int_equal(b.counts.received, 3);
	end(&b);
}

/* 200 KiB in pieces: its memory does not follow the record past the limit, nor stays after it. */
static void a_long_record_is_put_together_in_carry(void **state SQ_UNUSED)
{
	enum { SIZE = 100 * 1024 };
	char *big = malloc(SIZE + 1);
	struct bench b;

	memset(big, 'x', SIZE);
	memcpy(big, "{\"k\":\"", 6);
	memcpy(big + SIZE - 2, "\"}", 2);
	big[SIZE] = '\n';
	make(&b, SIZE);
	for (size_t at = 0; at <= SIZE; at += 5000)
		assert_int_equal(feed(&b,
		                      sq_sv_first((struct sq_sv){ big + at, SIZE + 1 - at }, 5000)),
		                 0);
	assert_null(b.k.carry);
	assert_int_equal(feed(&b, SQ_SV("{}\n")), 0);
	sqd_dispatch_seal(&b.d);
	assert_int_equal(b.d.n, 2);
	assert_int_equal(b.d.lengths[0], SIZE);
	assert_memory_equal(b.d.records[0], big, SIZE);
	end(&b);
	make(&b, SIZE / 2);
	for (size_t at = 0; at <= SIZE; at += 5000) {
		assert_int_equal(feed(&b,
		                      sq_sv_first((struct sq_sv){ big + at, SIZE + 1 - at }, 5000)),
		                 0);
		assert_true(b.k.len <= SIZE / 2 + 64);
	}
	assert_int_equal(feed(&b, SQ_SV("{}\n")), 0);
	expect(&b, (const char *const[]){ "{}" }, 1);
	assert_int_equal(b.counts.oversized, 1);
	assert_int_equal(b.k.oversized, 1);
	assert_int_equal(b.counts.received, 2);
	end(&b);
	free(big);
}

static void what_is_not_ours_is_told_and_forgotten(void **state SQ_UNUSED)
{
	struct bench b;

	make(&b, 1024);
	assert_int_equal(feed(&b, SQ_SV("GET / HTTP/1.1\r\n")), -EPROTO);
	assert_int_equal(b.frame.foreign, SQ_FRAME_HTTP);
	sqd_cutter_lose(&b.k);
	assert_int_equal(b.counts.received, 0);
	end(&b);
}

/* Records that lie where they were received, and such that are copied out of the carry. */
static void each_record_is_the_tenants_of_its_input(void **state SQ_UNUSED)
{
	for (int way = 0; way < 2; way++) {
		const struct sq_sv bytes = SQ_SV("{}\n{}\n");
		struct bench b;

		make(&b, 1024);
		b.in.tenant = SQ_SV("north");
		assert_int_equal(way ? sqd_cutter_put(&b.k, bytes) : feed(&b, bytes), 0);
		assert_non_null(b.d.open);
		assert_int_equal(b.d.open->n_records, 2);
		assert_int_equal(b.d.open->n_origins, 1);
		assert_sv_equal(b.d.open->origins[0].tenant, SQ_SV("north"));
		end(&b);
	}
}

/* Of a stream in all kinds of pieces the records are those that the framer gives alone; and those
 * behind a piece that is no line are cut as lines again. */
static void in_all_pieces_lines_and_others_are_the_same(void **state SQ_UNUSED)
{
	static const char text[] =
		"{\"a\":1}\n{\"b\":\"x\"}\r\n{\"c\":2}\n\n{\"d\":[{\n}]}\n{\"e\":4}\n[{\"f\":5},\n"
		"{\"g\":6}]\n{\"h\":7} {\"i\":8}\n9 {\"j\":19}{\"k\":10}\n{\"l\n{\"m\":12}\n"
		"[\n{\"p\":1}\n,\n{\"q\":2}\n]\n{\"r\":15}\n";
	const size_t n = sizeof(text) - 1;

	if (lines) /* it has been both ways */
		return;
	for (size_t from = 0; from < n; from++) {
		for (size_t to = from + 1; to <= n; to++) {
			const size_t ends[] = { 0, from, to, n };
			struct bench b[2];
			bool before = lines;

			for (int way = 0; way < 2; way++) {
				lines = way;
				make(&b[way], 1024);
				b[way].d.limits.records = 64;
				assert_int_equal(feed(&b[way], SQ_SV("{}\n")), 0); /* not judged */
				for (int i = 0; i < 3; i++)
					assert_int_equal(feed(&b[way],
					                      (struct sq_sv){ text + ends[i],
					                                      ends[i + 1] -
					                                              ends[i] }),
					                 0);
				assert_int_equal(sqd_cutter_end(&b[way].k), 0);
				sqd_dispatch_seal(&b[way].d);
			}
			lines = before;
			assert_int_equal(b[0].d.n, b[1].d.n);
			assert_int_equal(b[0].counts.received, b[1].counts.received);
			assert_int_equal(b[0].receipt.unsettled, b[1].receipt.unsettled);
			for (unsigned i = 0; i < b[0].d.n; i++)
				assert_string_equal(b[0].d.records[i], b[1].d.records[i]);
			end(&b[0]);
			end(&b[1]);
		}
	}
}

/* What looks like lines in a record that is skipped is none. */
static void lines_of_a_record_that_is_too_long_are_skipped(void **state SQ_UNUSED)
{
	struct bench b;

	make(&b, 16);
	assert_int_equal(feed(&b, SQ_SV("{}\n40 {\"a\":1\n")), 0);
	assert_int_equal(feed(&b, SQ_SV("{\"b\":1}\n{\"c\":1}\n")), 0);
	assert_int_equal(feed(&b, SQ_SV("01234567890123456{\"d\":1}\n")), 0);
	expect(&b, (const char *const[]){ "{}", "{\"d\":1}" }, 2);
	assert_int_equal(b.counts.oversized, 1);
	end(&b);
}

/* A framer of another kind, with an error of its own: it reaches the caller. */
static int refuse(void *framer, struct sq_sv in, bool eof, size_t *ret_used, struct sq_sv *ret_rec)
{
	int *good = framer;

	if (!in.n || eof) {
		*ret_used = 0;
		return 0;
	}
	*ret_used = 1;
	if (!(*good)--)
		return -EBADMSG;
	*ret_rec = sq_sv_first(in, 1);
	return 1;
}

static void errors_of_other_framers_reach_the_caller(void **state SQ_UNUSED)
{
	struct bench b;
	int good = 2;

	make(&b, 1024);
	b.k.next = refuse;
	b.k.lines = NULL;
	b.k.framer = &good;
	assert_int_equal(feed(&b, SQ_SV("abc")), -EBADMSG);
	assert_int_equal(b.k.records, 2);
	expect(&b, (const char *const[]){ "a", "b" }, 2);
	end(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_at_every_byte_the_records_are_the_same),
		cmocka_unit_test(one_byte_at_a_time),
		cmocka_unit_test(what_finds_no_batch_waits_in_order),
		cmocka_unit_test(bytes_given_without_any_batch_are_all_taken),
		cmocka_unit_test(an_end_that_finds_no_batch_is_remembered),
		cmocka_unit_test(what_is_lost_is_counted),
		cmocka_unit_test(a_long_record_is_put_together_in_carry),
		cmocka_unit_test(what_is_not_ours_is_told_and_forgotten),
		cmocka_unit_test(each_record_is_the_tenants_of_its_input),
		cmocka_unit_test(in_all_pieces_lines_and_others_are_the_same),
		cmocka_unit_test(lines_of_a_record_that_is_too_long_are_skipped),
		cmocka_unit_test(errors_of_other_framers_reach_the_caller),
	};

	int r = cmocka_run_group_tests_name("input/cutter", tests, NULL, NULL);

	lines = true;
	return r + cmocka_run_group_tests_name("input/cutter, lines", tests, NULL, NULL);
}
