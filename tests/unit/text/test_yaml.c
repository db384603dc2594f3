#include "lib/text/yaml.h"

#include <errno.h>

#include "tests/support/fault_alloc.h"
#include "tests/support/test.h"

#include "lib/base/outbuf.h"

struct loaded {
	struct sq_yaml_doc **docs;
	struct sq_diags diags;
	struct sq_outbuf text;
	int n;
};

static void load_limited(struct loaded *l, struct sq_sv yaml, const struct sq_yaml_limits *limits)
{
	char *copy = exact(yaml.p, yaml.n); /* gone before the tree is looked at */

	*l = (struct loaded){ .text = sq_outbuf_of(1 << 20) };
	l->n = sq_yaml_load((struct sq_sv){ copy, yaml.n }, "a.yml", limits, &l->docs, &l->diags);
	free(copy);
}

static void load(struct loaded *l, const char *yaml)
{
	load_limited(l, sq_sv_of(yaml), NULL);
}

static void loaded_fini(struct loaded *l)
{
	sq_yaml_free_all(l->docs, l->n > 0 ? (size_t)l->n : 0);
	sq_diags_fini(&l->diags);
	sq_outbuf_fini(&l->text);
}

/* {key: value}, [value], text, 'quoted', |block; every node with @line:col behind it. */
static void render(struct sq_outbuf *o, const struct sq_yaml *y)
{
	const char *open = y->kind == SQ_YAML_MAP ? "{" : "[";
	uint32_t n = 0;

	if (y->kind == SQ_YAML_SCALAR) {
		assert_int_equal(y->text.p[y->text.n], 0);
		assert_int_equal(y->n, 0);
		assert_null(y->first);
		sq_outbuf_printf(o, y->block ? "|%s" : y->quoted ? "'%s'" : "%s", y->text.p);
	} else {
		sq_outbuf_printf(o, "%s", open);
		for (const struct sq_yaml *m = y->first; m; m = m->next, n++) {
			assert_int_equal(m->key != NULL, y->kind == SQ_YAML_MAP);
			if (n)
				sq_outbuf_printf(o, ", ");
			if (m->key) {
				render(o, m->key);
				sq_outbuf_printf(o, ": ");
			}
			render(o, m);
		}
		assert_int_equal(y->n, n);
		sq_outbuf_putc(o, y->kind == SQ_YAML_MAP ? '}' : ']');
	}
	sq_outbuf_printf(o, "@%u:%u", y->line, y->col);
}

struct tree_case {
	const char *name;
	const char *yaml;
	const char *want; /* documents with " --- " between them */
};

