#include "lib/rules/sigma.h"

#include <errno.h>

#include "lib/rules/detection.h"
#include "lib/rules/filter.h"
#include "lib/rules/parse.h"
#include "lib/rules/source.h"

enum { SQ_TITLE_MAX = 256 /* characters, says the specification */ };

/* --- metadata --- */

/* Keys that Sigma defines. Others are a rule's own and are left alone, unless they look like one of
 * these: then somebody mistyped. */
static const char *const known_keys[] = {
	"title",      "id",          "name",        "related",        "taxonomy",  "status",
	"license",    "author",      "date",        "modified",       "logsource", "detection",
	"fields",     "level",       "tags",        "scope",          "action",    "filter",
	"references", "description", "correlation", "falsepositives",
};

static bool is_known_key(struct sq_sv key)
{
	for (size_t i = 0; i < SQ_LEN(known_keys); i++)
		if (sq_sv_eq(key, sq_sv_of(known_keys[i])))
			return true;
	return false;
}

static void check_keys(struct sq_parse *p, const struct sq_yaml *map)
{
	for (const struct sq_yaml *m = map->first; m; m = m->next) {
		struct sq_sv best = { "", 0 };
		struct sq_hint hint;

		if (is_known_key(m->key->text))
			continue;
		for (size_t i = 0; i < SQ_LEN(known_keys); i++)
			sq_parse_nearer(m->key->text, sq_sv_of(known_keys[i]), &best);
		if (best.n)
			sq_parse_warn(p, m->key, "unknown key '%.*s'%s", SQ_SHOW(m->key->text),
			              sq_parse_hint(&hint, best));
	}
}

/* Text of a scalar member; empty when it is absent or null. */
static struct sq_sv text_of(struct sq_parse *p, const struct sq_yaml *map, const char *key)
{
	const struct sq_yaml *m = sq_yaml_get(map, key);

	if (!m || sq_yaml_is_null(m))
		return SQ_SV("");
	if (m->kind != SQ_YAML_SCALAR) {
		sq_parse_error(p, m, "%s is one text, not a list or a map", key);
		return SQ_SV("");
	}
	return sq_parse_dup(p, sq_sv_trim(m->text));
}

/* Texts of a list member, or of one text alone. */
static struct sq_sv *texts_of(struct sq_parse *p, const struct sq_yaml *map, const char *key,
                              uint32_t *ret_n)
{
	const struct sq_yaml *m = sq_yaml_get(map, key), *v;
	struct sq_sv *list;
	uint32_t n = 0;

	if (!m || sq_yaml_is_null(m))
		return NULL;
	if (m->kind == SQ_YAML_MAP) {
		sq_parse_error(p, m, "%s is a list of texts, not a map", key);
		return NULL;
	}
	list = sq_parse_alloc(p, (m->kind == SQ_YAML_LIST ? m->n : 1) * sizeof(*list));
	if (!list)
		return NULL;
	if (m->kind == SQ_YAML_SCALAR)
		list[n++] = sq_parse_dup(p, m->text);
	for (v = m->first; v; v = v->next) {
		if (v->kind != SQ_YAML_SCALAR)
			sq_parse_error(p, v, "%s is a list of texts, not of lists or maps", key);
		else if (!sq_yaml_is_null(v))
			list[n++] = sq_parse_dup(p, v->text);
	}
	*ret_n = n;
	return list;
}

static bool is_uuid(struct sq_sv v)
{
	if (v.n != 36)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? v.p[i] != '-'
		         : !sq_is_digit(v.p[i]) && (sq_lower((unsigned char)v.p[i]) < 'a' ||
		                                    sq_lower((unsigned char)v.p[i]) > 'f'))
			return false;
	}
	return true;
}

static void read_id(struct sq_parse *p, const struct sq_yaml *map)
{
	const struct sq_yaml *m = sq_yaml_get(map, "id");

	p->rule->id = text_of(p, map, "id");
	if (!p->rule->id.n)
		return;
	if (!is_uuid(p->rule->id))
		sq_parse_warn(p, m, "the id '%.*s' is no UUID", SQ_SHOW(p->rule->id));
	for (uint32_t i = 0; i < p->rules->n; i++) {
		const struct sq_rule *other = p->rules->list[i];

		if (!sq_sv_ieq(other->id, p->rule->id))
			continue;
		sq_parse_error(p, m, "the id is that of another rule (%.*s:%u): give it its own",
		               SQ_SHOW(other->file), other->line);
		return;
	}
}

