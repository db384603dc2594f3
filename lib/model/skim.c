#include "lib/model/skim.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/model/skimfilter.h"

enum {
	KEYS = 1024,    /* remembered, of all producers together */
	SLOTS = 4096,   /* of the hash table over them; a power of two */
	KEY_ROOM = 48,  /* bytes of a key that is remembered */
	KEY_QUICK = 32, /* bytes of a key that is compared at once */
	AHEAD = 4,      /* tokens looked at together: key, colon, value, and what follows it */
};

/* What becomes of a value that is no object and no array. */
enum act {
	ACT_PASS,  /* nothing */
	ACT_COUNT, /* nothing, but it is data by name */
	ACT_EVENT, /* nothing, unless it is text that may hold the event */
	ACT_PUT,
};

/* A key at a place, and where it led: one line of cache. */
struct key {
	char text[KEY_ROOM];
	uint32_t hints;
	uint32_t id; /* bytes of `text`, and the node where it stood; 0: unused */
	struct sq_target target;
	uint8_t act; /* enum act */
};

static_assert(sizeof(struct key) == 64, "one line");

struct sq_skim {
	struct sq_walk *walk;
	const struct sq_skim_want *want; /* NULL: everything */
	sq_bits_fn *bits_next;
	bool (*run)(struct sq_skim *s, const char *text, size_t n, size_t *ret_used);
	struct sq_json_limits limits;
	struct sq_bits bits;
	uint32_t n; /* tokens */
	uint32_t n_keys;
	bool arrays[SQ_WALK_DEPTH_MAX + 1];
	uint16_t slots[SLOTS];                  /* number of a key; 0: empty */
	uint16_t filter_of[SQ_NODES_MAX];       /* by place */
	uint32_t at[AHEAD + SQ_BITS_ROOM];      /* where each token begins */
	_Alignas(64) struct key keys[KEYS + 1]; /* the first is for those not to be remembered */
	char value[SQ_SKIM_VALUE_MAX];
	struct sq_skim_filter filters[]; /* the first lets nothing through */
};

static_assert(KEYS < SLOTS / 2, "a look must end");

static enum act act_of(const struct sq_skim *s, const struct sq_target *t, uint16_t in)
{
	const struct sq_node *node = sq_trie_node(s->walk->trie, t->node);

	if (s->walk->c->all)
		return ACT_PUT;
	if (t->field != SQ_AUX_NONE && sq_skim_wants(s->want, t->field))
		return ACT_PUT;
	if (t->node != SQ_NODE_NONE) {
		if ((node->kind & SQ_PATH_FIELD) && sq_skim_wants(s->want, node->field))
			return ACT_PUT;
		if ((node->kind & SQ_PATH_LIST) ||
		    (t->field != SQ_AUX_NONE && (node->kind & SQ_PATH_TEXT)))
			return ACT_PUT;
		if (node->kind & SQ_PATH_TEXT)
			return ACT_EVENT;
	}
	if (t->field == SQ_AUX_NONE || (sq_trie_node(s->walk->trie, in)->kind & SQ_PATH_ROOT))
		return ACT_PASS;
	return ACT_COUNT;
}

/* ---- keys ---- */

static inline uint32_t id_of(uint16_t node, size_t n)
{
	return (uint32_t)node << 16 | (uint32_t)n;
}

static void fill(struct sq_skim *s, struct key *k, struct sq_sv name, uint16_t node)
{
	struct sq_walk *w = s->walk;
	uint32_t hints = w->c->hints;

	w->c->hints = 0;
	(void)sq_walk_sink.key(w, name);
	k->hints = w->c->hints;
	w->c->hints = hints;
	k->target = w->target;
	k->act = act_of(s, &k->target, node);
	if (name.n > KEY_ROOM || name.n == 0)
		return;
	k->id = id_of(node, name.n);
	if (name.n)
		memcpy(k->text, name.p, name.n);
}

/* Any function of the name and its place will do that is quick and differs. Eight bytes from its
 * beginning on and eight before its end may be read; it is not empty. */
