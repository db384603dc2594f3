#include <errno.h>

#include "cli/send.h"
#include "lib/text/jsonw.h"
#include "lib/wire/syslog.h"

enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 5000 };

/* Is it JSON as far as its ends show? What is broken inside is for the receiver to judge. */
static bool is_object(struct sq_sv v)
{
	return v.n >= 2 && v.p[0] == '{' && v.p[v.n - 1] == '}';
}

void send_put_json(struct sq_outbuf *to, struct sq_sv rec)
{
	struct sq_syslog parts;
	size_t at = to->len;

	/* These protocols carry events: what a syslog line has around its event stays behind. */
	sq_syslog_strip(rec, &parts);
	parts.payload = sq_sv_trim(parts.payload);
	if (is_object(parts.payload)) {
		sq_outbuf_put(to, parts.payload);
		/* In JSON they can only stand between its parts. */
		for (size_t i = at; i < to->len; i++)
			if (to->p[i] == '\n' || to->p[i] == '\r')
				to->p[i] = ' ';
		return;
	}
	sq_outbuf_put(to, SQ_SV("{\"message\":\""));
	sq_json_escape(to, parts.payload.n ? parts.payload : rec);
	sq_outbuf_put(to, SQ_SV("\"}"));
}

static void next_backoff(uint64_t *ms)
{
	*ms = *ms * 2 < BACKOFF_MAX_MS ? *ms * 2 : BACKOFF_MAX_MS;
}

/* One try, with a connection made for it when there is none. */
static int try_once(struct sender *s, uint64_t *taken, struct sq_err *err)
{
	int r;

	if (s->conn.fd < 0) {
		r = send_conn_open(s, err);
		if (r < 0)
			return r;
		s->connected_once = true;
	}
	return s->kind->exchange(s, taken, err);
}

static int give_up(const struct sender *s, const struct sq_err *err, uint64_t tries)
{
	if (tries > 1)
		(void)cli_fail("%s; given up after %llu tries", err->text,
		               (unsigned long long)tries);
	else
		(void)cli_fail("%s", err->text);
	return s->connected_once ? CLI_FOUND : CLI_FAILED;
}

/* Until it is answered, or has been tried often enough. */
static int deliver(struct sender *s)
{
	uint64_t backoff = BACKOFF_MIN_MS, taken = 0;

	for (uint64_t tries = 1;; tries++) {
		struct sq_err err = { 0 };
		int r = try_once(s, &taken, &err);

		if (r == 0) {
			s->acknowledged += taken;
			return CLI_OK;
		}
		if (r != -EAGAIN)
			send_conn_close(s);
		/* The first connection of all: a mistyped address is not tried again. */
		if (r == -EACCES || tries > s->retries || !s->connected_once)
			return give_up(s, &err, tries);
		if (!s->quiet)
			fprintf(stderr, "squibly: %s; sending again %llu records\n", err.text,
			        (unsigned long long)s->in_batch);
		s->resent += s->in_batch;
		send_sleep_ms(r == -EAGAIN ? s->wait_ms : backoff);
		next_backoff(&backoff);
	}
}

/* The records of the batch that is being made. */
static const struct sq_outbuf *gathered(const struct sender *s)
{
	return s->beats ? &s->lumber.plain : &s->out;
}

int send_batch_flush(struct sender *s)
{
	int status = s->in_batch ? deliver(s) : CLI_OK;

	sq_outbuf_reset(&s->out);
	sq_lumber_out_reset(&s->lumber);
	s->in_batch = 0;
	return status;
}

int send_batch_added(struct sender *s)
{
	if (gathered(s)->failed)
		return cli_fail("out of memory");
	s->records++;
	if (s->in_batch++ == 0)
		s->batch_began_ns = send_mono_ns();
	return s->in_batch >= s->window || gathered(s)->len >= SEND_MAX_BATCH ? send_batch_flush(s)
	                                                                      : CLI_OK;
}

int send_batch_finish(struct sender *s)
{
	int status = send_batch_flush(s);
	struct sq_err ignored = { 0 };

	/* Everything is answered: how the connection ends is of no interest. */
	if (status == CLI_OK)
		(void)send_conn_end(s, &ignored);
	return status;
}
