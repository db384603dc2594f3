#include "lib/derive/fold.h"

/* How it works: every byte is put at the end of the output, and then the end is looked at. When a
 * UTF-8 sequence, an escape or an entity has just become complete there, it is taken off and what
 * it means is put instead, which may complete another one. So the output never holds anything that
 * folding would change, however the pieces came together, and folding twice is folding once. The
 * output never grows beyond the input, because what is put is never longer than what was taken.
 */

enum word { WORD_LATIN = 1, WORD_ALIKE = 2, WORD_FOREIGN = 4, WORD_SWITCH = 8 };

enum { ENTITY_MAX = 12, GONE = -1, NOTHING = -2 };

struct fold {
	unsigned char *out;
	uint32_t *offsets; /* may be NULL */
	size_t n;
	size_t soft;      /* blanks at the end that were CR, LF, VT or FF */
	uint32_t tricks;  /* so far */
	uint32_t pending; /* tricks when a letter or digit comes next */
	uint32_t begins;  /* what becomes pending with the next byte put */
	unsigned word;    /* enum word as bits: what the word at the end is made of */
	bool alike;       /* the next byte put is a letter of another alphabet */
};

static const char *const trick_names[] = {
#define NAME(e, name, help) name,
	SQ_TRICKS(NAME)
#undef NAME
};

const char *sq_trick_name(enum sq_trick trick)
{
	sq_assert((size_t)trick < SQ_LEN(trick_names));
	return trick_names[trick];
}

static bool is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(unsigned char c)
{
	return is_letter(c) || sq_is_digit((char)c);
}

