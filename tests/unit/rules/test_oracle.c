/* The same rules on the same events, once with Hyperscan and once without: every hit must be the
 * same, told values included. The shipped patterns and a set of broad rules run over the sample
 * events beside the patterns, and over the shared corpus where that is there. */
#include <unistd.h>
#include <zlib.h>

#include "lib/derive/derive.h"
#include "lib/host/files.h"
#include "lib/model/reader.h"
#include "lib/rules/matcher.h"
#include "lib/rules/sigma.h"
#include "tests/support/test.h"

enum { FILE_MAX = 128 << 20, ARENA = 8 << 20 };

struct side {
	struct sq_ruleset *rs;
	struct sq_matcher *m;
	struct sq_reader *reader;
	struct sq_arena arena;
	struct sq_hits hits;
};

struct oracle {
	struct side side[2];
	uint64_t events, hits;
};

/* One rule for each body; each is hit often on ordinary events, or is of a kind of its own. */
static const char *const broad[] = {
	"{ CommandLine|contains: ' -' }",
	"{ CommandLine|contains|windash: [' -k', ' -s', ' -c'] }",
	"{ CommandLine|re: '[0-9a-f]{8}-[0-9a-f]{4}' }",
	"{ CommandLine|re|i: '^\"?c:\\\\windows\\\\[^ ]+\\.exe' }",
	"{ CommandLine|re: '(.)\\1\\1' }",
	"{ CommandLine|re: 'powershell(?!\\.exe)' }",
	"{ CommandLine|contains|all: ['a', 'e', '.exe'] }",
	"{ CommandLine|endswith: ['exe', '\"', ' '] }",
	"{ Image|startswith: 'C:\\Windows\\' }",
	"{ Image|endswith: ['\\svchost.exe', '\\powershell.exe', '\\regsvr32.exe'] }",
	"{ Image: '*\\s?c*.exe' }",
	"{ Image|cased|contains: 'System32' }",
	"{ ParentImage: null }",
	"{ ParentImage|exists: true, Image|contains: 'e' }",
	"{ EventID: [1, 3, 4688, 5156] }",
	"{ EventID|gt: 4000, EventID|lte: 4700 }",
	"{ User|contains: 'SYSTEM' }",
	"{ User: '' }",
	"{ TargetObject|contains: ['\\Run', '\\Services\\'] }",
	"{ DestinationIp|cidr: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'] }",
	"{ DestinationPort: [80, 443, 88] }",
	"{ ImageLoaded|endswith: '.dll', Signed: 'true' }",
	"{ Hashes|contains: 'IMPHASH=' }",
	"['regsvr32', 'scrobj']",
	"{ ScriptBlockText|contains: ['function', 'invoke'] }",
};

static void add_broad(struct sq_rules *rules, struct sq_diags *diags)
{
	for (size_t i = 0; i < SQ_LEN(broad); i++) {
		for (int negated = 0; negated < 2; negated++) {
			struct sq_outbuf text = sq_outbuf_of(1 << 16);

			sq_outbuf_printf(&text,
			                 "title: Broad %zu %d\nlogsource:\n  product: windows\n"
			                 "level: low\ndetection:\n  sel: %s\n  condition: %ssel\n",
			                 i, negated, broad[i], negated ? "not " : "");
			if (sq_sigma_parse(rules, sq_outbuf_view(&text), "broad.yml", diags) != 1)
				fail_msg("broad rule %zu: %s", i,
				         diags->n ? diags->list[diags->n - 1].text : "?");
			sq_outbuf_fini(&text);
		}
	}
}

static void add_shipped(struct sq_rules *rules, struct sq_diags *diags)
{
	struct sq_paths paths = { 0 };
	char folder[4096];

	(void)snprintf(folder, sizeof(folder), "%s/patterns", getenv("SQ_SOURCE_DIR"));
	assert_int_equal(sq_paths_add(&paths, folder, ".yml", NULL, NULL), 0);
	for (size_t i = 0; i < paths.n; i++) {
		struct sq_outbuf text = sq_outbuf_of(1 << 20);

		assert_int_equal(sq_file_read(paths.list[i], &text, NULL), 0);
		if (sq_sigma_parse(rules, sq_outbuf_view(&text), paths.list[i], diags) < 1)
			fail_msg("%s", paths.list[i]);
		sq_outbuf_fini(&text);
	}
	sq_paths_fini(&paths);
}

static struct oracle *oracle_new(void)
{
	struct oracle *o = calloc(1, sizeof(*o));

	for (int i = 0; i < 2; i++) {
		struct sq_ruleset_opts opts = { .plain = i == 1, .regex_steps = 10000000 };
		struct sq_reader_opts ropts = { .want_all = true };
		struct side *s = &o->side[i];
		struct sq_diags diags = { 0 };
		struct sq_rules rules;

		assert_int_equal(sq_rules_init(&rules), 0);
		add_shipped(&rules, &diags);
		add_broad(&rules, &diags);
		assert_int_equal(sq_ruleset_build(&rules, &opts, &s->rs, NULL, NULL), 0);
		s->m = sq_matcher_new(s->rs);
		s->reader = sq_reader_new(sq_ruleset_fields(s->rs), &ropts);
		assert_int_equal(sq_arena_init(&s->arena, ARENA), 0);
		sq_diags_fini(&diags);
	}
	return o;
}

