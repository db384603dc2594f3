/* HMAC-SHA256 (RFC 2104, FIPS 180-4), by OpenSSL. Any thread. */
#pragma once

#include "lib/base/sv.h"

enum { SQ_HMAC_BYTES = 32 };

/** Of `n` pieces one behind the other. @return 0, or -ENOMEM */
int sq_hmac_sha256(struct sq_sv key, const struct sq_sv *pieces, size_t n,
                   unsigned char to[SQ_HMAC_BYTES]) SQ_MUST_CHECK;
