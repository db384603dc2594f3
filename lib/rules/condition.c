#include "lib/rules/condition.h"

struct reader {
	struct sq_parse *p;
	const struct sq_yaml *node;
	struct sq_selections *sels;
	uint32_t *weight;
	size_t at;         /* offset of `word`; the text's length at its end */
	size_t next;       /* offset behind `word` */
	struct sq_sv word; /* "(", ")", "|" or a word; empty at the end */
	unsigned depth;
};

static void step(struct reader *r)
{
	struct sq_sv text = r->node->text;
	size_t i = r->next, end;

	while (i < text.n && sq_is_space(text.p[i]))
		i++;
	end = i;
	while (end < text.n && !sq_is_space(text.p[end]) && !strchr("()|", text.p[end]))
		end++;
	if (end == i && i < text.n)
		end = i + 1;
	r->at = i;
	r->next = end;
	r->word = (struct sq_sv){ text.p + i, end - i };
}

static bool is(const struct reader *r, const char *word)
{
	return sq_sv_ieq(r->word, sq_sv_of(word));
}

static bool take(struct reader *r, const char *word)
{
	if (!is(r, word))
		return false;
	step(r);
	return true;
}

/* Report at the current word; its NULL goes up to the top. */
#define WRONG(r, ...) (sq_parse_error_in((r)->p, (r)->node, (r)->at, __VA_ARGS__), NULL)

static const struct sq_expr *use(struct reader *r, struct sq_selection *s)
{
	s->used = true;
	if (s->weight > SQ_CONDITION_WEIGHT_MAX - *r->weight)
		return WRONG(r, "the condition asks for more than %d comparisons: split the rule",
		             SQ_CONDITION_WEIGHT_MAX);
	*r->weight += s->weight;
	return s->expr;
}

/* `*` is any number of characters, as often as it stands. */
static bool fits(struct sq_sv pattern, struct sq_sv name)
{
	size_t i = 0, k = 0, star = SIZE_MAX, mark = 0;

	while (k < name.n) {
		if (i < pattern.n && pattern.p[i] == '*') {
			star = i++;
			mark = k;
		} else if (i < pattern.n && pattern.p[i] == name.p[k]) {
			i++;
			k++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			k = ++mark;
		} else {
			return false;
		}
	}
	while (i < pattern.n && pattern.p[i] == '*')
		i++;
	return i == pattern.n;
}

/* Behind "1 of" or "all of". */
static const struct sq_expr *read_of(struct reader *r, bool all)
{
	const struct sq_expr *e = NULL;
	struct sq_args args = { 0 };
	bool them = is(r, "them"), ok = true;

	if (!r->word.n || strchr("()|", r->word.p[0]))
		return WRONG(r, "'them' or the start of a name and '*' must follow 'of'");
	for (uint32_t i = 0; i < r->sels->n && ok; i++) {
		struct sq_selection *s = &r->sels->list[i];

		if (them ? s->name.p[0] == '_' : !fits(r->word, s->name))
			continue;
		e = use(r, s);
		ok = e != NULL;
		if (ok)
			sq_args_add(r->p, &args, e);
	}
	e = NULL;
	if (ok && args.n == 0 && !r->p->nomem)
		(void)WRONG(r, "no selection fits '%.*s': see the names in detection",
		            SQ_SHOW(r->word));
	else if (ok && !r->p->nomem)
		e = sq_expr_group(r->p, all, &args);
	sq_args_fini(&args);
	if (e)
		step(r);
	return e;
}

static const struct sq_expr *unknown_name(struct reader *r)
{
	struct sq_sv best = { "", 0 };
	struct sq_hint hint;

	if (sq_sv_chr(r->word, '*') != SIZE_MAX)
		return WRONG(r, "a name with '*' needs '1 of' or 'all of' before it");
	for (uint32_t i = 0; i < r->sels->n; i++)
		sq_parse_nearer(r->word, r->sels->list[i].name, &best);
	return WRONG(r, "unknown selection '%.*s'%s", SQ_SHOW(r->word), sq_parse_hint(&hint, best));
}

static bool is_count(struct sq_sv word)
{
	int64_t n;

	return sq_sv_to_i64(word, &n) || sq_sv_ieq(word, SQ_SV("all")) ||
	       sq_sv_ieq(word, SQ_SV("any"));
}

