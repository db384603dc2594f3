/* What rules mean, from their text to a hit: one rule, one event, with Hyperscan and without. Each
 * row is a trap of Sigma that some implementation fell into. */
#include "tests/unit/rules/match_text.h"

struct trap {
	const char *name;
	const char *detection; /* members of detection */
	const char *data;      /* members of an event of Sysmon 1 */
	bool want;
};

/* In these texts \\ is one backslash of YAML or JSON. */
static struct trap traps[] = {
	/* 1: whole values, ASCII case, numbers and their text */
	{ "text is the whole value", "  s: {Image: 'a.exe'}\n  condition: s",
	  "\"Image\":\"xa.exe\"", false },
	{ "case does not count", "  s: {Image: 'A.eXe'}\n  condition: s", "\"Image\":\"a.ExE\"",
	  true },
	{ "a number fits the number", "  s: {EventID: 1}\n  condition: s", "\"Image\":\"a\"",
	  true },
	{ "a number fits its text", "  s: {Port: 443}\n  condition: s", "\"Port\":\"443\"", true },
	{ "a text fits the number", "  s: {Port: '443'}\n  condition: s", "\"Port\":443", true },
	{ "a number is no part of a number", "  s: {Port: 44}\n  condition: s", "\"Port\":443",
	  false },
	/* 2: backslashes */
	{ "one backslash", "  s: {Image: '*\\regsvr32.exe'}\n  condition: s",
	  "\"Image\":\"C:\\\\regsvr32.exe\"", true },
	{ "two backslashes are one", "  s: {Image: '*\\\\regsvr32.exe'}\n  condition: s",
	  "\"Image\":\"C:\\\\regsvr32.exe\"", true },
	{ "an escaped star is a star", "  s: {Image: 'a\\*'}\n  condition: s", "\"Image\":\"ab\"",
	  false },
	{ "two backslashes and a star", "  s: {Image: 'C:\\\\*'}\n  condition: s",
	  "\"Image\":\"C:\\\\x\"", true },
	/* 3: ? is one character */
	{ "a question mark is one code point", "  s: {Image: 'a?c'}\n  condition: s",
	  "\"Image\":\"a\xc3\xa4"
	  "c\"",
	  true },
	{ "and not none", "  s: {Image: 'a?c'}\n  condition: s", "\"Image\":\"ac\"", false },
	/* 4: only ASCII is folded */
	{ "the Kelvin sign is no k", "  s: {Image: k}\n  condition: s",
	  "\"Image\":\"\xe2\x84\xaa\"", false },
	{ "a capital umlaut is another letter", "  s: {Image: \"\xc3\xa4\"}\n  condition: s",
	  "\"Image\":\"\xc3\x84\"", false },
	/* 5: regular expressions */
	{ "re is found anywhere", "  s: {Image|re: 'b+'}\n  condition: s", "\"Image\":\"abbc\"",
	  true },
	{ "re minds case", "  s: {Image|re: 'B+'}\n  condition: s", "\"Image\":\"abbc\"", false },
	{ "re with i does not", "  s: {Image|re|i: 'B+'}\n  condition: s", "\"Image\":\"abbc\"",
	  true },
	/* 6: null, empty, exists */
	{ "an absent field is null", "  s: {ParentImage: null}\n  condition: s", "\"Image\":\"a\"",
	  true },
	{ "JSON null is null", "  s: {Nix: null}\n  condition: s", "\"Nix\":null", true },
	{ "an empty text is not null", "  s: {Nix: null}\n  condition: s", "\"Nix\":\"\"", false },
	{ "an empty text is empty", "  s: {Nix: ''}\n  condition: s", "\"Nix\":\"\"", true },
	{ "an absent field is not empty", "  s: {Nix: ''}\n  condition: s", "\"Image\":\"a\"",
	  false },
	{ "JSON null exists", "  s: {Nix|exists: true}\n  condition: s", "\"Nix\":null", true },
	{ "an absent field does not", "  s: {Nix|exists: false}\n  condition: s", "\"Image\":\"a\"",
	  true },
	/* 7: negation of an absent field */
	{ "not over an absent field is true",
	  "  s: {Image: a}\n  f: {Nix: b}\n  condition: s and not f", "\"Image\":\"a\"", true },
	{ "a rule of a negation alone", "  f: {Nix: b}\n  condition: not f", "\"Image\":\"a\"",
	  true },
	/* 8: all */
	{ "contains and all on one field", "  s: {Image|contains|all: [a, b]}\n  condition: s",
	  "\"Image\":\"xbxax\"", true },
	{ "one of them is not all", "  s: {Image|contains|all: [a, b]}\n  condition: s",
	  "\"Image\":\"xax\"", false },
	/* 9, 10: base64 */
	{ "base64offset at a shift of one",
	  "  s: {CommandLine|base64offset|contains: foobar}\n  condition: s",
	  "\"CommandLine\":\"x eGZvb2JhcnkK\"", true },
	{ "wide before base64offset",
	  "  s: {CommandLine|wide|base64offset|contains: IEX}\n  condition: s",
	  "\"CommandLine\":\"-enc SQBFAFgAIAAoAA==\"", true },
	/* 11: windash */
	{ "windash takes a slash for a dash",
	  "  s: {CommandLine|contains|windash: ' -s'}\n  condition: s", "\"CommandLine\":\"x /s\"",
	  true },
	{ "and a dash for a slash",
	  "  s: {CommandLine|contains|windash: '/format:'}\n  condition: s",
	  "\"CommandLine\":\"os get -format:x\"", true },
	{ "and an en dash", "  s: {CommandLine|contains|windash: ' -s -u'}\n  condition: s",
	  "\"CommandLine\":\"x \xe2\x80\x93s /u\"", true },
	{ "windash and all is an and of choices",
	  "  s: {CommandLine|contains|windash|all: [' -s', ' -u']}\n  condition: s",
	  "\"CommandLine\":\"x /s\"", false },
	/* 12: keywords */
	{ "a keyword is found in any value", "  k: [evil]\n  condition: k",
	  "\"Nested\":{\"Deep\":[\"x\",\"so EVIL it is\"]}", true },
	{ "a keyword is not found in a name", "  k: [evil]\n  condition: k", "\"evil\":\"x\"",
	  false },
	{ "a keyword finds a number", "  k: ['4242']\n  condition: k", "\"Port\":4242", true },
	{ "a number is a keyword", "  k: [4242]\n  condition: k", "\"Port\":4242", true },
	{ "all over keywords", "  k: {'|all': [one, two]}\n  condition: k",
	  "\"A\":\"one\",\"B\":\"x two\"", true },
	/* 13: arrays */
	{ "one value of an array is enough", "  s: {List: b}\n  condition: s",
	  "\"List\":[\"a\",\"b\"]", true },
	{ "under not, none may fit", "  s: {List: b}\n  condition: not s", "\"List\":[\"a\",\"b\"]",
	  false },
	/* 15: cidr */
	{ "cidr", "  s: {Ip|cidr: 10.0.0.0/8}\n  condition: s", "\"Ip\":\"10.1.2.3\"", true },
	{ "cidr of a mapped address", "  s: {Ip|cidr: 10.0.0.0/8}\n  condition: s",
	  "\"Ip\":\"::ffff:10.1.2.3\"", true },
	{ "cidr of no address", "  s: {Ip|cidr: 0.0.0.0/0}\n  condition: s", "\"Ip\":\"host\"",
	  false },
	/* 18: of */
	{ "one of them leaves out the hidden",
	  "  _s: {Image: a}\n  t: {Image: b}\n  condition: 1 of them", "\"Image\":\"a\"", false },
	/* 23: what YAML takes for other things */
	{ "a leading zero is text", "  s: {Nr: 012}\n  condition: s", "\"Nr\":\"012\"", true },
	{ "and not its number", "  s: {Nr: 012}\n  condition: s", "\"Nr\":12", false },
	{ "yes is text", "  s: {Nr: yes}\n  condition: s", "\"Nr\":\"yes\"", true },
	{ "true fits JSON's true", "  s: {Nr: true}\n  condition: s", "\"Nr\":true", true },
};

static void check_trap(void **state)
{
	const struct trap *tc = *state;
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml),
	               "title: A\nlevel: low\nlogsource: {product: windows}\ndetection:\n%s\n",
	               tc->detection);
	expect_match(yaml, tc->data, true, tc->want);
	expect_match(yaml, tc->data, false, tc->want);
}

int main(void)
{
	return RUN_TABLE("rules/traps", traps, check_trap);
}
