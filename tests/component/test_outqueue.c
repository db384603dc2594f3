#include <errno.h>

#include "tests/support/fake_output.h"

#include "tests/support/fault_alloc.h"
#include "tests/support/run_loop.h"

static int push(struct sqd_outqueue *q, const char *text)
{
	return sqd_outqueue_push(q, &(struct sqd_message){ .text = sq_sv_of(text) });
}

static uint64_t bytes_held(const struct sqd_outqueue *q)
{
	struct sqd_outqueue_health h;

	sqd_outqueue_health(q, &h);
	return h.bytes;
}

/* Messages that are taken, one after another. */
#define give(q, ...)                                                                               \
	do {                                                                                       \
		const char *texts_[] = { __VA_ARGS__ };                                            \
		for (size_t i_ = 0; i_ < SQ_LEN(texts_); i_++)                                     \
			assert_int_equal(push(q, texts_[i_]), 0);                                  \
	} while (0)

static void messages_arrive_in_order_with_line_ends(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	give(q, "one", "two", "");
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
	give(q, "abc", "0123456789");
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("3 abc10 0123456789"));
	fake_end(f, q);
}

static void a_datagram_holds_exactly_one_message(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_MESSAGE);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	give(q, "one", "two", "three");
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
	give(q, "one", "two");
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
	give(q, "one", "two");
	sqd_outqueue_close(q, fake_noted, &closed);
	f->base.closed(&f->base);
	assert_true(closed);
	counts = *sqd_outqueue_counts(q);
	assert_int_equal(counts.dropped_shutdown, 2);
	assert_int_equal(counts.queued, 2);
	sq_outbuf_fini(&f->got);
	sqd_outqueue_free(q);
}

/* ---- several in flight ---- */

static void more_is_given_while_the_first_is_not_answered(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	f->depth = 8;
	give(q, "one", "two", "three");
	assert_int_equal(f->sends, 3);
	assert_int_equal(bytes_held(q), 14); /* held until they are answered */
	fake_sent(f, 0);
	assert_int_equal(bytes_held(q), 10);
	assert_int_equal(sqd_outqueue_counts(q)->sent, 1);
	assert_int_equal(push(q, "four"), 0);
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("one\ntwo\nthree\nfour\n"));
	assert_int_equal(sqd_outqueue_counts(q)->sent, 4);
	assert_int_equal(sqd_outqueue_passed(q), 19);
	fake_end(f, q);
}

static void a_failure_in_the_middle_gives_the_unanswered_again_and_nothing_else(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	f->depth = 8;
	give(q, "one", "two", "three");
	fake_sent(f, 0);
	f->answer = -EAGAIN;
	fake_sent(f, -EPIPE); /* of "two"; "three" is void with it */
	assert_null(f->sending.p);
	assert_int_equal(push(q, "four"), 0);
	fake_ready(f);
	assert_sv_equal(f->sending, SQ_SV("two\nthree\nfour\n")); /* together now */
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("one\ntwo\nthree\nfour\n"));
	assert_int_equal(sqd_outqueue_counts(q)->retries, 1);
	assert_int_equal(sqd_outqueue_counts(q)->sent, 4);
	assert_int_equal(sqd_outqueue_counts(q)->bytes_sent, 19);
	fake_end(f, q);
}

static void so_many_are_in_flight_and_no_more(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	f->depth = SQD_OUTPUT_SENDS + 1;
	for (unsigned i = 0; i < SQD_OUTPUT_SENDS + 10; i++)
		assert_int_equal(push(q, "x"), 0);
	assert_int_equal(f->sends, SQD_OUTPUT_SENDS);
	fake_sent(f, 0);
	assert_int_equal(f->sends, SQD_OUTPUT_SENDS + 1); /* the ten go together */
	fake_drain(f);
	assert_int_equal(f->sends, SQD_OUTPUT_SENDS + 1);
	assert_int_equal(sqd_outqueue_counts(q)->sent, SQD_OUTPUT_SENDS + 10);
	fake_end(f, q);
}

