/* What counts as an event id, as a category and as a value. */
#include "tests/unit/model/shape_case.h"

/* clang-format off */
static struct shape_case value_cases[] = {
	{ "event id 1 of another provider is no process creation",
	  "{\"EventID\":1,\"Channel\":\"System\",\"SourceName\":\"Microsoft-Windows-Kernel-General\"}", "nxlog", SQ_CATEGORY_NONE, 1, { "EventID=1" } },
	{ "event id 1 of nobody is no process creation", "{\"EventID\":1}", "flat", SQ_CATEGORY_NONE, 1, { "EventID=1" } },
	{ "4688 of nobody is", "{\"EventID\":4688}", "flat", CREATION, 4688, { "EventID=4688" } },
	{ "Sysmon 12 that deletes", "{\"EventID\":12,\"Channel\":\"" SYSMON "\",\"EventType\":\"INFO\",\"EventType\":\"DeleteKey\"}", "flat", SQ_CATEGORY_REGISTRY_DELETE, 12, { "EventType=INFO" } },
	{ "4689 names its process otherwise",
	  "{\"EventID\":4689,\"Channel\":\"Security\",\"ProcessName\":\"C:\\\\n.exe\",\"ProcessId\":\"0x20\"}", "flat", SQ_CATEGORY_NONE, 4689, { "Image=C:\\n.exe", "ProcessId=32" } },
	{ "event id as a number with a point", "{\"EventID\":4688.0,\"Channel\":\"Security\"}", "flat", CREATION, 4688, { "EventID=4688" } },
	{ "event id as a number with an exponent", "{\"EventID\":4.688e3,\"Channel\":\"Security\"}", "flat", CREATION, 4688, { "EventID=4688" } },
	{ "event id as text with blanks", "{\"EventID\":\" 4688 \",\"Channel\":\"Security\"}", "flat", CREATION, 4688, { "EventID=4688" } },
	{ "event id that is no number", "{\"EventID\":\"x\",\"Channel\":\"Security\"}", "flat", SQ_CATEGORY_NONE, 0, { "EventID=x" } },
	{ "event ids beyond reason", "{\"EventID\":1e400,\"Keywords\":123456789012345678901234567890}", "flat", SQ_CATEGORY_NONE, 0, { "EventID=1e400" } },
	{ "a second event id hides nothing", "{\"EventID\":1000,\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":\"n\"}", "flat", CREATION, 4688, { "Image=n" } },
	{ "null is a value, the next place fills it", "{\"Hostname\":null,\"host\":\"ws7\",\"EventID\":5,\"Image\":null}", "nxlog", SQ_CATEGORY_NONE, 5, { "Computer=ws7", "Image=" } },
	{ "keys are told apart by case", "{\"EventID\":1,\"Channel\":\"" SYSMON "\",\"image\":\"no\",\"IMAGE\":\"no\"}", "flat", CREATION, 1, { "Image!" } },
	{ "a lone surrogate, a NUL and bad UTF-8 lose nothing",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":\"\\ud800\",\"CommandLine\":\"a\\u0000b\",\"User\":\"\xff\xfe\"}", "flat", CREATION, 4688,
	  { "User=\xff\xfe" } },
};
/* clang-format on */

static void every_prefix_of_a_record_is_harmless(void **state SQ_UNUSED)
{
	check_prefixes(value_cases, SQ_LEN(value_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_of_a_record_is_harmless),
	};

	return RUN_TABLE("model/values", value_cases, check_shape) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
