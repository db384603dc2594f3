/* What it costs to cut a stream into records, the bytes being in the cache as they are after
 *recv().
 *
 *	frame_cost FILE ROUNDS
 *
 * The first bytes of the file, 256 KiB of them at a time (a read of the TCP input), go through the
 * framer and into a batch; so does the same amount of short syslog lines and of events that end in
 * NUL. One line each: name, GB/s, nanoseconds a record, of the best round.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/model/batch.h"
#include "lib/wire/frame.h"

enum { READ = 256 * 1024, MAX_RECORD = 1024 * 1024, TIMES = 64, RECORDS = 65536 };

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The stream in `b->chunk` once. @return records */
static uint32_t cut(struct sq_batch *b, size_t n)
{
	struct sq_frame f = sq_frame_of(MAX_RECORD);
	struct sq_sv in = { b->chunk, n }, rec;
	size_t used;

	sq_batch_reset(b);
	if (sq_batch_origin(b, NULL, "192.0.2.7:1") < 0)
		return 0;
	while (sq_frame_next(&f, in, false, &used, &rec) == 1) {
		if (sq_batch_add(b, 0, rec) < 0)
			return 0;
		in = sq_sv_skip(in, used);
	}
	return b->n_records;
}

static int measure(const char *name, struct sq_batch *b, size_t n, int rounds)
{
	double best = 1e9;
	uint32_t records = 0;

	for (int k = 0; k < rounds; k++) {
		double from = cpu_seconds(), took;

		for (int i = 0; i < TIMES; i++)
			records = cut(b, n);
		took = (cpu_seconds() - from) / TIMES;
		best = took < best ? took : best;
	}
	if (!records) {
		fprintf(stderr, "frame_cost: %s: no records\n", name);
		return 1;
	}
	printf("%s|%.2f|%.1f\n", name, (double)n / best / 1e9, best / records * 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	struct sq_batch_limits limits = {
		.chunk = READ, .records = RECORDS, .origins = 1, .arena = 4096, .out = 4096
	};
	static const char line[] =
		"<13>Oct 11 22:14:15 dc1 app[77]: somebody has done something with "
		"a thing, and it came to nothing\n";
	int rounds = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0, r;
	FILE *in = argc == 3 ? fopen(argv[1], "re") : NULL;
	struct sq_batch *b = sq_batch_new(&limits);
	size_t n;

	if (rounds <= 0 || !in || !b) {
		fprintf(stderr, "usage: frame_cost FILE ROUNDS (%s)\n", strerror(errno));
		return 2;
	}
	n = fread(b->chunk, 1, READ, in);
	fclose(in);
	r = measure("events, LF", b, n, rounds);
	for (size_t i = 0; i < n; i++)
		b->chunk[i] = b->chunk[i] == '\n' ? '\0' : b->chunk[i];
	r |= measure("events, NUL", b, n, rounds);
	for (n = 0; n + sizeof(line) - 1 <= READ; n += sizeof(line) - 1)
		memcpy(b->chunk + n, line, sizeof(line) - 1);
	r |= measure("syslog lines", b, n, rounds);
	sq_batch_free(b);
	return r;
}
