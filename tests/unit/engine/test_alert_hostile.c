/* Values of events and of certificates that hold every separator: none breaks out of its place. */
#include <yajl/yajl_tree.h>

#include "lib/engine/alert_private.h"
#include "tests/unit/engine/sample.h"

#define NASTY "a\"b\\c\nd\re\tf|g=h]i\x1b[31mj\xffk\xc2\x9bl\x7fm\xc3\xa9\xe2\x80\xa8"

static void sample_nasty(struct sample *s)
{
	sample_attack(s);
	for (unsigned f = 0; f < SQ_F_CANONICAL; f++)
		sample_set(s, (enum sq_field)f, SQ_SV(NASTY));
	s->event.raw = SQ_SV(NASTY);
	s->rule.title = SQ_SV(NASTY);
	s->rule.id = SQ_SV("id |\\=\n\x1b \xff");
	s->hit.matched[0].value = SQ_SV(NASTY);
	s->alert.peer = NASTY;
	memcpy(s->observer.hostname, NASTY, sizeof(NASTY));
}

static void json_of_anything_is_one_valid_line(void **state)
{
	const char *path[] = { "event", "original", NULL };
	struct sample s;
	char *text, error[200];
	yajl_val tree;

	(void)state;
	sample_nasty(&s);
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_null(strpbrk(text, "\n\r\x1b\t"));
	tree = yajl_tree_parse(text, error, sizeof(error));
	if (!tree)
		fail_msg("%s", error);
	/* Only the byte that is no UTF-8 has changed. */
	assert_string_equal(yajl_tree_get(tree, path, yajl_t_string)->u.string,
	                    "a\"b\\c\nd\re\tf|g=h]i\x1b[31mj\xef\xbf\xbdk\xc2\x9bl\x7fm\xc3\xa9"
	                    "\xe2\x80\xa8");
	yajl_tree_free(tree);
	free(text);
}

static void a_syslog_header_is_ascii_without_blanks(void **state)
{
	struct sample s;
	char *text, *json;

	(void)state;
	sample_nasty(&s);
	text = sample_text(&s, SQ_FORMAT_SYSLOG);
	json = strchr(text, '{');
	assert_non_null(json);
	*json = '\0';
	assert_string_equal(text, "<107>1 2020-07-22T03:28:00.000Z "
	                          "a\"b\\c_d_e_f|g=h]i_[31mj_k__l_m_____ squiblyd - "
	                          "id_|\\=____ - ");
	free(text);
}

static void cef_separators_are_escaped(void **state)
{
	const char *value =
		"a\"b\\\\c\\nd\\re f|g\\=h]i?[31mj\xef\xbf\xbdk?l?m\xc3\xa9\xe2\x80\xa8";
	char want[256];
	struct sample s;
	char *text;

	(void)state;
	sample_nasty(&s);
	text = sample_text(&s, SQ_FORMAT_CEF);
	assert_true(sq_sv_starts(
		sq_sv_of(text),
		SQ_SV("CEF:0|squiblyd|squiblyd|0.1.0|id \\|\\\\= ? \xef\xbf\xbd|"
	              "a\"b\\\\c d e f\\|g=h]i?[31mj\xef\xbf\xbdk?l?m\xc3\xa9\xe2\x80\xa8|8|rt=")));
	(void)snprintf(want, sizeof(want), " cs1=%s cs2Label=parentProcess ", value);
	assert_non_null(strstr(text, want));
	(void)snprintf(want, sizeof(want), " cs5=CommandLine: %s cs6Label=peer", value);
	assert_non_null(strstr(text, want));
	assert_null(strpbrk(text, "\n\r\x1b\t\x7f"));
	free(text);
}

static void leef_values_hold_no_separator(void **state)
{
	const char *value = "a\"b\\c d e f|g=h]i?[31mj\xef\xbf\xbdk?l?m\xc3\xa9\xe2\x80\xa8";
	char want[256];
	struct sample s;
	char *text;

	(void)state;
	sample_nasty(&s);
	text = sample_text(&s, SQ_FORMAT_LEEF);
	assert_true(sq_sv_starts(sq_sv_of(text),
	                         SQ_SV("LEEF:2.0|squiblyd|squiblyd|0.1.0|id _\\= ? \xef\xbf\xbd|"
	                               "x09|devTime=")));
	(void)snprintf(want, sizeof(want), "\tcommandLine=%s\tparentProcess=", value);
	assert_non_null(strstr(text, want));
	assert_null(strpbrk(text, "\n\r\x1b\x7f"));
	free(text);
}

static const struct sq_identity somebody = {
	.user = "nxlog-site-7",
	.subject = "CN=ws-7,O=Example",
	.names = "DNS:ws-7.example.org, IP:192.0.2.7, email:a@example.org, URI:urn:x:y, odd",
	.proxy = "198.51.100.1:40000",
};

