#include "tests/support/test.h"

#include <errno.h>

#include "lib/text/opt.h"

enum color { RED, GREEN, BLUE };

struct cfg {
	char *listen;
	char *note;
	bool fast;
	uint32_t count;
	uint64_t size, any_size;
	uint64_t wait;
	int color;
	struct sq_opt_strs paths, more;
};

static const struct sq_opt_enum colors[] = {
	{ "red", RED }, { "green", GREEN }, { "blue", BLUE }, { 0 }
};

#define AT(member) .offset = offsetof(struct cfg, member)

/* clang-format off */
static const struct sq_opt table[] = {
	{ "listen", SQ_OPT_STR, AT(listen), .def = "127.0.0.1:5170", .doc = "Where to listen." },
	{ "note", SQ_OPT_STR, AT(note), .doc = "Any text." },
	{ "fast", SQ_OPT_BOOL, AT(fast), .def = "true", .doc = "Be fast." },
	{ "count", SQ_OPT_U32, AT(count), .min = 1, .max = 100, .def = "7", .doc = "How many." },
	{ "size", SQ_OPT_BYTES, AT(size), .min = 1024, .max = 16 << 20, .def = "1MiB", .doc = "How large." },
	{ "any_size", SQ_OPT_BYTES, AT(any_size), .doc = "Without a range." },
	{ "wait", SQ_OPT_MSEC, AT(wait), .min = 0, .max = 86400000, .def = "250ms", .doc = "How long." },
	{ "color", SQ_OPT_ENUM, AT(color), .enums = colors, .def = "green", .doc = "Which." },
	{ "paths", SQ_OPT_STRS, AT(paths), .def = "[a, /b/c]", .doc = "Some paths." },
	{ "more", SQ_OPT_STRS, AT(more), .doc = "None of them." },
	{ 0 }
};

static const struct sq_opt strict[] = {
	{ "listen", SQ_OPT_STR, AT(listen), .required = true, .doc = "Where to listen." },
	{ "paths", SQ_OPT_STRS, AT(paths), .required = true, .doc = "Some paths." },
	{ 0 }
};
/* clang-format on */

static struct sq_yaml_doc **docs;
static int n_docs;

static const struct sq_yaml *load(const char *text)
{
	struct sq_diags diags = { 0 };

	n_docs = sq_yaml_load(sq_sv_of(text), "t", &sq_yaml_limits_default, &docs, &diags);
	if (n_docs != 1)
		fail_msg("yaml: %s", diags.n ? diags.list[0].text : "no document");
	sq_diags_fini(&diags);
	return sq_yaml_root(docs[0]);
}

static void unload(void)
{
	sq_yaml_free_all(docs, (size_t)n_docs);
}

static void same_text(const char *a, const char *b)
{
	if (!a || !b)
		assert_true(a == b);
	else
		assert_string_equal(a, b);
}

static void same_list(const struct sq_opt_strs *a, const struct sq_opt_strs *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_string_equal(a->list[i], b->list[i]);
}

static void same(const struct cfg *a, const struct cfg *b)
{
	same_text(a->listen, b->listen);
	same_text(a->note, b->note);
	assert_int_equal(a->fast, b->fast);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->any_size, b->any_size);
	assert_int_equal(a->wait, b->wait);
	assert_int_equal(a->color, b->color);
	same_list(&a->paths, &b->paths);
	same_list(&a->more, &b->more);
}

/* ---- what is right ----------------------------------------------------------------------- */

struct good {
	const char *name, *text;
	struct cfg want; /* less texts and lists; 0 stands for the default */
	const char *listen;
};

static struct good goods[] = {
	{ "nothing written gives defaults", "~", { 0 } },
	{ "an empty map too", "{}", { 0 } },
	{ "a text", "listen: '[::]:99'", { 0 }, "[::]:99" },
	{ "a number as text", "listen: 4688", { 0 }, "4688" },
	{ "false", "fast: no", { .fast = true } }, /* see check_good(): it is turned round */
	{ "a number", "count: 100", { .count = 100 } },
	{ "plain bytes", "size: 1024", { .size = 1024 } },
	{ "KiB", "size: 64KiB", { .size = 65536 } },
	{ "MiB after a blank", "size: 2 MiB", { .size = 2 << 20 } },
	{ "units in any case", "size: 64kib", { .size = 65536 } },
	{ "GiB without a range", "any_size: 3GiB", { .any_size = UINT64_C(3) << 30 } },
	{ "the largest number", "any_size: 18446744073709551615", { .any_size = UINT64_MAX } },
	{ "milliseconds", "wait: 20ms", { .wait = 20 } },
	{ "plain milliseconds", "wait: 20", { .wait = 20 } },
	{ "seconds", "wait: 30s", { .wait = 30000 } },
	{ "minutes", "wait: 5min", { .wait = 300000 } },
	{ "hours", "wait: 1h", { .wait = 3600000 } },
	{ "a day", "wait: 1d", { .wait = 86400000 } },
	{ "a word of a list", "color: blue", { .color = BLUE } },
	{ "a skipped key is left alone", "theirs: { a: 1 }\ncount: 3", { .count = 3 } },
};

