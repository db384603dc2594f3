/* Sessions: OpenSSL between two pieces of memory.
 *
 * What OpenSSL reads and writes goes through a BIO of our own: it reads straight from the view that
 * sq_tls_give() left, and appends to one buffer that is freed whenever all of it has been sent. So
 * an idle session owns what OpenSSL needs and nothing else.
 */
#include "lib/host/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/host/tls_private.h"

enum {
	/* Certificates are the most of it: OpenSSL takes at most 100 KiB of them. */
	HANDSHAKE_MAX = 256 * 1024,
	/* Records without data, one after another: tickets, changes of keys, empty ones. */
	DATALESS_MAX = 32,
};

/* ---- the BIO ----------------------------------------------------------------------------- */

static int bio_read(BIO *bio, char *to, int room)
{
	struct sq_tls *t = BIO_get_data(bio);
	size_t n = t->in.n < (size_t)room ? t->in.n : (size_t)room;

	BIO_clear_retry_flags(bio);
	if (t->flood || (!t->up && t->shaking > HANDSHAKE_MAX))
		return -1; /* without "retry": that is an error */
	if (!n) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(to, t->in.p, n);
	t->in = sq_sv_skip(t->in, n);
	if (!t->up)
		t->shaking += (uint32_t)n;
	return (int)n;
}

static int bio_write(BIO *bio, const char *from, int n)
{
	struct sq_tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (t->sent > t->out.len / 2) { /* what is gone makes room */
		memmove(t->out.p, t->out.p + t->sent, t->out.len - t->sent);
		t->out.len -= t->sent;
		t->sent = 0;
	}
	sq_outbuf_put(&t->out, (struct sq_sv){ from, (size_t)n });
	if (t->out.failed) {
		t->no_memory = true;
		return -1;
	}
	return n;
}

static long bio_ctrl(BIO *bio SQ_UNUSED, int what, long n SQ_UNUSED, void *p SQ_UNUSED)
{
	return what == BIO_CTRL_FLUSH; /* the rest is for files and sockets */
}

BIO_METHOD *sq_tls_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "memory of somebody else");

	if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
	    BIO_meth_set_ctrl(m, bio_ctrl))
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* Called for every record and message; a loop inside of OpenSSL that never gives data ends here. */
void sq_tls_on_message(int written, int version SQ_UNUSED, int type, const void *p SQ_UNUSED,
                       size_t n SQ_UNUSED, SSL *ssl, void *ctx SQ_UNUSED)
{
	struct sq_tls *t = SSL_get_app_data(ssl);

	if (!written && type == SSL3_RT_HEADER && t->up && ++t->dataless > DATALESS_MAX)
		t->flood = true;
}

/* ---- life -------------------------------------------------------------------------------- */

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Whom we expect to meet, and whom we ask for. */
static bool expect(struct sq_tls *t, const char *host)
{
	const char *name = t->ctx->name ? t->ctx->name : host;
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	char *sni;

	if (!name || !*name)
		return true;
	if (is_address(name)) /* addresses are not sent as SNI: RFC 6066, 3 */
		return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* OpenSSL only reads through the pointer; the cast in its macro does not say so. */
	memcpy(&sni, &name, sizeof(sni));
	return SSL_set1_host(t->ssl, name) == 1 && SSL_set_tlsext_host_name(t->ssl, sni) == 1;
}

static bool set_up(struct sq_tls *t, const char *host)
{
	BIO *bio;

	t->ssl = SSL_new(t->ctx->ssl);
	if (!t->ssl || SSL_set_app_data(t->ssl, t) != 1)
		return false;
	bio = BIO_new(t->ctx->bio);
	if (!bio)
		return false;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	if (t->ctx->server) {
		SSL_set_accept_state(t->ssl);
		return true;
	}
	SSL_set_connect_state(t->ssl);
	return expect(t, host);
}

struct sq_tls *sq_tls_new(struct sq_tls_ctx *ctx, const char *host)
{
	struct sq_tls *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	ERR_clear_error();
	t->ctx = sq_tls_ctx_ref(ctx);
	t->out = sq_outbuf_of(SQ_TLS_UNSENT_MAX + 64 * 1024);
	if (set_up(t, host))
		return t;
	sq_tls_free(t);
	return NULL;
}

void sq_tls_free(struct sq_tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	sq_tls_ctx_unref(t->ctx);
	sq_outbuf_fini(&t->out);
	free(t->why);
	free(t);
	ERR_clear_error();
}

/* ---- bytes in ---------------------------------------------------------------------------- */

void sq_tls_give(struct sq_tls *t, struct sq_sv ciphertext)
{
	size_t n = SQ_TLS_HEAD - t->n_head;

	if (n > ciphertext.n)
		n = ciphertext.n;
	if (n && !t->up) {
		memcpy(t->head + t->n_head, ciphertext.p, n);
		t->n_head += (uint8_t)n;
	}
	t->in = ciphertext;
}

struct sq_sv sq_tls_left(const struct sq_tls *t)
{
	return t->in;
}

