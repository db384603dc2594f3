/* Any bytes as one JSON text: an answer, what was used lies inside, a good text after it is read.
 */
#include <stdlib.h>

#include "lib/text/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_nesting(void *ctx, bool array)
{
	(void)ctx, (void)array;
	return true;
}

static bool on_key(void *ctx, struct sq_sv key)
{
	volatile char sum = 0;

	(void)ctx;
	for (size_t i = 0; i < key.n; i++)
		sum = (char)(sum + key.p[i]);
	return true;
}

static bool on_scalar(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays)
{
	(void)kind, (void)stays;
	return on_key(ctx, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sq_json_sink sink = { on_nesting, on_nesting, on_key, on_scalar };
	struct sq_json *js = sq_json_new(&sink, NULL, &(struct sq_json_limits){ 16, 100 });
	char *copy = malloc(size ? size : 1);
	size_t used;
	int r;

	sq_assert(js && copy);
	if (size)
		memcpy(copy, data, size);
	for (struct sq_sv in = { copy, size };; in = sq_sv_skip(in, used)) {
		r = sq_json_read(js, in, &used);
		sq_assert(used <= in.n && (r < 0 || used > 0));
		if (r < 0)
			break;
	}
	sq_assert(sq_json_why(js)[0]);
	sq_assert(sq_json_read(js, SQ_SV("{\"a\":[1]}"), &used) == 0);
	sq_json_free(js);
	free(copy);
	return 0;
}
