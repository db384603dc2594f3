#include "lib/wire/gelf.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

/* Chunks are copied into blocks of one pool, so that nothing is allocated for a datagram and a
 * flood of chunks can take no more than max_bytes.
 *
 * A message is in one of three lists, each in the order of first chunks, which is the order of
 * time: FREE -> LIVE -> DEAD -> FREE. DEAD ones are done with, one way or the other; they stay
 * until they would have expired, so that a chunk that comes late or twice does not begin its
 * message anew, and give way first when room is needed.
 */
enum { HEADER = 12, CHUNKS_MAX = 128, BLOCK = 1024 };

static const uint64_t EXPIRE_NS = 5000000000u;

enum { NONE = UINT32_MAX };

struct chunk {
	uint32_t block; /* the first; NONE: not here yet */
	uint32_t n;     /* bytes */
};

struct message {
	uint64_t id, peer;
	uint64_t begun_ns;   /* when the first chunk came */
	uint32_t prev, next; /* in its list */
	uint32_t bucket_next;
	uint32_t n, blocks;  /* bytes of all its chunks, and what holds them */
	uint8_t count, have; /* chunks */
	struct chunk chunks[CHUNKS_MAX];
};

struct list {
	uint32_t first, last;
};

struct sq_gelf {
	struct sq_gelf_limits limits;
	struct list live, dead, free;
	struct message *messages;
	uint32_t *buckets; /* heads of chains of messages, by id and peer */
	uint32_t bucket_mask;
	char *pool;                   /* blocks of BLOCK bytes */
	uint32_t *block_next;         /* of each block: the next one of its chunk, or free one */
	uint32_t block_free;          /* the first free one */
	uint32_t blocks, blocks_free; /* how many there are, and are free */
	uint32_t given_up;            /* messages that made room and were not reported yet */
	char *whole;                  /* the last message put together */
	z_stream z;
	bool z_ready;
};

enum sq_gelf_kind sq_gelf_kind(struct sq_sv v)
{
	const unsigned char *p = (const unsigned char *)v.p;

	if (v.n < 2)
		return SQ_GELF_PLAIN;
	if (p[0] == 0x1e && p[1] == 0x0f)
		return SQ_GELF_CHUNK;
	if (p[0] == 0x1f && p[1] == 0x8b)
		return SQ_GELF_GZIP;
	/* RFC 1950: FCHECK, and no FDICT, which would make "x " such a stream. */
	if (p[0] == 0x78 && (p[0] * 256 + p[1]) % 31 == 0 && !(p[1] & 0x20))
		return SQ_GELF_ZLIB;
	return SQ_GELF_PLAIN;
}

static void list_take(struct sq_gelf *g, struct list *l, uint32_t i)
{
	struct message *m = &g->messages[i];

	if (m->prev == NONE)
		l->first = m->next;
	else
		g->messages[m->prev].next = m->next;
	if (m->next == NONE)
		l->last = m->prev;
	else
		g->messages[m->next].prev = m->prev;
}

static void list_append(struct sq_gelf *g, struct list *l, uint32_t i)
{
	struct message *m = &g->messages[i];

	m->prev = l->last;
	m->next = NONE;
	if (l->last == NONE)
		l->first = i;
	else
		g->messages[l->last].next = i;
	l->last = i;
}

static uint32_t *bucket_of(struct sq_gelf *g, uint64_t id, uint64_t peer)
{
	uint64_t key[2] = { id, peer };
	uint64_t h = sq_sv_hash((struct sq_sv){ (const char *)key, sizeof(key) });

	return &g->buckets[h & g->bucket_mask];
}

static uint32_t find(struct sq_gelf *g, uint64_t id, uint64_t peer)
{
	uint32_t i = *bucket_of(g, id, peer);

	while (i != NONE && (g->messages[i].id != id || g->messages[i].peer != peer))
		i = g->messages[i].bucket_next;
	return i;
}

static void blocks_give_back(struct sq_gelf *g, struct message *m)
{
	for (unsigned k = 0; k < m->count; k++) {
		uint32_t b = m->chunks[k].block;

		while (m->chunks[k].n && b != NONE) {
			uint32_t next = g->block_next[b];

			g->block_next[b] = g->block_free;
			g->block_free = b;
			g->blocks_free++;
			b = next;
		}
		m->chunks[k] = (struct chunk){ .block = NONE };
	}
	m->count = 0; /* says that it is dead */
}

