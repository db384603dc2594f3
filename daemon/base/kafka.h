/* One client of a Kafka cluster on a loop: what the output and the input have in common, which is
 * how to get there (brokers, TLS, SASL) and how librdkafka's threads tell ours of what happened.
 *
 * librdkafka connects, waits and comes again by itself, in threads of its own. It writes to an
 * eventfd when its queue of events is not empty any more; libuv polls that. No thread is ours.
 * For the thread of the loop only.
 */
#pragma once

#include <uv.h>

#include "daemon/base/log.h"
#include "lib/host/tls.h"

/* As <librdkafka/rdkafka.h> has them. */
struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_queue_s;
struct rd_kafka_op_s;

enum sqd_kafka_sasl {
	SQD_KAFKA_SASL_NONE,
	SQD_KAFKA_SASL_PLAIN,
	SQD_KAFKA_SASL_SCRAM_256,
	SQD_KAFKA_SASL_SCRAM_512
};

struct sqd_kafka_cfg {
	struct sq_opt_strs brokers;
	char *client_id;
	uint64_t retry_min, retry_max; /* milliseconds */
	struct sq_tls_client_cfg tls;  /* without name and oldest version: see the rows */
	int sasl;                      /* enum sqd_kafka_sasl */
	char *sasl_user, *sasl_password_file;
};

extern const struct sq_opt_enum sqd_kafka_sasls[];

/* clang-format off */
#define SQD_KAFKA_OPTS(type, member)                                                                \
	{ "brokers", SQ_OPT_STRS, .offset = offsetof(type, member.brokers), .required = true,       \
	  .doc = "Some brokers of the cluster, which tell of the others: [kafka-1.example.org:9092, " \
		 "kafka-2.example.org:9092]." },                                                    \
	{ "client_id", SQ_OPT_STR, .offset = offsetof(type, member.client_id), .def = "squiblyd",   \
	  .doc = "What we are called in the logs and quotas of the brokers." },                     \
	{ "retry_min", SQ_OPT_MSEC, .offset = offsetof(type, member.retry_min), .min = 10,          \
	  .max = 300000, .def = "250ms",                                                            \
	  .doc = "First wait before connecting, or sending, again; it doubles with every failure." }, \
	{ "retry_max", SQ_OPT_MSEC, .offset = offsetof(type, member.retry_max), .min = 10,          \
	  .max = 300000, .def = "30s",                                                              \
	  .doc = "Longest wait before connecting, or sending, again." },                            \
	{ "tls", SQ_OPT_BOOL, .offset = offsetof(type, member.tls.on), .def = "false",              \
	  .doc = "Speak TLS; the versions are those that the system's OpenSSL allows." },           \
	{ "tls_ca", SQ_OPT_STR, .offset = offsetof(type, member.tls.ca),                            \
	  .doc = "File of the authorities (PEM) that are trusted to sign the brokers' certificates; " \
		 "absent: those of the system." },                                                  \
	{ "tls_verify", SQ_OPT_BOOL, .offset = offsetof(type, member.tls.verify), .def = "true",    \
	  .doc = "Check the brokers' certificates and names; without, anybody may pose as them." }, \
	{ "tls_certificate", SQ_OPT_STR, .offset = offsetof(type, member.tls.certificate),          \
	  .doc = "File of our own certificate and its chain (PEM), for brokers that want one." },   \
	{ "tls_key", SQ_OPT_STR, .offset = offsetof(type, member.tls.key),                          \
	  .doc = "File of its private key (PEM, without password); absent: it is in the file of "   \
		 "the certificate." },                                                              \
	{ "tls_ciphers", SQ_OPT_STR, .offset = offsetof(type, member.tls.ciphers),                  \
	  .doc = "Ciphers of TLS 1.2 as OpenSSL names them; absent: OpenSSL's choice." },           \
	{ "sasl", SQ_OPT_ENUM, .offset = offsetof(type, member.sasl), .enums = sqd_kafka_sasls,     \
	  .def = "none",                                                                            \
	  .doc = "How to show who we are: none, plain (with TLS only), or scram." },                \
	{ "sasl_user", SQ_OPT_STR, .offset = offsetof(type, member.sasl_user),                      \
	  .doc = "Our name with the brokers." },                                                    \
	{ "sasl_password_file", SQ_OPT_STR, .offset = offsetof(type, member.sasl_password_file),    \
	  .doc = "File whose first line is the password." }
