/* The body of Elasticsearch's _bulk: lines of actions and documents in, records and an answer out.
 *
 *	{"create":{"_index":"winlogbeat-8.17.4"}}       an action
 *	{"@timestamp":"2024-03-01T12:00:00Z", ...}      its document: a record
 *	{"delete":{"_index":"x","_id":"7"}}             an action without document
 *
 * A framer in the shape of sq_frame_next(): documents are cut out where they lie and are not looked
 * into (but for those of "update", whose "doc" is the record). What has to be answered is kept as a
 * note of one byte for each action, and with the names it gave when the client wants to see them
 * again; the answer has exactly one item for each action, in order, with the same key.
 *
 * A document is not judged here: whatever is wrong with it, the record is counted as malformed
 * later, and its sender, who could do nothing about it, is told 201. One that is too long is told
 * 413, which makes a Beat give up this one event. An action line that is none ends everything, as
 * with Elasticsearch: what follows cannot be told apart.
 *
 * Pure. Memory is that of `notes`, kept over resets.
 */
#pragma once

#include "lib/base/outbuf.h"

struct sq_bulk_limits {
	uint32_t max_record; /* bytes of a document */
	uint32_t max_items;  /* actions of a request */
	uint32_t max_notes;  /* bytes; at least max_items */
};

enum {
	SQ_BULK_ACTION_MAX = 16 * 1024, /* bytes of an action line */
	SQ_BULK_SAME_MAX =
		256, /* an action line up to so long is not read again when it comes again */
};

struct sq_bulk {
	struct sq_bulk_limits limits;
	bool brief;      /* the client does not want to see _index and _id: keep no names */
	uint32_t items;  /* actions so far */
	uint32_t errors; /* of them, with a status from 400 on */
	const char *why; /* of an error of sq_bulk_next(): static */

	/* Private. */
	uint64_t line;  /* lines seen */
	size_t scanned; /* bytes of the unread part that are known to hold no line end */
	uint8_t kind;   /* of the action whose document comes next */
	bool in_action; /* an action is open: a document must come */
	bool dropping;  /* that document is too long; looking for its end */
	bool named;     /* the notes of the last action hold names */
	size_t note;    /* where the notes of the open action begin */
	struct sq_outbuf notes;
	uint8_t same_kind;
	uint32_t same_n; /* 0: none */
	char same[SQ_BULK_SAME_MAX];
};

/** Empty, with no memory. */
void sq_bulk_init(struct sq_bulk *b, const struct sq_bulk_limits *limits);
void sq_bulk_fini(struct sq_bulk *b);

/**
 * As sq_frame_next() with a struct sq_bulk as `bulk`; further
 * @return -EBADMSG: an action line is none, or its document is missing (see `why`), -E2BIG: more
 * than max_items, -ENOMEM
 */
int sq_bulk_next(void *bulk, struct sq_sv in, bool eof, size_t *ret_used,
                 struct sq_sv *ret_rec) SQ_MUST_CHECK;

/** The answer to all actions so far: {"took":..,"errors":..,"items":[..]}. With the names when they
 *  were kept and all of it fits into `out`, else without. @return false: it does not fit at all */
bool sq_bulk_answer(const struct sq_bulk *b, uint64_t took_ms, struct sq_outbuf *out) SQ_MUST_CHECK;

/** What Elasticsearch says of a request that it cannot read: {"error":{..},"status":..}. */
void sq_bulk_refusal(struct sq_outbuf *out, int status, const char *type, const char *reason);

/** Does `query` (of the request) ask for the short answer that Beats asks for? */
bool sq_bulk_is_brief(struct sq_sv query);
