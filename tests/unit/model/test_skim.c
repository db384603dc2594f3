/* Skim against yajl: whatever it is certain of, yajl reads the same. */
#include "tests/support/corpus.h"
#include "tests/support/skimpair.h"

#include <sys/mman.h>
#include <unistd.h>

static const struct sq_json_limits limits = { 64, 10000 };

/* The five that most rules look at, which also stand at more than one kind of place. */
static const struct sq_skim_want *few(void)
{
	static struct sq_skim_want want;

	sq_skim_want_field(&want, SQ_F_EVENT_ID);
	sq_skim_want_field(&want, SQ_F_CHANNEL);
	sq_skim_want_field(&want, SQ_F_IMAGE);
	sq_skim_want_field(&want, SQ_F_NEW_PROCESS_NAME);
	sq_skim_want_field(&want, SQ_F_COMMAND_LINE);
	return &want;
}

/* Everything; everything and every scalar; few fields. */
enum { PAIRS = 3 };

struct world {
	struct sq_fields *fields;
	struct skim_pair pairs[PAIRS];
};

static void begin(struct world *w)
{
	w->fields = sq_fields_new();
	assert_true(sq_fields_add(w->fields, SQ_SV("TargetObject")) > 0);
	assert_true(sq_fields_add(w->fields, SQ_SV("Id")) > 0);
	skim_pair_begin(&w->pairs[0], w->fields, NULL, false, &limits);
	skim_pair_begin(&w->pairs[1], w->fields, NULL, true, &limits);
	skim_pair_begin(&w->pairs[2], w->fields, few(), false, &limits);
}

static void end(struct world *w)
{
	for (size_t i = 0; i < PAIRS; i++)
		skim_pair_end(&w->pairs[i]);
	sq_fields_free(w->fields);
	free(w);
}

static struct world *new_world(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	begin(w);
	return w;
}

/* In memory of exactly its size. @return whether skim was certain, in all three ways */
static unsigned check(struct world *w, struct sq_sv text)
{
	char *copy = exact(text.p, text.n);
	unsigned certain = 0;

	for (size_t i = 0; i < PAIRS; i++)
		certain += skim_pair_check(&w->pairs[i], (struct sq_sv){ copy, text.n });
	free(copy);
	return certain;
}

static void every_real_record_is_skimmed_as_yajl_reads_it(void **state)
{
	static const char *const folders[] = { "corpus/nxlog", "corpus/nxlog-wef",
		                               "corpus/winlogbeat6" };
	struct world *w;

	(void)state;
	(void)corpus_folder();
	w = new_world();
	for (size_t i = 0; i < SQ_LEN(folders); i++) {
		struct corpus c = { 0 };

		corpus_add(&c, folders[i], 1);
		for (size_t k = 0; k < c.n; k++)
			assert_int_equal(check(w, c.records[k]), PAIRS);
		corpus_end(&c);
	}
	assert_int_equal(w->pairs[0].certain, 19318);
	end(w);
}

static void every_shape_and_every_trick_is_skimmed_as_yajl_reads_it(void **state)
{
	struct corpus c = { 0 };
	char path[4200];
	struct world *w;

	(void)state;
	corpus_add(&c, "corpus/shapes", 1);
	(void)snprintf(path, sizeof(path), "%s/labelled/jsontricks.jsonl", corpus_folder());
	corpus_file(&c, path, 1);
	w = new_world();
	for (size_t k = 0; k < c.n; k++) {
		struct sq_sv record = c.records[k], head;
		size_t at;

		(void)check(w, record);
		at = sq_sv_chr(record, '{'); /* behind a syslog header */
		if (at != SIZE_MAX)
			(void)check(w, sq_sv_skip(record, at));
		head = record; /* the trick itself, which the label holds as a string */
		at = sq_sv_find(head, SQ_SV("\"raw\": \""));
		if (at != SIZE_MAX) {
			char *raw = exact(head.p + at + 8, head.n - at - 8);
			size_t n = 0;

			for (size_t i = at + 8; i < head.n && head.p[i] != '"'; i++) {
				i += head.p[i] == '\\';
				raw[n++] = head.p[i];
			}
			(void)check(w, (struct sq_sv){ raw, n });
			free(raw);
		}
	}
	assert_true(w->pairs[0].certain > 500);
	end(w);
	corpus_end(&c);
}

