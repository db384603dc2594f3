/* Each body that this CPU runs against one byte after the other. */
#include "tests/support/test.h"

#include "lib/text/escape.h"

enum { TEXT_MAX = 400, GUARD = 16 };

/* What the header says, as plainly as it can be done: what is not ASCII is below 0 here. */
static size_t slowly(char *to, struct sq_sv from, size_t *ret_n)
{
	size_t i = 0, n = 0;

	for (; i < from.n && from.p[i] >= ' '; i++) {
		if (from.p[i] == '"' || from.p[i] == '\\')
			to[n++] = '\\';
		to[n++] = from.p[i];
	}
	*ret_n = n;
	return i;
}

/* The input lies alone on the heap, so that a sanitizer sees what is read beside it. */
static void compare(const struct sq_escape_body *body, struct sq_sv text)
{
	size_t room = 2 * text.n + SQ_ESCAPE_BEHIND, n, want_n, done, want_done;
	char *in = malloc(text.n ? text.n : 1), *to = malloc(room + GUARD);
	char want[2 * TEXT_MAX], guard[GUARD];

	memcpy(in, text.p, text.n);
	memset(guard, 0x5a, GUARD);
	memcpy(to + room, guard, GUARD);
	want_done = slowly(want, text, &want_n);
	done = body->copy(to, (struct sq_sv){ in, text.n }, &n);
	if (done != want_done || n != want_n || memcmp(to, want, n) != 0)
		fail_msg("%s: %zu of %zu bytes as %zu, not %zu as %zu", body->name, done, text.n, n,
		         want_done, want_n);
	assert_memory_equal(to + room, guard, GUARD);
	free(in);
	free(to);
}

static void check_all(struct sq_sv text)
{
	for (size_t i = 0; i < sq_escape_bodies_n; i++) {
		if (sq_escape_bodies[i].runs())
			compare(&sq_escape_bodies[i], text);
	}
}

static void every_byte_at_every_place(void **state)
{
	static const size_t lengths[] = { 1, 7, 8, 31, 32, 33, 63, 64, 65, 100 };
	char text[TEXT_MAX];

	(void)state;
	for (size_t l = 0; l < SQ_LEN(lengths); l++) {
		for (unsigned c = 0; c < 256; c++) {
			for (size_t at = 0; at < lengths[l]; at++) {
				memset(text, 'x', lengths[l]);
				text[at] = (char)c;
				check_all((struct sq_sv){ text, lengths[l] });
			}
		}
	}
}

static void nothing_but_what_is_escaped(void **state)
{
	char text[TEXT_MAX];

	(void)state;
	for (size_t n = 0; n <= TEXT_MAX / 2; n++) {
		memset(text, n % 2 ? '"' : '\\', n);
		check_all((struct sq_sv){ text, n });
	}
}

static void texts_by_chance(void **state)
{
	static const char dense[] = "\"\\ab", thin[] = "\"\\abcdefghijklmnopqrstuvwxyz :/.-";
	uint32_t seed = 1;
	char text[TEXT_MAX];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const char *of = round % 2 ? dense : thin;
		size_t kinds = strlen(of), n;

		seed = seed * 1664525 + 1013904223;
		n = seed >> 8 & 255;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = of[(seed >> 16) % kinds];
		}
		if (round % 5 == 0 && n)
			text[seed % n] = (char)(seed >> 24);
		check_all((struct sq_sv){ text, n });
	}
}

static void the_best_is_the_first_that_runs(void **state)
{
	size_t i = 0;

	(void)state;
	while (!sq_escape_bodies[i].runs())
		i++;
	assert_ptr_equal(sq_escape_best(), sq_escape_bodies[i].copy);
	assert_string_equal(sq_escape_bodies[sq_escape_bodies_n - 1].name, "plain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_at_every_place),
		cmocka_unit_test(nothing_but_what_is_escaped),
		cmocka_unit_test(texts_by_chance),
		cmocka_unit_test(the_best_is_the_first_that_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
