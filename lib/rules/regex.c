#include "lib/rules/regex.h"

#include <errno.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	SQ_REGEX_PATTERN_MAX = 64 * 1024, /* bytes */
	SQ_REGEX_HEAP_KIB = 4 * 1024,     /* memory of one search, beside its step limit */
};

struct sq_regex {
	pcre2_code *code;
	pcre2_match_context *limits; /* constant after sq_regex_new: shared by all threads */
};

/* One match block serves every expression: only yes or no is asked for, so one pair is enough. */
struct sq_regex_scratch {
	pcre2_match_data *data;
};

/* One newline (LF) whatever PCRE2 was built with, because Hyperscan knows no other; no way for a
 * pattern to switch to UTF or Unicode properties, because values are bytes. */
static pcre2_code *compile(struct sq_sv pattern, unsigned flags, int *ret_code, PCRE2_SIZE *ret_at)
{
	uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
	pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
	pcre2_code *code;

	if (!cc) {
		*ret_code = PCRE2_ERROR_NOMEMORY;
		*ret_at = 0;
		return NULL;
	}
	pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
	if (flags & SQ_REGEX_ICASE)
		options |= PCRE2_CASELESS;
	if (flags & SQ_REGEX_MULTI)
		options |= PCRE2_MULTILINE;
	if (flags & SQ_REGEX_DOTALL)
		options |= PCRE2_DOTALL;
	code = pcre2_compile((PCRE2_SPTR)(pattern.n ? pattern.p : ""), pattern.n, options, ret_code,
	                     ret_at, cc);
	pcre2_compile_context_free(cc);
	return code;
}

int sq_regex_new(struct sq_sv pattern, unsigned flags, uint32_t steps, struct sq_regex **ret,
                 struct sq_err *err)
{
	unsigned char why[160];
	struct sq_regex *re;
	PCRE2_SIZE at;
	int code;

	if (pattern.n > SQ_REGEX_PATTERN_MAX)
		return sq_err_set(err, -EINVAL, "regular expression is longer than %d bytes",
		                  SQ_REGEX_PATTERN_MAX);
	re = calloc(1, sizeof(*re));
	if (!re)
		return sq_err_set(err, -ENOMEM, "out of memory");

	re->code = compile(pattern, flags, &code, &at);
	if (!re->code) {
		sq_regex_free(re);
		if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_NOMEMORY)
			return sq_err_set(err, -ENOMEM, "out of memory");
		if (pcre2_get_error_message(code, why, sizeof(why)) < 0)
			why[0] = '\0';
		return sq_err_set(err, -EINVAL, "regular expression: %s, at byte %zu",
		                  (const char *)why, (size_t)at);
	}
	re->limits = pcre2_match_context_create(NULL);
	if (!re->limits) {
		sq_regex_free(re);
		return sq_err_set(err, -ENOMEM, "out of memory");
	}
	pcre2_set_match_limit(re->limits, steps);
	pcre2_set_heap_limit(re->limits, SQ_REGEX_HEAP_KIB);
	*ret = re;
	return 0;
}

void sq_regex_free(struct sq_regex *re)
{
	if (!re)
		return;
	pcre2_code_free(re->code);
	pcre2_match_context_free(re->limits);
	free(re);
}

struct sq_regex_scratch *sq_regex_scratch_new(void)
{
	struct sq_regex_scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->data = pcre2_match_data_create(1, NULL);
	if (!s->data) {
		free(s);
		return NULL;
	}
	return s;
}

void sq_regex_scratch_free(struct sq_regex_scratch *s)
{
	if (!s)
		return;
	pcre2_match_data_free(s->data);
	free(s);
}

int sq_regex_search(const struct sq_regex *re, struct sq_regex_scratch *s, struct sq_sv text)
{
	int r = pcre2_match(re->code, (PCRE2_SPTR)(text.n ? text.p : ""), text.n, 0, 0, s->data,
	                    re->limits);

	/* 0: found, with more groups than the match block holds. */
	if (r >= 0)
		return 1;
	/* Every other failure (match, depth or heap limit, no memory) means: not decided. */
	return r == PCRE2_ERROR_NOMATCH ? 0 : -EOVERFLOW;
}
