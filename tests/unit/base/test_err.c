#include "tests/support/test.h"

#include <errno.h>

#include "lib/base/err.h"
#include "tests/support/fault_alloc.h"

static void set_and_wrap(void **state)
{
	struct sq_err e;

	(void)state;
	assert_int_equal(sq_err_set(&e, -EINVAL, "key %s", "x"), -EINVAL);
	assert_int_equal(e.code, -EINVAL);
	assert_string_equal(e.text, "key x");
	assert_int_equal(sq_err_wrap(&e, -EIO, "file %d", 1), -EIO);
	assert_int_equal(e.code, -EIO);
	assert_string_equal(e.text, "file 1: key x");
	assert_int_equal(sq_err_set(NULL, -EINVAL, "x"), -EINVAL);
	assert_int_equal(sq_err_wrap(NULL, -EINVAL, "x"), -EINVAL);
}

static void long_texts_are_cut(void **state)
{
	char text[2 * SQ_ERR_TEXT];
	struct sq_err e;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	sq_err_set(&e, -EINVAL, "%s", text);
	assert_int_equal(strlen(e.text), SQ_ERR_TEXT - 1);
	sq_err_wrap(&e, -EINVAL, "in");
	assert_int_equal(strlen(e.text), SQ_ERR_TEXT - 1);
	assert_memory_equal(e.text, "in: xxx", 7);
	sq_err_wrap(&e, -EINVAL, "%s", text);
	assert_int_equal(strlen(e.text), SQ_ERR_TEXT - 1);
}

static void errors_have_names(void **state)
{
	(void)state;
	assert_string_equal(sq_strerror(-ENOENT), "No such file or directory");
	assert_string_equal(sq_strerror(ENOENT), "No such file or directory");
	assert_non_null(sq_strerror(-99999));
}

static void findings_are_kept_in_order(void **state)
{
	struct sq_diags d = { 0 };
	struct sq_err e = { 0 };

	(void)state;
	assert_int_equal(sq_diags_to_err(&d, &e), 0);
	sq_diag_add(&d, SQ_DIAG_WARNING, "a.yaml", 1, 2, "odd %d", 1);
	assert_int_equal(sq_diags_to_err(&d, &e), 0);
	sq_diag_add(&d, SQ_DIAG_ERROR, "b.yaml", 3, 4, "bad");
	assert_int_equal(sq_diags_to_err(&d, &e), -EINVAL);
	assert_string_equal(e.text, "b.yaml:3:4: bad");
	sq_diag_add(&d, SQ_DIAG_ERROR, NULL, 0, 0, "worse");
	assert_int_equal(sq_diags_to_err(&d, &e), -EINVAL);
	assert_string_equal(e.text, "b.yaml:3:4: bad (and 1 more error)");
	sq_diag_add(&d, SQ_DIAG_ERROR, "c.yaml", 5, 0, "worst");
	(void)sq_diags_to_err(&d, &e);
	assert_string_equal(e.text, "b.yaml:3:4: bad (and 2 more errors)");
	assert_int_equal(d.n, 4);
	assert_int_equal(d.errors, 3);
	assert_int_equal(d.warnings, 1);
	assert_string_equal(d.list[0].text, "odd 1");
	assert_string_equal(d.list[2].file, "");
	assert_int_equal(sq_diags_to_err(&d, NULL), -EINVAL);
	sq_diags_fini(&d);
	assert_int_equal(d.n, 0);
	sq_diags_fini(&d);
	sq_diags_fini(NULL);
}

static void findings_without_position(void **state)
{
	struct sq_diags d = { 0 };
	struct sq_err e;

	(void)state;
	sq_diag_add(&d, SQ_DIAG_ERROR, "a.yaml", 0, 0, "cannot be read");
	(void)sq_diags_to_err(&d, &e);
	assert_string_equal(e.text, "a.yaml: cannot be read");
	sq_diags_fini(&d);
	sq_diag_add(&d, SQ_DIAG_ERROR, "a.yaml", 7, 0, "odd");
	(void)sq_diags_to_err(&d, &e);
	assert_string_equal(e.text, "a.yaml:7: odd");
	sq_diags_fini(&d);
}

static void only_so_many_are_kept(void **state)
{
	struct sq_diags d = { 0 };
	struct sq_err e;

	(void)state;
	for (unsigned i = 0; i < 2 * SQ_DIAGS_MAX; i++)
		sq_diag_add(&d, SQ_DIAG_WARNING, "a", i, 1, "w");
	sq_diag_add(&d, SQ_DIAG_ERROR, "a", 1, 1, "first");
	sq_diag_add(&d, SQ_DIAG_ERROR, "a", 2, 1, "second");
	assert_int_equal(d.n, SQ_DIAGS_MAX);
	assert_int_equal(d.warnings, 2 * SQ_DIAGS_MAX);
	assert_int_equal(sq_diags_to_err(&d, &e), -EINVAL);
	assert_string_equal(e.text, "a:1:1: first (and 1 more error)");
	sq_diags_fini(&d);
}

static void no_memory_loses_the_text_only(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct sq_diags d = { 0 };
		struct sq_err e;
		bool failed;

		fault_alloc_at(n);
		sq_diag_add(&d, SQ_DIAG_ERROR, "a", 1, 1, "bad");
		failed = fault_alloc_end();
		assert_int_equal(d.errors, 1);
		assert_int_equal(d.n, !failed);
		assert_int_equal(sq_diags_to_err(&d, &e), -EINVAL);
		sq_diags_fini(&d);
		if (!failed)
			return;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_and_wrap),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(errors_have_names),
		cmocka_unit_test(findings_are_kept_in_order),
		cmocka_unit_test(findings_without_position),
		cmocka_unit_test(only_so_many_are_kept),
		cmocka_unit_test(no_memory_loses_the_text_only),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
