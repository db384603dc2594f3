/* Small records of every shape that a producer writes, in the words of this test, and what they
 * must become. */
#include "tests/unit/model/shape_case.h"

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
	{ "Sentinel: the table SecurityEvent, with columns that are of other events",
	  "{\"TenantId\":\"t\",\"TimeGenerated\":\"2024-05-06T07:08:09.01Z\",\"Computer\":\"ws7\",\"EventSourceName\":\"Microsoft-Windows-Security-Auditing\","
	  "\"Channel\":\"Security\",\"EventData\":\"\",\"EventID\":4688,\"Activity\":\"4688 - A new process has been created.\",\"CommandLine\":\"n /c\","
	  "\"NewProcessName\":\"C:\\\\n.exe\",\"ParentProcessName\":\"C:\\\\p.exe\",\"Process\":\"n.exe\",\"ProcessName\":\"\",\"ObjectName\":\"\","
	  "\"SubjectUserName\":\"eve\",\"SubjectDomainName\":\"LAB\",\"Type\":\"SecurityEvent\"}",
	  "sentinel", CREATION, 4688, { "Image=C:\\n.exe", "CommandLine=n /c", "ParentImage=C:\\p.exe", "User=LAB\\eve", "Computer=ws7" } },
	{ "Sentinel: the table Event of the older agent, XML in an element around it",
	  "{\"TenantId\":\"t\",\"Source\":\"Microsoft-Windows-Sysmon\",\"EventLog\":\"" SYSMON "\",\"Computer\":\"ws7\",\"EventID\":1,\"EventData\":"
	  "\"<DataItem type=\\\"System.XmlData\\\"><EventData xmlns=\\\"u\\\"><Data Name=\\\"Image\\\">i</Data><Data Name=\\\"CommandLine\\\">c</Data></EventData></DataItem>\"}",
	  "sentinel", CREATION, 1, { "Image=i", "CommandLine=c", "Computer=ws7" } },
	{ "Sentinel: the table Event with its rendered text alone",
	  "{\"TenantId\":\"t\",\"EventLog\":\"" SYSMON "\",\"Computer\":\"ws7\",\"EventID\":1,\"RenderedDescription\":"
	  "\"Process Create:\\r\\nUtcTime: 2024-05-06 07:08:09.010\\r\\nProcessId: 5\\r\\nImage: i\\r\\nCommandLine: c d\\r\\nCurrentDirectory: w\"}",
	  "sentinel", CREATION, 1, { "Image=i", "CommandLine=c d", "ProcessId=5" } },
	{ "Azure's diagnostics: the event's XML within properties",
	  "{\"time\":\"2024-05-06T07:08:09Z\",\"category\":\"WindowsEventLogsTable\",\"properties\":{\"ProviderName\":\"Microsoft-Windows-Security-Auditing\","
	  "\"EventId\":4688,\"Channel\":\"Security\",\"Description\":\"A new process has been created.\",\"RawXml\":\"<Event><System><EventID>4688</EventID>"
	  "<Channel>Security</Channel><Computer>ws7</Computer></System><EventData><Data Name='NewProcessName'>n</Data><Data Name='CommandLine'>a &amp; b</Data>"
	  "</EventData></Event>\"}}",
	  "xml", CREATION, 4688, { "Image=n", "CommandLine=a & b", "Computer=ws7" } },
	{ "Azure's properties as text",
	  "{\"properties\":\"{\\\"EventId\\\":4688,\\\"Channel\\\":\\\"Security\\\",\\\"NewProcessName\\\":\\\"n\\\"}\"}",
	  "flat", CREATION, 4688, { "Image=n" } },
	{ "a result of Splunk, names out of the rendered text",
	  "{\"preview\":false,\"result\":{\"EventCode\":\"4688\",\"LogName\":\"Security\",\"ComputerName\":\"ws7\",\"New_Process_Name\":\"n\","
	  "\"Process_Command_Line\":\"c\",\"Creator_Process_Name\":\"p\"}}",
	  "flat", CREATION, 4688, { "Image=n", "CommandLine=c", "ParentImage=p", "Computer=ws7" } },
	{ "a result of Splunk, the event as it came",
	  "{\"result\":{\"_raw\":\"<Event><System><EventID>4688</EventID><Channel>Security</Channel></System><EventData><Data Name='CommandLine'>c</Data>"
	  "<Data Name='NewProcessName'>n</Data></EventData></Event>\",\"sourcetype\":\"XmlWinEventLog\"}}",
	  "xml", CREATION, 4688, { "Image=n", "CommandLine=c" } },
	{ "syslog-ng: the event as text in MESSAGE",
	  "{\"PROGRAM\":\"x\",\"HOST\":\"relay\",\"MESSAGE\":\"{\\\"EventID\\\":4688,\\\"Channel\\\":\\\"Security\\\",\\\"CommandLine\\\":\\\"c\\\"}\"}",
	  "flat", CREATION, 4688, { "CommandLine=c" } },
	{ "rsyslog: the event as text in msg",
	  "{\"fromhost\":\"relay\",\"msg\":\"<Event><System><EventID>4688</EventID><Channel>Security</Channel></System><EventData><Data Name='CommandLine'>c</Data></EventData></Event>\"}",
	  "xml", CREATION, 4688, { "CommandLine=c" } },
	{ "what a program logs as its msg is not taken for another event",
	  "{\"EventID\":1000,\"Channel\":\"Application\",\"msg\":\"{\\\"EventID\\\":4688,\\\"Channel\\\":\\\"Security\\\",\\\"CommandLine\\\":\\\"c\\\"}\"}",
	  "flat", SQ_CATEGORY_NONE, 1000, { "EventID=1000", "CommandLine!" } },
	{ "Wazuh before its alerts",
	  "{\"win\":{\"system\":{\"providerName\":\"Microsoft-Windows-Sysmon\",\"eventID\":\"1\",\"channel\":\"" SYSMON "\",\"computer\":\"ws7\","
	  "\"eventRecordID\":\"9\"},\"eventdata\":{\"image\":\"i\",\"commandLine\":\"c\"}}}",
	  "wazuh", CREATION, 1, { "Image=i", "CommandLine=c", "Computer=ws7", "EventRecordID=9" } },
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
};
/* clang-format on */

static void every_prefix_of_a_record_is_harmless(void **state SQ_UNUSED)
{
	check_prefixes(shape_cases, SQ_LEN(shape_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_of_a_record_is_harmless),
	};

	return RUN_TABLE("model/shapes", shape_cases, check_shape) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
