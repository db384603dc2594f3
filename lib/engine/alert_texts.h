/* What all alerts of a rule say alike, encoded once for the rule set instead of once an alert.
 *
 * Constant once made: any thread.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/rules/ruleset.h"

struct sq_alert_rule_text {
	struct sq_sv title;   /* inside of a JSON string, as far as a message has room for it */
	struct sq_sv rule;    /* members "rule" and "threat", with no comma before them */
	struct sq_sv verdict; /* an object: id, name, level, techniques */
	struct sq_sv ocsf;    /* members of OCSF's "finding_info", with no comma before them */
};

enum { SQ_ALERT_TITLE_MAX = 512 }; /* bytes of a title in a message */

struct sq_alert_texts {
	struct sq_alert_rule_text *rules; /* by index in the rule set */
	struct sq_outbuf bytes;
};

/** Those of `rs`, made when nobody has before; they live as long as it does. NULL: no memory. */
const struct sq_alert_texts *sq_alert_texts_of(struct sq_ruleset *rs);
