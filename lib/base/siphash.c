#include "lib/base/siphash.h"

#include <endian.h>

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], unsigned n)
{
	for (; n; n--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static void put_word(struct sq_siphash *h, uint64_t m)
{
	h->v[3] ^= m;
	rounds(h->v, 2);
	h->v[0] ^= m;
}

void sq_siphash_begin(struct sq_siphash *h, const struct sq_siphash_key *key)
{
	*h = (struct sq_siphash){
		.v = { key->k[0] ^ 0x736f6d6570736575u, key->k[1] ^ 0x646f72616e646f6du ^ 0xee,
		       key->k[0] ^ 0x6c7967656e657261u, key->k[1] ^ 0x7465646279746573u },
	};
}

/* `n` bytes, at most eight, which are the low ones of `w`, behind those that wait for a word. */
static void put_bytes(struct sq_siphash *h, uint64_t w, unsigned n)
{
	unsigned waiting = h->n % 8;

	h->n += n;
	h->tail |= w << 8 * waiting;
	if (waiting + n < 8)
		return;
	put_word(h, h->tail);
	h->tail = waiting ? w >> (64 - 8 * waiting) : 0;
}

void sq_siphash_put(struct sq_siphash *h, struct sq_sv bytes)
{
	uint64_t m = 0;

	for (; bytes.n >= 8; bytes = sq_sv_skip(bytes, 8)) {
		memcpy(&m, bytes.p, sizeof(m));
		put_bytes(h, le64toh(m), 8);
	}
	m = 0;
	for (size_t i = 0; i < bytes.n; i++)
		m |= (uint64_t)(unsigned char)bytes.p[i] << 8 * i;
	put_bytes(h, m, (unsigned)bytes.n);
}

void sq_siphash_put_number(struct sq_siphash *h, uint64_t n)
{
	put_bytes(h, n, 8);
}

void sq_siphash_end(struct sq_siphash *h, uint64_t ret[2])
{
	put_word(h, h->tail | h->n << 56);
	h->v[2] ^= 0xee;
	rounds(h->v, 4);
	ret[0] = h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
	h->v[1] ^= 0xdd;
	rounds(h->v, 4);
	ret[1] = h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3];
}
