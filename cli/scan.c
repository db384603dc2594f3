/* squibly scan: events from files or standard input in, alerts out.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/rules.h"
#include "cli/run.h"
#include "cli/term.h"
#include "lib/host/threads.h"

static const char help[] =
	"Usage: squibly scan [OPTION]... [FILE]...\n\n"
	"Read Windows events from FILEs and print an alert for each rule and event that match. Without\n"
	"FILE, or when it is -, read standard input. Lines of JSON, arrays, objects back to back, syslog\n"
	"headers and XML are read as squiblyd reads them; gzip and zstd are unpacked.\n\n"
	"  -r, --rules PATH       rules: a file or folder of Sigma rules; may be given several times\n"
	"                         (default: the shipped patterns)\n"
	"  -m, --min-level LEVEL  print alerts of LEVEL and above (default: informational)\n"
	"  -f, --format FORMAT    json (one line each) or text (default: text on a terminal, else json);\n"
	"                         text is cut to the width of the terminal, or to 200 columns\n"
	"  -j, --jobs N           threads, 1 to 64 (default: as many as there are CPUs to run on); what\n"
	"                         comes out is the same for each N, and in the order of the events\n"
	"      --fail-on LEVEL    exit with status 1 when an alert of LEVEL or above was found\n"
	"      --max-record SIZE  longest record in bytes, longer ones are skipped and counted\n"
	"                         (default: 1048576)\n"
	"      --malformed        tell of each record that could not be read, on standard error; without\n"
	"                         it, records that no rule can match are not read at all\n"
	"      --plain            read each record whole and try each rule as it is written: slow, and\n"
	"                         must find the same\n"
	"  -q, --quiet            no summary and no progress\n"
	"  -h, --help\n\n"
	"In the summary, \"unread\" are records that no rule could match by their bytes.\n\n"
	"Levels: informational, low, medium, high, critical. Exit status: 0, 1 (see --fail-on), or 2 when\n"
	"something failed.\n";

enum { PROGRESS_NS = 250 * 1000 * 1000 };

struct scan {
	/* What was asked for. */
	struct cli_rules rules;
	enum sq_level min_level, fail_on; /* fail_on: SQ_LEVELS = never */
	bool text, format_given, quiet, tell_malformed, plain;
	uint32_t max_record;
	unsigned jobs;
	/* While running. */
	const struct sq_ruleset *ruleset;
	bool colours, progress;
	size_t width; /* columns of standard output */
	uint64_t began_ns, shown_ns;
	bool line_on_terminal; /* a progress line stands on standard error */
	uint64_t found[SQ_LEVELS], events;
	const char *path;
};

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void clear_progress(struct scan *s)
{
	if (s->line_on_terminal)
		fputs("\r\033[K", stderr);
	s->line_on_terminal = false;
}

static void show_progress(void *ctx, uint64_t at, uint64_t size)
{
	struct scan *s = ctx;
	uint64_t now;

	if (!s->progress)
		return;
	now = mono_ns();
	if (now - s->shown_ns < PROGRESS_NS)
		return;
	s->shown_ns = now;
	fprintf(stderr, "\r\033[K%s: ", s->path);
	if (size)
		fprintf(stderr, "%3.0f %% of ", 100.0 * (double)at / (double)size);
	fprintf(stderr, "%.1f MB, %llu events", (double)(size ? size : at) / 1e6,
	        (unsigned long long)s->events);
	fflush(stderr);
	s->line_on_terminal = true;
}

/* Columns of the text format. */
enum {
	LEFT_COLUMNS = 36, /* date and level, with two blanks behind each */
	HOST_COLUMNS = 26,
	TITLE_COLUMNS = 56,
	INDENT_COLUMNS = 4,
	ONE_LINE_COLUMNS = 190, /* where less fits, an alert has a second line */
};

static void put_what(const struct scan *s, FILE *to, struct sq_sv host, const struct sq_event *ev,
                     size_t left)
{
	struct sq_sv what = sq_event_get(ev, SQ_F_COMMAND_LINE);

	if (!what.n)
		what = sq_event_get(ev, SQ_F_IMAGE);
	if (s->width < ONE_LINE_COLUMNS) {
		fprintf(to, "\n%*s", INDENT_COLUMNS, "");
		left = INDENT_COLUMNS + cli_term_fit(to, host, 0, HOST_COLUMNS);
	}
	fputs("  ", to);
	cli_term_fit(to, what, 0, s->width > left + 2 ? s->width - left - 2 : 0);
	fputc('\n', to);
}

