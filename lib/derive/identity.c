#include "lib/derive/identity.h"

enum home {
	SQ_HOME_SYSTEM,  /* System32, SysWOW64 and the stores that Windows copies them from */
	SQ_HOME_WINDOWS, /* C:\Windows itself, too */
	SQ_HOME_LOOSE,   /* anywhere where only administrators write */
	SQ_HOME_ANY,
};

struct known {
	struct sq_sv program;
	enum home home;
	const char *below;    /* folder below System32 where it lies; NULL: there itself */
	const char *original; /* OriginalFileName, lower case, when it is not the name */
};

/* clang-format off */
static const struct known programs[] = {
	{ SQ_SV("regsvr32.exe"),        SQ_HOME_SYSTEM },
	{ SQ_SV("rundll32.exe"),        SQ_HOME_SYSTEM },
	{ SQ_SV("cmd.exe"),             SQ_HOME_SYSTEM },
	{ SQ_SV("powershell.exe"),      SQ_HOME_SYSTEM, "\\windowspowershell\\v1.0" },
	{ SQ_SV("pwsh.exe"),            SQ_HOME_ANY, NULL, "pwsh.dll" },
	{ SQ_SV("mshta.exe"),           SQ_HOME_SYSTEM },
	{ SQ_SV("wscript.exe"),         SQ_HOME_SYSTEM },
	{ SQ_SV("cscript.exe"),         SQ_HOME_SYSTEM },
	{ SQ_SV("wmic.exe"),            SQ_HOME_SYSTEM, "\\wbem" },
	{ SQ_SV("schtasks.exe"),        SQ_HOME_SYSTEM, NULL, "sctasks.exe" },
	{ SQ_SV("sc.exe"),              SQ_HOME_SYSTEM },
	{ SQ_SV("reg.exe"),             SQ_HOME_SYSTEM },
	{ SQ_SV("at.exe"),              SQ_HOME_SYSTEM },
	{ SQ_SV("ftp.exe"),             SQ_HOME_SYSTEM },
	{ SQ_SV("winrs.exe"),           SQ_HOME_SYSTEM },
	{ SQ_SV("pcalua.exe"),          SQ_HOME_SYSTEM },
	{ SQ_SV("forfiles.exe"),        SQ_HOME_SYSTEM },
	{ SQ_SV("conhost.exe"),         SQ_HOME_SYSTEM },
	{ SQ_SV("bitsadmin.exe"),       SQ_HOME_SYSTEM },
	{ SQ_SV("certutil.exe"),        SQ_HOME_SYSTEM },
	{ SQ_SV("msiexec.exe"),         SQ_HOME_SYSTEM },
	{ SQ_SV("odbcconf.exe"),        SQ_HOME_SYSTEM },
	{ SQ_SV("cmstp.exe"),           SQ_HOME_SYSTEM },
	{ SQ_SV("control.exe"),         SQ_HOME_SYSTEM },
	{ SQ_SV("msdt.exe"),            SQ_HOME_SYSTEM },
	{ SQ_SV("mavinject.exe"),       SQ_HOME_SYSTEM, NULL, "mavinject64.exe" },
	{ SQ_SV("presentationhost.exe"), SQ_HOME_SYSTEM },
	{ SQ_SV("verclsid.exe"),        SQ_HOME_SYSTEM },
	{ SQ_SV("certoc.exe"),          SQ_HOME_SYSTEM },
	{ SQ_SV("wuauclt.exe"),         SQ_HOME_SYSTEM },
	{ SQ_SV("infdefaultinstall.exe"), SQ_HOME_SYSTEM },
	{ SQ_SV("register-cimprovider.exe"), SQ_HOME_SYSTEM },
	{ SQ_SV("xwizard.exe"),         SQ_HOME_SYSTEM },
	{ SQ_SV("runas.exe"),           SQ_HOME_SYSTEM },
	{ SQ_SV("explorer.exe"),        SQ_HOME_WINDOWS },
	{ SQ_SV("hh.exe"),              SQ_HOME_WINDOWS },
	{ SQ_SV("msbuild.exe"),         SQ_HOME_LOOSE },
	{ SQ_SV("installutil.exe"),     SQ_HOME_LOOSE },
	{ SQ_SV("regasm.exe"),          SQ_HOME_LOOSE },
	{ SQ_SV("regsvcs.exe"),         SQ_HOME_LOOSE },
	{ SQ_SV("ieexec.exe"),          SQ_HOME_LOOSE },
};

/* Imports of genuine builds of regsvr32: Windows 10 (17763 and 18362, 64 bit; 17763 and 14393, 32
 * bit) and Windows 7 (32 bit). */
