#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "cli/view.h"

enum { PACKED_BLOCK = 256 * 1024, MAGIC_BYTES = 4 };

enum packing { PLAIN, GZIP, ZSTD };

struct cli_input {
	char *path;
	int fd;
	bool own_fd, regular;
	bool ended; /* read(2) has given 0 */
	enum packing packing;
	uint64_t at, size;
	struct sq_sv view; /* of a plain file */
	/* Bytes read from the file and not yet used: the first few, or a packed block. */
	char *block;
	size_t head, tail;
	bool inside; /* a packed stream has begun and not ended */
	z_stream gzip;
	ZSTD_DStream *zstd;
};

/* One read(2) into the block, which is empty. 1: bytes, 0: the end. */
static int fill(struct cli_input *in, size_t want, struct sq_err *err)
{
	ssize_t n;

	if (in->ended)
		return 0;
	do
		n = read(in->fd, in->block + in->tail, want);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return sq_err_set(err, -errno, "%s: %s", in->path, sq_strerror(-errno));
	if (n == 0)
		in->ended = true;
	in->tail += (size_t)n;
	in->at += (uint64_t)n;
	return n > 0;
}

/* What people give that holds no records as it is, known by its first bytes. */
static int refuse_foreign(const struct cli_input *in, struct sq_err *err)
{
	static const struct {
		const char *magic, *what;
	} kinds[] = {
		{ "\xff\xfe", "is UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8" },
		{ "\xfe\xff", "is UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8" },
		{ "ElfF",
		  "is a Windows event log (.evtx); make JSON of it first, as evtx_dump does" },
		{ "PK\x03\x04", "is a zip archive; unpack it first" },
		{ "\xfd\x37zX", "is packed with xz; unpack it first" },
	};
	struct sq_sv head = { in->block, in->tail };

	for (size_t i = 0; i < SQ_LEN(kinds); i++)
		if (sq_sv_starts(head, sq_sv_of(kinds[i].magic)))
			return sq_err_set(err, -EILSEQ, "%s: %s", in->path, kinds[i].what);
	if (sq_sv_starts(head, SQ_SV("BZh")) && head.n > 3 && head.p[3] >= '1' && head.p[3] <= '9')
		return sq_err_set(err, -EILSEQ, "%s: is packed with bzip2; unpack it first",
		                  in->path);
	return 0;
}

/* A file that is called .gz or .zst, and is not packed: often JSON, since a browser or a script has
 * unpacked it and left its name. Anything else is not what it was to be: cut to nothing, a page
 * that says why there is no such file. Its lines would only count as malformed. */
static int judge_name(const struct cli_input *in, struct sq_err *err)
{
	struct sq_sv head = { in->block, in->tail }, name = sq_sv_of(in->own_fd ? in->path : "");
	const char *kind = sq_sv_iends(name, SQ_SV(".gz"))    ? "gzip"
	                   : sq_sv_iends(name, SQ_SV(".zst")) ? "zstd"
	                                                      : NULL;

	if (!kind)
		return 0;
	if (sq_sv_starts(head, SQ_SV("\xef\xbb\xbf")))
		head = sq_sv_skip(head, 3);
	head = sq_sv_trim(head);
	if (sq_sv_starts(head, SQ_SV("{")) || sq_sv_starts(head, SQ_SV("[")))
		return 0;
	if (!in->tail)
		return sq_err_set(err, -EBADMSG, "%s: is empty, and no %s data", in->path, kind);
	return sq_err_set(err, -EBADMSG,
	                  "%s: is not packed with %s, though its name says so, nor is it JSON",
	                  in->path, kind);
}

static int start_unpacking(struct cli_input *in, struct sq_err *err)
{
	const unsigned char *p = (const unsigned char *)in->block;
	size_t n = in->tail;

	if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
		/* 15 + 16: gzip only, with the largest window. */
		if (inflateInit2(&in->gzip, 15 + 16) != Z_OK)
			return sq_err_set(err, -ENOMEM, "%s: out of memory", in->path);
		in->packing = GZIP;
	} else if (n >= 4 && p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd) {
		in->zstd = ZSTD_createDStream();
		if (!in->zstd)
			return sq_err_set(err, -ENOMEM, "%s: out of memory", in->path);
		in->packing = ZSTD;
	} else {
		int r = refuse_foreign(in, err);

		return r < 0 ? r : judge_name(in, err);
	}
	return 0;
}

int cli_input_open(const char *path, struct cli_input **ret, struct sq_err *err)
{
	struct cli_input *in = calloc(1, sizeof(*in));
	struct stat st;
	int r = -ENOMEM;

	if (!in)
		return sq_err_set(err, r, "%s: out of memory", path);
	in->own_fd = strcmp(path, "-") != 0;
	in->path = strdup(in->own_fd ? path : "standard input");
	in->block = malloc(PACKED_BLOCK);
	in->fd = in->own_fd ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
	if (in->fd < 0) {
		r = sq_err_set(err, -errno, "%s: %s", path, sq_strerror(-errno));
		goto fail;
	}
	if (!in->path || !in->block) {
		r = sq_err_set(err, -ENOMEM, "%s: out of memory", path);
		goto fail;
	}
	if (fstat(in->fd, &st) == 0) {
		if (S_ISDIR(st.st_mode)) {
			r = sq_err_set(err, -EISDIR, "%s: is a folder, not a file of events", path);
			goto fail;
		}
		in->regular = S_ISREG(st.st_mode);
		if (in->regular)
			in->size = (uint64_t)st.st_size;
	}
	do
		r = fill(in, MAGIC_BYTES - in->tail, err);
	while (r > 0 && in->tail < MAGIC_BYTES);
	if (r >= 0)
		r = start_unpacking(in, err);
	if (r < 0)
		goto fail;
	*ret = in;
	return 0;

fail:
	cli_input_close(in);
	return r;
}