static const struct sq_expr *read_name(struct reader *r)
{
	if (is_count(r->word)) {
		struct reader before = *r;
		bool all = is(r, "all"), one = is(r, "1");

		step(r);
		if (take(r, "of")) {
			if (all || one)
				return read_of(r, all);
			*r = before;
			return WRONG(r, "'%.*s of' is not Sigma: write '1 of' or 'all of'",
			             SQ_SHOW(r->word));
		}
		*r = before; /* a selection of that name */
	}
	for (uint32_t i = 0; i < r->sels->n; i++) {
		if (sq_sv_eq(r->word, r->sels->list[i].name)) {
			const struct sq_expr *e = use(r, &r->sels->list[i]);

			step(r);
			return e;
		}
	}
	return unknown_name(r);
}

static const struct sq_expr *read_or(struct reader *r);

static const struct sq_expr *read_operand(struct reader *r)
{
	const struct sq_expr *e;

	if (!r->word.n)
		return WRONG(r, "a selection is missing at the end");
	if (is(r, "|"))
		return WRONG(r, "a selection is missing before '|'");
	if (is(r, ")") || is(r, "and") || is(r, "or") || is(r, "of"))
		return WRONG(r, "a selection is missing before '%.*s'", SQ_SHOW(r->word));
	if (!take(r, "("))
		return read_name(r);
	e = read_or(r);
	if (e && !take(r, ")"))
		return WRONG(r,
		             r->word.n ? "'and', 'or' or ')' must stand before '%.*s'"
		                       : "a ')' is missing at the end%.*s",
		             SQ_SHOW(r->word));
	return e;
}

/* Every way down goes through here, so that this is the place to count depth. */
static const struct sq_expr *read_not(struct reader *r)
{
	const struct sq_expr *e;

	if (r->depth == SQ_CONDITION_DEPTH_MAX)
		return WRONG(r, "nested deeper than %d levels: use selections of fewer parts",
		             SQ_CONDITION_DEPTH_MAX);
	r->depth++;
	if (take(r, "not")) {
		e = read_not(r);
		if (e)
			e = sq_expr_not(r->p, e);
	} else {
		e = read_operand(r);
	}
	r->depth--;
	return e;
}

static const struct sq_expr *read_chain(struct reader *r, const char *word,
                                        const struct sq_expr *(*operand)(struct reader *))
{
	const struct sq_expr *e;
	struct sq_args args = { 0 };

	do {
		e = operand(r);
		if (e)
			sq_args_add(r->p, &args, e);
	} while (e && !r->p->nomem && take(r, word));
	if (e && !r->p->nomem)
		e = sq_expr_group(r->p, strcmp(word, "and") == 0, &args);
	sq_args_fini(&args);
	return r->p->nomem ? NULL : e;
}

static const struct sq_expr *read_and(struct reader *r)
{
	return read_chain(r, "and", read_not);
}

static const struct sq_expr *read_or(struct reader *r)
{
	return read_chain(r, "or", read_and);
}

const struct sq_expr *sq_condition_read(struct sq_parse *p, const struct sq_yaml *node,
                                        struct sq_selections *sels, uint32_t *weight)
{
	struct reader r = { .p = p, .node = node, .sels = sels, .weight = weight };
	const struct sq_expr *e;

	if (node->kind != SQ_YAML_SCALAR || sq_yaml_is_null(node) || !sq_sv_trim(node->text).n) {
		sq_parse_error(p, node, "the condition is empty: name a selection");
		return NULL;
	}
	if (node->text.n > SQ_CONDITION_BYTES_MAX) {
		sq_parse_error(p, node, "the condition is longer than %d bytes: split the rule",
		               SQ_CONDITION_BYTES_MAX);
		return NULL;
	}
	step(&r);
	e = read_or(&r);
	if (!e || !r.word.n)
		return e;
	if (is(&r, "|") || is(&r, "near"))
		(void)WRONG(&r, "aggregations (| count(), near) are Sigma v1 and are not read: "
		                "remove this part");
	else if (is(&r, ")"))
		(void)WRONG(&r, "a '(' is missing for this ')'");
	else
		(void)WRONG(&r, "'and' or 'or' must stand before '%.*s'", SQ_SHOW(r.word));
	return NULL;
}
