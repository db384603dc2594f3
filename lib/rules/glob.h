/* Sigma's wildcard texts as lists of parts, and what modifiers make of them. Private to the Sigma
 * reader; the result is the `globs` of struct sq_pred.
 *
 * A list is normal: no two TEXT or two ANY stand beside each other, no TEXT is empty.
 */
#pragma once

#include "lib/rules/parse.h"

struct sq_globs {
	struct sq_glob *v;
	uint32_t n;
};

/* Each of these gives 0, or -ENOMEM (`p->nomem` is set), or what is named at it. */

/**
 * Read a text as Sigma writes it. `*` is any number of characters, `?` one. A backslash is plain
 * unless `*`, `?` or a backslash follows: then that one is plain and the first backslash is gone.
 */
int sq_globs_read(struct sq_parse *p, struct sq_sv text, struct sq_globs *ret) SQ_MUST_CHECK;

/** The text as it is, no character special. */
int sq_globs_plain(struct sq_parse *p, struct sq_sv text, struct sq_globs *ret) SQ_MUST_CHECK;

/** ANY before (`front`) and behind (`back`) the rest. */
int sq_globs_open(struct sq_parse *p, struct sq_globs *g, bool front, bool back) SQ_MUST_CHECK;

/** Every - / U+2013 U+2014 U+2015 becomes DASH. */
int sq_globs_windash(struct sq_parse *p, struct sq_globs *g) SQ_MUST_CHECK;

/**
 * TEXT from UTF-8 to UTF-16; `bom` puts FF FE in front.
 * @return also -EINVAL: a `?` has no fixed length, or the BOM would stand behind a wildcard
 */
int sq_globs_utf16(struct sq_parse *p, struct sq_globs *g, bool big, bool bom) SQ_MUST_CHECK;

/** The text of a list without wildcards. @return false when there is one */
bool sq_globs_text(const struct sq_globs *g, struct sq_sv *ret);

/** Base64 of `text`, with padding. Empty and `nomem` when memory runs out. */
struct sq_sv sq_base64(struct sq_parse *p, struct sq_sv text);

/**
 * What the base64 of any text that holds `text` at a position of `shift` modulo 3 must hold: the
 * characters that no neighbour has a part in. `text` has at least 3 bytes.
 */
struct sq_sv sq_base64_shifted(struct sq_parse *p, struct sq_sv text, unsigned shift);
