#include "lib/wire/credentials.h"

#include <errno.h>
#include <stdlib.h>

void sq_credentials_fini(struct sq_credentials *c)
{
	if (c->list)
		explicit_bzero(c->list, c->cap * sizeof(*c->list));
	free(c->list);
	*c = (struct sq_credentials){ 0 };
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Not realloc(): it would leave the secrets behind. */
static int grow(struct sq_credentials *c)
{
	size_t cap = c->cap ? c->cap * 2 : 16;
	struct sq_credential *list = calloc(cap, sizeof(*list));

	if (!list)
		return -ENOMEM;
	if (c->n)
		memcpy(list, c->list, c->n * sizeof(*list));
	if (c->list)
		explicit_bzero(c->list, c->cap * sizeof(*list));
	free(c->list);
	c->list = list;
	c->cap = cap;
	return 0;
}

static const char *what_is_wrong(const struct sq_credentials *c, struct sq_sv name,
                                 struct sq_sv secret, bool colon)
{
	if (!colon || name.n == 0 || secret.n == 0)
		return "not a line of the form NAME:SECRET";
	if (name.n >= SQ_CREDENTIAL_NAME)
		return "the name is longer than 63 bytes";
	if (secret.n >= SQ_CREDENTIAL_SECRET)
		return "the secret is longer than 255 bytes";
	if (memchr(name.p, '\0', name.n) || memchr(secret.p, '\0', secret.n))
		return "there is a NUL in it";
	if (c->n >= SQ_CREDENTIALS_MAX)
		return "there are more than 1024 lines";
	return NULL;
}

/* Who else has this token, or NULL. A token alone says who sends: under two names it would say the
 * one that happens to stand last. A name may have several, for the time in which one is changed. */
static const char *other_of(const struct sq_credentials *c, struct sq_sv name, struct sq_sv token)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct sq_credential *row = &c->list[i];

		if (!row->user && sq_sv_eq(sq_sv_of(row->secret), token) &&
		    !sq_sv_eq(sq_sv_of(row->name), name))
			return row->name;
	}
	return NULL;
}

static int add_line(struct sq_credentials *c, struct sq_sv line, bool user, const char *file,
                    unsigned number, struct sq_diags *diags)
{
	bool colon = sq_sv_chr(line, ':') != SIZE_MAX;
	struct sq_sv name = sq_sv_trim(sq_sv_cut(&line, ':')), secret = sq_sv_trim(line);
	const char *wrong = what_is_wrong(c, name, secret, colon);
	const char *other = wrong || user ? NULL : other_of(c, name, secret);
	struct sq_credential *row;

	if (wrong) {
		sq_diag_add(diags, SQ_DIAG_ERROR, file, number, 0, "%s", wrong);
		return 0;
	}
	if (other) {
		sq_diag_add(diags, SQ_DIAG_ERROR, file, number, 0, "%.*s has the same token as %s",
		            SQ_SV_ARG(name), other);
		return 0;
	}
	if (c->n == c->cap && grow(c) < 0)
		return -ENOMEM;
	row = &c->list[c->n++];
	*row = (struct sq_credential){ .user = user };
	memcpy(row->name, name.p, name.n);
	memcpy(row->secret, secret.p, secret.n);
	return 0;
}

int sq_credentials_read(struct sq_credentials *c, struct sq_sv text, bool users, const char *file,
                        struct sq_diags *diags)
{
	size_t errors = diags->errors;

	for (unsigned number = 1; text.n; number++) {
		struct sq_sv line = sq_sv_trim(sq_sv_cut(&text, '\n'));

		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (add_line(c, line, users, file, number, diags) < 0)
			return -ENOMEM;
	}
	return diags->errors > errors ? -EINVAL : 0;
}

/* ---- what is shown ------------------------------------------------------------------------ */

struct shown {
	char name[SQ_CREDENTIAL_SECRET]; /* both filled up with zeros */
	char secret[SQ_CREDENTIAL_SECRET];
	bool token; /* `secret` alone counts, if it is a token's */
	bool named; /* `name` counts */
};

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* @return length, or -EINVAL */
static int decode(struct sq_sv in, char *to, size_t room)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	while (in.n && in.p[in.n - 1] == '=')
		in.n--;
	for (size_t i = 0; i < in.n; i++) {
		int d = digit_of(in.p[i]);

		if (d < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == room)
			return -EINVAL;
		to[n++] = (char)(bits >> have & 0xff);
	}
	return (int)n;
}

static bool put(char to[SQ_CREDENTIAL_SECRET], struct sq_sv v)
{
	if (v.n == 0 || v.n >= SQ_CREDENTIAL_SECRET || memchr(v.p, '\0', v.n))
		return false;
	memcpy(to, v.p, v.n);
	return true;
}

/* base64(NAME:SECRET) */
static bool put_pair(struct shown *s, struct sq_sv encoded)
{
	char text[2 * SQ_CREDENTIAL_SECRET];
	int n = decode(encoded, text, sizeof(text));
	struct sq_sv v = { text, n > 0 ? (size_t)n : 0 };
	struct sq_sv name = sq_sv_cut(&v, ':');
	bool good;

	s->named = true;
	good = (name.n == 0 || put(s->name, name)) && put(s->secret, v);
	explicit_bzero(text, sizeof(text));
	return good;
}

static bool read_header(struct shown *s, struct sq_sv header)
{
	struct sq_sv scheme = sq_sv_cut(&header, ' '), value = sq_sv_trim(header);

	if (sq_sv_ieq(scheme, SQ_SV("Bearer")) || sq_sv_ieq(scheme, SQ_SV("Splunk"))) {
		s->token = true;
		return put(s->secret, value);
	}
	if (sq_sv_ieq(scheme, SQ_SV("Basic"))) {
		s->token = true;
		return put_pair(s, value);
	}
	if (sq_sv_ieq(scheme, SQ_SV("ApiKey")))
		return put_pair(s, value);
	return false;
}

/* 1 or 0, after looking at every byte. */
static unsigned same(const char *a, const char *b, size_t n)
{
	unsigned differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	/* The compiler may not know what comes of it, or it could stop early. */
	__asm__ volatile("" : "+r"(differ));
	return (differ - 1) >> 31;
}

enum sq_credential_result sq_credentials_check(const struct sq_credentials *c, struct sq_sv header,
                                               const struct sq_credential **ret)
{
	struct shown s = { 0 };
	size_t found = SIZE_MAX;

	header = sq_sv_trim(header);
	if (header.n == 0)
		return SQ_CREDENTIAL_NONE;
	if (!read_header(&s, header)) {
		explicit_bzero(&s, sizeof(s));
		return SQ_CREDENTIAL_INVALID;
	}
	for (size_t i = 0; i < c->n; i++) {
		const struct sq_credential *row = &c->list[i];
		unsigned secret = same(s.secret, row->secret, sizeof(row->secret));
		unsigned name = same(s.name, row->name, sizeof(row->name));
		unsigned fits = secret & ((s.named & name) | (s.token & !row->user));

		/* Without a branch on what fitted. */
		found = fits ? i : found;
	}
	explicit_bzero(&s, sizeof(s));
	if (found == SIZE_MAX)
		return SQ_CREDENTIAL_WRONG;
	*ret = &c->list[found];
	return SQ_CREDENTIAL_FITS;
}