static void check_good(void **state)
{
	static const char *const skip[] = { "theirs", NULL };
	const struct good *tc = *state;
	struct sq_diags diags = { 0 };
	struct cfg got = { 0 };
	int r;

	r = sq_opt_read(table, load(tc->text), skip, &got, "f.yaml", &diags);
	if (diags.n)
		fail_msg("%s", diags.list[0].text);
	assert_int_equal(r, 0);
	assert_string_equal(got.listen, tc->listen ? tc->listen : "127.0.0.1:5170");
	assert_null(got.note);
	assert_int_equal(got.fast, !tc->want.fast);
	assert_int_equal(got.count, tc->want.count ? tc->want.count : 7);
	assert_int_equal(got.size, tc->want.size ? tc->want.size : 1 << 20);
	assert_int_equal(got.any_size, tc->want.any_size);
	assert_int_equal(got.wait, tc->want.wait ? tc->want.wait : 250);
	assert_int_equal(got.color, tc->want.color ? tc->want.color : GREEN);
	assert_int_equal(got.paths.n, 2);
	assert_string_equal(got.paths.list[0], "a");
	assert_string_equal(got.paths.list[1], "/b/c");
	assert_int_equal(got.more.n, 0);
	sq_opt_free(table, &got);
	sq_diags_fini(&diags);
	unload();
}

/* ---- what is wrong ----------------------------------------------------------------------- */

struct bad {
	const char *name, *text;
	unsigned line;
	const char *says[3]; /* parts of the message */
};

static struct bad bads[] = {
	{ "an unknown key with a near one", "count: 3\nsiez: 1MiB", 2, { "\"siez\"", "\"size\"" } },
	{ "an unknown key with a near skipped one", "thiers: 1", 1, { "\"theirs\"" } },
	{ "an unknown key near to none", "elephant: 1", 1, { "\"elephant\"", "listen, note" } },
	{ "too small", "size: 1023", 1, { "size: ", "1023", "1KiB to 16MiB" } },
	{ "too large", "size: 17MiB", 1, { "17MiB is out of range", "1KiB to 16MiB" } },
	{ "a number too small", "count: 0", 1, { "1 to 100" } },
	{ "a number too large for anything", "count: 99999999999999999999", 1, { "a number" } },
	{ "bytes that overflow", "any_size: 99999999999GiB", 1, { "a size" } },
	{ "a negative number", "count: -1", 1, { "a number" } },
	{ "a number with a unit", "count: 3s", 1, { "a number", "3s" } },
	{ "a unit nobody knows", "size: 64kb", 1, { "64KiB", "64kb" } },
	{ "a size for a time", "wait: 64KiB", 1, { "a time" } },
	{ "a time too long", "wait: 2d", 1, { "0 to 1d" } },
	{ "a fraction", "wait: 1.5s", 1, { "a time" } },
	{ "a quoted number", "count: '7'", 1, { "a number" } },
	{ "nothing for a number", "count:", 1, { "found nothing" } },
	{ "a list for a number", "count: [1]", 1, { "a number", "a list" } },
	{ "a map for a text", "listen: {a: b}", 1, { "a text", "a map" } },
	{ "a number for a truth", "fast: 2", 1, { "true or false" } },
	{ "a word of no list", "color: gren", 1, { "\"gren\"", "red, green, blue", "\"green\"?" } },
	{ "a map for a list", "paths: {a: b}", 1, { "a list of texts", "a map" } },
	{ "a hole in a list", "paths: [a, ~]", 1, { "paths" } },
	{ "a list for the map", "[1, 2]", 1, { "a map", "a list" } },
	{ "a text for the map", "hello", 1, { "a map" } },
};

