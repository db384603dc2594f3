/* How fast five fields are found in the events of a file: by skim with each body that this CPU
 * runs, by the yajl reader, by yajl with callbacks that do nothing, and by simdjson On-Demand.
 *
 *   skim_cost FILE ROUNDS [NAME]
 *
 * The file lies in memory, one event a line; all give EventID, Channel, Image, NewProcessName and
 * CommandLine, unescaped, of each, and must give the same. Rounds are taken in turns, so that a
 * busy moment hits all; the best of each counts. One line each: name, GB/s, nanoseconds an event.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <yajl/yajl_parse.h>

#include "lib/model/skim.h"
#include "tests/bench/simdjson_fields.h"

enum { READERS_MAX = 16, SPARE = 64 };

static const uint16_t wanted[SIMDJSON_FIELDS] = { SQ_F_EVENT_ID, SQ_F_CHANNEL, SQ_F_IMAGE,
	                                          SQ_F_NEW_PROCESS_NAME, SQ_F_COMMAND_LINE };

struct bench {
	struct sq_sv text;
	struct sq_sv *records;
	size_t n;
	struct sq_fields *fields;
	struct sq_trie *trie;
	struct sq_arena arena;
	struct sq_collect collect;
	struct sq_walk walk;
	struct sq_json *json;
	yajl_handle yajl;
	struct sq_skim *skims[READERS_MAX];
	struct sq_value values[SQ_FIELDS_MAX], more[SQ_EVENT_MORE_MAX];
	unsigned long seen; /* by bare yajl */
	unsigned long unsure;
};

struct reader {
	const char *name;
	/* @return what it saw, summed up; 0: it failed */
	unsigned long (*run)(struct bench *b, int arg);
	int arg;
	bool counts; /* its sum tells nothing */
	double best;
};

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static unsigned long sum_values(struct bench *b)
{
	struct simdjson_text out[SIMDJSON_FIELDS];

	for (size_t i = 0; i < SIMDJSON_FIELDS; i++) {
		struct sq_sv v = sq_collect_get(&b->collect, wanted[i]);

		out[i] = (struct simdjson_text){ v.p, v.n };
	}
	return sum_fields(out);
}

static void begin(struct bench *b, struct sq_event *ev, struct sq_sv record)
{
	sq_arena_reset(&b->arena);
	sq_collect_begin(&b->collect, ev, &b->arena, b->fields, record);
	sq_walk_begin(&b->walk);
}

static unsigned long run_skim(struct bench *b, int body)
{
	unsigned long sum = 0;
	struct sq_event ev;
	size_t used;

	b->unsure = 0;
	for (size_t i = 0; i < b->n; i++) {
		begin(b, &ev, b->records[i]);
		if (!sq_skim_read(b->skims[body], b->records[i], &used)) {
			b->unsure++;
			begin(b, &ev, b->records[i]);
			if (sq_json_read(b->json, b->records[i], &used) < 0)
				return 0;
		}
		sum += sum_values(b);
	}
	return sum;
}

static unsigned long run_reader(struct bench *b, int arg)
{
	unsigned long sum = 0;
	struct sq_event ev;
	size_t used;

	(void)arg;
	for (size_t i = 0; i < b->n; i++) {
		begin(b, &ev, b->records[i]);
		if (sq_json_read(b->json, b->records[i], &used) < 0)
			return 0;
		sum += sum_values(b);
	}
	return sum;
}

static int on_any(void *ctx)
{
	((struct bench *)ctx)->seen++;
	return 1;
}

static int on_bool(void *ctx, int value)
{
	((struct bench *)ctx)->seen += (unsigned)value;
	return 1;
}

static int on_text(void *ctx, const unsigned char *p, size_t n)
{
	(void)p;
	((struct bench *)ctx)->seen += n;
	return 1;
}

static int on_number(void *ctx, const char *p, size_t n)
{
	(void)p;
	((struct bench *)ctx)->seen += n;
	return 1;
}

static unsigned long run_yajl(struct bench *b, int arg)
{
	(void)arg;
	for (size_t i = 0; i < b->n; i++) {
		if (yajl_parse(b->yajl, (const unsigned char *)b->records[i].p, b->records[i].n) !=
		            yajl_status_ok ||
		    yajl_complete_parse(b->yajl) != yajl_status_ok)
			return 0;
	}
	return b->seen;
}

#ifdef HAVE_SIMDJSON
static unsigned long run_simdjson(struct bench *b, int arg)
{
	unsigned long sum = 0;

	(void)simdjson_name(arg);
	for (size_t i = 0; i < b->n; i++) {
		struct simdjson_text out[SIMDJSON_FIELDS];
		const char *p = b->records[i].p;

		if (simdjson_fields(p, b->records[i].n, (size_t)(b->text.p + b->text.n + SPARE - p),
		                    out) < 0)
			return 0;
		sum += sum_fields(out);
	}
	return sum;
}

static unsigned long run_stream(struct bench *b, int arg)
{
	unsigned long sum;

	(void)simdjson_name(arg);
	return simdjson_stream(b->text.p, b->text.n, &sum) == (long)b->n ? sum : 0;
}
#endif

