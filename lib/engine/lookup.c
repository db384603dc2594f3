#include "lib/engine/lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/text/csv.h"

enum { ADDRESS_BITS = 128, FOUR_BITS = 96 /* in front of IPv4, as part of IPv6 */ };

/* Keys and what is written for them lie in `bytes`. A range is its bits: sorted by how many of them
 * count, then by themselves. */
struct row {
	uint64_t hash; /* of a host */
	uint32_t key, n_key;
	uint32_t text, n_text;
	uint32_t line;
	uint8_t address[16], bits; /* of a range */
};

struct table {
	enum sq_lookup_key key;
	struct row *rows; /* sorted */
	uint32_t n, cap;
	uint32_t n_head; /* bytes in front of the rows': the name as a key, and a brace */
	struct sq_outbuf bytes;
	uint64_t lengths[3]; /* bit set of the lengths of ranges that there are */
};

struct sq_lookups {
	_Atomic unsigned refs;
	size_t n;
	struct table tables[SQ_LOOKUP_TABLES];
};

struct sq_lookups *sq_lookups_new(void)
{
	struct sq_lookups *l = calloc(1, sizeof(*l));

	if (l)
		l->refs = 1;
	return l;
}

struct sq_lookups *sq_lookups_ref(struct sq_lookups *l)
{
	if (l)
		l->refs++;
	return l;
}

static void table_fini(struct table *t)
{
	free(t->rows);
	sq_outbuf_fini(&t->bytes);
}

void sq_lookups_unref(struct sq_lookups *l)
{
	if (!l || --l->refs)
		return;
	for (size_t i = 0; i < l->n; i++)
		table_fini(&l->tables[i]);
	free(l);
}

/* ---- keys -------------------------------------------------------------------------------- */

/* FNV-1a of lower-case ASCII; what collides is compared. */
static uint64_t hash_of(struct sq_sv v)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < v.n; i++)
		h = (h ^ (unsigned char)sq_lower(v.p[i])) * UINT64_C(1099511628211);
	return h;
}

/* An address of either kind as one of IPv6. */
static bool read_address(struct sq_sv v, uint8_t ret[16], bool *ret_four)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[64];

	if (v.n == 0 || v.n >= sizeof(text) || memchr(v.p, '\0', v.n))
		return false;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	*ret_four = inet_pton(AF_INET, text, ret + sizeof(mapped)) == 1;
	if (*ret_four)
		memcpy(ret, mapped, sizeof(mapped));
	else if (inet_pton(AF_INET6, text, ret) != 1)
		return false;
	return true;
}

static void mask(uint8_t a[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * i : 0;

		if (keep < 8)
			a[i] = (uint8_t)(a[i] & (0xff00u >> keep));
	}
}

/* "192.0.2.0/24", "2001:db8::/32", or one address. @return NULL, or what is wrong with it,
 * up to the text itself */
static const char *read_range(struct sq_sv v, struct row *ret)
{
	struct sq_sv rest = v, address = sq_sv_cut(&rest, '/');
	bool slash = memchr(v.p, '/', v.n) != NULL, four;
	uint64_t bits = ADDRESS_BITS;
	uint8_t masked[16];

	if (!read_address(address, ret->address, &four))
		return "with key: peer, an address or a range is expected, not: ";
	if (slash && (!sq_sv_to_u64(rest, &bits) || bits > (four ? 32 : ADDRESS_BITS)))
		return "no length of a prefix behind the slash: ";
	if (slash && four)
		bits += FOUR_BITS;
	memcpy(masked, ret->address, sizeof(masked));
	mask(masked, (unsigned)bits);
	if (memcmp(masked, ret->address, sizeof(masked)) != 0)
		return "an address that has bits behind its prefix: ";
	ret->bits = (uint8_t)bits;
	return NULL;
}

/* "192.0.2.7:514", "[2001:db8::1]:514" */
static struct sq_sv without_port(struct sq_sv peer)
{
	const char *p;