struct made {
	const char *name, *text;
	bool certain;
};

/* clang-format off */
static const struct made made[] = {
	{ "an empty object", "{}", true },
	{ "an empty array", "[]", true },
	{ "blanks everywhere", " {\t\"EventID\" : 1 ,\r\n \"Channel\"\n:\"x\" } ", true },
	{ "something behind the value", "{\"EventID\":1}{\"EventID\":2}", true },
	{ "numbers of all kinds", "{\"EventID\":-0.5e+10,\"a\":0,\"b\":-0,\"c\":12345678,\"d\":123456789012,\"e\":1E5}", true },
	{ "words", "{\"EventID\":null,\"a\":true,\"Image\":false}", true },
	{ "a key twice", "{\"Image\":\"a\",\"Image\":\"b\",\"Image\":\"a\"}", true },
	{ "escapes in a value", "{\"Image\":\"C:\\\\x\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\\"\"}", true },
	{ "a zero byte in a value", "{\"Image\":\"a\\u0000b\"}", true },
	{ "nesting that is wanted and that is not", "{\"winlog\":{\"event_data\":{\"Image\":\"a\"},\"x\":{\"y\":[1,{\"z\":2}]}}}", true },
	{ "data without names", "{\"EventData\":{\"Data\":[\"a\",1,null,{\"Name\":\"b\"}]},\"EventID\":1}", true },
	{ "pairs of name and value", "{\"EventData\":{\"Data\":[{\"name\":\"Image\",\"value\":\"x\"}]}}", true },
	{ "attributes and texts of XML", "{\"EventData\":{\"Data\":[{\"@Name\":\"Image\",\"#text\":\"x\"},{\"_\":\"y\",\"$\":{\"Name\":\"User\"}},"
	  "{\"$\" : 7 , \"Name\":\"Company\"},{\"Name\":\"Product\",\"\":\"z\"},{\"_\":8,\"x\":1,\"Name\":\"Hashes\"},{\"\" : \"v\",\"y\":2,\"Name\":\"Description\"}]}}", true },
	{ "EventData as a list of pairs", "{\"EventData\":[{\"@Name\":\"Image\",\"#text\":\"x\"},{\"Data\":{\"name\":\"User\",\"value\":\"y\"}},{\"value\":1}]}", true },
	{ "an event in a text", "{\"Message\":\"{\\\"EventID\\\":1}\",\"message\":\" <Event>\"}", true },
	{ "one key for a whole path", "{\"winlog.event_data.Image\":\"a\",\"Image.\":\"b\",\"_Image\":\"c\",\"__Image\":\"d\"}", true },
	{ "an empty key", "{\"\":1,\"EventID\":2}", true },
	{ "bytes that are no UTF-8", "{\"Image\":\"\xff\xfe\x80\",\"\xff\":1}", true },
	{ "an escape in a key", "{\"Im\\u0061ge\":\"a\"}", false },
	{ "a surrogate in a wanted value", "{\"Image\":\"\\ud83d\\ude00\"}", false },
	{ "a lone surrogate in a wanted value", "{\"Image\":\"\\ud83dx\"}", false },
	{ "nothing", "", false },
	{ "blanks only", "  ", false },
	{ "no object", "\"EventID\"", false },
	{ "a number", "1", false },
	{ "a comma too many in an object", "{\"EventID\":1,}", false },
	{ "a comma too many in an array", "[1,]", false },
	{ "no comma", "{\"EventID\":1 \"a\":2}", false },
	{ "no colon", "{\"EventID\" 1}", false },
	{ "a key that is no string", "{EventID:1}", false },
	{ "a number as key", "{1:1}", false },
	{ "brackets crossed", "{\"a\":[1}]", false },
	{ "a bracket missing", "{\"a\":{\"b\":1}", false },
	{ "a string without an end", "{\"a\":\"b}", false },
	{ "a control character in a string that nobody wants", "{\"zz\":\"a\x01\"}", false },
	{ "a line end in a string", "{\"zz\":\"a\nb\"}", false },
	{ "an escape that is none", "{\"zz\":\"a\\xb\"}", false },
	{ "an escape of three digits", "{\"zz\":\"a\\u12g4\"}", false },
	{ "an escape cut off", "{\"zz\":\"a\\u12\"}", false },
	{ "a leading zero", "{\"zz\":012}", false },
	{ "a lone minus", "{\"zz\":-}", false },
	{ "a point without digits", "{\"zz\":1.}", false },
	{ "an exponent without digits", "{\"zz\":1e+}", false },
	{ "a word that is none", "{\"zz\":nul}", false },
	{ "a word with more behind it", "{\"zz\":truex}", false },
	{ "a string with more behind it", "{\"zz\":\"a\"b}", false },
	{ "two values", "{\"zz\":1 2}", false },
	{ "a number and a string", "{\"zz\":1\"a\"}", false },
	{ "a comment", "{\"zz\":1/**/}", false },
};
/* clang-format on */

