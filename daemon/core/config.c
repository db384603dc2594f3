#include "daemon/core/config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/core/config_private.h"
#include "lib/host/pack.h"

enum {
	FILE_MAX_BYTES = 4 * 1024 * 1024,
	LIST_MAX = 256, /* inputs, outputs */
	WORKERS_DEFAULT_MAX = 16,
	LOOPS_DEFAULT_MAX = 4,
	CPUS_FOR_A_LOOP = 4,
	THREADS_MIN = 4,
	THREADS_MAX = 128, /* systemd's TasksMax has room for them */
	ARENA_MIN_BYTES = 1024 * 1024,
	ORIGINS = 256,
};

struct loader {
	struct sqd_config *cfg;
	const char *file;
	struct sq_diags *diags;
	bool lists_only; /* reading a section sets its defaults, which must not happen twice */
	bool own_rules;  /* the paths of the file are not used */
};

static void complain(const struct loader *l, const struct sq_yaml *at, const char *text,
                     struct sq_sv what)
{
	sq_diag_add(l->diags, SQ_DIAG_ERROR, l->file, at ? at->line : 0, at ? at->col : 0, "%s%.*s",
	            text, SQ_SV_ARG(what));
}

static bool absent(const struct sq_yaml *y)
{
	return !y || sq_yaml_is_null(y);
}

/* The sections that are there once. */
static int read_sections(const struct loader *l, const struct sq_yaml *root)
{
	static const char *const lists[] = { "rules",   "fold",   "deduplicate", "limits",
		                             "control", "inputs", "outputs",     "dead_letter",
		                             "lookups", NULL };

	for (const struct sqd_config_section *s = sqd_config_sections; s->table; s++) {
		const struct sq_yaml *map = s->key ? sq_yaml_get(root, s->key) : root;
		int r;

		if (absent(map))
			continue;
		if (map->kind != SQ_YAML_MAP) {
			complain(l, map,
			         "a map of options is expected here, as --help-config shows: ",
			         sq_sv_of(s->key ? s->key : "key: value"));
			continue;
		}
		r = sq_opt_read(s->table, map, s->key ? NULL : lists, l->cfg, l->file, l->diags);
		if (r == -ENOMEM)
			return r;
	}
	return 0;
}

/* The kind that `type` names; `name` gives the known ones. @return index, or -1, which is said */
static int find_kind(const struct loader *l, const struct sq_yaml *map, const char *(*name)(size_t),
                     const char *what)
{
	const struct sq_yaml *type = sq_yaml_get(map, "type");
	char known[256] = "";
	size_t best = SIZE_MAX, n = 0;
	unsigned best_distance = 3;

	if (map->kind != SQ_YAML_MAP || !type || type->kind != SQ_YAML_SCALAR) {
		complain(l, map, "each entry needs its type, as in \"- type: tcp\"", SQ_SV(""));
		return -1;
	}
	for (size_t i = 0; name(i); i++) {
		struct sq_sv v = sq_sv_of(name(i));
		unsigned d = sq_sv_distance(v, type->text);

		if (sq_sv_eq(v, type->text))
			return (int)i;
		if (d < best_distance) {
			best = i;
			best_distance = d;
		}
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "", name(i));
		sq_assert(n < sizeof(known));
	}
	if (best != SIZE_MAX)
		sq_diag_add(l->diags, SQ_DIAG_ERROR, l->file, type->line, type->col,
		            "no kind of %s is called \"%.*s\"; did you mean \"%s\"? There are %s",
		            what, SQ_SV_ARG(type->text), name(best), known);
	else
		sq_diag_add(l->diags, SQ_DIAG_ERROR, l->file, type->line, type->col,
		            "no kind of %s is called \"%.*s\"; there are %s", what,
		            SQ_SV_ARG(type->text), known);
	return -1;
}

static const char *input_name(size_t i)
{
	return sqd_input_kinds[i] ? sqd_input_kinds[i]->kind : NULL;
}

static const char *output_name(size_t i)
{
	return sqd_output_kinds[i] ? sqd_output_kinds[i]->kind : NULL;
}

static int read_item(const struct loader *l, const struct sq_yaml *map, bool input,
                     struct sqd_config_item *item)
{
	int kind = input ? find_kind(l, map, input_name, "input")
	                 : find_kind(l, map, output_name, "output");
	const struct sqd_config_place at = { l->file, l->diags };
	int r;

