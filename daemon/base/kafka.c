#include "daemon/base/kafka.h"

#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/listen.h"
#include "lib/host/files.h"

enum {
	PASSWORD_MAX_BYTES = 4096,
	BROKERS_MAX_BYTES = 16 * 1024,
	BROKER_TOLD_MS = 10 * 60 * 1000,
};

const struct sq_opt_enum sqd_kafka_sasls[] = { { "none", SQD_KAFKA_SASL_NONE },
	                                       { "plain", SQD_KAFKA_SASL_PLAIN },
	                                       { "scram-sha-256", SQD_KAFKA_SASL_SCRAM_256 },
	                                       { "scram-sha-512", SQD_KAFKA_SASL_SCRAM_512 },
	                                       { 0 } };

/* ---- configuration ----------------------------------------------------------------------- */

int sqd_kafka_check(const struct sqd_kafka_cfg *cfg, struct sq_err *err)
{
	bool tls = cfg->tls.on, user = cfg->sasl_user, password = cfg->sasl_password_file;
	char host[256], port[8];

	if (!cfg->brokers.n)
		return sq_err_set(err, -EINVAL, "brokers: at least one is needed");
	for (size_t i = 0; i < cfg->brokers.n; i++)
		if (sqd_addr_split(cfg->brokers.list[i], host, port, err) < 0)
			return sq_err_wrap(err, -EINVAL, "brokers");
	if (cfg->sasl == SQD_KAFKA_SASL_NONE && (user || password))
		return sq_err_set(err, -EINVAL,
		                  "there is a sasl_user or sasl_password_file, but no sasl");
	if (cfg->sasl != SQD_KAFKA_SASL_NONE && (!user || !password))
		return sq_err_set(err, -EINVAL, "sasl needs sasl_user and sasl_password_file");
	if (cfg->sasl == SQD_KAFKA_SASL_PLAIN && !tls)
		return sq_err_set(err, -EINVAL,
		                  "sasl: plain shows the password to everybody on the way; it "
		                  "wants tls: true, or scram");
	return 0;
}

static int check_files(const struct sq_tls_client_cfg *tls, struct sq_err *err)
{
	struct sq_tls_ctx *ctx;
	int r = sq_tls_client_wanted(tls, err);

	if (r <= 0)
		return r;
	ctx = sq_tls_client_new(tls, err);
	sq_tls_ctx_unref(ctx);
	return ctx ? 0 : -EINVAL;
}

int sqd_kafka_set(struct rd_kafka_conf_s *conf, const struct sqd_kafka_setting *rows,
                  struct sq_err *err)
{
	char why[256];

	for (; rows->key; rows++)
		if (rows->value && rd_kafka_conf_set(conf, rows->key, rows->value, why,
		                                     sizeof(why)) != RD_KAFKA_CONF_OK)
			return sq_err_set(err, -EINVAL, "librdkafka: %s", why);
	return 0;
}

static int set_brokers(struct rd_kafka_conf_s *conf, const struct sqd_kafka_cfg *cfg,
                       struct sq_err *err)
{
	struct sq_outbuf text = sq_outbuf_of(BROKERS_MAX_BYTES);
	int r;

	for (size_t i = 0; i < cfg->brokers.n; i++)
		sq_outbuf_printf(&text, "%s%s", i ? "," : "", cfg->brokers.list[i]);
	sq_outbuf_putc(&text, '\0');
	if (text.failed)
		r = sq_err_set(err, -E2BIG, "brokers: the list is too long");
	else
		r = sqd_kafka_set(conf,
		                  (const struct sqd_kafka_setting[]){
					  { "bootstrap.servers", text.p }, { 0 } },
		                  err);
	sq_outbuf_fini(&text);
	return r;
}

static int set_password(struct rd_kafka_conf_s *conf, const char *path, struct sq_err *err)
{
	struct sq_outbuf text = sq_outbuf_of(PASSWORD_MAX_BYTES);
	int r = sq_file_read(path, &text, err);
	struct stat st;

	sq_outbuf_putc(&text, '\0');
	if (r == 0 && text.failed)
		r = sq_err_set(err, -E2BIG, "%s: too long for a password", path);
	if (r == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & (S_IROTH | S_IWOTH)))
		sqd_log(SQD_LOG_WARNING,
		        "%s holds a secret and can be read by everybody; chmod 640 it", path);
	if (r == 0) {
		text.p[strcspn(text.p, "\r\n")] = '\0';
		r = sqd_kafka_set(conf,
		                  (const struct sqd_kafka_setting[]){ { "sasl.password", text.p },
		                                                      { 0 } },
		                  err);
	}
	if (text.p)
		explicit_bzero(text.p, text.cap);
	sq_outbuf_fini(&text);
	return r;
}

