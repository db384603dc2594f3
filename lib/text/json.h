/* One JSON value to calls. The only module that knows yajl.
 *
 * Whole texts only, read in one go; numbers are handed on as they stand, so that none is too large.
 * Bytes that are not UTF-8 pass. Memory is kept from text to text: after the first few nothing is
 * allocated. Making the handle anew, after an error or a text of several values, costs none either;
 * what costs some again then is a string with an escape that is longer than 32 KiB.
 */
#pragma once

#include "lib/base/sv.h"

enum sq_json_kind { SQ_JSON_NULL, SQ_JSON_BOOL, SQ_JSON_NUMBER, SQ_JSON_STRING };

/** What a reader is told. All are required; returning false ends reading with -ECANCELED. */
struct sq_json_sink {
	bool (*begin)(void *ctx, bool array); /* '{' or '[' */
	bool (*end)(void *ctx, bool array);
	/** Valid until the function returns. */
	bool (*key)(void *ctx, struct sq_sv key);
	/** `stays`: `text` lies in the text being read; else only until the function returns. */
	bool (*scalar)(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays);
};

struct sq_json_limits {
	uint32_t max_depth; /* nested deeper: an error */
	uint32_t max_keys;  /* more keys in one value: an error */
};

struct sq_json;

/** `sink` is kept and must outlive the result. NULL: out of memory. */
struct sq_json *sq_json_new(const struct sq_json_sink *sink, void *ctx,
                            const struct sq_json_limits *limits);
void sq_json_free(struct sq_json *js);

/**
 * Read the first value of `text`, which must be an object or an array.
 *
 * @param ret_used  always set: bytes read. On 0 they end right after the value, on an error
 *                  where it was noticed
 * @return 0, -EBADMSG (see sq_json_why), -ECANCELED (the sink said so), -ENOMEM
 */
int sq_json_read(struct sq_json *js, struct sq_sv text, size_t *ret_used) SQ_MUST_CHECK;

/** Why the last text was refused: one short line, valid until the next read. */
const char *sq_json_why(const struct sq_json *js);

/** The last text was refused for one thing only: it ended before its value did. */
bool sq_json_was_cut(const struct sq_json *js);
