#include "tests/support/test.h"

#include <errno.h>

#include "lib/model/field.h"

static void canonical_names_have_their_numbers(void **state)
{
	struct sq_fields *f = sq_fields_new();

	(void)state;
	assert_non_null(f);
	assert_int_equal(sq_fields_count(f), SQ_F_CANONICAL);
	assert_int_equal(sq_fields_find(f, SQ_SV("EventID")), SQ_F_EVENT_ID);
	assert_int_equal(sq_fields_find(f, SQ_SV("CommandLine")), SQ_F_COMMAND_LINE);
	for (uint32_t i = 0; i < SQ_F_CANONICAL; i++)
		assert_int_equal(sq_fields_find(f, sq_fields_name(f, i)), i);
	sq_fields_free(f);
}

static void case_counts_and_so_does_every_byte(void **state)
{
	static const char *const not_there[] = {
		"commandline", "CommandLin", "CommandLine ",          "",
		"x",           "ProcessID",  "CommandLineCommandLine"
	};
	struct sq_fields *f = sq_fields_new();

	(void)state;
	for (size_t i = 0; i < SQ_LEN(not_there); i++)
		assert_int_equal(sq_fields_find(f, sq_sv_of(not_there[i])), -1);
	sq_fields_free(f);
}

static void a_new_name_is_copied_and_found_again(void **state)
{
	struct sq_fields *f = sq_fields_new();
	char name[] = "TargetObject";
	int number = sq_fields_add(f, sq_sv_of(name));

	(void)state;
	assert_int_equal(number, SQ_F_CANONICAL);
	name[0] = 'X';
	assert_int_equal(sq_fields_find(f, SQ_SV("TargetObject")), number);
	assert_int_equal(sq_fields_add(f, SQ_SV("TargetObject")), number);
	assert_int_equal(sq_fields_add(f, SQ_SV("Image")), SQ_F_IMAGE);
	assert_sv_equal(sq_fields_name(f, (uint32_t)number), SQ_SV("TargetObject"));
	sq_fields_free(f);
}

static void there_is_an_end_to_it(void **state)
{
	struct sq_fields *f = sq_fields_new();
	char name[300];

	(void)state;
	for (int i = SQ_F_CANONICAL; i < SQ_FIELDS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "Field%d", i);
		assert_int_equal(sq_fields_add(f, sq_sv_of(name)), i);
	}
	assert_int_equal(sq_fields_add(f, SQ_SV("OneMore")), -ENOSPC);
	assert_int_equal(sq_fields_add(f, SQ_SV("Field100")), 100);
	for (int i = SQ_F_CANONICAL; i < SQ_FIELDS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "Field%d", i);
		assert_int_equal(sq_fields_find(f, sq_sv_of(name)), i);
	}
	sq_fields_free(f);
}

static void a_name_longer_than_any_is_refused(void **state)
{
	struct sq_fields *f = sq_fields_new();
	char name[300];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_int_equal(sq_fields_add(f, (struct sq_sv){ name, sizeof(name) }), -ENOSPC);
	sq_fields_free(f);
	sq_fields_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_names_have_their_numbers),
		cmocka_unit_test(case_counts_and_so_does_every_byte),
		cmocka_unit_test(a_new_name_is_copied_and_found_again),
		cmocka_unit_test(there_is_an_end_to_it),
		cmocka_unit_test(a_name_longer_than_any_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
