#include "daemon/core/status.h"

#include <unistd.h>

#include "daemon/base/loop.h"
#include "lib/text/jsonw.h"

enum { TEXT_MAX_BYTES = 3 * 1024 * 1024 };

/* ---- accounts ---------------------------------------------------------------------------- */

/* What is not accounted for yet is on its way, as long as there is a batch that it may be in. When
 * there is none, it has no place, and that is what the account then says. */
static uint64_t on_their_way(const struct sqd_daemon *d, const struct sq_counters *sum)
{
	uint64_t accounted = sq_counters_accounted(sum);

	if (accounted >= sum->received || !sqd_daemon_under_way(d))
		return 0;
	return sum->received - accounted;
}

static void records_account(const struct sqd_daemon *d, struct sqd_metrics *m)
{
	struct sq_counters sum = sqd_daemon_counts(d);
	const struct sqd_metric way = { "on_their_way", on_their_way(d, &sum),
		                        "Records that were read and are not looked at yet", true,
		                        SQD_WAITING };

	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++) {
		struct sqd_metric row = { i->name, sq_counter_get(&sum, i), i->help };

		if (i->offset == offsetof(struct sq_counters, received))
			row.side = SQD_CAME;
		else if (i->kind == SQ_COUNTER_TERM)
			row.side = SQD_DELIVERED;
		else if (i->kind == SQ_COUNTER_DROP)
			row.side = SQD_DROPPED;
		else
			continue;
		row.always = row.side != SQD_DROPPED;
		sqd_metrics_add(m, &row, 1);
	}
	sqd_metrics_add(m, &way, 1);
}

/* Alerts are counted by who makes them, and once more by who gives them to the outputs. */
static void alerts_account(const struct sqd_daemon *d, struct sqd_metrics *m)
{
	struct sq_counters sum = sqd_daemon_counts(d);
	uint64_t given = d->answering ? d->asked_raised : sqd_router_raised(d->router);
	bool way = sum.alerts > given && sqd_daemon_under_way(d);
	const struct sqd_metric rows[] = {
		{ "alerts", sum.alerts, "Alerts made: one for each rule and event", true,
		  SQD_CAME },
		{ "at_the_outputs", given, "Alerts raised at every output; see below", true,
		  SQD_DELIVERED },
		{ "on_their_way", way ? sum.alerts - given : 0,
		  "Alerts whose batch has not been handed over yet", true, SQD_WAITING },
	};

	sqd_metrics_add(m, rows, SQ_LEN(rows));
}

enum { RECORDS, ALERTS };

size_t sqd_status_accounts(const struct sqd_daemon *d)
{
	return SQD_STATUS_OUTPUTS + d->n_queues;
}

void sqd_status_account(const struct sqd_daemon *d, size_t i, struct sqd_account *ret)
{
	*ret = (struct sqd_account){ 0 };
	if (i == RECORDS) {
		(void)snprintf(ret->name, sizeof(ret->name), "records");
		records_account(d, &ret->m);
	} else if (i == ALERTS) {
		(void)snprintf(ret->name, sizeof(ret->name), "alerts");
		alerts_account(d, &ret->m);
	} else {
		sqd_daemon_output_title(d, i - SQD_STATUS_OUTPUTS, ret->name, sizeof(ret->name));
		sqd_daemon_output_metrics(d, i - SQD_STATUS_OUTPUTS, &ret->m);
	}
}

bool sqd_status_holds(const struct sqd_daemon *d)
{
	for (size_t i = 0; i < sqd_status_accounts(d); i++) {
		struct sqd_account a;

		sqd_status_account(d, i, &a);
		if (sqd_metrics_missing(&a.m))
			return false;
	}
	return true;
}

/* ---- for programs ------------------------------------------------------------------------ */

static void put_date(struct sq_jsonw *w, const char *key, int64_t wall_us)
{
	char text[SQ_TIME_TEXT];

	if (wall_us)
		sq_jsonw_member(w, key, (struct sq_sv){ text, sq_time_format(wall_us, text) });
}

static void put_number(struct sq_jsonw *w, const char *key, uint64_t v)
{
	sq_jsonw_key(w, key);
	sq_jsonw_int(w, (int64_t)v);
}

static void put_flag(struct sq_jsonw *w, const char *key, bool v)
{
	sq_jsonw_key(w, key);
	sq_jsonw_bool(w, v);
}

/* Rows by their side: "came":{"raised":3},"dropped":{"dropped_full":1}. */
static void put_sides(struct sq_jsonw *w, const struct sqd_metrics *m)
{
	static const char *const names[SQD_SIDES] = { "aside",   "came",   "delivered",
		                                      "waiting", "spared", "dropped" };

	for (int side = SQD_CAME; side <= SQD_SIDES; side++) {
		int s = side % SQD_SIDES; /* what is aside comes last */
		bool any = false;

		for (size_t i = 0; i < m->n; i++) {
			if ((int)m->rows[i].side != s)
				continue;
			if (!any) {
				sq_jsonw_key(w, names[s]);
				sq_jsonw_object(w);
			}
			any = true;
			put_number(w, m->rows[i].name, m->rows[i].value);
		}
		if (any)
			sq_jsonw_end_object(w);
	}
}

