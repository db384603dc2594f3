/* Hyperscan fails on a value: nothing is missed, and it is counted. The linker puts the function of
 * this file in the place of the real one. */
#include <errno.h>

#include "lib/rules/hsdb.h"
#include "tests/unit/engine/rig.h"

int __wrap_sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                        sq_hs_hit_fn *hit, void *ctx);

static unsigned scans;

int __wrap_sq_hsdb_scan(const struct sq_hsdb *db SQ_UNUSED, struct sq_hs_scratch *s SQ_UNUSED,
                        struct sq_sv text SQ_UNUSED, sq_hs_hit_fn *hit SQ_UNUSED,
                        void *ctx SQ_UNUSED)
{
	scans++;
	return -EIO;
}

static void what_hyperscan_cannot_scan_is_matched_and_counted(void **state SQ_UNUSED)
{
	const struct sq_pipeline_opts opts = { .formats = 1u << SQ_FORMAT_JSON };
	struct sq_ruleset *rs = rig_ruleset(false);
	struct rig g;

	rig_open(&g, opts, 1 << 20);
	sq_pipeline_free(g.pipeline);
	g.pipeline = sq_pipeline_new(rs, &opts);
	sq_ruleset_unref(rs);
	assert_non_null(g.pipeline);
	rig_add(&g, SQ_SV("{\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":"
	                  "\"C:\\\\regsvr32.exe\",\"CommandLine\":\"regsvr32 scrobj.dll\"}"));
	rig_add(&g, SQ_SV("{\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":"
	                  "\"C:\\\\notepad.exe\",\"CommandLine\":\"notepad\"}"));
	rig_run(&g);
	assert_int_equal(g.counts.alerted, 1);
	assert_int_equal(g.counts.alerts, 2);
	assert_int_equal(g.counts.clean, 1);
	assert_true(scans > 0);
	assert_int_equal(g.counts.scan_fallbacks, scans);
	rig_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_hyperscan_cannot_scan_is_matched_and_counted),
	};

	return cmocka_run_group_tests_name("fallback", tests, NULL, NULL);
}
