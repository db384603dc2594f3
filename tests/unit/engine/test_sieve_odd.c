/* What makes a record odd, and what does not. */
#include "tests/support/test.h"

#include "lib/engine/sieve_odd.h"

static const struct {
	const char *text;
	bool odd;
} rows[] = {
	/* Ordinary records. */
	{ "{\"EventID\":4688,\"CommandLine\":\"cmd /c dir\"}", false },
	{ "{\"CommandLine\":\"\\\"C:\\\\Users\\\\bob\\\\a.exe\\\" /c x\"}", false },
	{ "{\"Message\":\"Creator Subject:\\r\\n\\tSecurity ID:\\t\\tS-1-5-18\"}", false },
	{ "{\"SourceName\":\"Microsoft-Windows-Sysmon\"}", false },
	{ "{\"Product\":\"Microsoft\xc2\xae Windows\xc2\xae\"}", false },
	{ "{\"TokenElevationType\":\"%%1936\"}", false },
	{ "{\"Time\":\"2020-10-18T02:17:03+02:00\"}", false },
	{ "{\"Source Address\":\"\\t\\t::1\"}", false },
	{ "{\"a\":\"\\\"x\\\" is\\t:\"}", false },
	{ "{\"a\":\"a built-in account\"}", false },
	{ "{\"a\":\"AT&T and others\"}", false },
	{ "{\"a\":\"Name=\\\"Insertion\\\" Value=\\\"5\\\"\\r\\n\"}", false },
	{ "{\"a\":\"%%14674 a&1;b $x -x /x\"}", false },
	{ "", false },

	/* Escapes that spell a letter, or anything that is not written so as a matter of course. */
	{ "{\"a\":\"\\u0072egsvr32\"}", true },
	{ "{\"a\":\"\\\\u0072egsvr32\"}", true },
	{ "{\"a\":\"\\\\U0072egsvr32\"}", true },
	{ "{\"a\":\"\\u005cu0072\"}", true },
	{ "{\"a\":\"\\ud800\"}", true },
	{ "{\"a\":\"reg\\u200bsvr32\"}", true },
	{ "{\"a\":\"reg\\u0022svr32\"}", true },
	{ "{\"a\":\"\\u003cData\\u003ex\\u003c/Data\\u003e\"}", false },
	{ "{\"a\":\"x\\u003c!-- --\\u003e\"}", true },
	{ "{\"a\":\"x\\u003c\\u0021\"}", true },
	{ "{\"a\":\"?\\u003e\"}", true },
	{ "{\"a\":\"a \\u0026 b\"}", false },
	{ "{\"a\":\"\\u0026#114;\"}", true },
	{ "{\"a\":\"M\\u00fcller\"}", false },
	{ "{\"a\":\"C:\\\\users\\\\u41\"}", false },
	{ "{\"a\":\"reg\\bsvr32\"}", true },
	{ "{\"a\":\"C:\\\\bin\"}", false },
	{ "{\"a\":\"\\\\\\b\"}", true },

	/* Characters. */
	{ "reg\x01svr32", true },
	{ "reg\x7fsvr32", true },
	{ "reg\xe2\x80\x8bsvr32", true }, /* a zero width space */
	{ "reg\xc2\xadsvr32", true },     /* a soft hyphen */
	{ "r\xd0\xb5gsvr32", true },      /* a Cyrillic letter that looks like one of ours */
	{ "\xef\xbc\x8fi:x", true },      /* a fullwidth slash */
	{ "caf\xc3\xa9", false },
	{ "\xe6\x97\xa5\xe6\x9c\xac", false },
	{ "caf\xe9 latin", true }, /* no UTF-8 */
	{ "caf\x80", true },
	{ "\xc3", true },
	{ "re^g", true },
	{ "re`g", true },

	/* Keys of JSON within JSON, whose event ids sieve_ids.c does not see. */
	{ "{\"a\":\"{\\\"event_id\\\":1}\"}", true },
	{ "{\"a\":\"{\\\"event_id\\\" :1}\"}", true },
	{ "{\"a\":\"{\\\"event_id\\\"\\t:1}\"}", true },
	{ "{\"a\":\"{\\\"event_id\\\" \\n\\t\\t:1}\"}", true },
	{ "{\"a\":\"{\\\\\\\"event_id\\\\\\\"\\\\t:1}\"}", true },

	/* Quotes within words, texts put together. */
	{ "reg\\\"svr32", true },
	{ "reg\"\"svr32", true },
	{ "reg\\\"\\\"svr32", true },
	{ "scr'obj", true },
	{ "scr\\'obj", true },
	{ "{\"a\":\"\\\\'x\"}", true },
	{ "-\\\"i\\\":x", true },
	{ "{\"a\":\"\\\"x\\\" y\",\"b\":\"z\"}", false },
	{ "'reg' + 'svr32'", true },
	{ "'reg'+'svr32'", true },
	{ "('reg')+$x", true },
	{ "\\t+ x", true },
	{ "\\\"+x", true },

	/* What folding takes away in front of a colon. */
	{ "script\\n:http", true },
	{ "script\\r\\n:http", true },
	{ "script\n:http", true },
	{ "script\\n :http", true },
	{ "script  :http", true },
	{ "{\\\"EventID\\\":1}", true },
	{ "{\\\"EventID\\\" :1}", true },

	/* Variables, entities, markup. */
	{ "%comspec% /c", true },
	{ "100% sure", false },
	{ "$env:comspec", true },
	{ "${env:comspec}", true },
	{ "cost $5", false },
	{ "&#114;", true },
	{ "&colon;", true },
	{ "&amp;#114;", true },
	{ "a & b", false },
	{ "a&b=c", false },
	{ "<!-- -->", true },
	{ "<![CDATA[", true },
	{ "<?xml version?>", true },
	{ "<Data Name=", false },

	/* Short names, switches. */
	{ "scrob~1.dll", true },
	{ "SC1234~1.DLL", false },
	{ "x.exe /i:http", true },
	{ "x.exe -i http", true },
	{ "/s/i:x", true },
	{ " /s/i:x", true },
	{ "\\u0020/i:x", true },
	{ "{\"a\":\"x\\u003c-s\"}", true },
	{ "{\"a\":\"\\u003c-such\"}", false },
	{ "\\t/i:x", true },
	{ "x.exe /s b.dll", true },
	{ "x.exe -u", true },
	{ "x.exe /silent", false },
	{ "plug-in", false },
	{ "read/install", false },
};

