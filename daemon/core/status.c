#include "daemon/core/status.h"

#include <unistd.h>

#include "daemon/base/loop.h"
#include "daemon/core/accounts.h"
#include "daemon/core/status_outputs.h"
#include "daemon/core/status_text.h"

enum { TEXT_MAX_BYTES = 3 * 1024 * 1024 };

/* ---- for programs ------------------------------------------------------------------------ */

static void put_date(struct sq_jsonw *w, const char *key, int64_t wall_us)
{
	char text[SQ_TIME_TEXT];

	if (wall_us)
		sq_jsonw_member(w, key, (struct sq_sv){ text, sq_time_format(wall_us, text) });
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
			sq_jsonw_member_count(w, m->rows[i].name, m->rows[i].value);
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
	sq_jsonw_member_count(w, "rules", d->rules.rules);
	sq_jsonw_member_count(w, "generation", d->rules.generation);
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
		sq_jsonw_member(w, "tenant", d->inputs[i].in->tenant);
		if (d->inputs[i].in->allowance) {
			sq_jsonw_member_count(w, "max_rate", d->inputs[i].in->allowance->rate);
			put_flag(w, "holds_back", sqd_daemon_holds_back(d, i));
		}
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
		sq_jsonw_member_count(w, i->name, sq_counter_get(&sum, i));
	sq_jsonw_end_object(w);
}

static void put_document(const struct sqd_daemon *d, bool complete, struct sq_outbuf *out)
{
	struct sq_jsonw w = sq_jsonw_of(out);
	struct sq_now now = sqd_now();

	sq_jsonw_object(&w);
	put_flag(&w, "holds", complete && sqd_accounts_hold(d)); /* first: see control.h */
	put_flag(&w, "complete", complete);
	sq_jsonw_member(&w, "version", SQ_SV(SQD_VERSION));
	sq_jsonw_member_count(&w, "pid", (uint64_t)getpid());
	put_date(&w, "time", now.wall_us);
	sq_jsonw_member_count(&w, "uptime_ms", (now.mono_ns - d->began.mono_ns) / 1000000);
	sq_jsonw_member(&w, "phase", sq_sv_of(sqd_daemon_phase(d)));
	put_rules(&w, d);
	sq_jsonw_key(&w, "accounts");
	sq_jsonw_array(&w);
	for (size_t i = 0; i < sqd_accounts(d); i++) {
		struct sqd_account a;

		sqd_account(d, i, &a);
		put_account(&w, &a);
	}
	sq_jsonw_end_array(&w);
	sqd_status_outputs_json(d, &w);
	put_inputs(&w, d);
	sq_jsonw_member_count(&w, "unanswered", sqd_daemon_unanswered(d));
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
		if (!complete || !sqd_accounts_hold(d))
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
