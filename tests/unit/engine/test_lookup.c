#include <errno.h>

#include "lib/engine/lookup.h"
#include "tests/support/test.h"

static const char assets[] = "host,owner,criticality\r\n"
			     "WS-7.corp.example,\"Meier, Anna\",high\r\n"
			     "srv-1,\"say \"\"hi\"\"\",\r\n"
			     "bare,,\r\n";
static const char sites[] = "net,site\n"
			    "192.0.2.0/24,Berlin\n"
			    "192.0.2.128/25,\"Berlin, lab\"\n"
			    "192.0.2.200,one\n"
			    "0.0.0.0/0,v4\n"
			    "2001:db8::/32,six\n"
			    "2001:db8:1::/48,six one\n";

static int add(struct sq_lookups *l, struct sq_lookup_opts opts, const char *text,
               struct sq_diags *diags)
{
	size_t n = strlen(text);
	char *copy = strdup(text);
	int r;

	opts.file = "f.csv";
	opts.max_rows = opts.max_rows ? opts.max_rows : 1000;
	opts.max_bytes = opts.max_bytes ? opts.max_bytes : 65536;
	r = copy ? sq_lookups_add(l, &opts, copy, n, diags) : -ENOMEM;
	free(copy);
	return r;
}

struct write_case {
	const char *name, *host, *peer, *want;
};

static struct write_case write_cases[] = {
	{ "all of IPv4", "x", "10.0.0.1:1", ",\"context\":{\"site\":{\"site\":\"v4\"}}" },
	{ "a host, whatever its case", "ws-7.CORP.example", "",
	  ",\"context\":{\"assets\":{\"owner\":\"Meier, Anna\",\"criticality\":\"high\"}}" },
	{ "quotes, and a value that is empty", "srv-1", "unix",
	  ",\"context\":{\"assets\":{\"owner\":\"say \\\"hi\\\"\"}}" },
	{ "a row without values", "bare", "", "" },
	{ "the longest range", "", "192.0.2.130:51234",
	  ",\"context\":{\"site\":{\"site\":\"Berlin, lab\"}}" },
	{ "a shorter one", "", "192.0.2.5:51234", ",\"context\":{\"site\":{\"site\":\"Berlin\"}}" },
	{ "one address", "", "192.0.2.200", ",\"context\":{\"site\":{\"site\":\"one\"}}" },
	{ "IPv6", "", "[2001:db8::7]:514", ",\"context\":{\"site\":{\"site\":\"six\"}}" },
	{ "IPv6, longer", "", "[2001:db8:1::7]:514",
	  ",\"context\":{\"site\":{\"site\":\"six one\"}}" },
	{ "IPv6 that nobody knows", "", "[2001:db9::7]:514", "" },
	{ "no address at all", "", "[::::", "" },
	{ "both", "srv-1", "192.0.2.1:1",
	  ",\"context\":{\"assets\":{\"owner\":\"say \\\"hi\\\"\"},\"site\":{\"site\":\"Berlin\"}}" },
};

static struct sq_lookups *both(void)
{
	struct sq_lookups *l = sq_lookups_new();
	struct sq_diags diags = { 0 };

	assert_int_equal(add(l, (struct sq_lookup_opts){ .name = "assets" }, assets, &diags), 0);
	assert_int_equal(add(l, (struct sq_lookup_opts){ .name = "site", .key = SQ_LOOKUP_PEER },
	                     sites, &diags),
	                 0);
	assert_int_equal(sq_lookups_rows(l), 9);
	return l;
}

static void check_write(void **state)
{
	const struct write_case *tc = *state;
	struct sq_lookups *l = both();
	struct sq_outbuf out = sq_outbuf_of(4096);
	struct sq_jsonw w = sq_jsonw_of(&out);

	w.comma = true;
	sq_lookups_write(l, sq_sv_of(tc->host), sq_sv_of(tc->peer), &w);
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(tc->want));
	sq_outbuf_fini(&out);
	sq_lookups_unref(l);
}

struct bad_case {
	const char *name, *text;
	struct sq_lookup_opts opts;
	unsigned line, col;
	const char *want;
};

