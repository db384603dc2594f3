/* What TLS takes of memory, and what happens when there is none. A program of its own, since
 * OpenSSL must be given its allocator before it has allocated anything. */
#include "lib/host/tls.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "lib/host/tls_private.h"
#include "tests/support/certs.h"
#include "tests/support/fault_alloc.h"
#include "tests/support/test.h"
#include "tests/support/tls_ends.h"
#include "tests/unit/host/scratch.h"

enum {
	SESSIONS = 1000,
	/* Of 40 KiB that a connection may take in all of the daemon. OpenSSL 3.0 takes 18 where
	 * clients have certificates; 3.5 takes 32, of which 6 are the key exchange with ML-KEM. */
	IDLE_MAX = 34 * 1024,
};

static size_t in_use;      /* bytes that OpenSSL holds */
static unsigned countdown; /* 0: no allocation of OpenSSL fails */
static bool reached;

/* OpenSSL's allocations are not those that fault_alloc counts. */
void *__real_malloc(size_t n);
void *__real_realloc(void *p, size_t n);

static bool fails(void)
{
	if (!countdown || --countdown)
		return false;
	reached = true;
	return true;
}

static void *ssl_malloc(size_t n, const char *file SQ_UNUSED, int line SQ_UNUSED)
{
	void *p = fails() ? NULL : __real_malloc(n);

	in_use += p ? malloc_usable_size(p) : 0;
	return p;
}

static void *ssl_realloc(void *old, size_t n, const char *file SQ_UNUSED, int line SQ_UNUSED)
{
	size_t was = old ? malloc_usable_size(old) : 0;
	void *p = fails() ? NULL : __real_realloc(old, n);

	if (p)
		in_use += malloc_usable_size(p) - was;
	return p;
}

static void ssl_free(void *p, const char *file SQ_UNUSED, int line SQ_UNUSED)
{
	in_use -= p ? malloc_usable_size(p) : 0;
	free(p);
}

static char *folder, *ca_file, *server_file, *client_file;

static int set_up(void **state)
{
	struct certs_pair ca, server, client;

	assert_int_equal(scratch_setup(state), 0);
	folder = *state;
	ca = certs_make(&(struct certs_want){ .cn = "Test CA", .authority = true }, NULL);
	server = certs_make(&(struct certs_want){ .cn = "collector", .names = "DNS:collector" },
	                    &ca);
	client = certs_make(&(struct certs_want){ .cn = "ws-7", .names = "DNS:ws-7" }, &ca);
	certs_write(folder, "ca.pem", &ca, NULL, false);
	certs_write(folder, "server.pem", &server, NULL, true);
	certs_write(folder, "client.pem", &client, NULL, true);
	certs_free(&ca);
	certs_free(&server);
	certs_free(&client);
	ca_file = scratch_path(folder, "ca.pem");
	server_file = scratch_path(folder, "server.pem");
	client_file = scratch_path(folder, "client.pem");
	return 0;
}

static int tear_down(void **state)
{
	free(ca_file);
	free(server_file);
	free(client_file);
	return scratch_teardown(state);
}

/* ---- idle sessions ----------------------------------------------------------------------- */

static void measure(int clients, bool old)
{
	struct sq_tls_server_cfg server = { .certificate = server_file,
		                            .clients = clients,
		                            .client_ca = clients ? ca_file : NULL };
	struct sq_tls_client_cfg client = { .on = true,
		                            .verify = true,
		                            .ca = ca_file,
		                            .certificate = clients ? client_file : NULL };
	struct tls_ends e = tls_ends_of(&server, &client, "collector");
	struct sq_tls **idle = calloc(SESSIONS, sizeof(*idle));
	size_t before, each;

	before = in_use;
	for (size_t i = 0; i < SESSIONS; i++) {
		struct tls_ends one = { .server = sq_tls_new(e.server_ctx, NULL),
			                .client = sq_tls_new(e.client_ctx, "collector") };

		if (old)
			SSL_set_max_proto_version(one.client->ssl, TLS1_2_VERSION);
		tls_ends_shake(&one, SIZE_MAX);
		tls_ends_say(&one, true, "an event", SIZE_MAX);
		tls_ends_say(&one, false, "an answer", SIZE_MAX);
		sq_tls_free(one.client);
		assert_null(one.server->out.p);
		idle[i] = one.server;
	}
	each = (in_use - before) / SESSIONS + sizeof(struct sq_tls);
	print_message("an idle session of TLS 1.%d, %s client certificate: %zu bytes\n",
	              old ? 2 : 3, clients ? "with" : "without", each);
	assert_true(each > 4096 && each < IDLE_MAX);
	for (size_t i = 0; i < SESSIONS; i++)
		sq_tls_free(idle[i]);
	assert_true(in_use <
	            before + 64 * 1024); /* nothing is left of them but what is cached once */
	free(idle);
	tls_ends_free(&e);
}

