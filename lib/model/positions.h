/* EventData without names: what stands where in 4688, 4689 and Sysmon 1. Private to lib/model. */
#pragma once

#include "lib/model/collect.h"

/** Give names to the values of c->list, if they stand where they should. @return whether so */
bool sq_positions_security_4688(struct sq_collect *c);
bool sq_positions_security_4689(struct sq_collect *c);
bool sq_positions_sysmon_1(struct sq_collect *c);

/** Bytes of a GUID without braces. */
#define SQ_GUID_LEN 36

/** Is `v` "{B59756A9-B238-5F17-5207-000000000400}", with or without braces, and nothing else? */
bool sq_is_guid(struct sq_sv v);