void cli_input_close(struct cli_input *in)
{
	if (!in)
		return;
	if (in->packing == GZIP)
		inflateEnd(&in->gzip);
	ZSTD_freeDStream(in->zstd);
	if (in->view.n)
		cli_view_close();
	if (in->own_fd && in->fd >= 0)
		close(in->fd);
	free(in->block);
	free(in->path);
	free(in);
}

static ssize_t read_plain(struct cli_input *in, char *to, size_t n, struct sq_err *err)
{
	ssize_t r;

	if (in->head < in->tail) {
		size_t have = in->tail - in->head;

		if (have > n)
			have = n;
		memcpy(to, in->block + in->head, have);
		in->head += have;
		return (ssize_t)have;
	}
	if (in->ended)
		return 0;
	do
		r = read(in->fd, to, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return sq_err_set(err, -errno, "%s: %s", in->path, sq_strerror(-errno));
	in->at += (uint64_t)r;
	return r;
}

/* Unpack from the block into `to`; sets *ret_made. Negative when the data is damaged there. */
static int gunzip(struct cli_input *in, char *to, size_t n, size_t *ret_made, struct sq_err *err)
{
	z_stream *z = &in->gzip;
	int r;

	/* zlib reads through a pointer to plain memory; it does not write there. */
	z->next_in = (Bytef *)in->block + in->head;
	z->avail_in = (uInt)(in->tail - in->head);
	z->next_out = (Bytef *)to;
	z->avail_out = (uInt)n;
	r = inflate(z, Z_NO_FLUSH);
	in->head = in->tail - z->avail_in;
	*ret_made = n - z->avail_out;
	in->inside = true;
	if (r == Z_STREAM_END) { /* another member may follow: gzip files can be concatenated */
		in->inside = false;
		r = inflateReset(z);
	}
	/* What came out before the damage is read; the next call meets the same damage. */
	if (r == Z_OK || r == Z_BUF_ERROR || *ret_made)
		return 0;
	if (r == Z_DATA_ERROR && z->total_in < 10)
		return sq_err_set(err, -EBADMSG,
		                  "%s: bytes that are not gzip follow the packed data", in->path);
	return sq_err_set(err, -EBADMSG, "%s: damaged gzip data%s%s", in->path, z->msg ? ": " : "",
	                  z->msg ? z->msg : "");
}

static int unzstd(struct cli_input *in, char *to, size_t n, size_t *ret_made, struct sq_err *err)
{
	ZSTD_inBuffer from = { in->block, in->tail, in->head };
	ZSTD_outBuffer out = { to, n, 0 };
	size_t r = ZSTD_decompressStream(in->zstd, &out, &from);

	if (ZSTD_isError(r))
		return sq_err_set(err, -EBADMSG, "%s: damaged zstd data: %s", in->path,
		                  ZSTD_getErrorName(r));
	in->head = from.pos;
	in->inside = r != 0;
	*ret_made = out.pos;
	return 0;
}

static ssize_t read_packed(struct cli_input *in, char *to, size_t n, struct sq_err *err)
{
	size_t made = 0;
	int r;

	for (;;) {
		/* Also without new bytes, while a stream is open: the unpacker may hold some. */
		if (in->head < in->tail || in->inside) {
			size_t before = in->head;

			r = in->packing == GZIP ? gunzip(in, to, n, &made, err)
			                        : unzstd(in, to, n, &made, err);
			if (r < 0)
				return r;
			if (made)
				return (ssize_t)made;
			if (in->head < in->tail && in->head != before)
				continue;
		}
		in->head = in->tail = 0;
		r = fill(in, PACKED_BLOCK, err);
		if (r < 0)
			return r;
		if (r == 0 && in->inside)
			return sq_err_set(err, -EBADMSG, "%s: the packed data is cut off",
			                  in->path);
		if (r == 0)
			return 0;
	}
}

ssize_t cli_input_read(struct cli_input *in, char *to, size_t n, struct sq_err *err)
{
	if (n > INT32_MAX)
		n = INT32_MAX;
	return in->packing == PLAIN ? read_plain(in, to, n, err) : read_packed(in, to, n, err);
}

uint64_t cli_input_at(const struct cli_input *in)
{
	return in->at;
}

uint64_t cli_input_size(const struct cli_input *in)
{
	return in->size;
}

const char *cli_input_name(const struct cli_input *in)
{
	return in->path;
}

bool cli_input_is_plain(struct cli_input *in, uint64_t *ret_base)
{
	off_t at;

	if (!in->regular || in->packing != PLAIN)
		return false;
	at = lseek(in->fd, 0, SEEK_CUR);
	if (at < (off_t)in->tail)
		return false;
	*ret_base = (uint64_t)at - in->tail;
	in->view = cli_view_open(in->fd, in->size);
	return true;
}

ssize_t cli_input_pread(const struct cli_input *in, char *to, size_t n, uint64_t at)
{
	ssize_t r;

	do
		r = pread(in->fd, to, n, (off_t)at);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

struct sq_sv cli_input_view(const struct cli_input *in, uint64_t at, size_t n)
{
	struct sq_sv none = { 0 };

	return at < in->view.n && cli_view_held() ? sq_sv_first(sq_sv_skip(in->view, (size_t)at), n)
	                                          : none;
}

int cli_input_seek(struct cli_input *in, uint64_t at, struct sq_err *err)
{
	if (lseek(in->fd, (off_t)at, SEEK_SET) < 0)
		return sq_err_set(err, -errno, "%s: %s", in->path, sq_strerror(-errno));
	in->head = in->tail = 0;
	in->ended = false;
	in->at = at;
	return 0;
}
