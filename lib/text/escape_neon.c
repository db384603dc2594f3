#include "lib/text/escape_private.h"

#if defined(__aarch64__) && defined(__ARM_NEON)

#include <arm_neon.h>

/* Sixteen bytes that all go out as they are, else byte by byte up to the next such sixteen. */
static bool is_plain(uint8x16_t v)
{
	uint8x16_t odd = vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')), vceqq_u8(v, vdupq_n_u8('\\')));

	/* As signed numbers, what is not ASCII is below ' ' too. */
	odd = vorrq_u8(odd, vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(' ')));
	return vmaxvq_u8(odd) == 0;
}

size_t sq_escape_neon(char *to, struct sq_sv from, size_t *ret_n)
{
	size_t i = 0, len = 0;

	while (i < from.n) {
		size_t left = from.n - i, n = left < 16 ? left : 16, got;

		if (n == 16) {
			uint8x16_t v = vld1q_u8((const uint8_t *)from.p + i);

			if (is_plain(v)) {
				vst1q_u8((uint8_t *)to + len, v);
				i += 16;
				len += 16;
				continue;
			}
		}
		left = sq_escape_plain(to + len, (struct sq_sv){ from.p + i, n }, &got);
		len += got;
		i += left;
		if (left < n)
			break;
	}
	*ret_n = len;
	return i;
}

#endif
