#include "lib/wire/gzip.h"

#include <isa-l/igzip_lib.h>

enum {
	STORED_MAX = 65535, /* bytes of a stored block, which has a head of 5 bytes */
	STORED_HEAD = 5,
	ENDS = 64, /* of a member, and more */
};

void sq_gzip(struct sq_sv plain, struct sq_outbuf *out)
{
	size_t room = plain.n + (plain.n / STORED_MAX + 1) * STORED_HEAD + ENDS;
	/* ISA-L counts in 32 bits. */
	char *to = plain.n < UINT32_MAX / 2 ? sq_outbuf_reserve(out, room) : NULL;
	struct isal_zstream s;
	int r;

	if (!to) {
		out->failed = true;
		return;
	}
	isal_deflate_stateless_init(&s);
	/* It only reads through the pointer; its type does not say so. */
	memcpy(&s.next_in, &plain.p, sizeof(s.next_in));
	s.avail_in = (uint32_t)plain.n;
	s.next_out = (uint8_t *)to;
	s.avail_out = (uint32_t)room;
	s.end_of_stream = 1;
	s.flush = NO_FLUSH;
	s.gzip_flag = IGZIP_GZIP;
	r = isal_deflate_stateless(&s);
	if (r == COMP_OK && s.avail_in == 0)
		out->len += room - s.avail_out;
	else
		out->failed = true;
}
