/* What real clients send, as it was recorded. */
#include "tests/support/corpus.h"
#include "tests/unit/wire/lumberjack_world.h"

struct recorded_row {
	const char *name;
	const char *acks;
	size_t n_acks;
	bool is_v1;
};

static struct recorded_row recordings[] = {
	{ "wire_lumberjack_v2_plain.bin", "2A\0\0\0\x14", 6, false },
	{ "wire_lumberjack_v2_zlib.bin", "2A\0\0\0\x14", 6, false },
	{ "wire_lumberjack_v2_multi_c.bin", "2A\0\0\0\x14", 6, false },
	{ "wire_lumberjack_v2_two_windows_reset.bin",
	  "2A\0\0\0\x0a"
	  "2A\0\0\0\x0a",
	  12, false },
	{ "wire_lumberjack_v1_data.bin", "1A\0\0\0\x14", 6, true },
};

enum { FILE_MAX_BYTES = 1 << 20 };

static struct sq_sv load(const char *folder, const char *name)
{
	char path[5000], *p;
	gzFile f;
	int n;

	(void)snprintf(path, sizeof(path), "%s/corpus/%s/%s", corpus_folder(), folder, name);
	f = gzopen(path, "rb");
	assert_non_null(f);
	p = malloc(FILE_MAX_BYTES);
	n = gzread(f, p, FILE_MAX_BYTES);
	assert_true(n > 0 && n < FILE_MAX_BYTES);
	gzclose(f);
	return (struct sq_sv){ p, (size_t)n };
}

/* The values of the pairs "line", found by another way than that under test. */
static struct sq_sv lines_of_v1(struct sq_sv wire)
{
	char *plain = malloc(FILE_MAX_BYTES);
	uLongf n = FILE_MAX_BYTES;
	struct sq_outbuf to = wire_new();
	struct sq_sv left;

	assert_int_equal(uncompress((Bytef *)plain, &n, (const Bytef *)wire.p + 12,
	                            (uLong)wire.n - 12),
	                 Z_OK);
	left = (struct sq_sv){ plain, n };
	for (;;) {
		size_t at = sq_sv_find(left, SQ_SV("\0\0\0\4line"));
		size_t length;

		if (at == SIZE_MAX)
			break;
		left = sq_sv_skip(left, at + 8);
		length = (size_t)(unsigned char)left.p[2] * 256 + (unsigned char)left.p[3];
		sq_outbuf_put(&to, sq_sv_first(sq_sv_skip(left, 4), length));
		sq_outbuf_putc(&to, '\n');
	}
	free(plain);
	return sq_outbuf_view(&to);
}

static void expect_lines(const struct world *w, struct sq_sv lines)
{
	assert_int_equal(w->n, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_sv_equal(sq_sv_of(w->records[i]), sq_sv_cut(&lines, '\n'));
}

static void test_recorded(void **state)
{
	const struct recorded_row *row = *state;
	struct sq_lumber_limits limits = small;
	struct sq_sv wire = load("wire", row->name), lines;
	struct world *w;

	lines = row->is_v1 ? lines_of_v1(wire)
	                   : load("shapes", "derived_winlogbeat_8.17_raw.ndjson.gz");
	limits.max_frame = 1 << 20;
	for (size_t piece = 1; piece <= 64; piece *= 64) {
		w = open_world(&limits);
		w->per_room = 3;
		assert_int_equal(feed(w, wire, piece), 0);
		expect_lines(w, lines);
		expect_acks(w, row->acks, row->n_acks);
		close_world(w);
	}
	/* In two, at every place; one connection for all. */
	w = open_world(&limits);
	w->fast = true;
	for (size_t cut = 1; cut < wire.n; cut++) {
		struct sq_sv a = sq_sv_first(wire, cut), b = sq_sv_skip(wire, cut);

		w->lines = lines;
		assert_int_equal(run(w, &a), 0);
		assert_int_equal(a.n, 0);
		assert_int_equal(run(w, &b), 0);
		assert_int_equal(b.n, 0);
		assert_int_equal(w->n, 20);
		expect_acks(w, row->acks, row->n_acks);
		forget_records(w);
	}
	close_world(w);
	free((void *)(uintptr_t)wire.p);
	free((void *)(uintptr_t)lines.p);
}

int main(void)
{
	if (!corpus_find())
		return CORPUS_SKIPPED;
	return RUN_TABLE("lumberjack/recorded", recordings, test_recorded);
}
