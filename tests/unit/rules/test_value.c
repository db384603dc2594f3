/* Selections, wildcards and modifiers: what a selection's text becomes. */
#include "tests/unit/rules/sigma_text.h"

struct value_case {
	const char *name;
	const char *body; /* lines of the selection */
	const char *want;
};

#define FF16 "00000000000000000000ffff"

static struct value_case cases[] = {
	/* whole value, wildcards live */
	{ "a plain text is the whole value", "    Image: a.exe", "Image=\"a.exe\"" },
	{ "a star is any number of characters", "    Image: 'a*b'", "Image=\"a\"*\"b\"" },
	{ "a question mark is one character", "    Image: 'a?b'", "Image=\"a\"?\"b\"" },
	{ "stars beside each other are one", "    Image: '**a***'", "Image=*\"a\"*" },
	{ "a star alone is any value", "    Image: '*'", "Image=*" },
	{ "empty text is a present, empty value", "    Image: ''", "Image=\"\"" },
	{ "null is an absent field", "    Image: null", "Image:null" },
	{ "a tilde is null", "    Image: ~", "Image:null" },
	{ "nothing is null", "    Image:", "Image:null" },
	{ "null in quotes is text", "    Image: 'null'", "Image=\"null\"" },

	/* backslashes */
	{ "one backslash before a letter is plain", "    Image: '*\\regsvr32.exe'",
	  "Image=*\"\\regsvr32.exe\"" },
	{ "two backslashes are one", "    Image: '*\\\\regsvr32.exe'",
	  "Image=*\"\\regsvr32.exe\"" },
	{ "three backslashes are two", "    Image: 'a\\\\\\b'", "Image=\"a\\\\b\"" },
	{ "four backslashes are two", "    Image: 'a\\\\\\\\b'", "Image=\"a\\\\b\"" },
	{ "an escaped star is a star", "    Image: 'a\\*'", "Image=\"a*\"" },
	{ "an escaped question mark is one", "    Image: 'a\\?'", "Image=\"a?\"" },
	{ "two backslashes and a star are a backslash and any", "    Image: 'a\\\\*'",
	  "Image=\"a\\\"*" },
	{ "three backslashes and a star are a backslash and a star", "    Image: 'a\\\\\\*'",
	  "Image=\"a\\*\"" },
	{ "a backslash at the end is plain", "    Image: 'C:\\'", "Image=\"C:\\\"" },

	/* numbers and what YAML would take for other things */
	{ "a plain number is a number", "    EventID: 4688", "EventID#=4688" },
	{ "a number in quotes is text", "    EventID: '4688'", "EventID=\"4688\"" },
	{ "a negative number", "    EventID: -5", "EventID#=-5" },
	{ "a fraction", "    EventID: 1.5", "EventID#=1.5" },
	{ "fifteen digits are a number", "    EventID: 123456789012345",
	  "EventID#=123456789012345" },
	{ "sixteen digits are text, since a double would round", "    EventID: 1234567890123456",
	  "EventID=\"1234567890123456\"" },
	{ "hexadecimal stays text", "    EventID: 0x10", "EventID=\"0x10\"" },
	{ "an exponent stays text", "    EventID: 1e3", "EventID=\"1e3\"" },
	{ "a leading zero stays text", "    EventID: 012", "EventID=\"012\"" },
	{ "a version stays text", "    EventID: 1.2.3", "EventID=\"1.2.3\"" },
	{ "a point at the end stays text", "    EventID: 1.", "EventID=\"1.\"" },
	{ "a date stays text", "    EventID: 2024-01-02", "EventID=\"2024-01-02\"" },
	{ "yes stays text", "    EventID: yes", "EventID=\"yes\"" },
	{ "true stays text", "    EventID: true", "EventID=\"true\"" },
	{ "a number behind contains is text", "    EventID|contains: 46", "EventID=*\"46\"*" },
	{ "a number behind cased is text", "    EventID|cased: 46", "EventID==\"46\"" },

	/* maps and lists */
	{ "a map is an and", "    Image: a\n    User: b", "and(Image=\"a\",User=\"b\")" },
	{ "a list of values is an or", "    Image: [a, 4]", "or(Image=\"a\",Image#=4)" },
	{ "a list of one value is that value", "    Image: [a]", "Image=\"a\"" },
	{ "a list of maps is an or", "    - Image: a\n      User: b\n    - Image: c",
	  "or(and(Image=\"a\",User=\"b\"),Image=\"c\")" },
	{ "a field twice with other modifiers is an and",
	  "    Image|startswith: a\n    Image|endswith: b", "and(Image=\"a\"*,Image=*\"b\")" },
	{ "names of fields keep their case", "    image: a", "image=\"a\"" },
	{ "a field may have blanks inside", "    Threat Name: a", "Threat Name=\"a\"" },

