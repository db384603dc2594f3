/* Shared by winpath_text.c (variables), winpath.c (how a path is written), winpath_place.c (where
 * it leads) and winpath_tables.c. */
#pragma once

#include "lib/derive/winpath.h"

/** Is it a URL: a scheme of two letters or more, a colon, and a slash of either kind? */
bool sq_winpath_is_url(struct sq_sv text);

/** `text` in lower case, with '\\' for '/', blanks for control characters, and the environment
 * names that we know expanded; in the arena, to be written over. Adds to `*flags`. NULL: no memory.
 */
char *sq_winpath_flatten(struct sq_arena *arena, struct sq_sv text, uint32_t *flags, size_t *ret_n);

/** What an environment name stands for by default, or an empty view. `name` is lower case. */
struct sq_sv sq_winpath_variable(struct sq_sv name);

/** The long form of an 8.3 name of a folder in the root of C:, or an empty view. */
struct sq_sv sq_winpath_long_name(struct sq_sv name);

/** Has it the form of a name that the file system made: "progra~1", "micros~2.con"? */
bool sq_winpath_is_short_name(struct sq_sv name);

/** The place of a path with a drive, "c:\..." in its final form. */
enum sq_place sq_winpath_drive_place(const struct sq_winpath *path);
