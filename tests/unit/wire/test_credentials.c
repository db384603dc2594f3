#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/credentials.h"
#include "tests/support/fault_alloc.h"

static const char tokens[] =
	"# who may send\n\nwinlogbeat: s3cret-token \nhec:B5A79AAD-D822-46CC-80D1-819F80D7BFB0\r\n";
static const char users[] = "alice:pass:word\n";

static struct sq_credentials both(void)
{
	struct sq_credentials c = { 0 };
	struct sq_diags d = { 0 };

	assert_int_equal(sq_credentials_read(&c, sq_sv_of(tokens), false, "tokens", &d), 0);
	assert_int_equal(sq_credentials_read(&c, sq_sv_of(users), true, "users", &d), 0);
	assert_int_equal(c.n, 3);
	sq_diags_fini(&d);
	return c;
}

struct row {
	const char *name, *header;
	enum sq_credential_result want;
	const char *who;
};

static struct row rows[] = {
	{ "a bearer token", "Bearer s3cret-token", SQ_CREDENTIAL_FITS, "winlogbeat" },
	{ "any case, blanks", "bearer   s3cret-token  ", SQ_CREDENTIAL_FITS, "winlogbeat" },
	{ "Splunk", "Splunk B5A79AAD-D822-46CC-80D1-819F80D7BFB0", SQ_CREDENTIAL_FITS, "hec" },
	{ "Splunk by basic", "Basic eDpCNUE3OUFBRC1EODIyLTQ2Q0MtODBEMS04MTlGODBEN0JGQjA=",
	  SQ_CREDENTIAL_FITS, "hec" }, /* x:B5A7... */
	{ "an API key", "ApiKey d2lubG9nYmVhdDpzM2NyZXQtdG9rZW4=", SQ_CREDENTIAL_FITS,
	  "winlogbeat" },
	{ "an API key of another name", "ApiKey aGVjOnMzY3JldC10b2tlbg==", SQ_CREDENTIAL_WRONG,
	  NULL },
	{ "basic", "Basic YWxpY2U6cGFzczp3b3Jk", SQ_CREDENTIAL_FITS, "alice" },
	{ "basic of another name", "Basic Ym9iOnBhc3M6d29yZA==", SQ_CREDENTIAL_WRONG, NULL },
	{ "a password is no token", "Bearer pass:word", SQ_CREDENTIAL_WRONG, NULL },
	{ "a token's beginning", "Bearer s3cret-toke", SQ_CREDENTIAL_WRONG, NULL },
	{ "a token and more", "Bearer s3cret-tokenn", SQ_CREDENTIAL_WRONG, NULL },
	{ "nothing", "", SQ_CREDENTIAL_NONE, NULL },
	{ "blanks", "  ", SQ_CREDENTIAL_NONE, NULL },
	{ "no token", "Bearer ", SQ_CREDENTIAL_INVALID, NULL },
	{ "no kind we know", "Digest x", SQ_CREDENTIAL_INVALID, NULL },
	{ "no base64", "Basic !!!", SQ_CREDENTIAL_INVALID, NULL },
	{ "base64 without a colon", "Basic YWxpY2U=", SQ_CREDENTIAL_INVALID, NULL },
	{ "a NUL inside", "Basic YTpiAGM=", SQ_CREDENTIAL_INVALID, NULL },
};

static void check(void **state)
{
	const struct row *row = *state;
	struct sq_credentials c = both();
	const struct sq_credential *who = NULL;
	char *header = exact(row->header, strlen(row->header));

	assert_int_equal(sq_credentials_check(&c, (struct sq_sv){ header, strlen(row->header) },
	                                      &who),
	                 row->want);
	if (row->who)
		assert_string_equal(who->name, row->who);
	else
		assert_null(who);
	free(header);
	sq_credentials_fini(&c);
}

