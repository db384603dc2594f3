/* What the files of the UDP input share: udp.c opens and closes, udp_read.c takes datagrams from
 * the kernel, udp_record.c makes records of them.
 */
#pragma once

#include <sys/socket.h>

#include "daemon/base/listen.h"
#include "daemon/base/log.h"
#include "daemon/input/udp.h"
#include "lib/wire/gelf.h"

enum { SQD_UDP_BURST = 64 }; /* datagrams taken at once */

/* What recvmmsg() fills for one datagram. */
struct sqd_udp_slot {
	struct sockaddr_storage from;
	struct iovec iov;
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control; /* of a unix socket */
};

struct sqd_udp {
	struct sqd_input base;
	struct sqd_receipt receipt;  /* of all records: UDP owes nobody an answer */
	int fd;                      /* -1: none */
	struct sqd_listen_file file; /* of a unix socket */
	bool local;                  /* a unix socket */
	uv_poll_t poll;
	uv_timer_t expire; /* runs while chunks of GELF messages may be waiting */
	uv_timer_t nap;    /* to read, and to ask for losses, without an event */
	bool started, paused, stopped, closing;
	bool may_nap;     /* the kernel's buffer had room when last asked */
	uint64_t slow_ms; /* for so long max_rate lets nothing be read from a unix socket */
	struct sqd_log_limit rate_limit;
	uint64_t busy_ms; /* loop time in which `n_busy` datagrams came */
	unsigned n_busy;
	size_t last_bytes;     /* that may still be read when we have been told to stop */
	uint32_t kernel_drops; /* the kernel's count when last seen */
	uint64_t asked_ms;     /* loop time when it was last asked for it */
	struct sq_gelf *gelf;
	uint64_t chunk_ns; /* when the last chunk came */

	struct mmsghdr msgs[SQD_UDP_BURST];
	struct sqd_udp_slot slots[SQD_UDP_BURST];
	char *bytes;       /* of the slots */
	unsigned at, n;    /* slots [at, n) are still to be taken */
	char *unpacked;    /* one record, inflated or put together; max_record bytes */
	size_t n_unpacked; /* it waits for a batch */

	struct sockaddr_storage last; /* sender whose text is in `peer` */
	struct ucred last_local;      /* the same of a unix socket */
	char peer[SQD_ADDR_TEXT];
};

static inline const struct sqd_input_udp_cfg *sqd_udp_cfg(const struct sqd_udp *u)
{
	return u->base.cfg;
}

/* ---- udp.c --------------------------------------------------------------------------------- */

void sqd_udp_pause(struct sqd_input *base);

/* ---- udp_read.c ---------------------------------------------------------------------------- */

/** Where datagrams are received to. @return 0, -ENOMEM */
int sqd_udp_make_slots(struct sqd_udp *u) SQ_MUST_CHECK;

/** The socket is open: ask the kernel for what it can tell of datagrams. */
void sqd_udp_ask(struct sqd_udp *u);

/** Note what the kernel lost since it was last asked. */
void sqd_udp_count_drops(struct sqd_udp *u);

/** Nothing is read for now: note what the kernel loses meanwhile, until `nap` is stopped. */
void sqd_udp_watch(struct sqd_udp *u);

/** The socket can be read, or has an error. */
void sqd_udp_on_poll(uv_poll_t *h, int status, int events);

/** We stop: read what has come, up to `last_bytes` of it and as far as there are batches. */
void sqd_udp_read_last(struct sqd_udp *u);

/** What was received into batches. @return false: none is free, we are paused */
bool sqd_udp_empty_slots(struct sqd_udp *u);

/* ---- udp_record.c -------------------------------------------------------------------------- */

/** A datagram of `u->peer`. @return 0 taken (or counted, or empty), -EAGAIN no batch is free: it
 *  must be given again, unless `n_unpacked` is set, which sqd_udp_put_unpacked() is for */
int sqd_udp_put(struct sqd_udp *u, struct sq_sv v) SQ_MUST_CHECK;

/** The first `n` bytes of `unpacked` into a batch. @return 0, -EAGAIN */
int sqd_udp_put_unpacked(struct sqd_udp *u, size_t n) SQ_MUST_CHECK;

/** One more record that came and is lost for `*cause`. */
void sqd_udp_lost(struct sqd_udp *u, uint64_t *cause);