static void check_bad(void **state)
{
	static const char *const skip[] = { "theirs", NULL };
	const struct bad *tc = *state;
	struct sq_diags diags = { 0 };
	struct cfg got = { 0 };

	assert_int_equal(sq_opt_read(table, load(tc->text), skip, &got, "f.yaml", &diags), -EINVAL);
	assert_int_equal(diags.n, 1);
	assert_int_equal(diags.errors, 1);
	assert_string_equal(diags.list[0].file, "f.yaml");
	assert_int_equal(diags.list[0].line, tc->line);
	for (size_t i = 0; i < SQ_LEN(tc->says) && tc->says[i]; i++)
		if (!strstr(diags.list[0].text, tc->says[i]))
			fail_msg("\"%s\" does not say \"%s\"", diags.list[0].text, tc->says[i]);
	sq_opt_free(table, &got);
	sq_diags_fini(&diags);
	unload();
}

static void every_mistake_is_reported(void **state SQ_UNUSED)
{
	struct sq_diags diags = { 0 };
	struct cfg got = { 0 };

	assert_int_equal(sq_opt_read(table, load("count: x\nwhat: 1\nsize: 0\nwait: 3s"), NULL,
	                             &got, "f", &diags),
	                 -EINVAL);
	assert_int_equal(diags.errors, 3);
	assert_int_equal(got.wait, 3000);
	sq_opt_free(table, &got);
	sq_diags_fini(&diags);
	unload();
}

static void required_keys_are_missed(void **state SQ_UNUSED)
{
	struct sq_diags diags = { 0 };
	struct cfg got = { 0 };

	assert_int_equal(sq_opt_read(strict, NULL, NULL, &got, "f", &diags), -EINVAL);
	assert_int_equal(diags.errors, 2);
	assert_non_null(strstr(diags.list[0].text, "\"listen\" is missing: Where to listen."));
	sq_diags_fini(&diags);
	diags = (struct sq_diags){ 0 };
	assert_int_equal(sq_opt_read(strict, load("listen: ~\npaths: []"), NULL, &got, "f", &diags),
	                 -EINVAL);
	unload();
	assert_true(diags.errors >= 1);
	assert_int_equal(sq_opt_read(strict, load("listen: a\npaths: [b]"), NULL, &got, "f",
	                             &diags),
	                 0);
	assert_string_equal(got.paths.list[0], "b");
	unload();
	sq_opt_free(strict, &got);
	sq_diags_fini(&diags);
}

static void one_text_is_a_list_of_one(void **state SQ_UNUSED)
{
	struct sq_diags diags = { 0 };
	struct cfg got = { 0 };

	assert_int_equal(sq_opt_read(table, load("paths: /only"), NULL, &got, "f", &diags), 0);
	assert_int_equal(got.paths.n, 1);
	assert_string_equal(got.paths.list[0], "/only");
	sq_opt_free(table, &got);
	unload();
}

static void reading_twice_leaks_nothing(void **state SQ_UNUSED)
{
	struct sq_diags diags = { 0 };
	struct cfg got = { 0 };

	for (int i = 0; i < 3; i++) {
		assert_int_equal(sq_opt_read(table, load("note: x\npaths: [p]"), NULL, &got, "f",
		                             &diags),
		                 0);
		unload();
	}
	sq_opt_free(table, &got);
	sq_opt_free(table, &got); /* and freeing twice does no harm */
	sq_opt_free(table, NULL);
}

/* ---- printing ---------------------------------------------------------------------------- */

static const char *const texts[] = {
	"plain",     "[::]:5170",   "",         "null",          "~",     "Null",
	"true",      "4688",        "a: b",     "a #b",          "'",     "\"q\" \\ back",
	"tab\there", "line\nbreak", "- x",      "{a}",           " lead", "trail ",
	"*:5170",    "a:",          "\xc3\xa4", "\xc2\x85\x7f",  "%x",    "@x",
	"\x01\x1f",  "&a",          "!t",       "\xe2\x80\xa8x", "?",     "\xef\xbb\xbf",
	"/a/b.c",    "10.0.0.1:99", "=",        "a,b",           "...",   "--- x",
};

static void what_is_printed_reads_back(void **state SQ_UNUSED)
{
	static const uint64_t numbers[] = { 0,       1,       1000,      1023,    1024,
		                            1025,    60000,   61000,     3600000, 86400000,
		                            1 << 20, 3 << 20, 172800000, 1 << 30, UINT64_MAX };
	struct sq_opt any[SQ_LEN(table)];

	memcpy(any, table, sizeof(table));
	for (struct sq_opt *o = any; o->key; o++)
		o->min = o->max = 0;
	for (size_t i = 0; i < SQ_LEN(texts) * SQ_LEN(numbers); i++) {
		char *text = strdup(texts[i % SQ_LEN(texts)]), b[] = "b";
		char *list[] = { text, b };
		uint64_t number = numbers[i % SQ_LEN(numbers)];
		struct cfg from = { .listen = text,
			            .fast = i & 1,
			            .count = (uint32_t)number,
			            .size = number,
			            .any_size = number / 3,
			            .wait = number,
			            .color = (int)(i % 3),
			            .paths = { list, 2 } };
		struct sq_outbuf out = sq_outbuf_of(4096);
		struct sq_diags diags = { 0 };
		struct cfg got = { 0 };

		sq_opt_print(any, &from, i % 5, &out);
		sq_outbuf_putc(&out, '\0');
		assert_false(out.failed);
		if (sq_opt_read(any, load(out.p), NULL, &got, "f", &diags) < 0)
			fail_msg("%s in:\n%s", diags.list[0].text, out.p);
		same(&from, &got);
		sq_opt_free(any, &got);
		sq_outbuf_fini(&out);
		free(text);
		unload();
	}
}

