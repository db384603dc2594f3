/* Headers of every kind, a record cut short at each byte, and real streams when they are there. */
#include "tests/support/test.h"

#include <sys/stat.h>

#include "lib/wire/frame.h"
#include "lib/wire/gelf.h"
#include "lib/wire/syslog.h"

#define BOM "\xef\xbb\xbf"
#define IN(text)                                                                                   \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

struct row {
	const char *name;
	struct sq_sv in;
	const char *payload, *host, *app, *time; /* NULL: empty */
	int priority;                            /* as in the PRI, 0: none */
	int64_t time_us;
};

/* clang-format off */
static struct row rows[] = {
	{ "a JSON object", IN("{\"a\":1}"), "{\"a\":1}", .priority = -1 },
	{ "broken JSON stays what it is", IN("{a"), "{a", .priority = -1 },
	{ "an array", IN("[ {\"a\":1}]"), "[ {\"a\":1}]", .priority = -1 },
	{ "an event in XML", IN("<Event xmlns='x'/>"), "<Event xmlns='x'/>", .priority = -1 },
	{ "a document in XML", IN("<?xml version='1.0'?><Event/>"), "<?xml version='1.0'?><Event/>",
	  .priority = -1 },
	{ "what a datagram has around it", IN(BOM " \r\n{} \r\n\0\0"), "{}", .priority = -1 },
	{ "nothing", IN(""), .priority = -1 },
	{ "blanks", IN(" \n"), .priority = -1 },
	{ "text", IN("hello"), .priority = -1 },
	{ "text, then JSON", IN("hello {guid} [1] {\"a\":1}"), "{\"a\":1}", .priority = -1 },
	{ "text, then XML", IN("hello <b> <Event/>"), "<Event/>", .priority = -1 },
	{ "the cookie", IN("@cee:{\"a\":1}"), "{\"a\":1}", .priority = -1 },
	{ "the cookie and blanks", IN(" @cee: \t{\"a\":1}"), "{\"a\":1}", .priority = -1 },
	{ "the cookie and broken JSON", IN("@cee: {a"), "{a", .priority = -1 },

	{ "5424", IN("<14>1 2020-07-22T03:27:52.809Z HOST app 12 ID - {\"a\":1}"), "{\"a\":1}", "HOST", "app",
	  "2020-07-22T03:27:52.809Z", 14, 1595388472809000 },
	{ "5424 with an offset", IN("<14>1 2020-07-21T23:27:52.000001-04:00 HOST app - - - {}"), "{}", "HOST",
	  "app", "2020-07-21T23:27:52.000001-04:00", 14, 1595388472000001 },
	{ "5424, everything nil", IN("<0>1 - - - - - - {}"), "{}", .priority = 0 },
	{ "5424 with a BOM", IN("<14>1 - h a - - - " BOM "{}"), "{}", "h", "a", .priority = 14 },
	{ "5424 with a BOM and the cookie", IN("<14>1 - h a - - - " BOM "@cee: {}"), "{}", "h", "a",
	  .priority = 14 },
	{ "5424 with the cookie after a blank", IN("<14>1 - h a - - -  @cee:{}"), "{}", "h", "a", .priority = 14 },
	{ "5424 without a message", IN("<14>1 - h a - - -"), NULL, "h", "a", .priority = 14 },
	{ "5424 with structured data", IN("<14>1 - h a - - [x@1 a=\"b\"] {\"m\":1}"), "{\"m\":1}", "h", "a",
	  .priority = 14 },
	{ "5424, brackets and quotes in it are not searched",
	  IN("<14>1 - h a - - [x@1 a=\"\\\"\\]{\\\"no\\\":1}[{\" b=\"C:\\\\\"][y@1 c=\"{}\"][z] [{\"m\":1}]"),
	  "[{\"m\":1}]", "h", "a", .priority = 14 },
	{ "5424, a backslash before the quote of another value",
	  IN("<14>1 - h a - - [x@1 a=\"]\\\\\" b=\"\\x\"] {}"), "{}", "h", "a", .priority = 14 },
	{ "5424 without blank after it", IN("<14>1 - h a - - [x@1]{\"m\":1}"), "{\"m\":1}", "h", "a",
	  .priority = 14 },
	{ "5424, structured data cut short", IN("<14>1 - h a - - [x@1 a=\"{\"no\":1}"), NULL, "h", "a",
	  .priority = 14 },
	{ "5424, structured data left out", IN("<14>1 - h a - - {\"m\":1}"), "{\"m\":1}", "h", "a", .priority = 14 },
	{ "5424, left out before an array", IN("<14>1 - h a - - [{\"m\":1}]"), "[{\"m\":1}]", "h", "a",
	  .priority = 14 },
	{ "5424 with text before the JSON", IN("<14>1 - h a - - - text: {\"m\":1}"), "{\"m\":1}", "h", "a",
	  .priority = 14 },
	{ "5424, XML", IN("<14>1 - h a - - - <Event/>"), "<Event/>", "h", "a", .priority = 14 },
	{ "5424 with an unlawful PRI", IN("<192>1 - h a - - - {}"), "{}", "h", "a", .priority = -1 },

