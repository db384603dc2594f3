/* A Windows event as XML: into the same fields as its JSON. Private to lib/model. */
#pragma once

#include "lib/model/collect.h"

/**
 * Read the event (or the piece of one: "<EventData>..", "<Data Name=..>..") at the front of `*in`,
 * which is moved past it. `*in` must outlive the event.
 *
 * @return whether it was whole; what was found before it broke off is kept in any case
 */
bool sq_eventxml_read(struct sq_collect *c, struct sq_sv *in);
