#include "lib/model/lists.h"

#include "lib/model/keyhash.h"
#include "lib/model/span.h"

static bool is_name(const struct sq_trie *t, struct sq_sv key)
{
	uint32_t node = sq_trie_find(t, SQ_NODE_ROOT, key, sq_key_hash(key));

	return node != SQ_NODE_NONE && sq_trie_node(t, node)->hint == SQ_HINT_LISTS;
}

/* @return 0: no member, 1: one, 2: a list of events */
static int pass(const struct sq_trie *t, struct sq_sv *in)
{
	struct sq_sv key, inside;

	if (!sq_span_key(in, &key))
		return 0;
	if (in->n && in->p[0] == '[' && is_name(t, key)) {
		inside = sq_span_skip(sq_sv_skip(*in, 1), 0);
		if (inside.n == 0 || inside.p[0] == '{' || inside.p[0] == ']') {
			*in = inside;
			return 2;
		}
	}
	*in = sq_sv_skip(*in, sq_span_value(*in));
	return 1;
}

bool sq_lists_pass(const struct sq_trie *t, struct sq_sv *in)
{
	return pass(t, in) != 0;
}

bool sq_lists_enter(const struct sq_trie *t, struct sq_sv in, struct sq_sv *ret_inside)
{
	int found;

	in = sq_sv_skip(in, 1);
	do {
		in = sq_span_skip(in, ',');
		found = pass(t, &in);
	} while (found == 1);
	*ret_inside = in;
	return found == 2;
}
