/* Whatever is escaped: what comes out is UTF-8 without controls, its quotes and backslashes are
 * escapes, and clean input comes out as it went in. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/text/jsonw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t escape_length(struct sq_sv v)
{
	sq_assert(v.n >= 2);
	if (v.p[1] != 'u') {
		sq_assert(strchr("\"\\bfnrt", v.p[1]) && v.p[1]);
		return 2;
	}
	sq_assert(v.n >= 6 && v.p[2] == '0' && v.p[3] == '0');
	return 6;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv in = { (const char *)data, size }, v;
	struct sq_outbuf out = sq_outbuf_of(6 * size + 1);
	bool escaped = false;

	sq_json_escape(&out, in);
	sq_assert(!out.failed);
	for (v = sq_outbuf_view(&out); v.n;) {
		size_t n = sq_utf8_length(v);

		sq_assert(n > 0);
		sq_assert((unsigned char)v.p[0] >= 0x20 && v.p[0] != '"');
		if (v.p[0] == '\\') {
			n = escape_length(v);
			escaped = true;
		}
		escaped |= sq_sv_starts(v, SQ_SV("\xef\xbf\xbd"));
		v = sq_sv_skip(v, n);
	}
	if (!escaped)
		sq_assert(sq_sv_eq(sq_outbuf_view(&out), in));
	sq_outbuf_fini(&out);
	return 0;
}
