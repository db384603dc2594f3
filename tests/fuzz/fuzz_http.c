/* First byte: how the rest is cut into pieces. However it is cut: the same requests, the same
 * bodies, the same refusal; every byte is used at most once; what is used of a head is bounded.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/http.h"

struct sum {
	uint64_t hash;
	size_t requests, body;
	int error;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct sum *s, struct sq_sv v)
{
	for (size_t i = 0; i < v.n; i++)
		s->hash = s->hash * 31 + (unsigned char)v.p[i];
}

static void look(struct sum *s, const struct sq_http *h)
{
	sq_assert(h->used <= h->limits.max_header);
	add(s, h->head.path);
	add(s, h->head.query);
	for (size_t i = 0; i < SQ_HTTP_HEADERS; i++)
		add(s, h->head.headers[i]);
	s->hash += h->head.length + h->head.chunked + 2 * h->head.keep_alive;
}

static struct sum feed(struct sq_sv in, size_t step)
{
	const struct sq_http_limits limits = { .max_header = 512, .max_headers = 16 };
	struct sum s = { 0 };
	struct sq_http h;
	int r = 0;

	sq_http_init(&h, &limits);
	for (size_t at = 0; at < in.n && r >= 0; at += step) {
		struct sq_sv v = sq_sv_first(sq_sv_skip(in, at), step);
		char *copy = malloc(v.n);

		sq_assert(copy);
		memcpy(copy, v.p, v.n);
		v.p = copy;
		do {
			struct sq_sv piece = { 0 };
			size_t used = SIZE_MAX;

			r = sq_http_next(&h, v, &used, &piece);
			sq_assert(used <= v.n);
			v = sq_sv_skip(v, used);
			if (r == SQ_HTTP_BEGUN)
				look(&s, &h);
			if (r == SQ_HTTP_BODY) {
				sq_assert(piece.p >= copy && piece.n > 0);
				s.body += piece.n;
				add(&s, piece);
			}
			if (r == SQ_HTTP_END) {
				s.requests++;
				sq_http_reset(&h);
			}
			sq_assert(r != SQ_HTTP_MORE || v.n == 0);
		} while (r > 0);
		free(copy);
	}
	s.error = r < 0 ? h.status : 0;
	(void)sq_http_guess(&h);
	sq_http_reset(&h);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv in = { (const char *)data + 1, size - 1 };
	struct sum whole, pieces;

	if (size == 0)
		return 0;
	whole = feed(in, in.n ? in.n : 1);
	pieces = feed(in, data[0] % 32 + 1);
	sq_assert(whole.requests == pieces.requests && !whole.error == !pieces.error);
	/* Before an error, how much of a body was told of depends on the pieces. */
	if (!whole.error)
		sq_assert(whole.hash == pieces.hash && whole.body == pieces.body);
	return 0;
}
