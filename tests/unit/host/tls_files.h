/* Certificates in a folder of its own, and two ends of a session made of them. */
#pragma once

#include "lib/host/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "lib/host/tls_private.h"
#include "tests/support/certs.h"
#include "tests/support/test.h"
#include "tests/support/tls_ends.h"
#include "tests/unit/host/scratch.h"

enum { DAY = 86400 };

static char *folder;

/* Path of a file in the folder; the last few stay valid. */
static inline char *at(const char *name)
{
	static char paths[16][160];
	static unsigned next;
	char *path = paths[next++ % SQ_LEN(paths)];

	if (!name)
		return NULL;
	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static inline void write_one(const char *file, struct certs_want want, const struct certs_pair *ca)
{
	struct certs_pair pair = certs_make(&want, ca);

	certs_write(folder, file, &pair, NULL, true);
	certs_free(&pair);
}

static inline void write_odd_files(const struct certs_pair *ca)
{
	struct certs_pair pair = certs_make(&(struct certs_want){ .cn = "odd" }, ca);

	certs_write(folder, "certificate-only.pem", &pair, NULL, false);
	certs_write_key(folder, "key.pem", &pair, NULL);
	certs_write_key(folder, "encrypted-key.pem", &pair, "secret");
	certs_free(&pair);
	free(scratch_file(folder, "empty.pem", ""));
	free(scratch_file(folder, "text.pem", "this is no certificate\n"));
	free(scratch_file(folder, "broken.pem",
	                  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
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
	          (struct certs_want){ .cn = "collector",
	                               .names = "DNS:collector.example.org,IP:192.0.2.1",
	                               .use = "serverAuth" },
	          &ca);
	write_one("client.pem",
	          (struct certs_want){ .cn = "ws-7",
	                               .names = "DNS:ws-7.example.org,IP:192.0.2.7,IP:2001:db8::7,"
	                                        "URI:spiffe://example.org/ws,email:Ws@Example.org",
	                               .use = "clientAuth" },
	          &ca);
	write_one("expired.pem",
	          (struct certs_want){ .cn = "ws-old", .from = -9 * DAY, .until = -DAY }, &ca);
	write_one("early.pem", (struct certs_want){ .cn = "ws-new", .from = DAY, .until = 9 * DAY },
	          &ca);
	write_one("soon.pem", (struct certs_want){ .cn = "soon", .from = -DAY, .until = 9 * DAY },
	          &ca);
	write_one("foreign.pem", (struct certs_want){ .cn = "ws-foreign", .use = "clientAuth" },
	          &other);
	write_one("self.pem", (struct certs_want){ .cn = "ws-self", .use = "clientAuth" }, NULL);
	write_odd_files(&ca);
	certs_free(&ca);
	certs_free(&other);
	return 0;
}

struct shake_case {
	const char *name;
	const char *client_certificate; /* NULL: none is shown */
	int clients;                    /* enum sq_tls_clients */
	char *client_names[2];
	const char *server_certificate; /* NULL: server.pem */
	const char *ca;                 /* of the client; NULL: ca.pem, "": it does not verify */
	const char *host;               /* NULL: collector.example.org */
	int server_min, client_max;     /* enum sq_tls_version */
	char *server_ciphers, *client_ciphers;
	const char *server_says, *client_says; /* NULL: it is up */
};

/* Certificates that a client shows are refused by the server. */

static inline struct tls_ends ends_of(const struct shake_case *tc, bool old)
{
	struct sq_tls_server_cfg server = {
		.certificate = at(tc->server_certificate ? tc->server_certificate : "server.pem"),
		.clients = tc->clients,
		.client_ca = tc->clients ? at("ca.pem") : NULL,
		.min_version = tc->server_min,
		.ciphers = tc->server_ciphers,
	};
	struct sq_tls_client_cfg client = {
		.on = true,
		.verify = !tc->ca || *tc->ca,
		.ca = at(tc->ca && *tc->ca ? tc->ca : "ca.pem"),
		.certificate = at(tc->client_certificate),
		.ciphers = tc->client_ciphers,
	};
	char *names[2] = { tc->client_names[0], tc->client_names[1] };
	struct tls_ends e;

	server.client_names = (struct sq_opt_strs){ names, !!names[0] + !!names[1] };
	e = tls_ends_of(&server, &client, tc->host ? tc->host : "collector.example.org");
	if (old)
		SSL_set_max_proto_version(e.client->ssl, TLS1_2_VERSION);
	return e;
}

static inline void check_end(const char *who, const struct sq_tls *t, int is, const char *says)
{
	if (!says && is != 1)
		fail_msg("the %s ends with %d: %s", who, is, sq_tls_why(t));
	if (says && is >= 0)
		fail_msg("the %s is content", who);
	if (says && strncmp(sq_tls_why(t), says, strlen(says)) != 0)
		fail_msg("the %s says \"%s\", want \"%s\"", who, sq_tls_why(t), says);
}
