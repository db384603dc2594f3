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
static char *at(const char *name)
{
	static char paths[16][160];
	static unsigned next;
	char *path = paths[next++ % SQ_LEN(paths)];

	if (!name)
		return NULL;
	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void write_one(const char *file, struct certs_want want, const struct certs_pair *ca)
{
	struct certs_pair pair = certs_make(&want, ca);

	certs_write(folder, file, &pair, NULL, true);
	certs_free(&pair);
}

static void write_odd_files(const struct certs_pair *ca)
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

static int set_up(void **state)
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

/* ---- what is read from files ------------------------------------------------------------- */

struct file_case {
	const char *name;
	const char *certificate, *key, *client_ca;
	int clients;
	char *client_name;
	char *ciphers;
	const char *want; /* in the error's text; NULL: it works */
	const char *warning;
};

static struct file_case file_cases[] = {
	{ "all in one file", "server.pem", NULL, NULL, 0, NULL, NULL, NULL, "" },
	{ "a key of its own", "certificate-only.pem", "key.pem", NULL, 0, NULL, NULL, NULL, "" },
	{ "no such certificate", "none.pem", NULL, NULL, 0, NULL, NULL,
	  "tls_certificate: %s/none.pem: No such file or directory", NULL },
	{ "an empty file", "empty.pem", NULL, NULL, 0, NULL, NULL,
	  "tls_certificate: %s/empty.pem: there is no certificate (PEM) in it", NULL },
	{ "a file of something else", "text.pem", NULL, NULL, 0, NULL, NULL,
	  "tls_certificate: %s/text.pem: there is no certificate (PEM) in it", NULL },
	{ "a certificate that is none", "broken.pem", NULL, NULL, 0, NULL, NULL,
	  "tls_certificate: %s/broken.pem: ", NULL },
	{ "no key beside the certificate", "certificate-only.pem", NULL, NULL, 0, NULL, NULL,
	  "tls_key: %s/certificate-only.pem: there is no private key (PEM) in it that can be read",
	  NULL },
	{ "no such key", "certificate-only.pem", "none.pem", NULL, 0, NULL, NULL,
	  "tls_key: %s/none.pem: No such file or directory", NULL },
	{ "somebody else's key", "server.pem", "key.pem", NULL, 0, NULL, NULL,
	  "tls_key: %s/key.pem: the key is not the one of the certificate in %s/server.pem", NULL },
	{ "a key with a password", "certificate-only.pem", "encrypted-key.pem", NULL, 0, NULL, NULL,
	  "tls_key: %s/encrypted-key.pem: the key is encrypted", NULL },
	{ "an expired certificate", "expired.pem", NULL, NULL, 0, NULL, NULL, NULL,
	  "tls_certificate: %s/expired.pem: the certificate has expired; peers will refuse it" },
	{ "a certificate of tomorrow", "early.pem", NULL, NULL, 0, NULL, NULL, NULL,
	  "tls_certificate: %s/early.pem: the certificate is not valid yet; peers will refuse it" },
	{ "a certificate about to expire", "soon.pem", NULL, NULL, 0, NULL, NULL, NULL,
	  "tls_certificate: %s/soon.pem: the certificate expires within two weeks" },
	{ "clients without authority", "server.pem", NULL, NULL, SQ_TLS_CLIENTS_REQUIRED, NULL,
	  NULL, "tls_clients needs tls_client_ca", NULL },
	{ "an authority for no clients", "server.pem", NULL, "ca.pem", 0, NULL, NULL,
	  "tls_client_ca is set, but tls_clients is none", NULL },
	{ "names for no clients", "server.pem", NULL, NULL, 0, (char[]){ "ws-7" }, NULL,
	  "tls_client_names is set, but tls_clients is none", NULL },
	{ "no such authority", "server.pem", NULL, "none.pem", SQ_TLS_CLIENTS_OPTIONAL, NULL, NULL,
	  "tls_client_ca: %s/none.pem: No such file or directory", NULL },
	{ "an authority's file without any", "server.pem", NULL, "text.pem",
	  SQ_TLS_CLIENTS_OPTIONAL, NULL, NULL,
	  "tls_client_ca: %s/text.pem: there is no certificate (PEM) in it", NULL },
	{ "ciphers that nobody knows", "server.pem", NULL, NULL, 0, NULL, (char[]){ "ROT13" },
	  "tls_ciphers: OpenSSL knows no cipher of TLS 1.2 in \"ROT13\"", NULL },
	{ "ciphers with one that nobody knows", "server.pem", NULL, NULL, 0, NULL,
	  (char[]){ "ECDHE-ECDSA-AES256-GCM-SHA384:ROT13" },
	  "tls_ciphers: OpenSSL knows no cipher of TLS 1.2 in \"ROT13\"", NULL },
	{ "ciphers by name and class", "server.pem", NULL, NULL, 0, NULL,
	  (char[]){ "ECDHE-ECDSA-AES256-GCM-SHA384:HIGH:!aNULL:@STRENGTH" }, NULL, "" },
};

/* A template with %s for the folder, filled in. */
static const char *filled(const char *text)
{
	static char to[512];
	char *p = to;

	for (; *text && p < to + sizeof(to) - 200; text++) {
		if (text[0] == '%' && text[1] == 's') {
			p = stpcpy(p, folder);
			text++;
		} else {
			*p++ = *text;
		}
	}
	*p = '\0';
	return to;
}

static void check_files(void **state)
{
	const struct file_case *tc = *state;
	char *names[] = { tc->client_name };
	struct sq_tls_server_cfg cfg = {
		.certificate = at(tc->certificate),
		.key = at(tc->key),
		.client_ca = at(tc->client_ca),
		.clients = tc->clients,
		.client_names = { names, tc->client_name ? 1 : 0 },
		.ciphers = tc->ciphers,
	};
	struct sq_err err = { 0 };
	struct sq_tls_ctx *ctx = sq_tls_server_new(&cfg, &err);

	if (tc->want) {
		assert_null(ctx);
		if (!strstr(err.text, filled(tc->want)))
			fail_msg("got \"%s\", want \"%s\"", err.text, filled(tc->want));
		assert_true(err.code < 0);
		return;
	}
	if (!ctx)
		fail_msg("%s", err.text);
	assert_string_equal(sq_tls_ctx_warning(ctx), filled(tc->warning));
	sq_tls_ctx_unref(ctx);
}

static void a_client_names_its_files_too(void **state SQ_UNUSED)
{
	struct sq_tls_client_cfg cfg = { .on = true, .verify = true, .ca = at("none.pem") };
	struct sq_err err = { 0 };

	assert_null(sq_tls_client_new(&cfg, &err));
	assert_string_equal(err.text, filled("tls_ca: %s/none.pem: No such file or directory"));
	cfg.ca = NULL;
	cfg.key = at("key.pem");
	assert_null(sq_tls_client_new(&cfg, &err));
	assert_string_equal(err.text, "tls_key is set, but tls_certificate is not");
	cfg.key = NULL;
	cfg.name = (char[]){ "" }; /* it would be no name at all that is checked */
	assert_null(sq_tls_client_new(&cfg, &err));
	assert_string_equal(err.text, "tls_name is empty");
}

static void keys_without_tls_are_an_error(void **state SQ_UNUSED)
{
	char file[] = "file.pem";
	struct sq_err err = { 0 };

	assert_int_equal(sq_tls_server_wanted(&(struct sq_tls_server_cfg){ 0 }, &err), 0);
	assert_int_equal(sq_tls_server_wanted(&(struct sq_tls_server_cfg){ .certificate = file },
	                                      &err),
	                 1);
	assert_int_equal(sq_tls_server_wanted(&(struct sq_tls_server_cfg){ .clients = 2 }, &err),
	                 -EINVAL);
	assert_string_equal(err.text,
	                    "tls_clients is set, but TLS is off: tls_certificate turns it on");
	assert_int_equal(sq_tls_server_wanted(&(struct sq_tls_server_cfg){ .key = file }, &err),
	                 -EINVAL);
	assert_int_equal(sq_tls_client_wanted(&(struct sq_tls_client_cfg){ .on = true }, &err), 1);
	assert_int_equal(sq_tls_client_wanted(&(struct sq_tls_client_cfg){ .verify = true }, &err),
	                 0);
	assert_int_equal(sq_tls_client_wanted(&(struct sq_tls_client_cfg){ .ca = file }, &err),
	                 -EINVAL);
	assert_string_equal(err.text, "tls_ca is set, but TLS is off: \"tls: true\" turns it on");
}

/* ---- handshakes -------------------------------------------------------------------------- */

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
static struct shake_case client_cases[] = {
	{ .name = "nobody asks for a certificate" },
	{ .name = "one is shown though nobody asks", .client_certificate = "client.pem" },
	{ .name = "optional, none shown", .clients = SQ_TLS_CLIENTS_OPTIONAL },
	{ .name = "optional, one shown",
	  .clients = SQ_TLS_CLIENTS_OPTIONAL,
	  .client_certificate = "client.pem" },
	{ .name = "optional, a wrong one shown",
	  .clients = SQ_TLS_CLIENTS_OPTIONAL,
	  .client_certificate = "foreign.pem",
	  .server_says = "the client's certificate is signed by nobody we trust "
	                 "(CN=ws-foreign,O=Example)",
	  .client_says = "the peer does not trust our certificate (unknown ca)" },
	{ .name = "required, the right one",
	  .clients = SQ_TLS_CLIENTS_REQUIRED,
	  .client_certificate = "client.pem" },
	{ .name = "required, none",
	  .clients = SQ_TLS_CLIENTS_REQUIRED,
	  .server_says = "no client certificate was shown",
	  .client_says = "the peer wants a certificate of ours" },
	{ .name = "required, expired",
	  .clients = SQ_TLS_CLIENTS_REQUIRED,
	  .client_certificate = "expired.pem",
	  .server_says = "the client's certificate has expired (CN=ws-old,O=Example)",
	  .client_says = "the peer refuses our certificate (certificate expired)" },
	{ .name = "required, not valid yet",
	  .clients = SQ_TLS_CLIENTS_REQUIRED,
	  .client_certificate = "early.pem",
	  .server_says = "the client's certificate is not valid yet (CN=ws-new,O=Example)",
	  .client_says = "the peer refuses our certificate (bad certificate)" },
	{ .name = "required, self-signed",
	  .clients = SQ_TLS_CLIENTS_REQUIRED,
	  .client_certificate = "self.pem",
	  .server_says = "the client's certificate is self-signed, or its authority is, and we do "
	                 "not trust it (CN=ws-self,O=Example)",
	  .client_says = "the peer does not trust our certificate (unknown ca)" },
	{ .name = "required, meant for servers",
	  .clients = SQ_TLS_CLIENTS_REQUIRED,
	  .client_certificate = "server.pem",
	  .server_says = "the client's certificate is not meant for this use "
	                 "(CN=collector,O=Example)",
	  .client_says = "the peer refuses our certificate (unsupported certificate)" },
	{ .name = "one of two names fits",
	  .clients = SQ_TLS_CLIENTS_REQUIRED,
	  .client_certificate = "client.pem",
	  .client_names = { (char[]){ "ws-8.example.org" }, (char[]){ "*.example.org" } } },
	{ .name = "no name fits",
	  .clients = SQ_TLS_CLIENTS_REQUIRED,
	  .client_certificate = "client.pem",
	  .client_names = { (char[]){ "ws-8.example.org" }, (char[]){ "*.example.net" } },
	  .server_says = "no name of the client's certificate is allowed (CN=ws-7,O=Example)",
	  .client_says = "the peer " },
	{ .name = "names are for those who show a certificate",
	  .clients = SQ_TLS_CLIENTS_OPTIONAL,
	  .client_names = { (char[]){ "ws-8.example.org" } } },
};

/* The server's own certificate, versions and ciphers. */
static struct shake_case server_cases[] = {
	{ .name = "another authority",
	  .ca = "other-ca.pem",
	  .server_says = "the peer does not trust our certificate (unknown ca)",
	  .client_says = "the server's certificate is signed by nobody we trust "
	                 "(CN=collector,O=Example)" },
	{ .name = "another authority, and nobody verifies", .ca = "" },
	{ .name = "another name",
	  .host = "siem.example.org",
	  .server_says = "the peer refuses our certificate (bad certificate)",
	  .client_says = "the server's certificate is for another name than siem.example.org "
	                 "(CN=collector,O=Example)" },
	{ .name = "an address that is in it", .host = "192.0.2.1" },
	{ .name = "an address that is not",
	  .host = "192.0.2.2",
	  .server_says = "the peer refuses our certificate (bad certificate)",
	  .client_says = "the server's certificate is for another name than 192.0.2.2 "
	                 "(CN=collector,O=Example)" },
	{ .name = "the common name does not count beside others",
	  .host = "collector",
	  .server_says = "the peer refuses our certificate (bad certificate)",
	  .client_says = "the server's certificate is for another name than collector "
	                 "(CN=collector,O=Example)" },
	{ .name = "an expired server",
	  .server_certificate = "expired.pem",
	  .host = "ws-old",
	  .server_says = "the peer refuses our certificate (certificate expired)",
	  .client_says = "the server's certificate has expired (CN=ws-old,O=Example)" },
	{ .name = "1.2 is spoken", .client_max = SQ_TLS_1_2 },
	{ .name = "1.2 is too old",
	  .server_min = SQ_TLS_1_3,
	  .client_max = SQ_TLS_1_2,
	  .server_says = "no common TLS version",
	  .client_says = "no common TLS version" },
	{ .name = "no cipher in common",
	  .client_max = SQ_TLS_1_2,
	  .server_ciphers = (char[]){ "ECDHE-ECDSA-AES128-GCM-SHA256" },
	  .client_ciphers = (char[]){ "ECDHE-ECDSA-AES256-GCM-SHA384" },
	  .server_says = "no shared cipher",
	  .client_says = "the peer refused the handshake: no shared cipher, or it wants a "
	                 "certificate of ours" },
	{ .name = "CBC is not among the strong ones",
	  .client_max = SQ_TLS_1_2,
	  .client_ciphers = (char[]){ "ECDHE-ECDSA-AES256-SHA384" },
	  .server_says = "no shared cipher",
	  .client_says = "the peer refused the handshake" },
};

static struct tls_ends ends_of(const struct shake_case *tc, bool old)
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

static void check_end(const char *who, const struct sq_tls *t, int is, const char *says)
{
	if (!says && is != 1)
		fail_msg("the %s ends with %d: %s", who, is, sq_tls_why(t));
	if (says && is >= 0)
		fail_msg("the %s is content", who);
	if (says && strncmp(sq_tls_why(t), says, strlen(says)) != 0)
		fail_msg("the %s says \"%s\", want \"%s\"", who, sq_tls_why(t), says);
}

static void check_shake(void **state)
{
	const struct shake_case *tc = *state;
	bool any = tc->client_max == 0 && !tc->client_ciphers && !tc->server_min;

	/* What is not about versions is the same in both. */
	for (int old = !any; old < 2; old++) {
		struct tls_ends e = ends_of(tc, old);
		/* 1.2 has but one word for it. */
		const char *client_says =
			old && tc->server_says && tc->clients && !tc->client_certificate
				? "the peer refused the handshake"
				: tc->client_says;

		tls_ends_shake(&e, SIZE_MAX);
		check_end("server", e.server, e.server_is, tc->server_says);
		check_end("client", e.client, e.client_is, client_says);
		if (!tc->server_says) {
			assert_string_equal(SSL_get_version(e.server->ssl),
			                    old ? "TLSv1.2" : "TLSv1.3");
			tls_ends_say(&e, true, "an event", SIZE_MAX);
			tls_ends_say(&e, false, "an answer", SIZE_MAX);
			assert_int_equal(sq_tls_unsent(e.server).n, 0);
		} else {
			assert_int_equal(sq_tls_write(e.server, SQ_SV("x")), e.server_is);
		}
		tls_ends_free(&e);
	}
}

static void the_client_sends_the_name_it_wants(void **state SQ_UNUSED)
{
	struct sq_tls_server_cfg server = { .certificate = at("server.pem") };
	struct sq_tls_client_cfg client = { .on = true, .verify = true, .ca = at("ca.pem") };
	struct tls_ends e = tls_ends_of(&server, &client, "collector.example.org");

	tls_ends_shake(&e, SIZE_MAX);
	assert_string_equal(SSL_get_servername(e.server->ssl, TLSEXT_NAMETYPE_host_name),
	                    "collector.example.org");
	tls_ends_free(&e);

	client.name = (char[]){ "collector.example.org" };
	e = tls_ends_of(&server, &client, "192.0.2.99");
	tls_ends_shake(&e, SIZE_MAX);
	assert_int_equal(e.client_is, 1);
	assert_string_equal(SSL_get_servername(e.server->ssl, TLSEXT_NAMETYPE_host_name),
	                    "collector.example.org");
	tls_ends_free(&e);
}

static void both_sides_know_each_other(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ .clients = SQ_TLS_CLIENTS_REQUIRED,
	                                                  .client_certificate = "client.pem" },
	                            false);
	struct sq_identity who = { 0 };

	tls_ends_shake(&e, SIZE_MAX);
	assert_true(sq_tls_identity(e.server, &who));
	assert_string_equal(who.subject, "CN=ws-7,O=Example");
	assert_string_equal(who.names, "DNS:ws-7.example.org, IP:192.0.2.7, IP:2001:db8::7, "
	                               "URI:spiffe://example.org/ws, email:Ws@Example.org");
	assert_true(sq_tls_identity(e.client, &who));
	assert_string_equal(who.subject, "CN=collector,O=Example");
	assert_string_equal(who.names, "DNS:collector.example.org, IP:192.0.2.1");
	tls_ends_free(&e);

	e = ends_of(&(struct shake_case){ .clients = SQ_TLS_CLIENTS_OPTIONAL }, false);
	tls_ends_shake(&e, SIZE_MAX);
	assert_false(sq_tls_identity(e.server, &who));
	tls_ends_free(&e);
}

