/* --check-config looks at the files that a configuration names, as the start does. */
#include "tests/component/config_text.h"

/* What is named is looked at, and the finding stands where it is named. */
static struct config_case files[] = {
	{ "nothing is named", SQD_IN SQD_OUT, NULL, 0 },
	{ "a secret that is not there", HOOK "    secret_file: /nonexistent/s\n",
	  "secret_file: /nonexistent/s: No such file", 4 },
	{ "a token that is a folder", HOOK "    token_file: /\n", "token_file: /: a folder", 4 },
	{ "a token of no text", HOOK "    token_file: /dev/null\n", "token_file: /dev/null: ", 4 },
	{ "a password that is not there",
	  ELASTIC("a") "    user: u\n    password_file: /nonexistent/s\n",
	  "password_file: /nonexistent/s: No such file", 6 },
	{ "a key that is not there", ELASTIC("a") "    api_key_file: /nonexistent/s\n",
	  "api_key_file: /nonexistent/s: No such file", 5 },
	{ "a collector's token that is not there",
	  "outputs:\n  - type: splunk\n    url: http://h/\n    token_file: /nonexistent/s\n",
	  "token_file: /nonexistent/s: No such file", 4 },
	{ "an authority that is not there",
	  "outputs:\n  - type: tcp\n    address: h:1\n    tls: true\n    tls_ca: /nonexistent/ca\n",
	  "tls_ca: /nonexistent/ca: No such file", 5 },
	{ "a certificate that is not there", SQD_IN "    tls_certificate: /nonexistent/c\n",
	  "tls_certificate: /nonexistent/c: No such file", 4 },
	{ "tokens of senders that are not there",
	  "inputs:\n  - type: http\n    listen: 127.0.0.1:1\n    tokens_file: /nonexistent/t\n",
	  "tokens_file: /nonexistent/t: No such file", 4 },
	{ "a file in a folder that is not there",
	  "outputs:\n  - type: file\n    path: /nonexistent/a.json\n",
	  "path: /nonexistent: No such file", 3 },
	{ "a file that is a folder", "outputs:\n  - type: file\n    path: /tmp\n",
	  "path: /tmp: a folder, where a file is wanted", 3 },
	{ "a file in the folder where we are", "outputs:\n  - type: file\n    path: a.json\n", NULL,
	  0 },
	{ "a file below a file", "outputs:\n  - type: file\n    path: /dev/null/a.json\n",
	  "path: /dev/null/a.json: Not a directory", 3 },
	{ "dead letters in a folder that is not there", "dead_letter:\n  path: /nonexistent/a//\n",
	  "path: /nonexistent: No such file", 2 },
	{ "a spool whose folder cannot be made",
	  SQD_OUT "    durability: spool\n    spool: /nonexistent/a/b/\n",
	  "spool: /nonexistent/a: No such file", 4 },
	{ "a spool that is a file", SQD_OUT "    durability: spool\n    spool: /dev/null\n",
	  "spool: /dev/null: not a folder", 4 },
	{ "a spool that can be made",
	  SQD_OUT "    durability: spool\n    spool: /tmp/no-such-spool\n", NULL, 0 },
	{ "a table that is not there", "lookups:\n  - name: a\n    path: /nonexistent/a.csv\n",
	  "path: /nonexistent/a.csv: No such file", 3 },
};

static void check_files(void **state)
{
	const struct config_case *tc = *state;
	char path[] = "/tmp/squibly-config-XXXXXX.yaml";
	struct sq_diags diags = { 0 };
	struct sqd_config cfg;

	write_temp(path, tc->text);
	load_good(path, &cfg);
	remove(path);
	assert_int_equal(sqd_config_check_files(&cfg, &diags), tc->finding ? -EINVAL : 0);
	assert_int_equal(diags.n, tc->finding != NULL);
	if (tc->finding) {
		if (!sq_sv_starts(sq_sv_of(diags.list[0].text), sq_sv_of(tc->finding)))
			fail_msg("\"%s\" is not \"%s\"", diags.list[0].text, tc->finding);
		assert_string_equal(diags.list[0].file, path);
		assert_int_equal(diags.list[0].line, tc->line);
		assert_true(diags.list[0].col > 4);
	}
	sq_diags_fini(&diags);
	sqd_config_fini(&cfg);
}

