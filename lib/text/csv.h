/* CSV to fields, strictly as RFC 4180 has it: commas, records that end with CRLF or LF, quotes
 * around a field that holds a comma, a line end or a quote (written twice). What a lenient reader
 * would guess at is an error here: a quote inside of a bare field, text behind a closing quote, a
 * quote that is never closed, a lone CR, a NUL.
 *
 * Reads in place: quoted fields are made plain in the text itself. Allocates nothing.
 */
#pragma once

#include "lib/base/err.h"

struct sq_csv {
	char *p, *end;
	unsigned line, col;         /* of what comes next, from 1; columns are bytes */
	unsigned bad_line, bad_col; /* of what is wrong */
	unsigned row_line;          /* where the last row began */
	const char *why;            /* one sentence */
};

/** `text`, of `n` bytes, is changed as it is read and must stay as long as the fields are used. A
 *  byte order mark in front is skipped. */
struct sq_csv sq_csv_of(char *text, size_t n);

/**
 * The fields of the next row; empty lines are skipped.
 *
 * @return how many there are, at most `max`; 0: no more rows; -EBADMSG, -E2BIG (more than `max`):
 *         see `why`, `bad_line` and `bad_col`, and call no more
 */
int sq_csv_row(struct sq_csv *c, struct sq_sv *fields, size_t max) SQ_MUST_CHECK;
