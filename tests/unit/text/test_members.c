#include "lib/text/members.h"

#include <errno.h>

#include "tests/support/test.h"

struct walk_case {
	const char *name, *object;
	int end;             /* what the walk ends with */
	const char *members; /* key=value; of each */
	size_t left;         /* bytes behind the object */
};

/* clang-format off */
static struct walk_case walks[] = {
	{ "empty", "{}", 0, "", 0 },
	{ "empty with blanks", "{ \r\n}", 0, "", 0 },
	{ "one", "{\"a\":1}", 0, "a=1;", 0 },
	{ "blanks everywhere", "{ \"a\" : 1 ,\t\"b\" : [ 2 ] } ", 0, "a=1;b=[ 2 ];", 1 },
	{ "brackets and quotes in texts", "{\"a\":\"}\\\"{\\\\\",\"b\":{\"c\":\"]\"}}x", 0,
	  "a=\"}\\\"{\\\\\";b={\"c\":\"]\"};", 1 },
	{ "words and numbers", "{\"a\":null,\"b\":true,\"c\":-1e9}", 0, "a=null;b=true;c=-1e9;", 0 },
	{ "the same key twice", "{\"a\":1,\"a\":2}", 0, "a=1;a=2;", 0 },
	{ "an empty key", "{\"\":\"\"}", 0, "=\"\";", 0 },
	{ "a comma too many", "{\"a\":1,}", -EBADMSG, "a=1;", 0 },
	{ "a comma alone", "{,}", -EBADMSG, "", 0 },
	{ "cut in a key", "{\"a", -EBADMSG, "", 0 },
	{ "cut behind a key", "{\"a\"", -EBADMSG, "", 0 },
	{ "cut before a value", "{\"a\":", -EBADMSG, "", 0 },
	{ "cut in a text", "{\"a\":\"b\\\"", -EBADMSG, "", 0 },
	{ "cut in an object", "{\"a\":{\"b\":[]", -EBADMSG, "", 0 },
	{ "cut behind a value", "{\"a\":1", -EBADMSG, "", 0 },
	{ "no value", "{\"a\":}", -EBADMSG, "", 0 },
	{ "no colon", "{\"a\" 1}", -EBADMSG, "", 0 },
	{ "no key", "{1:2}", -EBADMSG, "", 0 },
	{ "nothing but a brace", "{", -EBADMSG, "", 0 },
};
/* clang-format on */

static void check_walk(void **state)
{
	const struct walk_case *tc = *state;
	size_t n_object = strlen(tc->object);
	char *copy = exact(tc->object, n_object);
	struct sq_sv object = { copy, n_object };
	struct sq_members walk = sq_members_of(object);
	struct sq_outbuf got = sq_outbuf_of(4096);
	struct sq_member m;
	int r;

	while ((r = sq_members_next(&walk, &m)) == 1)
		sq_outbuf_printf(&got, "%.*s=%.*s;", SQ_SV_ARG(m.key), SQ_SV_ARG(m.value));
	assert_int_equal(r, tc->end);
	assert_sv_equal(sq_outbuf_view(&got), sq_sv_of(tc->members));
	if (r == 0)
		assert_int_equal(object.p + object.n - walk.p, tc->left);
	sq_outbuf_fini(&got);
	free(copy);
}

static void a_key_is_what_it_spells(void **state)
{
	(void)state;
	assert_true(sq_member_is(SQ_SV("squibly"), SQ_SV("squibly")));
	assert_true(sq_member_is(SQ_SV("s\\u0071uibly"), SQ_SV("squibly")));
	assert_true(sq_member_is(SQ_SV("\\u0073\\u0071\\u0075ibl\\u0079"), SQ_SV("squibly")));
	assert_true(sq_member_is(SQ_SV("gr\\u00fc\\u00DF"), SQ_SV("gr\xc3\xbc\xc3\x9f")));
	assert_true(sq_member_is(SQ_SV("a\\/b\\\\c\\t"), SQ_SV("a/b\\c\t")));
	assert_false(sq_member_is(SQ_SV("squibl"), SQ_SV("squibly")));
	assert_false(sq_member_is(SQ_SV("squiblyd"), SQ_SV("squibly")));
	assert_false(sq_member_is(SQ_SV("squibl\\u0059"), SQ_SV("squibly")));
	assert_false(sq_member_is(SQ_SV("squibly\\"), SQ_SV("squibly")));
	assert_false(sq_member_is(SQ_SV("squibl\\u00"), SQ_SV("squibly")));
	assert_false(sq_member_is(SQ_SV("squibl\\q"), SQ_SV("squibly")));
}