static int hex_of(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = sq_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void see(struct fold *f, enum sq_trick trick)
{
	f->tricks |= SQ_TRICK_BIT(trick);
}

/* Does an argument begin at the end of the output? */
static bool at_start(const struct fold *f)
{
	return f->n == 0 || f->out[f->n - 1] == ' ' || f->out[f->n - 1] == '"';
}

/* A name in Cyrillic is no trick, one Cyrillic letter in a Latin word is. */
static void end_word(struct fold *f)
{
	if ((f->word & WORD_ALIKE) && !(f->word & WORD_FOREIGN) &&
	    (f->word & (WORD_LATIN | WORD_SWITCH)))
		see(f, SQ_TRICK_LOOK_ALIKE);
	f->word = 0;
}

static void append(struct fold *f, unsigned char c, uint32_t from)
{
	if (c < 0x80) {
		if (is_word(c))
			f->tricks |= f->pending;
		else
			end_word(f);
		if (is_letter(c))
			f->word |= f->alike ? WORD_ALIKE : WORD_LATIN;
		f->alike = false;
		f->pending = f->begins;
		f->begins = 0;
		if ((c == '/' || c == '-') && at_start(f))
			f->word = WORD_SWITCH;
		/* A line end within "/i:value" is nothing, not the end of the switch. */
		if (c == ':')
			f->n -= f->soft;
	}
	f->soft = 0;
	if (f->offsets)
		f->offsets[f->n] = from;
	f->out[f->n++] = c;
}

/* What an ASCII character becomes. @return a byte, or GONE */
static int map_ascii(struct fold *f, unsigned char c, bool *ret_soft)
{
	if (c >= 0x20 && c != 0x7f)
		return sq_lower(c);
	if (c == '\v' || c == '\f' || (c != '\t' && c != '\r' && c != '\n'))
		see(f, SQ_TRICK_CONTROL_CHARACTER);
	if (c < '\t' || c > '\r')
		return GONE;
	*ret_soft = c != '\t';
	return ' ';
}

/* Fullwidth and mapped characters are tricks only where they would be read: "AC/DC" with a
 * fullwidth slash is a name, and a dash between words is a dash. */
static void see_mapped(struct fold *f, enum sq_trick trick)
{
	if (at_start(f))
		f->begins = SQ_TRICK_BIT(trick);
	else if (trick == SQ_TRICK_MAPPED_SLASH && strchr(":/\\", f->out[f->n - 1]))
		see(f, trick);
}

/* What a code point from U+0080 up becomes. @return a byte, GONE, or NOTHING: it stays */
static int map_wide(struct fold *f, uint32_t cp)
{
	char to = ' ';

	switch (sq_fold_class_of(cp, &to)) {
	case SQ_FOLD_KEEP:
		return NOTHING;
	case SQ_FOLD_HIDDEN:
		see(f, SQ_TRICK_HIDDEN_CHARACTER);
		return GONE;
	case SQ_FOLD_JOINER:
		if (f->n == 0 || f->out[f->n - 1] < 0x80)
			see(f, SQ_TRICK_HIDDEN_CHARACTER);
		return GONE;
	case SQ_FOLD_CONTROL:
		see(f, SQ_TRICK_CONTROL_CHARACTER);
		return GONE;
	case SQ_FOLD_BLANK:
		see(f, SQ_TRICK_UNICODE_BLANK);
		return ' ';
	case SQ_FOLD_DASH:
		see_mapped(f, SQ_TRICK_MAPPED_DASH);
		return to;
	case SQ_FOLD_SLASH:
		see_mapped(f, SQ_TRICK_MAPPED_SLASH);
		return to;
	case SQ_FOLD_WIDE:
		see(f, SQ_TRICK_FULLWIDTH);
		return to;
	case SQ_FOLD_LETTER:
		f->alike = true;
		return to;
	}
	return NOTHING;
}

/* Length of the sequence that the last byte completes, or 0. */
static size_t tail_utf8(const struct fold *f, uint32_t *ret_cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = 1;
	uint32_t cp = 0;
	unsigned char lead;

	while (len < 4 && len < f->n && (f->out[f->n - len] & 0xc0) == 0x80) {
		cp |= (uint32_t)(f->out[f->n - len] & 0x3f) << (6 * (len - 1));
		len++;
	}
	lead = f->out[f->n - len];
	if (len == 2 && (lead & 0xe0) == 0xc0)
		cp |= (uint32_t)(lead & 0x1f) << 6;
	else if (len == 3 && (lead & 0xf0) == 0xe0)
		cp |= (uint32_t)(lead & 0x0f) << 12;
	else if (len == 4 && (lead & 0xf8) == 0xf0)
		cp |= (uint32_t)(lead & 0x07) << 18;
	else
		return 0;
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 0;
	*ret_cp = cp;
	return len;
}

/* Length of "\uXXXX" that the last byte completes, or 0. */
static size_t tail_escape(const struct fold *f, uint32_t *ret_cp)
{
	uint32_t cp = 0;

	if (f->n < 6 || f->out[f->n - 6] != '\\' || f->out[f->n - 5] != 'u')
		return 0;
	for (size_t i = f->n - 4; i < f->n; i++) {
		int digit = hex_of(f->out[i]);

		if (digit < 0)
			return 0;
		cp = cp * 16 + (uint32_t)digit;
	}
	*ret_cp = cp;
	return 6;
}

/* What stands between '&' and ';'. @return false when it is no entity */
static bool entity_of(struct sq_sv name, uint32_t *ret_cp)
{
	static const struct {
		struct sq_sv name;
		uint32_t cp;
	} named[] = {
		{ SQ_SV("quot"), '"' }, { SQ_SV("amp"), '&' },    { SQ_SV("lt"), '<' },
		{ SQ_SV("gt"), '>' },   { SQ_SV("apos"), '\'' },  { SQ_SV("sol"), '/' },
		{ SQ_SV("tab"), '\t' }, { SQ_SV("bsol"), '\\' },  { SQ_SV("colon"), ':' },
		{ SQ_SV("nbsp"), 160 }, { SQ_SV("newline"), 10 },
	};
	uint32_t cp = 0;
	bool hex;

	for (size_t i = 0; i < SQ_LEN(named); i++) {
		if (sq_sv_eq(name, named[i].name)) {
			*ret_cp = named[i].cp;
			return true;
		}
	}
	if (name.n < 2 || name.p[0] != '#')
		return false;
	hex = name.p[1] == 'x';
	name = sq_sv_skip(name, hex ? 2 : 1);
	for (size_t i = 0; i < name.n; i++) {
		int digit = hex_of((unsigned char)name.p[i]);

		if (digit < 0 || (!hex && digit > 9) || cp > 0x10ffff)
			return false;
		cp = cp * (hex ? 16 : 10) + (uint32_t)digit;
	}
	*ret_cp = cp;
	return name.n > 0;
}

static size_t tail_entity(const struct fold *f, uint32_t *ret_cp)
{
	size_t len = 2;

	while (len <= ENTITY_MAX && len <= f->n) {
		unsigned char c = f->out[f->n - len];

		if (c == '&') {
			struct sq_sv name = { (const char *)f->out + f->n - len + 1, len - 2 };

			return entity_of(name, ret_cp) ? len : 0;
		}
		if (!is_word(c) && c != '#')
			return 0;
		len++;
	}
	return 0;
}

/* Length of what the last byte completes, or 0; and what it means. */
static size_t tail_of(const struct fold *f, uint32_t *ret_cp, uint32_t *ret_trick)
{
	unsigned char c = f->out[f->n - 1];

	*ret_trick = 0;
	if (c >= 0x80)
		return (c & 0xc0) == 0x80 ? tail_utf8(f, ret_cp) : 0;
	if (c == ';') {
		*ret_trick = SQ_TRICK_BIT(SQ_TRICK_ENTITY_LEFT);
		return tail_entity(f, ret_cp);
	}
	if (hex_of(c) < 0)
		return 0;
	*ret_trick = SQ_TRICK_BIT(SQ_TRICK_ESCAPE_LEFT);
	return tail_escape(f, ret_cp);
}

/* Put one byte of the input, and whatever it completes. */
static void put(struct fold *f, unsigned char c, uint32_t from)
{
	bool soft = false;
	int to = c < 0x80 ? map_ascii(f, c, &soft) : c;

	while (to != GONE) {
		size_t softs = f->soft, len;
		uint32_t cp, trick;

		append(f, (unsigned char)to, from);
		if (soft)
			f->soft = softs + 1;
		len = tail_of(f, &cp, &trick);
		if (!len)
			return;
		soft = false;
		f->n -= len;
		to = cp < 0x80 ? map_ascii(f, (unsigned char)cp, &soft) : map_wide(f, cp);
		if (to == NOTHING) {
			f->n += len; /* it is what it was */
			f->word |= trick ? 0 : WORD_FOREIGN;
			return;
		}
		f->tricks |= trick;
		if (f->offsets)
			from = f->offsets[f->n];
	}
}

/* True of bytes that mean themselves, but for case. A backslash does unless an escape follows. */
static bool is_plain(struct sq_sv v, size_t i)
{
	unsigned char c = (unsigned char)v.p[i];

	if (c == '\\' && v.n - i >= 3)
		return sq_lower((unsigned char)v.p[i + 1]) != 'u' ||
		       hex_of((unsigned char)v.p[i + 2]) < 0;
	return c >= 0x20 && c < 0x7f && c != '&';
}

/* Eight bytes at once, when all of them are plain at first sight. @return false: they are not */
static bool fold_eight(const char *from, unsigned char *to)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	uint64_t v, odd, capitals;

	memcpy(&v, from, sizeof(v));
	/* Taking 1 from a byte that is zero, or 0x20 from one below it, sets its high bit. */
	odd = v | (v - ones * 0x20) | ((v ^ (ones * 0x7f)) - ones) | ((v ^ (ones * '&')) - ones) |
	      ((v ^ (ones * '\\')) - ones);
	if (odd & highs)
		return false;
	capitals = (v + ones * (0x80 - 'A')) & ~(v + ones * (0x80 - 'Z' - 1)) & highs;
	v += capitals >> 2;
	memcpy(to, &v, sizeof(v));
	return true;
}

