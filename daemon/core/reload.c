#include "daemon/core/reload.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "lib/host/threads.h"

enum state { RELOAD_IDLE, RELOAD_LOADING, RELOAD_HANDING };

/* One attempt: the thread of `work` has it while it runs. */
struct attempt {
	struct sqd_gear **gears; /* one for each worker */
	struct sq_sieve *sieve;  /* theirs; NULL: every record is read */
	unsigned n;
	struct sqd_rules_info info;
	bool lookups_refused; /* the old ones are used */
	struct sq_diags diags;
	struct sq_err err;
	int result;
};

struct sqd_reload {
	struct sqd_reload_opts opts;
	enum state state;
	bool again, closing;
	atomic_bool stop;           /* closing, for the thread that loads */
	uint64_t generation;        /* of the rules loaded last */
	struct sq_lookups *lookups; /* of the last files that were good */
	struct attempt try;
	struct sq_err why; /* the last one was refused */
	uv_work_t work;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static void move_notes(struct sq_diags *to, const struct sq_diags *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct sq_diag *d = &from->list[i];

		sq_diag_add(to, d->severity, d->file ? d->file : "", d->line, d->col, "%s",
		            d->text ? d->text : "");
	}
}

int sqd_rules_load(const struct sqd_config *cfg, unsigned threads, const atomic_bool *stop,
                   struct sq_ruleset **ret, struct sqd_rules_info *info, struct sq_diags *diags,
                   struct sq_err *err)
{
	const char *shipped = sq_pack_shipped();
	bool own = cfg->rule_paths.n > 0;
	struct sq_ruleset_report report = { 0 };
	struct sq_pack_opts opts = {
		.paths = own ? (const char *const *)cfg->rule_paths.list : &shipped,
		.n_paths = own ? cfg->rule_paths.n : 1,
		.cache = cfg->rule_cache ? cfg->rule_cache : sq_pack_cache(),
		.threads = threads,
		.stop = stop,
	};
	int r = sq_pack_load(&opts, ret, &report, diags, err);

	move_notes(diags, &report.notes);
	sq_diags_fini(&report.notes);
	if (r < 0)
		return r;
	*info = (struct sqd_rules_info){ .rules = sq_ruleset_count(*ret),
		                         .cached = report.cache_used };
	return 0;
}

/* Each finding as one line of the log. */
static void log_diags(const struct sq_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct sq_diag *d = &diags->list[i];
		enum sqd_log_level level =
			d->severity == SQ_DIAG_ERROR ? SQD_LOG_ERROR : SQD_LOG_WARNING;
		const char *file = d->file ? d->file : "";
		const char *text = d->text ? d->text : "(out of memory)";

		if (d->line)
			sqd_log(level, "%s:%u:%u: %s", file, d->line, d->col, text);
		else
			sqd_log(level, "%s: %s", file, text);
	}
}

static void attempt_fini(struct attempt *t)
{
	for (unsigned i = 0; t->gears && i < t->n; i++)
		sqd_gear_free(t->gears[i]);
	free(t->gears);
	sq_sieve_unref(t->sieve);
	sq_diags_fini(&t->diags);
	*t = (struct attempt){ 0 };
}

/* At the start they must be good; later, what cannot be read leaves the old ones in force. While a
 * load goes on nobody else looks at r->lookups. */
static int load_lookups(struct sqd_reload *r, struct attempt *t)
{
	struct sq_lookups *l = NULL;
	int e = sqd_lookups_load(r->opts.cfg, &l, &t->diags);

	if (e < 0 && !r->lookups)
		return t->diags.errors ? sq_diags_to_err(&t->diags, &t->err)
		                       : sq_err_set(&t->err, e, "lookups: %s", sq_strerror(e));
	t->lookups_refused = e < 0;
	if (!e) {
		sq_lookups_unref(r->lookups);
		r->lookups = l;
	}
	return 0;
}

/* Everything that takes time or can fail. */
static int attempt_run(struct sqd_reload *r, struct attempt *t, unsigned threads)
{
	struct sq_pipeline_opts opts = r->opts.pipeline;
	struct sq_ruleset *rs = NULL;
	int e = sqd_rules_load(r->opts.cfg, threads, &r->stop, &rs, &t->info, &t->diags, &t->err);

	if (!e)
		e = load_lookups(r, t);
	if (e < 0) {
		sq_ruleset_unref(rs);
		return e;
	}
	opts.lookups = r->lookups;
	t->info.generation = r->generation;
	t->gears = calloc(t->n, sizeof(struct sqd_gear *));
	if (!opts.validate_all) {
		opts.sieve = sq_sieve_new(rs, r->generation);
		e = opts.sieve ? 0 : -ENOMEM;
	}
	for (unsigned i = 0; t->gears && !e && i < t->n; i++) {
		opts.check.stream = r->generation << 16 | i; /* each checks others */
		t->gears[i] = sqd_gear_new(sq_pipeline_new(rs, &opts), r->generation);
		if (!t->gears[i])
			e = -ENOMEM;
	}
	t->sieve = opts.sieve;
	sq_ruleset_unref(rs);
	if (!t->gears || e < 0)
		return sq_err_set(&t->err, -ENOMEM, "rules: out of memory");
	return 0;
}

