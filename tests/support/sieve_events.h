/* Random events of process creation and others, in every shape and disguise, for the tests of the
 * sieve. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/sieve_values.h"
#include "tests/support/test.h"

enum { RECORD_MAX = 1 << 15, VALUE_MAX = 2048 };

/* Random numbers, the same on every machine. */
static uint64_t sieve_seed = 1;

static uint32_t any(uint32_t n)
{
	sieve_seed = sieve_seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(sieve_seed >> 33) % n;
}

static bool one_in(uint32_t n)
{
	return any(n) == 0;
}

#define PICK(list) ((list)[any(SQ_LEN(list))])

/* How one record is written. Mostly few of these at once, so that none hides another's mistake. */
struct disguise {
	uint32_t escape;          /* 1 in so many characters is \u00xx; 0: none */
	uint32_t entity;          /* or a numeric entity, in XML */
	uint32_t slash;           /* or \/ */
	uint32_t comment;         /* or has a comment before it, in XML */
	bool upper, spaces, html; /* html: < > & and their like are escaped */
	uint32_t trick; /* 1 in so many characters of a value gets a trick behind it; 0: none */
	unsigned which; /* of tricks[] */
};

static const char *const tricks[] = {
	"\"",          "\"\"",         "^",        "'",
	"`",           "\xe2\x80\x8b", "\xc2\xad", "\b",
	"\x7f",        "\x01",         "&#114;",   "&quot;",
	"\\u0072",     "\\U0073",      "\xc2\xa0", "\r\n",
	"&amp;quot;",  "\\\"",         "' + '",    "\xef\xbb\xbf",
	"&bsol;u0072", "\f",           " ",        "\t",
	"%x%",         "\\",           "+",        "&am&#112;#114;",
	"\xd1\x80",    "&sol;",        "&colon;",  "\xf3\xa0\x80\xa0",
	",",           "''",           "&apos;",   "\n",
	"\r",          "\"'",          "'\"",      "&#10;",
	"\v",          "' +",          "\"\"\"",   "&lt;",
};

/* Letters that look like others. */
static const char *look_alike(char c)
{
	static const char *const rows[] = { "e\xd0\xb5",     "s\xd1\x95",      "r\xd0\xb3",
		                            "o\xd0\xbe",     "c\xd1\x81",      "v\xce\xbd",
		                            "g\xc9\xa1",     "b\xef\xbd\x82",  "3\xef\xbc\x93",
		                            "2\xe2\x82\x82", "/\xe2\x88\x95",  "-\xe2\x80\x93",
		                            ".\xef\xbc\x8e", "\\\xef\xbc\xbc", "j\xf0\x9d\x90\xa3",
		                            ":\xef\xbc\x9a" };

	for (size_t i = 0; i < SQ_LEN(rows); i++)
		if (rows[i][0] == c)
			return rows[i] + 1;
	return NULL;
}

static const char *any_line(void)
{
	return one_in(3) ? PICK(odd_lines) : PICK(plain_lines);
}
struct text {
	char p[RECORD_MAX];
	size_t n;
};

static void put(struct text *t, const char *p, size_t n)
{
	if (n > sizeof(t->p) - t->n)
		n = sizeof(t->p) - t->n;
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

static void puts_to(struct text *t, const char *p)
{
	put(t, p, strlen(p));
}

/* A value with tricks in it. */
static struct text trick_value(const struct disguise *d, const char *value)
{
	struct text t = { .n = 0 };

	for (; *value && t.n < VALUE_MAX; value++) {
		const char *other = d->trick && one_in(d->trick * 2)
		                            ? look_alike((char)sq_lower((unsigned char)*value))
		                            : NULL;

		if (other && d->which >= SQ_LEN(tricks))
			puts_to(&t, other);
		else
			put(&t, value, 1);
		if (d->trick && d->which < SQ_LEN(tricks) && one_in(d->trick))
			puts_to(&t, tricks[d->which]);
	}
	return t;
}

static void put_json_string(struct text *t, const struct disguise *d, const char *p, size_t n)
{
	char code[8];

	puts_to(t, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c < 0x80 && ((d->escape && one_in(d->escape)) || c < 0x20 ||
		                 (d->html && strchr("<>&'\"=+`", c)))) {
			const char *at =
				c < 0x20 && !one_in(4) ? strchr("\bb\nn\rr\tt\ff", c) : NULL;

			if (at && c != 0)
				(void)snprintf(code, sizeof(code), "\\%c", at[1]);
			else
				(void)snprintf(code, sizeof(code), d->upper ? "\\u%04X" : "\\u%04x",
				               c);
			puts_to(t, code);
		} else if (c == '"' || c == '\\' || (c == '/' && d->slash && one_in(d->slash))) {
			puts_to(t, "\\");
			put(t, p + i, 1);
		} else {
			put(t, p + i, 1);
		}
	}
	puts_to(t, "\"");
}

