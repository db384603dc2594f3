/* Whatever the record: every view lies in it, and the numbers are in their ranges. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/syslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct sq_sv part, struct sq_sv whole)
{
	if (part.n)
		sq_assert(part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv in = { (const char *)data, size };
	struct sq_syslog s;

	sq_syslog_strip(in, &s);
	check_inside(s.payload, in);
	check_inside(s.host, in);
	check_inside(s.app, in);
	check_inside(s.time, in);
	sq_assert(s.priority >= -1 && s.priority <= 191);
	if (s.payload.n)
		sq_assert(!sq_is_space(s.payload.p[0]));
	return 0;
}
