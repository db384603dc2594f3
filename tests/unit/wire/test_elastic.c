/* What Beats ask before they send, as they ask it. */
#include "tests/support/test.h"

#include "lib/wire/elastic.h"

struct row {
	const char *name;
	enum sq_http_method method;
	const char *path;
	enum sq_elastic want;
	const char *has; /* in the answer */
};

static struct row rows[] = {
	{ "who are you", SQ_HTTP_GET, "/", SQ_ELASTIC_KNOWN, "\"number\":\"8.17.4\"" },
	{ "are you there", SQ_HTTP_HEAD, "/", SQ_ELASTIC_KNOWN, "tagline" },
	{ "a licence", SQ_HTTP_GET, "/_license", SQ_ELASTIC_KNOWN, "\"status\":\"active\"" },
	{ "features", SQ_HTTP_GET, "/_xpack", SQ_ELASTIC_KNOWN,
	  "\"ilm\":{\"available\":true,\"enabled\":true}" },
	{ "licence of old", SQ_HTTP_GET, "/_xpack/license", SQ_ELASTIC_KNOWN,
	  "\"type\":\"basic\"" },
	{ "a template", SQ_HTTP_HEAD, "/_index_template/winlogbeat-8.17.4", SQ_ELASTIC_KNOWN,
	  "acknowledged" },
	{ "a new template", SQ_HTTP_PUT, "/_index_template/winlogbeat-8.17.4", SQ_ELASTIC_KNOWN,
	  "acknowledged" },
	{ "a template of old", SQ_HTTP_GET, "/_template/winlogbeat-7.17.0", SQ_ELASTIC_KNOWN,
	  "acknowledged" },
	{ "a part of a template", SQ_HTTP_PUT, "/_component_template/x", SQ_ELASTIC_KNOWN,
	  "acknowledged" },
	{ "a policy", SQ_HTTP_GET, "/_ilm/policy/winlogbeat", SQ_ELASTIC_KNOWN, "\"phases\":{}" },
	{ "another policy", SQ_HTTP_GET, "/_ilm/policy/filebeat", SQ_ELASTIC_KNOWN, "{}" },
	{ "a new policy", SQ_HTTP_PUT, "/_ilm/policy/winlogbeat", SQ_ELASTIC_KNOWN,
	  "acknowledged" },
	{ "an alias", SQ_HTTP_HEAD, "/_alias/winlogbeat-7.17.0", SQ_ELASTIC_KNOWN, "acknowledged" },
	{ "a rollover index", SQ_HTTP_PUT, "/%3Cwinlogbeat-7.17.0-%7Bnow%2Fd%7D-000001%3E",
	  SQ_ELASTIC_ELSE, "acknowledged" },
	{ "a data stream", SQ_HTTP_PUT, "/_data_stream/winlogbeat-8.17.4", SQ_ELASTIC_KNOWN,
	  "acknowledged" },
	{ "pipelines", SQ_HTTP_GET, "/_ingest/pipeline/winlogbeat-8.17.4-routing", SQ_ELASTIC_KNOWN,
	  "{}" },
	{ "a new pipeline", SQ_HTTP_PUT, "/_ingest/pipeline/x", SQ_ELASTIC_KNOWN, "acknowledged" },
	{ "tables", SQ_HTTP_GET, "/_cat/indices", SQ_ELASTIC_KNOWN, "{}" },
	{ "nodes", SQ_HTTP_GET, "/_nodes/_local", SQ_ELASTIC_KNOWN, "{}" },
	{ "health", SQ_HTTP_GET, "/_cluster/health", SQ_ELASTIC_KNOWN, "green" },
	{ "nobody has thought of it", SQ_HTTP_GET, "/_sniff", SQ_ELASTIC_ELSE, "{}" },
	{ "nor of that", SQ_HTTP_POST, "/_aliases", SQ_ELASTIC_ELSE, "{}" },
	{ "nor of another", SQ_HTTP_DELETE, "/_index_templates", SQ_ELASTIC_ELSE, "{}" },