	if (kind < 0)
		return -EINVAL;
	if (input) {
		item->input_ops = sqd_input_kinds[kind];
		r = sqd_config_item_init(item, sqd_input_common_opts,
		                         sizeof(struct sqd_input_common), item->input_ops->opts,
		                         item->input_ops->cfg_size);
	} else {
		item->output_ops = sqd_output_kinds[kind];
		r = sqd_config_item_init(item, sqd_output_common_opts,
		                         sizeof(struct sqd_output_common), item->output_ops->opts,
		                         item->output_ops->cfg_size);
	}
	if (r < 0)
		return r;
	r = sq_opt_read(item->table, map, NULL, item->common, l->file, l->diags);
	if (r < 0)
		return r;
	item->builtin = l->lists_only;
	if (!item->builtin)
		sqd_config_item_note(item, map);
	sqd_config_check_item(&at, map, item, input);
	if (!input)
		sqd_config_check_spool(&l->cfg->outputs, item, map, l->file, l->diags);
	return 0;
}

static int read_list(const struct loader *l, const struct sq_yaml *list, bool input)
{
	struct sqd_config_list *to = input ? &l->cfg->inputs : &l->cfg->outputs;
	const struct sqd_config_place at = { l->file, l->diags };

	if (list->kind != SQ_YAML_LIST || !list->n || list->n > LIST_MAX) {
		complain(l, list,
		         "a list of 1 to 256 entries is expected here, as in \"- type: tcp\"",
		         SQ_SV(""));
		return 0;
	}
	to->items = calloc(list->n, sizeof(*to->items));
	if (!to->items)
		return -ENOMEM;
	for (const struct sq_yaml *y = list->first; y; y = y->next) {
		struct sqd_config_item *item = &to->items[to->n++];
		int r = read_item(l, y, input, item);

		if (r == -ENOMEM)
			return r;
		if (!r && input)
			sqd_config_check_twice(&at, y, &l->cfg->inputs, item);
	}
	return 0;
}

static int read_dead_letter(const struct loader *l, const struct sq_yaml *map)
{
	static const struct sq_opt none[] = { { 0 } };
	struct sqd_config_item *item = &l->cfg->dead_letter;
	const struct sqd_config_place at = { l->file, l->diags };
	int r;

	if (absent(map))
		return 0;
	if (map->kind != SQ_YAML_MAP) {
		complain(l, map, "dead_letter wants a map, as in \"path: /var/log/...\"",
		         SQ_SV(""));
		return 0;
	}
	item->output_ops = sqd_dead_letter_kind;
	r = sqd_config_item_init(item, none, 0, item->output_ops->opts, item->output_ops->cfg_size);
	if (r < 0)
		return r;
	r = sq_opt_read(item->table, map, NULL, item->common, l->file, l->diags);
	sqd_config_item_note(item, map);
	if (!r)
		sqd_config_check_path(&at, map, item);
	return r == -ENOMEM ? r : 0;
}

static void check_rule_path(const struct loader *l, const struct sq_yaml *at, const char *path)
{
	if (!path[0])
		complain(l, at, "rules: an empty path", SQ_SV(""));
	else if (access(path, R_OK) < 0)
		sq_diag_add(l->diags, SQ_DIAG_ERROR, l->file, at ? at->line : 0, at ? at->col : 0,
		            "rules: %s: %s", path, sq_strerror(-errno));
}

static void check_rule_paths(const struct loader *l, const struct sq_yaml *paths)
{
	if (!paths || l->own_rules)
		return;
	if (paths->kind == SQ_YAML_SCALAR && !sq_yaml_is_null(paths))
		check_rule_path(l, paths, paths->text.p);
	for (const struct sq_yaml *y = paths->kind == SQ_YAML_LIST ? paths->first : NULL; y;
	     y = y->next)
		if (y->kind == SQ_YAML_SCALAR && !sq_yaml_is_null(y))
			check_rule_path(l, y, y->text.p);
}

