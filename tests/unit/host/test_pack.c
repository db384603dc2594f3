#include "lib/host/pack.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fault_alloc.h"
#include "tests/unit/host/scratch.h"

#define RULE(title, id, value)                                                                     \
	"title: " title "\nid: " id "\nstatus: test\nlevel: high\n"                                \
	"logsource:\n  category: process_creation\n  product: windows\n"                           \
	"detection:\n  s:\n    CommandLine|contains: " value "\n  condition: s\n"
#define ID(digit) "1111111" digit "-1111-4111-8111-111111111111"

struct load {
	struct sq_ruleset *rules;
	struct sq_ruleset_report report;
	struct sq_diags diags;
	struct sq_err err;
	int result;
};

static struct load load_with(const struct sq_pack_opts *opts)
{
	struct load l = { 0 };

	l.result = sq_pack_load(opts, &l.rules, &l.report, &l.diags, &l.err);
	return l;
}

static struct load load(const char *path, const char *cache, bool plain)
{
	return load_with(&(struct sq_pack_opts){
		.paths = &path, .n_paths = 1, .cache = cache, .plain = plain });
}

static void unload(struct load *l)
{
	sq_ruleset_unref(l->rules);
	sq_diags_fini(&l->report.notes);
	sq_diags_fini(&l->diags);
}

static void rules_of_all_files_below_a_folder_are_one_set(void **state)
{
	struct load l;

	scratch_folder(*state, "deep");
	free(scratch_file(*state, "b.yml", RULE("B", ID("2"), "b")));
	free(scratch_file(*state, "deep/a.yaml", RULE("A", ID("1"), "a")));
	free(scratch_file(*state, "b.hit.ndjson", "{}\n"));
	free(scratch_file(*state, "README.md", "no rule"));
	l = load(*state, NULL, true);
	assert_int_equal(l.result, 0);
	assert_int_equal(sq_ruleset_count(l.rules), 2);
	assert_sv_equal(sq_ruleset_rule(l.rules, 0)->title, SQ_SV("B"));
	assert_sv_equal(sq_ruleset_rule(l.rules, 1)->title, SQ_SV("A"));
	unload(&l);
}

#define FILTER(name)                                                                               \
	"title: Ours\nlogsource:\n  product: windows\nfilter:\n  rules: [" name "]\n"              \
	"  s:\n    User: bob\n  condition: not s\n"

static void filters_apply_to_rules_of_other_files(void **state)
{
	struct load l;

	free(scratch_file(*state, "a_filter.yml", FILTER(ID("1"))));
	free(scratch_file(*state, "b.yml", RULE("B", ID("1"), "b")));
	free(scratch_file(*state, "c.yml", RULE("C", ID("2"), "c")));
	l = load(*state, NULL, true);
	assert_int_equal(l.result, 0);
	assert_int_equal(l.diags.warnings, 0);
	assert_int_equal(sq_ruleset_count(l.rules), 2);
	assert_int_equal(sq_ruleset_rule(l.rules, 0)->n_filters, 1);
	assert_int_equal(sq_ruleset_rule(l.rules, 1)->n_filters, 0);
	unload(&l);
}

/* What is missing because of an error elsewhere is not blamed on the filter. */
static void a_broken_rule_is_not_the_mistake_of_its_filter(void **state)
{
	struct load l;

	free(scratch_file(*state, "filter.yml", FILTER(ID("1"))));
	free(scratch_file(*state, "a.yml", "title: A\n"));
	l = load(*state, NULL, true);
	assert_int_equal(l.result, -EINVAL);
	for (size_t i = 0; i < l.diags.n; i++)
		assert_null(strstr(l.diags.list[i].file, "filter.yml"));
	unload(&l);
}

static void filters_alone_are_no_rules(void **state)
{
	struct load l;

	free(scratch_file(*state, "filter.yml", FILTER(ID("1"))));
	l = load(*state, NULL, true);
	assert_int_equal(l.result, -EINVAL);
	assert_non_null(strstr(l.err.text, "no rules (*.yml, *.yaml) in"));
	assert_int_equal(l.diags.warnings, 1);
	assert_int_equal(l.diags.list[0].line, 5);
	unload(&l);
}

