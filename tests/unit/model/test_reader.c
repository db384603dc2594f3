/* Small records of every shape, in the words of this test, and what they must become. */
#include "tests/support/test.h"

#include <errno.h>

#include "lib/model/reader.h"

struct shape_case {
	const char *name;
	const char *record;
	const char *shape;
	enum sq_category category;
	uint32_t event_id;
	const char *want[12]; /* "Field=value"; "Field!" = absent */
};

#define GUID     "2ea8a363-25ed-4b20-9389-cc092983d3dd"
#define SYSMON   "Microsoft-Windows-Sysmon/Operational"
#define CREATION SQ_CATEGORY_PROCESS_CREATION

/* clang-format off */
static struct shape_case shape_cases[] = {
	{ "NXLog, Sysmon 1",
	  "{\"EventID\":1,\"Channel\":\"" SYSMON "\",\"Hostname\":\"ws7\",\"SourceName\":\"Microsoft-Windows-Sysmon\","
	  "\"EventTime\":\"2024-05-06 07:08:09\",\"RecordNumber\":42,\"ProcessID\":2000,\"ProcessId\":\"77\","
	  "\"Image\":\"C:\\\\a\\\\b.exe\",\"CommandLine\":\"b.exe \\\"x y\\\"\",\"User\":\"LAB\\\\eve\",\"AccountName\":\"SYSTEM\"}",
	  "nxlog", CREATION, 1,
	  { "EventID=1", "Computer=ws7", "Provider_Name=Microsoft-Windows-Sysmon", "EventRecordID=42", "ProcessId=77",
	    "Image=C:\\a\\b.exe", "CommandLine=b.exe \"x y\"", "User=LAB\\eve", "TimeCreated=2024-05-06 07:08:09" } },
	{ "NXLog, 4688: names, ids and account are those of the new process",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":\"C:\\\\w\\\\new.exe\",\"NewProcessId\":\"0x1F4\","
	  "\"ProcessId\":\"0x10\",\"ParentProcessName\":\"C:\\\\w\\\\old.exe\",\"SubjectDomainName\":\"LAB\","
	  "\"SubjectUserName\":\"eve\",\"MandatoryLabel\":\"S-1-16-8192\",\"CommandLine\":\"new /x\"}",
	  "flat", CREATION, 4688,
	  { "Image=C:\\w\\new.exe", "NewProcessName=C:\\w\\new.exe", "ParentImage=C:\\w\\old.exe", "ProcessId=500",
	    "ParentProcessId=16", "User=LAB\\eve", "IntegrityLevel=Medium", "CommandLine=new /x", "NewProcessId=0x1F4" } },
	{ "NXLog CE leaves XML entities in values, before or after it says who it is",
	  "{\"CommandLine\":\"cmd &amp;&amp; a &lt; b &quot;c&quot; &nbsp; &amp;lt;\",\"SourceModuleType\":\"im_msvistalog\","
	  "\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":\"c&apos;d\",\"Message\":\"a &amp; b\"}",
	  "nxlog", CREATION, 4688,
	  { "CommandLine=cmd && a < b \"c\" &nbsp; &lt;", "Image=c'd", "Message=a &amp; b" } },
	{ "entities stay when the producer is another",
	  "{\"CommandLine\":\"a &amp; b\",\"EventID\":4688,\"Channel\":\"Security\"}",
	  "flat", CREATION, 4688, { "CommandLine=a &amp; b" } },
	{ "Winlogbeat 6",
	  "{\"@timestamp\":\"2024-05-06T07:08:09.010Z\",\"event_id\":1,\"log_name\":\"" SYSMON "\",\"source_name\":\"Microsoft-Windows-Sysmon\","
	  "\"computer_name\":\"ws7.lab\",\"host\":{\"name\":\"collector\"},\"user\":{\"name\":\"SYSTEM\",\"domain\":\"NT AUTHORITY\"},"
	  "\"record_number\":\"9\",\"process_id\":4,\"event_data\":{\"Image\":\"i\",\"CommandLine\":\"c\",\"ProcessId\":\"5\"}}",
	  "winlogbeat6", CREATION, 1,
	  { "Computer=ws7.lab", "Image=i", "CommandLine=c", "ProcessId=5", "EventRecordID=9", "User!" } },
	{ "Winlogbeat 7, raw; event id as text",
	  "{\"winlog\":{\"event_data\":{\"NewProcessName\":\"n\",\"CommandLine\":\"c\"},\"event_id\":\"4688\",\"channel\":\"Security\","
	  "\"provider_name\":\"Microsoft-Windows-Security-Auditing\",\"computer_name\":\"ws7\",\"record_id\":9,\"process\":{\"pid\":4}},"
	  "\"host\":{\"name\":\"collector\"},\"message\":\"text\",\"event\":{\"code\":\"4688\",\"provider\":\"p\"}}",
	  "winlogbeat7", CREATION, 4688,
	  { "Image=n", "CommandLine=c", "Computer=ws7", "EventRecordID=9", "Provider_Name=Microsoft-Windows-Security-Auditing",
	    "Message=text", "ProcessId!" } },
	{ "Winlogbeat 8 after the ingest pipeline: ECS names",
	  "{\"winlog\":{\"event_id\":\"1\",\"channel\":\"" SYSMON "\",\"event_data\":{\"IntegrityLevel\":\"High\"}},"
	  "\"process\":{\"executable\":\"e\",\"command_line\":\"c d\",\"args\":[\"c\",\"d\"],\"pid\":12,\"working_directory\":\"w\","
	  "\"parent\":{\"executable\":\"pe\",\"command_line\":\"pc\",\"pid\":11},\"pe\":{\"original_file_name\":\"O.EXE\",\"imphash\":\"aa\"},"
	  "\"hash\":{\"md5\":\"bb\",\"sha1\":\"cc\"}},\"user\":{\"domain\":\"LAB\",\"name\":\"eve\"}}",
	  "winlogbeat7", CREATION, 1,
	  { "Image=e", "CommandLine=c d", "ProcessId=12", "ParentImage=pe", "ParentCommandLine=pc", "ParentProcessId=11",
	    "OriginalFileName=O.EXE", "Hashes=SHA1=CC,MD5=BB,IMPHASH=AA", "User=LAB\\eve", "CurrentDirectory=w", "IntegrityLevel=High" } },
	{ "arguments stand in for the command line when there is nothing else",
	  "{\"winlog\":{\"event_id\":1,\"channel\":\"" SYSMON "\"},\"process\":{\"args\":[\"a.exe\",\"/s\",\"x\"],\"executable\":\"a\",\"parent\":{\"args\":[\"p\"]}}}",
	  "winlogbeat7", CREATION, 1, { "CommandLine=a.exe /s x", "ParentCommandLine=p" } },
	{ "raw names win over ECS, but not when they are empty",
	  "{\"process\":{\"command_line\":\"ecs\",\"executable\":\"ecs\"},\"winlog\":{\"event_id\":1,\"channel\":\"" SYSMON "\","
	  "\"event_data\":{\"CommandLine\":\"raw\",\"Image\":\"\"}}}",
	  "winlogbeat7", CREATION, 1, { "CommandLine=raw", "Image=ecs" } },
	{ "keys with dots for paths",
	  "{\"winlog.channel\":\"Security\",\"winlog.event_id\":4688,\"winlog.event_data.NewProcessName\":\"n\",\"winlog.event_data.CommandLine\":\"c\"}",
	  "winlogbeat7", CREATION, 4688, { "Image=n", "CommandLine=c", "Channel=Security" } },
	{ "GELF: one leading underscore",
	  "{\"version\":\"1.1\",\"host\":\"ws7\",\"short_message\":\"s\",\"full_message\":\"full\",\"timestamp\":1600000000.5,"
	  "\"_EventID\":4688,\"_Channel\":\"Security\",\"_NewProcessName\":\"n\",\"_CommandLine\":\"c\",\"facility\":\"f\"}",
	  "gelf", CREATION, 4688, { "Computer=ws7", "Image=n", "CommandLine=c", "Message=full", "Provider_Name=f" } },
	{ "OpenWEC",
	  "{\"System\":{\"Provider\":{\"Name\":\"Microsoft-Windows-Sysmon\"},\"EventID\":1,\"TimeCreated\":\"2024-05-06T07:08:09Z\","
	  "\"Channel\":\"" SYSMON "\",\"Computer\":\"ws7\",\"EventRecordID\":9},\"EventData\":{\"Image\":\"i\",\"CommandLine\":\"\"},"
	  "\"RenderingInfo\":{\"Message\":\"m\"}}",
	  "openwec", CREATION, 1, { "Image=i", "CommandLine=", "Computer=ws7", "Message=m", "Provider_Name=Microsoft-Windows-Sysmon" } },
	{ "evtx_dump, event id with attributes",
	  "{\"Event\":{\"System\":{\"Provider\":{\"#attributes\":{\"Name\":\"Microsoft-Windows-Security-Auditing\"}},"
	  "\"EventID\":{\"#attributes\":{\"Qualifiers\":0},\"#text\":4688},\"TimeCreated\":{\"#attributes\":{\"SystemTime\":\"2024-05-06T07:08:09Z\"}},"
	  "\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":{\"NewProcessName\":\"n\",\"NewProcessId\":\"0x20\"}}}",
	  "evtx", CREATION, 4688, { "Image=n", "ProcessId=32", "EventID=4688", "Computer=ws7" } },
	{ "Wazuh: lower first letter",
	  "{\"data\":{\"win\":{\"system\":{\"eventID\":\"1\",\"channel\":\"" SYSMON "\",\"computer\":\"ws7\",\"providerName\":\"Microsoft-Windows-Sysmon\"},"
	  "\"eventdata\":{\"image\":\"i\",\"commandLine\":\"c\",\"parentImage\":\"p\"}}},\"agent\":{\"name\":\"a\"},\"timestamp\":\"2024-05-06T07:08:09.000+0000\"}",
	  "wazuh", CREATION, 1, { "Image=i", "CommandLine=c", "ParentImage=p", "Computer=ws7" } },
	{ "Fluent Bit: positions of 4688",
	  "{\"ProviderName\":\"Microsoft-Windows-Security-Auditing\",\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\",\"StringInserts\":"
	  "[\"S-1-5-18\",\"eve\",\"LAB\",\"0x3e7\",\"0x20\",\"C:\\\\n.exe\",\"%%1936\",\"0x10\",\"n /c\",\"S-1-0-0\",\"-\",\"-\",\"0x0\",\"C:\\\\p.exe\",\"S-1-16-16384\"]}",
	  "fluentbit", CREATION, 4688,
	  { "Image=C:\\n.exe", "CommandLine=n /c", "ParentImage=C:\\p.exe", "ProcessId=32", "ParentProcessId=16", "User=LAB\\eve", "IntegrityLevel=System" } },
	{ "Fluent Bit: positions that do not fit are not believed",
	  "{\"ProviderName\":\"Microsoft-Windows-Security-Auditing\",\"EventID\":4688,\"Channel\":\"Security\",\"StringInserts\":"
	  "[\"eve\",\"LAB\",\"0x3e7\",\"0x20\",\"C:\\\\n.exe\",\"%%1936\",\"0x10\",\"n /c\"]}",
	  "fluentbit", CREATION, 4688, { "Image!", "CommandLine!" } },
	{ "fluentd: positions of an old Sysmon without RuleName, version strings and OriginalFileName",
	  "{\"ProviderName\":\"Microsoft-Windows-Sysmon\",\"EventID\":\"1\",\"Channel\":\"" SYSMON "\",\"Description\":\"text\",\"EventData\":"
	  "[\"2024-05-06 07:08:09.010\",\"{00000000-0000-0000-0000-000000000001}\",\"12\",\"C:\\\\i.exe\",\"i /x\",\"C:\\\\\",\"LAB\\\\eve\","
	  "\"{00000000-0000-0000-0000-000000000002}\",\"0x1\",\"1\",\"High\",\"MD5=AA\",\"{00000000-0000-0000-0000-000000000003}\",\"11\",\"C:\\\\p.exe\",\"p /y\"]}",
	  "fluentd", CREATION, 1,
	  { "Image=C:\\i.exe", "CommandLine=i /x", "User=LAB\\eve", "ParentImage=C:\\p.exe", "ParentCommandLine=p /y", "ProcessId=12",
	    "OriginalFileName!", "Message=text", "Hashes=MD5=AA", "IntegrityLevel=High" } },
	{ "Vector",
	  "{\"event_id\":4688,\"channel\":\"Security\",\"provider_name\":\"Microsoft-Windows-Security-Auditing\",\"computer\":\"ws7\",\"host\":\"relay\","
	  "\"user_name\":\"SYSTEM\",\"event_data\":{\"NewProcessName\":\"n\",\"CommandLine\":\"c\"},\"string_inserts\":[\"a\"],\"timestamp\":\"2024-05-06T07:08:09Z\"}",
	  "vector", CREATION, 4688, { "Image=n", "CommandLine=c", "Computer=ws7", "User!" } },
	{ "OpenTelemetry, a list of one-member objects, under body",
	  "{\"body\":{\"event_id\":{\"id\":1,\"qualifiers\":0},\"provider\":{\"name\":\"Microsoft-Windows-Sysmon\"},\"channel\":\"" SYSMON "\",\"computer\":\"ws7\","
	  "\"event_data\":{\"data\":[{\"Image\":\"i\"},{\"CommandLine\":\"c\"}]}}}",
	  "otel", CREATION, 1, { "Image=i", "CommandLine=c", "Computer=ws7", "EventID=1" } },
	{ "OpenTelemetry, a list of name and value",
	  "{\"event_id\":{\"id\":1},\"provider\":{\"name\":\"Microsoft-Windows-Sysmon\"},\"channel\":\"" SYSMON "\","
	  "\"event_data\":{\"data\":[{\"name\":\"Image\",\"value\":\"i\"},{\"value\":\"c\",\"name\":\"CommandLine\"},{\"name\":\"Image2\"}]}}",
	  "otel", CREATION, 1, { "Image=i", "CommandLine=c" } },
	{ "OpenTelemetry by way of Elasticsearch: in Body, or below body",
	  "{\"@timestamp\":\"2024-05-06T07:08:09.010Z\",\"Body\":{\"event_id\":{\"id\":1},\"channel\":\"" SYSMON "\",\"event_data\":{\"Image\":\"i\",\"CommandLine\":\"c\"}},\"SeverityText\":\"Information\"}",
	  "otel", CREATION, 1, { "Image=i", "CommandLine=c" } },
	{ "the same with dots",
	  "{\"@timestamp\":\"2024-05-06T07:08:09.010Z\",\"Body.event_id.id\":1,\"Body.channel\":\"" SYSMON "\",\"Body.event_data.Image\":\"i\",\"Body.event_data.CommandLine\":\"c\"}",
	  "otel", CREATION, 1, { "Image=i", "CommandLine=c" } },
	{ "in its own mapping",
	  "{\"body\":{\"structured\":{\"event_id\":{\"id\":1},\"channel\":\"" SYSMON "\",\"event_data\":{\"Image\":\"i\",\"CommandLine\":\"c\"}}},\"resource\":{\"attributes\":{\"host.name\":\"relay\"}}}",
	  "otel", CREATION, 1, { "Image=i", "CommandLine=c" } },
	{ "in its own mapping, raw",
	  "{\"body\":{\"text\":\"<Event><System><EventID>4688</EventID></System><EventData><Data Name='CommandLine'>c</Data></EventData></Event>\"}}",
	  "xml", CREATION, 4688, { "CommandLine=c" } },
	{ "Google Cloud's jsonPayload",
	  "{\"insertId\":\"x\",\"jsonPayload\":{\"event_id\":{\"id\":1},\"channel\":\"" SYSMON "\",\"event_data\":{\"Image\":\"i\",\"CommandLine\":\"c\"}},\"resource\":{\"type\":\"gce_instance\"}}",
	  "otel", CREATION, 1, { "Image=i", "CommandLine=c" } },
	{ "lists of key and value",
	  "{\"System\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":{\"Data\":[{\"key\":\"NewProcessName\",\"value\":\"n\"},{\"Key\":\"CommandLine\",\"Value\":\"c\"}]}}",
	  "openwec", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "EventData as a list of key and value",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"EventData\":[{\"key\":\"NewProcessName\",\"value\":\"n\"},{\"value\":\"c\",\"key\":\"CommandLine\"}]}",
	  "flat", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "event_data as a list of Key and Value",
	  "{\"event_id\":4688,\"channel\":\"Security\",\"event_data\":[{\"Key\":\"NewProcessName\",\"Value\":\"n\"},{\"Key\":\"CommandLine\",\"Value\":\"c\"}]}",
	  "flat", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "xmltodict, EvtxECmd: attributes behind @",
	  "{\"Event\":{\"System\":{\"Provider\":{\"@Name\":\"p\"},\"EventID\":{\"@Qualifiers\":\"0\",\"#text\":\"4688\"},\"TimeCreated\":{\"@SystemTime\":\"t\"},\"Channel\":\"Security\"},\"EventData\":{\"Data\":[{\"@Name\":\"NewProcessName\",\"#text\":\"n\"},{\"#text\":\"c\",\"@Name\":\"CommandLine\"},{\"@Name\":\"TargetUserName\"}]}}}",
	  "evtx", CREATION, 4688, { "Image=n", "CommandLine=c", "Provider_Name=p", "TimeCreated=t", "TargetUserName!" } },
	{ "EventData as the list itself",
	  "{\"System\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":[{\"@Name\":\"NewProcessName\",\"#text\":\"n\"},{\"Name\":\"CommandLine\",\"Value\":\"c\"}]}",
	  "openwec", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "Event.EventData as the list itself",
	  "{\"Event\":{\"System\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":[{\"name\":\"NewProcessName\",\"value\":\"n\"},{\"_attributes\":{\"Name\":\"CommandLine\"},\"_text\":\"c\"}]}}",
	  "evtx", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "event_data as the list itself",
	  "{\"event_id\":4688,\"channel\":\"Security\",\"event_data\":[{\"@_Name\":\"NewProcessName\",\"#text\":\"n\"},{\"Name\":\"CommandLine\",\"text\":\"c\"}]}",
	  "flat", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "an event whose data are called Name and Value is no pair",
	  "{\"System\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":{\"Name\":\"CommandLine\",\"Value\":\"x\",\"NewProcessName\":\"n\"}}",
	  "openwec", CREATION, 4688, { "Image=n", "CommandLine!" } },
	{ "one pair alone, no array",
	  "{\"System\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":{\"Data\":{\"@Name\":\"CommandLine\",\"#text\":\"c\"}}}",
	  "openwec", CREATION, 4688, { "CommandLine=c" } },
	{ "a value without a name is not that of the pair before it",
	  "{\"System\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":[{\"@Name\":\"CommandLine\",\"#text\":\"c\"},{\"#text\":\"x\"},{\"Data\":{\"@Name\":\"NewProcessName\",\"#text\":\"n\"}}]}",
	  "openwec", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "xml2js: arrays everywhere, attributes in $",
	  "{\"Event\":{\"System\":[{\"Provider\":[{\"$\":{\"Name\":\"p\"}}],\"EventID\":[{\"_\":\"4688\",\"$\":{\"Qualifiers\":\"0\"}}],\"Channel\":[\"Security\"],\"TimeCreated\":[{\"$\":{\"SystemTime\":\"t\"}}]}],\"EventData\":[{\"Data\":[{\"_\":\"n\",\"$\":{\"Name\":\"NewProcessName\"}},{\"_\":\"c\",\"$\":{\"Name\":\"CommandLine\"}}]}]}}",
	  "evtx", CREATION, 4688, { "Image=n", "CommandLine=c", "Provider_Name=p", "TimeCreated=t" } },
	{ "xml-js: texts in _text everywhere",
	  "{\"Event\":{\"System\":{\"Provider\":{\"_attributes\":{\"Name\":\"p\"}},\"EventID\":{\"_text\":\"4688\"},\"Channel\":{\"_text\":\"Security\"},\"Computer\":{\"_text\":\"ws7\"},\"EventRecordID\":{\"_text\":\"9\"}},\"EventData\":{\"Data\":[{\"_attributes\":{\"Name\":\"NewProcessName\"},\"_text\":\"n\"},{\"_attributes\":{\"Name\":\"CommandLine\"},\"_text\":\"c\"}]}}}",
	  "evtx", CREATION, 4688, { "Image=n", "CommandLine=c", "Provider_Name=p", "Computer=ws7", "Channel=Security", "EventRecordID=9" } },
	{ "Jackson: texts behind an empty key",
	  "{\"System\":{\"Provider\":{\"Name\":\"p\"},\"EventID\":{\"Qualifiers\":\"0\",\"\":\"4688\"},\"Channel\":\"Security\"},\"EventData\":{\"Data\":[{\"Name\":\"NewProcessName\",\"\":\"n\"},{\"Name\":\"CommandLine\",\"\":\"c\"}]}}",
	  "openwec", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "mxj, x2js, Badgerfish, GData, XmlSimple, arrays of PHP",
	  "{\"System\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":{\"Data\":[{\"-Name\":\"NewProcessName\",\"#text\":\"n\"},{\"_Name\":\"CommandLine\",\"__text\":\"c\"},{\"@Name\":\"TargetUserName\",\"$\":\"b\"},{\"Name\":\"TargetDomainName\",\"$t\":\"g\"},{\"Name\":\"MandatoryLabel\",\"content\":\"x\"},{\"@attributes\":{\"Name\":\"SubjectUserName\"},\"@value\":\"p\"}]}}",
	  "openwec", CREATION, 4688, { "Image=n", "CommandLine=c", "TargetUserName=b", "TargetDomainName=g", "MandatoryLabel=x", "SubjectUserName=p" } },
	{ "EvtxECmd: the data as JSON text in Payload",
	  "{\"PayloadData1\":\"x\",\"EventId\":4688,\"Channel\":\"Security\",\"Provider\":\"p\",\"Computer\":\"ws7\",\"Payload\":\"{\\\"EventData\\\":{\\\"Data\\\":[{\\\"@Name\\\":\\\"NewProcessName\\\",\\\"#text\\\":\\\"n\\\"},{\\\"@Name\\\":\\\"CommandLine\\\",\\\"#text\\\":\\\"c\\\"}]}}\"}",
	  "flat", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "EventData as JSON text that holds a list in Data",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"EventData\":\"{\\\"Data\\\":[{\\\"@Name\\\":\\\"NewProcessName\\\",\\\"#text\\\":\\\"n\\\"},{\\\"@Name\\\":\\\"CommandLine\\\",\\\"#text\\\":\\\"c\\\"}]}\"}",
	  "flat", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "Velociraptor",
	  "{\"System\":{\"Provider\":{\"Name\":\"p\"},\"EventID\":{\"Value\":4688},\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":{\"NewProcessName\":\"n\",\"CommandLine\":\"c\"}}",
	  "openwec", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "osquery",
	  "{\"name\":\"pack\",\"columns\":{\"eventid\":\"4688\",\"source\":\"Security\",\"provider_name\":\"Microsoft-Windows-Security-Auditing\",\"computer_name\":\"ws7\",\"data\":\"{\\\"EventData\\\":{\\\"NewProcessName\\\":\\\"n\\\",\\\"CommandLine\\\":\\\"c\\\"}}\"},\"action\":\"added\"}",
	  "osquery", CREATION, 4688, { "Image=n", "CommandLine=c", "Computer=ws7" } },
	{ "names lost on the way: positions in Data",
	  "{\"Event\":{\"System\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\"},\"EventData\":{\"Data\":[\"S-1-5-18\",\"eve\",\"LAB\",\"0x3e7\",\"0x20\",\"C:\\\\n.exe\",\"%%1936\",\"0x10\",\"n /c\",\"S-1-0-0\",\"-\",\"-\",\"0x0\",\"C:\\\\p.exe\",\"S-1-16-16384\"]}}}",
	  "evtx", CREATION, 4688, { "Image=C:\\n.exe", "CommandLine=n /c", "ParentImage=C:\\p.exe" } },
	{ "Get-EventLog: positions in ReplacementStrings",
	  "{\"EventID\":4688,\"MachineName\":\"ws7\",\"Source\":\"Microsoft-Windows-Security-Auditing\",\"ReplacementStrings\":[\"S-1-5-18\",\"eve\",\"LAB\",\"0x3e7\",\"0x20\",\"C:\\\\n.exe\",\"%%1936\",\"0x10\",\"n /c\",\"S-1-0-0\",\"-\",\"-\",\"0x0\",\"C:\\\\p.exe\",\"S-1-16-16384\"]}",
	  "flat", CREATION, 4688, { "Image=C:\\n.exe", "CommandLine=n /c", "ParentImage=C:\\p.exe" } },
	{ "Promtail: EventData as XML text",
	  "{\"source\":\"Microsoft-Windows-Sysmon\",\"channel\":\"" SYSMON "\",\"computer\":\"ws7\",\"event_id\":1,"
	  "\"event_data\":\"<Data Name='Image'>i</Data><Data Name='CommandLine'>a &amp; b</Data>\"}",
	  "promtail", CREATION, 1, { "Image=i", "CommandLine=a & b", "Computer=ws7", "Provider_Name=Microsoft-Windows-Sysmon" } },
	{ "Telegraf",
	  "{\"name\":\"win_eventlog\",\"tags\":{\"EventID\":\"4688\",\"Channel\":\"Security\",\"Computer\":\"ws7\",\"host\":\"t\"},"
	  "\"fields\":{\"Data_NewProcessName\":\"n\",\"Data_CommandLine\":\"c\",\"ProcessName\":\"svchost\"},\"timestamp\":1600000000}",
	  "telegraf", CREATION, 4688, { "Image=n", "CommandLine=c", "Computer=ws7" } },
	{ "Sentinel: EventData as JSON text",
	  "{\"TenantId\":\"t\",\"EventID\":1,\"Channel\":\"" SYSMON "\",\"Computer\":\"ws7\",\"EventData\":\"{\\\"Image\\\":\\\"C:\\\\\\\\i.exe\\\",\\\"CommandLine\\\":\\\"c\\\"}\"}",
	  "sentinel", CREATION, 1, { "Image=C:\\i.exe", "CommandLine=c" } },
	{ "OpenWEC, raw XML in data",
	  "{\"meta\":{\"Client\":\"c\"},\"data\":\"<Event><System><Provider Name=\\\"Microsoft-Windows-Sysmon\\\"/><EventID>1</EventID></System>"
	  "<EventData><Data Name=\\\"Image\\\">i</Data></EventData></Event>\"}",
	  "openwec_raw", CREATION, 1, { "Image=i", "Provider_Name=Microsoft-Windows-Sysmon" } },
	{ "a record that is XML",
	  "<?xml version='1.0'?><Event xmlns='u'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{x}'/><EventID Qualifiers='0'>4688</EventID>"
	  "<TimeCreated SystemTime='2024-05-06T07:08:09.1234567Z'/><Channel>Security</Channel><Computer>ws7</Computer></System>"
	  "<EventData><Data Name='NewProcessName'>n</Data><Data Name='CommandLine'>a &lt;b&gt; &#65;&#x42;</Data><Data Name='TargetUserName'/></EventData>"
	  "<RenderingInfo Culture='en-US'><Message>m</Message></RenderingInfo></Event>",
	  "xml", CREATION, 4688, { "Image=n", "CommandLine=a <b> AB", "TargetUserName=", "Message=m", "Computer=ws7" } },
	{ "a search hit is unwrapped",
	  "{\"_index\":\"i\",\"_source\":{\"winlog\":{\"event_id\":1,\"channel\":\"" SYSMON "\",\"event_data\":{\"Image\":\"i\"}}},\"fields\":{\"a\":[1]}}",
	  "winlogbeat7", CREATION, 1, { "Image=i" } },
	{ "HEC: event as an object",
	  "{\"host\":\"relay\",\"time\":1600000000,\"event\":{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws7\",\"NewProcessName\":\"n\"}}",
	  "flat", CREATION, 4688, { "Image=n", "Computer=ws7" } },
	{ "JSON in a string in a string",
	  "{\"message\":\"{\\\"log\\\":\\\"{\\\\\\\"EventID\\\\\\\":4688,\\\\\\\"Channel\\\\\\\":\\\\\\\"Security\\\\\\\",\\\\\\\"CommandLine\\\\\\\":\\\\\\\"c\\\\\\\"}\\\"}\"}",
	  "flat", CREATION, 4688, { "CommandLine=c", "Message!" } },
	{ "what a program logs as its message is not taken for another event",
	  "{\"EventID\":1000,\"Channel\":\"Application\",\"Message\":\"{\\\"EventID\\\":4688,\\\"Channel\\\":\\\"Security\\\",\\\"CommandLine\\\":\\\"c\\\"}\"}",
	  "flat", SQ_CATEGORY_NONE, 1000, { "EventID=1000", "CommandLine!" } },
	{ "HELK: backslashes written twice",
	  "{\"event_id\":1,\"log_name\":\"" SYSMON "\",\"host_name\":\"ws7\",\"process_path\":\"c:\\\\\\\\w\\\\\\\\i.exe\",\"process_command_line\":\"i \\\\single\"}",
	  "helk", CREATION, 1, { "Image=c:\\w\\i.exe", "CommandLine=i \\single", "Computer=ws7" } },
	{ "bulk action lines are no events, and not malformed",
	  "{\"create\":{\"_index\":\"i\"}}", "es_bulk_action", SQ_CATEGORY_NONE, 0, { "EventID!" } },
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
	{ "other events have no host",
	  "{\"EventID\":4104,\"Channel\":\"Microsoft-Windows-PowerShell/Operational\",\"Message\":\"\\tHostApplication=a\\n\\tEngineVersion=\"}",
	  "flat", SQ_CATEGORY_PS_SCRIPT, 4104, { "HostApplication!" } },
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

struct reading {
	struct sq_fields *fields;
	struct sq_reader *reader;
	struct sq_arena arena;
};

static void begin(struct reading *t, const struct sq_reader_opts *opts)
{
	t->fields = sq_fields_new();
	assert_non_null(t->fields);
	t->reader = sq_reader_new(t->fields, opts);
	assert_non_null(t->reader);
	assert_int_equal(sq_arena_init(&t->arena, 1 << 20), 0);
}

static void end(struct reading *t)
{
	sq_arena_fini(&t->arena);
	sq_reader_free(t->reader);
	sq_fields_free(t->fields);
}

static void check_want(const struct sq_fields *fields, const struct sq_event *ev, const char *want)
{
	size_t n = strcspn(want, "=!");
	int field = sq_fields_find(fields, (struct sq_sv){ want, n });

	assert_true(field >= 0);
	if (want[n] == '!')
		assert_false(sq_event_has(ev, (uint32_t)field) &&
		             sq_event_get(ev, (uint32_t)field).n);
	else
		assert_sv_equal(sq_event_get(ev, (uint32_t)field), sq_sv_of(want + n + 1));
}

static void check_shape(void **state)
{
	const struct shape_case *tc = *state;
	size_t n = strlen(tc->record);
	char *copy = exact(tc->record, n);
	struct sq_sv rest = { copy, n };
	struct sq_event ev;
	struct reading t;
	int r;

	begin(&t, &(struct sq_reader_opts){ 0 });
	r = sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev);
	if (r != 1)
		fail_msg("%s", sq_reader_why(t.reader));
	assert_string_equal(ev.shape, tc->shape);
	assert_int_equal(ev.event_id, tc->event_id);
	assert_string_equal(sq_category_name(ev.category), sq_category_name(tc->category));
	assert_sv_equal(ev.raw, ((struct sq_sv){ copy, n }));
	for (size_t i = 0; i < SQ_LEN(tc->want) && tc->want[i]; i++)
		check_want(t.fields, &ev, tc->want[i]);
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 0);
	end(&t);
	free(copy);
}

struct record_case {
	const char *name;
	struct sq_sv record;
	int want[6];     /* return values in order; the first 0 ends the case */
	uint32_t ids[6]; /* of the events among them */
	const char *why; /* part of the reason of the last failure */
};

#define DEEP8  "[[[[[[[["
#define DEEP64 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8

/* clang-format off */
static struct record_case record_cases[] = {
	{ "two objects back to back", SQ_SV("{\"EventID\":1}{\"EventID\":2}"), { 1, 1 }, { 1, 2 } },
	{ "two with a NUL between", SQ_SV("{\"EventID\":1}\0{\"EventID\":2}\0"), { 1, 1 }, { 1, 2 } },
	{ "an array of three", SQ_SV("[{\"EventID\":1}, {\"EventID\":2},{\"EventID\":3}]\n"), { 1, 1, 1 }, { 1, 2, 3 } },
	{ "an empty array", SQ_SV("[]"), { 0 }, { 0 } },
	{ "an array whose end is missing", SQ_SV("[{\"EventID\":1},{\"EventID\":2"), { 1, -EBADMSG }, { 1 }, "premature" },
	{ "a byte order mark", SQ_SV("\xef\xbb\xbf{\"EventID\":1}"), { 1 }, { 1 } },
	{ "blanks and a line end behind", SQ_SV("{\"EventID\":1} \r\n"), { 1 }, { 1 } },
	{ "a pretty object", SQ_SV("{\n  \"EventID\" : 1\n}"), { 1 }, { 1 } },
	{ "rubbish behind an event does not lose it", SQ_SV("{\"EventID\":1} rubbish"), { 1, -EBADMSG }, { 1 }, "no JSON object" },
	{ "a broken line, a good one", SQ_SV("{\"EventID\":x}\n{\"EventID\":2}"), { -EBADMSG, 1 }, { 0, 2 }, "not JSON at byte" },
	{ "nothing", SQ_SV(""), { -EBADMSG }, { 0 }, "no JSON object" },
	{ "blanks only", SQ_SV("  \n"), { -EBADMSG }, { 0 }, "no JSON object" },
	{ "text", SQ_SV("regsvr32 /s x"), { -EBADMSG }, { 0 }, "no JSON object" },
	{ "a bare string", SQ_SV("\"{\""), { -EBADMSG }, { 0 }, "bare value" },
	{ "a bare number", SQ_SV("12"), { -EBADMSG }, { 0 }, "no JSON object" },
	{ "an escape that JSON does not have", SQ_SV("{\"EventID\":1,\"a\":\"\\x2f\"}"), { -EBADMSG }, { 0 }, "not JSON at byte" },
	{ "the end is missing", SQ_SV("{\"EventID\":1,\"a\":\"b\""), { -EBADMSG }, { 0 }, "premature EOF" },
	{ "as deep as allowed", SQ_SV("{\"a\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]],\"EventID\":1}"), { 1 }, { 1 } },
	{ "deeper than allowed", SQ_SV("{\"a\":" DEEP64), { -EBADMSG }, { 0 }, "nested deeper than 64" },
	{ "XML that breaks off", SQ_SV("<Event><System><EventID>1</EventID>"), { -EBADMSG }, { 0 }, "XML" },
	{ "two XML events in one frame", SQ_SV("<Events><Event><System><EventID>1</EventID></System></Event>"
	  "<Event><System><EventID>2</EventID></System></Event></Events>"), { 1, 1 }, { 1, 2 } },
};
/* clang-format on */

static void check_record(void **state)
{
	const struct record_case *tc = *state;
	char *copy = exact(tc->record.p, tc->record.n);
	struct sq_sv rest = { copy, tc->record.n };
	struct sq_event ev;
	struct reading t;

	begin(&t, &(struct sq_reader_opts){ 0 });
	for (size_t i = 0; i < SQ_LEN(tc->want); i++) {
		int r = sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev);

		assert_int_equal(r, tc->want[i]);
		if (r == 1)
			assert_int_equal(ev.event_id, tc->ids[i]);
		if (r < 0 && !strstr(sq_reader_why(t.reader), tc->why))
			fail_msg("\"%s\" does not say \"%s\"", sq_reader_why(t.reader), tc->why);
		if (r == 0)
			break;
	}
	/* A good record after it is read as if nothing had been. */
	rest = SQ_SV("{\"EventID\":7}");
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
	assert_int_equal(ev.event_id, 7);
	end(&t);
	free(copy);
}

static void every_value_of_a_key_given_twice_is_kept(void **state)
{
	struct sq_sv rest = SQ_SV("{\"EventID\":4688,\"CommandLine\":\"a\",\"CommandLine\":\"b\","
	                          "\"CommandLine\":\"a\",\"CommandLine\":[\"c\",\"d\"]}");
	const struct sq_value *v;
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ 0 });
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
	assert_true(ev.flags & SQ_EVENT_DUPLICATE_KEY);
	v = &ev.values[SQ_F_COMMAND_LINE];
	for (const char *want = "abcd"; *want; want++) {
		assert_non_null(v);
		assert_sv_equal(sq_value_sv(v), ((struct sq_sv){ want, 1 }));
		v = sq_event_next(&ev, v);
	}
	assert_null(v);
	end(&t);
}

static void an_array_is_no_key_given_twice(void **state)
{
	struct sq_sv rest = SQ_SV("{\"EventID\":1,\"Image\":[\"a\",\"b\"]}");
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ 0 });
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
	assert_false(ev.flags & SQ_EVENT_DUPLICATE_KEY);
	assert_non_null(sq_event_next(&ev, &ev.values[SQ_F_IMAGE]));
	end(&t);
}

static void a_rules_own_field_is_found_under_its_name(void **state)
{
	struct sq_fields *fields = sq_fields_new();
	int target = sq_fields_add(fields, SQ_SV("TargetObject"));
	struct sq_reader *r = sq_reader_new(fields, &(struct sq_reader_opts){ 0 });
	struct sq_sv rest =
		SQ_SV("{\"event_data\":{\"TargetObject\":\"HKLM\\\\x\"},\"event_id\":13}");
	struct sq_arena a;
	struct sq_event ev;

	(void)state;
	assert_int_equal(sq_arena_init(&a, 4096), 0);
	assert_int_equal(sq_reader_next(r, &rest, NULL, &a, &ev), 1);
	assert_sv_equal(sq_event_get(&ev, (uint32_t)target), SQ_SV("HKLM\\x"));
	sq_arena_fini(&a);
	sq_reader_free(r);
	sq_fields_free(fields);
}

static void all_scalars_are_kept_when_asked_for(void **state)
{
	struct sq_sv rest = SQ_SV("{\"a\":{\"b\":[\"x\\ny\",12]},\"EventID\":3,\"c\":null}");
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ .want_all = true });
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
	assert_int_equal(ev.n_all, 3);
	assert_sv_equal(ev.all[0], SQ_SV("x\ny"));
	assert_sv_equal(ev.all[1], SQ_SV("12"));
	assert_sv_equal(ev.all[2], SQ_SV("3"));
	end(&t);
}

static void more_keys_than_allowed_are_malformed(void **state)
{
	struct sq_sv rest = SQ_SV("{\"a\":1,\"b\":2,\"c\":3}");
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ .max_keys = 2 });
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), -EBADMSG);
	assert_string_equal(sq_reader_why(t.reader), "keys over the limit of 2");
	end(&t);
}

