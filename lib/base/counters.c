#include "lib/base/counters.h"

const struct sq_counter_info sq_counter_infos[] = {
#define SQ_COUNTER_ROW(member, kind, help)                                                         \
	{ #member, help, SQ_COUNTER_##kind, offsetof(struct sq_counters, member) },
	SQ_COUNTERS(SQ_COUNTER_ROW)
#undef SQ_COUNTER_ROW
		{ 0 },
};

void sq_counters_add(struct sq_counters *to, const struct sq_counters *more)
{
	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++)
		*(uint64_t *)((char *)to + i->offset) += sq_counter_get(more, i);
}

uint64_t sq_counters_accounted(const struct sq_counters *c)
{
	uint64_t sum = 0;

	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++) {
		if (i->kind != SQ_COUNTER_INFO)
			sum += sq_counter_get(c, i);
	}
	return sum;
}
