#include "lib/wire/frame_private.h"

#include <endian.h>
#include <errno.h>

#include "lib/base/lineend.h"

/* What the record at the front of the stream is:
 *
 *	START -> LINE | FIRST | MORE | SCALAR -> START
 *	         FIRST -> MORE   at the first line end inside a pretty-printed object
 *
 * FIRST is an object in its first line, which may turn out to be a line of NDJSON; MORE is one cut
 * by its brackets alone; SCALAR is an element of an array that is no container.
 */
enum mode { START, LINE, FIRST, MORE, SCALAR };

enum { OUTSIDE = SQ_FRAME_OUTSIDE, STRING = SQ_FRAME_STRING, ESCAPE = SQ_FRAME_ESCAPE };

enum {
	DIGITS_MAX = 9,  /* of an octet count: more is a line that begins with a number */
	SLACK = 32,      /* blanks at the end of a record that its maximum forgives */
	LOOK_AHEAD = 64, /* blanks between '[' and what tells that it is an array */
};

enum { WAIT = 0, RECORD = 1, AGAIN = 2 }; /* or a negative errno */

/* One call of sq_frame_next(). */
struct cut {
	struct sq_sv in;
	size_t pos; /* bytes of `in` done with; the offsets in struct sq_frame count from here */
	bool eof;
	struct sq_sv record;
};

static struct sq_sv rest_of(const struct cut *c)
{
	return sq_sv_skip(c->in, c->pos);
}

static void advance(struct sq_frame *f, struct cut *c, size_t n)
{
	c->pos += n;
	f->no_end = f->no_end > n ? f->no_end - n : 0;
}

static void begin(struct sq_frame *f, enum mode mode)
{
	f->mode = (uint8_t)mode;
	f->phase = OUTSIDE;
	f->scanned = 0;
	f->depth = 0;
	f->last = 0;
	f->line_start = false;
	f->first_line = false;
	f->dropping = false;
}

/* Blanks at the end do not count, as long as they are few. Said of a part of a record, false stays
 * false for all of it: so the answer does not depend on how the stream was split. */
static bool fits(const struct sq_frame *f, struct sq_sv v)
{
	if (v.n <= f->max_record)
		return true;
	if (v.n - f->max_record > SLACK)
		return false;
	for (size_t i = f->max_record; i < v.n; i++) {
		if (!sq_is_space(v.p[i]))
			return false;
	}
	return true;
}

/* The record is the first `n` bytes; the next one begins after `next` bytes. */
static int finish(struct sq_frame *f, struct cut *c, size_t n, size_t next)
{
	struct sq_sv v = sq_sv_first(rest_of(c), n);
	bool dropped = f->dropping;

	begin(f, START);
	advance(f, c, next);
	if (dropped)
		return AGAIN;
	if (!fits(f, v))
		return -EMSGSIZE;
	v = sq_sv_trim(v);
	if (v.n == 0)
		return AGAIN;
	c->record = v;
	return RECORD;
}

/* The end of the record is not among the bytes there are. */
static int unfinished(struct sq_frame *f, struct cut *c)
{
	struct sq_sv v = rest_of(c);
	bool report;

	if (c->eof)
		return finish(f, c, v.n, v.n);
	f->scanned = v.n;
	if (!f->dropping && fits(f, v))
		return WAIT;
	report = !f->dropping;
	f->dropping = true;
	f->scanned = 0;
	advance(f, c, v.n);
	return report ? -EMSGSIZE : WAIT;
}

/* Position of the first LF or NUL, or SIZE_MAX. */
static size_t line_end(struct sq_frame *f, struct sq_sv v)
{
	size_t more = sq_line_end(sq_sv_skip(v, f->no_end));

	f->no_end = more == SIZE_MAX ? v.n : f->no_end + more;
	return more == SIZE_MAX ? SIZE_MAX : f->no_end;
}

static int cut_line(struct sq_frame *f, struct cut *c)
{
	size_t end = line_end(f, rest_of(c));

	return end == SIZE_MAX ? unfinished(f, c) : finish(f, c, end, end + 1);
}

/* How many bytes at the front are neither a quote, a backslash nor a control: eight at a time. The
 * usual trick of finding a zero byte in a word: the lowest mark is right, those above may not be.
 */
static size_t string_run(struct sq_sv v)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	size_t i = 0;

	for (; v.n - i >= 8; i += 8) {
		uint64_t w, quote, slash, marks;

		memcpy(&w, v.p + i, sizeof(w));
		w = le64toh(w);
		quote = w ^ ones * '"';
		slash = w ^ ones * '\\';
		marks = (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) |
		         ((slash - ones) & ~slash)) &
		        tops;
		if (marks)
			return i + (size_t)__builtin_ctzll(marks) / 8;
	}
	while (i < v.n && (unsigned char)v.p[i] >= 0x20 && v.p[i] != '"' && v.p[i] != '\\')
		i++;
	return i;
}

