#include "daemon/base/metrics.h"

static uint64_t dropped(const struct sq_counters *c)
{
	uint64_t sum = 0;

	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++)
		if (i->kind == SQ_COUNTER_DROP)
			sum += sq_counter_get(c, i);
	return sum;
}

/* A cause without what all of their names begin with. */
static const char *cause(const char *name)
{
	struct sq_sv dropped = SQ_SV("dropped_");

	return sq_sv_starts(sq_sv_of(name), dropped) ? name + dropped.n : name;
}

static void put_causes(struct sq_outbuf *out, const struct sq_counters *c)
{
	const char *before = " (";

	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++) {
		uint64_t v = sq_counter_get(c, i);

		if (i->kind != SQ_COUNTER_DROP || !v)
			continue;
		sq_outbuf_printf(out, "%s%s %llu", before, cause(i->name), (unsigned long long)v);
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

void sqd_metrics_add(struct sqd_metrics *m, const struct sqd_metric *rows, size_t n)
{
	sq_assert(n <= SQ_LEN(m->rows) - m->n);
	for (size_t i = 0; i < n; i++)
		m->rows[m->n++] = rows[i];
}

static uint64_t sum_of(const struct sqd_metrics *m, enum sqd_side side)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->rows[i].side == side)
			sum += m->rows[i].value;
	return sum;
}

int64_t sqd_metrics_missing(const struct sqd_metrics *m)
{
	uint64_t right = 0;

	for (int side = SQD_CAME + 1; side < SQD_SIDES; side++)
		right += sum_of(m, (enum sqd_side)side);
	return (int64_t)(sum_of(m, SQD_CAME) - right);
}

/* The terms of one side that are not zero, or are always told. @return what stands before the next
 */
static const char *put_terms(struct sq_outbuf *out, const struct sqd_metrics *m, enum sqd_side side,
                             const char *before)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct sqd_metric *r = &m->rows[i];

		if (r->side != side || (!r->value && !r->always))
			continue;
		sq_outbuf_printf(out, "%s%s %llu", before, cause(r->name),
		                 (unsigned long long)r->value);
		before = side == SQD_DROPPED ? ", " : " + ";
	}
	return before;
}

void sqd_metrics_account(struct sq_outbuf *out, const struct sqd_metrics *m)
{
	uint64_t drops = sum_of(m, SQD_DROPPED);
	int64_t missing = sqd_metrics_missing(m);
	const char *before = " = ";

	(void)put_terms(out, m, SQD_CAME, "");
	for (int side = SQD_DELIVERED; side < SQD_DROPPED; side++)
		before = put_terms(out, m, (enum sqd_side)side, before);
	sq_outbuf_printf(out, "%sdropped %llu", before, (unsigned long long)drops);
	if (drops) {
		(void)put_terms(out, m, SQD_DROPPED, " (");
		sq_outbuf_putc(out, ')');
	}
	if (missing)
		sq_outbuf_printf(out, ", MISCOUNTED by %lld", (long long)-missing);
}
