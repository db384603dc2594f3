/* Where a path of Windows leads, whatever way it is written.
 *
 * Pure: no file system is asked. The drive of Windows is taken to be C:, its folders to be where
 * they are by default, environment names to mean what they mean by default.
 */
#pragma once

#include "lib/base/arena.h"

/* clang-format off */
/** X(enumerator, name, what it means). The names are values of the fields squibly.*_place. */
#define SQ_PLACES(X)                                                                               \
	X(NONE,          "none",          "no path at all")                                            \
	X(PROGRAM_FILES, "program_files", "below Program Files or Program Files (x86) of C:")          \
	X(OTHER_PROGRAM_FILES, "other_program_files", "in a folder of Program Files or Program Files (x86) of another drive, which may be an image that somebody made") \
	X(SYSTEM,        "system",        "below System32, SysWOW64 or WinSxS, without the folders there that everybody may write") \
	X(WINDOWS,       "windows",       "elsewhere below C:\\Windows where only administrators write") \
	X(VENDOR,        "vendor",        "a library of Teams, OneDrive, WebEx or Defender in the folder where it belongs") \
	X(USER_WRITABLE, "user_writable", "a folder in which an ordinary user may write: profiles, ProgramData, Temp, Tasks ...") \
	X(REMOTE,        "remote",        "a share or a WebDAV folder of another machine")             \
	X(OTHER_DRIVE,   "other_drive",   "a drive other than C:, outside the folders above")          \
	X(ROOT,          "root",          "C:, in no folder that Windows knows")                       \
	X(STREAM,        "stream",        "an alternate data stream")                                  \
	X(DEVICE,        "device",        "a device path: GLOBALROOT, a shadow copy, a volume, a pipe") \
	X(URL,           "url",           "a URL, not a path")                                         \
	X(RELATIVE,      "relative",      "relative to a folder that we do not know")                  \
	X(BARE_SYSTEM,   "bare_system",   "no folder, but the name of a library in System32 that is meant for regsvr32") \
	X(BARE,          "bare",          "no folder, any other name")                                 \
	X(UNKNOWN,       "unknown",       "begins with a short name or variable that we cannot resolve, or in the current folder of C:; or a loopback share")
/* clang-format on */

enum sq_place {
#define SQ_PLACE_ENUM(e, name, help) SQ_PLACE_##e,
	SQ_PLACES(SQ_PLACE_ENUM)
#undef SQ_PLACE_ENUM
		SQ_PLACE_N
};

/** How it was written. */
enum sq_winpath_flag {
	SQ_WINPATH_PREFIX = 1 << 0,     /* \\?\, \\.\ or \??\ in front */
	SQ_WINPATH_SHORT_NAME = 1 << 1, /* an 8.3 name, resolved or not */
	SQ_WINPATH_VARIABLE = 1 << 2,   /* an environment name, resolved or not */
	SQ_WINPATH_UNRESOLVED = 1 << 3, /* one of them is not in our tables */
	SQ_WINPATH_PARENT = 1 << 4,     /* ".." that led out of a named folder */
	SQ_WINPATH_WEBDAV = 1 << 5,     /* host@ssl, host@port or DavWWWRoot */
	SQ_WINPATH_LOOPBACK = 1 << 6,   /* a share of this very machine, resolved or not */
	SQ_WINPATH_TRAILING_BLANK = 1
	                            << 7, /* a folder whose name ends in a blank: "C:\Windows \" */
	SQ_WINPATH_CUT = 1 << 8,          /* longer than a path can be; the rest is not in it */
	SQ_WINPATH_NO_DRIVE = 1 << 9,     /* "\\a.dll": C: is what we take for its drive */
};

enum { SQ_WINPATH_MAX = 32768 /* bytes looked at; no path of Windows is longer */ };

struct sq_winpath {
	/** Lower case, '\' between components, resolved as far as can be: "c:\users\public\a.dll",
	 *  "\\host\share\a.dll", "..\a.dll", "scrobj.dll". In the arena, as all views here. */
	struct sq_sv path;
	struct sq_sv name;      /* last component, without a stream: "a.dll" */
	struct sq_sv stem;      /* name without extension: "a" */
	struct sq_sv extension; /* without the dot: "dll"; empty without one */
	struct sq_sv stream; /* after the colon: "payload.dll" of a.txt:payload.dll; else empty */
	struct sq_sv host;   /* of a share or WebDAV folder, with "@ssl" or "@port" */
	enum sq_place place;
	uint32_t flags; /* enum sq_winpath_flag */
};

/**
 * Fold the text of one path (quotes already gone). Folding `path` again gives the same path and
 * place. A URL is left as it is, in lower case.
 *
 * @return false when the arena was full: `path` is then `text`, place unknown, everything else
 * empty
 */
bool sq_winpath_fold(struct sq_arena *arena, struct sq_sv text, struct sq_winpath *ret);

/** Does it lie in a place that the current directory of its process decides on: "a.dll",
 * "..\a.dll", "e:a.dll", "\a.dll"? */
bool sq_winpath_is_relative(const struct sq_winpath *path);

/**
 * Say where such a path leads from `folder`, the current directory as an event tells of it.
 *
 * @return false, and `*ret` as it was, when `folder` does not say it: it is no folder of a drive, a
 * share or a device, or of another drive than the path's; or the arena was full
 */
bool sq_winpath_join(struct sq_arena *arena, struct sq_sv folder, const struct sq_winpath *path,
                     struct sq_winpath *ret);

/** Is this the file `stem` (lower case, "scrobj"), written with or without ".dll", or by the short
 *  name that it could have ("scrobj~1")? */
bool sq_winpath_names(const struct sq_winpath *path, struct sq_sv stem);

/** Is `name` ("shell32.dll" or "shell32", lower case) a System32 library meant for regsvr32? */
bool sq_winpath_is_system_library(struct sq_sv name);

/** "user_writable"; never NULL. */
const char *sq_place_name(enum sq_place place);
