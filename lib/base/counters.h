/* Every counter of the program: one row gives the member, its printed name and its help.
 *
 * The equation that must hold whenever nothing is in flight:
 *
 *	received = alerted + clean + malformed + oversized + sum of dropped_*
 *
 * Counts are plain numbers with one writer each. A batch carries what was counted while it was cut
 * and read; its loop adds them up. So there is no atomic and no lock on the way of an event.
 */
#pragma once

#include "lib/base/base.h"

/* clang-format off */
/* X(member, kind, help): kind TERM (right side of the equation), DROP (a cause of dropped) or INFO */
#define SQ_COUNTERS(X)                                                                              \
	X(received,            INFO, "Records taken in: cut from a stream, or datagrams put together") \
	X(alerted,             TERM, "Records that at least one rule matched")                         \
	X(clean,               TERM, "Records that no rule matched")                                   \
	X(malformed,           TERM, "Records that are not JSON, XML or another shape we read")        \
	X(oversized,           TERM, "Records longer than max_record, skipped to their end")           \
	X(dropped_pressure,    DROP, "Datagrams thrown away because no batch was free")                \
	X(dropped_truncated,   DROP, "Datagrams that arrived longer than their buffer and were cut")   \
	X(dropped_inflate,     DROP, "Compressed datagrams that did not unpack, or unpacked to too much") \
	X(dropped_chunks,      DROP, "Chunked datagrams of which a part never came, or was wrong")     \
	X(dropped_rate,        DROP, "Datagrams thrown away because more came than max_rate of the input")  \
	X(dropped_duplicate,   DROP, "Events sent again that were remembered; their alerts went out the first time") \
	X(dropped_shutdown,    DROP, "Records still unread when the deadline for stopping passed")     \
	X(further,             INFO, "Events beside the first one of their record, each counted as received: arrays, objects back to back") \
	X(verdicts,            INFO, "Records handed on (forward) with what rules found in them added")    \
	X(verdicts_wrapped,    INFO, "Of those, records that are no single JSON object, or were cut off, and went as the text of one") \
	X(verdicts_replaced,   INFO, "Of those, records that had a member of that name already, which was taken out") \
	X(verdicts_lost,       INFO, "Records handed on as they came, or as a short text to outputs that take JSON alone, because what should be written did not fit into memory") \
	X(records_mended,      INFO, "Records in which bytes that JSON cannot hold were replaced, for outputs that take JSON alone") \
	X(bytes_in,            INFO, "Bytes received from inputs")                                     \
	X(alerts,              INFO, "Alerts made: one for each rule and event")                       \
	X(alerts_folded,       INFO, "Alerts counted into an earlier one of the same rule, host and command line") \
	X(alerts_capped,       INFO, "Events that more than 64 rules matched: no alert was made of those with the lowest level") \
	X(alerts_shortened,    INFO, "Alerts sent without their record, which was too large to go along")  \
	X(alerts_lost,         INFO, "Alerts that could not be written at all: out of memory")         \
	X(duplicate_keys,      INFO, "Events that held a JSON key twice; every value was looked at")   \
	X(fields_overflow,     INFO, "Events whose fields did not all fit into memory; read as far as they did") \
	X(scan_fallbacks,      INFO, "Values that Hyperscan could not scan; each pattern was tried on them instead") \
	X(regex_limits,        INFO, "Regular expressions given up at their step limit; they count as no match") \
	X(cut_alerted,         INFO, "Records cut off on their way that a rule matched all the same") \
	X(left_out,            INFO, "Records, counted as clean, that were not read: no rule could match their bytes") \
	X(skim_unsure,         INFO, "Events that the fast reader was not certain of, so that yajl read them")  \
	X(oracle_checked,      INFO, "Records checked: read and matched once more, the slow way (check_one_in)")  \
	X(oracle_skipped,      INFO, "Records chosen for a check that came to no verdict: check_share was used up, or a search was given up") \
	X(oracle_disagreed,    INFO, "Checked records for which the slow way found other alerts: a fault of this program, see the log") \
	X(oracle_raised,       INFO, "Alerts that only the slow way found; they were sent, though their records count as clean") \
	X(unknown_shape,       INFO, "Events without an event id, or starts of processes without image and command line: what rules ask about was not found") \
	X(kernel_dropped,      INFO, "Datagrams the kernel dropped before we could read them")         \
	X(connections,         INFO, "Connections accepted")                                           \
	X(connections_refused, INFO, "Connections closed at once because max_connections was reached") \
	X(connections_crowded, INFO, "Connections closed at once because max_connections_per_peer of one address were open") \
	X(accepts_failed,      INFO, "Times that no connection could be accepted: too few descriptors, or memory") \
	X(connections_failed,  INFO, "Connections closed for an error or a protocol we do not speak there") \
	X(connections_idle,    INFO, "Connections closed because they said nothing for too long")      \
	X(handshake_timeouts,  INFO, "Connections closed because PROXY header and TLS handshake took too long") \
	X(proxy_failed,        INFO, "Connections closed because of a PROXY header: missing, broken, or not allowed") \
	X(tls_handshakes,      INFO, "TLS handshakes that succeeded")                                  \
	X(tls_resumed,         INFO, "TLS handshakes that resumed an earlier session")                 \
	X(tls_failed,          INFO, "TLS handshakes and sessions that failed")                        \
	X(tls_truncated,       INFO, "TLS connections ended without saying so first (close_notify)")   \
	X(tls_reloads_failed,  INFO, "Certificates that could not be read anew; the old one stayed")   \
	X(beats_windows,        INFO, "Lumberjack windows received whole")                               \
	X(beats_acked,          INFO, "Lumberjack windows acknowledged: all of their events are settled") \
	X(beats_cut,            INFO, "Lumberjack windows begun and never acknowledged; their senders send them again") \
	X(beats_keepalives,     INFO, "Times a Lumberjack sender was told that its window is still under way") \
	X(beats_faults,         INFO, "Lumberjack connections closed for an error of the protocol")      \
	X(beats_over_window,    INFO, "Lumberjack connections closed for a window over max_window")      \
	X(beats_over_frame,     INFO, "Lumberjack connections closed for a frame over max_frame")        \
	X(beats_over_unpacked,  INFO, "Lumberjack connections closed for a compressed frame over max_unpacked") \
	X(beats_over_ratio,     INFO, "Lumberjack connections closed for a compressed frame over max_ratio") \
	X(beats_over_pairs,     INFO, "Lumberjack connections closed for an event over max_pairs or max_key") \
	X(beats_over_unfinished, INFO, "Lumberjack connections closed because max_unfinished was used up")     \
	X(beats_full,           INFO, "Times a Lumberjack connection was not read because max_windows were unacknowledged") \
	X(beats_unacked,        INFO, "Lumberjack connections closed because a window took longer than max_unacked") \
	X(beats_silent,         INFO, "Lumberjack connections closed because they were silent inside of a frame") \
	X(http_requests,       INFO, "HTTP requests whose header was read")                            \
	X(http_unauthorized,   INFO, "HTTP requests refused because they showed no token or password, or a wrong one") \
	X(http_busy,           INFO, "HTTP requests answered with 429 because no batch was free for busy_after") \
	X(http_over_unpacking, INFO, "HTTP requests answered with 503 because max_unpacking was used up by others") \
	X(http_unsettled,      INFO, "HTTP requests answered with 503: not settled within answer_timeout, or lost on the way down") \
	X(http_too_large,      INFO, "HTTP requests refused because header, body or what it unpacks to was too large") \
	X(http_bad,            INFO, "HTTP requests refused for what they are: broken, cut off, no such path or encoding") \
	X(http_timeouts,       INFO, "HTTP requests refused because header or body came too slowly")   \
	X(kafka_assigned,      INFO, "Kafka partitions that were given to us")                         \
	X(kafka_revoked,       INFO, "Kafka partitions that were taken from us")                       \
	X(kafka_given_up,      INFO, "Records from Kafka that were not settled when their partition went: they are read again where it is") \
	X(kafka_commits,       INFO, "Commits of offsets that Kafka's brokers took")                   \
	X(kafka_empty,         INFO, "Messages from Kafka without a value (tombstones)")               \
	X(kafka_lag,           INFO, "Messages in our Kafka partitions that are not settled now")      \
	X(pauses,              INFO, "Times that inputs stopped reading because no batch was free")    \
	X(rate_pauses,         INFO, "Times that an input stopped reading for a moment because of its max_rate") \
	X(dead_letters,        INFO, "Malformed records written to the dead-letter file")              \
	X(dead_letters_lost,   INFO, "Malformed records that the dead-letter file could not take")     \
	X(log_lost,            INFO, "Lines of the log that were lost because nobody read it")         \
	X(reloads,             INFO, "Rule sets taken up after the first")                             \
	X(lookups_refused,     INFO, "Times that a lookup table could not be read anew; the old ones stayed") \
	X(reloads_failed,      INFO, "Rule sets refused; the old one stayed")
/* clang-format on */

struct sq_counters {
#define SQ_COUNTER_MEMBER(member, kind, help) uint64_t member;
	SQ_COUNTERS(SQ_COUNTER_MEMBER)
#undef SQ_COUNTER_MEMBER
};

enum sq_counter_kind { SQ_COUNTER_INFO, SQ_COUNTER_TERM, SQ_COUNTER_DROP };

struct sq_counter_info {
	const char *name; /* as printed */
	const char *help; /* one sentence */
	enum sq_counter_kind kind;
	size_t offset; /* in struct sq_counters */
};

/** In the order above; ends with a row whose name is NULL. */
extern const struct sq_counter_info sq_counter_infos[];

void sq_counters_add(struct sq_counters *to, const struct sq_counters *more);

static inline uint64_t sq_counter_get(const struct sq_counters *c, const struct sq_counter_info *i)
{
	return *(const uint64_t *)((const char *)c + i->offset);
}

/** Everything that `received` must equal once nothing is in flight. */
uint64_t sq_counters_accounted(const struct sq_counters *c);
