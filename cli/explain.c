/* squibly explain: what became of each event, and why each rule matched it or did not.
 */
#include <errno.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/rules.h"
#include "cli/run.h"
#include "cli/term.h"
#include "lib/engine/explain.h"

static const char help[] =
	"Usage: squibly explain [OPTION]... FILE...\n\n"
	"Read Windows events from FILEs (- is standard input) as squiblyd does and tell of each: the shape\n"
	"it was recognised by, its fields, the fields derived from them with the tricks that were met, and\n"
	"which rules matched it. Of rules that did not match and of which some selection holds, the first\n"
	"reason is told: which selection wanted which field to be what, and what it is.\n\n"
	"  -r, --rules PATH     rules: a file or folder of Sigma rules; may be given several times\n"
	"                       (default: the shipped patterns)\n"
	"      --rule RULE      only this rule, by its id, name, title or file (sqb-01-remote-scriptlet);\n"
	"                       it is told in any case\n"
	"  -a, --all            also rules of which no selection holds\n"
	"  -f, --format FORMAT  text, or json: one object for each event (default: text)\n"
	"  -h, --help\n\n"
	"Exit status: 0, or 2 when something failed.\n";

enum {
	MAX_NEAR = 10, /* near misses that are told as text without --all */
	NAME_COLUMNS = 36,
	SENTENCE_VALUE = 160, /* bytes of a value in a sentence */
	WORDS_MAX = 64 * 1024,
	JSON_MAX = 64 * 1024 * 1024,
};

struct explain {
	/* What was asked for. */
	struct cli_rules rules;
	const char *rule;
	bool all, json;
	/* While running. */
	struct sq_explain *x;
	struct sq_outbuf out;
	const char *path;
	uint64_t number; /* of the event in its file */
	bool colours;
	size_t width;
};

/* --- text --- */

static void put_head(const struct explain *e, const struct sq_event *ev)
{
	const char *category = sq_category_name(ev->category);
	struct sq_sv host = sq_event_get(ev, SQ_F_COMPUTER);
	char date[SQ_TIME_TEXT] = "";

	printf("%s:%llu", e->path, (unsigned long long)e->number);
	if (ev->time_us) {
		sq_time_format(ev->time_us, date);
		date[10] = ' ';
		date[19] = '\0';
		printf("  %s", date);
	}
	if (host.n) {
		fputs("  ", stdout);
		cli_term_fit(stdout, host, 0, 60);
	}
	printf("  %s", category[0] ? category : "no category");
	if (ev->event_id)
		printf(" (event %u)", ev->event_id);
	printf("  shape %s\n", ev->shape ? ev->shape : "unknown");
}

static void put_value(const struct explain *e, const struct sq_value *v)
{
	size_t left = NAME_COLUMNS + 4;

	if (v->kind == SQ_VALUE_NULL)
		printf("%snull%s", cli_term_dim(e->colours), cli_term_off(e->colours));
	else
		cli_term_fit(stdout, sq_value_sv(v), 0, e->width > left ? e->width - left : 0);
	putchar('\n');
}

static void put_fields(const struct explain *e, const struct sq_event *ev, bool derived)
{
	uint32_t n = sq_fields_count(ev->fields);
	bool first = true;

	for (uint32_t i = 0; i < n; i++) {
		struct sq_sv name = sq_fields_name(ev->fields, i);

		if (!sq_event_has(ev, i) || sq_field_is_derived(i) != derived)
			continue;
		if (first && derived)
			printf("  %sderived%s\n", cli_term_dim(e->colours),
			       cli_term_off(e->colours));
		first = false;
		for (const struct sq_value *v = &ev->values[i]; v; v = sq_event_next(ev, v)) {
			printf("  %s", cli_term_dim(e->colours));
			cli_term_fit(stdout, name, NAME_COLUMNS, 64);
			printf("%s  ", cli_term_off(e->colours));
			put_value(e, v);
			name = SQ_SV("");
		}
	}
}

static void put_flags(const struct sq_event *ev)
{
	static const struct {
		uint32_t flag;
		const char *says;
	} flags[] = {
		{ SQ_EVENT_DUPLICATE_KEY, "a key stands there twice; every value counts" },
		{ SQ_EVENT_OVERFLOW, "too large: some fields are missing" },
		{ SQ_EVENT_FROM_MESSAGE, "some fields were read out of the rendered text" },
		{ SQ_EVENT_BAD_UTF8, "not all of it is UTF-8" },
		{ SQ_EVENT_CUT, "the record was cut off on its way; this is how far it came" },
		{ SQ_EVENT_CUT, "cut off on its way; this is how far it came" },
	};

	for (size_t i = 0; i < SQ_LEN(flags); i++)
		if (ev->flags & flags[i].flag)
			printf("  note: %s\n", flags[i].says);
}

