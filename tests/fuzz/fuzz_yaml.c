/* Any bytes as YAML: a tree whose nodes are all there, or findings; never both, never a leak. */
#include <stdlib.h>

#include "lib/text/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small, so that the fuzzer reaches them. */
static const struct sq_yaml_limits limits = { .max_nodes = 2000, .max_depth = 8 };

static uint32_t walk(const struct sq_yaml *y, uint32_t depth)
{
	uint32_t total = 1, n = 0;
	bool truth;

	sq_assert(depth <= limits.max_depth + 1 && y->line > 0 && y->col > 0);
	sq_assert(y->kind != SQ_YAML_SCALAR ||
	          (y->text.p[y->text.n] == 0 && strlen(y->text.p) == y->text.n));
	sq_assert(sq_yaml_is_bool(y, &truth) + sq_yaml_is_null(y) <= 1);
	for (const struct sq_yaml *m = y->first; m; m = m->next, n++) {
		sq_assert((m->key != NULL) == (y->kind == SQ_YAML_MAP));
		sq_assert(!m->key || m->key->kind == SQ_YAML_SCALAR);
		total += (m->key != NULL) + walk(m, depth + 1);
	}
	sq_assert(n == y->n);
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_yaml_doc **docs = NULL;
	struct sq_diags diags = { 0 };
	uint32_t nodes = 0;
	int n;

	n = sq_yaml_load((struct sq_sv){ (const char *)data, size }, "fuzz.yml", &limits, &docs,
	                 &diags);
	sq_assert((n < 0) == (diags.errors > 0));
	for (int i = 0; i < n; i++)
		nodes += walk(sq_yaml_root(docs[i]), 1);
	sq_assert(nodes <= limits.max_nodes);
	sq_yaml_free_all(docs, n > 0 ? (size_t)n : 0);
	sq_diags_fini(&diags);
	return 0;
}
