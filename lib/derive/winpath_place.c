#include "lib/derive/winpath_private.h"

/* Folders are written without the drive and with a '\' at their end. */

/* Windows' own, where only administrators write. */
static const struct sq_sv system_folders[] = {
	SQ_SV("windows\\system32\\"),      SQ_SV("windows\\syswow64\\"),
	SQ_SV("windows\\sysarm32\\"),      SQ_SV("windows\\winsxs\\"),
	SQ_SV("windows\\microsoft.net\\"), SQ_SV("windows\\ime\\"),
	SQ_SV("windows\\help\\oem\\"),
};

/* Below System32 and its twins everybody may write here, or a service that outsiders feed. */
static const struct sq_sv open_system_folders[] = {
	SQ_SV("com\\dmp\\"),
	SQ_SV("fxstmp\\"),
	SQ_SV("tasks\\"),
	SQ_SV("tasks_migrated\\"),
	SQ_SV("spool\\drivers\\color\\"),
	SQ_SV("spool\\printers\\"),
	SQ_SV("spool\\servers\\"),
	SQ_SV("drivers\\driverdata\\"),
	SQ_SV("microsoft\\crypto\\rsa\\machinekeys\\"),
	SQ_SV("microsoft\\crypto\\dss\\machinekeys\\"),
};

/* Below C:\Windows. */
static const struct sq_sv open_windows_folders[] = {
	SQ_SV("temp\\"),         SQ_SV("tasks\\"),
	SQ_SV("tracing\\"),      SQ_SV("debug\\wia\\"),
	SQ_SV("pla\\"),          SQ_SV("registration\\crmlog\\"),
	SQ_SV("servicestate\\"), SQ_SV("serviceprofiles\\"),
	SQ_SV("systemtemp\\"),
};

/* In the root of any drive. */
static const struct sq_sv open_root_folders[] = {
	SQ_SV("users\\"),         SQ_SV("documents and settings\\"),
	SQ_SV("programdata\\"),   SQ_SV("perflogs\\"),
	SQ_SV("$recycle.bin\\"),  SQ_SV("recycler\\"),
	SQ_SV("recycled\\"),      SQ_SV("public\\"),
	SQ_SV("all users\\"),     SQ_SV("windows.old\\users\\"),
	SQ_SV("windows\\temp\\"), SQ_SV("inetpub\\temp\\"),
};

/* Anywhere but below Program Files and Windows. */
static const struct sq_sv open_folders[] = {
	SQ_SV("\\temp\\"),      SQ_SV("\\tmp\\"),     SQ_SV("\\appdata\\"),
	SQ_SV("\\downloads\\"), SQ_SV("\\desktop\\"), SQ_SV("\\$recycle.bin\\"),
};

/* A vendor's library where its installer puts it. `folder` stands anywhere below the root folder;
 * `name` is the beginning of the library's name. */
static const struct {
	struct sq_sv root, folder, name;
} vendors[] = {
	{ SQ_SV("users\\"), SQ_SV("\\appdata\\local\\microsoft\\teamsmeetingaddin\\"),
	  SQ_SV("microsoft.teams.") },
	{ SQ_SV("users\\"), SQ_SV("\\appdata\\local\\microsoft\\teamsmeetingadd-in\\"),
	  SQ_SV("microsoft.teams.") },
	{ SQ_SV("users\\"), SQ_SV("\\appdata\\local\\microsoft\\onedrive\\"),
	  SQ_SV("filesyncshell") },
	{ SQ_SV("users\\"), SQ_SV("\\appdata\\local\\microsoft\\onedrive\\"), SQ_SV("filecoauth") },
	{ SQ_SV("users\\"), SQ_SV("\\appdata\\local\\webex\\"), SQ_SV("atucfobj.dll") },
	{ SQ_SV("users\\"), SQ_SV("\\appdata\\local\\webex\\"), SQ_SV("atinst") },
	{ SQ_SV("programdata\\"), SQ_SV("\\webex\\"), SQ_SV("atucfobj.dll") },
	{ SQ_SV("programdata\\"), SQ_SV("\\microsoft\\windows defender\\platform\\"), SQ_SV("mp") },
	{ SQ_SV("programdata\\"), SQ_SV("\\microsoft\\windows defender\\platform\\"),
	  SQ_SV("protectionmanagement") },
};

static const char *const names[] = {
#define NAME(e, name, help) name,
	SQ_PLACES(NAME)
#undef NAME
};

const char *sq_place_name(enum sq_place place)
{
	sq_assert((size_t)place < SQ_LEN(names));
	return names[place];
}

static bool starts_with_any(struct sq_sv v, const struct sq_sv *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (sq_sv_starts(v, list[i]))
			return true;
	}
	return false;
}

#define IS_BELOW(v, list) starts_with_any(v, list, SQ_LEN(list))

static const struct sq_sv profiles = SQ_SV("users\\");

/* Is it the library of a vendor with that root folder? `v` begins with the '\' that ends the root:
 * "\bob\appdata\...", not "\bob\x\appdata\...". */
static bool is_vendor_below(struct sq_sv root, struct sq_sv v, struct sq_sv name)
{
	for (size_t i = 0; i < SQ_LEN(vendors); i++) {
		size_t at = sq_sv_find(v, vendors[i].folder);

		if (sq_sv_eq(root, vendors[i].root) && sq_sv_starts(name, vendors[i].name) &&
		    at != SIZE_MAX &&
		    sq_sv_chr(sq_sv_first(sq_sv_skip(v, 1), at ? at - 1 : 0), '\\') == SIZE_MAX)
			return true;
	}
	return false;
}