static inline uint32_t hash(struct sq_sv name, uint16_t node)
{
	uint64_t first, last;
	size_t least = name.n < 8 ? name.n : 8;
	unsigned none = 64 - 8 * (unsigned)least;

	memcpy(&first, name.p, 8);
	memcpy(&last, name.p + name.n - 8, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	first = __builtin_bswap64(first);
	last = __builtin_bswap64(last);
#endif
	first <<= none;
	last >>= none;
	first = (first ^ (last << 29 | last >> 35) ^ id_of(node, name.n)) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(first >> 52);
}

static_assert(SLOTS == 1 << (64 - 52), "hash() gives a slot");

/* A key whose slot is another's, or that is new, or stands at an edge of the text. NULL: not
 * certain */
static struct key *look_up(struct sq_skim *s, struct sq_sv name, uint16_t node)
{
	char room[KEY_ROOM + 16] = "";
	struct key *k = &s->keys[0];
	uint32_t h;

	if (name.n && name.n <= KEY_ROOM) {
		memcpy(room + 8, name.p, name.n);
		h = hash((struct sq_sv){ room + 8, name.n }, node);
		for (; s->slots[h]; h = (h + 1) % SLOTS) {
			k = &s->keys[s->slots[h]];
			if (k->id == id_of(node, name.n) && memcmp(k->text, room + 8, name.n) == 0)
				return k;
		}
	}
	if (name.n && memchr(name.p, '\\', name.n))
		return NULL;
	if (name.n == 0 || name.n > KEY_ROOM) {
		k = &s->keys[0];
	} else {
		if (s->n_keys == KEYS) {
			memset(s->slots, 0, sizeof(s->slots));
			s->n_keys = 0;
		}
		s->slots[h] = (uint16_t)++s->n_keys;
		k = &s->keys[s->n_keys];
	}
	fill(s, k, name, node);
	return k;
}

/* ---- values ---- */

static bool hex4(const char *p, uint32_t *ret)
{
	uint32_t u = 0;

	for (int i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)p[i], l = c | 0x20;

		if (sq_is_digit((char)c))
			u = u << 4 | (uint32_t)(c - '0');
		else if (l >= 'a' && l <= 'f')
			u = u << 4 | (uint32_t)(l - 'a' + 10);
		else
			return false;
	}
	*ret = u;
	return true;
}

static char *put_utf8(char *to, uint32_t u)
{
	if (u < 0x80) {
		*to++ = (char)u;
	} else if (u < 0x800) {
		*to++ = (char)(0xc0 | u >> 6);
		*to++ = (char)(0x80 | (u & 0x3f));
	} else {
		*to++ = (char)(0xe0 | u >> 12);
		*to++ = (char)(0x80 | (u >> 6 & 0x3f));
		*to++ = (char)(0x80 | (u & 0x3f));
	}
	return to;
}

/* The text of a string with escapes, in s->value. @return length, or -1: not certain */
static ptrdiff_t unescape(struct sq_skim *s, struct sq_sv in)
{
	static const char single[256] = { ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
		                          ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t' };
	const char *p = in.p, *end = in.p + in.n;
	char *to = s->value;

	if (in.n > sizeof(s->value))
		return -1;
	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t n = (size_t)((slash ? slash : end) - p);
		uint32_t u;

		memcpy(to, p, n);
		to += n;
		p += n;
		if (!slash)
			break;
		if (end - p >= 2 && single[(unsigned char)p[1]]) {
			*to++ = single[(unsigned char)p[1]];
			p += 2;
			continue;
		}
		if (end - p < 6 || p[1] != 'u' || !hex4(p + 2, &u) || (u & 0xf800) == 0xd800)
			return -1;
		to = put_utf8(to, u);
		p += 6;
	}
	return to - s->value;
}

static bool tell_string(struct sq_skim *s, struct sq_sv text)
{
	if (text.n && memchr(text.p, '\\', text.n)) {
		ptrdiff_t n = unescape(s, text);

		return n >= 0 && sq_walk_sink.scalar(s->walk, SQ_JSON_STRING,
		                                     (struct sq_sv){ s->value, (size_t)n }, false);
	}
	return sq_walk_sink.scalar(s->walk, SQ_JSON_STRING, text, true);
}

static size_t digits(struct sq_sv text, size_t i)
{
	while (i < text.n && sq_is_digit(text.p[i]))
		i++;
	return i;
}

static bool is_number(struct sq_sv text)
{
	size_t i = text.n && text.p[0] == '-', first = i;

	i = digits(text, i);
	if (i == first || (text.p[first] == '0' && i > first + 1))
		return false;
	if (i < text.n && text.p[i] == '.') {
		first = i + 1;
		i = digits(text, first);
		if (i == first)
			return false;
	}
	if (i < text.n && (text.p[i] == 'e' || text.p[i] == 'E')) {
		i++;
		if (i < text.n && (text.p[i] == '+' || text.p[i] == '-'))
			i++;
		first = i;
		i = digits(text, first);
		if (i == first)
			return false;
	}
	return i == text.n;
}

