/* The Kafka input before librdkafka's mock brokers: whether its threads are woken. What librdkafka
 * says of the setting that makes this needless, and the question that wakes, come by way of us. */
#include "daemon/input/kafka_private.h"

#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "tests/support/fake_dispatch.h"
#include "tests/support/run_loop.h"

enum { MESSAGES = 300, MESSAGE_BYTES = 3000, PREFETCH = 1 << 20 };
enum { DEADLINE_MS = 60000 /* the brokers wait for three seconds for others to join */ };

#define JOINING_NS 3500000000ULL
enum { SYNC_GROUP = 14 /* the number of the request */ };

static bool knows_backoff;
static unsigned woken;

rd_kafka_conf_res_t __real_rd_kafka_conf_set(rd_kafka_conf_t *conf, const char *name,
                                             const char *value, char *why, size_t n);
rd_kafka_conf_res_t __wrap_rd_kafka_conf_set(rd_kafka_conf_t *conf, const char *name,
                                             const char *value, char *why, size_t n);
rd_kafka_resp_err_t __wrap_rd_kafka_offsets_for_times(rd_kafka_t *rk,
                                                      rd_kafka_topic_partition_list_t *list,
                                                      int timeout_ms);

rd_kafka_conf_res_t __wrap_rd_kafka_conf_set(rd_kafka_conf_t *conf, const char *name,
                                             const char *value, char *why, size_t n)
{
	if (strcmp(name, "fetch.queue.backoff.ms") != 0)
		return __real_rd_kafka_conf_set(conf, name, value, why, n);
	return knows_backoff ? RD_KAFKA_CONF_OK : RD_KAFKA_CONF_UNKNOWN;
}

rd_kafka_resp_err_t __wrap_rd_kafka_offsets_for_times(
	rd_kafka_t *rk SQ_UNUSED, rd_kafka_topic_partition_list_t *list SQ_UNUSED, int timeout_ms)
{
	assert_int_equal(timeout_ms, 0);
	woken++;
	return RD_KAFKA_RESP_ERR__TIMED_OUT;
}

struct scene {
	uv_loop_t loop;
	rd_kafka_t *rk; /* the brokers' owner, who fills the topic too */
	rd_kafka_mock_cluster_t *cluster;
	struct sqd_input_kafka_cfg cfg;
	struct sqd_dispatch d;
	struct sq_counters counts;
	struct sqd_input *in;
	bool closed;
};

static void on_closed(struct sqd_input *in)
{
	((struct scene *)in->ctx)->closed = true;
}

static bool is_closed(void *ctx)
{
	return ((struct scene *)ctx)->closed;
}

static bool has_all(void *ctx)
{
	struct scene *s = ctx;

	sqd_dispatch_seal(&s->d);
	fake_dispatch_settle(&s->d);
	return s->counts.bytes_in == (uint64_t)MESSAGES * MESSAGE_BYTES;
}

static void list_of_one(struct sq_opt_strs *l, const char *text)
{
	l->list = calloc(1, sizeof(char *));
	l->list[0] = strdup(text);
	l->n = 1;
}

static void fill_topic(struct scene *s)
{
	char text[MESSAGE_BYTES];

	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < MESSAGES; i++)
		assert_int_equal(rd_kafka_producev(s->rk, RD_KAFKA_V_TOPIC("events"),
		                                   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		                                   RD_KAFKA_V_VALUE(text, sizeof(text)),
		                                   RD_KAFKA_V_END),
		                 0);
	assert_int_equal(rd_kafka_flush(s->rk, DEADLINE_MS), 0);
}

