#include "tests/support/lumber.h"

#include <errno.h>

#include "lib/wire/lumber_out.h"
#include "lib/wire/lumberjack.h"
#include "tests/support/fault_alloc.h"

static const char *const events[] = { "{\"a\":1}", "{}", "{\"text\":\"\\u0000 and the rest\"}" };

static void fill(struct sq_lumber_out *o)
{
	for (size_t i = 0; i < SQ_LEN(events); i++)
		sq_lumber_out_add(o, sq_sv_of(events[i]));
}

static void a_window_is_as_beats_write_it(void **state SQ_UNUSED)
{
	struct sq_lumber_out o = sq_lumber_out_of(1 << 20);
	struct sq_outbuf want = wire_new();
	struct sq_sv got;

	for (int round = 0; round < 2; round++) { /* the second in the same memory */
		fill(&o);
		assert_int_equal(sq_lumber_out_end(&o, 0, &got), 0);
		sq_outbuf_reset(&want);
		wire_head(&want, "2W", SQ_LEN(events));
		for (uint32_t i = 0; i < SQ_LEN(events); i++)
			wire_json(&want, "2J", i + 1, sq_sv_of(events[i]));
		assert_sv_equal(got, sq_outbuf_view(&want));
		sq_lumber_out_reset(&o);
	}
	sq_outbuf_fini(&want);
	sq_lumber_out_fini(&o);
}

static void one_may_write_the_event_oneself(void **state SQ_UNUSED)
{
	struct sq_lumber_out o = sq_lumber_out_of(1 << 20), same = sq_lumber_out_of(1 << 20);
	struct sq_sv got, want;

	fill(&same);
	for (size_t i = 0; i < SQ_LEN(events); i++) {
		struct sq_outbuf *to = sq_lumber_out_open(&o);

		for (const char *c = events[i]; *c; c++)
			sq_outbuf_putc(to, *c);
		sq_lumber_out_close(&o);
	}
	assert_int_equal(sq_lumber_out_end(&o, 0, &got), 0);
	assert_int_equal(sq_lumber_out_end(&same, 0, &want), 0);
	assert_sv_equal(got, want);
	sq_lumber_out_fini(&o);
	sq_lumber_out_fini(&same);
}

/* What our own input makes of it. */
static void expect_read(struct sq_sv in)
{
	static const struct sq_lumber_limits limits = { .max_window = 10,
		                                        .max_windows = 2,
		                                        .max_frame = 100000,
		                                        .max_record = 10000,
		                                        .max_unpacked = 100000,
		                                        .max_ratio = 150,
		                                        .max_pairs = 1,
		                                        .max_key = 16 };
	struct sq_lumber_env *env = sq_lumber_env_new(&limits);
	static char room[4 * SQ_LUMBER_ROOM];
	struct sq_lumber l = { 0 };
	struct sq_sv rec;
	char ack[SQ_LUMBER_ACK];
	unsigned windows;

	assert_int_equal(sq_lumber_init(&l, env), 0);
	for (size_t i = 0; i < SQ_LEN(events); i++) {
		assert_int_equal(sq_lumber_next(&l, &in, room, sizeof(room), 1, &rec),
		                 SQ_LUMBER_RECORD);
		assert_sv_equal(rec, sq_sv_of(events[i]));
		sq_lumber_taken(&l, &in);
	}
	assert_int_equal(sq_lumber_next(&l, &in, room, sizeof(room), 1, &rec), SQ_LUMBER_WHOLE);
	assert_int_equal(in.n, 0);
	sq_lumber_settle(&l, sq_lumber_last(&l));
	assert_int_equal(sq_lumber_acks(&l, 1, ack, sizeof(ack), &windows), SQ_LUMBER_ACK);
	assert_memory_equal(ack, "2A\0\0\0\3", 6);
	sq_lumber_fini(&l);
	sq_lumber_env_free(env);
}

static void our_input_reads_it_at_every_level(void **state SQ_UNUSED)
{
	struct sq_lumber_out o = sq_lumber_out_of(1 << 20);
	struct sq_sv got;

	fill(&o);
	for (int level = 9; level >= 0; level--) {
		assert_int_equal(sq_lumber_out_end(&o, level, &got), 0);
		expect_read(got);
	}
	sq_lumber_out_fini(&o);
}

