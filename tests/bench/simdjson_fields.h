/* Five fields of an event by simdjson On-Demand: the measure for lib/model/skim.h (tools/bench). */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SIMDJSON_FIELDS = 5 }; /* EventID, Channel, Image, NewProcessName, CommandLine */

struct simdjson_text {
	const char *p;
	size_t n;
};

/** One record after the other. @return 0, or -1: not read. Texts last until the next call. */
int simdjson_fields(const char *record, size_t n, size_t readable,
                    struct simdjson_text out[SIMDJSON_FIELDS]);

/** All records of a text, each on its line, read ahead in blocks of 1 MB; `sum` is made of all
 *  fields as sum_fields() makes it. @return records, or -1 */
long simdjson_stream(const char *text, size_t n, unsigned long *sum);

/** What both sum up of a record's fields. */
static inline unsigned long sum_fields(const struct simdjson_text f[SIMDJSON_FIELDS])
{
	unsigned long sum = 0;

	for (int i = 0; i < SIMDJSON_FIELDS; i++)
		sum = sum * 31 + f[i].n * 7 + (f[i].n ? (unsigned char)f[i].p[f[i].n - 1] : 0);
	return sum;
}

/** Use the best body (0) or the one for AVX2 (1) from now on. @return "simdjson 3.0.1 icelake", or
 * NULL: there is none, or it is the best */
const char *simdjson_name(int body);

#ifdef __cplusplus
}
#endif
