#include "lib/rules/rule.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SQ_BLOCK_BYTES = 64 * 1024,
	SQ_BLOCK_ALIGN = 16,
};

struct block {
	struct block *next;
	size_t used, cap; /* bytes of `data` */
	_Alignas(SQ_BLOCK_ALIGN) char data[];
};

struct sq_rules_memory {
	struct block *newest; /* the one that is handed out from */
	size_t total;         /* bytes of all blocks */
};

static const char *const level_names[SQ_LEVELS] = {
	[SQ_LEVEL_INFORMATIONAL] = "informational",
	[SQ_LEVEL_LOW] = "low",
	[SQ_LEVEL_MEDIUM] = "medium",
	[SQ_LEVEL_HIGH] = "high",
	[SQ_LEVEL_CRITICAL] = "critical",
};

const char *sq_level_name(enum sq_level l)
{
	sq_assert(l < SQ_LEVELS);
	return level_names[l];
}

int sq_level_parse(struct sq_sv name, enum sq_level *ret)
{
	for (unsigned i = 0; i < SQ_LEVELS; i++) {
		if (sq_sv_eq(name, sq_sv_of(level_names[i]))) {
			*ret = (enum sq_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

int sq_rules_init(struct sq_rules *rules)
{
	*rules = (struct sq_rules){ 0 };
	rules->fields = sq_fields_new();
	rules->memory = calloc(1, sizeof(*rules->memory));
	if (rules->fields && rules->memory)
		return 0;
	sq_rules_fini(rules);
	return -ENOMEM;
}

void sq_rules_fini(struct sq_rules *rules)
{
	if (!rules)
		return;
	sq_fields_free(rules->fields);
	while (rules->memory && rules->memory->newest) {
		struct block *b = rules->memory->newest;

		rules->memory->newest = b->next;
		free(b);
	}
	free(rules->memory);
	free(rules->list);
	free(rules->filters);
	*rules = (struct sq_rules){ 0 };
}

/* A block for at least `n` bytes. A large demand gets a block of its own behind the newest one, so
 * that what is left of that one is not lost. */
static struct block *block_new(struct sq_rules_memory *m, size_t n)
{
	size_t cap = n > SQ_BLOCK_BYTES / 4 ? n : SQ_BLOCK_BYTES;
	struct block *b;

	if (cap > SQ_RULES_BYTES_MAX - m->total)
		return NULL;
	b = calloc(1, sizeof(*b) + cap);
	if (!b)
		return NULL;
	b->cap = cap;
	m->total += cap;
	if (cap == n && m->newest) {
		b->next = m->newest->next;
		m->newest->next = b;
	} else {
		b->next = m->newest;
		m->newest = b;
	}
	return b;
}

void *sq_rules_alloc(struct sq_rules *rules, size_t n)
{
	struct sq_rules_memory *m = rules->memory;
	struct block *b = m->newest;
	void *p;

	if (n > SQ_RULES_BYTES_MAX)
		return NULL;
	n = n ? (n + SQ_BLOCK_ALIGN - 1) & ~(size_t)(SQ_BLOCK_ALIGN - 1) : SQ_BLOCK_ALIGN;
	if (!b || n > b->cap - b->used)
		b = block_new(m, n);
	if (!b)
		return NULL;
	p = b->data + b->used;
	b->used += n;
	return p;
}

struct sq_sv sq_rules_dup(struct sq_rules *rules, struct sq_sv v)
{
	char *p = v.n < SQ_RULES_BYTES_MAX ? sq_rules_alloc(rules, v.n + 1) : NULL;

	if (!p)
		return (struct sq_sv){ 0 };
	if (v.n)
		memcpy(p, v.p, v.n);
	return (struct sq_sv){ p, v.n };
}

int sq_rules_add(struct sq_rules *rules, struct sq_rule *rule)
{
	if (rules->n == SQ_RULES_MAX)
		return -ENOSPC;
	if (rules->n == rules->cap) {
		uint32_t cap = rules->cap ? rules->cap * 2 : 64;
		struct sq_rule **list = reallocarray(rules->list, cap, sizeof(struct sq_rule *));

		if (!list)
			return -ENOMEM;
		rules->list = list;
		rules->cap = cap;
	}
	rules->list[rules->n++] = rule;
	return 0;
}