/* Files of names and secrets are read as the start reads them; what is wrong stands in them. */
static void senders_are_read(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		enum sq_severity severity;
		unsigned line;
		const char *want;
	} rows[] = {
		{ "a:x\nb:y\na:z\n", 0600, SQ_DIAG_WARNING, 0, NULL },
		{ "a:x\n\nnocolon\n", 0600, SQ_DIAG_ERROR, 3,
		  "not a line of the form NAME:SECRET" },
		{ "a:x\nb:x\n", 0600, SQ_DIAG_ERROR, 2, "b has the same token as a" },
		{ "a:x\n", 0644, SQ_DIAG_WARNING, 0,
		  "it holds secrets and can be read by everybody; chmod 640 it" },
		{ "# nobody\n", 0600, SQ_DIAG_WARNING, 0,
		  "there is nobody in tokens_file or users_file: nobody may send" },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		char path[] = "/tmp/squibly-config-XXXXXX.yaml", text[256];
		char tokens[] = "/tmp/squibly-config-XXXXXX.yaml";
		bool error = rows[i].want && rows[i].severity == SQ_DIAG_ERROR;
		struct sq_diags diags = { 0 };
		struct sqd_config cfg;

		write_temp(tokens, rows[i].text);
		assert_int_equal(chmod(tokens, rows[i].mode), 0);
		snprintf(text, sizeof(text),
		         "inputs:\n  - {type: http, listen: '127.0.0.1:1', tokens_file: %s}\n",
		         tokens);
		write_temp(path, text);
		load_good(path, &cfg);
		assert_int_equal(sqd_config_check_files(&cfg, &diags), error ? -EINVAL : 0);
		assert_int_equal(diags.n, rows[i].want != NULL);
		if (rows[i].want) {
			assert_string_equal(diags.list[0].text, rows[i].want);
			assert_string_equal(diags.list[0].file, tokens);
			assert_int_equal(diags.list[0].line, rows[i].line);
			assert_int_equal(diags.list[0].severity, rows[i].severity);
		}
		remove(tokens);
		remove(path);
		sq_diags_fini(&diags);
		sqd_config_fini(&cfg);
	}
}

/* At the start it is in the log; whoever checks first wants to know it then. */
static void an_input_that_everybody_may_send_to_is_warned_of(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: nothing is said */
	} rows[] = {
		{ "type: http, listen: '0.0.0.0:1'",
		  "http 0.0.0.0:1: everybody who reaches this address may send events: set "
		  "tokens_file, users_file or tls_clients: required" },
		{ "type: http, listen: '127.0.0.1:1'", NULL },
		{ "type: http, listen: '[::1]:1'", NULL },
		{ "type: http, listen: 'unix:/tmp/x'", NULL },
		{ "type: tcp, listen: '0.0.0.0:1'", NULL },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		char path[] = "/tmp/squibly-config-XXXXXX.yaml", text[256];
		struct sq_diags diags = { 0 };
		struct sqd_config cfg;

		snprintf(text, sizeof(text), "inputs:\n  - {%s}\n", rows[i].in);
		write_temp(path, text);
		load_good(path, &cfg);
		assert_int_equal(sqd_config_check_files(&cfg, &diags), 0);
		assert_int_equal(diags.n, rows[i].want != NULL);
		if (rows[i].want) {
			assert_string_equal(diags.list[0].text, rows[i].want);
			assert_string_equal(diags.list[0].file, "inputs");
			assert_int_equal(diags.list[0].severity, SQ_DIAG_WARNING);
		}
		remove(path);
		sq_diags_fini(&diags);
		sqd_config_fini(&cfg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(senders_are_read),
		cmocka_unit_test(an_input_that_everybody_may_send_to_is_warned_of),
	};
	int failed = RUN_TABLE("core/config files", files, check_files);

	return failed + cmocka_run_group_tests_name("core/config senders", tests, NULL, NULL);
}
