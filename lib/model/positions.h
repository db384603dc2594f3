/* EventData without names: what stands where in 4688, 4689 and Sysmon 1. Private to lib/model. */
#pragma once

#include "lib/model/collect.h"

/** Give names to the values of c->list, if they stand where they should. @return whether so */
bool sq_positions_security_4688(struct sq_collect *c);
bool sq_positions_security_4689(struct sq_collect *c);
bool sq_positions_sysmon_1(struct sq_collect *c);
