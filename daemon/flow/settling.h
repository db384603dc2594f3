/* Receipts that are settled only when the alerts of their records have left us.
 *
 * A batch whose alerts are in the queues goes back to the pool at once; those of its receipts that
 * are `until_sent` stay here until every queue that is waited for has passed what it held then:
 * sent, or dropped for a cause that is counted. So killing this process loses no alert about a
 * record that was acknowledged.
 *
 * Nothing is ever allocated after sqd_settling_new(): a receipt carries its own links, and is here
 * once at most; the number of places where a queue is looked at is fixed, and when there are more
 * batches than places, the newest ones share one (they are settled later than they could be, never
 * sooner).
 *
 * Each loop that has inputs has its own, for its thread alone. That of the main loop looks at the
 * queues; the others at gauges, which tell them the same.
 */
#pragma once

#include "daemon/flow/gauge.h"
#include "daemon/flow/outqueue.h"
#include "daemon/flow/receipt.h"

struct sqd_settling;

/** For at most `queues` queues. NULL: out of memory. */
struct sqd_settling *sqd_settling_new(size_t queues);

/** No receipt may wait any more. The queues may outlive it, if nothing is sent by then. */
void sqd_settling_free(struct sqd_settling *s);

/**
 * Wait for `q` too, which is kept until sqd_settling_free(). Becomes its on_passed.
 * @param patient  wait as long as it takes. false: not while its output is failing, since what it
 *                 holds is not worth stopping senders for
 */
void sqd_settling_await(struct sqd_settling *s, struct sqd_outqueue *q, bool patient);

/** The same on another loop than the queue's: `gauge` tells of it, and who sets it calls
 *  sqd_settling_look(), by way of the loop, whenever sqd_settling_anyone() is true then. For one
 *  settling either these or queues. */
void sqd_settling_watch(struct sqd_settling *s, const struct sqd_gauge *gauge, bool patient);

/** Main loop: who else is told that a queue has sent something. */
void sqd_settling_on_passed(struct sqd_settling *s, void (*on_passed)(void *ctx), void *ctx);

/** Somebody waits for a gauge. Any thread. */
bool sqd_settling_anyone(const struct sqd_settling *s);

/** All that was made of `b` is in the queues: settle its receipts, now or when it has been sent.
 *  `raised`: something was made of it. NULL `s`: now. */
void sqd_settling_batch(struct sqd_settling *s, const struct sq_batch *b, bool raised);

/** Nobody will be told of `r` any more: it waits for no queue from now on. What waits of it is
 *  settled at once, which may end it; of batches that are not back yet, when they are. NULL `s`: as
 *  above. */
void sqd_settling_forget(struct sqd_settling *s, struct sqd_receipt *r);

/** Settle what has been sent; queues call this as they send. */
void sqd_settling_look(struct sqd_settling *s);

/** On the way down, alerts are being dropped: batches that come from now on are `lost`. */
void sqd_settling_yield(struct sqd_settling *s);

/** Time is up: settle all that wait, now and from now on, as `lost`. */
void sqd_settling_give_up(struct sqd_settling *s);

/** Records whose receipts wait here. */
uint64_t sqd_settling_waiting(const struct sqd_settling *s);
