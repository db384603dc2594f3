/* Event ids found in bytes, against what reading finds. */
#include "tests/support/test.h"

#include "lib/engine/sieve_ids.h"
#include "lib/model/logsource.h"

enum { ANY = -1 };

static const struct {
	const char *record;
	int ids[4]; /* 0 ends; ANY: nothing is ruled out */
} rows[] = {
	{ "{\"EventID\":4688}", { 4688 } },
	{ "{\"EventID\":\"4688\",\"x\":1}", { 4688 } },
	{ "{\"EventID\" : 7 }", { ANY } }, /* a blank behind the number: it may go on */
	{ "{\"EventID\" :\t7}", { 7 } },
	{ "{\"EventID\":\"1 \"}", { ANY } },
	{ "{\"EventID\":\" 1\"}", { 1 } },
	{ "{\"EventID\":1.0}", { ANY } },
	{ "{\"EventID\":1e0}", { ANY } },
	{ "{\"EventID\":\"0x1250\"}", { ANY } },
	{ "{\"EventID\":\"01\"}", { ANY } },
	{ "{\"EventID\":\"\\t1\"}", { ANY } },
	{ "{\"EventID\":[7,1]}", { ANY } },
	{ "{\"EventID\":7,\"EventID\":4688}", { 7, 4688 } },
	{ "{\"winlog\":{\"event_id\":11},\"event\":{\"code\":\"11\"}}", { 11 } },
	{ "{\"winlog.event_id\":12}", { 12 } },
	{ "{\"event_id\":{\"id\":13,\"qualifiers\":0}}", { 13 } },
	{ "{\"Event\":{\"System\":{\"EventID\":{\"#text\":\"5\",\"#attributes\":{}}}}}", { 5 } },
	{ "{\"EventID\":{\"value\":22}}", { 22 } },
	{ "{\"eventID\":\"10\"}", { 10 } },
	{ "{\"EventCode\":3}", { 3 } },
	{ "{\"Id\":4104}", { 4104 } },
	{ "{\"_EventID\":2}", { 2 } },
	{ "{\"event.code\":\"9\"}", { 9 } },
	{ "{\"OpcodeValue\":1,\"ProcessId\":1,\"EventID\":8}", { 8 } },
	{ "{\"ThreadID\":1}", { ANY } },                            /* no event id at all */
	{ "{\"agent\":{\"id\":\"abc\"},\"code\":\"x\"}", { ANY } }, /* nor here */
	{ "{\"x\":\"EventID\",\"EventID\":6}", { 6 } },
	{ "<Event><System><EventID>1</EventID></System></Event>", { ANY } },
	{ "{\"xml\":\"<EventID Qualifiers='0'>1</EventID>\",\"EventID\":6}", { ANY } },
	{ "{\"EventID\":1234567890}", { ANY } },
	{ "{\"EventID\":", { ANY } },
	{ "{\"EventID\"", { ANY } },
	{ "{\"EventID\":46", { ANY } },
};

static void each_row_is_told(void **state)
{
	struct sq_spot windows = { 0 };

	(void)state;
	sq_ids_windows(&windows);
	sq_spot_ready(&windows);
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		size_t n = strlen(rows[i].record);
		char *record = exact(rows[i].record, n);
		struct sq_id_set got;

		sq_ids_of_record(&windows, (struct sq_sv){ record, n }, &got);
		free(record);
		if (rows[i].ids[0] == ANY) {
			if (!got.any)
				fail_msg("%s: something is ruled out", rows[i].record);
			continue;
		}
		if (got.any)
			fail_msg("%s: nothing is ruled out", rows[i].record);
		for (uint32_t k = 0; k < SQ_LEN(rows[i].ids) && rows[i].ids[k]; k++) {
			struct sq_id_set want = { { (uint32_t)rows[i].ids[k] }, 1, false };

			if (!sq_ids_meet(&got, &want))
				fail_msg("%s: %d is missed", rows[i].record, rows[i].ids[k]);
			assert_true(k < got.n);
		}
	}
}

/* Every id by which lib/model/logsource.c gives an event its category is among those of rules that
 * ask for the category. */
static void categories_have_the_ids_that_reading_gives_them(void **state)
{
	static struct sq_value values[1024]; /* more than there are fields */
	static const enum sq_source sources[] = {
		SQ_SOURCE_UNKNOWN, SQ_SOURCE_OTHER,      SQ_SOURCE_SECURITY,
		SQ_SOURCE_SYSMON,  SQ_SOURCE_POWERSHELL, SQ_SOURCE_POWERSHELL_CLASSIC,
	};
	struct sq_event ev = { .values = values };
	uint32_t seen = 0;

	(void)state;
	for (size_t s = 0; s < SQ_LEN(sources); s++) {
		for (uint32_t id = 0; id <= UINT16_MAX; id++) {
			enum sq_category c = sq_category_of(&ev, sources[s], id);
			struct sq_logsource ls = { .categories = UINT64_C(1) << c };
			struct sq_id_set of, is = { { id }, 1, false };

			if (c == SQ_CATEGORY_NONE)
				continue;
			seen++;
			sq_ids_of_source(&ls, &of);
			assert_false(of.any);
			if (!sq_ids_meet(&of, &is))
				fail_msg("category %d lacks %u", (int)c, id);
		}
	}
	assert_true(seen > 30);
}

static void what_is_not_known_rules_nothing_out(void **state)
{
	struct sq_logsource none = { 0 };
	struct sq_id_set a, b = { { 1 }, 1, false }, sum = { 0 };

	(void)state;
	sq_ids_of_source(&none, &a);
	assert_true(a.any);
	for (uint32_t i = 0; i <= SQ_IDS_MAX; i++) {
		struct sq_id_set one = { { 100 + i }, 1, false };

		assert_false(sum.any);
		sq_ids_add(&sum, &one);
	}
	assert_true(sum.any);
	assert_true(sq_ids_meet(&sum, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_told),
		cmocka_unit_test(categories_have_the_ids_that_reading_gives_them),
		cmocka_unit_test(what_is_not_known_rules_nothing_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
