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

enum { CHARACTERS = 128, BITS = 64, TYPICAL_BITS = (sizeof(typical) + BITS - 1) / BITS };

/* A place that is none costs as much, of one, on CPUs that look up bytes by few of their bits. */
static const double in_vain = 0.3;

/* Where in that text each character stands, bit by place. */
struct places {
	uint64_t of[CHARACTERS][TYPICAL_BITS + 1];
};

/* What the windows of one bucket allow at each offset. */
struct window {
	bool has[SQ_SPOT_WIDTH][CHARACTERS];
};

double sq_window_often(unsigned char c)
{
	return (c < CHARACTERS && frequency[c] ? frequency[c] : 1) / 10000.0;
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

static void add_word(struct window *w, struct sq_sv word, size_t off)
{
	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		if (i < word.n)
			w->has[i][(unsigned char)word.p[off + i]] = true;
		else
			memset(w->has[i], true, sizeof(w->has[i]));
	}
}

/* How much is found, were characters independent of each other. */
static double often(const struct window *w)
{
	double r = 1;

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		double sum = 0;

		for (unsigned c = 0; c < CHARACTERS; c++)
			sum += w->has[i][c] ? sq_window_often((unsigned char)c) : 0;
		r *= sum > 1 ? 1 : sum;
	}
	return r;
}

/* Windows of the text that have an allowed character at their byte `i`. */
static void standing(const struct places *p, const bool has[CHARACTERS], unsigned i,
                     uint64_t ret[TYPICAL_BITS])
{
	memset(ret, 0, TYPICAL_BITS * sizeof(*ret));
	for (unsigned c = 0; c < CHARACTERS; c++)
		for (unsigned k = 0; has[c] && k < TYPICAL_BITS; k++)
			ret[k] |=
				i ? p->of[c][k] >> i | p->of[c][k + 1] << (BITS - i) : p->of[c][k];
}

/* How much of the text is found. */
static double typically(const struct places *p, const struct window *w)
{
	uint64_t all[TYPICAL_BITS], here[TYPICAL_BITS];
	int n = 0;

	memset(all, 0xff, sizeof(all));
	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		standing(p, w->has[i], i, here);
		for (unsigned k = 0; k < TYPICAL_BITS; k++)
			all[k] &= here[k];
	}
	for (unsigned k = 0; k < TYPICAL_BITS; k++)
		n += __builtin_popcountll(all[k]);
	return (double)n / sizeof(typical);
}

/* The same by tables of bits, of letters in either case. */
static double typically_by_bits(const struct places *p, const struct window *w)
{
	struct window likely;

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		unsigned low = 0, mixed = 0;

		for (unsigned c = 0; c < CHARACTERS; c++) {
			if (!w->has[i][c])
				continue;
			low |= 1u << sq_spot_low(c);
			mixed |= 1u << sq_spot_mixed(c);
			if (c >= 'a' && c <= 'z')
				mixed |= 1u << sq_spot_mixed(c - 'a' + 'A');
		}
		for (unsigned c = 0; c < CHARACTERS; c++)
			likely.has[i][c] = low >> sq_spot_low(c) & mixed >> sq_spot_mixed(c) & 1;
	}
	return typically(p, &likely);
}

double sq_windows_place(const struct sq_sv *words, uint32_t n, const uint8_t *without,
                        unsigned bucket, uint8_t *ret_bucket, uint8_t *ret_off)
{
	struct window buckets[SQ_SPOT_BUCKETS] = { 0 };
	double cost[SQ_SPOT_BUCKETS] = { 0 }, all = 0; /* cost: by all three */
	struct places places;

	find_typical(&places);
	for (uint32_t k = 0; k < n; k++) {
		struct sq_sv word = words[k];
		double best = 1e9;

		if (without[k])
			continue;
		ret_bucket[k] = (uint8_t)bucket;
		for (unsigned b = bucket; b < SQ_SPOT_BUCKETS; b++) {
			for (size_t off = 0; off + width_of(word) <= word.n; off++) {
				struct window with = buckets[b];
				double more;

				add_word(&with, word, off);
				more = often(&with) - cost[b];
				if (more < best)
					more += typically(&places, &with);
				if (more < best)
					more += in_vain * typically_by_bits(&places, &with);
				if (more < best) {
					best = more;
					ret_bucket[k] = (uint8_t)b;
					ret_off[k] = (uint8_t)off;
				}
			}
		}
		add_word(&buckets[ret_bucket[k]], word, ret_off[k]);
		cost[ret_bucket[k]] += best;
	}
	for (unsigned b = bucket; b < SQ_SPOT_BUCKETS; b++)
		all += often(&buckets[b]);
	return all;
}
