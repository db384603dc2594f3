#include "lib/model/shape.h"

struct shape {
	const char *name;
	uint8_t all[2]; /* enum sq_hint: all of them */
};

/* The first that fits. */
static const struct shape shapes[] = {
	{ "winlogbeat7", { SQ_HINT_WINLOG } },
	{ "winlogbeat6", { SQ_HINT_LOG_NAME, SQ_HINT_EVENT_DATA_TOP } },
	{ "wazuh", { SQ_HINT_WAZUH } },
	{ "evtx", { SQ_HINT_EVENT_SYSTEM } },
	{ "openwec_raw", { SQ_HINT_META, SQ_HINT_XML } },
	{ "fluentbit_xml", { SQ_HINT_SYSTEM, SQ_HINT_XML } },
	{ "sentinel", { SQ_HINT_SENTINEL } },
	{ "openwec", { SQ_HINT_SYSTEM } },
	{ "fluentbit", { SQ_HINT_PROVIDER_NAME, SQ_HINT_STRING_INSERTS } },
	{ "fluentd", { SQ_HINT_PROVIDER_NAME, SQ_HINT_LIST } },
	{ "fluentbit_map", { SQ_HINT_PROVIDER_NAME, SQ_HINT_EVENT_DATA_TOP } },
	{ "fluentbit_winlog", { SQ_HINT_STRING_INSERTS } },
	{ "otel", { SQ_HINT_OTEL } },
	{ "osquery", { SQ_HINT_OSQUERY, SQ_HINT_PROVIDER_NAME_LOWER } },
	{ "vector", { SQ_HINT_PROVIDER_NAME_LOWER, SQ_HINT_EVENT_DATA_TOP } },
	{ "gelf", { SQ_HINT_GELF } },
	{ "promtail", { SQ_HINT_EVENT_DATA_TOP, SQ_HINT_XML } },
	{ "telegraf", { SQ_HINT_TELEGRAF } },
	{ "nxlog", { SQ_HINT_NXLOG } },
	{ "xml", { SQ_HINT_XML } },
	{ "helk", { SQ_HINT_HELK } },
	{ "helk", { SQ_HINT_LOG_NAME } },
	{ "flat", { SQ_HINT_FLAT } },
};

const char *sq_shape_of(const struct sq_collect *c)
{
	for (size_t i = 0; i < SQ_LEN(shapes); i++) {
		const struct shape *s = &shapes[i];

		if (sq_collect_hinted(c, s->all[0]) &&
		    (s->all[1] == SQ_HINT_NONE || sq_collect_hinted(c, s->all[1])))
			return s->name;
	}
	if (c->ev->event_id == 0 && sq_collect_hinted(c, SQ_HINT_BULK))
		return "es_bulk_action";
	return c->ev->event_id ? "flat" : "unknown";
}