static void a_datagram_in_the_middle_that_is_too_long_is_left_out(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_MESSAGE);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	f->depth = 8;
	give(q, "one", "two");
	f->answer = -EMSGSIZE; /* said at once, of what is not the oldest */
	assert_int_equal(push(q, "never"), 0);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_too_long, 0);
	fake_sent(f, 0);
	fake_sent(f, -EMSGSIZE); /* of "two" */
	assert_int_equal(sqd_outqueue_counts(q)->dropped_too_long, 2);
	f->answer = 0;
	assert_int_equal(push(q, "three"), 0);
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("onethree"));
	assert_int_equal(sqd_outqueue_counts(q)->sent, 2);
	assert_true(sqd_outqueue_empty(q));
	fake_end(f, q);
}

static void gone_with_several_in_flight_counts_them_all(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	(void)state;
	f->depth = 8;
	give(q, "one", "two", "three");
	fake_sent(f, 0);
	fake_sent(f, SQD_OUTPUT_GONE);
	assert_true(sqd_outqueue_empty(q));
	assert_int_equal(sqd_outqueue_counts(q)->sent, 1);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_gone, 2);
	fake_end(f, q);
}

static void what_is_in_flight_at_the_end_is_counted_as_not_sent(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);
	bool closed = false;

	(void)state;
	f->depth = 8;
	give(q, "one", "two", "three");
	sqd_outqueue_close(q, fake_noted, &closed);
	fake_sent(f, 0); /* the last word of the peer */
	fake_sent(f, -ECANCELED);
	f->base.closed(&f->base);
	assert_true(closed);
	assert_int_equal(sqd_outqueue_counts(q)->sent, 1);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_shutdown, 2);
	sq_outbuf_fini(&f->got);
	sqd_outqueue_free(q);
}

/* ---- what receivers refuse ---- */

struct refusals {
	unsigned n;
	char last[64];
};

static bool note_refusal(void *ctx, struct sqd_outqueue *q, const struct sqd_message *m,
                         const char *why)
{
	struct refusals *r = ctx;

	assert_string_equal(sqd_outqueue_output(q)->name, "fake");
	r->n++;
	snprintf(r->last, sizeof(r->last), "%.*s: %s", (int)m->text.n, m->text.p, why);
	return r->n > 1;
}

static void what_is_refused_is_counted_once_and_told(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_RECORDS);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);
	struct refusals told = { 0 };
	struct sqd_message m = { .text = SQ_SV("bad") };

	(void)state;
	sqd_outqueue_on_refused(q, note_refusal, &told);
	f->depth = 8;
	give(q, "good", "bad", "bad");
	fake_sent(f, 0);
	f->base.refused(&f->base, &m, "no such field");
	assert_string_equal(told.last, "bad: no such field");
	assert_int_equal(sqd_outqueue_counts(q)->dropped_refused, 0);
	fake_sent(f, 0);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_refused, 1);
	f->base.refused(&f->base, &m, "no such field");
	fake_drain(f);
	assert_int_equal(told.n, 2);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_refused, 2);
	assert_int_equal(sqd_outqueue_counts(q)->refused_kept, 1);
	assert_int_equal(sqd_outqueue_counts(q)->refused_lost, 1);
	assert_int_equal(sqd_outqueue_counts(q)->sent, 1);
	fake_end(f, q);
}

/* ---- so many a second ---- */

static bool sent_all(void *ctx)
{
	struct fake_output *f = ctx;

	fake_drain(f);
	return f->got.len == 2 * 120;
}

