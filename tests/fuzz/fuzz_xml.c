/* Any bytes as XML: the walk ends, views lie inside, decoding never grows. */
#include <stdlib.h>

#include "lib/text/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct sq_sv in = { copy, size };
	struct sq_arena a;

	sq_assert(copy && sq_arena_init(&a, 2 * size) == 0);
	if (size)
		memcpy(copy, data, size);
	sq_assert(sq_xml_decode(in, &a).n <= size);
	for (;;) {
		size_t before = in.n;
		struct sq_xml_token t = sq_xml_next(&in);
		struct sq_sv v;

		if (t.kind == SQ_XML_END)
			break;
		sq_assert(in.n < before);
		sq_assert(t.text.n == 0 ||
		          (t.text.p >= copy && t.text.p + t.text.n <= copy + size));
		if (sq_xml_attr(t.attrs, SQ_SV("Name"), &v))
			sq_assert(v.p >= copy && v.p + v.n <= copy + size);
	}
	sq_assert(in.n == 0);
	sq_arena_fini(&a);
	free(copy);
	return 0;
}
