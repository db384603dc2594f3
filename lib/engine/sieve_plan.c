/* Choosing words: of each rule's tree of needs one group, so that all groups together cost little.
 *
 * A greedy hitting set. In the first round words that many rules could use are cheap; in the next
 * ones each rule chooses anew, given what all others have chosen: those words cost nothing more,
 * nor do words that have one of them in it. Only in the last rounds does that hold for words that
 * most records have, too: else all rules would settle for "sysmon", and none could leave first. Of
 * words that cost nothing more a rule takes the rarest: the fewer records are kept for it.
 */
#include "lib/engine/sieve_plan.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/engine/sieve_evidence.h"
#include "lib/rules/literals.h"
#include "lib/text/hashes.h"

enum {
	PLAN_BYTES = 64 << 20, /* words and lists of a plan; more is of no use */
	TREE_BYTES = 128 << 20,
	RULE_BYTES = 16 << 20, /* while one comparison is looked at */
	PLACES = 1 << 17,      /* of the index of words */
	LIST_MAX = 1 << 16,    /* words of one rule */
	ROUNDS = 6,            /* of choosing */
	LAST_ROUNDS = 2,
	DEAR = 900,       /* cost of words that many records hold */
	STARTS_LOG = 12,  /* of the index of words in use by how they begin */
	POPULAR_MAX = 16, /* more rules make a word no cheaper */
	NEW = 1 << 24,    /* what a new word costs in place of one as rare that is used anyway */
};

#define NO_WAY UINT64_MAX

/* What an expression needs. */
struct node {
	enum { NOTHING, NEVER, WORDS, ALL, ANY } kind;
	uint32_t n;
	union {
		uint32_t *words;          /* WORDS: one of them; none: only odd records are meant */
		const struct node **args; /* ALL, ANY */
	};
};

struct word {
	struct sq_sv text;
	uint32_t cost;
	uint32_t popular; /* rules that could use it */
	uint32_t rule;    /* the last that was counted there */
	uint32_t used;    /* rules that use it */
	uint32_t taken;   /* how often it is in the list being made */
	bool covered;     /* one that is used stands in it */
	uint32_t next;    /* in use and begins like this one: 1 + number */
};

struct draft {
	struct sq_sieve_plan *plan;
	struct sq_arena trees, tmp;
	uint32_t *by_text; /* PLACES: 1 + number */
	struct word *words;
	uint32_t n_words, cap_words;
	const struct node **roots;
	uint32_t **chosen; /* by rule: what it uses; malloc'ed */
	uint32_t *n_chosen;
	uint32_t starts[1 << STARTS_LOG]; /* words in use, by hash of how they begin: 1 + number */
	uint32_t *list;                   /* LIST_MAX: what is being chosen */
	uint32_t n;
	bool first, last; /* rounds */
	int failed;       /* -errno */
};

static uint32_t intern(struct draft *d, struct sq_sv text)
{
	uint64_t at = sq_sv_hash(text);

	for (;; at++) {
		uint32_t *place = &d->by_text[at & (PLACES - 1)];

		if (*place && sq_sv_eq(d->words[*place - 1].text, text))
			return *place - 1;
		if (*place)
			continue;
		if (d->n_words == d->cap_words) {
			uint32_t cap = d->cap_words ? d->cap_words * 2 : 1024;
			struct word *more = reallocarray(d->words, cap, sizeof(*more));

			if (!more)
				d->failed = -ENOMEM;
			else
				d->words = more;
			d->cap_words = more ? cap : d->cap_words;
		}
		if (d->n_words >= PLACES / 2)
			d->failed = -E2BIG;
		text = sq_arena_dup(&d->trees, text);
		if (!text.n && !d->failed)
			d->failed = -E2BIG;
		if (d->failed)
			return 0;
		d->words[d->n_words++] = (struct word){ .text = text,
			                                .cost = sq_literal_cost(text) * POPULAR_MAX,
			                                .rule = UINT32_MAX };
		*place = d->n_words;
		return *place - 1;
	}
}

/* Trees. */

static const struct node nothing = { .kind = NOTHING }, never = { .kind = NEVER };

static struct node *node_of(struct draft *d, int kind, uint32_t n)
{
	struct node *r = sq_arena_alloc(&d->trees, sizeof(*r));
	void *list = sq_arena_alloc(&d->trees, (n ? n : 1) * sizeof(r->args[0]));

	if (!r || !list) {
		d->failed = -E2BIG;
		return NULL;
	}
	*r = (struct node){ .kind = (unsigned)kind, .args = list };
	return r;
}

