#include "lib/rules/databases.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SQ_CACHE_ALIGN = 8, /* of a database in the cache */
	SQ_WHY_MAX = 300,   /* bytes of a reason */

	/* What Hyperscan may have to write out, so that a set is compiled in seconds whatever its
	 * rules say: of one expression, and of all of a set together (beyond their own length). */
	SQ_UNROLLED_MAX = 4096,
	SQ_UNROLLED_ALL_MAX = 20000,
	SQ_CHECKED_LENGTH = 4096, /* texts of wildcards are always taken, unless they are long */
};

/* Magic and format number. A change in how expressions are made needs no new number: they are in
 * the key. */
#define SQ_CACHE_MAGIC "SQHSDB\0\1"

struct cache_head {
	char magic[8];
	char key[32];
	uint64_t checksum; /* of all bytes behind the head */
	uint64_t len;      /* of them */
};

struct cache_group {
	uint32_t n_preds, n_refusals;
	uint64_t db_len; /* 0: no database */
};

struct cache_refusal {
	uint32_t pred, len; /* of its text, which follows, padded */
};

static void refusals_fini(struct sq_refusals *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		free(r->list[i].why);
	free(r->list);
	*r = (struct sq_refusals){ 0 };
}

void sq_databases_fini(struct sq_databases *dbs)
{
	if (!dbs)
		return;
	for (uint32_t i = 0; dbs->list && i < dbs->n; i++)
		sq_hsdb_free(dbs->list[i]);
	refusals_fini(&dbs->refusals);
	free(dbs->list);
	*dbs = (struct sq_databases){ 0 };
}

static int init(struct sq_databases *dbs, const struct sq_plan *plan)
{
	*dbs = (struct sq_databases){ 0 };
	dbs->list = calloc(plan->n_groups ? plan->n_groups : 1, sizeof(struct sq_hsdb *));
	if (!dbs->list)
		return -ENOMEM;
	dbs->n = plan->n_groups;
	return 0;
}

static int reserve(struct sq_refusals *r, uint32_t more)
{
	uint32_t cap = r->cap ? r->cap : 8;
	struct sq_refusal *list;

	while (cap - r->n < more)
		cap *= 2; /* of SQ_PLAN_PREDICATES_MAX at most */
	if (cap == r->cap)
		return 0;
	list = reallocarray(r->list, cap, sizeof(*list));
	if (!list)
		return -ENOMEM;
	r->list = list;
	r->cap = cap;
	return 0;
}

static int refuse(struct sq_refusals *r, uint32_t pred, struct sq_sv why)
{
	if (reserve(r, 1) < 0)
		return -ENOMEM;
	r->list[r->n].pred = pred;
	r->list[r->n].why = strndup(why.n ? why.p : "", why.n);
	if (!r->list[r->n].why)
		return -ENOMEM;
	r->n++;
	return 0;
}

static void drop(struct sq_hs_pattern *patterns, uint32_t *n, uint32_t at)
{
	memmove(patterns + at, patterns + at + 1, (*n - at - 1) * sizeof(*patterns));
	(*n)--;
}

/* Too much together: leave out those that are too much alone. When each is fine alone the last half
 * goes, so that this ends. */
static int lighten(struct sq_refusals *refusals, struct sq_hs_pattern *patterns, uint32_t *n,
                   struct sq_err *why)
{
	uint32_t before = *n, keep = *n / 2;

	for (uint32_t i = 0; i < *n;) {
		struct sq_hsdb *db;
		uint32_t bad;
		int r = sq_hsdb_new(&patterns[i], 1, &db, &bad, why);

		if (r == 0) {
			sq_hsdb_free(db);
			i++;
			continue;
		}
		if (r == -EINVAL)
			r = refuse(refusals, patterns[i].id, sq_sv_of(why->text));
		if (r < 0)
			return r;
		drop(patterns, n, i);
	}
	while (*n == before && before > keep) {
		int r = refuse(refusals, patterns[*n - 1].id,
		               SQ_SV("too many patterns on this field"));

		if (r < 0)
			return r;
		before = --*n;
	}
	return 0;
}

/* Why not to give a pattern to Hyperscan at all, or NULL. */
static const char *too_long(const char *text, uint32_t *all)
{
	uint32_t unrolled = sq_hsdb_unrolled(text), len = (uint32_t)strlen(text);
	uint32_t more = unrolled > len ? unrolled - len : 0;

	if (more > SQ_UNROLLED_MAX)
		return "the repeats of this expression are too long to write out";
	if (more > SQ_UNROLLED_ALL_MAX - *all)
		return "the repeats of all expressions are too long to write out";
	*all += more;
	return NULL;
}

/* Leave out what Hyperscan will refuse. It stops at the first pattern that it dislikes, so that
 * finding each by compiling again would take the time of a whole database for each. */
