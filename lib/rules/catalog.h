/* Facts about Windows log sources: which channels a Sigma service stands for, which event ids a
 * category has, which fields occur in it. Constant tables; private to the Sigma reader.
 */
#pragma once

#include "lib/model/event.h"

/** Channels of `service`, NULL at the end; or NULL: no such service on Windows. */
const char *const *sq_catalog_channels(struct sq_sv service);
/** Name of the service number `i`, or NULL when there is none. */
const char *sq_catalog_service(size_t i);

/** Bits (1 << enum sq_category) of the events that category `name` means, 0: unknown. */
uint64_t sq_catalog_categories(struct sq_sv name);
/** Name of the category number `i` as rules may write it, or NULL when there is none. */
const char *sq_catalog_category(size_t i);

/** An event of one of these categories can have this id. */
bool sq_catalog_has_id(uint64_t categories, uint64_t event_id);

/** An event of one of these categories can have this field. */
bool sq_catalog_has_field(uint64_t categories, struct sq_sv field);
/** All fields of `category` or, for SQ_CATEGORY_NONE, those that every event can have: names with
 *  one blank between them. */
struct sq_sv sq_catalog_fields(enum sq_category category);
