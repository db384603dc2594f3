#include "lib/text/yaml.h"

#include <errno.h>
#include <stdlib.h>

#include <yaml.h>

/* libyaml gives events; a stack of open maps and lists puts them together. All nodes and texts of a
 * stream lie in blocks that the first document owns, since documents are freed together. */

enum {
	SQ_YAML_BLOCK = 16 * 1024,
	SQ_YAML_ALIGN = 16,
	SQ_YAML_ANCHORS_MAX = 1000, /* of one document; they are searched one after another */
};

const struct sq_yaml_limits sq_yaml_limits_default = { .max_nodes = 200000, .max_depth = 64 };

struct block {
	struct block *next;
	size_t used, cap; /* bytes of `data` */
	_Alignas(SQ_YAML_ALIGN) char data[];
};

struct node {
	struct sq_yaml y; /* first: what the outside sees */
	uint32_t size;    /* nodes in it, itself included, aliases counted each time */
	uint32_t height;  /* levels in it: 1 for a scalar */
};

struct sq_yaml_doc {
	const struct sq_yaml *root;
	struct block *blocks; /* in the first document only */
};

struct anchor {
	struct anchor *next;
	const char *name;
	struct node *node; /* NULL while it is still open */
};

struct frame {
	struct node *node;
	struct anchor *anchor;     /* of the node, or NULL */
	const struct sq_yaml *key; /* map: waiting for its value */
	bool key_refused;          /* map: the next node is the value of a key that was refused */
	const struct sq_yaml **tail;
};

struct loader {
	yaml_parser_t parser;
	const char *name;
	const struct sq_yaml_limits *limits;
	struct sq_diags *diags;
	struct block *blocks;
	struct anchor *anchors; /* of this document */
	uint32_t n_anchors;
	struct frame *stack; /* limits->max_depth of them */
	uint32_t depth;      /* frames in use */
	uint32_t nodes;      /* of the whole stream */
	struct sq_yaml_doc **docs;
	size_t n_docs, cap_docs;
	const struct sq_yaml *root; /* of the document being read, once it is whole */
	bool failed;                /* at least one finding */
};

static void *take(struct loader *l, size_t n)
{
	struct block *b = l->blocks;
	void *p;

	n = (n + SQ_YAML_ALIGN - 1) & ~(size_t)(SQ_YAML_ALIGN - 1);
	if (!b || n > b->cap - b->used) {
		size_t cap = n > SQ_YAML_BLOCK ? n : SQ_YAML_BLOCK;

		b = calloc(1, sizeof(*b) + cap);
		if (!b)
			return NULL;
		b->cap = cap;
		b->next = l->blocks;
		l->blocks = b;
	}
	p = b->data + b->used;
	b->used += n;
	return p;
}

#define FINDING(l, mark, ...)                                                                      \
	(sq_diag_add((l)->diags, SQ_DIAG_ERROR, (l)->name, (unsigned)(mark).line + 1,              \
	             (unsigned)(mark).column + 1, __VA_ARGS__),                                    \
	 (l)->failed = true)

/* --- anchors --- */

static struct anchor *anchor_find(const struct loader *l, const char *name)
{
	for (struct anchor *a = l->anchors; a; a = a->next)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

/* A name may be used again; the newest is meant, and it is found first. */
static int anchor_add(struct loader *l, const yaml_char_t *name, yaml_mark_t mark,
                      struct anchor **ret)
{
	struct anchor *a;
	size_t n;

