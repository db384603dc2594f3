/* No rule matches a record that has none of its words and nothing odd: random events in every
 * disguise. By hand, more of them: SQUIBLY_SIEVE_CASES, SQUIBLY_SIEVE_SEED. */
#include "tests/support/sieve_events.h"
#include "tests/support/sieve_rules.h"
#include "tests/support/sieve_world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CASES = 5000 };
#else
enum { CASES = 60000 };
#endif

/* One with rules that leave most records out, one that tries each rule by itself, and one whose
 * rules ask for event ids. */
static struct sieve_world sharp, wide, told;

static int open_worlds(void **state SQ_UNUSED)
{
	struct sq_rules rules;

	if (sq_rules_init(&rules) < 0 ||
	    !sieve_add_rules(&rules, sieve_sources[0], sieve_selections,
	                     SQ_LEN(sieve_selections)) ||
	    !sieve_world_open(&sharp, &rules) || sq_rules_init(&rules) < 0)
		return -1;
	for (size_t i = 0; i < SQ_LEN(sieve_sources); i++) {
		if (!sieve_add_rules(&rules, sieve_sources[i], sieve_selections,
		                     SQ_LEN(sieve_selections)) ||
		    !sieve_add_rules(&rules, sieve_sources[i], sieve_weak_selections,
		                     SQ_LEN(sieve_weak_selections)))
			return -1;
	}
	if (!sieve_world_open(&wide, &rules) || sq_rules_init(&rules) < 0 ||
	    !sieve_add_rules(&rules, "definition: all", sieve_id_selections,
	                     SQ_LEN(sieve_id_selections)))
		return -1;
	return sieve_world_open(&told, &rules) ? 0 : -1;
}

static int close_worlds(void **state SQ_UNUSED)
{
	sieve_world_close(&sharp);
	sieve_world_close(&wide);
	sieve_world_close(&told);
	return 0;
}

static void run_or_fail(struct sieve_world *w, const struct text *t)
{
	struct sq_sv raw = { t->p, t->n };
	const char *why = sieve_world_run(w, raw);

	if (why)
		fail_msg("%s: %.*s: %.*s", why,
		         SQ_SV_ARG(w->wrong ? sq_ruleset_rule(w->rs, w->wrong - 1)->file
		                            : SQ_SV("")),
		         SQ_SV_ARG(raw));
}

static void what_matches_has_a_word_or_is_odd(void **state SQ_UNUSED)
{
	const char *more = getenv("SQUIBLY_SIEVE_CASES"), *from = getenv("SQUIBLY_SIEVE_SEED");
	uint64_t cases = more ? strtoull(more, NULL, 10) : CASES;
	struct text *t = malloc(sizeof(*t));

	assert_non_null(t);
	if (from)
		sieve_seed = strtoull(from, NULL, 10);
	for (uint64_t i = 0; i < cases; i++) {
		sieve_make_record(t);
		run_or_fail(i % 2 ? &wide : &sharp, t);
		run_or_fail(&told, t);
	}
	free(t);
	print_message(
		"%llu records, %llu matches; of %llu of the sharp rules %llu odd, %llu kept; of those "
		"that tell ids %llu odd, %llu kept, %llu matches\n",
		(unsigned long long)(sharp.records + wide.records),
		(unsigned long long)(sharp.hits + wide.hits), (unsigned long long)sharp.records,
		(unsigned long long)sharp.odd, (unsigned long long)sharp.kept,
		(unsigned long long)told.odd, (unsigned long long)told.kept,
		(unsigned long long)told.hits);
	/* Else this proves nothing. */
	assert_true(sharp.hits > sharp.records / 4 && wide.hits > wide.records);
	assert_true(sharp.odd < sharp.records * 9 / 10 && sharp.kept < sharp.records);
	assert_true(told.hits > told.records / 10 && told.kept < told.records * 19 / 20);
}

/* Every trick at every place of lines that hold nothing odd. */
static void tricks_anywhere_are_odd(void **state SQ_UNUSED)
{
	static const char *const own[] = {
		"start script:http://h/a",
		"cmd.exe regsvr32 a.dll http://h/a",
		"cmd.exe regsvr32 scrobj.dll",
		"rundll32 javascript:a",
		"rundll32 comsvcs.dll,MiniDump 1 2",
		"x script:file b",
		/* "regsvr32 a.dll" */
		"cmd.exe powershell -enc cgBlAGcAcwB2AHIAMwAyACAAYQAuAGQAbABsAA==",
	};
	struct text *t = malloc(sizeof(*t));
	uint64_t before = wide.hits;
	char line[256];

	assert_non_null(t);
	for (size_t i = 0; i < SQ_LEN(own); i++)
		for (size_t at = 0; own[i][at]; at++)
			for (unsigned k = 0; sieve_insert(k, own[i], at, line, sizeof(line)); k++) {
				for (unsigned shape = 0; shape < SIEVE_SHAPES; shape++) {
					sieve_make_plain(t, shape, line);
					run_or_fail(&wide, t);
					run_or_fail(&told, t);
				}
			}
	free(t);
	assert_true(wide.hits - before > 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_matches_has_a_word_or_is_odd),
		cmocka_unit_test(tricks_anywhere_are_odd), /* its counts are none for the other */
	};

	return cmocka_run_group_tests_name("engine/sieve_random", tests, open_worlds, close_worlds);
}
