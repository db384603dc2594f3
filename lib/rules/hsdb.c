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
		a->flags[i] = HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY;
		if (patterns[i].flags & SQ_HS_CASELESS)
			a->flags[i] |= HS_FLAG_CASELESS;
		if (patterns[i].flags & SQ_HS_MULTILINE)
			a->flags[i] |= HS_FLAG_MULTILINE;
		if (patterns[i].flags & SQ_HS_DOTALL)
			a->flags[i] |= HS_FLAG_DOTALL;
	}
	return true;
}

static void arrays_fini(struct arrays *a)
{
	free(a->texts);
	free(a->flags);
	free(a->ids);
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
	switch (hs_compile_multi(a.texts, a.flags, a.ids, n, HS_MODE_BLOCK, NULL, &db, &why)) {
	case HS_SUCCESS:
		*ret = (struct sq_hsdb *)(void *)db;
		r = 0;
		break;
	case HS_NOMEM:
		sq_err_set(err, r, "out of memory");
		break;
	default:
		/* Hyperscan calls this a compile error, and blames the first pattern. */
		if (why && why->message &&
		    strcmp(why->message, "Unable to allocate memory.") == 0) {
			sq_err_set(err, r, "out of memory");
			break;
		}
		*ret_bad = why && why->expression >= 0 && (uint32_t)why->expression < n
		                   ? (uint32_t)why->expression
		                   : n;
		r = sq_err_set(err, -EINVAL, "%s", why && why->message ? why->message : "refused");
		break;
	}
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
