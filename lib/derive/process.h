/* What the frame (derive.c) hands to the argument model of one program.
 *
 * A model is one file and one row in the table of derive.c: a function that reads the arguments as
 * its program would and sets fields of the event. An event whose command line is given twice is
 * read once for each; what the fields say must then hold for either, so a model adds to its fields
 * rather than setting them anew.
 */
#pragma once

#include "lib/derive/cmdline.h"
#include "lib/derive/fold.h"
#include "lib/derive/winpath.h"
#include "lib/model/event.h"

/* Values of one derived field that are kept. What a rule must not miss (places, scrobj, lawful) is
 * decided over all of them nevertheless. */
enum { SQ_DERIVED_VALUES_MAX = 64 };

struct sq_process {
	struct sq_event *ev;
	struct sq_arena *arena;
	struct sq_sv raw;  /* the command line as it came */
	struct sq_sv line; /* the command line, folded; quotes and carets as they stand */
	const struct sq_cmdline *cmd; /* the same, split */
	uint32_t tricks;              /* seen so far; models add */
};

typedef void sq_program_fn(struct sq_process *p);

/** Turn a field that says true or false into true, or give it `so` when it has no value yet. */
static inline void sq_derive_or(struct sq_event *ev, uint32_t field, bool so)
{
	if (so || !sq_event_has(ev, field))
		sq_event_set(ev, field, so ? SQ_SV("true") : SQ_SV("false"));
}

/** The same for a field that is true only as long as everything says so. */
static inline void sq_derive_and(struct sq_event *ev, uint32_t field, bool so)
{
	if (!so || !sq_event_has(ev, field))
		sq_event_set(ev, field, so ? SQ_SV("true") : SQ_SV("false"));
}

/** Add a value to a list of distinct ones, at most SQ_DERIVED_VALUES_MAX; empty is no value. */
static inline void sq_derive_list(struct sq_event *ev, uint32_t field, struct sq_sv value)
{
	if (value.n && !sq_event_has(ev, field))
		sq_event_set(ev, field, value);
	else if (value.n)
		(void)sq_event_add_once(ev, field, value, SQ_DERIVED_VALUES_MAX);
}

/** Name of a file as rules compare it: without a final ".dll". */
static inline struct sq_sv sq_derive_library_name(const struct sq_winpath *path)
{
	return sq_sv_eq(path->extension, SQ_SV("dll")) ? path->stem : path->name;
}