static const struct node *node_of_need(struct draft *d, uint32_t rule, const struct sq_need *need)
{
	struct node *r = node_of(d, WORDS, need->n);

	for (uint32_t i = 0; r && i < need->n && !d->failed; i++) {
		uint32_t w = intern(d, need->words[i]);

		if (d->failed)
			break;
		r->words[r->n++] = w;
		d->words[w].popular += d->words[w].rule != rule;
		d->words[w].rule = rule;
	}
	return r && !d->failed ? r : &nothing;
}

/* All of `n` nodes, or with `any` one of them. */
static const struct node *join(struct draft *d, bool any, const struct node **list, uint32_t n)
{
	struct node *r = node_of(d, any ? ANY : ALL, n);

	if (!r)
		return &nothing;
	for (uint32_t i = 0; i < n; i++) {
		if (list[i]->kind == (any ? NEVER : NOTHING))
			continue;
		if (list[i]->kind == (any ? NOTHING : NEVER))
			return list[i];
		r->args[r->n++] = list[i];
	}
	if (r->n == 0)
		return any ? &never : &nothing;
	return r->n == 1 ? r->args[0] : r;
}

static const struct node *node_of_needs(struct draft *d, uint32_t rule,
                                        const struct sq_needs *needs)
{
	const struct node *list[SQ_NEEDS_MAX];

	if (needs->never)
		return &never;
	for (uint32_t i = 0; i < needs->n; i++)
		list[i] = node_of_need(d, rule, &needs->list[i]);
	return join(d, false, list, needs->n);
}

static const struct node *tree(struct draft *d, uint32_t rule, const struct sq_expr *e,
                               bool negated)
{
	const struct node **list;
	struct sq_needs needs;

	switch (e->kind) {
	case SQ_EXPR_PRED:
		if (negated)
			return &nothing;
		sq_arena_reset(&d->tmp);
		sq_evidence_of_pred(&d->tmp, e->pred, &needs);
		return node_of_needs(d, rule, &needs);
	case SQ_EXPR_NOT:
		return tree(d, rule, e->args[0], !negated);
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		list = sq_arena_alloc(&d->trees, (e->n ? e->n : 1) * sizeof(*list));
		if (!list)
			d->failed = -E2BIG;
		for (uint32_t i = 0; !d->failed && i < e->n; i++)
			list[i] = tree(d, rule, e->args[i], negated);
		if (d->failed)
			return &nothing;
		return join(d, (e->kind == SQ_EXPR_OR) != negated, list, e->n);
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		return (e->kind == SQ_EXPR_FALSE) != negated ? &never : &nothing;
	}
	return &nothing;
}

static const struct node *tree_of_rule(struct draft *d, uint32_t i, const struct sq_rule *rule)
{
	const struct node *both[2];
	struct sq_needs source;

	sq_arena_reset(&d->tmp);
	sq_evidence_of_source(&d->tmp, &rule->logsource, &source);
	both[0] = node_of_needs(d, i, &source);
	both[1] = tree(d, i, rule->condition, false);
	return join(d, false, both, 2);
}

/* Choosing. */

static uint64_t cost_of(const struct draft *d, const struct word *w)
{
	if (w->taken)
		return 0;
	if (w->cost >= DEAR * POPULAR_MAX && !d->last)
		return (uint64_t)w->cost * NEW;
	if (w->used || w->covered)
		return w->cost;
	if (d->first)
		return (uint64_t)NEW *
		       (w->cost / (w->popular < POPULAR_MAX ? w->popular : POPULAR_MAX));
	return (uint64_t)w->cost * NEW;
}

static void take(struct draft *d, uint32_t from)
{
	for (uint32_t i = from; i < d->n; i++)
		d->words[d->list[i]].taken++;
}

static void drop(struct draft *d, uint32_t from)
{
	for (uint32_t i = from; i < d->n; i++)
		d->words[d->list[i]].taken--;
	d->n = from;
}

static uint64_t choose(struct draft *d, const struct node *node);

static uint64_t choose_words(struct draft *d, const struct node *node)
{
	uint64_t cost = 0;

	if (node->n > LIST_MAX - d->n)
		return NO_WAY;
	for (uint32_t i = 0; i < node->n; i++) {
		struct word *w = &d->words[node->words[i]];

		cost += cost_of(d, w);
		w->taken++;
		d->list[d->n++] = node->words[i];
	}
	return cost;
}

static uint64_t choose_any(struct draft *d, const struct node *node)
{
	uint32_t from = d->n;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < node->n; i++) {
		uint64_t cost = choose(d, node->args[i]);

		if (cost == NO_WAY) {
			drop(d, from);
			return NO_WAY;
		}
		sum += cost;
	}
	return sum;
}

