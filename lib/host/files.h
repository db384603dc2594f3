/* The only part of lib/ that touches the file system, for both programs: bounded reading, walking,
 * writing whole files. A library of its own (libsquibly-host); nothing else in lib/ includes it.
 */
#pragma once

#include "lib/base/err.h"
#include "lib/base/outbuf.h"

/** Append the file to `out` (its max is the limit). @return 0, or negative errno with `err` */
int sq_file_read(const char *path, struct sq_outbuf *out, struct sq_err *err) SQ_MUST_CHECK;

/** Could we write to a file of this name, or make it? Nothing is opened. @return 0, or negative
 *  errno with `err` */
int sq_file_may_write(const char *path, struct sq_err *err) SQ_MUST_CHECK;
/** The same of a folder: is it there and ours to write into, or could it be made? */
int sq_folder_may_write(const char *path, struct sq_err *err) SQ_MUST_CHECK;

/** Write by a temporary file beside it and rename. mode as for open(2). */
int sq_file_replace(const char *path, struct sq_sv bytes, unsigned mode,
                    struct sq_err *err) SQ_MUST_CHECK;

/** Sorted list of paths. */
struct sq_paths {
	char **list;
	size_t n, cap;
};
void sq_paths_fini(struct sq_paths *p);

/** Append `path`, or when it is a folder, every file below it whose name ends with `suffix` (or
 *  with `suffix2` when not NULL), sorted; hidden files are left out. At most 100,000. */
int sq_paths_add(struct sq_paths *p, const char *path, const char *suffix, const char *suffix2,
                 struct sq_err *err) SQ_MUST_CHECK;