/* ---- names ------------------------------------------------------------------------------- */

struct name_case {
	const char *name;
	char *wanted;
	bool fits;
};

/* client.pem: CN=ws-7, DNS:ws-7.example.org, IP:192.0.2.7, IP:2001:db8::7,
 * URI:spiffe://example.org/ws, email:Ws@Example.org */
static struct name_case name_cases[] = {
	{ "the common name", (char[]){ "ws-7" }, true },
	{ "the common name in capitals", (char[]){ "WS-7" }, true },
	{ "a DNS name", (char[]){ "ws-7.example.org" }, true },
	{ "a DNS name in capitals", (char[]){ "WS-7.Example.ORG" }, true },
	{ "one label", (char[]){ "*.example.org" }, true },
	{ "not two labels", (char[]){ "*.org" }, false },
	{ "a star stands for something", (char[]){ "*.ws-7.example.org" }, false },
	{ "a part of a label is no pattern", (char[]){ "ws-*.example.org" }, false },
	{ "a star alone is nobody", (char[]){ "*" }, false },
	{ "an end alone", (char[]){ "7.example.org" }, false },
	{ "IPv4", (char[]){ "192.0.2.7" }, true },
	{ "another IPv4", (char[]){ "192.0.2.8" }, false },
	{ "IPv6 however written", (char[]){ "2001:DB8:0:0::7" }, true },
	{ "a URI", (char[]){ "spiffe://example.org/ws" }, true },
	{ "a URI with more", (char[]){ "spiffe://example.org/ws/2" }, false },
	{ "a mail address, domain in any case", (char[]){ "Ws@EXAMPLE.org" }, true },
	{ "a mail address, another person", (char[]){ "ws@example.org" }, false },
	{ "the subject is not a name", (char[]){ "CN=ws-7,O=Example" }, false },
	{ "nothing", (char[]){ "" }, false },
};