static void put_xml_text(struct text *t, const struct disguise *d, const char *p, size_t n)
{
	char code[16];

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (d->comment && one_in(d->comment))
			puts_to(t, one_in(2)   ? "<!-- x -->"
			           : one_in(2) ? "<?x y?>"
			                       : "<![CDATA[]]>");
		if (d->entity && one_in(d->entity) && c < 0x80) {
			(void)snprintf(code, sizeof(code),
			               one_in(2)  ? "&#%u;"
			               : d->upper ? "&#X%X;"
			                          : "&#x%x;",
			               c);
			puts_to(t, code);
		} else if (c == '<' || c == '&') {
			puts_to(t, c == '<' ? "&lt;" : "&amp;");
		} else if (c == '"' && one_in(2)) {
			puts_to(t, "&quot;");
		} else {
			put(t, p + i, 1);
		}
	}
}

struct event {
	const char *names[24], *values[24]; /* values that begin with \1 are JSON as they stand */
	size_t n;
};

static void add(struct event *ev, const char *name, const char *value)
{
	if (!value[0] && one_in(2))
		return;
	ev->names[ev->n] = name;
	ev->values[ev->n++] = value;
}

static void put_member(struct text *t, const struct disguise *d, const char *name,
                       const char *value)
{
	put_json_string(t, d, name, strlen(name));
	puts_to(t, d->spaces ? " : " : ":");
	if (value[0] == '\1') {
		puts_to(t, value + 1);
	} else {
		struct text v = trick_value(d, value);

		put_json_string(t, d, v.p, v.n);
	}
}

static void make_event(struct event *ev, char id[64], char number[64], char payload[VALUE_MAX])
{
	bool creation = !one_in(4);

	ev->n = 0;
	(void)snprintf(id, 64, "\1%s", PICK(ids));
	(void)snprintf(number, 64, "\1%s", PICK(numbers));
	add(ev, "EventID", id);
	add(ev, "Channel", creation ? channels[any(3)] : PICK(channels));
	if (!one_in(3))
		add(ev, one_in(2) ? "Image" : "NewProcessName", PICK(images));
	add(ev, "CommandLine", any_line());
	if (one_in(2))
		add(ev, "ParentImage", PICK(images));
	if (one_in(3))
		add(ev, "OriginalFileName", PICK(originals));
	if (one_in(4))
		add(ev, "Description", PICK(descriptions));
	if (one_in(4))
		add(ev, "Hashes", PICK(hashes));
	if (one_in(4))
		add(ev, "RandomNumber", number);
	if (one_in(4))
		add(ev, "ProcessId", number);
	if (one_in(4))
		add(ev, "User", "CORP\\alice EXAMPLE");
	if (one_in(4))
		add(ev, "MandatoryLabel", "S-1-16-8192");
	if (one_in(3)) {
		add(ev, "ScriptBlockText", any_line());
		add(ev, "Details", any_line());
		(void)snprintf(
			payload, VALUE_MAX,
			"CommandInvocation(Start-Process): \"Start-Process\"\r\n"
			"ParameterBinding(Start-Process): name=\"FilePath\"; value=\"%s\"\r\n"
			"ParameterBinding(Start-Process): name=\"ArgumentList\"; value=\"%s\"\r\n",
			one_in(2) ? "regsvr32" : any_line(), any_line());
		add(ev, one_in(2) ? "Payload" : "ContextInfo", payload);
		add(ev, "HostApplication", any_line());
		add(ev, "TargetObject", "HKCR\\CLSID\\{1}\\InprocServer32\\(Default)");
	}
}