	if (peer.n && peer.p[0] == '[') {
		p = memchr(peer.p, ']', peer.n);
		return p ? (struct sq_sv){ peer.p + 1, (size_t)(p - peer.p - 1) } : peer;
	}
	p = memchr(peer.p, ':', peer.n);
	return p && !memchr(p + 1, ':', (size_t)(peer.p + peer.n - p - 1))
	               ? sq_sv_first(peer, (size_t)(p - peer.p))
	               : peer;
}

/* ---- rows -------------------------------------------------------------------------------- */

static struct sq_sv key_of(const struct table *t, const struct row *r)
{
	return (struct sq_sv){ t->bytes.p + r->key, r->n_key };
}

static int compare_hosts(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static int compare_bits(const struct row *x, const struct row *y)
{
	if (x->bits != y->bits)
		return x->bits < y->bits ? -1 : 1;
	return memcmp(x->address, y->address, sizeof(x->address));
}

static int compare_ranges(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int d = compare_bits(x, y);

	return d ? d : x->line < y->line ? -1 : x->line > y->line;
}

static const struct row *find_host(const struct table *t, struct sq_sv host)
{
	uint64_t hash = hash_of(host);
	uint32_t low = 0, high = t->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->rows[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->n && t->rows[low].hash == hash; low++)
		if (sq_sv_ieq(key_of(t, &t->rows[low]), host))
			return &t->rows[low];
	return NULL;
}

static const struct row *find_range(const struct table *t, struct sq_sv peer)
{
	struct row want = { 0 };
	bool four;

	if (!read_address(without_port(peer), want.address, &four))
		return NULL;
	for (int bits = ADDRESS_BITS; bits >= 0; bits--) {
		uint32_t low = 0, high = t->n;

		if (!(t->lengths[bits / 64] >> bits % 64 & 1))
			continue;
		want.bits = (uint8_t)bits;
		mask(want.address, want.bits);
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;
			int d = compare_bits(&t->rows[middle], &want);

			if (d == 0)
				return &t->rows[middle];
			if (d < 0)
				low = middle + 1;
			else
				high = middle;
		}
	}
	return NULL;
}

/* ---- a file ------------------------------------------------------------------------------ */

struct reading {
	const struct sq_lookup_opts *opts;
	struct table *t;
	struct sq_diags *diags;
	struct sq_csv csv;
	struct sq_sv names[SQ_LOOKUP_COLUMNS];
	bool wanted[SQ_LOOKUP_COLUMNS];
	size_t n_names, key;
};

static int complain(const struct reading *d, unsigned line, unsigned col, const char *text,
                    struct sq_sv what)
{
	sq_diag_add(d->diags, SQ_DIAG_ERROR, d->opts->file, line, col, "%s%.*s", text,
	            SQ_SV_ARG(sq_sv_first(what, 100)));
	return -EINVAL;
}

/* Which column is called so. @return SQ_LOOKUP_COLUMNS: none, which is said */
static size_t column_called(const struct reading *d, const char *name)
{
	for (size_t i = 0; i < d->n_names; i++)
		if (sq_sv_eq(d->names[i], sq_sv_of(name)))
			return i;
	(void)complain(d, 1, 1, "there is no column called ", sq_sv_of(name));
	return SQ_LOOKUP_COLUMNS;
}

static bool is_inside(struct sq_sv name, struct sq_sv of)
{
	return name.n > of.n && sq_sv_starts(name, of) && name.p[of.n] == '.';
}

/* Dots make objects of names where alerts are kept: Elasticsearch refuses every document in which a
 * name is both a text and an object, or a part of one is empty. */
static int check_dots(const struct reading *d)
{
	for (size_t i = 0; i < d->n_names; i++) {
		struct sq_sv name = d->names[i];

		if (!d->wanted[i])
			continue;
		if (!name.n)
			return complain(d, 1, 1, "the first column has no name", name);
		if (sq_sv_starts(name, SQ_SV(".")) || sq_sv_ends(name, SQ_SV(".")) ||
		    sq_sv_find(name, SQ_SV("..")) != SIZE_MAX)
			return complain(
				d, 1, 1,
				"a name of a column begins or ends with a dot, or has two together: ",
				name);
		for (size_t k = 0; k < d->n_names; k++)
			if (d->wanted[k] && is_inside(name, d->names[k]))
				return complain(
					d, 1, 1,
					"a column cannot be a text and have others inside of it: ",
					d->names[k]);
	}
	return 0;
}

