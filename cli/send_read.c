#include <errno.h>
#include <time.h>

#include "cli/input.h"
#include "cli/send.h"
#include "lib/wire/frame.h"

/* At a low rate a batch is not kept until it is full. */
enum { HOLD_MS = 200 };

uint64_t send_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}

void send_sleep_ms(uint64_t ms)
{
	sleep_until(send_mono_ns() + ms * 1000000u);
}

/* Sleep until it is this record's turn; what is gathered goes out before, or soon. */
static int keep_rate(struct sender *s)
{
	uint64_t due = s->began_ns + s->records * 1000000000u / s->rate, now = send_mono_ns();
	uint64_t hold = s->kind->exchange ? HOLD_MS * UINT64_C(1000000) : 0;
	int status = CLI_OK;

	if (now >= due)
		return CLI_OK;
	if (due >= s->batch_began_ns + hold)
		status = s->kind->flush(s);
	sleep_until(due);
	return status;
}

static int send_record(struct sender *s, struct sq_sv rec)
{
	int status = s->rate ? keep_rate(s) : CLI_OK;

	return status == CLI_OK ? s->kind->add(s, rec) : status;
}

/* Send the whole records of chunk[0, *tail) and move the rest to the front. */
static int send_chunk(struct sender *s, struct sq_frame *frame, size_t *tail, bool eof,
                      const char *path)
{
	size_t head = 0, used;
	struct sq_sv rec;
	int r, status = CLI_OK;

	while (status == CLI_OK) {
		r = sq_frame_next(frame, (struct sq_sv){ s->chunk + head, *tail - head }, eof,
		                  &used, &rec);
		head += used;
		if (r == 0)
			break;
		if (r == 1)
			status = send_record(s, rec);
		else if (r == -EMSGSIZE)
			s->too_long++;
		else
			return cli_fail("%s: holds no events", path);
	}
	memmove(s->chunk, s->chunk + head, *tail - head);
	*tail -= head;
	return status;
}

int send_file(struct sender *s, const char *path)
{
	struct sq_frame frame = sq_frame_of(SEND_MAX_RECORD);
	struct cli_input *in = NULL;
	struct sq_err err = { 0 };
	size_t tail = 0;
	ssize_t n;
	int status;

	if (cli_input_open(path, &in, &err) < 0)
		return cli_fail("%s", err.text);
	do {
		n = cli_input_read(in, s->chunk + tail, SEND_BLOCK, &err);
		if (n < 0) {
			status = cli_fail("%s", err.text);
			break;
		}
		tail += (size_t)n;
		status = send_chunk(s, &frame, &tail, n == 0, path);
	} while (n > 0 && status == CLI_OK);
	cli_input_close(in);
	return status == CLI_OK ? s->kind->flush(s) : status;
}
