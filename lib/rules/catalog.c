#include "lib/rules/catalog.h"

#define BIT(c)       (UINT64_C(1) << SQ_CATEGORY_##c)
#define MAX_CHANNELS 5 /* of one service, with the NULL */

struct service {
	const char *name;
	const char *channels[MAX_CHANNELS];
};

/* clang-format off */
static const struct service services[] = {
	{ "application",              { "Application" } },
	{ "application-experience",   { "Microsoft-Windows-Application-Experience/Program-Telemetry",
	                                "Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant" } },
	{ "applocker",                { "Microsoft-Windows-AppLocker/EXE and DLL",
	                                "Microsoft-Windows-AppLocker/MSI and Script",
	                                "Microsoft-Windows-AppLocker/Packaged app-Deployment",
	                                "Microsoft-Windows-AppLocker/Packaged app-Execution" } },
	{ "appmodel-runtime",         { "Microsoft-Windows-AppModel-Runtime/Admin" } },
	{ "appxdeployment-server",    { "Microsoft-Windows-AppXDeploymentServer/Operational" } },
	{ "appxpackaging-om",         { "Microsoft-Windows-AppxPackaging/Operational" } },
	{ "bitlocker",                { "Microsoft-Windows-BitLocker/BitLocker Management" } },
	{ "bits-client",              { "Microsoft-Windows-Bits-Client/Operational" } },
	{ "capi2",                    { "Microsoft-Windows-CAPI2/Operational" } },
	{ "certificateservicesclient-lifecycle-system",
	                              { "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational" } },
	{ "codeintegrity-operational", { "Microsoft-Windows-CodeIntegrity/Operational" } },
	{ "dhcp",                     { "Microsoft-Windows-DHCP-Server/Operational" } },
	{ "diagnosis-scripted",       { "Microsoft-Windows-Diagnosis-Scripted/Operational" } },
	{ "dns-client",               { "Microsoft-Windows-DNS Client Events/Operational",
	                                "Microsoft-Windows-DNS-Client/Operational" } },
	{ "dns-server",               { "DNS Server" } },
	{ "dns-server-analytic",      { "Microsoft-Windows-DNS-Server/Analytical" } },
	{ "dns-server-audit",         { "Microsoft-Windows-DNS-Server/Audit" } },
	{ "driver-framework",         { "Microsoft-Windows-DriverFrameworks-UserMode/Operational" } },
	{ "firewall-as",              { "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall" } },
	{ "hyper-v-worker",           { "Microsoft-Windows-Hyper-V-Worker-Admin",
	                                "Microsoft-Windows-Hyper-V-Worker/Admin" } },
	{ "iis-configuration",        { "Microsoft-IIS-Configuration/Operational" } },
	{ "kernel-event-tracing",     { "Microsoft-Windows-Kernel-EventTracing/Admin" } },
	{ "kernel-shimengine",        { "Microsoft-Windows-Kernel-ShimEngine/Operational",
	                                "Microsoft-Windows-Kernel-ShimEngine/Diagnostic" } },
	{ "ldap",                     { "Microsoft-Windows-LDAP-Client/Debug" } },
	{ "ldap_debug",               { "Microsoft-Windows-LDAP-Client/Debug" } },
	{ "lsa-server",               { "Microsoft-Windows-LSA/Operational" } },
	{ "microsoft-servicebus-client", { "Microsoft-ServiceBus-Client/Operational",
	                                "Microsoft-ServiceBus-Client/Admin", "Microsoft-ServiceBus-Client" } },
	{ "msexchange-management",    { "MSExchange Management" } },
	{ "ntfs",                     { "Microsoft-Windows-Ntfs/Operational" } },
	{ "ntlm",                     { "Microsoft-Windows-NTLM/Operational" } },
	{ "openssh",                  { "OpenSSH/Operational" } },
	{ "powershell",               { "Microsoft-Windows-PowerShell/Operational",
	                                "PowerShellCore/Operational" } },
	{ "powershell-classic",       { "Windows PowerShell" } },
	{ "printservice-admin",       { "Microsoft-Windows-PrintService/Admin" } },
	{ "printservice-operational", { "Microsoft-Windows-PrintService/Operational" } },
	{ "security",                 { "Security" } },
	{ "security-mitigations",     { "Microsoft-Windows-Security-Mitigations/Kernel Mode",
	                                "Microsoft-Windows-Security-Mitigations/KernelMode",
	                                "Microsoft-Windows-Security-Mitigations/User Mode",
	                                "Microsoft-Windows-Security-Mitigations/UserMode" } },
	{ "sense",                    { "Microsoft-Windows-SENSE/Operational" } },
	{ "shell-core",               { "Microsoft-Windows-Shell-Core/Operational" } },
	{ "smbclient-connectivity",   { "Microsoft-Windows-SmbClient/Connectivity" } },
	{ "smbclient-security",       { "Microsoft-Windows-SmbClient/Security" } },
	{ "smbserver-connectivity",   { "Microsoft-Windows-SMBServer/Connectivity" } },
	{ "sysmon",                   { "Microsoft-Windows-Sysmon/Operational" } },
	{ "system",                   { "System" } },
	{ "taskscheduler",            { "Microsoft-Windows-TaskScheduler/Operational" } },
	{ "terminalservices-localsessionmanager",
	                              { "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational" } },
	{ "vhdmp",                    { "Microsoft-Windows-VHDMP/Operational", "Microsoft-Windows-VHDMP-Operational" } },
	{ "windefend",                { "Microsoft-Windows-Windows Defender/Operational" } },
	{ "wmi",                      { "Microsoft-Windows-WMI-Activity/Operational" } },
};

