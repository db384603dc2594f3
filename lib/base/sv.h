/* String views: bytes of somebody else's, with a length and no terminator.
 *
 * Pure. A view never owns; whoever made it says how long the bytes live. Case is folded in ASCII
 * only, here and in matching: see docs/rules.md, "Case".
 */
#pragma once

#include <string.h>

#include "lib/base/base.h"

struct sq_sv {
	const char *p;
	size_t n;
};

#define SQ_SV(literal) ((struct sq_sv){ "" literal "", sizeof(literal) - 1 })

/** `printf("%.*s", SQ_SV_ARG(v))`; a view longer than INT_MAX is not printed this way. */
#define SQ_SV_ARG(v) (int)(v).n, (v).p

static inline struct sq_sv sq_sv_of(const char *text)
{
	return (struct sq_sv){ text, strlen(text) };
}

static inline bool sq_sv_eq(struct sq_sv a, struct sq_sv b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool sq_sv_starts(struct sq_sv v, struct sq_sv with)
{
	return v.n >= with.n && (with.n == 0 || memcmp(v.p, with.p, with.n) == 0);
}

static inline bool sq_sv_ends(struct sq_sv v, struct sq_sv with)
{
	return v.n >= with.n && (with.n == 0 || memcmp(v.p + v.n - with.n, with.p, with.n) == 0);
}

/** ASCII lower case of one byte; every other byte is left alone. */
static inline unsigned char sq_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static inline bool sq_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/** Blank as JSON and command lines mean it: space, tab, CR, LF. */
static inline bool sq_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/** The view without its first `n` bytes (all of it when shorter). */
static inline struct sq_sv sq_sv_skip(struct sq_sv v, size_t n)
{
	if (n > v.n)
		n = v.n;
	return (struct sq_sv){ v.p + n, v.n - n };
}

/** At most `n` bytes from the front. */
static inline struct sq_sv sq_sv_first(struct sq_sv v, size_t n)
{
	return (struct sq_sv){ v.p, n < v.n ? n : v.n };
}

/** The same, begins, ends, whatever the case of A to Z; other bytes are themselves. */
bool sq_sv_ieq(struct sq_sv a, struct sq_sv b);
bool sq_sv_istarts(struct sq_sv v, struct sq_sv with);
bool sq_sv_iends(struct sq_sv v, struct sq_sv with);
/** By bytes without a sign, the shorter first. @return < 0, 0, > 0 */
int sq_sv_cmp(struct sq_sv a, struct sq_sv b);

/** Without blanks (sq_is_space) at both ends. */
struct sq_sv sq_sv_trim(struct sq_sv v);

/** Position of `what` in `v`, or SIZE_MAX. */
size_t sq_sv_find(struct sq_sv v, struct sq_sv what);
size_t sq_sv_ifind(struct sq_sv v, struct sq_sv what);
size_t sq_sv_chr(struct sq_sv v, char c);

/** Cut `*v` at the first `sep`: gives the part before it and leaves the part after it in `*v`.
 *  Without a `sep` gives everything and leaves nothing. */
struct sq_sv sq_sv_cut(struct sq_sv *v, char sep);

/** Whole view as a decimal number, an optional '-' first. @return false: not one, or too large. */
bool sq_sv_to_i64(struct sq_sv v, int64_t *ret);
/** Decimal, or hexadecimal with 0x or 0X in front. */
bool sq_sv_to_u64(struct sq_sv v, uint64_t *ret);

/** 64-bit hash (wyhash-like mixing); not for keys an attacker may choose and profit from. */
uint64_t sq_sv_hash(struct sq_sv v);

/** How many single edits (insert, delete, replace, swap) make `b` of `a`; caps at 99. For the
 *  suggestions of error messages; both are cut at 63 bytes, ASCII case is ignored. */
unsigned sq_sv_distance(struct sq_sv a, struct sq_sv b);
