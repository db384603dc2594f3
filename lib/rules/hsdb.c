#include "lib/rules/hsdb.h"

#include <errno.h>
#include <stdlib.h>

#include <hs.h>

/* Both are Hyperscan's own objects; the names keep its header out of the rest. */
static const hs_database_t *database(const struct sq_hsdb *db)
{
	return (const hs_database_t *)(const void *)db;
}

static hs_scratch_t *scratch(struct sq_hs_scratch *s)
{
	return (hs_scratch_t *)(void *)s;
}

bool sq_hsdb_usable(void)
{
	return hs_valid_platform() == HS_SUCCESS;
}

void sq_hsdb_identity(struct sq_outbuf *out)
{
	hs_platform_info_t info = { 0 };

	(void)hs_populate_platform(&info); /* fails for NULL only */
	sq_outbuf_printf(out, "%s %u %llx", hs_version(), info.tune, info.cpu_features);
}

static unsigned hs_flags(const struct sq_hs_pattern *p)
{
	unsigned flags = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;

	if (p->flags & SQ_HS_CASELESS)
		flags |= HS_FLAG_CASELESS;
	if (p->flags & SQ_HS_MULTILINE)
		flags |= HS_FLAG_MULTILINE;
	if (p->flags & SQ_HS_DOTALL)
		flags |= HS_FLAG_DOTALL;
	return flags;
}

struct arrays {
	const char **texts;
	unsigned *flags, *ids;
};

static bool arrays_init(struct arrays *a, const struct sq_hs_pattern *patterns, uint32_t n)
{
	a->texts = calloc(n, sizeof(*a->texts));
	a->flags = calloc(n, sizeof(*a->flags));
	a->ids = calloc(n, sizeof(*a->ids));
	if (!a->texts || !a->flags || !a->ids)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		a->texts[i] = patterns[i].text;
		a->ids[i] = patterns[i].id;
		a->flags[i] = hs_flags(&patterns[i]);
	}
	return true;
}

static void arrays_fini(struct arrays *a)
{
	free(a->texts);
	free(a->flags);
	free(a->ids);
}

/* What a failed call said. Hyperscan calls a lack of memory a compile error, and blames the first
 * pattern. */
static int refused(int r, const hs_compile_error_t *why, struct sq_err *err)
{
	if (r == HS_NOMEM ||
	    (why && why->message && strcmp(why->message, "Unable to allocate memory.") == 0))
		return sq_err_set(err, -ENOMEM, "out of memory");
	return sq_err_set(err, -EINVAL, "%s", why && why->message ? why->message : "refused");
}

int sq_hsdb_check(const struct sq_hs_pattern *pattern, struct sq_err *err)
{
	hs_compile_error_t *why = NULL;
	hs_expr_info_t *info = NULL;
	int r = hs_expression_info(pattern->text, hs_flags(pattern), &info, &why);

	r = r == HS_SUCCESS ? 0 : refused(r, why, err);
	free(info); /* Hyperscan's allocator is malloc() unless told otherwise */
	hs_free_compile_error(why);
	return r;
}

int sq_hsdb_new(const struct sq_hs_pattern *patterns, uint32_t n, struct sq_hsdb **ret,
                uint32_t *ret_bad, struct sq_err *err)
{
	hs_compile_error_t *why = NULL;
	hs_database_t *db = NULL;
	struct arrays a;
	int r = -ENOMEM;

	sq_assert(n > 0);
	if (!arrays_init(&a, patterns, n)) {
		sq_err_set(err, r, "out of memory");
		goto out;
	}
	/* Not hs_compile_lit_multi(): in 5.4.0 its databases fail on valid input. */
	r = hs_compile_multi(a.texts, a.flags, a.ids, n, HS_MODE_BLOCK, NULL, &db, &why);
	if (r == HS_SUCCESS) {
		*ret = (struct sq_hsdb *)(void *)db;
		goto out;
	}
	r = refused(r, why, err);
	*ret_bad = why && why->expression >= 0 && (uint32_t)why->expression < n
	                   ? (uint32_t)why->expression
	                   : n;
out:
	hs_free_compile_error(why);
	arrays_fini(&a);
	return r;
}

void sq_hsdb_free(struct sq_hsdb *db)
{
	hs_free_database((hs_database_t *)(void *)db);
}

