/* What sieve.c and sieve_lines.c share: a sieve, and a record that is looked at. */
#pragma once

#include <stdatomic.h>

#include "lib/engine/sieve.h"
#include "lib/engine/sieve_ids.h"
#include "lib/text/words.h"

struct sq_sieve {
	atomic_uint refs;
	uint64_t generation;
	bool open;
	struct sq_sieve_plan plan;
	struct sq_spot spot;    /* places of signs and words */
	struct sq_spot lines;   /* and of line ends */
	struct sq_words *words; /* NULL: none */
	struct sq_spot keys;    /* places of event ids */
	struct sq_id_set *ids;  /* by word: those of the rules that need it */
	/* Of the rules that ask for what folding makes. */
	struct sq_id_set folding;
};

/* A record that is being looked at. */
struct sq_look {
	const struct sq_sieve *sieve;
	struct sq_sv record;
	uint32_t looks;       /* places of it */
	struct sq_id_set ids; /* that it tells */
	bool asked;           /* for those */
};

/* Before the first place of it. */
void sq_look_for(struct sq_look *l, const struct sq_sieve *s, struct sq_sv record);

/* A place of a record that would be left out, found by windows: is it to be read after all? */
bool sq_look_at(struct sq_look *l, size_t at);

/* A word stands in the record: do the rules that need it ask for such events? */
bool sq_look_wants(struct sq_look *l, uint32_t word);
