/* Records that say two things of one event, and values that try to look like something else: what
 * comes first, and that nothing is lost beside it. */
#include "tests/unit/model/reading.h"

struct conflict_case {
	const char *name;
	const char *record;
	uint32_t field;
	const char *want[4]; /* its values, in order */
	bool duplicate_key;
};

/* clang-format off */
static struct conflict_case conflict_cases[] = {
	{ "EventData comes before a top-level key of that name, and both count",
	  "{\"EventID\":4688,\"CommandLine\":\"top\",\"winlog\":{\"event_data\":{\"CommandLine\":\"data\"}}}",
	  SQ_F_COMMAND_LINE, { "data", "top" }, false },
	{ "the order of the keys does not matter",
	  "{\"winlog\":{\"event_data\":{\"CommandLine\":\"data\"}},\"EventID\":4688,\"CommandLine\":\"top\"}",
	  SQ_F_COMMAND_LINE, { "data", "top" }, false },
	{ "ECS after EventData, both count",
	  "{\"winlog\":{\"event_data\":{\"CommandLine\":\"data\"}},\"EventID\":4688,\"process\":{\"command_line\":\"ecs\"}}",
	  SQ_F_COMMAND_LINE, { "data", "ecs" }, false },
	{ "the same text of two places is one value",
	  "{\"winlog\":{\"event_data\":{\"CommandLine\":\"same\"}},\"EventID\":4688,\"process\":{\"command_line\":\"same\"}}",
	  SQ_F_COMMAND_LINE, { "same" }, false },
	{ "a better place that is empty hides nothing",
	  "{\"winlog\":{\"event_data\":{\"CommandLine\":\"\"}},\"EventID\":4688,\"CommandLine\":\"top\"}",
	  SQ_F_COMMAND_LINE, { "top" }, false },
	{ "null of the same key comes after what is not empty",
	  "{\"EventID\":4688,\"CommandLine\":null,\"CommandLine\":\"c\"}",
	  SQ_F_COMMAND_LINE, { "c", "" }, true },
	{ "two keys and a third place: all three",
	  "{\"EventID\":4688,\"CommandLine\":\"a\",\"CommandLine\":\"b\",\"event_data\":{\"CommandLine\":\"c\"}}",
	  SQ_F_COMMAND_LINE, { "c", "a", "b" }, true },
	{ "two event ids of two places",
	  "{\"event\":{\"code\":\"4688\"},\"winlog\":{\"channel\":\"Security\",\"event_id\":4689}}",
	  SQ_F_EVENT_ID, { "4689", "4688" }, false },
	{ "a number and the same as text are one event id",
	  "{\"event\":{\"code\":\"4688\"},\"winlog\":{\"channel\":\"Security\",\"event_id\":4688}}",
	  SQ_F_EVENT_ID, { "4688" }, false },
	{ "a relay's name is no second host",
	  "{\"EventID\":4688,\"host\":{\"name\":\"relay\"},\"winlog\":{\"computer_name\":\"ws7\"}}",
	  SQ_F_COMPUTER, { "ws7" }, false },
	{ "4688 with an Image beside its NewProcessName",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"Image\":\"i\",\"NewProcessName\":\"n\"}",
	  SQ_F_IMAGE, { "n", "i" }, false },
	{ "4688 with a ParentImage beside its ParentProcessName",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"ParentImage\":\"i\",\"ParentProcessName\":\"n\"}",
	  SQ_F_PARENT_IMAGE, { "n", "i" }, false },
	{ "an event id in an object of its own",
	  "{\"EventID\":{\"value\":4688}}", SQ_F_EVENT_ID, { "4688" }, false },
	{ "a label inside of a line is no label",
	  "{\"EventID\":1,\"Channel\":\"" SYSMON "\",\"Message\":\"Process Create:\\r\\nImage: C:\\\\a.exe\\r\\n"
	  "CommandLine: a CurrentDirectory: C:\\\\ User: u Image: b\\r\\nCurrentDirectory: D:\\\\\\r\\nUser: v\\r\\n"
	  "ParentImage: p.exe\\r\\nParentCommandLine: p CurrentDirectory: x ParentImage: q.exe\"}",
	  SQ_F_COMMAND_LINE, { "a CurrentDirectory: C:\\ User: u Image: b" }, false },
	{ "nor is one in the command line of the parent",
	  "{\"EventID\":1,\"Channel\":\"" SYSMON "\",\"Message\":\"Process Create:\\r\\nImage: C:\\\\a.exe\\r\\n"
	  "CommandLine: a\\r\\nCurrentDirectory: D:\\\\\\r\\nUser: v\\r\\n"
	  "ParentImage: p.exe\\r\\nParentCommandLine: p CurrentDirectory: x ParentImage: q.exe\"}",
	  SQ_F_PARENT_IMAGE, { "p.exe" }, false },
	{ "labels of 4688 stand behind tabs",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"Message\":\"A new process\\r\\n\\tNew Process Name:\\tn.exe\\r\\n"
	  "\\tCreator Process Name:\\tp.exe\\r\\n\\tProcess Command Line:\\tn Creator Process Name: x\\r\\n\\r\\n"
	  "Token Elevation Type indicates the type\"}",
	  SQ_F_COMMAND_LINE, { "n Creator Process Name: x" }, false },
	{ "where line ends became blanks, labels follow those",
	  "{\"EventID\":1,\"Channel\":\"" SYSMON "\",\"Message\":\"Process Create: Image: a.exe "
	  "CommandLine: a /x  CurrentDirectory: D:\\\\ User: v\"}",
	  SQ_F_COMMAND_LINE, { "a /x  " }, false },
};
/* clang-format on */

