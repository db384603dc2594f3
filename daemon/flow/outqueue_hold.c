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

static bool written(const struct sqd_outqueue *letters, const struct sqd_hold *h)
{
	return sqd_outqueue_passed(letters) >= h->mark;
}

/* Not waited for any longer: they are written, or nobody knows when they will be. */
static bool over(struct sqd_outqueue *q, const struct sqd_hold *h)
{
	if (written(q->letters, h))
		return true;
	if (!q->letters->out->failing)
		return false;
	q->counts.refused_unsafe += h->n;
	return true;
}

/* @return whether one was let go */
static bool let_go(struct sqd_outqueue *q)
{
	unsigned before = q->n_holds;

	while (q->n_holds && over(q, &q->holds[0])) {
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
	struct sqd_hold h = { .at = answered_to(q), .mark = sqd_outqueue_taken(letters), .n = 1 };
	struct sqd_hold *last;

	sq_assert(!q->letters || q->letters == letters);
	follow(q, letters);
	(void)let_go(q);
	if (over(q, &h))
		return;
	last = q->n_holds ? &q->holds[q->n_holds - 1] : NULL;
	/* Of the same send, or there is no room for one more: the later letter is waited for. */
	if (last && (last->at == h.at || q->n_holds == SQ_LEN(q->holds))) {
		last->mark = h.mark;
		last->n++;
	} else {
		q->holds[q->n_holds++] = h;
	}
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
