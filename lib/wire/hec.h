/* Splunk's HTTP event collector: its paths, its events and its answers.
 *
 *	/services/collector, .../event, .../event/1.0   {"time":..,"host":..,"event":{..}} back to
 *back /services/collector/raw, .../raw/1.0            lines /services/collector/health,
 *.../health/1.0      are you there? /services/collector/ack                         {"acks":[0,1]}:
 *are these settled?
 *
 * An event is a record as it stands, its wrapper included: the reader of records takes it off, and
 * host and time with it. Pure.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/wire/frame.h"

enum sq_hec_path {
	SQ_HEC_NOT,
	SQ_HEC_EVENT,
	SQ_HEC_RAW,
	SQ_HEC_HEALTH,
	SQ_HEC_ACK,
};

/** What a client wants there. SQ_HEC_NOT: it is no path of the collector. */
enum sq_hec_path sq_hec_path(struct sq_sv path);

/** Codes of answers; Splunk's numbers. */
enum sq_hec_code {
	SQ_HEC_SUCCESS = 0,
	SQ_HEC_TOKEN_REQUIRED = 2,
	SQ_HEC_INVALID_AUTHORIZATION = 3,
	SQ_HEC_INVALID_TOKEN = 4,
	SQ_HEC_NO_DATA = 5,
	SQ_HEC_INVALID_FORMAT = 6,
	SQ_HEC_BUSY = 9,
	SQ_HEC_CHANNEL_MISSING = 10,
	SQ_HEC_CHANNEL_INVALID = 11,
	SQ_HEC_EVENT_REQUIRED = 12,
	SQ_HEC_EVENT_BLANK = 13,
	SQ_HEC_ACK_DISABLED = 14,
	SQ_HEC_HEALTHY = 17,
};

/** The status of HTTP that goes with it. */
int sq_hec_status(enum sq_hec_code code);

/** A code as the body of an answer. `number`: of the event it is about, or -1. */
void sq_hec_answer(struct sq_outbuf *out, enum sq_hec_code code, int64_t number);

/** Frames events: a struct sq_frame that looks whether what it cuts is an event. Begin with
 *  `.frame = sq_frame_of(max_record)`. */
struct sq_hec {
	struct sq_frame frame; /* first */
	uint64_t events;       /* so far; too long ones among them */
	enum sq_hec_code code; /* of the first that was not right; SUCCESS: all were */
	uint64_t wrong;        /* its number, from 0 */
};

/** As sq_frame_next() with a struct sq_hec. What is no event is a record all the same: it is
 *  looked at, and counted as malformed if it is nothing. */
int sq_hec_next(void *hec, struct sq_sv in, bool eof, size_t *ret_used,
                struct sq_sv *ret_rec) SQ_MUST_CHECK;

/** A channel's name: a GUID, or anything of its letters. */
bool sq_hec_is_channel(struct sq_sv v);

enum { SQ_HEC_ACKS_MAX = 10000 }; /* ids that one question may name */

/** The ids of {"acks":[0,1,2]}, one at a time: begin with the body, then until 0. @return 1, 0, or
 *  -EBADMSG */
int sq_hec_ack_next(struct sq_sv *body, bool *began, uint64_t *ret_id) SQ_MUST_CHECK;
