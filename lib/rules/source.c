#include "lib/rules/source.h"

#include <errno.h>

#include "lib/rules/catalog.h"

static int read_member(struct sq_parse *p, const struct sq_yaml *m, struct sq_logsource *ls)
{
	static const char *const names[] = { "category", "product", "service", "definition" };
	struct sq_sv *const to[] = { &ls->category, &ls->product, &ls->service };
	struct sq_sv best = { "", 0 };
	struct sq_hint hint;

	for (size_t i = 0; i < SQ_LEN(names); i++) {
		if (!sq_sv_eq(m->key->text, sq_sv_of(names[i]))) {
			sq_parse_nearer(m->key->text, sq_sv_of(names[i]), &best);
			continue;
		}
		if (i == SQ_LEN(to)) /* what must be switched on: text for people */
			return 0;
		if (m->kind != SQ_YAML_SCALAR || !m->text.n || sq_yaml_is_null(m)) {
			sq_parse_error(p, m, "%s needs a name", names[i]);
			return -EINVAL;
		}
		*to[i] = sq_parse_dup(p, m->text);
		return 0;
	}
	sq_parse_error(p, m->key, "unknown key '%.*s' in logsource%s", SQ_SHOW(m->key->text),
	               sq_parse_hint(&hint, best));
	return -EINVAL;
}

/* No event comes from there. Said once for a rule: the first reason is enough. */
static void never(struct sq_parse *p, const struct sq_yaml *at, const char *what, struct sq_sv name,
                  const char *(*known)(size_t))
{
	struct sq_sv best = { "", 0 };
	struct sq_hint hint;

	for (size_t i = 0; known && known(i); i++)
		sq_parse_nearer(name, sq_sv_of(known(i)), &best);
	if (!p->rule->logsource.never)
		sq_parse_warn(p, at, "the %s: no event comes from %s '%.*s'%s",
		              p->filter ? "filter is of no use" : "rule can never match", what,
		              SQ_SHOW(name), sq_parse_hint(&hint, best));
	p->rule->logsource.never = true;
}

int sq_source_read(struct sq_parse *p, const struct sq_yaml *logsource)
{
	struct sq_logsource *ls = &p->rule->logsource;
	int r = 0;

	*ls = (struct sq_logsource){ .category = SQ_SV(""),
		                     .product = SQ_SV(""),
		                     .service = SQ_SV("") };
	if (logsource->kind != SQ_YAML_MAP) {
		sq_parse_error(p, logsource, "logsource is a map of category, product and service");
		return -EINVAL;
	}
	for (const struct sq_yaml *m = logsource->first; m; m = m->next)
		if (read_member(p, m, ls) < 0)
			r = -EINVAL;
	if (r == 0 && !ls->category.n && !ls->product.n && !ls->service.n) {
		sq_parse_error(p, logsource,
		               "logsource names nothing: give a category, product or service");
		r = -EINVAL;
	}
	if (r < 0)
		return r;
	if (ls->product.n && !sq_sv_ieq(ls->product, SQ_SV("windows")))
		never(p, sq_yaml_get(logsource, "product"), "product", ls->product, NULL);
	if (ls->category.n) {
		ls->categories = sq_catalog_categories(ls->category);
		if (!ls->categories)
			never(p, sq_yaml_get(logsource, "category"), "category", ls->category,
			      sq_catalog_category);
	}
	if (ls->service.n) {
		ls->channels = sq_catalog_channels(ls->service);
		if (!ls->channels)
			never(p, sq_yaml_get(logsource, "service"), "service", ls->service,
			      sq_catalog_service);
	}
	return 0;
}
