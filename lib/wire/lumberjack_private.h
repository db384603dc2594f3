/* What the files of lumberjack share. */
#pragma once

#include "lib/wire/lumberjack.h"

struct sq_lumber_env {
	struct sq_lumber_limits limits;
	struct sq_unpack *idle[4]; /* contexts kept for the next C frame; more are freed */
	unsigned n_idle;
	uint64_t unfinished;   /* what limits.max_unfinished bounds */
	struct sq_outbuf json; /* a D frame written as an object */
};

/** A frame at the front of some bytes. */
struct sq_lumber_frame {
	char version, type;
	uint32_t number; /* W: count, C: length, J and D: sequence number */
	uint32_t pairs;  /* of D */
	uint32_t body;   /* bytes of J after its head */
	size_t length;   /* all of it; when it is not whole: bytes to have before looking again */
	bool oversized;  /* J or D: `length` is that of the head alone, the rest is to be skipped */
};

enum { SQ_LUMBER_HEAD = 10 /* bytes of J and D before their body */ };

/** @return 1 whole, 0 more bytes are needed, -EPROTO with l->fault */
int sq_lumber_parse(struct sq_lumber *l, struct sq_sv v, bool inside, struct sq_lumber_frame *ret);

/** The event of a whole D frame: JSON in its pair "line", which lies in `v`, or an object of all
 *  pairs in env->json. @return 1, or 0: it would be longer than max_record */
int sq_lumber_pairs(struct sq_lumber_env *e, struct sq_sv v, uint32_t pairs, struct sq_sv *ret);

/** End the stream. @return -EPROTO */
int sq_lumber_fail(struct sq_lumber *l, enum sq_lumber_fault fault);

static inline uint32_t sq_lumber_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}