static struct tree_case trees[] = {
	{ "nothing", "", "" },
	{ "only a comment", "# a\n", "" },
	{ "an empty document", "---\n", "@2:1" },
	{ "one text", "a b", "a b@1:1" },
	{ "a map", "a: 1\nb: x y\n", "{a@1:1: 1@1:4, b@2:1: x y@2:4}@1:1" },
	{ "a list", "- a\n-  b\n", "[a@1:3, b@2:4]@1:1" },
	{ "lists in maps in lists", "- a: [x, {b: y}]\n",
	  "[{a@1:3: [x@1:7, {b@1:11: y@1:14}@1:10]@1:6}@1:3]@1:1" },
	{ "an empty value", "a:\nb: c\n", "{a@1:1: @1:3, b@2:1: c@2:4}@1:1" },
	{ "empty lists and maps", "a: []\nb: {}\n", "{a@1:1: []@1:4, b@2:1: {}@2:4}@1:1" },
	{ "quotes are remembered", "a: '1'\nb: \"2\"\n\"c\": 3\n",
	  "{a@1:1: '1'@1:4, b@2:1: '2'@2:4, 'c'@3:1: 3@3:6}@1:1" },
	{ "blocks are remembered", "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
	  "{a@1:1: |x\ny\n@1:4, b@4:1: |x y@4:4}@1:1" },
	{ "columns are characters", "\xc3\xa4\xc3\xb6: x\n", "{\xc3\xa4\xc3\xb6@1:1: x@1:5}@1:1" },
	{ "escapes", "a: \"\\u00e9\\t\\\\\"\n", "{a@1:1: '\xc3\xa9\t\\'@1:4}@1:1" },
	{ "a byte order mark",
	  "\xef\xbb\xbf"
	  "a: b\n",
	  "{a@1:1: b@1:4}@1:1" },
	{ "CR LF", "a: b\r\nc: d\r\n", "{a@1:1: b@1:4, c@2:1: d@2:4}@1:1" },
	{ "several documents", "a\n---\nb: c\n...\n---\n- d\n",
	  "a@1:1 --- {b@3:1: c@3:4}@3:1 --- [d@6:3]@6:1" },
	{ "a backslash in quotes of one kind", "a: '\\x'\n", "{a@1:1: '\\x'@1:4}@1:1" },
	{ "a merge key in quotes is a key", "'<<': a\n", "{'<<'@1:1: a@1:7}@1:1" },
	{ "an alias of a text", "a: &x t\nb: *x\n", "{a@1:1: t@1:4, b@2:1: t@2:4}@1:1" },
	{ "an alias of a list keeps the places below", "a: &x [t, 'u']\nb: *x\n",
	  "{a@1:1: [t@1:8, 'u'@1:11]@1:4, b@2:1: [t@1:8, 'u'@1:11]@2:4}@1:1" },
	{ "an alias as key", "a: &x t\n*x : u\n", "{a@1:1: t@1:4, t@2:1: u@2:6}@1:1" },
	{ "the newest anchor of a name is meant", "- &x a\n- &x b\n- *x\n",
	  "[a@1:3, b@2:3, b@3:3]@1:1" },
	{ "an anchor inside an anchor of the same name", "&x [&x a, *x]", "[a@1:5, a@1:11]@1:1" },
	{ "the same key in different maps", "a: {k: 1}\nb: {k: 2}\n",
	  "{a@1:1: {k@1:5: 1@1:8}@1:4, b@2:1: {k@2:5: 2@2:8}@2:4}@1:1" },
};

static void check_tree(void **state)
{
	const struct tree_case *tc = *state;
	struct loaded l;

	load(&l, tc->yaml);
	assert_int_equal(l.diags.n, 0);
	assert_true(l.n >= 0);
	assert_int_equal(l.docs == NULL, l.n == 0);
	for (int i = 0; i < l.n; i++) {
		if (i)
			sq_outbuf_printf(&l.text, " --- ");
		render(&l.text, sq_yaml_root(l.docs[i]));
	}
	assert_sv_equal(l.text.len ? sq_outbuf_view(&l.text) : SQ_SV(""), sq_sv_of(tc->want));
	loaded_fini(&l);
}