static bool is_dead(const struct message *m)
{
	return m->count == 0;
}

static void kill(struct sq_gelf *g, uint32_t i)
{
	blocks_give_back(g, &g->messages[i]);
	list_take(g, &g->live, i);
	list_append(g, &g->dead, i);
}

/* A dead one is forgotten. */
static void bury(struct sq_gelf *g, uint32_t i)
{
	struct message *m = &g->messages[i];
	uint32_t *at = bucket_of(g, m->id, m->peer);

	while (*at != i)
		at = &g->messages[*at].bucket_next;
	*at = m->bucket_next;
	list_take(g, &g->dead, i);
	list_append(g, &g->free, i);
}

static uint32_t begin_message(struct sq_gelf *g, uint64_t id, uint64_t peer, unsigned count,
                              uint64_t now_ns)
{
	uint32_t i, *bucket = bucket_of(g, id, peer);
	struct message *m;

	if (g->free.first == NONE && g->dead.first == NONE) {
		kill(g, g->live.first);
		g->given_up++;
	}
	if (g->free.first == NONE)
		bury(g, g->dead.first);
	i = g->free.first;
	list_take(g, &g->free, i);
	list_append(g, &g->live, i);
	m = &g->messages[i];
	m->id = id;
	m->peer = peer;
	m->begun_ns = now_ns;
	m->n = m->blocks = 0;
	m->have = 0;
	m->count = (uint8_t)count;
	for (unsigned k = 0; k < count; k++)
		m->chunks[k] = (struct chunk){ .block = NONE };
	m->bucket_next = *bucket;
	*bucket = i;
	return i;
}

/* Make `need` blocks free: the oldest messages go, but not `keep`. */
static bool make_room(struct sq_gelf *g, uint32_t need, uint32_t keep)
{
	if (need > g->blocks - g->messages[keep].blocks)
		return false;
	while (g->blocks_free < need) {
		uint32_t i = g->live.first;

		if (i == keep)
			i = g->messages[i].next;
		sq_assert(i != NONE);
		kill(g, i);
		g->given_up++;
	}
	return true;
}

static void store(struct sq_gelf *g, struct message *m, unsigned seq, struct sq_sv data)
{
	struct chunk *to = &m->chunks[seq];
	uint32_t *link = &to->block;

	to->n = (uint32_t)data.n;
	m->n += to->n;
	m->have++;
	to->block = 0; /* an empty chunk has no block, but is here */
	while (data.n) {
		uint32_t b = g->block_free;
		struct sq_sv part = sq_sv_first(data, BLOCK);

		g->block_free = g->block_next[b];
		g->blocks_free--;
		m->blocks++;
		g->block_next[b] = NONE;
		*link = b;
		link = &g->block_next[b];
		memcpy(g->pool + (size_t)b * BLOCK, part.p, part.n);
		data = sq_sv_skip(data, part.n);
	}
}

static struct sq_sv put_together(struct sq_gelf *g, const struct message *m)
{
	size_t n = 0;

	for (unsigned k = 0; k < m->count; k++) {
		size_t left = m->chunks[k].n;

		for (uint32_t b = m->chunks[k].block; left; b = g->block_next[b]) {
			size_t part = left < BLOCK ? left : BLOCK;

			memcpy(g->whole + n, g->pool + (size_t)b * BLOCK, part);
			n += part;
			left -= part;
		}
	}
	return (struct sq_sv){ g->whole, n };
}

/* One message that made room is told by this return value, the others by sq_gelf_expire(). */
static int kept(struct sq_gelf *g)
{
	if (!g->given_up)
		return 0;
	g->given_up--;
	return -ENOBUFS;
}

int sq_gelf_chunk(struct sq_gelf *g, struct sq_sv datagram, uint64_t peer, struct sq_now now,
                  struct sq_sv *ret)
{
	struct sq_sv data = sq_sv_skip(datagram, HEADER);
	unsigned seq, count;
	struct message *m;
	uint64_t id;
	uint32_t i;