/* What a number or word is; -1: neither. */
static int kind_of(struct sq_sv *text)
{
	if (text->p[0] == 't' || text->p[0] == 'f') {
		bool yes = text->p[0] == 't';

		if (!sq_sv_eq(*text, yes ? SQ_SV("true") : SQ_SV("false")))
			return -1;
		*text = yes ? SQ_SV("true") : SQ_SV("false");
		return SQ_JSON_BOOL;
	}
	if (text->p[0] == 'n') {
		if (!sq_sv_eq(*text, SQ_SV("null")))
			return -1;
		*text = (struct sq_sv){ "", 0 };
		return SQ_JSON_NULL;
	}
	return is_number(*text) ? SQ_JSON_NUMBER : -1;
}

/* 0 for at most eight digits, of which the first of several is no 0: nearly every number there is.
 * No branches: whether a string or a number comes next is not to be foreseen. */
static inline uint64_t no_short_number(const char *p, size_t n)
{
	uint64_t w, other;

	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	other = ((w & 0xf0f0f0f0f0f0f0f0u) ^ 0x3030303030303030u) |
	        (((w + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u) ^ 0x3030303030303030u);
	other <<= (64 - 8 * n) & 63;
	other |= (n - 1) & ~(size_t)7;
	return other | ((n > 1) & (*p == '0'));
}

/* Of `left` bytes that may be read the first `n`. */
static inline bool no_number(const char *p, size_t n, size_t left)
{
	return left < 8 || no_short_number(p, n);
}

static inline struct sq_sv without_blanks(const char *p, const char *end)
{
	while (sq_is_space(end[-1]))
		end--;
	return (struct sq_sv){ p, (size_t)(end - p) };
}

/* The first byte of `p` is no blank. */
static bool scalar(struct sq_skim *s, const char *p, const char *next, size_t left, bool put)
{
	struct sq_sv text = without_blanks(p, next);
	int kind = SQ_JSON_NUMBER;

	if (no_number(p, text.n, left))
		kind = kind_of(&text);
	return kind >= 0 &&
	       (!put || sq_walk_sink.scalar(s->walk, (enum sq_json_kind)kind, text, true));
}

/* `p` and `next`: this token and the one after it. */
static bool string(struct sq_skim *s, const char *p, const char *next)
{
	struct sq_sv text = without_blanks(p, next);

	if (text.n < 2 || text.p[text.n - 1] != '"')
		return false;
	return tell_string(s, (struct sq_sv){ text.p + 1, text.n - 2 });
}

/* May text that begins like this be an event? An escape may stand for anything. */
static inline bool may_be_event(const char *p)
{
	return p[1] == '{' || p[1] == '<' || p[1] == '\\' || sq_is_space(p[1]);
}

/* ---- structure ---- */

/* Get at least `n` tokens from number `i` on, which becomes the first. @return false: there are no
 * more */
static bool more(struct sq_skim *s, uint32_t i, uint32_t n)
{
	uint32_t have = s->n - i;

	memmove(s->at, s->at + i, have * sizeof(*s->at));
	while (have < n) {
		if (s->bits.at == s->bits.n || s->bits.bad)
			return false;
		have += s->bits_next(&s->bits, s->at + have);
	}
	s->n = have;
	return true;
}

#define NEED(count, otherwise)                                                                     \
	do {                                                                                       \
		if (SQ_UNLIKELY(s->n - i < (count))) {                                             \
			if (!more(s, i, (count)))                                                  \
				return otherwise;                                                  \
			i = 0;                                                                     \
		}                                                                                  \
	} while (0)

/* Are the colon and comma of the member whose tokens are `at` next to what they separate? */
static inline bool are_together(const char *text, const uint32_t *at)
{
	return memcmp(text + at[1] - 1, "\":", 2) == 0 && memcmp(text + at[3], ",\"", 2) == 0;
}

/* Is it a member at all, with another one behind it, and no blank behind its key? */
static inline bool is_member(const char *text, const uint32_t *at)
{
	return text[at[1]] == ':' && text[at[1] - 1] == '"' && text[at[3]] == ',' &&
	       text[at[4]] == '"';
}

/* What ends a run of members or elements. */
enum found {
	FOUND_DOUBT, /* what is not certain */
	FOUND_LAST,  /* no comma behind one */
	FOUND_NEST,  /* one that is an object or array, if it is anything */
};

static const unsigned char ones[2 * KEY_QUICK] = {
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};

static inline bool is_key(const struct key *k, const char *p, size_t n)
{
	uint64_t other = 0;

	for (size_t i = 0; i < KEY_QUICK; i += 8) {
		uint64_t a, b, mask;

		memcpy(&a, p + i, 8);
		memcpy(&b, k->text + i, 8);
		memcpy(&mask, ones + KEY_QUICK - n + i, 8);
		other |= (a ^ b) & mask;
	}
	return other == 0;
}

#define BODY
#define RUN       run_plain
#define FIND      find_plain
#define PASS      pass_plain
#define MEMBERS   members_plain
#define ELEMENTS  elements_plain
#define VALUE     value_plain
#define IS_KEY    is_key
#define NO_NUMBER no_number
#include "lib/model/skim_run.inc"

#if defined(__x86_64__)
#include <immintrin.h>
#undef BODY
#undef RUN
#undef FIND
#undef PASS
#undef MEMBERS
#undef ELEMENTS
#undef VALUE
#undef IS_KEY
#undef NO_NUMBER
#define BODY      __attribute__((target("avx2,bmi,bmi2")))
#define RUN       run_avx2
#define FIND      find_avx2
#define PASS      pass_avx2
#define MEMBERS   members_avx2
#define ELEMENTS  elements_avx2
#define VALUE     value_avx2
#define IS_KEY    is_key_avx2
#define NO_NUMBER no_number_avx2

static inline BODY __m256i load32(const void *p)
{
	return _mm256_loadu_si256(p);
}

static inline BODY bool is_key_avx2(const struct key *k, const char *p, size_t n)
{
	return _mm256_testz_si256(_mm256_xor_si256(load32(p), load32(k->text)),
	                          load32(ones + KEY_QUICK - n));
}

/* Up to 32 bytes at once, with or without a sign. */
static inline BODY bool no_number_avx2(const char *p, size_t n, size_t left)
{
	size_t sign = *p == '-';
	__m256i v;
	uint32_t other;

	if (SQ_UNLIKELY(left < 32))
		return no_number(p, n, left);
	v = _mm256_sub_epi8(load32(p), _mm256_set1_epi8('0'));
	v = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8(9)), v);
	other = ~(uint32_t)_mm256_movemask_epi8(v);
	return (_bzhi_u32(other, (uint32_t)n) ^ sign) | (n > 32) | (n <= sign) |
	       ((p[sign] == '0') & (n > sign + 1));
}

