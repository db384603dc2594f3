#include "tests/support/fake_output.h"

static int push(struct sqd_outqueue *q, const char *text)
{
	return sqd_outqueue_push(q, &(struct sqd_message){ .text = sq_sv_of(text) });
}

static void messages_arrive_in_order_with_line_ends(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	assert_int_equal(push(q, "one"), 0);
	assert_int_equal(push(q, "two"), 0);
	assert_int_equal(push(q, ""), 0);
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("one\ntwo\n\n"));
	assert_int_equal(f->sends, 2); /* the first alone, then all that had come meanwhile */
	assert_int_equal(sqd_outqueue_counts(q)->sent, 3);
	assert_int_equal(sqd_outqueue_counts(q)->bytes_sent, 9);
	assert_true(sqd_outqueue_empty(q));
	fake_end(f, q);
}

static void octet_counts_are_put_in_front(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_OCTET);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	assert_int_equal(push(q, "abc"), 0);
	assert_int_equal(push(q, "0123456789"), 0);
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("3 abc10 0123456789"));
	fake_end(f, q);
}

static void a_datagram_holds_exactly_one_message(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_MESSAGE);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	assert_int_equal(push(q, "one"), 0);
	assert_int_equal(push(q, "two"), 0);
	assert_int_equal(push(q, "three"), 0);
	assert_sv_equal(f->sending, SQ_SV("one"));
	fake_sent(f, 0);
	assert_sv_equal(f->sending, SQ_SV("two"));
	fake_sent(f, -EMSGSIZE); /* never fits: dropped, the next follows */
	assert_sv_equal(f->sending, SQ_SV("three"));
	fake_sent(f, 0);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("onethree"));
	assert_int_equal(sqd_outqueue_counts(q)->sent, 2);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_too_long, 1);
	assert_true(sqd_outqueue_empty(q));
	fake_end(f, q);
}

static void what_failed_is_sent_again_until_it_is_written(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	assert_int_equal(push(q, "one"), 0);
	f->answer = -EAGAIN; /* the connection breaks and is away for a while */
	fake_sent(f, -EPIPE);
	assert_null(f->sending.p);
	assert_int_equal(push(q, "two"), 0);
	fake_ready(f);
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("one\ntwo\n"));
	assert_int_equal(sqd_outqueue_counts(q)->retries, 1);
	assert_int_equal(sqd_outqueue_counts(q)->sent, 2);
	fake_end(f, q);
}

static void a_full_queue_refuses_and_says_when_there_is_room(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 8);
	bool room = false;

	(void)state;
	sqd_outqueue_on_room(q, fake_noted, &room);
	assert_int_equal(push(q, "abc"), 0);
	assert_int_equal(push(q, "def"), 0); /* eight bytes with their line ends */
	assert_int_equal(push(q, ""), -ENOSPC);
	assert_int_equal(push(q, "12345678"), -EMSGSIZE); /* nine: can never be taken */
	assert_false(room);
	fake_sent(f, 0);
	assert_true(room);
	assert_int_equal(push(q, "ghi"), 0);
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("abc\ndef\nghi\n"));
	assert_int_equal(sqd_outqueue_counts(q)->high_water, 8);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_too_long, 1);
	fake_end(f, q);
}

static void an_output_that_is_gone_for_good_holds_up_nobody(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	assert_int_equal(push(q, "one"), 0);
	assert_int_equal(push(q, "two"), 0);
	fake_sent(f, SQD_OUTPUT_GONE);
	assert_true(sqd_outqueue_empty(q));
	assert_int_equal(push(q, "three"), SQD_OUTPUT_GONE);
	assert_null(f->sending.p);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_gone, 3);
	fake_end(f, q);
}

static void what_is_left_at_the_end_is_counted(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);
	struct sqd_outqueue_counts counts;
	bool closed = false;

	(void)state;
	f->answer = -EAGAIN;
	assert_int_equal(push(q, "one"), 0);
	assert_int_equal(push(q, "two"), 0);
	sqd_outqueue_close(q, fake_noted, &closed);
	f->base.closed(&f->base);
	assert_true(closed);
	counts = *sqd_outqueue_counts(q);
	assert_int_equal(counts.dropped_shutdown, 2);
	assert_int_equal(counts.queued, 2);
	sq_outbuf_fini(&f->got);
	sqd_outqueue_free(q);
}

/* Sizes around the piece of 256 KiB, and the sender failing now and then: every byte arrives once
 * and in order. */
static void pieces_of_every_size_come_out_whole(void **state)
{
	static const size_t sizes[] = { 1,      262142, 262143, 262144, 262145, 0, 100000,
		                        200000, 300000, 5,      131071, 131071, 7 };
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 64 << 20);
	struct sq_outbuf want = sq_outbuf_of(64 << 20);
	unsigned step = 0;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < SQ_LEN(sizes); i++) {
			char *text = malloc(sizes[i] + 1);

			memset(text, 'a' + (int)i, sizes[i]);
			assert_int_equal(sqd_outqueue_push(q,
			                                   &(struct sqd_message){
								   .text = { text, sizes[i] } }),
			                 0);
			sq_outbuf_put(&want, (struct sq_sv){ text, sizes[i] });
			sq_outbuf_putc(&want, '\n');
			free(text);
			if (step++ % 3 == 0 && f->sending.p)
				fake_sent(f, step % 2 ? 0 : -EIO);
		}
	}
	fake_drain(f);
	assert_int_equal(f->got.len, want.len);
	assert_memory_equal(f->got.p, want.p, want.len);
	assert_int_equal(sqd_outqueue_bytes(q), 0);
	assert_int_equal(sqd_outqueue_counts(q)->sent, 3 * SQ_LEN(sizes));
	sq_outbuf_fini(&want);
	fake_end(f, q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_in_order_with_line_ends),
		cmocka_unit_test(octet_counts_are_put_in_front),
		cmocka_unit_test(a_datagram_holds_exactly_one_message),
		cmocka_unit_test(what_failed_is_sent_again_until_it_is_written),
		cmocka_unit_test(a_full_queue_refuses_and_says_when_there_is_room),
		cmocka_unit_test(an_output_that_is_gone_for_good_holds_up_nobody),
		cmocka_unit_test(what_is_left_at_the_end_is_counted),
		cmocka_unit_test(pieces_of_every_size_come_out_whole),
	};

	return cmocka_run_group_tests_name("flow/outqueue", tests, NULL, NULL);
}
