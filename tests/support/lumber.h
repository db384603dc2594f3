/* Lumberjack streams by hand: what a client sends, frame by frame. */
#pragma once

#include <zlib.h>

#include "lib/base/outbuf.h"
#include "tests/support/test.h"

static inline struct sq_outbuf wire_new(void)
{
	return sq_outbuf_of(64 << 20);
}

static inline void wire_u32(struct sq_outbuf *b, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		sq_outbuf_putc(b, (char)(v >> shift));
}

static inline void wire_head(struct sq_outbuf *b, const char *type, uint32_t n)
{
	sq_outbuf_put(b, sq_sv_of(type));
	wire_u32(b, n);
}

static inline void wire_json(struct sq_outbuf *b, const char *type, uint32_t seq, struct sq_sv json)
{
	wire_head(b, type, seq);
	wire_u32(b, (uint32_t)json.n);
	sq_outbuf_put(b, json);
}

static inline void wire_string(struct sq_outbuf *b, struct sq_sv v)
{
	wire_u32(b, (uint32_t)v.n);
	sq_outbuf_put(b, v);
}

/* Bytes as zlib packs them. */
static inline void wire_zlib(struct sq_outbuf *b, struct sq_sv plain)
{
	uLongf n = compressBound((uLong)plain.n);
	char *to = sq_outbuf_reserve(b, n);

	assert_non_null(to);
	assert_int_equal(compress2((Bytef *)to, &n, (const Bytef *)plain.p, (uLong)plain.n, 3),
	                 Z_OK);
	b->len += n;
}

/* A C frame of what is in `plain`, which is empty afterwards. */
static inline void wire_packed(struct sq_outbuf *b, const char *type, struct sq_outbuf *plain)
{
	struct sq_outbuf z = wire_new();

	wire_zlib(&z, sq_outbuf_view(plain));
	wire_head(b, type, (uint32_t)z.len);
	sq_outbuf_put(b, sq_outbuf_view(&z));
	sq_outbuf_fini(&z);
	sq_outbuf_reset(plain);
}

/* A window of `n` events {"n":K} counted from `first`; packed into C frames of `each` events, or
 * plain with 0. */
static inline void wire_window(struct sq_outbuf *b, uint32_t n, uint32_t first, uint32_t each)
{
	struct sq_outbuf plain = wire_new();
	char json[64];

	wire_head(b, "2W", n);
	for (uint32_t i = 0; i < n; i++) {
		(void)snprintf(json, sizeof(json), "{\"n\":%u}", first + i);
		wire_json(each ? &plain : b, "2J", i + 1, sq_sv_of(json));
		if (each && ((i + 1) % each == 0 || i + 1 == n))
			wire_packed(b, "2C", &plain);
	}
	sq_outbuf_fini(&plain);
}
