/* The command line.
 */
#pragma once

#include "lib/base/err.h"

enum sqd_command {
	SQD_RUN,
	SQD_CHECK_CONFIG,
	SQD_PRINT_CONFIG,
	SQD_HELP_CONFIG,
	SQD_HELP,
	SQD_VERSION_SHOWN,
};

struct sqd_args {
	enum sqd_command command;
	const char *config; /* NULL: the built-in default */
	char **rules;       /* --rules, in order; owned, the texts are argv's */
	size_t n_rules;
};

/** @return 0, or -EINVAL with `err`; sqd_args_fini() in any case */
int sqd_args_parse(struct sqd_args *a, int argc, char **argv, struct sq_err *err) SQ_MUST_CHECK;
void sqd_args_fini(struct sqd_args *a);

extern const char sqd_args_help[];
