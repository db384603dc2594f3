#include "lib/wire/elastic.h"

/* For clients that do not say what they are. */
#define VERSION SQ_SV("8.17.4")

enum {
	GET = 1u << SQ_HTTP_GET,
	HEAD = 1u << SQ_HTTP_HEAD,
	POST = 1u << SQ_HTTP_POST,
	PUT = 1u << SQ_HTTP_PUT,
	DELETE = 1u << SQ_HTTP_DELETE,
	ANY = GET | HEAD | POST | PUT | DELETE,
};

#define ACKNOWLEDGED "{\"acknowledged\":true}"

/* The first that fits. `prefix` is the path up to its end, a '/' or a '?'. */
static const struct {
	const char *prefix;
	unsigned methods;
	const char *body;
} answers[] = {
	{ "/_license", GET | HEAD,
	  "{\"license\":{\"status\":\"active\",\"uid\":\"00000000-0000-0000-0000-000000000000\","
	  "\"type\":\"basic\",\"issue_date_in_millis\":0,\"issued_to\":\"squiblyd\","
	  "\"issuer\":\"squiblyd\",\"start_date_in_millis\":0}}" },
	{ "/_xpack/license", GET | HEAD,
	  "{\"license\":{\"status\":\"active\",\"uid\":\"00000000-0000-0000-0000-000000000000\","
	  "\"type\":\"basic\",\"mode\":\"basic\"}}" },
	{ "/_xpack", GET | HEAD,
	  "{\"build\":{\"hash\":\"unknown\"},\"features\":{\"ilm\":{\"available\":true,"
	  "\"enabled\":true}},\"license\":{\"type\":\"basic\",\"mode\":\"basic\","
	  "\"status\":\"active\"}}" },
	{ "/_ilm/policy/winlogbeat", GET | HEAD,
	  "{\"winlogbeat\":{\"version\":1,\"policy\":{\"phases\":{}}}}" },
	{ "/_ilm/policy", GET | HEAD, "{}" },
	{ "/_index_template", ANY, ACKNOWLEDGED },
	{ "/_template", ANY, ACKNOWLEDGED },
	{ "/_component_template", ANY, ACKNOWLEDGED },
	{ "/_ilm/policy", PUT, ACKNOWLEDGED },
	{ "/_ingest/pipeline", GET | HEAD, "{}" },
	{ "/_ingest/pipeline", PUT, ACKNOWLEDGED },
	{ "/_alias", ANY, ACKNOWLEDGED },
	{ "/_data_stream", ANY, ACKNOWLEDGED },
	{ "/_cluster/health", GET | HEAD, "{\"cluster_name\":\"squiblyd\",\"status\":\"green\"}" },
	{ "/_cat", GET | HEAD, "{}" },
	{ "/_nodes", GET | HEAD, "{}" },
};

/* The version that a Beat says it is: it wants ours to be no older. */
static struct sq_sv version_of(struct sq_sv agent)
{
	size_t slash = sq_sv_chr(agent, '/'), n = 0;
	struct sq_sv v;

	if (slash == SIZE_MAX ||
	    (!sq_sv_istarts(agent, SQ_SV("Elastic-")) &&
	     sq_sv_ifind(sq_sv_first(agent, slash), SQ_SV("beat")) == SIZE_MAX))
		return VERSION;
	v = sq_sv_skip(agent, slash + 1);
	while (n < v.n && n < 31 && (sq_is_digit(v.p[n]) || v.p[n] == '.'))
		n++;
	/* "8.17.4" or "9.0.0", with "-SNAPSHOT" or a build behind it. */
	if (n < 5 || !sq_is_digit(v.p[0]) || !sq_is_digit(v.p[n - 1]))
		return VERSION;
	return sq_sv_first(v, n);
}

static void say_who(struct sq_sv agent, struct sq_outbuf *body)
{
	struct sq_sv version = version_of(agent);

	sq_outbuf_printf(
		body,
		"{\"name\":\"squiblyd\",\"cluster_name\":\"squiblyd\","
		"\"cluster_uuid\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"version\":{\"number\":\"%.*s\","
		"\"build_flavor\":\"default\",\"build_type\":\"deb\","
		"\"lucene_version\":\"9.12.0\","
		"\"minimum_wire_compatibility_version\":\"7.17.0\","
		"\"minimum_index_compatibility_version\":\"7.0.0\"},"
		"\"tagline\":\"You Know, for Search\"}",
		SQ_SV_ARG(version));
}

static bool is_under(struct sq_sv path, struct sq_sv prefix)
{
	return sq_sv_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}

/* A request for one document, or for a name that could be a mistyped path of events: saying yes
 * would lose them. */
static bool may_hold_events(const struct sq_http_head *head)
{
	struct sq_sv p = head->path;

	if (head->method != SQ_HTTP_POST && head->method != SQ_HTTP_PUT)
		return false;
	if (sq_sv_istarts(p, SQ_SV("/%3C"))) /* "<winlogbeat-{now/d}-000001>": make an index */
		return head->method == SQ_HTTP_POST;
	return !sq_sv_starts(p, SQ_SV("/_")) || is_under(p, SQ_SV("/_doc")) ||
	       is_under(p, SQ_SV("/_create"));
}

enum sq_elastic sq_elastic_answer(const struct sq_http_head *head, struct sq_outbuf *body)
{
	bool post = head->method == SQ_HTTP_POST || head->method == SQ_HTTP_PUT;

	if (head->method == SQ_HTTP_OTHER)
		return SQ_ELASTIC_NOT;
	if (post &&
	    (sq_sv_ends(head->path, SQ_SV("/_bulk")) || sq_sv_ends(head->path, SQ_SV("/_bulk/"))))
		return SQ_ELASTIC_BULK;
	if (!post && sq_sv_eq(head->path, SQ_SV("/"))) {
		say_who(head->headers[SQ_HTTP_USER_AGENT], body);
		return SQ_ELASTIC_KNOWN;
	}
	for (size_t i = 0; i < SQ_LEN(answers); i++) {
		if (!(answers[i].methods & (1u << head->method)) ||
		    !is_under(head->path, sq_sv_of(answers[i].prefix)))
			continue;
		sq_outbuf_put(body, sq_sv_of(answers[i].body));
		return SQ_ELASTIC_KNOWN;
	}
	if (may_hold_events(head))
		return SQ_ELASTIC_NOT;
	if (head->method == SQ_HTTP_PUT)
		sq_outbuf_put(body, SQ_SV(ACKNOWLEDGED));
	else
		sq_outbuf_put(body, SQ_SV("{}"));
	return SQ_ELASTIC_ELSE;
}
