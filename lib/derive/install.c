#include "lib/derive/install.h"

static const char *const names[SQ_INSTALL_N] = {
	[SQ_INSTALL_NONE] = "none",     [SQ_INSTALL_EMPTY] = "empty",
	[SQ_INSTALL_URL] = "url",       [SQ_INSTALL_UNC] = "unc",
	[SQ_INSTALL_WEBDAV] = "webdav", [SQ_INSTALL_LOOPBACK] = "loopback",
	[SQ_INSTALL_PATH] = "path",     [SQ_INSTALL_PAYLOAD] = "payload",
	[SQ_INSTALL_TEXT] = "text",
};

const char *sq_install_name(enum sq_install kind)
{
	return names[kind];
}

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_switch_char(char c)
{
	return c == '/' || c == '-';
}

static bool has_separator(struct sq_sv v)
{
	return sq_sv_chr(v, '/') != SIZE_MAX || sq_sv_chr(v, '\\') != SIZE_MAX;
}

char sq_switch_letter(struct sq_sv token)
{
	char c;

	if (token.n < 2 || !is_switch_char(token.p[0]) || is_separator(token.p[1]))
		return 0;
	c = (char)sq_lower((unsigned char)token.p[1]);
	if (!memchr("usniecvh?", c, 9) && has_separator(sq_sv_skip(token, 1)))
		return 0;
	return c;
}

bool sq_install_value(struct sq_sv token, struct sq_sv *ret)
{
	if (!sq_switch_letter(token))
		return false;
	/* Each switch of a token in turn: "/s/u/i:x". A colon ends the search: what stands behind
	 * one that is not of an i-switch is somebody's value. */
	for (size_t at = 0; at + 1 < token.n; at++) {
		bool begins = is_switch_char(token.p[at]);
		size_t colon;

		if (token.p[at] == ':')
			return false;
		if (!begins || sq_lower((unsigned char)token.p[at + 1]) != 'i')
			continue;
		colon = sq_sv_chr(sq_sv_skip(token, at), ':');
		if (colon == SIZE_MAX)
			return false;
		*ret = sq_sv_skip(token, at + colon + 1);
		return true;
	}
	return false;
}

/* Is what ends before `colon` a scheme that makes a URL of ":/"? Blanks may stand between. */
static bool is_known_scheme(struct sq_sv before)
{
	static const char *const schemes[] = { "http", "https", "ftp", "file" };

	before = sq_sv_trim(before);
	for (size_t i = 0; i < SQ_LEN(schemes); i++) {
		struct sq_sv s = sq_sv_of(schemes[i]);

		if (before.n >= s.n && sq_sv_iends(before, s) &&
		    (before.n == s.n || !is_letter(before.p[before.n - s.n - 1])))
			return true;
	}
	return false;
}

/* Does a URL begin before the colon at `at`? */
static bool is_url_at(struct sq_sv text, size_t at)
{
	struct sq_sv before = { text.p, at }, after = sq_sv_skip(text, at + 1);

	if (sq_sv_iends(before, SQ_SV("script")))
		return true;
	if (after.n == 0 || !is_separator(after.p[0]))
		return false;
	if (is_known_scheme(before))
		return true;
	/* "://" behind anything but the single letter of a drive. */
	return after.n > 1 && after.p[0] == '/' && after.p[1] == '/' &&
	       !(at >= 1 && is_letter(text.p[at - 1]) && (at == 1 || !is_letter(text.p[at - 2])));
}

bool sq_install_has_url(struct sq_sv text)
{
	const char *end = text.p + text.n;
	const char *at = text.n ? memchr(text.p, ':', text.n) : NULL;

	for (; at; at = memchr(at + 1, ':', (size_t)(end - at) - 1))
		if (is_url_at(text, (size_t)(at - text.p)))
			return true;
	return false;
}

/* Library that takes orders: "shellcode,file", "powershell,...". */
static bool is_order(struct sq_sv v)
{
	size_t comma = sq_sv_chr(v, ',');

	if (comma == SIZE_MAX || comma == 0)
		return false;
	for (size_t i = 0; i < comma; i++)
		if (!is_letter(v.p[i]) && !sq_is_digit(v.p[i]) && v.p[i] != '_' && v.p[i] != '-')
			return false;
	return true;
}

static bool has_payload_sign(struct sq_sv v)
{
	for (size_t i = 0; i < v.n; i++)
		if (memchr("*!@#,", v.p[i], 5))
			return true;
	return false;
}

static bool is_path(struct sq_sv v, const struct sq_winpath *path)
{
	if (v.n > 1 && is_letter((char)sq_lower((unsigned char)v.p[0])) && v.p[1] == ':')
		return true;
	if (v.p[0] == '/' && !has_separator(sq_sv_skip(v, 1)))
		return false; /* "/userinstall" */
	if (has_separator(v))
		return true;
	/* "payload.wsc": a name with an extension, and not a sentence or a version. */
	return path->extension.n >= 2 && path->extension.n <= 4 &&
	       !sq_is_digit(path->extension.p[0]) && sq_sv_chr(v, ' ') == SIZE_MAX &&
	       sq_sv_chr(v, '=') == SIZE_MAX;
}

uint32_t sq_install_kinds(struct sq_arena *arena, struct sq_sv value, enum sq_place *ret_place)
{
	struct sq_winpath path;
	uint32_t kinds = 0;

	if (ret_place)
		*ret_place = SQ_PLACE_NONE;
	value = sq_sv_trim(value);
	if (value.n == 0)
		return 1u << SQ_INSTALL_EMPTY;
	if (is_order(value))
		kinds |= 1u << SQ_INSTALL_PAYLOAD;
	if (sq_install_has_url(value))
		return kinds | 1u << SQ_INSTALL_URL;
	if (kinds) /* "shellcode,c:\x": the order is what counts */
		return kinds;
	if (!sq_winpath_fold(arena, value, &path))
		return 1u << SQ_INSTALL_TEXT;
	if (path.flags & SQ_WINPATH_WEBDAV)
		return 1u << SQ_INSTALL_WEBDAV;
	if (path.place == SQ_PLACE_REMOTE)
		return 1u << SQ_INSTALL_UNC;
	if (path.flags & SQ_WINPATH_LOOPBACK || is_path(value, &path)) {
		if (ret_place)
			*ret_place = path.place;
		return path.flags & SQ_WINPATH_LOOPBACK ? 1u << SQ_INSTALL_LOOPBACK
		                                        : 1u << SQ_INSTALL_PATH;
	}
	return has_payload_sign(value) ? 1u << SQ_INSTALL_PAYLOAD : 1u << SQ_INSTALL_TEXT;
}
