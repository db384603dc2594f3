/* No rule matches a real event without what it promises: the shipped rules and those of the tests
 * on all real and labelled events. */
#include <glob.h>

#include "tests/support/corpus.h"
#include "tests/support/sieve_rules.h"
#include "tests/support/sieve_world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STEP = 20, OTHER_STEP = 20 };
#else
enum { STEP = 1, OTHER_STEP = 4 };
#endif

static void add_pack(struct sq_rules *rules)
{
	const char *source = getenv("SQ_SOURCE_DIR");
	struct sq_diags diags = { 0 };
	char pattern[4096];
	glob_t files;

	(void)snprintf(pattern, sizeof(pattern), "%s/patterns/*/*.yml", source ? source : ".");
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct sq_sv text = corpus_slurp(files.gl_pathv[i]);

		assert_int_equal(sq_sigma_parse(rules, text, files.gl_pathv[i], &diags), 1);
		free((char *)(uintptr_t)text.p);
	}
	assert_true(files.gl_pathc > 50);
	globfree(&files);
	sq_diags_fini(&diags);
}

static void run_all(struct sieve_world *w, size_t step)
{
	static const char *const folders[] = { "corpus/nxlog", "corpus/nxlog-wef", "corpus/shapes",
		                               "corpus/winlogbeat6", "labelled" };
	struct corpus c = { 0 };

	for (size_t i = 0; i < SQ_LEN(folders); i++) {
		corpus_add(&c, folders[i], step);
		for (size_t k = 0; k < c.n; k++) {
			const char *why = sieve_world_run(w, c.records[k]);

			if (why)
				fail_msg("%s: %.*s: %.*s", why,
				         SQ_SV_ARG(w->wrong ? sq_ruleset_rule(w->rs, w->wrong - 1)
				                                      ->file
				                            : SQ_SV("")),
				         SQ_SV_ARG(c.records[k]));
		}
		corpus_end(&c);
	}
	print_message("%llu records, %llu matches; %llu odd, %llu kept, %llu as lines\n",
	              (unsigned long long)w->records, (unsigned long long)w->hits,
	              (unsigned long long)w->odd, (unsigned long long)w->kept,
	              (unsigned long long)w->lined);
	assert_true(w->records > 900 && w->hits > 20);
}

static void shipped_rules_keep_their_promises(void **state SQ_UNUSED)
{
	struct sieve_world w;
	struct sq_rules rules;

	(void)corpus_folder();
	assert_int_equal(sq_rules_init(&rules), 0);
	add_pack(&rules);
	assert_true(sieve_world_open(&w, &rules));
	assert_int_equal(w.plan.n_open, 0);
	assert_in_range(w.plan.n_words, 1, 100);
	run_all(&w, STEP);
	assert_true(w.kept < w.records);
	assert_true(w.lined > w.records / 2);
	sieve_world_close(&w);
}

static void other_rules_keep_their_promises(void **state SQ_UNUSED)
{
	struct sieve_world w;
	struct sq_rules rules;

	(void)corpus_folder();
	assert_int_equal(sq_rules_init(&rules), 0);
	for (size_t i = 0; i < SQ_LEN(sieve_sources); i++) {
		assert_true(sieve_add_rules(&rules, sieve_sources[i], sieve_selections,
		                            SQ_LEN(sieve_selections)));
		assert_true(sieve_add_rules(&rules, sieve_sources[i], sieve_weak_selections,
		                            SQ_LEN(sieve_weak_selections)));
	}
	assert_true(sieve_world_open(&w, &rules));
	run_all(&w, OTHER_STEP);
	sieve_world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_rules_keep_their_promises),
		cmocka_unit_test(other_rules_keep_their_promises),
	};

	if (!corpus_find())
		return CORPUS_SKIPPED;
	return cmocka_run_group_tests_name("engine/sieve_real", tests, NULL, NULL);
}
