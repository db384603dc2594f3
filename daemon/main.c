/* squiblyd: arguments to actions, results to exit codes. */
#include <errno.h>
#include <stdio.h>

#include "daemon/base/log.h"
#include "daemon/core/args.h"
#include "daemon/core/daemon.h"
#include "daemon/core/reload.h"
#include "lib/host/threads.h"

enum { EXIT_FINDINGS = 1, EXIT_UNUSABLE = 2, TEXT_MAX_BYTES = 4 * 1024 * 1024 };

static int flushed(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "squiblyd: cannot write to standard output\n");
	return EXIT_UNUSABLE;
}

static int put_text(const struct sq_outbuf *text)
{
	if (text->failed) {
		fprintf(stderr, "squiblyd: out of memory\n");
		return EXIT_UNUSABLE;
	}
	(void)fwrite(text->p, 1, text->len, stdout); /* flushed() tells */
	return flushed();
}

static void print_diags(const struct sq_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct sq_diag *d = &diags->list[i];
		const char *kind = d->severity == SQ_DIAG_ERROR ? "error" : "warning";

		if (d->line)
			fprintf(stderr, "%s:%u:%u: %s: %s\n", d->file, d->line, d->col, kind,
			        d->text);
		else
			fprintf(stderr, "%s: %s: %s\n", d->file, kind, d->text);
	}
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static int check(const struct sqd_config *cfg, struct sq_diags *diags)
{
	struct sq_ruleset *rs = NULL;
	struct sqd_rules_info info = { 0 };
	struct sq_err err = { 0 };
	size_t errors = diags->errors;
	int files = sqd_config_check_files(cfg, diags);
	int r = sqd_rules_load(cfg, sq_threads_cpus(), NULL, &rs, &info, diags, &err);

	print_diags(diags);
	if (r < 0 || files < 0) {
		if (diags->errors == errors)
			fprintf(stderr, "squiblyd: %s\n", err.text);
		sq_ruleset_unref(rs);
		return EXIT_FINDINGS;
	}
	printf("%s: good; %u rule%s, %zu input%s, %zu output%s, %zu warning%s\n",
	       cfg->file ? cfg->file : "built-in default", info.rules, plural(info.rules),
	       cfg->inputs.n, plural(cfg->inputs.n), cfg->outputs.n, plural(cfg->outputs.n),
	       diags->warnings, plural(diags->warnings));
	sq_ruleset_unref(rs);
	return flushed();
}

static int run_config(const struct sqd_args *args, struct sqd_config *cfg)
{
	struct sq_diags diags = { 0 };
	struct sq_err err = { 0 };
	struct sq_outbuf text = sq_outbuf_of(TEXT_MAX_BYTES);
	const struct sqd_config_override over = { .rules = args->rules, .n_rules = args->n_rules };
	int r = sqd_config_load(args->config, &over, cfg, &diags, &err);

	if (r < 0) {
		print_diags(&diags);
		if (!diags.errors)
			fprintf(stderr, "squiblyd: %s\n", err.text);
		r = diags.errors ? EXIT_FINDINGS : EXIT_UNUSABLE;
	} else if (args->command == SQD_CHECK_CONFIG) {
		r = check(cfg, &diags);
	} else if (args->command == SQD_PRINT_CONFIG) {
		sqd_config_print(cfg, &text);
		r = put_text(&text);
	} else {
		print_diags(&diags);
		sqd_log_set_level((enum sqd_log_level)cfg->log_level);
		sqd_log_find_journal();
		r = sqd_daemon_run(cfg);
	}
	sq_outbuf_fini(&text);
	sq_diags_fini(&diags);
	return r;
}

static int run(const struct sqd_args *args)
{
	struct sq_outbuf text = sq_outbuf_of(TEXT_MAX_BYTES);
	struct sqd_config cfg = { 0 };
	int r;

	switch (args->command) {
	case SQD_HELP:
		sq_outbuf_put(&text, sq_sv_of(sqd_args_help));
		break;
	case SQD_VERSION_SHOWN:
		sq_outbuf_put(&text, SQ_SV("squiblyd " SQD_VERSION "\n"));
		break;
	case SQD_HELP_CONFIG:
		sqd_config_help(&text);
		break;
	case SQD_RUN:
	case SQD_CHECK_CONFIG:
	case SQD_PRINT_CONFIG:
		r = run_config(args, &cfg);
		sqd_config_fini(&cfg);
		return r;
	}
	r = put_text(&text);
	sq_outbuf_fini(&text);
	return r;
}

int main(int argc, char **argv)
{
	struct sqd_args args;
	struct sq_err err = { 0 };
	int r = sqd_args_parse(&args, argc, argv, &err);

	if (r < 0)
		fprintf(stderr, "squiblyd: %s\nTry squiblyd --help.\n", err.text);
	r = r < 0 ? EXIT_UNUSABLE : run(&args);
	sqd_args_fini(&args);
	return r;
}
