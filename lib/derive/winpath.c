#include "lib/derive/winpath_private.h"

/* In two buffers: first the text in lower case with '\' and variables expanded, from which prefixes
 * are then taken off; second the root (drive, share, device or none) and the components one by one.
 * Each root protects what it consists of from "..", so the result parses to the same root again.
 */

enum root {
	ROOT_NONE,        /* relative to some folder */
	ROOT_DRIVE,       /* "c:\" */
	ROOT_DRIVE_ONLY,  /* "c:" and then relative */
	ROOT_SHARE,       /* "\\host\share" */
	ROOT_DEVICE,      /* "\\?\" and a name that is no drive */
	ROOT_DEVICE_NAME, /* "\device\" and a name that is no disk */
};

enum { ROOM = 48 /* bytes that a root and one long name may add */ };

struct walk {
	enum root root;
	char drive;
	struct sq_sv rest; /* what follows the root */
	char *out;
	size_t n, cap;
	size_t base;    /* bytes of `out` that ".." never takes away */
	size_t named;   /* components in `out` that ".." can take away */
	size_t climbed; /* ".." in front of a relative path */
	uint32_t flags;
};

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_drive(struct sq_sv v)
{
	return v.n >= 2 && is_letter(v.p[0]) && v.p[1] == ':' && (v.n == 2 || v.p[2] == '\\');
}

static struct sq_sv skip_separators(struct sq_sv v)
{
	while (v.n && v.p[0] == '\\')
		v = sq_sv_skip(v, 1);
	return v;
}

/* Without components that mean nothing here: ".", "..", and names of blanks and dots. */
static struct sq_sv skip_dots(struct sq_sv v)
{
	for (;;) {
		size_t i = 0;

		v = skip_separators(v);
		while (i < v.n && (v.p[i] == '.' || v.p[i] == ' '))
			i++;
		if (i == 0 || (i < v.n && v.p[i] != '\\'))
			return v;
		v = sq_sv_skip(v, i);
	}
}

/* `v` with "\\" in front, over the bytes there that are no longer needed. */
static struct sq_sv as_share(char *text, struct sq_sv v)
{
	char *p = text + (v.p - text) - 2;

	p[0] = p[1] = '\\';
	return (struct sq_sv){ p, v.n + 2 };
}

/* "\device\..." : a disk is taken for C:, the redirector for a share. @return false: again */
static bool take_device_name(struct walk *w, char *text, struct sq_sv v)
{
	struct sq_sv name = skip_dots(sq_sv_skip(v, SQ_SV("\\device\\").n));
	struct sq_sv disk = SQ_SV("harddiskvolume");
	size_t i = disk.n;

	if (sq_sv_starts(name, disk)) {
		while (i < name.n && sq_is_digit(name.p[i]))
			i++;
		if (i > disk.n && (i == name.n || name.p[i] == '\\' || name.p[i] == ' ')) {
			w->root = ROOT_DRIVE;
			w->drive = 'c';
			w->rest = sq_sv_skip(name, i);
			return true;
		}
	}
	if (sq_sv_starts(name, SQ_SV("mup\\"))) {
		w->rest = as_share(text, skip_separators(sq_sv_skip(name, 4)));
		return false;
	}
	w->root = ROOT_DEVICE_NAME;
	w->rest = name;
	return true;
}

/* Behind "\\?\" and its like. @return false: look again at what is left */
static bool take_prefix(struct walk *w, char *text, struct sq_sv v)
{
	v = skip_dots(v);
	w->flags |= SQ_WINPATH_PREFIX;
	if (sq_sv_starts(v, SQ_SV("unc\\"))) {
		w->rest = as_share(text, skip_separators(sq_sv_skip(v, 4)));
		return false;
	}
	if (is_drive(sq_sv_first(v, 2)) && (v.n == 2 || v.p[2] == '\\' || v.p[2] == ' ')) {
		w->root = ROOT_DRIVE;
		w->drive = v.p[0];
		w->rest = sq_sv_skip(v, 2);
		return true;
	}
	w->root = ROOT_DEVICE;
	w->rest = v;
	return true;
}

