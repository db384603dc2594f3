#include "tests/support/test.h"

#include "lib/derive/derive.h"
#include "lib/derive/fold.h"
#include "lib/derive/launch.h"
#include "lib/derive/winpath.h"
#include "tests/unit/derive/derived.h"

#define ROW(id, name, says, example) { name, says, example },
static const struct {
	const char *name, *says, *example;
} derived[] = { SQ_DERIVED(ROW) };
#undef ROW

static void every_derived_field_is_described(void **state)
{
	(void)state;
	for (size_t i = 0; i < SQ_LEN(derived); i++) {
		assert_int_equal(strncmp(derived[i].name, "squibly.", 8), 0);
		assert_true(strlen(derived[i].says) > 10 && derived[i].example[0]);
	}
}

static char *read_manual(void)
{
	const char *top = getenv("SQ_SOURCE_DIR");
	char path[4096], *text = calloc(1, 1u << 20);
	FILE *f;

	assert_non_null(text);
	(void)snprintf(path, sizeof(path), "%s/docs/rules.md", top ? top : ".");
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, (1u << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void assert_row(const char *text, const char *name, const char *says)
{
	char row[512];

	(void)snprintf(row, sizeof(row), "| `%s` | %s", name, says);
	if (!strstr(text, row))
		fail_msg("docs/rules.md has no row \"%s\"", row);
}

/* As Markdown wants it: an ampersand begins no entity. */
static const char *in_markdown(const char *text, char to[256])
{
	char *end = to;

	for (; *text; text++) {
		assert_true(end - to < 240);
		*end++ = *text;
		if (*text == '&')
			end = stpcpy(end, "amp;");
	}
	*end = 0;
	return to;
}

static void the_manual_names_every_field_and_value(void **state)
{
#define ROW(e, name, help) { name, help },
	static const struct {
		const char *name, *help;
	} values[] = { SQ_TRICKS(ROW) SQ_PLACES(ROW) SQ_CARRIES(ROW) };
#undef ROW
	char *text = read_manual(), help[256];

	(void)state;
	for (size_t i = 0; i < SQ_LEN(derived); i++)
		assert_row(text, derived[i].name, derived[i].says);
	for (size_t i = 0; i < SQ_LEN(values); i++)
		assert_row(text, values[i].name, in_markdown(values[i].help, help));
	free(text);
}

static void an_event_that_says_nothing_gets_nothing(void **state)
{
	(void)state;
	for (unsigned c = 0; c < SQ_CATEGORIES; c++) {
		struct derived d;

		derived_init(&d);
		d.ev.category = (enum sq_category)c;
		sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
		for (uint32_t i = 0; i < SQ_F_CANONICAL; i++)
			assert_false(sq_event_has(&d.ev, i));
		assert_int_equal(d.arena.used, 0);
		derived_fini(&d);
	}
}

static void values_are_added_in_order_and_bounded(void **state)
{
	struct derived d;

	(void)state;
	derived_init(&d);
	for (int i = 0; i < SQ_EVENT_MORE_MAX + 1; i++) {
		assert_true(sq_event_add(&d.ev, SQ_F_D_TRICK, SQ_SV("x")));
		if (i == 3)
			assert_true(sq_event_add_once(&d.ev, SQ_F_D_NAME, SQ_SV("a"), 2));
	}
	assert_false(sq_event_add(&d.ev, SQ_F_D_TRICK, SQ_SV("x")));
	assert_true(d.ev.flags & SQ_EVENT_OVERFLOW);
	derived_fini(&d);

	derived_init(&d);
	assert_true(sq_event_add_once(&d.ev, SQ_F_D_NAME, SQ_SV("a"), 2));
	assert_true(sq_event_add_once(&d.ev, SQ_F_D_TRICK, SQ_SV("t"), 2));
	assert_true(sq_event_add_once(&d.ev, SQ_F_D_NAME, SQ_SV("a"), 2));
	assert_true(sq_event_add_once(&d.ev, SQ_F_D_TRICK, SQ_SV("u"), 2));
	assert_true(sq_event_add_once(&d.ev, SQ_F_D_NAME, SQ_SV("b"), 2));
	assert_false(sq_event_add_once(&d.ev, SQ_F_D_NAME, SQ_SV("c"), 2));
	assert_true(sq_event_add_once(&d.ev, SQ_F_D_NAME, SQ_SV("b"), 2));
	assert_string_equal(derived_text(&d, "squibly.image_name"), "a|b");
	assert_string_equal(derived_text(&d, "squibly.trick"), "t|u");
	sq_event_set(&d.ev, SQ_F_D_NAME, SQ_SV("only"));
	assert_string_equal(derived_text(&d, "squibly.image_name"), "only");
	derived_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_derived_field_is_described),
		cmocka_unit_test(the_manual_names_every_field_and_value),
		cmocka_unit_test(an_event_that_says_nothing_gets_nothing),
		cmocka_unit_test(values_are_added_in_order_and_bounded),
	};

	return cmocka_run_group_tests_name("derive/derive", tests, NULL, NULL);
}
