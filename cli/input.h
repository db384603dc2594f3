/* Bytes of a file, of standard input, or of what gzip and zstd packed.
 *
 * What a file is shows in its first bytes; its name only tells what it was to be. What cannot hold
 * events by either is refused when it is opened. Reads are large; there is no copy between read(2)
 * and the caller's memory but for the first few bytes of a file.
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

/** "standard input", or the path. */
const char *cli_input_name(const struct cli_input *in);

/**
 * The file is a regular one and not packed, so that any part of it can be read by itself.
 * @param ret_base  where reading would begin: not at 0 for a standard input that is half read
 */
bool cli_input_is_plain(struct cli_input *in, uint64_t *ret_base);

/** Read from an offset of a plain file; any thread, also several at a time.
 *  @return bytes, 0 at the end, negative errno */
ssize_t cli_input_pread(const struct cli_input *in, char *to, size_t n, uint64_t at) SQ_MUST_CHECK;

/** The bytes of a plain file from an offset on, at most `n`, where they are mapped (view.h); empty
 *  when they are not. Any thread. */
struct sq_sv cli_input_view(const struct cli_input *in, uint64_t at, size_t n);

/** Go on at an offset of a plain file with cli_input_read(). @return 0 or negative errno */
int cli_input_seek(struct cli_input *in, uint64_t at, struct sq_err *err) SQ_MUST_CHECK;
