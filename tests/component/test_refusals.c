#include "daemon/flow/refusals.h"

#include "tests/support/fake_output.h"

struct line_case {
	const char *name;
	struct sq_sv message;
	const char *why, *want;
};

static struct line_case line_cases[] = {
	{ "an alert", SQ_SV("{\"a\":1}"), "no such field",
	  "{\"@timestamp\":\"1970-01-01T00:00:01.000Z\",\"output\":\"out\",\"reason\":\"no such field\","
	  "\"message\":\"{\\\"a\\\":1}\"}" },
	{ "nothing at all", SQ_SV(""), "",
	  "{\"@timestamp\":\"1970-01-01T00:00:01.000Z\",\"output\":\"out\",\"message\":\"\"}" },
	{ "bytes that are no UTF-8, and line ends", SQ_SV("a\xff\n\x01z"), "\xc0\n",
	  "{\"@timestamp\":\"1970-01-01T00:00:01.000Z\",\"output\":\"out\",\"reason\":\"\xef\xbf\xbd\\n\","
	  "\"message\":\"a\xef\xbf\xbd\\n\\u0001z\"}" },
};

static void a_line_is_json_whatever_was_refused(void **state)
{
	const struct line_case *c = *state;
	struct sq_outbuf to = sq_outbuf_of(4096);

	sqd_refusals_write(&to, 1000000, "out", &(struct sqd_message){ .text = c->message },
	                   c->why);
	assert_sv_equal(sq_outbuf_view(&to), sq_sv_of(c->want));
	sq_outbuf_fini(&to);
}

static void a_long_message_is_cut_and_says_so(void **state SQ_UNUSED)
{
	enum { N = 70000 };
	struct sq_outbuf to = sq_outbuf_of(1 << 20);
	char *text = malloc(N);
	struct sq_sv v, end = SQ_SV("\",\"message_length\":70000}");

	memset(text, '\x01', N); /* the longest way to write a byte */
	sqd_refusals_write(&to, 0, "out", &(struct sqd_message){ .text = { text, N } }, "why");
	v = sq_outbuf_view(&to);
	assert_true(v.n > 6 * 65536 && v.n < 6 * 65536 + 200);
	assert_sv_equal(sq_sv_skip(v, v.n - end.n), end);
	free(text);
	sq_outbuf_fini(&to);
}

static void what_is_refused_is_in_the_dead_letters_and_counted(void **state SQ_UNUSED)
{
	struct fake_output *f = fake_new(SQD_FRAMING_RECORDS), *dead = fake_new(SQD_FRAMING_LF);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);
	struct sqd_outqueue *letters = sqd_outqueue_new(&dead->base, 250);
	const struct sqd_outqueue_counts *c = sqd_outqueue_counts(q);
	struct sqd_message m = { .text = SQ_SV("{\"n\":1}") };
	struct sq_sv tail = SQ_SV("\"output\":\"fake\",\"reason\":\"bad\","
	                          "\"message\":\"{\\\"n\\\":1}\"}\n");
	struct sqd_refusals r;

	sqd_refusals_init(&r, letters);
	sqd_refusals_watch(&r, q);
	for (int i = 0; i < 4; i++)
		assert_int_equal(sqd_outqueue_push(q, &m), 0);
	fake_sent(f, 0); /* the first alone; three are together now */
	f->base.refused(&f->base, &m, "bad");
	f->base.refused(&f->base, &m, "bad");
	f->base.refused(&f->base, &m, "bad"); /* these have no room for a third line */
	assert_int_equal(c->refused_kept, 2);
	assert_int_equal(c->refused_lost, 1);
	fake_sent(f, 0);
	assert_int_equal(c->sent, 1);
	assert_int_equal(c->dropped_refused, 3);
	assert_int_equal(sqd_outqueue_counts(letters)->raised, 3);
	assert_int_equal(sqd_outqueue_counts(letters)->dropped_full, 1);
	fake_drain(dead);
	assert_int_equal(sqd_outqueue_counts(letters)->sent, 2);
	assert_non_null(memmem(dead->got.p, dead->got.len, tail.p, tail.n));
	fake_end(f, q);
	fake_end(dead, letters);
	sqd_refusals_fini(&r);
}

static void without_dead_letters_it_is_counted_as_lost(void **state SQ_UNUSED)
{
	struct fake_output *f = fake_new(SQD_FRAMING_RECORDS);
	struct sqd_outqueue *q = sqd_outqueue_new(&f->base, 65536);
	struct sqd_message m = { .text = SQ_SV("x") };
	struct sqd_refusals r;

	sqd_refusals_init(&r, NULL);
	sqd_refusals_watch(&r, q);
	assert_int_equal(sqd_outqueue_push(q, &m), 0);
	f->base.refused(&f->base, &m, "bad");
	fake_sent(f, 0);
	assert_int_equal(sqd_outqueue_counts(q)->refused_lost, 1);
	assert_int_equal(sqd_outqueue_counts(q)->dropped_refused, 1);
	fake_end(f, q);
	sqd_refusals_fini(&r);
}

int main(void)
{
	struct CMUnitTest tests[SQ_LEN(line_cases) + 3];
	size_t n = 0;

	for (; n < SQ_LEN(line_cases); n++)
		tests[n] = (struct CMUnitTest){ .name = line_cases[n].name,
			                        .test_func = a_line_is_json_whatever_was_refused,
			                        .initial_state = &line_cases[n] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_long_message_is_cut_and_says_so);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(
		what_is_refused_is_in_the_dead_letters_and_counted);
	tests[n++] =
		(struct CMUnitTest)cmocka_unit_test(without_dead_letters_it_is_counted_as_lost);
	return _cmocka_run_group_tests("flow/refusals", tests, n, NULL, NULL);
}
