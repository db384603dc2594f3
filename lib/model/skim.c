#include "lib/model/skim.h"

#include <stdlib.h>

#include "lib/model/keyhash.h"

enum {
	KEYS = 512,    /* remembered, of all producers together */
	KEY_ROOM = 64, /* bytes of a key that is remembered, with its quotes */
	KEY_WORDS = 4, /* of which the first 32 are compared as words */
	AHEAD = 4,     /* tokens looked at together: key, colon, value, and what follows it */
};

/* What becomes of a value that is no object and no array. */
enum act {
	ACT_PASS,  /* nothing */
	ACT_COUNT, /* nothing, but it is data by name */
	ACT_EVENT, /* nothing, unless it is text that may hold the event */
	ACT_PUT,
};

/* A key at a place, and where it led. */
struct key {
	union {
		char text[KEY_ROOM]; /* with its quotes, then zeroes */
		uint64_t words[KEY_ROOM / 8];
	};
	uint64_t mask[KEY_WORDS]; /* of `words` */
	uint32_t hints;
	struct sq_target target;
	uint16_t node; /* where it stood; SQ_NODE_NONE: unused */
	uint16_t next; /* the key that came after it the last time */
	uint8_t n;     /* bytes of `text` */
	uint8_t act;   /* enum act */
};

struct sq_skim {
	struct sq_walk *walk;
	const struct sq_skim_want *want; /* NULL: everything */
	sq_bits_fn *bits_next;
	struct sq_json_limits limits;
	struct sq_bits bits;
	uint32_t *end; /* behind the last of `tokens` */
	uint32_t tokens[AHEAD + SQ_BITS_ROOM];
	bool arrays[SQ_WALK_DEPTH_MAX + 1];
	struct key keys[KEYS + 2];
	char value[SQ_SKIM_VALUE_MAX];
};

enum { START = KEYS, ODD = KEYS + 1 }; /* keys: before the first, and one not to be remembered */

struct sq_skim *sq_skim_new(struct sq_walk *walk, const struct sq_skim_opts *opts)
{
	struct sq_skim *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->walk = walk;
	s->want = opts->want;
	s->limits = opts->limits;
	if (s->limits.max_depth > SQ_WALK_DEPTH_MAX)
		s->limits.max_depth = SQ_WALK_DEPTH_MAX;
	s->bits_next = (opts->body ? opts->body : sq_bits_best())->next;
	return s;
}

void sq_skim_free(struct sq_skim *s)
{
	free(s);
}

/* ---- keys ---- */

static bool wants(const struct sq_skim *s, uint32_t field)
{
	if (!s->want)
		return true;
	if (field >= SQ_AUX_BASE)
		return s->want->aux || field == SQ_AUX_PAIR_NAME || field == SQ_AUX_PAIR_VALUE;
	return s->want->fields[field / 64] >> field % 64 & 1;
}

static enum act act_of(const struct sq_skim *s, const struct sq_target *t, uint16_t in)
{
	const struct sq_node *node = sq_trie_node(s->walk->trie, t->node);

	if (s->walk->c->all)
		return ACT_PUT;
	if (t->field != SQ_AUX_NONE && wants(s, t->field))
		return ACT_PUT;
	if (t->node != SQ_NODE_NONE) {
		if ((node->kind & SQ_PATH_FIELD) && wants(s, node->field))
			return ACT_PUT;
		if ((node->kind & SQ_PATH_LIST) || (t->field != SQ_AUX_NONE && (node->kind & SQ_PATH_TEXT)))
			return ACT_PUT;
		if (node->kind & SQ_PATH_TEXT)
			return ACT_EVENT;
	}
	return t->field != SQ_AUX_NONE && in != SQ_NODE_ROOT ? ACT_COUNT : ACT_PASS;
}

static void fill(struct sq_skim *s, struct key *k, struct sq_sv name, uint16_t node)
{
	struct sq_walk *w = s->walk;
	uint32_t hints = w->c->hints;

	w->c->hints = 0;
	(void)sq_walk_sink.key(w, name);
	memset(k->text, 0, sizeof(k->text));
	k->hints = w->c->hints;
	k->target = w->target;
	k->node = node;
	k->next = START;
	k->act = act_of(s, &k->target, node);
	w->c->hints = hints;
	k->n = 0;
	memset(k->mask, 0xff, sizeof(k->mask));
	if (name.n + 2 > KEY_ROOM)
		return;
	k->n = (uint8_t)(name.n + 2);
	memcpy(k->text, name.p - 1, k->n);
	for (size_t i = 0; i < KEY_WORDS; i++) {
		size_t from = 8 * i;

		k->mask[i] = k->n >= from + 8 ? UINT64_MAX : 0;
		if (k->n > from && k->n < from + 8)
			memcpy(&k->mask[i], "\xff\xff\xff\xff\xff\xff\xff", k->n - from);
	}
}

/* A key that did not come where it was expected. @return NULL: not certain */
static struct key *look_up(struct sq_skim *s, struct key *before, const char *p, const char *end,
                           uint16_t node)
{
	const char *close = p + 1 < end ? memchr(p + 1, '"', (size_t)(end - p - 1)) : NULL;
	struct sq_sv name;
	struct key *k;
	uint32_t h;

	if (*p != '"' || !close)
		return NULL;
	name = (struct sq_sv){ p + 1, (size_t)(close - p - 1) };
	if (memchr(name.p, '\\', name.n))
		return NULL;
	h = sq_key_hash(name) + node * 0x9e3779b1u;
	if (name.n + 2 > KEY_ROOM) {
		k = &s->keys[ODD];
		fill(s, k, name, node);
		k->node = SQ_NODE_NONE;
		return k;
	}
	k = &s->keys[(h ^ h >> 16) % KEYS];
	if (k->node != node || k->n != name.n + 2 || memcmp(k->text, p, k->n) != 0)
		fill(s, k, name, node);
	before->next = (uint16_t)(k - s->keys);
	return k;
}