static void put_object(struct text *t, const struct disguise *d, const struct event *ev)
{
	puts_to(t, "{");
	for (size_t i = 0; i < ev->n; i++) {
		if (i)
			puts_to(t, ",");
		put_member(t, d, ev->names[i], ev->values[i]);
	}
	puts_to(t, "}");
}

static void put_winlog(struct text *t, const struct disguise *d, const struct event *ev)
{
	puts_to(t, "{\"winlog\":{\"event_id\":");
	puts_to(t, ev->values[0] + 1);
	for (size_t i = 1; i < ev->n; i++) {
		puts_to(t, i == 1 ? "," : i == 2 ? ",\"event_data\":{" : ",");
		put_member(t, d, i == 1 ? "channel" : ev->names[i], ev->values[i]);
	}
	puts_to(t, ev->n > 2 ? "}}}" : "}}");
}

/* Pairs as those write them who make JSON of XML: before the name, between it and the value,
 * behind. */
static void put_pairs(struct text *t, const struct disguise *d, const struct event *ev)
{
	static const char *const forms[][3] = {
		{ "{\"@Name\":", ",\"#text\":", "}" },
		{ "{\"Name\":", ",\"Value\":", "}" },
		{ "{\"$\":{\"Name\":", "},\"_\":", "}" },
		{ "{\"_attributes\":{\"Name\":", "},\"_text\":", "}" },
		{ "{\"Name\":", ",\"text\":", "}" },
		{ "{\"Name\":", ",\"\":", "}" },
	};
	static const char *const of_id[] = { "#text", "Value", "_", "_text", "text", "" };
	uint32_t form = any(SQ_LEN(forms)), list = form < 2 && one_in(2);

	puts_to(t, "{\"Event\":{\"System\":{\"EventID\":");
	if (ev->values[0][1] != '{' && one_in(2)) {
		puts_to(t, "{");
		put_member(t, d, of_id[form], ev->values[0]);
		puts_to(t, "}");
	} else {
		puts_to(t, ev->values[0] + 1);
	}
	puts_to(t, ",");
	put_member(t, d, "Channel", ev->values[1]);
	puts_to(t, list ? "},\"EventData\":[" : "},\"EventData\":{\"Data\":[");
	for (size_t i = 2; i < ev->n; i++) {
		puts_to(t, i > 2 ? "," : "");
		puts_to(t, forms[form][0]);
		put_json_string(t, d, ev->names[i], strlen(ev->names[i]));
		puts_to(t, forms[form][1]);
		if (ev->values[i][0] == '\1') {
			puts_to(t, ev->values[i] + 1);
		} else {
			struct text v = trick_value(d, ev->values[i]);

			put_json_string(t, d, v.p, v.n);
		}
		puts_to(t, forms[form][2]);
	}
	puts_to(t, list ? "]}}" : "]}}}");
}

static void put_arguments(struct text *t, const struct disguise *d, const struct event *ev)
{
	char line[256];
	struct sq_sv rest;

	(void)snprintf(line, sizeof(line), "%s", any_line());
	rest = sq_sv_of(line);
	puts_to(t, "{\"winlog\":{\"event_id\":");
	puts_to(t, ev->values[0] + 1);
	puts_to(t, ",\"channel\":\"Security\"},\"process\":{\"args\":[");
	while (rest.n) {
		struct sq_sv word = sq_sv_cut(&rest, ' ');

		put_json_string(t, d, word.p, word.n);
		puts_to(t, rest.n ? "," : "");
	}
	puts_to(t, "]");
	if (one_in(2)) {
		puts_to(t, ",\"pe\":{\"imphash\":\"0235ff9a007804882636bcccfb4d1a2f\"}");
	}
	puts_to(t, "}}");
}