static const char *const imphashes[] = {
	"0235ff9a007804882636bcccfb4d1a2f",
	"99bbf1337f3da5cfab67854df4ade1d8",
	"d053774a49ba83ff54c68888cb687c6c",
	"a2dad36bd73280726da578eb659d0583",
};

/* Stores that Windows keeps or unpacks its own files in, each copy in a folder of its own. */
static const char *const stores[] = {
	"c:\\windows\\winsxs\\", "c:\\windows\\softwaredistribution\\", "c:\\windows\\servicing\\",
	"c:\\$windows.~bt\\", "c:\\$winreagent\\", "c:\\windows.old\\windows\\system32\\",
	"c:\\windows.old\\windows\\syswow64\\", "\\device\\harddiskvolume",
};
/* clang-format on */

static const struct known *find_program(struct sq_sv name)
{
	for (size_t i = 0; i < SQ_LEN(programs); i++) {
		struct sq_sv known = programs[i].program;

		if (known.n == name.n &&
		    sq_lower((unsigned char)name.p[0]) == (unsigned char)known.p[0] &&
		    sq_sv_ieq(name, known))
			return &programs[i];
	}
	return NULL;
}

static const struct known *by_original(struct sq_sv name)
{
	const struct known *k;

	name = sq_sv_trim(name);
	if (name.n > 4 && sq_sv_iends(name, SQ_SV(".mui")))
		name = sq_sv_trim(sq_sv_first(name, name.n - 4));
	if (name.n < 4)
		return NULL;
	k = find_program(name);
	for (size_t i = 0; !k && i < SQ_LEN(programs); i++)
		if (programs[i].original && sq_sv_ieq(name, sq_sv_of(programs[i].original)))
			k = &programs[i];
	return k;
}

/* Does one of `field`'s values say so? All count: a second key hides nothing. */
static bool any_value(const struct sq_event *ev, uint32_t field, bool says(struct sq_sv))
{
	for (const struct sq_value *v = &ev->values[field]; v; v = sq_event_next(ev, v))
		if (v->kind >= SQ_VALUE_TEXT && v->n && says(sq_value_sv(v)))
			return true;
	return false;
}

static const struct sq_sv register_server = SQ_SV("Microsoft(C) Register Server");

static bool is_register_server(struct sq_sv description)
{
	return sq_sv_ieq(sq_sv_trim(description), register_server);
}

static bool has_imphash(struct sq_sv hashes)
{
	const struct sq_sv name = SQ_SV("IMPHASH=");
	size_t at = hashes.n - name.n - 32;

	/* Sysmon writes it last. */
	if (hashes.n < name.n + 32 || !sq_sv_istarts(sq_sv_skip(hashes, at), name))
		at = sq_sv_ifind(hashes, name);
	if (at == SIZE_MAX)
		return false;
	hashes = sq_sv_first(sq_sv_skip(hashes, at + name.n), 32);
	for (size_t i = 0; i < SQ_LEN(imphashes); i++)
		if (sq_sv_ieq(hashes, sq_sv_of(imphashes[i])))
			return true;
	return false;
}

static const struct known *by_resource(const struct sq_event *ev)
{
	const struct sq_value *v = &ev->values[SQ_F_ORIGINAL_FILE_NAME];

	for (; v; v = sq_event_next(ev, v)) {
		const struct known *k =
			v->kind >= SQ_VALUE_TEXT ? by_original(sq_value_sv(v)) : NULL;

		if (k)
			return k;
	}
	if (any_value(ev, SQ_F_DESCRIPTION, is_register_server) ||
	    any_value(ev, SQ_F_HASHES, has_imphash))
		return &programs[0];
	return NULL;
}

static bool in_stores(struct sq_sv path)
{
	for (size_t i = 0; i < SQ_LEN(stores); i++)
		if (sq_sv_starts(path, sq_sv_of(stores[i])) &&
		    sq_sv_find(path, SQ_SV("shadowcopy")) == SIZE_MAX)
			return true;
	return false;
}

static bool in_system(struct sq_sv folder, const char *below)
{
	static const char *const systems[] = { "c:\\windows\\system32", "c:\\windows\\syswow64",
		                               "c:\\windows\\sysnative", "c:\\windows\\sysarm32" };
	struct sq_sv rest = sq_sv_of(below ? below : "");

	for (size_t i = 0; i < SQ_LEN(systems); i++) {
		struct sq_sv s = sq_sv_of(systems[i]);

		if (sq_sv_starts(folder, s) && sq_sv_eq(sq_sv_skip(folder, s.n), rest))
			return true;
	}
	return false;
}