/* Names beside those of enum sq_category. */
static const struct {
	const char *name;
	uint64_t bits;
} groups[] = {
	{ "registry_event", BIT(REGISTRY_ADD) | BIT(REGISTRY_DELETE) | BIT(REGISTRY_SET) | BIT(REGISTRY_RENAME) },
	{ "clipboard_change", BIT(CLIPBOARD_CAPTURE) },
	{ "file_block", BIT(FILE_BLOCK_EXECUTABLE) },
	{ "file_delete_detected", BIT(FILE_DELETE) },
	{ "raw_access_read", BIT(RAW_ACCESS_THREAD) },
};

#define IDS_MAX 4

/* Every event can have these: the System part of an event, and what readers make of it. */
#define COMMON_FIELDS                                                                             \
	"EventID Channel Provider_Name Provider_Guid Computer EventRecordID TimeCreated Message "  \
	"Level Task Opcode Keywords Version Qualifiers Security_UserID Execution_ProcessID "       \
	"Execution_ThreadID Correlation_ActivityID UserID ProcessID ThreadID Hostname Data"
#define SYSMON "RuleName UtcTime "
#define PROCESS_ "ProcessGuid ProcessId Image User "
#define PROCESS PROCESS_ DERIVED_IMAGE
/* Derived ones (lib/model/field.h): all of them, as the start of a process has them; those of any
 * event that names its process; those of one that holds a command for later. */
#define DERIVED_NAME(id, name, says, example) name " "
#define DERIVED SQ_DERIVED_PROCESS(DERIVED_NAME)
#define DERIVED_IMAGE                                                                             \
	"squibly.image squibly.image_name squibly.image_place squibly.program squibly.moved "      \
	"squibly.trick "
#define DERIVED_LAUNCH  "squibly.launch.command squibly.launch.carries squibly.trick "
#define DERIVED_COMMAND                                                                            \
	DERIVED_LAUNCH "squibly.encoded.command squibly.encoded.carries " SQ_DERIVED_STORED(DERIVED_NAME)
#define TWO_PROCESSES                                                                             \
	"SourceProcessGuid SourceProcessGUID SourceProcessId SourceImage SourceUser "              \
	"TargetProcessGuid TargetProcessGUID TargetProcessId TargetImage TargetUser "