static void put_text(const struct scan *s, FILE *to, const struct sq_event *ev,
                     const struct sq_rule *rule)
{
	bool wide = s->width >= ONE_LINE_COLUMNS;
	const char *level = sq_level_name(rule->level);
	struct sq_sv host = sq_event_get(ev, SQ_F_COMPUTER);
	char date[SQ_TIME_TEXT] = "-";
	size_t left = LEFT_COLUMNS;

	if (ev->time_us)
		sq_time_format(ev->time_us, date);
	date[19] = '\0'; /* whole seconds are enough for the eye */
	if (date[10] == 'T')
		date[10] = ' ';
	fprintf(to, "%-19s  %s%-13s%s  ", date, cli_term_level(rule->level, s->colours), level,
	        cli_term_off(s->colours));
	if (wide) {
		left += cli_term_fit(to, host, HOST_COLUMNS, HOST_COLUMNS) + 2;
		fputs("  ", to);
		left += cli_term_fit(to, rule->title, TITLE_COLUMNS, TITLE_COLUMNS);
	} else {
		cli_term_fit(to, rule->title, 0, s->width > left ? s->width - left : 0);
	}
	put_what(s, to, host, ev, left);
}

static void see(void *ctx, struct cli_sink *sink, const struct sq_event *ev,
                const struct sq_hits *hits, struct sq_sv raw, const char *why)
{
	const struct scan *s = ctx;

	if (!ev) {
		if (s->tell_malformed) {
			fprintf(sink->told, "%s: malformed: %s: ", s->path, why ? why : "?");
			cli_term_fit(sink->told, raw, 0, 120);
			fputc('\n', sink->told);
		}
		return;
	}
	for (uint32_t i = 0; hits && i < hits->n; i++) {
		const struct sq_rule *rule = sq_ruleset_rule(s->ruleset, hits->list[i].rule);

		sink->found[rule->level]++;
		if (s->text && rule->level >= s->min_level)
			put_text(s, sink->text, ev, rule);
	}
}

static void put_json(const struct sq_batch *b)
{
	for (uint32_t i = 0; i < b->n_alerts; i++) {
		const struct sq_alert_ref *a = &b->alerts[i];

		if (!a->text[SQ_FORMAT_JSON].n)
			continue;
		fwrite(b->out.p + a->text[SQ_FORMAT_JSON].at, 1, a->text[SQ_FORMAT_JSON].n, stdout);
		putchar('\n');
	}
}

static int deliver(void *ctx, const struct sq_batch *b, const struct cli_sink *sink)
{
	struct scan *s = ctx;

	for (enum sq_level l = 0; l < SQ_LEVELS; l++)
		s->found[l] += sink->found[l];
	if (b)
		s->events += b->counts.received;
	if (sink->text_n || sink->told_n || (b && b->n_alerts))
		clear_progress(s);
	fwrite(sink->text_p, 1, sink->text_n, stdout);
	fwrite(sink->told_p, 1, sink->told_n, stderr);
	if (b)
		put_json(b);
	if (sink->text_n || (b && b->n_alerts))
		fflush(stdout); /* whoever reads it shall not wait for the end */
	return ferror(stdout) ? -EIO : 0;
}

static void summary(const struct scan *s, const struct sq_counters *c)
{
	double seconds = (double)(mono_ns() - s->began_ns) / 1e9;
	bool colours = cli_term_colours(stderr);
	uint64_t all = 0;

	for (enum sq_level l = 0; l < SQ_LEVELS; l++)
		all += s->found[l];
	fprintf(stderr, "%s%llu events, %llu alerts", cli_term_dim(colours),
	        (unsigned long long)c->received, (unsigned long long)all);
	for (int l = SQ_LEVEL_CRITICAL, first = 1; l >= 0; l--) {
		if (!s->found[l])
			continue;
		fprintf(stderr, "%s%llu %s", first ? ": " : ", ", (unsigned long long)s->found[l],
		        sq_level_name((enum sq_level)l));
		first = 0;
	}
	fprintf(stderr,
	        "; %llu malformed, %llu oversized, %llu unread; %.1f MB in %.2f s (%.0f MB/s)%s\n",
	        (unsigned long long)c->malformed, (unsigned long long)c->oversized,
	        (unsigned long long)c->left_out, (double)c->bytes_in / 1e6, seconds,
	        seconds > 0 ? (double)c->bytes_in / 1e6 / seconds : 0.0, cli_term_off(colours));
}

enum { OPT_FAIL_ON = 256, OPT_PLAIN, OPT_MAX_RECORD, OPT_MALFORMED };

