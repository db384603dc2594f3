#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/hec_reply.h"
#include "tests/support/fault_alloc.h"

struct row {
	const char *name, *in;
	int result;
	int64_t code, event;
};

static struct row rows[] = {
	{ "success", "{\"text\":\"Success\",\"code\":0}", 0, 0, -1 },
	{ "with an ack", "{\"text\":\"Success\",\"code\":0,\"ackId\":7}\n", 0, 0, -1 },
	{ "invalid", "{\"text\":\"Invalid data format\",\"code\":6,\"invalid-event-number\":3}", 0,
	  6, 3 },
	{ "no code", "{\"text\":\"Success\"}", 0, -1, -1 },
	{ "a code that is text", "{\"code\":\"0\"}", 0, -1, -1 },
	{ "one that is an object", "{\"code\":{\"code\":0}}", 0, -1, -1 },
	{ "negative", "{\"code\":-3,\"invalid-event-number\":-1}", 0, -1, -1 },
	{ "too large", "{\"code\":99999999999999999999}", 0, -1, -1 },
	{ "further down", "{\"a\":[{\"code\":0}]}", 0, -1, -1 },
	{ "a list", "[{\"code\":0}]", -EBADMSG, -1, -1 },
	{ "no JSON", "<html>", -EBADMSG, -1, -1 },
	{ "nothing", "", -EBADMSG, -1, -1 },
	{ "cut", "{\"code\":0", -EBADMSG, 0, -1 },
};

static void check(void **state)
{
	const struct row *row = *state;
	size_t n = strlen(row->in);
	char *copy = exact(row->in, n);
	struct sq_hec_reply r;

	assert_int_equal(sq_hec_reply_init(&r), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(sq_hec_reply_read(&r, (struct sq_sv){ copy, n }), row->result);
		if (row->result)
			continue;
		assert_int_equal(r.code, row->code);
		assert_int_equal(r.event, row->event);
	}
	sq_hec_reply_fini(&r);
	free(copy);
}

static void each_allocation_may_fail(void **state SQ_UNUSED)
{
	for (unsigned n = 1;; n++) {
		struct sq_hec_reply r;
		int e;

		fault_alloc_at(n);
		e = sq_hec_reply_init(&r);
		if (e == 0)
			e = sq_hec_reply_read(&r, SQ_SV("{\"code\":0}"));
		sq_hec_reply_fini(&r);
		if (!fault_alloc_end()) {
			assert_int_equal(e, 0);
			return;
		}
		assert_int_equal(e, -ENOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_allocation_may_fail) };

	return RUN_TABLE("hec_reply/rows", rows, check) +
	       cmocka_run_group_tests_name("hec_reply", tests, NULL, NULL);
}
