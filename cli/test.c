/* squibly test: run each rule against the events beside it.
 *
 * Beside RULE.yml lie RULE.hit.ndjson and RULE.miss.ndjson. A rule of the file must match every
 * event of the first and none of the second. Names that begin with a dot are left out.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "cli/term.h"
#include "lib/host/pack.h"
#include "lib/rules/why.h"

enum { WORDS_MAX = 64 * 1024 };

static const char help[] =
	"Usage: squibly test [OPTION]... PATH...\n\n"
	"Run rules against the events that lie beside them. For each rule file RULE.yml at or below PATH,\n"
	"every event in RULE.hit.ndjson must be matched by a rule of that file, and none in\n"
	"RULE.miss.ndjson may be. Without PATH the shipped patterns are tested. Of each event that does\n"
	"otherwise it is told why: what each rule asked for, or which of its selections hold.\n\n"
	"      --allow-bare  a rule without such files is no failure\n"
	"  -q, --quiet       tell of failures only\n"
	"  -h, --help\n\n"
	"Exit status: 0 all as expected, 1 something else, 2 something could not be read.\n";

struct test {
	bool allow_bare, quiet;
	unsigned rules, failures;
	/* The file being run. */
	struct sq_ruleset *rs;
	struct sq_asker *asker;
	const char *path;
	bool want_hit;
	uint64_t n, wrong;
};

enum { MATCHED_TOLD = 3 };

/* The values that a rule matched by, the first few. */
static void tell_matched(const struct sq_hits *hits, uint32_t rule)
{
	for (uint32_t i = 0; hits && i < hits->n; i++) {
		const struct sq_hit *hit = &hits->list[i];

		for (uint32_t k = 0; hit->rule == rule && k < hit->n_matched; k++) {
			if (k == MATCHED_TOLD) {
				printf("; and %u more", hit->n_matched - k);
				return;
			}
			printf("; %s is \"", hit->matched[k].field);
			cli_term_fit(stdout, hit->matched[k].value, 0, 160);
			putchar('"');
		}
	}
}

/* What each rule of the file says about an event that it was mistaken in. */
static void tell_reasons(const struct test *t, const struct sq_event *ev,
                         const struct sq_hits *hits)
{
	struct sq_outbuf text = sq_outbuf_of(WORDS_MAX);

	for (uint32_t i = 0; i < sq_ruleset_count(t->rs); i++) {
		struct sq_why why;

		sq_why(t->asker, i, ev, &why);
		if ((why.verdict == SQ_VERDICT_MATCH) == t->want_hit)
			continue;
		sq_outbuf_reset(&text);
		sq_why_sentence(&text, t->asker, &why, ev, 200);
		fputs("      ", stdout);
		cli_term_fit(stdout, why.rule->title, 0, 60);
		fputs(": ", stdout);
		cli_term_put(stdout, sq_outbuf_view(&text), 0);
		if (why.verdict == SQ_VERDICT_MATCH)
			tell_matched(hits, i);
		putchar('\n');
	}
	sq_outbuf_fini(&text);
}

static void surprise(const struct test *t, const struct sq_event *ev, const struct sq_hits *hits,
                     struct sq_sv raw, const char *what)
{
	struct sq_sv line = ev ? sq_event_get(ev, SQ_F_COMMAND_LINE) : raw;

	printf("FAIL  %s:%llu: %s: ", t->path, (unsigned long long)t->n, what);
	cli_term_put(stdout, sq_sv_first(line.n ? line : raw, 200), 0);
	putchar('\n');
	if (ev)
		tell_reasons(t, ev, hits);
}

static void see(void *ctx, struct cli_sink *sink SQ_UNUSED, const struct sq_event *ev,
                const struct sq_hits *hits, struct sq_sv raw, const char *why)
{
	struct test *t = ctx;

	t->n++;
	if (!ev) {
		t->wrong++;
		surprise(t, NULL, NULL, raw, why ? why : "malformed");
	} else if (t->want_hit && !(hits && hits->n)) {
		t->wrong++;
		surprise(t, ev, hits, raw, "must hit, does not");
	} else if (!t->want_hit && hits && hits->n) {
		t->wrong++;
		surprise(t, ev, hits, raw, "must miss, hits");
	}
}

