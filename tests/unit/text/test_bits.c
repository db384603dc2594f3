/* Each body that this CPU runs against one byte after the other. */
#include "tests/support/test.h"

#include "lib/text/bits.h"

enum { TEXT_MAX = 3 * SQ_BITS_WINDOW };

struct found {
	uint32_t at[TEXT_MAX];
	uint32_t n;
	bool bad;
};

static bool hex(char c)
{
	return sq_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool bad_escape(struct sq_sv text, size_t i)
{
	if (text.p[i] != 'u')
		return !strchr("\"\\/bfnrt", text.p[i]) || text.p[i] == '\0';
	for (size_t k = 1; k <= 4; k++) {
		if (i + k >= text.n || !hex(text.p[i + k]))
			return true;
	}
	return false;
}

/* What the header says, as plainly as it can be done. Backslashes outside strings escape, too. */
static void slowly(struct sq_sv text, struct found *f)
{
	bool in_string = false, in_scalar = false, escaped = false;

	f->n = 0;
	f->bad = false;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool was_escaped = escaped, quote = c == '"' && !was_escaped;
		bool mark = c && strchr("{}[]:,", (char)c), token;

		escaped = c == '\\' && !was_escaped;
		if (in_string) {
			f->bad = f->bad || c < 0x20 || (was_escaped && bad_escape(text, i));
			in_string = !quote;
			in_scalar = false;
			continue;
		}
		f->bad = f->bad || (c < 0x20 && !sq_is_space((char)c));
		token = mark || (c > ' ' && !(in_scalar && c != ' '));
		in_scalar = c > ' ' && !mark && !quote;
		in_string = quote;
		if (token)
			f->at[f->n++] = (uint32_t)i;
	}
	f->bad = f->bad || in_string;
}

static void by_body(const struct sq_bits_body *body, struct sq_sv text, struct found *f)
{
	uint32_t at[SQ_BITS_ROOM];
	struct sq_bits b;

	f->n = 0;
	sq_bits_begin(&b, text);
	while (b.at < b.n) {
		uint32_t n = body->next(&b, at);

		assert_true(n <= SQ_BITS_WINDOW);
		memcpy(f->at + f->n, at, n * sizeof(*at));
		f->n += n;
	}
	f->bad = b.bad != 0;
}

static unsigned long good;

static void compare(struct sq_sv text)
{
	static struct found want, got;
	char *copy = exact(text.p, text.n);

	text.p = copy;
	slowly(text, &want);
	for (size_t i = 0; i < sq_bits_bodies_n; i++) {
		const struct sq_bits_body *body = &sq_bits_bodies[i];

		if (!body->runs())
			continue;
		by_body(body, text, &got);
		if (got.bad != want.bad)
			fail_msg("%s: bad %d: \"%.*s\"", body->name, got.bad, SQ_SV_ARG(text));
		if (want.bad) /* what follows may be anything */
			continue;
		good++;
		if (got.n != want.n || memcmp(got.at, want.at, want.n * sizeof(*want.at)) != 0)
			fail_msg("%s: other tokens: \"%.*s\"", body->name, SQ_SV_ARG(text));
	}
	free(copy);
}

static void short_texts_at_every_place_in_a_block(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"{\"a\":1}",
		"\"\\\\\\\"\\\\\"",
		"\"\\u00e9\\n\" \\\" \"",
		"[1,true,\"x\"y,\"z]\"]",
		"\"a\\",
		"\"\\u12",
		"\"\\u123\"",
		"\"\x1f\"",
		"\t\r\n\"a\"",
		"\f1",
		"1\"a,b\"2",
		"\x80\xff\xba\xfb\"\xbc\"",
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(texts); i++) {
		size_t n = strlen(texts[i]);

		for (size_t before = 0; before < 140; before++) {
			char text[300];

			memset(text, before % 2 ? ' ' : '\\', before);
			memcpy(text + before, texts[i], n);
			compare((struct sq_sv){ text, before + n });
			memset(text, ' ', before);
			memset(text + before + n, ' ', 70);
			compare((struct sq_sv){ text, before + n + 70 });
		}
	}
}

static void every_byte_outside_and_inside_a_string(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char text[] = "[\"a?b\",?,\"\\?\"]";

		for (char *p = text; *p; p++) {
			if (*p == '?')
				*p = (char)c;
		}
		compare((struct sq_sv){ text, sizeof(text) - 1 });
		compare((struct sq_sv){ text, 5 });
		compare((struct sq_sv){ (char[]){ (char)c }, 1 });
	}
}

static void random_texts_of_the_bytes_that_matter(void **state)
{
	static const char bytes[] = "\"\"\"\\\\\\{}[]:,  a1u0nx\t";
	static char text[TEXT_MAX];
	uint64_t seed = 0x9e3779b97f4a7c15u;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)round % 400 + (round % 997 ? 0 : 2 * SQ_BITS_WINDOW);

		for (size_t i = 0; i < n; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			text[i] = seed % 3 ? 'a' : bytes[(seed >> 8) % (sizeof(bytes) - 1)];
			if (text[i] == '\t' && seed >> 58)
				text[i] = ' ';
			if (text[i] == '\\' && i + 1 < n && seed >> 58) /* one that is allowed */
				text[++i] = "\\\"n/"[seed >> 30 & 3];
		}
		text[n - (n > 0)] = '"';
		compare((struct sq_sv){ text, n });
	}
	assert_true(good > 10000);
}

static void the_best_body_runs_here(void **state)
{
	(void)state;
	assert_true(sq_bits_best()->runs());
	assert_true(sq_bits_bodies[sq_bits_bodies_n - 1].runs());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_texts_at_every_place_in_a_block),
		cmocka_unit_test(every_byte_outside_and_inside_a_string),
		cmocka_unit_test(random_texts_of_the_bytes_that_matter),
		cmocka_unit_test(the_best_body_runs_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
