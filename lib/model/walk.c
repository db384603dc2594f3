#include "lib/model/walk.h"

#include "lib/model/keyhash.h"

static const struct sq_target nowhere = { SQ_NODE_NONE, SQ_AUX_NONE, 0 };

static struct sq_target to_node(uint32_t node)
{
	return (struct sq_target){ (uint16_t)node, SQ_AUX_NONE, 0 };
}

void sq_walk_begin(struct sq_walk *w)
{
	w->depth = 0;
	w->skip = 0;
	w->target = to_node(SQ_NODE_ROOT);
}

/* A step from `node`, or from the top when `node` is a wrapper. */
static uint32_t step(const struct sq_walk *w, uint32_t node, struct sq_sv key, uint32_t hash)
{
	uint32_t to = sq_trie_find(w->trie, node, key, hash);

	if (to == SQ_NODE_NONE && node != SQ_NODE_ROOT &&
	    (sq_trie_node(w->trie, node)->kind & SQ_PATH_ROOT))
		to = sq_trie_find(w->trie, SQ_NODE_ROOT, key, hash);
	return to;
}

static struct sq_target by_hashed_name(const struct sq_walk *w, const struct sq_node *node,
                                       struct sq_sv key, uint32_t hash)
{
	int field = sq_fields_find_hashed(w->fields, key, hash);

	if (!sq_collect_is_open(w->c, field))
		return nowhere;
	return (struct sq_target){ SQ_NODE_NONE, (uint16_t)field, node->names_rank };
}

static struct sq_target by_name(const struct sq_walk *w, const struct sq_node *node,
                                struct sq_sv key, uint32_t hash)
{
	char name[128];

	if (node->kind & SQ_PATH_DATA_) {
		if (!sq_sv_starts(key, SQ_SV("Data_")))
			return nowhere;
		key = sq_sv_skip(key, 5);
		hash = sq_key_hash(key);
	}
	if ((node->kind & SQ_PATH_UPPER) && key.n && key.n <= sizeof(name) && key.p[0] >= 'a' &&
	    key.p[0] <= 'z') {
		memcpy(name, key.p, key.n);
		name[0] = (char)(name[0] - 32);
		key.p = name;
		hash = sq_key_hash(key);
	}
	return by_hashed_name(w, node, key, hash);
}

/* "winlog.event_data.CommandLine": one key for a whole path. */
static struct sq_target dotted(struct sq_walk *w, uint32_t at, struct sq_sv key)
{
	struct sq_sv rest = key;

	while (rest.n) {
		struct sq_sv part = sq_sv_cut(&rest, '.');
		uint32_t hash = sq_key_hash(part);
		uint32_t to = step(w, at, part, hash);
		const struct sq_node *node = sq_trie_node(w->trie, at);

		if (to == SQ_NODE_NONE)
			return rest.n == 0 && (node->kind & SQ_PATH_NAMES)
			               ? by_name(w, node, part, hash)
			               : nowhere;
		w->hints |= 1u << sq_trie_node(w->trie, to)->hint;
		at = to;
	}
	return to_node(at);
}

static struct sq_target find(struct sq_walk *w, uint32_t at, struct sq_sv key, uint32_t hash)
{
	const struct sq_node *node = sq_trie_node(w->trie, at);
	uint32_t to = step(w, at, key, hash);
	struct sq_target t = nowhere;

	if (node->kind & SQ_PATH_NAMES)
		t = by_name(w, node, key, hash);
	if (to != SQ_NODE_NONE) { /* a rule may ask for it by its own name, too */
		w->hints |= 1u << sq_trie_node(w->trie, to)->hint;
		t.node = (uint16_t)to;
		return t;
	}
	if (t.field != SQ_AUX_NONE || !(node->kind & SQ_PATH_ROOT) || key.n == 0)
		return t;
	node = sq_trie_node(w->trie, SQ_NODE_ROOT);
	if (at != SQ_NODE_ROOT)
		t = by_name(w, node, key, hash);
	if (t.field != SQ_AUX_NONE)
		return t;
	if (key.p[0] == '_' && key.n > 1 && key.p[1] != '_') { /* GELF's additional fields */
		key = sq_sv_skip(key, 1);
		return find(w, SQ_NODE_ROOT, key, sq_key_hash(key));
	}
	return memchr(key.p, '.', key.n) ? dotted(w, SQ_NODE_ROOT, key) : nowhere;
}