static void made_text(void **state)
{
	const struct made *m = *state;
	struct world *w = new_world();
	size_t n = strlen(m->text);

	for (size_t before = 0; before < 130; before++) { /* at every place in a block */
		char *text = malloc(before + n + 1);

		memset(text, ' ', before);
		memcpy(text + before, m->text, n + 1);
		assert_int_equal(check(w, (struct sq_sv){ text, before + n }),
		                 m->certain ? PAIRS : 0);
		free(text);
	}
	end(w);
}

static void depth_and_keys_end_where_yajls_do(void **state)
{
	static const struct sq_json_limits small = { 5, 4 };
	struct sq_fields *fields = sq_fields_new();
	struct skim_pair *p = calloc(1, sizeof(*p));

	(void)state;
	skim_pair_begin(p, fields, NULL, false, &small);
	assert_true(skim_pair_check(p, SQ_SV("[[[[[1]]]]]")));
	assert_false(skim_pair_check(p, SQ_SV("[[[[[[1]]]]]]")));
	assert_true(skim_pair_check(p, SQ_SV("{\"a\":{\"b\":1,\"c\":2},\"d\":3}")));
	assert_false(skim_pair_check(p, SQ_SV("{\"a\":{\"b\":1,\"c\":2},\"d\":3,\"e\":4}")));
	assert_false(skim_pair_check(p, SQ_SV("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}")));
	skim_pair_end(p);
	free(p);
	sq_fields_free(fields);
}

/* ---- every key, at every place, spelt in every way ---- */

static const char *const places[] = {
	"{%s}",
	"{\"zz\":1,%s,\"yy\":2}",
	"{\"zz\":\"a\",%s,\"yy\":{\"xx\":[]}}",
	"{\"winlog\":{%s,\"zz\":1}}",
	"{\"winlog\":{\"event_data\":{\"zz\":1,%s,\"yy\":2}}}",
	"{\"event_data\":{\"zz\":1,%s,\"yy\":2}}",
	"{\"EventData\":{\"zz\":1,%s,\"yy\":2}}",
	"{\"data\":{\"win\":{\"eventdata\":{\"zz\":1,%s,\"yy\":2},\"system\":{\"zz\":1,%s,\"yy\":2}}}}",
	"{\"Event\":{\"System\":{\"zz\":1,%s,\"yy\":2},\"EventData\":{\"zz\":1,%s,\"yy\":2}}}",
	"{\"Event\":{\"EventData\":{\"Data\":[{\"zz\":1,%s,\"yy\":2},{%s,\"Name\":\"Image\"}]}},\"EventData\":[{%s,\"yy\":2}]}",
	"{\"System\":{\"EventID\":{\"zz\":1,%s,\"yy\":2}}}",
	"{\"fields\":{\"zz\":1,%s,\"yy\":2}}",
	"{\"_source\":{\"zz\":1,%s,\"yy\":2}}",
	"{\"event\":{\"zz\":1,%s,\"yy\":2}}",
	"{\"nobody\":{\"zz\":1,%s,\"yy\":2}}",
	"{\"UserData\":{\"zz\":1,%s,\"yy\":2},\"process\":{\"zz\":1,%s,\"yy\":2}}",
};