static void a_full_arena_is_said_and_harmless(void **state)
{
	static const char record[] =
		"{\"EventID\":\"4\\u0036\\u0038\\u0038\",\"Channel\":\"Securit\\u0079\","
		"\"CommandLine\":\"\\ta\\tb\\tc\",\"NewProcessId\":\"0x1\"}";

	(void)state;
	for (size_t cap = 0; cap < 64; cap++) {
		struct sq_sv rest = { record, sizeof(record) - 1 };
		struct sq_event ev;
		struct reading t;

		begin(&t, &(struct sq_reader_opts){ 0 });
		sq_arena_fini(&t.arena);
		assert_int_equal(sq_arena_init(&t.arena, cap), 0);
		assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
		if (cap < 15)
			assert_true(ev.flags & SQ_EVENT_OVERFLOW);
		if (cap >= 40)
			assert_false(ev.flags & SQ_EVENT_OVERFLOW);
		end(&t);
	}
}

static void a_syslog_header_fills_what_the_event_lacks(void **state)
{
	struct sq_syslog header = { .host = SQ_SV("relay"), .time_us = 77 };
	struct sq_sv rest =
		SQ_SV("{\"EventID\":1}{\"EventID\":1,\"Hostname\":\"own\",\"EventTime\":"
	              "\"1970-01-01T00:00:01Z\"}");
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ 0 });
	assert_int_equal(sq_reader_next(t.reader, &rest, &header, &t.arena, &ev), 1);
	assert_sv_equal(sq_event_get(&ev, SQ_F_COMPUTER), SQ_SV("relay"));
	assert_int_equal(ev.time_us, 77);
	assert_int_equal(sq_reader_next(t.reader, &rest, &header, &t.arena, &ev), 1);
	assert_sv_equal(sq_event_get(&ev, SQ_F_COMPUTER), SQ_SV("own"));
	assert_int_equal(ev.time_us, 1000000);
	end(&t);
}