static void what_is_too_long_is_told_at_the_end(void **state SQ_UNUSED)
{
	static char big[300];
	struct sq_lumber_out o = sq_lumber_out_of(256);
	struct sq_sv got;

	sq_lumber_out_add(&o, SQ_SV("{}"));
	sq_lumber_out_add(&o, (struct sq_sv){ big, sizeof(big) });
	sq_lumber_out_add(&o, SQ_SV("{}"));
	assert_int_equal(sq_lumber_out_end(&o, 0, &got), -ENOMEM);
	assert_int_equal(sq_lumber_out_end(&o, 3, &got), -ENOMEM);
	sq_lumber_out_reset(&o);
	sq_lumber_out_add(&o, SQ_SV("{}"));
	assert_int_equal(sq_lumber_out_end(&o, 0, &got), 0);
	assert_int_equal(got.n, 6 + 10 + 2);
	sq_lumber_out_fini(&o);
}

static void no_memory_is_told(void **state SQ_UNUSED)
{
	for (unsigned n = 1;; n++) {
		struct sq_lumber_out o = sq_lumber_out_of(1 << 20);
		struct sq_sv got;
		int r;

		fault_alloc_at(n);
		fill(&o);
		r = sq_lumber_out_end(&o, 1, &got);
		if (!fault_alloc_end()) {
			assert_int_equal(r, 0);
			assert_true(n > 2);
			sq_lumber_out_fini(&o);
			return;
		}
		assert_int_equal(r, -ENOMEM);
		sq_lumber_out_fini(&o);
	}
}

/* ---- acknowledgements -------------------------------------------------------------------- */

struct ack_row {
	const char *name;
	struct sq_sv in;
	unsigned n;
	uint32_t want[3];
	int last; /* 0, or -EPROTO */
};

static struct ack_row rows[] = {
	{ "one", SQ_SV("2A\0\0\0\5"), 1, { 5 }, 0 },
	{ "three, two of them the same",
	  SQ_SV("2A\0\0\0\0"
	        "2A\0\0\0\0"
	        "2A\377\376\375\374"),
	  3,
	  { 0, 0, 0xfffefdfc },
	  0 },
	{ "one and a half",
	  SQ_SV("2A\0\1\0\0"
	        "2A\0"),
	  1,
	  { 65536 },
	  0 },
	{ "version 1", SQ_SV("1A\0\0\0\1"), 0, { 0 }, -EPROTO },
	{ "another frame", SQ_SV("2W\0\0\0\1"), 0, { 0 }, -EPROTO },
	{ "text after a good one",
	  SQ_SV("2A\0\0\0\1"
	        "HTTP/1.1 400"),
	  1,
	  { 1 },
	  -EPROTO },
	{ "one byte of text", SQ_SV("H"), 0, { 0 }, -EPROTO },
	{ "nothing", SQ_SV(""), 0, { 0 }, 0 },
};

static void check_acks(void **state)
{
	const struct ack_row *row = *state;

	for (size_t cut = 0; cut <= row->in.n; cut++) { /* split at every byte */
		struct sq_sv parts[] = { sq_sv_first(row->in, cut), sq_sv_skip(row->in, cut) };
		struct sq_lumber_acked a = { 0 };
		unsigned n = 0;
		int r = 0;

		for (int i = 0; i < 2 && r >= 0; i++) {
			uint32_t seq = 4711;

			while ((r = sq_lumber_acked_next(&a, &parts[i], &seq)) == 1) {
				assert_true(n < row->n);
				assert_int_equal(seq, row->want[n++]);
			}
		}
		assert_int_equal(n, row->n);
		assert_int_equal(r, row->last);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_is_as_beats_write_it),
		cmocka_unit_test(one_may_write_the_event_oneself),
		cmocka_unit_test(our_input_reads_it_at_every_level),
		cmocka_unit_test(what_is_too_long_is_told_at_the_end),
		cmocka_unit_test(no_memory_is_told),
	};
	struct CMUnitTest acks[SQ_LEN(rows)];

	for (size_t i = 0; i < SQ_LEN(rows); i++)
		acks[i] = (struct CMUnitTest){ .name = rows[i].name,
			                       .test_func = check_acks,
			                       .initial_state = &rows[i] };
	return _cmocka_run_group_tests("lumber-out/acks", acks, SQ_LEN(acks), NULL, NULL) +
	       cmocka_run_group_tests_name("lumber-out", tests, NULL, NULL);
}
