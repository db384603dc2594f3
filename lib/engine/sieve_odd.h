/* What makes the bytes of a record say something else than they spell.
 *
 * Escapes, entities, quotes within words, characters that folding takes away, variables, switches:
 * a record that holds none of these signs holds the letters of its values one behind the other, so
 * that words can be looked for in its bytes (lib/engine/sieve_plan.h). A record that does is odd,
 * and is read. Pure.
 */
#pragma once

#include "lib/text/spot.h"

/** Buckets that the signs take, from 0 on. */
enum { SQ_ODD_BUCKETS = 11 };

/** Have the places found where a sign may begin. */
void sq_odd_windows(struct sq_spot *s);

/** Have line ends found, too, which are no signs. */
void sq_odd_line_ends(struct sq_spot *s);

/** What a sign can hide. */
enum sq_odd {
	SQ_ODD_NOT,    /* nothing: it is none */
	SQ_ODD_FOLDED, /* words, from who looks for them before folding, shells and the splitting of
	                  arguments have taken away what stands in them or for them: no key, no
	                  number, no value as it is sent */
	SQ_ODD_SPELT,  /* anything: the bytes are not what the reader makes of them */
};

/** The worst sign of one of `buckets` (a mask) that begins at `at`. What lies outside of the record
 * counts as NUL. */
enum sq_odd sq_odd_at(struct sq_sv record, size_t at, unsigned buckets);

/** The first sign, looked for byte by byte; SIZE_MAX: the record is not odd. For tests and for who
 *  asks why. */
size_t sq_odd_find(struct sq_sv record);