static void begin(struct sqd_reload *r)
{
	r->generation++;
	r->try = (struct attempt){ .n = sqd_workers_count(r->opts.workers) };
}

static void offer(struct sqd_reload *r)
{
	sqd_sievebox_put(r->opts.sieves, r->try.sieve);
	for (unsigned i = 0; i < r->try.n; i++) {
		sqd_workers_offer(r->opts.workers, i, r->try.gears[i]);
		r->try.gears[i] = NULL;
	}
}

static void next_attempt(struct sqd_reload *r);

static void finish(struct sqd_reload *r, int result)
{
	struct sqd_rules_info info = r->try.info;

	attempt_fini(&r->try);
	r->state = RELOAD_IDLE;
	r->opts.done(r->opts.ctx, result, &info);
	if (r->again)
		next_attempt(r);
}

static void on_work(uv_work_t *work)
{
	struct sqd_reload *r = work->data;

	/* On one thread: the others are for events meanwhile, and nobody waits for new rules. */
	r->try.result = attempt_run(r, &r->try, 1);
}

static void reload_end(struct sqd_reload *r)
{
	void (*closed)(void *) = r->closed;
	void *ctx = r->closed_ctx;

	attempt_fini(&r->try);
	sq_lookups_unref(r->lookups);
	free(r);
	closed(ctx);
}

static void on_worked(uv_work_t *work, int status)
{
	struct sqd_reload *r = work->data;

	if (r->closing) {
		reload_end(r);
		return;
	}
	log_diags(&r->try.diags);
	if (r->try.lookups_refused) {
		r->opts.totals->lookups_refused++;
		sqd_log(SQD_LOG_ERROR, "new lookup tables refused, the old ones stay");
	}
	if (status < 0 || r->try.result < 0) {
		r->opts.totals->reloads_failed++;
		r->why = r->try.err;
		if (!r->why.text[0])
			sq_err_set(&r->why, r->try.result, "%s", sq_strerror(r->try.result));
		sqd_log(SQD_LOG_ERROR, "new rules refused, the old ones stay: %s", r->why.text);
		finish(r, -EINVAL);
		return;
	}
	r->state = RELOAD_HANDING;
	offer(r);
	sqd_reload_taken_up(r);
}

static void next_attempt(struct sqd_reload *r)
{
	int e;

	r->again = false;
	r->state = RELOAD_LOADING;
	begin(r);
	r->work.data = r;
	e = uv_queue_work(r->opts.loop, &r->work, on_work, on_worked);
	sq_assert(e == 0);
}

void sqd_reload_request(struct sqd_reload *r)
{
	if (r->closing)
		return;
	if (r->state == RELOAD_IDLE)
		next_attempt(r);
	else
		r->again = true;
}

const char *sqd_reload_why(const struct sqd_reload *r)
{
	return r->why.text;
}

void sqd_reload_taken_up(struct sqd_reload *r)
{
	if (r->state != RELOAD_HANDING || r->closing ||
	    sqd_workers_generation(r->opts.workers) != r->generation)
		return;
	r->opts.totals->reloads++;
	finish(r, 0);
}

int sqd_reload_first(struct sqd_reload *r, struct sqd_rules_info *info, struct sq_err *err)
{
	int e;

	begin(r);
	e = attempt_run(r, &r->try, sq_threads_cpus());
	log_diags(&r->try.diags);
	if (e < 0) {
		if (err)
			*err = r->try.err;
	} else {
		*info = r->try.info;
		offer(r);
	}
	attempt_fini(&r->try);
	return e;
}

struct sqd_reload *sqd_reload_new(const struct sqd_reload_opts *opts)
{
	struct sqd_reload *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->opts = *opts;
	atomic_init(&r->stop, false);
	return r;
}

void sqd_reload_close(struct sqd_reload *r, void (*closed)(void *ctx), void *ctx)
{
	r->closing = true;
	atomic_store_explicit(&r->stop, true, memory_order_relaxed);
	r->closed = closed;
	r->closed_ctx = ctx;
	if (r->state == RELOAD_LOADING)
		(void)uv_cancel((uv_req_t *)&r->work); /* else it is waited for, to the end of the
		                                          database it compiles */
	else
		reload_end(r); /* workers took, or free, what they were offered */
}
