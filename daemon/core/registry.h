/* The kinds of inputs and outputs there are. The only place that names them.
 */
#pragma once

#include "daemon/flow/input.h"
#include "daemon/flow/output.h"

/** Both end with NULL. */
extern const struct sqd_input_ops *const sqd_input_kinds[];
extern const struct sqd_output_ops *const sqd_output_kinds[];

/** What writes dead letters; its options are those of the section `dead_letter`. */
extern const struct sqd_output_ops *const sqd_dead_letter_kind;
