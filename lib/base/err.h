/* The one error object of cold paths, and the list of findings that checking a file gives.
 *
 * Functions return 0, a count, or a negative errno; those whose failure a person will want
 * explained also fill a struct sq_err (last parameter, may be NULL).
 */
#pragma once

#include "lib/base/sv.h"

enum { SQ_ERR_TEXT = 512 };

struct sq_err {
	int code;               /* negative errno */
	char text[SQ_ERR_TEXT]; /* one line, cut when too long; never ends in a newline */
};

/** Fill `err` (when not NULL). @return code, so that `return sq_err_set(...)` reads well */
int sq_err_set(struct sq_err *err, int code, const char *fmt, ...) SQ_PRINTF(3, 4);

/** Put "context: " in front of what is there. @return code */
int sq_err_wrap(struct sq_err *err, int code, const char *fmt, ...) SQ_PRINTF(3, 4);

/** "No such file or directory" for -ENOENT; thread safe, never NULL. */
const char *sq_strerror(int code);

enum sq_severity { SQ_DIAG_WARNING, SQ_DIAG_ERROR };

/** One finding about a file that a person wrote. */
struct sq_diag {
	char *file;         /* owned */
	unsigned line, col; /* from 1; 0 = the file as a whole */
	enum sq_severity severity;
	char *text; /* owned; one line */
};

/** Findings in order. Begin with `= { 0 }`. Bounded: after SQ_DIAGS_MAX only counts go on. */
struct sq_diags {
	struct sq_diag *list;
	size_t n, cap;
	size_t errors, warnings; /* all of them, kept or not */
};

enum { SQ_DIAGS_MAX = 1000 };

/** Add one finding. Out of memory loses the text, never the count. */
void sq_diag_add(struct sq_diags *d, enum sq_severity severity, const char *file, unsigned line,
                 unsigned col, const char *fmt, ...) SQ_PRINTF(6, 7);
void sq_diags_fini(struct sq_diags *d);

/** The first error as one line "file:line:col: text" into `err` (without the position when it is of
 *  the file as a whole), with the count of the others.
 *  @return -EINVAL when there is an error, else 0 */
int sq_diags_to_err(const struct sq_diags *d, struct sq_err *err);
