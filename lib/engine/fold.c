/* A table of fixed size: entries in the order in which their windows began, which is the order in
 * which they end, since all windows are of the same length; and chains by hash to find them.
 */
#include "lib/engine/fold.h"

#include <stdlib.h>

#include "lib/engine/alert.h"

enum {
	NONE = UINT32_MAX,
	ENTRIES_MAX = 1 << 24,
	EMIT_MAX = 64 << 20, /* bytes of one alert in one format, with its count */
};

struct entry {
	uint64_t key[2];
	uint64_t due_ns;
	uint64_t repeats;
	char *text; /* of the last repeat, all its formats one after another and its host's name;
	               NULL before there is one */
	uint32_t cap;
	uint64_t id[2]; /* of the last repeat */
	struct {
		uint32_t at, n;
	} host; /* in `text` */
	struct {
		uint32_t at, n;
	} formats[SQ_TEXTS]; /* in `text` */
	uint8_t level;
	uint32_t chain;        /* next entry of the same bucket, or next free one */
	uint32_t older, newer; /* in the order of time */
};

struct sq_fold {
	struct sq_fold_limits limits;
	struct entry *entries;
	uint32_t *buckets;
	uint32_t mask; /* of the number of buckets */
	uint32_t free, oldest, newest;
	uint64_t bytes; /* of all texts */
	struct sq_outbuf out;
};

struct sq_fold *sq_fold_new(const struct sq_fold_limits *limits)
{
	struct sq_fold *f = calloc(1, sizeof(*f));
	uint32_t buckets = 16;

	if (!f)
		return NULL;
	f->limits = *limits;
	if (f->limits.entries > ENTRIES_MAX)
		f->limits.entries = ENTRIES_MAX;
	while (buckets < f->limits.entries)
		buckets *= 2;
	f->mask = buckets - 1;
	f->out = sq_outbuf_of(EMIT_MAX);
	f->entries = calloc(f->limits.entries ? f->limits.entries : 1, sizeof(*f->entries));
	f->buckets = calloc(buckets, sizeof(*f->buckets));
	if (!f->entries || !f->buckets) {
		sq_fold_free(f);
		return NULL;
	}
	for (uint32_t i = 0; i < buckets; i++)
		f->buckets[i] = NONE;
	for (uint32_t i = 0; i < f->limits.entries; i++)
		f->entries[i].chain = i + 1 < f->limits.entries ? i + 1 : NONE;
	f->free = f->limits.entries ? 0 : NONE;
	f->oldest = f->newest = NONE;
	return f;
}

void sq_fold_free(struct sq_fold *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; f->entries && i < f->limits.entries; i++)
		free(f->entries[i].text);
	free(f->entries);
	free(f->buckets);
	sq_outbuf_fini(&f->out);
	free(f);
}

static uint32_t *bucket_of(struct sq_fold *f, const uint64_t key[2])
{
	return &f->buckets[(key[0] ^ key[1] >> 32) & f->mask];
}

static struct entry *find(struct sq_fold *f, const uint64_t key[2])
{
	for (uint32_t i = *bucket_of(f, key); i != NONE; i = f->entries[i].chain) {
		struct entry *e = &f->entries[i];

		if (e->key[0] == key[0] && e->key[1] == key[1])
			return e;
	}
	return NULL;
}

static uint32_t index_of(const struct sq_fold *f, const struct entry *e)
{
	return (uint32_t)(e - f->entries);
}

/* Into the order of time, as the newest. */
static void enqueue(struct sq_fold *f, struct entry *e, struct sq_now now)
{
	uint32_t i = index_of(f, e);

	e->due_ns = now.mono_ns + f->limits.window_ns;
	if (e->due_ns < now.mono_ns)
		e->due_ns = UINT64_MAX;
	e->older = f->newest;
	e->newer = NONE;
	if (f->newest != NONE)
		f->entries[f->newest].newer = i;
	else
		f->oldest = i;
	f->newest = i;
}

static void dequeue(struct sq_fold *f, struct entry *e)
{
	if (e->older != NONE)
		f->entries[e->older].newer = e->newer;
	else
		f->oldest = e->newer;
	if (e->newer != NONE)
		f->entries[e->newer].older = e->older;
	else
		f->newest = e->older;
}

static void forget(struct sq_fold *f, struct entry *e)
{
	uint32_t i = index_of(f, e);
	uint32_t *link = bucket_of(f, e->key);

	while (*link != i)
		link = &f->entries[*link].chain;
	*link = e->chain;
	dequeue(f, e);
	f->bytes -= e->cap;
	free(e->text);
	*e = (struct entry){ .chain = f->free };
	f->free = i;
}

