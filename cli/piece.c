#include "cli/piece.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/view.h"

enum {
	ARENA = 2 * 1024 * 1024,
	OUT = 1024 * 1024,
	HEADER = 4096, /* of a record, at most; also the least there is room for behind one */
	BEHIND = 8192, /* bytes read beyond a piece: most lines end within */
};

uint32_t piece_chunk(uint32_t max_record)
{
	return max_record + PIECE + BEHIND + HEADER;
}

static bool open_sink(struct cli_sink *s)
{
	s->text = open_memstream(&s->text_p, &s->text_n);
	s->told = open_memstream(&s->told_p, &s->told_n);
	return s->text && s->told;
}

struct piece *piece_new(uint32_t max_record, const struct sq_sieve *sieve, bool with_sink)
{
	struct piece *p = calloc(1, sizeof(*p));
	struct sq_batch_limits limits = {
		.chunk = piece_chunk(max_record),
		.records = PIECE_RECORDS,
		.origins = 1,
		.arena = ARENA > max_record ? ARENA : max_record,
		.out = OUT,
	};

	if (!p)
		return NULL;
	p->sieve = sieve;
	p->batch = sq_batch_new(&limits);
	if (!p->batch || (with_sink && !open_sink(&p->sink))) {
		piece_free(p);
		return NULL;
	}
	return p;
}

void piece_free(struct piece *p)
{
	if (!p)
		return;
	if (p->sink.text)
		fclose(p->sink.text);
	if (p->sink.told)
		fclose(p->sink.told);
	free(p->sink.text_p);
	free(p->sink.told_p);
	sq_batch_free(p->batch);
	free(p);
}

void piece_clear_sink(struct piece *p)
{
	memset(p->sink.found, 0, sizeof(p->sink.found));
	if (p->sink.text)
		rewind(p->sink.text);
	if (p->sink.told)
		rewind(p->sink.told);
}

void piece_reset(struct piece *p)
{
	struct piece kept = { .batch = p->batch, .sink = p->sink, .sieve = p->sieve };

	*p = kept;
	sq_batch_reset(p->batch);
	piece_clear_sink(p);
}

static int tell_foreign(const struct sq_frame *frame, struct cli_input *in, struct sq_err *err)
{
	const char *what = "HTTP";

	if (frame->foreign == SQ_FRAME_TLS)
		what = "TLS";
	else if (frame->foreign == SQ_FRAME_UTF16)
		what = "UTF-16 text";
	else if (frame->foreign == SQ_FRAME_LUMBERJACK)
		what = "Lumberjack (Beats)";
	return sq_err_set(err, -EPROTO, "%s: holds no events: these are bytes of %s",
	                  cli_input_name(in), what);
}

static void add_origin(struct sq_batch *b)
{
	if (!b->n_origins) {
		int origin = sq_batch_origin(b, NULL, "");

		sq_assert(origin == 0);
	}
}

/* Cut the bytes of the chunk from p->head to its tail, as far as there are records and room for
 * them. @return 1: there is no room, 0: bytes are needed, or -EPROTO */
static int cut(struct piece *p, bool eof)
{
	struct sq_batch *b = p->batch;

	add_origin(b);
	/* Room for one more is made before the frame gives it, since it gives it once. */
	while (b->n_records < b->limits.records) {
		struct sq_sv in = { b->chunk + p->head, b->tail - p->head }, rec;
		size_t used;
		int r = sq_frame_next(&p->frame, in, eof, &used, &rec);

		p->head += (uint32_t)used;
		if (r == 0 || r == -EPROTO)
			return r;
		b->counts.received++;
		if (r == -EMSGSIZE) {
			b->counts.oversized++;
			continue;
		}
		r = sq_batch_add(b, 0, rec);
		sq_assert(r == 0);
	}
	return 1;
}

/* Read what there is room for, at most a piece. @return as cli_input_read() */
static ssize_t read_more(struct piece *p, struct cli_input *in, struct sq_err *err)
{
	struct sq_batch *b = p->batch;
	size_t room = sq_batch_room(b);
	ssize_t n;

	sq_assert(room > 0);
	n = cli_input_read(in, b->chunk + b->tail, room < PIECE ? room : PIECE, err);
	if (n > 0) {
		b->tail += (uint32_t)n;
		p->bytes += (uint64_t)n;
	}
	return n;
}

int piece_next(struct piece *p, struct cli_input *in, struct carry *carry, struct sq_err *err)
{
	struct sq_batch *b = p->batch;
	/* More than a record is left over only where there was no room for more records. */
	bool full = carry->n > b->limits.chunk - PIECE;
	int r;

	memcpy(b->chunk, carry->bytes, carry->n);
	b->tail = carry->n;
	p->frame = carry->frame;
	carry->n = 0;
	do {
		ssize_t n = full ? 1 : read_more(p, in, err);

		full = false;
		if (n < 0)
			return (int)n;
		r = cut(p, n == 0);
		if (r < 0)
			return tell_foreign(&p->frame, in, err);
		p->eof = r == 0 && n == 0;
		if (b->counts.received || p->eof)
			break;
		memmove(b->chunk, b->chunk + p->head, b->tail - p->head);
		b->tail -= p->head;
		p->head = 0;
	} while (true);
	p->at = cli_input_at(in);
	carry->n = b->tail - p->head;
	memcpy(carry->bytes, b->chunk + p->head, carry->n);
	carry->frame = p->frame;
	return !p->eof;
}