static int set_tls(struct rd_kafka_conf_s *conf, const struct sq_tls_client_cfg *tls,
                   struct sq_err *err)
{
	const struct sqd_kafka_setting rows[] = {
		/* Without a file librdkafka looks where the system keeps its authorities. */
		{ "ssl.ca.location", tls->ca },
		{ "enable.ssl.certificate.verification", tls->verify ? "true" : "false" },
		{ "ssl.endpoint.identification.algorithm", tls->verify ? "https" : "none" },
		{ "ssl.certificate.location", tls->certificate },
		{ "ssl.key.location", tls->key ? tls->key : tls->certificate },
		{ "ssl.cipher.suites", tls->ciphers },
		{ 0 },
	};

	return tls->on ? sqd_kafka_set(conf, rows, err) : 0;
}

static int set_sasl(struct rd_kafka_conf_s *conf, const struct sqd_kafka_cfg *cfg,
                    struct sq_err *err)
{
	static const char *const names[] = { [SQD_KAFKA_SASL_PLAIN] = "PLAIN",
		                             [SQD_KAFKA_SASL_SCRAM_256] = "SCRAM-SHA-256",
		                             [SQD_KAFKA_SASL_SCRAM_512] = "SCRAM-SHA-512" };
	int r;

	if (cfg->sasl == SQD_KAFKA_SASL_NONE)
		return 0;
	r = sqd_kafka_set(conf,
	                  (const struct sqd_kafka_setting[]){
				  { "sasl.mechanism", names[cfg->sasl] },
				  { "sasl.username", cfg->sasl_user },
				  { 0 } },
	                  err);
	return r < 0 ? r : set_password(conf, cfg->sasl_password_file, err);
}