static void check_conflict(void **state)
{
	const struct conflict_case *tc = *state;
	size_t n = strlen(tc->record);
	char *copy = exact(tc->record, n);
	struct sq_sv rest = { copy, n };
	const struct sq_value *v;
	struct sq_event ev;
	struct reading t;

	begin(&t, &(struct sq_reader_opts){ 0 });
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
	assert_int_equal((ev.flags & SQ_EVENT_DUPLICATE_KEY) != 0, tc->duplicate_key);
	assert_false(ev.flags & SQ_EVENT_OVERFLOW);
	v = &ev.values[tc->field];
	for (size_t i = 0; tc->want[i]; i++) {
		assert_non_null(v);
		assert_sv_equal(sq_value_sv(v), sq_sv_of(tc->want[i]));
		v = sq_event_next(&ev, v);
	}
	assert_null(v);
	end(&t);
	free(copy);
}

static void process_creation_wins_of_two_event_ids(void **state)
{
	static const char record[] = "{\"event\":{\"code\":\"4688\"},"
				     "\"winlog\":{\"channel\":\"Security\",\"event_id\":4689}}";
	struct sq_event ev;
	struct reading t;

	(void)state;
	read_first(&t, record, &ev);
	assert_int_equal(ev.event_id, 4688);
	assert_int_equal(ev.category, SQ_CATEGORY_PROCESS_CREATION);
	end(&t);
}

/* Whoever starts a program chooses how many arguments it has. */
static void arguments_are_joined_however_many(void **state)
{
	enum { N = 9000 };
	const char *elements[] = { "\"a\"", "\"\\u0061\"" }; /* as they stand, and decoded */

	for (size_t e = 0; e < SQ_LEN(elements); e++) {
		for (int all = 0; all < 2; all++) {
			char *record = malloc(N * 16 + 200);
			size_t n = (size_t)snprintf(record, 200,
			                            "{\"EventID\":1,\"process\":{\"args\":[");
			struct sq_sv rest, line;
			struct sq_event ev;
			struct reading t;

			for (int i = 0; i < N; i++)
				n += (size_t)snprintf(record + n, 200, "%s,", elements[e]);
			n += (size_t)snprintf(record + n, 200, "null,5,\"last\"]}}");
			begin(&t, &(struct sq_reader_opts){ .want_all = all });
			rest = (struct sq_sv){ record, n };
			assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
			line = sq_event_get(&ev, SQ_F_COMMAND_LINE);
			assert_int_equal(line.n, 2 * N + strlen("5 last"));
			assert_memory_equal(line.p, "a a a ", 6);
			assert_memory_equal(line.p + line.n - 10, "a a 5 last", 10);
			assert_int_equal(ev.n_more, 0);
			end(&t);
			free(record);
		}
	}
	(void)state;
}

static void arguments_that_do_not_fit_are_said(void **state)
{
	static const char record[] =
		"{\"EventID\":1,\"process\":{\"args\":[\"one\",\"two\",\"three\"]}}";

	(void)state;
	for (size_t cap = 0; cap < 64; cap++) {
		struct sq_sv rest = { record, sizeof(record) - 1 };
		struct sq_event ev;
		struct reading t;

		begin(&t, &(struct sq_reader_opts){ 0 });
		sq_arena_fini(&t.arena);
		assert_int_equal(sq_arena_init(&t.arena, cap), 0);
		assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
		assert_true(sq_sv_starts(sq_event_get(&ev, SQ_F_COMMAND_LINE), SQ_SV("one")));
		if (!sq_sv_eq(sq_event_get(&ev, SQ_F_COMMAND_LINE), SQ_SV("one two three")))
			assert_true(ev.flags & SQ_EVENT_OVERFLOW);
		end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(process_creation_wins_of_two_event_ids),
		cmocka_unit_test(arguments_are_joined_however_many),
		cmocka_unit_test(arguments_that_do_not_fit_are_said),
	};

	return RUN_TABLE("model/conflict", conflict_cases, check_conflict) +
	       cmocka_run_group_tests(others, NULL, NULL);
}