static void each_row_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		size_t n = strlen(rows[i].text);
		char *text = exact(rows[i].text, n);
		bool odd = sq_odd_find((struct sq_sv){ text, n }) != SIZE_MAX;

		free(text);
		if (odd != rows[i].odd)
			fail_msg("%s: %s", rows[i].text, odd ? "odd" : "not odd");
	}
}

/* Wherever it stands, between other things, a sign stays one. */
static void signs_stay_signs_in_the_middle_of_a_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		char text[300];
		int n = snprintf(text, sizeof(text), "{\"a\":\" %s \"}", rows[i].text);

		if (rows[i].odd && sq_odd_find((struct sq_sv){ text, (size_t)n }) == SIZE_MAX)
			fail_msg("%s is lost", text);
	}
}

/* Where a sign is of interest to those only who ask for what folding makes: it hides no key and no
 * number. */
static const struct {
	const char *text;
	enum sq_odd odd;
} kinds[] = {
	{ "x.exe /i:http", SQ_ODD_FOLDED },
	{ " /s/i:x", SQ_ODD_FOLDED },
	{ "'reg'+'svr32'", SQ_ODD_FOLDED },
	{ "reg'svr32", SQ_ODD_FOLDED },
	{ "reg\\\"svr32", SQ_ODD_FOLDED },
	{ "%comspec%", SQ_ODD_FOLDED },
	{ "${env}", SQ_ODD_FOLDED },
	{ "$env:x", SQ_ODD_FOLDED },
	{ "script':", SQ_ODD_FOLDED },
	{ "&#114;", SQ_ODD_SPELT },
	{ "<!-- -->", SQ_ODD_SPELT },
	{ "<?xml version?>", SQ_ODD_SPELT },
	{ "\\u0072", SQ_ODD_SPELT },
	{ "\\\"EventID\\\":1", SQ_ODD_SPELT },
	{ "\\\"EventID\\\" :1", SQ_ODD_SPELT },
	{ "\x01", SQ_ODD_SPELT },
	{ "\xe2\x80\x8b", SQ_ODD_SPELT },
	{ "x^y", SQ_ODD_SPELT },
	{ "a\\bc", SQ_ODD_SPELT },
};

static void signs_that_hide_only_words_are_told(void **state)
{
	struct sq_spot s = { 0 };

	(void)state;
	sq_odd_windows(&s);
	for (size_t i = 0; i < SQ_LEN(kinds); i++) {
		struct sq_sv v = sq_sv_of(kinds[i].text);
		enum sq_odd worst = SQ_ODD_NOT;

		for (size_t at = 0; at < v.n; at++) {
			enum sq_odd odd = sq_odd_at(v, at, sq_spot_at(&s, v, at));

			worst = odd > worst ? odd : worst;
		}
		if (worst != kinds[i].odd)
			fail_msg("%s: %d", kinds[i].text, (int)worst);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_told),
		cmocka_unit_test(signs_stay_signs_in_the_middle_of_a_record),
		cmocka_unit_test(signs_that_hide_only_words_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
