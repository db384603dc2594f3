/* A Kafka cluster to test against: librdkafka's mock brokers, ruled by lines on standard input,
 *each answered with one line. It ends when its input does.
 *
 *	topic NAME PARTITIONS	make a topic
 *	error API CODE COUNT	the next COUNT requests of this API (0 Produce, 1 Fetch, 8
 *OffsetCommit) fail with CODE; -195 breaks the connection
 *	topic_error NAME CODE	what metadata says of a topic; 0: nothing
 *	down BROKER, up BROKER	broker -1: all
 *	rtt MS			all answers take so long
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail_next(rd_kafka_mock_cluster_t *cluster, int api, int code, int count)
{
	rd_kafka_resp_err_t errors[1000];

	if (count > 1000)
		count = 1000;
	for (int i = 0; i < count; i++)
		errors[i] = (rd_kafka_resp_err_t)code;
	rd_kafka_mock_push_request_errors_array(cluster, (int16_t)api, (size_t)count, errors);
}

/* @return whether the line is understood */
static int obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
	char name[256];
	int a, b, c;

	if (sscanf(line, "topic %255s %d", name, &a) == 2)
		return rd_kafka_mock_topic_create(cluster, name, a, 1) ==
		       RD_KAFKA_RESP_ERR_NO_ERROR;
	if (sscanf(line, "error %d %d %d", &a, &b, &c) == 3)
		return fail_next(cluster, a, b, c), 1;
	if (sscanf(line, "topic_error %255s %d", name, &a) == 2)
		return rd_kafka_mock_topic_set_error(cluster, name, (rd_kafka_resp_err_t)a), 1;
	if (sscanf(line, "down %d", &a) == 1)
		return rd_kafka_mock_broker_set_down(cluster, a) == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (sscanf(line, "up %d", &a) == 1)
		return rd_kafka_mock_broker_set_up(cluster, a) == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (sscanf(line, "rtt %d", &a) == 1)
		return rd_kafka_mock_broker_set_rtt(cluster, -1, a) == RD_KAFKA_RESP_ERR_NO_ERROR;
	return 0;
}

int main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_mock_cluster_t *cluster;
	char line[512], why[256];
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	cluster = rk ? rd_kafka_mock_cluster_new(rk, argc > 1 ? atoi(argv[1]) : 1) : NULL;
	if (!cluster) {
		fprintf(stderr, "kafka_mock: %s\n", why);
		return 1;
	}
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		puts(obey(cluster, line) ? "ok" : "what?");
		fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