static int sift(struct sq_refusals *refusals, const struct sq_plan *plan,
                struct sq_hs_pattern *patterns, uint32_t *n, uint32_t *all)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < *n; i++) {
		bool regex = plan->preds[patterns[i].id].pred->match == SQ_MATCH_REGEX;
		const char *why = regex ? too_long(patterns[i].text, all) : NULL;
		struct sq_err reason = { 0 };
		int r = 0;

		if (!why && (regex || strlen(patterns[i].text) > SQ_CHECKED_LENGTH))
			r = sq_hsdb_check(&patterns[i], &reason);
		if (why || r == -EINVAL) {
			r = refuse(refusals, patterns[i].id, sq_sv_of(why ? why : reason.text));
			if (r < 0)
				return r;
			continue;
		}
		if (r < 0)
			return r;
		patterns[kept++] = patterns[i];
	}
	*n = kept;
	return 0;
}

/* One group, to be compiled by whoever comes first. */
struct job {
	uint32_t group;
	size_t weight; /* time to compile it, about: characters of its expressions */
	struct sq_hs_pattern *patterns;
	uint32_t n;
	struct sq_hsdb *db;
	struct sq_refusals refusals;
	int result;
};

struct jobs {
	struct job *list; /* what takes longest first, so that nobody waits for it in the end */
	uint32_t n;
	const struct sq_each *each;
	atomic_bool failed; /* a hint: the rest need not be compiled */
};

/* Compile what Hyperscan takes; nearly always that is everything, at the first try. */
static int compile_group(struct job *j)
{
	struct sq_err why = { 0 };
	uint32_t bad;
	int r = 0;

	while (j->n && r == 0) {
		r = sq_hsdb_new(j->patterns, j->n, &j->db, &bad, &why);
		if (r != -EINVAL)
			break;
		if (bad < j->n) {
			r = refuse(&j->refusals, j->patterns[bad].id, sq_sv_of(why.text));
			drop(j->patterns, &j->n, bad);
		} else {
			r = lighten(&j->refusals, j->patterns, &j->n, &why);
		}
	}
	return r;
}

/* Any thread: a job is nobody else's. */
static void compile_job(void *arg, uint32_t i)
{
	struct jobs *all = arg;
	struct job *j = &all->list[i];

	if (atomic_load_explicit(&all->failed, memory_order_relaxed))
		return;
	j->result = sq_each_is_stopped(all->each) ? -ECANCELED : compile_group(j);
	if (j->result < 0)
		atomic_store_explicit(&all->failed, true, memory_order_relaxed);
}

static int job_init(struct job *j, const struct sq_plan *plan, uint32_t g, uint32_t *unrolled)
{
	const struct sq_numbers *preds = &plan->groups[g].preds;
	int r;

	j->group = g;
	j->patterns = calloc(preds->n, sizeof(*j->patterns));
	if (!j->patterns)
		return -ENOMEM;
	j->n = preds->n;
	for (uint32_t i = 0; i < j->n; i++)
		j->patterns[i] =
			(struct sq_hs_pattern){ sq_plan_expression(plan, preds->p[i]),
			                        sq_plan_flags(plan, preds->p[i]), preds->p[i] };
	r = sift(&j->refusals, plan, j->patterns, &j->n, unrolled);
	for (uint32_t i = 0; i < j->n; i++)
		j->weight += strlen(j->patterns[i].text);
	return r;
}

static int by_group(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	return (x->group > y->group) - (x->group < y->group);
}

static int by_weight(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return by_group(a, b);
}

/* What came of a job becomes part of all, also when others failed: it is freed with them. */
static int gather(struct sq_databases *dbs, struct job *j)
{
	dbs->list[j->group] = j->db;
	j->db = NULL;
	if (j->refusals.n) {
		if (reserve(&dbs->refusals, j->refusals.n) < 0)
			return -ENOMEM;
		memcpy(dbs->refusals.list + dbs->refusals.n, j->refusals.list,
		       j->refusals.n * sizeof(*j->refusals.list));
		dbs->refusals.n += j->refusals.n;
		j->refusals.n = 0;
	}
	return j->result;
}

static void jobs_fini(struct jobs *all)
{
	for (uint32_t i = 0; all->list && i < all->n; i++) {
		sq_hsdb_free(all->list[i].db);
		refusals_fini(&all->list[i].refusals);
		free(all->list[i].patterns);
	}
	free(all->list);
}

