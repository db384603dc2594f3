#include "tests/support/test.h"

#include <time.h>

#include "lib/base/time.h"

#define US 1000000

struct parse_row {
	const char *name;
	bool ok;
	int64_t us;
	bool zoned;
};

/* clang-format off */
static struct parse_row dates[] = {
	{ "1970-01-01T00:00:00Z", true, 0, true },
	{ "1969-12-31T23:59:59.999999Z", true, -1, true },
	{ "2020-07-22T03:27:52.809Z", true, 1595388472809000, true },
	{ "2020-07-22 03:27:52.809", true, 1595388472809000, false },
	{ "2020-07-22t03:27:52,809z", true, 1595388472809000, true },
	{ "2020-07-22T03:27:52", true, 1595388472000000, false },
	{ "2020-07-22T03:27:52.8", true, 1595388472800000, false },
	{ "2020-07-22T03:27:52.809123456Z", true, 1595388472809123, true },
	{ "2020-07-22T05:27:52+02:00", true, 1595388472000000, true },
	{ "2020-07-22T05:27:52+0200", true, 1595388472000000, true },
	{ "2020-07-21 23:27:52 -0400", true, 1595388472000000, true },
	{ "2020-07-22T08:57:52.000001+05:30", true, 1595388472000001, true },
	{ "2020-02-29T00:00:00Z", true, 1582934400000000, true },
	{ "2000-02-29T00:00:00Z", true, 951782400000000, true },
	{ "2016-12-31T23:59:60Z", true, 1483228800000000, true },
	{ "1601-01-01T00:00:00Z", true, -11644473600000000, true },
	{ "9999-12-31T23:59:59Z", true, 253402300799000000, true },
	{ "1600-12-31T23:59:59Z", false, 0, false },
	{ "2019-02-29T00:00:00Z", false, 0, false },
	{ "1900-02-29T00:00:00Z", false, 0, false },
	{ "2020-04-31T00:00:00Z", false, 0, false },
	{ "2020-00-01T00:00:00Z", false, 0, false },
	{ "2020-13-01T00:00:00Z", false, 0, false },
	{ "2020-01-00T00:00:00Z", false, 0, false },
	{ "2020-01-01T24:00:00Z", false, 0, false },
	{ "2020-01-01T00:60:00Z", false, 0, false },
	{ "2020-01-01T00:00:61Z", false, 0, false },
	{ "2020-01-01T00:00:00.Z", false, 0, false },
	{ "2020-01-01T00:00:00.1234567890Z", false, 0, false },
	{ "2020-01-01T00:00:00+24:00", false, 0, false },
	{ "2020-01-01T00:00:00+02:60", false, 0, false },
	{ "2020-01-01T00:00:00+02", false, 0, false },
	{ "2020-01-01T00:00:00ZZ", false, 0, false },
	{ "2020-01-01T00:00:00 x", false, 0, false },
	{ "2020-01-01", false, 0, false },
	{ "2020-1-01T00:00:00Z", false, 0, false },
	{ "20200101T000000Z", false, 0, false },
	{ "+020-01-01T00:00:00Z", false, 0, false },
	{ "Jul 22 03:27:52", false, 0, false },
	{ "", false, 0, false },
};

static struct parse_row epochs[] = {
	{ "0", true, 0, false },
	{ "1595388472", true, 1595388472000000, false },
	{ "1595388472.809", true, 1595388472809000, false },
	{ "1595388472.809123456", true, 1595388472809123, false },
	{ "1595388472809", true, 1595388472809000, false },
	{ "1595388472809.5", true, 1595388472809000, false },
	{ "1595388472809123", true, 1595388472809123, false },
	{ "99999999999", true, 99999999999 * US, false },
	{ "100000000000", true, 100000000000 * 1000, false },
	{ "100000000000000000", false, 0, false },
	{ "99999999999999999999", false, 0, false },
	{ "-1", false, 0, false },
	{ "1.", false, 0, false },
	{ "1.x", false, 0, false },
	{ "1.5.5", false, 0, false },
	{ ".5", false, 0, false },
	{ "1e9", false, 0, false },
	{ "", false, 0, false },
};
/* clang-format on */

static void check_date(void **state)
{
	const struct parse_row *row = *state;
	struct sq_sv v = { exact(row->name, strlen(row->name)), strlen(row->name) };
	int64_t us = 42;
	bool zoned = !row->zoned;

	assert_int_equal(sq_time_parse(v, &us, &zoned), row->ok);
	assert_int_equal(us, row->ok ? row->us : 42);
	assert_int_equal(zoned, row->ok ? row->zoned : !row->zoned);
	assert_int_equal(sq_time_parse(v, &us, NULL), row->ok);
	free((void *)(uintptr_t)v.p);
}

static void check_epoch(void **state)
{
	const struct parse_row *row = *state;
	struct sq_sv v = { exact(row->name, strlen(row->name)), strlen(row->name) };
	int64_t us = 42;

	assert_int_equal(sq_time_parse_epoch(v, &us), row->ok);
	assert_int_equal(us, row->ok ? row->us : 42);
	free((void *)(uintptr_t)v.p);
}

struct format_row {
	const char *name;
	int64_t us;
};

static struct format_row formats[] = {
	{ "1970-01-01T00:00:00.000Z", 0 },
	{ "1969-12-31T23:59:59.999999Z", -1 },
	{ "1969-12-31T23:59:59.000Z", -US },
	{ "1969-12-31T00:00:00.000Z", -(int64_t)86400 * US },
	{ "2020-07-22T03:27:52.809Z", 1595388472809000 },
	{ "2020-07-22T03:27:52.809001Z", 1595388472809001 },
	{ "2020-02-29T23:59:59.001Z", 1583020799001000 },
	{ "9999-12-31T23:59:59.999Z", 253402300799999000 },
};

static void check_format(void **state)
{
	const struct format_row *row = *state;
	char text[SQ_TIME_TEXT];
	int64_t us;

	assert_int_equal(sq_time_format(row->us, text), strlen(row->name));
	assert_string_equal(text, row->name);
	assert_true(sq_time_parse(sq_sv_of(text), &us, NULL));
	assert_int_equal(us, row->us);
}

static void extremes_are_written_somehow(void **state)
{
	static const int64_t extremes[] = { INT64_MIN, INT64_MIN + 1, INT64_MAX };
	char text[SQ_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < SQ_LEN(extremes); i++) {
		size_t n = sq_time_format(extremes[i], text);

		assert_int_equal(n, strlen(text));
		assert_int_equal(text[n - 1], 'Z');
	}
}

static void every_day_of_eight_centuries(void **state)
{
	(void)state;
	for (int64_t day = sq_time_days(1601, 1, 1); day < sq_time_days(2401, 1, 1); day++) {
		time_t seconds = day * 86400 + 43200;
		char text[SQ_TIME_TEXT], want[64];
		struct tm tm;

		gmtime_r(&seconds, &tm);
		assert_int_equal(sq_time_days(tm.tm_year + 1900, (unsigned)tm.tm_mon + 1,
		                              (unsigned)tm.tm_mday),
		                 day);
		(void)strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		sq_time_format(seconds * US, text);
		assert_string_equal(text, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extremes_are_written_somehow),
		cmocka_unit_test(every_day_of_eight_centuries),
	};

	return RUN_TABLE("time/dates", dates, check_date) +
	       RUN_TABLE("time/epochs", epochs, check_epoch) +
	       RUN_TABLE("time/formats", formats, check_format) +
	       cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
