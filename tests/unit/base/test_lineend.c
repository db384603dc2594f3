#include "tests/support/test.h"

#include "lib/base/lineend.h"

enum { LENGTHS = 530 }; /* two turns of the longest loop, and all that may be left behind them */

static size_t find_slowly(struct sq_sv v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] == '\n' || v.p[i] == '\0')
			return i;
	return SIZE_MAX;
}

/* In memory that ends where the view does, and begins at any place of a word. */
static void check(struct sq_sv v, size_t shift)
{
	char *copy = exact(v.p, v.n);
	struct sq_sv in = sq_sv_skip((struct sq_sv){ copy, v.n }, shift);
	size_t want = find_slowly(in);

	assert_true(sq_line_end(in) == want);
	for (size_t i = 0; i < sq_line_end_bodies_n; i++) {
		const struct sq_line_end_body *b = &sq_line_end_bodies[i];

		if (b->runs() && b->find(in) != want)
			fail_msg("%s: %zu bytes: at %zu, not %zu", b->name, in.n, want,
			         b->find(in));
	}
	free(copy);
}

static void every_place_in_every_length(void **state SQ_UNUSED)
{
	char text[LENGTHS];

	/* The bytes that differ from the two in one bit, and the highest. */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "\x0b\x08\x0e\x02\x1a\x2a\x4a\x8a\x01\x80\xff x"[i % 12];
	for (size_t n = 0; n < LENGTHS; n++) {
		check((struct sq_sv){ text, n }, n % 9);
		for (size_t at = 0; at < n; at += n < 140 ? 1 : 13) {
			char was = text[at];

			text[at] = at % 2 ? '\n' : '\0';
			check((struct sq_sv){ text, n }, at % 7);
			text[at] = was;
		}
	}
}

static void the_first_of_several(void **state SQ_UNUSED)
{
	char text[400];

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i + 70 < sizeof(text); i++) {
		text[i] = '\0';
		text[i + 1] = text[i + 33] = text[i + 70] = '\n';
		check((struct sq_sv){ text, sizeof(text) }, 0);
		text[i] = '\n';
		text[i + 1] = '\0';
		check((struct sq_sv){ text, sizeof(text) }, 0);
		text[i] = 'x';
		text[i + 1] = text[i + 33] = text[i + 70] = 'x';
	}
}

static void the_last_body_runs_everywhere(void **state SQ_UNUSED)
{
	assert_true(sq_line_end_bodies[sq_line_end_bodies_n - 1].runs());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_place_in_every_length),
		cmocka_unit_test(the_first_of_several),
		cmocka_unit_test(the_last_body_runs_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
