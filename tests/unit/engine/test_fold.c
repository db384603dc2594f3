#include "lib/engine/event_id.h"
#include "lib/engine/fold.h"
#include "lib/rules/rule.h"
#include "tests/support/fault_alloc.h"
#include "tests/support/test.h"

enum { WINDOW = 1000 };

/* What was given at the end of windows, as "level/format:text;" one after another. */
static char given[4096];

static bool on_emit(void *ctx, const struct sq_folded *what)
{
	size_t len = strlen(given);

	(void)snprintf(given + len, sizeof(given) - len, "%u/%u%s:%.*s;", what->level, what->format,
	               what->to == SQ_TO_STREAMS     ? "s"
	               : what->to == SQ_TO_DATAGRAMS ? "d"
	                                             : "",
	               SQ_SV_ARG(what->text));
	return !ctx;
}

static struct sq_now at(uint64_t mono_ns)
{
	return (struct sq_now){ .mono_ns = mono_ns };
}

static struct sq_fold *make(uint32_t entries, uint64_t bytes)
{
	struct sq_fold *f = sq_fold_new(&(struct sq_fold_limits){
		.window_ns = WINDOW, .entries = entries, .bytes = bytes });

	assert_non_null(f);
	given[0] = '\0';
	return f;
}

/* An alert of kind `key`, in one format. */
static bool pass(struct sq_fold *f, uint64_t key, const char *text, uint64_t now)
{
	struct sq_alert_ref ref = { .fold_key = { key, ~key }, .level = SQ_LEVEL_HIGH };
	size_t n = strlen(text);
	char *out = exact(text, n);
	bool r;

	ref.text[SQ_FORMAT_CEF].n = (uint32_t)n;
	r = sq_fold_pass(f, &ref, out, at(now));
	free(out); /* what is kept must be a copy */
	return r;
}

static uint64_t expire(struct sq_fold *f, uint64_t now)
{
	given[0] = '\0';
	return sq_fold_expire(f, at(now), false, on_emit, NULL);
}

static void the_first_passes_and_the_last_repeat_is_given_with_the_count(void **state)
{
	struct sq_fold *f = make(8, 1000);

	(void)state;
	assert_true(pass(f, 1, "a", 100));
	assert_false(pass(f, 1, "b", 200));
	assert_false(pass(f, 1, "cc", 1099));
	assert_int_equal(expire(f, 1099), 1);
	assert_string_equal(given, "");
	assert_int_equal(expire(f, 1100), UINT64_MAX);
	assert_string_equal(given, "3/2:cc cnt=2;");
	assert_true(pass(f, 1, "d", 1101)); /* a new window */
	sq_fold_free(f);
}

static void without_a_repeat_nothing_is_given(void **state)
{
	struct sq_fold *f = make(8, 1000);

	(void)state;
	assert_true(pass(f, 1, "a", 0));
	assert_int_equal(expire(f, 5000), UINT64_MAX);
	assert_string_equal(given, "");
	sq_fold_free(f);
}

static void kinds_do_not_mix_and_end_in_the_order_they_began(void **state)
{
	struct sq_fold *f = make(8, 1000);

	(void)state;
	assert_true(pass(f, 1, "a", 0));
	assert_true(pass(f, 2, "b", 10));
	assert_true(pass(f, 3, "c", 20));
	assert_false(pass(f, 3, "c", 30));
	assert_false(pass(f, 2, "b", 40));
	assert_false(pass(f, 2, "b", 50));
	assert_int_equal(expire(f, 1010), 10);
	assert_string_equal(given, "3/2:b cnt=2;");
	assert_int_equal(expire(f, 1020), UINT64_MAX);
	assert_string_equal(given, "3/2:c cnt=1;");
	sq_fold_free(f);
}

static void half_of_a_key_is_not_enough(void **state)
{
	struct sq_fold *f = make(8, 1000);
	struct sq_alert_ref a = { .fold_key = { 1, 2 } }, b = { .fold_key = { 1, 3 } };

	(void)state;
	assert_true(sq_fold_pass(f, &a, "", at(0)));
	assert_true(sq_fold_pass(f, &b, "", at(0)));
	sq_fold_free(f);
}

static void a_late_timer_neither_loses_nor_swallows(void **state)
{
	struct sq_fold *f = make(8, 1000);

	(void)state;
	/* With repeats: one more goes into the count that is still to be given. */
	assert_true(pass(f, 1, "a", 0));
	assert_false(pass(f, 1, "b", 500));
	assert_false(pass(f, 1, "c", 2000));
	/* Without: the window is over, and this is the first of a new one. */
	assert_true(pass(f, 2, "x", 0));
	assert_true(pass(f, 2, "y", 2000));
	assert_false(pass(f, 2, "z", 2001));
	assert_int_equal(expire(f, 2100), 900);
	assert_string_equal(given, "3/2:c cnt=2;");
	assert_int_equal(expire(f, 3000), UINT64_MAX);
	assert_string_equal(given, "3/2:z cnt=1;");
	sq_fold_free(f);
}

