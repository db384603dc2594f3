/* squibly: scan files for regsvr32 abuse, check and test rules, replay events.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "cli/cli.h"

static const struct command {
	const char *name;
	cli_command_fn *run;
	const char *help;
} commands[] = {
	{ "scan", cli_scan, "Read events from files or standard input and print alerts" },
	{ "check", cli_check, "Validate rules and configuration files" },
	{ "test", cli_test, "Run rules against the events that lie beside them" },
	{ "explain", cli_explain, "Tell why rules match an event, or do not" },
	{ "send", cli_send, "Replay the records of a file over TCP, UDP, Beats, HTTP; TLS" },
	{ "spool", cli_spool, "Look into the spool of an output, check it, empty it" },
	{ "status", cli_status, "Ask the running squiblyd whether all is accounted for" },
};

static void print_help(FILE *to)
{
	fputs("Usage: squibly COMMAND [OPTION]... [ARGUMENT]...\n\n"
	      "Find Squiblydoo and other abuse of regsvr32 in Windows events, without a daemon.\n\n",
	      to);
	for (size_t i = 0; i < SQ_LEN(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n  --help, --version\n\n`squibly COMMAND --help` tells more.\n", to);
}

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("squibly: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
}

int cli_usage(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "squibly %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'squibly %s --help'.\n", command);
	return CLI_FAILED;
}

int cli_bad_option(const char *command, int c, char **argv)
{
	/* For a long option getopt has moved on already; for a short one optopt names it. */
	const char *at = argv[optind - 1];

	if (c == ':')
		return cli_usage(command, "option %s needs a value", at);
	if (optopt && !(at[0] == '-' && at[1] == '-'))
		return cli_usage(command, "unknown option -%c", optopt);
	return cli_usage(command, "unknown option %s", at);
}

void cli_print_diags(const struct sq_diags *d, FILE *to)
{
	size_t all = d->errors + d->warnings;

	for (size_t i = 0; i < d->n; i++) {
		const struct sq_diag *g = &d->list[i];

		fputs(g->file ? g->file : "?", to);
		if (g->line)
			fprintf(to, ":%u:%u", g->line, g->col);
		fprintf(to, ": %s: %s\n", g->severity == SQ_DIAG_ERROR ? "error" : "warning",
		        g->text ? g->text : "out of memory");
	}
	if (all > d->n)
		fprintf(to, "... and %zu more\n", all - d->n);
}

int cli_finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return cli_fail("cannot write to standard output: %s", sq_strerror(-errno));
}

static int unknown(const char *name)
{
	const char *nearest = NULL;
	unsigned best = 3; /* more edits than that is another word */

	for (size_t i = 0; i < SQ_LEN(commands); i++) {
		unsigned d = sq_sv_distance(sq_sv_of(name), sq_sv_of(commands[i].name));

		if (d < best) {
			best = d;
			nearest = commands[i].name;
		}
	}
	fprintf(stderr, "squibly: there is no command '%s'", name);
	if (nearest)
		fprintf(stderr, "; did you mean '%s'?", nearest);
	fputs("\nTry 'squibly --help'.\n", stderr);
	return CLI_FAILED;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name) {
		print_help(stderr);
		return CLI_FAILED;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_help(stdout);
		return cli_finish(CLI_OK);
	}
	if (strcmp(name, "--version") == 0) {
		puts("squibly " SQ_VERSION);
		return cli_finish(CLI_OK);
	}
	for (size_t i = 0; i < SQ_LEN(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return unknown(name);
}