	{ "3164", IN("<13>Jul 21 23:27:52 HOST app: {\"a\":1}"), "{\"a\":1}", "HOST", "app", "Jul 21 23:27:52", 13 },
	{ "3164 with a pid", IN("<13>Jul 21 23:27:52 HOST Microsoft-Windows-Sysmon[123]: {\"a\":1}"),
	  "{\"a\":1}", "HOST", "Microsoft-Windows-Sysmon", "Jul 21 23:27:52", 13 },
	{ "3164, day padded", IN("<13>Jul  1 23:27:52 HOST app: {}"), "{}", "HOST", "app", "Jul  1 23:27:52", 13 },
	{ "3164, day not padded", IN("<13>Jul 1 23:27:52 HOST app: {}"), "{}", "HOST", "app", "Jul 1 23:27:52", 13 },
	{ "3164, leap day", IN("<13>Feb 29 00:00:00 HOST app: {}"), "{}", "HOST", "app", "Feb 29 00:00:00", 13 },
	{ "3164 with a year", IN("<13>Jul 21 2020 23:27:52: HOST app: {}"), "{}", "HOST", "app",
	  "Jul 21 2020 23:27:52", 13 },
	{ "3164 with an ISO time", IN("<13>2020-07-22T03:27:52Z HOST app[1]: {}"), "{}", "HOST", "app",
	  "2020-07-22T03:27:52Z", 13, 1595388472000000 },
	{ "3164 with an ISO time without zone", IN("<13>2020-07-22T03:27:52 HOST app: {}"), "{}", "HOST", "app",
	  "2020-07-22T03:27:52", 13 },
	{ "3164, no tag", IN("<13>Jul 21 23:27:52 HOST {\"a\":1}"), "{\"a\":1}", "HOST", NULL, "Jul 21 23:27:52", 13 },
	{ "3164, no host", IN("<13>Jul 21 23:27:52 app[1]: {}"), "{}", NULL, "app", "Jul 21 23:27:52", 13 },
	{ "3164, neither", IN("<13>Jul 21 23:27:52 {}"), "{}", NULL, NULL, "Jul 21 23:27:52", 13 },
	{ "3164, tag without colon", IN("<13>Jul 21 23:27:52 HOST app {}"), "{}", "HOST", "app", "Jul 21 23:27:52", 13 },
	{ "3164, message sticks to the tag", IN("<13>Jul 21 23:27:52 HOST app:{\"a\":\" \"}"), "{\"a\":\" \"}", "HOST",
	  "app", "Jul 21 23:27:52", 13 },
	{ "3164, the cookie", IN("<13>Jul 21 23:27:52 HOST app: @cee: {}"), "{}", "HOST", "app", "Jul 21 23:27:52", 13 },
	{ "3164, a BOM", IN("<13>Jul 21 23:27:52 HOST app: " BOM "{}"), "{}", "HOST", "app", "Jul 21 23:27:52", 13 },
	{ "3164, blanks in the tag", IN("<13>Jul 21 23:27:52 HOST Service Control Manager[12]: {}"), "{}", "HOST", NULL,
	  "Jul 21 23:27:52", 13 },
	{ "3164, text only", IN("<13>Jul 21 23:27:52 HOST app: the [1] text"), NULL, "HOST", "app", "Jul 21 23:27:52", 13 },
	{ "no PRI", IN("Jul 21 23:27:52 HOST app: {}"), "{}", "HOST", "app", "Jul 21 23:27:52", -1 },
	{ "no time", IN("<13>HOST app: {}"), "{}", "HOST", "app", .priority = 13 },
	{ "no time, no host", IN("<13>app[1]: {}"), "{}", NULL, "app", .priority = 13 },
	{ "the PRI alone", IN("<13>{}"), "{}", .priority = 13 },
	{ "the PRI and a blank", IN("<13> {}"), "{}", .priority = 13 },
	{ "the PRI and XML", IN("<13><Event/>"), "<Event/>", .priority = 13 },
	{ "not a month", IN("<13>Foo 21 23:27:52 {}"), "{}", .priority = 13 },
	{ "months that are only letters of months", IN("<13>anF 21 23:27:52 {}"), "{}", .priority = 13 },

