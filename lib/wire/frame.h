/* Cut a byte stream into records.
 *
 * What is a record is decided anew for each one, from its first bytes, so that NDJSON, syslog and
 * octet counting may be mixed on one connection (RFC 6587; facts and precedents: docs/formats.md):
 *
 *	LF CR NUL blank comma BOM  between records: skipped
 *	'{'       a JSON object: to the end of its line (LF or NUL) when that line ends with '}';
 *	          else to its closing brace (pretty-printed, or back to back without separators)
 *	'['       a JSON array of objects or arrays: its elements are records of their own
 *	'1'..'9'  octet counting, "LEN SP MSG", when a message can begin after the blank
 *	else      a line to LF or NUL; blanks at its end are not part of it
 *
 * A line of several objects back to back is one record when it is there as a whole, and several
 * when it comes in pieces: the reader of records takes either.
 *
 * NUL anywhere, a raw line end inside a JSON string, or at the start of a line a byte that JSON
 * cannot have there ('{' where an object wants a key, '<' ...) end a broken record, and so does the
 * first line end when a colon stands before it and no blank behind: one truncated record does not
 * swallow the next.
 *
 * Pure: no I/O, no allocation, no clock. One struct sq_frame belongs to one connection. It
 * remembers how far it has searched, so feeding a record one byte at a time costs no more than
 * feeding it whole.
 */
#pragma once

#include "lib/base/sv.h"

/** Why a stream is not for us: the return value -EPROTO puts one of these into `foreign`. */
enum sq_frame_foreign {
	SQ_FRAME_OURS,
	SQ_FRAME_TLS,        /* a TLS ClientHello on a plain port */
	SQ_FRAME_LUMBERJACK, /* a Beats client ("2W", "1W", "2C" ...) on a plain port */
	SQ_FRAME_HTTP,       /* "POST /", "GET /" ... */
	SQ_FRAME_UTF16,      /* the byte order mark of UTF-16: each NUL would end a record */
};

struct sq_frame {
	uint32_t max_record; /* bytes; a longer record is skipped and reported once */
	enum sq_frame_foreign foreign;
	/* Private, all zero at first: what has been learnt of the bytes at the front of the stream.
	 */
	uint64_t containers; /* bit per open bracket: 1 = object */
	uint64_t skip;       /* bytes of an oversized octet-counted record still to skip */
	size_t scanned;      /* bytes of the unread part already looked at */
	size_t no_end;       /* bytes of the unread part known to hold no LF or NUL */
	uint32_t depth;
	uint8_t mode, phase;
	uint8_t last;    /* last byte outside of strings that is not blank */
	bool line_start; /* nothing but a line end since then */
	bool first_line; /* and it was the end of the object's first line */
	bool dropping;   /* the record is over max_record; looking for its end */
	bool in_array;   /* between the elements of a top-level array */
	bool began;      /* the first bytes of the stream have been judged */
};

static inline struct sq_frame sq_frame_of(uint32_t max_record)
{
	return (struct sq_frame){ .max_record = max_record };
}

/** For a part of a stream that begins where a record does, and not with the first one. */
static inline struct sq_frame sq_frame_between(uint32_t max_record)
{
	return (struct sq_frame){ .max_record = max_record, .began = true };
}

/** With nothing left unread it will cut what follows as sq_frame_between() would. */
static inline bool sq_frame_is_between(const struct sq_frame *f)
{
	return f->began && !f->mode && !f->in_array && !f->skip && !f->dropping && !f->no_end;
}

/** Nothing is unread, or the first line of an object that stands alone: where that turns out to be
 * a whole line from '{' to '}', it is cut as sq_frame_between() would cut it from its beginning. */
bool sq_frame_is_in_line(const struct sq_frame *f);

/**
 * Take the next record out of `in`, the unread bytes of the stream: what was there at the last
 * call less `*ret_used` of it, plus whatever has arrived since.
 *
 * @param eof       the stream has ended: what is left is a record without its terminator
 * @param ret_used  always set: bytes to drop from the front (also on 0: separators, and the bytes
 *                  of an oversized record, so that the caller never has to hold more than
 *                  max_record of one record and its header)
 * @param ret_rec   on 1, a view into `in`; else left as it was. Never empty, no terminator, no
 *                  octet count, no BOM in front
 * @return  1  a record
 *          0  more bytes are needed (at eof: none left)
 *          -EMSGSIZE  a record over max_record begins here; it will be skipped, keep calling
 *          -EPROTO    not our protocol: see `foreign`; only for the first bytes of a stream
 */
int sq_frame_next(struct sq_frame *f, struct sq_sv in, bool eof, size_t *ret_used,
                  struct sq_sv *ret_rec) SQ_MUST_CHECK;

/**
 * Where the JSON value at the front of `v` (an object or array, no blank before it) ends, by its
 * brackets and quotes alone.
 * @return length in bytes, or 0 when it does not end in `v`
 */
size_t sq_frame_value_length(struct sq_sv v);