static const struct category {
	uint16_t ids[IDS_MAX]; /* 0 ends; none: any id */
	const char *fields;    /* beside the common ones; NULL: any field */
} categories[SQ_CATEGORIES] = {
	[SQ_CATEGORY_PROCESS_CREATION] = { { 1, 4688 },
		SYSMON PROCESS_ DERIVED "FileVersion Description Product Company OriginalFileName CommandLine "
		"CurrentDirectory LogonGuid LogonId TerminalSessionId IntegrityLevel Hashes "
		"ParentProcessGuid ParentProcessId ParentImage ParentCommandLine ParentUser "
		"SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId NewProcessId "
		"NewProcessName TokenElevationType TargetUserSid TargetUserName TargetDomainName "
		"TargetLogonId ParentProcessName MandatoryLabel" },
	[SQ_CATEGORY_FILE_CHANGE] = { { 2 },
		SYSMON PROCESS "TargetFilename CreationUtcTime PreviousCreationUtcTime" },
	[SQ_CATEGORY_NETWORK_CONNECTION] = { { 3 },
		SYSMON PROCESS "Protocol Initiated SourceIsIpv6 SourceIp SourceHostname SourcePort "
		"SourcePortName DestinationIsIpv6 DestinationIp DestinationHostname DestinationPort "
		"DestinationPortName" },
	[SQ_CATEGORY_SYSMON_STATUS] = { { 4, 16 },
		SYSMON "State SchemaVersion Configuration ConfigurationFileHash" },
	[SQ_CATEGORY_PROCESS_TERMINATION] = { { 5 }, SYSMON PROCESS },
	[SQ_CATEGORY_DRIVER_LOAD] = { { 6 },
		SYSMON "ImageLoaded Hashes Signed Signature SignatureStatus" },
	[SQ_CATEGORY_IMAGE_LOAD] = { { 7 },
		SYSMON PROCESS "ImageLoaded FileVersion Description Product Company OriginalFileName "
		"Hashes Signed Signature SignatureStatus" },
	[SQ_CATEGORY_CREATE_REMOTE_THREAD] = { { 8 },
		SYSMON TWO_PROCESSES "NewThreadId StartAddress StartModule StartFunction" },
	[SQ_CATEGORY_RAW_ACCESS_THREAD] = { { 9 }, SYSMON PROCESS "Device" },
	[SQ_CATEGORY_PROCESS_ACCESS] = { { 10 },
		SYSMON TWO_PROCESSES "SourceThreadId GrantedAccess CallTrace" },
	[SQ_CATEGORY_FILE_EVENT] = { { 11 }, SYSMON PROCESS "TargetFilename CreationUtcTime" },
	[SQ_CATEGORY_REGISTRY_ADD] = { { 12 }, SYSMON PROCESS "EventType TargetObject" },
	[SQ_CATEGORY_REGISTRY_DELETE] = { { 12 }, SYSMON PROCESS "EventType TargetObject Details" },
	[SQ_CATEGORY_REGISTRY_SET] = { { 13, 4657 },
		SYSMON PROCESS DERIVED_COMMAND "EventType TargetObject Details ProcessName ObjectName ObjectValueName "
		"OperationType OldValueType OldValue NewValueType NewValue HandleId SubjectUserSid "
		"SubjectUserName SubjectDomainName SubjectLogonId" },
	[SQ_CATEGORY_REGISTRY_RENAME] = { { 14 }, SYSMON PROCESS "EventType TargetObject NewName" },
	[SQ_CATEGORY_CREATE_STREAM_HASH] = { { 15 },
		SYSMON PROCESS "TargetFilename CreationUtcTime Hash Hashes Contents" },
	[SQ_CATEGORY_PIPE_CREATED] = { { 17, 18 }, SYSMON PROCESS "EventType PipeName" },
	[SQ_CATEGORY_WMI_EVENT] = { { 19, 20, 21 },
		SYSMON DERIVED_COMMAND "EventType Operation User EventNamespace Name Query Type Destination Consumer "
		"Filter" },
	[SQ_CATEGORY_DNS_QUERY] = { { 22 }, SYSMON PROCESS "QueryName QueryStatus QueryResults" },
	[SQ_CATEGORY_FILE_DELETE] = { { 23, 26 },
		SYSMON PROCESS "TargetFilename Hashes IsExecutable Archived" },
	[SQ_CATEGORY_CLIPBOARD_CAPTURE] = { { 24 },
		SYSMON PROCESS "Session ClientInfo Hashes Archived" },
	[SQ_CATEGORY_PROCESS_TAMPERING] = { { 25 }, SYSMON PROCESS "Type" },
	[SQ_CATEGORY_FILE_BLOCK_EXECUTABLE] = { { 27 }, SYSMON PROCESS "TargetFilename Hashes" },
	[SQ_CATEGORY_FILE_EXECUTABLE_DETECTED] = { { 29 }, SYSMON PROCESS "TargetFilename Hashes" },
	[SQ_CATEGORY_SYSMON_ERROR] = { { 255 }, SYSMON "ID Description" },
	[SQ_CATEGORY_PS_SCRIPT] = { { 4104 },
		DERIVED_LAUNCH "MessageNumber MessageTotal ScriptBlockText ScriptBlockId Path" },
	[SQ_CATEGORY_PS_MODULE] = { { 4103 },
		DERIVED_LAUNCH "squibly.encoded.command squibly.encoded.carries ContextInfo UserData Payload HostApplication" },
	/* Their data has no names: what readers make of it differs. */
	[SQ_CATEGORY_PS_CLASSIC_START] = { { 400 }, NULL },
	[SQ_CATEGORY_PS_CLASSIC_PROVIDER_START] = { { 600 }, NULL },
	[SQ_CATEGORY_PS_CLASSIC_SCRIPT] = { { 800 }, NULL },
};
/* clang-format on */

