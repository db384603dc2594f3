#include "lib/derive/winpath_private.h"

static bool has_drive(struct sq_sv v)
{
	return v.n >= 2 && v.p[1] == ':' && v.p[0] >= 'a' && v.p[0] <= 'z';
}

/* "e:a.dll" */
static bool is_below_drive(const struct sq_winpath *path)
{
	return has_drive(path->path) && path->path.n > 2 && path->path.p[2] != '\\';
}

bool sq_winpath_is_relative(const struct sq_winpath *path)
{
	return path->place == SQ_PLACE_RELATIVE || path->place == SQ_PLACE_BARE ||
	       path->flags & SQ_WINPATH_NO_DRIVE || is_below_drive(path);
}

/* Is it a folder of a drive, a share or a device? */
static bool is_absolute(struct sq_sv v)
{
	return sq_sv_starts(v, SQ_SV("\\\\")) || (has_drive(v) && v.n > 2 && v.p[2] == '\\');
}

bool sq_winpath_join(struct sq_arena *arena, struct sq_sv folder, const struct sq_winpath *path,
                     struct sq_winpath *ret)
{
	struct sq_sv rest = path->path;
	struct sq_winpath from, joined;
	char *text;

	if (!sq_winpath_fold(arena, folder, &from) || !is_absolute(from.path))
		return false;
	if (path->flags & SQ_WINPATH_NO_DRIVE || is_below_drive(path)) {
		bool same = from.path.p[0] == rest.p[0];

		if (!has_drive(from.path) || (!same && !(path->flags & SQ_WINPATH_NO_DRIVE)))
			return false;
		rest = sq_sv_skip(rest, 2);
		if (path->flags & SQ_WINPATH_NO_DRIVE)
			from.path.n = 2;
	}
	text = sq_arena_bytes(arena, from.path.n + 1 + rest.n);
	if (!text)
		return false;
	memcpy(text, from.path.p, from.path.n);
	text[from.path.n] = '\\';
	memcpy(text + from.path.n + 1, rest.p, rest.n);
	if (!sq_winpath_fold(arena, (struct sq_sv){ text, from.path.n + 1 + rest.n }, &joined))
		return false;
	joined.flags |= path->flags & ~(uint32_t)SQ_WINPATH_NO_DRIVE;
	*ret = joined;
	return true;
}