static void check_name(void **state)
{
	const struct name_case *tc = *state;
	char *list[] = { tc->wanted };
	FILE *f = fopen(at("client.pem"), "re");
	X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);

	assert_non_null(cert);
	assert_int_equal(sq_tls_name_fits(cert, &(struct sq_opt_strs){ list, 1 }), tc->fits);
	assert_true(sq_tls_name_fits(cert, &(struct sq_opt_strs){ 0 }));
	X509_free(cert);
	fclose(f);
}

static void a_subject_cannot_forge_a_line(void **state SQ_UNUSED)
{
	struct certs_pair odd = certs_make(
		&(struct certs_want){ .cn = "ws-7\nsquiblyd: all is well \x7f caf\xc3\xa9" }, NULL);
	char text[64];

	sq_tls_subject(odd.cert, text, sizeof(text), false);
	assert_null(strchr(text, '\n'));
	assert_string_equal(text, "CN=ws-7\\0Asquiblyd: all is well \\7F caf\xc3\xa9,O=Example");
	sq_tls_subject(odd.cert, text, 40, false); /* in the middle of a character */
	assert_string_equal(text, "CN=ws-7\\0Asquiblyd: all is well \\7F caf");
	sq_tls_subject(odd.cert, text, sizeof(text), true);
	assert_string_equal(text, "CN=ws-7\\0Asquiblyd: all is well \\7F caf\\C3\\A9,O=Example");
	certs_free(&odd);
}