struct rd_kafka_conf_s *sqd_kafka_conf(const struct sqd_kafka_cfg *cfg, struct sq_err *err)
{
	bool tls = cfg->tls.on, sasl = cfg->sasl != SQD_KAFKA_SASL_NONE;
	const char *protocol =
		tls ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext");
	char min[24], max[24];
	const struct sqd_kafka_setting rows[] = {
		{ "client.id", cfg->client_id },
		{ "security.protocol", protocol },
		{ "reconnect.backoff.ms", min },
		{ "reconnect.backoff.max.ms", max },
		{ "log.queue", "true" },
		/* An idle connection that is closed is no news. */
		{ "log.connection.close", "false" },
		{ "socket.keepalive.enable", "true" },
		{ 0 },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int r;

	snprintf(min, sizeof(min), "%" PRIu64, cfg->retry_min);
	snprintf(max, sizeof(max), "%" PRIu64, cfg->retry_max);
	r = check_files(&cfg->tls, err); /* it names what is wrong better */
	if (!r)
		r = sqd_kafka_set(conf, rows, err);
	if (!r)
		r = set_brokers(conf, cfg, err);
	if (!r)
		r = set_tls(conf, &cfg->tls, err);
	if (!r)
		r = set_sasl(conf, cfg, err);
	if (!r)
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

static void release(struct sqd_kafka *k)
{
	if (--k->open)
		return;
	close(k->fd);
	k->on_ended(k); /* last: it may free us */
}

static void on_poll(uv_poll_t *h, int status SQ_UNUSED, int events SQ_UNUSED)
{
	struct sqd_kafka *k = h->data;
	uint64_t n;

	if (read(k->fd, &n, sizeof(n)) < 0) {
		/* -EAGAIN: somebody took it before us. There may be something all the same. */
	}
	if (k->queue)
		k->on_events(k); /* last: it may end us */
}

void sqd_kafka_again(struct sqd_kafka *k)
{
	uint64_t one = 1;

	if (write(k->fd, &one, sizeof(one)) < 0) {
		/* -EAGAIN: it is full, and so it will wake us anyway. */
	}
}

int sqd_kafka_begin(struct sqd_kafka *k, bool consumer, struct rd_kafka_conf_s *conf, int events,
                    struct sq_err *err)
{
	uint64_t one = 1;
	char why[256];

	k->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->fd < 0) {
		rd_kafka_conf_destroy(conf);
		return sq_err_set(err, -errno, "eventfd: %s", sq_strerror(-errno));
	}
	rd_kafka_conf_set_events(conf, events | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
	k->rk = rd_kafka_new(consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, why,
	                     sizeof(why));
	if (!k->rk) {
		rd_kafka_conf_destroy(conf);
		close(k->fd);
		return sq_err_set(err, -EINVAL, "librdkafka: %s", why);
	}
	if (consumer) {
		(void)rd_kafka_poll_set_consumer(k->rk);
		k->queue = rd_kafka_queue_get_consumer(k->rk);
	} else {
		k->queue = rd_kafka_queue_get_main(k->rk);
	}
	(void)rd_kafka_set_log_queue(k->rk, k->queue); /* NULL would be the main one */
	rd_kafka_queue_io_event_enable(k->queue, k->fd, &one, sizeof(one));
	k->poll.data = k->ending.data = k;
	k->abandoned = false;
	(void)uv_poll_init(k->loop, &k->poll, k->fd); /* an eventfd can be polled */
	k->open = 1;
	(void)uv_poll_start(&k->poll, UV_READABLE, on_poll);
	sqd_kafka_again(k); /* what came before we listened */
	return 0;
}

static void end(uv_work_t *work)
{
	struct sqd_kafka *k = work->data;

	if (k->abandoned)
		return;
	rd_kafka_destroy_flags(k->rk, k->hasty ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0);
}

static void on_end(uv_work_t *work, int status SQ_UNUSED)
{
	struct sqd_kafka *k = work->data;

	k->rk = NULL;
	release(k);
}

static void on_poll_closed(uv_handle_t *h)
{
	release(h->data);
}

void sqd_kafka_abandon(struct sqd_kafka *k)
{
	k->abandoned = true;
}

void sqd_kafka_end(struct sqd_kafka *k, bool hasty)
{
	sq_assert(k->queue && k->open == 1);
	k->hasty = hasty;
	rd_kafka_queue_io_event_enable(k->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(k->queue);
	k->queue = NULL;
	k->open++;
	uv_close((uv_handle_t *)&k->poll, on_poll_closed);
	(void)uv_queue_work(k->loop, &k->ending, end, on_end); /* cannot fail */
}

/* ---- events ------------------------------------------------------------------------------ */

void sqd_kafka_failed(struct sqd_kafka *k, const char *why)
{
	k->failing = true;
	if (k->on_outage)
		k->on_outage(k, why);
}

void sqd_kafka_mended(struct sqd_kafka *k)
{
	if (k->on_outage)
		k->on_outage(k, NULL);
	if (!k->failing)
		return;
	k->failing = false;
	k->broker_told_ms = 0;
	if (!k->on_outage)
		sqd_log(SQD_LOG_INFO, "%s: works again", k->name);
}

static bool of_broker(rd_kafka_resp_err_t why)
{
	return why == RD_KAFKA_RESP_ERR__TRANSPORT || why == RD_KAFKA_RESP_ERR__RESOLVE ||
	       why == RD_KAFKA_RESP_ERR__TIMED_OUT;
}

/* Of one broker: it may be down for weeks, and is tried every few seconds, while all is well. */
static bool told_lately(struct sqd_kafka *k)
{
	uint64_t now = uv_now(k->loop);

	if (k->broker_told_ms && now - k->broker_told_ms < BROKER_TOLD_MS)
		return true;
	k->broker_told_ms = now ? now : 1;
	return false;
}

/* One line for an outage, not one for each attempt of each connection. */
static void tell_error(struct sqd_kafka *k, rd_kafka_event_t *ev)
{
	char text[512];
	const char *words = sqd_log_text(sq_sv_of(rd_kafka_event_error_string(ev)), text);
	rd_kafka_resp_err_t why = rd_kafka_event_error(ev);
	bool known = k->failing;

	if (of_broker(why)) {
		sqd_log(known || told_lately(k) ? SQD_LOG_DEBUG : SQD_LOG_WARNING,
		        "%s: %s; retrying", k->name, words);
		return;
	}
	if (k->on_outage)
		; /* who owns us tells */
	else if (why == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		sqd_log(known ? SQD_LOG_DEBUG : SQD_LOG_WARNING, "%s: %s; retrying", k->name,
		        words);
	else
		sqd_log_limited(&k->limit, SQD_LOG_WARNING, "%s: %s; retrying", k->name, words);
	sqd_kafka_failed(k, words);
}

static void tell_log(struct sqd_kafka *k, rd_kafka_event_t *ev)
{
	const char *facility, *words;
	char text[512];
	int level;

	if (rd_kafka_event_log(ev, &facility, &words, &level) < 0)
		return;
	/* Whatever an application has to know comes as an event of an error too. */
	sqd_log_limited(&k->inside_limit, SQD_LOG_DEBUG, "%s: librdkafka %s: %s", k->name, facility,
	                sqd_log_text(sq_sv_of(words), text));
}

struct rd_kafka_op_s *sqd_kafka_next(struct sqd_kafka *k)
{
	rd_kafka_event_t *ev;

	while (k->queue && (ev = rd_kafka_queue_poll(k->queue, 0))) {
		switch (rd_kafka_event_type(ev)) {
		case RD_KAFKA_EVENT_LOG:
			tell_log(k, ev);
			break;
		case RD_KAFKA_EVENT_ERROR:
			/* A fatal one is the owner's matter too: nothing works any more. */
			tell_error(k, ev);
			if (rd_kafka_event_error(ev) == RD_KAFKA_RESP_ERR__FATAL)
				return ev;
			break;
		default:
			return ev;
		}
		rd_kafka_event_destroy(ev);
	}
	return NULL;
}
