/* How fast yajl alone reads a file of events: every callback is there and does next to nothing.
 *
 * The measure for `squibly scan` (tools/bench): the same reads of 256 KiB, the same cut at line
 * ends, the same flags of yajl and the same use of one handle, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yajl/yajl_parse.h>

enum { BLOCK = 256 * 1024, MAX_RECORD = 1024 * 1024 };

struct seen {
	unsigned long values, bytes;
};

static int on_null(void *ctx)
{
	((struct seen *)ctx)->values++;
	return 1;
}

static int on_bool(void *ctx, int value)
{
	((struct seen *)ctx)->values += 1 + (unsigned)value;
	return 1;
}

static int on_text(void *ctx, const unsigned char *p, size_t n)
{
	struct seen *s = ctx;

	(void)p;
	s->values++;
	s->bytes += n;
	return 1;
}

static int on_number(void *ctx, const char *p, size_t n)
{
	return on_text(ctx, (const unsigned char *)p, n);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_text,
	.yajl_start_map = on_null,
	.yajl_map_key = on_text,
	.yajl_end_map = on_null,
	.yajl_start_array = on_null,
	.yajl_end_array = on_null,
};

/* One handle for all records: with multiple values allowed, yajl begins anew after each. */
static int parse(yajl_handle h, const char *p, size_t n)
{
	return yajl_parse(h, (const unsigned char *)p, n) == yajl_status_ok &&
	       yajl_complete_parse(h) == yajl_status_ok;
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	char *buffer = malloc(MAX_RECORD + BLOCK);
	struct seen seen = { 0 };
	yajl_handle yajl = yajl_alloc(&callbacks, NULL, &seen);
	unsigned long records = 0, bad = 0;
	size_t tail = 0;
	ssize_t n;

	if (fd < 0 || !buffer || !yajl) {
		fprintf(stderr, "yajl_bare: %s\n", strerror(errno));
		return 2;
	}
	yajl_config(yajl, yajl_dont_validate_strings, 1);
	yajl_config(yajl, yajl_allow_multiple_values, 1);
	while ((n = read(fd, buffer + tail, BLOCK)) > 0) {
		char *at = buffer, *end;

		tail += (size_t)n;
		while ((end = memchr(at, '\n', tail - (size_t)(at - buffer)))) {
			bad += !parse(yajl, at, (size_t)(end - at));
			records++;
			at = end + 1;
		}
		tail -= (size_t)(at - buffer);
		memmove(buffer, at, tail);
		if (tail > MAX_RECORD)
			break;
	}
	printf("%lu records, %lu bad, %lu values, %lu bytes\n", records, bad, seen.values,
	       seen.bytes);
	yajl_free(yajl);
	free(buffer);
	return 0;
}
