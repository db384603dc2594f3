/* What the subcommands of squibly share.
 *
 * One file a subcommand, each with its own help. A subcommand returns the exit status: CLI_OK,
 * CLI_FOUND (what it looks for was found: findings, alerts of --fail-on, tests that fail) or
 * CLI_FAILED (bad usage, unreadable file). Everything here runs in the first thread of the tool.
 */
#pragma once

#include <getopt.h>
#include <stdio.h>

#include "lib/base/err.h"

enum { CLI_OK = 0, CLI_FOUND = 1, CLI_FAILED = 2 };

/** A subcommand: `argv[0]` is its own name. */
typedef int cli_command_fn(int argc, char **argv);

cli_command_fn cli_scan, cli_check, cli_test, cli_explain, cli_send, cli_spool, cli_status;

/** "squibly: ..." on standard error. @return CLI_FAILED */
int cli_fail(const char *fmt, ...) SQ_PRINTF(1, 2);

/** For a wrong command line: the message, then where help is. @return CLI_FAILED */
int cli_usage(const char *command, const char *fmt, ...) SQ_PRINTF(2, 3);

/** What getopt_long() returned '?' or ':' for, told in words. @return CLI_FAILED */
int cli_bad_option(const char *command, int c, char **argv);

/** Print every finding as "file:line:col: error: text" to `to`. */
void cli_print_diags(const struct sq_diags *d, FILE *to);

/** Flush standard output. @return `status`, or CLI_FAILED when it could not be written */
int cli_finish(int status);
