#include "lib/model/skimfilter.h"

struct making {
	const struct sq_walk *walk;
	const struct sq_skim_want *want;
	bool matters[SQ_NODES_MAX]; /* what stands there, or at a place under it */
};

static void add_head(struct sq_skim_filter *f, const unsigned char *p)
{
	uint32_t head;

	memcpy(&head, p, 4);
	f->some[sq_skim_filter_slot(head)] = true;
}

/* The first `n` bytes, and anything behind them. */
static void add_any(struct sq_skim_filter *f, const unsigned char *p, size_t n)
{
	unsigned char head[4];

	if (n >= 4) {
		add_head(f, p);
		return;
	}
	memcpy(head, p, n);
	for (unsigned c = 0; c < 256; c++) {
		head[n] = (unsigned char)c;
		add_any(f, head, n + 1);
	}
}

/* Behind the quote of a short key comes its colon, or blanks; behind the colon, anything. */
static void add_short(struct sq_skim_filter *f, const unsigned char *p, size_t n)
{
	static const unsigned char after[] = { ' ', '\t', '\n', '\r' };
	unsigned char head[5];

	if (n >= 4) {
		add_head(f, p);
		return;
	}
	memcpy(head, p, n);
	for (size_t i = 0; i < sizeof(after); i++) {
		head[n] = after[i];
		add_short(f, head, n + 1);
	}
	head[n] = ':';
	add_any(f, head, n + 1);
}

/* `top`: the name may also be the first part of a path with dots. */
static void add_name(struct sq_skim_filter *f, struct sq_sv name, bool top)
{
	unsigned char head[8];
	size_t n = name.n < 4 ? name.n : 4;

	if (n == 0) {
		memset(f, 1, sizeof(*f));
		return;
	}
	memcpy(head, name.p, n);
	for (size_t i = 0; i < n; i++) { /* may have an escape of its own, or a byte that is none */
		if (head[i] < 'A' && !sq_is_digit((char)head[i]) && !strchr("#@$ .-_", head[i]))
			memset(f, 1, sizeof(*f));
		if (head[i] > 'z' || head[i] == '\\')
			memset(f, 1, sizeof(*f));
	}
	for (size_t i = 0; i < n; i++) { /* \u00.. in place of byte i */
		unsigned char escaped[8];

		memcpy(escaped, head, i);
		memcpy(escaped + i, "\\u00", 4);
		add_head(f, escaped);
	}
	if (n == 4) {
		add_head(f, head);
		return;
	}
	head[n] = '"';
	add_short(f, head, n + 1);
	if (!top)
		return;
	head[n] = '.'; /* of one key for a whole path */
	add_any(f, head, n + 1);
	head[n] = '\\'; /* the same dot, escaped */
	add_any(f, head, n + 1);
}

/* A key at a wrapper or at the top; GELF's have a '_' before them. */
static void add_both(struct sq_skim_filter *f, struct sq_sv name, bool top)
{
	char more[5] = "_";
	size_t n = name.n < 4 ? name.n : 4;

	add_name(f, name, top);
	if (!top)
		return;
	memcpy(more + 1, name.p, n);
	add_name(f, (struct sq_sv){ more, n + 1 }, top);
}

static void add_field(const struct making *m, struct sq_skim_filter *f, const struct sq_node *node,
                      int field, bool top)
{
	struct sq_sv name = sq_fields_name(m->walk->fields, (uint32_t)field);
	char lower[4];
	size_t n = name.n < 4 ? name.n : 4;

	if (node->kind & SQ_PATH_DATA_) {
		add_both(f, SQ_SV("Data_"), top);
		return;
	}
	add_both(f, name, top);
	if (!(node->kind & SQ_PATH_UPPER) || name.n == 0 || name.p[0] < 'A' || name.p[0] > 'Z')
		return;
	memcpy(lower, name.p, n);
	lower[0] = (char)(lower[0] + 32);
	add_both(f, (struct sq_sv){ lower, n }, top);
}

/* What stands under `node`, for the filter of place `at`. */
static void add_place(const struct making *m, struct sq_skim_filter *f, uint32_t node, uint32_t at)
{
	const struct sq_trie *trie = m->walk->trie;
	const struct sq_node *here = sq_trie_node(trie, node);
	const struct sq_step *step;
	bool top = (sq_trie_node(trie, at)->kind & SQ_PATH_ROOT) != 0;

	for (size_t i = 0; (step = sq_trie_next_step(trie, &i));) {
		if (step->from == node && m->matters[step->to])
			add_both(f, step->key, top);
	}
	if (!(here->kind & SQ_PATH_NAMES))
		return;
	for (uint32_t i = SQ_F_MESSAGE + 1; i < sq_fields_count(m->walk->fields); i++) {
		if (!sq_field_is_derived(i) && (at != SQ_NODE_ROOT || sq_skim_wants(m->want, i)))
			add_field(m, f, here, (int)i, top);
	}
}

/* Is a string or number of any consequence that stands at a place? Or, where one key can name a
 * whole path, at one under it? Objects and arrays are never passed over by filters. */
static void find_what_matters(struct making *m)
{
	const struct sq_trie *trie = m->walk->trie;
	const struct sq_step *step;
	bool again = true;

	for (uint32_t i = SQ_NODE_ROOT; i < SQ_NODES_MAX; i++) {
		const struct sq_node *node = sq_trie_node(trie, i);

		m->matters[i] =
			node->hint ||
			(node->kind & (SQ_PATH_NAMES | SQ_PATH_TEXT | SQ_PATH_LIST)) ||
			((node->kind & SQ_PATH_FIELD) && sq_skim_wants(m->want, node->field));
	}
	while (again) {
		again = false;
		for (size_t i = 0; (step = sq_trie_next_step(trie, &i));) {
			if (m->matters[step->to] && !m->matters[step->from])
				m->matters[step->from] = again = true;
		}
	}
}

static bool has_filter(const struct sq_node *node)
{
	return node->parent || (node->kind & (SQ_PATH_NAMES | SQ_PATH_ROOT));
}

size_t sq_skim_filters_count(const struct sq_trie *trie)
{
	size_t n = 1;

	for (uint32_t i = SQ_NODE_ROOT; i < SQ_NODES_MAX; i++)
		n += has_filter(sq_trie_node(trie, i));
	return n;
}

void sq_skim_filters_make(struct sq_skim_filter *filters, uint16_t of_place[SQ_NODES_MAX],
                          const struct sq_walk *walk, const struct sq_skim_want *want)
{
	struct making m = { .walk = walk, .want = want };
	uint16_t n = 1;

	find_what_matters(&m);
	for (uint32_t i = SQ_NODE_ROOT; i < SQ_NODES_MAX; i++) {
		const struct sq_node *node = sq_trie_node(walk->trie, i);
		struct sq_skim_filter *f = &filters[n];

		if (!has_filter(node))
			continue;
		of_place[i] = n++;
		add_place(&m, f, i, i);
		if (i != SQ_NODE_ROOT && (node->kind & SQ_PATH_ROOT))
			add_place(&m, f, SQ_NODE_ROOT, i);
	}
	if (walk->c->all)
		memset(filters, 1, n * sizeof(*filters));
}
