/* The body for every other CPU: eight bytes in a word, no vectors. */
#include "lib/text/bits_private.h"

#define BODY
#define WHOLE __attribute__((always_inline))
#define NEXT  sq_bits_plain

enum { WORDS = 8 };

typedef struct {
	uint64_t w[WORDS];
} block_t;

#define EACH(byte) (0x0101010101010101u * (uint64_t)(unsigned char)(byte))

static inline block_t load(const char *p)
{
	block_t b;

	memcpy(&b, p, sizeof(b));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	for (int i = 0; i < WORDS; i++)
		b.w[i] = __builtin_bswap64(b.w[i]);
#endif
	return b;
}

/* The top bit of each byte, as eight bits. */
static inline uint64_t top_bits(uint64_t w)
{
	return ((w >> 7 & EACH(1)) * 0x0102040810204080u) >> 56;
}

static inline uint64_t is(block_t b, char c)
{
	uint64_t bits = 0;

	for (int i = 0; i < WORDS; i++) {
		uint64_t other = b.w[i] ^ EACH(c);
		uint64_t zero = ~(((other & EACH(0x7f)) + EACH(0x7f)) | other);

		bits |= top_bits(zero) << 8 * i;
	}
	return bits;
}

static inline uint64_t at_most(block_t b, char c) /* c is below 0x80 */
{
	uint64_t bits = 0;

	for (int i = 0; i < WORDS; i++) {
		uint64_t above = ((b.w[i] & EACH(0x7f)) + EACH(0x7f - c)) | b.w[i];

		bits |= top_bits(~above) << 8 * i;
	}
	return bits;
}

typedef uint64_t least_t;

#define LEAST 0

static inline least_t lesser(least_t l, block_t b)
{
	for (int i = 0; i < WORDS; i++)
		l |= ~(((b.w[i] & EACH(0x7f)) + EACH(0x60)) | b.w[i]);
	return l;
}

static inline bool is_low(least_t l)
{
	return (l & EACH(0x80)) != 0;
}

static inline uint64_t is_mark(block_t b)
{
	return is(b, '{') | is(b, '}') | is(b, '[') | is(b, ']') | is(b, ':') | is(b, ',');
}

static inline uint64_t escapable(block_t b)
{
	return is(b, '/') | is(b, 'b') | is(b, 'f') | is(b, 'n') | is(b, 'r') | is(b, 't');
}

static inline uint64_t prefix_xor(uint64_t bits)
{
	for (unsigned by = 1; by < 64; by *= 2)
		bits ^= bits << by;
	return bits;
}

/* No instruction does it on every such CPU. */
static inline uint32_t count(uint64_t bits)
{
	bits -= bits >> 1 & 0x5555555555555555u;
	bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (uint32_t)(bits * 0x0101010101010101u >> 56);
}

#define FIRST(bits) ((uint32_t)__builtin_ctzll((bits) | (uint64_t)1 << 63))
#define COUNT(bits) count(bits)
#define PUT_FIRST
#define LOAD_PART
#define ESCAPES_BRANCH

#include "lib/text/bits_body.inc"
