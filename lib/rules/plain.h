/* Predicates run one at a time, with no Hyperscan: the oracle of the tests, the fallback at run
 * time, and the only way for those that Hyperscan has no part in (numbers, networks, presence).
 *
 * What each kind means:
 *   GLOB, REGEX  text, number or boolean as it stands; JSON null is no text and never matches
 *   NUMBER       decimal, 0x hexadecimal or floating point, compared as numbers (whole numbers
 *                exactly); equality also holds for equal text
 *   CIDR         an address; IPv4 and IPv4 mapped into IPv6 are the same; all else: no match
 *   EXISTS       the key is there, JSON null too
 *   NULL         the key is absent, or one of its values is JSON null
 * A field with several values: one of them is enough.
 */
#pragma once

#include "lib/rules/regex.h"
#include "lib/rules/rule.h"

/** What one thread needs to run predicates. */
struct sq_plain_work {
	struct sq_regex_scratch *regex;
	uint64_t limits; /* searches that reached their step limit; they count as no match */
};

/** `p` holds for a value that is there and not null. `re` is the compiled pattern of a REGEX. */
bool sq_plain_value(const struct sq_pred *p, const struct sq_regex *re, struct sq_plain_work *w,
                    struct sq_sv value);

/** `p` holds for the event. `*ret_value` (may be NULL) is then the first value it holds for, empty
 *  when it holds because there is none. */
bool sq_plain_event(const struct sq_pred *p, const struct sq_regex *re, struct sq_plain_work *w,
                    const struct sq_event *ev, struct sq_sv *ret_value);

/** Put an address as text into 16 bytes, IPv4 mapped. A zone ("%5") is left out. */
bool sq_plain_address(struct sq_sv text, uint8_t ret[16]);