/* One file, or the built-in text. Lists that are there already are left alone. */
static int read_root(const struct loader *l, const struct sq_yaml *root)
{
	const struct sqd_config_place at = { l->file, l->diags };
	const struct sq_yaml *inputs, *outputs;
	int r;

	if (absent(root) || (root->kind == SQ_YAML_SCALAR && !root->text.n))
		return 0;
	if (root->kind != SQ_YAML_MAP) {
		complain(l, root, "the configuration is a map, as in \"inputs:\"", SQ_SV(""));
		return 0;
	}
	r = l->lists_only ? 0 : read_sections(l, root);
	check_rule_paths(l, sq_yaml_get(sq_yaml_get(root, "rules"), "paths"));
	sqd_config_check_control(&at, sq_yaml_get(root, "control"), l->cfg);
	inputs = sq_yaml_get(root, "inputs");
	outputs = sq_yaml_get(root, "outputs");
	if (!r && !absent(inputs) && !l->cfg->inputs.items)
		r = read_list(l, inputs, true);
	if (!r && !absent(outputs) && !l->cfg->outputs.items)
		r = read_list(l, outputs, false);
	if (!r && !absent(sq_yaml_get(root, "lookups")))
		r = sqd_config_read_lookups(l->cfg, &at, sq_yaml_get(root, "lookups"));
	if (!r)
		r = read_dead_letter(l, sq_yaml_get(root, "dead_letter"));
	return r;
}

static int read_text(const struct loader *l, struct sq_sv text)
{
	struct sq_yaml_doc **docs = NULL;
	int n = sq_yaml_load(text, l->file, &sq_yaml_limits_default, &docs, l->diags);
	int r = 0;

	if (n == -ENOMEM)
		return n;
	if (n > 1)
		sq_diag_add(l->diags, SQ_DIAG_ERROR, l->file, 0, 0,
		            "a configuration is one document, not several");
	else if (n == 1)
		r = read_root(l, sq_yaml_root(docs[0]));
	sq_yaml_free_all(docs, n > 0 ? (size_t)n : 0);
	return r;
}

static int defaults(struct sqd_config *cfg)
{
	for (const struct sqd_config_section *s = sqd_config_sections; s->table; s++) {
		int r = sq_opt_defaults(s->table, cfg);

		if (r < 0)
			return r;
	}
	return 0;
}

static int set_rules(struct sqd_config *cfg, char *const *paths, size_t n)
{
	struct sq_opt_strs *to = &cfg->rule_paths;
	char **list = calloc(n ? n : 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < to->n; i++)
		free(to->list[i]);
	free(to->list);
	*to = (struct sq_opt_strs){ .list = list };
	for (; to->n < n; to->n++) {
		list[to->n] = strdup(paths[to->n]);
		if (!list[to->n])
			return -ENOMEM;
	}
	return 0;
}

int sqd_config_load(const char *path, const struct sqd_config_override *over,
                    struct sqd_config *cfg, struct sq_diags *diags, struct sq_err *err)
{
	struct loader l = { .cfg = cfg,
		            .file = path ? path : "built-in",
		            .diags = diags,
		            .own_rules = over && over->n_rules };
	struct sq_outbuf text = sq_outbuf_of(FILE_MAX_BYTES);
	int r;

	*cfg = (struct sqd_config){ 0 };
	r = defaults(cfg);
	if (!r && path) {
		cfg->file = strdup(path);
		r = cfg->file ? sq_file_read(path, &text, err) : -ENOMEM;
		if (!r)
			r = read_text(&l, sq_outbuf_view(&text));
	}
	sq_outbuf_fini(&text);
	/* Inputs and outputs that the file does not name. */
	l.file = "built-in";
	l.lists_only = true;
	if (!r)
		r = read_text(&l, sq_sv_of(sqd_config_builtin));
	if (!r && !diags->errors) {
		const struct sqd_config_place at = { path ? path : l.file, diags };

		sqd_config_check_overlap(cfg, &at);
		sqd_config_make_lanes(cfg, &at);
	}
	l.file = "--rules";
	if (!r && sqd_config_make_views(cfg) < 0)
		sq_diag_add(diags, SQ_DIAG_ERROR, l.file, 0, 0,
		            "outputs forward records in more than %d ways (min_level, verdict, "
		            "fields)",
		            SQ_VIEWS);
	if (!r && l.own_rules)
		r = set_rules(cfg, over->rules, over->n_rules);
	for (size_t i = 0; !r && l.own_rules && i < over->n_rules; i++)
		check_rule_path(&l, NULL, over->rules[i]);
	if (r == -ENOMEM)
		return sq_err_set(err, r, "configuration: out of memory");
	return r ? r : sq_diags_to_err(diags, err);
}

