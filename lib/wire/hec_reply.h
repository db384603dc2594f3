/* The answer of Splunk's event collector, of which two numbers count:
 *
 *	{"text":"Invalid data format","code":6,"invalid-event-number":3}
 *
 * https://docs.splunk.com/Documentation/Splunk/9.4.1/Data/TroubleshootHTTPEventCollector
 *
 * Pure. The answer comes from a network: nothing in it is believed.
 */
#pragma once

#include "lib/text/json.h"

struct sq_hec_reply {
	int64_t code;  /* -1: none that is a number */
	int64_t event; /* which one is invalid, from 0; -1: it does not say */
	/* Private. */
	struct sq_json *json;
	unsigned depth;
	int64_t *next; /* where the value that comes goes */
};

/** @return 0 or -ENOMEM */
int sq_hec_reply_init(struct sq_hec_reply *r) SQ_MUST_CHECK;
/** Also of one that is all zero. */
void sq_hec_reply_fini(struct sq_hec_reply *r);

/** Read a whole answer. @return 0, -EBADMSG: it is no JSON object; -ENOMEM */
int sq_hec_reply_read(struct sq_hec_reply *r, struct sq_sv text) SQ_MUST_CHECK;
