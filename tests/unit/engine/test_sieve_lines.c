/* Cutting and sieving in one pass gives what the framer and the sieve give one after the other. */
#include "lib/text/spot.h"
#include "lib/wire/frame.h"
#include "tests/unit/engine/rig.h"

enum { CHUNK = 1 << 20, RECORDS = 4096, MAX_RECORD = 20000, TEXTS = 4000, TEXT_MAX = 300000 };

struct lines {
	struct sq_sieve *sieve;
	struct sq_batch *once, *twice;
	char *text, *exact; /* the second: what views are of */
	size_t n;
	uint32_t cut;
	uint64_t random;
};

static uint32_t any(struct lines *t, uint32_t n)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (uint32_t)(t->random >> 33) % n;
}

static void setup(struct lines *t)
{
	const struct sq_batch_limits limits = {
		.chunk = CHUNK, .records = RECORDS, .origins = 1, .arena = 4096, .out = 4096
	};
	struct sq_ruleset *rs = rig_ruleset(true);

	*t = (struct lines){ .random = 88172645463325252u };
	t->sieve = sq_sieve_new(rs, 7);
	t->once = sq_batch_new(&limits);
	t->twice = sq_batch_new(&limits);
	t->text = malloc(TEXT_MAX);
	assert_true(t->sieve && t->once && t->twice && t->text);
	sq_ruleset_unref(rs);
}

static void teardown(struct lines *t)
{
	sq_sieve_unref(t->sieve);
	sq_batch_free(t->once);
	sq_batch_free(t->twice);
	free(t->text);
	free(t->exact);
}

static bool run_once(struct lines *t)
{
	free(t->exact);
	t->exact = malloc(t->n ? t->n : 1); /* so that ASan sees one byte too many */
	assert_non_null(t->exact);
	memcpy(t->exact, t->text, t->n);
	sq_batch_reset(t->once);
	assert_int_equal(sq_batch_origin(t->once, NULL, ""), 0);
	return sq_sieve_lines(t->sieve, t->once, 0, (struct sq_sv){ t->exact, t->n }, MAX_RECORD,
	                      NULL, NULL, &t->cut);
}

/* @return what sq_frame_next() gave last */
static int run_twice(struct lines *t, struct sq_frame *f)
{
	struct sq_batch *b = t->twice;
	struct sq_sv in = { b->chunk, t->n }, rec;
	size_t used;
	int r;

	*f = sq_frame_between(MAX_RECORD);
	sq_batch_reset(b);
	assert_int_equal(sq_batch_origin(b, NULL, ""), 0);
	memcpy(b->chunk, t->text, t->n);
	while ((r = sq_frame_next(f, in, false, &used, &rec)) == 1) {
		assert_int_equal(sq_batch_add(b, 0, rec), 0);
		in = sq_sv_skip(in, used);
	}
	sq_sieve_run(t->sieve, b, 0);
	return r == 0 && used == in.n ? 0 : -1;
}

static void agree(struct lines *t)
{
	const struct sq_batch *a = t->once, *b = t->twice;
	uint32_t kept = 0;
	struct sq_frame f;

	assert_int_equal(run_twice(t, &f), 0);
	assert_true(sq_frame_is_between(&f));
	assert_int_equal(t->cut, b->n_records);
	assert_int_equal(a->origins[0].n, b->n_records);
	for (uint32_t i = 0; i < b->n_records; i++) {
		if (b->records[i].left_out)
			continue;
		assert_in_range(kept, 0, a->n_records - 1);
		assert_sv_equal(a->records[kept].raw, b->records[i].raw);
		assert_false(a->records[kept].left_out);
		kept++;
	}
	assert_int_equal(a->n_records, kept);
	assert_int_equal(a->counts.left_out, b->n_records - kept);
	assert_int_equal(a->counts.clean, b->n_records - kept);
}

static void put(struct lines *t, const char *s)
{
	size_t n = strlen(s);

	assert_true(t->n + n < TEXT_MAX);
	memcpy(t->text + t->n, s, n);
	t->n += n;
}

static const char *const values[] = {
	"notepad.exe",
	"C:\\\\x\\\\regsvr32.exe",
	"scrobj.dll",
	"r\\u0065gsvr32",
	"re^gsvr32 /i:x",
	"\\\"a\\\"b",
	"&amp;",
	"regsvr3",
	"gsvr32 scro bj",
	"sc\\\\robj",
	"\xc3\xa4",
	"scrobj\xc2\xad",
	"dir /s -i:http:",
	"%comspec% $env:x",
	"4688",
	"x\ty",
	"\\r\\n :",
	"/i",
	"\\u200bscro",
	"",
};

