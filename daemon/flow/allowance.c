#include "daemon/flow/allowance.h"

static const uint64_t SECOND = 1000000000, /* nanoseconds */
	WORTH_WHILE = 1000000,             /* less of it is a read of a few bytes */
	REST = 100000000,                  /* so long at least nothing is taken then */
	SCARCE = 200000000;

/* Of the second that may be taken ahead, what is not taken yet. */
static uint64_t free_ns(uint64_t paid_ns, uint64_t now_ms)
{
	uint64_t now_ns = now_ms * 1000000;

	if (paid_ns <= now_ns)
		return SECOND;
	return paid_ns < now_ns + SECOND ? now_ns + SECOND - paid_ns : 0;
}

static uint64_t free_now(const struct sqd_allowance *a, uint64_t now_ms)
{
	return free_ns(atomic_load_explicit(&a->paid_ns, memory_order_relaxed), now_ms);
}

uint64_t sqd_allowance_left(const struct sqd_allowance *a, uint64_t now_ms)
{
	uint64_t ns = free_now(a, now_ms);

	return ns < WORTH_WHILE ? 0 : ns * a->rate / SECOND;
}

uint64_t sqd_allowance_take(struct sqd_allowance *a, uint64_t now_ms, uint64_t n)
{
	uint64_t was = atomic_load_explicit(&a->paid_ns, memory_order_relaxed);
	uint64_t now_ns = now_ms * 1000000, paid;

	do {
		paid = (was > now_ns ? was : now_ns) + n * SECOND / a->rate;
	} while (!atomic_compare_exchange_weak_explicit(&a->paid_ns, &was, paid,
	                                                memory_order_relaxed,
	                                                memory_order_relaxed));
	if (free_ns(paid, now_ms) >= WORTH_WHILE)
		return 0;
	return (paid + REST - (now_ns + SECOND)) / 1000000 + 1;
}

bool sqd_allowance_scarce(const struct sqd_allowance *a, uint64_t now_ms)
{
	return free_now(a, now_ms) < SCARCE;
}