static const struct option options[] = {
	{ "rules", required_argument, NULL, 'r' },
	{ "min-level", required_argument, NULL, 'm' },
	{ "format", required_argument, NULL, 'f' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
	{ "max-record", required_argument, NULL, OPT_MAX_RECORD },
	{ "malformed", no_argument, NULL, OPT_MALFORMED },
	{ "plain", no_argument, NULL, OPT_PLAIN },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static int read_level(const char *option, enum sq_level *ret)
{
	if (sq_level_parse(sq_sv_of(optarg), ret) == 0)
		return CLI_OK;
	return cli_usage("scan",
	                 "%s: '%s' is no level (informational, low, medium, high, critical)",
	                 option, optarg);
}

static int read_option(struct scan *s, int c, char **argv)
{
	uint64_t n;

	switch (c) {
	case 'r':
		return cli_rules_add(&s->rules, "scan", optarg);
	case 'm':
		return read_level("--min-level", &s->min_level);
	case 'f':
		s->text = strcmp(optarg, "text") == 0;
		s->format_given = true;
		if (!s->text && strcmp(optarg, "json") != 0)
			return cli_usage("scan", "--format: '%s' is neither json nor text", optarg);
		return CLI_OK;
	case 'j':
		if (!sq_sv_to_u64(sq_sv_of(optarg), &n) || n < 1 || n > CLI_RUN_JOBS)
			return cli_usage("scan", "--jobs: '%s' is not 1 to %d", optarg,
			                 CLI_RUN_JOBS);
		s->jobs = (unsigned)n;
		return CLI_OK;
	case OPT_FAIL_ON:
		return read_level("--fail-on", &s->fail_on);
	case OPT_MAX_RECORD:
		if (!sq_sv_to_u64(sq_sv_of(optarg), &n) || n < 1024 || n > 256 * 1024 * 1024)
			return cli_usage("scan", "--max-record: '%s' is not 1024 to 268435456",
			                 optarg);
		s->max_record = (uint32_t)n;
		return CLI_OK;
	case OPT_MALFORMED:
		s->tell_malformed = true;
		return CLI_OK;
	case OPT_PLAIN:
		s->plain = true;
		return CLI_OK;
	case 'q':
		s->quiet = true;
		return CLI_OK;
	default:
		return cli_bad_option("scan", c, argv);
	}
}

static int scan_files(struct scan *s, struct sq_ruleset *rs, char **paths, int n)
{
	struct cli_run_opts opts = {
		.pipeline = { .reader = { .skim = !s->plain },
		              .min_level = s->min_level,
		              .formats = s->text ? 0 : 1u << SQ_FORMAT_JSON,
		              .observer = { .version = SQ_VERSION } },
		.max_record = s->max_record,
		.jobs = s->jobs,
		.see = see,
		.deliver = deliver,
		.progress = show_progress,
		.ctx = s,
	};
	struct cli_run *run;
	int status = CLI_OK;

	gethostname(opts.pipeline.observer.hostname, sizeof(opts.pipeline.observer.hostname) - 1);
	/* One who wants to know what cannot be read wants every record read. */
	if (!s->plain && !s->tell_malformed)
		opts.pipeline.sieve = sq_sieve_new(rs, 1);
	run = cli_run_new(rs, &opts);
	sq_sieve_unref(opts.pipeline.sieve);
	if (!run)
		return cli_fail("out of memory");
	for (int i = 0; i < (n ? n : 1); i++) {
		struct sq_err err = { 0 };

		s->path = n ? paths[i] : "-";
		if (cli_run_file(run, s->path, &err) < 0) {
			clear_progress(s);
			if (ferror(stdout))
				break;
			status = cli_fail("%s", err.text); /* the other files are still read */
		}
	}
	clear_progress(s);
	status = cli_finish(status);
	if (!s->quiet)
		summary(s, cli_run_counts(run));
	cli_run_free(run);
	return status;
}

int cli_scan(int argc, char **argv)
{
	unsigned cpus = sq_threads_cpus();
	struct scan s = { .fail_on = SQ_LEVELS,
		          .max_record = 1024 * 1024,
		          .began_ns = mono_ns(),
		          .jobs = cpus < CLI_RUN_JOBS ? cpus : CLI_RUN_JOBS };
	struct sq_ruleset *rs = NULL;
	int c, status;

	while ((c = getopt_long(argc, argv, ":r:m:f:j:qh", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return cli_finish(CLI_OK);
		}
		status = read_option(&s, c, argv);
		if (status != CLI_OK)
			return status;
	}
	if (!s.format_given)
		s.text = isatty(STDOUT_FILENO);
	s.colours = s.text && cli_term_colours(stdout);
	s.width = cli_term_width(stdout);
	s.progress = !s.quiet && isatty(STDERR_FILENO);
	s.shown_ns = s.began_ns;

	s.rules.threads = s.jobs;
	status = cli_rules_load(&s.rules, s.plain, &rs);
	if (status != CLI_OK)
		return status;
	s.ruleset = rs;
	status = scan_files(&s, rs, argv + optind, argc - optind);
	sq_ruleset_unref(rs);
	if (status == CLI_OK && s.fail_on != SQ_LEVELS)
		for (int l = (int)s.fail_on; l < SQ_LEVELS; l++)
			if (s.found[l])
				status = CLI_FOUND;
	return status;
}