int sq_hsdb_save(const struct sq_hsdb *db, struct sq_outbuf *out)
{
	char *bytes = NULL;
	size_t n = 0;

	if (hs_serialize_database(database(db), &bytes, &n) != HS_SUCCESS)
		return -ENOMEM;
	sq_outbuf_put(out, (struct sq_sv){ bytes, n });
	free(bytes); /* Hyperscan's allocator is malloc() unless told otherwise */
	return out->failed ? -ENOMEM : 0;
}

int sq_hsdb_load(struct sq_sv bytes, struct sq_hsdb **ret)
{
	hs_database_t *db = NULL;

	switch (hs_deserialize_database(bytes.p, bytes.n, &db)) {
	case HS_SUCCESS:
		*ret = (struct sq_hsdb *)(void *)db;
		return 0;
	case HS_NOMEM:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

int sq_hs_scratch_grow(struct sq_hs_scratch **s, const struct sq_hsdb *db)
{
	hs_scratch_t *own = scratch(*s);

	/* On failure the old scratch is gone too, and `own` is NULL. */
	if (hs_alloc_scratch(database(db), &own) != HS_SUCCESS) {
		*s = NULL;
		return -ENOMEM;
	}
	*s = (struct sq_hs_scratch *)(void *)own;
	return 0;
}

void sq_hs_scratch_free(struct sq_hs_scratch *s)
{
	hs_free_scratch(scratch(s));
}

struct hit_ctx {
	sq_hs_hit_fn *hit;
	void *ctx;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *ctx)
{
	const struct hit_ctx *h = ctx;

	(void)from;
	(void)to;
	(void)flags;
	h->hit(h->ctx, id);
	return 0;
}

int sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                 sq_hs_hit_fn *hit, void *ctx)
{
	struct hit_ctx h = { hit, ctx };

	if (text.n > UINT32_MAX)
		return -EIO;
	if (hs_scan(database(db), text.n ? text.p : "", (unsigned)text.n, 0, scratch(s), on_match,
	            &h) != HS_SUCCESS)
		return -EIO;
	return 0;
}

enum { SQ_UNROLL_DEPTH_MAX = 250 }; /* parentheses; PCRE2 has the same limit */

static uint32_t add(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static uint32_t times(uint32_t a, uint32_t b)
{
	return b && a > UINT32_MAX / b ? UINT32_MAX : a * b;
}

/* Behind a class that begins at `p`, "[...]". */
static const char *behind_class(const char *p)
{
	p++;
	p += *p == '^';
	p += *p == ']';
	for (; *p && *p != ']'; p++) {
		if (p[0] == '[' && p[1] == ':' && strstr(p, ":]"))
			p = strstr(p, ":]") + 1;
		else if (*p == '\\' && p[1])
			p++;
	}
	return p + (*p == ']');
}

static uint32_t digits(const char **p)
{
	uint32_t n = 0;

	for (; sq_is_digit(**p); (*p)++)
		n = add(times(n, 10), (uint32_t)(**p - '0'));
	return n;
}

/* How often "{n}", "{n,}" or "{n,m}" at `*p` repeats what is before it, and step behind it; 1 for
 * a brace that is only itself. */
static uint32_t repeats(const char **p)
{
	const char *q = *p + 1;
	uint32_t n, m;

	if (!sq_is_digit(*q)) {
		*p = q;
		return 1;
	}
	n = m = digits(&q);
	if (*q == ',') {
		q++;
		m = digits(&q);
	}
	*p += 1;
	if (*q != '}')
		return 1;
	*p = q + 1;
	n = m > n ? m : n;
	return n ? n : 1;
}

uint32_t sq_hsdb_unrolled(const char *expression)
{
	uint32_t sum[SQ_UNROLL_DEPTH_MAX + 1] = { 0 }, atom = 0;
	const char *p = expression;
	unsigned depth = 0;

	while (*p) {
		if (*p == '{') {
			atom = times(atom, repeats(&p));
			continue;
		}
		if (*p == ')' && depth) {
			atom = add(sum[depth--], atom);
			p++;
			continue;
		}
		sum[depth] = add(sum[depth], atom);
		atom = 1;
		if (*p == '(') {
			if (depth == SQ_UNROLL_DEPTH_MAX)
				return UINT32_MAX;
			sum[++depth] = 0;
			atom = 0;
		}
		if (*p == '[')
			p = behind_class(p);
		else
			p += *p == '\\' && p[1] ? 2 : 1;
	}
	for (; depth; depth--)
		atom = add(atom, sum[depth]);
	return add(sum[0], atom);
}