static int read_header(struct reading *d)
{
	const struct sq_lookup_opts *o = d->opts;
	int n = sq_csv_row(&d->csv, d->names, SQ_LOOKUP_COLUMNS);

	if (n < 0)
		return complain(d, d->csv.bad_line, d->csv.bad_col, d->csv.why, SQ_SV(""));
	if (n < 2)
		return complain(d, 1, 1,
		                "a row of names of columns is expected first: the key, "
		                "and what is known of it",
		                SQ_SV(""));
	d->n_names = (size_t)n;
	for (size_t i = 0; i < d->n_names; i++)
		for (size_t k = 0; k < i; k++)
			if (sq_sv_eq(d->names[i], d->names[k]) || !d->names[i].n)
				return complain(d, 1, 1,
				                "a name of a column is empty, or there "
				                "twice: ",
				                d->names[i]);
	d->key = o->column ? column_called(d, o->column) : 0;
	if (d->key == SQ_LOOKUP_COLUMNS)
		return -EINVAL;
	for (size_t i = 0; i < d->n_names; i++)
		d->wanted[i] = !o->n_columns && i != d->key;
	for (size_t i = 0; i < o->n_columns; i++) {
		size_t at = column_called(d, o->columns[i]);

		if (at == SQ_LOOKUP_COLUMNS)
			return -EINVAL;
		d->wanted[at] = true;
	}
	return check_dots(d);
}

/* The key, and the members that are written for the row. Empty values are not. */
static int put_row(struct reading *d, const struct sq_sv *fields, struct sq_sv key, struct row *row)
{
	struct sq_outbuf *out = &d->t->bytes;
	struct sq_jsonw w = sq_jsonw_of(out);

	row->key = (uint32_t)out->len;
	row->n_key = (uint32_t)key.n;
	sq_outbuf_put(out, key);
	row->text = (uint32_t)out->len;
	for (size_t i = 0; i < d->n_names; i++) {
		if (!d->wanted[i] || !fields[i].n)
			continue;
		sq_jsonw_key_sv(&w, d->names[i]);
		sq_jsonw_string(&w, fields[i]);
	}
	row->n_text = (uint32_t)(out->len - row->text);
	if (out->failed)
		return complain(d, d->csv.row_line, 1, "more than the memory of this table holds",
		                SQ_SV(""));
	return 0;
}

static int add_row(struct reading *d, const struct sq_sv *fields)
{
	struct table *t = d->t;
	struct row row = { .line = d->csv.row_line };
	struct sq_sv key = sq_sv_trim(fields[d->key]);
	const char *why = NULL;

	if (!key.n)
		return complain(d, row.line, 1, "the key is empty", SQ_SV(""));
	if (t->key == SQ_LOOKUP_PEER)
		why = read_range(key, &row);
	else
		row.hash = hash_of(key);
	if (why)
		return complain(d, row.line, 1, why, key);
	if (t->n == d->opts->max_rows)
		return complain(d, row.line, 1, "more rows than this table may have", SQ_SV(""));
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? 2 * t->cap : 256;
		struct row *rows = reallocarray(t->rows, cap, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		t->cap = cap;
	}
	t->lengths[row.bits / 64] |= UINT64_C(1) << row.bits % 64;
	t->rows[t->n++] = row;
	return put_row(d, fields, key, &t->rows[t->n - 1]);
}

/* Sorted, equal keys are neighbours, but for hosts whose hashes collide. */
static int check_twice(const struct reading *d)
{
	const struct table *t = d->t;

	for (uint32_t i = 1; i < t->n; i++) {
		const struct row *a = &t->rows[i - 1], *b = &t->rows[i];
		bool same = t->key == SQ_LOOKUP_PEER ? compare_bits(a, b) == 0
		                                     : sq_sv_ieq(key_of(t, a), key_of(t, b));

		if (same)
			return complain(d, b->line, 1,
			                "a key that is there already: ", key_of(t, b));
	}
	return 0;
}

