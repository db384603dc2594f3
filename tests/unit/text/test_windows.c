/* Where windows of words lie. */
#include "tests/support/test.h"

#include "lib/text/windows.h"

enum { LAST = SQ_SPOT_BUCKETS - 1, WORDS_MAX = 16 };

struct placed {
	uint8_t bucket[WORDS_MAX], off[WORDS_MAX];
	double all;
};

static uint32_t place(const char *const *list, const uint8_t *without, unsigned bucket,
                      struct placed *ret)
{
	struct sq_sv words[WORDS_MAX];
	uint32_t n = 0;

	for (; list[n]; n++)
		words[n] = sq_sv_of(list[n]);
	memset(ret, 0xee, sizeof(*ret));
	ret->all = sq_windows_place(words, n, without, bucket, ret->bucket, ret->off);
	return n;
}

/* Places of `text` that the windows find, in whichever bucket. */
static unsigned found_in(const char *const *list, uint32_t n, const struct placed *p,
                         const char *text)
{
	struct sq_spot s = { 0 };
	struct sq_sv v = sq_sv_of(text);
	unsigned r = 0;

	for (uint32_t k = 0; k < n; k++)
		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++)
			sq_spot_allow(&s, p->bucket[k], i, (unsigned char)list[k][p->off[k] + i]);
	for (size_t at = 0; at < v.n; at++)
		r += sq_spot_at(&s, v, at) != 0;
	return r;
}

static void windows_lie_within_their_words(void **state)
{
	static const char *const list[] = { "abc", "scrobj", "4728", "x(c) y", "regsvr32", NULL };
	static const uint8_t none[WORDS_MAX], third[WORDS_MAX] = { 0, 0, 1 };
	struct placed p;
	uint32_t n = place(list, none, 11, &p);

	(void)state;
	for (uint32_t k = 0; k < n; k++) {
		size_t width = strlen(list[k]) < SQ_SPOT_WIDTH ? strlen(list[k]) : SQ_SPOT_WIDTH;

		assert_in_range(p.bucket[k], 11, LAST);
		assert_in_range(p.off[k], 0, strlen(list[k]) - width);
	}
	assert_true(p.all > 0 && p.all < 0.01);
	(void)place(list, third, 11, &p);
	assert_int_equal(p.bucket[2], 0xee);
	assert_int_equal(p.off[2], 0xee);
}

/* By how often their characters stand in events, the best windows of these words are "hell", "undl"
 * and others that together find "x64.dll", which stands in most. */
static void mixtures_that_events_are_full_of_are_not_found(void **state)
{
	static const char *const list[] = { "47.28",    "4728",       "certutil", "installutil",
		                            "rundll32", "powershell", NULL };
	static const char *const texts[] = {
		"c:\\windows\\winsxs\\amd64.dll wow64.dll",
		"hklm\\system\\currentcontrolset\\services",
		"registry value set",
		"microsoft windows operating system",
		"shellexperiencehost.exe",
	};
	static const uint8_t none[WORDS_MAX];
	struct placed p;
	uint32_t n = place(list, none, LAST, &p);

	(void)state;
	for (size_t i = 0; i < SQ_LEN(texts); i++)
		if (found_in(list, n, &p, texts[i]))
			fail_msg("places are found in %s", texts[i]);
	for (uint32_t k = 0; k < n; k++)
		assert_true(found_in(list, n, &p, list[k]) > 0);
}

/* Places of the text that only the tables of bits find. */
static unsigned found_in_vain(const char *const *list, uint32_t n, const struct placed *p,
                              const char *text)
{
	struct sq_spot s = { .large = 0 };
	size_t len = strlen(text);
	unsigned r = 0;

	for (uint32_t k = 0; k < n; k++)
		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++)
			sq_spot_allow(&s, p->bucket[k], i, (unsigned char)list[k][p->off[k] + i]);
	sq_spot_ready(&s);
	for (size_t at = 0; at + SQ_SPOT_WIDTH <= len; at++) {
		uint8_t likely = UINT8_MAX;

		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
			unsigned char c = (unsigned char)text[at + i];

			likely &= s.low[1][i][sq_spot_low(c)] & s.mixed[1][i][sq_spot_mixed(c)];
		}
		r += likely && !sq_spot_at(&s, sq_sv_of(text), at);
	}
	return r;
}

/* By their characters alone the windows of these are "onho", "hidd" and "ypas", whose bits mix to
 * places of these texts. */
static void what_only_bits_find_in_events_is_avoided(void **state)
{
	static const char *const list[] = { "conhost", "hidden", "bypass", NULL };
	static const char *const texts[] = {
		"microsoft-windows-sysmon/operational",
		"c:\\windows\\system32\\svchost.exe",
		"registry value set (rule: registryevent)",
		"c:\\program files (x86)\\microsoft\\edge",
		"hklm\\system\\currentcontrolset\\services\\tcpip",
		"commandinvocation(out-string)",
		"microsoft windows operating system",
	};
	static const uint8_t none[WORDS_MAX];
	struct placed p;
	uint32_t n = place(list, none, LAST, &p);

	(void)state;
	for (size_t i = 0; i < SQ_LEN(texts); i++)
		if (found_in_vain(list, n, &p, texts[i]))
			fail_msg("%u places are found in %s", found_in_vain(list, n, &p, texts[i]),
			         texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_lie_within_their_words),
		cmocka_unit_test(mixtures_that_events_are_full_of_are_not_found),
		cmocka_unit_test(what_only_bits_find_in_events_is_avoided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
