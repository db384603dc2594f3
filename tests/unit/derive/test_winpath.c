#include "tests/support/test.h"

#include "lib/derive/winpath.h"

enum { ARENA = 1 << 19 };

struct row {
	const char *name, *in, *path;
	enum sq_place place;
	uint32_t flags;
};

static struct sq_winpath fold_exact(struct sq_arena *arena, struct sq_sv in)
{
	char *copy = exact(in.p, in.n);
	struct sq_winpath got;

	sq_arena_reset(arena);
	assert_true(sq_winpath_fold(arena, (struct sq_sv){ copy, in.n }, &got));
	free(copy);
	return got;
}

static void check(void **state)
{
	const struct row *row = *state;
	struct sq_arena arena;
	struct sq_winpath got;

	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	got = fold_exact(&arena, sq_sv_of(row->in));
	assert_sv_equal(got.path, sq_sv_of(row->path));
	assert_string_equal(sq_place_name(got.place), sq_place_name(row->place));
	if (got.flags != row->flags)
		fail_msg("%s: flags %#x, want %#x", row->in, got.flags, row->flags);
	got = fold_exact(&arena, sq_sv_of(row->path));
	assert_sv_equal(got.path, sq_sv_of(row->path));
	assert_string_equal(sq_place_name(got.place), sq_place_name(row->place));
	sq_arena_fini(&arena);
}

#define PLACE(p) SQ_PLACE_##p
#define F(f)     SQ_WINPATH_##f