static inline bool is_key(const struct key *k, const char *p, size_t left)
{
	uint64_t w[KEY_WORDS];

	if (SQ_UNLIKELY(left < KEY_ROOM || k->n > 8 * KEY_WORDS))
		return k->n <= left && memcmp(k->text, p, k->n) == 0;
	memcpy(w, p, sizeof(w));
	return (((w[0] ^ k->words[0]) & k->mask[0]) | ((w[1] ^ k->words[1]) & k->mask[1]) |
	        ((w[2] ^ k->words[2]) & k->mask[2]) | ((w[3] ^ k->words[3]) & k->mask[3])) == 0;
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

/* At most eight digits, of which the first is no 0: nearly every number there is. */
static inline bool is_short_number(const char *p, size_t n)
{
	uint64_t w, other;

	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	other = ((w & 0xf0f0f0f0f0f0f0f0u) ^ 0x3030303030303030u) |
	        (((w + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u) ^ 0x3030303030303030u);
	return n - 1 < 8 && *p != '0' && other << (64 - 8 * n) == 0;
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

	if (left < 8 || !is_short_number(p, text.n))
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

/* Get at least `n` tokens from `t` on. @return the place of *t now, or NULL: there are no more */
static const uint32_t *more(struct sq_skim *s, const uint32_t *t, size_t n)
{
	size_t have = (size_t)(s->end - t);

	memmove(s->tokens, t, have * sizeof(*t));
	s->end = s->tokens + have;
	while (have < n) {
		if (s->bits.at == s->bits.n || s->bits.bad)
			return NULL;
		s->end = s->bits_next(&s->bits, s->end);
		have = (size_t)(s->end - s->tokens);
	}
	return s->tokens;
}

#define NEED(n)                                             \
	do {                                                \
		if (SQ_UNLIKELY(s->end - t < (n))) {        \
			t = more(s, t, n);                  \
			if (!t)                             \
				return false;               \
		}                                           \
	} while (0)

/* What `k` leads to, told to the walk as its on_key() would have. */
static inline void lead(struct sq_walk *w, const struct key *k)
{
	w->target = k->target;
}

static bool run(struct sq_skim *s, const char *text, size_t n, size_t *ret_used)
{
	struct sq_walk *w = s->walk;
	struct key *k = &s->keys[START];
	const uint32_t *t = s->tokens;
	bool all = w->c->all, array;
	uint32_t depth = 0, keys = 0;
	enum act act;

	NEED(2);
	if (text[*t] != '{' && text[*t] != '[')
		return false;
open:
	array = text[*t++] == '[';
	if (++depth > s->limits.max_depth)
		return false;
	s->arrays[depth] = array;
	(void)sq_walk_sink.begin(w, array);
	NEED(1);
	if (text[*t] == (array ? ']' : '}'))
		goto close;
	if (array)
		goto element;
member:
	NEED(AHEAD);
	if (SQ_UNLIKELY(++keys > s->limits.max_keys))
		return false;
	if (SQ_UNLIKELY(w->skip)) {
		if (text[*t] != '"')
			return false;
		act = all ? ACT_PUT : ACT_PASS;
	} else {
		uint16_t node = w->frames[w->depth].node;
		struct key *next = &s->keys[k->next];

		if (SQ_LIKELY(next->node == node && is_key(next, text + *t, n - *t)))
			k = next;
		else if (!(k = look_up(s, k, text + *t, text + n, node)))
			return false;
		w->c->hints |= k->hints;
		act = (enum act)k->act;
	}
	if (text[t[1]] != ':')
		return false;
	t += 2;
	if (text[*t] == '"') {
		if (act == ACT_COUNT)
			w->c->n_data++;
		else if (act == ACT_PUT || (act == ACT_EVENT && may_be_event(text + *t))) {
			lead(w, k);
			if (!string(s, text + *t, text + t[1]))
				return false;
		}
	} else if (text[*t] == '{' || text[*t] == '[') {
		if (!w->skip)
			lead(w, k);
		goto open;
	} else {
		if (act == ACT_PUT)
			lead(w, k);
		else if (act == ACT_COUNT)
			w->c->n_data++;
		if (!scalar(s, text + *t, text + t[1], n - *t, act == ACT_PUT))
			return false;
	}
	t++;
after:
	if (text[*t] == ',') {
		t++;
		if (array)
			goto element;
		goto member;
	}
	if (text[*t] != (array ? ']' : '}'))
		return false;
close:
	(void)sq_walk_sink.end(w, array);
	if (--depth == 0) {
		*ret_used = *t + 1;
		return true;
	}
	array = s->arrays[depth];
	t++;
	NEED(1);
	goto after;
element:
	NEED(2);
	if (text[*t] == '{' || text[*t] == '[')
		goto open;
	if (text[*t] != '"') {
		if (!scalar(s, text + *t, text + t[1], n - *t, !w->skip || all))
			return false;
	} else if ((!w->skip || all) && !string(s, text + *t, text + t[1])) {
		return false;
	}
	t++;
	goto after;
}

bool sq_skim_read(struct sq_skim *s, struct sq_sv text, size_t *ret_used)
{
	if (text.n >= SQ_BITS_TEXT_MAX)
		return false;
	sq_bits_begin(&s->bits, text);
	s->end = s->tokens;
	return run(s, text.p, text.n, ret_used) && s->bits.bad == 0;
}
