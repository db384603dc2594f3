/* Bytes of a file, of standard input, or of what gzip and zstd packed.
 *
 * What a file is shows in its first bytes, not in its name. Reads are large; there is no copy
 * between read(2) and the caller's memory but for the first few bytes of a file.
 */
#pragma once

#include <sys/types.h>

#include "lib/base/err.h"

struct cli_input;

/** Open `path` ("-" = standard input) and look at its first bytes. @return 0 or negative errno */
int cli_input_open(const char *path, struct cli_input **ret, struct sq_err *err) SQ_MUST_CHECK;
void cli_input_close(struct cli_input *in);

/** At least one and at most `n` bytes. @return how many, 0 at the end, negative errno */
ssize_t cli_input_read(struct cli_input *in, char *to, size_t n, struct sq_err *err) SQ_MUST_CHECK;

/** Bytes taken from the file so far (packed ones, when it is packed), and its size (0: unknown). */
uint64_t cli_input_at(const struct cli_input *in);
uint64_t cli_input_size(const struct cli_input *in);
