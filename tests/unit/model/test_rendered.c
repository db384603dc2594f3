/* Fields out of texts: what Windows shows of an event, and PowerShell's details, in the places
 * where producers leave them. */
#include "tests/unit/model/shape_case.h"

#define GUID "2ea8a363-25ed-4b20-9389-cc092983d3dd"

/* clang-format off */
static struct shape_case rendered_cases[] = {
	{ "4688 out of the rendered text",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"Message\":\"A new process has been created.\\r\\n\\r\\nCreator Subject:\\r\\n\\tAccount Name:\\t\\teve\\r\\n"
	  "\\tAccount Domain:\\t\\tLAB\\r\\n\\r\\nTarget Subject:\\r\\n\\tAccount Name:\\t\\t-\\r\\n\\r\\n\\tNew Process ID:\\t\\t0x20\\r\\n\\tNew Process Name:\\tC:\\\\n.exe\\r\\n"
	  "\\tMandatory Label:\\t\\tMandatory Label\\\\High Mandatory Level\\r\\n\\tProcess Command Line:\\tn\\r\\n/i:x\\r\\n\\r\\nToken Elevation Type indicates\"}",
	  "flat", CREATION, 4688,
	  { "Image=C:\\n.exe", "CommandLine=n\r\n/i:x", "User=LAB\\eve", "IntegrityLevel=High", "ProcessId=32", "TargetUserName=-" } },
	{ "Sysmon 1 out of the rendered text, with a label inside the command line",
	  "{\"EventID\":1,\"Channel\":\"" SYSMON "\",\"Message\":\"Process Create:\\nProcessId: 7\\nImage: C:\\\\i.exe\\nCommandLine: i\\nCurrentDirectory: fake\\n/x"
	  "\\nCurrentDirectory: C:\\\\\\nUser: LAB\\\\eve\\nParentImage: C:\\\\p.exe\\nParentCommandLine: p /y \"}",
	  "flat", CREATION, 1,
	  { "Image=C:\\i.exe", "CommandLine=i\nCurrentDirectory: fake\n/x", "CurrentDirectory=C:\\", "User=LAB\\eve", "ParentCommandLine=p /y ", "ProcessId=7" } },
	{ "PowerShell 400: the host out of the rendered text, up to the last label behind it",
	  "{\"EventID\":400,\"Channel\":\"Windows PowerShell\",\"Message\":\"Engine state is changed.\\r\\n\\r\\nDetails: \\r\\n\\tNewEngineState=Available\\r\\n\\tHostName=ConsoleHost\\r\\n\\tHostApplication=powershell -c a\\r\\n\\tEngineVersion=1; b\\r\\n\\tEngineVersion=5.1\\r\\n\\tRunspaceId=x\\r\\n\\tCommandLine=\"}",
	  "flat", SQ_CATEGORY_PS_CLASSIC_START, 400, { "HostApplication=powershell -c a\r\n\tEngineVersion=1; b" } },
	{ "PowerShell 400: out of data without names",
	  "{\"ProviderName\":\"PowerShell\",\"EventID\":400,\"Channel\":\"Windows PowerShell\",\"StringInserts\":[\"Available\",\"None\",\"\\tNewEngineState=Available\\r\\n\\tHostName=ConsoleHost\\r\\n\\tHostApplication=powershell -c a\\r\\n\\tEngineVersion=1; b\\r\\n\\tEngineVersion=5.1\\r\\n\\tRunspaceId=x\\r\\n\\tCommandLine=\"]}",
	  "fluentbit", SQ_CATEGORY_PS_CLASSIC_START, 400, { "HostApplication=powershell -c a\r\n\tEngineVersion=1; b" } },
	{ "PowerShell 400: Winlogbeat",
	  "{\"winlog\":{\"event_id\":\"400\",\"channel\":\"Windows PowerShell\",\"event_data\":{\"param1\":\"Available\",\"param3\":\"\\tNewEngineState=Available\\r\\n\\tHostName=ConsoleHost\\r\\n\\tHostApplication=powershell -c a\\r\\n\\tEngineVersion=1; b\\r\\n\\tEngineVersion=5.1\\r\\n\\tRunspaceId=x\\r\\n\\tCommandLine=\"}}}",
	  "winlogbeat7", SQ_CATEGORY_PS_CLASSIC_START, 400, { "HostApplication=powershell -c a\r\n\tEngineVersion=1; b" } },
	{ "PowerShell 400: evtx_dump",
	  "{\"Event\":{\"System\":{\"EventID\":400,\"Channel\":\"Windows PowerShell\"},\"EventData\":{\"Data\":{\"#text\":[\"Available\",\"None\",\"\\tNewEngineState=Available\\r\\n\\tHostName=ConsoleHost\\r\\n\\tHostApplication=powershell -c a\\r\\n\\tEngineVersion=1; b\\r\\n\\tEngineVersion=5.1\\r\\n\\tRunspaceId=x\\r\\n\\tCommandLine=\"]}}}}",
	  "evtx", SQ_CATEGORY_PS_CLASSIC_START, 400, { "HostApplication=powershell -c a\r\n\tEngineVersion=1; b" } },
	{ "PowerShell 400: EvtxECmd puts all in one line",
	  "{\"EventId\":400,\"Channel\":\"Windows PowerShell\",\"Payload\":\"{\\\"EventData\\\":{\\\"Data\\\":\\\"Available, None, NewEngineState=Available, HostApplication=powershell -c a, EngineVersion=5.1, RunspaceId=x\\\"}}\"}",
	  "flat", SQ_CATEGORY_PS_CLASSIC_START, 400, { "HostApplication=powershell -c a" } },
	{ "PowerShell 600: an engine without a version",
	  "{\"EventID\":600,\"Channel\":\"Windows PowerShell\",\"Message\":\"Details: \\n\\tHostApplication=a b\\n\\tEngineVersion=\\n\\tRunspaceId=\"}",
	  "flat", SQ_CATEGORY_PS_CLASSIC_PROVIDER_START, 600, { "HostApplication=a b" } },
	{ "a name of its own comes first",
	  "{\"EventID\":400,\"Channel\":\"Windows PowerShell\",\"HostApplication\":\"x\",\"Message\":\"Details: \\n\\tHostApplication=a b\\n\\tEngineVersion=\"}",
	  "flat", SQ_CATEGORY_PS_CLASSIC_START, 400, { "HostApplication=x" } },
	{ "PowerShell 4103: out of ContextInfo",
	  "{\"EventID\":4103,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"ContextInfo\":\"        Severity = Informational\\n        Host Application = powershell -c a\\n        Engine Version = 5.1\\n\",\"Payload\":\"p\"}",
	  "flat", SQ_CATEGORY_PS_MODULE, 4103, { "HostApplication=powershell -c a", "Payload=p" } },
	{ "PowerShell 4103: out of the rendered text",
	  "{\"EventID\":4103,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"Message\":\"CommandInvocation(x): y\\n\\nContext:\\n        Severity = Informational\\n        Host Application = powershell -c a\\n        Engine Version = 5.1\\n\"}",
	  "flat", SQ_CATEGORY_PS_MODULE, 4103, { "HostApplication=powershell -c a", "Payload=CommandInvocation(x): y\n\nContext:\n        Severity = Informational\n        Host Application = powershell -c a\n        Engine Version = 5.1" } },
	{ "PowerShell 4103: by position",
	  "{\"ProviderName\":\"Microsoft-Windows-PowerShell\",\"EventID\":4103,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"StringInserts\":[\"        Severity = Informational\\n        Host Application = powershell -c a\\n        Engine Version = 5.1\\n\",\"\",\"p\"]}",
	  "fluentbit", SQ_CATEGORY_PS_MODULE, 4103, { "HostApplication=powershell -c a", "Payload=p" } },
	{ "PowerShell 4103: in German, with what looks like the end in the command",
	  "{\"EventID\":4103,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"ContextInfo\":\"        Schweregrad = Informational\\r\\n        Hostname = ConsoleHost\\r\\n        Hostversion = 5.1.1\\r\\n        Host-ID = " GUID "\\r\\n        Hostanwendung = powershell -c a=b\\r\\n x = 5.1\\r\\n y = " GUID "\\r\\n c\\r\\n        Modulversion = 5.1.1\\r\\n        Runspace-ID = " GUID "\\r\\n        Pipeline-ID = 1\\r\\n\",\"Payload\":\"p\"}",
	  "flat", SQ_CATEGORY_PS_MODULE, 4103, { "HostApplication=powershell -c a=b\r\n x = 5.1\r\n y = " GUID "\r\n c", "Payload=p" } },
	{ "PowerShell 4103: out of a text in Japanese, behind data with an id",
	  "{\"EventID\":4103,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"Message\":\"CommandInvocation(x): a = " GUID "\\n\\n\\n        重大度 = Informational\\n        ホスト名 = ConsoleHost\\n        ホストのバージョン = 5.1\\n        ホスト ID = " GUID "\\n        ホスト アプリケーション = powershell -c a\\n        エンジンのバージョン = 5.1\\n        実行空間 ID = " GUID "\\n\"}",
	  "flat", SQ_CATEGORY_PS_MODULE, 4103, { "HostApplication=powershell -c a" } },
	{ "PowerShell 4103: in German, broken off behind the command",
	  "{\"EventID\":4103,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"ContextInfo\":\"Hostversion = 5.1 Host-ID = " GUID "\\n Hostanwendung = powershell -c a\\n Modulversion = \",\"Payload\":\"p\"}",
	  "flat", SQ_CATEGORY_PS_MODULE, 4103, { "HostApplication=powershell -c a" } },
	{ "PowerShell 4103: in German, all in one line, where the next label cannot be told from the command",
	  "{\"EventID\":4103,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"ContextInfo\":\"Hostversion = 5.1 Host-ID = " GUID " Hostanwendung = powershell -c a Modulversion = 5.1 Runspace-ID = " GUID " Pipeline-ID = \",\"Payload\":\"p\"}",
	  "flat", SQ_CATEGORY_PS_MODULE, 4103, { "HostApplication=powershell -c a Modulversion" } },
	{ "PowerShell 4103: an id without a version is no host",
	  "{\"EventID\":4103,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"ContextInfo\":\"a = x b = " GUID "\\n c = d\",\"Payload\":\"x = " GUID "\\n y = z\"}",
	  "flat", SQ_CATEGORY_PS_MODULE, 4103, { "HostApplication!" } },
	{ "PowerShell 400: as Winlogbeat's module leaves it",
	  "{\"event\":{\"code\":\"400\",\"module\":\"powershell\",\"provider\":\"PowerShell\"},\"process\":{\"command_line\":\"powershell -c a\",\"title\":\"ConsoleHost\"},\"powershell\":{\"engine\":{\"version\":\"5.1\"}},\"winlog\":{\"channel\":\"Windows PowerShell\",\"event_id\":400,\"provider_name\":\"PowerShell\"}}",
	  "winlogbeat7", SQ_CATEGORY_PS_CLASSIC_START, 400, { "HostApplication=powershell -c a" } },
	{ "PowerShell 4104: as Winlogbeat's module leaves it",
	  "{\"event\":{\"code\":\"4104\",\"module\":\"powershell\"},\"powershell\":{\"file\":{\"script_block_text\":\"a b\",\"script_block_id\":\"x\"},\"sequence\":1},\"winlog\":{\"channel\":\"Microsoft-Windows-PowerShell/Operational\",\"event_id\":4104,\"provider_name\":\"Microsoft-Windows-PowerShell\"}}",
	  "winlogbeat7", SQ_CATEGORY_PS_SCRIPT, 4104, { "ScriptBlockText=a b", "HostApplication!" } },
	{ "other events have no host",
	  "{\"EventID\":4104,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"Message\":\"\\tHostApplication=a\\n\\tEngineVersion=\"}",
	  "flat", SQ_CATEGORY_PS_SCRIPT, 4104, { "HostApplication!" } },
};
/* clang-format on */

static void every_prefix_of_a_record_is_harmless(void **state SQ_UNUSED)
{
	check_prefixes(rendered_cases, SQ_LEN(rendered_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_of_a_record_is_harmless),
	};

	return RUN_TABLE("model/rendered", rendered_cases, check_shape) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
