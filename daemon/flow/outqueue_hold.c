/* What was refused has not passed before its dead letter has. Places of a queue only grow, and so
 * do those of the dead letters: two holds are enough, the one that is waited for and one for all
 * that was refused since, so that a queue of which something is refused all the time still goes on.
 */
#include "daemon/flow/outqueue_private.h"

/* How far all has been answered: a hold begins in front of the send whose answer is next. */
static uint64_t answered_to(const struct sqd_outqueue *q)
{
	return q->spool ? sqd_outspool_answered(q) : q->taken - q->bytes;
}

static bool safe(const struct sqd_outqueue *letters, const struct sqd_hold *h)
{
	return letters->out->failing || sqd_outqueue_passed(letters) >= h->mark;
}

/* @return whether one was let go */
static bool let_go(struct sqd_outqueue *q)
{
	unsigned before = q->n_holds;

	while (q->n_holds && safe(q->letters, &q->holds[0])) {
		q->holds[0] = q->holds[1];
		q->n_holds--;
	}
	return q->n_holds != before;
}

static void follow(struct sqd_outqueue *q, struct sqd_outqueue *letters)
{
	if (q->letters)
		return;
	q->letters = letters;
	q->next_holder = letters->holders;
	letters->holders = q;
}

void sqd_outqueue_forget_letters(struct sqd_outqueue *q)
{
	struct sqd_outqueue **at;

	if (!q->letters)
		return;
	for (at = &q->letters->holders; *at != q; at = &(*at)->next_holder)
		;
	*at = q->next_holder;
	q->letters = NULL;
}

void sqd_outqueue_hold(struct sqd_outqueue *q, struct sqd_outqueue *letters)
{
	struct sqd_hold h = { .at = answered_to(q), .mark = sqd_outqueue_taken(letters) };

	sq_assert(!q->letters || q->letters == letters);
	follow(q, letters);
	(void)let_go(q);
	if (safe(letters, &h))
		return;
	if (q->n_holds && q->holds[q->n_holds - 1].at == h.at)
		q->n_holds--; /* of the same send: the later letter is what is waited for */
	else if (q->n_holds == SQ_LEN(q->holds))
		h.at = q->holds[--q->n_holds].at;
	q->holds[q->n_holds++] = h;
}

uint64_t sqd_outqueue_held(const struct sqd_outqueue *q)
{
	return q->n_holds ? q->holds[0].at : UINT64_MAX;
}

void sqd_outqueue_letters_passed(struct sqd_outqueue *letters)
{
	for (struct sqd_outqueue *q = letters->holders; q; q = q->next_holder)
		if (let_go(q))
			sqd_outqueue_tell_passed(q);
}
