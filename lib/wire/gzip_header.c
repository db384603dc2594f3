#include "lib/wire/gzip_header.h"

#include <errno.h>

enum { FHCRC = 2, FEXTRA = 4, FNAME = 8, FCOMMENT = 16, RESERVED = 0xe0 };

enum part { FIXED, EXTRA_LENGTH, EXTRA, NAME, COMMENT, CHECKSUM, END };

/* The next part that the member has. */
static enum part part_after(const struct sq_gzip_header *h)
{
	static const uint8_t of[END] = {
		[EXTRA_LENGTH] = FEXTRA, [EXTRA] = FEXTRA,   [NAME] = FNAME,
		[COMMENT] = FCOMMENT,    [CHECKSUM] = FHCRC,
	};
	enum part p = h->part + 1;

	while (p < END && !(h->flags & of[p]))
		p++;
	return p;
}

static void go_on(struct sq_gzip_header *h)
{
	h->part = part_after(h);
	h->seen = 0;
	if (h->part == EXTRA && !h->left)
		h->part = part_after(h);
}

static int take_fixed(struct sq_gzip_header *h, uint8_t byte)
{
	static const uint8_t begins[] = { 0x1f, 0x8b, 8 }; /* deflate */
	enum { FLAGS = sizeof(begins), LENGTH = 10 };      /* then time, level and system */

	if (h->seen < sizeof(begins) && byte != begins[h->seen])
		return -EBADMSG;
	if (h->seen == FLAGS) {
		h->flags = byte;
		if (byte & RESERVED)
			return -EBADMSG;
	}
	if (++h->seen == LENGTH)
		go_on(h);
	return 0;
}

static int take(struct sq_gzip_header *h, uint8_t byte)
{
	switch ((enum part)h->part) {
	case FIXED:
		return take_fixed(h, byte);
	case EXTRA_LENGTH:
		h->left = (uint16_t)(h->left | byte << 8 * h->seen);
		if (++h->seen == 2)
			go_on(h);
		break;
	case EXTRA:
		if (!--h->left)
			go_on(h);
		break;
	case NAME:
	case COMMENT:
		if (!byte)
			go_on(h);
		break;
	case CHECKSUM:
		if (++h->seen == 2)
			go_on(h);
		break;
	case END:
		break;
	}
	return 0;
}

int sq_gzip_header_run(struct sq_gzip_header *h, struct sq_sv in, size_t *ret_used)
{
	size_t i = 0;
	int r = 0;

	while (r == 0 && i < in.n && h->part != END)
		r = take(h, (uint8_t)in.p[i++]);
	*ret_used = i;
	return r < 0 ? r : h->part == END;
}