/* clang-format off */
static struct row rows[] = {
	/* How it is written. */
	{ "lower case and separators", "C:/ProgramData/A.DLL", "c:\\programdata\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "doubled separators", "C:\\\\Windows\\\\\\System32\\\\\\\\scrobj.dll", "c:\\windows\\system32\\scrobj.dll", PLACE(SYSTEM), 0 },
	{ "dots that lead out and in", "C:\\Windows\\Tasks\\..\\System32\\.\\scrobj.dll", "c:\\windows\\system32\\scrobj.dll", PLACE(SYSTEM), F(PARENT) },
	{ "out of Program Files", "C:\\Program Files (x86)\\Vendor\\..\\..\\ProgramData\\a.dll", "c:\\programdata\\a.dll", PLACE(USER_WRITABLE), F(PARENT) },
	{ "above the root there is nothing", "c:\\..\\..\\Users\\a.dll", "c:\\users\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "trailing dots and blanks of the name", "c:\\windows\\system32\\scrobj.dll. .", "c:\\windows\\system32\\scrobj.dll", PLACE(SYSTEM), 0 },
	{ "trailing dots of a folder", "c:\\windows.\\system32\\a.dll", "c:\\windows\\system32\\a.dll", PLACE(SYSTEM), 0 },
	{ "a folder of dots is no folder", "c:\\users\\...\\a.dll", "c:\\users\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "a mock of the trusted folder", "C:\\Windows \\System32\\a.dll", "c:\\windows \\system32\\a.dll", PLACE(ROOT), F(TRAILING_BLANK) },
	{ "a mock of Program Files", "C:\\Program Files \\a.dll", "c:\\program files \\a.dll", PLACE(ROOT), F(TRAILING_BLANK) },
	{ "blanks around it", "  c:\\windows\\a.dll ", "c:\\windows\\a.dll", PLACE(WINDOWS), 0 },
	{ "the long prefix", "\\\\?\\C:\\Users\\Public\\a.dll", "c:\\users\\public\\a.dll", PLACE(USER_WRITABLE), F(PREFIX) },
	{ "the device prefix with slashes", "//./C:/Users/a.dll", "c:\\users\\a.dll", PLACE(USER_WRITABLE), F(PREFIX) },
	{ "the object manager's prefix", "\\??\\C:\\Windows\\system32\\conhost.exe", "c:\\windows\\system32\\conhost.exe", PLACE(SYSTEM), F(PREFIX) },
	{ "prefixes twice, separators twice", "\\\\\\\\?\\\\C:\\\\Windows\\\\System32\\\\a.dll", "c:\\windows\\system32\\a.dll", PLACE(SYSTEM), F(PREFIX) },
	{ "the long prefix of a share", "\\\\?\\UNC\\srv\\share\\a.dll", "\\\\srv\\share\\a.dll", PLACE(REMOTE), F(PREFIX) },
	{ "the long prefix of a loopback share", "\\\\?\\UNC\\localhost\\C$\\Users\\a.dll", "c:\\users\\a.dll", PLACE(USER_WRITABLE), F(PREFIX) | F(LOOPBACK) },
	{ "a loopback drive", "\\\\localhost\\c$\\Users\\Public\\a.dll", "c:\\users\\public\\a.dll", PLACE(USER_WRITABLE), F(LOOPBACK) },
	{ "loopback of administrators", "\\\\127.0.0.1\\admin$\\System32\\a.dll", "c:\\windows\\system32\\a.dll", PLACE(SYSTEM), F(LOOPBACK) },
	{ "loopback of administrators is left by no dots", "\\\\127.0.0.1\\admin$\\..\\..\\Temp\\a.dll", "c:\\windows\\temp\\a.dll", PLACE(USER_WRITABLE), F(LOOPBACK) },
	{ "another loopback drive", "\\\\127.1.2.3\\d$\\x\\a.dll", "d:\\x\\a.dll", PLACE(OTHER_DRIVE), F(LOOPBACK) },
	{ "a loopback share that we do not know", "\\\\localhost\\public\\a.dll", "\\\\localhost\\public\\a.dll", PLACE(UNKNOWN), F(LOOPBACK) },
	{ "a host whose name begins like the loopback", "\\\\127.evil.example\\c$\\windows\\system32\\a.dll", "\\\\127.evil.example\\c$\\windows\\system32\\a.dll", PLACE(REMOTE), 0 },
	{ "8.3 of Program Files", "C:\\PROGRA~1\\x\\a.dll", "c:\\program files\\x\\a.dll", PLACE(PROGRAM_FILES), F(SHORT_NAME) },
	{ "8.3 of Program Files (x86)", "C:\\PROGRA~2\\a.dll", "c:\\program files (x86)\\a.dll", PLACE(PROGRAM_FILES), F(SHORT_NAME) },
	{ "8.3 of ProgramData", "C:\\PROGRA~3\\a.dll", "c:\\programdata\\a.dll", PLACE(USER_WRITABLE), F(SHORT_NAME) },
	{ "8.3 after dots", "C:\\x\\..\\PROGRA~3\\a.dll", "c:\\programdata\\a.dll", PLACE(USER_WRITABLE), F(SHORT_NAME) | F(PARENT) },
	{ "8.3 in the root that we do not know", "C:\\PROGRA~7\\x\\a.dll", "c:\\progra~7\\x\\a.dll", PLACE(UNKNOWN), F(SHORT_NAME) | F(UNRESOLVED) },
	{ "8.3 of a user is below Users", "C:\\Users\\BOB~1.CON\\a.dll", "c:\\users\\bob~1.con\\a.dll", PLACE(USER_WRITABLE), F(SHORT_NAME) },
	{ "8.3 within System32 may be the keys' folder", "c:\\windows\\system32\\micros~1\\crypto\\rsa\\machin~1\\a.dll", "c:\\windows\\system32\\micros~1\\crypto\\rsa\\machin~1\\a.dll", PLACE(UNKNOWN), F(SHORT_NAME) | F(UNRESOLVED) },
	{ "8.3 within Program Files", "c:\\program files\\vendor~1\\a.dll", "c:\\program files\\vendor~1\\a.dll", PLACE(PROGRAM_FILES), F(SHORT_NAME) },
	{ "8.3 of a library alone", "SCROBJ~1.DLL", "scrobj~1.dll", PLACE(BARE), F(SHORT_NAME) },
	{ "tildes that are no 8.3", "c:\\windows\\winsxs\\amd64~31bf~~10.0\\a.dll", "c:\\windows\\winsxs\\amd64~31bf~~10.0\\a.dll", PLACE(SYSTEM), 0 },
	{ "the Windows folder by name", "%WinDir%\\system32\\scrobj.dll", "c:\\windows\\system32\\scrobj.dll", PLACE(SYSTEM), F(VARIABLE) },
	{ "local application data", "%LOCALAPPDATA%\\Temp\\m.dll", "c:\\users\\user\\appdata\\local\\temp\\m.dll", PLACE(USER_WRITABLE), F(VARIABLE) },
	{ "two names in a row", "%HOMEDRIVE%%HOMEPATH%\\a.dll", "c:\\users\\user\\a.dll", PLACE(USER_WRITABLE), F(VARIABLE) },
	{ "a name with brackets", "%ProgramFiles(x86)%\\a\\b.dll", "c:\\program files (x86)\\a\\b.dll", PLACE(PROGRAM_FILES), F(VARIABLE) },
	{ "a name that PowerShell would expand", "$env:PUBLIC\\a.dll", "c:\\users\\public\\a.dll", PLACE(USER_WRITABLE), F(VARIABLE) },
	{ "the same in braces", "${env:ProgramData}/a.dll", "c:\\programdata\\a.dll", PLACE(USER_WRITABLE), F(VARIABLE) },
	{ "a name that we do not know", "%FOO%\\a.dll", "%foo%\\a.dll", PLACE(UNKNOWN), F(VARIABLE) | F(UNRESOLVED) },
	{ "an unknown name of PowerShell is no stream", "$env:foo\\a.dll", "$env:foo\\a.dll", PLACE(UNKNOWN), F(VARIABLE) | F(UNRESOLVED) },
	{ "a part of a variable is no stream", "%comspec:~0,3%Users\\a.dll", "%comspec:~0,3%users\\a.dll", PLACE(UNKNOWN), 0 },
	{ "a stream behind an unknown variable", "%foo%\\a.txt:b", "%foo%\\a.txt:b", PLACE(STREAM), F(VARIABLE) | F(UNRESOLVED) },
	{ "a per cent sign that is no name", "c:\\users\\100%\\a%.dll", "c:\\users\\100%\\a%.dll", PLACE(USER_WRITABLE), 0 },
	{ "the disk's device name", "\\Device\\HarddiskVolume2\\Windows\\System32\\regsvr32.exe", "c:\\windows\\system32\\regsvr32.exe", PLACE(SYSTEM), 0 },
	{ "the kernel's name of Windows", "\\SystemRoot\\System32\\a.dll", "c:\\windows\\system32\\a.dll", PLACE(SYSTEM), 0 },
	{ "the kernel's redirector", "\\Device\\Mup\\srv\\share\\a.dll", "\\\\srv\\share\\a.dll", PLACE(REMOTE), 0 },
	{ "the 64-bit folder seen from 32 bits", "C:\\Windows\\Sysnative\\regsvr32.exe", "c:\\windows\\system32\\regsvr32.exe", PLACE(SYSTEM), 0 },
	{ "without a drive", "\\Users\\Public\\a.dll", "c:\\users\\public\\a.dll", PLACE(USER_WRITABLE), F(NO_DRIVE) },

	/* Where it leads. */
	{ "nothing", "", "", PLACE(NONE), 0 },
	{ "blanks", " \t", "", PLACE(NONE), 0 },
	{ "Program Files", "C:\\Program Files\\7-Zip\\7-zip.dll", "c:\\program files\\7-zip\\7-zip.dll", PLACE(PROGRAM_FILES), 0 },
	{ "Program Files of another drive", "D:\\Program Files\\x\\a.dll", "d:\\program files\\x\\a.dll", PLACE(OTHER_PROGRAM_FILES), 0 },
	{ "Program Files (x86) of another drive", "F:\\Program Files (x86)\\x\\a.jpg", "f:\\program files (x86)\\x\\a.jpg", PLACE(OTHER_PROGRAM_FILES), 0 },
	{ "a file in Program Files itself of another drive", "E:\\Program Files\\a.dll", "e:\\program files\\a.dll", PLACE(OTHER_DRIVE), 0 },
	{ "a file in Program Files itself", "C:\\Program Files\\a.dll", "c:\\program files\\a.dll", PLACE(PROGRAM_FILES), 0 },
	{ "out of Program Files of another drive", "E:\\Program Files\\x\\..\\a.dll", "e:\\program files\\a.dll", PLACE(OTHER_DRIVE), F(PARENT) },
	{ "a folder that begins like Program Files", "C:\\Program Files2\\a.dll", "c:\\program files2\\a.dll", PLACE(ROOT), 0 },
	{ "a library called Program Files", "C:\\Program Files", "c:\\program files", PLACE(ROOT), 0 },
	{ "Windows of another drive is nothing special", "E:\\Windows\\System32\\a.dll", "e:\\windows\\system32\\a.dll", PLACE(OTHER_DRIVE), 0 },
	{ "SysWOW64", "C:\\Windows\\SysWOW64\\msxml4.dll", "c:\\windows\\syswow64\\msxml4.dll", PLACE(SYSTEM), 0 },
	{ "below System32", "C:\\Windows\\System32\\RpcProxy\\RpcProxy.dll", "c:\\windows\\system32\\rpcproxy\\rpcproxy.dll", PLACE(SYSTEM), 0 },
	{ "printer drivers", "C:\\Windows\\System32\\spool\\drivers\\x64\\3\\PrintConfig.dll", "c:\\windows\\system32\\spool\\drivers\\x64\\3\\printconfig.dll", PLACE(SYSTEM), 0 },
	{ "printer colours, which everybody may write", "C:\\Windows\\System32\\spool\\drivers\\color\\a.dll", "c:\\windows\\system32\\spool\\drivers\\color\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "tasks of System32", "C:\\Windows\\SysWOW64\\Tasks\\a.dll", "c:\\windows\\syswow64\\tasks\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "dumps of COM+", "C:\\Windows\\System32\\Com\\dmp\\a.dll", "c:\\windows\\system32\\com\\dmp\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "COM+ itself", "C:\\Windows\\System32\\Com\\comadmin.dll", "c:\\windows\\system32\\com\\comadmin.dll", PLACE(SYSTEM), 0 },
	{ "fax", "C:\\Windows\\System32\\FxsTmp\\a.dll", "c:\\windows\\system32\\fxstmp\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "a vendor's library there", "C:\\Windows\\System32\\config\\systemprofile\\AppData\\Local\\Microsoft\\TeamsMeetingAddin\\1.24\\x64\\Microsoft.Teams.AddinLoader.dll",
	  "c:\\windows\\system32\\config\\systemprofile\\appdata\\local\\microsoft\\teamsmeetingaddin\\1.24\\x64\\microsoft.teams.addinloader.dll", PLACE(VENDOR), 0 },
	{ "that name deeper down", "C:\\Windows\\System32\\config\\systemprofile\\x\\AppData\\Local\\Microsoft\\TeamsMeetingAddin\\Microsoft.Teams.a.dll",
	  "c:\\windows\\system32\\config\\systemprofile\\x\\appdata\\local\\microsoft\\teamsmeetingaddin\\microsoft.teams.a.dll", PLACE(USER_WRITABLE), 0 },
	{ "profile of the system, the other", "C:\\Windows\\SysWOW64\\config\\systemprofile\\AppData\\Local\\a.dll", "c:\\windows\\syswow64\\config\\systemprofile\\appdata\\local\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "beside it", "C:\\Windows\\System32\\config\\a.dll", "c:\\windows\\system32\\config\\a.dll", PLACE(SYSTEM), 0 },
	{ "temporary files of the system", "C:\\Windows\\SystemTemp\\a.dll", "c:\\windows\\systemtemp\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "keys", "C:\\Windows\\System32\\Microsoft\\Crypto\\RSA\\MachineKeys\\a", "c:\\windows\\system32\\microsoft\\crypto\\rsa\\machinekeys\\a", PLACE(USER_WRITABLE), 0 },
	{ "the system's own profile", "C:\\Windows\\System32\\config\\systemprofile\\AppData\\a.dll", "c:\\windows\\system32\\config\\systemprofile\\appdata\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "Windows\\Temp", "C:\\Windows\\Temp\\a.dll", "c:\\windows\\temp\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "Windows\\Tasks", "C:\\Windows\\Tasks\\a.dll", "c:\\windows\\tasks\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "elsewhere in Windows", "C:\\Windows\\Fonts\\a.dll", "c:\\windows\\fonts\\a.dll", PLACE(WINDOWS), 0 },
	{ "System32 as a file", "C:\\Windows\\System32", "c:\\windows\\system32", PLACE(WINDOWS), 0 },
	{ "a folder that begins like System32", "C:\\Windows\\System32x\\a.dll", "c:\\windows\\system32x\\a.dll", PLACE(WINDOWS), 0 },
	{ "a maker's help scripts", "C:\\Windows\\Help\\OEM\\scripts\\checkmui.dll", "c:\\windows\\help\\oem\\scripts\\checkmui.dll", PLACE(SYSTEM), 0 },
	{ "a profile", "C:\\Users\\bob\\Downloads\\invoice.dll", "c:\\users\\bob\\downloads\\invoice.dll", PLACE(USER_WRITABLE), 0 },
	{ "the bin", "C:\\$Recycle.Bin\\a.dll", "c:\\$recycle.bin\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "Temp of any drive", "D:\\x\\Temp\\a.dll", "d:\\x\\temp\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "a library called temp is not in Temp", "D:\\x\\temp", "d:\\x\\temp", PLACE(OTHER_DRIVE), 0 },
	{ "Teams where it belongs", "C:\\Users\\bob\\AppData\\Local\\Microsoft\\TeamsMeetingAddin\\1.0.2\\x64\\Microsoft.Teams.AddinLoader.dll", "c:\\users\\bob\\appdata\\local\\microsoft\\teamsmeetingaddin\\1.0.2\\x64\\microsoft.teams.addinloader.dll", PLACE(VENDOR), 0 },
	{ "OneDrive where it belongs", "C:\\Users\\bob\\AppData\\Local\\Microsoft\\OneDrive\\23.1\\amd64\\FileSyncShell64.dll", "c:\\users\\bob\\appdata\\local\\microsoft\\onedrive\\23.1\\amd64\\filesyncshell64.dll", PLACE(VENDOR), 0 },
	{ "another library in OneDrive's folder", "C:\\Users\\bob\\AppData\\Local\\Microsoft\\OneDrive\\a.dll", "c:\\users\\bob\\appdata\\local\\microsoft\\onedrive\\a.dll", PLACE(USER_WRITABLE), 0 },
	{ "a copy of OneDrive's tree further down", "C:\\Users\\bob\\x\\AppData\\Local\\Microsoft\\OneDrive\\FileSyncShell64.dll", "c:\\users\\bob\\x\\appdata\\local\\microsoft\\onedrive\\filesyncshell64.dll", PLACE(USER_WRITABLE), 0 },
	{ "out of OneDrive's folder", "C:\\Users\\b\\AppData\\Local\\Microsoft\\OneDrive\\..\\FileSyncShell64.dll", "c:\\users\\b\\appdata\\local\\microsoft\\filesyncshell64.dll", PLACE(USER_WRITABLE), F(PARENT) },
	{ "Defender's platform", "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18\\MpOav.dll", "c:\\programdata\\microsoft\\windows defender\\platform\\4.18\\mpoav.dll", PLACE(VENDOR), 0 },
	{ "a share", "\\\\192.0.2.30\\share\\payload.dll", "\\\\192.0.2.30\\share\\payload.dll", PLACE(REMOTE), 0 },
	{ "a share with slashes", "//srv/share/a.dll", "\\\\srv\\share\\a.dll", PLACE(REMOTE), 0 },
	{ "a share is not left by dots", "\\\\srv\\share\\..\\..\\x\\a.dll", "\\\\srv\\share\\x\\a.dll", PLACE(REMOTE), 0 },
	{ "WebDAV over TLS", "\\\\example.com@SSL@8443\\DavWWWRoot\\a.dll", "\\\\example.com@ssl@8443\\davwwwroot\\a.dll", PLACE(REMOTE), F(WEBDAV) },
	{ "WebDAV on a port", "\\\\h@8080\\s\\a.dll", "\\\\h@8080\\s\\a.dll", PLACE(REMOTE), F(WEBDAV) },
	{ "WebDAV by its root", "\\\\h\\DavWWWRoot\\a.dll", "\\\\h\\davwwwroot\\a.dll", PLACE(REMOTE), F(WEBDAV) },
	{ "a host with an odd sign is no WebDAV", "\\\\h@x\\s\\a.dll", "\\\\h@x\\s\\a.dll", PLACE(REMOTE), 0 },
	{ "another drive", "E:\\Setup\\common\\mfc.ocx", "e:\\setup\\common\\mfc.ocx", PLACE(OTHER_DRIVE), 0 },
	{ "a folder in the root", "C:\\Tools\\a.dll", "c:\\tools\\a.dll", PLACE(ROOT), 0 },
	{ "the root itself", "C:\\a.dll", "c:\\a.dll", PLACE(ROOT), 0 },
	{ "a stream", "C:\\Users\\Public\\readme.txt:payload.dll", "c:\\users\\public\\readme.txt:payload.dll", PLACE(STREAM), 0 },
	{ "a stream of a lawful file", "C:\\Program Files\\x\\a.txt:b.dll", "c:\\program files\\x\\a.txt:b.dll", PLACE(STREAM), 0 },
	{ "a stream of a file without folder", "readme.txt:payload", "readme.txt:payload", PLACE(STREAM), 0 },
	{ "the main stream", "c:\\windows\\a.dll::$DATA", "c:\\windows\\a.dll::$data", PLACE(STREAM), 0 },
	{ "a shadow copy", "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\a.dll", "\\\\?\\globalroot\\device\\harddiskvolumeshadowcopy1\\a.dll", PLACE(DEVICE), F(PREFIX) },
	{ "a shadow copy by its device", "\\Device\\HarddiskVolumeShadowCopy2\\a.dll", "\\device\\harddiskvolumeshadowcopy2\\a.dll", PLACE(DEVICE), 0 },
	{ "a volume", "\\\\?\\Volume{1-2}\\Windows\\a.dll", "\\\\?\\volume{1-2}\\windows\\a.dll", PLACE(DEVICE), F(PREFIX) },
	{ "a pipe", "\\\\.\\pipe\\x", "\\\\?\\pipe\\x", PLACE(DEVICE), F(PREFIX) },
	{ "a URL", "HTTP://Example.com/A.sct", "http://example.com/a.sct", PLACE(URL), 0 },
	{ "a URL with backslashes", "http:\\\\h\\a", "http:\\\\h\\a", PLACE(URL), 0 },
	{ "a file URL made with a variable", "file:%HOMEPATH%\\a", "file:\\users\\user\\a", PLACE(URL), F(VARIABLE) },
	{ "upwards", "..\\Celod.wac", "..\\celod.wac", PLACE(RELATIVE), 0 },
	{ "upwards twice", "..\\x\\..\\..\\tools\\a.dll", "..\\..\\tools\\a.dll", PLACE(RELATIVE), F(PARENT) },
	{ "here, which is not the search path", ".\\shell32.dll", ".\\shell32.dll", PLACE(RELATIVE), 0 },
	{ "out and in again is here", "x\\..\\shell32.dll", ".\\shell32.dll", PLACE(RELATIVE), F(PARENT) },
	{ "downwards", "lib/pgevent.dll", "lib\\pgevent.dll", PLACE(RELATIVE), 0 },
	{ "relative to a drive's folder", "c:a.dll", "c:a.dll", PLACE(UNKNOWN), 0 },
	{ "relative to another drive's folder", "e:a.dll", "e:a.dll", PLACE(OTHER_DRIVE), 0 },
	{ "a drive alone", "C:\\", "c:\\", PLACE(ROOT), 0 },
	{ "here", ".", ".", PLACE(RELATIVE), 0 },
	{ "a scheme that is relative", ".\\http:\\x", ".\\http:\\x", PLACE(STREAM), 0 },
	{ "a drive that is relative", ".\\c:\\x", ".\\c:\\x", PLACE(STREAM), 0 },
	{ "a system library by name", "Shell32.DLL", "shell32.dll", PLACE(BARE_SYSTEM), 0 },
	{ "without extension", "msxml3", "msxml3", PLACE(BARE_SYSTEM), 0 },
	{ "with a dot at the end", "oleaut32.dll.", "oleaut32.dll", PLACE(BARE_SYSTEM), 0 },
	{ "a system control by name", "wshom.ocx", "wshom.ocx", PLACE(BARE_SYSTEM), 0 },
	{ "the name of a system library with another extension", "shell32.jpg", "shell32.jpg", PLACE(BARE), 0 },
	{ "scrobj registers itself, too", "scrobj.dll", "scrobj.dll", PLACE(BARE_SYSTEM), 0 },
	{ "any other name", "payload", "payload", PLACE(BARE), 0 },
};

static struct {
	const char *name, *in, *base, *stem, *extension, *stream, *host;
} part_rows[] = {
	{ "a path", "C:\\x.y\\a.b.DLL", "a.b.dll", "a.b", "dll", "", "" },
	{ "no extension", "C:\\ProgramData\\Adobe.x\\acro", "acro", "acro", "", "", "" },
	{ "behind an unknown name", "$env:foo\\a.dll", "a.dll", "a", "dll", "", "" },
	{ "a dot at the end is no extension", "payload.", "payload", "payload", "", "", "" },
	{ "a dot first", "c:\\x\\.dll", ".dll", "", "dll", "", "" },
	{ "a stream", "c:\\a.txt:b.dll", "a.txt", "a", "txt", "b.dll", "" },
	{ "a share", "\\\\Srv@SSL\\s\\a.dll", "a.dll", "a", "dll", "", "srv@ssl" },
	{ "a share alone", "\\\\srv\\s.x", "", "", "", "", "srv" },
	{ "upwards", "..", "", "", "", "", "" },
	{ "a bare name", "scrobj.dll", "scrobj.dll", "scrobj", "dll", "", "" },
	{ "a relative name", ".\\jabber.dll", "jabber.dll", "jabber", "dll", "", "" },
	{ "a device", "\\\\?\\globalroot\\x\\a.dll", "a.dll", "a", "dll", "", "" },
	{ "a folder", "c:\\users\\", "users", "users", "", "", "" },
};

static struct {
	const char *name, *in, *stem;
	bool want;
} name_rows[] = {
	{ "with extension", "C:\\x\\SCROBJ.DLL", "scrobj", true },
	{ "without extension", "scrobj", "scrobj", true },
	{ "with a dot", "scrobj.dll.", "scrobj", true },
	{ "by a short name", "SCROBJ~1.DLL", "scrobj", true },
	{ "by a short name of a longer one", "regsvr~1.dll", "regsvr32", true },
	{ "by a very short one", "re~1.dll", "regsvr32", false },
	{ "with another extension", "scrobj.sct", "scrobj", false },
	{ "another name", "xscrobj.dll", "scrobj", false },
	{ "the beginning of it", "scrob~1.dll", "scrobj", false },
};
/* clang-format on */

static void test_parts(void **state)
{
	struct sq_arena arena;

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	for (size_t i = 0; i < SQ_LEN(part_rows); i++) {
		struct sq_winpath got = fold_exact(&arena, sq_sv_of(part_rows[i].in));

		print_message("%s\n", part_rows[i].name);
		assert_sv_equal(got.name, sq_sv_of(part_rows[i].base));
		assert_sv_equal(got.stem, sq_sv_of(part_rows[i].stem));
		assert_sv_equal(got.extension, sq_sv_of(part_rows[i].extension));
		assert_sv_equal(got.stream, sq_sv_of(part_rows[i].stream));
		assert_sv_equal(got.host, sq_sv_of(part_rows[i].host));
	}
	sq_arena_fini(&arena);
}

static void test_names(void **state)
{
	struct sq_arena arena;

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	for (size_t i = 0; i < SQ_LEN(name_rows); i++) {
		struct sq_winpath got = fold_exact(&arena, sq_sv_of(name_rows[i].in));

		print_message("%s\n", name_rows[i].name);
		assert_int_equal(sq_winpath_names(&got, sq_sv_of(name_rows[i].stem)),
		                 name_rows[i].want);
	}
	sq_arena_fini(&arena);
}

static void test_the_libraries_that_windows_repair_scripts_name(void **state)
{
	static const char *const names[] = { "atl.dll",     "urlmon.dll",   "mshtml.dll",
		                             "wuapi.dll",   "wups2.dll",    "wintrust.dll",
		                             "initpki.dll", "msi.dll",      "scrrun.dll",
		                             "acctres.dll", "jscript.dll",  "vbscript",
		                             "msxml6.dll",  "qmgrprxy.dll", "rpcproxy.dll" };

	(void)state;
	for (size_t i = 0; i < SQ_LEN(names); i++)
		assert_true(sq_winpath_is_system_library(sq_sv_of(names[i])));
	assert_false(sq_winpath_is_system_library(SQ_SV("")));
	assert_false(sq_winpath_is_system_library(SQ_SV(".dll")));
	assert_false(sq_winpath_is_system_library(SQ_SV("zzz")));
	assert_false(sq_winpath_is_system_library(SQ_SV("wshom.dll")));
}

/* Pieces of which any order must fold to something that folds to itself. */
static const char *const pieces[] = {
	"\\",         "\\",
	"\\",         "\\\\",
	"/",          ".",
	"..",         " ",
	":",          "c:",
	"d:",         "?",
	"a",          "b.dll",
	"~1",         "progra~",
	"progra~1",   "windows",
	"sysnative",  "system32",
	"%temp%",     "%windir%",
	"%homepath%", "%foo%",
	"%",          "$env:",
	"public",     "unc",
	"\\\\?\\",    "\\\\.\\",
	"\\??\\",     "\\device\\",
	"mup",        "harddiskvolume1",
	"globalroot", "\\systemroot\\",
	"localhost",  "127.0.0.1",
	"c$",         "admin$",
	"@ssl",       "davwwwroot",
	"users",      "temp",
	"http:",      "file",
	"\t",         "shell32.dll",
	"foo~1",      "\r",
};

static void test_folding_what_was_folded_changes_nothing(void **state)
{
	struct sq_arena arena;
	uint64_t seed = 11;
	char in[256], once[512];

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	for (int round = 0; round < 400000; round++) {
		struct sq_winpath got;
		enum sq_place place;
		size_t n = 0, len;

		for (int k = 0; k < 1 + round % 9; k++) {
			const char *piece;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			piece = pieces[(seed >> 33) % SQ_LEN(pieces)];
			memcpy(in + n, piece, strlen(piece));
			n += strlen(piece);
		}
		sq_arena_reset(&arena);
		assert_true(sq_winpath_fold(&arena, (struct sq_sv){ in, n }, &got));
		place = got.place;
		len = got.path.n;
		assert_true(len <= sizeof(once));
		memcpy(once, got.path.p, len);
		assert_true(sq_winpath_fold(&arena, (struct sq_sv){ once, len }, &got));
		if (got.path.n != len || memcmp(got.path.p, once, len) || got.place != place)
			fail_msg("\"%.*s\" gave \"%.*s\" (%s), then \"%.*s\" (%s)", (int)n, in,
			         (int)len, once, sq_place_name(place), SQ_SV_ARG(got.path),
			         sq_place_name(got.place));
	}
	sq_arena_fini(&arena);
}

static void test_a_long_text_is_cut(void **state)
{
	enum { LONG = SQ_WINPATH_MAX + 100 };
	struct sq_arena arena;
	struct sq_winpath got;
	char *in = malloc(LONG);

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	memset(in, 'a', LONG);
	memcpy(in, "c:\\users\\", 9);
	got = fold_exact(&arena, (struct sq_sv){ in, LONG });
	assert_int_equal(got.path.n, SQ_WINPATH_MAX);
	assert_int_equal(got.flags, F(CUT));
	assert_int_equal(got.place, PLACE(USER_WRITABLE));
	got = fold_exact(&arena, (struct sq_sv){ in, SQ_WINPATH_MAX });
	assert_int_equal(got.flags, 0);
	free(in);
	sq_arena_fini(&arena);
}

static void test_a_full_arena_gives_the_text(void **state)
{
	struct sq_arena arena;
	struct sq_winpath got;

	(void)state;
	for (size_t cap = 0; cap < 80; cap++) {
		assert_int_equal(sq_arena_init(&arena, cap), 0);
		if (!sq_winpath_fold(&arena, SQ_SV("C:\\Users\\x.dll"), &got)) {
			assert_sv_equal(got.path, SQ_SV("C:\\Users\\x.dll"));
			assert_int_equal(got.place, PLACE(UNKNOWN));
			assert_int_equal(got.name.n, 0);
		}
		sq_arena_fini(&arena);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_the_libraries_that_windows_repair_scripts_name),
		cmocka_unit_test(test_folding_what_was_folded_changes_nothing),
		cmocka_unit_test(test_a_long_text_is_cut),
		cmocka_unit_test(test_a_full_arena_gives_the_text),
	};

	return RUN_TABLE("path", rows, check) + cmocka_run_group_tests(tests, NULL, NULL);
}
