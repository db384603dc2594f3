#include "tests/support/test.h"

#include <errno.h>

#include "lib/base/outbuf.h"
#include "lib/wire/bulk_reply.h"
#include "tests/support/fault_alloc.h"

/* Items as "STATUS TYPE REASON;", with "(CAUSE)" before the semicolon where there is one. */
static void put_item(void *ctx, const struct sq_bulk_reply_item *item)
{
	sq_outbuf_printf(ctx, "%zu:%u %.*s %.*s", item->at, item->status, SQ_SV_ARG(item->type),
	                 SQ_SV_ARG(item->reason));
	if (item->cause.n)
		sq_outbuf_printf(ctx, "(%.*s)", SQ_SV_ARG(item->cause));
	sq_outbuf_putc(ctx, ';');
}

static void ignore_item(void *ctx SQ_UNUSED, const struct sq_bulk_reply_item *item SQ_UNUSED)
{
}

struct row {
	const char *name, *in;
	size_t want;
	int result;
	const char *items; /* when the result is 0 */
};

/* clang-format off */
static struct row rows[] = {
	{ "one", "{\"items\":[{\"create\":{\"status\":201}}]}", 1, 0, "0:201  ;" },
	{ "as Elasticsearch says it",
	  "{\"took\":30,\"errors\":true,\"items\":[{\"create\":{\"_index\":\"x\",\"_id\":\"1\",\"status\":201,"
	  "\"_shards\":{\"status\":500,\"total\":2}}},{\"create\":{\"_id\":\"2\",\"status\":400,\"error\":{"
	  "\"type\":\"mapper_parsing_exception\",\"reason\":\"failed\",\"caused_by\":{\"type\":\"x\","
	  "\"reason\":\"y\"}}}}]}\n", 2, 0, "0:201  ;1:400 mapper_parsing_exception failed(y);" },
	{ "the cause of a cause, and reasons elsewhere",
	  "{\"items\":[{\"c\":{\"status\":400,\"error\":{\"caused_by\":{\"caused_by\":{\"reason\":\"z\"},\"reason\":\"y\","
	  "\"more\":[{\"reason\":\"w\"}]},\"root\":{\"reason\":\"v\"},\"type\":\"t\",\"reason\":\"r\"}}}]}", 1, 0, "0:400 t r(y);" },
	{ "a cause that is no object, and one beside the error",
	  "{\"items\":[{\"c\":{\"status\":400,\"caused_by\":{\"reason\":\"x\"},\"error\":{\"type\":\"t\",\"caused_by\":[{\"reason\":\"y\"}]}}}]}",
	  1, 0, "0:400 t ;" },
	{ "an error as text", "{\"items\":[{\"index\":{\"error\":\"old\",\"status\":429}}]}", 1, 0, "0:429  old;" },
	{ "none", "{\"items\":[]}", 0, 0, "" },
	{ "too few", "{\"items\":[{\"create\":{\"status\":201}}]}", 2, -EBADMSG, "" },
	{ "too many", "{\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":201}}]}", 1, -EBADMSG, "" },
	{ "no list", "{\"error\":{\"type\":\"x\"},\"status\":400}", 1, -EBADMSG, "" },
	{ "a list of another name", "{\"things\":[{\"create\":{\"status\":201}}]}", 1, -EBADMSG, "" },
	{ "a list further down", "{\"a\":{\"items\":[{\"create\":{\"status\":201}}]}}", 1, -EBADMSG, "" },
	{ "items that are an object", "{\"items\":{\"create\":{\"status\":201}}}", 1, -EBADMSG, "" },
	{ "two lists", "{\"items\":[{\"a\":{\"status\":201}}],\"items\":[{\"a\":{\"status\":202}}]}", 2, -EBADMSG, "" },
	{ "an item that is a number", "{\"items\":[201]}", 1, -EBADMSG, "" },
	{ "an item that is a list", "{\"items\":[[{\"status\":201}]]}", 1, -EBADMSG, "" },
	{ "a status too high up", "{\"items\":[{\"status\":201}]}", 1, 0, "0:0  ;" },
	{ "a status in a list", "{\"items\":[{\"create\":[{\"status\":201}]}]}", 1, 0, "0:0  ;" },
	{ "a status that is text", "{\"items\":[{\"create\":{\"status\":\"201\"}}]}", 1, 0, "0:0  ;" },
	{ "one that is too large", "{\"items\":[{\"create\":{\"status\":18446744073709551617}}]}", 1, 0, "0:0  ;" },
	{ "one that is negative", "{\"items\":[{\"create\":{\"status\":-201}}]}", 1, 0, "0:0  ;" },
	{ "one with a fraction", "{\"items\":[{\"create\":{\"status\":201.5}}]}", 1, 0, "0:0  ;" },
	{ "no status", "{\"items\":[{\"create\":{}}]}", 1, 0, "0:0  ;" },
	{ "an empty item", "{\"items\":[{}]}", 1, 0, "0:0  ;" },
	{ "nothing is left over from the item before",
	  "{\"items\":[{\"c\":{\"status\":400,\"error\":{\"type\":\"t\",\"reason\":\"r\",\"caused_by\":{\"reason\":\"c\"}}}},{\"c\":{}}]}", 2, 0,
	  "0:400 t r(c);1:0  ;" },
	{ "an error that is a list", "{\"items\":[{\"c\":{\"status\":400,\"error\":[{\"type\":\"t\"}]}}]}", 1, 0, "0:400  ;" },
	{ "no JSON", "<html>502</html>", 1, -EBADMSG, "" },
	{ "cut", "{\"items\":[{\"create\":{\"status\":201}}", 1, -EBADMSG, "" },
	{ "nothing", "", 1, -EBADMSG, "" },
	{ "a bare value", "201", 1, -EBADMSG, "" },
	{ "a list", "[{\"create\":{\"status\":201}}]", 1, -EBADMSG, "" },
	{ "something behind it", "{\"items\":[{\"create\":{\"status\":201}}]} {}", 1, -EBADMSG, "" },
};
/* clang-format on */

