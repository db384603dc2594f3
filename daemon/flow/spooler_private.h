/* What the files of the spooler share: spooler.c is on the loop, spooler_order.c on the pool. While
 * an order is there (`busy`), the file, the order and the group that is written belong to that
 * thread, and the loop may read that group, too.
 */
#pragma once

#include "daemon/flow/spooler.h"

struct sqd_spool_group {
	struct sq_outbuf bytes;
	uint64_t next; /* the number after its last */
};

/* What is asked of the pool, and what it has done. */
struct sqd_spool_order {
	bool closing;
	uint64_t cursor;
	uint64_t drop_from, drop_bytes; /* bytes 0: nothing */
	uint64_t load_from, load_bytes;

	int result;
	struct sq_err err, aside;
	bool written; /* the group is durable */
	bool more;    /* to be trimmed; asked and answered */
	uint64_t spooled, commits, damaged;
	uint64_t dropped;
	uint64_t twice;       /* of those dropped: they had been counted as damaged */
	uint64_t loaded_next; /* the number behind what was loaded */
	bool loaded, loaded_all;
	bool no_memory; /* for the first that was to be loaded */
	bool has_state;
	struct sq_spool_state state;
};

struct sqd_spooler {
	struct sqd_spooler_opts opts;
	char *dir;
	struct sq_spool *spool; /* NULL: closed for good */
	bool shut, suspect;     /* it has failed: to be opened anew; and walked before */
	uint64_t damaged_to;    /* damaged messages before this are told and counted */
	struct sq_spool_state state;
	struct sqd_spool_group filling, writing;
	struct sq_outbuf loaded;
	struct sqd_spool_order order, wanted;
	uv_work_t work;
	uv_timer_t timer;
	bool busy, closing, loading, is_loaded, untrimmed, warned;
	bool poor;   /* there was no memory for what was loaded, or no room for the first of it */
	bool full;   /* there was no room for the group, in the file or on the disk */
	bool stuck;  /* nor was there for anything else */
	bool barren; /* nothing could be dropped for it */
	uint64_t next, durable, found, loaded_next, gone_to;
	uint64_t retry_ms; /* 0: the file is open */
	/* After dropping that made no room: how long nothing more is dropped, and until when. */
	uint64_t vain_ms, vain_until_ms;
	bool told;         /* that commits fail */
	struct sq_err why; /* the last one did; "": it did not */
	uint64_t told_ms;  /* when that was */
	struct sqd_spooler_counts counts;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static inline bool sqd_spooler_no_room(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

/** Do what s->order asks. On the pool. */
void sqd_spooler_do_order(uv_work_t *w);