/* clang-format on */

struct sqd_kafka {
	/* Set by the owner, before sqd_kafka_begin(). */
	uv_loop_t *loop;
	const char *name; /* for logs */
	/** Something happened, or looks like it: take what there is with sqd_kafka_next(). */
	void (*on_events)(struct sqd_kafka *k);
	/** After sqd_kafka_end(): nothing of librdkafka is left, and no thread of it holds what it
	 *  was given to send. May begin anew, or free what embeds us. */
	void (*on_ended)(struct sqd_kafka *k);
	/** The brokers cannot be reached or refuse, for this reason; NULL: they can again. Who is
	 *  told that tells the log. NULL: we do. */
	void (*on_outage)(struct sqd_kafka *k, const char *why);

	/* Private. */
	struct rd_kafka_s *rk; /* between begin and end; for the owner too */
	struct rd_kafka_queue_s *queue;
	uv_poll_t poll;
	uv_work_t ending;
	int fd;
	unsigned open; /* `poll`, `ending` */
	bool hasty, abandoned;
	bool failing;            /* an outage was logged: say when it is over */
	uint64_t broker_told_ms; /* loop time when one broker's was logged last; 0: not yet */
	struct sqd_log_limit limit, inside_limit;
};

/** What of the options can be known to be wrong before anything is opened: TLS files, a user
 * without password. @return 0 or -EINVAL with `err` */
int sqd_kafka_check(const struct sqd_kafka_cfg *cfg, struct sq_err *err) SQ_MUST_CHECK;

/** A configuration with the options of `cfg`, to be extended. Files of TLS are looked at, the
 *  password is read. @return NULL with `err`. The caller gives it to sqd_kafka_begin(), or ends it
 * with rd_kafka_conf_destroy() */
struct rd_kafka_conf_s *sqd_kafka_conf(const struct sqd_kafka_cfg *cfg, struct sq_err *err);

struct sqd_kafka_setting {
	const char *key, *value;
};

/** Set what librdkafka calls by these names, up to a row without key; values come from options that
 *  were checked, so that only an option that this librdkafka lacks fails. @return 0, -EINVAL */
int sqd_kafka_set(struct rd_kafka_conf_s *conf, const struct sqd_kafka_setting *rows,
                  struct sq_err *err) SQ_MUST_CHECK;

/** Make the client, a consumer or a producer. Takes `conf`, also on failure. Events of errors and
 *  logs are enabled, and those of `events` (RD_KAFKA_EVENT_*). @return 0 or negative errno */
int sqd_kafka_begin(struct sqd_kafka *k, bool consumer, struct rd_kafka_conf_s *conf, int events,
                    struct sq_err *err) SQ_MUST_CHECK;

/** The next event, to be ended with rd_kafka_event_destroy(), or NULL: none is left, on_events will
 *  be called. Errors and logs are told to the log and not given. */
struct rd_kafka_op_s *sqd_kafka_next(struct sqd_kafka *k);

/** Who has left events where they are wants on_events to be called in the next turn. */
void sqd_kafka_again(struct sqd_kafka *k);

/** What the owner itself was told, and has logged, is an outage. */
void sqd_kafka_failed(struct sqd_kafka *k, const char *why);

/** All is well again: something was delivered. Says so, after an outage. */
void sqd_kafka_mended(struct sqd_kafka *k);

/** sqd_kafka_end() is not to free what librdkafka holds, nor to end its threads: for who knows that
 * it would abort the process in doing so. */
void sqd_kafka_abandon(struct sqd_kafka *k);

/** End the client, in a thread of libuv's pool since it waits for threads; on_ended is called once,
 *  later. `hasty`: a consumer does not say goodbye to its group. Events are lost. */
void sqd_kafka_end(struct sqd_kafka *k, bool hasty);