/* The best one stays at the front while the next is chosen behind it. */
static uint64_t choose_one(struct draft *d, const struct node *node)
{
	uint32_t from = d->n, best_n = 0;
	uint64_t best = NO_WAY;

	for (uint32_t i = 0; i < node->n; i++) {
		uint32_t begin = d->n;
		uint64_t cost = choose(d, node->args[i]);
		uint32_t n = d->n - begin;

		drop(d, begin);
		if (cost == NO_WAY ||
		    (best != NO_WAY && (cost > best || (cost == best && n >= best_n))))
			continue;
		memmove(d->list + from, d->list + begin, n * sizeof(*d->list));
		best = cost;
		best_n = n;
		d->n = from + n;
	}
	take(d, from);
	return best;
}

/* Appends words to the list. @return what they cost; NO_WAY: nothing is promised, nothing appended
 */
static uint64_t choose(struct draft *d, const struct node *node)
{
	switch (node->kind) {
	case WORDS:
		return choose_words(d, node);
	case ALL:
		return choose_one(d, node);
	case ANY:
		return choose_any(d, node);
	case NOTHING:
	case NEVER: /* of a whole rule only: join() leaves it out of others */
		break;
	}
	return NO_WAY;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t sort_unique(uint32_t *list, uint32_t n)
{
	uint32_t kept = 0;

	if (n > 1)
		qsort(list, n, sizeof(*list), by_number);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || list[kept - 1] != list[i])
			list[kept++] = list[i];
	return kept;
}

static void choose_for(struct draft *d, uint32_t rule)
{
	uint32_t n;
	uint32_t *copy;

	for (uint32_t i = 0; i < d->n_chosen[rule]; i++)
		d->words[d->chosen[rule][i]].used--;
	d->n_chosen[rule] = 0;
	d->plan->rules[rule].promise = SQ_SIEVE_WORDS;
	if (d->roots[rule]->kind == NEVER) {
		d->plan->rules[rule].promise = SQ_SIEVE_NEVER;
		return;
	}
	if (choose(d, d->roots[rule]) == NO_WAY)
		d->plan->rules[rule].promise = SQ_SIEVE_OPEN;
	n = d->n;
	drop(d, 0);
	n = sort_unique(d->list, n);
	copy = reallocarray(d->chosen[rule], n ? n : 1, sizeof(*copy));
	if (!copy) {
		d->failed = -ENOMEM;
		return;
	}
	if (n)
		memcpy(copy, d->list, n * sizeof(*copy));
	d->chosen[rule] = copy;
	d->n_chosen[rule] = n;
	for (uint32_t i = 0; i < n; i++)
		d->words[copy[i]].used++;
}

/* How a word begins, as an index of `starts`. */
static uint32_t start_of(const char *p)
{
	uint32_t v = (uint32_t)(unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8 |
	             (uint32_t)(unsigned char)p[2] << 16;

	return sq_hashes_of(v, STARTS_LOG);
}

static void index_used(struct draft *d)
{
	memset(d->starts, 0, sizeof(d->starts));
	for (uint32_t i = 0; i < d->n_words; i++) {
		struct word *w = &d->words[i];
		uint32_t *start = &d->starts[start_of(w->text.p)];

		if (!w->used)
			continue;
		w->next = *start;
		*start = i + 1;
	}
}

/* The shortest word in use that stands in `w`, or itself. None in use stands in that. */
static uint32_t shortest_in(const struct draft *d, uint32_t w)
{
	struct sq_sv rest = d->words[w].text;
	uint32_t best = w;

	for (; rest.n >= SQ_SIEVE_WORD_MIN; rest = sq_sv_skip(rest, 1)) {
		for (uint32_t i = d->starts[start_of(rest.p)]; i; i = d->words[i - 1].next) {
			struct sq_sv text = d->words[i - 1].text;

			if (text.n < d->words[best].text.n && sq_sv_starts(rest, text))
				best = i - 1;
		}
	}
	return best;
}

/* Of two words of which one stands in the other, the shorter is enough. */
static void cover(struct draft *d)
{
	index_used(d);
	for (uint32_t i = 0; i < d->n_words; i++)
		d->words[i].covered = shortest_in(d, i) != i;
}

/* The plan. */

static int by_text(const void *a, const void *b)
{
	return sq_sv_cmp(*(const struct sq_sv *)a, *(const struct sq_sv *)b);
}

static void put_words(struct draft *d)
{
	struct sq_sieve_plan *plan = d->plan;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n_words; i++)
		n += d->words[i].used > 0;
	plan->words = sq_arena_alloc(&plan->arena, (n ? n : 1) * sizeof(*plan->words));
	for (uint32_t i = 0; plan->words && i < d->n_words; i++)
		if (d->words[i].used && shortest_in(d, i) == i)
			plan->words[plan->n_words++] = sq_arena_dup(&plan->arena, d->words[i].text);
	if (!plan->words || plan->arena.overflow || plan->n_words > SQ_SIEVE_WORDS_MAX) {
		d->failed = -E2BIG;
		return;
	}
	if (plan->n_words)
		qsort(plan->words, plan->n_words, sizeof(*plan->words), by_text);
}

