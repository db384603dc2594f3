/* The Kafka output before librdkafka's mock brokers: what is refused, and when that is said. */
#include "daemon/output/kafka_private.h"

#include <errno.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "tests/support/fault_alloc.h"
#include "tests/support/run_loop.h"

enum { LONGEST = 2000, MANY = 200000 };

struct scene {
	uv_loop_t loop;
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
	struct sqd_output_kafka_cfg cfg;
	struct sqd_output *out;
	unsigned in_flight, sent, failed, refused, want;
	bool closed;
};

static void on_sent(struct sqd_output *out, int status)
{
	struct scene *s = out->ctx;

	assert_true(s->in_flight > 0);
	s->in_flight = status ? 0 : s->in_flight - 1;
	s->sent += !status;
	s->failed += status != 0;
}

static void on_ready(struct sqd_output *out SQ_UNUSED)
{
}

static void on_refused(struct sqd_output *out, const struct sqd_message *m, const char *why)
{
	struct scene *s = out->ctx;

	assert_true(m->text.n > LONGEST);
	assert_sv_equal(m->key, SQ_SV("ws-1"));
	assert_non_null(strstr(why, "size"));
	s->refused++;
}

static void on_closed(struct sqd_output *out)
{
	((struct scene *)out->ctx)->closed = true;
}

static struct sqd_kafka_output *kafka_of(struct scene *s)
{
	return SQ_CONTAINER(s->out, struct sqd_kafka_output, base);
}

static void scene_make(struct scene *s)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	*s = (struct scene){ 0 };
	rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
	s->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	assert_non_null(s->rk);
	s->cluster = rd_kafka_mock_cluster_new(s->rk, 1);
	assert_int_equal(rd_kafka_mock_topic_create(s->cluster, "alerts", 1, 1), 0);
	uv_loop_init(&s->loop);
	assert_int_equal(sq_opt_defaults(sqd_output_kafka.opts, &s->cfg), 0);
	s->cfg.kafka.brokers.list = calloc(1, sizeof(char *));
	s->cfg.kafka.brokers.list[0] = strdup(rd_kafka_mock_cluster_bootstraps(s->cluster));
	s->cfg.kafka.brokers.n = 1;
	s->cfg.kafka.retry_min = 10;
	s->cfg.kafka.retry_max = 40;
	s->cfg.topic = strdup("alerts");
	s->cfg.max_message = LONGEST;
	s->out = calloc(1, sqd_output_kafka.size);
	*s->out = (struct sqd_output){ .ops = &sqd_output_kafka,
		                       .cfg = &s->cfg,
		                       .loop = &s->loop,
		                       .sent = on_sent,
		                       .ready = on_ready,
		                       .refused = on_refused,
		                       .closed = on_closed,
		                       .ctx = s };
}

static bool is_closed(void *ctx)
{
	return ((struct scene *)ctx)->closed;
}

static void scene_end(struct scene *s)
{
	s->out->ops->close(s->out);
	run_until(&s->loop, is_closed, s);
	assert_int_equal(s->in_flight, 0);
	free(s->out);
	sq_opt_free(sqd_output_kafka.opts, &s->cfg);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	rd_kafka_mock_cluster_destroy(s->cluster);
	rd_kafka_destroy(s->rk);
}

static void put(struct sq_outbuf *b, size_t n)
{
	struct sqd_message_head head = { .n = (uint32_t)n, .n_key = 4 };

	sq_outbuf_put(b, (struct sq_sv){ (const char *)&head, sizeof(head) });
	sq_outbuf_put(b, SQ_SV("ws-1"));
	memset(sq_outbuf_reserve(b, n), 'x', n);
	b->len += n;
}

/* Two that are too long, between others. */
static struct sq_outbuf some_refused(void)
{
	struct sq_outbuf b = sq_outbuf_of(1 << 20);

	put(&b, 10);
	put(&b, LONGEST + 1);
	put(&b, 10);
	put(&b, LONGEST + 1);
	put(&b, 10);
	return b;
}

static bool can_send(void *ctx)
{
	struct scene *s = ctx;

	return kafka_of(s)->state == KAFKA_UP && !kafka_of(s)->broken;
}

static void give(struct scene *s, const struct sq_outbuf *b)
{
	run_until(&s->loop, can_send, s);
	s->in_flight++;
	assert_int_equal(s->out->ops->send(s->out, sq_outbuf_view(b)), 0);
}

static bool has_failed(void *ctx)
{
	struct scene *s = ctx;

	return s->failed >= s->want;
}

static bool has_sent(void *ctx)
{
	return ((struct scene *)ctx)->sent > 0;
}

