/* What the parts of the Sigma reader share while one file is read: where findings go, and how
 * expressions are built. Private to sigma.c and the files it calls.
 *
 * The parts report what is wrong themselves and go on, so that one run shows every mistake; who
 * called them sees NULL or -EINVAL. Out of memory is remembered in `nomem` and ends the file.
 */
#pragma once

#include "lib/rules/rule.h"
#include "lib/text/yaml.h"

enum {
	SQ_SELECTIONS_MAX = 1000,       /* in one rule */
	SQ_CONDITION_BYTES_MAX = 65536, /* of one condition */
	SQ_CONDITION_DEPTH_MAX = 64,    /* parentheses and nots around each other */
	SQ_CONDITION_WEIGHT_MAX =
		100000,             /* comparisons of a rule, each use of a selection counted */
	SQ_FILTERS_MAX = 1000,      /* in one set */
	SQ_FILTER_NAMES_MAX = 1000, /* rules that one filter names */
};

struct sq_parse {
	struct sq_rules *rules;
	const char *name; /* of the file, in findings */
	struct sq_diags *diags;
	struct sq_rule *rule; /* being read; its log source is read before its detection */
	bool filter;          /* it is a filter; `rule` only holds its parts until they are read */
	size_t errors;        /* in `diags` before this rule */
	bool nomem;
};

/** A named part of `detection`. */
struct sq_selection {
	struct sq_sv name;
	const struct sq_yaml *node;
	const struct sq_expr *expr; /* never NULL: FALSE stands for one that has errors */
	uint32_t weight;            /* comparisons in it, at least 1 */
	bool used;                  /* a condition asks for it */
};

struct sq_selections {
	struct sq_selection *list;
	uint32_t n;
};

/** Report at the first character of `at` (NULL: the file as a whole). */
void sq_parse_error(struct sq_parse *p, const struct sq_yaml *at, const char *fmt, ...)
	SQ_PRINTF(3, 4);
void sq_parse_warn(struct sq_parse *p, const struct sq_yaml *at, const char *fmt, ...)
	SQ_PRINTF(3, 4);
/** Report `offset` bytes behind the first one of the text of scalar `at`. */
void sq_parse_error_in(struct sq_parse *p, const struct sq_yaml *at, size_t offset, const char *fmt,
                       ...) SQ_PRINTF(4, 5);

/** Zeroed memory that lives as long as the rules; NULL sets `nomem`. */
void *sq_parse_alloc(struct sq_parse *p, size_t n);
/** A copy; an empty view sets `nomem`. */
struct sq_sv sq_parse_dup(struct sq_parse *p, struct sq_sv v);

/** The start of a text from the file, short enough for a message and cut between characters. */
struct sq_sv sq_parse_shown(struct sq_sv v);
/** `printf("%.*s", SQ_SHOW(v))`; evaluates `v` twice. */
#define SQ_SHOW(v) (int)sq_parse_shown(v).n, (v).p

/** Remember `candidate` in `*best` when it is nearer to `word` than what is there. Begin with an
 *  empty view; what is too far away to be meant is not taken. */
void sq_parse_nearer(struct sq_sv word, struct sq_sv candidate, struct sq_sv *best);
/** "; did you mean 'x'?" in `buf`, or "" when `best` is empty. */
struct sq_hint {
	char text[96];
};
const char *sq_parse_hint(struct sq_hint *buf, struct sq_sv best);

/* --- building expressions; each gives NULL when memory runs out --- */

/** Operands of a group while they are found. End with sq_args_fini(). */
struct sq_args {
	const struct sq_expr **v;
	uint32_t n, cap;
};

void sq_args_add(struct sq_parse *p, struct sq_args *args, const struct sq_expr *e);
void sq_args_fini(struct sq_args *args);

struct sq_expr *sq_expr_of_pred(struct sq_parse *p, const struct sq_pred *pred);
/** AND (all) or OR over what `args` holds, at least one; one alone is given back itself. */
const struct sq_expr *sq_expr_group(struct sq_parse *p, bool all, const struct sq_args *args);
struct sq_expr *sq_expr_not(struct sq_parse *p, const struct sq_expr *e);
struct sq_expr *sq_expr_false(struct sq_parse *p);

/** Comparisons below `e`. */
uint32_t sq_expr_weight(const struct sq_expr *e);