const char *const *sq_catalog_channels(struct sq_sv service)
{
	for (size_t i = 0; i < SQ_LEN(services); i++)
		if (sq_sv_eq(service, sq_sv_of(services[i].name)))
			return services[i].channels;
	return NULL;
}

const char *sq_catalog_service(size_t i)
{
	return i < SQ_LEN(services) ? services[i].name : NULL;
}

uint64_t sq_catalog_categories(struct sq_sv name)
{
	for (size_t i = 0; i < SQ_LEN(groups); i++)
		if (sq_sv_eq(name, sq_sv_of(groups[i].name)))
			return groups[i].bits;
	for (unsigned c = SQ_CATEGORY_NONE + 1; c < SQ_CATEGORIES; c++)
		if (sq_sv_eq(name, sq_sv_of(sq_category_name((enum sq_category)c))))
			return UINT64_C(1) << c;
	return 0;
}

const char *sq_catalog_category(size_t i)
{
	if (i < SQ_LEN(groups))
		return groups[i].name;
	i = i - SQ_LEN(groups) + 1;
	return i < SQ_CATEGORIES ? sq_category_name((enum sq_category)i) : NULL;
}

bool sq_catalog_has_id(uint64_t bits, uint64_t event_id)
{
	for (unsigned c = 0; c < SQ_CATEGORIES; c++) {
		if (!(bits >> c & 1))
			continue;
		if (!categories[c].ids[0])
			return true;
		for (unsigned i = 0; i < IDS_MAX && categories[c].ids[i]; i++)
			if (categories[c].ids[i] == event_id)
				return true;
	}
	return false;
}

static bool is_in(struct sq_sv names, struct sq_sv field)
{
	while (names.n)
		if (sq_sv_eq(sq_sv_cut(&names, ' '), field))
			return true;
	return false;
}

bool sq_catalog_has_field(uint64_t bits, struct sq_sv field)
{
	if (is_in(SQ_SV(COMMON_FIELDS), field))
		return true;
	for (unsigned c = 0; c < SQ_CATEGORIES; c++)
		if (bits >> c & 1 &&
		    (!categories[c].fields || is_in(sq_sv_of(categories[c].fields), field)))
			return true;
	return false;
}

struct sq_sv sq_catalog_fields(enum sq_category category)
{
	if (category == SQ_CATEGORY_NONE)
		return SQ_SV(COMMON_FIELDS);
	return categories[category].fields ? sq_sv_of(categories[category].fields) : SQ_SV("");
}
