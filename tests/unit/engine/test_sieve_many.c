/* Many words, most of them short: batches of records and lines are sieved as each record is, byte
 * by byte. */
#include "tests/support/test.h"

#include "lib/engine/sieve.h"
#include "lib/rules/sigma.h"

enum { WORDS_MAX = 2400, LEN_MAX = 10, RECORDS = 800, RECORD_MAX = 700, LINES_MAX = 1000 };

static char words[WORDS_MAX][LEN_MAX + 1];

static void make_words(uint32_t n, uint64_t *seed)
{
	for (uint32_t k = 0; k < n; k++) {
		size_t len = 4 + test_random(seed) % (LEN_MAX - 3);

		memset(words[k], 0, sizeof(words[k]));
		for (uint32_t i = 0, number = k; i < len; i++, number /= 26)
			words[k][i] = (char)('a' + (i < 3 ? number : test_random(seed)) % 26);
	}
}

/* Two rules about different events, each of which asks for half of the words. */
static struct sq_sieve *sieve_for(uint32_t n)
{
	static const char *const sources[] = { "category: process_creation", "service: security" };
	static char text[WORDS_MAX * (LEN_MAX + 4) + 400];
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_sieve *sieve;
	struct sq_rules rules;

	assert_int_equal(sq_rules_init(&rules), 0);
	for (uint32_t r = 0; r < SQ_LEN(sources); r++) {
		size_t len = (size_t)snprintf(text, sizeof(text),
		                              "title: Many\nlevel: low\nlogsource: { product: "
		                              "windows, %s }\ndetection:\n  sel:\n    "
		                              "CommandLine|contains:\n",
		                              sources[r]);

		for (uint32_t k = r; k < n; k += SQ_LEN(sources))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "    - %s\n",
			                        words[k]);
		(void)snprintf(text + len, sizeof(text) - len, "  condition: sel\n");
		if (sq_sigma_parse(&rules, sq_sv_of(text), "many.yml", &diags) != 1)
			fail_msg("%s", diags.n ? diags.list[0].text : "?");
	}
	sq_diags_fini(&diags);
	assert_int_equal(sq_ruleset_build(&rules, &(struct sq_ruleset_opts){ .plain = true }, &rs,
	                                  NULL, NULL),
	                 0);
	sieve = sq_sieve_new(rs, 1);
	assert_non_null(sieve);
	sq_ruleset_unref(rs);
	return sieve;
}

/* Text that has words, words with a letter changed, or neither. */
static size_t make_record(char *to, uint32_t n_words, uint64_t *seed)
{
	static const unsigned ids[] = { 1, 4624, 4688, 5156 };
	size_t n = (size_t)snprintf(to, RECORD_MAX, "{\"EventID\":%u,\"CommandLine\":\"",
	                            ids[test_random(seed) % SQ_LEN(ids)]);
	uint32_t pieces = test_random(seed) % 40, kind = test_random(seed) % 3;

	while (pieces--) {
		const char *word = words[test_random(seed) % n_words];
		size_t len = strlen(word), wrong = test_random(seed) % len;

		for (uint32_t gap = test_random(seed) % 7; gap; gap--)
			to[n++] = "-., /="[test_random(seed) % 6];
		for (size_t i = 0; i < len; i++) {
			char c = test_random(seed) % 2 ? word[i] : (char)(word[i] - 32);

			to[n++] = i == wrong && (kind || pieces != 7) ? '_' : c;
		}
	}
	memcpy(to + n, "\"}\n", 3);
	return n + 3;
}

static const struct sq_batch_limits limits = { .chunk = RECORDS * RECORD_MAX,
	                                       .records = LINES_MAX,
	                                       .origins = 1,
	                                       .arena = 1 << 16,
	                                       .out = 1 << 16 };

/* By windows, by pieces everywhere, in two sets of tables, and short ones beside long ones. */
static const uint32_t rows[] = { 30, 300, 1100, WORDS_MAX };

static struct sq_batch *new_batch(void)
{
	struct sq_batch *b = sq_batch_new(&limits);

	assert_non_null(b);
	assert_int_equal(sq_batch_origin(b, NULL, ""), 0);
	return b;
}

