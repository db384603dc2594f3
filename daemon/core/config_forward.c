/* What outputs that get records, not alerts, say of them: checked, and made into ways of handing
 * on. */
#include <errno.h>

#include "daemon/core/config_private.h"

static void check_names(const struct sqd_config_place *at, const struct sq_yaml *map,
                        const char *key, const struct sq_opt_strs *names)
{
	if (names->n > SQ_FIELDSET_MAX)
		sqd_config_complain(at, map, key, "there are too many; 32 may be named");
	for (size_t i = 0; i < names->n; i++) {
		struct sq_sv rest = sq_sv_of(names->list[i]);
		unsigned depth = 0;

		for (; rest.n; depth++)
			(void)sq_sv_cut(&rest, '.');
		if (!depth)
			sqd_config_complain(at, map, key, "an empty name");
		else if (depth > SQ_FIELDSET_DEPTH)
			sqd_config_complain(at, map, key, "a name of more than 8 parts");
	}
}

void sqd_config_check_forward(const struct sqd_config_place *at, const struct sq_yaml *map,
                              const struct sqd_output_common *out)
{
	const struct {
		const char *key;
		bool set;
	} of_records[] = {
		{ "verdict", out->verdict != SQD_VERDICT_MATCHED },
		{ "sample", out->sample > 1 },
		{ "record", out->record },
		{ "drop_fields", out->drop_fields.n },
		{ "keep_fields", out->keep_fields.n },
	};

	if (!out->forward) {
		for (size_t i = 0; i < SQ_LEN(of_records); i++)
			if (of_records[i].set)
				sqd_config_complain(
					at, map, of_records[i].key,
					"is for records, and this output sends alerts; "
					"forward: all, matched or clean makes it send records");
		return;
	}
	if (out->format != SQ_FORMAT_JSON)
		sqd_config_complain(at, map, "format",
		                    "is for alerts; records are forwarded as they came");
	if (out->sample > 1 && out->forward == SQD_FORWARD_MATCHED)
		sqd_config_complain(at, map, "sample",
		                    "is for records that no rule matched, and none is sent");
	if (out->drop_fields.n && out->keep_fields.n)
		sqd_config_complain(at, map, "keep_fields", "either these or drop_fields");
	check_names(at, map, "drop_fields", &out->drop_fields);
	check_names(at, map, "keep_fields", &out->keep_fields);
}

static struct sq_view view_of(const struct sqd_config_item *item)
{
	const struct sqd_output_common *out = item->output;
	const struct sq_opt_strs *names =
		out->keep_fields.n ? &out->keep_fields : &out->drop_fields;
	struct sq_view v = { .min_level = (enum sq_level)out->min_level,
		             .always = out->verdict == SQD_VERDICT_ALL,
		             .json = item->output_ops->json || out->record == SQD_RECORD_JSON,
		             .identify = item->output_ops->ids };

	v.fields.keep = out->keep_fields.n > 0;
	for (size_t i = 0; i < names->n && i < SQ_FIELDSET_MAX; i++)
		v.fields.names[v.fields.n++] = sq_sv_of(names->list[i]);
	return v;
}

uint32_t sqd_config_view(const struct sqd_config *cfg, const struct sqd_config_item *item)
{
	struct sq_view v = view_of(item);
	uint32_t i = 0;

	while (i < cfg->n_views && !sq_view_eq(&cfg->views[i], &v))
		i++;
	return i;
}

int sqd_config_make_views(struct sqd_config *cfg)
{
	cfg->n_views = 0;
	for (size_t i = 0; i < cfg->outputs.n; i++) {
		const struct sqd_config_item *item = &cfg->outputs.items[i];

		if (!item->output || !item->output->forward ||
		    sqd_config_view(cfg, item) < cfg->n_views)
			continue;
		if (cfg->n_views == SQ_VIEWS)
			return -E2BIG;
		cfg->views[cfg->n_views++] = view_of(item);
	}
	return 0;
}

bool sqd_config_forwards_clean(const struct sqd_config *cfg)
{
	for (size_t i = 0; i < cfg->outputs.n; i++) {
		int forward = cfg->outputs.items[i].output->forward;

		if (forward == SQD_FORWARD_ALL || forward == SQD_FORWARD_CLEAN)
			return true;
	}
	return false;
}

/* Of what is not read nobody knows who it is: neither whether it was sent again, nor what else
 * there is to say of it. */
bool sqd_config_reads_all(const struct sqd_config *cfg)
{
	if (cfg->validate == SQD_VALIDATE_ALL ||
	    (cfg->dedup_window && sqd_config_forwards_clean(cfg)))
		return true;
	for (uint32_t i = 0; i < cfg->n_views; i++)
		if ((cfg->views[i].always || cfg->views[i].identify) &&
		    sqd_config_forwards_clean(cfg))
			return true;
	return false;
}