	{ "PRI 191", IN("<191>{}"), "{}", .priority = 191 },
	{ "PRI 192", IN("<192>{}"), "{}", .priority = -1 },
	{ "PRI that is long", IN("<999999999999>{}"), "{}", .priority = -1 },
	{ "PRI with a leading zero", IN("<013>{}"), "{}", .priority = -1 },
	{ "PRI of two zeros", IN("<00>{}"), "{}", .priority = -1 },
	{ "PRI without number", IN("<>{}"), "{}", .priority = -1 },
	{ "PRI that is negative", IN("<-1>{}"), "{}", .priority = -1 },
	{ "PRI without end", IN("<13"), .priority = -1 },
	{ "a version of zeros", IN("<13>0 - h a - - - {}"), "{}", .priority = 13 },
};
/* clang-format on */

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void check_row(void **state)
{
	const struct row *row = *state;
	char *copy = exact(row->in.p, row->in.n);
	struct sq_syslog s;

	sq_syslog_strip((struct sq_sv){ copy, row->in.n }, &s);
	assert_sv_equal(s.payload, sq_sv_of(or_empty(row->payload)));
	assert_sv_equal(s.host, sq_sv_of(or_empty(row->host)));
	assert_sv_equal(s.app, sq_sv_of(or_empty(row->app)));
	assert_sv_equal(s.time, sq_sv_of(or_empty(row->time)));
	assert_int_equal(s.priority, row->priority);
	assert_int_equal(s.time_us, row->time_us);
	free(copy);
}

static bool inside(struct sq_sv part, struct sq_sv whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* The record may end anywhere: no byte after it is touched, every view lies in it. */
static void check_cut_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		for (size_t n = 0; n < rows[i].in.n; n++) {
			char *copy = exact(rows[i].in.p, n);
			struct sq_sv in = { copy, n };
			struct sq_syslog s;

			sq_syslog_strip(in, &s);
			assert_true(inside(s.payload, in) && inside(s.host, in) &&
			            inside(s.app, in) && inside(s.time, in));
			assert_in_range(s.priority + 1, 0, 192);
			free(copy);
		}
	}
}

/* Brackets and braces by the megabyte take no longer than they should. */
static void check_brackets(void **state)
{
	static const char *const fillers[] = { "[", "{", "[ ", "{ ", "<", "{[", "a:" };
	enum { N = 1000000 };
	char *p = malloc(N + 2);

	(void)state;
	for (size_t k = 0; k < SQ_LEN(fillers); k++) {
		struct sq_syslog s;

		p[0] = 'x';
		for (size_t i = 0; i < N; i++)
			p[1 + i] = fillers[k][i % strlen(fillers[k])];
		p[N + 1] = '.';
		sq_syslog_strip((struct sq_sv){ p, N + 2 }, &s);
		assert_int_equal(s.payload.n, 0);
	}
	free(p);
}

