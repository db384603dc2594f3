/* The table of paths, compiled: each place a number, one hash table for all steps between them. */
#include <assert.h>
#include <stdlib.h>

#include "lib/model/fieldmap.h"
#include "lib/model/keyhash.h"

enum { STEPS = 4096 };

struct sq_trie {
	uint32_t n; /* nodes in use */
	struct sq_node nodes[SQ_NODES_MAX];
	struct sq_step steps[STEPS]; /* open addressing; to = SQ_NODE_NONE: empty */
};

static_assert(STEPS >= 4 * SQ_NODES_MAX, "a miss must end after one look, nearly always");

static uint32_t mixed(uint32_t hash, uint32_t node)
{
	return hash ^ node * 0x85ebca6bu;
}

uint32_t sq_trie_find(const struct sq_trie *t, uint32_t node, struct sq_sv key, uint32_t hash)
{
	uint32_t h = mixed(hash, node);

	for (uint32_t at = h % STEPS; t->steps[at].to != SQ_NODE_NONE; at = (at + 1) % STEPS) {
		const struct sq_step *s = &t->steps[at];

		if (s->hash == h && s->from == node && sq_sv_eq(s->key, key))
			return s->to;
	}
	return SQ_NODE_NONE;
}

const struct sq_node *sq_trie_node(const struct sq_trie *t, uint32_t node)
{
	return &t->nodes[node];
}

static uint32_t add_node(struct sq_trie *t)
{
	sq_assert(t->n < SQ_NODES_MAX);
	t->nodes[t->n] = (struct sq_node){ .field = SQ_AUX_NONE };
	return t->n++;
}

static uint32_t step_to(struct sq_trie *t, uint32_t from, struct sq_sv key)
{
	uint32_t hash = sq_key_hash(key);
	uint32_t h = mixed(hash, from), at = h % STEPS;
	uint32_t to = sq_trie_find(t, from, key, hash);

	if (to != SQ_NODE_NONE)
		return to;
	to = add_node(t);
	t->nodes[from].parent = true;
	while (t->steps[at].to != SQ_NODE_NONE)
		at = (at + 1) % STEPS;
	t->steps[at] = (struct sq_step){ h, (uint16_t)from, (uint16_t)to, key };
	return to;
}

static uint32_t node_of(struct sq_trie *t, const char *path)
{
	struct sq_sv rest = sq_sv_of(path);
	uint32_t node = SQ_NODE_ROOT;

	while (rest.n) {
		struct sq_sv key = sq_sv_cut(&rest, '.');

		node = step_to(t, node, key);
		if (key.p[key.n] == '.' && !rest.n)
			node = step_to(t, node, SQ_SV(""));
	}
	return node;
}

/* Rows of one field and band are ranked by their order; so are the places of names. */
static uint8_t rank_of(size_t row)
{
	const struct sq_path *p = &sq_fieldmap[row];
	unsigned rank = p->band;

	for (size_t i = 0; i < row; i++) {
		const struct sq_path *q = &sq_fieldmap[i];
		bool same = (p->kind & SQ_PATH_NAMES)
		                    ? (q->kind & SQ_PATH_NAMES) != 0
		                    : (q->kind & SQ_PATH_FIELD) && q->field == p->field;

		rank += same && q->band == p->band;
	}
	sq_assert(rank <= UINT8_MAX);
	sq_assert(p->band != SQ_BAND_NATIVE || p->field >= SQ_AUX_BASE || rank < SQ_BAND_NAMES);
	return (uint8_t)rank;
}

static void add_row(struct sq_trie *t, size_t row)
{
	const struct sq_path *p = &sq_fieldmap[row];
	struct sq_node *node = &t->nodes[node_of(t, p->path)];

	node->kind |= p->kind;
	if (p->hint)
		node->hint = p->hint;
	if (p->kind & SQ_PATH_NAMES)
		node->names_rank = rank_of(row);
	if (p->kind & SQ_PATH_FIELD) {
		node->field = p->field;
		node->rank = rank_of(row);
	}
}

struct sq_trie *sq_trie_new(void)
{
	struct sq_trie *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	for (uint32_t i = SQ_NODE_NONE; i <= SQ_NODE_ROOT; i++)
		sq_assert(add_node(t) == i);
	for (size_t i = 0; i < sq_fieldmap_n; i++)
		add_row(t, i);
	return t;
}

void sq_trie_free(struct sq_trie *t)
{
	free(t);
}

const struct sq_step *sq_trie_next_step(const struct sq_trie *t, size_t *at)
{
	while (*at < STEPS) {
		const struct sq_step *s = &t->steps[(*at)++];

		if (s->to != SQ_NODE_NONE)
			return s;
	}
	return NULL;
}
