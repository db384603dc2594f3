/* First byte: how many fields a row may have. What was read, written again with every field in
 * quotes, is read as the same; and whatever the text is, it is read to its end or an error is told
 * by its place.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/outbuf.h"
#include "lib/text/csv.h"
#include "tests/fuzz/copy.h"

enum { FIELDS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_row(struct sq_outbuf *out, const struct sq_sv *fields, int n)
{
	for (int i = 0; i < n; i++) {
		sq_outbuf_put(out, i ? SQ_SV(",\"") : SQ_SV("\""));
		for (size_t k = 0; k < fields[i].n; k++) {
			if (fields[i].p[k] == '"')
				sq_outbuf_putc(out, '"');
			sq_outbuf_putc(out, fields[i].p[k]);
		}
		sq_outbuf_putc(out, '"');
	}
	sq_outbuf_putc(out, '\n');
}

/* Read `text` as far as it is CSV, and write that anew. @return why it ended */
static int read_all(const char *p, size_t n, size_t max, struct sq_outbuf *again)
{
	char *text = copy_of(p, n);
	struct sq_csv c = sq_csv_of(text, n);
	struct sq_sv fields[FIELDS_MAX];
	unsigned line = 0;
	int r;

	while ((r = sq_csv_row(&c, fields, max)) > 0) {
		sq_assert((size_t)r <= max && c.row_line > line);
		line = c.row_line;
		for (int i = 0; i < r; i++)
			sq_assert(!fields[i].n || !memchr(fields[i].p, '\0', fields[i].n));
		put_row(again, fields, r);
	}
	sq_assert(r == 0 || r == -EBADMSG || r == -E2BIG);
	sq_assert(r == 0 || (c.why && *c.why && c.bad_line > 0 && c.bad_col > 0));
	free(text);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_outbuf once = sq_outbuf_of(64 << 20), twice = sq_outbuf_of(64 << 20);
	size_t max = size ? 1 + data[0] % FIELDS_MAX : 1;

	if (!size)
		return 0;
	(void)read_all((const char *)data + 1, size - 1, max, &once);
	sq_assert(read_all(once.p, once.len, max, &twice) == 0);
	sq_assert(sq_sv_eq(sq_outbuf_view(&once), sq_outbuf_view(&twice)));
	sq_outbuf_fini(&once);
	sq_outbuf_fini(&twice);
	return 0;
}
