/* The tables of what a site knows: their entries in the configuration, and their files. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/core/config_private.h"
#include "lib/host/files.h"

#define SQD_AT(member) .offset = offsetof(struct sqd_lookup_cfg, member)

static const struct sq_opt_enum keys[] = {
	{ "host", SQ_LOOKUP_HOST },
	{ "peer", SQ_LOOKUP_PEER },
	{ 0 },
};

/* clang-format off */
const struct sq_opt sqd_lookup_opts[] = {
	{ "name",    SQ_OPT_STR,   SQD_AT(name), .required = true,
	  .doc = "What the table is called in alerts: squibly.context.NAME; without a dot." },
	{ "path",    SQ_OPT_STR,   SQD_AT(path), .required = true,
	  .doc = "CSV file (RFC 4180, UTF-8) whose first row names the columns; read anew on SIGHUP." },
	{ "key",     SQ_OPT_ENUM,  SQD_AT(key), .enums = keys, .def = "host",
	  .doc = "What is looked up: the name of the host, or the address that the record came from (peer), for which "
		 "the file has addresses and ranges (192.0.2.0/24, 2001:db8::/32), and the longest counts." },
	{ "column",  SQ_OPT_STR,   SQD_AT(column),
	  .doc = "Column of the file that holds the key; without it the first one." },
	{ "columns", SQ_OPT_STRS,  SQD_AT(columns),
	  .doc = "Columns that are added to alerts; without any, all but the key's." },
	{ "rows",    SQ_OPT_U32,   SQD_AT(rows), .min = 1, .max = 10000000, .def = "100000",
	  .doc = "Most rows of the file; with more it is refused." },
	{ "memory",  SQ_OPT_BYTES, SQD_AT(memory), .min = 4096, .max = (uint64_t)1 << 30, .def = "32MiB",
	  .doc = "Most bytes of the file, and most bytes of what is kept of it." },
	{ 0 }
};
/* clang-format on */

static void complain(const struct sqd_config_place *at, const struct sq_yaml *y, const char *text)
{
	sq_diag_add(at->diags, SQ_DIAG_ERROR, at->file, y->line, y->col, "lookups: %s", text);
}

static int read_one(struct sqd_config *cfg, const struct sqd_config_place *at,
                    const struct sq_yaml *y, struct sqd_config_item *item)
{
	static const struct sq_opt none[] = { { 0 } };
	const struct sqd_lookup_cfg *own;
	int r;

	if (y->kind != SQ_YAML_MAP) {
		complain(at, y, "an entry is a map, as in \"- name: assets\"");
		return -EINVAL;
	}
	r = sqd_config_item_init(item, none, 0, sqd_lookup_opts, sizeof(struct sqd_lookup_cfg));
	if (!r)
		r = sq_opt_read(item->table, y, NULL, item->common, at->file, at->diags);
	if (r < 0)
		return r;
	sqd_config_item_note(item, y);
	own = item->cfg;
	if (!own->name[0] || !own->path[0])
		complain(at, y, "name and path must not be empty");
	if (strchr(own->name, '.')) /* "assets.owner" would lie inside of the column of "assets" */
		sqd_config_blame(item, at, SQ_DIAG_ERROR,
		                 "name: must not have a dot: where alerts are kept it would be an "
		                 "object inside of another table's");
	for (const struct sqd_config_item *k = cfg->lookups.items; k < item; k++) {
		const struct sqd_lookup_cfg *other = k->cfg;

		if (other && other->name && strcmp(other->name, own->name) == 0)
			complain(at, y, "two tables have the same name");
	}
	return 0;
}

int sqd_config_read_lookups(struct sqd_config *cfg, const struct sqd_config_place *at,
                            const struct sq_yaml *list)
{
	if (list->kind != SQ_YAML_LIST || list->n > SQ_LOOKUP_TABLES) {
		complain(at, list,
		         "a list of at most 16 entries is expected, as in \"- name: assets\"");
		return 0;
	}
	cfg->lookups.items = calloc(list->n + 1, sizeof(*cfg->lookups.items));
	if (!cfg->lookups.items)
		return -ENOMEM;
	for (const struct sq_yaml *y = list->first; y; y = y->next) {
		int r = read_one(cfg, at, y, &cfg->lookups.items[cfg->lookups.n++]);

		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

static int load_one(const struct sqd_config *cfg, const struct sqd_config_item *item,
                    struct sq_lookups *to, struct sq_diags *diags)
{
	const struct sqd_config_place at = { cfg->file, diags };
	const struct sqd_lookup_cfg *own = item->cfg;
	const struct sq_lookup_opts opts = {
		.name = own->name,
		.file = own->path,
		.key = (enum sq_lookup_key)own->key,
		.column = own->column,
		.columns = (const char *const *)own->columns.list,
		.n_columns = own->columns.n,
		.max_rows = own->rows,
		.max_bytes = own->memory,
	};
	struct sq_outbuf text = sq_outbuf_of((size_t)own->memory);
	struct sq_err err = { 0 };
	int r = sq_file_read(own->path, &text, &err);

	if (r < 0)
		sq_err_wrap(&err, r, "path");
	if (r < 0)
		sqd_config_blame(item, &at, SQ_DIAG_ERROR, err.text);
	else
		r = sq_lookups_add(to, &opts, text.p, text.len, diags);
	sq_outbuf_fini(&text);
	return r;
}

int sqd_lookups_load(const struct sqd_config *cfg, struct sq_lookups **ret, struct sq_diags *diags)
{
	struct sq_lookups *l = sq_lookups_new();
	int r = 0;

	if (!l)
		return -ENOMEM;
	for (size_t i = 0; i < cfg->lookups.n; i++) {
		int one = load_one(cfg, &cfg->lookups.items[i], l, diags);

		r = r ? r : one;
	}
	if (r < 0)
		sq_lookups_unref(l);
	else
		*ret = l;
	return r;
}