	/* keywords */
	{ "a text in a list is found anywhere", "    - evil", "any=*\"evil\"*" },
	{ "keywords are an or", "    - a\n    - 'b*c'", "or(any=*\"a\"*,any=*\"b\"*\"c\"*)" },
	{ "a selection of one text is a keyword", "    evil", "any=*\"evil\"*" },
	{ "a plain number as keyword is a number", "    - 4688", "any#=4688" },
	{ "all over keywords", "    '|all':\n    - a\n    - b", "and(any=*\"a\"*,any=*\"b\"*)" },
	{ "contains on keywords changes nothing", "    '|contains': a", "any=*\"a\"*" },
	{ "startswith on keywords is the start of a value", "    '|startswith': a", "any=\"a\"*" },
	{ "a regular expression as keyword", "    '|re': a.c", "any~/a.c/" },
	{ "keywords beside a map", "    - a\n    - Image: b", "or(any=*\"a\"*,Image=\"b\")" },

	/* contains, startswith, endswith, all, cased */
	{ "contains", "    Image|contains: a", "Image=*\"a\"*" },
	{ "startswith", "    Image|startswith: a", "Image=\"a\"*" },
	{ "endswith", "    Image|endswith: a", "Image=*\"a\"" },
	{ "contains keeps wildcards inside", "    Image|contains: 'a*b?'", "Image=*\"a\"*\"b\"?*" },
	{ "contains and all", "    Image|contains|all: [a, b]",
	  "and(Image=*\"a\"*,Image=*\"b\"*)" },
	{ "all and contains", "    Image|all|contains: [a, b]",
	  "and(Image=*\"a\"*,Image=*\"b\"*)" },
	{ "cased", "    Image|contains|cased: Ab", "Image==*\"Ab\"*" },

	/* windash */
	{ "windash takes the dash", "    Image|windash: a -b", "Image=\"a \"-\"b\"" },
	{ "windash takes the slash", "    Image|contains|windash: '/format:'",
	  "Image=*-\"format:\"*" },
	{ "windash takes every dash", "    Image|windash: -a-/", "Image=-\"a\"--" },
	{ "windash takes en dash, em dash and bar",
	  "    Image|windash: \"\\u2013a\\u2014b\\u2015c\"", "Image=-\"a\"-\"b\"-\"c\"" },
	{ "windash leaves the hyphen U+2010 alone", "    Image|windash: \"\\u2010a\"",
	  "Image=\"%e2%80%90a\"" },
	{ "windash and all is an and", "    Image|contains|windash|all: [' -s', ' -i']",
	  "and(Image=*\" \"-\"s\"*,Image=*\" \"-\"i\"*)" },
	{ "windash with wildcards", "    Image|windash: '*-a*'", "Image=*-\"a\"*" },

	/* regular expressions */
	{ "re minds case", "    Image|re: ^a.*\\.exe$", "Image~/^a.*\\.exe$/" },
	{ "re keeps backslashes and stars", "    Image|re: '\\\\\\\\a*?'", "Image~/\\\\\\\\a*?/" },
	{ "re with all flags", "    Image|re|i|m|s: a", "Image~/a/ims" },
	{ "re of a number", "    Image|re: 42", "Image~/42/" },
	{ "re and all", "    Image|re|all: [a, b]", "and(Image~/a/,Image~/b/)" },

	/* numbers and addresses */
	{ "lt", "    ProcessId|lt: 5", "ProcessId#<5" },
	{ "lte", "    ProcessId|lte: 5", "ProcessId#<=5" },
	{ "gt", "    ProcessId|gt: 5.25", "ProcessId#>5.25" },
	{ "gte", "    ProcessId|gte: -5", "ProcessId#>=-5" },
	{ "a list of bounds is an or", "    ProcessId|lt: [5, 6]",
	  "or(ProcessId#<5,ProcessId#<6)" },
	{ "cidr of IPv4", "    Ip|cidr: 10.0.0.0/8", "Ip@00000000000000000000ffff0a000000/104" },
	{ "cidr of IPv6", "    Ip|cidr: 'fe80::/10'", "Ip@fe800000000000000000000000000000/10" },
	{ "cidr of one address", "    Ip|cidr: 127.0.0.1",
	  "Ip@00000000000000000000ffff7f000001/128" },
	{ "cidr of everything", "    Ip|cidr: 0.0.0.0/0",
	  "Ip@00000000000000000000ffff00000000/96" },
	{ "exists", "    Image|exists: true", "Image?yes" },
	{ "does not exist", "    Image|exists: false", "Image?no" },
	{ "exists, as YAML 1.1 says yes", "    Image|exists: yes", "Image?yes" },

