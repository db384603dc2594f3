/* How far the queue of an output is, for loops on other threads: the main loop sets it, anybody
 * reads it. Both counts only grow.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "lib/base/base.h"

struct sqd_gauge {
	/* Bytes taken since the beginning. Set before the batch that they are of is given back, so
	 * that its loop sees at least those. */
	_Atomic uint64_t taken;
	/* How many of them are there no more. Sequentially consistent: either who waits sees the
	 * new count, or who sets it sees that somebody waits (sqd_settling_anyone()). */
	_Atomic uint64_t passed;
	_Atomic bool failing; /* its output */
};
