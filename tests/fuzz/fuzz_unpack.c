/* Unpacking against zlib on the same bytes: what the one takes the other takes, and the same comes
 * out. Input and output end at pages that cannot be touched, since the library that does the work
 * is assembly that no sanitizer sees into.
 *
 * The first byte says the kind and how small the pieces are. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zlib.h>

#include "lib/wire/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE = 4096, IN_MAX = 16 * PAGE, OUT_MAX = 64 * PAGE };

/* `n` bytes of address space with a page behind them that traps. */
static char *guarded(size_t n)
{
	char *p = mmap(NULL, n + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	sq_assert(p != MAP_FAILED);
	sq_assert(mprotect(p + n, PAGE, PROT_NONE) == 0);
	return p;
}

/* What zlib makes of it. @return 1 whole, with nothing behind it; 0 goes on; -1 refused; -2 refused
 * for a set of codes with some missing, which the library takes as long as none of these is used */
static int by_zlib(int window_bits, struct sq_sv in, char *to, size_t *ret_made)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p,
		       .avail_in = (uInt)in.n,
		       .next_out = (Bytef *)to,
		       .avail_out = OUT_MAX };
	int r;

	sq_assert(inflateInit2(&z, window_bits) == Z_OK);
	r = in.n ? inflate(&z, Z_SYNC_FLUSH) : Z_BUF_ERROR;
	*ret_made = OUT_MAX - z.avail_out;
	r = r == Z_STREAM_END ? (z.avail_in ? -1 : 1) : r == Z_OK || r == Z_BUF_ERROR ? 0 : -1;
	if (r < 0 && z.msg && strstr(z.msg, " set"))
		r = -2;
	inflateEnd(&z);
	return r;
}

/* Every piece of input ends at a trap, and so does every room. */
static int by_us(struct sq_unpack *u, struct sq_sv in, size_t piece, size_t room, char *out,
                 size_t *ret_made)
{
	static char *in_page, *out_page;
	size_t used, made;
	int r = 0;

	in_page = in_page ? in_page : guarded(IN_MAX);
	out_page = out_page ? out_page : guarded(OUT_MAX);
	*ret_made = 0;
	while (r == 0 && in.n) {
		struct sq_sv part = sq_sv_first(in, piece), left = part;

		left.p = in_page + IN_MAX - part.n;
		memcpy(in_page + IN_MAX - part.n, part.p, part.n);
		do {
			r = sq_unpack_run(u, left, &used, out_page + OUT_MAX - room, room, &made);
			sq_assert(used <= left.n && made <= room);
			left = sq_sv_skip(left, used);
			if (made > OUT_MAX - *ret_made)
				return -ENOBUFS;
			memcpy(out + *ret_made, out_page + OUT_MAX - room, made);
			*ret_made += made;
		} while (r == 0 && made == room);
		sq_assert(r != 0 || left.n == 0);
		in = sq_sv_skip(in, part.n);
		if (r == 1 && in.n)
			r = 0;
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sq_unpack_kind kinds[] = { SQ_UNPACK_ZLIB, SQ_UNPACK_GZIP,
		                                     SQ_UNPACK_DEFLATE, SQ_UNPACK_ZSTD };
	static const int bits[] = { 15, 15 + 16, -15 };
	static const size_t pieces[] = { IN_MAX, 1, 7, 100 }, rooms[] = { OUT_MAX, 1, 60, 5000 };
	static struct sq_unpack *u;
	static char ours[OUT_MAX], theirs[OUT_MAX];
	struct sq_sv in = { (const char *)data + 1, size ? size - 1 : 0 };
	enum sq_unpack_kind kind;
	size_t n, m;
	int r, z;

	if (!size || size > IN_MAX)
		return 0;
	u = u ? u : sq_unpack_new();
	kind = kinds[data[0] & 3];
	sq_assert(sq_unpack_begin(u, kind, (struct sq_unpack_limits){ 0 }) == 0);
	r = by_us(u, in, pieces[data[0] >> 2 & 3], rooms[data[0] >> 4 & 3], ours, &n);
	if (r == -ENOBUFS || kind == SQ_UNPACK_ZSTD)
		return 0;
	if (kind == SQ_UNPACK_DEFLATE && in.n >= 2 && (in.p[0] & 15) == 8 &&
	    ((unsigned char)in.p[0] << 8 | (unsigned char)in.p[1]) % 31 == 0)
		return 0; /* it has a header after all */
	z = by_zlib(bits[data[0] & 3], in, theirs, &m);
	/* zlib looks at one member, and stops at fields of gzip's head that we pass over. */
	if (kind == SQ_UNPACK_GZIP)
		return 0;
	if (z == 1) {
		sq_assert(r == 1 && n == m);
		sq_assert(memcmp(ours, theirs, n) == 0);
	}
	sq_assert(r != 1 || z == 1 || z == -2);
	/* Damage may be noticed at another place, but what came before it is the same. */
	sq_assert(memcmp(ours, theirs, n < m ? n : m) == 0);
	return 0;
}
