/* Fields that no producer sends, made of those that one did.
 *
 * What regsvr32 is asked to do stands in a command line that can be written in a thousand ways.
 * Here it is read once, as the program itself would read it, and put beside the event's own fields,
 * so that a rule says what it means. Pure; memory comes from the batch's arena, and an event that
 * is neither the start of a process nor a stored command costs next to nothing.
 */
#pragma once

#include "lib/derive/recall.h"

/** All of them, as `wanted` below. */
#define SQ_DERIVE_ALL UINT64_MAX

/**
 * Add the derived fields (SQ_DERIVED in lib/model/field.h) that apply to `ev`.
 *
 * @param wanted  those that somebody asks for, bit per row of SQ_DERIVED: parts of which no field
 *                is wanted are not made. What has been made is not made again, so that a caller
 *                may ask for more later.
 *
 * What does not fit into the arena or the event's table is left out, and SQ_EVENT_OVERFLOW set.
 */
void sq_derive(struct sq_event *ev, struct sq_arena *a, uint64_t wanted);

/** The same for events of which many come again: what `known` tells need not be read. NULL as
 *  `known` makes it sq_derive(). */
void sq_derive_again(struct sq_recall *known, struct sq_event *ev, struct sq_arena *a,
                     uint64_t wanted);