static void put_xml(struct text *t, const struct disguise *d, const struct event *ev)
{
	const char *id = ev->values[0] + 1;

	puts_to(t, one_in(2) ? "<Event xmlns='x'><System>"
	                     : "<?xml version=\"1.0\"?>\n<Event><System><Provider Name='x'/>");
	if (id[0] == '"' || sq_is_digit(id[0])) {
		struct sq_sv v = sq_sv_of(id);

		if (v.p[0] == '"')
			v = (struct sq_sv){ v.p + 1, v.n - 2 };
		puts_to(t, one_in(2) ? "<EventID>" : "<EventID Qualifiers='0'>\n ");
		put_xml_text(t, d, v.p, v.n);
		puts_to(t, "</EventID>");
	}
	puts_to(t, "<Channel>");
	put_xml_text(t, d, ev->values[1], strlen(ev->values[1]));
	puts_to(t, "</Channel></System><EventData>");
	for (size_t i = 2; i < ev->n; i++) {
		struct text v = trick_value(d, ev->values[i] + (ev->values[i][0] == '\1'));

		puts_to(t, "<Data Name='");
		puts_to(t, ev->names[i]);
		puts_to(t, "'>");
		put_xml_text(t, d, v.p, v.n);
		puts_to(t, "</Data>");
	}
	puts_to(t, "</EventData></Event>");
}

