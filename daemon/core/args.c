#include "daemon/core/args.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

const char sqd_args_help[] =
	"Usage: squiblyd [-c FILE] [--rules PATH]...\n"
	"       squiblyd [-c FILE] --check-config | --print-config\n"
	"       squiblyd --help-config | --help | --version\n"
	"\n"
	"Receives Windows events as JSON (over TCP, UDP and HTTP, from Beats and Kafka), matches\n"
	"Sigma rules, and sends alerts on. Without a configuration it listens on 127.0.0.1:5170,\n"
	"TCP and UDP, uses the shipped patterns and writes alerts as JSON lines to standard\n"
	"output.\n"
	"\n"
	"  -c, --config FILE   the configuration\n"
	"      --rules PATH    a file or folder of Sigma rules, instead of the configured ones;\n"
	"                      may be given several times\n"
	"      --check-config  check configuration and rules, say what is found, and end:\n"
	"                      0 good, 1 something is wrong, 2 it could not be checked\n"
	"      --print-config  print the configuration in force, as YAML\n"
	"      --help-config   print every option with its explanation and default\n"
	"  -h, --help          this text\n"
	"  -V, --version       the version\n"
	"\n"
	"Signals: TERM and INT stop (what was received is still worked off; a second one stops\n"
	"at once), HUP reads rules, tables, certificates and secrets again (not the\n"
	"configuration) and reopens files, USR1 prints the counters.\n";

enum { OPT_RULES = 256, OPT_CHECK, OPT_PRINT, OPT_HELP_CONFIG };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "rules", required_argument, NULL, OPT_RULES },
	{ "check-config", no_argument, NULL, OPT_CHECK },
	{ "print-config", no_argument, NULL, OPT_PRINT },
	{ "help-config", no_argument, NULL, OPT_HELP_CONFIG },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int add_rules(struct sqd_args *a, char *path, struct sq_err *err)
{
	char **list = reallocarray(a->rules, a->n_rules + 1, sizeof(*list));

	if (!list)
		return sq_err_set(err, -ENOMEM, "out of memory");
	a->rules = list;
	list[a->n_rules++] = path;
	return 0;
}

static int take(struct sqd_args *a, int option, char **argv, struct sq_err *err)
{
	switch (option) {
	case 'c':
		if (a->config)
			return sq_err_set(err, -EINVAL, "only one configuration: %s or %s",
			                  a->config, optarg);
		a->config = optarg;
		return 0;
	case OPT_RULES:
		return add_rules(a, optarg, err);
	case OPT_CHECK:
		a->command = SQD_CHECK_CONFIG;
		return 0;
	case OPT_PRINT:
		a->command = SQD_PRINT_CONFIG;
		return 0;
	case OPT_HELP_CONFIG:
		a->command = SQD_HELP_CONFIG;
		return 0;
	case 'h':
		a->command = SQD_HELP;
		return 0;
	case 'V':
		a->command = SQD_VERSION_SHOWN;
		return 0;
	case ':':
		return sq_err_set(err, -EINVAL, "%s needs a value", argv[optind - 1]);
	}
	return sq_err_set(err, -EINVAL, "no such option: %s", argv[optind - 1]);
}

int sqd_args_parse(struct sqd_args *a, int argc, char **argv, struct sq_err *err)
{
	int option;

	*a = (struct sqd_args){ 0 };
	optind = 0; /* glibc: begin anew, also when a test calls this twice */
	while ((option = getopt_long(argc, argv, ":c:hV", long_options, NULL)) != -1) {
		int r = take(a, option, argv, err);

		if (r < 0)
			return r;
	}
	if (optind < argc)
		return sq_err_set(err, -EINVAL,
		                  "unexpected argument: %s (a configuration is given with -c)",
		                  argv[optind]);
	return 0;
}

void sqd_args_fini(struct sqd_args *a)
{
	free(a->rules);
	*a = (struct sqd_args){ 0 };
}