static struct sq_sv slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *p;
	long n;

	if (!f || fseek(f, 0, SEEK_END) < 0 || (n = ftell(f)) <= 0 || fseek(f, 0, SEEK_SET) < 0)
		return (struct sq_sv){ 0 };
	p = calloc(1, (size_t)n + SPARE);
	if (p && fread(p, 1, (size_t)n, f) != (size_t)n) {
		free(p);
		p = NULL;
	}
	fclose(f);
	return (struct sq_sv){ p, p ? (size_t)n : 0 };
}

static bool cut(struct bench *b)
{
	size_t lines = 1;

	for (size_t i = 0; i < b->text.n; i++)
		lines += b->text.p[i] == '\n';
	b->records = calloc(lines, sizeof(*b->records));
	if (!b->records)
		return false;
	for (struct sq_sv rest = b->text; rest.n;) {
		struct sq_sv line = sq_sv_cut(&rest, '\n');

		if (line.n)
			b->records[b->n++] = line;
	}
	return true;
}

static bool make_ready(struct bench *b)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_any,
		.yajl_boolean = on_bool,
		.yajl_number = on_number,
		.yajl_string = on_text,
		.yajl_start_map = on_any,
		.yajl_map_key = on_text,
		.yajl_end_map = on_any,
		.yajl_start_array = on_any,
		.yajl_end_array = on_any,
	};
	static const struct sq_json_limits limits = { 64, 10000 };
	static struct sq_skim_want want;

	for (size_t i = 0; i < SQ_LEN(wanted); i++)
		sq_skim_want_field(&want, wanted[i]);
	b->fields = sq_fields_new();
	b->trie = sq_trie_new();
	b->json = sq_json_new(&sq_walk_sink, &b->walk, &limits);
	b->yajl = yajl_alloc(&callbacks, NULL, b);
	if (!b->fields || !b->trie || !b->json || !b->yajl || sq_arena_init(&b->arena, 8 << 20) < 0)
		return false;
	yajl_config(b->yajl, yajl_dont_validate_strings, 1);
	yajl_config(b->yajl, yajl_allow_multiple_values, 1);
	b->collect.values = b->values;
	b->collect.more = b->more;
	b->walk.c = &b->collect;
	b->walk.trie = b->trie;
	b->walk.fields = b->fields;
	for (size_t i = 0; i < sq_bits_bodies_n; i++) {
		struct sq_skim_opts opts = { limits, &want, &sq_bits_bodies[i] };

		b->skims[i] = sq_skim_new(&b->walk, &opts);
		if (!b->skims[i])
			return false;
	}
	return true;
}

static int add_readers(struct reader *r)
{
	int n = 0;

#ifdef HAVE_SIMDJSON
	static char names[4][64];

	for (int body = 0; body < 2; body++) {
		const char *name = simdjson_name(body);

		if (!name)
			continue;
		(void)snprintf(names[n], sizeof(names[n]), "%s", name);
		r[n] = (struct reader){ .name = names[n], .run = run_simdjson, .arg = body };
		n++;
		(void)snprintf(names[n], sizeof(names[n]), "%s, stream", name);
		r[n] = (struct reader){ .name = names[n], .run = run_stream, .arg = body };
		n++;
	}
#endif
	for (size_t i = 0; i < sq_bits_bodies_n; i++) {
		static char skims[READERS_MAX][32]; /* names that last */

		if (!sq_bits_bodies[i].runs())
			continue;
		(void)snprintf(skims[i], sizeof(skims[i]), "skim %s", sq_bits_bodies[i].name);
		r[n++] = (struct reader){ .name = skims[i], .run = run_skim, .arg = (int)i };
	}
	r[n++] = (struct reader){ .name = "yajl reader", .run = run_reader };
	r[n++] = (struct reader){ .name = "yajl bare", .run = run_yajl, .counts = true };
	return n;
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct reader readers[READERS_MAX] = { 0 };
	int n = add_readers(readers), rounds = argc >= 3 ? (int)strtol(argv[2], NULL, 10) : 0;
	const char *only = argc > 3 ? argv[3] : "";
	unsigned long sum = 0;

	if (rounds <= 0) {
		fprintf(stderr, "usage: skim_cost FILE ROUNDS\n");
		return 2;
	}
	b.text = slurp(argv[1]);
	if (!b.text.n || !make_ready(&b) || !cut(&b)) {
		fprintf(stderr, "skim_cost: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	for (int k = 0; k < rounds; k++) {
		for (int i = 0; i < n; i++) {
			struct reader *r = &readers[i];
			double from = cpu_seconds(), used;
			unsigned long got;

			if (!strstr(r->name, only))
				continue;
			got = r->run(&b, r->arg);
			used = cpu_seconds() - from;
			r->best = k && r->best < used ? r->best : used;
			if (got == 0 || (!r->counts && sum && got != sum)) {
				fprintf(stderr, "skim_cost: %s: other fields\n", r->name);
				return 1;
			}
			if (!r->counts)
				sum = got;
		}
	}
	printf("%zu events, %zu bytes, %lu not certain\n", b.n, b.text.n, b.unsure);
	for (int i = 0; i < n; i++) {
		if (!strstr(readers[i].name, only))
			continue;
		printf("%s|%.3f|%.0f\n", readers[i].name, (double)b.text.n / readers[i].best / 1e9,
		       readers[i].best / (double)b.n * 1e9);
	}
	return 0;
}
