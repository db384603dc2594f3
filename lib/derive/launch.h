/* Commands inside commands: what a launcher (cmd, powershell, schtasks ...) is told to start, and
 * what a task, a service, a registry value or a script holds for later.
 *
 * Shells take carets, quotes and variables away before regsvr32 sees anything, so the text is made
 * plain first; what cannot be resolved is told as "variable". Looked for are a regsvr32 command and
 * what it would do, and arguments that only regsvr32 takes when its name is not to be seen. The
 * bare mention of a name counts for nothing but itself.
 */
#pragma once

#include "lib/derive/process.h"

/* clang-format off */
/** X(enumerator, name, what it means). The names are the values of squibly.launch.carries. */
#define SQ_CARRIES(X)                                                                              \
	X(REGSVR32,      "regsvr32",               "regsvr32 with anything behind it")             \
	X(URL,           "regsvr32_url",           "regsvr32 with a URL behind /i or as its library") \
	X(UNC,           "regsvr32_unc",           "regsvr32 with a share or WebDAV folder of another machine") \
	X(SCROBJ,        "regsvr32_scrobj",        "regsvr32 with scrobj and /i, /n or a variable")   \
	X(USER_WRITABLE, "regsvr32_user_writable", "regsvr32 with a path in a user-writable place")   \
	X(STREAM,        "regsvr32_stream",        "regsvr32 with a stream or a device path")         \
	X(ODD_DRIVE,     "regsvr32_odd_drive",     "regsvr32 with a path on a drive other than C: and D:, or on a share of this machine") \
	X(ODD_FILE,      "regsvr32_odd_file",      "regsvr32 with a file that no library is: a picture, a text, or a bare name without extension") \
	X(URL_SCROBJ,    "url_scrobj",             "an i-switch with a URL or share beside scrobj, without the name regsvr32 before it") \
	X(PATH_SCROBJ,   "path_scrobj",            "an i-switch with a path beside scrobj, without that name before it") \
	X(CARET_NAME,    "caret_name",             "a caret, backtick, quote or plus sign inside the word regsvr32 or scrobj") \
	X(VARIABLE,      "variable",               "a variable of the shell beside scrobj or an i-switch with a URL") \
	X(SCRIPT_URL,    "script_url",             "a script: moniker with a URL")                    \
	X(SCROBJ_PATH,   "scrobj",                 "nothing but the path of scrobj, as in a COM registration")
/* clang-format on */

enum sq_carries {
#define SQ_CARRIES_ENUM(e, name, help) SQ_CARRIES_##e,
	SQ_CARRIES(SQ_CARRIES_ENUM)
#undef SQ_CARRIES_ENUM
		SQ_CARRIES_N
};

/** Sets squibly.launch.* from the command line of a launcher. */
sq_program_fn sq_launch_derive;

/** Sets squibly.launch.* from a command stored in `raw`, which may be a task's XML, or a PowerShell
 *  script, where a line end may end a command. In a command line it ends nothing. Of all but
 *  scripts squibly.stored.command tells the whole.
 *  @return tricks (enum sq_trick as bits) seen on the way */
uint32_t sq_launch_stored(struct sq_event *ev, struct sq_arena *arena, struct sq_sv raw,
                          bool is_script);