#include "lib/model/skim_run.inc"
#endif

bool sq_skim_read(struct sq_skim *s, struct sq_sv text, size_t *ret_used)
{
	if (text.n >= SQ_BITS_TEXT_MAX)
		return false;
	while (text.n &&
	       sq_is_space(text.p[text.n - 1])) /* any other line end costs a second look */
		text.n--;
	sq_bits_begin(&s->bits, text);
	s->n = 0;
	return s->run(s, text.p, text.n, ret_used) && s->bits.bad == 0;
}

struct sq_skim *sq_skim_new(struct sq_walk *walk, const struct sq_skim_opts *opts)
{
	const struct sq_bits_body *body = opts->body ? opts->body : sq_bits_best();
	size_t size = sizeof(struct sq_skim) +
	              sq_skim_filters_count(walk->trie) * sizeof(struct sq_skim_filter);
	struct sq_skim *s = aligned_alloc(_Alignof(struct sq_skim), (size + 63) / 64 * 64);

	if (!s)
		return NULL;
	memset(s, 0, size);
	s->walk = walk;
	s->want = opts->want;
	s->limits = opts->limits;
	if (s->limits.max_depth > SQ_WALK_DEPTH_MAX)
		s->limits.max_depth = SQ_WALK_DEPTH_MAX;
	s->bits_next = body->next;
	s->run = run_plain;
#if defined(__x86_64__)
	if (body->has_avx2)
		s->run = run_avx2;
#endif
	sq_skim_filters_make(s->filters, s->filter_of, walk, s->want);
	return s;
}

void sq_skim_free(struct sq_skim *s)
{
	free(s);
}
