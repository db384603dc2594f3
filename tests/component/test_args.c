#include "daemon/core/args.h"

#include <errno.h>

#include "tests/support/test.h"

/* `line` cut at its blanks. */
static int parse(struct sqd_args *a, const char *line, struct sq_err *err)
{
	static char text[256], *argv[16];
	int argc = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *p = text, *word; (word = strsep(&p, " "));)
		argv[argc++] = word;
	argv[argc] = NULL;
	return sqd_args_parse(a, argc, argv, err);
}

static void arguments_are_read(void **state)
{
	static const struct {
		const char *line, *says;
	} bad[] = {
		{ "squiblyd --bogus", "no such option: --bogus" },
		{ "squiblyd -c", "-c needs a value" },
		{ "squiblyd a.yaml",
		  "unexpected argument: a.yaml (a configuration is given with -c)" },
		{ "squiblyd -c a.yaml --config=b.yaml",
		  "only one configuration: a.yaml or b.yaml" },
	};
	struct sqd_args a;
	struct sq_err err = { 0 };

	(void)state;
	assert_int_equal(parse(&a, "squiblyd -c a.yaml --rules x --rules=y --check-config", &err),
	                 0);
	assert_string_equal(a.config, "a.yaml");
	assert_int_equal(a.n_rules, 2);
	assert_string_equal(a.rules[1], "y");
	assert_int_equal(a.command, SQD_CHECK_CONFIG);
	sqd_args_fini(&a);
	for (size_t i = 0; i < SQ_LEN(bad); i++) {
		assert_int_equal(parse(&a, bad[i].line, &err), -EINVAL);
		assert_string_equal(err.text, bad[i].says);
		sqd_args_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_read),
	};

	return cmocka_run_group_tests_name("core/args", tests, NULL, NULL);
}
