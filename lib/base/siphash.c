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

static void put_byte(struct sq_siphash *h, unsigned char c)
{
	h->tail |= (uint64_t)c << 8 * (h->n % 8);
	h->n++;
	if (h->n % 8 == 0) {
		put_word(h, h->tail);
		h->tail = 0;
	}
}

void sq_siphash_put(struct sq_siphash *h, struct sq_sv bytes)
{
	while (bytes.n && h->n % 8) {
		put_byte(h, (unsigned char)bytes.p[0]);
		bytes = sq_sv_skip(bytes, 1);
	}
	for (; bytes.n >= 8; bytes = sq_sv_skip(bytes, 8)) {
		uint64_t m;

		memcpy(&m, bytes.p, sizeof(m));
		put_word(h, le64toh(m));
		h->n += 8;
	}
	for (size_t i = 0; i < bytes.n; i++)
		put_byte(h, (unsigned char)bytes.p[i]);
}

void sq_siphash_put_number(struct sq_siphash *h, uint64_t n)
{
	n = htole64(n);
	sq_siphash_put(h, (struct sq_sv){ (const char *)&n, sizeof(n) });
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