	{ "bulk", SQ_HTTP_POST, "/_bulk", SQ_ELASTIC_BULK, NULL },
	{ "bulk by PUT", SQ_HTTP_PUT, "/_bulk", SQ_ELASTIC_BULK, NULL },
	{ "bulk of an index", SQ_HTTP_POST, "/winlogbeat-8.17.4/_bulk", SQ_ELASTIC_BULK, NULL },
	{ "bulk of old", SQ_HTTP_POST, "/winlogbeat/_doc/_bulk", SQ_ELASTIC_BULK, NULL },
	{ "bulk with a slash", SQ_HTTP_POST, "/_bulk/", SQ_ELASTIC_BULK, NULL },

	{ "what may hold events is not answered as done", SQ_HTTP_POST, "/event", SQ_ELASTIC_NOT,
	  NULL },
	{ "nor by PUT", SQ_HTTP_PUT, "/events1", SQ_ELASTIC_NOT, NULL },
	{ "nor one document", SQ_HTTP_POST, "/index/_doc", SQ_ELASTIC_NOT, NULL },
	{ "nor one that is made", SQ_HTTP_PUT, "/_doc/1", SQ_ELASTIC_NOT, NULL },
	{ "another method", SQ_HTTP_OTHER, "/", SQ_ELASTIC_NOT, NULL },
};

static void check(void **state)
{
	const struct row *row = *state;
	struct sq_http_head head = { .method = row->method, .path = sq_sv_of(row->path) };
	struct sq_outbuf body = sq_outbuf_of(1024);

	assert_int_equal(sq_elastic_answer(&head, &body), row->want);
	if (row->has && sq_sv_find(sq_outbuf_view(&body), sq_sv_of(row->has)) == SIZE_MAX)
		fail_msg("no %s in %.*s", row->has, SQ_SV_ARG(sq_outbuf_view(&body)));
	if (!row->has)
		assert_int_equal(body.len, 0);
	sq_outbuf_fini(&body);
}

static void the_version_is_that_of_the_beat(void **state SQ_UNUSED)
{
	static const struct {
		const char *agent, *want;
	} cases[] = {
		{ "Elastic-Winlogbeat/8.17.4 (windows; amd64; abc; 2025-03-20 10:00:00 +0000 UTC)",
		  "8.17.4" },
		{ "Elastic-winlogbeat/7.17.28 (linux; amd64)", "7.17.28" },
		{ "Elastic-filebeat/9.1.0-SNAPSHOT (linux; amd64)", "9.1.0" },
		{ "Filebeat/9.0.1", "9.0.1" },
		{ "Elastic-Winlogbeat/x", "8.17.4" },
		{ "Elastic-Winlogbeat/9.", "8.17.4" },
		{ "Elastic-Winlogbeat/\"}", "8.17.4" },
		{ "Elastic-Winlogbeat", "8.17.4" },
		{ "curl/7.88.1", "8.17.4" },
		{ "", "8.17.4" },
	};

	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		struct sq_http_head head = { .path = SQ_SV("/") };
		struct sq_outbuf body = sq_outbuf_of(1024);
		char want[64];

		head.headers[SQ_HTTP_USER_AGENT] = sq_sv_of(cases[i].agent);
		assert_int_equal(sq_elastic_answer(&head, &body), SQ_ELASTIC_KNOWN);
		snprintf(want, sizeof(want), "\"number\":\"%s\"", cases[i].want);
		if (sq_sv_find(sq_outbuf_view(&body), sq_sv_of(want)) == SIZE_MAX)
			fail_msg("%s: no %s in %.*s", cases[i].agent, want,
			         SQ_SV_ARG(sq_outbuf_view(&body)));
		sq_outbuf_fini(&body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_version_is_that_of_the_beat) };

	return RUN_TABLE("elastic/questions", rows, check) +
	       cmocka_run_group_tests_name("elastic", tests, NULL, NULL);
}