static void put_account(struct sq_jsonw *w, const struct sqd_account *a)
{
	int64_t missing = sqd_metrics_missing(&a->m);

	sq_jsonw_object(w);
	sq_jsonw_member(w, "name", sq_sv_of(a->name));
	put_flag(w, "holds", !missing);
	sq_jsonw_key(w, "missing");
	sq_jsonw_int(w, missing);
	put_sides(w, &a->m);
	sq_jsonw_end_object(w);
}

static void put_rules(struct sq_jsonw *w, const struct sqd_daemon *d)
{
	sq_jsonw_key(w, "rules");
	sq_jsonw_object(w);
	put_number(w, "rules", d->rules.rules);
	put_number(w, "generation", d->rules.generation);
	put_flag(w, "cached", d->rules.cached);
	put_date(w, "loaded", d->rules_at);
	put_date(w, "refused", d->refused_at);
	sq_jsonw_member(w, "refused_because", sq_sv_of(d->refused_why));
	sq_jsonw_end_object(w);
}

static void put_inputs(struct sq_jsonw *w, const struct sqd_daemon *d)
{
	sq_jsonw_key(w, "inputs");
	sq_jsonw_array(w);
	for (size_t i = 0; i < d->n_inputs; i++) {
		struct sqd_metrics m;

		sqd_daemon_input_metrics(d, i, &m);
		sq_jsonw_object(w);
		sq_jsonw_member(w, "name", sq_sv_of(d->inputs[i].in->name));
		put_sides(w, &m);
		sq_jsonw_end_object(w);
	}
	sq_jsonw_end_array(w);
}

static void put_counters(struct sq_jsonw *w, const struct sqd_daemon *d)
{
	struct sq_counters sum = sqd_daemon_counts(d);

	sq_jsonw_key(w, "counters");
	sq_jsonw_object(w);
	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++)
		put_number(w, i->name, sq_counter_get(&sum, i));
	sq_jsonw_end_object(w);
}

static void put_document(const struct sqd_daemon *d, bool complete, struct sq_outbuf *out)
{
	struct sq_jsonw w = sq_jsonw_of(out);
	struct sq_now now = sqd_now();

	sq_jsonw_object(&w);
	put_flag(&w, "holds", complete && sqd_status_holds(d)); /* first: see control.h */
	put_flag(&w, "complete", complete);
	sq_jsonw_member(&w, "version", SQ_SV(SQD_VERSION));
	put_number(&w, "pid", (uint64_t)getpid());
	put_date(&w, "time", now.wall_us);
	put_number(&w, "uptime_ms", (now.mono_ns - d->began.mono_ns) / 1000000);
	sq_jsonw_member(&w, "phase", sq_sv_of(sqd_daemon_phase(d)));
	put_rules(&w, d);
	sq_jsonw_key(&w, "accounts");
	sq_jsonw_array(&w);
	for (size_t i = 0; i < sqd_status_accounts(d); i++) {
		struct sqd_account a;

		sqd_status_account(d, i, &a);
		put_account(&w, &a);
	}
	sq_jsonw_end_array(&w);
	sqd_status_outputs_json(d, &w);
	put_inputs(&w, d);
	put_number(&w, "unanswered", sqd_daemon_unanswered(d));
	put_counters(&w, d);
	sq_jsonw_end_object(&w);
	sq_outbuf_putc(out, '\n');
}

/* ---- what is asked ----------------------------------------------------------------------- */

/* The line in front of a text, and the text. */
static void put_text(struct sq_outbuf *out, const char *verdict, const struct sq_outbuf *text)
{
	sq_outbuf_printf(out, "%s %zu\n", verdict, text->len);
	sq_outbuf_put(out, sq_outbuf_view(text));
	out->failed |= text->failed;
}

void sqd_status_answer(struct sqd_daemon *d, enum sqd_request what, bool complete,
                       struct sq_outbuf *out)
{
	struct sq_outbuf text = sq_outbuf_of(TEXT_MAX_BYTES);
	const char *verdict = "ok";

	switch (what) {
	case SQD_REQUEST_STATUS:
		put_document(d, complete, out);
		return;
	case SQD_REQUEST_REPORT:
		if (!complete || !sqd_status_holds(d))
			verdict = "broken";
		sqd_status_report(d, complete, &text);
		break;
	case SQD_REQUEST_RULES:
		sqd_status_rules(d, &text);
		break;
	case SQD_REQUEST_RELOAD:
		if (!sqd_daemon_reload(d))
			verdict = "error";
		sq_outbuf_printf(&text, "%s\n",
		                 verdict[0] == 'o' ? "loading the rules anew"
		                                   : "not now: squiblyd is stopping");
		break;
	case SQD_REQUEST_UNKNOWN:
		verdict = "error";
		sq_outbuf_put(&text, SQ_SV("unknown request; there are status, report, rules and "
		                           "reload\n"));
		break;
	}
	put_text(out, verdict, &text);
	sq_outbuf_fini(&text);
}
