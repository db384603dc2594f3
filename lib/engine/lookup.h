/* What a site knows of its hosts and networks, from CSV files: owner and criticality of a host, the
 * site of a range of addresses. Added to alerts and verdicts as squibly.context, in formats that
 * are not JSON as the same object in a value.
 *
 * A set of tables never changes once it is made, is counted, and may be read by any thread; whoever
 * loads files anew makes another one. What is written for a row is made when the file is read, so
 * that an event costs a search and a copy, and allocates nothing.
 */
#pragma once

#include "lib/base/err.h"
#include "lib/text/jsonw.h"

/** What of an event is looked up. */
enum sq_lookup_key {
	SQ_LOOKUP_HOST, /* the computer's name; case does not count */
	SQ_LOOKUP_PEER, /* the address it came from, in the longest of the ranges that hold it */
	SQ_LOOKUP_KEYS,
};

enum { SQ_LOOKUP_TABLES = 16, SQ_LOOKUP_COLUMNS = 64 };

struct sq_lookup_opts {
	const char *name; /* of the table, in the alert */
	const char *file; /* in messages */
	enum sq_lookup_key key;
	const char *column;         /* the key's in the file; NULL: the first one */
	const char *const *columns; /* to add; n_columns 0: all but the key's */
	size_t n_columns;
	uint32_t max_rows;
	uint64_t max_bytes; /* of what is made of the rows */
};

struct sq_lookups;

/** A set without tables, and one reference. NULL: out of memory. */
struct sq_lookups *sq_lookups_new(void);
struct sq_lookups *sq_lookups_ref(struct sq_lookups *l);
void sq_lookups_unref(struct sq_lookups *l);

/** Add a table, before anybody else has the set. `text` is changed. @return 0; -EINVAL: see
 *  `diags`; -ENOMEM; -E2BIG: there are SQ_LOOKUP_TABLES already */
int sq_lookups_add(struct sq_lookups *l, const struct sq_lookup_opts *opts, char *text, size_t n,
                   struct sq_diags *diags) SQ_MUST_CHECK;

/** Rows of all tables. */
uint64_t sq_lookups_rows(const struct sq_lookups *l);

/** What a table knows of an event, as two pieces of JSON: one member of an object is `head`,
 *  `members` and a closing brace. They live as long as the set. */
struct sq_lookup_found {
	struct sq_sv head;    /* "assets":{ */
	struct sq_sv members; /* "owner":"Meier","criticality":"high"; never empty */
};

/** What the tables know of the host, and of the peer ("192.0.2.7:514"), in their order. @return how
 *  many of them know something; NULL `l`: none */
size_t sq_lookups_find(const struct sq_lookups *l, struct sq_sv host, struct sq_sv peer,
                       struct sq_lookup_found ret[SQ_LOOKUP_TABLES]);

/** The same as member "context"; left out when no table knows anything. */
void sq_lookups_write(const struct sq_lookups *l, struct sq_sv host, struct sq_sv peer,
                      struct sq_jsonw *w);
