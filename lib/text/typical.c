#include "lib/text/typical.h"

#include "lib/text/grams.h"
#include "lib/text/hashes.h"

enum { CHARACTERS = 128 };

/* How often a character stands in Windows events as they are forwarded, of 10,000; letters in
 * either case together. From 46 MB of NXLog and Winlogbeat. What is not in the list is 1. */
static const uint16_t frequency[CHARACTERS] = {
	[' '] = 156, ['"'] = 518,  ['$'] = 4,   ['%'] = 2,   ['('] = 13,  [')'] = 13,  ['+'] = 33,
	[','] = 133, ['-'] = 135,  ['.'] = 91,  ['/'] = 4,   ['0'] = 321, ['1'] = 139, ['2'] = 192,
	['3'] = 141, ['4'] = 125,  ['5'] = 108, ['6'] = 87,  ['7'] = 84,  ['8'] = 94,  ['9'] = 86,
	[':'] = 260, [';'] = 10,   ['='] = 30,  ['@'] = 7,   ['['] = 3,   [']'] = 3,   ['_'] = 11,
	['a'] = 903, ['b'] = 302,  ['c'] = 366, ['d'] = 305, ['e'] = 644, ['f'] = 135, ['g'] = 198,
	['h'] = 102, ['i'] = 319,  ['j'] = 55,  ['k'] = 65,  ['l'] = 204, ['m'] = 233, ['n'] = 342,
	['o'] = 350, ['p'] = 138,  ['q'] = 117, ['r'] = 341, ['s'] = 449, ['t'] = 403, ['u'] = 174,
	['v'] = 91,  ['w'] = 229,  ['x'] = 34,  ['y'] = 114, ['z'] = 31,  ['{'] = 20,  ['|'] = 31,
	['}'] = 20,  ['\\'] = 474,
};

/* What Windows events say all the time, letters in lower case. How often characters stand in them
 * tells nothing of what stands together: mixtures of "4728", "hell" and "undl" find "x64.dll". */
/* clang-format off */
const char sq_typical_text[SQ_TYPICAL_TEXT + 1] =
	"{\"eventreceivedtime\":\"2020-09-21 03:17:38\",\"hostname\":\"ws-7.example.org\","
	"\"keywords\":-9223372036854775808,\"severity\":\"info\",\"eventid\":4103,"
	"\"sourcename\":\"microsoft-windows-sysmon\",\"providerguid\":\"{5770385f-c22a-43e0-bf4c-06f5698ffbd9}\","
	"\"channel\":\"microsoft-windows-powershell/operational\",\"accountname\":\"nt authority\\\\system\","
	"\"userid\":\"s-1-5-18\",\"message\":\"registry value set (rule: registryevent)\\r\\nutctime: \","
	"\"eventtype\":\"setvalue\",\"processguid\":\"{b3c5}\",\"image\":\"c:\\\\windows\\\\system32\\\\svchost.exe\","
	"\"targetobject\":\"hklm\\\\system\\\\currentcontrolset\\\\services\\\\tcpip\",\"details\":\"dword (0x00000001)\","
	"\"imageloaded\":\"c:\\\\windows\\\\winsxs\\\\amd64_microsoft.windows\\\\kernel32.dll x64.dll wow64.dll\","
	"\"description\":\"microsoft windows operating system\",\"fileversion\":\"10.0.17763.1 (winbuild)\","
	"\"product\",\"company\":\"microsoft corporation\",\"originalfilename\","
	"\"hashes\":\"sha1=0a,md5=1b,sha256=\",\"imphash\",\"signature\",\"signaturestatus\":\"valid\","
	"\"signed\":\"true\",\"sourceimage\":\"c:\\\\program files (x86)\\\\microsoft\\\\edge\\\\application\\\\\","
	"\"calltrace\":\"c:\\\\windows\\\\system32\\\\ntdll.dll+9c584|kernelbase.dll\",\"grantedaccess\":\"0x1f3fff\","
	"\"subjectusersid\",\"targetlogonid\",\"logontype\",\"ipaddress\",\"objecttype\":\"file\","
	"\"path\":\"explorer.exe /factory\",\"scriptblockid\":\"\",\"scriptname\","
	"\"commandinvocation(out-string)\",\"parameterbinding\","
	"\"hostapplication=c:\\\\windows\\\\system32\\\\windowspowershell\\\\v1.0\\\\powershell.exe -version\","
	"\"conhost.exe\",\"wmiprvse.exe\",\"currentversion\",\"deletevalue\",\"createkey\","
	"\"appdata\\\\local\\\\temp\\\\\",\"sourcemodulename\",\"sourcemoduletype\",\"executionprocessid\","
	"\"threadid\",\"opcode\",\"a network connection detected\",\"administrator\",\"internet explorer\","
	"\"security-auditing\",\"tokenelevationtype\",\"mandatorylabel\",\"direction\",\"protocol\","
	"\"destinationport\",\"initiated\",\"configuration\",\"function\",\"execution\",\"inprocserver32\","
	"\"clsid\",\"session\",\"permission\",\"shellexperiencehost.exe\",\"shell32.dll\"}";
/* clang-format on */

double sq_typical_char(unsigned char c)
{
	return (c < CHARACTERS && frequency[c] ? frequency[c] : 1) / 10000.0;
}

static uint32_t hash_of(const char *p)
{
	return sq_hashes_of(sq_hashes_piece(p), SQ_TYPICAL_LOG);
}

void sq_typical_init(struct sq_typical *t)
{
	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i + SQ_GRAM <= SQ_TYPICAL_TEXT; i++)
		t->times[hash_of(sq_typical_text + i)]++;
}

double sq_typical_gram(const struct sq_typical *t, const char *p)
{
	double r = 1;

	for (size_t i = 0; i < SQ_GRAM; i++)
		r *= sq_typical_char((unsigned char)p[i]);
	return r + (double)t->times[hash_of(p)] / SQ_TYPICAL_TEXT;
}