/* Every selection as it stands in the condition, with or without a not, and whether that is true.
 */
static void put_selections(const struct explain *e, const struct sq_why *why)
{
	printf("      %s", cli_term_dim(e->colours));
	for (uint32_t i = 0; i < why->n_selections; i++) {
		const struct sq_why_selection *s = &why->selections[i];

		printf("%s%s%s", i ? "  " : "", s->holds != s->negated ? "+" : "-",
		       s->negated ? "not " : "");
		cli_term_fit(stdout, s->name, 0, 40);
		if (s->filter)
			fputs(" (filter)", stdout);
	}
	printf("%s%s\n", why->more_selections ? "  ..." : "", cli_term_off(e->colours));
}

static void put_rule(struct explain *e, const struct sq_event *ev, uint32_t rule)
{
	static const char *const words[] = { [SQ_VERDICT_MATCH] = "MATCH",
		                             [SQ_VERDICT_NEAR] = "near",
		                             [SQ_VERDICT_MISS] = "miss",
		                             [SQ_VERDICT_ELSEWHERE] = "elsewhere" };
	struct sq_why why;
	enum sq_level level;

	sq_explain_rule(e->x, ev, rule, &why);
	level = why.rule->level;
	printf("  %-9s  %s%s%s  ", words[why.verdict],
	       cli_term_level(level, e->colours && why.verdict == SQ_VERDICT_MATCH),
	       sq_level_name(level), cli_term_off(e->colours && why.verdict == SQ_VERDICT_MATCH));
	cli_term_fit(stdout, why.rule->title, 0, 120);
	if (why.rule->id.n) {
		printf("  %s", cli_term_dim(e->colours));
		cli_term_fit(stdout, why.rule->id, 0, 40);
		fputs(cli_term_off(e->colours), stdout);
	}
	putchar('\n');
	if (why.n_selections)
		put_selections(e, &why);
	sq_outbuf_reset(&e->out);
	sq_why_sentence(&e->out, sq_explain_asker(e->x), &why, ev, SENTENCE_VALUE);
	fputs("      ", stdout);
	cli_term_put(stdout, sq_outbuf_view(&e->out), 0);
	putchar('\n');
}

/* How many answers are told: all that are asked for, and of near misses not too many as text. */
static uint32_t told(const struct explain *e, const struct sq_explained *ed)
{
	uint32_t near = ed->counts[SQ_VERDICT_NEAR];
	uint32_t n = ed->counts[SQ_VERDICT_MATCH];

	if (e->rule)
		return ed->n;
	if (e->all)
		return ed->n - ed->counts[SQ_VERDICT_ELSEWHERE];
	return n + (e->json || near < MAX_NEAR ? near : MAX_NEAR);
}

static void put_text(struct explain *e, const struct sq_explained *ed)
{
	uint32_t n = told(e, ed);

	put_head(e, ed->event);
	put_flags(ed->event);
	put_fields(e, ed->event, false);
	put_fields(e, ed->event, true);
	if (!e->rule)
		printf("  rules: %u matched, %u near, %u of which nothing holds, %u of other log "
		       "sources\n",
		       ed->counts[SQ_VERDICT_MATCH], ed->counts[SQ_VERDICT_NEAR],
		       ed->counts[SQ_VERDICT_MISS], ed->counts[SQ_VERDICT_ELSEWHERE]);
	for (uint32_t i = 0; i < n; i++)
		put_rule(e, ed->event, ed->list[i].rule);
	if (!e->rule && !e->all && ed->counts[SQ_VERDICT_NEAR] > MAX_NEAR)
		printf("  ... and %u more near ones (--all)\n",
		       ed->counts[SQ_VERDICT_NEAR] - MAX_NEAR);
	putchar('\n');
}

/* --- events --- */

static void put_json(struct explain *e)
{
	if (e->out.failed)
		(void)cli_fail("%s:%llu: too much to say of this event", e->path,
		               (unsigned long long)e->number);
	else
		fwrite(e->out.p, 1, e->out.len, stdout);
	putchar('\n');
}

static void see_malformed(struct explain *e, struct sq_sv raw, const char *why)
{
	if (e->json) {
		sq_outbuf_reset(&e->out);
		sq_explain_malformed(&e->out, sq_sv_of(why), raw, sq_sv_of(e->path), e->number);
		put_json(e);
		return;
	}
	printf("%s:%llu  malformed: %s\n  ", e->path, (unsigned long long)e->number, why);
	cli_term_fit(stdout, raw, 0, e->width - 2);
	fputs("\n\n", stdout);
}

