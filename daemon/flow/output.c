#include "daemon/flow/output.h"

#include "daemon/base/loop.h"

void sqd_output_failed(struct sqd_output *out, const char *why)
{
	struct sqd_outage *o = &out->outage;
	size_t n = 0;

	o->last = sqd_now();
	if (!o->since.wall_us) {
		o->since = o->last;
		o->failures = 0;
	}
	o->failures++;
	for (; *why && n < sizeof(o->why) - 1; why++)
		o->why[n++] = *why >= ' ' && *why < 0x7f ? *why : '?';
	o->why[n] = '\0';
}

void sqd_output_works(struct sqd_output *out)
{
	if (!out->outage.since.wall_us && out->outage.worked)
		return;
	out->outage.since = (struct sq_now){ 0 };
	out->outage.worked = true;
}
