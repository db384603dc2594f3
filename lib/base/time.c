#include "lib/base/time.h"

enum { SECOND_US = 1000000 };

/* http://howardhinnant.github.io/date_algorithms.html, days_from_civil and its inverse. */
int64_t sq_time_days(int year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy =
		(153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

static void civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	*month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

/* `n` digits at the front of `*v` as a number; they are cut off. */
static bool digits(struct sq_sv *v, size_t n, unsigned *ret)
{
	unsigned u = 0;

	if (v->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!sq_is_digit(v->p[i]))
			return false;
		u = u * 10 + (unsigned)(v->p[i] - '0');
	}
	*v = sq_sv_skip(*v, n);
	*ret = u;
	return true;
}

static bool literal(struct sq_sv *v, const char *any)
{
	if (!v->n || !strchr(any, v->p[0]) || !v->p[0])
		return false;
	*v = sq_sv_skip(*v, 1);
	return true;
}

/* ".123456789": up to nine digits, of which six are kept. */
static bool fraction(struct sq_sv *v, unsigned *ret_us)
{
	unsigned us = 0, n = 0;

	for (; v->n && sq_is_digit(v->p[0]); *v = sq_sv_skip(*v, 1), n++) {
		if (n < 6)
			us = us * 10 + (unsigned)(v->p[0] - '0');
	}
	if (n == 0 || n > 9)
		return false;
	for (; n < 6; n++)
		us *= 10;
	*ret_us = us;
	return true;
}

static bool zone(struct sq_sv v, int *ret_minutes)
{
	unsigned h, m;
	bool minus;

	if (sq_sv_eq(v, SQ_SV("Z")) || sq_sv_eq(v, SQ_SV("z"))) {
		*ret_minutes = 0;
		return true;
	}
	if (!v.n || (v.p[0] != '+' && v.p[0] != '-'))
		return false;
	minus = v.p[0] == '-';
	v = sq_sv_skip(v, 1);
	if (!digits(&v, 2, &h))
		return false;
	(void)literal(&v, ":"); /* +0200 and +02:00 are both in use */
	if (!digits(&v, 2, &m) || v.n || h > 23 || m > 59)
		return false;
	*ret_minutes = (int)(h * 60 + m) * (minus ? -1 : 1);
	return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month == 2 && leap ? 29 : days[month - 1];
}

bool sq_time_parse(struct sq_sv v, int64_t *ret_us, bool *ret_zoned)
{
	unsigned year, month, day, hour, minute, second, us = 0;
	int minutes = 0;
	bool zoned = false;

	if (!digits(&v, 4, &year) || !literal(&v, "-") || !digits(&v, 2, &month) ||
	    !literal(&v, "-") || !digits(&v, 2, &day) || !literal(&v, "T t") ||
	    !digits(&v, 2, &hour) || !literal(&v, ":") || !digits(&v, 2, &minute) ||
	    !literal(&v, ":") || !digits(&v, 2, &second))
		return false;
	if (year < 1601 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
	    hour > 23 || minute > 59 || second > 60)
		return false;
	if (literal(&v, ".,") && !fraction(&v, &us))
		return false;
	v = sq_sv_trim(v);
	if (v.n) {
		if (!zone(v, &minutes))
			return false;
		zoned = true;
	}
	*ret_us = ((sq_time_days((int)year, month, day) * 24 + hour) * 60 + minute - minutes) * 60 *
	                  SECOND_US +
	          (int64_t)second * SECOND_US + us;
	if (ret_zoned)
		*ret_zoned = zoned;
	return true;
}

bool sq_time_parse_epoch(struct sq_sv v, int64_t *ret_us)
{
	size_t all = v.n;
	struct sq_sv whole = sq_sv_cut(&v, '.');
	unsigned us = 0;
	int64_t n;

	if (!sq_sv_to_i64(whole, &n) || n < 0)
		return false;
	if (whole.n < all && (!fraction(&v, &us) || v.n))
		return false;
	/* 1e11 seconds is the year 5138 and 1e14 milliseconds the same: no overlap in our times. */
	if (n < 100000000000)
		*ret_us = n * SECOND_US + us;
	else if (n < 100000000000000)
		*ret_us = n * 1000;
	else if (n < 100000000000000000)
		*ret_us = n;
	else
		return false;
	return true;
}

/* `n` digits at the front of `*to`, which moves behind them. */
static void put_digits(char **to, unsigned v, unsigned n)
{
	for (unsigned i = n; i > 0; i--, v /= 10)
		(*to)[i - 1] = (char)('0' + v % 10);
	*to += n;
}

static void put(char **to, char c)
{
	*(*to)++ = c;
}

size_t sq_time_format(int64_t us, char to[SQ_TIME_TEXT])
{
	/* Down, not towards zero: the fraction of a time before 1970 counts up as well. */
	int64_t seconds = us / SECOND_US - (us % SECOND_US < 0);
	int64_t days = seconds / 86400 - (seconds % 86400 < 0);
	unsigned rest = (unsigned)(seconds - days * 86400);
	unsigned frac = (unsigned)((us % SECOND_US + SECOND_US) % SECOND_US);
	unsigned month, day;
	int64_t year;
	char *at = to;

	civil(days, &year, &month, &day);
	put_digits(&at, (unsigned)year % 10000, 4);
	put(&at, '-');
	put_digits(&at, month, 2);
	put(&at, '-');
	put_digits(&at, day, 2);
	put(&at, 'T');
	put_digits(&at, rest / 3600, 2);
	put(&at, ':');
	put_digits(&at, rest / 60 % 60, 2);
	put(&at, ':');
	put_digits(&at, rest % 60, 2);
	put(&at, '.');
	if (frac % 1000)
		put_digits(&at, frac, 6);
	else
		put_digits(&at, frac / 1000, 3);
	put(&at, 'Z');
	*at = '\0';
	return (size_t)(at - to);
}

void sq_time_format_bsd(int64_t us, char to[SQ_TIME_BSD])
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t seconds = us / SECOND_US - (us % SECOND_US < 0);
	int64_t days = seconds / 86400 - (seconds % 86400 < 0);
	unsigned rest = (unsigned)(seconds - days * 86400);
	unsigned month, day;
	int64_t year;
	char *at = to;

	civil(days, &year, &month, &day);
	for (unsigned i = 0; i < 3; i++)
		put(&at, months[(month - 1) * 3 + i]);
	put(&at, ' ');
	put_digits(&at, day, 2);
	if (day < 10)
		at[-2] = ' ';
	put(&at, ' ');
	put_digits(&at, rest / 3600, 2);
	put(&at, ':');
	put_digits(&at, rest / 60 % 60, 2);
	put(&at, ':');
	put_digits(&at, rest % 60, 2);
	*at = '\0';
}