static int read_rows(struct reading *d)
{
	struct sq_sv fields[SQ_LOOKUP_COLUMNS];
	int n, r = 0;

	while (!r && (n = sq_csv_row(&d->csv, fields, SQ_LOOKUP_COLUMNS)) != 0) {
		if (n < 0)
			return complain(d, d->csv.bad_line, d->csv.bad_col, d->csv.why, SQ_SV(""));
		if ((size_t)n != d->n_names) {
			sq_diag_add(d->diags, SQ_DIAG_ERROR, d->opts->file, d->csv.row_line, 1,
			            "%d fields, where the first row has %zu", n, d->n_names);
			return -EINVAL;
		}
		r = add_row(d, fields);
	}
	return r;
}

/* When there is no memory for it, there is none for the rows either, and that is told. */
static void put_head(struct table *t, const char *name)
{
	struct sq_jsonw w = sq_jsonw_of(&t->bytes);

	sq_jsonw_key_sv(&w, sq_sv_of(name));
	sq_jsonw_object(&w);
	t->n_head = (uint32_t)t->bytes.len;
}

int sq_lookups_add(struct sq_lookups *l, const struct sq_lookup_opts *opts, char *text, size_t n,
                   struct sq_diags *diags)
{
	struct reading d = { .opts = opts, .diags = diags, .csv = sq_csv_of(text, n) };
	struct table *t = &l->tables[l->n];
	uint64_t max = opts->max_bytes < UINT32_MAX ? opts->max_bytes : UINT32_MAX;
	int r;

	if (l->n == SQ_LOOKUP_TABLES)
		return -E2BIG;
	*t = (struct table){ .key = opts->key, .bytes = sq_outbuf_of((size_t)max) };
	d.t = t;
	put_head(t, opts->name);
	r = read_header(&d);
	if (!r)
		r = read_rows(&d);
	if (!r && t->n)
		qsort(t->rows, t->n, sizeof(*t->rows),
		      t->key == SQ_LOOKUP_PEER ? compare_ranges : compare_hosts);
	if (!r)
		r = check_twice(&d);
	if (r < 0)
		table_fini(t);
	else
		l->n++;
	return r;
}

/* ---- alerts ------------------------------------------------------------------------------ */

uint64_t sq_lookups_rows(const struct sq_lookups *l)
{
	uint64_t n = 0;

	for (size_t i = 0; l && i < l->n; i++)
		n += l->tables[i].n;
	return n;
}

size_t sq_lookups_find(const struct sq_lookups *l, struct sq_sv host, struct sq_sv peer,
                       struct sq_lookup_found ret[SQ_LOOKUP_TABLES])
{
	size_t n = 0;

	for (size_t i = 0; l && i < l->n; i++) {
		const struct table *t = &l->tables[i];
		const struct row *row =
			t->key == SQ_LOOKUP_PEER ? find_range(t, peer) : find_host(t, host);

		if (row && row->n_text)
			ret[n++] = (struct sq_lookup_found){
				.head = { t->bytes.p, t->n_head },
				.members = { t->bytes.p + row->text, row->n_text },
			};
	}
	return n;
}

void sq_lookups_write(const struct sq_lookups *l, struct sq_sv host, struct sq_sv peer,
                      struct sq_jsonw *w)
{
	struct sq_lookup_found found[SQ_LOOKUP_TABLES];
	size_t n = sq_lookups_find(l, host, peer, found);

	if (!n)
		return;
	sq_jsonw_key(w, "context");
	sq_jsonw_object(w);
	for (size_t i = 0; i < n; i++) {
		sq_jsonw_raw(w, found[i].head);
		sq_outbuf_put(w->out, found[i].members);
		sq_outbuf_putc(w->out, '}');
	}
	sq_jsonw_end_object(w);
}