/* Inside a string, from `i` on. @return position after its closing quote, or of the byte that may
 * not stand in a string and ends the record (phase stays STRING), or v.n */
static size_t scan_string(struct sq_frame *f, struct sq_sv v, size_t i)
{
	while (i < v.n) {
		char c;

		if (f->phase == STRING)
			i += string_run(sq_sv_skip(v, i));
		if (i == v.n)
			break;
		c = v.p[i];
		if (c == '\n' || c == '\0') {
			f->phase = STRING;
			return i;
		}
		i++;
		if (f->phase == ESCAPE) {
			f->phase = STRING;
		} else if (c == '\\') {
			f->phase = ESCAPE;
		} else if (c == '"') {
			f->phase = OUTSIDE;
			f->last = '"';
			return i;
		}
	}
	return i;
}

static bool in_object(const struct sq_frame *f)
{
	return f->depth && f->depth <= SQ_FRAME_TYPED_DEPTH &&
	       (f->containers >> (f->depth - 1) & 1);
}

/* May JSON go on with `c` as the first byte of a line? Behind a colon at the end of the very first
 * line a value does not: that is a record of one line cut off there, and `c` begins the next one.
 */
static bool may_begin_line(const struct sq_frame *f, char c)
{
	if (c == '\0')
		return false;
	if (strchr("{[-0123456789tfn", c))
		return f->last == '[' || (f->last == ':' && !f->first_line) ||
		       (f->last == ',' && !in_object(f));
	return strchr("}],:\"", c) != NULL;
}

enum scan { SCAN_MORE, SCAN_WHOLE, SCAN_BROKEN };

/* Follow brackets and quotes from f->scanned on. On SCAN_WHOLE and SCAN_BROKEN the record is
 * *ret_end bytes long, and the next one begins after *ret_next. */
static enum scan scan(struct sq_frame *f, struct sq_sv v, size_t *ret_end, size_t *ret_next)
{
	size_t i = f->scanned;

	while (i < v.n) {
		char c = v.p[i];

		if (f->phase != OUTSIDE) {
			i = scan_string(f, v, i);
			if (f->phase == OUTSIDE || i == v.n)
				continue;
			*ret_end = i;
			*ret_next = i + 1;
			return SCAN_BROKEN;
		}
		if (c == '\0' || (c == '\n' && f->mode == FIRST && f->last == '}')) {
			*ret_end = i;
			*ret_next = i + 1;
			return SCAN_BROKEN;
		}
		if (sq_is_space(c)) {
			if (c == '\n' && !f->line_start)
				f->first_line = f->mode == FIRST;
			f->line_start = c == '\n';
			if (c == '\n')
				f->mode = MORE;
			i++;
			continue;
		}
		if (f->line_start && !may_begin_line(f, c)) {
			*ret_end = *ret_next = i;
			return SCAN_BROKEN;
		}
		f->line_start = false;
		f->last = (uint8_t)c;
		i++;
		if (c == '"')
			f->phase = STRING;
		else if (c == '{' || c == '[')
			sq_frame_open_bracket(f, c);
		else if ((c == '}' || c == ']') && --f->depth == 0) {
			*ret_end = *ret_next = i;
			return SCAN_WHOLE;
		}
	}
	return SCAN_MORE;
}

/* Is the line a record of NDJSON? It ends with a brace; few blanks may follow, so that looking
 * for it costs nothing even when it is done for each of a thousand objects of a long line. */
static bool ends_with_brace(struct sq_sv line)
{
	for (size_t i = 0; i < SLACK && line.n && sq_is_space(line.p[line.n - 1]); i++)
		line.n--;
	return line.n && line.p[line.n - 1] == '}';
}

static int cut_json(struct sq_frame *f, struct cut *c)
{
	struct sq_sv v = rest_of(c);
	size_t end, next;

	if (f->mode == FIRST && !f->dropping) {
		end = line_end(f, v);
		if (end != SIZE_MAX && ends_with_brace(sq_sv_first(v, end)) &&
		    fits(f, sq_sv_first(v, end)))
			return finish(f, c, end, end + 1);
		if (end == SIZE_MAX && sq_frame_quick(f, v))
			return finish(f, c, f->scanned, f->scanned);
	}
	switch (scan(f, v, &end, &next)) {
	case SCAN_WHOLE:
		return finish(f, c, end, next);
	case SCAN_BROKEN:
		f->in_array = false;
		return finish(f, c, end, next);
	case SCAN_MORE:
		break;
	}
	return unfinished(f, c);
}