static void long_secrets_are_refused(void **state SQ_UNUSED)
{
	struct sq_credentials c = both();
	const struct sq_credential *who = NULL;
	char header[600] = "Bearer ";

	memset(header + 7, 'x', 255);
	assert_int_equal(sq_credentials_check(&c, sq_sv_of(header), &who), SQ_CREDENTIAL_WRONG);
	memset(header + 7, 'x', 256);
	assert_int_equal(sq_credentials_check(&c, sq_sv_of(header), &who), SQ_CREDENTIAL_INVALID);
	memcpy(header, "Basic ", 6);
	memset(header + 6, 'Y', sizeof(header) - 7);
	assert_int_equal(sq_credentials_check(&c, sq_sv_of(header), &who), SQ_CREDENTIAL_INVALID);
	sq_credentials_fini(&c);
}

static void wrong_lines_are_told_without_their_secrets(void **state SQ_UNUSED)
{
	struct sq_credentials c = { 0 };
	struct sq_diags d = { 0 };
	struct sq_err err = { 0 };

	assert_int_equal(sq_credentials_read(&c, SQ_SV("a:b\nsecret\n:x\ny:\n"), false, "f", &d),
	                 -EINVAL);
	assert_int_equal(d.errors, 3);
	assert_int_equal(sq_diags_to_err(&d, &err), -EINVAL);
	assert_non_null(strstr(err.text, "f:2"));
	assert_null(strstr(err.text, "secret\n"));
	assert_non_null(strstr(err.text, "NAME:SECRET"));
	sq_diags_fini(&d);
	sq_credentials_fini(&c);
}

static void a_token_has_one_name(void **state SQ_UNUSED)
{
	struct sq_credentials c = { 0 };
	struct sq_diags d = { 0 };

	assert_int_equal(sq_credentials_read(&c, SQ_SV("a:x\na:y\na:x\n"), false, "f", &d), 0);
	assert_int_equal(c.n, 3);
	assert_int_equal(sq_credentials_read(&c, SQ_SV("u:p\nv:p\nw:x\n"), true, "f", &d), 0);
	assert_int_equal(d.n, 0);
	assert_int_equal(sq_credentials_read(&c, SQ_SV("z:p\nb:x\n"), false, "f", &d), -EINVAL);
	assert_int_equal(d.n, 1);
	assert_int_equal(d.list[0].line, 2);
	assert_string_equal(d.list[0].text, "b has the same token as a");
	sq_diags_fini(&d);
	sq_credentials_fini(&c);
}

static void there_is_an_end_to_them(void **state SQ_UNUSED)
{
	static char text[(SQ_CREDENTIALS_MAX + 1) * 11 + 1];
	struct sq_credentials c = { 0 };
	struct sq_diags d = { 0 };

	for (size_t i = 0; i <= SQ_CREDENTIALS_MAX; i++)
		snprintf(text + i * 11, 12, "n%04zu:%04zu\n", i, i);
	assert_int_equal(sq_credentials_read(&c, sq_sv_of(text), false, "f", &d), -EINVAL);
	assert_int_equal(c.n, SQ_CREDENTIALS_MAX);
	assert_int_equal(d.errors, 1);
	sq_diags_fini(&d);
	sq_credentials_fini(&c);
}

static void no_memory_is_told(void **state SQ_UNUSED)
{
	for (unsigned n = 1;; n++) {
		struct sq_credentials c = { 0 };
		struct sq_diags d = { 0 };
		bool reached;
		int r;

		fault_alloc_at(n);
		r = sq_credentials_read(&c, sq_sv_of(tokens), false, "f", &d);
		reached = fault_alloc_end();
		assert_int_equal(r, reached ? -ENOMEM : 0);
		sq_diags_fini(&d);
		sq_credentials_fini(&c);
		if (!reached)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_secrets_are_refused),
		cmocka_unit_test(wrong_lines_are_told_without_their_secrets),
		cmocka_unit_test(a_token_has_one_name),
		cmocka_unit_test(there_is_an_end_to_them),
		cmocka_unit_test(no_memory_is_told),
	};

	return RUN_TABLE("credentials/headers", rows, check) +
	       cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
