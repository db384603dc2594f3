/* Since when the oldest of those that wait in line waits, without a time for each of them.
 *
 * They are numbered as they come. Marks say when some number came, closer together the younger the
 * first of them is: so what is told is too much by a quarter of a second, or by a thirtieth of the
 * age that the oldest had then. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SQD_AGES_MARKS = 128, SQD_AGES_STEP_MS = 250, SQD_AGES_PART = 32 };

struct sqd_ages {
	struct sqd_age {
		uint64_t number, ms;
	} marks[SQD_AGES_MARKS];
	unsigned n;
};

/** What comes now should be marked. */
static inline bool sqd_ages_due(const struct sqd_ages *a, uint64_t now_ms)
{
	uint64_t age = a->n ? now_ms - a->marks[0].ms : 0, step = age / SQD_AGES_PART;

	return !a->n || now_ms - a->marks[a->n - 1].ms >=
	                        (step > SQD_AGES_STEP_MS ? step : SQD_AGES_STEP_MS);
}

/** `number` has come, and everything before `oldest` is gone. */
void sqd_ages_came(struct sqd_ages *a, uint64_t number, uint64_t oldest, uint64_t now_ms);

/** When `number` came, or somewhat before. One that came before all marks: `else_ms`. */
uint64_t sqd_ages_since(const struct sqd_ages *a, uint64_t number, uint64_t else_ms);
