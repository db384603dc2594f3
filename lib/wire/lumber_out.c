#include "lib/wire/lumber_out.h"

#include <errno.h>

#include <zlib.h>

/* "2W" count in front of every window; "2J" seq length in front of an event; "2C" length. */
enum { WINDOW_HEAD = 6, EVENT_HEAD = 10, PACKED_HEAD = 6 };

static void write_u32(char *to, size_t n)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(n >> (24 - 8 * i));
}

static void put_head(struct sq_outbuf *b, struct sq_sv type, size_t n)
{
	char number[4];

	write_u32(number, n);
	sq_outbuf_put(b, type);
	sq_outbuf_put(b, (struct sq_sv){ number, sizeof(number) });
}

struct sq_lumber_out sq_lumber_out_of(size_t max)
{
	return (struct sq_lumber_out){ .plain = sq_outbuf_of(max), .packed = sq_outbuf_of(max) };
}

void sq_lumber_out_fini(struct sq_lumber_out *o)
{
	sq_outbuf_fini(&o->plain);
	sq_outbuf_fini(&o->packed);
}

void sq_lumber_out_reset(struct sq_lumber_out *o)
{
	sq_outbuf_reset(&o->plain);
	o->count = 0;
}

struct sq_outbuf *sq_lumber_out_open(struct sq_lumber_out *o)
{
	if (!o->count)
		put_head(&o->plain, SQ_SV("2W"), 0); /* counted at the end */
	o->open_at = o->plain.len;
	put_head(&o->plain, SQ_SV("2J"), o->count + 1);
	put_head(&o->plain, SQ_SV(""), 0);
	return &o->plain;
}

void sq_lumber_out_close(struct sq_lumber_out *o)
{
	o->count++;
	if (!o->plain.failed)
		write_u32(o->plain.p + o->open_at + EVENT_HEAD - 4,
		          o->plain.len - o->open_at - EVENT_HEAD);
}

void sq_lumber_out_add(struct sq_lumber_out *o, struct sq_sv json)
{
	sq_outbuf_put(sq_lumber_out_open(o), json);
	sq_lumber_out_close(o);
}

size_t sq_lumber_out_bytes(const struct sq_lumber_out *o)
{
	return o->plain.len;
}

/* All events into one frame behind the head of the window. */
static int pack(struct sq_lumber_out *o, int level)
{
	struct sq_sv events = sq_sv_skip(sq_outbuf_view(&o->plain), WINDOW_HEAD);
	uLongf n = compressBound(events.n);
	char *to;

	sq_outbuf_reset(&o->packed);
	put_head(&o->packed, SQ_SV("2W"), o->count);
	put_head(&o->packed, SQ_SV("2C"), 0);
	to = sq_outbuf_reserve(&o->packed, n);
	if (!to || compress2((Bytef *)to, &n, (const Bytef *)events.p, events.n, level) != Z_OK)
		return -ENOMEM;
	write_u32(o->packed.p + WINDOW_HEAD + PACKED_HEAD - 4, n);
	o->packed.len += n;
	return 0;
}

int sq_lumber_out_end(struct sq_lumber_out *o, int level, struct sq_sv *ret)
{
	int r;

	sq_assert(o->count);
	if (o->plain.failed)
		return -ENOMEM;
	write_u32(o->plain.p + WINDOW_HEAD - 4, o->count);
	if (!level) {
		*ret = sq_outbuf_view(&o->plain);
		return 0;
	}
	r = pack(o, level);
	if (!r)
		*ret = sq_outbuf_view(&o->packed);
	return r;
}

int sq_lumber_acked_next(struct sq_lumber_acked *a, struct sq_sv *in, uint32_t *ret_seq)
{
	while (in->n) {
		a->bytes[a->n++] = (unsigned char)in->p[0];
		*in = sq_sv_skip(*in, 1);
		/* At once, so that one who greets us with text need not say six bytes. */
		if ((a->n == 1 && a->bytes[0] != '2') || (a->n == 2 && a->bytes[1] != 'A'))
			return -EPROTO;
		if (a->n < sizeof(a->bytes))
			continue;
		a->n = 0;
		*ret_seq = (uint32_t)a->bytes[2] << 24 | (uint32_t)a->bytes[3] << 16 |
		           (uint32_t)a->bytes[4] << 8 | a->bytes[5];
		return 1;
	}
	return 0;
}