/* A call of OpenSSL gave `r`. 0: it wants bytes; else the errno that ends the session. */
static int outcome(struct sq_tls *t, int r)
{
	int what = SSL_get_error(t->ssl, r);

	if (what == SSL_ERROR_WANT_READ && !t->flood)
		return 0;
	if (what == SSL_ERROR_ZERO_RETURN)
		return -EPIPE;
	if (t->no_memory) {
		sq_tls_say(t, "out of memory");
		t->error = -ENOMEM;
	} else if (t->flood) {
		sq_tls_say(t, "it sent %d records in a row without data", DATALESS_MAX);
		t->error = -EPROTO;
	} else if (!t->up && t->shaking > HANDSHAKE_MAX) {
		sq_tls_say(t, "its handshake is too long");
		t->error = -EPROTO;
	} else {
		t->error = sq_tls_explain(t);
	}
	return t->error;
}

/* OpenSSL checks the certificate of a new session only; a ticket may have outlived it. */
static int check_resumed(struct sq_tls *t)
{
	X509 *cert = SSL_get0_peer_certificate(t->ssl);
	char subject[256];

	if (!t->ctx->server || !cert || !SSL_session_reused(t->ssl))
		return 0;
	sq_tls_subject(cert, subject, sizeof(subject), true);
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		sq_tls_say(t, "the client's certificate has expired (%s)", subject);
	else if (!sq_tls_name_fits(cert, &t->ctx->names))
		sq_tls_say(t, "no name of the client's certificate is allowed (%s)", subject);
	else
		return 0;
	t->error = -EACCES;
	return t->error;
}

/* Plain text is told before OpenSSL sees it, since OpenSSL has no word for most of it. */
static int look_at_head(struct sq_tls *t)
{
	bool wait = false;
	const char *text =
		sq_tls_not_tls((struct sq_sv){ t->head, t->n_head }, t->ctx->server, &wait);

	if (wait) {
		t->in = (struct sq_sv){ 0 };
		return 0;
	}
	if (!text)
		return 1;
	sq_tls_say(t, "%s", text);
	t->error = -EPROTO;
	return t->error;
}

int sq_tls_handshake(struct sq_tls *t)
{
	int r;

	if (t->up)
		return 1;
	if (t->error)
		return t->error;
	if (t->n_head && !t->shaking) {
		r = look_at_head(t);
		if (r <= 0)
			return r;
	}
	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r == 1) {
		t->up = true;
		r = check_resumed(t);
		return r < 0 ? r : 1;
	}
	r = outcome(t, r);
	if (r == -EPIPE) {
		sq_tls_say(t, "it ended the session before the handshake was done");
		t->error = r;
	}
	return r;
}

ssize_t sq_tls_read(struct sq_tls *t, char *to, size_t room)
{
	size_t got = 0, n;
	int r = 0;

	if (t->error)
		return t->error;
	if (!t->up)
		return 0;
	while (got < room) {
		ERR_clear_error();
		r = SSL_read_ex(t->ssl, to + got, room - got, &n);
		if (r != 1) {
			r = outcome(t, r);
			break;
		}
		t->dataless = 0;
		got += n;
	}
	return got ? (ssize_t)got : r;
}

/* ---- bytes out --------------------------------------------------------------------------- */

int sq_tls_write(struct sq_tls *t, struct sq_sv bytes)
{
	size_t n;
	int r;

	if (t->error)
		return t->error;
	if (!t->up || SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN)
		return -EPIPE;
	if (!bytes.n)
		return 0;
	/* A record has at most 16 KiB of ours, and less than 64 bytes of its own. */
	if (sq_tls_unsent(t).n + bytes.n + bytes.n / 256 > SQ_TLS_UNSENT_MAX)
		return -ENOBUFS;
	ERR_clear_error();
	r = SSL_write_ex(t->ssl, bytes.p, bytes.n, &n);
	if (r == 1)
		return 0;
	r = outcome(t, r);
	if (r < 0)
		return r;
	t->error = -EPROTO; /* it never waits: only a renegotiation would */
	return t->error;
}

void sq_tls_end(struct sq_tls *t)
{
	if (!t->up || t->error)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

struct sq_sv sq_tls_unsent(const struct sq_tls *t)
{
	return sq_sv_skip(sq_outbuf_view(&t->out), t->sent);
}

void sq_tls_sent(struct sq_tls *t, size_t n)
{
	sq_assert(n <= t->out.len - t->sent);
	t->sent += n;
	if (t->sent < t->out.len)
		return;
	t->sent = 0;
	sq_outbuf_fini(&t->out);
}

char *sq_tls_take(struct sq_tls *t, struct sq_sv *ret)
{
	char *memory = t->out.p;

	*ret = sq_tls_unsent(t);
	t->out = sq_outbuf_of(t->out.max);
	t->sent = 0;
	return memory;
}

bool sq_tls_resumed(const struct sq_tls *t)
{
	return t->up && SSL_session_reused(t->ssl);
}
