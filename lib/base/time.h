/* Dates as data: text to microseconds since 1970-01-01 UTC and back.
 *
 * Pure: nothing here asks the clock. Whoever runs an event says what time it is (struct sq_now).
 */
#pragma once

#include "lib/base/sv.h"

struct sq_now {
	uint64_t mono_ns; /* for intervals */
	int64_t wall_us;  /* for dates: microseconds since 1970, UTC */
	int32_t east_s;   /* local time is so many seconds ahead of UTC; for dates without a zone */
};

enum { SQ_TIME_TEXT = 28 }; /* "2020-07-22T03:27:52.809000Z" and its end */

/**
 * Read a date as the producers of formats write it: "2020-07-22T03:27:52.809Z", up to nine
 * fraction digits, 'T' or a blank, "Z", "+02:00", "+0200", " -0400" or nothing. Without a zone the
 * time is taken as UTC and `*ret_zoned` (may be NULL) is false. A year is 1601 to 9999.
 *
 * @return false when `v` is not such a date; nothing is written
 */
bool sq_time_parse(struct sq_sv v, int64_t *ret_us, bool *ret_zoned);

/** An epoch number as text: seconds (with fraction), milliseconds or microseconds, told apart by
 *  their size. @return false when it is none */
bool sq_time_parse_epoch(struct sq_sv v, int64_t *ret_us);

/** ISO 8601 with `Z` and three fraction digits (six when they say more). Terminated. */
size_t sq_time_format(int64_t us, char to[SQ_TIME_TEXT]);

enum { SQ_TIME_BSD = 16 }; /* "Jul  2 03:27:52" and its end */

/** As RFC 3164 has it, without year or zone. Terminated. */
void sq_time_format_bsd(int64_t us, char to[SQ_TIME_BSD]);

/** Days since 1970-01-01 of a civil date (proleptic Gregorian; Howard Hinnant's algorithm). */
int64_t sq_time_days(int year, unsigned month, unsigned day);