static const char *const values[] = { "\"v\"", "-1234567890", "-7.5",
	                              "null",  "[\"v\",7]",   "{\"name\":\"v\"}" };

static void put_member(char *to, size_t room, struct sq_sv key, const char *between,
                       const char *value)
{
	(void)snprintf(to, room, "\"%.*s\"%s%s", SQ_SV_ARG(key), between, value);
}

static void try_key(struct world *w, struct sq_sv key)
{
	for (size_t p = 0; p < SQ_LEN(places); p++) {
		for (size_t v = 0; v < SQ_LEN(values); v++) {
			char member[600], text[2400];
			const char *rest = places[p];
			size_t n = 0;

			put_member(member, sizeof(member), key, v % 2 ? ":" : " : ", values[v]);
			for (; *rest; rest++) {
				if (rest[0] == '%' && rest[1] == 's') {
					n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
					                      member);
					rest++;
				} else {
					text[n++] = *rest;
				}
			}
			(void)check(w, (struct sq_sv){ text, n });
		}
	}
}

/* Byte `at` as an escape. */
static struct sq_sv escaped(char to[400], struct sq_sv key, size_t at)
{
	int n = snprintf(to, 400, "%.*s\\u%04x%.*s", (int)at, key.p, (unsigned char)key.p[at],
	                 (int)(key.n - at - 1), key.p + at + 1);

	return (struct sq_sv){ to, (size_t)n };
}

static void try_spellings(struct world *w, struct sq_sv key)
{
	static const char *const forms[] = { "%.*s",
		                             "_%.*s",
		                             "__%.*s",
		                             "%.*s.",
		                             "%.*s.x",
		                             "x.%.*s",
		                             "winlog.%.*s",
		                             "Data_%.*s",
		                             "%.*sX",
		                             "process.parent.%.*s",
		                             "_winlog.event_data.%.*s",
		                             "user_data.%.*s",
		                             "data.win.eventdata.%.*s" };
	char more[400];

	for (size_t i = 0; i < SQ_LEN(forms); i++) {
		/* of the table above */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		int n = snprintf(more, sizeof(more), forms[i], SQ_SV_ARG(key));
#pragma GCC diagnostic pop

		try_key(w, (struct sq_sv){ more, (size_t)n });
	}
	for (size_t i = 0; i < key.n && i < 6; i++)
		try_key(w, escaped(more, key, i));
	if (key.n) {
		char lower[400];

		memcpy(lower, key.p, key.n);
		lower[0] = (char)(lower[0] ^ 0x20);
		try_key(w, (struct sq_sv){ lower, key.n });
		try_key(w, sq_sv_first(key, key.n - 1));
	}
}

/* Is it the key of a step before this one? */
static bool was_tried(const struct sq_trie *trie, const struct sq_step *step)
{
	const struct sq_step *s;

	for (size_t i = 0; (s = sq_trie_next_step(trie, &i)) != step;)
		if (sq_sv_eq(s->key, step->key))
			return true;
	return false;
}

/* One world for many keys, and a new one from time to time, so that both are tried: keys that are
 * remembered and keys that are not. */