static struct tree_case refused[] = {
	{ "a key twice", "a: 1\nb: 2\na: 3\n",
	  "3:1: duplicate key 'a' (first in line 1): keep one of them\n" },
	{ "a key three times", "{a: 1, a: 2, b: 3, a: 4}",
	  "1:8: duplicate key 'a' (first in line 1): keep one of them\n"
	  "1:20: duplicate key 'a' (first in line 1): keep one of them\n" },
	{ "a key twice, once in quotes", "a: 1\n'a': 2\n",
	  "2:1: duplicate key 'a' (first in line 1): keep one of them\n" },
	{ "a key twice further in", "x:\n  - {a: 1, a: 2}\n",
	  "2:12: duplicate key 'a' (first in line 2): keep one of them\n" },
	{ "a key with a line end is shown in one line", "\"a\\nb\": 1\n\"a\\nb\": 2\n",
	  "2:1: duplicate key 'a?b' (first in line 1): keep one of them\n" },
	{ "an empty key", "?\n: a\n", "1:2: a key is empty: give it a name\n" },
	{ "an empty key in quotes", "'': a\n", "1:1: a key is empty: give it a name\n" },
	{ "a list as key", "? [a]\n: b\n", "1:3: a key must be plain text, not a list or a map\n" },
	{ "a map as key", "{{a: b}: c}", "1:2: a key must be plain text, not a list or a map\n" },
	{ "a list as key by an alias", "a: &x [b]\n*x : c\n",
	  "2:1: a key must be plain text, not a list or a map\n" },
	{ "a merge key", "a: &x {b: c}\nd:\n  <<: *x\n",
	  "3:3: merge keys (<<) are not read: write the members out\n" },
	{ "what is under a refused key is still read", "<<: {a: 1, a: 2}\nb: 1\nb: 2\n",
	  "1:1: merge keys (<<) are not read: write the members out\n"
	  "1:12: duplicate key 'a' (first in line 1): keep one of them\n"
	  "3:1: duplicate key 'b' (first in line 2): keep one of them\n" },
	{ "a tag on a text", "a: !!str 1\n",
	  "1:4: tags (tag:yaml.org,2002:str) are not read: remove it\n" },
	{ "a tag on a list", "a: !x [1]\n", "1:4: tags (!x) are not read: remove it\n" },
	{ "a tag on a map", "!!map {a: b}\n",
	  "1:1: tags (tag:yaml.org,2002:map) are not read: remove it\n" },
	{ "a NUL in a text", "a: \"x\\0y\"\n", "1:4: a NUL character in a text: remove it\n" },
	{ "an alias without an anchor", "a: *nix\n",
	  "1:4: alias *nix has no anchor: define &nix before it\n" },
	{ "an anchor of another document", "a: &x b\n---\na: *x\n",
	  "3:4: alias *x has no anchor: define &x before it\n" },
	{ "an alias inside its own anchor", "a: &x [b, *x]\n",
	  "1:11: alias *x stands inside its own anchor: this never ends\n" },
	{ "an open list", "a: [b\n",
	  "2:1: not valid YAML: did not find expected ',' or ']', while "
	  "parsing a flow sequence\n" },
	{ "a tab", "a:\n\tb: c\n",
	  "2:1: not valid YAML: found character that cannot start any token, while scanning for the "
	  "next token (YAML indents with blanks, never tabs; a text that begins with %, @, ` or a "
	  "tab needs quotes)\n" },
	{ "a star in front", "a: *:5170\n",
	  "1:5: not valid YAML: did not find expected alphabetic or numeric character, while "
	  "scanning an alias (a text that begins with * or & needs quotes)\n" },
	{ "an IPv6 address without quotes", "a: [::1]:5170\n",
	  "1:5: not valid YAML: did not find expected node content, while parsing a flow node "
	  "(a text that begins with [ or {, such as an IPv6 address, needs quotes)\n" },
	{ "an IPv6 address without quotes that YAML takes for a list", "a: [2001:db8::1]:514\n",
	  "1:17: not valid YAML: did not find expected key, while parsing a block mapping "
	  "(look at the indentation; a text that begins with [ or { needs quotes)\n" },
	{ "bad UTF-8", "a: b\nc: \xff\n",
	  "2:4: not UTF-8 text: invalid leading UTF-8 octet (byte 8)\n" },
	{ "a control character", "a: \x01\n",
	  "1:4: not UTF-8 text: control characters are not allowed (byte 3)\n" },
	{ "UTF-16",
	  "\xff\xfe"
	  "a",
	  "1:1: not UTF-8 text: invalid leading UTF-8 octet (byte 0)\n" },
	{ "a good document does not save a bad one", "a: b\n---\na: 1\na: 2\n",
	  "4:1: duplicate key 'a' (first in line 3): keep one of them\n" },
};

static void check_refused(void **state)
{
	const struct tree_case *tc = *state;
	struct loaded l;

	load(&l, tc->yaml);
	for (size_t i = 0; i < l.diags.n; i++) {
		assert_string_equal(l.diags.list[i].file, "a.yml");
		assert_int_equal(l.diags.list[i].severity, SQ_DIAG_ERROR);
		sq_outbuf_printf(&l.text, "%u:%u: %s\n", l.diags.list[i].line, l.diags.list[i].col,
		                 l.diags.list[i].text);
	}
	assert_sv_equal(sq_outbuf_view(&l.text), sq_sv_of(tc->want));
	assert_int_equal(l.n, -EINVAL);
	assert_null(l.docs);
	loaded_fini(&l);
}

