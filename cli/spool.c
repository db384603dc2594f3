/* squibly spool: look into the spool of an output, check it, empty it.
 *
 * Looking is safe while squiblyd writes; checking and emptying want the spool for themselves.
 *
 * What a reader may look at, LMDB does not use again for what is written. So it is read in pieces,
 * and a piece is printed when it is looked at no longer: whoever reads what we print may take
 * hours.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/base/outbuf.h"
#include "lib/host/spool.h"

enum {
	SIZE_MORE = 64 << 20,
	PIECE_BYTES = 1 << 20,
	PIECE_RECORDS = 10000,
	TOLD_BYTES = 16 << 20, /* of a spool that is damaged everywhere */
	PIECE_ENDS = 1,        /* what the reading of a piece stops with, and that of all */
	ENOUGH = 2,
};

/* One folder. */
struct show {
	uint64_t n, max, damaged;
	uint64_t next; /* the number behind the last that was looked at */
	uint64_t end;  /* what comes while we read is not waited for: it may come faster */
	uint64_t here; /* messages of this piece */
	bool numbers;
	struct sq_outbuf text, told; /* of this piece: for standard output, and error */
};

static void print_help(FILE *to)
{
	fputs("Usage: squibly spool list|show|verify|drain [OPTION]... DIR...\n\n"
	      "  list     how much waits in each spool, and where it is\n"
	      "  show     print what waits, one alert a line, oldest first\n"
	      "  verify   read all of it and check every checksum; status 1 when something is damaged\n"
	      "  drain    print what waits, then take it out of the spool\n\n"
	      "  -n, --count=N   show at most N alerts of each spool\n"
	      "  -l, --long      before each alert its number, its id, and what it is kept together by\n"
	      "      --help\n\n"
	      "DIR is the folder that `spool:` names. list and show may be used while squiblyd runs; verify\n"
	      "and drain need it stopped.\n",
	      to);
}

static int count_one(void *ctx, const struct sq_spool_record *r)
{
	struct show *w = ctx;

	if (r->seq >= w->end)
		return ENOUGH;
	w->next = r->seq + 1;
	w->n++;
	return ++w->here < PIECE_RECORDS ? 0 : PIECE_ENDS;
}

static int show_one(void *ctx, const struct sq_spool_record *r)
{
	struct show *w = ctx;
	size_t before = w->text.len;
	bool full;

	if (r->seq >= w->end)
		return ENOUGH;
	if (w->numbers)
		sq_outbuf_printf(&w->text, "%llu %016llx%016llx %.*s\t", (unsigned long long)r->seq,
		                 (unsigned long long)r->id[0], (unsigned long long)r->id[1],
		                 SQ_SV_ARG(r->key));
	sq_outbuf_put(&w->text, r->text);
	sq_outbuf_putc(&w->text, '\n');
	if (w->text.failed) {
		sq_outbuf_cut(&w->text, before);
		return before ? PIECE_ENDS : -ENOMEM;
	}
	full = count_one(w, r) || w->text.len >= PIECE_BYTES;
	return w->n == w->max ? ENOUGH : full ? PIECE_ENDS : 0;
}

static void tell_damaged(void *ctx, uint64_t seq, uint64_t n, struct sq_sv bytes)
{
	struct show *w = ctx;

	if (seq >= w->end)
		return;
	w->damaged += n;
	w->next = seq + n;
	sq_outbuf_printf(&w->told, "squibly: alerts %llu to %llu are damaged (%zu bytes)\n",
	                 (unsigned long long)seq, (unsigned long long)(seq + n - 1), bytes.n);
}

static void print(struct show *w)
{
	if (w->told.len)
		(void)fwrite(w->told.p, 1, w->told.len, stderr);
	if (w->text.len)
		(void)fwrite(w->text.p, 1, w->text.len, stdout); /* cli_finish() looks */
	sq_outbuf_reset(&w->told);
	sq_outbuf_reset(&w->text);
	w->here = 0;
}

/* All from `from` on that was there when it was opened, or as many as are wanted. */
static int read_from(struct sq_spool *s, uint64_t from, sq_spool_each_fn *each, struct show *w)
{
	struct sq_err err = { 0 };
	int r;

	w->text = sq_outbuf_of(SIZE_MAX / 2);
	w->told = sq_outbuf_of(TOLD_BYTES);
	w->next = from;
	w->end = sq_spool_state(s)->next;
	do {
		r = sq_spool_read(s, w->next, each, tell_damaged, w, &err);
		print(w);
	} while (r == PIECE_ENDS);
	sq_outbuf_fini(&w->text);
	sq_outbuf_fini(&w->told);
	if (r < 0)
		return cli_fail("%s", err.text[0] ? err.text : sq_strerror(r));
	return CLI_OK;
}