/* Once for each key that a producer sends; after that it is remembered. */
static void look_up(struct sq_walk *w, struct sq_walk_memo *m, uint32_t node, struct sq_sv key,
                    uint32_t hash, uint32_t mixed)
{
	w->hints = 0;
	w->target = find(w, node, key, hash);
	w->c->hints |= w->hints;
	if (key.n > sizeof(m->key))
		return;
	*m =
		(struct sq_walk_memo){ mixed,          w->hints,        w->target,
		                       (uint16_t)node, (uint16_t)key.n, "" };
	if (key.n)
		memcpy(m->key, key.p, key.n);
}

static bool on_key(void *ctx, struct sq_sv key)
{
	struct sq_walk *w = ctx;
	uint32_t node, hash, mixed;
	struct sq_walk_memo *m;

	if (w->skip)
		return true;
	node = w->frames[w->depth].node;
	hash = sq_key_hash(key);
	mixed = hash + node * 0x9e3779b1u;
	m = &w->memo[(mixed ^ mixed >> 16) % SQ_WALK_MEMO];
	if (SQ_UNLIKELY(m->hash != mixed || m->node != node || m->n != key.n ||
	                memcmp(m->key, key.p, key.n) != 0)) {
		look_up(w, m, node, key, hash, mixed);
		return true;
	}
	w->target = m->target;
	w->c->hints |= m->hints;
	return true;
}

/* Text that may be the whole event once more. */
static bool looks_like_event(struct sq_sv text)
{
	while (text.n && sq_is_space(text.p[0]))
		text = sq_sv_skip(text, 1);
	return text.n > 2 && (text.p[0] == '{' || text.p[0] == '<');
}

static void put_text(struct sq_walk *w, const struct sq_node *node, struct sq_found *f)
{
	struct sq_collect *c = w->c;

	f->text = sq_collect_keep(c, f->text, f->stays);
	f->stays = true;
	if (c->n_texts == SQ_TEXTS_MAX)
		return;
	c->rendered[c->n_texts] = node->field == SQ_F_MESSAGE;
	c->texts[c->n_texts++] = f->text;
}

static void put_list(struct sq_walk *w, struct sq_found *f)
{
	struct sq_collect *c = w->c;

	f->text = sq_collect_keep(c, f->text, f->stays);
	f->stays = true;
	if (c->n_list < SQ_LIST_MAX)
		c->list[c->n_list++] =
			(struct sq_value){ f->text.p, (uint32_t)f->text.n, 0, f->kind, 0 };
}

/* May one value stand at a place of values without names, with no array around it? */
static bool may_be_alone(const struct sq_node *node)
{
	return (node->kind & SQ_PATH_PAIRS) || !(node->parent || (node->kind & SQ_PATH_FIELD));
}

static void put(struct sq_walk *w, struct sq_walk_frame *in, struct sq_found *f)
{
	const struct sq_node *node = sq_trie_node(w->trie, w->target.node);

	f->repeated = in->array && in->elements++ > 0;
	if (w->target.field != SQ_AUX_NONE) {
		f->rank = w->target.rank;
		sq_collect_put(w->c, w->target.field, f);
		w->c->n_data += !(sq_trie_node(w->trie, in->node)->kind & SQ_PATH_ROOT);
	}
	if (w->target.node == SQ_NODE_NONE)
		return;
	if ((node->kind & SQ_PATH_LIST) && (in->array || may_be_alone(node)))
		put_list(w, f);
	else if ((node->kind & SQ_PATH_TEXT) && f->kind == SQ_VALUE_TEXT &&
	         looks_like_event(f->text))
		put_text(w, node, f);
	if (node->kind & SQ_PATH_FIELD) {
		f->rank = node->rank;
		sq_collect_put(w->c, node->field, f);
	}
}

