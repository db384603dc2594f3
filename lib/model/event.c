#include "lib/model/event.h"

const char *sq_category_name(enum sq_category c)
{
	static const char *const names[] = {
		[SQ_CATEGORY_NONE] = "",
		[SQ_CATEGORY_PROCESS_CREATION] = "process_creation",
		[SQ_CATEGORY_FILE_CHANGE] = "file_change",
		[SQ_CATEGORY_NETWORK_CONNECTION] = "network_connection",
		[SQ_CATEGORY_SYSMON_STATUS] = "sysmon_status",
		[SQ_CATEGORY_PROCESS_TERMINATION] = "process_termination",
		[SQ_CATEGORY_DRIVER_LOAD] = "driver_load",
		[SQ_CATEGORY_IMAGE_LOAD] = "image_load",
		[SQ_CATEGORY_CREATE_REMOTE_THREAD] = "create_remote_thread",
		[SQ_CATEGORY_RAW_ACCESS_THREAD] = "raw_access_thread",
		[SQ_CATEGORY_PROCESS_ACCESS] = "process_access",
		[SQ_CATEGORY_FILE_EVENT] = "file_event",
		[SQ_CATEGORY_REGISTRY_ADD] = "registry_add",
		[SQ_CATEGORY_REGISTRY_DELETE] = "registry_delete",
		[SQ_CATEGORY_REGISTRY_SET] = "registry_set",
		[SQ_CATEGORY_REGISTRY_RENAME] = "registry_rename",
		[SQ_CATEGORY_REGISTRY_EVENT] = "registry_event",
		[SQ_CATEGORY_CREATE_STREAM_HASH] = "create_stream_hash",
		[SQ_CATEGORY_PIPE_CREATED] = "pipe_created",
		[SQ_CATEGORY_WMI_EVENT] = "wmi_event",
		[SQ_CATEGORY_DNS_QUERY] = "dns_query",
		[SQ_CATEGORY_FILE_DELETE] = "file_delete",
		[SQ_CATEGORY_CLIPBOARD_CAPTURE] = "clipboard_capture",
		[SQ_CATEGORY_PROCESS_TAMPERING] = "process_tampering",
		[SQ_CATEGORY_FILE_BLOCK_EXECUTABLE] = "file_block_executable",
		[SQ_CATEGORY_FILE_EXECUTABLE_DETECTED] = "file_executable_detected",
		[SQ_CATEGORY_SYSMON_ERROR] = "sysmon_error",
		[SQ_CATEGORY_PS_SCRIPT] = "ps_script",
		[SQ_CATEGORY_PS_MODULE] = "ps_module",
		[SQ_CATEGORY_PS_CLASSIC_START] = "ps_classic_start",
		[SQ_CATEGORY_PS_CLASSIC_PROVIDER_START] = "ps_classic_provider_start",
		[SQ_CATEGORY_PS_CLASSIC_SCRIPT] = "ps_classic_script",
	};

	return (size_t)c < SQ_LEN(names) && names[c] ? names[c] : "";
}

static struct sq_value text_value(struct sq_sv text)
{
	return (struct sq_value){ .p = text.p, .n = (uint32_t)text.n, .kind = SQ_VALUE_TEXT };
}

void sq_event_set(struct sq_event *ev, uint32_t field, struct sq_sv text)
{
	ev->values[field] = text_value(text);
}

bool sq_event_add(struct sq_event *ev, uint32_t field, struct sq_sv text)
{
	struct sq_value *last = &ev->values[field];

	if (last->kind == SQ_VALUE_ABSENT) {
		*last = text_value(text);
		return true;
	}
	if (ev->n_more == SQ_EVENT_MORE_MAX) {
		ev->flags |= SQ_EVENT_OVERFLOW;
		return false;
	}
	/* Values mostly come one field after the other: no walk down the chain for those. */
	if (ev->added == field + 1 && last->more)
		last = &ev->more[ev->n_more - 1];
	while (last->more)
		last = &ev->more[last->more - 1];
	ev->more[ev->n_more++] = text_value(text);
	last->more = (uint16_t)ev->n_more;
	ev->added = field + 1;
	return true;
}

bool sq_event_add_once(struct sq_event *ev, uint32_t field, struct sq_sv text, uint32_t max)
{
	const struct sq_value *v = &ev->values[field];
	uint32_t n = 0;

	for (; v && v->kind != SQ_VALUE_ABSENT; v = sq_event_next(ev, v), n++) {
		if (sq_sv_eq(sq_value_sv(v), text))
			return true;
	}
	if (n >= max) {
		ev->flags |= SQ_EVENT_OVERFLOW;
		return false;
	}
	return sq_event_add(ev, field, text);
}
