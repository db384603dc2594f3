/* Whether each output can be reached, since when not and why, what waits for it and what becomes of
 * that. Main loop. */
#pragma once

#include "daemon/core/daemon_private.h"
#include "lib/text/jsonw.h"

/** Member "outputs"; */
void sqd_status_outputs_json(const struct sqd_daemon *d, struct sq_jsonw *w);
/** some lines for people, for output `i`; */
void sqd_status_output_text(const struct sqd_daemon *d, size_t i, struct sq_outbuf *out);
/** one line, when some output needs somebody's attention. */
void sqd_status_outputs_verdict(const struct sqd_daemon *d, struct sq_outbuf *out);