static int compile_all(struct sq_databases *dbs, const struct sq_plan *plan,
                       const struct sq_each *each)
{
	struct jobs all = { .list = calloc(plan->n_groups ? plan->n_groups : 1, sizeof(struct job)),
		            .each = each };
	uint32_t unrolled = 0;
	int r = all.list ? 0 : -ENOMEM;

	/* In order: what is too long together depends on what came before. */
	while (r == 0 && all.n < plan->n_groups) {
		r = job_init(&all.list[all.n], plan, all.n, &unrolled);
		all.n++;
	}
	if (r == 0 && all.n) {
		qsort(all.list, all.n, sizeof(*all.list), by_weight);
		sq_each_run(each, all.n, compile_job, &all);
		qsort(all.list, all.n, sizeof(*all.list), by_group);
	}
	for (uint32_t i = 0; r == 0 && i < all.n; i++)
		r = gather(dbs, &all.list[i]);
	jobs_fini(&all);
	return r;
}

static void mark_scanned(const struct sq_databases *dbs, struct sq_plan *plan)
{
	for (uint32_t g = 0; g < plan->n_groups; g++) {
		for (uint32_t i = 0; i < plan->groups[g].preds.n; i++)
			plan->preds[plan->groups[g].preds.p[i]].scanned = dbs->list[g];
	}
	for (uint32_t i = 0; i < dbs->refusals.n; i++)
		plan->preds[dbs->refusals.list[i].pred].scanned = false;
}

int sq_databases_compile(struct sq_databases *dbs, struct sq_plan *plan, const struct sq_each *each,
                         struct sq_err *err)
{
	int r = init(dbs, plan);

	if (r < 0)
		return sq_err_set(err, r, "out of memory");
	r = compile_all(dbs, plan, each);
	if (r < 0)
		return sq_err_set(err, r,
		                  r == -ECANCELED ? "stopped while patterns were compiled"
		                                  : "out of memory for a pattern database");
	mark_scanned(dbs, plan);
	return 0;
}

/* FNV-1a in 128 bits: simple, and long enough for a name. */
__extension__ typedef unsigned __int128 u128;

static u128 key_add(u128 h, const void *bytes, size_t n)
{
	const u128 prime = (u128)1 << 88 | 0x13b;
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * prime;
	return (h ^ n) * prime; /* so that "ab","c" is not "a","bc" */
}

void sq_databases_key(const struct sq_plan *plan, const struct sq_fields *fields,
                      char ret[SQ_CACHE_KEY])
{
	u128 h = (u128)0x6c62272e07bb0142u << 64 | 0x62b821756295c58du;
	struct sq_outbuf identity = sq_outbuf_of(1024);

	sq_hsdb_identity(&identity);
	h = key_add(h, SQ_CACHE_MAGIC, sizeof(SQ_CACHE_MAGIC) - 1);
	h = key_add(h, identity.p, identity.len);
	sq_outbuf_fini(&identity);
	for (uint32_t g = 0; g < plan->n_groups; g++) {
		const struct sq_plan_group *group = &plan->groups[g];
		struct sq_sv name = group->field < 0
		                            ? SQ_SV("keywords")
		                            : sq_fields_name(fields, (uint32_t)group->field);

		h = key_add(h, name.p, name.n);
		for (uint32_t i = 0; i < group->preds.n; i++) {
			uint32_t id = group->preds.p[i];
			unsigned flags = sq_plan_flags(plan, id);
			const char *text = sq_plan_expression(plan, id);

			h = key_add(h, &id, sizeof(id));
			h = key_add(h, &flags, sizeof(flags));
			h = key_add(h, text, strlen(text));
		}
	}
	(void)snprintf(ret, SQ_CACHE_KEY, "%016llx%016llx", (unsigned long long)(h >> 64),
	               (unsigned long long)h);
}

static void put_bytes(struct sq_outbuf *out, const void *p, size_t n)
{
	sq_outbuf_put(out, (struct sq_sv){ p, n });
}

static void put_padding(struct sq_outbuf *out, size_t begin)
{
	while ((out->len - begin) % SQ_CACHE_ALIGN && !out->failed)
		sq_outbuf_putc(out, '\0');
}

static int save_group(const struct sq_databases *dbs, const struct sq_plan *plan, uint32_t g,
                      struct sq_outbuf *out, size_t begin)
{
	struct cache_group head = { .n_preds = plan->groups[g].preds.n };
	size_t at = out->len, db_at;

	put_bytes(out, &head, sizeof(head));
	for (uint32_t i = 0; i < dbs->refusals.n; i++) {
		const struct sq_refusal *f = &dbs->refusals.list[i];
		struct cache_refusal rec = { f->pred, (uint32_t)strnlen(f->why, SQ_WHY_MAX) };

		if (plan->preds[f->pred].group != g)
			continue;
		head.n_refusals++;
		put_bytes(out, &rec, sizeof(rec));
		put_bytes(out, f->why, rec.len);
		put_padding(out, begin);
	}
	db_at = out->len;
	if (dbs->list[g] && sq_hsdb_save(dbs->list[g], out) < 0)
		return -ENOMEM;
	head.db_len = out->len - db_at;
	put_padding(out, begin);
	if (out->failed)
		return -ENOMEM;
	memcpy(out->p + at, &head, sizeof(head));
	return 0;
}