static void remember(struct sq_fold *f, const uint64_t key[2], struct sq_now now)
{
	struct entry *e;
	uint32_t *bucket;

	if (f->free == NONE)
		return;
	e = &f->entries[f->free];
	f->free = e->chain;
	bucket = bucket_of(f, key);
	*e = (struct entry){ .key = { key[0], key[1] }, .chain = *bucket };
	*bucket = index_of(f, e);
	enqueue(f, e, now);
}

/* Keep the texts of `ref` in place of those of the repeat before it. @return false: no room */
static bool keep_text(struct sq_fold *f, struct entry *e, const struct sq_alert_ref *ref,
                      const char *out)
{
	uint64_t n = ref->host.n;
	uint32_t at = 0;

	for (unsigned i = 0; i < SQ_TEXTS; i++)
		n += ref->text[i].n;
	if (n > e->cap) {
		char *text;

		if (n > UINT32_MAX || f->bytes - e->cap + n > f->limits.bytes)
			return false;
		text = realloc(e->text, (size_t)n);
		if (!text)
			return false;
		f->bytes += n - e->cap;
		e->text = text;
		e->cap = (uint32_t)n;
	}
	for (unsigned i = 0; i < SQ_TEXTS; i++) {
		e->formats[i].at = at;
		e->formats[i].n = ref->text[i].n;
		if (ref->text[i].n)
			memcpy(e->text + at, out + ref->text[i].at, ref->text[i].n);
		at += ref->text[i].n;
	}
	e->host.at = at;
	e->host.n = ref->host.n;
	if (ref->host.n)
		memcpy(e->text + at, out + ref->host.at, ref->host.n);
	e->id[0] = ref->id[0];
	e->id[1] = ref->id[1];
	e->level = ref->level;
	return true;
}

bool sq_fold_pass(struct sq_fold *f, const struct sq_alert_ref *ref, const char *out,
                  struct sq_now now)
{
	struct entry *e = find(f, ref->fold_key);

	if (!e) {
		remember(f, ref->fold_key, now);
		return true;
	}
	if (!e->repeats && e->due_ns <= now.mono_ns) {
		/* Its window ended without a repeat and nobody has asked since: a new one begins.
		 */
		dequeue(f, e);
		enqueue(f, e, now);
		return true;
	}
	/* Without room for this one an earlier repeat can stand for it; without any it must go. */
	if (!keep_text(f, e, ref, out) && !e->repeats)
		return true;
	e->repeats++;
	return false;
}

static bool emit_entry(struct sq_fold *f, const struct entry *e, sq_fold_emit_fn *emit, void *ctx)
{
	struct sq_folded what = { .level = e->level, .host = { e->text + e->host.at, e->host.n } };
	bool go_on = true;

	if (sq_id_known(e->id))
		sq_repeats_id(e->id, e->repeats, what.id);
	for (unsigned i = 0; i < SQ_TEXTS; i++) {
		const struct sq_alert_repeats repeats = {
			.text = { e->text + e->formats[i].at, e->formats[i].n },
			.last = { e->id[0], e->id[1] },
			.id = { what.id[0], what.id[1] },
			.n = e->repeats,
		};

		if (!repeats.text.n)
			continue;
		what.format = (enum sq_format)(i % SQ_FORMATS);
		what.to = SQ_TO_STREAMS | SQ_TO_DATAGRAMS;
		if (i >= SQ_FORMATS)
			what.to = SQ_TO_DATAGRAMS;
		else if (e->formats[SQ_FORMATS + i].n)
			what.to = SQ_TO_STREAMS;
		sq_outbuf_reset(&f->out);
		sq_alert_write_repeats(&f->out, what.format, &repeats);
		/* Out of memory for the count: the alert matters more. */
		what.text = f->out.failed ? repeats.text : sq_outbuf_view(&f->out);
		go_on &= emit(ctx, &what);
	}
	return go_on;
}

uint64_t sq_fold_expire(struct sq_fold *f, struct sq_now now, bool all, sq_fold_emit_fn *emit,
                        void *ctx)
{
	bool go_on = true;

	while (f->oldest != NONE) {
		struct entry *e = &f->entries[f->oldest];

		if (!all && e->due_ns > now.mono_ns)
			return e->due_ns - now.mono_ns;
		if (!go_on)
			return 0;
		if (e->repeats)
			go_on = emit_entry(f, e, emit, ctx);
		forget(f, e);
	}
	return UINT64_MAX;
}
