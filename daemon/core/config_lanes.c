/* Outputs that are for some tenants only, and so which inputs go the same way. */
#include <stdlib.h>

#include "daemon/core/config_private.h"

/* The output gets what comes by the input. */
static bool takes(const struct sqd_config_item *output, const struct sqd_config_item *input)
{
	const struct sq_opt_strs *list = &output->output->tenants;
	const char *tenant = input->input->tenant;

	for (size_t i = 0; i < list->n; i++)
		if (tenant && strcmp(list->list[i], tenant) == 0)
			return true;
	return !list->n;
}

static bool same_way(const struct sqd_config *cfg, const struct sqd_config_item *a,
                     const struct sqd_config_item *b)
{
	for (size_t i = 0; i < cfg->outputs.n; i++)
		if (takes(&cfg->outputs.items[i], a) != takes(&cfg->outputs.items[i], b))
			return false;
	return true;
}

static void check_names(const struct sqd_config *cfg, const struct sqd_config_item *item,
                        const struct sqd_config_place *at)
{
	const struct sq_opt_strs *list = &item->output->tenants;
	struct sq_err err = { 0 };

	for (size_t i = 0; i < list->n; i++) {
		bool known = false;

		for (size_t k = 0; k < cfg->inputs.n && !known; k++) {
			const char *tenant = cfg->inputs.items[k].input->tenant;

			known = tenant && strcmp(tenant, list->list[i]) == 0;
		}
		if (known)
			continue;
		(void)sq_err_set(&err, 0, "tenants: no input has the tenant %s", list->list[i]);
		sqd_config_blame(item, at, SQ_DIAG_ERROR, err.text);
	}
}

static void check_way(const struct sqd_config *cfg, const struct sqd_config_item *item,
                      const struct sqd_config_place *at)
{
	/* Those that are built in have no tenant, so check_names() has told of each output. */
	if (item->builtin)
		return;
	for (size_t i = 0; i < cfg->outputs.n; i++)
		if (takes(&cfg->outputs.items[i], item))
			return;
	sqd_config_blame(item, at, SQ_DIAG_ERROR,
	                 item->input->tenant
	                         ? "tenant: no output is for it, and each is for others alone"
	                         : "what comes here goes to no output: each is for tenants alone");
}

void sqd_config_make_lanes(struct sqd_config *cfg, const struct sqd_config_place *at)
{
	cfg->n_lanes = 0;
	for (size_t i = 0; i < cfg->outputs.n; i++)
		check_names(cfg, &cfg->outputs.items[i], at);
	for (size_t i = 0; i < cfg->inputs.n; i++) {
		const struct sqd_config_item *item = &cfg->inputs.items[i];
		size_t k = 0;

		check_way(cfg, item, at);
		while (k < i && !same_way(cfg, item, &cfg->inputs.items[k]))
			k++;
		item->input->lane = k < i ? cfg->inputs.items[k].input->lane : cfg->n_lanes++;
	}
}

bool sqd_config_lane_takes(const struct sqd_config *cfg, const struct sqd_config_item *output,
                           unsigned lane)
{
	size_t i = 0;

	while (cfg->inputs.items[i].input->lane != lane)
		i++;
	return takes(output, &cfg->inputs.items[i]);
}