/* What is in the chunk of `b`, as lines: what sq_sieve_run() kept of it is kept, and nothing else.
 */
static void lines_agree(const struct sq_sieve *sieve, const struct sq_batch *b)
{
	struct sq_batch *lines = new_batch();
	struct sq_sv text = { b->chunk, b->tail };
	uint32_t n = 0, kept = 0;

	assert_true(sq_sieve_lines(sieve, lines, 0, text, RECORD_MAX, NULL, NULL, &n));
	assert_int_equal(n, b->n_records);
	for (uint32_t i = 0; i < b->n_records; i++) {
		if (b->records[i].left_out)
			continue;
		assert_in_range(kept, 0, lines->n_records - 1);
		assert_ptr_equal(lines->records[kept].raw.p, b->records[i].raw.p);
		assert_int_equal(lines->records[kept].raw.n, b->records[i].raw.n);
		kept++;
	}
	assert_int_equal(lines->n_records, kept);
	assert_int_equal(lines->counts.left_out, n - kept);
	sq_batch_free(lines);
}

static void batches_are_sieved_as_records_are(void **state SQ_UNUSED)
{
	uint64_t seed = 7;

	for (size_t r = 0; r < SQ_LEN(rows); r++) {
		struct sq_batch *b = new_batch();
		struct sq_sieve *sieve;
		uint32_t left_out = 0;

		make_words(rows[r], &seed);
		sieve = sieve_for(rows[r]);
		assert_false(sq_sieve_is_open(sieve));
		for (uint32_t i = 0; i < RECORDS; i++) {
			size_t n = make_record(b->chunk + b->tail, rows[r], &seed);

			assert_true(n <= RECORD_MAX);
			assert_int_equal(sq_batch_add(b, 0,
			                              (struct sq_sv){ b->chunk + b->tail, n - 1 }),
			                 0);
			b->tail += (uint32_t)n;
		}
		assert_true(b->tail > 2 * (64 << 10)); /* lines are looked at by so many bytes */
		sq_sieve_run(sieve, b, 0);
		for (uint32_t i = 0; i < RECORDS; i++) {
			const struct sq_record *record = &b->records[i];

			left_out += record->left_out;
			if (record->left_out == sq_sieve_keeps(sieve, record->raw))
				fail_msg("%u words, %s: %.*s", rows[r],
				         record->left_out ? "left out" : "kept",
				         SQ_SV_ARG(record->raw));
		}
		assert_in_range(left_out, RECORDS / 4, RECORDS - 10);
		lines_agree(sieve, b);
		sq_sieve_unref(sieve);
		sq_batch_free(b);
	}
}

/* So many lines with a word are noted of 64 KiB, 512; of more the framer tells. */
static void short_lines_that_all_have_a_word(void **state SQ_UNUSED)
{
	static const struct {
		uint32_t lines;
		bool cut;
	} counts[] = { { 512, true }, { 513, false } };
	uint64_t seed = 11;

	for (size_t r = 1; r < SQ_LEN(rows); r++) {
		struct sq_sieve *sieve;

		make_words(rows[r], &seed);
		sieve = sieve_for(rows[r]);
		for (size_t c = 0; c < SQ_LEN(counts); c++) {
			struct sq_batch *b = new_batch();
			uint32_t n = 0, tail = 0;
			bool cut;

			/* Rules about starts of processes have every other word, the first too. */
			for (uint32_t i = 0; i < counts[c].lines; i++)
				tail += (uint32_t)sprintf(
					b->chunk + tail,
					"{\"EventID\":4688,\"CommandLine\":\"%s\"}\n", words[0]);
			cut = sq_sieve_lines(sieve, b, 0, (struct sq_sv){ b->chunk, tail },
			                     RECORD_MAX, NULL, NULL, &n);
			assert_int_equal(cut, counts[c].cut);
			assert_int_equal(b->n_records, cut ? counts[c].lines : 0);
			assert_int_equal(b->counts.left_out, 0);
			sq_batch_free(b);
		}
		sq_sieve_unref(sieve);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_are_sieved_as_records_are),
		cmocka_unit_test(short_lines_that_all_have_a_word),
	};

	return cmocka_run_group_tests_name("engine/sieve_many", tests, NULL, NULL);
}
