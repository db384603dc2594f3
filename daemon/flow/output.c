#include "daemon/flow/output.h"

#include "daemon/base/loop.h"
#include "lib/base/sv.h"

enum { BURST = 10, EACH_S = 30 };

static void put_why(struct sqd_outage *o, const char *why)
{
	size_t n = 0;

	for (; *why && n < sizeof(o->why) - 1; why++)
		o->why[n++] = *why >= ' ' && *why < 0x7f ? *why : '?';
	o->why[n] = '\0';
}

/* Without numbers: they tell how long it took, or how many were not taken. */
static uint64_t cause_of(const struct sqd_outage *o, const struct sqd_failure *f)
{
	char text[sizeof(o->why)];
	size_t n = 0;

	for (const char *p = f->strange ? "" : o->why; *p; p++)
		if (*p < '0' || *p > '9')
			text[n++] = *p;
	return sq_sv_hash((struct sq_sv){ text, n }) + f->code;
}

void sqd_output_failed(struct sqd_output *out, const struct sqd_failure *f)
{
	struct sqd_outage *o = &out->outage;
	uint64_t cause;

	o->last = sqd_now();
	if (!o->since.wall_us) {
		o->since = o->last;
		o->failures = 0;
		o->told = false;
	}
	o->failures++;
	put_why(o, f->why);
	cause = cause_of(o, f);
	if (o->told && o->told_as == cause) {
		sqd_log(SQD_LOG_DEBUG, "%s: %s; %s", out->name, o->why, f->then);
		return;
	}
	o->limit.burst = BURST;
	o->limit.each_s = EACH_S;
	if (!sqd_log_limited(&o->limit, f->level, "%s: %s; %s", out->name, o->why, f->then))
		return;
	o->told = true;
	o->told_as = cause;
}

bool sqd_output_works(struct sqd_output *out, const char *again)
{
	struct sqd_outage *o = &out->outage;
	uint64_t ms;

	o->worked = true;
	if (!o->since.wall_us)
		return false;
	ms = (sqd_now().mono_ns - o->since.mono_ns) / 1000000;
	o->since = (struct sq_now){ 0 };
	sqd_log(o->told ? SQD_LOG_NOTICE : SQD_LOG_DEBUG, "%s: %s, after %llu.%llu s", out->name,
	        again, (unsigned long long)(ms / 1000), (unsigned long long)(ms / 100 % 10));
	return true;
}