static void an_idle_session_is_small(void **state SQ_UNUSED)
{
	measure(SQ_TLS_CLIENTS_NONE, false);
	measure(SQ_TLS_CLIENTS_REQUIRED, false);
	measure(SQ_TLS_CLIENTS_REQUIRED, true);
}

/* ---- no memory --------------------------------------------------------------------------- */

/* All there is: files, handshake, data, end. @return it worked */
static bool all_of_it(void)
{
	char *names[] = { (char[]){ "ws-7" } };
	struct sq_tls_server_cfg server = { .certificate = server_file,
		                            .clients = SQ_TLS_CLIENTS_REQUIRED,
		                            .client_ca = ca_file,
		                            .client_names = { names, 1 } };
	struct sq_tls_client_cfg client = { .on = true,
		                            .verify = true,
		                            .ca = ca_file,
		                            .name = (char[]){ "collector" },
		                            .certificate = client_file };
	struct sq_err err = { 0 };
	struct tls_ends e = { 0 };
	struct sq_identity who;
	bool worked = false;

	e.server_ctx = sq_tls_server_new(&server, &err);
	e.client_ctx = e.server_ctx ? sq_tls_client_new(&client, &err) : NULL;
	if (!e.client_ctx) {
		assert_true(err.code < 0 && *err.text);
		goto out;
	}
	e.server = sq_tls_new(e.server_ctx, NULL);
	e.client = sq_tls_new(e.client_ctx, "collector");
	if (!e.server || !e.client)
		goto out;
	tls_ends_shake(&e, SIZE_MAX);
	(void)sq_tls_identity(e.server, &who);
	if (e.server_is == 1 && e.client_is == 1 && sq_tls_write(e.client, SQ_SV("an event")) == 0)
		tls_ends_flight(&e, true, SIZE_MAX);
	worked = e.server_is == 1 && e.n_got == 8;
	assert_true(worked || e.server_is < 0 || e.client_is < 0 || e.client->error ||
	            e.server->error);
	if (e.server_is < 0)
		assert_true(*sq_tls_why(e.server));
	sq_tls_end(e.client);
out:
	sq_tls_free(e.server);
	sq_tls_free(e.client);
	sq_tls_ctx_unref(e.server_ctx);
	sq_tls_ctx_unref(e.client_ctx);
	return worked;
}

static void openssl_without_memory_fails_in_order(void **state SQ_UNUSED)
{
	unsigned tried = 0;

	assert_true(all_of_it()); /* what is made once is made */
	for (unsigned n = 1;; n += 1 + n / 8) {
		bool worked;

		countdown = n;
		reached = false;
		worked = all_of_it();
		countdown = 0;
		if (!reached) {
			assert_true(worked);
			break;
		}
		tried++;
	}
	assert_true(tried > 20);
}

static void we_without_memory_fail_in_order(void **state SQ_UNUSED)
{
	for (unsigned n = 1;; n++) {
		bool worked;

		fault_alloc_at(n);
		worked = all_of_it();
		if (fault_alloc_end())
			continue;
		assert_true(worked);
		assert_true(n > 10);
		break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_session_is_small),
		cmocka_unit_test(openssl_without_memory_fails_in_order),
		cmocka_unit_test(we_without_memory_fail_in_order),
	};

	if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1)
		return 1;
	return _cmocka_run_group_tests("host/tls_memory", tests, SQ_LEN(tests), set_up, tear_down);
}
