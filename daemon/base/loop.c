#include "daemon/base/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/base/log.h"

/* Zones change on a quarter of an hour, so it is looked up no more often. */
static int32_t east_of_utc(time_t t)
{
	static _Thread_local struct {
		time_t quarter;
		int32_t east_s;
		bool known;
	} last;
	struct tm tm;

	if (!last.known || last.quarter != t / 900) {
		last.known = true;
		last.quarter = t / 900;
		last.east_s = localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
	}
	return last.east_s;
}

struct sq_now sqd_now(void)
{
	struct timespec mono, wall;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct sq_now){
		.mono_ns = (uint64_t)mono.tv_sec * 1000000000 + (uint64_t)mono.tv_nsec,
		.wall_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000,
		.east_s = east_of_utc(wall.tv_sec),
	};
}

uint64_t sqd_thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int sqd_loop_pool(unsigned threads)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", threads);
	return setenv("UV_THREADPOOL_SIZE", text, 1) < 0 ? -errno : 0;
}

static void name_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	sqd_log(SQD_LOG_ERROR, "a handle was left open at the end: %s%s",
	        uv_handle_type_name(h->type), uv_is_closing(h) ? " (closing)" : "");
}

void sqd_loop_end(uv_loop_t *loop)
{
	int r = uv_loop_close(loop);

	if (r < 0)
		uv_walk(loop, name_handle, NULL);
	sq_assert(r == 0);
}
