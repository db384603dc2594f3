/* What the three files of the Kafka input share: kafka.c is a member of the group, kafka_group.c
 * gets and gives up partitions, kafka_part.c knows what of each is settled. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "daemon/flow/receipt.h"
#include "daemon/input/kafka.h"

/* Messages of a partition that are under way are told apart by so many windows at most; with more
 * of them the newest one grows. */
enum { SQD_KAFKA_WINDOWS = 32, SQD_KAFKA_WINDOW_MESSAGES = 512 };

struct sqd_kafka_part;

struct sqd_kafka_window {
	struct sqd_receipt receipt;
	struct sqd_kafka_part *part;
	uint32_t n;  /* messages */
	int64_t end; /* offset behind the last of them */
};

/** A partition that is, or was, assigned to us. Lives until the last of its receipts is settled. */
struct sqd_kafka_part {
	struct sqd_kafka_part *next;
	struct sqd_kafka_input *in;
	char name[64]; /* "events[3]": what alerts say they come from */
	char *topic;
	int32_t number;
	const void *rkt; /* the topic, as librdkafka calls it in messages; NULL: none has come */
	bool leaving;    /* it will be revoked: nothing more is taken from it */
	bool gone;       /* it is not ours any more: no offset is stored */
	bool lost;       /* some of it was given up: its offset stays where it is */
	int64_t taken;   /* offset behind the last message taken; -1: none yet */
	int64_t settled; /* offset behind the last one of which all is settled; -1: none yet */
	rd_kafka_topic_partition_list_t *row; /* itself alone, for storing the offset */
	struct sqd_kafka_window windows[SQD_KAFKA_WINDOWS];
	uint32_t first, n; /* of windows: a ring, the oldest first */
};

struct sqd_kafka_input {
	struct sqd_input base;
	struct sqd_kafka client;
	bool up; /* the client is there, and is not ending */
	bool started, stopped, closing;
	bool starved; /* no batch is free */
	bool silent;  /* partitions are paused: no message comes, but all other events do */
	bool broken;  /* nothing will work any more: begin anew */
	bool leaving; /* take nothing, settle, leave the group; then close, or begin anew */
	bool left;    /* "leave" was said */
	bool heard;   /* of the group: partitions have come, if only none, or gone */
	struct sqd_kafka_part *parts, *last;       /* all; the one that the last message was of */
	rd_kafka_topic_partition_list_t *revoking; /* they wait for their receipts */
	uint64_t revoke_ms, leave_ms, starve_ms;   /* loop time until, until, since */
	uint64_t slow_ms; /* loop time until which max_rate is used up; `starved` until then */
	uint64_t lag_ms;  /* loop time when it was last looked at */
	uint64_t woken_bytes, woken_n; /* taken since the fetching threads were woken */
	bool backs_off; /* librdkafka looks at its queue again by itself: nobody is woken */
	uv_timer_t tick;
	struct sqd_log_limit limit, long_limit;
};

static inline const struct sqd_input_kafka_cfg *sqd_kafka_in_cfg(const struct sqd_kafka_input *in)
{
	return in->base.cfg;
}

static inline uint64_t sqd_kafka_in_ms(const struct sqd_kafka_input *in)
{
	return uv_now(in->base.loop);
}

/* ---- kafka_group.c ------------------------------------------------------------------------- */

/** Pause all partitions, or none. What had been fetched is thrown away and fetched again. */
void sqd_kafka_in_silence(struct sqd_kafka_input *in, bool silent);

/** The group has changed. */
void sqd_kafka_in_rebalance(struct sqd_kafka_input *in, rd_kafka_event_t *ev);

/** Partitions that wait for their receipts go when they have them, or have waited for long enough.
 */
void sqd_kafka_in_look(struct sqd_kafka_input *in);

/** librdkafka before 2.3 aborts the process when a member is ended that has joined and not heard of
 *  any partitions yet: see to it that it is not. To be called before the group is left. */
void sqd_kafka_in_spare(struct sqd_kafka_input *in);

/* ---- kafka_part.c -------------------------------------------------------------------------- */

/** A new one at the head of in->parts. @return 0, -ENOMEM */
int sqd_kafka_part_add(struct sqd_kafka_input *in,
                       const rd_kafka_topic_partition_t *p) SQ_MUST_CHECK;

/** The one that is ours by this name, or NULL. */
struct sqd_kafka_part *sqd_kafka_part_find(struct sqd_kafka_input *in, const char *topic,
                                           int32_t number);

/** Take a message into the open batch, which has room for it. */
void sqd_kafka_part_take(struct sqd_kafka_input *in, const rd_kafka_message_t *m);

/** Something of it is under way. */
static inline bool sqd_kafka_part_busy(const struct sqd_kafka_part *p)
{
	return p->n > 0;
}

/** It is not ours any more; ends it, now or when its receipts are settled. @return records that
 *  were not settled, and will be read again by whoever has it next */
uint64_t sqd_kafka_part_leave(struct sqd_kafka_part *p);

/** The same of all. */
uint64_t sqd_kafka_parts_leave(struct sqd_kafka_input *in);

/** All that are ours, to be freed by the caller. */
rd_kafka_topic_partition_list_t *sqd_kafka_parts_list(const struct sqd_kafka_input *in);

/** Wake the threads that fetch for our partitions, if they sleep. Does not wait. For a librdkafka
 *  before 2.2 only: later ones let a question that nobody waits for expire, and may take the
 *  connection for a bad one. */
void sqd_kafka_parts_wake(const struct sqd_kafka_input *in);

/** Messages in our partitions that are not settled, as far as librdkafka knows of them. */
uint64_t sqd_kafka_parts_lag(const struct sqd_kafka_input *in);
