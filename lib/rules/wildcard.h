/* Wildcard patterns (the `globs` of struct sq_pred): run them, or write them as a regular
 * expression for Hyperscan.
 *
 * Both ways are in one file because both must accept the same language, byte for byte:
 *   text  its bytes; in caseless patterns ASCII letters in either case
 *   ?     one code point in UTF-8, or one of the bytes f8 to ff, which UTF-8 never has. A stray
 *         continuation byte is no character: a `?` must not begin in the middle of one
 *   dash  one of - / U+2013 U+2014 U+2015
 *   *     any bytes, none too, line ends included
 * A pattern is about the whole value. Pure, thread safe.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/rules/rule.h"

/** Time grows with the length of `value` times that of the longest piece between two `*`; there is
 *  no back-tracking over `*`. */
bool sq_wildcard_match(const struct sq_glob *globs, uint32_t n, bool cased, struct sq_sv value);

/** Append the pattern as a regular expression (bytes, "dot matches all"), no NUL. Patterns that
 *  mean the same give the same text. */
void sq_wildcard_regex(struct sq_outbuf *out, const struct sq_glob *globs, uint32_t n);

/** The pattern is empty text, or nothing but `*`: no use for a search engine. */
bool sq_wildcard_trivial(const struct sq_glob *globs, uint32_t n);

/** Length of the longest text in it: how selective it is. */
size_t sq_wildcard_longest(const struct sq_glob *globs, uint32_t n);
