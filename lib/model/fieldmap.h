/* Which place of a record fills which field: the table, as data, and the tree it is compiled into.
 *
 * Private to lib/model. One row is one path of one producer. To teach the reader a new producer,
 * add rows to fieldmap.c; docs/formats.md lists where each row was seen.
 */
#pragma once

#include "lib/model/field.h"

/** Values that are no field themselves, but of which fields are made (see semantics.c). */
enum sq_aux {
	SQ_AUX_BASE = 0x8000,
	SQ_AUX_ARGS = SQ_AUX_BASE,
	SQ_AUX_PARENT_ARGS,
	SQ_AUX_PID, /* ECS: of the new process, in 4688 too */
	SQ_AUX_PARENT_PID,
	SQ_AUX_ACTOR_NAME,
	SQ_AUX_ACTOR_DOMAIN,
	SQ_AUX_SHA1,
	SQ_AUX_MD5,
	SQ_AUX_SHA256,
	SQ_AUX_IMPHASH,
	SQ_AUX_MODULE,     /* NXLog's SourceModuleType */
	SQ_AUX_STAMP,      /* @timestamp: always with its zone, but it may be a relay's */
	SQ_AUX_PAIR_NAME,  /* of {"name":..,"value":..} */
	SQ_AUX_PAIR_VALUE, /* the same */
	SQ_AUX_PARAM2,     /* how Winlogbeat calls data without names */
	SQ_AUX_PARAM3,
	SQ_AUX_NONE,
	SQ_AUX_N = SQ_AUX_NONE - SQ_AUX_BASE
};

/** What a place is good for; a row may say several. */
enum sq_path_kind {
	SQ_PATH_FIELD = 1u << 0,     /* its value fills `field` */
	SQ_PATH_NAMES = 1u << 1,     /* its members are fields under their own names */
	SQ_PATH_ROOT = 1u << 2,      /* a wrapper: its members are read as those of the record */
	SQ_PATH_TEXT = 1u << 3,      /* its text may be the event itself, as JSON or XML */
	SQ_PATH_LIST = 1u << 4,      /* an array of values without names */
	SQ_PATH_PAIRS = 1u << 5,     /* {"name":..,"value":..}, alone or an array of such */
	SQ_PATH_UPPER = 1u << 6,     /* of NAMES: "commandLine" stands for CommandLine */
	SQ_PATH_DATA_ = 1u << 7,     /* of NAMES: "Data_CommandLine" stands for CommandLine */
	SQ_PATH_PAIR_LIST = 1u << 8, /* the same as PAIRS, but in an array only */
};

/** Signs of a producer; which of them make which shape is told in shape.c. */
enum sq_hint {
	SQ_HINT_NONE,
	SQ_HINT_WINLOG,
	SQ_HINT_LOG_NAME,
	SQ_HINT_EVENT_SYSTEM,
	SQ_HINT_SYSTEM,
	SQ_HINT_WAZUH,
	SQ_HINT_META,
	SQ_HINT_STRING_INSERTS,
	SQ_HINT_PROVIDER_NAME,
	SQ_HINT_PROVIDER_NAME_LOWER,
	SQ_HINT_OTEL,
	SQ_HINT_GELF,
	SQ_HINT_TELEGRAF,
	SQ_HINT_NXLOG,
	SQ_HINT_FLAT,
	SQ_HINT_SENTINEL,
	SQ_HINT_HELK,
	SQ_HINT_BULK,
	SQ_HINT_OSQUERY,
	SQ_HINT_EVENT_DATA,
	SQ_HINT_EVENT_DATA_TOP,
	SQ_HINT_XML,   /* set when XML was read */
	SQ_HINT_LIST,  /* set when an array without names was */
	SQ_HINT_LISTS, /* a member that is a list of events, of an object that may be none (lists.h)
	                */
	SQ_HINT_TYPED, /* values that say their type (typed.h) */
};

/** How good a place is: the lower of two that both give a value wins. Rows of one field and band
 *  are ranked by their order in the table. */
enum sq_band {
	SQ_BAND_NATIVE = 1,
	SQ_BAND_NAMES = 60, /* EventData names, wherever they stand */
	SQ_BAND_XML = 100,
	SQ_BAND_LIST = 110,
	SQ_BAND_ECS = 120,
	SQ_BAND_WEAK = 180,
	SQ_BAND_MESSAGE = 250,
	SQ_BAND_LAST = 251,
	SQ_BAND_MADE = 255, /* by semantics.c */
};

struct sq_path {
	const char *path; /* components separated by '.', behind a last '.' an empty key; "" is the
	                   * record itself */
	uint16_t kind;    /* enum sq_path_kind, or-ed */
	uint16_t field;   /* of FIELD: enum sq_field or enum sq_aux */
	uint8_t band;     /* enum sq_band, of FIELD and NAMES */
	uint8_t hint;     /* enum sq_hint */
};

extern const struct sq_path sq_fieldmap[];
extern const size_t sq_fieldmap_n;

/** One place, compiled. */
struct sq_node {
	uint16_t field;
	uint16_t kind;
	uint8_t rank;       /* of `field` */
	uint8_t names_rank; /* of its members */
	uint8_t hint;
	bool parent; /* it has places under it */
};

enum { SQ_NODE_NONE = 0, SQ_NODE_ROOT = 1, SQ_NODES_MAX = 1024 };

struct sq_trie;

/** Compile the table. NULL: out of memory. */
struct sq_trie *sq_trie_new(void);
void sq_trie_free(struct sq_trie *t);

const struct sq_node *sq_trie_node(const struct sq_trie *t, uint32_t node);

/** The place `key` under `node`, or SQ_NODE_NONE; `hash` is sq_key_hash(key). */
uint32_t sq_trie_find(const struct sq_trie *t, uint32_t node, struct sq_sv key, uint32_t hash);

/** One step from a place to another. */
struct sq_step {
	uint32_t hash; /* of the key, mixed with `from` */
	uint16_t from, to;
	struct sq_sv key;
};

/** Look at all of them: start with `*at` = 0. @return NULL: no more */
const struct sq_step *sq_trie_next_step(const struct sq_trie *t, size_t *at);
