/* Sigma's value modifiers: the names behind a field ("CommandLine|contains|all").
 *
 * They apply from left to right. Which may stand together is a table here; what they do to a value
 * is in value.c. Private to the Sigma reader.
 */
#pragma once

#include "lib/rules/parse.h"

enum sq_modifier {
	SQ_MOD_CONTAINS,
	SQ_MOD_STARTSWITH,
	SQ_MOD_ENDSWITH,
	SQ_MOD_ALL,
	SQ_MOD_CASED,
	SQ_MOD_WINDASH,
	SQ_MOD_WIDE, /* also utf16le */
	SQ_MOD_UTF16,
	SQ_MOD_UTF16BE,
	SQ_MOD_BASE64,
	SQ_MOD_BASE64OFFSET,
	SQ_MOD_RE,
	SQ_MOD_I,
	SQ_MOD_M,
	SQ_MOD_S,
	SQ_MOD_CIDR,
	SQ_MOD_LT,
	SQ_MOD_LTE,
	SQ_MOD_GT,
	SQ_MOD_GTE,
	SQ_MOD_EXISTS,
	SQ_MODS
};

#define SQ_BIT(mod) (1u << (mod))

struct sq_modifiers {
	uint32_t set;          /* SQ_BIT of each */
	uint8_t list[SQ_MODS]; /* in the order written; each at most once */
	uint32_t n;
};

/** "contains" ... */
const char *sq_modifier_name(enum sq_modifier m);

/**
 * Take the key of a selection's member apart.
 * @param ret_field  the field's name; empty for a keyword ("|all")
 * @return 0, or -EINVAL: reported
 */
int sq_modifiers_read(struct sq_parse *p, const struct sq_yaml *key, struct sq_sv *ret_field,
                      struct sq_modifiers *ret) SQ_MUST_CHECK;
