/* Any bytes as a JSON text: each body of skim reads what yajl reads, or is not certain. The first
 * byte says what is wanted and whether limits are small. */
#include "tests/support/skimpair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAIRS = 4 };

static struct skim_pair *pairs(void)
{
	static const struct sq_json_limits wide = { 64, 10000 }, narrow = { 4, 8 };
	static struct skim_pair all[PAIRS];
	static struct sq_skim_want want;
	static struct sq_fields *fields;

	if (fields)
		return all;
	fields = sq_fields_new();
	sq_assert(fields && sq_fields_add(fields, SQ_SV("Id")) > 0);
	sq_skim_want_field(&want, SQ_F_EVENT_ID);
	sq_skim_want_field(&want, SQ_F_IMAGE);
	sq_skim_want_field(&want, SQ_F_COMMAND_LINE);
	skim_pair_begin(&all[0], fields, NULL, false, &wide);
	skim_pair_begin(&all[1], fields, NULL, true, &wide);
	skim_pair_begin(&all[2], fields, &want, false, &wide);
	skim_pair_begin(&all[3], fields, NULL, false, &narrow);
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (size == 0)
		return 0;
	copy = malloc(size);
	sq_assert(copy);
	memcpy(copy, data + 1, size - 1);
	(void)skim_pair_check(&pairs()[data[0] % PAIRS], (struct sq_sv){ copy, size - 1 });
	free(copy);
	return 0;
}
