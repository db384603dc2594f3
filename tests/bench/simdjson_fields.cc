// As simdjson's authors would have it: each member looked at once, keys told apart by their first byte,
// unescaped only where wanted.
#include "tests/bench/simdjson_fields.h"

#include <cstring>
#include <string>

#include <simdjson.h>

using namespace simdjson;

#define TEXT_OF(token) #token
#define TEXT(macro) TEXT_OF(macro)

namespace {

ondemand::parser parser;

template <size_t N> bool is(const char *key, const char (&name)[N])
{
	return memcmp(key, name, N - 1) == 0 && key[N - 1] == '"';
}

// The place of a key among the five, or -1; `data`: its members are to be looked at.
inline int place(const char *k, bool &data)
{
	switch (k[0]) {
	case 'E':
		return is(k, "EventID") ? 0 : -1;
	case 'C':
		return is(k, "Channel") ? 1 : is(k, "CommandLine") ? 4 : -1;
	case 'I':
		return is(k, "Image") ? 2 : -1;
	case 'N':
		return is(k, "NewProcessName") ? 3 : -1;
	case 'e':
		data = is(k, "event_data");
		return is(k, "event_id") ? 0 : -1;
	case 'l':
		return is(k, "log_name") ? 1 : -1;
	default:
		return -1;
	}
}

bool fields(ondemand::object object, simdjson_text out[SIMDJSON_FIELDS])
{
	for (auto field : object) {
		ondemand::raw_json_string key;
		bool data = false;
		if (field.key().get(key))
			return false;
		int at = place(key.raw(), data);
		if (at > 0) {
			std::string_view text;
			if (field.value().get_string().get(text))
				return false;
			out[at] = { text.data(), text.size() };
		} else if (at == 0) {
			std::string_view text = field.value().raw_json_token();
			while (!text.empty() && text.back() <= ' ')
				text.remove_suffix(1);
			out[0] = { text.data(), text.size() };
		} else if (data) {
			ondemand::object inner;
			if (field.value().get_object().get(inner) || !fields(inner, out))
				return false;
		}
	}
	return true;
}

} // namespace

int simdjson_fields(const char *record, size_t n, size_t readable, simdjson_text out[SIMDJSON_FIELDS])
{
	ondemand::document document;
	ondemand::object object;

	memset(out, 0, SIMDJSON_FIELDS * sizeof(*out));
	if (parser.iterate(padded_string_view(record, n, readable)).get(document) ||
	    document.get_object().get(object))
		return -1;
	return fields(object, out) ? 0 : -1;
}

long simdjson_stream(const char *text, size_t n, unsigned long *sum)
{
	ondemand::document_stream stream;
	long records = 0;

	*sum = 0;
#ifdef SIMDJSON_THREADS_ENABLED
	parser.threaded = false; // one core
#endif
	if (parser.iterate_many(text, n, 1000000).get(stream))
		return -1;
	for (auto document : stream) {
		simdjson_text out[SIMDJSON_FIELDS] = {};
		ondemand::object object;
		if (document.get_object().get(object) || !fields(object, out))
			return -1;
		*sum += sum_fields(out);
		records++;
	}
	return records;
}

const char *simdjson_name(int body)
{
	static std::string name;
	auto best = get_available_implementations().detect_best_supported();
	auto haswell = get_available_implementations()["haswell"];

	if (body && (!haswell || haswell == best || !haswell->supported_by_runtime_system()))
		return nullptr;
	get_active_implementation() = body ? haswell : best;
	name = std::string("simdjson " TEXT(SIMDJSON_VERSION) " ") + get_active_implementation()->name();
	return name.c_str();
}
