/* Rule sets for tests of the daemon, compiled from a few lines. */
#pragma once

#include <unistd.h>

#include "daemon/flow/worker.h"
#include "lib/host/pack.h"
#include "tests/support/test.h"

/** A rule that matches process creations whose CommandLine contains `needle`. */
static inline void write_rule(const char *path, const char *needle)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fprintf(f,
	        "title: Test %s\n"
	        "id: 11111111-2222-4333-8444-555555555555\n"
	        "level: high\n"
	        "logsource: {product: windows, category: process_creation}\n"
	        "detection:\n"
	        "  sel:\n"
	        "    CommandLine|contains: '%s'\n"
	        "  condition: sel\n",
	        needle, needle);
	assert_int_equal(fclose(f), 0);
}

static inline struct sq_ruleset *load_rules(const char *path)
{
	struct sq_pack_opts opts = { .paths = &path, .n_paths = 1 };
	struct sq_diags diags = { 0 };
	struct sq_err err = { 0 };
	struct sq_ruleset *rs = NULL;

	if (sq_pack_load(&opts, &rs, NULL, &diags, &err) < 0)
		fail_msg("%s", err.text);
	sq_diags_fini(&diags);
	return rs;
}

static inline struct sqd_gear *gear_of(struct sq_ruleset *rs, uint64_t generation)
{
	const struct sq_pipeline_opts opts = { .observer = { .version = "test" },
		                               .formats = 1u << SQ_FORMAT_JSON };

	return sqd_gear_new(sq_pipeline_new(rs, &opts), generation);
}

/** A record of a process creation whose command line is "evil NUMBER". @return its length */
static inline size_t evil_record(char *to, size_t cap, unsigned number)
{
	return (size_t)snprintf(to, cap,
	                        "{\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":"
	                        "\"C:\\\\a.exe\",\"CommandLine\":\"evil %u.\"}",
	                        number);
}

/** The NUMBER in an alert about such a record. */
static inline unsigned evil_number(struct sq_sv alert)
{
	size_t at = sq_sv_find(alert, SQ_SV("evil "));

	assert_true(at != SIZE_MAX);
	return (unsigned)strtoul(alert.p + at + 5, NULL, 10);
}
