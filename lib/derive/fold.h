/* What a text says once everything is taken away that only hides it.
 *
 * Invisible and control characters go, look-alikes of ASCII letters, dashes, slashes and blanks
 * become what they look like, escapes that the producer's format left over are resolved, and ASCII
 * letters are lower case. Everything else stays, byte by byte, also what is not UTF-8. Folding is
 * for matching only: what is reported is the raw text.
 *
 * Pure. Memory from the arena; text that is plain printable ASCII costs one pass over it.
 */
#pragma once

#include "lib/base/arena.h"

/* clang-format off */
/** X(enumerator, name, what was seen). The names are the values of the field squibly.trick. */
#define SQ_TRICKS(X)                                                                               \
	X(HIDDEN_CHARACTER,  "hidden_character",  "a character that is not shown: zero width, direction mark, soft hyphen, tag") \
	X(CONTROL_CHARACTER, "control_character", "a control character other than tab, CR and LF")     \
	X(LOOK_ALIKE,        "look_alike",        "a letter of another alphabet in the middle of a Latin word, or a letter variant of Latin") \
	X(FULLWIDTH,         "fullwidth",         "a fullwidth form of an ASCII character")            \
	X(MAPPED_DASH,       "mapped_dash",       "a dash look-alike where a switch begins")           \
	X(MAPPED_SLASH,      "mapped_slash",      "a slash look-alike where a switch, a share or a host begins") \
	X(UNICODE_BLANK,     "unicode_blank",     "a blank other than space and tab")                  \
	X(ESCAPE_LEFT,       "escape_left",       "a \\uXXXX escape that was still in the decoded text") \
	X(ENTITY_LEFT,       "entity_left",       "an entity such as &#47; that was still in the decoded text") \
	X(PADDING,           "padding",           "more than 100 bytes of blanks that separate nothing") \
	X(SPLIT_QUOTES,      "split_quotes",      "quotes in the middle of a word, or around a switch's letter") \
	X(NO_ARGV0,          "no_argv0",          "a command line that does not begin with a program name") \
	X(CARET,             "caret",             "cmd.exe's caret in the middle of a word or in front of a switch") \
	X(VARIABLE,          "variable",          "a part of an environment variable, as in %COMSPEC:~0,3%") \
	X(MANY_ARGUMENTS,    "many_arguments",    "more arguments than are looked at one by one")
/* clang-format on */

enum sq_trick {
#define SQ_TRICK_ENUM(e, name, help) SQ_TRICK_##e,
	SQ_TRICKS(SQ_TRICK_ENUM)
#undef SQ_TRICK_ENUM
		SQ_TRICK_N
};

/** Sets of tricks are masks: `tricks & SQ_TRICK_BIT(SQ_TRICK_CARET)`. */
#define SQ_TRICK_BIT(trick) (UINT32_C(1) << (trick))

/** Blanks beyond this many bytes that separate nothing are a trick by themselves. */
enum { SQ_FOLD_PADDING_MAX = 100 };

struct sq_folded {
	struct sq_sv text; /* in the arena; never longer than what was folded */
	/** For each byte of `text` where its source begins in the raw text, then one more: the end
	 *  of the raw text. NULL when not asked for, or when there was no memory for it. */
	const uint32_t *offsets;
	uint32_t tricks; /* of folding, and PADDING */
	uint32_t blanks; /* bytes of blanks next to another blank */
};

/**
 * Fold `raw` (already decoded from JSON or XML) into `*ret`, which is always written. Runs of
 * blanks stay, they are only counted. Folding what was folded gives the same bytes again.
 *
 * @param with_offsets  give `offsets`, too: four bytes of arena for each byte
 * @return false when the arena was full (or `raw` is over 4 GiB): `text` is then `raw` as it is
 */
bool sq_fold_text(struct sq_arena *arena, struct sq_sv raw, bool with_offsets,
                  struct sq_folded *ret);

/** "hidden_character"; never NULL. */
const char *sq_trick_name(enum sq_trick trick);

/** What one code point from U+0080 up becomes. */
enum sq_fold_class {
	SQ_FOLD_KEEP,    /* itself */
	SQ_FOLD_HIDDEN,  /* nothing: it shows nothing */
	SQ_FOLD_JOINER,  /* nothing; joins and variants that emoji and some scripts need */
	SQ_FOLD_CONTROL, /* nothing: a C1 control */
	SQ_FOLD_BLANK,   /* ' ' */
	SQ_FOLD_DASH,    /* '-' */
	SQ_FOLD_SLASH,   /* '/' or '\\' */
	SQ_FOLD_WIDE,    /* its ASCII form */
	SQ_FOLD_LETTER,  /* the ASCII character it looks like */
};

/** Look a code point up. `*ret_ascii` gets the lower-case ASCII byte for the classes that have
 *  one and is left alone for the others. */
enum sq_fold_class sq_fold_class_of(uint32_t cp, char *ret_ascii);