/* --- limits --- */

static void expect_limit(const char *yaml, struct sq_yaml_limits limits, const char *want)
{
	struct loaded l;

	load_limited(&l, sq_sv_of(yaml), &limits);
	if (want) {
		assert_int_equal(l.n, -EINVAL);
		assert_int_equal(l.diags.n, 1);
		assert_string_equal(l.diags.list[0].text, want);
	} else {
		assert_int_equal(l.diags.n, 0);
		assert_int_equal(l.n, 1);
	}
	loaded_fini(&l);
}

static void depth_is_bounded(void **state)
{
	static const char want[] = "nested deeper than 3 levels: flatten it";
	struct sq_yaml_limits limits = { .max_nodes = 100, .max_depth = 3 };

	(void)state;
	expect_limit("[[[a]]]", limits, NULL);
	expect_limit("[[[[a]]]]", limits, want);
	expect_limit("{a: {b: [c]}}", limits, NULL);
	expect_limit("{a: {b: [{c: d}]}}", limits, want);
	/* An alias brings its own levels. */
	expect_limit("[&x [a], [*x]]", limits, NULL);
	expect_limit("[&x [[a]], [*x]]", limits, want);
}

static void nodes_are_bounded(void **state)
{
	static const char want[] = "more than 6 values (aliases count each time): split the file";
	struct sq_yaml_limits limits = { .max_nodes = 6, .max_depth = 9 };

	(void)state;
	expect_limit("[a, b, c, d, e]", limits, NULL);
	expect_limit("[a, b, c, d, e, f]", limits, want);
	expect_limit("{a: b, c: d}", limits, NULL); /* keys count */
	expect_limit("{a: b, c: d, e: f}", limits, want);
	expect_limit("[&x [a], *x]", limits, NULL);
	expect_limit("[&x [a, b], *x]", limits, want);
	expect_limit("[&x {a: b}, *x]", limits, want); /* 1 + 3 + 3 */
}

