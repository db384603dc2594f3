#include "lib/model/positions.h"

static struct sq_sv at(const struct sq_collect *c, uint32_t i)
{
	const struct sq_value *v = &c->list[i];

	return i < c->n_list && v->kind >= SQ_VALUE_TEXT ? sq_value_sv(v) : (struct sq_sv){ "", 0 };
}

/* A full path; or, of a few kernel processes, a bare name. */
static bool is_image(struct sq_sv v)
{
	if (v.n == 0 || v.n > 32767)
		return false;
	return sq_sv_chr(v, '\\') != SIZE_MAX || sq_sv_chr(v, ' ') == SIZE_MAX;
}

static bool is_hex(struct sq_sv v)
{
	uint64_t u;

	return sq_sv_istarts(v, SQ_SV("0x")) && sq_sv_to_u64(v, &u);
}

bool sq_is_guid(struct sq_sv v)
{
	if (v.n == 38 && v.p[0] == '{' && v.p[37] == '}')
		v = (struct sq_sv){ v.p + 1, 36 };
	if (v.n != SQ_GUID_LEN)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		unsigned char c = sq_lower((unsigned char)v.p[i]);

		if (dash ? c != '-' : !(sq_is_digit((char)c) || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static void name(struct sq_collect *c, uint32_t i, uint32_t field)
{
	const struct sq_value *v = &c->list[i];

	if (i < c->n_list)
		sq_collect_put(c, field,
		               &(struct sq_found){ sq_value_sv(v), v->kind, SQ_BAND_LIST, true,
		                                   false });
}

bool sq_positions_security_4688(struct sq_collect *c)
{
	static const uint8_t fields[] = {
		[1] = SQ_F_SUBJECT_USER_NAME,   [2] = SQ_F_SUBJECT_DOMAIN_NAME,
		[3] = SQ_F_SUBJECT_LOGON_ID,    [4] = SQ_F_NEW_PROCESS_ID,
		[5] = SQ_F_NEW_PROCESS_NAME,    [7] = SQ_F_PROCESS_ID,
		[8] = SQ_F_COMMAND_LINE,        [10] = SQ_F_TARGET_USER_NAME,
		[11] = SQ_F_TARGET_DOMAIN_NAME, [13] = SQ_F_PARENT_PROCESS_NAME,
		[14] = SQ_F_MANDATORY_LABEL,
	};

	if (!is_hex(at(c, 3)) || !is_hex(at(c, 4)) || !is_image(at(c, 5)) || !is_hex(at(c, 7)))
		return false;
	for (uint32_t i = 0; i < SQ_LEN(fields); i++) {
		if (fields[i])
			name(c, i, fields[i]);
	}
	return true;
}

bool sq_positions_security_4689(struct sq_collect *c)
{
	if (!is_hex(at(c, 3)) || !is_hex(at(c, 5)) || !is_image(at(c, 6)))
		return false;
	name(c, 1, SQ_F_SUBJECT_USER_NAME);
	name(c, 2, SQ_F_SUBJECT_DOMAIN_NAME);
	name(c, 3, SQ_F_SUBJECT_LOGON_ID);
	name(c, 5, SQ_F_PROCESS_ID);
	name(c, 6, SQ_F_PROCESS_NAME);
	return true;
}

/* Position of the first GUID from `from` on, or n_list. */
static uint32_t next_guid(const struct sq_collect *c, uint32_t from)
{
	while (from < c->n_list && !sq_is_guid(at(c, from)))
		from++;
	return from;
}

/* Old schemas lack RuleName in front and some of the version strings in the middle. The three
 * GUIDs stay, so everything is counted from the one before or behind it. */
bool sq_positions_sysmon_1(struct sq_collect *c)
{
	uint32_t process = next_guid(c, 0);
	uint32_t logon = next_guid(c, process + 1);
	uint32_t parent = next_guid(c, logon + 1);
	uint32_t image = process + 2;

	if (process == 0 || process > 2 || parent != logon + 5 || parent >= c->n_list ||
	    logon < image + 4 || !is_image(at(c, image)))
		return false;
	name(c, process - 1, SQ_F_UTC_TIME);
	name(c, process, SQ_F_PROCESS_GUID);
	name(c, process + 1, SQ_F_PROCESS_ID);
	name(c, image, SQ_F_IMAGE);
	if (logon - image >= 8) {
		name(c, image + 2, SQ_F_DESCRIPTION);
		name(c, image + 3, SQ_F_PRODUCT);
		name(c, image + 4, SQ_F_COMPANY);
	}
	if (logon - image >= 9)
		name(c, image + 5, SQ_F_ORIGINAL_FILE_NAME);
	name(c, logon - 3, SQ_F_COMMAND_LINE);
	name(c, logon - 2, SQ_F_CURRENT_DIRECTORY);
	name(c, logon - 1, SQ_F_USER);
	name(c, logon + 1, SQ_F_LOGON_ID);
	name(c, logon + 3, SQ_F_INTEGRITY_LEVEL);
	name(c, logon + 4, SQ_F_HASHES);
	name(c, parent, SQ_F_PARENT_PROCESS_GUID);
	name(c, parent + 1, SQ_F_PARENT_PROCESS_ID);
	name(c, parent + 2, SQ_F_PARENT_IMAGE);
	name(c, parent + 3, SQ_F_PARENT_COMMAND_LINE);
	name(c, parent + 4, SQ_F_PARENT_USER);
	return true;
}
