/* Event ids found in bytes, against what reading finds. */
#include "tests/support/test.h"

#include "lib/engine/sieve.h"
#include "lib/engine/sieve_ids.h"
#include "lib/model/fieldmap.h"
#include "lib/model/logsource.h"
#include "lib/rules/sigma.h"

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
	{ "{\"EventID\":{\"_\":\"9\",\"$\":{\"Qualifiers\":\"0\"}}}", { 9 } },
	{ "{\"EventID\":{\"Qualifiers\":\"\", \"\" : \"9\"}}", { 9 } },
	{ "{\"EventID\":{\"_text\":\"9\"},\"Level\":{\"$t\":4}}", { 9, 4 } },
	{ "{\"eventID\":\"10\"}", { 10 } },
	{ "{\"id\":3,\"value\":{\"intValue\":\"9\"}}", { 3, 9 } }, /* OpenTelemetry's types */
	{ "{\"id\":3,\"value\":{\"stringValue\":\"9\"}}", { 3, 9 } },
	{ "{\"id\":3,\"value\":{\"doubleValue\":9}}", { 3, 9 } },
	{ "{\"id\":3,\"value\":{\"int_value\":\"9\"}}", { 3, 9 } },
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

/* Every place that lib/model/fieldmap.c has for an event id is seen beside one that tells another.
 */
static void wherever_the_reader_finds_an_id_it_is_found(void **state)
{
	struct sq_id_set is = { { 4688 }, 1, false };
	struct sq_spot windows = { 0 };
	uint32_t tried = 0;

	(void)state;
	sq_ids_windows(&windows);
	sq_spot_ready(&windows);
	for (size_t i = 0; i < sq_fieldmap_n; i++) {
		const struct sq_path *p = &sq_fieldmap[i];
		char record[512] = "{\"code\":7,";
		size_t n = strlen(record), depth = 0;
		struct sq_id_set got;

		if (!(p->kind & SQ_PATH_FIELD) || p->field != SQ_F_EVENT_ID)
			continue;
		for (const char *part = p->path; part; depth++) {
			const char *end = strchr(part, '.');
			int len = (int)(end ? (size_t)(end - part) : strlen(part));

			n += (size_t)snprintf(record + n, sizeof(record) - n,
			                      "%s\"%.*s\":", depth ? "{" : "", len, part);
			part = end ? end + 1 : NULL;
		}
		n += (size_t)snprintf(record + n, sizeof(record) - n, "4688");
		for (; depth; depth--)
			record[n++] = '}';
		sq_ids_of_record(&windows, (struct sq_sv){ record, n }, &got);
		if (!sq_ids_meet(&got, &is))
			fail_msg("%s: %.*s", p->path, (int)n, record);
		tried++;
	}
	assert_true(tried > 40);
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

static const struct {
	const char *source, *detection;
	int ids[4]; /* all of them, 0 ends; ANY: nothing is ruled out */
} rules[] = {
	{ "service: security", "{ s: { EventID: 4698 }, condition: s }", { 4698 } },
	{ "service: security", "{ s: { EventID: '4698' }, condition: s }", { 4698 } },
	{ "service: security", "{ s: { EventID: [4697, 4698] }, condition: s }", { 4697, 4698 } },
	{ "service: security",
	  "{ s: { EventID: 4698 }, t: { User: a }, condition: s and t }",
	  { 4698 } },
	{ "service: security",
	  "{ s: { EventID: 4698 }, t: { User: a }, condition: s or t }",
	  { ANY } },
	{ "service: security", "{ s: { EventID: 4698 }, condition: not s }", { ANY } },
	{ "service: security",
	  "{ s: { EventID: 7 }, t: { EventID: 8 }, condition: not (not s and not t) }",
	  { 7, 8 } },
	{ "service: security",
	  "{ s: { EventID: 7 }, t: { User: a }, condition: not (not s or t) }",
	  { 7 } },
	{ "service: security",
	  "{ s: { EventID: [7, 8] }, t: { EventID: 8 }, condition: s and t }",
	  { 8 } },
	{ "service: security", "{ s: { EventID: 46* }, condition: s }", { ANY } },
	{ "service: security", "{ s: { EventID|gte: 4698 }, condition: s }", { ANY } },
	{ "service: security", "{ s: { EventID|contains: 4698 }, condition: s }", { ANY } },
	{ "service: security", "{ s: { EventID: '04698' }, condition: s }", { ANY } },
	{ "service: security", "{ s: { EventID: 0 }, condition: s }", { ANY } },
	{ "service: security", "{ s: { EventID: 1234567890 }, condition: s }", { ANY } },
	{ "service: security", "{ s: { EventID: x }, condition: s }", { ANY } },
	{ "service: security", "{ s: { EventID: null }, condition: s }", { ANY } },
	{ "service: security", "{ s: { ProcessId: 4698 }, condition: s }", { ANY } },
	{ "category: process_creation", "{ s: { User: a }, condition: s }", { 1, 4688 } },
	{ "category: process_creation", "{ s: { EventID: 1 }, condition: s }", { 1 } },
	{ "category: image_load", "{ s: { EventID: [1, 7] }, condition: s }", { 7 } },
};

static void rules_have_the_ids_that_they_ask_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < SQ_LEN(rules); i++) {
		struct sq_diags diags = { 0 };
		struct sq_id_set got;
		struct sq_rules all;
		char text[512];
		uint32_t n = 0;

		(void)snprintf(text, sizeof(text),
		               "title: Rule\nlogsource: { product: windows, %s }\nlevel: low\n"
		               "detection: %s\n",
		               rules[i].source, rules[i].detection);
		assert_int_equal(sq_rules_init(&all), 0);
		assert_int_equal(sq_sigma_parse(&all, sq_sv_of(text), "rule", &diags), 1);
		sq_ids_of_rule(all.list[0], &got);
		sq_rules_fini(&all);
		sq_diags_fini(&diags);
		if (got.any != (rules[i].ids[0] == ANY))
			fail_msg("%s: %s", rules[i].detection, got.any ? "any" : "some");
		while (!got.any && n < SQ_LEN(rules[i].ids) && rules[i].ids[n]) {
			struct sq_id_set one = { { (uint32_t)rules[i].ids[n++] }, 1, false };

			assert_true(sq_ids_meet(&got, &one));
		}
		if (!got.any)
			assert_int_equal(got.n, n);
	}
}

