/* Names that stay: the same event sent again gives the same 128 bits, and so does what is said of
 * it, across restarts and on every machine, so that receivers can drop what comes twice.
 *
 * The key of the hash is fixed and known, and the names say only what the sender said. So whoever
 * may send in another's name can also make the names of another's events. What an attacker would
 * want to hide behind that, the command line and what the rule found, is part of the names:
 * a receiver that takes a forged alert for the real one has been told the same.
 *
 * What goes in, in this order, is in docs/formats.md. It is an interface: receivers keep ids for
 * months. Pure; nothing is allocated.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/rules/matcher.h"

/**
 * An event is known by host (ASCII case does not count), channel, provider, record id and the time
 * it gives, as they are written: Windows counts records anew when a log has been cleared or a host
 * was installed again, so a record id is worth nothing without the time. And by event id and
 * command line, see above. One that has no host, channel or record id is known by its content.
 * Hosts of two tenants may have one name, and count their records alike: `tenant` is part of the
 * name when it is told (n > 0), and nothing is when it is not.
 */
void sq_event_id(const struct sq_event *ev, struct sq_sv tenant, uint64_t ret[2]);

/** Of an event that was not read, or does not say which it is: by its bytes, without the header of
 *  syslog and what other transports wrap it in, and without blanks around; `host` is the header's,
 * or empty; `tenant` as above. */
void sq_event_id_of_bytes(struct sq_sv host, struct sq_sv bytes, struct sq_sv tenant,
                          uint64_t ret[2]);

/** Of what `rule` says of the event `event`. */
void sq_alert_id(const uint64_t event[2], const struct sq_rule *rule, const struct sq_event *ev,
                 const struct sq_hit *hit, uint64_t ret[2]);

/** Of the message that stands for `n` repeats, of which `last` is the last: no alert's. */
void sq_repeats_id(const uint64_t last[2], uint64_t n, uint64_t ret[2]);

enum { SQ_ID_TEXT = 32 }; /* hexadecimal digits, small */

/** Not terminated. */
void sq_id_format(const uint64_t id[2], char to[SQ_ID_TEXT]);

static inline bool sq_id_known(const uint64_t id[2])
{
	return (id[0] | id[1]) != 0;
}