static void put_line(struct lines *t, uint32_t pad)
{
	put(t, "{\"EventID\":");
	put(t, any(t, 4) ? "4688" : "13");
	put(t, ",\"Channel\":\"Security\",\"Pad\":\"");
	memset(t->text + t->n, 'p', pad);
	t->n += pad;
	for (uint32_t i = any(t, 3); i; i--)
		put(t, values[any(t, SQ_LEN(values))]);
	put(t, "\",\"Image\":\"");
	put(t, values[any(t, SQ_LEN(values))]);
	put(t, "\"}");
	put(t, any(t, 4) ? "\n" : "\r\n");
}

static void lines_of_all_kinds_and_lengths(void **state)
{
	struct lines t;

	(void)state;
	setup(&t);
	for (int i = 0; i < TEXTS; i++) {
		t.n = 0;
		for (uint32_t k = any(&t, 20); k; k--)
			put_line(&t, any(&t, 8) ? any(&t, 300) : any(&t, 9000));
		assert_true(run_once(&t));
		agree(&t);
	}
	teardown(&t);
}

/* Records of a line each, of many places: beyond a number of them a record is kept. */
static void lines_full_of_places(void **state)
{
	struct lines t;

	(void)state;
	setup(&t);
	for (uint32_t n = 50; n < 80; n++) {
		t.n = 0;
		put_line(&t, 1);
		put(&t, "{\"a\":\"");
		for (uint32_t i = 0; i < n; i++)
			put(&t, "x-u1 ");
		put(&t, "\"}\n");
		put_line(&t, 1);
		assert_true(run_once(&t));
		agree(&t);
	}
	t.n = 0;
	put(&t, "{\"a\":\"");
	for (uint32_t i = 0; i < 3 * SQ_SPOT_ROOM; i++)
		put(&t, "^");
	put(&t, "\"}\n");
	assert_false(run_once(&t));
	teardown(&t);
}

static void what_is_not_plain_lines_is_left_alone(void **state)
{
	static const char *const others[] = {
		"no json\n",
		"{\"a\":1} \n",
		"{\"a\":1\n",
		" {\"a\":1}\n",
		"[{\"a\":1}]\n",
		"\n",
		"\r\n",
		"{\n",
		"{\"a\":1}",
		"<14>x {\"a\":1}\n",
		"12 {\"a\":\"b\"}",
		"{\"a\":1}\r\r\n",
		"}\n",
		"\xef\xbb\xbf{}\n",
	};
	struct lines t;

	(void)state;
	setup(&t);
	for (size_t i = 0; i < SQ_LEN(others); i++) {
		t.n = 0;
		put_line(&t, 5);
		put(&t, others[i]);
		if (i % 2)
			put_line(&t, 5);
		assert_false(run_once(&t));
		assert_int_equal(t.once->n_records, 0);
		assert_int_equal(t.once->counts.clean, 0);
		assert_int_equal(t.once->counts.left_out, 0);
		assert_int_equal(t.once->origins[0].n, 0);
	}
	t.n = 0;
	put(&t, "{\"a\":1}\n{\"a\":2}\n");
	assert_true(run_once(&t));
	t.text[3] = '\0'; /* ends a record, whatever it is in */
	assert_false(run_once(&t));
	t.text[3] = 'a';
	t.text[7] = '\0'; /* between two */
	assert_false(run_once(&t));
	t.n = 0; /* nothing at all is no line that is not plain */
	assert_true(run_once(&t));
	teardown(&t);
}

/* One byte more, and it is for the framer to tell. */
static void a_line_is_as_long_as_a_record_at_most(void **state)
{
	struct lines t;

	(void)state;
	setup(&t);
	for (int more = 0; more < 2; more++) {
		for (int cr = 0; cr < 2; cr++) {
			t.n = MAX_RECORD + (size_t)more;
			memset(t.text, 'x', t.n);
			t.text[0] = '{';
			t.text[t.n - 1] = '}';
			put(&t, cr ? "\r\n" : "\n");
			assert_int_equal(run_once(&t), !more);
			if (!more)
				agree(&t);
		}
	}
	teardown(&t);
}

static void what_does_not_fit_is_left_alone(void **state)
{
	struct lines t;

	(void)state;
	setup(&t);
	t.n = 0;
	put(&t, "{\"a\":\"scrobj\",\"EventID\":1}\n{\"a\":\"scrobj\",\"EventID\":1}\n");
	t.once->limits.records = 1;
	assert_false(run_once(&t));
	t.once->limits.records = 2;
	assert_true(run_once(&t));
	assert_int_equal(t.once->n_records, 2);
	t.once->limits.records = RECORDS;
	teardown(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_all_kinds_and_lengths),
		cmocka_unit_test(lines_full_of_places),
		cmocka_unit_test(what_is_not_plain_lines_is_left_alone),
		cmocka_unit_test(a_line_is_as_long_as_a_record_at_most),
		cmocka_unit_test(what_does_not_fit_is_left_alone),
	};

	return cmocka_run_group_tests_name("engine/sieve_lines", tests, NULL, NULL);
}
