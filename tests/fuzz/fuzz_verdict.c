/* Hand on a record: what comes out holds the record and our part, whatever the record is. The first
 * byte says in which way. */
#include <stdlib.h>

#include "lib/engine/verdict.h"
#include "lib/text/jsonfit.h"

#define OURS "\"squibly\":{\"level\":\"high\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With our part taken out, and nothing left out or replaced, it is what came. */
static void check_spliced(struct sq_sv raw, struct sq_sv got)
{
	for (size_t at = 0; at + sizeof(OURS) - 1 <= got.n; at++) {
		size_t comma = at && got.p[at - 1] == ',';
		struct sq_sv rest = sq_sv_skip(got, at + sizeof(OURS) - 1);

		if (!sq_sv_starts(sq_sv_skip(got, at), SQ_SV(OURS)))
			continue;
		for (size_t c = 0; c <= comma; c++)
			if (sq_sv_eq(sq_sv_first(raw, at - c), sq_sv_first(got, at - c)) &&
			    sq_sv_eq(sq_sv_skip(raw, at - c), rest))
				return;
	}
	sq_assert(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_view view = { .min_level = SQ_LEVEL_INFORMATIONAL };
	struct sq_finding v = { .text = sq_outbuf_of(4096), .rules = 1, .level = 4 };
	struct sq_outbuf out = sq_outbuf_of(64 << 20);
	enum sq_verdict_shape shape;
	bool mended;
	struct sq_sv raw;
	char *copy;

	if (!size)
		return 0;
	view.json = data[0] & 1;
	view.fields.keep = data[0] & 2;
	v.level = data[0] & 4 ? 4 : 0;
	if (data[0] & 8) {
		view.fields.names[view.fields.n++] = SQ_SV("a");
		view.fields.names[view.fields.n++] = SQ_SV("b.c");
	}
	raw = (struct sq_sv){ (const char *)data + 1, size - 1 };
	copy = malloc(raw.n ? raw.n : 1); /* so that a byte too many is noticed */
	if (!copy)
		abort();
	if (raw.n)
		memcpy(copy, raw.p, raw.n);
	raw.p = copy;
	sq_outbuf_put(&v.text, SQ_SV("\"level\":\"high\""));
	shape = sq_verdict_write(&out, &view, raw, &v, &mended);
	sq_assert(shape != SQ_VERDICT_FAILED);
	sq_assert((shape == SQ_VERDICT_AS_IT_CAME) == (out.len == 0));
	if (view.json && out.len)
		sq_assert(sq_json_judge(sq_outbuf_view(&out)) == SQ_JSON_FIT);
	if (shape == SQ_VERDICT_SPLICED && !view.json && !view.fields.n)
		check_spliced(raw, sq_outbuf_view(&out));
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&v.text);
	free(copy);
	return 0;
}
