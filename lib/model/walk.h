/* Follow a JSON value along the tree of places and collect what stands there.
 *
 * Private to lib/model. The sink of lib/text/json.h. A key costs one hash and, nearly always, one
 * look; the inside of an object nobody asked for costs its calls and nothing else.
 */
#pragma once

#include "lib/model/collect.h"
#include "lib/text/json.h"

enum { SQ_WALK_DEPTH_MAX = 256, SQ_WALK_MEMO = 512, SQ_WALK_MEMO_KEY = 44 };

/** Where the value to come will go. */
struct sq_target {
	uint16_t node;  /* SQ_NODE_NONE: nowhere by path */
	uint16_t field; /* SQ_AUX_NONE: nowhere by name */
	uint8_t rank;   /* of `field` */
};

struct sq_walk_frame {
	struct sq_target target; /* of an array: of each of its elements */
	uint32_t elements;       /* of an array: scalars so far */
	uint16_t node;           /* of an object: its place */
	bool array;
};

/** Where a key led the last time: producers send the same keys over and over. */
struct sq_walk_memo {
	uint32_t hash;  /* of the key and `node` */
	uint32_t hints; /* 1 << enum sq_hint, of the places on the way */
	struct sq_target target;
	uint16_t node; /* where the key stood; SQ_NODE_NONE: unused */
	uint16_t n;    /* bytes of `key` */
	char key[SQ_WALK_MEMO_KEY];
};

struct sq_walk {
	struct sq_collect *c;
	const struct sq_trie *trie;
	const struct sq_fields *fields;
	struct sq_target target; /* of the next value */
	uint32_t depth;          /* of frames; those skipped are not among them */
	uint32_t skip;           /* open brackets of what nobody asked for */
	uint32_t hints;          /* of the key being looked up */
	struct sq_walk_memo memo[SQ_WALK_MEMO];
	struct sq_walk_frame frames[SQ_WALK_DEPTH_MAX + 1];
};

extern const struct sq_json_sink sq_walk_sink;

/** Before each text: the next value is a record, or what its wrapper held. */
void sq_walk_begin(struct sq_walk *w);