static void put_rule(struct draft *d, uint32_t rule)
{
	struct sq_sieve_plan *plan = d->plan;
	struct sq_sieve_need *need = &plan->rules[rule];
	uint32_t n = d->n_chosen[rule];

	plan->n_open += need->promise == SQ_SIEVE_OPEN;
	need->words = sq_arena_alloc(&plan->arena, (n ? n : 1) * sizeof(*need->words));
	if (!need->words) {
		d->failed = -E2BIG;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t w = shortest_in(d, d->chosen[rule][i]);
		const struct sq_sv *at = bsearch(&d->words[w].text, plan->words, plan->n_words,
		                                 sizeof(*plan->words), by_text);

		sq_assert(at);
		need->words[i] = (uint32_t)(at - plan->words);
	}
	need->n = sort_unique(need->words, n);
}

static void plan_all(struct draft *d, const struct sq_ruleset *rs)
{
	for (uint32_t i = 0; i < d->plan->n_rules && !d->failed; i++)
		d->roots[i] = tree_of_rule(d, i, sq_ruleset_rule(rs, i));
	for (int round = 0; round < ROUNDS && !d->failed; round++) {
		d->first = round == 0;
		d->last = round >= ROUNDS - LAST_ROUNDS;
		for (uint32_t i = 0; i < d->plan->n_rules && !d->failed; i++)
			choose_for(d, i);
		cover(d);
	}
	if (!d->failed)
		put_words(d);
	for (uint32_t i = 0; i < d->plan->n_rules && !d->failed; i++)
		put_rule(d, i);
}

static bool open_draft(struct draft *d)
{
	size_t n = (size_t)d->plan->n_rules + 1;

	if (sq_arena_init(&d->plan->arena, PLAN_BYTES) < 0 ||
	    sq_arena_init(&d->trees, TREE_BYTES) < 0 || sq_arena_init(&d->tmp, RULE_BYTES) < 0)
		return false;
	d->plan->rules = sq_arena_alloc(&d->plan->arena, n * sizeof(*d->plan->rules));
	d->by_text = calloc(PLACES, sizeof(*d->by_text));
	d->roots = calloc(n, sizeof(*d->roots));
	d->chosen = calloc(n, sizeof(*d->chosen));
	d->n_chosen = calloc(n, sizeof(*d->n_chosen));
	d->list = calloc(LIST_MAX, sizeof(*d->list));
	if (d->plan->rules)
		memset(d->plan->rules, 0, n * sizeof(*d->plan->rules));
	return d->plan->rules && d->by_text && d->roots && d->chosen && d->n_chosen && d->list;
}

static void close_draft(struct draft *d)
{
	for (uint32_t i = 0; d->chosen && i < d->plan->n_rules; i++)
		free(d->chosen[i]);
	sq_arena_fini(&d->trees);
	sq_arena_fini(&d->tmp);
	free(d->by_text);
	free(d->words);
	free(d->roots);
	free(d->chosen);
	free(d->n_chosen);
	free(d->list);
}

int sq_sieve_plan_init(struct sq_sieve_plan *plan, const struct sq_ruleset *rs)
{
	struct draft d = { .plan = plan };

	*plan = (struct sq_sieve_plan){ .n_rules = sq_ruleset_count(rs) };
	if (open_draft(&d))
		plan_all(&d, rs);
	else
		d.failed = -ENOMEM;
	close_draft(&d);
	return d.failed;
}

void sq_sieve_plan_fini(struct sq_sieve_plan *plan)
{
	sq_arena_fini(&plan->arena);
	*plan = (struct sq_sieve_plan){ 0 };
}

void sq_sieve_plan_print(const struct sq_sieve_plan *plan, uint32_t rule, struct sq_outbuf *out)
{
	const struct sq_sieve_need *need = &plan->rules[rule];

	if (need->promise == SQ_SIEVE_OPEN)
		sq_outbuf_put(out, SQ_SV("every record"));
	else if (need->promise == SQ_SIEVE_NEVER)
		sq_outbuf_put(out, SQ_SV("no record: it can never match"));
	else if (need->n == 0)
		sq_outbuf_put(out, SQ_SV("odd records only"));
	for (uint32_t i = 0; i < need->n; i++)
		sq_outbuf_printf(out, "%s\"%.*s\"", i ? " " : "",
		                 SQ_SV_ARG(plan->words[need->words[i]]));
}