void sqd_config_fini(struct sqd_config *cfg)
{
	for (const struct sqd_config_section *s = sqd_config_sections; s->table; s++)
		sq_opt_free(s->table, cfg);
	for (size_t i = 0; i < cfg->inputs.n; i++)
		sqd_config_item_fini(&cfg->inputs.items[i]);
	for (size_t i = 0; i < cfg->outputs.n; i++)
		sqd_config_item_fini(&cfg->outputs.items[i]);
	for (size_t i = 0; i < cfg->lookups.n; i++)
		sqd_config_item_fini(&cfg->lookups.items[i]);
	free(cfg->lookups.items);
	sqd_config_item_fini(&cfg->dead_letter);
	free(cfg->inputs.items);
	free(cfg->outputs.items);
	free(cfg->file);
	*cfg = (struct sqd_config){ 0 };
}

/* One loop takes in more than a gigabyte a second (docs/decisions/threads.md): with few processors
 * a second one would only take time from workers, which much that alerts, or `validate: all`,
 * needs. */
unsigned sqd_config_loops(const struct sqd_config *cfg)
{
	unsigned cpus = uv_available_parallelism();

	if (cfg->loops)
		return cfg->loops;
	if (cpus < 2 * CPUS_FOR_A_LOOP)
		return 1;
	return cpus / CPUS_FOR_A_LOOP < LOOPS_DEFAULT_MAX ? cpus / CPUS_FOR_A_LOOP
	                                                  : LOOPS_DEFAULT_MAX;
}

unsigned sqd_config_workers(const struct sqd_config *cfg)
{
	unsigned cpus = uv_available_parallelism(), loops = sqd_config_loops(cfg);

	if (cfg->workers)
		return cfg->workers;
	if (cpus <= loops + 1)
		return 1;
	return cpus - loops < WORKERS_DEFAULT_MAX ? cpus - loops : WORKERS_DEFAULT_MAX;
}

unsigned sqd_config_threads(const struct sqd_config *cfg)
{
	/* An output writes, looks up its host's name, or ends its Kafka client: one of them. */
	size_t n = cfg->outputs.n + (cfg->dead_letter.common != NULL);

	for (size_t i = 0; i < cfg->outputs.n; i++)
		n += cfg->outputs.items[i].output->durability == SQD_DURABILITY_SPOOL;
	for (size_t i = 0; i < cfg->inputs.n; i++) /* the end of its client, too */
		n += sqd_config_row(&cfg->inputs.items[i], "brokers") != NULL;
	n++; /* rules that are read anew */
	if (n > THREADS_MAX)
		return THREADS_MAX;
	return n < THREADS_MIN ? THREADS_MIN : (unsigned)n;
}

uint32_t sqd_config_batches(const struct sqd_config *cfg)
{
	uint32_t least = 2; /* one to fill while one is run */
	unsigned loops = sqd_config_loops(cfg);
	uint32_t all = cfg->batches ? cfg->batches : 4 * loops + 2 * sqd_config_workers(cfg);
	uint32_t each = (all + loops - 1) / loops;

	return each < least ? least : each;
}

/* The chunk holds the longest record of any input and reads behind it; the arena, what an event of
 * that size takes when every text of it has escapes. Memory that is not used is not resident. */
struct sq_batch_limits sqd_config_limits(const struct sqd_config *cfg)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < cfg->inputs.n; i++) {
		const struct sqd_config_item *item = &cfg->inputs.items[i];
		const struct sq_opt *o = sqd_config_row(item, "max_record");
		const void *at = o ? (const char *)item->common + o->offset : NULL;
		uint64_t v = 0;

		if (o && o->type == SQ_OPT_BYTES)
			v = *(const uint64_t *)at;
		else if (o && o->type == SQ_OPT_U32)
			v = *(const uint32_t *)at;
		if (v > longest)
			longest = v;
	}
	sq_assert(longest <= UINT32_MAX / 4);
	return (struct sq_batch_limits){
		.chunk = (uint32_t)longest + 2 * SQD_INPUT_SLACK,
		.records = cfg->batch_records,
		.events = cfg->dedup_window ? cfg->batch_records : 0,
		.origins = ORIGINS,
		.clean = sqd_config_forwards_clean(cfg),
		.views = cfg->n_views,
		.arena = longest > ARENA_MIN_BYTES / 2 ? 2 * (uint32_t)longest : ARENA_MIN_BYTES,
		.out = (uint32_t)cfg->batch_alerts,
	};
}
