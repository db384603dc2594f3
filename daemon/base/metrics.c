#include "daemon/base/metrics.h"

static uint64_t dropped(const struct sq_counters *c)
{
	uint64_t sum = 0;

	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++)
		if (i->kind == SQ_COUNTER_DROP)
			sum += sq_counter_get(c, i);
	return sum;
}

static void put_causes(struct sq_outbuf *out, const struct sq_counters *c)
{
	const char *before = " (";

	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++) {
		uint64_t v = sq_counter_get(c, i);
		const char *name = i->name;

		if (i->kind != SQ_COUNTER_DROP || !v)
			continue;
		if (sq_sv_starts(sq_sv_of(name), SQ_SV("dropped_")))
			name += strlen("dropped_");
		sq_outbuf_printf(out, "%s%s %llu", before, name, (unsigned long long)v);
		before = ", ";
	}
	sq_outbuf_putc(out, ')');
}

void sqd_metrics_equation(struct sq_outbuf *out, const struct sq_counters *c)
{
	uint64_t accounted = sq_counters_accounted(c), drops = dropped(c);
	const char *sign = " = ";

	sq_outbuf_printf(out, "received %llu", (unsigned long long)c->received);
	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++) {
		if (i->kind != SQ_COUNTER_TERM)
			continue;
		sq_outbuf_printf(out, "%s%s %llu", sign, i->name,
		                 (unsigned long long)sq_counter_get(c, i));
		sign = " + ";
	}
	sq_outbuf_printf(out, " + dropped %llu", (unsigned long long)drops);
	if (drops)
		put_causes(out, c);
	if (c->received > accounted)
		sq_outbuf_printf(out, ", in flight %llu",
		                 (unsigned long long)(c->received - accounted));
	else if (c->received < accounted) /* our own mistake; a person must see it */
		sq_outbuf_printf(out, ", MISCOUNTED by %llu",
		                 (unsigned long long)(accounted - c->received));
}

static void put_row(struct sq_outbuf *out, const char *name, uint64_t value, const char *help)
{
	sq_outbuf_printf(out, "  %-20s %14llu  %s\n", name, (unsigned long long)value, help);
}

void sqd_metrics_totals(struct sq_outbuf *out, const struct sq_counters *c, bool all)
{
	sqd_metrics_equation(out, c);
	sq_outbuf_putc(out, '\n');
	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++) {
		uint64_t v = sq_counter_get(c, i);

		if (v || all || i->kind == SQ_COUNTER_TERM || i->offset == 0)
			put_row(out, i->name, v, i->help);
	}
}

void sqd_metrics_table(struct sq_outbuf *out, const char *title, const struct sqd_metric *rows,
                       size_t n)
{
	sq_outbuf_printf(out, "%s\n", title);
	for (size_t i = 0; i < n; i++)
		if (rows[i].value || rows[i].always)
			put_row(out, rows[i].name, rows[i].value, rows[i].help);
}
