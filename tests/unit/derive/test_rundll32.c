#include "tests/unit/derive/derived.h"

struct rundll_case {
	const char *name, *line, *want;
	const char *folder; /* CurrentDirectory */
};

/* clang-format off */
static struct rundll_case cases[] = {
	{ "library and entry", "rundll32.exe shell32.dll,Control_RunDLL desk.cpl",
	  "rundll32.library=shell32.dll\nrundll32.library_name=shell32\nrundll32.library_place=bare_system\n"
	  "rundll32.entry=control_rundll\nrundll32.argument=desk.cpl" },
	{ "a quoted path with blanks", "rundll32 \"C:\\Program Files\\V x\\v.dll\",Run \"a b\" c",
	  "rundll32.library=c:\\program files\\v x\\v.dll\nrundll32.library_place=program_files\n"
	  "rundll32.entry=run\nrundll32.argument=a b c" },
	{ "a path with blanks and no quotes", "rundll32 C:\\Program Files\\V\\v.dll,Run",
	  "rundll32.library=c:\\program files\\v\\v.dll\nrundll32.entry=run\nrundll32.argument=-" },
	{ "a blank for the comma", "rundll32 C:\\Users\\Public\\a.dll Start x",
	  "rundll32.library_place=user_writable\nrundll32.entry=start\nrundll32.argument=x" },
	{ "blanks around the comma", "rundll32 a.dll , Start", "rundll32.library=a.dll\nrundll32.entry=start" },
	{ "an entry by number", "rundll32 C:\\Windows\\System32\\comsvcs.dll,#24 x",
	  "rundll32.library_place=system\nrundll32.entry=#24" },
	{ "no entry", "rundll32 C:\\Users\\Public\\a.dat", "rundll32.library_name=a.dat\nrundll32.entry=-" },
	{ "a script", "rundll32 javascript:\"\\..\\mshtml,RunHTMLApplication \";x",
	  "rundll32.entry=runhtmlapplication" },
	{ "no arguments", "rundll32.exe", "rundll32.library=-\nargument_count=0" },
	{ "what it starts for others", "rundll32 shell32.dll,ShellExec_RunDLL regsvr32 /s C:\\ProgramData\\a.dll",
	  "launch.carries=regsvr32|regsvr32_user_writable" },
	{ "a path from a folder", "rundll32 .\\a.dll,Start",
	  "rundll32.library=c:\\users\\public\\a.dll\nrundll32.library_place=user_writable\n"
	  "rundll32.library_name=a\nrundll32.entry=start", "C:\\Users\\Public\\" },
	{ "a bare name is one of Windows", "rundll32 davclnt.dll,DavSetCookie h",
	  "rundll32.library=davclnt.dll\nrundll32.library_place=bare", "C:\\Users\\bob\\Desktop\\" },
};
/* clang-format on */

static void check_rundll(void **state)
{
	const struct rundll_case *tc = *state;
	struct derived d;

	derived_init(&d);
	derived_put(&d, SQ_F_IMAGE, "C:\\Windows\\System32\\rundll32.exe");
	derived_put(&d, SQ_F_COMMAND_LINE, tc->line);
	derived_put(&d, SQ_F_CURRENT_DIRECTORY, tc->folder);
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(derived_wrong(&d, tc->want), "");
	derived_fini(&d);
}

static void places_of_arguments_are_told(void **state)
{
	static const struct {
		const char *image, *line, *want;
	} rows[] = {
		{ "odbcconf.exe", "odbcconf /a {REGSVR C:\\Users\\Public\\a.dll}",
		  "user_writable" },
		{ "msiexec.exe", "msiexec /q /i http://h/a.msi", "url" },
		{ "msiexec.exe",
		  "msiexec /i \"C:\\Program Files\\V\\a.msi\" /l*v C:\\Windows\\Temp\\x.log",
		  "program_files|user_writable" },
		{ "installutil.exe", "installutil /logfile= /U C:\\ProgramData\\a.dll",
		  "user_writable" },
		{ "cmstp.exe", "cmstp /s \\\\h\\s\\a.inf", "remote" },
		{ "mshta.exe", "mshta a.hta", "bare" },
		{ "mofcomp.exe", "mofcomp C:\\Users\\Public\\a.mof", "user_writable" },
		{ "schtasks.exe", "schtasks /query", "-" },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct derived d;
		char image[64];

		(void)snprintf(image, sizeof(image), "C:\\Windows\\System32\\%s", rows[i].image);
		derived_init(&d);
		derived_put(&d, SQ_F_IMAGE, image);
		derived_put(&d, SQ_F_COMMAND_LINE, rows[i].line);
		sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
		assert_string_equal(derived_text(&d, "squibly.argument_place"), rows[i].want);
		derived_fini(&d);
	}
}

int main(void)
{
	const struct CMUnitTest others[] = { cmocka_unit_test(places_of_arguments_are_told) };

	return RUN_TABLE("derive/rundll32", cases, check_rundll) +
	       cmocka_run_group_tests_name("derive/places", others, NULL, NULL);
}