static void no_rules_is_an_error_that_names_the_paths(void **state)
{
	const char *paths[] = { *state, *state };
	const struct sq_pack_opts opts = { .paths = paths, .n_paths = 2 };
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_err err = { 0 };
	char want[200];

	assert_int_equal(sq_pack_load(&opts, &rs, NULL, &diags, &err), -EINVAL);
	(void)snprintf(want, sizeof(want), "no rules (*.yml, *.yaml) in %s, %s", (char *)*state,
	               (char *)*state);
	assert_string_equal(err.text, want);
	assert_null(rs);
	sq_diags_fini(&diags);
}

/* Rules of another program, or with a wrong suffix: beside the shipped ones nobody would notice. */
static void a_folder_without_rules_beside_others_is_warned_of(void **state)
{
	char *rule = scratch_file(*state, "a.yml", RULE("A", ID("1"), "a"));
	char *other = scratch_file(*state, "b.json", "{}"), *empty = strdup(other);
	const char *paths[] = { rule, empty };
	const struct sq_pack_opts opts = { .paths = paths, .n_paths = 2 };
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;

	(void)snprintf(empty, strlen(other) + 1, "%s/none", (char *)*state);
	assert_int_equal(mkdir(empty, 0700), 0);
	assert_int_equal(sq_pack_load(&opts, &rs, NULL, &diags, NULL), 0);
	assert_int_equal(diags.errors, 0);
	assert_int_equal(diags.warnings, 1);
	assert_string_equal(diags.list[0].file, empty);
	assert_non_null(strstr(diags.list[0].text, "no rules (*.yml, *.yaml) in this folder"));
	assert_int_equal(rmdir(empty), 0);
	sq_ruleset_unref(rs);
	sq_diags_fini(&diags);
	free(rule);
	free(other);
	free(empty);
}

static void a_path_that_is_not_there_is_an_error(void **state)
{
	struct load l = load("/no/such/rules", NULL, true);

	(void)state;
	assert_int_equal(l.result, -EINVAL);
	assert_non_null(strstr(l.err.text, "/no/such/rules"));
	assert_non_null(strstr(l.err.text, "No such file"));
	assert_int_equal(l.diags.errors, 1);
	unload(&l);
}

static void every_error_of_every_file_is_told_and_one_refuses_the_pack(void **state)
{
	struct load l;

	free(scratch_file(*state, "a.yml", "title: [\n"));
	free(scratch_file(*state, "b.yml", RULE("B", ID("2"), "b")));
	free(scratch_file(*state, "c.yml", "title: x\n"));
	scratch_link(*state, "nowhere", "d.yml");
	l = load(*state, NULL, true);
	assert_int_equal(l.result, -EINVAL);
	assert_null(l.rules);
	assert_true(l.diags.errors >= 3);
	assert_non_null(strstr(l.err.text, "/a.yml:"));
	assert_non_null(strstr(l.err.text, "more errors)"));
	unload(&l);
}

static void the_same_id_in_two_files_is_an_error(void **state)
{
	struct load l;

	free(scratch_file(*state, "a.yml", RULE("A", ID("1"), "a")));
	free(scratch_file(*state, "b.yml", RULE("B", ID("1"), "b")));
	l = load(*state, NULL, true);
	assert_int_equal(l.result, -EINVAL);
	assert_non_null(strstr(l.err.text, "/b.yml:"));
	unload(&l);
}

/* The one file of a cache folder; to be freed. */
static char *cache_file(const char *folder)
{
	struct sq_paths p = { 0 };
	char *path;

	assert_int_equal(sq_paths_add(&p, folder, ".hsdb", NULL, NULL), 0);
	assert_int_equal(p.n, 1);
	path = strdup(p.list[0]);
	sq_paths_fini(&p);
	return path;
}

