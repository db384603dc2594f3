#include <errno.h>
#include <stdlib.h>

#include "daemon/input/http_private.h"

void sqd_acks_fini(struct sqd_acks *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		free(a->list[i]);
	free(a->list);
	*a = (struct sqd_acks){ .max = a->max };
}

/* One that may be given another name: the one that nobody has used for longest. */
static struct sqd_channel *oldest(const struct sqd_acks *a)
{
	struct sqd_channel *found = NULL;

	for (uint32_t i = 0; i < a->n; i++) {
		struct sqd_channel *ch = a->list[i];

		if (!ch->pending && !ch->begun && (!found || ch->used_ms < found->used_ms))
			found = ch;
	}
	return found;
}

static struct sqd_channel *make_channel(struct sqd_acks *a)
{
	struct sqd_channel *ch;

	if (a->n == a->max)
		return oldest(a);
	if (!a->list)
		a->list = calloc(a->max, sizeof(struct sqd_channel *));
	ch = a->list ? malloc(sizeof(*ch)) : NULL;
	if (ch)
		a->list[a->n++] = ch;
	return ch;
}

struct sqd_channel *sqd_acks_channel(struct sqd_acks *a, struct sq_sv name, const char *user,
                                     uint64_t now_ms, bool make)
{
	struct sqd_channel *ch = NULL;

	for (uint32_t i = 0; i < a->n && !ch; i++) {
		if (sq_sv_eq(sq_sv_of(a->list[i]->name), name) &&
		    strcmp(a->list[i]->user, user) == 0)
			ch = a->list[i];
	}
	if (!ch && make) {
		sq_assert(name.n < sizeof(ch->name) && strlen(user) < sizeof(ch->user));
		ch = make_channel(a);
		if (ch) {
			*ch = (struct sqd_channel){ 0 };
			memcpy(ch->name, name.p, name.n);
			memcpy(ch->user, user, strlen(user));
		}
	}
	if (ch)
		ch->used_ms = now_ms;
	return ch;
}

bool sqd_acks_begin(struct sqd_channel *ch, uint64_t *ret_id)
{
	uint8_t *state = &ch->state[ch->next % SQD_HTTP_ACK_WINDOW];

	if (*state == SQD_ACK_PENDING)
		return false;
	*state = SQD_ACK_PENDING;
	ch->pending++;
	*ret_id = ch->next++;
	return true;
}

void sqd_acks_settled(struct sqd_channel *ch, uint64_t id, bool lost)
{
	sq_assert(ch->pending && ch->next - id <= SQD_HTTP_ACK_WINDOW);
	ch->pending--;
	ch->state[id % SQD_HTTP_ACK_WINDOW] = lost ? SQD_ACK_NONE : SQD_ACK_SETTLED;
}

bool sqd_acks_ask(const struct sqd_channel *ch, uint64_t id)
{
	return id < ch->next && ch->next - id <= SQD_HTTP_ACK_WINDOW &&
	       ch->state[id % SQD_HTTP_ACK_WINDOW] == SQD_ACK_SETTLED;
}