static void a_time_with_a_zone_beats_one_without(void **state)
{
	static const struct {
		const char *record;
		int64_t want_us;
	} rows[] = {
		{ "{\"EventID\":4688,\"EventTime\":\"1970-01-01 05:00:00\","
		  "\"@timestamp\":\"1970-01-01T00:00:03Z\"}",
		  3000000 },
		{ "{\"EventID\":4688,\"EventTime\":\"1970-01-01T06:00:00+05:00\","
		  "\"@timestamp\":\"1970-01-01T00:00:03Z\"}",
		  3600000000 },
		{ "{\"EventID\":4688,\"EventTime\":\"1970-01-01 00:00:05\"}", 5000000 },
		{ "{\"EventID\":4688,\"@timestamp\":\"1970-01-01T00:00:06.5Z\"}", 6500000 },
		{ "{\"EventID\":4688,\"EventTime\":7,\"@timestamp\":\"1970-01-01T00:00:08Z\"}",
		  7000000 },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct sq_sv rest = sq_sv_of(rows[i].record);
		struct sq_event ev;
		struct reading t;

		begin(&t, &(struct sq_reader_opts){ 0 });
		assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
		assert_int_equal(ev.time_us, rows[i].want_us);
		end(&t);
	}
}

static void sysmon_time_is_utc_time(void **state)
{
	struct sq_sv rest = SQ_SV("{\"EventID\":1,\"SourceName\":\"Microsoft-Windows-Sysmon\","
	                          "\"EventTime\":\"2024-05-06 09:08:09\","
	                          "\"UtcTime\":\"1970-01-01 00:00:02.500\"}");
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ 0 });
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
	assert_int_equal(ev.time_us, 2500000);
	end(&t);
}