static void every_key_of_every_path_is_found_wherever_it_stands(void **state)
{
	struct sq_trie *trie = sq_trie_new();
	struct world *w = new_world();
	const struct sq_step *step;
	size_t tried = 0;

	(void)state;
	for (size_t i = 0; (step = sq_trie_next_step(trie, &i)); tried++) {
		if (was_tried(trie, step))
			continue;
		if (tried % 64 == 63) {
			end(w);
			w = new_world();
		}
		try_spellings(w, step->key);
	}
	for (uint32_t f = 0; f<sq_fields_count(w->fields); f += f> SQ_F_PRODUCED ? 7 : 1)
		try_spellings(w, sq_fields_name(w->fields, f));
	assert_true(w->pairs[2].certain > 10000);
	end(w);
	sq_trie_free(trie);
}

/* ---- memory ---- */

static void nothing_is_read_past_the_end_of_a_page_at_any_alignment(void **state)
{
	static const char *const texts[] = {
		"{\"EventID\":1}",
		"{\"EventTime\":\"2020\",\"Image\":\"C:\\\\x.exe\",\"n\":12,\"u\":\"\\u0041\"}",
		"{\"EventTime\":\"2020\",\"Image\":\"C:\\\\x.exe\",\"n\":12,\"u\":\"\\u0041\"",
		"{\"EventTime\":\"2020\",\"Image\":\"C:\\\\x.exe\",\"n\":12,\"u\":\"\\u00",
		"{\"a\":[1,2,3],\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Id\":4",
		"{\"Id\":4,\"",
		"{\"Id\":4,\"\":1}",
	};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map =
		mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct world *w = new_world();

	(void)state;
	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map, page, PROT_NONE), 0);
	assert_int_equal(mprotect(map + 3 * page, page, PROT_NONE), 0);
	for (size_t i = 0; i < SQ_LEN(texts); i++) {
		size_t n = strlen(texts[i]);

		for (size_t blanks = 0; blanks < 140; blanks++) {
			char *at = map + 3 * page - n - blanks, *start = map + page;

			memset(at, ' ', blanks); /* before it: it ends with the page */
			memcpy(at + blanks, texts[i], n);
			for (size_t k = 0; k < PAIRS; k++)
				(void)skim_pair_check(&w->pairs[k],
				                      (struct sq_sv){ at, n + blanks });
			memset(at, 'x', n + blanks);
			memcpy(start, texts[i], n); /* it begins with the page */
			memset(start + n, ' ', blanks);
			for (size_t k = 0; k < PAIRS; k++)
				(void)skim_pair_check(&w->pairs[k],
				                      (struct sq_sv){ start, n + blanks });
		}
	}
	end(w);
	munmap(map, 4 * page);
}

/* ---- mutations ---- */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

enum { MUTANT_MAX = 16384 };

static size_t insert(char *p, size_t n, size_t at, struct sq_sv what)
{
	if (n + what.n > MUTANT_MAX)
		return n;
	memmove(p + at + what.n, p + at, n - at);
	memcpy(p + at, what.p, what.n);
	return n + what.n;
}

static size_t mutate(char *p, size_t n, struct sq_sv other, uint64_t *seed)
{
	static const struct sq_sv pieces[] = {
		SQ_SV("\""),
		SQ_SV("\\"),
		SQ_SV("{"),
		SQ_SV("}"),
		SQ_SV("["),
		SQ_SV("]"),
		SQ_SV(":"),
		SQ_SV(","),
		SQ_SV("\\\\"),
		SQ_SV("\\\""),
		SQ_SV("\\u0041"),
		SQ_SV("\\ud800"),
		SQ_SV("\\u00"),
		SQ_SV("0"),
		SQ_SV("-"),
		SQ_SV("1e5"),
		SQ_SV("null"),
		SQ_SV(" "),
		SQ_SV("\t"),
		SQ_SV("\n"),
		SQ_SV("\x01"),
		SQ_SV("\x7f"),
		SQ_SV("\xc3\xa9"),
		SQ_SV("\xff"),
		SQ_SV("\"Image\":\"a\\\\b\","),
		SQ_SV("\"EventID\":4688,"),
		SQ_SV("\"CommandLine\":[\"a\",1],"),
		SQ_SV("\"event_data\":{\"Image\":1},"),
		SQ_SV("\"winlog.event_id\":1,"),
		SQ_SV("\"message\":\"{}\","),
		SQ_SV(".x"),
		SQ_SV("_"),
		SQ_SV("\\/"),
		SQ_SV("\\n"),
	};
	size_t at = n ? next_random(seed) % n : 0, some;

	switch (next_random(seed) % 8) {
	case 0:
		if (n)
			p[at] ^= (char)(1u << next_random(seed) % 8);
		return n;
	case 1:
		return at; /* cut off */
	case 2:            /* cut out */
		some = next_random(seed) % (n - at < 40 ? n - at + 1 : 40);
		memmove(p + at, p + at + some, n - at - some);
		return n - some;
	case 3: /* said twice */
		some = next_random(seed) % (n - at < 200 ? n - at + 1 : 200);
		if (n + some > MUTANT_MAX)
			return n;
		memmove(p + at + some, p + at, n - at);
		return n + some;
	case 4: /* spliced */
		if (other.n) {
			size_t from = next_random(seed) % other.n;

			some = other.n - from < MUTANT_MAX - at ? other.n - from : MUTANT_MAX - at;
			memcpy(p + at, other.p + from, some);
			return at + some;
		}
		return n;
	default:
		return insert(p, n, at, pieces[next_random(seed) % SQ_LEN(pieces)]);
	}
}

