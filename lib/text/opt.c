#include "lib/text/opt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/text/opt_private.h"

/* Why a value was refused: one line for the findings. */
struct why {
	char text[320];
};

static void *member(const struct sq_opt *o, void *of)
{
	return (char *)of + o->offset;
}

static const void *member_const(const struct sq_opt *o, const void *of)
{
	return (const char *)of + o->offset;
}

/* ---- text to values ---------------------------------------------------------------------- */

static const char *type_name(enum sq_opt_type type)
{
	switch (type) {
	case SQ_OPT_STR:
		return "a text";
	case SQ_OPT_BOOL:
		return "true or false";
	case SQ_OPT_U32:
		return "a number";
	case SQ_OPT_BYTES:
		return "a size (4096, 64KiB, 1MiB, 2GiB)";
	case SQ_OPT_MSEC:
		return "a time (250ms, 30s, 5min, 1h, 1d)";
	case SQ_OPT_ENUM:
		return "a word";
	case SQ_OPT_STRS:
		return "a list of texts";
	}
	return "";
}

static const char *kind_name(enum sq_yaml_kind kind)
{
	switch (kind) {
	case SQ_YAML_SCALAR:
		return "a single value";
	case SQ_YAML_MAP:
		return "a map";
	case SQ_YAML_LIST:
		return "a list";
	}
	return "";
}

static int expected(const struct sq_opt *o, const struct sq_yaml *y, struct why *why)
{
	if (y->kind != SQ_YAML_SCALAR)
		snprintf(why->text, sizeof(why->text), "expected %s, found %s", type_name(o->type),
		         kind_name(y->kind));
	else if (sq_yaml_is_null(y))
		snprintf(why->text, sizeof(why->text), "expected %s, found nothing",
		         type_name(o->type));
	else
		snprintf(why->text, sizeof(why->text), "expected %s, found %s\"%.*s\"",
		         type_name(o->type), y->quoted ? "the text " : "",
		         SQ_SV_ARG(sq_sv_first(y->text, 60)));
	return -EINVAL;
}

/* Number and unit. @return false: not one, or beyond 64 bits */
static bool read_number(enum sq_opt_type type, struct sq_sv v, uint64_t *ret)
{
	const struct sq_opt_unit *u = type == SQ_OPT_MSEC ? sq_opt_time_units : sq_opt_byte_units;
	size_t digits = 0;
	uint64_t n;

	while (digits < v.n && sq_is_digit(v.p[digits]))
		digits++;
	if (!sq_sv_to_u64(sq_sv_first(v, digits), &n))
		return false;
	v = sq_sv_trim(sq_sv_skip(v, digits));
	if (v.n == 0) {
		*ret = n;
		return true;
	}
	if (type == SQ_OPT_U32)
		return false;
	while (u->name && !sq_sv_ieq(v, sq_sv_of(u->name)))
		u++;
	return u->name && !__builtin_mul_overflow(n, u->size, ret);
}

static int out_of_range(const struct sq_opt *o, struct sq_sv text, uint64_t max, struct why *why)
{
	struct sq_outbuf b = sq_outbuf_of(128);

	sq_opt_print_number(o->type, o->min, &b);
	sq_outbuf_put(&b, SQ_SV(" to "));
	sq_opt_print_number(o->type, max, &b);
	snprintf(why->text, sizeof(why->text), "%.*s is out of range: %.*s",
	         SQ_SV_ARG(sq_sv_first(text, 60)), SQ_SV_ARG(sq_outbuf_view(&b)));
	sq_outbuf_fini(&b);
	return -EINVAL;
}

static int set_number(const struct sq_opt *o, const struct sq_yaml *y, void *to, struct why *why)
{
	uint64_t max = o->max ? o->max : o->type == SQ_OPT_U32 ? UINT32_MAX : UINT64_MAX;
	uint64_t v;

	if (y->kind != SQ_YAML_SCALAR || y->quoted || !read_number(o->type, y->text, &v))
		return expected(o, y, why);
	if (v < o->min || v > max)
		return out_of_range(o, y->text, max, why);
	if (o->type == SQ_OPT_U32)
		*(uint32_t *)to = (uint32_t)v;
	else
		*(uint64_t *)to = v;
	return 0;
}

