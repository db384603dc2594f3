/* What the derived fields cost: reading the process events of a file against deriving from them.
 *
 *   derive_cost FILE
 *
 * Only the starts of processes are taken, one record a line. Each round reads all of them, once
 * without and once with deriving, in turns, so that a busy moment hits both; the best of each
 * counts. Prints how many events, and nanoseconds an event of both.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/derive/derive.h"
#include "lib/model/reader.h"

enum { ARENA_BYTES = 4 << 20, ROUNDS = 9, REPEATS = 10 };

struct bench {
	struct sq_fields *fields;
	struct sq_reader *reader;
	struct sq_arena arena;
	struct sq_sv *records;
	size_t n, cap;
};

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool read_one(struct bench *b, struct sq_sv record, struct sq_event *ev)
{
	sq_arena_reset(&b->arena);
	return sq_reader_next(b->reader, &record, NULL, &b->arena, ev) == 1;
}

static int keep(struct bench *b, const char *line, size_t n)
{
	struct sq_event ev;
	char *copy;

	if (!read_one(b, (struct sq_sv){ line, n }, &ev) ||
	    ev.category != SQ_CATEGORY_PROCESS_CREATION)
		return 0;
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 1024;
		struct sq_sv *more = reallocarray(b->records, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		b->records = more;
		b->cap = cap;
	}
	copy = malloc(n);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, line, n);
	b->records[b->n++] = (struct sq_sv){ copy, n };
	return 0;
}

static int load(struct bench *b, const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int r = 0;

	if (!f)
		return -errno;
	while (r == 0 && (n = getline(&line, &cap, f)) > 0)
		r = keep(b, line, (size_t)n);
	free(line);
	fclose(f);
	return r;
}

static double round_of(struct bench *b, bool derive)
{
	double begin = cpu_seconds();

	for (int k = 0; k < REPEATS; k++) {
		for (size_t i = 0; i < b->n; i++) {
			struct sq_event ev;

			if (read_one(b, b->records[i], &ev) && derive)
				sq_derive(&ev, &b->arena, SQ_DERIVE_ALL);
		}
	}
	return (cpu_seconds() - begin) / REPEATS / (double)b->n * 1e9;
}

int main(int argc, char **argv)
{
	struct bench b = { .fields = sq_fields_new() };
	double plain = 0, derived = 0;
	int r;

	b.reader = b.fields ? sq_reader_new(b.fields, &(struct sq_reader_opts){ 0 }) : NULL;
	if (argc != 2 || !b.reader || sq_arena_init(&b.arena, ARENA_BYTES) < 0) {
		fprintf(stderr, "usage: derive_cost FILE\n");
		return 2;
	}
	r = load(&b, argv[1]);
	if (r < 0 || b.n == 0) {
		fprintf(stderr, "derive_cost: %s: %s\n", argv[1],
		        r < 0 ? strerror(-r) : "no process event");
		return 2;
	}
	for (int i = 0; i < ROUNDS; i++) {
		double p = round_of(&b, false), d = round_of(&b, true);

		plain = i && plain < p ? plain : p;
		derived = i && derived < d ? derived : d;
	}
	printf("%zu %.0f %.0f\n", b.n, plain, derived - plain);
	for (size_t i = 0; i < b.n; i++) {
		union {
			const char *in;
			void *out;
		} p = { b.records[i].p };

		free(p.out);
	}
	free(b.records);
	sq_arena_fini(&b.arena);
	sq_reader_free(b.reader);
	sq_fields_free(b.fields);
	return 0;
}
