/* A small rule set, built with or without a cache, and whether it finds what it should. */
#pragma once

#include "lib/rules/compiled.h"
#include "lib/rules/matcher.h"
#include "tests/support/byhand.h"
#include "tests/support/test.h"

static const char *const words[] = { "*scrobj*", "*http?://*", "*~s *", "reg*32", "*.dll" };

/* Rules 0 to 4 on the words, 5 on a look-ahead that Hyperscan refuses, 6 on the user. */
static inline void make(struct sq_rules *rules)
{
	assert_int_equal(sq_rules_init(rules), 0);
	for (size_t i = 0; i < SQ_LEN(words); i++)
		hand_rule(rules, "word",
		          hand_is(rules,
		                  hand_glob(rules, SQ_F_COMMAND_LINE, sq_sv_of(words[i]), false)));
	hand_rule(rules, "ahead",
	          hand_is(rules, hand_regex(rules, SQ_F_COMMAND_LINE, SQ_SV("x(?=y)"), 0)));
	hand_rule(rules, "user", hand_is(rules, hand_glob(rules, SQ_F_USER, SQ_SV("*a*"), false)));
}

static inline struct sq_ruleset *build(struct sq_sv cached, bool plain,
                                       struct sq_ruleset_report *report)
{
	struct sq_ruleset_opts opts = { .cached = cached, .plain = plain };
	struct sq_ruleset *rs;
	struct sq_rules rules;

	make(&rules);
	assert_int_equal(sq_ruleset_build(&rules, &opts, &rs, report, NULL), 0);
	return rs;
}

static inline uint32_t hits_of(struct sq_ruleset *rs, const char *line)
{
	static struct sq_hits hits;
	struct sq_event ev = hand_event(sq_ruleset_fields(rs));
	struct sq_matcher *m = sq_matcher_new(rs);
	uint32_t bits = 0;

	hand_value(&ev, SQ_F_COMMAND_LINE, SQ_VALUE_TEXT, sq_sv_of(line));
	sq_matcher_run(m, &ev, &hits);
	for (uint32_t i = 0; i < hits.n; i++)
		bits |= 1u << hits.list[i].rule;
	sq_matcher_free(m);
	hand_event_fini(&ev);
	return bits;
}

static inline void is_right(struct sq_ruleset *rs)
{
	assert_int_equal(hits_of(rs, "regsvr32 /s /i:https://x SCROBJ.dll"), 1 | 2 | 4 | 16);
	assert_int_equal(hits_of(rs, "REGx32"), 8);
	assert_int_equal(hits_of(rs, "axyb"), 32);
	assert_int_equal(hits_of(rs, "nothing"), 0);
}

static inline void save(struct sq_outbuf *out)
{
	struct sq_ruleset *rs = build(SQ_SV(""), false, NULL);

	*out = sq_outbuf_of(64 << 20);
	assert_int_equal(sq_ruleset_save(rs, out), 0);
	sq_ruleset_unref(rs);
}

static inline void says_what_runs_without_hyperscan(const struct sq_ruleset_report *report)
{
	assert_int_equal(report->notes.n, 1);
	assert_int_equal(report->notes.warnings, 1);
	assert_string_equal(report->notes.list[0].file, "by-hand.yml");
	assert_int_equal(report->notes.list[0].line, 7);
	assert_int_equal(report->notes.list[0].col, 3);
	assert_non_null(strstr(report->notes.list[0].text, "runs without Hyperscan: "));
}
