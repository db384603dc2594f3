/* Whatever answers in Splunk's place: it is an object that yajl reads, or it is refused; and what
 * is taken out of it are numbers that it holds.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/hec_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sq_hec_reply reply;
	struct sq_hec_reply fresh = { 0 };
	char *copy = malloc(size ? size : 1);
	struct sq_sv text = { copy, size };
	int r, again;

	sq_assert(copy);
	if (size)
		memcpy(copy, data, size);
	if (!reply.json)
		sq_assert(sq_hec_reply_init(&reply) == 0);
	sq_assert(sq_hec_reply_init(&fresh) == 0);
	/* One that has read others says the same as one that has not. */
	r = sq_hec_reply_read(&reply, text);
	again = sq_hec_reply_read(&fresh, text);
	sq_assert(r == again && (r == 0 || r == -EBADMSG));
	if (r == 0) {
		sq_assert(reply.code == fresh.code && reply.event == fresh.event);
		sq_assert(reply.event < 0 || sq_sv_find(text, SQ_SV("invalid")) != SIZE_MAX ||
		          sq_sv_chr(text, '\\') != SIZE_MAX);
	}
	sq_hec_reply_fini(&fresh);
	free(copy);
	return 0;
}