static void the_sender_is_named_as_far_as_it_was_proved(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	s.alert.identity = &somebody;
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_non_null(
		strstr(text, "\"hostname\":\"sensor1\"},"
	                     "\"client\":{\"user\":{\"name\":\"nxlog-site-7\"}},"
	                     "\"tls\":{\"client\":{\"subject\":\"CN=ws-7,O=Example\","
	                     "\"x509\":{\"alternative_names\":[\"ws-7.example.org\",\"192.0.2.7\","
	                     "\"a@example.org\",\"urn:x:y\",\"odd\"]}}},"
	                     "\"squibly\":{\"event_id\":\"11111111111111110000000000000022\","
	                     "\"peer\":\"192.0.2.7:51234\",\"proxy\":\"198.51.100.1:40000\","
	                     "\"shape\":\"nxlog\","));
	free(text);
	text = sample_text(&s, SQ_FORMAT_CEF);
	assert_true(sq_sv_ends(
		sq_sv_of(text),
		SQ_SV(" cs6Label=peer cs6=192.0.2.7:51234 flexString1Label=senderUser "
	              "flexString1=nxlog-site-7 flexString2Label=senderCertificate "
	              "flexString2=CN\\=ws-7,O\\=Example squiblydSenderNames=ws-7.example.org,"
	              "192.0.2.7,a@example.org,urn:x:y,odd squiblydProxy=198.51.100.1:40000")));
	free(text);
	text = sample_text(&s, SQ_FORMAT_LEEF);
	assert_true(sq_sv_ends(
		sq_sv_of(text),
		SQ_SV("\tpeer=192.0.2.7:51234\tsenderUser=nxlog-site-7\t"
	              "senderCertificate=CN=ws-7,O=Example\tsenderNames=ws-7.example.org,192.0.2.7,"
	              "a@example.org,urn:x:y,odd\tproxy=198.51.100.1:40000\tobserver=sensor1")));
	free(text);
}

/* Each part alone: no object without members, no key without a value. */
static void what_was_not_proved_is_left_out(void **state)
{
	struct sq_identity id = { 0 };
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	s.alert.identity = &id;
	for (unsigned f = 0; f < SQ_FORMATS; f++) {
		char *without;

		text = sample_text(&s, (enum sq_format)f);
		s.alert.identity = NULL;
		without = sample_text(&s, (enum sq_format)f);
		s.alert.identity = &id;
		assert_string_equal(text, without);
		free(text);
		free(without);
	}
	memcpy(id.names, "DNS:a", sizeof("DNS:a"));
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_non_null(strstr(text, "\"sensor1\"},\"tls\":{\"client\":{\"x509\":{"
	                             "\"alternative_names\":[\"a\"]}}},\"squibly\":"));
	free(text);
	id = (struct sq_identity){ .subject = "CN=b" };
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_non_null(strstr(text, "\"sensor1\"},\"tls\":{\"client\":{\"subject\":\"CN=b\"}},"
	                             "\"squibly\":"));
	free(text);
}

/* Whoever asks for a certificate chooses what stands in it. */
static void a_certificate_breaks_out_of_nothing(void **state)
{
	struct sq_identity id = { .user = NASTY, .subject = NASTY, .proxy = NASTY };
	const char *path[] = { "tls", "client", "subject", NULL };
	const char *names[] = { "tls", "client", "x509", "alternative_names", NULL };
	char *text, error[200];
	struct sample s;
	yajl_val tree;

	(void)state;
	(void)snprintf(id.names, sizeof(id.names), "DNS:%s, , %s, ", NASTY, NASTY);
	sample_attack(&s);
	s.alert.identity = &id;
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_null(strpbrk(text, "\n\r\x1b\t"));
	tree = yajl_tree_parse(text, error, sizeof(error));
	if (!tree)
		fail_msg("%s", error);
	assert_string_equal(yajl_tree_get(tree, path, yajl_t_string)->u.string,
	                    "a\"b\\c\nd\re\tf|g=h]i\x1b[31mj\xef\xbf\xbdk\xc2\x9bl\x7fm\xc3\xa9"
	                    "\xe2\x80\xa8");
	assert_int_equal(yajl_tree_get(tree, names, yajl_t_array)->u.array.len, 2);
	yajl_tree_free(tree);
	free(text);
	text = sample_text(&s, SQ_FORMAT_CEF);
	assert_null(strpbrk(text, "\n\r\x1b\t\x7f"));
	assert_non_null(strstr(text,
	                       " flexString1=a\"b\\\\c\\nd\\re f|g\\=h]i?[31mj\xef\xbf\xbdk?l?m"
	                       "\xc3\xa9\xe2\x80\xa8 flexString2Label="));
	free(text);
	text = sample_text(&s, SQ_FORMAT_LEEF);
	assert_null(strpbrk(text, "\n\r\x1b\x7f"));
	assert_non_null(strstr(text, "\tsenderUser=a\"b\\c d e f|g=h]i?[31mj\xef\xbf\xbdk?l?m"
	                             "\xc3\xa9\xe2\x80\xa8\tsenderCertificate="));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_of_anything_is_one_valid_line),
		cmocka_unit_test(a_syslog_header_is_ascii_without_blanks),
		cmocka_unit_test(cef_separators_are_escaped),
		cmocka_unit_test(leef_values_hold_no_separator),
		cmocka_unit_test(the_sender_is_named_as_far_as_it_was_proved),
		cmocka_unit_test(what_was_not_proved_is_left_out),
		cmocka_unit_test(a_certificate_breaks_out_of_nothing),
	};

	return cmocka_run_group_tests_name("alert_hostile", tests, NULL, NULL);
}