/* Ten lists of ten aliases each: 10^10 nodes, were they followed. */
static void an_alias_bomb_is_refused(void **state)
{
	struct sq_outbuf o = sq_outbuf_of(1 << 16);
	struct loaded l;

	(void)state;
	sq_outbuf_printf(&o, "a0: &a0 x\n");
	for (int i = 1; i <= 10; i++) {
		sq_outbuf_printf(&o, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			sq_outbuf_printf(&o, "%s*a%d", k ? "," : "", i - 1);
		sq_outbuf_printf(&o, "]\n");
	}
	load_limited(&l, sq_outbuf_view(&o), NULL);
	assert_int_equal(l.n, -EINVAL);
	assert_int_equal(l.diags.n, 1);
	assert_string_equal(l.diags.list[0].text,
	                    "more than 200000 values (aliases count each time): split the file");
	loaded_fini(&l);
	sq_outbuf_fini(&o);
}

static void anchors_are_bounded(void **state)
{
	struct sq_outbuf o = sq_outbuf_of(1 << 20);
	struct loaded l;

	(void)state;
	for (int i = 0; i <= 1000; i++)
		sq_outbuf_printf(&o, "- &a%d x\n", i);
	load_limited(&l, sq_outbuf_view(&o), NULL);
	assert_int_equal(l.n, -EINVAL);
	assert_int_equal(l.diags.list[0].line, 1001);
	assert_string_equal(l.diags.list[0].text, "more than 1000 anchors: write the values out");
	loaded_fini(&l);
	sq_outbuf_fini(&o);
}

/* --- reading scalars --- */

struct scalar_case {
	const char *name;
	const char *yaml;
	bool is_null, is_bool;
	bool truth;
};

static struct scalar_case scalars[] = {
	{ "null", "null", .is_null = true },
	{ "Null", "Null", .is_null = true },
	{ "a tilde", "~", .is_null = true },
	{ "nothing", "---\n", .is_null = true },
	{ "null in quotes", "'null'" },
	{ "empty quotes", "''" },
	{ "a number", "42" },
	{ "zero", "0" },
	{ "true", "true", .is_bool = true, .truth = true },
	{ "True", "True", .is_bool = true, .truth = true },
	{ "yes", "yes", .is_bool = true, .truth = true },
	{ "on", "on", .is_bool = true, .truth = true },
	{ "false", "false", .is_bool = true },
	{ "no", "no", .is_bool = true },
	{ "OFF", "OFF", .is_bool = true },
	{ "true in quotes", "\"true\"" },
	{ "y", "y" },
	{ "a list", "[1]" },
	{ "a map", "{a: 1}" },
};

static void check_scalar(void **state)
{
	const struct scalar_case *tc = *state;
	const struct sq_yaml *y;
	bool truth = !tc->truth;
	struct loaded l;

	load(&l, tc->yaml);
	assert_int_equal(l.n, 1);
	y = sq_yaml_root(l.docs[0]);
	assert_int_equal(sq_yaml_is_null(y), tc->is_null);
	assert_int_equal(sq_yaml_is_bool(y, &truth), tc->is_bool);
	/* Written only on success. */
	assert_int_equal(truth, tc->is_bool ? tc->truth : !tc->truth);
	loaded_fini(&l);
}

static void members_are_found_by_name(void **state)
{
	const struct sq_yaml *root;
	struct loaded l;

	(void)state;
	load(&l, "a: {b: x}\nc: [d]\n");
	root = sq_yaml_root(l.docs[0]);
	assert_sv_equal(sq_yaml_get(sq_yaml_get(root, "a"), "b")->text, SQ_SV("x"));
	assert_null(sq_yaml_get(root, "b"));
	assert_null(sq_yaml_get(sq_yaml_get(root, "c"), "d")); /* a list has no names */
	assert_null(sq_yaml_get(NULL, "a"));
	assert_int_equal(sq_yaml_is_null(NULL), false);
	loaded_fini(&l);
}

/* Cut at every byte: never a crash, and never a tree and a finding together. */
static void any_prefix_is_read_or_refused(void **state)
{
	static const char yaml[] =
		"a: &x [b, 'c', \"d\\n\"]\n? e\n: *x\nf: |\n  g\n---\n- {h: \xc3\xa4}\n...\n";

	(void)state;
	for (size_t n = 0; n < sizeof(yaml); n++) {
		struct loaded l;

		load_limited(&l, (struct sq_sv){ yaml, n }, NULL);
		assert_int_equal(l.n<0, l.diags.errors> 0);
		loaded_fini(&l);
	}
}

static void memory_may_run_out(void **state)
{
	static const char yaml[] = "a: &x [b, c]\nd: *x\n---\ne: f\ng: h\n---\n---\n---\n---\ni\n";
	int r = -ENOMEM;

	(void)state;
	for (unsigned n = 1; r < 0; n++) {
		struct sq_diags diags = { 0 };
		struct sq_yaml_doc **docs;
		bool failed;

		assert_in_range(n, 1, 100);
		fault_alloc_at(n);
		r = sq_yaml_load(sq_sv_of(yaml), "a.yml", NULL, &docs, &diags);
		failed = fault_alloc_end();
		assert_int_equal(r, failed ? -ENOMEM : 6);
		sq_yaml_free_all(docs, r > 0 ? (size_t)r : 0);
		sq_diags_fini(&diags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(nodes_are_bounded),
		cmocka_unit_test(an_alias_bomb_is_refused),
		cmocka_unit_test(anchors_are_bounded),
		cmocka_unit_test(members_are_found_by_name),
		cmocka_unit_test(any_prefix_is_read_or_refused),
		cmocka_unit_test(memory_may_run_out),
	};

	return RUN_TABLE("text/yaml trees", trees, check_tree) +
	       RUN_TABLE("text/yaml refused", refused, check_refused) +
	       RUN_TABLE("text/yaml scalars", scalars, check_scalar) +
	       cmocka_run_group_tests_name("text/yaml", tests, NULL, NULL);
}
