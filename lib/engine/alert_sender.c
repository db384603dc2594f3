/* Who sent a record, as far as it was proved: ECS client.user and tls.client in JSON.
 *
 * What stands in a certificate was chosen by whoever asked for it, so it is escaped like anything
 * that comes from outside.
 */
#include "lib/engine/alert_private.h"

struct sq_sv sq_alert_next_name(struct sq_sv *rest)
{
	static const char *const kinds[] = { "DNS:", "IP:", "email:", "URI:" };
	size_t end = sq_sv_find(*rest, SQ_SV(", "));
	struct sq_sv name = end == SIZE_MAX ? *rest : sq_sv_first(*rest, end);

	*rest = end == SIZE_MAX ? SQ_SV("") : sq_sv_skip(*rest, end + 2);
	for (size_t i = 0; i < SQ_LEN(kinds); i++)
		if (sq_sv_starts(name, sq_sv_of(kinds[i])))
			return sq_sv_skip(name, strlen(kinds[i]));
	return name;
}

static void write_names(struct sq_jsonw *w, const char *names)
{
	struct sq_sv rest = sq_sv_of(names);

	sq_jsonw_key(w, "x509");
	sq_jsonw_object(w);
	sq_jsonw_key(w, "alternative_names");
	sq_jsonw_array(w);
	while (rest.n) {
		struct sq_sv name = sq_alert_next_name(&rest);

		if (name.n)
			sq_jsonw_string(w, name);
	}
	sq_jsonw_end_array(w);
	sq_jsonw_end_object(w);
}

void sq_alert_write_sender(struct sq_jsonw *w, const struct sq_identity *id)
{
	if (!id)
		return;
	if (id->user[0]) {
		sq_jsonw_key(w, "client");
		sq_jsonw_object(w);
		sq_jsonw_key(w, "user");
		sq_jsonw_object(w);
		sq_jsonw_member(w, "name", sq_sv_of(id->user));
		sq_jsonw_end_object(w);
		sq_jsonw_end_object(w);
	}
	if (!id->subject[0] && !id->names[0])
		return;
	sq_jsonw_key(w, "tls");
	sq_jsonw_object(w);
	sq_jsonw_key(w, "client");
	sq_jsonw_object(w);
	sq_jsonw_member(w, "subject", sq_sv_of(id->subject));
	if (id->names[0])
		write_names(w, id->names);
	sq_jsonw_end_object(w);
	sq_jsonw_end_object(w);
}
