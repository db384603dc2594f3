#include "cli/rules.h"

#include "cli/cli.h"

int cli_rules_add(struct cli_rules *rules, const char *command, const char *path)
{
	if (rules->n == SQ_LEN(rules->paths))
		return cli_usage(command, "--rules: more than %zu paths; give folders",
		                 SQ_LEN(rules->paths));
	rules->paths[rules->n++] = path;
	return CLI_OK;
}

int cli_rules_load(const struct cli_rules *rules, bool plain, struct sq_ruleset **ret)
{
	const char *shipped = sq_pack_shipped();
	struct sq_pack_opts opts = {
		.paths = rules->n ? rules->paths : &shipped,
		.n_paths = rules->n ? rules->n : 1,
		.cache = sq_pack_cache(),
		.plain = plain,
		.threads = rules->threads,
	};
	struct sq_diags diags = { 0 };
	struct sq_err err;
	int r;

	r = sq_pack_load(&opts, ret, NULL, &diags, &err);
	if (r < 0)
		cli_print_diags(&diags, stderr);
	sq_diags_fini(&diags);
	return r < 0 ? cli_fail("%s", err.text) : CLI_OK;
}
