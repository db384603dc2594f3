#include "daemon/core/human.h"

#include "lib/base/time.h"

void sqd_put_span(struct sq_outbuf *out, uint64_t ms)
{
	unsigned long long s = ms / 1000, days = s / 86400;

	if (days)
		sq_outbuf_printf(out, "%llu day%s ", days, days == 1 ? "" : "s");
	sq_outbuf_printf(out, "%02llu:%02llu:%02llu", s / 3600 % 24, s / 60 % 60, s % 60);
}

void sqd_put_date(struct sq_outbuf *out, int64_t wall_us)
{
	char text[SQ_TIME_TEXT];

	(void)sq_time_format(wall_us, text);
	text[10] = ' ';
	sq_outbuf_printf(out, "%.19s UTC", text);
}

void sqd_put_bytes(struct sq_outbuf *out, uint64_t n)
{
	static const char units[] = "KMGT";
	double v = (double)n / 1024;
	size_t u = 0;

	if (n < 1024) {
		sq_outbuf_printf(out, "%u bytes", (unsigned)n);
		return;
	}
	for (; v >= 1024 && u + 1 < sizeof(units) - 1; u++)
		v /= 1024;
	sq_outbuf_printf(out, "%.1f %ciB", v, units[u]);
}