/* A number, a string or a word between the commas of an array. */
static int cut_scalar(struct sq_frame *f, struct cut *c)
{
	struct sq_sv v = rest_of(c);
	size_t i = f->scanned;

	while (i < v.n) {
		if (f->phase != OUTSIDE) {
			i = scan_string(f, v, i);
			if (f->phase == OUTSIDE || i == v.n)
				continue;
		}
		if (v.p[i] == ',' || v.p[i] == ']')
			return finish(f, c, i, i);
		if (v.p[i] == '\n' || v.p[i] == '\0')
			return finish(f, c, i, i + 1);
		f->phase = v.p[i++] == '"' ? STRING : OUTSIDE;
	}
	return unfinished(f, c);
}

/* Digits at the front: an octet count, or a line. */
static int cut_octets(struct sq_frame *f, struct cut *c)
{
	struct sq_sv v = rest_of(c), body;
	size_t digits = 0, n = 0;

	while (digits < v.n && digits <= DIGITS_MAX && sq_is_digit(v.p[digits]))
		n = n * 10 + (size_t)(v.p[digits++] - '0');
	body = sq_sv_skip(v, digits + 1);
	if (digits <= DIGITS_MAX && !c->eof &&
	    (digits == v.n || (v.p[digits] == ' ' && body.n == 0)))
		return WAIT;
	if (digits > DIGITS_MAX || body.n == 0 || v.p[digits] != ' ' || !body.p[0] ||
	    !strchr("<{[@\xef \t", body.p[0])) {
		begin(f, LINE);
		return AGAIN;
	}
	if (n > f->max_record) {
		advance(f, c, digits + 1);
		f->skip = n;
		return -EMSGSIZE;
	}
	if (body.n < n && !c->eof)
		return WAIT;
	body = sq_sv_first(body, n);
	advance(f, c, digits + 1 + body.n);
	while (body.n && (sq_is_space(body.p[body.n - 1]) || body.p[body.n - 1] == '\0'))
		body.n--;
	body = sq_sv_trim(body);
	if (sq_sv_starts(body, SQ_SV("\xef\xbb\xbf")))
		body = sq_sv_trim(sq_sv_skip(body, 3));
	c->record = body;
	return body.n ? RECORD : AGAIN;
}

static void skip_octets(struct sq_frame *f, struct cut *c)
{
	size_t n = rest_of(c).n;

	if (n > f->skip)
		n = (size_t)f->skip;
	f->skip -= n;
	advance(f, c, n);
}

/* '[' at the front: an array of objects, or a line that says "[info] ..." or the like. */
static int begin_array(struct sq_frame *f, struct cut *c)
{
	struct sq_sv v = rest_of(c);
	size_t i = 1;

	while (i < v.n && i < LOOK_AHEAD && sq_is_space(v.p[i]))
		i++;
	if (i == v.n && !c->eof)
		return WAIT;
	if (i == v.n || (i < LOOK_AHEAD && v.p[i] != '{' && v.p[i] != '[' && v.p[i] != ']')) {
		begin(f, LINE);
		return AGAIN;
	}
	f->in_array = true;
	advance(f, c, 1);
	return AGAIN;
}

/* The first bytes of a stream may tell that the sender took us for somebody else.
 * @return RECORD when it did not */
static int judge(struct sq_frame *f, struct cut *c)
{
	static const struct {
		struct sq_sv text;
		enum sq_frame_foreign what;
	} signs[] = {
		{ { "\x16\x03", 2 }, SQ_FRAME_TLS },   { { "1W", 2 }, SQ_FRAME_LUMBERJACK },
		{ { "1J", 2 }, SQ_FRAME_LUMBERJACK },  { { "1C", 2 }, SQ_FRAME_LUMBERJACK },
		{ { "1D", 2 }, SQ_FRAME_LUMBERJACK },  { { "2W", 2 }, SQ_FRAME_LUMBERJACK },
		{ { "2J", 2 }, SQ_FRAME_LUMBERJACK },  { { "2C", 2 }, SQ_FRAME_LUMBERJACK },
		{ { "2D", 2 }, SQ_FRAME_LUMBERJACK },  { { "GET ", 4 }, SQ_FRAME_HTTP },
		{ { "POST ", 5 }, SQ_FRAME_HTTP },     { { "PUT ", 4 }, SQ_FRAME_HTTP },
		{ { "HEAD ", 5 }, SQ_FRAME_HTTP },     { { "OPTIONS ", 8 }, SQ_FRAME_HTTP },
		{ { "\xff\xfe", 2 }, SQ_FRAME_UTF16 }, { { "\xfe\xff", 2 }, SQ_FRAME_UTF16 },
	};
	struct sq_sv v = rest_of(c);

	for (size_t i = 0; i < SQ_LEN(signs); i++) {
		if (sq_sv_starts(v, signs[i].text)) {
			f->foreign = signs[i].what;
			return -EPROTO;
		}
		if (!c->eof && sq_sv_starts(signs[i].text, v))
			return WAIT;
	}
	f->began = true;
	return RECORD;
}