/* Finds the root. @return false: `rest` has changed, look again */
static bool take_root(struct walk *w, char *text)
{
	struct sq_sv v = w->rest;

	while (v.n > 2 && v.p[0] == '\\' && v.p[1] == '\\' && v.p[2] == '\\')
		v = sq_sv_skip(v, 1);
	if (sq_sv_starts(v, SQ_SV("\\\\?\\")) || sq_sv_starts(v, SQ_SV("\\\\.\\")) ||
	    sq_sv_starts(v, SQ_SV("\\??\\")))
		return take_prefix(w, text, sq_sv_skip(v, 4));
	if (sq_sv_starts(v, SQ_SV("\\device\\")))
		return take_device_name(w, text, v);
	w->drive = 'c';
	if (sq_sv_starts(v, SQ_SV("\\systemroot\\"))) {
		/* Shorter than what it stands for is not: "c:\windows\" fits over it. */
		memcpy(text + (v.p - text), "\\windows\\\\\\", 11);
		w->root = ROOT_DRIVE;
	} else if (sq_sv_starts(v, SQ_SV("\\\\"))) {
		struct sq_sv after = sq_sv_skip(v, 2), host = sq_sv_cut(&after, '\\');

		/* "\\ \?\": without the blank a prefix may come up. */
		if (host.n && after.n && !sq_sv_trim(host).n) {
			w->flags |= SQ_WINPATH_TRAILING_BLANK;
			w->rest = as_share(text, skip_separators(after));
			return false;
		}
		w->root = ROOT_SHARE;
		v = sq_sv_skip(v, 2);
	} else if (v.n && v.p[0] == '\\') {
		w->root = ROOT_DRIVE;
		w->flags |= SQ_WINPATH_NO_DRIVE;
	} else if (is_drive(v) && v.n > 2) {
		w->root = ROOT_DRIVE;
		w->drive = v.p[0];
		v = sq_sv_skip(v, 2);
	} else if (v.n >= 2 && is_letter(v.p[0]) && v.p[1] == ':') {
		w->root = ROOT_DRIVE_ONLY;
		w->drive = v.p[0];
		v = sq_sv_skip(v, 2);
	} else {
		w->root = ROOT_NONE;
	}
	w->rest = v;
	return true;
}

static bool is_loopback(struct sq_sv host)
{
	if (sq_sv_starts(host, SQ_SV("127."))) {
		for (size_t i = 0; i < host.n; i++) {
			if (!sq_is_digit(host.p[i]) && host.p[i] != '.')
				return false;
		}
		return true;
	}
	return sq_sv_eq(host, SQ_SV("localhost")) || sq_sv_eq(host, SQ_SV("::1")) ||
	       sq_sv_eq(host, SQ_SV("--1.ipv6-literal.net")) ||
	       sq_sv_eq(host, SQ_SV("0--1.ipv6-literal.net"));
}

static void put(struct walk *w, struct sq_sv v)
{
	sq_assert(v.n <= w->cap - w->n);
	if (v.n)
		memcpy(w->out + w->n, v.p, v.n);
	w->n += v.n;
}

/* The next component that is more than blanks; empty when there is none. */
static struct sq_sv next_component(struct walk *w)
{
	struct sq_sv c;

	do {
		w->rest = skip_separators(w->rest);
		c = sq_sv_cut(&w->rest, '\\');
		if (sq_sv_trim(c).n)
			return c;
		if (c.n)
			w->flags |= SQ_WINPATH_TRAILING_BLANK;
	} while (w->rest.n);
	return sq_sv_first(c, 0);
}

/* A share of this machine is a folder of it. */
static void take_loopback(struct walk *w)
{
	struct walk ahead = *w;
	struct sq_sv host = sq_sv_trim(next_component(&ahead)), share;

	if (!is_loopback(host))
		return;
	w->flags |= SQ_WINPATH_LOOPBACK;
	share = sq_sv_trim(next_component(&ahead));
	if (share.n == 2 && is_letter(share.p[0]) && share.p[1] == '$') {
		w->drive = share.p[0];
	} else if (sq_sv_eq(share, SQ_SV("admin$"))) {
		w->drive = 'c';
		put(w, SQ_SV("c:\\windows"));
	} else {
		return;
	}
	w->root = ROOT_DRIVE;
	w->rest = ahead.rest;
}

static void write_root(struct walk *w)
{
	char drive[] = { w->drive, ':' };
	struct sq_sv share;

	switch (w->root) {
	case ROOT_NONE:
		break;
	case ROOT_DRIVE:
	case ROOT_DRIVE_ONLY:
		if (!w->n) /* else the administrators' share wrote its folder */
			put(w, (struct sq_sv){ drive, 2 });
		break;
	case ROOT_SHARE:
		put(w, SQ_SV("\\\\"));
		put(w, next_component(w));
		share = next_component(w);
		if (share.n)
			put(w, SQ_SV("\\"));
		put(w, share);
		break;
	case ROOT_DEVICE:
		put(w, SQ_SV("\\\\?\\"));
		put(w, next_component(w));
		break;
	case ROOT_DEVICE_NAME:
		put(w, SQ_SV("\\device\\"));
		put(w, next_component(w));
		break;
	}
	w->base = w->n;
}

