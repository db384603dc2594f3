/* What the two files of the Kafka output share: kafka.c has a client of the cluster, kafka_send.c
 * gives it messages and hears what became of them. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "daemon/output/kafka.h"
#include "daemon/output/kafka_parked.h"

/* Sends that are not answered, at one time: as many as a queue gives. They are answered in order,
 * so that all behind one that waits for its partition's batch have to find a place. */
enum { SQD_KAFKA_SENDS = SQD_OUTPUT_SENDS };

enum sqd_kafka_out_state { KAFKA_IDLE, KAFKA_UP, KAFKA_ENDING };

struct sqd_kafka_given {
	struct sq_sv bytes;
	size_t at;                      /* so many of them are with librdkafka, or parked */
	uint32_t open;                  /* messages that are not delivered */
	struct sqd_parked_list refused; /* of those, to be told when all the others are delivered */
};

struct sqd_kafka_output {
	struct sqd_output base;
	struct sqd_kafka client;
	enum sqd_kafka_out_state state;
	bool started, closing;
	bool wanted;     /* send() said -EAGAIN */
	bool reopen_due; /* begin anew when nothing is under way */
	bool broken;     /* nothing will work any more: begin anew */
	struct rd_kafka_topic_s *topic;
	struct sqd_kafka_given sends[SQD_KAFKA_SENDS];
	uint32_t first, n;  /* of sends: a ring */
	uint32_t in_flight; /* messages that librdkafka has */
	struct sqd_parking parking;
	struct sqd_parked_list again;   /* to be given again */
	struct sqd_parked_list singles; /* the same, but when nothing else is under way */
	const char *alone;              /* the message that is tried by itself */
	uv_timer_t timer;               /* until the next attempt */
	uint64_t retry_ms, random;
	bool insists; /* waits do not become longer */
	struct sqd_log_limit limit;
};

static inline const struct sqd_output_kafka_cfg *sqd_kafka_out_cfg(const struct sqd_kafka_output *o)
{
	return o->base.cfg;
}

/** In a while; longer each time, until something is delivered. */
void sqd_kafka_out_later(struct sqd_kafka_output *o);

/** All that can be done now. Calls out: the last thing that is done. */
void sqd_kafka_out_go_on(struct sqd_kafka_output *o);

/** Take what librdkafka has to say. */
void sqd_kafka_out_take(struct sqd_kafka_output *o);

int sqd_kafka_out_send(struct sqd_kafka_output *o, struct sq_sv bytes) SQ_MUST_CHECK;

/** Begin to end the client; all sends that are not answered are void once it has ended. */
void sqd_kafka_out_end(struct sqd_kafka_output *o);

/** The timer of sqd_kafka_out_later(). */
void sqd_kafka_out_on_timer(uv_timer_t *t);
