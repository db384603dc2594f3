/* What the two halves of lib/text/opt.h share: opt.c reads, opt_print.c prints. */
#pragma once

#include "lib/text/opt.h"

/** Units, the largest first; a row without a name ends the table. */
struct sq_opt_unit {
	const char *name;
	uint64_t size;
};

extern const struct sq_opt_unit sq_opt_byte_units[], sq_opt_time_units[];

/** A U32, BYTES or MSEC in the largest unit that leaves no rest, so that what is printed reads back
 *  as the same number. */
void sq_opt_print_number(enum sq_opt_type type, uint64_t v, struct sq_outbuf *out);