static void numbers_are_printed_in_their_largest_unit(void **state SQ_UNUSED)
{
	char listen[] = "*:1";
	struct cfg from = {
		.listen = listen, .count = 1024, .size = 3 << 20, .any_size = 1500, .wait = 90000
	};
	struct sq_outbuf out = sq_outbuf_of(4096);

	sq_opt_print(table, &from, 2, &out);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("  listen: \"*:1\"\n"
	                                            "  note: null\n"
	                                            "  fast: false\n"
	                                            "  count: 1024\n"
	                                            "  size: 3MiB\n"
	                                            "  any_size: 1500\n"
	                                            "  wait: 90s\n"
	                                            "  color: red\n"
	                                            "  paths: []\n"
	                                            "  more: []\n"));
	sq_outbuf_fini(&out);
}

static void the_manual_uncommented_is_the_defaults(void **state SQ_UNUSED)
{
	struct sq_outbuf out = sq_outbuf_of(8192), text = sq_outbuf_of(8192);
	struct sq_diags diags = { 0 };
	struct cfg defaults, got = { 0 };
	struct sq_sv rest;

	assert_int_equal(sq_opt_defaults(table, &defaults), 0);
	sq_opt_help(table, 2, &out);
	rest = sq_outbuf_view(&out);
	assert_true(sq_sv_find(rest, SQ_SV("  # How large. (1KiB to 16MiB)\n  #size: 1MiB\n")) !=
	            SIZE_MAX);
	assert_true(sq_sv_find(rest, SQ_SV("  # Which. (red, green, blue)\n  #color: green\n")) !=
	            SIZE_MAX);
	while (rest.n) {
		struct sq_sv line = sq_sv_trim(sq_sv_cut(&rest, '\n'));

		/* "#key: value" with a value is a default. */
		if (line.p[1] != ' ' && line.p[line.n - 1] != ':') {
			sq_outbuf_put(&text, sq_sv_skip(line, 1));
			sq_outbuf_putc(&text, '\n');
		}
	}
	sq_outbuf_putc(&text, '\0');
	assert_int_equal(sq_opt_read(table, load(text.p), NULL, &got, "f", &diags), 0);
	same(&defaults, &got);
	sq_opt_free(table, &got);
	sq_opt_free(table, &defaults);
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&text);
	unload();
}

static void long_sentences_are_wrapped(void **state SQ_UNUSED)
{
	static const struct sq_opt one[] = {
		{ "k", SQ_OPT_BOOL, 0, .def = "true",
		  .doc = "A sentence that goes on and on, and says a thing and then another thing, "
		         "until there is no room left for it on a line of one hundred columns." },
		{ 0 }
	};
	struct sq_outbuf out = sq_outbuf_of(4096);
	struct sq_sv rest, line;
	unsigned lines = 0;

	sq_opt_help(one, 4, &out);
	for (rest = sq_outbuf_view(&out); rest.n; lines++) {
		line = sq_sv_cut(&rest, '\n');
		assert_true(line.n <= 100);
		assert_true(sq_sv_starts(line, SQ_SV("    #")));
	}
	assert_int_equal(lines, 3);
	sq_outbuf_fini(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_is_reported),
		cmocka_unit_test(required_keys_are_missed),
		cmocka_unit_test(one_text_is_a_list_of_one),
		cmocka_unit_test(reading_twice_leaks_nothing),
		cmocka_unit_test(what_is_printed_reads_back),
		cmocka_unit_test(numbers_are_printed_in_their_largest_unit),
		cmocka_unit_test(the_manual_uncommented_is_the_defaults),
		cmocka_unit_test(long_sentences_are_wrapped),
	};
	int failed = RUN_TABLE("text/opt good", goods, check_good);

	failed += RUN_TABLE("text/opt bad", bads, check_bad);
	return failed + cmocka_run_group_tests_name("text/opt", tests, NULL, NULL);
}