static void scene_make(struct scene *s)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const char *brokers;
	char why[256];

	*s = (struct scene){ .d = { .limits = { .chunk = 2 << 20,
		                                .records = 1024,
		                                .origins = 8,
		                                .arena = 4096,
		                                .out = 4096 },
		                    .free = FAKE_BATCHES } };
	rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
	rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", why, sizeof(why));
	s->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	assert_non_null(s->rk);
	s->cluster = rd_kafka_handle_mock_cluster(s->rk);
	assert_int_equal(rd_kafka_mock_topic_create(s->cluster, "events", 1, 1), 0);
	fill_topic(s);
	brokers = rd_kafka_mock_cluster_bootstraps(s->cluster);
	uv_loop_init(&s->loop);
	assert_int_equal(sq_opt_defaults(sqd_input_kafka.opts, &s->cfg), 0);
	list_of_one(&s->cfg.kafka.brokers, brokers);
	list_of_one(&s->cfg.topics, "events");
	s->cfg.prefetch = PREFETCH;
	s->in = calloc(1, sqd_input_kafka.size);
	*s->in = (struct sqd_input){ .ops = &sqd_input_kafka,
		                     .cfg = &s->cfg,
		                     .loop = &s->loop,
		                     .dispatch = &s->d,
		                     .counts = &s->counts,
		                     .closed = on_closed,
		                     .ctx = s,
		                     .inherited_fd = -1 };
}

static void scene_end(struct scene *s)
{
	s->in->ops->stop(s->in);
	sqd_dispatch_seal(&s->d);
	fake_dispatch_settle(&s->d);
	s->in->ops->close(s->in);
	run_until_late(&s->loop, is_closed, s, DEADLINE_MS);
	fake_dispatch_forget(&s->d);
	sq_opt_free(sqd_input_kafka.opts, &s->cfg);
	free(s->in);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	rd_kafka_destroy(s->rk);
}

/* @return how often they were woken */
static unsigned read_all(bool backoff)
{
	struct sq_err err = { 0 };
	struct scene s;

	knows_backoff = backoff;
	woken = 0;
	scene_make(&s);
	if (s.in->ops->start(s.in, &err) < 0)
		fail_msg("%s", err.text);
	run_until_late(&s.loop, has_all, &s, DEADLINE_MS);
	scene_end(&s);
	return woken;
}

static void an_old_librdkafka_is_woken_after_each_half_of_prefetch(void **state SQ_UNUSED)
{
	assert_int_equal(read_all(false), (uint64_t)MESSAGES * MESSAGE_BYTES / (PREFETCH / 2));
}

static void one_that_knows_how_to_back_off_is_asked_nothing(void **state SQ_UNUSED)
{
	assert_int_equal(read_all(true), 0);
}

static bool has_joined(void *ctx)
{
	struct scene *s = ctx;
	rd_kafka_t *rk = SQ_CONTAINER(s->in, struct sqd_kafka_input, base)->client.rk;
	char *member = rd_kafka_memberid(rk);
	bool joined = member && member[0];

	if (member)
		rd_kafka_mem_free(rk, member);
	return joined;
}

/* Librdkafka before 2.3 would abort: it has chosen how to share, and has no partitions yet. */
static void who_has_joined_and_waits_for_partitions_can_end(void **state SQ_UNUSED)
{
	struct sq_err err = { 0 };
	struct scene s;
	uint64_t until;

	scene_make(&s);
	for (unsigned i = 0; i < 100; i++)
		rd_kafka_mock_push_request_errors(s.cluster, SYNC_GROUP, 1,
		                                  RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
	assert_int_equal(s.in->ops->start(s.in, &err), 0);
	run_until_late(&s.loop, has_joined, &s, DEADLINE_MS);
	/* Nothing tells that the brokers have let the group begin, three seconds later. */
	for (until = uv_hrtime() + JOINING_NS; uv_hrtime() < until;)
		(void)uv_run(&s.loop, UV_RUN_ONCE);
	assert_int_equal(s.counts.kafka_assigned, 0);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_old_librdkafka_is_woken_after_each_half_of_prefetch),
		cmocka_unit_test(one_that_knows_how_to_back_off_is_asked_nothing),
		cmocka_unit_test(who_has_joined_and_waits_for_partitions_can_end),
	};

	return cmocka_run_group_tests_name("input/kafka", tests, NULL, NULL);
}
