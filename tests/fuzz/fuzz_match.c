/* One value against a fixed set of predicates: Hyperscan and plain.c must agree on each.
 *
 * The input is the value; where a NUL NUL stands in it, it is cut into several values.
 */
#include "lib/rules/matcher.h"
#include "tests/support/byhand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const globs[] = {
	"",        "*",           "a",          "a*",
	"*a",      "*a*",         "a*b",        "*a*b*",
	"*ab*ba*", "?",           "??",         "*?",
	"?*?",     "*?*?*",       "a?c",        "*a?c*",
	"*?a",     "a?*",         "~",          "* ~s *",
	"*~?~*",   "*.dll",       "*regsvr32*", "*\\re?",
	"*http*",  "*a*a*a*",     "\xc3\xa9*",  "*\xe2\x80\x93*",
	"*\xe9*",  "*\n*",        "\r\n",       "*\\*",
	"*k*",     "*scrobj.dll", "a~*~b",      "*??a??*b",
	"*~~*",    "???*",        "*a?b?*",     "*?\xc3\xa9?*",
};

struct expression {
	const char *text;
	unsigned flags;
};

static const struct expression expressions[] = {
	{ "^a", 0 },
	{ "a$", 0 },
	{ "^a$", SQ_REGEX_MULTI },
	{ "^$", 0 },
	{ "^$", SQ_REGEX_MULTI },
	{ "a.b", 0 },
	{ "a.b", SQ_REGEX_DOTALL },
	{ "\\bab\\b", 0 },
	{ "\\Bb", 0 },
	{ "a\\Z", 0 },
	{ "a\\z", 0 },
	{ "\\s\\S\\w\\W\\d", 0 },
	{ "\xc3\xa9", SQ_REGEX_ICASE },
	{ "[^a-z]{2}", SQ_REGEX_ICASE },
	{ "(?:http|ftp)s?://[^/]+/", SQ_REGEX_ICASE },
	{ "(ab|ba){2,3}", 0 },
	{ "x*", 0 },
	{ "[[:punct:]][[:space:]]", 0 },
	{ "a(?=b)", 0 },
	{ "(.)\\1", SQ_REGEX_DOTALL },
};

enum { N_GLOBS = SQ_LEN(globs), N_ALL = 2 * SQ_LEN(globs) + SQ_LEN(expressions) };

static struct sq_ruleset *build(bool plain)
{
	struct sq_ruleset_opts opts = { .plain = plain, .regex_steps = 100000000 };
	struct sq_ruleset *rs;
	struct sq_rules rules;

	if (sq_rules_init(&rules) < 0)
		abort();
	for (size_t i = 0; i < N_ALL; i++) {
		const struct sq_pred *p;

		if (i < 2 * N_GLOBS) {
			p = hand_glob(&rules, SQ_F_COMMAND_LINE, sq_sv_of(globs[i % N_GLOBS]),
			              i >= N_GLOBS);
		} else {
			const struct expression *e = &expressions[i - 2 * N_GLOBS];

			p = hand_regex(&rules, SQ_F_COMMAND_LINE, sq_sv_of(e->text), e->flags);
		}
		/* Four log sources, so that no event matches more than are told. */
		hand_rule(&rules, "r", hand_is(&rules, p))->logsource.categories = UINT64_C(1)
		                                                                   << (1 + i % 4);
	}
	if (sq_ruleset_build(&rules, &opts, &rs, NULL, NULL) < 0)
		abort();
	return rs;
}

static void add_values(struct sq_event *ev, struct sq_sv text)
{
	for (unsigned i = 0; i < 4; i++) {
		size_t at = i < 3 ? sq_sv_find(text, (struct sq_sv){ "\0", 2 }) : SIZE_MAX;

		hand_value(ev, SQ_F_COMMAND_LINE, SQ_VALUE_TEXT, sq_sv_first(text, at));
		if (at == SIZE_MAX)
			return;
		text = sq_sv_skip(text, at + 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sq_ruleset *rs[2];
	static struct sq_matcher *m[2];
	static struct sq_hits hits[2];

	if (size > 4096)
		return 0;
	for (int i = 0; i < 2 && !m[i]; i++) {
		rs[i] = build(i == 1);
		m[i] = sq_matcher_new(rs[i]);
		if (!m[i])
			abort();
	}
	for (unsigned part = 0; part < 4; part++) {
		for (int i = 0; i < 2; i++) {
			struct sq_event ev = hand_event(sq_ruleset_fields(rs[i]));

			ev.category = 1 + part;
			add_values(&ev, (struct sq_sv){ (const char *)data, size });
			sq_matcher_run(m[i], &ev, &hits[i]);
			hand_event_fini(&ev);
		}
		if (hits[0].n != hits[1].n || hits[0].capped || hits[1].capped)
			abort();
		for (uint32_t k = 0; k < hits[0].n; k++) {
			if (hits[0].list[k].rule != hits[1].list[k].rule)
				abort();
		}
	}
	return 0;
}
