#include "lib/model/logsource.h"

struct log {
	struct sq_sv name;
	enum sq_source source;
};

static const struct log channels[] = {
	{ SQ_SV("Security"), SQ_SOURCE_SECURITY },
	{ SQ_SV("Microsoft-Windows-Sysmon/Operational"), SQ_SOURCE_SYSMON },
	{ SQ_SV("Linux-Sysmon/Operational"), SQ_SOURCE_SYSMON },
	{ SQ_SV("Microsoft-Windows-PowerShell/Operational"), SQ_SOURCE_POWERSHELL },
	{ SQ_SV("PowerShellCore/Operational"), SQ_SOURCE_POWERSHELL },
	{ SQ_SV("Windows PowerShell"), SQ_SOURCE_POWERSHELL_CLASSIC },
};

static const struct log providers[] = {
	{ SQ_SV("Microsoft-Windows-Security-Auditing"), SQ_SOURCE_SECURITY },
	{ SQ_SV("Microsoft-Windows-Sysmon"), SQ_SOURCE_SYSMON },
	{ SQ_SV("Linux-Sysmon"), SQ_SOURCE_SYSMON },
	{ SQ_SV("Sysmon"), SQ_SOURCE_SYSMON },
	{ SQ_SV("Microsoft-Windows-PowerShell"), SQ_SOURCE_POWERSHELL },
	{ SQ_SV("PowerShellCore"), SQ_SOURCE_POWERSHELL },
	{ SQ_SV("PowerShell"), SQ_SOURCE_POWERSHELL_CLASSIC },
};

static enum sq_source look_up(const struct sq_event *ev, uint32_t field, const struct log *logs,
                              size_t n)
{
	const struct sq_value *v = &ev->values[field];
	enum sq_source found = SQ_SOURCE_UNKNOWN;

	for (; v; v = sq_event_next(ev, v)) {
		if (v->kind < SQ_VALUE_TEXT || v->n == 0)
			continue;
		found = SQ_SOURCE_OTHER;
		for (size_t i = 0; i < n; i++) {
			if (sq_sv_ieq(sq_value_sv(v), logs[i].name))
				return logs[i].source;
		}
	}
	return found;
}

enum sq_source sq_source_of(const struct sq_event *ev)
{
	enum sq_source by_channel = look_up(ev, SQ_F_CHANNEL, channels, SQ_LEN(channels));
	enum sq_source by_provider;

	if (by_channel > SQ_SOURCE_OTHER)
		return by_channel;
	by_provider = look_up(ev, SQ_F_PROVIDER, providers, SQ_LEN(providers));
	return by_provider != SQ_SOURCE_UNKNOWN ? by_provider : by_channel;
}

/* Sysmon 12 is creation and deletion, told apart by EventType alone. NXLog may have put its own
 * "INFO" there; then the rendered text knows. */
static enum sq_category registry_12(const struct sq_event *ev)
{
	const struct sq_value *v = &ev->values[SQ_F_EVENT_TYPE];

	for (; v; v = sq_event_next(ev, v)) {
		if (v->kind == SQ_VALUE_TEXT && sq_sv_istarts(sq_value_sv(v), SQ_SV("Delete")))
			return SQ_CATEGORY_REGISTRY_DELETE;
		if (v->kind == SQ_VALUE_TEXT && sq_sv_istarts(sq_value_sv(v), SQ_SV("Create")))
			return SQ_CATEGORY_REGISTRY_ADD;
	}
	return sq_sv_find(sq_event_get(ev, SQ_F_MESSAGE), SQ_SV("EventType: Delete")) == SIZE_MAX
	               ? SQ_CATEGORY_REGISTRY_ADD
	               : SQ_CATEGORY_REGISTRY_DELETE;
}

