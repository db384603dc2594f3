/* Two tenants behind one daemon: what one has sent leaves nothing of the other's out. The real
 * pipeline, and the router behind it with folding and de-duplication. */
#include "daemon/flow/router.h"
#include "tests/support/fake_output.h"
#include "tests/unit/engine/rig.h"

#define TOOL(id)                                                                                   \
	"{\"EventID\":1,\"SourceName\":\"Microsoft-Windows-Sysmon\","                              \
	"\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Hostname\":\"WS5\","               \
	"\"RecordNumber\":" id                                                                     \
	",\"EventTime\":\"2020-07-22 03:27:52\",\"SourceModuleType\":\"im\","                      \
	"\"Image\":\"C:\\\\Windows\\\\regsvr32.exe\",\"CommandLine\":\"regsvr32 a.dll\"}"

struct fixture {
	uv_loop_t loop;
	struct rig rig;
	struct fake_output *out;
	struct sqd_outqueue *queue;
	struct sqd_router *router;
	struct sq_counters totals;
	unsigned released;
	bool closed;
};

static void on_released(void *ctx, struct sq_batch *b SQ_UNUSED)
{
	((struct fixture *)ctx)->released++;
}

static void on_progress(void *ctx SQ_UNUSED)
{
}

static void setup(struct fixture *f)
{
	const struct sq_fold_limits fold = { .window_ns = UINT64_C(3600000000000),
		                             .entries = 16,
		                             .bytes = 65536 };
	struct sqd_route route = { .format = SQ_FORMAT_JSON, .when_full = SQD_FULL_BLOCK };

	*f = (struct fixture){ 0 };
	assert_int_equal(uv_loop_init(&f->loop), 0);
	rig_open(&f->rig,
	         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON, .deduplicate = true },
	         1 << 20);
	f->out = fake_new(SQD_FRAMING_LF);
	f->queue = route.queue = sqd_outqueue_new(&f->out->base, 1 << 20);
	f->router = sqd_router_new(&(struct sqd_router_opts){ .loop = &f->loop,
	                                                      .routes = &route,
	                                                      .n_routes = 1,
	                                                      .batches = 1,
	                                                      .fold = &fold,
	                                                      .deduplicate = 16,
	                                                      .totals = &f->totals,
	                                                      .released = on_released,
	                                                      .progress = on_progress,
	                                                      .ctx = f });
	assert_non_null(f->router);
}

static void teardown(struct fixture *f)
{
	sqd_router_close(f->router, fake_noted, &f->closed);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	fake_end(f->out, f->queue);
	rig_close(&f->rig);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}

/* Records of two origins, run and delivered. What goes out of it is in f->out->got. */
static void run(struct fixture *f, const struct sq_sv tenants[2], const char *const records[4],
                const uint32_t origins[4])
{
	struct sq_batch *b = f->rig.batch;

	assert_int_equal(sq_batch_origin(b, NULL, "192.0.2.7:51234"), 1);
	b->origins[0].tenant = tenants[0];
	b->origins[1].tenant = tenants[1];
	for (unsigned i = 0; i < 4; i++) {
		rig_add(&f->rig, sq_sv_of(records[i]));
		b->records[i].origin = origins[i];
	}
	sq_pipeline_run(f->rig.pipeline, b, rig_now);
	assert_false(sq_batch_unfinished(b));
	sqd_router_deliver(f->router, b);
	fake_drain(f->out);
	assert_int_equal(f->released, 1);
	sq_outbuf_putc(&f->out->got, '\0');
}

static unsigned count(const struct fixture *f, const char *what)
{
	unsigned n = 0;

	for (const char *at = f->out->got.p; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static const char *const records[4] = { TOOL("1"), TOOL("1"), TOOL("1"), TOOL("2") };
static const uint32_t origins[4] = { 0, 1, 0, 1 };

static void two_tenants_are_two_senders(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	run(&f, (struct sq_sv[]){ SQ_SV("north"), SQ_SV("south") }, records, origins);
	assert_int_equal(count(&f, "\n"), 2);
	assert_int_equal(count(&f, "\"tenant\":\"north\""), 1);
	assert_int_equal(count(&f, "\"tenant\":\"south\""), 1);
	assert_int_equal(f.totals.dropped_duplicate, 1); /* north's own, sent again */
	assert_int_equal(f.totals.alerts_folded, 1);     /* south's own, of another event */
	teardown(&f);
}

/* The same with one tenant, and with none: the rest is a repeat. */
static void one_tenant_is_one_sender(void **state)
{
	static const struct sq_sv names[] = { { "north", 5 }, { "", 0 } };

	(void)state;
	for (size_t i = 0; i < SQ_LEN(names); i++) {
		struct fixture f;

		setup(&f);
		run(&f, (struct sq_sv[]){ names[i], names[i] }, records, origins);
		assert_int_equal(count(&f, "\n"), 1);
		assert_int_equal(count(&f, "\"tenant\":"), names[i].n > 0);
		assert_int_equal(f.totals.dropped_duplicate, 2);
		assert_int_equal(f.totals.alerts_folded, 1);
		teardown(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_tenants_are_two_senders),
		cmocka_unit_test(one_tenant_is_one_sender),
	};

	return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