/* OpenTelemetry's: every value says its type. */
static void put_typed(struct text *t, const struct disguise *d, const struct event *ev)
{
	bool list = one_in(2);

	puts_to(t, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[");
	puts_to(t, one_in(4) ? "{\"id\":7,\"x\":1}," : "");
	puts_to(t, "{\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"event_id\",\"value\":{");
	puts_to(t,
	        one_in(4)
	                ? "\"kvlistValue\":{\"values\":[{\"key\":\"qualifiers\",\"value\":{"
	                  "\"doubleValue\":7}},{\"key\":\"id\",\"value\":{\"intValue\":"
	                : "\"kvlistValue\":{\"values\":[{\"key\":\"id\",\"value\":{\"intValue\":");
	puts_to(t, ev->values[0] + 1);
	puts_to(t, "}}]}}},{\"key\":\"channel\",\"value\":{");
	put_member(t, d, "stringValue", ev->values[1]);
	puts_to(t, "}},{\"key\":\"event_data\",\"value\":{\"kvlistValue\":{\"values\":[");
	puts_to(t, list ? "{\"key\":\"data\",\"value\":{\"arrayValue\":{\"values\":[" : "");
	for (size_t i = 2; i < ev->n; i++) {
		puts_to(t, i > 2 ? "," : "");
		puts_to(t, list ? "{\"kvlistValue\":{\"values\":[{\"key\":" : "{\"key\":");
		put_json_string(t, d, ev->names[i], strlen(ev->names[i]));
		puts_to(t, ",\"value\":{");
		put_member(t, d, ev->values[i][0] == '\1' ? "intValue" : "stringValue",
		           ev->values[i]);
		puts_to(t, list ? "}}]}}" : "}}");
	}
	puts_to(t, list ? "]}}}" : "");
	puts_to(t, "]}}}]}}}]}]}]}");
}

static void put_rendered(struct text *t, const struct disguise *d, const struct event *ev)
{
	struct text m = { .n = 0 };

	puts_to(t, "{\"EventID\":");
	puts_to(t, ev->values[0] + 1);
	puts_to(t, ",\"Channel\":\"Security\",\"Message\":");
	puts_to(&m,
	        "A new process has been created.\r\n\r\nProcess Information:\r\n\tNew Process Name:\t");
	puts_to(&m, PICK(images));
	puts_to(&m, "\r\n\tProcess Command Line:\t");
	puts_to(&m, any_line());
	puts_to(&m, "\r\n\r\nToken Elevation Type indicates x");
	put_json_string(t, d, m.p, m.n);
	puts_to(t, "}");
}

/* In a string, once or twice more. */
static void wrap(struct text *t, const struct disguise *d)
{
	struct text *in = malloc(sizeof(*in));

	assert_non_null(in);
	*in = *t;
	t->n = 0;
	puts_to(t, one_in(2)   ? "{\"message\":"
	           : one_in(2) ? "{\"log\":"
	                       : "{\"event\":{\"original\":");
	put_json_string(t, d, in->p, in->n);
	puts_to(t, strstr(t->p, "{\"event\":{\"or") == t->p ? "}}" : "}");
	free(in);
}

static void prefix(struct text *t, const char *with)
{
	size_t n = strlen(with);

	if (n + t->n > sizeof(t->p))
		return;
	memmove(t->p + n, t->p, t->n);
	memcpy(t->p, with, n);
	t->n += n;
}

static struct disguise make_disguise(void)
{
	struct disguise d = { .upper = one_in(2), .spaces = one_in(16), .html = one_in(4) };

	if (one_in(4))
		d.escape = 1 + any(60);
	if (one_in(4))
		d.slash = 1 + any(3);
	if (one_in(4))
		d.entity = 2 + any(60);
	if (one_in(8))
		d.comment = 2 + any(40);
	if (one_in(2)) {
		d.trick = 2 + any(30);
		d.which = any(SQ_LEN(tricks) + 6);
	}
	return d;
}

static inline void sieve_make_record(struct text *t)
{
	static void (*const shapes[])(struct text *, const struct disguise *,
	                              const struct event *) = {
		put_object, put_object,    put_winlog,   put_xml,
		put_pairs,  put_arguments, put_rendered, put_typed,
	};
	struct disguise plain = { 0 }, d = one_in(2) ? plain : make_disguise();
	char id[64], number[64], payload[VALUE_MAX];
	struct event ev;

	make_event(&ev, id, number, payload);
	t->n = 0;
	PICK(shapes)(t, &d, &ev);
	for (uint32_t i = any(16); i > 13; i--)
		wrap(t, one_in(2) ? &plain : &d);
	if (one_in(6))
		prefix(t, one_in(2) ? "<13>Jul 21 23:27:52 regsvr32 nxlog: "
		                    : "<13>1 2020-07-21T23:27:52Z h a - - - ");
	if (one_in(20) && t->n > 50)
		t->n -= any(40); /* cut off on its way */
	if (one_in(10) && t->n)
		t->p[any((uint32_t)t->n)] = (char)any(256);
}

enum { SIEVE_SHAPES = 8 };

/** The event of a command line as it is, in one of SIEVE_SHAPES shapes. */
static inline void sieve_make_plain(struct text *t, unsigned shape, const char *line)
{
	static void (*const shapes[])(struct text *, const struct disguise *,
	                              const struct event *) = { put_object, put_winlog, put_pairs,
		                                                put_xml, put_typed };
	const struct disguise plain = { 0 };
	struct event ev = { .n = 0 };

	ev.names[ev.n] = "EventID";
	ev.values[ev.n++] = "\0014688";
	ev.names[ev.n] = "Channel";
	ev.values[ev.n++] = "Security";
	ev.names[ev.n] = "NewProcessName";
	ev.values[ev.n++] = "C:\\Windows\\System32\\cmd.exe";
	ev.names[ev.n] = "CommandLine";
	ev.values[ev.n++] = line;
	t->n = 0;
	shapes[shape % 5](t, &plain, &ev);
	if (shape >= 5)
		wrap(t, &plain);
}

/** The line with the trick of this number at a place of it. @return false: there are no more */
static inline bool sieve_insert(unsigned trick, const char *line, size_t at, char *to, size_t room)
{
	if (trick >= SQ_LEN(tricks))
		return false;
	(void)snprintf(to, room, "%.*s%s%s", (int)at, line, tricks[trick], line + at);
	return true;
}