/* Run the events of RULE + suffix. @return how many there are, or -ENOENT, or another errno */
static int run_beside(struct test *t, struct sq_ruleset *rs, const char *rule, const char *suffix)
{
	struct cli_run_opts opts = { .pipeline = { .observer = { .version = SQ_VERSION },
		                                   .derive_all = true },
		                     .max_record = 1024 * 1024,
		                     .see = see,
		                     .ctx = t };
	struct cli_run *run;
	struct sq_err err = { 0 };
	char path[4096];
	int stem = (int)(strrchr(rule, '.') - rule);
	int r;

	r = snprintf(path, sizeof(path), "%.*s%s", stem, rule, suffix);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	if (access(path, F_OK) < 0)
		return -ENOENT;
	run = cli_run_new(rs, &opts);
	if (!run)
		return -ENOMEM;
	t->path = path;
	t->n = 0;
	t->want_hit = strcmp(suffix, ".hit.ndjson") == 0;
	r = cli_run_file(run, path, &err);
	cli_run_free(run);
	t->path = NULL;
	if (r < 0) {
		printf("FAIL  %s\n", err.text);
		return r;
	}
	if (t->n == 0) {
		printf("FAIL  %s: holds no events\n", path);
		return -ENODATA;
	}
	return (int)t->n;
}

static bool test_events(struct test *t, struct sq_ruleset *rs, const char *rule)
{
	int hit, miss;

	t->wrong = 0;
	hit = run_beside(t, rs, rule, ".hit.ndjson");
	miss = run_beside(t, rs, rule, ".miss.ndjson");
	if (hit == -ENOENT || miss == -ENOENT) {
		if (t->allow_bare && hit == miss) {
			if (!t->quiet)
				printf("bare  %s: no events beside it\n", rule);
			return true;
		}
		printf("FAIL  %s: no %s beside it\n", rule,
		       hit == -ENOENT ? ".hit.ndjson" : ".miss.ndjson");
		return false;
	}
	if (hit < 0 || miss < 0 || t->wrong)
		return false;
	if (!t->quiet)
		printf("ok    %s: %d hit, %d missed, as they should\n", rule, hit, miss);
	return true;
}

static void test_rule(struct test *t, const char *rule)
{
	struct sq_pack_opts opts = { .paths = &rule, .n_paths = 1 };
	struct sq_ruleset *rs = NULL;
	struct sq_diags diags = { 0 };
	struct sq_err err;
	int r;

	t->rules++;
	r = sq_pack_load(&opts, &rs, NULL, &diags, &err);
	cli_print_diags(&diags, stdout);
	sq_diags_fini(&diags);
	if (r < 0) {
		printf("FAIL  %s\n", err.text);
		t->failures++;
		return;
	}
	t->rs = rs;
	t->asker = sq_asker_new(rs);
	if (!t->asker)
		printf("FAIL  %s: out of memory\n", rule);
	if (!t->asker || !test_events(t, rs, rule))
		t->failures++;
	sq_asker_free(t->asker);
	sq_ruleset_unref(rs);
}

static const struct option options[] = {
	{ "allow-bare", no_argument, NULL, 'b' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

int cli_test(int argc, char **argv)
{
	struct test t = { 0 };
	struct sq_paths rules = { 0 };
	struct sq_err err;
	int c, n, r = 0;

	while ((c = getopt_long(argc, argv, ":qh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return cli_finish(CLI_OK);
		} else if (c == 'b') {
			t.allow_bare = true;
		} else if (c == 'q') {
			t.quiet = true;
		} else {
			return cli_bad_option("test", c, argv);
		}
	}
	n = argc - optind;
	if (n == 0)
		r = sq_paths_add(&rules, sq_pack_shipped(), ".yml", ".yaml", &err);
	for (int i = 0; i < n && r >= 0; i++)
		r = sq_paths_add(&rules, argv[optind + i], ".yml", ".yaml", &err);
	if (r < 0) {
		sq_paths_fini(&rules);
		return cli_fail("%s", err.text);
	}
	for (size_t i = 0; i < rules.n; i++) {
		if (!strrchr(rules.list[i], '.')) {
			sq_paths_fini(&rules);
			return cli_fail("a rule file is named *.yml or *.yaml");
		}
		test_rule(&t, rules.list[i]);
	}
	sq_paths_fini(&rules);
	if (!t.rules)
		return cli_fail("no rules (*.yml, *.yaml) there");
	printf("%u rule file%s, %u failed\n", t.rules, t.rules == 1 ? "" : "s", t.failures);
	return cli_finish(t.failures ? CLI_FOUND : CLI_OK);
}
