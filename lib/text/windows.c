#include "lib/text/windows.h"

/* How often a character stands in Windows events as they are forwarded, of 10,000; letters in
 * either case together. From 46 MB of NXLog and Winlogbeat. What is not in the list is 1. */
static const uint16_t frequency[128] = {
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
static const char typical[] =
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

enum { BITS = 64, TYPICAL_BITS = (sizeof(typical) + BITS - 1) / BITS };

/* Where in that text each character stands, bit by place. */
struct places {
	uint64_t of[128][TYPICAL_BITS + 1];
};

/* What the windows of one bucket allow at each offset, and how often that is found. */
struct load {
	bool has[SQ_SPOT_WIDTH][128];
	double sum[SQ_SPOT_WIDTH];
	uint64_t found[SQ_SPOT_WIDTH][TYPICAL_BITS]; /* in the text, bit by place of the window */
};

double sq_window_often(unsigned char c)
{
	return (c < 128 && frequency[c] ? frequency[c] : 1) / 10000.0;
}

/* A word of three bytes leaves the last one open. */
static size_t width_of(struct sq_sv word)
{
	return word.n < SQ_SPOT_WIDTH ? word.n : SQ_SPOT_WIDTH;
}

static void find_typical(struct places *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < sizeof(typical); i++)
		p->of[(unsigned char)typical[i]][i / BITS] |= UINT64_C(1) << i % BITS;
}

/* Windows of the text, by number `k` of 64, that have at their byte `i` what the word has there. */
static uint64_t standing(const struct places *p, struct sq_sv word, size_t off, unsigned i,
                         unsigned k)
{
	const uint64_t *of;

	if (i >= word.n)
		return UINT64_MAX;
	of = p->of[(unsigned char)word.p[off + i]];
	return i ? of[k] >> i | of[k + 1] << (BITS - i) : of[k];
}

/* How much more of the text is found with the word. */
static double typical_with(const struct places *p, const struct load *l, struct sq_sv word,
                           size_t off)
{
	int n = 0;

	for (unsigned k = 0; k < TYPICAL_BITS; k++) {
		uint64_t before = UINT64_MAX, after = UINT64_MAX;

		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
			before &= l->found[i][k];
			after &= l->found[i][k] | standing(p, word, off, i, k);
		}
		n += __builtin_popcountll(after & ~before);
	}
	return (double)n / sizeof(typical);
}

static double found_with(const struct load *l, struct sq_sv word, size_t off)
{
	double r = 1;

	for (size_t i = 0; i < width_of(word); i++) {
		unsigned char c = (unsigned char)word.p[off + i];

		r *= l->sum[i] + (l->has[i][c] ? 0 : sq_window_often(c));
	}
	return r;
}

static double found_now(const struct load *l)
{
	double r = 1;

	for (size_t i = 0; i < SQ_SPOT_WIDTH; i++)
		r *= l->sum[i] > 1 ? 1 : l->sum[i];
	return r;
}

static void put_window(const struct places *p, struct load *l, struct sq_sv word, size_t off)
{
	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		unsigned char c = i < word.n ? (unsigned char)word.p[off + i] : 0;

		if (i >= word.n)
			l->sum[i] = 1;
		else if (!l->has[i][c])
			l->sum[i] += sq_window_often(c);
		l->has[i][c] = true;
		for (unsigned k = 0; k < TYPICAL_BITS; k++)
			l->found[i][k] |= standing(p, word, off, i, k);
	}
}

double sq_windows_place(const struct sq_sv *words, uint32_t n, const uint8_t *without,
                        unsigned bucket, uint8_t *ret_bucket, uint8_t *ret_off)
{
	struct load loads[SQ_SPOT_BUCKETS] = { 0 };
	struct places places;
	double all = 0;

	find_typical(&places);
	for (uint32_t k = 0; k < n; k++) {
		struct sq_sv word = words[k];
		double best = 1e9;

		if (without[k])
			continue;
		ret_bucket[k] = (uint8_t)bucket;
		for (unsigned b = bucket; b < SQ_SPOT_BUCKETS; b++) {
			double before = found_now(&loads[b]);

			for (size_t off = 0; off + width_of(word) <= word.n; off++) {
				double more = found_with(&loads[b], word, off) - before;

				if (more < best)
					more += typical_with(&places, &loads[b], word, off);
				if (more < best) {
					best = more;
					ret_bucket[k] = (uint8_t)b;
					ret_off[k] = (uint8_t)off;
				}
			}
		}
		put_window(&places, &loads[ret_bucket[k]], word, ret_off[k]);
	}
	for (unsigned b = bucket; b < SQ_SPOT_BUCKETS; b++)
		all += found_now(&loads[b]);
	return all;
}
