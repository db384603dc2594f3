#include "lib/host/spool_chunk.h"

#include <errno.h>
#include <isa-l/crc64.h>

/* Lengths are looked at before they are added up. */
enum { MESSAGE_MAX = 1 << 30 };

struct stored_head {
	uint64_t sum;
	uint64_t id[2];
	uint32_t n, n_key;
};

uint64_t sq_chunk_sum(uint64_t seed, struct sq_sv bytes)
{
	return crc64_ecma_refl(seed, (const unsigned char *)bytes.p, bytes.n);
}

size_t sq_chunk_bytes(const struct sq_spool_record *r, size_t n)
{
	size_t sum = sizeof(uint64_t) + n * sizeof(struct stored_head);

	for (size_t i = 0; i < n; i++) {
		if (r[i].text.n >= MESSAGE_MAX || r[i].key.n >= MESSAGE_MAX)
			return 0;
		sum += r[i].text.n + r[i].key.n;
	}
	return sum < MESSAGE_MAX ? sum : 0;
}

static void put(char **to, struct sq_sv v)
{
	if (v.n)
		memcpy(*to, v.p, v.n);
	*to += v.n;
}

void sq_chunk_write(char *to, uint64_t key, const struct sq_spool_record *r)
{
	size_t n = sq_chunk_n(key), n_heads = n * sizeof(struct stored_head);
	char *heads = to + sizeof(uint64_t), *at = heads + n_heads;
	uint64_t sum;

	for (size_t i = 0; i < n; i++) {
		struct stored_head h = { .id = { r[i].id[0], r[i].id[1] },
			                 .n = (uint32_t)r[i].text.n,
			                 .n_key = (uint32_t)r[i].key.n };
		char *begin = at;

		put(&at, r[i].key);
		put(&at, r[i].text);
		h.sum = sq_chunk_sum(0, (struct sq_sv){ begin, (size_t)(at - begin) });
		memcpy(heads + i * sizeof(h), &h, sizeof(h));
	}
	sum = sq_chunk_sum(key, (struct sq_sv){ heads, n_heads });
	memcpy(to, &sum, sizeof(sum));
}

static struct stored_head head_at(struct sq_sv heads)
{
	struct stored_head h;

	memcpy(&h, heads.p, sizeof(h));
	return h;
}

bool sq_chunk_says(uint64_t key, struct sq_sv value)
{
	size_t n_heads = sq_chunk_n(key) * sizeof(struct stored_head);
	uint64_t sum;

	if (!n_heads || !sq_chunk_first(key) || value.n < sizeof(sum) + n_heads)
		return false;
	memcpy(&sum, value.p, sizeof(sum));
	return sum == sq_chunk_sum(key, sq_sv_first(sq_sv_skip(value, sizeof(sum)), n_heads));
}

uint64_t sq_chunk_true_key(uint64_t key, struct sq_sv value)
{
	if (sq_chunk_says(key, value))
		return key;
	for (unsigned bit = 0; bit < 64; bit++)
		if (sq_chunk_says(key ^ 1ULL << bit, value))
			return key ^ 1ULL << bit;
	return 0;
}

/* Each head makes what is needed longer, so there is one number at most that fits. */
uint64_t sq_chunk_guess(struct sq_sv value, bool *ret_sure)
{
	struct sq_sv heads = sq_sv_skip(value, sizeof(uint64_t));
	uint64_t n = 0, max = heads.n / sizeof(struct stored_head), need = 0;

	max = max < SQ_SPOOL_RECORDS ? max : SQ_SPOOL_RECORDS;
	while (n < max && need < heads.n) {
		struct stored_head h = head_at(sq_sv_skip(heads, n * sizeof(h)));

		need += sizeof(h) + h.n + h.n_key;
		n++;
	}
	*ret_sure = n && need == heads.n;
	return *ret_sure ? n : max;
}

bool sq_chunk_begin(struct sq_chunk *c, uint64_t key, struct sq_sv value)
{
	size_t n_heads = sq_chunk_n(key) * sizeof(struct stored_head), n = 0;

	if (!sq_chunk_says(key, value))
		return false;
	*c = (struct sq_chunk){ .seq = sq_chunk_first(key),
		                .end = sq_chunk_end(key),
		                .heads = sq_sv_first(sq_sv_skip(value, sizeof(uint64_t)), n_heads),
		                .bytes = sq_sv_skip(value, sizeof(uint64_t) + n_heads) };
	for (struct sq_sv h = c->heads; h.n; h = sq_sv_skip(h, sizeof(struct stored_head)))
		n += (size_t)head_at(h).n + head_at(h).n_key;
	return n == c->bytes.n;
}

/* Take the head and the bytes of the next. */
static struct sq_sv take(struct sq_chunk *c, struct stored_head *h)
{
	struct sq_sv bytes;

	*h = head_at(c->heads);
	bytes = sq_sv_first(c->bytes, (size_t)h->n + h->n_key);
	c->heads = sq_sv_skip(c->heads, sizeof(*h));
	c->bytes = sq_sv_skip(c->bytes, bytes.n);
	c->seq++;
	return bytes;
}

int sq_chunk_next(struct sq_chunk *c, struct sq_spool_record *ret)
{
	struct stored_head h;
	struct sq_sv bytes;

	if (c->seq == c->end)
		return 0;
	*ret = (struct sq_spool_record){ .seq = c->seq };
	bytes = take(c, &h);
	if (h.sum != sq_chunk_sum(0, bytes)) {
		ret->text = bytes;
		return -EUCLEAN;
	}
	ret->id[0] = h.id[0];
	ret->id[1] = h.id[1];
	ret->key = sq_sv_first(bytes, h.n_key);
	ret->text = sq_sv_skip(bytes, h.n_key);
	return 1;
}

void sq_chunk_skip(struct sq_chunk *c, uint64_t seq)
{
	struct stored_head h;

	while (c->seq < c->end && c->seq < seq)
		(void)take(c, &h);
}
