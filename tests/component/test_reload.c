#include <sys/stat.h>

#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/core/reload.h"
#include "tests/support/rules.h"

struct fixture {
	uv_loop_t loop;
	uv_async_t wake;
	struct sqd_workers *workers;
	struct sqd_sievebox sieves;
	uint64_t sieves_seen;
	struct sqd_reload *reload;
	struct sqd_config cfg;
	struct sq_counters totals;
	struct sqd_rules_info info;
	char folder[64], rule[96];
	char *paths[1];
	unsigned done;
	int result;
	bool closed;
};

static void on_wake(uv_async_t *h)
{
	struct fixture *f = h->data;

	if (f->reload)
		sqd_reload_taken_up(f->reload);
}

static void wake(void *ctx)
{
	uv_async_send(&((struct fixture *)ctx)->wake);
}

static void on_done(void *ctx, int result, const struct sqd_rules_info *info)
{
	struct fixture *f = ctx;

	f->done++;
	f->result = result;
	if (!result)
		f->info = *info;
}

static void setup(struct fixture *f)
{
	struct sqd_reload_opts opts = { .loop = &f->loop,
		                        .cfg = &f->cfg,
		                        .totals = &f->totals,
		                        .pipeline = { .observer = { .version = "test" } },
		                        .done = on_done,
		                        .ctx = f };
	struct sq_err err = { 0 };

	*f = (struct fixture){ .folder = "/tmp/squibly-reload-XXXXXX" };
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->rule, sizeof(f->rule), "%s/one.yml", f->folder);
	write_rule(f->rule, "evil");
	f->paths[0] = f->folder;
	f->cfg.rule_paths = (struct sq_opt_strs){ .list = f->paths, .n = 1 };
	f->cfg.rule_cache = (char[]){ "" };
	sqd_log_set_level(SQD_LOG_ERROR - 1); /* what is refused here is meant to be */
	assert_int_equal(uv_loop_init(&f->loop), 0);
	assert_int_equal(uv_async_init(&f->loop, &f->wake, on_wake), 0);
	f->wake.data = f;
	f->workers = sqd_workers_start(3, wake, f, &err);
	assert_non_null(f->workers);
	opts.workers = f->workers;
	sqd_sievebox_init(&f->sieves);
	opts.sieves = &f->sieves;
	f->reload = sqd_reload_new(&opts);
	assert_int_equal(sqd_reload_first(f->reload, &f->info, &err), 0);
	assert_int_equal(f->info.rules, 1);
}

static void on_closed(void *ctx)
{
	struct fixture *f = ctx;

	f->reload = NULL;
	f->closed = true;
	uv_close((uv_handle_t *)&f->wake, NULL);
}

static void teardown(struct fixture *f)
{
	sqd_workers_stop(f->workers);
	sqd_reload_close(f->reload, on_closed, f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	sqd_workers_free(f->workers);
	sqd_sievebox_fini(&f->sieves);
	sqd_loop_end(&f->loop);
	unlink(f->rule);
	rmdir(f->folder);
}

static void run_until_done(struct fixture *f, unsigned n)
{
	while (f->done < n)
		uv_run(&f->loop, UV_RUN_ONCE);
}

/* Generation of the sieve that has come since the last time; 0: none has. */
static uint64_t new_sieve(struct fixture *f)
{
	struct sq_sieve *sieve;
	uint64_t generation;

	if (!sqd_sievebox_news(&f->sieves, &f->sieves_seen, &sieve))
		return 0;
	assert_non_null(sieve);
	generation = sq_sieve_generation(sieve);
	sq_sieve_unref(sieve);
	return generation;
}

static void new_rules_reach_every_worker(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(new_sieve(&f), 1);
	assert_int_equal(new_sieve(&f), 0);
	write_rule(f.rule, "other");
	sqd_reload_request(f.reload);
	run_until_done(&f, 1);
	assert_int_equal(f.result, 0);
	assert_int_equal(f.totals.reloads, 1);
	assert_int_equal(sqd_workers_generation(f.workers), 2);
	assert_int_equal(new_sieve(&f), 2);
	teardown(&f);
}

static void broken_rules_leave_the_old_ones(void **state)
{
	struct fixture f;
	FILE *out;

	(void)state;
	setup(&f);
	out = fopen(f.rule, "we");
	fputs("title: broken\ndetection: {condition: nothing}\n", out);
	fclose(out);
	sqd_reload_request(f.reload);
	run_until_done(&f, 1);
	assert_true(f.result < 0);
	assert_int_equal(f.totals.reloads, 0);
	assert_int_equal(f.totals.reloads_failed, 1);
	assert_true(sqd_workers_generation(f.workers) <= 1);
	/* And mended rules are taken again. */
	write_rule(f.rule, "mended");
	sqd_reload_request(f.reload);
	run_until_done(&f, 2);
	assert_int_equal(f.result, 0);
	assert_int_equal(f.totals.reloads, 1);
	teardown(&f);
}

static void a_storm_of_requests_is_one_reload_and_one_more(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (int i = 0; i < 50; i++)
		sqd_reload_request(f.reload);
	run_until_done(&f, 2);
	for (int i = 0; i < 5; i++)
		uv_run(&f.loop, UV_RUN_NOWAIT);
	assert_int_equal(f.done, 2);
	assert_int_equal(f.totals.reloads, 2);
	teardown(&f);
}

static void closing_waits_for_a_load_that_is_going_on(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	sqd_reload_request(f.reload);
	teardown(&f);
	assert_int_equal(f.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_rules_reach_every_worker),
		cmocka_unit_test(broken_rules_leave_the_old_ones),
		cmocka_unit_test(a_storm_of_requests_is_one_reload_and_one_more),
		cmocka_unit_test(closing_waits_for_a_load_that_is_going_on),
	};

	return cmocka_run_group_tests_name("core/reload", tests, NULL, NULL);
}
