/* The rules that scan and explain work with: those of --rules, or the shipped ones. */
#pragma once

#include "lib/host/pack.h"

struct cli_rules {
	const char *paths[64];
	size_t n;         /* 0: the shipped ones */
	unsigned threads; /* that may compile them, see sq_pack_opts */
};

/** One more --rules PATH, borrowed. @return CLI_OK, or CLI_FAILED when `command` has been told that
 *  there are too many */
int cli_rules_add(struct cli_rules *rules, const char *command, const char *path);

/** @param plain  each rule is tried as it is written, see sq_pack_opts
 *  @return CLI_OK with a reference, or CLI_FAILED: what is wrong is on standard error */
int cli_rules_load(const struct cli_rules *rules, bool plain, struct sq_ruleset **ret);
