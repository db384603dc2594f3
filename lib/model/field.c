#include "lib/model/field.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/model/keyhash.h"

enum {
	SLOTS = 4096,   /* four times SQ_FIELDS_MAX: a miss ends after one look, nearly always */
	NAME_MAX = 256, /* bytes of a field name; Windows' own are far shorter */
};

struct slot {
	uint32_t hash;
	uint32_t number; /* 1 + number; 0: empty */
};

struct sq_fields {
	uint32_t n;
	struct sq_sv names[SQ_FIELDS_MAX]; /* those from SQ_F_CANONICAL on are owned */
	struct slot slots[SLOTS];
};

static const struct sq_sv canonical[] = {
#define SQ_FIELD_NAME(id, name) SQ_SV(name),
	SQ_FIELDS(SQ_FIELD_NAME)
#undef SQ_FIELD_NAME
#define SQ_FIELD_NAME(id, name, says, example) SQ_SV(name),
		SQ_DERIVED(SQ_FIELD_NAME)
#undef SQ_FIELD_NAME
};

static_assert(SQ_LEN(canonical) == SQ_F_CANONICAL, "one name for each canonical field");
static_assert(SLOTS > 2 * SQ_FIELDS_MAX, "an open hash table needs room");

static void insert(struct sq_fields *f, struct sq_sv name)
{
	uint32_t hash = sq_key_hash(name);
	uint32_t at = hash % SLOTS;

	sq_assert(f->n < SQ_FIELDS_MAX);
	while (f->slots[at].number)
		at = (at + 1) % SLOTS;
	f->slots[at] = (struct slot){ hash, f->n + 1 };
	f->names[f->n++] = name;
}

struct sq_fields *sq_fields_new(void)
{
	struct sq_fields *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	for (size_t i = 0; i < SQ_LEN(canonical); i++)
		insert(f, canonical[i]);
	return f;
}

/* The owned names are ours, const only for those who read them. */
static void free_name(struct sq_sv name)
{
	union {
		const char *in;
		void *out;
	} p = { name.p };

	free(p.out);
}

void sq_fields_free(struct sq_fields *f)
{
	if (!f)
		return;
	for (uint32_t i = SQ_F_CANONICAL; i < f->n; i++)
		free_name(f->names[i]);
	free(f);
}

int sq_fields_add(struct sq_fields *f, struct sq_sv name)
{
	int number = sq_fields_find(f, name);
	char *copy;

	if (number >= 0)
		return number;
	if (f->n == SQ_FIELDS_MAX || name.n > NAME_MAX)
		return -ENOSPC;
	copy = malloc(name.n + 1);
	if (!copy)
		return -ENOMEM;
	if (name.n)
		memcpy(copy, name.p, name.n);
	copy[name.n] = '\0';
	insert(f, (struct sq_sv){ copy, name.n });
	return (int)f->n - 1;
}

int sq_fields_find(const struct sq_fields *f, struct sq_sv name)
{
	return sq_fields_find_hashed(f, name, sq_key_hash(name));
}

int sq_fields_find_hashed(const struct sq_fields *f, struct sq_sv name, uint32_t hash)
{
	for (uint32_t at = hash % SLOTS; f->slots[at].number; at = (at + 1) % SLOTS) {
		uint32_t number = f->slots[at].number - 1;

		if (f->slots[at].hash == hash && sq_sv_eq(f->names[number], name))
			return (int)number;
	}
	return -1;
}

uint32_t sq_fields_count(const struct sq_fields *f)
{
	return f->n;
}

struct sq_sv sq_fields_name(const struct sq_fields *f, uint32_t number)
{
	sq_assert(number < f->n);
	return f->names[number];
}
