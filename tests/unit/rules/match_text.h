/* Rules as text against an event as text: what the tests of verdicts share. */
#pragma once

#include "tests/unit/rules/sigma_text.h"

#include "lib/model/reader.h"
#include "lib/rules/matcher.h"

/** The one rule of `yaml`, with its filters, matches an event of Sysmon 1 with these members as
 *  `want` says; with `plain`, without Hyperscan. */
static inline void expect_match(const char *yaml, const char *members, bool plain, bool want)
{
	struct sq_ruleset_opts opts = { .plain = plain };
	struct sq_reader_opts reader_opts = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_arena arena = { 0 };
	struct sq_event ev = { 0 };
	struct sq_matcher *matcher;
	struct sq_reader *reader;
	struct sq_err err = { 0 };
	struct sq_hits hits;
	struct parsed t;
	char json[1024];
	struct sq_sv rest;

	(void)snprintf(json, sizeof(json),
	               "{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",%s}",
	               members);
	parse(&t, yaml);
	assert_int_equal(t.result, 1);
	assert_int_equal(sq_sigma_finish(&t.rules, &t.diags), 0);
	assert_int_equal(sq_ruleset_build(&t.rules, &opts, &rs, NULL, &err), 0);
	t.rules = (struct sq_rules){ 0 }; /* taken */
	matcher = sq_matcher_new(rs);
	reader_opts.want_all = sq_ruleset_wants_all(rs);
	reader = sq_reader_new(sq_ruleset_fields(rs), &reader_opts);
	assert_non_null(matcher);
	assert_non_null(reader);
	assert_int_equal(sq_arena_init(&arena, 1 << 20), 0);
	rest = sq_sv_of(json);
	assert_int_equal(sq_reader_next(reader, &rest, NULL, &arena, &ev), 1);
	assert_int_equal(sq_matcher_run(matcher, &ev, &hits), want);
	sq_arena_fini(&arena);
	sq_reader_free(reader);
	sq_matcher_free(matcher);
	sq_ruleset_unref(rs);
	parsed_fini(&t);
}