static uint64_t file_size(const char *dir)
{
	char path[4096];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/data.mdb", dir);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int open_to_read(const char *dir, struct sq_spool **ret)
{
	const struct sq_spool_opts opts = { .dir = dir, .read_only = true };
	struct sq_err err = { 0 }, aside;

	return sq_spool_open(&opts, ret, &aside, &err) < 0 ? cli_fail("%s", err.text) : CLI_OK;
}

static int list(const char *dir, struct show *w)
{
	struct sq_spool *s;
	int status = open_to_read(dir, &s);

	if (status)
		return status;
	status = read_from(s, sq_spool_state(s)->cursor, count_one, w);
	if (!status)
		printf("%s: %llu waiting, %llu of %llu bytes used, cursor at number %llu\n", dir,
		       (unsigned long long)w->n, (unsigned long long)sq_spool_state(s)->used,
		       (unsigned long long)file_size(dir),
		       (unsigned long long)sq_spool_state(s)->cursor);
	sq_spool_close(s);
	return status ? status : w->damaged ? CLI_FOUND : CLI_OK;
}

static int show(const char *dir, struct show *w)
{
	struct sq_spool *s;
	int status = open_to_read(dir, &s);

	if (status)
		return status;
	status = read_from(s, sq_spool_state(s)->cursor, show_one, w);
	sq_spool_close(s);
	return status ? status : w->damaged ? CLI_FOUND : CLI_OK;
}

static int verify(const char *dir, struct show *w)
{
	struct sq_err err = { 0 };
	struct sq_spool *s;
	int r = sq_spool_verify_dir(dir, &err), status;

	if (r == -EUCLEAN || r > 0) {
		(void)cli_fail("%s", err.text);
		return CLI_FOUND;
	}
	if (r < 0)
		return cli_fail("%s", err.text);
	status = open_to_read(dir, &s);
	if (status)
		return status;
	status = read_from(s, 1, count_one, w);
	if (!status && !w->damaged)
		printf("%s: %llu alerts, nothing is damaged\n", dir, (unsigned long long)w->n);
	sq_spool_close(s);
	return status ? status : w->damaged ? CLI_FOUND : CLI_OK;
}

/* What is printed is written, and on the disk if it goes to a file; pipes and terminals have none.
 */
static int settle(void)
{
	int status = cli_finish(CLI_OK);

	if (status || fsync(STDOUT_FILENO) == 0)
		return status;
	if (errno == EINVAL || errno == EROFS || errno == ENOTSUP)
		return CLI_OK;
	return cli_fail("cannot write to standard output: %s", sq_strerror(-errno));
}

/* Nothing is taken out that is not safe where it was printed to. */
static int take_out(struct sq_spool *s, uint64_t cursor)
{
	struct sq_err err = { 0 };
	int r, more;

	do {
		r = sq_spool_begin(s, &err);
		more = r < 0 ? r : sq_spool_trim(s, cursor, &err);
		r = more < 0 ? more : sq_spool_commit(s, &err);
	} while (!r && more > 0);
	return r < 0 ? cli_fail("%s; alerts that were printed are there still", err.text) : CLI_OK;
}

static int drain(const char *dir, struct show *w)
{
	const struct sq_spool_opts opts = { .dir = dir, .size = file_size(dir) + SIZE_MORE };
	struct sq_err err = { 0 }, aside;
	struct sq_spool *s;
	int status;

	if (!file_size(dir))
		return cli_fail("%s: no spool", dir);
	if (sq_spool_open(&opts, &s, &aside, &err) < 0)
		return cli_fail("%s", err.text);
	if (aside.code)
		fprintf(stderr, "squibly: %s\n", aside.text);
	w->max = 0;
	status = read_from(s, sq_spool_state(s)->cursor, show_one, w);
	if (!status)
		status = settle();
	if (!status && w->damaged)
		status = cli_fail("%s: nothing is taken out, since some of it is damaged", dir);
	if (!status && w->n)
		status = take_out(s, w->next);
	sq_spool_close(s);
	return status ? status : aside.code < 0 ? CLI_FOUND : CLI_OK;
}

static int run(const char *what, const char *dir, struct show *w)
{
	if (strcmp(what, "list") == 0)
		return list(dir, w);
	if (strcmp(what, "show") == 0)
		return show(dir, w);
	if (strcmp(what, "verify") == 0)
		return verify(dir, w);
	return drain(dir, w);
}

int cli_spool(int argc, char **argv)
{
	static const struct option options[] = { { "count", required_argument, NULL, 'n' },
		                                 { "long", no_argument, NULL, 'l' },
		                                 { "help", no_argument, NULL, 'h' },
		                                 { 0 } };
	static const char *const words[] = { "list", "show", "verify", "drain" };
	struct show asked = { 0 };
	const char *what = NULL;
	int c, status = CLI_OK;

	while ((c = getopt_long(argc, argv, ":n:l", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			if (!sq_sv_to_u64(sq_sv_of(optarg), &asked.max) || !asked.max)
				return cli_usage("spool", "-n wants a number, not \"%s\"", optarg);
			break;
		case 'l':
			asked.numbers = true;
			break;
		case 'h':
			print_help(stdout);
			return cli_finish(CLI_OK);
		default:
			return cli_bad_option("spool", c, argv);
		}
	}
	for (size_t i = 0; optind < argc && i < SQ_LEN(words); i++)
		if (strcmp(argv[optind], words[i]) == 0)
			what = words[i];
	if (!what)
		return cli_usage("spool", "list, show, verify or drain?");
	if (++optind == argc)
		return cli_usage("spool", "which spool? Its folder is missing");
	for (; optind < argc; optind++) {
		struct show w = asked;
		int r = run(what, argv[optind], &w);

		status = r > status ? r : status;
	}
	return cli_finish(status);
}