/* How many bytes from the front are plain; they are written in lower case. */
static size_t fold_plain(struct sq_sv raw, unsigned char *out)
{
	size_t i = 0;

	while (i < raw.n) {
		size_t end = raw.n - i < 8 ? raw.n : i + 8;

		if (end - i == 8 && fold_eight(raw.p + i, out + i)) {
			i = end;
			continue;
		}
		for (; i < end; i++) {
			if (!is_plain(raw, i))
				return i;
			out[i] = sq_lower((unsigned char)raw.p[i]);
		}
	}
	return i;
}

static uint32_t count_blanks(const unsigned char *p, size_t n)
{
	const unsigned char *end = p + n, *at;
	uint32_t blanks = 0;

	while ((at = memchr(p, ' ', (size_t)(end - p)))) {
		for (p = at + 1; p < end && *p == ' '; p++)
			blanks++;
	}
	return blanks;
}

bool sq_fold_text(struct sq_arena *arena, struct sq_sv raw, bool with_offsets,
                  struct sq_folded *ret)
{
	struct fold f = { 0 };
	size_t i;

	*ret = (struct sq_folded){ .text = raw };
	if (raw.n == 0)
		return true;
	if (raw.n >= UINT32_MAX / 8)
		return false;
	if (with_offsets)
		f.offsets = sq_arena_alloc(arena, (raw.n + 1) * sizeof(*f.offsets));
	f.out = (unsigned char *)sq_arena_bytes(arena, raw.n);
	if (!f.out)
		return false;

	i = fold_plain(raw, f.out);
	/* The slow way wants to know the word that it is in. */
	while (i < raw.n && i > 0 && f.out[i - 1] != ' ')
		i--;
	f.n = i;
	for (size_t k = 0; f.offsets && k < i; k++)
		f.offsets[k] = (uint32_t)k;
	for (; i < raw.n; i++)
		put(&f, (unsigned char)raw.p[i], (uint32_t)i);
	end_word(&f);
	if (f.offsets)
		f.offsets[f.n] = (uint32_t)raw.n;

	sq_arena_trim(arena, (const char *)f.out + f.n);
	ret->text = (struct sq_sv){ (const char *)f.out, f.n };
	ret->offsets = f.offsets;
	ret->blanks = count_blanks(f.out, f.n);
	ret->tricks = f.tricks;
	if (ret->blanks > SQ_FOLD_PADDING_MAX)
		ret->tricks |= SQ_TRICK_BIT(SQ_TRICK_PADDING);
	return true;
}
