#include "lib/text/bits_private.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>

#define BODY
#define WHOLE __attribute__((always_inline))
#define NEXT  sq_bits_neon

typedef struct {
	uint8x16_t v[4];
} block_t;

static inline block_t load(const char *p)
{
	const uint8_t *from = (const uint8_t *)p;

	return (block_t){ { vld1q_u8(from), vld1q_u8(from + 16), vld1q_u8(from + 32),
		            vld1q_u8(from + 48) } };
}

/* Each byte keeps its own bit; three times neighbours are added. */
static inline uint64_t bits_of(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
	const uint8x16_t own = { 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128 };
	uint8x16_t low = vpaddq_u8(vandq_u8(a, own), vandq_u8(b, own));
	uint8x16_t high = vpaddq_u8(vandq_u8(c, own), vandq_u8(d, own));

	low = vpaddq_u8(low, high);
	return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(low, low)), 0);
}

typedef uint8x16_t least_t;

#define LEAST vdupq_n_u8(' ')

static inline least_t lesser(least_t l, block_t b)
{
	return vminq_u8(vminq_u8(l, vminq_u8(b.v[0], b.v[1])), vminq_u8(b.v[2], b.v[3]));
}

static inline bool is_low(least_t l)
{
	return vminvq_u8(l) < ' ';
}

static inline uint64_t is(block_t b, char c)
{
	uint8x16_t want = vdupq_n_u8((uint8_t)c);

	return bits_of(vceqq_u8(b.v[0], want), vceqq_u8(b.v[1], want), vceqq_u8(b.v[2], want),
	               vceqq_u8(b.v[3], want));
}

static inline uint64_t at_most(block_t b, char c)
{
	uint8x16_t most = vdupq_n_u8((uint8_t)c);

	return bits_of(vcleq_u8(b.v[0], most), vcleq_u8(b.v[1], most), vcleq_u8(b.v[2], most),
	               vcleq_u8(b.v[3], most));
}

static inline uint8x16_t marks(uint8x16_t v)
{
	const uint8x16_t want = { 128, 128, 128, 128, 128, 128, 128, 128,
		                  128, 128, ':', '{', ',', '}', 0,   0 };
	uint8x16_t found = vqtbl1q_u8(want, vandq_u8(v, vdupq_n_u8(15)));

	return vceqq_u8(found, vorrq_u8(v, vdupq_n_u8(0x20)));
}

static inline uint64_t is_mark(block_t b)
{
	return bits_of(marks(b.v[0]), marks(b.v[1]), marks(b.v[2]), marks(b.v[3]));
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

#define FIRST(bits) ((uint32_t)__builtin_ctzll((bits) | (uint64_t)1 << 63))
#define COUNT(bits) ((uint32_t)__builtin_popcountll(bits))
#define PUT_FIRST
#define LOAD_PART
#define ESCAPES_BRANCH

#include "lib/text/bits_body.inc"
#endif
