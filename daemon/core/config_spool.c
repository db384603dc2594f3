#include "daemon/core/config_private.h"

static const char *finding(const struct sqd_config_list *outputs,
                           const struct sqd_config_item *item)
{
	const struct sqd_output_common *c = item->output;
	bool spool = c->durability == SQD_DURABILITY_SPOOL;

	if (spool && (!c->spool || !c->spool[0]))
		return "durability: spool needs a folder, as in \"spool: /var/lib/squiblyd/siem\"";
	if (!spool && c->spool)
		return "spool: is for durability: spool";
	if (!spool && c->when_full == SQD_FULL_DROP_OLDEST)
		return "when_full: drop_oldest is for durability: spool";
	for (const struct sqd_config_item *k = outputs->items; c->spool && k < item; k++)
		if (k->output && k->output->spool &&
		    sqd_config_same_place(k->output->spool, c->spool))
			return "spool: another output has this folder";
	return NULL;
}

void sqd_config_check_spool(const struct sqd_config_list *outputs,
                            const struct sqd_config_item *item, const struct sq_yaml *map,
                            const char *file, struct sq_diags *diags)
{
	const struct sq_yaml *at = sq_yaml_get(map, item->output->spool ? "spool" : "durability");
	const char *what = finding(outputs, item);

	if (!at)
		at = map;
	if (what)
		sq_diag_add(diags, SQ_DIAG_ERROR, file, at->line, at->col, "%s", what);
}
