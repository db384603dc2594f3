/* A YAML map to a struct, by a table of options: one row holds key, type, range, default, unit and
 * the sentence of the manual. The same tables print the defaults and the manual.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/text/yaml.h"

enum sq_opt_type {
	SQ_OPT_STR,   /* char *, owned by the struct; NULL when absent and without default */
	SQ_OPT_BOOL,  /* bool */
	SQ_OPT_U32,   /* uint32_t */
	SQ_OPT_BYTES, /* uint64_t; 64KiB, 1MiB, 2GiB, or plain bytes */
	SQ_OPT_MSEC,  /* uint64_t milliseconds; 250ms, 30s, 5min, 1h, 1d, or plain milliseconds */
	SQ_OPT_ENUM,  /* int; one of `enums` */
	SQ_OPT_STRS,  /* struct sq_opt_strs, owned */
};

struct sq_opt_strs {
	char **list;
	size_t n;
};

struct sq_opt_enum {
	const char *name; /* NULL ends the list */
	int value;
};

struct sq_opt {
	const char *key; /* NULL ends the table */
	enum sq_opt_type type;
	size_t offset;
	uint64_t min, max; /* U32, BYTES, MSEC; both 0 = any */
	const char *
		def; /* as one would write it; NULL = none (STR: NULL, STRS: empty); STRS: [a, b] */
	const struct sq_opt_enum *enums;
	bool required;
	const char *doc; /* one sentence */
};

/** Every member of the table to its default; nothing that was there before is freed.
 *  @return 0 or -ENOMEM (then the struct owns nothing) */
int sq_opt_defaults(const struct sq_opt *table, void *to) SQ_MUST_CHECK;

/**
 * Read `map` over defaults, which are set here. `to` is all zero or was filled before (what it
 * owned is freed). `map` may be NULL or a plain null: defaults alone. Unknown keys (with a
 * suggestion), wrong types, values out of range and missing required keys go into `diags` under
 * `file`; keys listed in `skip` (NULL-terminated, may be NULL) are somebody else's.
 * @return 0, -EINVAL (see diags), -ENOMEM; `to` always needs sq_opt_free()
 */
int sq_opt_read(const struct sq_opt *table, const struct sq_yaml *map, const char *const *skip,
                void *to, const char *file, struct sq_diags *diags) SQ_MUST_CHECK;

/** Free what the struct owns. */
void sq_opt_free(const struct sq_opt *table, void *of);

/** "key: value" lines of what the struct holds, indented by `indent` blanks. */
void sq_opt_print(const struct sq_opt *table, const void *from, unsigned indent,
                  struct sq_outbuf *out);

/** The manual: for each key its sentence, range and unit as comments, and the key at its default,
 *  commented out. */
void sq_opt_help(const struct sq_opt *table, unsigned indent, struct sq_outbuf *out);