static int set_enum(const struct sq_opt *o, const struct sq_yaml *y, void *to, struct why *why)
{
	const char *near = NULL;
	unsigned best = 3;
	int n;

	if (y->kind != SQ_YAML_SCALAR)
		return expected(o, y, why);
	for (const struct sq_opt_enum *e = o->enums; e->name; e++) {
		unsigned d = sq_sv_distance(y->text, sq_sv_of(e->name));

		if (sq_sv_ieq(y->text, sq_sv_of(e->name))) {
			*(int *)to = e->value;
			return 0;
		}
		if (d < best && d < strlen(e->name)) {
			best = d;
			near = e->name;
		}
	}
	n = snprintf(why->text, sizeof(why->text), "\"%.*s\" is none of",
	             SQ_SV_ARG(sq_sv_first(y->text, 60)));
	for (const struct sq_opt_enum *e = o->enums; e->name && (size_t)n < sizeof(why->text); e++)
		n += snprintf(why->text + n, sizeof(why->text) - (size_t)n, "%s%s",
		              e == o->enums ? " " : ", ", e->name);
	if (near && (size_t)n < sizeof(why->text))
		snprintf(why->text + n, sizeof(why->text) - (size_t)n, "; did you mean \"%s\"?",
		         near);
	return -EINVAL;
}

/* A copy of a scalar as C text. `*ret` is NULL for a plain null. */
static int copy_text(const struct sq_opt *o, const struct sq_yaml *y, char **ret, struct why *why)
{
	if (y->kind != SQ_YAML_SCALAR)
		return expected(o, y, why);
	*ret = NULL;
	if (sq_yaml_is_null(y))
		return 0;
	if (sq_sv_chr(y->text, 0) != SIZE_MAX) {
		snprintf(why->text, sizeof(why->text), "a text must not hold a NUL byte");
		return -EINVAL;
	}
	*ret = strndup(y->text.p, y->text.n);
	return *ret ? 0 : -ENOMEM;
}

static void free_list(struct sq_opt_strs *strs)
{
	for (size_t i = 0; i < strs->n; i++)
		free(strs->list[i]);
	free(strs->list);
	*strs = (struct sq_opt_strs){ 0 };
}

/* A list of texts; one text alone is a list of one. */
static int set_list(const struct sq_opt *o, const struct sq_yaml *y, struct sq_opt_strs *to,
                    struct why *why)
{
	const struct sq_yaml *item = y->kind == SQ_YAML_LIST ? y->first : y;
	struct sq_opt_strs strs = { 0 };
	int r = 0;

	if (y->kind == SQ_YAML_MAP)
		return expected(o, y, why);
	if (y->kind == SQ_YAML_SCALAR && sq_yaml_is_null(y))
		item = NULL;
	strs.list = calloc(y->kind == SQ_YAML_LIST ? y->n + 1 : 1, sizeof(*strs.list));
	if (!strs.list)
		return -ENOMEM;
	for (; item; item = y->kind == SQ_YAML_LIST ? item->next : NULL) {
		r = copy_text(o, item, &strs.list[strs.n], why);
		if (r == 0 && !strs.list[strs.n])
			r = expected(o, item, why);
		if (r < 0)
			break;
		strs.n++;
	}
	if (r < 0) {
		free_list(&strs);
		return r;
	}
	free_list(to);
	*to = strs;
	return 0;
}

static int set_text(const struct sq_opt *o, const struct sq_yaml *y, char **to, struct why *why)
{
	char *text = NULL;
	int r = copy_text(o, y, &text, why);

	if (r < 0)
		return r;
	free(*to);
	*to = text;
	return 0;
}

static int set_bool(const struct sq_opt *o, const struct sq_yaml *y, bool *to, struct why *why)
{
	if (y->kind == SQ_YAML_SCALAR && sq_yaml_is_bool(y, to))
		return 0;
	return expected(o, y, why);
}