static enum sq_category sysmon(const struct sq_event *ev, uint32_t id)
{
	static const uint8_t of[] = {
		[1] = SQ_CATEGORY_PROCESS_CREATION,
		[2] = SQ_CATEGORY_FILE_CHANGE,
		[3] = SQ_CATEGORY_NETWORK_CONNECTION,
		[4] = SQ_CATEGORY_SYSMON_STATUS,
		[5] = SQ_CATEGORY_PROCESS_TERMINATION,
		[6] = SQ_CATEGORY_DRIVER_LOAD,
		[7] = SQ_CATEGORY_IMAGE_LOAD,
		[8] = SQ_CATEGORY_CREATE_REMOTE_THREAD,
		[9] = SQ_CATEGORY_RAW_ACCESS_THREAD,
		[10] = SQ_CATEGORY_PROCESS_ACCESS,
		[11] = SQ_CATEGORY_FILE_EVENT,
		[12] = SQ_CATEGORY_REGISTRY_EVENT, /* see registry_12() */
		[13] = SQ_CATEGORY_REGISTRY_SET,
		[14] = SQ_CATEGORY_REGISTRY_RENAME,
		[15] = SQ_CATEGORY_CREATE_STREAM_HASH,
		[16] = SQ_CATEGORY_SYSMON_STATUS,
		[17] = SQ_CATEGORY_PIPE_CREATED,
		[18] = SQ_CATEGORY_PIPE_CREATED,
		[19] = SQ_CATEGORY_WMI_EVENT,
		[20] = SQ_CATEGORY_WMI_EVENT,
		[21] = SQ_CATEGORY_WMI_EVENT,
		[22] = SQ_CATEGORY_DNS_QUERY,
		[23] = SQ_CATEGORY_FILE_DELETE,
		[24] = SQ_CATEGORY_CLIPBOARD_CAPTURE,
		[25] = SQ_CATEGORY_PROCESS_TAMPERING,
		[26] = SQ_CATEGORY_FILE_DELETE,
		[27] = SQ_CATEGORY_FILE_BLOCK_EXECUTABLE,
		[29] = SQ_CATEGORY_FILE_EXECUTABLE_DETECTED,
	};

	if (id == 12)
		return registry_12(ev);
	if (id == 255)
		return SQ_CATEGORY_SYSMON_ERROR;
	return id < SQ_LEN(of) ? (enum sq_category)of[id] : SQ_CATEGORY_NONE;
}

static enum sq_category security(uint32_t id)
{
	if (id == 4688)
		return SQ_CATEGORY_PROCESS_CREATION;
	return id == 4657 ? SQ_CATEGORY_REGISTRY_SET : SQ_CATEGORY_NONE;
}

static enum sq_category powershell(uint32_t id)
{
	if (id == 4104)
		return SQ_CATEGORY_PS_SCRIPT;
	return id == 4103 ? SQ_CATEGORY_PS_MODULE : SQ_CATEGORY_NONE;
}

static enum sq_category powershell_classic(uint32_t id)
{
	if (id == 400)
		return SQ_CATEGORY_PS_CLASSIC_START;
	if (id == 600)
		return SQ_CATEGORY_PS_CLASSIC_PROVIDER_START;
	return id == 800 ? SQ_CATEGORY_PS_CLASSIC_SCRIPT : SQ_CATEGORY_NONE;
}

enum sq_category sq_category_of(const struct sq_event *ev, enum sq_source source, uint32_t event_id)
{
	switch (source) {
	case SQ_SOURCE_SYSMON:
		return sysmon(ev, event_id);
	case SQ_SOURCE_SECURITY:
		return security(event_id);
	case SQ_SOURCE_POWERSHELL:
		return powershell(event_id);
	case SQ_SOURCE_POWERSHELL_CLASSIC:
		return powershell_classic(event_id);
	case SQ_SOURCE_UNKNOWN: /* nothing else uses these two; 1 is used by many */
		return security(event_id);
	case SQ_SOURCE_OTHER:
		break;
	}
	return SQ_CATEGORY_NONE;
}
