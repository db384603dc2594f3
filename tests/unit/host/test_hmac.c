#include "tests/support/test.h"

#include "lib/host/hmac.h"

struct row {
	const char *name;
	struct sq_sv key;
	struct sq_sv pieces[3];
	const char *want;
};

/* RFC 4231. */
static struct row rows[] = {
	{ "case 1, in pieces",
	  SQ_SV("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
	  { SQ_SV("Hi"), SQ_SV(""), SQ_SV(" There") },
	  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "case 2",
	  SQ_SV("Jefe"),
	  { SQ_SV("what do ya want for nothing?") },
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
};

static void check(void **state)
{
	const struct row *row = *state;
	unsigned char got[SQ_HMAC_BYTES];
	char text[2 * SQ_HMAC_BYTES + 1];

	assert_int_equal(sq_hmac_sha256(row->key, row->pieces, 3, got), 0);
	for (size_t i = 0; i < SQ_HMAC_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(text, row->want);
}

int main(void)
{
	return RUN_TABLE("hmac", rows, check);
}
