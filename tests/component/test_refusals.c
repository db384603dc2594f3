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

/* ---- what a letter has to do with the place of what was refused --------------------------- */

struct scene {
	struct fake_output *f, *dead;
	struct sqd_outqueue *q, *letters;
	struct sqd_refusals r;
	unsigned told; /* that `q` has passed more */
};

static void on_passed(void *ctx)
{
	struct scene *s = ctx;

	s->told++;
}

static void scene_make(struct scene *s)
{
	*s = (struct scene){ .f = fake_new(SQD_FRAMING_RECORDS), .dead = fake_new(SQD_FRAMING_LF) };
	s->q = sqd_outqueue_new(&s->f->base, 65536);
	s->letters = sqd_outqueue_new(&s->dead->base, 65536);
	sqd_outqueue_on_passed(s->q, on_passed, s);
	sqd_refusals_init(&s->r, s->letters);
	sqd_refusals_watch(&s->r, s->q);
}

static void scene_end(struct scene *s)
{
	fake_end(s->f, s->q);
	fake_end(s->dead, s->letters);
	sqd_refusals_fini(&s->r);
}

/* One message in, and out again. @return where its end is */
static uint64_t one(struct scene *s, bool refused)
{
	struct sqd_message m = { .text = SQ_SV("x") };

	assert_int_equal(sqd_outqueue_push(s->q, &m), 0);
	if (refused)
		s->f->base.refused(&s->f->base, &m, "bad");
	fake_sent(s->f, 0);
	return sqd_outqueue_taken(s->q);
}

static void nothing_has_passed_before_its_letter_has(void **state SQ_UNUSED)
{
	uint64_t first, last;
	struct scene s;

	scene_make(&s);
	first = one(&s, false);
	assert_int_equal(sqd_outqueue_passed(s.q), first);
	(void)one(&s, true);
	last = one(&s, false);
	assert_true(sqd_outqueue_empty(s.q));
	assert_int_equal(sqd_outqueue_passed(s.q), first);
	s.told = 0;
	fake_sent(s.dead, 0);
	assert_int_equal(sqd_outqueue_passed(s.q), last);
	assert_true(s.told > 0);
	last = one(&s, false);
	assert_int_equal(sqd_outqueue_passed(s.q), last);
	scene_end(&s);
}

/* Else the place of what is refused would stand still for as long as more is. */
static void later_letters_do_not_hold_up_what_came_before_them(void **state SQ_UNUSED)
{
	uint64_t ends[50], before = 0;
	struct scene s;

	scene_make(&s);
	for (int i = 0; i < 50; i++)
		ends[i] = one(&s, true);
	assert_int_equal(sqd_outqueue_passed(s.q), 0);
	fake_sent(s.dead, 0); /* the letter of the first */
	assert_int_equal(sqd_outqueue_passed(s.q), ends[0]);
	for (int i = 0; i < 50; i++) { /* those that wait are written together */
		(void)one(&s, true);
		fake_sent(s.dead, 0);
		assert_true(sqd_outqueue_passed(s.q) > before);
		before = sqd_outqueue_passed(s.q);
	}
	fake_drain(s.dead);
	assert_int_equal(sqd_outqueue_passed(s.q), sqd_outqueue_taken(s.q));
	scene_end(&s);
}

static void letters_whose_disk_fails_hold_up_nothing(void **state SQ_UNUSED)
{
	uint64_t before, end;
	struct scene s;

	scene_make(&s);
	before = one(&s, false);
	end = one(&s, true);
	assert_int_equal(sqd_outqueue_passed(s.q), before);
	s.dead->base.failing = true;
	fake_sent(s.dead, -ENOSPC);
	assert_int_equal(sqd_outqueue_passed(s.q), end);
	assert_int_equal(sqd_outqueue_counts(s.q)->refused_unsafe, 1);
	end = one(&s, true);
	assert_int_equal(sqd_outqueue_passed(s.q), end);
	assert_int_equal(sqd_outqueue_counts(s.q)->refused_unsafe, 2);
	s.dead->base.failing = false; /* what has passed stays so */
	assert_int_equal(sqd_outqueue_passed(s.q), sqd_outqueue_taken(s.q));
	fake_drain(s.dead);
	scene_end(&s);
}

static void each_letter_that_is_not_waited_for_is_counted_once(void **state SQ_UNUSED)
{
	struct scene s;

	scene_make(&s);
	for (int i = 0; i < 50; i++)
		(void)one(&s, true);
	fake_sent(s.dead, 0); /* the first is written; the others are together */
	assert_int_equal(sqd_outqueue_counts(s.q)->refused_unsafe, 0);
	s.dead->base.failing = true;
	s.dead->base.ready(&s.dead->base); /* as it says when its disk does not answer */
	assert_int_equal(sqd_outqueue_passed(s.q), sqd_outqueue_taken(s.q));
	assert_int_equal(sqd_outqueue_counts(s.q)->refused_unsafe, 49);
	fake_drain(s.dead);
	assert_int_equal(sqd_outqueue_counts(s.q)->refused_unsafe, 49);
	assert_int_equal(sqd_outqueue_counts(s.q)->refused_kept, 50);
	scene_end(&s);
}

int main(void)
{
	struct CMUnitTest tests[SQ_LEN(line_cases) + 7];
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
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(nothing_has_passed_before_its_letter_has);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(
		later_letters_do_not_hold_up_what_came_before_them);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(letters_whose_disk_fails_hold_up_nothing);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(
		each_letter_that_is_not_waited_for_is_counted_once);
	return _cmocka_run_group_tests("flow/refusals", tests, n, NULL, NULL);
}