	/* encodings */
	{ "wide", "    Image|wide: ab", "Image=\"a%00b%00\"" },
	{ "utf16le is wide", "    Image|utf16le: ab", "Image=\"a%00b%00\"" },
	{ "utf16be", "    Image|utf16be: ab", "Image=\"%00a%00b\"" },
	{ "utf16 has a mark", "    Image|utf16: ab", "Image=\"%ff%fea%00b%00\"" },
	{ "wide of what is outside the first plane", "    Image|wide: \"\\U0001F600\"",
	  "Image=\"=%d8%00%de\"" },
	{ "wide of two bytes in UTF-8", "    Image|wide: \"\\u00e9\"", "Image=\"%e9%00\"" },
	{ "wide keeps a star", "    Image|wide: 'a*'", "Image=\"a%00\"*" },
	{ "wide and contains", "    Image|wide|contains: a", "Image=*\"a%00\"*" },
	{ "contains and wide", "    Image|contains|wide: a", "Image=*\"a%00\"*" },
	{ "base64", "    Image|base64: foobar", "Image=\"Zm9vYmFy\"" },
	{ "base64 with padding", "    Image|base64: foob", "Image=\"Zm9vYg==\"" },
	{ "base64 with one padding", "    Image|base64|contains: fooba", "Image=*\"Zm9vYmE=\"*" },
	{ "base64 of an escaped star", "    Image|base64: 'a\\*b'", "Image=\"YSpi\"" },
	/* The three shifts of "foobar" (66 6f 6f 62 61 72), worked out by hand: whole; one byte
	 * before it shares the first two digits and two behind it share the last three; two bytes
	 * before it share three digits, one behind two. */
	{ "base64offset has three shifts with trimmed ends",
	  "    Image|base64offset|contains: foobar",
	  "or(Image=*\"Zm9vYmFy\"*,Image=*\"Zvb2Jhc\"*,Image=*\"mb29iYX\"*)" },
	/* "IEX" as PowerShell's -enc has it, from the lists that analysts pass around. */
	{ "wide before base64offset", "    Image|wide|base64offset|contains: IEX",
	  "or(Image=*\"SQBFAFgA\"*,Image=*\"kARQBYA\"*,Image=*\"JAEUAWA\"*)" },
	{ "base64offset before wide", "    Image|base64offset|contains|wide: foo",
	  "or(Image=*\"Z%00m%009%00v%00\"*,Image=*\"Z%00v%00b%00\"*,Image=*\"m%00b%002%00\"*)" },
	{ "base64offset and all", "    Image|base64offset|contains|all: [foobar, foobar]",
	  "and(or(Image=*\"Zm9vYmFy\"*,Image=*\"Zvb2Jhc\"*,Image=*\"mb29iYX\"*),"
	  "or(Image=*\"Zm9vYmFy\"*,Image=*\"Zvb2Jhc\"*,Image=*\"mb29iYX\"*))" },

	/* YAML */
	{ "a folded block is one text", "    Image: >-\n      a\n      b", "Image=\"a b\"" },
	{ "an alias stands for its list", "    Image: &x [a, b]\n    User: *x",
	  "and(or(Image=\"a\",Image=\"b\"),or(User=\"a\",User=\"b\"))" },
	{ "text beyond ASCII", "    Image: \xc3\xa4*", "Image=\"%c3%a4\"*" },
};

static void check_value(void **state)
{
	const struct value_case *tc = *state;
	struct parsed t;
	char yaml[2048];

	(void)snprintf(yaml, sizeof(yaml), "%s%s\n", RULE_HEAD, tc->body);
	parse(&t, yaml);
	assert_sv_equal(findings(&t), SQ_SV(""));
	assert_int_equal(t.result, 1);
	assert_sv_equal(condition(&t), sq_sv_of(tc->want));
	parsed_fini(&t);
}

int main(void)
{
	return RUN_TABLE("rules/value", cases, check_value);
}