static struct bad_case bad_cases[] = {
	{ "empty",
	  "",
	  { 0 },
	  1,
	  1,
	  "a row of names of columns is expected first: the key, and what is known of it" },
	{ "a key alone",
	  "host\na\n",
	  { 0 },
	  1,
	  1,
	  "a row of names of columns is expected first: the key, and what is known of it" },
	{ "a column twice",
	  "a,b,b\n",
	  { 0 },
	  1,
	  1,
	  "a name of a column is empty, or there twice: b" },
	{ "a column inside of another",
	  "host,owner.mail,owner\n",
	  { 0 },
	  1,
	  1,
	  "a column cannot be a text and have others inside of it: owner" },
	{ "no name for what is to be told",
	  ",owner\n",
	  { .column = "owner", .columns = (const char *const[]){ "" }, .n_columns = 1 },
	  1,
	  1,
	  "the first column has no name" },
	{ "a dot at the end",
	  "host,owner.\n",
	  { 0 },
	  1,
	  1,
	  "a name of a column begins or ends with a dot, or has two together: owner." },
	{ "two dots",
	  "host,owner..mail\n",
	  { 0 },
	  1,
	  1,
	  "a name of a column begins or ends with a dot, or has two together: owner..mail" },
	{ "no such key", "a,b\n", { .column = "c" }, 1, 1, "there is no column called c" },
	{ "no such column",
	  "a,b\n",
	  { .columns = (const char *const[]){ "x" }, .n_columns = 1 },
	  1,
	  1,
	  "there is no column called x" },
	{ "too few fields", "a,b\n1,2\n3\n", { 0 }, 3, 1, "1 fields, where the first row has 2" },
	{ "broken CSV", "a,b\n1,2\n3,\"4\n", { 0 }, 3, 3, "a quote that is never closed" },
	{ "an empty key", "a,b\n ,2\n", { 0 }, 2, 1, "the key is empty" },
	{ "a host twice", "a,b\nx,1\ny,2\nX,3\n", { 0 }, 4, 1, "a key that is there already: X" },
	{ "too many rows",
	  "a,b\nx,1\ny,2\n",
	  { .max_rows = 1 },
	  3,
	  1,
	  "more rows than this table may have" },
	{ "too many bytes",
	  "a,b\nxxxxxxxxxxxxxxxxxx,1111111111111111111\n",
	  { .max_bytes = 16 },
	  2,
	  1,
	  "more than the memory of this table holds" },
	{ "no address",
	  "a,b\nx,1\n",
	  { .key = SQ_LOOKUP_PEER },
	  2,
	  1,
	  "with key: peer, an address or a range is expected, not: x" },
	{ "no length",
	  "a,b\n10.0.0.0/x,1\n",
	  { .key = SQ_LOOKUP_PEER },
	  2,
	  1,
	  "no length of a prefix behind the slash: 10.0.0.0/x" },
	{ "too long",
	  "a,b\n10.0.0.0/33,1\n",
	  { .key = SQ_LOOKUP_PEER },
	  2,
	  1,
	  "no length of a prefix behind the slash: 10.0.0.0/33" },
	{ "bits behind the prefix",
	  "a,b\n10.0.0.1/24,1\n",
	  { .key = SQ_LOOKUP_PEER },
	  2,
	  1,
	  "an address that has bits behind its prefix: 10.0.0.1/24" },
	{ "a range twice",
	  "a,b\n10.0.0.0/24,1\n10.0.1.0/24,1\n10.0.0.0/24,2\n",
	  { .key = SQ_LOOKUP_PEER },
	  4,
	  1,
	  "a key that is there already: 10.0.0.0/24" },
};

static void check_bad(void **state)
{
	const struct bad_case *tc = *state;
	struct sq_lookups *l = sq_lookups_new();
	struct sq_lookup_opts opts = tc->opts;
	struct sq_diags diags = { 0 };

	opts.name = "t";
	assert_int_equal(add(l, opts, tc->text, &diags), -EINVAL);
	assert_int_equal(diags.n, 1);
	assert_string_equal(diags.list[0].text, tc->want);
	assert_string_equal(diags.list[0].file, "f.csv");
	assert_int_equal(diags.list[0].line, tc->line);
	assert_int_equal(diags.list[0].col, tc->col);
	assert_int_equal(sq_lookups_rows(l), 0);
	sq_diags_fini(&diags);
	sq_lookups_unref(l);
}

static void columns_are_chosen(void **state)
{
	struct sq_lookups *l = sq_lookups_new();
	struct sq_diags diags = { 0 };
	struct sq_outbuf out = sq_outbuf_of(4096);
	struct sq_jsonw w = sq_jsonw_of(&out);
	const char *const columns[] = { "c" };

	(void)state;
	assert_int_equal(add(l,
	                     (struct sq_lookup_opts){ .name = "t",
	                                              .column = "b",
	                                              .columns = columns,
	                                              .n_columns = 1 },
	                     "a,b,c\n1,k,3\n", &diags),
	                 0);
	sq_lookups_write(l, SQ_SV("k"), SQ_SV(""), &w);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("\"context\":{\"t\":{\"c\":\"3\"}}"));
	sq_outbuf_fini(&out);
	sq_lookups_unref(l);
}

int main(void)
{
	struct CMUnitTest tests[SQ_LEN(write_cases) + SQ_LEN(bad_cases) + 1];
	size_t n = 0;

	for (size_t i = 0; i < SQ_LEN(write_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = write_cases[i].name,
			                          .test_func = check_write,
			                          .initial_state = &write_cases[i] };
	for (size_t i = 0; i < SQ_LEN(bad_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = bad_cases[i].name,
			                          .test_func = check_bad,
			                          .initial_state = &bad_cases[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(columns_are_chosen);
	return _cmocka_run_group_tests("engine/lookup", tests, n, NULL, NULL);
}