/* One of `names`, or a suggestion. @return its index, or -1: absent or reported */
static int one_of(struct sq_parse *p, const struct sq_yaml *m, const char *what,
                  const char *const *names, size_t n)
{
	struct sq_sv best = { "", 0 };
	struct sq_hint hint;

	if (!m || sq_yaml_is_null(m))
		return -1;
	for (size_t i = 0; m->kind == SQ_YAML_SCALAR && i < n; i++)
		if (sq_sv_eq(m->text, sq_sv_of(names[i])))
			return (int)i;
	for (size_t i = 0; i < n; i++)
		sq_parse_nearer(m->text, sq_sv_of(names[i]), &best);
	sq_parse_error(p, m, "unknown %s '%.*s'%s", what, SQ_SHOW(m->text),
	               sq_parse_hint(&hint, best));
	return -1;
}

static void read_level(struct sq_parse *p, const struct sq_yaml *map)
{
	const struct sq_yaml *m = sq_yaml_get(map, "level");
	const char *names[SQ_LEVELS];
	int l;

	for (unsigned i = 0; i < SQ_LEVELS; i++)
		names[i] = sq_level_name((enum sq_level)i);
	l = one_of(p, m, "level", names, SQ_LEN(names));
	p->rule->level = l < 0 ? SQ_LEVEL_MEDIUM : (enum sq_level)l;
	if (p->filter && m)
		sq_parse_warn(p, m->key, "a filter has no level: remove it");
	else if (!p->filter && (!m || sq_yaml_is_null(m)))
		sq_parse_warn(p, m ? m : map, "no level: taken as medium");
}

/* namespace.name: what alerts take techniques from. */
static void check_tags(struct sq_parse *p, const struct sq_yaml *map)
{
	const struct sq_yaml *m = sq_yaml_get(map, "tags");

	if (!m || m->kind != SQ_YAML_LIST)
		return;
	for (const struct sq_yaml *v = m->first; v; v = v->next) {
		size_t dot = sq_sv_chr(v->text, '.');

		if (v->kind == SQ_YAML_SCALAR && (dot == SIZE_MAX || !dot || dot + 1 == v->text.n))
			sq_parse_warn(p, v, "the tag '%.*s' is not of the form namespace.name",
			              SQ_SHOW(v->text));
	}
}

static void read_metadata(struct sq_parse *p, const struct sq_yaml *map)
{
	static const char *const statuses[] = { "stable", "test", "experimental", "deprecated",
		                                "unsupported" };
	const struct sq_yaml *title = sq_yaml_get(map, "title");
	const struct sq_yaml *taxonomy = sq_yaml_get(map, "taxonomy");
	struct sq_rule *rule = p->rule;

	check_keys(p, map);
	rule->title = text_of(p, map, "title");
	rule->line = title ? title->line : map->line;
	if (!rule->title.n)
		sq_parse_error(p, title ? title : map, "no title: say what the %s",
		               p->filter ? "filter leaves out" : "rule finds");
	else if (rule->title.n > SQ_TITLE_MAX)
		sq_parse_warn(p, title, "the title is longer than %d characters", SQ_TITLE_MAX);
	read_id(p, map);
	rule->name = text_of(p, map, "name");
	read_level(p, map);
	(void)one_of(p, sq_yaml_get(map, "status"), "status", statuses, SQ_LEN(statuses));
	rule->status = text_of(p, map, "status");
	rule->description = text_of(p, map, "description");
	rule->author = text_of(p, map, "author");
	rule->date = text_of(p, map, "date");
	rule->tags = texts_of(p, map, "tags", &rule->n_tags);
	rule->references = texts_of(p, map, "references", &rule->n_references);
	rule->falsepositives = texts_of(p, map, "falsepositives", &rule->n_falsepositives);
	check_tags(p, map);
	if (taxonomy && !sq_yaml_is_null(taxonomy) && !sq_sv_eq(taxonomy->text, SQ_SV("sigma")))
		sq_parse_error(p, taxonomy, "taxonomy '%.*s' is not read: use Sigma's field names",
		               SQ_SHOW(taxonomy->text));
}

