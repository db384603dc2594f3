/* Names of event fields, and their numbers.
 *
 * A few dozen canonical names (Sigma's, which are Sysmon's) have fixed numbers. A rule set adds the
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
	X(PROCESS_NAME,        "ProcessName")
/* clang-format on */

enum sq_field {
#define SQ_FIELD_ENUM(id, name) SQ_F_##id,
	SQ_FIELDS(SQ_FIELD_ENUM)
#undef SQ_FIELD_ENUM
		SQ_F_CANONICAL /* how many; numbers from here on are a rule set's own */
};

enum { SQ_FIELDS_MAX = 1024 };

struct sq_fields;

/** A set that holds the canonical names. NULL: out of memory. */
struct sq_fields *sq_fields_new(void);
void sq_fields_free(struct sq_fields *f);

/** Number of `name` (case counts), added when it is new.
 *  @return number, -ENOSPC over SQ_FIELDS_MAX, -ENOMEM */
int sq_fields_add(struct sq_fields *f, struct sq_sv name) SQ_MUST_CHECK;

/** Number of `name`, or -1. Called for every key of every event: fast. */
int sq_fields_find(const struct sq_fields *f, struct sq_sv name);

uint32_t sq_fields_count(const struct sq_fields *f);
struct sq_sv sq_fields_name(const struct sq_fields *f, uint32_t number);
