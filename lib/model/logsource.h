/* From channel, provider and event id to what Sigma calls the log source's category.
 *
 * Private to lib/model.
 */
#pragma once

#include "lib/model/event.h"

enum sq_source {
	SQ_SOURCE_UNKNOWN, /* the record names neither channel nor provider */
	SQ_SOURCE_OTHER,
	SQ_SOURCE_SYSMON,
	SQ_SOURCE_SECURITY,
	SQ_SOURCE_POWERSHELL,
	SQ_SOURCE_POWERSHELL_CLASSIC,
};

/** Who wrote the event; every value of the two fields counts. */
enum sq_source sq_source_of(const struct sq_event *ev);

/** What Sigma calls it; SQ_CATEGORY_NONE: nothing. `event_id` is 0 when there is none. */
enum sq_category sq_category_of(const struct sq_event *ev, enum sq_source source,
                                uint32_t event_id);
