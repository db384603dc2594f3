#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/hec.h"

static void paths_are_known(void **state SQ_UNUSED)
{
	static const struct {
		const char *path;
		enum sq_hec_path want;
	} cases[] = {
		{ "/services/collector", SQ_HEC_EVENT },
		{ "/services/collector/", SQ_HEC_EVENT },
		{ "/services/collector/event", SQ_HEC_EVENT },
		{ "/services/collector/event/1.0", SQ_HEC_EVENT },
		{ "/services/collector/raw", SQ_HEC_RAW },
		{ "/services/collector/raw/1.0", SQ_HEC_RAW },
		{ "/services/collector/health", SQ_HEC_HEALTH },
		{ "/services/collector/health/1.0", SQ_HEC_HEALTH },
		{ "/services/collector/ack", SQ_HEC_ACK },
		{ "/services/collectors", SQ_HEC_NOT },
		{ "/services/collector/event/2.0", SQ_HEC_NOT },
		{ "/services", SQ_HEC_NOT },
		{ "", SQ_HEC_NOT },
	};

	for (size_t i = 0; i < SQ_LEN(cases); i++)
		assert_int_equal(sq_hec_path(sq_sv_of(cases[i].path)), cases[i].want);
}

static void answers_are_splunks(void **state SQ_UNUSED)
{
	struct sq_outbuf out = sq_outbuf_of(256);

	sq_hec_answer(&out, SQ_HEC_SUCCESS, -1);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("{\"text\":\"Success\",\"code\":0}"));
	sq_outbuf_reset(&out);
	sq_hec_answer(&out, SQ_HEC_EVENT_REQUIRED, 3);
	assert_sv_equal(
		sq_outbuf_view(&out),
		SQ_SV("{\"text\":\"Event field is required\",\"code\":12,\"invalid-event-number\":3}"));
	sq_outbuf_fini(&out);
	assert_int_equal(sq_hec_status(SQ_HEC_SUCCESS), 200);
	assert_int_equal(sq_hec_status(SQ_HEC_TOKEN_REQUIRED), 401);
	assert_int_equal(sq_hec_status(SQ_HEC_INVALID_TOKEN), 403);
	assert_int_equal(sq_hec_status(SQ_HEC_NO_DATA), 400);
	assert_int_equal(sq_hec_status(SQ_HEC_BUSY), 503);
}

struct row {
	const char *name, *in;
	unsigned records;
	uint64_t events, wrong;
	enum sq_hec_code code;
};

static struct row rows[] = {
	{ "one", "{\"event\":\"x\"}", 1, 1, 0, SQ_HEC_SUCCESS },
	{ "back to back", "{\"time\":1,\"event\":{\"a\":1}}{\"event\":\"y\"}", 2, 2, 0,
	  SQ_HEC_SUCCESS },
	{ "in lines", "{\"event\":\"x\"}\n\n{\"event\":\"y\"}\n", 2, 2, 0, SQ_HEC_SUCCESS },
	{ "pretty", "{\n \"host\": \"h\",\n \"event\": {\n \"a\": 1 }\n}\n{\"event\":1}", 2, 2, 0,
	  SQ_HEC_SUCCESS },
	{ "no event, but a record", "{\"event\":1}\n{\"Event\":1}\n{\"event\":2}", 3, 3, 1,
	  SQ_HEC_EVENT_REQUIRED },
	{ "a blank event", "{\"event\":\"\"}", 1, 1, 0, SQ_HEC_EVENT_BLANK },
	{ "an event of nothing", "{\"event\": null, \"host\":\"h\"}", 1, 1, 0, SQ_HEC_EVENT_BLANK },
	{ "cut off behind its event", "{\"event\":{\"a\":1}", 1, 1, 0, SQ_HEC_INVALID_FORMAT },
	{ "cut off in what follows its event", "{\"event\":{\"a\":1},\"host\":\"h", 1, 1, 0,
	  SQ_HEC_INVALID_FORMAT },
	{ "more behind its event", "{\"event\":{\"a\":1},\"host\":\"h\"}", 1, 1, 0,
	  SQ_HEC_SUCCESS },
	{ "text", "hello\n", 1, 1, 0, SQ_HEC_INVALID_FORMAT },
	{ "the first that is wrong is told", "{\"event\":1}\nx\n{}\n", 3, 3, 1,
	  SQ_HEC_INVALID_FORMAT },
	{ "too long ones count", "{\"event\":\"0123456789012345678901234567890123456789\"}\n{}", 1,
	  2, 1, SQ_HEC_EVENT_REQUIRED },
	{ "nothing", "", 0, 0, 0, SQ_HEC_SUCCESS },
};

