/* From what producers sent to what Sigma's field names mean: docs/formats.md, "Semantics".
 *
 * Private to lib/model. Runs once for each event, after its record has been walked.
 */
#pragma once

#include "lib/model/collect.h"
#include "lib/wire/syslog.h"

/** Event id, category, the meaning of 4688 and Sysmon 1, time, host. */
void sq_semantics_finish(struct sq_collect *c, const struct sq_syslog *header);
