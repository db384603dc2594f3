#include "daemon/core/config_private.h"

/* One entry of a list: its first line gets the dash. */
static void print_item(const struct sqd_config_item *item, struct sq_outbuf *out)
{
	size_t at = out->len;

	sq_opt_print(item->table, item->common, 4, out);
	if (!out->failed && out->len > at + 2)
		out->p[at + 2] = '-';
}

void sqd_config_print(const struct sqd_config *cfg, struct sq_outbuf *out)
{
	for (const struct sqd_config_section *s = sqd_config_sections; s->table; s++) {
		if (s->key)
			sq_outbuf_printf(out, "%s:\n", s->key);
		sq_opt_print(s->table, cfg, s->key ? 2 : 0, out);
	}
	if (cfg->lookups.n)
		sq_outbuf_put(out, SQ_SV("lookups:\n"));
	for (size_t i = 0; i < cfg->lookups.n; i++)
		print_item(&cfg->lookups.items[i], out);
	sq_outbuf_put(out, SQ_SV("inputs:\n"));
	for (size_t i = 0; i < cfg->inputs.n; i++)
		print_item(&cfg->inputs.items[i], out);
	sq_outbuf_put(out, SQ_SV("outputs:\n"));
	for (size_t i = 0; i < cfg->outputs.n; i++)
		print_item(&cfg->outputs.items[i], out);
	if (cfg->dead_letter.common) {
		sq_outbuf_put(out, SQ_SV("dead_letter:\n"));
		sq_opt_print(cfg->dead_letter.table, cfg->dead_letter.common, 2, out);
	}
}

static void help_kind(const char *kind, const struct sq_opt *common, const struct sq_opt *own,
                      struct sq_outbuf *out)
{
	/* The first common row is `type`, which is the head of the entry. */
	sq_outbuf_printf(out, "\n  #- type: %s\n", kind);
	sq_opt_help(own, 4, out);
	sq_opt_help(common + 1, 4, out);
}

void sqd_config_help(struct sq_outbuf *out)
{
	sq_outbuf_put(
		out,
		SQ_SV("# squiblyd: every option, commented out at its default.\n"
	              "#\n"
	              "# Sizes are written 64KiB, 1MiB, 2GiB or in bytes; times 250ms, 30s, 5min, 1h,\n"
	              "# 1d or in milliseconds. An option that does not exist is an error. Check a\n"
	              "# file with `squiblyd --check-config -c FILE`, see what is in force with\n"
	              "# `squiblyd --print-config -c FILE`.\n\n"));
	for (const struct sqd_config_section *s = sqd_config_sections; s->table; s++) {
		if (s->key)
			sq_outbuf_printf(out, "\n# %s\n%s:\n", s->doc, s->key);
		sq_opt_help(s->table, s->key ? 2 : 0, out);
	}
	sq_outbuf_put(out, SQ_SV("\n# Where events come from: any number of entries. Without any, "
	                         "tcp and udp on\n# 127.0.0.1:5170.\ninputs:\n"));
	for (size_t i = 0; sqd_input_kinds[i]; i++)
		help_kind(sqd_input_kinds[i]->kind, sqd_input_common_opts, sqd_input_kinds[i]->opts,
		          out);
	sq_outbuf_put(out, SQ_SV("\n# Where alerts go: any number of entries. Without any, JSON "
	                         "lines on standard output.\noutputs:\n"));
	for (size_t i = 0; sqd_output_kinds[i]; i++)
		help_kind(sqd_output_kinds[i]->kind, sqd_output_common_opts,
		          sqd_output_kinds[i]->opts, out);
	sq_outbuf_put(out, SQ_SV("\n# What the site knows of its hosts and networks, added to "
	                         "alerts: at most 16 tables. No\n# name has a dot.\n"
	                         "#lookups:\n  #- name: assets\n"));
	sq_opt_help(sqd_lookup_opts + 1, 4, out);
	sq_outbuf_put(out, SQ_SV("\n# Where malformed records are kept, with their peer and the "
	                         "reason, and what receivers\n# refuse for good: one file of JSON "
	                         "lines. Without a path they are only counted.\n#dead_letter:\n"));
	sq_opt_help(sqd_dead_letter_kind->opts, 2, out);
}