struct filter_case {
	const char *name, *object;
	bool keep;
	const char *fields[4];
	const char *want; /* NULL: no object */
};

/* clang-format off */
static struct filter_case filters[] = {
	{ "nothing", "{\"a\":1, \"b\" : 2 }", false, { 0 }, "\"a\":1, \"b\" : 2 " },
	{ "the first", "{\"a\":1, \"b\":2}", false, { "a" }, " \"b\":2" },
	{ "the middle", "{\"a\":1,\"b\":2,\"c\":3}", false, { "b" }, "\"a\":1,\"c\":3" },
	{ "the last", "{\"a\":1,\"b\":2 }", false, { "b" }, "\"a\":1" },
	{ "all", "{\"a\":1,\"b\":2}", false, { "a", "b" }, "" },
	{ "twice", "{\"a\":1,\"b\":2,\"a\":3}", false, { "a" }, "\"b\":2" },
	{ "inside", "{\"e\":{\"x\":1,\"y\":2},\"b\":3}", false, { "e.x" }, "\"e\":{\"y\":2},\"b\":3" },
	{ "all inside", "{\"e\":{\"x\":1}}", false, { "e.x" }, "\"e\":{}" },
	{ "a dot in the name", "{\"e.x\":1,\"e\":{\"x\":2,\"z\":0}}", false, { "e.x" }, "\"e\":{\"z\":0}" },
	{ "deep", "{\"a\":{\"b\":{\"c\":{\"d\":1,\"e\":2}}}}", false, { "a.b.c.d" },
	  "\"a\":{\"b\":{\"c\":{\"e\":2}}}" },
	{ "inside of what is no object", "{\"e\":[1],\"b\":3}", false, { "e.x" }, "\"e\":[1],\"b\":3" },
	{ "in disguise", "{\"\\u0061\":1,\"b\":2}", false, { "a" }, "\"b\":2" },
	{ "keep one", "{\"a\":1,\"b\":2,\"c\":3}", true, { "b" }, "\"b\":2" },
	{ "keep none that is there", "{\"a\":1}", true, { "b" }, "" },
	{ "keep inside", "{\"e\": { \"x\":1 , \"y\":2 } ,\"b\":3}", true, { "e.y" }, "\"e\": { \"y\":2 } " },
	{ "keep nothing inside", "{\"a\":1,\"e\":{\"x\":1},\"b\":2}", true, { "e.y", "b", "a" }, "\"a\":1,\"b\":2" },
	{ "keep inside of what is no object", "{\"e\":1,\"b\":3}", true, { "e.y", "b" }, "\"b\":3" },
	{ "no object", "[1]", false, { "a" }, NULL },
	{ "cut off", "{\"a\":1", false, { "a" }, NULL },
	{ "cut off inside", "{\"e\":{\"x\":1,},\"b\":1}", false, { "e.x" }, NULL },
	{ "something behind it", "{\"a\":1} ", false, { "a" }, NULL },
};
/* clang-format on */

static void check_filter(void **state)
{
	const struct filter_case *tc = *state;
	size_t n_object = strlen(tc->object);
	char *copy = exact(tc->object, n_object);
	struct sq_sv object = { copy, n_object };
	struct sq_fieldset set = { .keep = tc->keep };
	struct sq_outbuf got = sq_outbuf_of(4096);
	uint32_t n = 0;
	bool ok;

	for (size_t i = 0; i < SQ_LEN(tc->fields) && tc->fields[i]; i++)
		set.names[set.n++] = sq_sv_of(tc->fields[i]);
	ok = sq_fieldset_write(&set, object, SQ_SV(""), &got, &n);
	assert_int_equal(ok, tc->want != NULL);
	if (ok) {
		assert_sv_equal(sq_outbuf_view(&got), sq_sv_of(tc->want));
		assert_int_equal(n == 0, tc->want[0] == '\0');
	}
	sq_outbuf_fini(&got);
	free(copy);
}

int main(void)
{
	struct CMUnitTest tests[SQ_LEN(walks) + SQ_LEN(filters) + 1];
	size_t n = 0;

	for (size_t i = 0; i < SQ_LEN(walks); i++)
		tests[n++] = (struct CMUnitTest){ .name = walks[i].name,
			                          .test_func = check_walk,
			                          .initial_state = &walks[i] };
	for (size_t i = 0; i < SQ_LEN(filters); i++)
		tests[n++] = (struct CMUnitTest){ .name = filters[i].name,
			                          .test_func = check_filter,
			                          .initial_state = &filters[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_key_is_what_it_spells);
	return _cmocka_run_group_tests("members", tests, n, NULL, NULL);
}