static void a_limited_queue_gives_a_seconds_worth_and_then_what_time_allows(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);
	struct sqd_outqueue_counts *c = sqd_outqueue_counts(q);
	uint64_t begin_ns, took_ms;
	uv_loop_t loop;
	bool closed = false;

	(void)state;
	uv_loop_init(&loop);
	f->base.loop = &loop;
	sqd_outqueue_limit(q, 100);
	f->answer = -EAGAIN;
	for (unsigned i = 0; i < 120; i++)
		assert_int_equal(push(q, "x"), 0);
	begin_ns = uv_hrtime();
	fake_ready(f);
	assert_int_equal(f->sending.n, 2 * 100); /* of one piece, a part */
	fake_drain(f);
	assert_int_equal(c->sent, 100);
	assert_int_equal(c->rate_held, 1);
	run_until(&loop, sent_all, f);
	took_ms = (uv_hrtime() - begin_ns) / 1000000;
	assert_true(took_ms >= 180); /* twenty more, a hundred a second; clocks are read in ms */
	assert_int_equal(c->sent, 120);
	assert_true(c->rate_held >= 2 && c->rate_held <= 20);
	assert_true(c->rate_held_ms >= 180);
	/* A pause fills the bucket again, but never more than full. */
	sqd_outqueue_close(q, fake_noted, &closed);
	f->base.closed(&f->base);
	assert_false(closed); /* not before the timer is */
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(closed);
	assert_int_equal(uv_loop_close(&loop), 0);
	sq_outbuf_fini(&f->got);
	sqd_outqueue_free(q);
}

/* ---- memory ---- */

/* Without memory for a piece the message is not taken, and nothing else is lost. */
static void a_push_without_memory_is_as_if_the_queue_were_full(void **state)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	static char big[300000];
	struct sqd_message large = { .text = { big, sizeof(big) } };

	(void)state;
	fault_alloc_at(1);
	assert_null(sqd_outqueue_new(&f->base, 1 << 20));
	assert_true(fault_alloc_end());

	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 1 << 20);

	f->depth = 8;
	fault_alloc_at(1);
	assert_int_equal(push(q, "one"), -ENOMEM);
	assert_true(fault_alloc_end());
	assert_int_equal(push(q, "one"), 0);
	fault_alloc_at(1);
	assert_int_equal(sqd_outqueue_push(q, &large), -ENOMEM);
	assert_true(fault_alloc_end());
	assert_int_equal(push(q, "two"), 0);
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("one\ntwo\n"));
	assert_int_equal(sqd_outqueue_counts(q)->queued, 2);
	assert_true(sqd_outqueue_empty(q));
	fake_end(f, q);
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

	f->depth = *(unsigned *)*state;
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
	assert_int_equal(bytes_held(q), 0);
	assert_int_equal(sqd_outqueue_counts(q)->sent, 3 * SQ_LEN(sizes));
	sq_outbuf_fini(&want);
	fake_end(f, q);
}

/* Any size of message, any number in flight, pushes and answers and failures in any order: every
 * message is there once and in order. */
static void whatever_happens_every_message_is_there_once_and_in_order(void **state)
{
	static const enum sqd_framing framings[] = { SQD_FRAMING_LF, SQD_FRAMING_OCTET,
		                                     SQD_FRAMING_MESSAGE };
	uint64_t x = 88172645463325252u;

	(void)state;
	for (unsigned round = 0; round < 30; round++) {
		struct fake_output *f = fake_new(framings[round % 3]);
		struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 1 << 20);
		struct sq_outbuf want = sq_outbuf_of(64 << 20);
		unsigned pushed = 0;
		char text[2000];

		f->depth = 1 + round % 7 * 50;
		memset(text, 'm', sizeof(text));
		for (unsigned step = 0; step < 3000; step++) {
			size_t n;

			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			n = 6 + (x >> 40) % 1990;
			if (x % 8 < 4) {
				snprintf(text, 7, "%06u", pushed);
				text[6] = 'm';
				if (sqd_outqueue_push(q,
				                      &(struct sqd_message){ .text = { text, n } }))
					continue;
				pushed++;
				if (framings[round % 3] == SQD_FRAMING_OCTET)
					sq_outbuf_printf(&want, "%zu ", n);
				sq_outbuf_put(&want, (struct sq_sv){ text, n });
				if (framings[round % 3] == SQD_FRAMING_LF)
					sq_outbuf_putc(&want, '\n');
			} else if (x % 8 < 7 && f->sending.p) {
				fake_sent(f, 0);
			} else if (f->sending.p) {
				fake_sent(f, -EPIPE);
			}
		}
		fake_drain(f);
		assert_int_equal(f->got.len, want.len);
		assert_memory_equal(f->got.p, want.p, want.len);
		assert_int_equal(sqd_outqueue_counts(q)->sent, pushed);
		assert_true(sqd_outqueue_empty(q));
		sq_outbuf_fini(&want);
		fake_end(f, q);
	}
}