static bool is_moved(const struct known *k, const struct sq_winpath *image)
{
	struct sq_sv path = image->path, folder;

	/* Without a folder nobody can say; and some producers write only the name. */
	if (k->home == SQ_HOME_ANY || image->place == SQ_PLACE_BARE ||
	    image->place == SQ_PLACE_BARE_SYSTEM || path.n <= image->name.n)
		return false;
	if (image->flags & SQ_WINPATH_TRAILING_BLANK)
		return true;
	if (k->home == SQ_HOME_LOOSE)
		return image->place != SQ_PLACE_SYSTEM && image->place != SQ_PLACE_WINDOWS &&
		       image->place != SQ_PLACE_PROGRAM_FILES &&
		       image->place != SQ_PLACE_OTHER_PROGRAM_FILES;
	folder = sq_sv_first(path, path.n - image->name.n - 1);
	if (in_stores(path) || in_system(folder, k->below))
		return false;
	return k->home != SQ_HOME_WINDOWS ||
	       !(sq_sv_eq(folder, SQ_SV("c:\\windows")) || in_system(folder, NULL));
}

/* How many bytes from the front are a name that needs no resolving. */
static size_t plain_name(struct sq_sv v)
{
	size_t n = 0;

	while (n < v.n && ((v.p[n] >= 'a' && v.p[n] <= 'z') || sq_is_digit(v.p[n]) ||
	                   v.p[n] == '-' || v.p[n] == '_'))
		n++;
	return n;
}

/* "c:\windows\system32\cmd.exe" and its like: the most images by far, and nothing to resolve. */
static bool is_plain(struct sq_sv image, struct sq_winpath *ret)
{
	static const struct {
		struct sq_sv folder;
		enum sq_place place;
		bool deeper; /* what lies in its folders is no different */
	} folders[] = {
		{ SQ_SV("c:\\windows\\system32\\windowspowershell\\v1.0\\"), SQ_PLACE_SYSTEM,
		  false },
		{ SQ_SV("c:\\windows\\system32\\wbem\\"), SQ_PLACE_SYSTEM, false },
		{ SQ_SV("c:\\windows\\system32\\"), SQ_PLACE_SYSTEM, false },
		{ SQ_SV("c:\\windows\\syswow64\\"), SQ_PLACE_SYSTEM, false },
		{ SQ_SV("c:\\windows\\"), SQ_PLACE_WINDOWS, false },
		{ SQ_SV("c:\\program files\\"), SQ_PLACE_PROGRAM_FILES, true },
		{ SQ_SV("c:\\program files (x86)\\"), SQ_PLACE_PROGRAM_FILES, true },
	};

	for (size_t i = 0; i < SQ_LEN(folders); i++) {
		struct sq_sv name = sq_sv_skip(image, folders[i].folder.n);
		size_t n;

		if (!sq_sv_starts(image, folders[i].folder))
			continue;
		/* Names of folders may hold blanks, as long as they do not end in one. */
		while (n = plain_name(name),
		       folders[i].deeper && n && n + 1 < name.n &&
		               (name.p[n] == '\\' || (name.p[n] == ' ' && name.p[n + 1] != '\\')))
			name = sq_sv_skip(name, n + 1);
		if (n == 0 || !sq_sv_eq(sq_sv_skip(name, n), SQ_SV(".exe")))
			return false;
		while (name.p[-1] != '\\') { /* back over the blanks of the last name */
			name.p--;
			name.n++;
			n++;
		}
		*ret = (struct sq_winpath){ .path = image,
			                    .name = name,
			                    .stem = { name.p, n },
			                    .extension = sq_sv_skip(name, n + 1),
			                    .place = folders[i].place };
		return true;
	}
	return false;
}

void sq_image_fold(struct sq_arena *arena, struct sq_sv image, struct sq_winpath *ret)
{
	if (!is_plain(image, ret))
		(void)sq_winpath_fold(arena, image, ret);
}

void sq_identity_find(const struct sq_event *ev, struct sq_arena *arena, struct sq_sv image,
                      bool is_start, struct sq_identity *ret)
{
	const struct known *original = is_start ? by_resource(ev) : NULL, *named;

	*ret = (struct sq_identity){ 0 };
	sq_image_fold(arena, image, &ret->image);
	named = find_program(ret->image.name);
	ret->program = original ? original->program : ret->image.name;
	/* A file called like one program of Windows that is another is both in disguise. */
	ret->renamed = original && image.n && original != named;
	if (original || named)
		ret->moved = is_moved(original ? original : named, &ret->image);
}

bool sq_identity_sign(struct sq_sv program, size_t i, struct sq_sv *ret)
{
	const struct known *k = program.n ? find_program(program) : NULL;

	if (!k)
		return false;
	if (i < 2) {
		*ret = i || !k->original ? k->program : sq_sv_of(k->original);
		return true;
	}
	if (k != &programs[0] || i - 2 > SQ_LEN(imphashes))
		return false;
	*ret = i == 2 ? register_server : sq_sv_of(imphashes[i - 3]);
	return true;
}
