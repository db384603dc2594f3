/* A record: of each rule that matches it all that the rule promises must hold, or it is odd; and it
 * is not left out. */
#include "tests/support/sieve_rules.h"
#include "tests/support/sieve_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One of rules that leave most records out, one with rules of all kinds. */
static struct sieve_world sharp, wide;

static void open_worlds(void)
{
	struct sq_rules rules;

	sq_assert(sq_rules_init(&rules) == 0);
	sq_assert(sieve_add_rules(&rules, sieve_sources[0], sieve_selections,
	                          SQ_LEN(sieve_selections)));
	sq_assert(sieve_world_open(&sharp, &rules));
	sq_assert(sq_rules_init(&rules) == 0);
	for (size_t i = 0; i < SQ_LEN(sieve_sources); i++) {
		sq_assert(sieve_add_rules(&rules, sieve_sources[i], sieve_selections,
		                          SQ_LEN(sieve_selections)));
		sq_assert(sieve_add_rules(&rules, sieve_sources[i], sieve_weak_selections,
		                          SQ_LEN(sieve_weak_selections)));
	}
	sq_assert(sieve_world_open(&wide, &rules));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sq_sv raw = { (const char *)data, size };

	if (!sharp.rs)
		open_worlds();
	sq_assert(!sieve_world_run(&sharp, raw));
	sq_assert(!sieve_world_run(&wide, raw));
	return 0;
}
