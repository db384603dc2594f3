/* Inputs that speak TLS: certificates of an authority, and of another one, made when a group of
 * tests starts; worlds of inputs and clients that use them. The program needs certs.c and OpenSSL.
 * Include it in one file of a program.
 */
#pragma once

#include "tests/support/certs.h"
#include "tests/support/probe_input.h"
#include "tests/support/tls_peer.h"
#include "tests/unit/host/scratch.h"

/** Of certificates, while the group runs. */
static char *folder;

/* Path of a file in the folder, to be freed. */
static inline char *at(const char *name)
{
	return scratch_path(folder, name);
}

static inline void write_one(const char *file, struct certs_want want, const struct certs_pair *ca)
{
	struct certs_pair pair = certs_make(&want, ca);

	certs_write(folder, file, &pair, NULL, true);
	certs_free(&pair);
}

static inline int set_up(void **state)
{
	struct certs_pair ca, other;

	assert_int_equal(scratch_setup(state), 0);
	folder = *state;
	ca = certs_make(&(struct certs_want){ .cn = "Test CA", .authority = true }, NULL);
	other = certs_make(&(struct certs_want){ .cn = "Other CA", .authority = true }, NULL);
	certs_write(folder, "ca.pem", &ca, NULL, false);
	certs_write(folder, "other-ca.pem", &other, NULL, false);
	write_one("server.pem",
	          (struct certs_want){ .cn = "collector", .names = "DNS:collector.example.org" },
	          &ca);
	write_one("other.pem",
	          (struct certs_want){ .cn = "other", .names = "DNS:collector.example.org" },
	          &other);
	write_one("client.pem",
	          (struct certs_want){ .cn = "ws-7", .names = "DNS:ws-7.example.org" }, &ca);
	write_one("stranger.pem", (struct certs_want){ .cn = "ws-8" }, &other);
	write_one("expired.pem", (struct certs_want){ .cn = "ws-9", .from = -9000, .until = -900 },
	          &ca);
	certs_free(&ca);
	certs_free(&other);
	return 0;
}

static inline void secure(struct world *w)
{
	w->cfg.server.tls.certificate = at("server.pem");
}

static inline void probe_world(struct world *w)
{
	probe_make(w);
	secure(w);
	world_start(w);
}

static inline void make_tcp(struct world *w)
{
	world_make(w, &sqd_input_tcp);
	w->cfg.server.listen = strdup("127.0.0.1:0");
	w->cfg.tcp.max_record = 64 * 1024;
	secure(w);
}

static inline struct sq_tls_ctx *client_of(const char *certificate, const char *ca)
{
	struct sq_tls_client_cfg cfg = { .on = true, .verify = true };
	struct sq_tls_ctx *ctx;

	cfg.ca = at(ca);
	cfg.certificate = certificate ? at(certificate) : NULL;
	ctx = tls_peer_ctx(&cfg);
	free(cfg.ca);
	free(cfg.certificate);
	return ctx;
}

static inline struct sq_tls_ctx *client(void)
{
	return client_of(NULL, "ca.pem");
}