int sq_databases_save(const struct sq_databases *dbs, const struct sq_plan *plan,
                      struct sq_outbuf *out, const char *key)
{
	struct cache_head head = { .magic = SQ_CACHE_MAGIC };
	size_t begin = out->len, body = begin + sizeof(head);

	memcpy(head.key, key, sizeof(head.key));
	put_bytes(out, &head, sizeof(head));
	for (uint32_t g = 0; g < dbs->n; g++) {
		int r = save_group(dbs, plan, g, out, begin);

		if (r < 0)
			return r;
	}
	if (out->failed)
		return -ENOMEM;
	head.len = out->len - body;
	head.checksum = sq_sv_hash((struct sq_sv){ out->p + body, head.len });
	memcpy(out->p + begin, &head, sizeof(head));
	return 0;
}

/* The next `n` bytes, padding behind them skipped; NULL when there are not so many. */
static const char *take(struct sq_sv *rest, uint64_t n)
{
	const char *p = rest->p;
	uint64_t padded = (n + SQ_CACHE_ALIGN - 1) & ~(uint64_t)(SQ_CACHE_ALIGN - 1);

	if (n > rest->n || padded > rest->n)
		return NULL;
	*rest = sq_sv_skip(*rest, padded);
	return p;
}

static int load_refusals(struct sq_databases *dbs, const struct sq_plan *plan, uint32_t g,
                         uint32_t n, struct sq_sv *rest)
{
	for (uint32_t i = 0; i < n; i++) {
		struct cache_refusal rec;
		const char *p = sizeof(rec) <= rest->n ? rest->p : NULL;
		int r;

		if (!p)
			return -EBADMSG;
		memcpy(&rec, p, sizeof(rec));
		p = take(rest, sizeof(rec) + (uint64_t)rec.len);
		if (!p || rec.len > SQ_WHY_MAX || rec.pred >= plan->n_preds ||
		    !plan->preds[rec.pred].pattern || plan->preds[rec.pred].group != g)
			return -EBADMSG;
		r = refuse(&dbs->refusals, rec.pred, (struct sq_sv){ p + sizeof(rec), rec.len });
		if (r < 0)
			return r;
	}
	return 0;
}

/* Hyperscan wants its bytes aligned; where the cache as a whole is not, they are copied. */
static int load_database(struct sq_sv bytes, struct sq_hsdb **ret)
{
	char *copy;
	int r;

	if ((uintptr_t)bytes.p % SQ_CACHE_ALIGN == 0)
		return sq_hsdb_load(bytes, ret);
	copy = malloc(bytes.n);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes.p, bytes.n);
	r = sq_hsdb_load((struct sq_sv){ copy, bytes.n }, ret);
	free(copy);
	return r;
}

static int load_group(struct sq_databases *dbs, const struct sq_plan *plan, uint32_t g,
                      struct sq_sv *rest)
{
	struct cache_group head;
	const char *p = take(rest, sizeof(head));
	int r;

	if (!p)
		return -EBADMSG;
	memcpy(&head, p, sizeof(head));
	if (head.n_preds != plan->groups[g].preds.n || head.n_refusals > head.n_preds ||
	    (head.db_len == 0) != (head.n_refusals == head.n_preds))
		return -EBADMSG;
	r = load_refusals(dbs, plan, g, head.n_refusals, rest);
	if (r < 0 || head.db_len == 0)
		return r;
	p = take(rest, head.db_len);
	return p ? load_database((struct sq_sv){ p, head.db_len }, &dbs->list[g]) : -EBADMSG;
}

int sq_databases_load(struct sq_databases *dbs, struct sq_plan *plan, struct sq_sv cache,
                      const char *key)
{
	struct cache_head head;
	struct sq_sv rest;
	int r;

	if (cache.n < sizeof(head))
		return -EBADMSG;
	memcpy(&head, cache.p, sizeof(head));
	rest = sq_sv_skip(cache, sizeof(head));
	if (memcmp(head.magic, SQ_CACHE_MAGIC, sizeof(head.magic)) != 0 ||
	    memcmp(head.key, key, sizeof(head.key)) != 0 || head.len != rest.n ||
	    head.checksum != sq_sv_hash(rest))
		return -EBADMSG;

	r = init(dbs, plan);
	for (uint32_t g = 0; r == 0 && g < plan->n_groups; g++)
		r = load_group(dbs, plan, g, &rest);
	if (r == 0 && rest.n)
		r = -EBADMSG;
	if (r < 0) {
		sq_databases_fini(dbs);
		return r;
	}
	mark_scanned(dbs, plan);
	return 0;
}