static int set_value(const struct sq_opt *o, const struct sq_yaml *y, void *at, struct why *why)
{
	switch (o->type) {
	case SQ_OPT_STR:
		return set_text(o, y, at, why);
	case SQ_OPT_BOOL:
		return set_bool(o, y, at, why);
	case SQ_OPT_U32:
	case SQ_OPT_BYTES:
	case SQ_OPT_MSEC:
		return set_number(o, y, at, why);
	case SQ_OPT_ENUM:
		return set_enum(o, y, at, why);
	case SQ_OPT_STRS:
		return set_list(o, y, at, why);
	}
	return -EINVAL;
}

/* ---- defaults ---------------------------------------------------------------------------- */

static void clear_value(const struct sq_opt *o, void *at)
{
	switch (o->type) {
	case SQ_OPT_STR:
		*(char **)at = NULL;
		return;
	case SQ_OPT_BOOL:
		*(bool *)at = false;
		return;
	case SQ_OPT_U32:
		*(uint32_t *)at = 0;
		return;
	case SQ_OPT_BYTES:
	case SQ_OPT_MSEC:
		*(uint64_t *)at = 0;
		return;
	case SQ_OPT_ENUM:
		*(int *)at = 0;
		return;
	case SQ_OPT_STRS:
		*(struct sq_opt_strs *)at = (struct sq_opt_strs){ 0 };
		return;
	}
}

/* "[a, b]" as a table writes it: no quotes and no commas inside. */
static int default_list(const struct sq_opt *o, struct sq_opt_strs *to)
{
	struct sq_sv v = sq_sv_of(o->def);
	size_t most = 1;

	sq_assert(v.n >= 2 && v.p[0] == '[' && v.p[v.n - 1] == ']');
	v = sq_sv_trim((struct sq_sv){ v.p + 1, v.n - 2 });
	for (size_t i = 0; i < v.n; i++)
		most += v.p[i] == ',';
	to->list = calloc(most, sizeof(*to->list));
	if (!to->list)
		return -ENOMEM;
	while (v.n) {
		struct sq_sv item = sq_sv_trim(sq_sv_cut(&v, ','));

		to->list[to->n] = strndup(item.p, item.n);
		if (!to->list[to->n])
			return -ENOMEM;
		to->n++;
	}
	return 0;
}

static int set_default(const struct sq_opt *o, void *at)
{
	struct sq_yaml y = { .kind = SQ_YAML_SCALAR };
	struct why why;
	int r;

	if (!o->def)
		return 0;
	if (o->type == SQ_OPT_STRS)
		return default_list(o, at);
	y.text = sq_sv_of(o->def);
	r = set_value(o, &y, at, &why);
	sq_assert(r == 0 || r == -ENOMEM); /* a default that does not read is our mistake */
	return r;
}

int sq_opt_defaults(const struct sq_opt *table, void *to)
{
	for (const struct sq_opt *o = table; o->key; o++)
		clear_value(o, member(o, to));
	for (const struct sq_opt *o = table; o->key; o++) {
		int r = set_default(o, member(o, to));

		if (r < 0) {
			sq_opt_free(table, to);
			return r;
		}
	}
	return 0;
}

void sq_opt_free(const struct sq_opt *table, void *of)
{
	if (!of)
		return;
	for (const struct sq_opt *o = table; o->key; o++) {
		void *at = member(o, of);

		if (o->type == SQ_OPT_STR) {
			free(*(char **)at);
			*(char **)at = NULL;
		} else if (o->type == SQ_OPT_STRS) {
			free_list(at);
		}
	}
}

/* ---- a map to a struct ------------------------------------------------------------------- */

static const struct sq_opt *find(const struct sq_opt *table, struct sq_sv key)
{
	const struct sq_opt *o = table;

	while (o->key && !sq_sv_eq(key, sq_sv_of(o->key)))
		o++;
	return o->key ? o : NULL;
}

static bool skipped(const char *const *skip, struct sq_sv key)
{
	for (; skip && *skip; skip++) {
		if (sq_sv_eq(key, sq_sv_of(*skip)))
			return true;
	}
	return false;
}

