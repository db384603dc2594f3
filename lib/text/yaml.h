/* YAML text to a small tree that knows its lines. The only module that knows libyaml.
 *
 * Every node is constant after loading and lives until sq_yaml_free(). A scalar keeps how it was
 * written, since Sigma and YAML disagree on types: `quoted` tells '4688' from 4688. Nothing is
 * guessed here: whoever reads a scalar decides what it may be (see sq_yaml_is_null and
 * sq_yaml_is_bool).
 */
#pragma once

#include "lib/base/err.h"

enum sq_yaml_kind { SQ_YAML_SCALAR, SQ_YAML_MAP, SQ_YAML_LIST };

struct sq_yaml {
	enum sq_yaml_kind kind;
	unsigned line, col;          /* of its first character, from 1 */
	bool quoted;                 /* scalar in quotes, or a block scalar: always text */
	bool block;                  /* a block scalar (| or >): its text begins on a later line */
	struct sq_sv text;           /* scalar; also terminated by a NUL */
	const struct sq_yaml *key;   /* member of a map: its key, a scalar; else NULL */
	const struct sq_yaml *first; /* map or list: its first member */
	const struct sq_yaml *next;  /* the member after this one */
	uint32_t n;                  /* map or list: members */
};

struct sq_yaml_doc; /* owns the nodes of one document */

struct sq_yaml_limits {
	uint32_t max_nodes; /* aliases count each time they are used */
	uint32_t max_depth;
};

extern const struct sq_yaml_limits sq_yaml_limits_default; /* 200,000 nodes, 64 deep */

/**
 * Read a stream of documents; UTF-8 only.
 *
 * Refused, as findings in `diags` with `name` as the file: syntax errors, duplicate keys, keys that
 * are not scalars, tags, merge keys (<<), an alias inside its own anchor, a NUL inside a scalar,
 * more than the limits. One such finding and nothing of the stream is kept; reading goes on as far
 * as it can, so that one run shows many of them. An alias is replaced by what it stands for: the
 * node gets the alias's position, the nodes below keep their own. Text without any document (only
 * comments, or nothing) gives 0.
 * @return number of documents, in `*ret` (an array of pointers, to be freed with sq_yaml_free_all;
 *         NULL when there are none), or -EINVAL, -ENOMEM, with nothing in `*ret`
 */
int sq_yaml_load(struct sq_sv text, const char *name, const struct sq_yaml_limits *limits,
                 struct sq_yaml_doc ***ret, struct sq_diags *diags) SQ_MUST_CHECK;
void sq_yaml_free_all(struct sq_yaml_doc **docs, size_t n);

/** The top node; never NULL. An empty document is a scalar with empty text, not quoted. */
const struct sq_yaml *sq_yaml_root(const struct sq_yaml_doc *doc);

/** Member of a map by name, or NULL (also when `map` is NULL or no map). */
const struct sq_yaml *sq_yaml_get(const struct sq_yaml *map, const char *key);

/** Plain (not quoted) and null, ~ or empty. */
bool sq_yaml_is_null(const struct sq_yaml *y);
/** Plain true/false (also yes/no, on/off as people write them in configurations), in any case. */
bool sq_yaml_is_bool(const struct sq_yaml *y, bool *ret);
