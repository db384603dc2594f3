/* The parsed form of a Sigma rule: what sigma.c gives and compile.c takes.
 *
 * Specification: SigmaHQ/sigma-specification v2.1.0. What of it is read, and where we had to
 * decide, is told in docs/rules.md.
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/model/event.h"

enum sq_level {
	SQ_LEVEL_INFORMATIONAL,
	SQ_LEVEL_LOW,
	SQ_LEVEL_MEDIUM,
	SQ_LEVEL_HIGH,
	SQ_LEVEL_CRITICAL,
	SQ_LEVELS
};

/** "informational", "low" ... */
const char *sq_level_name(enum sq_level l);
/** @return 0 or -EINVAL */
int sq_level_parse(struct sq_sv name, enum sq_level *ret) SQ_MUST_CHECK;

enum sq_match {
	SQ_MATCH_GLOB,  /* whole value; parts below; plain equality when there is no wildcard */
	SQ_MATCH_REGEX, /* unanchored search, PCRE syntax */
	SQ_MATCH_CIDR,
	SQ_MATCH_NUMBER, /* lt, lte, gt, gte, and equality of a plain number */
	SQ_MATCH_EXISTS, /* the key is there, whatever its value */
	SQ_MATCH_NULL,   /* the key is absent, or its value is JSON null */
};

enum sq_compare { SQ_EQ, SQ_LT, SQ_LTE, SQ_GT, SQ_GTE };

/** One piece of a wildcard pattern. */
struct sq_glob {
	enum {
		SQ_GLOB_TEXT,
		SQ_GLOB_ANY /* * */,
		SQ_GLOB_ONE /* ?: one code point */,
		SQ_GLOB_DASH /* windash: any of - / U+2013 U+2014 U+2015 */
	} kind;
	struct sq_sv text; /* of TEXT: unescaped */
};

/** One comparison of one field with one value. */
struct sq_pred {
	int32_t field; /* number in sq_rules.fields, or -1: keyword, any value of the event */
	enum sq_match match;
	bool cased;          /* case counts */
	bool expect;         /* EXISTS: true = there */
	uint8_t regex_flags; /* SQ_REGEX_* of lib/rules/regex.h */
	enum sq_compare compare;
	double number;
	struct sq_glob *globs;
	uint32_t n_globs;
	struct sq_sv
		text; /* REGEX: the pattern. CIDR: as written. Else how the value was written */
	struct {
		uint8_t address[16]; /* IPv6, or IPv4 mapped into it */
		uint8_t bits;        /* prefix length within 128 */
	} cidr;
	struct sq_sv file;  /* where it was written: the rule's, or that of a filter */
	unsigned line, col; /* in that file */
};

/** Conditions and selections alike are trees of these. */
struct sq_expr {
	enum {
		SQ_EXPR_AND,
		SQ_EXPR_OR,
		SQ_EXPR_NOT,
		SQ_EXPR_PRED,
		SQ_EXPR_TRUE,
		SQ_EXPR_FALSE
	} kind;
	const struct sq_expr **args; /* AND, OR: n of them; NOT: one */
	uint32_t n;
	const struct sq_pred *pred; /* PRED */
	struct sq_sv selection;     /* name of the selection this is the root of; else empty */
};

struct sq_logsource {
	struct sq_sv category, product, service; /* as written; empty when absent */
	uint64_t categories;                     /* bit per enum sq_category that fits; 0 = any */
	const char *const *channels; /* those that `service` stands for, NULL at the end and static;
	                                NULL = any. ASCII case does not count */
	bool never;                  /* no event of ours can come from there (another product) */
};

struct sq_rule {
	struct sq_sv id, name, title, description, author, status, date;
	enum sq_level level;
	struct sq_sv *tags, *references, *falsepositives;
	uint32_t n_tags, n_references, n_falsepositives;
	struct sq_logsource logsource;
	const struct sq_expr *condition;  /* several conditions are an OR. With filters: an AND of
	                                     the rule's own and one of each filter, in order */
	const struct sq_filter **filters; /* that apply */
	uint32_t n_filters;
	struct sq_sv file; /* as given to sq_sigma_parse */
	unsigned line;     /* of its title */
	bool has_keywords; /* a predicate with field -1 */
};

/** A rule that a filter names. */
struct sq_filter_name {
	struct sq_sv text; /* its id or name */
	unsigned line, col;
};

/** What a site leaves out of rules: a condition that is ANDed to theirs. */
struct sq_filter {
	struct sq_sv title;
	struct sq_logsource logsource; /* rules must have each part that is not empty */
	struct sq_filter_name *names;
	uint32_t n_names;
	bool any; /* every rule of the log source */
	const struct sq_expr *condition;
	struct sq_sv file;
	unsigned line, col; /* of `rules` */
	bool has_keywords;
};

/** All rules of one set while it is being built. Texts and nodes are in `arena` blocks of its own.
 */
struct sq_rules {
	struct sq_rule **list;
	uint32_t n, cap;
	struct sq_filter **filters; /* that wait for sq_sigma_finish() */
	uint32_t n_filters, cap_filters;
	struct sq_fields *fields;       /* owned; grows as rules name fields */
	struct sq_rules_memory *memory; /* private: blocks that grow; owned */
};

/** Rules in one set, and bytes of their texts and nodes. */
enum { SQ_RULES_MAX = 20000, SQ_RULES_BYTES_MAX = 512 << 20 };

/** @return 0 or -ENOMEM. Fields begin with the canonical ones. */
int sq_rules_init(struct sq_rules *rules) SQ_MUST_CHECK;
void sq_rules_fini(struct sq_rules *rules);

/** Memory that lives as long as `rules`; zeroed, aligned for any type. NULL: out of memory, or
 *  over SQ_RULES_BYTES_MAX. */
void *sq_rules_alloc(struct sq_rules *rules, size_t n);
/** A copy with a NUL after it. `p` is NULL when memory ran out, and only then. */
struct sq_sv sq_rules_dup(struct sq_rules *rules, struct sq_sv v);
/** Append `rule` to the list. @return 0, -ENOSPC over SQ_RULES_MAX, -ENOMEM */
int sq_rules_add(struct sq_rules *rules, struct sq_rule *rule) SQ_MUST_CHECK;
