#include "lib/rules/hsdb.h"

#include <errno.h>

#include "tests/support/test.h"

struct seen {
	unsigned count[8];
};

static void on_hit(void *ctx, uint32_t id)
{
	struct seen *s = ctx;

	assert_true(id < SQ_LEN(s->count));
	s->count[id]++;
}

static struct sq_hsdb *compile(const struct sq_hs_pattern *p, uint32_t n)
{
	struct sq_hsdb *db = NULL;
	uint32_t bad = 0;

	assert_int_equal(sq_hsdb_new(p, n, &db, &bad, NULL), 0);
	return db;
}

static const struct sq_hs_pattern patterns[] = {
	{ "a", SQ_HS_CASELESS, 0 },
	{ "\\Aab\\z", SQ_HS_DOTALL, 1 },
	{ "x*", 0, 2 },
	{ "b$", SQ_HS_MULTILINE, 5 },
};

static void scan(struct sq_hsdb *db, struct sq_sv text, struct seen *ret)
{
	struct sq_hs_scratch *s = NULL;
	char *copy = exact(text.p, text.n);

	*ret = (struct seen){ 0 };
	assert_int_equal(sq_hs_scratch_grow(&s, db), 0);
	assert_int_equal(sq_hsdb_scan(db, s, (struct sq_sv){ copy, text.n }, on_hit, ret), 0);
	sq_hs_scratch_free(s);
	free(copy);
}

static void each_pattern_reports_once(void **state)
{
	struct sq_hsdb *db = compile(patterns, SQ_LEN(patterns));
	struct seen s;

	(void)state;
	scan(db, SQ_SV("aAaA"), &s);
	assert_int_equal(s.count[0], 1);
	assert_int_equal(s.count[1], 0);
	assert_int_equal(s.count[2], 1);
	assert_int_equal(s.count[5], 0);
	sq_hsdb_free(db);
}

static void small_z_is_the_very_end(void **state)
{
	struct sq_hsdb *db = compile(patterns, SQ_LEN(patterns));
	struct seen s;

	(void)state;
	scan(db, SQ_SV("ab"), &s);
	assert_int_equal(s.count[1], 1);
	scan(db, SQ_SV("ab\n"), &s);
	assert_int_equal(s.count[1], 0);
	assert_int_equal(s.count[5], 1);
	sq_hsdb_free(db);
}

static void empty_text_is_scanned(void **state)
{
	struct sq_hsdb *db = compile(patterns, SQ_LEN(patterns));
	struct sq_hs_scratch *scratch = NULL;
	struct seen s = { 0 };

	(void)state;
	assert_int_equal(sq_hs_scratch_grow(&scratch, db), 0);
	assert_int_equal(sq_hsdb_scan(db, scratch, (struct sq_sv){ NULL, 0 }, on_hit, &s), 0);
	assert_int_equal(s.count[0], 0);
	assert_int_equal(s.count[2], 1);
	sq_hs_scratch_free(scratch);
	sq_hsdb_free(db);
}

static void names_the_pattern_that_it_refuses(void **state)
{
	const struct sq_hs_pattern bad[] = { { "a", 0, 0 }, { "a(?=b)", 0, 1 }, { "c", 0, 2 } };
	struct sq_hsdb *db = NULL;
	struct sq_err err = { 0 };
	uint32_t which = 99;

	(void)state;
	assert_int_equal(sq_hsdb_new(bad, 3, &db, &which, &err), -EINVAL);
	assert_int_equal(which, 1);
	assert_true(strlen(err.text) > 0);
	assert_null(db);
}

static void survives_a_trip_through_bytes(void **state)
{
	struct sq_hsdb *db = compile(patterns, SQ_LEN(patterns)), *again = NULL;
	struct sq_outbuf out = sq_outbuf_of(1 << 20);
	struct seen s;

	(void)state;
	assert_int_equal(sq_hsdb_save(db, &out), 0);
	assert_int_equal(sq_hsdb_load(sq_outbuf_view(&out), &again), 0);
	scan(again, SQ_SV("ab"), &s);
	assert_int_equal(s.count[0], 1);
	assert_int_equal(s.count[1], 1);
	sq_hsdb_free(again);
	sq_hsdb_free(db);
	sq_outbuf_fini(&out);
}