/* @return true when more bytes are needed to tell whether a BOM begins */
static bool skip_separators(struct sq_frame *f, struct cut *c)
{
	const struct sq_sv bom = SQ_SV("\xef\xbb\xbf");

	for (;;) {
		struct sq_sv v = rest_of(c);

		if (v.n == 0)
			return false;
		if (v.p[0] == '\0')
			f->in_array = false;
		if (sq_is_space(v.p[0]) || v.p[0] == '\0' || v.p[0] == ',')
			advance(f, c, 1);
		else if (sq_sv_starts(v, bom))
			advance(f, c, bom.n);
		else
			return !c->eof && sq_sv_starts(bom, v);
	}
}

/* The next element of an array, or its end. @return false when it goes on with no such thing */
static bool begin_element(struct sq_frame *f, struct cut *c)
{
	char first = c->in.p[c->pos];

	if (first == '{' || first == '[') {
		begin(f, MORE);
	} else if (first == ']') {
		f->in_array = false;
		advance(f, c, 1);
	} else if (sq_is_digit(first) || strchr("\"-tfn", first)) {
		begin(f, SCALAR);
	} else {
		f->in_array = false;
		return false;
	}
	return true;
}

static int cut_start(struct sq_frame *f, struct cut *c)
{
	char first;

	if (f->skip) {
		skip_octets(f, c);
		if (f->skip)
			return WAIT;
	}
	if (skip_separators(f, c) || c->pos == c->in.n)
		return WAIT;
	if (SQ_UNLIKELY(!f->began)) {
		int r = judge(f, c);

		if (r <= 0)
			return r;
	}
	if (f->in_array && begin_element(f, c))
		return AGAIN;
	first = c->in.p[c->pos];
	if (first >= '1' && first <= '9')
		return cut_octets(f, c);
	if (first == '[')
		return begin_array(f, c);
	begin(f, first == '{' ? FIRST : LINE);
	return AGAIN;
}

/* Nearly every record: a line from '{' to '}', right behind the one before it. What is said below
 * of all others says the same of it, in more steps.
 * @return its length; 0: it is not so simple */
static size_t plain_line(struct sq_frame *f, struct sq_sv in)
{
	size_t end;

	if (f->mode != START || f->in_array || !f->began || f->skip || !in.n || in.p[0] != '{')
		return 0;
	end = line_end(f, in);
	if (end == SIZE_MAX || end > f->max_record || in.p[end - 1] != '}')
		return 0;
	f->no_end = 0;
	return end;
}

bool sq_frame_is_in_line(const struct sq_frame *f)
{
	return f->began && (f->mode == START || f->mode == FIRST) && !f->in_array && !f->skip &&
	       !f->dropping;
}

int sq_frame_next(struct sq_frame *f, struct sq_sv in, bool eof, size_t *ret_used,
                  struct sq_sv *ret_rec)
{
	struct cut c = { .in = in, .eof = eof };
	size_t n = plain_line(f, in);
	int r = AGAIN;

	if (SQ_LIKELY(n)) {
		*ret_used = n + 1;
		*ret_rec = sq_sv_first(in, n);
		return RECORD;
	}
	while (r == AGAIN) {
		switch ((enum mode)f->mode) {
		case START:
			r = cut_start(f, &c);
			break;
		case LINE:
			r = cut_line(f, &c);
			break;
		case FIRST:
		case MORE:
			r = cut_json(f, &c);
			break;
		case SCALAR:
			r = cut_scalar(f, &c);
			break;
		}
	}
	*ret_used = c.pos;
	if (r == RECORD)
		*ret_rec = c.record;
	return r;
}

size_t sq_frame_value_length(struct sq_sv v)
{
	struct sq_frame f = { .mode = MORE };
	size_t end, next;

	if (v.n == 0 || (v.p[0] != '{' && v.p[0] != '['))
		return 0;
	return scan(&f, v, &end, &next) == SCAN_WHOLE ? end : 0;
}