/* --- documents --- */

/* Kinds of documents that are Sigma and are not read. @return one was found and reported */
static bool is_other_kind(struct sq_parse *p, const struct sq_yaml *map)
{
	const struct sq_yaml *m;

	if ((m = sq_yaml_get(map, "action")))
		sq_parse_error(p, m->key,
		               "'action' belongs to Sigma v1, which is not read: write "
		               "every rule out");
	else if ((m = sq_yaml_get(map, "correlation")))
		sq_parse_error(p, m->key,
		               "correlation rules are not read yet: remove this document");
	return m;
}

static void read_rule(struct sq_parse *p, const struct sq_yaml *map)
{
	const struct sq_yaml *logsource = sq_yaml_get(map, "logsource");
	const struct sq_yaml *detection = sq_yaml_get(map, "detection");
	int r = 0;

	if (!logsource)
		sq_parse_error(p, map, "no logsource: say which events the rule is about");
	else if (sq_source_read(p, logsource) < 0)
		p->rule->logsource.never =
			true; /* said already; spares what would follow from it */
	if (!detection)
		sq_parse_error(p, map, "no detection: say what the rule looks for");
	else
		sq_detection_read(p, detection);
	if (p->diags->errors == p->errors && !p->nomem)
		r = sq_rules_add(p->rules, p->rule);
	if (r == -ENOSPC)
		sq_parse_error(p, map, "more than %d rules: use fewer", SQ_RULES_MAX);
	else if (r < 0)
		p->nomem = true;
}

/* A rule, or a filter: the same but for its middle. */
static void read_either(struct sq_parse *p, const struct sq_yaml *map, struct sq_sv file)
{
	const struct sq_yaml *filter = sq_yaml_get(map, "filter");

	p->errors = p->diags->errors;
	p->filter = filter;
	p->rule = sq_parse_alloc(p, sizeof(*p->rule));
	if (!p->rule)
		return;
	p->rule->file = file;
	read_metadata(p, map);
	if (filter)
		sq_filter_read(p, map, filter);
	else
		read_rule(p, map);
}

static void read_document(struct sq_parse *p, const struct sq_yaml *root, struct sq_sv file)
{
	if (sq_yaml_is_null(root)) /* nothing between two lines of --- */
		return;
	if (root->kind != SQ_YAML_MAP)
		sq_parse_error(p, root, "a rule is a map: begin with 'title: ...'");
	else if (!is_other_kind(p, root))
		read_either(p, root, file);
}

int sq_sigma_parse(struct sq_rules *rules, struct sq_sv text, const char *name,
                   struct sq_diags *diags)
{
	struct sq_parse p = { .rules = rules, .name = name, .diags = diags };
	uint32_t before = rules->n, filters_before = rules->n_filters;
	size_t errors = diags->errors;
	struct sq_yaml_doc **docs;
	struct sq_sv file;
	int n;

	n = sq_yaml_load(text, name, NULL, &docs, diags);
	if (n < 0)
		return n;
	file = sq_parse_dup(&p, sq_sv_of(name));
	for (int i = 0; i < n && !p.nomem; i++)
		read_document(&p, sq_yaml_root(docs[i]), file);
	sq_yaml_free_all(docs, (size_t)n);
	if (p.nomem || diags->errors > errors) {
		rules->n = before; /* their memory goes with the set */
		rules->n_filters = filters_before;
	}
	if (p.nomem)
		return -ENOMEM;
	if (diags->errors > errors)
		return -EINVAL;
	if (rules->n == before && rules->n_filters == filters_before)
		sq_parse_warn(&p, NULL, "no rule in this file");
	return (int)(rules->n - before);
}

int sq_sigma_finish(struct sq_rules *rules, struct sq_diags *diags)
{
	return sq_filters_apply(rules, diags);
}
