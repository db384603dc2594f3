/* From the bytes of a record to events.
 *
 * Reads every shape of docs/formats.md by one table of paths (fieldmap.c): unwraps, takes out the
 * canonical fields and those a rule set asks for, resolves what 4688 and Sysmon 1 mean by their
 * names, and finds the log source. JSON is read by yajl (lib/text/json.c), zero copy wherever a
 * text holds no escapes.
 *
 * One reader per thread. No allocation after the first few records: texts lie in the record or the
 * arena, the tables of an event (values, more, all) in the reader, until its next event.
 */
#pragma once

#include "lib/model/event.h"
#include "lib/wire/syslog.h"

struct sq_reader_opts {
	uint32_t max_depth; /* of JSON; deeper records are malformed. 0 = 64 */
	uint32_t max_keys;  /* of one record; more are malformed. 0 = 10,000 */
	bool want_all;      /* fill sq_event.all (a rule set has keyword rules) */
	/** Read JSON by the positions of its tokens where that is certain (skim.h), by yajl where
	 * it is not: the same events, sooner. */
	bool skim;
	const struct sq_bits_body *skim_body; /* NULL: the best that this CPU runs */
};

struct sq_bits_body;
struct sq_reader;

/** `fields` is kept and must outlive the reader; names added to it later are not found in keys that
 *  were seen before. NULL: out of memory. */
struct sq_reader *sq_reader_new(const struct sq_fields *fields, const struct sq_reader_opts *opts);
void sq_reader_free(struct sq_reader *r);

/**
 * Read the next event of a record.
 *
 * A record may hold several: objects back to back, an array of them, or an object with lists of
 * them (lists.h). Begin with `*rest` = the whole record and call until 0 (or until `*rest` is
 * empty: blanks behind an event are taken off); another reader may go on where one has stopped. A
 * NXLog EventTime without a zone is taken as UTC. `header` (may be NULL) is what a syslog header
 * said: its host and time fill Computer and the time of an event that has none of its own.
 *
 * @return  1  `*ev` is an event; `*rest` is what follows it
 *          0  nothing is left but blanks
 *          -EBADMSG  malformed: see sq_reader_why(). `*rest` is where to go on (after a NUL or line
 *                    end, else empty)
 */
int sq_reader_next(struct sq_reader *r, struct sq_sv *rest, const struct sq_syslog *header,
                   struct sq_arena *a, struct sq_event *ev) SQ_MUST_CHECK;

/**
 * After -EBADMSG: when the record was JSON that was merely cut off on its way (by the longest
 * message of a sender or relay), read it as far as it came. A command line long enough to have its
 * record cut must not hide what it begins with. sq_reader_why() stays as it was.
 * @return true: `*ev` is an event, flagged SQ_EVENT_CUT; may be asked for again
 */
bool sq_reader_salvage(struct sq_reader *r, const struct sq_syslog *header, struct sq_arena *a,
                       struct sq_event *ev);

/** How many events skim was not certain of, which yajl read then. */
uint64_t sq_reader_unsure(const struct sq_reader *r);

/** Why the last record was malformed: one short line, valid until the next call. */
const char *sq_reader_why(const struct sq_reader *r);
