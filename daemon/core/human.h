/* Times and sizes as people read them. */
#pragma once

#include <stdint.h>

#include "lib/base/outbuf.h"

/** "04:12:33", "3 days 04:12:33". */
void sqd_put_span(struct sq_outbuf *out, uint64_t ms);
/** "2026-11-20 01:02:03 UTC"; of microseconds since 1970. */
void sqd_put_date(struct sq_outbuf *out, int64_t wall_us);
/** "512 bytes", "1.5 MiB". */
void sqd_put_bytes(struct sq_outbuf *out, uint64_t n);
