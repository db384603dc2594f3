/* A table of whatever the file holds: refused with one place and reason, or taken; then each of its
 * keys is found, and what is written for it is valid JSON. First byte: host or peer, and limits.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "lib/engine/lookup.h"
#include "lib/text/csv.h"
#include "tests/fuzz/copy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct sq_sv text)
{
	yajl_handle h = yajl_alloc(NULL, NULL, NULL);

	sq_assert(h);
	sq_assert(yajl_parse(h, (const unsigned char *)text.p, text.n) == yajl_status_ok);
	sq_assert(yajl_complete_parse(h) == yajl_status_ok);
	yajl_free(h);
}

/* @return whether something is known */
static bool look_up(const struct sq_lookups *l, struct sq_sv host, struct sq_sv peer)
{
	struct sq_outbuf out = sq_outbuf_of(16 << 20);
	struct sq_lookup_found found[SQ_LOOKUP_TABLES];
	struct sq_jsonw w = sq_jsonw_of(&out);
	size_t n = sq_lookups_find(l, host, peer, found);
	size_t empty = sizeof("{}") - 1;

	sq_jsonw_object(&w);
	sq_lookups_write(l, host, peer, &w);
	sq_jsonw_end_object(&w);
	check_json(sq_outbuf_view(&out));
	sq_assert((n != 0) == (out.len > empty));
	sq_outbuf_fini(&out);
	return n != 0;
}

/* The first column is the key; all others are added when they are not empty. */
static void check_rows(const struct sq_lookups *l, bool host, const char *p, size_t n)
{
	char *text = copy_of(p, n);
	struct sq_csv c = sq_csv_of(text, n);
	struct sq_sv fields[SQ_LOOKUP_COLUMNS];
	uint64_t rows = 0;
	int r;

	sq_assert(sq_csv_row(&c, fields, SQ_LOOKUP_COLUMNS) > 1);
	while ((r = sq_csv_row(&c, fields, SQ_LOOKUP_COLUMNS)) > 0) {
		bool any = false;

		rows++;
		for (int i = 1; i < r; i++)
			any |= fields[i].n != 0;
		if (host)
			sq_assert(look_up(l, sq_sv_trim(fields[0]), SQ_SV("")) == any);
		else
			(void)look_up(l, SQ_SV(""), sq_sv_trim(fields[0]));
	}
	sq_assert(r == 0 && rows == sq_lookups_rows(l));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_lookup_opts opts = { .name = "a\"b", .file = "f.csv" };
	struct sq_lookups *l = sq_lookups_new();
	struct sq_diags diags = { 0 };
	char *text;
	int r;

	sq_assert(l);
	if (!size) {
		sq_lookups_unref(l);
		return 0;
	}
	opts.key = data[0] & 1 ? SQ_LOOKUP_PEER : SQ_LOOKUP_HOST;
	opts.max_rows = data[0] & 2 ? 3 : 100000;
	opts.max_bytes = data[0] & 4 ? 64 : 16 << 20;
	data++;
	size--;
	text = copy_of((const char *)data, size);
	r = sq_lookups_add(l, &opts, text, size, &diags);
	free(text); /* nothing of it is kept */
	sq_assert(r == 0 || r == -EINVAL);
	sq_assert((r == 0) == (diags.n == 0));
	if (r == 0)
		check_rows(l, opts.key == SQ_LOOKUP_HOST, (const char *)data, size);
	else
		sq_assert(sq_lookups_rows(l) == 0);
	(void)look_up(l, SQ_SV("ws1"), SQ_SV("192.0.2.7:514"));
	(void)look_up(l, SQ_SV(""), SQ_SV("[2001:db8::1]:514"));
	sq_diags_fini(&diags);
	sq_lookups_unref(l);
	return 0;
}