	*ret = NULL;
	if (!name)
		return 0;
	if (l->n_anchors++ == SQ_YAML_ANCHORS_MAX) {
		FINDING(l, mark, "more than %d anchors: write the values out", SQ_YAML_ANCHORS_MAX);
		return -EINVAL;
	}
	n = strlen((const char *)name) + 1;
	a = take(l, sizeof(*a) + n);
	if (!a)
		return -ENOMEM;
	a->name = memcpy(a + 1, name, n);
	a->next = l->anchors;
	l->anchors = a;
	*ret = a;
	return 0;
}

/* --- putting nodes together --- */

static int too_many(struct loader *l, yaml_mark_t mark)
{
	FINDING(l, mark, "more than %u values (aliases count each time): split the file",
	        l->limits->max_nodes);
	return -EINVAL;
}

static struct frame *top(struct loader *l)
{
	return l->depth ? &l->stack[l->depth - 1] : NULL;
}

/* The next scalar is a key. */
static bool at_key(struct loader *l)
{
	struct frame *f = top(l);

	return f && f->node->y.kind == SQ_YAML_MAP && !f->key && !f->key_refused;
}

/* Hang a whole node into what is open, or make it the root. */
static void attach(struct loader *l, struct node *n)
{
	struct frame *f = top(l);

	if (!f) {
		l->root = &n->y;
		return;
	}
	f->node->size += n->size;
	if (f->node->height <= n->height)
		f->node->height = n->height + 1;
	if (f->node->y.kind == SQ_YAML_MAP) {
		if (f->key_refused) {
			f->key_refused = false;
			return;
		}
		n->y.key = f->key;
		f->key = NULL;
	}
	*f->tail = &n->y;
	f->tail = &n->y.next;
	f->node->y.n++;
}

static int node_new(struct loader *l, enum sq_yaml_kind kind, yaml_mark_t mark, struct node **ret)
{
	struct node *n;

	if (l->nodes >= l->limits->max_nodes)
		return too_many(l, mark);
	n = take(l, sizeof(*n));
	if (!n)
		return -ENOMEM;
	l->nodes++;
	n->y.kind = kind;
	n->y.line = (unsigned)mark.line + 1;
	n->y.col = (unsigned)mark.column + 1;
	n->y.text = SQ_SV("");
	n->size = n->height = 1;
	*ret = n;
	return 0;
}

/* A key stands before its value: keep it aside, unless it is one that is refused. */
static void take_key(struct loader *l, struct node *n, yaml_mark_t mark)
{
	struct frame *f = top(l);

	f->key_refused = true;
	f->node->size++; /* keys count: an alias to many of them costs as much as they do */
	if (n->y.text.n == 0) {
		FINDING(l, mark, "a key is empty: give it a name");
	} else if (!n->y.quoted && sq_sv_eq(n->y.text, SQ_SV("<<"))) {
		FINDING(l, mark, "merge keys (<<) are not read: write the members out");
	} else {
		f->key_refused = false;
		f->key = &n->y;
	}
}

static int on_scalar(struct loader *l, const yaml_event_t *e)
{
	size_t len = e->data.scalar.length;
	struct anchor *a;
	struct node *n;
	char *text;
	int r;

	if (e->data.scalar.tag)
		FINDING(l, e->start_mark, "tags (%.40s) are not read: remove it",
		        (const char *)e->data.scalar.tag);
	if (memchr(e->data.scalar.value, 0, len))
		FINDING(l, e->start_mark, "a NUL character in a text: remove it");
	r = node_new(l, SQ_YAML_SCALAR, e->start_mark, &n);
	if (r < 0)
		return r;
	r = anchor_add(l, e->data.scalar.anchor, e->start_mark, &a);
	if (r < 0)
		return r;
	text = take(l, len + 1); /* zeroed: the NUL at the end is there */
	if (!text)
		return -ENOMEM;
	memcpy(text, e->data.scalar.value, len);
	n->y.text = (struct sq_sv){ text, len };
	n->y.quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->y.block = e->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
	             e->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
	if (a)
		a->node = n;
	if (at_key(l))
		take_key(l, n, e->start_mark);
	else
		attach(l, n);
	return 0;
}

static int on_open(struct loader *l, enum sq_yaml_kind kind, yaml_mark_t mark,
                   const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct frame *f;
	struct node *n;
	int r;

	if (tag)
		FINDING(l, mark, "tags (%.40s) are not read: remove it", (const char *)tag);
	if (l->depth == l->limits->max_depth) {
		FINDING(l, mark, "nested deeper than %u levels: flatten it", l->limits->max_depth);
		return -EINVAL;
	}
	if (at_key(l)) {
		FINDING(l, mark, "a key must be plain text, not a list or a map");
		return -EINVAL;
	}
	r = node_new(l, kind, mark, &n);
	if (r < 0)
		return r;
	f = &l->stack[l->depth];
	*f = (struct frame){ .node = n, .tail = &n->y.first };
	r = anchor_add(l, anchor, mark, &f->anchor);
	if (r < 0)
		return r;
	l->depth++;
	return 0;
}

static int on_alias(struct loader *l, const yaml_event_t *e)
{
	const struct anchor *a = anchor_find(l, (const char *)e->data.alias.anchor);
	struct node *n;
	int r;

	/* libyaml's events do not check aliases: that is left to whoever composes. */
	if (!a || !a->node) {
		FINDING(l, e->start_mark,
		        a ? "alias *%.40s stands inside its own anchor: this never ends"
		          : "alias *%.40s has no anchor: define &%.40s before it",
		        (const char *)e->data.alias.anchor, (const char *)e->data.alias.anchor);
		return -EINVAL;
	}
	if (l->limits->max_depth - l->depth < a->node->height - 1) {
		FINDING(l, e->start_mark, "nested deeper than %u levels: flatten it",
		        l->limits->max_depth);
		return -EINVAL;
	}
	if (l->limits->max_nodes - l->nodes < a->node->size)
		return too_many(l, e->start_mark);
	r = node_new(l, a->node->y.kind, e->start_mark, &n);
	if (r < 0)
		return r;
	l->nodes += a->node->size - 1;
	n->y.quoted = a->node->y.quoted;
	n->y.block = a->node->y.block;
	n->y.text = a->node->y.text;
	n->y.first = a->node->y.first;
	n->y.n = a->node->y.n;
	n->size = a->node->size;
	n->height = a->node->height;
	if (!at_key(l)) {
		attach(l, n);
	} else if (n->y.kind == SQ_YAML_SCALAR) {
		take_key(l, n, e->start_mark);
	} else {
		FINDING(l, e->start_mark, "a key must be plain text, not a list or a map");
		return -EINVAL;
	}
	return 0;
}

/* --- duplicate keys --- */

static int by_key(const void *a, const void *b)
{
	const struct sq_yaml *x = *(const struct sq_yaml *const *)a;
	const struct sq_yaml *y = *(const struct sq_yaml *const *)b;
	int r = sq_sv_cmp(x->key->text, y->key->text);

	if (r == 0)
		r = x->key->line < y->key->line ? -1 : x->key->line > y->key->line;
	return r ? r : x->key->col < y->key->col ? -1 : x->key->col > y->key->col;
}

static int check_keys(struct loader *l, const struct sq_yaml *map)
{
	const struct sq_yaml **sorted;
	uint32_t n = 0;

	if (map->n < 2)
		return 0;
	sorted = calloc(map->n, sizeof(const struct sq_yaml *));
	if (!sorted)
		return -ENOMEM;
	for (const struct sq_yaml *m = map->first; m; m = m->next)
		sorted[n++] = m;
	qsort(sorted, n, sizeof(const struct sq_yaml *), by_key);
	for (uint32_t i = 1; i < n; i++) {
		const struct sq_yaml *a = sorted[i - 1]->key, *b = sorted[i]->key;

		if (!sq_sv_eq(a->text, b->text))
			continue;
		sq_diag_add(l->diags, SQ_DIAG_ERROR, l->name, b->line, b->col,
		            "duplicate key '%.60s' (first in line %u): keep one of them", b->text.p,
		            a->line);
		l->failed = true;
	}
	free(sorted);
	return 0;
}

static int on_close(struct loader *l)
{
	struct frame f = *top(l);
	int r;

	l->depth--;
	if (f.anchor)
		f.anchor->node = f.node;
	if (f.node->y.kind == SQ_YAML_MAP) {
		r = check_keys(l, &f.node->y);
		if (r < 0)
			return r;
	}
	attach(l, f.node);
	return 0;
}

static int on_document_end(struct loader *l)
{
	struct sq_yaml_doc *doc;

	if (l->n_docs == l->cap_docs) {
		size_t cap = l->cap_docs ? l->cap_docs * 2 : 4;
		struct sq_yaml_doc **docs;

		docs = reallocarray(l->docs, cap, sizeof(struct sq_yaml_doc *));
		if (!docs)
			return -ENOMEM;
		l->docs = docs;
		l->cap_docs = cap;
	}
	doc = take(l, sizeof(*doc));
	if (!doc)
		return -ENOMEM;
	doc->root = l->root;
	l->docs[l->n_docs++] = doc;
	return 0;
}

/* --- the loop --- */

/* @return 0 go on, 1 the stream is at its end, < 0 give up */
static int on_event(struct loader *l, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
		return 0;
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_START_EVENT:
		l->anchors = NULL;
		l->n_anchors = 0;
		l->root = NULL;
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		return on_document_end(l);
	case YAML_ALIAS_EVENT:
		return on_alias(l, e);
	case YAML_SCALAR_EVENT:
		return on_scalar(l, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(l, SQ_YAML_LIST, e->start_mark, e->data.sequence_start.anchor,
		               e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_open(l, SQ_YAML_MAP, e->start_mark, e->data.mapping_start.anchor,
		               e->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(l);
	}
	return -EINVAL;
}

/* What is mostly meant where libyaml finds fault: a text that begins with a sign of YAML's. */
static const char *hint_for(const char *problem)
{
	if (strstr(problem, "cannot start any token") || strstr(problem, "tab character"))
		return " (YAML indents with blanks, never tabs; a text that begins with %, @, ` or a "
		       "tab needs quotes)";
	if (strstr(problem, "expected alphabetic or numeric"))
		return " (a text that begins with * or & needs quotes)";
	if (strstr(problem, "expected key"))
		return " (look at the indentation; a text that begins with [ or { needs quotes)";
	if (strstr(problem, "expected node content"))
		return " (a text that begins with [ or {, such as an IPv6 address, needs quotes)";
	return "";
}

static int syntax_error(struct loader *l)
{
	const yaml_parser_t *p = &l->parser;
	const char *problem = p->problem ? p->problem : "cannot be read";

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR) { /* it knows the byte only */
		const char *start = (const char *)p->input.string.start;
		size_t len = (size_t)(p->input.string.end - p->input.string.start);
		unsigned line = 1, col = 1;

		for (size_t i = 0; i < p->problem_offset && i < len; i++) {
			line += start[i] == '\n';
			col = start[i] == '\n' ? 1 : col + 1;
		}
		sq_diag_add(l->diags, SQ_DIAG_ERROR, l->name, line, col,
		            "not UTF-8 text: %s (byte %zu)", problem, p->problem_offset);
		return -EINVAL;
	}
	FINDING(l, p->problem_mark, "not valid YAML: %s%s%s%s", problem, p->context ? ", " : "",
	        p->context ? p->context : "", hint_for(problem));
	return -EINVAL;
}

static int load(struct loader *l)
{
	int r = 0;

	while (r == 0) {
		yaml_event_t e;

		if (!yaml_parser_parse(&l->parser, &e))
			return syntax_error(l);
		r = on_event(l, &e);
		yaml_event_delete(&e);
	}
	return r < 0 ? r : l->failed ? -EINVAL : 0;
}

static void blocks_free(struct block *b)
{
	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

int sq_yaml_load(struct sq_sv text, const char *name, const struct sq_yaml_limits *limits,
                 struct sq_yaml_doc ***ret, struct sq_diags *diags)
{
	struct loader l = { .name = name, .diags = diags };
	int r = -ENOMEM;

	l.limits = limits ? limits : &sq_yaml_limits_default;
	sq_assert(l.limits->max_depth > 0 && l.limits->max_nodes > 0);
	*ret = NULL;
	if (sq_sv_starts(text, SQ_SV("\xef\xbb\xbf"))) /* libyaml would count it as a column */
		text = sq_sv_skip(text, 3);
	if (!yaml_parser_initialize(&l.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)(text.n ? text.p : ""),
	                             text.n);
	l.stack = calloc(l.limits->max_depth, sizeof(*l.stack));
	if (l.stack)
		r = load(&l);
	yaml_parser_delete(&l.parser);
	free(l.stack);
	if (r < 0 || l.n_docs == 0) {
		blocks_free(l.blocks);
		free(l.docs);
		return r;
	}
	l.docs[0]->blocks = l.blocks;
	*ret = l.docs;
	return (int)l.n_docs;
}

void sq_yaml_free_all(struct sq_yaml_doc **docs, size_t n)
{
	if (docs && n)
		blocks_free(docs[0]->blocks);
	free(docs);
}

const struct sq_yaml *sq_yaml_root(const struct sq_yaml_doc *doc)
{
	return doc->root;
}

const struct sq_yaml *sq_yaml_get(const struct sq_yaml *map, const char *key)
{
	if (!map || map->kind != SQ_YAML_MAP)
		return NULL;
	for (const struct sq_yaml *m = map->first; m; m = m->next)
		if (sq_sv_eq(m->key->text, sq_sv_of(key)))
			return m;
	return NULL;
}

static bool is_word(const struct sq_yaml *y, const char *const *words)
{
	if (!y || y->kind != SQ_YAML_SCALAR || y->quoted)
		return false;
	for (; *words; words++)
		if (sq_sv_ieq(y->text, sq_sv_of(*words)))
			return true;
	return false;
}

bool sq_yaml_is_null(const struct sq_yaml *y)
{
	static const char *const words[] = { "", "~", "null", NULL };

	return is_word(y, words);
}

bool sq_yaml_is_bool(const struct sq_yaml *y, bool *ret)
{
	static const char *const yes[] = { "true", "yes", "on", NULL };
	static const char *const no[] = { "false", "no", "off", NULL };

	if (is_word(y, yes))
		*ret = true;
	else if (is_word(y, no))
		*ret = false;
	else
		return false;
	return true;
}
