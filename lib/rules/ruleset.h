/* A compiled rule pack: constant, counted, shared by all threads.
 *
 * Built from parsed rules: predicates are numbered (equal ones once), those on text go into one
 * Hyperscan database per field, conditions become small programs over the bits. The same predicates
 * can be run without Hyperscan (plain.h): that is the oracle of the tests.
 */
#pragma once

#include "lib/base/each.h"
#include "lib/base/outbuf.h"
#include "lib/rules/rule.h"

struct sq_ruleset;

struct sq_ruleset_opts {
	bool plain; /* use no Hyperscan at all: the oracle */
	struct sq_sv
		cached;       /* bytes that sq_ruleset_save() gave earlier, or empty. A cache that
	                         does not fit (other rules, version, processor, damage) is not used */
	struct sq_each each;  /* who compiles the databases; zeroed: the caller, one by one */
	uint32_t regex_steps; /* match limit of a regular expression that PCRE runs; 0 = 100,000 */
};

/** What building found out; texts are for people. */
struct sq_ruleset_report {
	bool cache_used;
	uint32_t rules, predicates, patterns, databases;
	struct sq_diags notes; /* warnings: patterns Hyperscan refused and PCRE runs, and why */
};

/**
 * Compile. Takes `rules` (also on failure). Seconds for thousands of rules: never on a loop thread.
 * @param report  filled when not NULL; end it with sq_diags_fini(&report->notes)
 * @return 0 and one reference in `*ret`; -EINVAL, -ENOMEM; -ECANCELED when `each` was stopped
 */
int sq_ruleset_build(struct sq_rules *rules, const struct sq_ruleset_opts *opts,
                     struct sq_ruleset **ret, struct sq_ruleset_report *report,
                     struct sq_err *err) SQ_MUST_CHECK;

/** One more reference, of who has one; any thread. @return `rs` */
struct sq_ruleset *sq_ruleset_ref(struct sq_ruleset *rs);
/** Give a reference back; any thread; NULL is nothing. The last one ends the set. */
void sq_ruleset_unref(struct sq_ruleset *rs);

/* What follows does not change while there is a reference, and any thread may look at it. */
uint32_t sq_ruleset_count(const struct sq_ruleset *rs);
/** @param index  below sq_ruleset_count(); the numbers that matching gives */
const struct sq_rule *sq_ruleset_rule(const struct sq_ruleset *rs, uint32_t index);
/** For sq_reader_new(): the canonical fields and those that rules name. */
const struct sq_fields *sq_ruleset_fields(const struct sq_ruleset *rs);
/** There are keyword rules: events are to be read with `want_all` (struct sq_reader_opts). */
bool sq_ruleset_wants_all(const struct sq_ruleset *rs);

/**
 * Keep what a layer above made of these rules; it lives as long as they do. Any thread; whoever is
 * first stays, and what comes later is freed at once. One kind of thing per rule set.
 *
 * @param thing      taken, and ended by `end`; must be equal whoever makes it
 * @return what is attached now; with a NULL `thing`: what is attached, or NULL
 */
const void *sq_ruleset_attach(struct sq_ruleset *rs, void *thing, void (*end)(void *thing));

/** The compiled databases as bytes for a cache file: key, checksum, databases. @return 0, -ENOMEM,
 *  -ENODATA (nothing to save: a plain set) */
int sq_ruleset_save(const struct sq_ruleset *rs, struct sq_outbuf *out) SQ_MUST_CHECK;

/** What the cache file of these rules is named by: 32 hex digits over version, processor and
 *  patterns. Valid for parsed rules, before they are built. */
void sq_rules_cache_key(const struct sq_rules *rules, char ret[33]);