static void go_up(struct walk *w)
{
	bool relative = w->root == ROOT_NONE || w->root == ROOT_DRIVE_ONLY;

	if (w->named) {
		w->flags |= SQ_WINPATH_PARENT;
		w->named--;
		while (w->n > w->base && w->out[w->n - 1] != '\\')
			w->n--;
		if (w->n > w->base)
			w->n--;
	} else if (relative) {
		if (w->climbed++)
			put(w, SQ_SV("\\"));
		put(w, SQ_SV(".."));
		w->base = w->n;
	}
}

/* The long name where we know it; what the file system shows for another folder, too. */
static struct sq_sv resolve(struct walk *w, struct sq_sv c)
{
	struct sq_sv so_far = { w->out, w->n };

	if (sq_winpath_is_short_name(c)) {
		struct sq_sv full = { 0 };

		w->flags |= SQ_WINPATH_SHORT_NAME;
		if (w->root == ROOT_DRIVE && w->n == 2)
			full = sq_winpath_long_name(c);
		if (full.n)
			return full;
		if (w->rest.n && w->root == ROOT_DRIVE &&
		    (w->n == 2 || sq_sv_starts(so_far, SQ_SV("c:\\windows"))))
			w->flags |= SQ_WINPATH_UNRESOLVED;
	}
	if (sq_sv_eq(c, SQ_SV("sysnative")) && sq_sv_eq(so_far, SQ_SV("c:\\windows")))
		return SQ_SV("system32");
	return c;
}

static void add(struct walk *w, struct sq_sv c)
{
	size_t blanks = c.n, dots = c.n;

	while (blanks > 0 && c.p[blanks - 1] == ' ')
		blanks--;
	while (dots > 0 && (c.p[dots - 1] == '.' || c.p[dots - 1] == ' '))
		dots--;
	if (dots == 0) { /* no name at all */
		if (blanks == 2 && c.p[0] == '.' && c.p[1] == '.')
			go_up(w);
		return;
	}
	while (c.n && c.p[c.n - 1] == '.')
		c.n--;
	if (c.p[c.n - 1] == ' ' && w->rest.n)
		w->flags |= SQ_WINPATH_TRAILING_BLANK;
	c = resolve(w, c);
	if (w->n && !(w->root == ROOT_DRIVE_ONLY && w->n == 2))
		put(w, SQ_SV("\\"));
	put(w, c);
	w->named++;
}

/* What was no short name with its blanks may be one without. */
static void resolve_last(struct walk *w)
{
	size_t end = w->n;
	struct sq_sv c, better;

	while (w->n > w->base && w->out[w->n - 1] != '\\')
		w->n--;
	c = (struct sq_sv){ w->out + w->n, end - w->n };
	if (w->n > w->base)
		w->n--;
	better = resolve(w, c);
	w->n = (size_t)(c.p - w->out);
	if (better.p == c.p)
		w->n = end;
	else
		put(w, better);
}

/* Would this be read as a drive or a URL, or lose its first blank? */
static bool must_stay_relative(struct sq_sv path)
{
	return (path.n > 1 && path.p[1] == ':') || path.p[0] == ' ' || sq_winpath_is_url(path);
}

/* The last name loses trailing dots and blanks, which Windows does not look at. */
static void finish(struct walk *w, bool separated)
{
	struct sq_sv v;
	size_t n = w->n;

	while (w->n > 0 && (w->out[w->n - 1] == ' ' || (w->named && w->out[w->n - 1] == '.')))
		w->n--;
	if (w->n < n && w->named)
		resolve_last(w);
	v = (struct sq_sv){ w->out, w->n };
	if (w->root == ROOT_DRIVE && w->n == 2)
		put(w, SQ_SV("\\"));
	if (w->root != ROOT_NONE || w->climbed)
		return;
	if (!w->n)
		put(w, SQ_SV("."));
	else if (w->named > 1 ? must_stay_relative(v) : separated) {
		/* What was relative must not become a bare name, or a drive. */
		memmove(w->out + 2, w->out, w->n);
		memcpy(w->out, ".\\", 2);
		w->n += 2;
	}
}

/* Length of a variable that we cannot resolve at the front: a colon in it begins no stream. */
static size_t variable_length(struct sq_sv path)
{
	size_t end;

	if (sq_sv_starts(path, SQ_SV("$env:")))
		return 5;
	if (sq_sv_starts(path, SQ_SV("${env:")))
		return 6;
	if (path.p[0] != '%')
		return 0;
	end = sq_sv_chr(sq_sv_skip(path, 1), '%');
	return end == SIZE_MAX ? 0 : end + 2;
}

