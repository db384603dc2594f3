/* Unpack a compressed stream piece by piece: zlib, gzip, HTTP's "deflate", zstd.
 *
 * Whoever sends compressed bytes chooses how many bytes we get, so two bounds are part of every
 * stream: bytes that come out, and how many times more they are than the bytes that went in. The
 * second is judged only past SQ_UNPACK_JUDGED bytes of output, since a short text of one letter is
 * no attack.
 *
 *	begin(kind) -> run() ... run() -> 1, or done() after the last byte
 *
 * Pure: no I/O, no clock. One context serves one stream after another; what it allocates (by the
 * first begin() of a kind) it keeps: about 90 KiB for the zlib family, for zstd about 100 KiB and
 * the window that a stream asks for (at most SQ_UNPACK_ZSTD_WINDOW). So a context belongs to a
 * stream that is being unpacked and then goes back to a pool; idle connections have none.
 */
#pragma once

#include "lib/base/sv.h"

enum sq_unpack_kind {
	SQ_UNPACK_ZLIB,    /* RFC 1950 */
	SQ_UNPACK_GZIP,    /* RFC 1952, one member after another */
	SQ_UNPACK_DEFLATE, /* HTTP's: RFC 1950, or bare RFC 1951 as some clients send it */
	SQ_UNPACK_ZSTD,    /* RFC 8878, one frame after another; skippable frames are skipped */
};

enum {
	SQ_UNPACK_JUDGED = 64 * 1024, /* bytes of output from which on the ratio counts */
	SQ_UNPACK_ZSTD_WINDOW = 8 * 1024 * 1024, /* bytes; what RFC 9659 wants of HTTP */
};

struct sq_unpack_limits {
	uint64_t max_out;   /* bytes of the whole stream, unpacked; 0: no limit */
	uint32_t max_ratio; /* output by input; 0: no limit. Deflate cannot exceed 1032 */
};

struct sq_unpack;

/** @return NULL when out of memory */
struct sq_unpack *sq_unpack_new(void);
void sq_unpack_free(struct sq_unpack *u);

/** Begin a stream; whatever was before is forgotten. @return 0 or -ENOMEM */
int sq_unpack_begin(struct sq_unpack *u, enum sq_unpack_kind kind,
                    struct sq_unpack_limits limits) SQ_MUST_CHECK;

/**
 * Take bytes of the stream out of `in` and put what they hold at `to`, at most `cap` bytes (> 0).
 *
 * Both counts are always set, also with an error: what was made before it is good. When `*ret_made`
 * equals `cap` more may be waiting inside: call again with room, even with nothing more to put in.
 *
 * @return 1  the stream is whole, all of `in` is used and everything is out. More bytes may follow
 *            only as a further member (gzip) or frame (zstd)
 *         0  room is full, or `in` is used up and the stream goes on
 *         -EBADMSG   no such stream, or damaged (a wrong checksum too)
 *         -EILSEQ    the stream is whole, but bytes follow that do not belong to it
 *         -EMSGSIZE  more than max_out bytes
 *         -E2BIG     over max_ratio (zstd: or over SQ_UNPACK_ZSTD_WINDOW)
 *         -ENOMEM
 * After an error only begin() and free() make sense.
 */
int sq_unpack_run(struct sq_unpack *u, struct sq_sv in, size_t *ret_used, char *to, size_t cap,
                  size_t *ret_made) SQ_MUST_CHECK;

/** The stream may end here: at least one member was whole, none is begun, all of it is out. */
bool sq_unpack_done(const struct sq_unpack *u);

/** Bytes that have come out since begin(). */
uint64_t sq_unpack_made(const struct sq_unpack *u);

/** Bytes of memory that it holds for what it remembers of a zstd stream; 0 for the others, which
 *  remember the same little of each. */
size_t sq_unpack_memory(const struct sq_unpack *u);

/** "compressed data is damaged" for an error of sq_unpack_run(); never NULL. */
const char *sq_unpack_reason(int error);