/* The derived streams of the shared data: 20 events each. */
struct stream_row {
	const char *name; /* the file */
	const char *host; /* how it ends */
	const char *app;  /* NULL: "Microsoft-Windows-..." */
	int priority;
};

static struct stream_row streams[] = {
	{ "derived_nxlog_syslog_bsd_crlf.txt.gz", ".mordor.local", NULL, 14 },
	{ "derived_nxlog_syslog_ietf_octet.bin.gz", ".mordor.local", NULL, 14 },
	{ "derived_syslog_ietf_bom_cee_lf.txt.gz", ".mordor.local", NULL, 14 },
	{ "derived_nxlog_gelf_tcp_nul.bin.gz", "", "", -1 },
	{ "derived_ndjson_crlf_utf8bom.txt.gz", "", "", -1 },
	{ "derived_raw_xml_lines.txt.gz", "", "", -1 },
};

enum { STREAM_MAX = 1 << 20 };

/* @return the unpacked file, or nothing when there is none */
static struct sq_sv load_stream(const char *name)
{
	const char *shared = getenv("SQUIBLY_SHARED"), *source = getenv("SQ_SOURCE_DIR");
	const struct sq_gelf_limits limits = { 1, 1, 1 };
	struct sq_sv v = { NULL, 0 };
	struct sq_gelf *g;
	char path[4096], *packed, *to;
	struct stat st;
	FILE *f;

	if (shared)
		(void)snprintf(path, sizeof(path), "%s/corpus/shapes/%s", shared, name);
	else
		(void)snprintf(path, sizeof(path), "%s/../shared/corpus/shapes/%s",
		               source ? source : ".", name);
	f = fopen(path, "rb");
	if (!f)
		return v;
	assert_int_equal(fstat(fileno(f), &st), 0);
	packed = malloc((size_t)st.st_size);
	assert_int_equal(fread(packed, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	g = sq_gelf_new(&limits);
	to = malloc(STREAM_MAX);
	v = (struct sq_sv){ to,
		            (size_t)sq_gelf_inflate(g, (struct sq_sv){ packed, (size_t)st.st_size },
		                                    to, STREAM_MAX) };
	assert_true(v.n <= STREAM_MAX);
	sq_gelf_free(g);
	free(packed);
	return v;
}

static void check_record(const struct stream_row *row, struct sq_sv rec)
{
	struct sq_syslog s;

	sq_syslog_strip(rec, &s);
	if (s.payload.n && s.payload.p[0] == '{')
		assert_int_equal(sq_frame_value_length(s.payload), s.payload.n);
	else
		assert_true(sq_sv_starts(s.payload, SQ_SV("<Event")));
	assert_int_equal(s.priority, row->priority);
	if (row->app)
		assert_sv_equal(s.app, sq_sv_of(row->app));
	else
		assert_true(sq_sv_starts(s.app, SQ_SV("Microsoft-Windows-")));
	assert_true(sq_sv_ends(s.host, sq_sv_of(row->host)));
	assert_int_equal(s.host.n > 0, row->priority >= 0);
	assert_int_equal(s.time.n > 0, row->priority >= 0);
}

static void check_stream(void **state)
{
	const struct stream_row *row = *state;
	struct sq_sv in = load_stream(row->name), left = in;
	struct sq_frame f = sq_frame_of(256 * 1024);
	struct sq_sv rec;
	size_t used;
	unsigned n = 0;
	int r;

	if (!in.p) {
		print_message("skipped: no shared data (set SQUIBLY_SHARED)\n");
		skip();
	}
	while ((r = sq_frame_next(&f, left, true, &used, &rec)) != 0) {
		assert_int_equal(r, 1);
		left = sq_sv_skip(left, used);
		check_record(row, rec);
		n++;
	}
	assert_int_equal(n, 20);
	free((void *)(uintptr_t)in.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_cut_short),
		cmocka_unit_test(check_brackets),
	};

	return RUN_TABLE("syslog", rows, check_row) +
	       RUN_TABLE("syslog/streams", streams, check_stream) +
	       cmocka_run_group_tests_name("syslog", tests, NULL, NULL);
}