static void name_parts(struct sq_winpath *path, size_t root)
{
	struct sq_sv v = sq_sv_skip(path->path, root);
	size_t colon = sq_sv_chr(v, ':'), i;

	if (colon != SIZE_MAX) {
		path->stream = sq_sv_skip(v, colon + 1);
		v = sq_sv_first(v, colon);
	}
	for (i = v.n; i > 0 && v.p[i - 1] != '\\';)
		i--;
	path->name = path->stem = sq_sv_skip(v, i);
	if (sq_sv_eq(path->name, SQ_SV("..")) || sq_sv_eq(path->name, SQ_SV("."))) {
		path->name = path->stem = sq_sv_first(path->name, 0);
		return;
	}
	for (i = path->name.n; i > 0 && path->name.p[i - 1] != '.';)
		i--;
	if (i > 0) {
		path->extension = sq_sv_skip(path->name, i);
		path->stem = sq_sv_first(path->name, i - 1);
	}
}

static void look_at_share(struct sq_winpath *path)
{
	struct sq_sv v = sq_sv_skip(path->path, 2);
	size_t at;

	path->host = sq_sv_cut(&v, '\\');
	at = sq_sv_chr(path->host, '@');
	if (sq_sv_eq(sq_sv_cut(&v, '\\'), SQ_SV("davwwwroot")))
		path->flags |= SQ_WINPATH_WEBDAV;
	if (at != SIZE_MAX && at + 1 < path->host.n &&
	    (sq_is_digit(path->host.p[at + 1]) ||
	     sq_sv_starts(sq_sv_skip(path->host, at), SQ_SV("@ssl"))))
		path->flags |= SQ_WINPATH_WEBDAV;
}

static enum sq_place place_of(const struct sq_winpath *path, enum root root)
{
	struct sq_sv rest = path->path;

	if (root == ROOT_DEVICE || root == ROOT_DEVICE_NAME)
		return SQ_PLACE_DEVICE;
	if (path->stream.p)
		return SQ_PLACE_STREAM;
	if (root == ROOT_SHARE)
		return path->flags & SQ_WINPATH_LOOPBACK ? SQ_PLACE_UNKNOWN : SQ_PLACE_REMOTE;
	if (root == ROOT_DRIVE)
		return sq_winpath_drive_place(path);
	if (root == ROOT_DRIVE_ONLY)
		return path->path.p[0] == 'c' ? SQ_PLACE_UNKNOWN : SQ_PLACE_OTHER_DRIVE;
	if (variable_length(rest))
		return SQ_PLACE_UNKNOWN;
	if (sq_sv_chr(rest, '\\') != SIZE_MAX || !path->name.n)
		return SQ_PLACE_RELATIVE;
	return sq_winpath_is_system_library(path->name) ? SQ_PLACE_BARE_SYSTEM : SQ_PLACE_BARE;
}

static bool fold_url(struct sq_arena *arena, struct sq_sv text, struct sq_winpath *ret)
{
	char *out = sq_arena_bytes(arena, text.n);

	if (!out)
		return false;
	for (size_t i = 0; i < text.n; i++)
		out[i] = (char)sq_lower((unsigned char)text.p[i]);
	ret->path = (struct sq_sv){ out, text.n };
	ret->place = SQ_PLACE_URL;
	return true;
}

bool sq_winpath_fold(struct sq_arena *arena, struct sq_sv text, struct sq_winpath *ret)
{
	struct walk w = { 0 };
	char *flat;
	size_t n;
	bool separated;

	*ret = (struct sq_winpath){ .path = text, .place = SQ_PLACE_UNKNOWN };
	if (text.n > SQ_WINPATH_MAX) {
		text.n = SQ_WINPATH_MAX;
		w.flags |= SQ_WINPATH_CUT;
	}
	text = sq_sv_trim(text);
	if (!text.n) {
		ret->path = text;
		ret->place = SQ_PLACE_NONE;
		return true;
	}
	if (sq_winpath_is_url(text))
		return fold_url(arena, text, ret);
	flat = sq_winpath_flatten(arena, text, &w.flags, &n);
	if (!flat)
		return false;
	w.out = sq_arena_bytes(arena, n + ROOM);
	if (!w.out)
		return false;
	w.cap = n + ROOM;
	w.rest = sq_sv_trim((struct sq_sv){ flat, n });
	if (sq_winpath_is_url(w.rest)) {
		ret->flags = w.flags;
		return fold_url(arena, w.rest, ret);
	}
	separated = sq_sv_chr(w.rest, '\\') != SIZE_MAX;
	while (!take_root(&w, flat))
		continue;
	if (w.root == ROOT_SHARE)
		take_loopback(&w);
	write_root(&w);
	while (w.rest.n)
		add(&w, next_component(&w));
	finish(&w, separated);

	sq_arena_trim(arena, w.out + w.n);
	ret->path = (struct sq_sv){ w.out, w.n };
	ret->flags = w.flags;
	name_parts(ret, w.root == ROOT_NONE   ? variable_length(ret->path)
	                : w.root < ROOT_SHARE ? 2
	                                      : w.base);
	if (w.root == ROOT_SHARE)
		look_at_share(ret);
	ret->place = place_of(ret, w.root);
	return true;
}