static bool is_vendor(struct sq_sv v, struct sq_sv name)
{
	const struct sq_sv roots[] = { profiles, SQ_SV("programdata\\") };

	for (size_t i = 0; i < SQ_LEN(roots); i++)
		if (sq_sv_starts(v, roots[i]) &&
		    is_vendor_below(roots[i], sq_sv_skip(v, roots[i].n - 1), name))
			return true;
	return false;
}

static bool has_open_folder(struct sq_sv folders)
{
	for (size_t i = 0; i < SQ_LEN(open_folders); i++) {
		if (sq_sv_find(folders, open_folders[i]) != SIZE_MAX)
			return true;
	}
	return false;
}

/* Short names below C:\Windows, and in the root of a drive, may stand for anything. */
static bool hides_folder(struct sq_sv v, bool below_windows)
{
	while (sq_sv_chr(v, '\\') != SIZE_MAX) {
		if (sq_winpath_is_short_name(sq_sv_cut(&v, '\\')))
			return true;
		if (!below_windows)
			return false;
	}
	return false;
}

static enum sq_place windows_place(struct sq_sv v, struct sq_sv name)
{
	const struct sq_sv config = SQ_SV("config"), profile = SQ_SV("\\systemprofile\\");
	struct sq_sv below = sq_sv_skip(v, SQ_SV("windows\\").n), twin = below, folder;

	if (IS_BELOW(below, open_windows_folders) ||
	    sq_sv_find(v, SQ_SV("\\temporary asp.net files\\")) != SIZE_MAX)
		return SQ_PLACE_USER_WRITABLE;
	if (hides_folder(v, true))
		return SQ_PLACE_UNKNOWN;
	folder = sq_sv_cut(&twin, '\\');
	if (sq_sv_eq(folder, SQ_SV("system32")) || sq_sv_eq(folder, SQ_SV("syswow64")) ||
	    sq_sv_eq(folder, SQ_SV("sysarm32"))) {
		if (IS_BELOW(twin, open_system_folders))
			return SQ_PLACE_USER_WRITABLE;
		/* A profile like others, in which no library of Windows lies. */
		if (sq_sv_starts(twin, config) && sq_sv_starts(sq_sv_skip(twin, config.n), profile))
			return is_vendor_below(profiles, sq_sv_skip(twin, config.n), name)
			               ? SQ_PLACE_VENDOR
			               : SQ_PLACE_USER_WRITABLE;
	}
	return IS_BELOW(v, system_folders) ? SQ_PLACE_SYSTEM : SQ_PLACE_WINDOWS;
}

/* Of another drive: a second disk of a server, or an image whose maker chose the names. Nobody
 * installs a file without a folder of its own there. */
static enum sq_place program_files_place(bool is_c, struct sq_sv below)
{
	if (is_c)
		return SQ_PLACE_PROGRAM_FILES;
	return sq_sv_chr(below, '\\') == SIZE_MAX ? SQ_PLACE_OTHER_DRIVE
	                                          : SQ_PLACE_OTHER_PROGRAM_FILES;
}

enum sq_place sq_winpath_drive_place(const struct sq_winpath *path)
{
	/* From here on without "c:\". */
	const struct sq_sv own = SQ_SV("program files\\"), x86 = SQ_SV("program files (x86)\\");
	struct sq_sv v = sq_sv_skip(path->path, 3), folders = path->path;
	bool is_c = path->path.p[0] == 'c';

	folders.n = (size_t)(path->name.p - folders.p);
	if (sq_sv_starts(v, own))
		return program_files_place(is_c, sq_sv_skip(v, own.n));
	if (sq_sv_starts(v, x86))
		return program_files_place(is_c, sq_sv_skip(v, x86.n));
	if (is_c && sq_sv_starts(v, SQ_SV("windows\\")))
		return windows_place(v, path->name);
	if (is_c &&
	    (sq_sv_starts(v, SQ_SV("$windows.~bt\\")) || sq_sv_starts(v, SQ_SV("$windows.~ws\\"))))
		return SQ_PLACE_WINDOWS;
	if (is_c && is_vendor(v, path->name))
		return SQ_PLACE_VENDOR;
	if (IS_BELOW(v, open_root_folders) || has_open_folder(folders))
		return SQ_PLACE_USER_WRITABLE;
	if (hides_folder(v, false))
		return SQ_PLACE_UNKNOWN;
	return is_c ? SQ_PLACE_ROOT : SQ_PLACE_OTHER_DRIVE;
}

bool sq_winpath_is_short_name(struct sq_sv name)
{
	struct sq_sv rest = name, base = sq_sv_cut(&rest, '.');
	size_t tilde = sq_sv_chr(base, '~');

	if (base.n > 8 || rest.n > 3 || tilde == SIZE_MAX || tilde == 0 || tilde + 1 == base.n)
		return false;
	for (size_t i = tilde + 1; i < base.n; i++) {
		if (!sq_is_digit(base.p[i]))
			return false;
	}
	return true;
}

bool sq_winpath_names(const struct sq_winpath *path, struct sq_sv stem)
{
	struct sq_sv got = path->stem;
	size_t tilde;

	if (path->extension.n && !sq_sv_eq(path->extension, SQ_SV("dll")))
		return false;
	if (sq_sv_eq(got, stem))
		return true;
	if (!sq_winpath_is_short_name(got))
		return false;
	tilde = sq_sv_chr(got, '~');
	return sq_sv_eq(sq_sv_first(got, tilde), sq_sv_first(stem, tilde)) &&
	       (tilde == stem.n || tilde == 6 || got.n == 8);
}