static void a_cache_is_written_privately_and_used_the_next_time(void **state)
{
	char *rules = scratch_file(*state, "a.yml", RULE("A", ID("1"), "a"));
	char *cache = scratch_path(*state, "new/cache");
	struct load l = load(rules, cache, false);
	struct stat st;
	char *file;

	assert_int_equal(l.result, 0);
	assert_false(l.report.cache_used);
	assert_int_equal(l.diags.warnings, 0);
	unload(&l);
	assert_int_equal(stat(cache, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	file = cache_file(cache);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	l = load(rules, cache, false);
	assert_int_equal(l.result, 0);
	assert_true(l.report.cache_used);
	unload(&l);
	free(file);
	free(cache);
	free(rules);
}

static void a_damaged_cache_is_compiled_anew_and_replaced(void **state)
{
	char *rules = scratch_file(*state, "a.yml", RULE("A", ID("1"), "a"));
	char *cache = scratch_path(*state, "cache");
	struct load l = load(rules, cache, false);
	char *file;

	unload(&l);
	file = cache_file(cache);
	assert_int_equal(truncate(file, 100), 0);
	l = load(rules, cache, false);
	assert_int_equal(l.result, 0);
	assert_false(l.report.cache_used);
	unload(&l);
	l = load(rules, cache, false);
	assert_true(l.report.cache_used);
	unload(&l);
	free(file);
	free(cache);
	free(rules);
}

static void a_cache_that_others_may_write_is_not_read(void **state)
{
	char *rules = scratch_file(*state, "a.yml", RULE("A", ID("1"), "a"));
	char *cache = scratch_path(*state, "cache");
	struct load l = load(rules, cache, false);
	char *file;

	unload(&l);
	file = cache_file(cache);
	assert_int_equal(chmod(file, 0666), 0);
	l = load(rules, cache, false);
	assert_int_equal(l.result, 0);
	assert_false(l.report.cache_used);
	assert_int_equal(l.diags.warnings, 1);
	assert_non_null(strstr(l.diags.list[0].text, "others may write"));
	unload(&l);
	free(file);
	free(cache);
	free(rules);
}

static void a_cache_that_cannot_be_written_is_a_warning(void **state)
{
	char *rules = scratch_file(*state, "a.yml", RULE("A", ID("1"), "a"));
	struct load l = load(rules, rules, false); /* a file where a folder should be */

	assert_int_equal(l.result, 0);
	assert_int_equal(l.diags.errors, 0);
	assert_true(l.diags.warnings >= 1);
	assert_non_null(strstr(l.diags.list[l.diags.n - 1].text, "cache not written"));
	unload(&l);
	free(rules);
}

static void a_plain_set_leaves_the_cache_alone(void **state)
{
	char *rules = scratch_file(*state, "a.yml", RULE("A", ID("1"), "a"));
	char *cache = scratch_path(*state, "cache");
	struct load l = load(rules, cache, true);

	assert_int_equal(l.result, 0);
	assert_int_equal(access(cache, F_OK), -1);
	unload(&l);
	free(cache);
	free(rules);
}

static void where_patterns_and_cache_are_follows_the_environment(void **state)
{
	(void)state;
	assert_int_equal(setenv("SQUIBLY_PATTERNS", "/srv/patterns", 1), 0);
	assert_string_equal(sq_pack_shipped(), "/srv/patterns");
	assert_int_equal(unsetenv("SQUIBLY_PATTERNS"), 0);
	assert_true(sq_sv_ends(sq_sv_of(sq_pack_shipped()), SQ_SV("/patterns")));

	assert_int_equal(setenv("CACHE_DIRECTORY", "/var/cache/squiblyd:/var/cache/b", 1), 0);
	assert_string_equal(sq_pack_cache(), "/var/cache/squiblyd");
	assert_int_equal(unsetenv("CACHE_DIRECTORY"), 0);
	assert_int_equal(setenv("XDG_CACHE_HOME", "/x", 1), 0);
	assert_string_equal(sq_pack_cache(), "/x/squibly");
	assert_int_equal(setenv("XDG_CACHE_HOME", "relative", 1), 0);
	assert_int_equal(setenv("HOME", "/home/a", 1), 0);
	assert_string_equal(sq_pack_cache(), "/home/a/.cache/squibly");
	assert_int_equal(unsetenv("HOME"), 0);
	assert_null(sq_pack_cache());
}

/* Each allocation fails once, and all is well or told. What fails late may be the cache alone,
 * which is a warning. */
static void fail_each_allocation(const char *folder, unsigned threads, uint32_t rules)
{
	char *cache = scratch_path(folder, "cache");
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		struct load l;

		fault_alloc_at(n);
		l = load_with(&(struct sq_pack_opts){
			.paths = &folder, .n_paths = 1, .cache = cache, .threads = threads });
		failed = fault_alloc_end();
		if (l.result == 0) {
			assert_int_equal(sq_ruleset_count(l.rules), rules);
		} else {
			assert_true(failed);
			assert_null(l.rules);
			assert_true(l.err.text[0]);
		}
		unload(&l);
		assert_true(n < 10000);
	}
	free(cache);
}

static void no_allocation_that_fails_does_harm(void **state)
{
	free(scratch_file(*state, "a.yml", RULE("A", ID("1"), "a")));
	free(scratch_file(*state, "b.yml", RULE("B", ID("2"), "b")));
	fail_each_allocation(*state, 1, 2);
}

/* Rules on four fields, so that each of three threads has a database to compile; two of them hold
 * an expression that Hyperscan refuses. */
static void rules_on_four_fields(void *folder)
{
	static const char rules[] = "title: A\nid: " ID(
		"1") "\nstatus: test\nlevel: high\n"
		     "logsource:\n  category: process_creation\n  product: windows\n"
		     "detection:\n  s:\n    CommandLine|contains: [abc, def]\n    Image|endswith: ghi\n"
		     "    User|re: x(?=y)\n    OriginalFileName|re: z(?!y)\n  condition: s\n";

	free(scratch_file(folder, "a.yml", rules));
}

static struct load load_on(unsigned threads, const char *path)
{
	return load_with(
		&(struct sq_pack_opts){ .paths = &path, .n_paths = 1, .threads = threads });
}

static void threads_compile_the_same_as_one(void **state)
{
	struct sq_outbuf want = sq_outbuf_of(1 << 20);
	struct load one;

	rules_on_four_fields(*state);
	one = load_on(1, *state);
	assert_int_equal(one.result, 0);
	assert_int_equal(sq_ruleset_save(one.rules, &want), 0);
	for (unsigned threads = 2; threads < 7; threads++) {
		struct sq_outbuf got = sq_outbuf_of(1 << 20);
		struct load l = load_on(threads, *state);

		assert_int_equal(l.result, 0);
		assert_int_equal(sq_ruleset_save(l.rules, &got), 0);
		assert_true(sq_sv_eq(sq_outbuf_view(&want), sq_outbuf_view(&got)));
		assert_int_equal(l.report.notes.n, 2);
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(l.report.notes.list[i].line,
			                 one.report.notes.list[i].line);
		sq_outbuf_fini(&got);
		unload(&l);
	}
	sq_outbuf_fini(&want);
	unload(&one);
}

static void no_allocation_that_fails_on_a_thread_does_harm(void **state)
{
	rules_on_four_fields(*state);
	fail_each_allocation(*state, 3, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rules_of_all_files_below_a_folder_are_one_set),
		TEST(filters_apply_to_rules_of_other_files),
		TEST(a_broken_rule_is_not_the_mistake_of_its_filter),
		TEST(filters_alone_are_no_rules),
		TEST(no_rules_is_an_error_that_names_the_paths),
		TEST(a_folder_without_rules_beside_others_is_warned_of),
		TEST(a_path_that_is_not_there_is_an_error),
		TEST(every_error_of_every_file_is_told_and_one_refuses_the_pack),
		TEST(the_same_id_in_two_files_is_an_error),
		TEST(a_cache_is_written_privately_and_used_the_next_time),
		TEST(a_damaged_cache_is_compiled_anew_and_replaced),
		TEST(a_cache_that_others_may_write_is_not_read),
		TEST(a_cache_that_cannot_be_written_is_a_warning),
		TEST(a_plain_set_leaves_the_cache_alone),
		TEST(no_allocation_that_fails_does_harm),
		TEST(threads_compile_the_same_as_one),
		TEST(no_allocation_that_fails_on_a_thread_does_harm),
		TEST(where_patterns_and_cache_are_follows_the_environment),
	};

	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
