/* How many bytes an input may still take: what its `max_rate` allows, as time that is paid for.
 *
 *	now            paid_ns                    now + a second
 *	 |----taken------|--------may be taken-----------|
 *
 * Each byte takes a second / rate, so a pause of a second pays for a burst of a second's worth.
 * Who has taken more than that, since a message is taken whole, waits the longer. All instances of
 * an input share one, from any loop: one exchange for each read, and none for an event.
 */
#pragma once

#include <stdatomic.h>

#include "lib/base/base.h"

struct sqd_allowance {
	uint64_t rate;            /* bytes a second, 1 to 8 GiB */
	_Atomic uint64_t paid_ns; /* of the clock that `now_ms` is of; 0 at first */
};

/** Bytes that may be taken now. 0 also while it is not worth while to begin. */
uint64_t sqd_allowance_left(const struct sqd_allowance *a, uint64_t now_ms);

/** `n` bytes, fewer than 16 GiB, have been taken. @return 0, or how many milliseconds to take none,
 *  until a tenth of a second's worth may be taken again */
uint64_t sqd_allowance_take(struct sqd_allowance *a, uint64_t now_ms, uint64_t n);

/** It is what keeps an input from taking more: next to nothing is left. */
bool sqd_allowance_scarce(const struct sqd_allowance *a, uint64_t now_ms);
