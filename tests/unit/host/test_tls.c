/* Which files are taken, who shakes hands with whom, and which names there are in a certificate. */
#include "tests/unit/host/tls_files.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_names_its_files_too),
		cmocka_unit_test(keys_without_tls_are_an_error),
		cmocka_unit_test(the_client_sends_the_name_it_wants),
		cmocka_unit_test(both_sides_know_each_other),
		cmocka_unit_test(a_subject_cannot_forge_a_line),
	};
	void *state;
	int failed;

	if (set_up(&state) != 0)
		return 1;
	failed = RUN_TABLE("host/tls/files", file_cases, check_files) +
	         RUN_TABLE("host/tls/clients", client_cases, check_shake) +
	         RUN_TABLE("host/tls/servers", server_cases, check_shake) +
	         RUN_TABLE("host/tls/names", name_cases, check_name) +
	         cmocka_run_group_tests_name("host/tls", tests, NULL, NULL);
	(void)scratch_teardown(&state);
	return failed;
}