/* Does the next message need memory? */
static bool allocates(struct sqd_outqueue *q, const char *text)
{
	bool failed;
	int r;

	fault_alloc_at(1);
	r = push(q, text);
	failed = fault_alloc_end();
	assert_int_equal(r, failed ? -ENOMEM : 0);
	return failed;
}

static void who_has_had_nothing_for_a_while_keeps_no_memory(void **state SQ_UNUSED)
{
	struct fake_output *f = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);

	assert_true(allocates(q, "one"));
	assert_int_equal(push(q, "one"), 0);
	sqd_outqueue_look(q);
	sqd_outqueue_look(q); /* it waits: it stays */
	fake_drain(f);
	assert_false(allocates(q, "two"));
	fake_drain(f);
	sqd_outqueue_look(q); /* something came since it was looked */
	assert_false(allocates(q, "three"));
	fake_drain(f);
	sqd_outqueue_look(q);
	sqd_outqueue_look(q);
	assert_true(allocates(q, "four"));
	assert_int_equal(push(q, "four"), 0);
	fake_drain(f);
	assert_sv_equal(sq_outbuf_view(&f->got), SQ_SV("one\ntwo\nthree\nfour\n"));
	fake_end(f, q);
}

int main(void)
{
	static unsigned depths[] = { 1, 4 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_in_order_with_line_ends),
		cmocka_unit_test(octet_counts_are_put_in_front),
		cmocka_unit_test(a_datagram_holds_exactly_one_message),
		cmocka_unit_test(what_failed_is_sent_again_until_it_is_written),
		cmocka_unit_test(a_full_queue_refuses_and_says_when_there_is_room),
		cmocka_unit_test(an_output_that_is_gone_for_good_holds_up_nobody),
		cmocka_unit_test(what_is_left_at_the_end_is_counted),
		cmocka_unit_test(more_is_given_while_the_first_is_not_answered),
		cmocka_unit_test(
			a_failure_in_the_middle_gives_the_unanswered_again_and_nothing_else),
		cmocka_unit_test(so_many_are_in_flight_and_no_more),
		cmocka_unit_test(a_datagram_in_the_middle_that_is_too_long_is_left_out),
		cmocka_unit_test(gone_with_several_in_flight_counts_them_all),
		cmocka_unit_test(what_is_in_flight_at_the_end_is_counted_as_not_sent),
		cmocka_unit_test(what_is_refused_is_counted_once_and_told),
		cmocka_unit_test(a_limited_queue_gives_a_seconds_worth_and_then_what_time_allows),
		cmocka_unit_test(a_push_without_memory_is_as_if_the_queue_were_full),
		cmocka_unit_test(who_has_had_nothing_for_a_while_keeps_no_memory),
		cmocka_unit_test_prestate(pieces_of_every_size_come_out_whole, &depths[0]),
		cmocka_unit_test_prestate(pieces_of_every_size_come_out_whole, &depths[1]),
		cmocka_unit_test(whatever_happens_every_message_is_there_once_and_in_order),
	};

	return cmocka_run_group_tests_name("flow/outqueue", tests, NULL, NULL);
}