static void a_full_table_lets_alerts_pass(void **state)
{
	struct sq_fold *f = make(2, 1000);

	(void)state;
	assert_true(pass(f, 1, "a", 0));
	assert_true(pass(f, 2, "b", 0));
	assert_true(pass(f, 3, "c", 0));
	assert_true(pass(f, 3, "c", 1));
	assert_false(pass(f, 1, "a", 1));
	(void)expire(f, 1000);
	assert_true(pass(f, 3, "c", 1001));
	assert_false(pass(f, 3, "c", 1002)); /* places are free again */
	sq_fold_free(f);
}

static void a_table_of_none_lets_everything_pass(void **state)
{
	struct sq_fold *f = make(0, 0);

	(void)state;
	assert_true(pass(f, 1, "a", 0));
	assert_true(pass(f, 1, "a", 1));
	sq_fold_free(f);
}

static void bytes_are_bounded(void **state)
{
	struct sq_fold *f = make(8, 4);

	(void)state;
	assert_true(pass(f, 1, "aaaa", 0));
	assert_false(pass(f, 1, "bbb", 1));
	/* No room for this one: the one before stands for it. */
	assert_false(pass(f, 1, "ccccc", 2));
	/* No room, and nothing that could stand for it. */
	assert_true(pass(f, 2, "dd", 3));
	assert_true(pass(f, 2, "dd", 4));
	assert_int_equal(expire(f, 1001), 2);
	assert_string_equal(given, "3/2:bbb cnt=2;");
	assert_false(pass(f, 2, "ddd", 1002)); /* the bytes are free again */
	sq_fold_free(f);
}

static void every_format_is_kept_and_given(void **state)
{
	static const char out[] = "..{\"a\":{}}|<1>{\"b\":{\"c\":1}}|LEEF";
	struct sq_alert_ref ref = { .fold_key = { 7, 7 }, .level = SQ_LEVEL_LOW };
	struct sq_fold *f = make(8, 1000);

	(void)state;
	ref.text[SQ_FORMAT_JSON].at = 2;
	ref.text[SQ_FORMAT_JSON].n = 8;
	ref.text[SQ_FORMAT_SYSLOG].at = 11;
	ref.text[SQ_FORMAT_SYSLOG].n = 16;
	ref.text[SQ_FORMAT_LEEF].at = 28;
	ref.text[SQ_FORMAT_LEEF].n = 4;
	assert_true(sq_fold_pass(f, &ref, out, at(0)));
	assert_false(sq_fold_pass(f, &ref, out, at(1)));
	(void)sq_fold_expire(f, at(2), true, on_emit, NULL); /* all of it, on the way down */
	assert_string_equal(given, "1/0:{\"a\":{,\"repeats\":1}};"
	                           "1/1:<1>{\"b\":{\"c\":1,\"repeats\":1}};"
	                           "1/3:LEEF\tcnt=1;");
	sq_fold_free(f);
}

static bool on_named(void *ctx, const struct sq_folded *what)
{
	char *end = given + strlen(given);
	char id[SQ_ID_TEXT];

	(void)ctx;
	sq_id_format(what->id, id);
	(void)snprintf(end, sizeof(given) - (size_t)(end - given), "%.*s %.*s %.*s;", SQ_ID_TEXT,
	               id, SQ_SV_ARG(what->host), SQ_SV_ARG(what->text));
	return true;
}

/* A receiver that drops what it has had must not drop the count. */
static void the_count_has_an_id_of_its_own_and_the_host(void **state)
{
	static const char out[] = "WS5CEF externalId=00000000000000070000000000000008 x";
	struct sq_alert_ref ref = { .fold_key = { 7, 7 }, .id = { 7, 8 }, .host = { 0, 3 } };
	struct sq_fold *f = make(8, 1000);
	char want[200], id[SQ_ID_TEXT];
	uint64_t own[2];

	(void)state;
	ref.text[SQ_FORMAT_CEF].at = 3;
	ref.text[SQ_FORMAT_CEF].n = sizeof(out) - 4;
	assert_true(sq_fold_pass(f, &ref, out, at(0)));
	for (int i = 0; i < 3; i++)
		assert_false(sq_fold_pass(f, &ref, out, at(1)));
	(void)sq_fold_expire(f, at(2), true, on_named, NULL);
	sq_repeats_id(ref.id, 3, own);
	sq_id_format(own, id);
	(void)snprintf(want, sizeof(want), "%.*s WS5 CEF externalId=%.*s x cnt=3;", SQ_ID_TEXT, id,
	               SQ_ID_TEXT, id);
	assert_string_equal(given, want);
	sq_fold_free(f);
}

