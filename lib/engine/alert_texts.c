#include "lib/engine/alert_texts.h"

#include <stdlib.h>

#include "lib/engine/alert_private.h"

enum { TEXTS_MAX = 1 << 30 };

static void end(void *thing)
{
	struct sq_alert_texts *t = thing;

	free(t->rules);
	sq_outbuf_fini(&t->bytes);
	free(t);
}

/* Where the texts lie is known only when all are written, so that lengths come first. */
static struct sq_alert_texts *make(const struct sq_ruleset *rs)
{
	struct sq_alert_texts *t = calloc(1, sizeof(*t));
	uint32_t n = sq_ruleset_count(rs);
	const char *at;

	if (!t)
		return NULL;
	t->bytes = sq_outbuf_of(TEXTS_MAX);
	t->rules = calloc((size_t)n + 1, sizeof(*t->rules));
	for (uint32_t i = 0; t->rules && i < n; i++) {
		const struct sq_rule *rule = sq_ruleset_rule(rs, i);
		struct sq_jsonw w = sq_jsonw_of(&t->bytes);
		size_t begin = t->bytes.len;

		sq_json_escape(&t->bytes, sq_alert_cut(rule->title, SQ_ALERT_TITLE_MAX));
		t->rules[i].title.n = t->bytes.len - begin;
		sq_alert_write_rule(&w, rule);
		t->rules[i].rule.n = t->bytes.len - begin - t->rules[i].title.n;
		begin = t->bytes.len;
		w = sq_jsonw_of(&t->bytes);
		sq_alert_write_brief(&w, rule);
		t->rules[i].verdict.n = t->bytes.len - begin;
		begin = t->bytes.len;
		w = sq_jsonw_of(&t->bytes);
		sq_alert_write_ocsf_rule(&w, rule);
		t->rules[i].ocsf.n = t->bytes.len - begin;
	}
	if (!t->rules || t->bytes.failed) {
		end(t);
		return NULL;
	}
	at = t->bytes.p;
	for (uint32_t i = 0; i < n; i++) {
		t->rules[i].title.p = at;
		t->rules[i].rule.p = at + t->rules[i].title.n;
		t->rules[i].verdict.p = t->rules[i].rule.p + t->rules[i].rule.n;
		t->rules[i].ocsf.p = t->rules[i].verdict.p + t->rules[i].verdict.n;
		at = t->rules[i].ocsf.p + t->rules[i].ocsf.n;
	}
	return t;
}

const struct sq_alert_texts *sq_alert_texts_of(struct sq_ruleset *rs)
{
	const struct sq_alert_texts *t = sq_ruleset_attach(rs, NULL, NULL);

	return t ? t : sq_ruleset_attach(rs, make(rs), end);
}