static bool on_scalar(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays)
{
	static const uint8_t kinds[] = {
		[SQ_JSON_NULL] = SQ_VALUE_NULL,
		[SQ_JSON_BOOL] = SQ_VALUE_BOOL,
		[SQ_JSON_NUMBER] = SQ_VALUE_NUMBER,
		[SQ_JSON_STRING] = SQ_VALUE_TEXT,
	};
	struct sq_walk *w = ctx;
	struct sq_found f = { .text = text, .kind = kinds[kind], .stays = stays };

	if (kind <= SQ_JSON_BOOL)
		f.stays = true; /* the texts of null, true and false are static */
	if (SQ_UNLIKELY(w->c->all && kind >= SQ_JSON_NUMBER)) {
		f.text = sq_collect_keep(w->c, text, stays);
		f.stays = true;
		if (w->c->ev->n_all < SQ_EVENT_ALL_MAX)
			w->c->all[w->c->ev->n_all++] = f.text;
		else
			w->c->ev->flags |= SQ_EVENT_OVERFLOW;
	}
	if (w->skip)
		return true;
	if (w->target.node != SQ_NODE_NONE || w->target.field != SQ_AUX_NONE)
		put(w, &w->frames[w->depth], &f);
	return true;
}

/* Is there anything for us inside an object or array that stands at the target? */
static bool wanted(const struct sq_walk *w, bool array)
{
	const struct sq_node *node = sq_trie_node(w->trie, w->target.node);

	if (w->target.node == SQ_NODE_NONE)
		return array && w->target.field != SQ_AUX_NONE;
	return array || node->parent || (node->kind & (SQ_PATH_NAMES | SQ_PATH_ROOT));
}

/* `in` is the innermost frame. */
static bool is_pair(const struct sq_walk *w, const struct sq_walk_frame *in)
{
	uint16_t kind = sq_trie_node(w->trie, in->node)->kind;

	return !in->array &&
	       ((kind & SQ_PATH_PAIRS) || ((kind & SQ_PATH_PAIR_LIST) && in[-1].array));
}

static bool on_begin(void *ctx, bool array)
{
	struct sq_walk *w = ctx;
	struct sq_walk_frame *in;

	if (w->skip || !wanted(w, array) || w->depth == SQ_WALK_DEPTH_MAX) {
		w->skip++;
		return true;
	}
	in = &w->frames[++w->depth];
	*in = (struct sq_walk_frame){ .target = w->target, .node = w->target.node, .array = array };
	if (is_pair(w, in)) {
		*sq_collect_slot(w->c, SQ_AUX_PAIR_NAME) = (struct sq_value){ 0 };
		*sq_collect_slot(w->c, SQ_AUX_PAIR_VALUE) = (struct sq_value){ 0 };
	}
	return true;
}

/* {"name":"CommandLine","value":"..."} is whole: put the value under that name. What holds it is
 * not to find it again. */
static void end_pair(struct sq_walk *w, const struct sq_node *node)
{
	struct sq_sv name = sq_collect_get(w->c, SQ_AUX_PAIR_NAME);
	struct sq_value *v = sq_collect_slot(w->c, SQ_AUX_PAIR_VALUE);
	struct sq_target t;

	*sq_collect_slot(w->c, SQ_AUX_PAIR_NAME) = (struct sq_value){ 0 };
	if (name.n == 0 || v->kind == SQ_VALUE_ABSENT)
		return;
	t = by_hashed_name(w, node, name, sq_key_hash(name));
	if (t.field == SQ_AUX_NONE)
		return;
	sq_collect_put(w->c, t.field,
	               &(struct sq_found){ sq_value_sv(v), v->kind, t.rank, true, false });
	w->c->n_data++;
}

static bool on_end(void *ctx, bool array)
{
	struct sq_walk *w = ctx;
	struct sq_walk_frame *in = &w->frames[w->depth];

	(void)array;
	if (w->skip) {
		w->skip--;
	} else {
		if (is_pair(w, in))
			end_pair(w, sq_trie_node(w->trie, in->node));
		w->depth--;
	}
	if (!w->skip && w->frames[w->depth].array)
		w->target = w->frames[w->depth].target;
	return true;
}

const struct sq_json_sink sq_walk_sink = {
	.begin = on_begin, .end = on_end, .key = on_key, .scalar = on_scalar
};
