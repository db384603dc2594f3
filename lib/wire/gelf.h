/* GELF over UDP: datagrams that are compressed, or pieces of a larger one.
 *
 * Format: https://go2docs.graylog.org/current/getting_in_log_data/gelf.html ; plain '{', zlib
 * (0x78), gzip (1f 8b), chunk (1e 0f, 8-byte id, sequence number, count; at most 128 chunks, which
 * must arrive within 5 seconds). Time is an argument. One struct sq_gelf belongs to one socket.
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/time.h"

enum sq_gelf_kind { SQ_GELF_PLAIN, SQ_GELF_ZLIB, SQ_GELF_GZIP, SQ_GELF_CHUNK };

/** By the first two bytes; what is none of the others is plain, whatever it holds. */
enum sq_gelf_kind sq_gelf_kind(struct sq_sv datagram);

struct sq_gelf;

struct sq_gelf_limits {
	uint32_t max_messages; /* chunked messages put together at one time */
	uint32_t max_bytes;    /* of all their chunks together */
	uint32_t max_record;   /* of one message, unpacked */
};

/** @return NULL when out of memory. Allocates its tables here, once. */
struct sq_gelf *sq_gelf_new(const struct sq_gelf_limits *limits);
void sq_gelf_free(struct sq_gelf *g);

/**
 * Put one chunk in its place; `peer` is a hash of the sender's address (ids of two senders may
 * collide).
 * @return 1 the message is whole: its bytes are in `*ret`, valid until the next call; 0 chunk kept;
 *         -EBADMSG a wrong chunk (its message is given up); -ENOBUFS over a limit (the oldest
 *         message is given up, or this one when it alone is too large)
 *
 * A chunk that comes twice, or after its message was put together or given up, is ignored (0).
 */
int sq_gelf_chunk(struct sq_gelf *g, struct sq_sv datagram, uint64_t peer, struct sq_now now,
                  struct sq_sv *ret) SQ_MUST_CHECK;

/** Give up messages older than 5 seconds. @return how many, together with those that made room for
 *  others since the last call and were not told by an -ENOBUFS */
unsigned sq_gelf_expire(struct sq_gelf *g, struct sq_now now);

/**
 * Unpack a zlib or gzip datagram into `to` (room for `cap` bytes).
 * @return bytes written, -EBADMSG not such a stream or cut short, -EMSGSIZE more than `cap`
 */
ptrdiff_t sq_gelf_inflate(struct sq_gelf *g, struct sq_sv packed, char *to,
                          size_t cap) SQ_MUST_CHECK;