static void check(void **state)
{
	const struct row *row = *state;
	struct sq_bulk_reply *r = sq_bulk_reply_new();
	size_t n = strlen(row->in);
	char *copy = exact(row->in, n);

	for (int again = 0; again < 2; again++) {
		struct sq_outbuf items = sq_outbuf_of(4096);

		assert_int_equal(sq_bulk_reply_read(r, (struct sq_sv){ copy, n }, row->want,
		                                    put_item, &items),
		                 row->result);
		if (row->result == 0)
			assert_sv_equal(sq_outbuf_view(&items), sq_sv_of(row->items));
		else
			assert_true(*sq_bulk_reply_why(r));
		sq_outbuf_fini(&items);
	}
	free(copy);
	sq_bulk_reply_free(r);
}

static void long_texts_are_cut_and_depth_is_bounded(void **state SQ_UNUSED)
{
	struct sq_outbuf in = sq_outbuf_of(1 << 20), items = sq_outbuf_of(4096);
	struct sq_bulk_reply *r = sq_bulk_reply_new();

	sq_outbuf_put(&in, SQ_SV("{\"items\":[{\"c\":{\"error\":{\"type\":\""));
	for (int i = 0; i < 5000; i++)
		sq_outbuf_putc(&in, 't');
	sq_outbuf_put(&in, SQ_SV("\",\"reason\":\""));
	for (int i = 0; i < 5000; i++)
		sq_outbuf_put(&in, SQ_SV("\\u0001"));
	sq_outbuf_put(&in, SQ_SV("\",\"caused_by\":{\"reason\":\""));
	for (int i = 0; i < 5000; i++)
		sq_outbuf_putc(&in, 'c');
	sq_outbuf_put(&in, SQ_SV("\"}},\"status\":400}}]}"));
	assert_int_equal(sq_bulk_reply_read(r, sq_outbuf_view(&in), 1, put_item, &items), 0);
	assert_int_equal(items.len, strlen("0:400  ();") + SQ_BULK_REPLY_TYPE_MAX +
	                                    2 * SQ_BULK_REPLY_REASON_MAX);
	sq_outbuf_reset(&in);
	sq_outbuf_put(&in, SQ_SV("{\"items\":["));
	for (int i = 0; i < 100000; i++)
		sq_outbuf_put(&in, SQ_SV("{\"c\":"));
	assert_int_equal(sq_bulk_reply_read(r, sq_outbuf_view(&in), 1, put_item, &items), -EBADMSG);
	sq_outbuf_fini(&in);
	sq_outbuf_fini(&items);
	sq_bulk_reply_free(r);
}

static void an_error_of_the_whole_request_is_told(void **state SQ_UNUSED)
{
	static const struct {
		const char *in, *type, *reason;
	} cases[] = {
		{ "{\"error\":{\"root_cause\":[{\"type\":\"other\",\"reason\":\"other\"}],"
		  "\"type\":\"some_exception\",\"reason\":\"why\",\"caused_by\":{\"type\":\"x\"}},"
		  "\"status\":400}",
		  "some_exception", "why" },
		{ "{\"error\":\"no handler\"}", "", "no handler" },
		{ "{\"error\":[{\"type\":\"x\"}],\"type\":\"y\"}", "", "" },
		{ "{\"items\":[{\"c\":{\"error\":{\"type\":\"x\"}}}]}", "", "" },
		{ "<html>", "", "" },
		{ "{}", "", "" },
	};
	struct sq_bulk_reply *r = sq_bulk_reply_new();

	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		const struct sq_bulk_reply_item *whole;

		assert_int_equal(sq_bulk_reply_read(r, sq_sv_of(cases[i].in), 0, ignore_item, NULL),
		                 -EBADMSG);
		whole = sq_bulk_reply_whole(r);
		assert_sv_equal(whole->type, sq_sv_of(cases[i].type));
		assert_sv_equal(whole->reason, sq_sv_of(cases[i].reason));
	}
	sq_bulk_reply_free(r);
}

static void each_allocation_may_fail(void **state SQ_UNUSED)
{
	for (unsigned n = 1;; n++) {
		struct sq_bulk_reply *r;
		int e = -ENOMEM;

		fault_alloc_at(n);
		r = sq_bulk_reply_new();
		if (r)
			e = sq_bulk_reply_read(r,
			                       SQ_SV("{\"items\":[{\"create\":{\"status\":201}}]}"),
			                       1, ignore_item, NULL);
		if (!fault_alloc_end()) {
			assert_int_equal(e, 0);
			sq_bulk_reply_free(r);
			return;
		}
		assert_int_equal(e, -ENOMEM);
		sq_bulk_reply_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_texts_are_cut_and_depth_is_bounded),
		cmocka_unit_test(an_error_of_the_whole_request_is_told),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return RUN_TABLE("bulk_reply/rows", rows, check) +
	       cmocka_run_group_tests_name("bulk_reply", tests, NULL, NULL);
}
