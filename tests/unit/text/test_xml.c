#include "tests/support/test.h"

#include "lib/text/xml.h"

struct walk_case {
	const char *name;
	const char *in;
	const char *want; /* <open >close /empty "text 'cdata !broken, each followed by a blank */
};

/* clang-format off */
static struct walk_case walk_cases[] = {
	{ "tags and text", "<a><b>x</b></a>", "<a <b \"x >b >a " },
	{ "an empty element", "<a/><b />", "/a /b " },
	{ "prefixes are cut off", "<x:a>t</x:a>", "<a \"t >a " },
	{ "declaration, comment and doctype are passed over", "<?xml version='1.0'?><!DOCTYPE a><!-- <b> --><a>", "<a " },
	{ "CDATA", "<a><![CDATA[<x> & ]]></a>", "<a '<x>_&_ >a " },
	{ "a '>' inside a quoted value ends nothing", "<a b='>' c=\"'>\">t", "<a \"t " },
	{ "nothing", "", "" },
	{ "text only", "text", "\"text " },
	{ "a tag without end", "<a", "! " },
	{ "a quote without end", "<a b='>", "! " },
	{ "a comment without end", "<a><!-- x", "<a ! " },
	{ "CDATA without end", "<a><![CDATA[x]]", "<a ! " },
	{ "a lone '<'", "<", "! " },
	{ "an empty tag", "<>", "< " },
};
/* clang-format on */

static void check_walk(void **state)
{
	static const char marks[] = { 0, '<', '/', '>', '"', '\'', '!' };
	const struct walk_case *tc = *state;
	char *copy = exact(tc->in, strlen(tc->in));
	struct sq_sv in = { copy, strlen(tc->in) };
	char got[256];
	size_t n = 0;

	for (;;) {
		struct sq_xml_token t = sq_xml_next(&in);
		bool text = t.kind == SQ_XML_TEXT || t.kind == SQ_XML_CDATA;
		struct sq_sv v = text ? t.text : t.name;

		if (t.kind == SQ_XML_END)
			break;
		got[n++] = marks[t.kind];
		for (size_t i = 0; i < v.n; i++)
			got[n++] = v.p[i] == ' ' ? '_' : v.p[i];
		got[n++] = ' ';
	}
	got[n] = '\0';
	assert_string_equal(got, tc->want);
	free(copy);
}

struct decode_case {
	const char *name;
	const char *in, *want;
};

static struct decode_case decode_cases[] = {
	{ "nothing to do", "plain", "plain" },
	{ "the five", "&amp;&lt;&gt;&quot;&apos;", "&<>\"'" },
	{ "once only", "&amp;lt;", "&lt;" },
	{ "decimal and hexadecimal", "&#65;&#x42;&#X43;", "ABC" },
	{ "two, three and four bytes", "&#233;&#8364;&#x1F600;",
	  "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "no character becomes U+FFFD", "&#0;&#xd800;&#x110000;",
	  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "what is no entity stays", "a & b &nbsp; &; &#; &#x; &#12a; &amp",
	  "a & b &nbsp; &; &#; &#x; &#12a; &amp" },
	{ "a number far too long stays", "&#00000000000000065;", "&#00000000000000065;" },
	{ "at the ends", "&lt;a&gt;", "<a>" },
};

static void check_decode(void **state)
{
	const struct decode_case *tc = *state;
	char *copy = exact(tc->in, strlen(tc->in));
	struct sq_sv in = { copy, strlen(tc->in) };
	struct sq_arena a;

	assert_int_equal(sq_arena_init(&a, in.n), 0);
	assert_sv_equal(sq_xml_decode(in, &a), sq_sv_of(tc->want));
	sq_arena_fini(&a);
	assert_int_equal(sq_arena_init(&a, 0), 0);
	assert_sv_equal(sq_xml_decode(in, &a), in); /* no room: as it was */
	sq_arena_fini(&a);
	free(copy);
}

static void attributes_are_found_in_either_quotes(void **state)
{
	struct sq_sv attrs = SQ_SV(" a='1' x:b = \"2 '\"\tc=''"), v;

	(void)state;
	assert_true(sq_xml_attr(attrs, SQ_SV("a"), &v));
	assert_sv_equal(v, SQ_SV("1"));
	assert_true(sq_xml_attr(attrs, SQ_SV("b"), &v));
	assert_sv_equal(v, SQ_SV("2 '"));
	assert_true(sq_xml_attr(attrs, SQ_SV("c"), &v));
	assert_int_equal(v.n, 0);
	assert_false(sq_xml_attr(attrs, SQ_SV("d"), &v));
	assert_false(sq_xml_attr(SQ_SV("a"), SQ_SV("a"), &v));
	assert_false(sq_xml_attr(SQ_SV("a="), SQ_SV("a"), &v));
	assert_false(sq_xml_attr(SQ_SV("a='"), SQ_SV("a"), &v));
	assert_false(sq_xml_attr(SQ_SV("=''"), SQ_SV("a"), &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_found_in_either_quotes),
	};

	return RUN_TABLE("text/xml walk", walk_cases, check_walk) +
	       RUN_TABLE("text/xml decode", decode_cases, check_decode) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
