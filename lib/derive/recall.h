/* What was derived of process starts that come again.
 *
 * Scripts, services and attackers start the same program with the same command line again and
 * again. Reading the line once more costs seven times as much as looking it up. An answer is only
 * given for the very same bytes in all fields that are read, and only where neither reading nor a
 * copy can run out of room, so it is the one that reading would give. One per thread; later lines
 * take the place of earlier ones, so it never grows.
 */
#pragma once

#include "lib/model/event.h"

struct sq_recall;

/** @return NULL: out of memory */
struct sq_recall *sq_recall_new(void);
void sq_recall_free(struct sq_recall *r);

/** Give the start of a process its derived fields, if they are known; copies of what is kept, in
 *  the arena. @return false: read it, and call sq_recall_learn() then */
bool sq_recall_find(struct sq_recall *r, struct sq_event *ev, struct sq_arena *a);

/** Keep what was derived since sq_recall_find(), unless it is long or some of it had no room. */
void sq_recall_learn(struct sq_recall *r, const struct sq_event *ev, const struct sq_arena *a);