/* Read from offset `at` of the file to the end of the chunk until `n` bytes of it are used.
 * @return 0; -ENODATA at the end of the file, or another negative errno */
static int read_to(struct piece *p, struct cli_input *in, uint64_t at, size_t n)
{
	struct sq_batch *b = p->batch;

	if (n > b->limits.chunk)
		n = b->limits.chunk;
	while (b->tail < n) {
		ssize_t r = cli_input_pread(in, b->chunk + b->tail, n - b->tail, at + b->tail);

		if (r <= 0)
			return r < 0 ? (int)r : -ENODATA;
		b->tail += (uint32_t)r;
	}
	return 0;
}

/* Find the first LF from byte `from` of the chunk on, reading what is needed.
 * @return 0 with the place behind it; -ENODATA: not to the end of the file; -EMSGSIZE: not in a
 * chunk; or another negative errno */
static int find_line(struct piece *p, struct cli_input *in, uint64_t at, size_t from, size_t *ret)
{
	struct sq_batch *b = p->batch;
	int r = 0;

	for (;;) {
		struct sq_sv v = { b->chunk, b->tail };
		size_t lf = from < v.n ? sq_sv_chr(sq_sv_skip(v, from), '\n') : SIZE_MAX;

		if (lf != SIZE_MAX) {
			*ret = from + lf + 1;
			return 0;
		}
		if (r < 0)
			return r;
		if (from < v.n)
			from = v.n;
		if (v.n == b->limits.chunk)
			return -EMSGSIZE;
		r = read_to(p, in, at, (from > v.n ? from : v.n) + BEHIND);
	}
}

/* What is read lies where nobody else writes; the chunk has room for all that was looked at. */
static void copy(struct sq_batch *b, struct sq_sv *raw)
{
	char *to = b->chunk + b->tail;

	sq_assert(raw->n <= sq_batch_room(b));
	memcpy(to, raw->p, raw->n);
	raw->p = to;
	b->tail += (uint32_t)raw->n;
}

/* The piece from byte `at` of the file to the first line end at or behind `whole` more of them,
 * from where it is mapped: lines of objects, as nearly all files have them. Most of them nobody
 * copies.
 * @return false: it is not as simple as that, and nothing has been done */
static bool view_lines(struct piece *p, struct cli_input *in, uint64_t at, bool first, size_t whole,
                       uint32_t max_record)
{
	struct sq_batch *b = p->batch;
	struct sq_sv v = { 0 }, text;
	size_t begin = 0, end;
	uint32_t lines;

	if (p->sieve)
		v = cli_input_view(in, at, b->limits.chunk);
	if (whole >= v.n)
		return false;
	if (!first)
		begin = sq_sv_chr(v, '\n') + 1; /* none: SIZE_MAX, and one more */
	end = whole + sq_sv_chr(sq_sv_skip(v, whole), '\n') + 1;
	if ((!begin && !first) || begin > whole || end <= whole)
		return false;
	text = (struct sq_sv){ v.p + begin, end - begin };
	add_origin(b);
	if (!sq_sieve_lines(p->sieve, b, 0, text, max_record, NULL, NULL, &lines)) {
		sq_batch_reset(b);
		return false;
	}
	for (uint32_t i = 0; i < b->n_records; i++)
		copy(b, &b->records[i].raw);
	if (!cli_view_held()) {
		sq_batch_reset(b);
		return false;
	}
	b->counts.received = lines;
	b->sieve = sq_sieve_generation(p->sieve);
	p->frame = sq_frame_between(max_record);
	p->head = b->tail;
	p->start = at + begin;
	p->end = p->at = at + end;
	p->bytes = text.n;
	return true;
}

int piece_ahead(struct piece *p, struct cli_input *in, uint64_t base, uint64_t k,
                uint32_t max_record, struct sq_err *err)
{
	struct sq_batch *b = p->batch;
	/* One byte is before the piece: the line end that it may begin behind. */
	uint64_t at = base + k * PIECE - (k > 0);
	size_t begin = 0, end = 0, whole = PIECE + (k > 0) - 1;
	int r;

	p->ahead = true;
	if (view_lines(p, in, at, k == 0, whole, max_record))
		return 0;
	r = read_to(p, in, at, whole + BEHIND);
	p->frame = sq_frame_of(max_record);
	if (k > 0)
		p->frame = sq_frame_between(max_record);
	if (k > 0 && (r == 0 || r == -ENODATA))
		r = find_line(p, in, at, 0, &begin);
	else if (r == -ENODATA)
		r = 0;
	if (r == 0) {
		r = find_line(p, in, at, whole, &end);
		p->eof = r == -ENODATA;
		/* Without an end it ends anywhere, and is not clean. */
		if (r == -ENODATA || r == -EMSGSIZE) {
			end = b->tail;
			r = 0;
		}
	}
	if (r < 0 || end < begin) {
		p->failed = true;
		return 0;
	}
	b->tail = (uint32_t)end;
	p->head = (uint32_t)begin;
	p->start = at + begin;
	p->end = p->at = at + end;
	p->bytes = end - begin;
	r = cut(p, p->eof);
	if (r == -EPROTO)
		return tell_foreign(&p->frame, in, err);
	p->eof = p->eof && r == 0;
	return 0;
}

bool piece_is_clean(const struct piece *p)
{
	return p->head == p->batch->tail && sq_frame_is_between(&p->frame);
}