static void nearer(struct sq_sv key, const char *name, unsigned *best, const char **near)
{
	unsigned d = sq_sv_distance(key, sq_sv_of(name));

	/* The beginning of one is as near as can be: "tokens" for "tokens_file". */
	if (key.n > 2 && sq_sv_starts(sq_sv_of(name), key))
		d = 1;
	/* A key of which everything would have to change is no suggestion. */
	if (d < *best && d < strlen(name)) {
		*best = d;
		*near = name;
	}
}

static void unknown_key(const struct sq_opt *table, const char *const *skip,
                        const struct sq_yaml *key, const char *file, struct sq_diags *diags)
{
	struct sq_outbuf known = sq_outbuf_of(1024);
	unsigned best = key->text.n > 5 ? 4 : 3; /* up to 3 edits, in a short word up to 2 */
	struct sq_sv shown = sq_sv_first(key->text, 60);
	const char *near = NULL;

	for (const struct sq_opt *o = table; o->key; o++) {
		nearer(key->text, o->key, &best, &near);
		sq_outbuf_printf(&known, "%s%s", known.len ? ", " : "", o->key);
	}
	for (; skip && *skip; skip++) {
		nearer(key->text, *skip, &best, &near);
		sq_outbuf_printf(&known, "%s%s", known.len ? ", " : "", *skip);
	}
	if (near)
		sq_diag_add(diags, SQ_DIAG_ERROR, file, key->line, key->col,
		            "unknown key \"%.*s\"; did you mean \"%s\"?", SQ_SV_ARG(shown), near);
	else
		sq_diag_add(diags, SQ_DIAG_ERROR, file, key->line, key->col,
		            "unknown key \"%.*s\"; known here: %.*s", SQ_SV_ARG(shown),
		            SQ_SV_ARG(sq_outbuf_view(&known)));
	sq_outbuf_fini(&known);
}

static int check_required(const struct sq_opt *table, const struct sq_yaml *map, const void *of,
                          const char *file, struct sq_diags *diags)
{
	int r = 0;

	for (const struct sq_opt *o = table; o->key; o++) {
		const void *at = member_const(o, of);
		const struct sq_yaml *y = sq_yaml_get(map, o->key);
		bool there = y || o->def;

		if (!o->required)
			continue;
		/* Written, but refused before: that was reported already. */
		if (y && !(y->kind == SQ_YAML_SCALAR && sq_yaml_is_null(y)))
			continue;
		if (o->type == SQ_OPT_STR)
			there = *(char *const *)at != NULL;
		else if (o->type == SQ_OPT_STRS)
			there = ((const struct sq_opt_strs *)at)->n > 0;
		if (there)
			continue;
		sq_diag_add(diags, SQ_DIAG_ERROR, file, map ? map->line : 0, map ? map->col : 0,
		            "\"%s\" is missing: %s", o->key, o->doc);
		r = -EINVAL;
	}
	return r;
}

int sq_opt_read(const struct sq_opt *table, const struct sq_yaml *map, const char *const *skip,
                void *to, const char *file, struct sq_diags *diags)
{
	const struct sq_yaml *y = map && map->kind == SQ_YAML_MAP ? map->first : NULL;
	int result;

	sq_opt_free(table, to);
	result = sq_opt_defaults(table, to);
	if (result < 0)
		return result;
	if (map && map->kind != SQ_YAML_MAP && !sq_yaml_is_null(map)) {
		sq_diag_add(diags, SQ_DIAG_ERROR, file, map->line, map->col,
		            "expected a map (key: value), found %s", kind_name(map->kind));
		return -EINVAL;
	}
	for (; y; y = y->next) {
		const struct sq_opt *o = find(table, y->key->text);
		struct why why;
		int r;

		if (!o && skipped(skip, y->key->text))
			continue;
		if (!o) {
			unknown_key(table, skip, y->key, file, diags);
			result = -EINVAL;
			continue;
		}
		r = set_value(o, y, member(o, to), &why);
		if (r == -ENOMEM)
			return r;
		if (r < 0) {
			sq_diag_add(diags, SQ_DIAG_ERROR, file, y->line, y->col, "%s: %s", o->key,
			            why.text);
			result = r;
		}
	}
	if (check_required(table, map, to, file, diags) < 0)
		result = -EINVAL;
	return result;
}
