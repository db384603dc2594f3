/* squibly check: validate rules and configuration files, with file, line and column.
 *
 * A configuration is squiblyd's to judge, since it alone knows the options of its inputs and
 * outputs: the squiblyd that lies beside this program is asked with --check-config.
 */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/engine/sieve.h"
#include "lib/host/files.h"
#include "lib/host/pack.h"
#include "lib/host/threads.h"
#include "lib/text/yaml.h"

static const char help[] =
	"Usage: squibly check [OPTION]... PATH...\n\n"
	"Validate Sigma rules (files, or folders of *.yml and *.yaml) and configurations of squiblyd.\n"
	"Findings are printed as FILE:LINE:COLUMN: error|warning: TEXT.\n\n"
	"      --strict  warnings count as errors\n"
	"      --plan    tell which words the bytes of a record must hold for each rule to match\n"
	"  -q, --quiet   nothing but findings\n"
	"  -h, --help\n\n"
	"Exit status: 0 all is well, 1 there are errors, 2 something could not be read.\n";

extern char **environ;

/* A mapping with one of these at its top is a configuration; a rule has none of them. */
static bool is_configuration(const struct sq_yaml *root)
{
	static const char *const keys[] = { "inputs",      "outputs", "rules",     "limits", "fold",
		                            "dead_letter", "workers", "log_level", "batches" };

	if (root->kind != SQ_YAML_MAP || sq_yaml_get(root, "detection") ||
	    sq_yaml_get(root, "logsource"))
		return false;
	for (size_t i = 0; i < SQ_LEN(keys); i++)
		if (sq_yaml_get(root, keys[i]))
			return true;
	return false;
}

/* 1: a configuration, 0: not (a rule, or broken), < 0: cannot be read. */
static int looks_like_configuration(const char *path, struct sq_err *err)
{
	struct sq_outbuf text = sq_outbuf_of(16 * 1024 * 1024);
	struct sq_diags ignored = { 0 };
	struct sq_yaml_doc **docs = NULL;
	int r;

	r = sq_file_read(path, &text, err);
	if (r < 0)
		goto out;
	/* What is wrong with it is told by whoever reads it in earnest. */
	r = sq_yaml_load(sq_outbuf_view(&text), path, &sq_yaml_limits_default, &docs, &ignored);
	if (r >= 0) {
		size_t n = (size_t)r;

		r = n > 0 && is_configuration(sq_yaml_root(docs[0]));
		sq_yaml_free_all(docs, n);
	} else if (r != -ENOMEM) {
		r = 0;
	}
out:
	sq_diags_fini(&ignored);
	sq_outbuf_fini(&text);
	return r;
}

/* squiblyd beside this program: in the same folder, or where a build tree has it. */
static bool find_daemon(char *to, size_t n)
{
	static const char *const places[] = { "squiblyd", "../daemon/squiblyd",
		                              "../sbin/squiblyd" };
	char self[3072];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len < 0)
		return false;
	self[len] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	slash[1] = '\0';
	for (size_t i = 0; i < SQ_LEN(places); i++) {
		int r = snprintf(to, n, "%s%s", self, places[i]);

		if (r > 0 && (size_t)r < n && access(to, X_OK) == 0)
			return true;
	}
	return false;
}

static int check_configuration(const char *path)
{
	char daemon[4096];
	const char *args[] = { "squiblyd", "--check-config", "-c", path, NULL };
	int status, r;
	pid_t pid;

	if (!find_daemon(daemon, sizeof(daemon)))
		return cli_fail("%s is a configuration of squiblyd, which does not lie beside this "
		                "program; run squiblyd --check-config -c %s",
		                path, path);
	fflush(stdout);
	/* posix_spawn() takes char *const[] for history's sake; it writes nothing there. */
	r = posix_spawn(&pid, daemon, NULL, NULL, (char *const *)(uintptr_t)args, environ);
	if (r)
		return cli_fail("cannot run %s: %s", daemon, sq_strerror(-r));
	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0 || !WIFEXITED(status))
		return cli_fail("%s did not end as it should", daemon);
	return WEXITSTATUS(status) == 0 ? CLI_OK : CLI_FOUND;
}

