/* The Kafka input and its group: partitions come and go. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/input/kafka_private.h"

enum { FIRST_WITHOUT_ASSERTION = 0x020300ff };

/* Pausing throws away what was fetched; it is fetched again from where we are. */
void sqd_kafka_in_silence(struct sqd_kafka_input *in, bool silent)
{
	rd_kafka_topic_partition_list_t *list;

	if (in->silent == silent || !in->up)
		return;
	in->silent = silent;
	list = sqd_kafka_parts_list(in);
	if (silent)
		(void)rd_kafka_pause_partitions(in->client.rk, list);
	else
		(void)rd_kafka_resume_partitions(in->client.rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/* `list` is ours now, or is not any more. */
static void agree(struct sqd_kafka_input *in, bool assign,
                  const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_error_t *error = assign ? rd_kafka_incremental_assign(in->client.rk, list)
	                                 : rd_kafka_incremental_unassign(in->client.rk, list);

	if (!error)
		return;
	sqd_log_limited(&in->limit, SQD_LOG_WARNING, "%s: %s; beginning anew", in->base.name,
	                rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	in->broken = true;
}

static void give_back(struct sqd_kafka_input *in, const rd_kafka_topic_partition_list_t *list)
{
	uint64_t n = 0;

	for (int i = 0; i < list->cnt; i++) {
		struct sqd_kafka_part *p =
			sqd_kafka_part_find(in, list->elems[i].topic, list->elems[i].partition);

		if (p)
			n += sqd_kafka_part_leave(p);
	}
	in->base.counts->kafka_revoked += (uint64_t)list->cnt;
	in->base.counts->kafka_given_up += n;
	if (n)
		sqd_log(SQD_LOG_WARNING,
		        "%s: %" PRIu64
		        " records of partitions that another member has now were not "
		        "settled in time; they are read again there",
		        in->base.name, n);
	agree(in, false, list);
}

/* Partitions that wait for their receipts go when they have them, or have waited for long enough.
 */
void sqd_kafka_in_look(struct sqd_kafka_input *in)
{
	rd_kafka_topic_partition_list_t *list = in->revoking;
	bool busy = false;

	if (!list)
		return;
	for (int i = 0; i < list->cnt; i++) {
		struct sqd_kafka_part *p =
			sqd_kafka_part_find(in, list->elems[i].topic, list->elems[i].partition);

		busy |= p && sqd_kafka_part_busy(p);
	}
	if (busy && sqd_kafka_in_ms(in) < in->revoke_ms)
		return;
	in->revoking = NULL;
	give_back(in, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static void on_revoke(struct sqd_kafka_input *in, rd_kafka_topic_partition_list_t *list)
{
	/* Our session has ended: they are another's already, and nothing can be committed. */
	if (rd_kafka_assignment_lost(in->client.rk) || in->left || in->revoking) {
		give_back(in, list);
		return;
	}
	for (int i = 0; i < list->cnt; i++) {
		struct sqd_kafka_part *p =
			sqd_kafka_part_find(in, list->elems[i].topic, list->elems[i].partition);

		if (p)
			p->leaving = true;
	}
	(void)rd_kafka_pause_partitions(in->client.rk, list);
	in->revoking = rd_kafka_topic_partition_list_copy(list);
	in->revoke_ms = sqd_kafka_in_ms(in) + sqd_kafka_in_cfg(in)->revoke_wait;
	sqd_kafka_in_look(in);
}

/* We paused what was taken from us, and inside librdkafka a pause outlives the assignment: a
 * partition that comes back would never be read again. */
static void resume(struct sqd_kafka_input *in, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *copy = rd_kafka_topic_partition_list_copy(list);

	(void)rd_kafka_resume_partitions(in->client.rk, copy); /* it writes into the list */
	rd_kafka_topic_partition_list_destroy(copy);
}

static void on_assign(struct sqd_kafka_input *in, rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++)
		if (sqd_kafka_part_add(in, &list->elems[i]) < 0) {
			sqd_log(SQD_LOG_ERROR, "%s: out of memory; beginning anew", in->base.name);
			in->broken = true;
			return;
		}
	in->base.counts->kafka_assigned += (uint64_t)list->cnt;
	resume(in, list);
	agree(in, true, list);
	if (in->silent || in->stopped || in->leaving)
		(void)rd_kafka_pause_partitions(in->client.rk, list);
}

void sqd_kafka_in_rebalance(struct sqd_kafka_input *in, rd_kafka_event_t *ev)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(ev);
	bool assign = rd_kafka_event_error(ev) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;

	sqd_log(SQD_LOG_INFO, "%s: %d partition%s %s", in->base.name, list->cnt,
	        list->cnt == 1 ? "" : "s", assign ? "more" : "fewer");
	sqd_kafka_mended(&in->client);
	in->heard = true;
	if (assign)
		on_assign(in, list);
	else
		on_revoke(in, list);
}

/* Its state of the sticky assignor is made with the first assignment, and is asserted to be there
 * (github.com/confluentinc/librdkafka/issues/4312). Who has no name in the group has no assignor.
 * What stays behind leaves the group as others do; its memory and threads end with the process. */
void sqd_kafka_in_spare(struct sqd_kafka_input *in)
{
	char *member;
	bool joined;

	if (in->heard || rd_kafka_version() >= FIRST_WITHOUT_ASSERTION)
		return;
	member = rd_kafka_memberid(in->client.rk);
	joined = member && member[0];
	if (member)
		rd_kafka_mem_free(in->client.rk, member);
	if (!joined)
		return;
	sqd_log(SQD_LOG_DEBUG, "%s: it ends while it joins the group: librdkafka is left to itself",
	        in->base.name);
	sqd_kafka_abandon(&in->client);
}
