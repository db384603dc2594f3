/* A reader that skims gives the events, the verdicts and the rest of a record that one on yajl
 * gives. */
#include "tests/support/corpus.h"

#include "lib/model/reader.h"
#include "lib/text/bits.h"

enum { READERS_MAX = 8, ARENA = 4 << 20 };

struct side {
	struct sq_reader *reader;
	struct sq_arena arena;
	struct sq_event event;
	struct sq_sv rest;
	const char *name;
	int ret;
	bool salvaged;
};

struct world {
	struct sq_fields *fields;
	struct side sides[READERS_MAX]; /* the first reads by yajl */
	size_t n;
	unsigned long events, malformed;
};

static void begin(struct world *w, bool want_all)
{
	*w = (struct world){ .fields = sq_fields_new() };
	assert_true(sq_fields_add(w->fields, SQ_SV("TargetObject")) > 0);
	w->sides[w->n++].name = "yajl";
	w->sides[0].reader =
		sq_reader_new(w->fields, &(struct sq_reader_opts){ .want_all = want_all });
	for (size_t i = 0; i < sq_bits_bodies_n; i++) {
		struct side *s = &w->sides[w->n];

		if (!sq_bits_bodies[i].runs())
			continue;
		s->name = sq_bits_bodies[i].name;
		s->reader =
			sq_reader_new(w->fields,
		                      &(struct sq_reader_opts){ .want_all = want_all,
		                                                .skim = true,
		                                                .skim_body = &sq_bits_bodies[i] });
		w->n++;
	}
	for (size_t i = 0; i < w->n; i++) {
		assert_non_null(w->sides[i].reader);
		assert_int_equal(sq_arena_init(&w->sides[i].arena, ARENA), 0);
	}
}

static void end(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		sq_reader_free(w->sides[i].reader);
		sq_arena_fini(&w->sides[i].arena);
	}
	sq_fields_free(w->fields);
}

static bool same_values(const struct sq_event *a, const struct sq_event *b, uint32_t field)
{
	const struct sq_value *v = &a->values[field], *u = &b->values[field];

	for (; v && u; v = sq_event_next(a, v), u = sq_event_next(b, u)) {
		if (v->kind != u->kind || v->rank != u->rank ||
		    !sq_sv_eq(sq_value_sv(v), sq_value_sv(u)))
			return false;
	}
	return !v && !u;
}

static void compare_events(const struct world *w, const struct side *s)
{
	const struct sq_event *a = &w->sides[0].event, *b = &s->event;
	bool same = sq_sv_eq(a->raw, b->raw) && a->flags == b->flags &&
	            a->event_id == b->event_id && a->category == b->category &&
	            a->time_us == b->time_us && a->n_all == b->n_all &&
	            strcmp(a->shape, b->shape) == 0;

	for (uint32_t i = 0; i < sq_fields_count(w->fields); i++)
		same = same && same_values(a, b, i);
	for (uint32_t i = 0; same && i < a->n_all; i++)
		same = sq_sv_eq(a->all[i], b->all[i]);
	if (!same)
		fail_msg("%s: another event of %.*s", s->name, SQ_SV_ARG(a->raw));
}

/* The next event of the record on each side. @return as sq_reader_next() */
static int next(struct world *w, const struct sq_syslog *header)
{
	struct side *y = &w->sides[0];

	for (size_t i = 0; i < w->n; i++) {
		struct side *s = &w->sides[i];

		sq_arena_reset(&s->arena);
		s->ret = sq_reader_next(s->reader, &s->rest, header, &s->arena, &s->event);
		if (s->ret != y->ret || s->rest.p != y->rest.p || s->rest.n != y->rest.n)
			fail_msg("%s: another verdict", s->name);
		if (s->ret > 0)
			compare_events(w, s);
		if (s->ret >= 0)
			continue;
		assert_string_equal(sq_reader_why(s->reader), sq_reader_why(y->reader));
		sq_arena_reset(&s->arena);
		s->salvaged = sq_reader_salvage(s->reader, header, &s->arena, &s->event);
		assert_int_equal(s->salvaged, y->salvaged);
		if (s->salvaged)
			compare_events(w, s);
	}
	return y->ret;
}

static void read_record(struct world *w, struct sq_sv record)
{
	struct sq_syslog header;
	char *copy = exact(record.p, record.n);

	sq_syslog_strip((struct sq_sv){ copy, record.n }, &header);
	for (size_t i = 0; i < w->n; i++)
		w->sides[i].rest = header.payload;
	for (int ret; w->sides[0].rest.n && (ret = next(w, &header)) != 0;) {
		w->events += ret > 0;
		w->malformed += ret < 0;
	}
	free(copy);
}

/* Lines are no records of some shapes (octet counts, NUL): all the better. */
static void every_record_gives_the_same_events(void **state)
{
	static const struct {
		const char *folder;
		size_t step;
	} rows[] = { { "corpus/shapes", 1 },
		     { "corpus/nxlog", 7 },
		     { "corpus/nxlog-wef", 5 },
		     { "corpus/winlogbeat6", 5 } };
	struct world *w = calloc(1, sizeof(*w));

	(void)state;
	(void)corpus_folder();
	for (int want_all = 0; want_all < 2; want_all++) {
		begin(w, want_all);
		for (size_t i = 0; i < SQ_LEN(rows); i++) {
			struct corpus c = { 0 };

			corpus_add(&c, rows[i].folder, rows[i].step);
			for (size_t k = 0; k < c.n; k++)
				read_record(w, c.records[k]);
			corpus_end(&c);
		}
		assert_true(w->events > 3000);
		for (size_t i = 1; i < w->n; i++) /* all but those with something odd in them */
			assert_true(sq_reader_unsure(w->sides[i].reader) < w->events / 20);
		end(w);
	}
	free(w);
}

static void several_events_and_broken_ones_in_a_record(void **state)
{
	static const char *const records[] = {
		"{\"EventID\":1}{\"EventID\":2}",
		"{\"EventID\":1}\r\n{\"EventID\":2}\r\n",
		"[{\"EventID\":1},{\"EventID\":2,\"Image\":\"a\\\\b\"}]",
		"{\"EventID\":1,\"Image\":\"a\" oops}\n{\"EventID\":2}",
		"{\"EventID\":1,\"Image\":\"cut o",
		"{\"EventID\":1,\"Im\\u0061ge\":\"a\",\"Image\":\"b\"}",
		"{\"EventID\":4688,\"Image\":\"\\ud83d\\ude00\"}",
		"<13>Jan  1 00:00:00 host x: {\"EventID\":1}",
		"<Event><System><EventID>1</EventID></System></Event>",
		"{\"message\":\"{\\\"EventID\\\":1,\\\"Image\\\":\\\"a\\\\\\\\b\\\"}\"}",
		"{\"Message\":\"<Event><System><EventID>1</EventID></System></Event>\"}",
		"{\"EventID\":nothing}",
		"",
	};
	struct world *w = calloc(1, sizeof(*w));

	(void)state;
	begin(w, false);
	for (size_t i = 0; i < SQ_LEN(records); i++)
		read_record(w, sq_sv_of(records[i]));
	assert_int_equal(w->events, 13);
	assert_int_equal(w->malformed, 3);
	end(w);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_events_and_broken_ones_in_a_record),
		cmocka_unit_test(every_record_gives_the_same_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