struct check_opts {
	bool strict, quiet, plan;
};

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* What each rule needs, and which of them need nothing. */
static int print_plan(const struct sq_ruleset *rs)
{
	struct sq_outbuf out = sq_outbuf_of(64 << 20);
	struct sq_sieve *sieve = sq_sieve_new(rs, 1);
	const struct sq_sieve_plan *plan = sieve ? sq_sieve_plan(sieve) : NULL;

	if (!plan)
		return cli_fail("out of memory");
	for (uint32_t i = 0; i < plan->n_rules; i++) {
		const struct sq_rule *rule = sq_ruleset_rule(rs, i);

		sq_outbuf_reset(&out);
		sq_sieve_plan_print(plan, i, &out);
		printf("%.*s:%u: %.*s: %.*s\n", SQ_SV_ARG(rule->file), rule->line,
		       SQ_SV_ARG(rule->title), SQ_SV_ARG(sq_outbuf_view(&out)));
	}
	printf("%u word%s; %u rule%s keep%s every record\n", plan->n_words, plural(plan->n_words),
	       plan->n_open, plural(plan->n_open), plan->n_open == 1 ? "s" : "");
	if (sq_sieve_is_open(sieve) && !plan->n_open)
		puts("these are too many, or too many of them are short, to be found any faster than "
		     "reading: every record is read");
	sq_sieve_unref(sieve);
	sq_outbuf_fini(&out);
	return CLI_OK;
}

static int check_rules(const char *const *paths, size_t n, const struct check_opts *o)
{
	struct sq_pack_opts opts = { .paths = paths, .n_paths = n, .threads = sq_threads_cpus() };
	struct sq_ruleset_report report = { 0 };
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_err err = { 0 };
	size_t warnings;
	int r;

	r = sq_pack_load(&opts, &rs, &report, &diags, &err);
	cli_print_diags(&diags, stdout);
	cli_print_diags(&report.notes, stdout);
	warnings = diags.warnings + report.notes.warnings;
	if (r < 0 && !diags.errors)
		fprintf(stderr, "squibly: %s\n", err.text);
	if (!o->quiet && r >= 0)
		printf("%u rule%s, %zu warning%s\n", report.rules, plural(report.rules), warnings,
		       plural(warnings));
	else if (!o->quiet)
		printf("%zu error%s, %zu warning%s\n", diags.errors, plural(diags.errors), warnings,
		       plural(warnings));
	if (r < 0)
		r = diags.errors ? CLI_FOUND : CLI_FAILED;
	else
		r = o->plan ? print_plan(rs) : CLI_OK;
	if (r == CLI_OK && o->strict && warnings)
		r = CLI_FOUND;
	sq_diags_fini(&report.notes);
	sq_diags_fini(&diags);
	sq_ruleset_unref(rs);
	return r;
}

/* Find out what `path` is. A configuration is checked at once; a rule is kept for check_rules(). */
static int check_one(const char *path, const char **rules, size_t *n_rules)
{
	struct sq_err err = { 0 };
	int r = looks_like_configuration(path, &err);

	if (r < 0)
		return cli_fail("%s", r == -ENOMEM ? "out of memory" : err.text);
	if (r > 0)
		return check_configuration(path);
	rules[(*n_rules)++] = path;
	return CLI_OK;
}

/* What is in the folders: there, too, rules and configurations may lie side by side. */
static int expand(char **paths, size_t n, struct sq_paths *ret)
{
	for (size_t i = 0; i < n; i++) {
		struct sq_err err = { 0 };
		size_t before = ret->n;
		int r = sq_paths_add(ret, paths[i], ".yml", ".yaml", &err);

		if (r < 0)
			return cli_fail("%s", err.text);
		if (ret->n == before)
			return cli_fail("%s: no rules and no configuration in it", paths[i]);
	}
	return CLI_OK;
}

static int check_all(char **paths, size_t n, const struct check_opts *o)
{
	struct sq_paths all = { 0 };
	const char **rules = NULL;
	size_t n_rules = 0;
	int status = expand(paths, n, &all);

	if (status == CLI_OK) {
		rules = calloc(all.n, sizeof(*rules));
		if (!rules)
			status = cli_fail("out of memory");
	}
	for (size_t i = 0; rules && i < all.n; i++) {
		int s = check_one(all.list[i], rules, &n_rules);

		if (s > status)
			status = s;
	}
	if (n_rules) {
		/* All rules together, since an id must be unique among them. */
		int s = check_rules(rules, n_rules, o);

		if (s > status)
			status = s;
	}
	free(rules);
	sq_paths_fini(&all);
	return cli_finish(status);
}

static const struct option options[] = {
	{ "strict", no_argument, NULL, 's' },
	{ "plan", no_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

int cli_check(int argc, char **argv)
{
	struct check_opts o = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, ":qh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return cli_finish(CLI_OK);
		} else if (c == 's') {
			o.strict = true;
		} else if (c == 'q') {
			o.quiet = true;
		} else if (c == 'p') {
			o.plan = true;
		} else {
			return cli_bad_option("check", c, argv);
		}
	}
	if (optind == argc)
		return cli_usage("check", "what shall be checked? Give files or folders");
	return check_all(argv + optind, (size_t)(argc - optind), &o);
}