/* ---- plain text -------------------------------------------------------------------------- */

struct plain_case {
	const char *name;
	struct sq_sv in;
	const char *server_says, *client_says; /* NULL: more is wanted */
};

#define PLAIN_SERVER "it sent plain text on a TLS port"
#define PLAIN_CLIENT "it answered with plain text: no TLS is spoken there"

static struct plain_case plain_cases[] = {
	{ "JSON", { "{\"a\":1}\n", sizeof("{\"a\":1}\n") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "syslog", { "<13>1 2026", sizeof("<13>1 2026") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "a line end", { "\n", sizeof("\n") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "a byte order mark",
	  { "\xef\xbb\xbf{}", sizeof("\xef\xbb\xbf{}") - 1 },
	  PLAIN_SERVER,
	  PLAIN_CLIENT },
	{ "GET",
	  { "GET / HTTP/1.1\r\n", sizeof("GET / HTTP/1.1\r\n") - 1 },
	  "HTTP request on a TLS port",
	  PLAIN_CLIENT },
	{ "POST",
	  { "POST /_bulk HTTP/1.1\r\n", sizeof("POST /_bulk HTTP/1.1\r\n") - 1 },
	  "HTTP request on a TLS port",
	  PLAIN_CLIENT },
	{ "OPTIONS",
	  { "OPTIONS *", sizeof("OPTIONS *") - 1 },
	  "HTTP request on a TLS port",
	  PLAIN_CLIENT },
	{ "the beginning of GET", { "GE", sizeof("GE") - 1 }, NULL, PLAIN_CLIENT },
	{ "GETTING", { "GETTING", sizeof("GETTING") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "a server of mail",
	  { "220 mail ESMTP\r\n", sizeof("220 mail ESMTP\r\n") - 1 },
	  PLAIN_SERVER,
	  PLAIN_CLIENT },
	{ "Lumberjack", { "2W\x01", sizeof("2W\x01") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "bytes",
	  { "\x01\x02\x03", sizeof("\x01\x02\x03") - 1 },
	  "it sent bytes that are not TLS",
	  "it sent bytes that are not TLS" },
	{ "an alert",
	  { "\x15\x03\x03\x00\x02\x02\x28", sizeof("\x15\x03\x03\x00\x02\x02\x28") - 1 },
	  "it sent bytes that are not TLS",
	  "the peer refused" },
	{ "half a record", { "\x16\x03\x01\x02", sizeof("\x16\x03\x01\x02") - 1 }, NULL, NULL },
};

static void check_plain(void **state)
{
	const struct plain_case *tc = *state;

	for (size_t step = 1; step <= 16; step += 15) {
		for (int server = 0; server < 2; server++) {
			struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
			struct sq_tls *t = server ? e.server : e.client;
			const char *says = server ? tc->server_says : tc->client_says;
			struct sq_sv in = tc->in;
			int is = server ? 0 : sq_tls_handshake(t);

			while (in.n && is == 0) {
				tls_ends_use(&e, t, &is, sq_sv_first(in, step));
				in = sq_sv_skip(in, step);
			}
			if (says)
				check_end(server ? "server" : "client", t, is, says);
			else
				assert_int_equal(is, 0);
			tls_ends_free(&e);
		}
	}
}

static void a_hello_is_known_on_a_plain_port(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);

	assert_int_equal(sq_tls_handshake(e.client), 0);
	assert_true(sq_tls_is_hello(sq_tls_unsent(e.client)));
	assert_false(sq_tls_is_hello(sq_sv_first(sq_tls_unsent(e.client), 2)));
	assert_false(sq_tls_is_hello(SQ_SV("{\"a\":1}")));
	tls_ends_free(&e);
}

/* ---- the stream, cut and broken ---------------------------------------------------------- */

static void cut_at_every_byte(void **state SQ_UNUSED)
{
	for (int old = 0; old < 2; old++) {
		struct tls_ends e =
			ends_of(&(struct shake_case){ .clients = SQ_TLS_CLIENTS_REQUIRED,
		                                      .client_certificate = "client.pem" },
		                old);

		tls_ends_shake(&e, 1);
		assert_int_equal(e.server_is, 1);
		assert_int_equal(e.client_is, 1);
		tls_ends_say(&e, true, "one byte after the other", 1);
		tls_ends_say(&e, false, "and back", 1);
		sq_tls_end(e.client);
		tls_ends_flight(&e, true, 1);
		assert_int_equal(e.server_is, -EPIPE);
		tls_ends_free(&e);
	}
}

/* Every flight in two parts, cut at each of its bytes. */
static void cut_in_two_anywhere(void **state SQ_UNUSED)
{
	size_t longest = 1;

	for (size_t cut = 1; cut <= longest; cut++) {
		struct tls_ends e =
			ends_of(&(struct shake_case){ .clients = SQ_TLS_CLIENTS_REQUIRED,
		                                      .client_certificate = "client.pem" },
		                cut % 2);

		e.client_is = sq_tls_handshake(e.client);
		while (sq_tls_unsent(e.client).n || sq_tls_unsent(e.server).n) {
			if (sq_tls_unsent(e.client).n > longest)
				longest = sq_tls_unsent(e.client).n;
			tls_ends_flight(&e, true, cut);
			if (sq_tls_unsent(e.server).n > longest)
				longest = sq_tls_unsent(e.server).n;
			tls_ends_flight(&e, false, cut);
		}
		assert_int_equal(e.server_is, 1);
		assert_int_equal(e.client_is, 1);
		tls_ends_free(&e);
		cut += cut > 64 ? 22
		                : 0; /* the heads of records one by one, the rest now and then */
	}
	assert_true(longest > 500);
}

/* One context, since reading files for each byte would take long. */
static void a_hello_broken_anywhere_ends_in_an_error(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
	struct sq_sv hello;
	char *memory;

	assert_int_equal(sq_tls_handshake(e.client), 0);
	memory = sq_tls_take(e.client, &hello);
	assert_true(hello.n > 100);
	for (size_t i = 0; i < hello.n; i++) {
		struct sq_tls *t = sq_tls_new(e.server_ctx, NULL);
		char *copy = exact(hello.p, hello.n);
		int r;

		copy[i] = (char)(copy[i] ^ 0xff);
		sq_tls_give(t, (struct sq_sv){ copy, hello.n });
		r = sq_tls_handshake(t);
		assert_true(r <= 0);
		if (r < 0) {
			assert_true(strlen(sq_tls_why(t)) > 8);
			assert_int_equal(sq_tls_handshake(t), r);
		}
		sq_tls_free(t);
		free(copy);

		t = sq_tls_new(e.server_ctx, NULL); /* cut short, it waits */
		copy = exact(hello.p, i);
		sq_tls_give(t, (struct sq_sv){ copy, i });
		assert_int_equal(sq_tls_handshake(t), 0);
		assert_int_equal(sq_tls_left(t).n, 0);
		sq_tls_free(t);
		free(copy);
	}
	free(memory);
	tls_ends_free(&e);
}

static void a_changed_record_is_refused(void **state SQ_UNUSED)
{
	for (int old = 0; old < 2; old++) {
		struct tls_ends e = ends_of(&(struct shake_case){ 0 }, old);
		struct sq_sv bytes;
		char *memory;

		tls_ends_shake(&e, SIZE_MAX);
		assert_int_equal(sq_tls_write(e.client, SQ_SV("an event")), 0);
		memory = sq_tls_take(e.client, &bytes);
		memory[bytes.n - 1] ^= 1;
		tls_ends_use(&e, e.server, &e.server_is, bytes);
		check_end("server", e.server, e.server_is,
		          "it broke the TLS protocol (decryption failed or bad record mac)");
		free(memory);
		tls_ends_free(&e);
	}
}

static void what_there_is_no_room_for_is_left(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
	char text[4000], got[4000];
	struct sq_sv bytes;
	size_t n = 0;
	char *memory;

	tls_ends_shake(&e, SIZE_MAX);
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 10; i++)
		assert_int_equal(sq_tls_write(e.client, (struct sq_sv){ text, sizeof(text) }), 0);
	memory = sq_tls_take(e.client, &bytes);
	sq_tls_give(e.server, bytes);
	assert_int_equal(sq_tls_read(e.server, got, 100), 100);
	assert_true(sq_tls_left(e.server).n > 9 * sizeof(text));
	for (ssize_t r = 100; r > 0;) { /* what was left is given again elsewhere */
		struct sq_sv left = sq_tls_left(e.server);
		char *copy = exact(left.p, left.n);

		n += (size_t)r;
		sq_tls_give(e.server, (struct sq_sv){ copy, left.n });
		r = sq_tls_read(e.server, got, sizeof(got));
		assert_true(r >= 0);
		if (sq_tls_left(e.server).n)
			sq_tls_give(e.server,
			            (struct sq_sv){ bytes.p + bytes.n - sq_tls_left(e.server).n,
			                            sq_tls_left(e.server).n });
		free(copy);
	}
	assert_int_equal(n, 10 * sizeof(text));
	free(memory);
	tls_ends_free(&e);
}

static void unsent_bytes_are_bounded_and_freed(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
	size_t n = 1 << 20;
	char *text = calloc(1, n);
	size_t writes = 0, sent = 0;
	int r;

	tls_ends_shake(&e, SIZE_MAX);
	assert_null(e.server->out.p);
	while ((r = sq_tls_write(e.server, (struct sq_sv){ text, n })) == 0)
		writes++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(writes, SQ_TLS_UNSENT_MAX / n - 1);
	assert_true(sq_tls_unsent(e.server).n > writes * n);
	while (sq_tls_unsent(e.server).n > n) { /* some of it is sent: there is room again */
		sq_tls_sent(e.server, 1000);
		sent += 1000;
	}
	assert_int_equal(sq_tls_write(e.server, (struct sq_sv){ text, n }), 0);
	sq_tls_sent(e.server, sq_tls_unsent(e.server).n);
	assert_null(e.server->out.p);
	assert_true(sent > n);
	free(text);
	tls_ends_free(&e);
}

/* ---- ends -------------------------------------------------------------------------------- */

static void an_end_is_said_both_ways(void **state SQ_UNUSED)
{
	for (int old = 0; old < 2; old++) {
		struct tls_ends e = ends_of(&(struct shake_case){ 0 }, old);
		char byte[1];

		tls_ends_shake(&e, SIZE_MAX);
		assert_int_equal(sq_tls_write(e.client, SQ_SV("the last event")), 0);
		sq_tls_end(e.client);
		assert_int_equal(sq_tls_write(e.client, SQ_SV("x")), -EPIPE);
		tls_ends_flight(&e, true, SIZE_MAX);
		assert_sv_equal(((struct sq_sv){ e.got, e.n_got }), SQ_SV("the last event"));
		assert_int_equal(e.server_is, -EPIPE);
		assert_int_equal(sq_tls_read(e.server, byte, 1), -EPIPE);
		/* Ours may still answer, then ends too. */
		tls_ends_say(&e, false, "an answer", SIZE_MAX);
		sq_tls_end(e.server);
		tls_ends_flight(&e, false, SIZE_MAX);
		assert_int_equal(e.client_is, -EPIPE);
		tls_ends_free(&e);
	}
}

static void an_end_before_the_beginning_is_nothing(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
	char byte[1];

	sq_tls_end(e.server);
	assert_int_equal(sq_tls_unsent(e.server).n, 0);
	assert_int_equal(sq_tls_read(e.server, byte, 1), 0);
	assert_int_equal(sq_tls_write(e.server, SQ_SV("x")), -EPIPE);
	tls_ends_free(&e);
}

/* ---- floods ------------------------------------------------------------------------------ */

static void changes_of_keys_are_taken_and_floods_are_not(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);

	tls_ends_shake(&e, SIZE_MAX);
	for (int i = 0; i < 100; i++) { /* one for each event is odd, but allowed */
		assert_int_equal(SSL_key_update(e.client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		tls_ends_say(&e, true, "an event", SIZE_MAX);
		tls_ends_say(&e, false, "an answer", SIZE_MAX);
	}
	for (int i = 0; i < 40 && e.server_is == 1; i++) {
		assert_int_equal(SSL_key_update(e.client->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(e.client->ssl), 1);
		tls_ends_flight(&e, true, SIZE_MAX);
	}
	check_end("server", e.server, e.server_is, "it sent 32 records in a row without data");
	tls_ends_free(&e);
}

static void nobody_renegotiates(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, true);

	tls_ends_shake(&e, SIZE_MAX);
	SSL_clear_options(e.client->ssl, SSL_OP_NO_RENEGOTIATION);
	assert_int_equal(SSL_renegotiate(e.client->ssl), 1);
	(void)SSL_do_handshake(e.client->ssl);
	assert_true(sq_tls_unsent(e.client).n > 0);
	tls_ends_flight(&e, true, SIZE_MAX);
	assert_int_equal(e.server_is, 1); /* it answered "no" and goes on */
	tls_ends_flight(&e, false, SIZE_MAX);
	assert_int_equal(SSL_version(e.server->ssl), TLS1_2_VERSION);
	tls_ends_free(&e);
}

/* ---- resumption -------------------------------------------------------------------------- */

/* The client comes again with what it was given. @return resumed */
static bool again(struct tls_ends *e, SSL_SESSION *session)
{
	sq_tls_end(e->client); /* OpenSSL forgets a session that broke off */
	sq_tls_free(e->server);
	sq_tls_free(e->client);
	e->server = sq_tls_new(e->server_ctx, NULL);
	e->client = sq_tls_new(e->client_ctx, "collector.example.org");
	e->server_is = e->client_is = 0;
	SSL_set_max_proto_version(e->client->ssl, SSL_SESSION_get_protocol_version(session));
	assert_int_equal(SSL_set_session(e->client->ssl, session), 1);
	tls_ends_shake(e, SIZE_MAX);
	assert_int_equal(sq_tls_resumed(e->server), sq_tls_resumed(e->client));
	return sq_tls_resumed(e->server);
}

static void a_session_is_resumed_with_its_identity(void **state SQ_UNUSED)
{
	for (int old = 0; old < 2; old++) {
		struct shake_case tc = { .clients = SQ_TLS_CLIENTS_REQUIRED,
			                 .client_certificate = "client.pem" };
		struct sq_identity who = { 0 };
		struct tls_ends e = ends_of(&tc, old), other;
		SSL_SESSION *session;

		tls_ends_shake(&e, SIZE_MAX);
		assert_false(sq_tls_resumed(e.server));
		tls_ends_say(&e, false, "an answer", SIZE_MAX);
		session = SSL_get1_session(e.client->ssl);
		assert_true(again(&e, session));
		assert_int_equal(e.server_is, 1);
		assert_true(sq_tls_identity(e.server, &who));
		assert_string_equal(who.subject, "CN=ws-7,O=Example");

		/* What another context gave out is worth nothing: a handshake of the usual kind. */
		other = ends_of(&tc, old);
		assert_false(again(&other, session));
		assert_int_equal(other.server_is, 1);
		tls_ends_free(&other);

		/* A ticket does not outlive what it stood for. */
		e.server_ctx->names = (struct sq_opt_strs){ calloc(1, sizeof(char *)), 1 };
		e.server_ctx->names.list[0] = strdup("ws-8");
		(void)again(&e, session);
		check_end("server", e.server, e.server_is,
		          "no name of the client's certificate is allowed (CN=ws-7,O=Example)");
		SSL_SESSION_free(session);
		tls_ends_free(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_names_its_files_too),
		cmocka_unit_test(keys_without_tls_are_an_error),
		cmocka_unit_test(the_client_sends_the_name_it_wants),
		cmocka_unit_test(both_sides_know_each_other),
		cmocka_unit_test(a_subject_cannot_forge_a_line),
		cmocka_unit_test(a_hello_is_known_on_a_plain_port),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(cut_in_two_anywhere),
		cmocka_unit_test(a_hello_broken_anywhere_ends_in_an_error),
		cmocka_unit_test(a_changed_record_is_refused),
		cmocka_unit_test(what_there_is_no_room_for_is_left),
		cmocka_unit_test(unsent_bytes_are_bounded_and_freed),
		cmocka_unit_test(an_end_is_said_both_ways),
		cmocka_unit_test(an_end_before_the_beginning_is_nothing),
		cmocka_unit_test(changes_of_keys_are_taken_and_floods_are_not),
		cmocka_unit_test(nobody_renegotiates),
		cmocka_unit_test(a_session_is_resumed_with_its_identity),
	};
	void *state;
	int failed;

	if (set_up(&state) != 0)
		return 1;
	failed = RUN_TABLE("host/tls/files", file_cases, check_files) +
	         RUN_TABLE("host/tls/clients", client_cases, check_shake) +
	         RUN_TABLE("host/tls/servers", server_cases, check_shake) +
	         RUN_TABLE("host/tls/names", name_cases, check_name) +
	         RUN_TABLE("host/tls/plain", plain_cases, check_plain) +
	         cmocka_run_group_tests_name("host/tls", tests, NULL, NULL);
	(void)scratch_teardown(&state);
	return failed;
}