/* Whatever a record is cut to, there is an answer and nothing is read beyond its end. */
static void every_prefix_of_a_record_is_harmless(void **state)
{
	(void)state;
	for (size_t i = 0; i < SQ_LEN(shape_cases); i++) {
		const char *record = shape_cases[i].record;
		struct reading t;

		begin(&t, &(struct sq_reader_opts){ .want_all = true });
		for (size_t n = 0; n < strlen(record); n++) {
			char *copy = exact(record, n);
			struct sq_sv rest = { copy, n };
			struct sq_event ev;
			int calls = 0;

			sq_arena_reset(&t.arena);
			while (sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev) != 0)
				assert_true(++calls < 10);
			free(copy);
		}
		end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_of_a_key_given_twice_is_kept),
		cmocka_unit_test(an_array_is_no_key_given_twice),
		cmocka_unit_test(a_rules_own_field_is_found_under_its_name),
		cmocka_unit_test(all_scalars_are_kept_when_asked_for),
		cmocka_unit_test(more_keys_than_allowed_are_malformed),
		cmocka_unit_test(a_full_arena_is_said_and_harmless),
		cmocka_unit_test(a_syslog_header_fills_what_the_event_lacks),
		cmocka_unit_test(a_time_with_a_zone_beats_one_without),
		cmocka_unit_test(sysmon_time_is_utc_time),
		cmocka_unit_test(every_prefix_of_a_record_is_harmless),
	};
	int failed = RUN_TABLE("model/reader shapes", shape_cases, check_shape);

	failed += RUN_TABLE("model/reader records", record_cases, check_record);
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