/* Of the sieve as a whole: what hides words is of interest in events only that rules which ask for
 * folded fields are about, what hides more in all. */
static void signs_that_hide_words_keep_what_those_rules_are_about(void **state)
{
	static const char text[] =
		"title: A\nlogsource: { product: windows, category: process_creation }\nlevel: low\n"
		"detection: { s: { squibly.launch.carries|exists: true }, condition: s }\n---\n"
		"title: B\nlogsource: { product: windows }\nlevel: low\n"
		"detection: { s: { squibly.program: mshta.exe, EventID: 4663 }, condition: s }\n---\n"
		"title: C\nlogsource: { product: windows, category: image_load }\nlevel: low\n"
		"detection: { s: { ImageLoaded|contains: scrobj }, condition: s }\n";
	static const struct {
		const char *head, *sign; /* which is repeated, */
		int times, apart;        /* with so many blanks behind it */
		bool kept;
	} records[] = {
		{ "\"EventID\":4688,", "'+'", 1, 0, true },
		{ "\"EventID\":1,", "'+'", 1, 0, true },
		{ "\"EventID\":4663,", "'+'", 1, 0, true },
		{ "\"EventID\":4103,", "'+'", 1, 0, false },
		{ "\"EventID\":4103,", "'+'", 200, 80, false },
		{ "\"EventID\":4103,", "'+'", 200, 8, true }, /* too many to look at them all */
		{ "\"EventID\":7,", "'+'", 1, 0, false },
		{ "", "'+'", 1, 0, true },
		{ "\"EventID\":7,", "\\u0072", 1, 0, true },
		{ "\"EventID\":7,", "scrobj", 1, 0, true },
		{ "\"EventID\":4103,", "scrobj", 1, 0, false },
	};
	struct sq_batch_limits limits = {
		.chunk = 1 << 16, .records = 1, .origins = 1, .arena = 1 << 16, .out = 4096
	};
	struct sq_batch *b = sq_batch_new(&limits);
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_sieve *sieve;
	struct sq_rules all;

	(void)state;
	assert_non_null(b);
	assert_int_equal(sq_rules_init(&all), 0);
	assert_int_equal(sq_sigma_parse(&all, sq_sv_of(text), "rules", &diags), 3);
	sq_diags_fini(&diags);
	assert_int_equal(sq_ruleset_build(&all, &(struct sq_ruleset_opts){ .plain = true }, &rs,
	                                  NULL, NULL),
	                 0);
	sieve = sq_sieve_new(rs, 1);
	assert_non_null(sieve);
	sq_ruleset_unref(rs);
	assert_false(sq_sieve_is_open(sieve));
	for (size_t i = 0; i < SQ_LEN(records); i++) {
		size_t n;

		sq_batch_reset(b);
		assert_int_equal(sq_batch_origin(b, NULL, ""), 0);
		n = (size_t)snprintf(b->chunk, limits.chunk, "{%s\"x\":\"", records[i].head);
		for (int k = 0; k < records[i].times; k++)
			n += (size_t)snprintf(b->chunk + n, limits.chunk - n, "%s%*s",
			                      records[i].sign, records[i].apart, "");
		n += (size_t)snprintf(b->chunk + n, limits.chunk - n, "\"}");
		assert_int_equal(sq_batch_add(b, 0, (struct sq_sv){ b->chunk, n }), 0);
		sq_sieve_run(sieve, b, 0);
		if (b->records[0].left_out == records[i].kept)
			fail_msg("%.100s", b->chunk);
		if (records[i].times == 1)
			assert_int_equal(sq_sieve_keeps(sieve, b->records[0].raw), records[i].kept);
	}
	sq_sieve_unref(sieve);
	sq_batch_free(b);
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
		cmocka_unit_test(wherever_the_reader_finds_an_id_it_is_found),
		cmocka_unit_test(categories_have_the_ids_that_reading_gives_them),
		cmocka_unit_test(rules_have_the_ids_that_they_ask_for),
		cmocka_unit_test(signs_that_hide_words_keep_what_those_rules_are_about),
		cmocka_unit_test(what_is_not_known_rules_nothing_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