/* At a colon, comma, quote or bracket more often than within a text: there it matters. */
static void mutants(struct world *w, const struct corpus *c, unsigned long count, uint64_t seed)
{
	char *p = malloc(MUTANT_MAX);

	for (unsigned long i = 0; i < count; i++) {
		struct sq_sv from = c->records[next_random(&seed) % c->n];
		struct sq_sv other = c->records[next_random(&seed) % c->n];
		size_t n = from.n < MUTANT_MAX ? from.n : MUTANT_MAX;
		unsigned times = (unsigned)(next_random(&seed) % 4);
		char *copy;

		memcpy(p, from.p, n);
		for (unsigned k = 0; k <= times; k++)
			n = mutate(p, n, other, &seed);
		copy = exact(p, n);
		(void)skim_pair_check(&w->pairs[i % PAIRS], (struct sq_sv){ copy, n });
		free(copy);
	}
	free(p);
}

static void mutated_records_are_skimmed_as_yajl_reads_them_or_not_at_all(void **state)
{
	const char *many = getenv("SQUIBLY_MUTANTS"), *seed = getenv("SQUIBLY_SEED");
	unsigned long count = many ? strtoul(many, NULL, 10) : 200000, certain = 0, good = 0;
	struct corpus c = { 0 };
	struct world *w;

	(void)state;
	corpus_add(&c, "corpus/nxlog", 97);
	corpus_add(&c, "corpus/winlogbeat6", 57);
	corpus_add(&c, "corpus/shapes", 5);
	w = new_world();
	mutants(w, &c, count, seed ? strtoull(seed, NULL, 10) : 0x9e3779b97f4a7c15u);
	for (size_t i = 0; i < PAIRS; i++) {
		certain += w->pairs[i].certain;
		good += w->pairs[i].unsure_though_good;
	}
	print_message("%lu mutants, skim certain of %lu, not of %lu that yajl reads\n", count,
	              certain, good);
	assert_true(certain > count / 20);
	assert_true(good < count / 20);
	end(w);
	corpus_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_and_keys_end_where_yajls_do),
		cmocka_unit_test(nothing_is_read_past_the_end_of_a_page_at_any_alignment),
		cmocka_unit_test(every_key_of_every_path_is_found_wherever_it_stands),
		cmocka_unit_test(every_shape_and_every_trick_is_skimmed_as_yajl_reads_it),
		cmocka_unit_test(every_real_record_is_skimmed_as_yajl_reads_it),
		cmocka_unit_test(mutated_records_are_skimmed_as_yajl_reads_them_or_not_at_all),
	};
	struct made rows[SQ_LEN(made)];
	int failed;

	memcpy(rows, made, sizeof(rows));
	failed = RUN_TABLE("made texts", rows, made_text);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