static void refuses_bytes_that_are_no_database(void **state)
{
	struct sq_hsdb *db = compile(patterns, SQ_LEN(patterns)), *again = NULL;
	struct sq_outbuf out = sq_outbuf_of(1 << 20);

	(void)state;
	assert_int_equal(sq_hsdb_save(db, &out), 0);
	assert_int_equal(sq_hsdb_load(SQ_SV(""), &again), -EBADMSG);
	assert_int_equal(sq_hsdb_load(sq_sv_first(sq_outbuf_view(&out), out.len - 1), &again),
	                 -EBADMSG);
	out.p[out.len / 2] ^= 1;
	assert_int_equal(sq_hsdb_load(sq_outbuf_view(&out), &again), -EBADMSG);
	assert_null(again);
	sq_hsdb_free(db);
	sq_outbuf_fini(&out);
}

static void a_failing_buffer_fails_the_save(void **state)
{
	struct sq_hsdb *db = compile(patterns, SQ_LEN(patterns));
	struct sq_outbuf out = sq_outbuf_of(16);

	(void)state;
	assert_int_equal(sq_hsdb_save(db, &out), -ENOMEM);
	sq_hsdb_free(db);
	sq_outbuf_fini(&out);
}

static void identity_is_stable(void **state)
{
	struct sq_outbuf a = sq_outbuf_of(1024), b = sq_outbuf_of(1024);

	(void)state;
	assert_true(sq_hsdb_usable());
	sq_hsdb_identity(&a);
	sq_hsdb_identity(&b);
	assert_true(a.len > 4 && !a.failed);
	assert_sv_equal(sq_outbuf_view(&a), sq_outbuf_view(&b));
	sq_outbuf_fini(&a);
	sq_outbuf_fini(&b);
}

static void a_check_says_what_would_be_refused(void **state)
{
	const struct sq_hs_pattern good = { "a[bc]+", 0, 0 }, ahead = { "a(?=b)", 0, 0 };
	struct sq_err err = { 0 };

	(void)state;
	assert_int_equal(sq_hsdb_check(&good, &err), 0);
	assert_int_equal(sq_hsdb_check(&ahead, &err), -EINVAL);
	assert_true(strlen(err.text) > 0);
}

static void repeats_are_counted_as_if_written_out(void **state)
{
	static const struct {
		const char *expression;
		uint32_t characters;
	} rows[] = {
		{ "", 0 },
		{ "abc", 3 },
		{ "a{30}", 30 },
		{ "a{30,}b", 31 },
		{ "a{2,30}", 30 },
		{ "a{0}", 1 }, /* never less than what is written */
		{ "\\{2}", 3 },
		{ "\\\\{7}", 7 },
		{ "[a-z{9}]{7}", 7 },
		{ "[]{9}]{7}", 7 },
		{ "[^]{9}]{7}", 7 },
		{ "[[:alpha:]{9}]{7}", 7 },
		{ "[\\]{9}]{7}", 7 },
		{ "(abc){10}", 30 },
		{ "((a{10}b){10}c){10}", 1110 },
		{ "x(ab){10}y", 22 },
		{ "(a{65535}){65535}", UINT32_C(65535) * 65535 },
		{ "((a{65535}){65535}){65535}", UINT32_MAX },
		{ "a{99999999999999}", UINT32_MAX },
		{ "(a{5}", 5 },
		{ "[a", 1 },
		{ "a\\", 2 },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		char *copy = exact(rows[i].expression, strlen(rows[i].expression) + 1);
		uint32_t have = sq_hsdb_unrolled(copy);

		if (have != rows[i].characters)
			fail_msg("%s: %u, not %u", rows[i].expression, have, rows[i].characters);
		free(copy);
	}
}

static void enders_take_null(void **state)
{
	(void)state;
	sq_hsdb_free(NULL);
	sq_hs_scratch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pattern_reports_once),
		cmocka_unit_test(small_z_is_the_very_end),
		cmocka_unit_test(empty_text_is_scanned),
		cmocka_unit_test(names_the_pattern_that_it_refuses),
		cmocka_unit_test(survives_a_trip_through_bytes),
		cmocka_unit_test(refuses_bytes_that_are_no_database),
		cmocka_unit_test(a_failing_buffer_fails_the_save),
		cmocka_unit_test(identity_is_stable),
		cmocka_unit_test(a_check_says_what_would_be_refused),
		cmocka_unit_test(repeats_are_counted_as_if_written_out),
		cmocka_unit_test(enders_take_null),
	};

	return cmocka_run_group_tests_name("rules/hsdb", tests, NULL, NULL);
}