	if (datagram.n < HEADER || sq_gelf_kind(datagram) != SQ_GELF_CHUNK)
		return -EBADMSG;
	memcpy(&id, datagram.p + 2, sizeof(id));
	seq = (unsigned char)datagram.p[10];
	count = (unsigned char)datagram.p[11];
	i = find(g, id, peer);
	if (i != NONE && is_dead(&g->messages[i]))
		return 0;
	if (count == 0 || count > CHUNKS_MAX || seq >= count ||
	    (i != NONE && g->messages[i].count != count)) {
		if (i != NONE)
			kill(g, i);
		return -EBADMSG;
	}
	if (i == NONE)
		i = begin_message(g, id, peer, count, now.mono_ns);
	m = &g->messages[i];
	if (m->chunks[seq].block != NONE)
		return kept(g); /* a second copy of it */
	if (data.n > g->limits.max_record - m->n ||
	    !make_room(g, (uint32_t)((data.n + BLOCK - 1) / BLOCK), i)) {
		kill(g, i);
		return -ENOBUFS;
	}
	store(g, m, seq, data);
	if (m->have < m->count)
		return kept(g);
	*ret = put_together(g, m);
	kill(g, i);
	return 1;
}

unsigned sq_gelf_expire(struct sq_gelf *g, struct sq_now now)
{
	unsigned n = g->given_up;
	uint32_t i;

	g->given_up = 0;
	while ((i = g->live.first) != NONE && now.mono_ns - g->messages[i].begun_ns >= EXPIRE_NS) {
		kill(g, i);
		n++;
	}
	/* Whoever died late may stand before one begun earlier: it goes a little later. */
	while ((i = g->dead.first) != NONE && now.mono_ns - g->messages[i].begun_ns >= EXPIRE_NS)
		bury(g, i);
	return n;
}

ptrdiff_t sq_gelf_inflate(struct sq_gelf *g, struct sq_sv packed, char *to, size_t cap)
{
	z_stream *z = &g->z;
	int r;

	if (packed.n > UINT_MAX || inflateReset(z) != Z_OK)
		return -EBADMSG;
	if (cap > UINT_MAX)
		cap = UINT_MAX;
	z->next_in = (const Bytef *)packed.p;
	z->avail_in = (uInt)packed.n;
	z->next_out = (Bytef *)to;
	z->avail_out = (uInt)cap;
	r = inflate(z, Z_FINISH);
	if (r == Z_STREAM_END)
		return (ptrdiff_t)(cap - z->avail_out);
	if ((r == Z_OK || r == Z_BUF_ERROR) && z->avail_out == 0)
		return -EMSGSIZE;
	return -EBADMSG;
}

static int init(struct sq_gelf *g)
{
	uint32_t blocks = g->limits.max_bytes / BLOCK, buckets = 16;

	while (buckets < g->limits.max_messages && buckets < UINT32_MAX / 4)
		buckets *= 2;
	g->bucket_mask = buckets - 1;
	g->messages = calloc(g->limits.max_messages, sizeof(*g->messages));
	g->buckets = calloc(buckets, sizeof(*g->buckets));
	g->pool = calloc(blocks, BLOCK);
	g->block_next = calloc(blocks, sizeof(*g->block_next));
	g->whole = malloc(g->limits.max_record);
	if (!g->messages || !g->buckets || !g->pool || !g->block_next || !g->whole)
		return -ENOMEM;
	if (inflateInit2(&g->z, MAX_WBITS + 32) != Z_OK) /* 32: zlib or gzip, by its header */
		return -ENOMEM;
	g->z_ready = true;
	for (uint32_t i = 0; i < buckets; i++)
		g->buckets[i] = NONE;
	for (uint32_t i = 0; i < g->limits.max_messages; i++)
		list_append(g, &g->free, i);
	for (uint32_t b = 0; b < blocks; b++)
		g->block_next[b] = b + 1 < blocks ? b + 1 : NONE;
	g->blocks = g->blocks_free = blocks;
	return 0;
}

struct sq_gelf *sq_gelf_new(const struct sq_gelf_limits *limits)
{
	struct sq_gelf *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->limits = *limits;
	if (g->limits.max_messages == 0)
		g->limits.max_messages = 1;
	if (g->limits.max_bytes < BLOCK)
		g->limits.max_bytes = BLOCK;
	if (g->limits.max_record == 0)
		g->limits.max_record = 1;
	g->live = g->dead = g->free = (struct list){ NONE, NONE };
	if (init(g) < 0) {
		sq_gelf_free(g);
		return NULL;
	}
	return g;
}

void sq_gelf_free(struct sq_gelf *g)
{
	if (!g)
		return;
	if (g->z_ready)
		(void)inflateEnd(&g->z);
	free(g->messages);
	free(g->buckets);
	free(g->pool);
	free(g->block_next);
	free(g->whole);
	free(g);
}
