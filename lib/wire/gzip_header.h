/* The header of a gzip member (RFC 1952, 2.3), in pieces of any size. Only its end is asked for.
 *
 * Not left to ISA-L: of a header that comes in pieces 2.31 loses count when it has two optional
 * fields, and all versions up to it get the checksum of the header wrong. Pure.
 */
#pragma once

#include "lib/base/sv.h"

/** Zero at the beginning of a member. */
struct sq_gzip_header {
	uint8_t part, flags;
	uint8_t seen;  /* bytes of a part of fixed length */
	uint16_t left; /* bytes of the extra field */
};

/**
 * Take bytes of the header out of `in`. The header's own checksum is not compared, as that of what
 * is packed will be.
 * @param ret_used  always set; what follows is deflate
 * @return 1 it has ended, 0 it goes on, -EBADMSG this is no such header
 */
int sq_gzip_header_run(struct sq_gzip_header *h, struct sq_sv in, size_t *ret_used) SQ_MUST_CHECK;