static void many_kinds_come_and_go(void **state)
{
	struct sq_fold *f = make(64, 1 << 20);
	unsigned passed = 0, folded = 0, rounds = 20000;

	(void)state;
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t key = (i * 2654435761u) % 97;

		if (pass(f, key, "text", i * 5))
			passed++;
		else
			folded++;
		if (i % 7 == 0)
			(void)expire(f, i * 5);
	}
	assert_int_equal(passed + folded, rounds);
	assert_true(folded > 0);
	(void)sq_fold_expire(f, at(0), true, on_emit, NULL);
	assert_int_equal(expire(f, 0), UINT64_MAX);
	sq_fold_free(f);
}

static void a_failed_allocation_lets_alerts_pass_and_the_count_go(void **state)
{
	const struct sq_fold_limits limits = { .window_ns = WINDOW, .entries = 4, .bytes = 100 };
	struct sq_alert_ref ref = { .fold_key = { 1, 1 } };
	struct sq_fold *f = NULL;

	(void)state;
	ref.text[SQ_FORMAT_CEF].n = 1;
	for (unsigned n = 1; !f; n++) {
		fault_alloc_at(n);
		f = sq_fold_new(&limits);
		assert_int_equal(!f, fault_alloc_end());
	}
	assert_true(sq_fold_pass(f, &ref, "a", at(0)));
	fault_alloc_at(1);
	assert_true(sq_fold_pass(f, &ref, "b", at(1))); /* it could not be kept */
	assert_true(fault_alloc_end());
	assert_false(sq_fold_pass(f, &ref, "c", at(2)));
	given[0] = '\0';
	fault_alloc_at(1);
	(void)sq_fold_expire(f, at(0), true, on_emit, NULL);
	assert_true(fault_alloc_end());
	assert_string_equal(given, "0/2:c;"); /* the alert itself is not lost */
	sq_fold_free(f);
}

static void it_stops_after_one_when_told_and_goes_on_later(void **state)
{
	struct sq_fold *f = make(8, 1000);
	bool stop = true;

	(void)state;
	for (uint64_t key = 1; key <= 2; key++)
		for (int i = 0; i < 2; i++)
			(void)pass(f, key, key == 1 ? "a" : "b", 0);
	assert_int_equal(sq_fold_expire(f, at(WINDOW), false, on_emit, &stop), 0);
	assert_string_equal(given, "3/2:a cnt=1;");
	assert_int_equal(expire(f, WINDOW), UINT64_MAX);
	assert_string_equal(given, "3/2:b cnt=1;");
	sq_fold_free(f);
}

static void a_text_for_datagrams_is_kept_beside_the_whole_one(void **state)
{
	struct sq_fold *f = make(8, 1000);
	struct sq_alert_ref ref = { .fold_key = { 1, 2 }, .level = SQ_LEVEL_HIGH };

	(void)state;
	ref.text[SQ_FORMAT_CEF].n = 4;
	ref.text[SQ_FORMATS + SQ_FORMAT_CEF].at = 4;
	ref.text[SQ_FORMATS + SQ_FORMAT_CEF].n = 1;
	assert_true(sq_fold_pass(f, &ref, "long-", at(0)));
	assert_false(sq_fold_pass(f, &ref, "long-", at(0)));
	assert_int_equal(expire(f, WINDOW), UINT64_MAX);
	assert_string_equal(given, "3/2s:long cnt=1;3/2d:- cnt=1;");
	sq_fold_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_passes_and_the_last_repeat_is_given_with_the_count),
		cmocka_unit_test(without_a_repeat_nothing_is_given),
		cmocka_unit_test(kinds_do_not_mix_and_end_in_the_order_they_began),
		cmocka_unit_test(half_of_a_key_is_not_enough),
		cmocka_unit_test(a_late_timer_neither_loses_nor_swallows),
		cmocka_unit_test(a_full_table_lets_alerts_pass),
		cmocka_unit_test(a_table_of_none_lets_everything_pass),
		cmocka_unit_test(bytes_are_bounded),
		cmocka_unit_test(every_format_is_kept_and_given),
		cmocka_unit_test(the_count_has_an_id_of_its_own_and_the_host),
		cmocka_unit_test(many_kinds_come_and_go),
		cmocka_unit_test(a_failed_allocation_lets_alerts_pass_and_the_count_go),
		cmocka_unit_test(a_text_for_datagrams_is_kept_beside_the_whole_one),
		cmocka_unit_test(it_stops_after_one_when_told_and_goes_on_later),
	};

	return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
