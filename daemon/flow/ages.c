#include "daemon/flow/ages.h"

#include <string.h>

/* Marks whose numbers are all gone. */
static void forget(struct sqd_ages *a, uint64_t oldest)
{
	unsigned gone = 0;

	while (gone + 1 < a->n && a->marks[gone + 1].number <= oldest)
		gone++;
	a->n -= gone;
	memmove(a->marks, a->marks + gone, a->n * sizeof(a->marks[0]));
}

/* Every other mark; the first stays. */
static void thin_out(struct sqd_ages *a)
{
	for (unsigned i = 0; 2 * i < a->n; i++)
		a->marks[i] = a->marks[2 * i];
	a->n = (a->n + 1) / 2;
}

void sqd_ages_came(struct sqd_ages *a, uint64_t number, uint64_t oldest, uint64_t now_ms)
{
	forget(a, oldest);
	if (oldest >= number)
		a->n = 0; /* it is alone: nothing of what was before matters */
	if (a->n == SQD_AGES_MARKS)
		thin_out(a);
	a->marks[a->n++] = (struct sqd_age){ number, now_ms };
}

uint64_t sqd_ages_since(const struct sqd_ages *a, uint64_t number, uint64_t else_ms)
{
	uint64_t ms = else_ms;

	for (unsigned i = 0; i < a->n && a->marks[i].number <= number; i++)
		ms = a->marks[i].ms;
	return ms;
}