static void oracle_free(struct oracle *o)
{
	for (int i = 0; i < 2; i++) {
		sq_reader_free(o->side[i].reader);
		sq_matcher_free(o->side[i].m);
		sq_ruleset_unref(o->side[i].rs);
		sq_arena_fini(&o->side[i].arena);
	}
	free(o);
}

static void compare(struct oracle *o, struct sq_sv record)
{
	const struct sq_hits *a = &o->side[0].hits, *b = &o->side[1].hits;

	assert_false(a->capped || b->capped);
	if (a->n != b->n)
		fail_msg("%u hits with Hyperscan, %u without: %.*s", a->n, b->n, SQ_SV_ARG(record));
	for (uint32_t i = 0; i < a->n; i++) {
		const struct sq_hit *x = &a->list[i], *y = &b->list[i];

		assert_int_equal(x->rule, y->rule);
		assert_int_equal(x->n_matched, y->n_matched);
		for (uint32_t k = 0; k < x->n_matched; k++) {
			assert_string_equal(x->matched[k].field, y->matched[k].field);
			assert_sv_equal(x->matched[k].value, y->matched[k].value);
		}
	}
	o->events++;
	o->hits += a->n;
}

static void run_record(struct oracle *o, struct sq_sv record)
{
	struct sq_sv rest[2] = { record, record };
	int r[2];

	do {
		for (int i = 0; i < 2; i++) {
			struct side *s = &o->side[i];
			struct sq_event ev;

			sq_arena_reset(&s->arena);
			r[i] = sq_reader_next(s->reader, &rest[i], NULL, &s->arena, &ev);
			if (r[i] == 1) {
				sq_derive(&ev, &s->arena, SQ_DERIVE_ALL);
				sq_matcher_run(s->m, &ev, &s->hits);
			}
		}
		assert_int_equal(r[0], r[1]);
		if (r[0] == 1)
			compare(o, record);
	} while (r[0] == 1);
}

static void run_file(struct oracle *o, const char *path)
{
	gzFile f = gzopen(path, "rb");
	char *text = malloc(FILE_MAX);
	struct sq_sv rest;
	int n;

	assert_non_null(f);
	n = gzread(f, text, FILE_MAX);
	gzclose(f);
	assert_true(n >= 0 && n < FILE_MAX);
	rest = (struct sq_sv){ text, (size_t)n };
	while (rest.n)
		run_record(o, sq_sv_cut(&rest, '\n'));
	free(text);
}

static void run_folder(struct oracle *o, const char *folder, const char *suffix)
{
	struct sq_paths paths = { 0 };

	assert_int_equal(sq_paths_add(&paths, folder, suffix, NULL, NULL), 0);
	for (size_t i = 0; i < paths.n; i++)
		run_file(o, paths.list[i]);
	sq_paths_fini(&paths);
}

static void agrees_on_the_sample_events(void **state)
{
	struct oracle *o = oracle_new();
	char folder[4096];

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/patterns", getenv("SQ_SOURCE_DIR"));
	run_folder(o, folder, ".ndjson");
	assert_true(o->events > 10);
	assert_true(o->hits > o->events);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sq_matcher_take_limits(o->side[i].m), 0);
		assert_int_equal(sq_matcher_take_fallbacks(o->side[i].m), 0);
	}
	oracle_free(o);
}

static void agrees_on_the_shared_events(void **state)
{
	const char *shared = getenv("SQUIBLY_SHARED");
	static const char *const folders[] = { "corpus", "labelled" };
	char path[4096];
	struct oracle *o;

	(void)state;
	if (shared)
		(void)snprintf(path, sizeof(path), "%s", shared);
	else
		(void)snprintf(path, sizeof(path), "%s/../shared", getenv("SQ_SOURCE_DIR"));
	shared = strdup(path);
	(void)snprintf(path, sizeof(path), "%s/corpus", shared);
	if (access(path, R_OK) != 0) {
		printf("skipped: the shared events are not at %s\n", shared);
		free((void *)(uintptr_t)shared);
		skip();
	}
	o = oracle_new();
	for (size_t i = 0; i < SQ_LEN(folders); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", shared, folders[i]);
		run_folder(o, path, ".gz");
		run_folder(o, path, "l"); /* .jsonl */
	}
	printf("%llu events, %llu hits, the same both ways\n", (unsigned long long)o->events,
	       (unsigned long long)o->hits);
	assert_true(o->events > 19000);
	oracle_free(o);
	free((void *)(uintptr_t)shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_on_the_sample_events),
		cmocka_unit_test(agrees_on_the_shared_events),
	};

	return cmocka_run_group_tests_name("rules/oracle", tests, NULL, NULL);
}