static void see(void *ctx, struct cli_sink *sink SQ_UNUSED, const struct sq_event *ev,
                const struct sq_hits *hits, struct sq_sv raw, const char *why)
{
	struct explain *e = ctx;
	struct sq_explained ed;

	(void)hits; /* the same rules, asked one by one */
	e->number++;
	if (!ev) {
		see_malformed(e, raw, why ? why : "?");
		return;
	}
	sq_explain_event(e->x, ev, &ed);
	if (!e->json) {
		put_text(e, &ed);
		return;
	}
	sq_outbuf_reset(&e->out);
	sq_explain_json(&e->out, e->x, &ed, told(e, &ed), sq_sv_of(e->path), e->number);
	put_json(e);
}

/* --- the command --- */

enum { OPT_RULE = 256 };

static const struct option options[] = {
	{ "rules", required_argument, NULL, 'r' }, { "rule", required_argument, NULL, OPT_RULE },
	{ "all", no_argument, NULL, 'a' },         { "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },        { 0 },
};

static int read_option(struct explain *e, int c, char **argv)
{
	switch (c) {
	case 'r':
		return cli_rules_add(&e->rules, "explain", optarg);
	case OPT_RULE:
		e->rule = optarg;
		return CLI_OK;
	case 'a':
		e->all = true;
		return CLI_OK;
	case 'f':
		e->json = strcmp(optarg, "json") == 0;
		if (!e->json && strcmp(optarg, "text") != 0)
			return cli_usage("explain", "--format: '%s' is neither text nor json",
			                 optarg);
		return CLI_OK;
	default:
		return cli_bad_option("explain", c, argv);
	}
}

/* Index of the rule that was asked for, -1 for all, -2 when there is none. */
static int64_t find_rule(const struct explain *e, const struct sq_ruleset *rs)
{
	struct sq_sv nearest;
	int64_t i;

	if (!e->rule)
		return -1;
	i = sq_explain_find(rs, sq_sv_of(e->rule), &nearest);
	if (i >= 0)
		return i;
	if (nearest.n)
		(void)cli_fail("there is no rule '%s'; did you mean '%.*s'?", e->rule,
		               SQ_SV_ARG(nearest));
	else
		(void)cli_fail("there is no rule with the id, name, title or file '%s'", e->rule);
	return -2;
}

static int explain_files(struct explain *e, struct sq_ruleset *rs, char **paths, int n)
{
	struct cli_run_opts opts = { .pipeline = { .observer = { .version = SQ_VERSION },
		                                   .derive_all = true },
		                     .max_record = 1024 * 1024,
		                     .see = see,
		                     .ctx = e };
	struct cli_run *run = cli_run_new(rs, &opts);
	int status = CLI_OK;

	if (!run)
		return cli_fail("out of memory");
	for (int i = 0; i < n; i++) {
		struct sq_err err = { 0 };

		e->path = paths[i];
		e->number = 0;
		if (cli_run_file(run, e->path, &err) < 0) {
			if (ferror(stdout))
				break;
			status = cli_fail("%s", err.text); /* the other files are still read */
		}
	}
	if (cli_run_counts(run)->oversized)
		status = cli_fail("%llu records are longer than 1 MiB and were skipped",
		                  (unsigned long long)cli_run_counts(run)->oversized);
	cli_run_free(run);
	return cli_finish(status);
}

int cli_explain(int argc, char **argv)
{
	struct explain e = { .out = sq_outbuf_of(JSON_MAX) };
	struct sq_ruleset *rs = NULL;
	int64_t only;
	int c, status;

	while ((c = getopt_long(argc, argv, ":r:af:h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return cli_finish(CLI_OK);
		}
		status = read_option(&e, c, argv);
		if (status != CLI_OK)
			return status;
	}
	if (optind == argc)
		return cli_usage("explain", "which events? Give files, or - for standard input");
	e.colours = !e.json && cli_term_colours(stdout);
	e.width = cli_term_width(stdout);
	/* Without Hyperscan: nothing to compile, and what is asked one by one needs none. */
	status = cli_rules_load(&e.rules, true, &rs);
	if (status != CLI_OK)
		return status;
	only = find_rule(&e, rs);
	status = CLI_FAILED;
	if (only > -2) {
		e.x = sq_explain_new(rs, only);
		status = e.x ? explain_files(&e, rs, argv + optind, argc - optind)
		             : cli_fail("out of memory");
	}
	sq_explain_free(e.x);
	sq_ruleset_unref(rs);
	sq_outbuf_fini(&e.out);
	return status;
}