static void check_cut(const struct row *row, size_t cut)
{
	struct sq_hec h = { .frame = sq_frame_of(48) };
	struct sq_sv all = sq_sv_of(row->in), rec;
	unsigned records = 0;
	size_t at = 0, used;

	for (int eof = 0; eof < 2; eof++) {
		size_t end = eof ? all.n : cut;
		int r;

		do {
			struct sq_sv in = { all.p + at, end - at };

			r = sq_hec_next(&h, in, eof, &used, &rec);
			at += used;
			records += r == 1;
		} while (r == 1 || r == -EMSGSIZE);
		assert_int_equal(r, 0);
	}
	assert_int_equal(records, row->records);
	assert_int_equal(h.events, row->events);
	assert_int_equal(h.code, row->code);
	assert_int_equal(h.wrong, row->wrong);
}

static void check(void **state)
{
	const struct row *row = *state;

	for (size_t cut = 0; cut <= strlen(row->in); cut++)
		check_cut(row, cut);
}

static void channels_are_checked(void **state SQ_UNUSED)
{
	assert_true(sq_hec_is_channel(SQ_SV("FE0ECFAD-13D5-401B-847D-77833BD77131")));
	assert_true(sq_hec_is_channel(SQ_SV("a")));
	assert_false(sq_hec_is_channel(SQ_SV("")));
	assert_false(sq_hec_is_channel(SQ_SV("a/b")));
	assert_false(sq_hec_is_channel(
		SQ_SV("01234567890123456789012345678901234567890123456789012345678901234")));
}

static void questions_are_read(void **state SQ_UNUSED)
{
	static const struct {
		const char *in;
		int last;
		unsigned n;
		uint64_t sum;
	} cases[] = {
		{ "{\"acks\":[1,3,4]}", 0, 3, 8 },
		{ " { \"x\" : 1, \"acks\" : [ 0 , 7 ] } ", 0, 2, 7 },
		{ "{\"acks\":[]}", 0, 0, 0 },
		{ "{\"acks\":[1,\"2\"]}", -EBADMSG, 1, 1 },
		{ "{\"acks\":[1,-2]}", -EBADMSG, 1, 1 },
		{ "{\"acks\":[,1]}", -EBADMSG, 0, 0 },
		{ "{\"acks\":7}", -EBADMSG, 0, 0 },
		{ "[1]", -EBADMSG, 0, 0 },
		{ "", -EBADMSG, 0, 0 },
		{ "{\"acks\":[1", -EBADMSG, 0, 0 },
	};

	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		char *copy = exact(cases[i].in, strlen(cases[i].in));
		struct sq_sv v = { copy, strlen(cases[i].in) };
		uint64_t id = 0, sum = 0;
		bool began = false;
		unsigned n = 0;
		int r;

		while ((r = sq_hec_ack_next(&v, &began, &id)) == 1) {
			sum += id;
			n++;
		}
		assert_int_equal(r, cases[i].last);
		assert_int_equal(n, cases[i].n);
		assert_int_equal(sum, cases[i].sum);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_known),
		cmocka_unit_test(answers_are_splunks),
		cmocka_unit_test(channels_are_checked),
		cmocka_unit_test(questions_are_read),
	};

	return RUN_TABLE("hec/events", rows, check) +
	       cmocka_run_group_tests_name("hec", tests, NULL, NULL);
}