static void start(struct scene *s)
{
	struct sq_err err = { 0 };

	if (s->out->ops->start(s->out, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- one thing each ---------------------------------------------------------------------- */

static void what_is_given_again_is_refused_once(void **state SQ_UNUSED)
{
	struct sq_outbuf b = some_refused();
	struct scene s;

	scene_make(&s);
	start(&s);
	rd_kafka_mock_broker_set_down(s.cluster, -1); /* so that the others stay under way */
	for (s.want = 1; s.want <= 3; s.want++) {
		give(&s, &b);
		for (int i = 0; i < 20; i++)
			(void)uv_run(&s.loop, UV_RUN_NOWAIT);
		assert_int_equal(s.refused, 0);
		kafka_of(&s)->broken = true;
		sqd_kafka_again(&kafka_of(&s)->client);
		run_until(&s.loop, has_failed, &s);
	}
	assert_int_equal(s.refused, 0);
	rd_kafka_mock_broker_set_up(s.cluster, -1);
	give(&s, &b);
	run_until(&s.loop, has_sent, &s);
	assert_int_equal(s.refused, 2);
	scene_end(&s);
	sq_outbuf_fini(&b);
}

static void wherever_memory_ends_nothing_is_lost_and_nothing_refused_twice(void **state SQ_UNUSED)
{
	struct sq_outbuf b = some_refused();
	bool failed = true;
	unsigned n;

	for (n = 1; failed && n < 200; n++) {
		struct sq_err err = { 0 };
		struct scene s;
		int r;

		scene_make(&s);
		fault_alloc_at(n);
		r = s.out->ops->start(s.out, &err);
		if (r < 0) { /* it is for a person to know at once */
			assert_true(fault_alloc_end());
			scene_end(&s);
			continue;
		}
		s.want = 1;
		give(&s, &b);
		while (!s.sent) {
			(void)uv_run(&s.loop, UV_RUN_ONCE);
			if (s.failed == s.want) {
				s.want++;
				give(&s, &b);
			}
		}
		failed = fault_alloc_end();
		assert_int_equal(s.refused, 2);
		scene_end(&s);
	}
	assert_true(n > 3 && n < 200);
	sq_outbuf_fini(&b);
}

/* ---- lists ------------------------------------------------------------------------------- */

static void lists_keep_their_order_and_take_no_more_places_than_are_used(void **state SQ_UNUSED)
{
	char *at = calloc(1, MANY);
	struct sqd_parked_list one = { 0 }, two = { 0 };
	struct sqd_parking p = { 0 };

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < MANY; i++)
			assert_int_equal(sqd_parking_put(&p, &one, at + i, (int)i), 0);
		for (uint32_t i = 0; i < MANY; i++) {
			assert_ptr_equal(sqd_parking_first(&p, &one)->head, at + i);
			if (i % 2)
				sqd_parking_move(&p, &one, &two);
			else
				sqd_parking_drop(&p, &one);
		}
		assert_int_equal(one.n, 0);
		assert_null(sqd_parking_first(&p, &one));
		for (uint32_t i = 1; two.n; i += 2) {
			assert_int_equal(sqd_parking_first(&p, &two)->why, i);
			sqd_parking_drop(&p, &two);
		}
	}
	assert_int_equal(p.n, MANY);
	sqd_parking_fini(&p);
	free(at);
}

static void no_memory_for_a_place_leaves_the_list_as_it_was(void **state SQ_UNUSED)
{
	struct sqd_parked_list l = { 0 };
	struct sqd_parking p = { 0 };
	const char *at = "x";

	for (uint32_t i = 0; i < 1000; i++) {
		int r;

		fault_alloc_at(1);
		r = sqd_parking_put(&p, &l, at, 0);
		assert_int_equal(r, fault_alloc_end() ? -ENOMEM : 0);
		if (r)
			assert_int_equal(sqd_parking_put(&p, &l, at, 0), 0);
		assert_int_equal(l.n, i + 1);
	}
	sqd_parking_reset(&p);
	sqd_parking_fini(&p);
}

static bool has_sent_all(void *ctx)
{
	struct scene *s = ctx;

	return s->sent == s->want;
}

/* They are answered in order: behind one that waits for its partition's batch there may be many. */
static void it_takes_as_many_sends_as_a_queue_gives(void **state SQ_UNUSED)
{
	struct sq_outbuf b = sq_outbuf_of(1 << 20);
	struct scene s;
	size_t each;

	for (unsigned i = 0; i < SQD_OUTPUT_SENDS; i++)
		put(&b, 10);
	each = b.len / SQD_OUTPUT_SENDS;
	scene_make(&s);
	start(&s);
	run_until(&s.loop, can_send, &s);
	for (s.want = 0; s.want < SQD_OUTPUT_SENDS; s.want++) {
		struct sq_sv v = { b.p + s.want * each, each };

		s.in_flight++;
		assert_int_equal(s.out->ops->send(s.out, v), 0);
	}
	run_until(&s.loop, has_sent_all, &s);
	scene_end(&s);
	sq_outbuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_again_is_refused_once),
		cmocka_unit_test(wherever_memory_ends_nothing_is_lost_and_nothing_refused_twice),
		cmocka_unit_test(lists_keep_their_order_and_take_no_more_places_than_are_used),
		cmocka_unit_test(no_memory_for_a_place_leaves_the_list_as_it_was),
		cmocka_unit_test(it_takes_as_many_sends_as_a_queue_gives),
	};

	return cmocka_run_group_tests_name("output/kafka", tests, NULL, NULL);
}
