/* A library that a process is to load, and where its current directory says that it lies.
 */
#pragma once

#include "lib/derive/process.h"

/** Bit of sq_event.derived: what was made hangs on CurrentDirectory as well, so that another event
 *  with the same command line may say something else. */
#define SQ_DERIVED_BY_FOLDER (1u << 31)

/** What a model does with a library. */
typedef void sq_library_fn(struct sq_process *p, const struct sq_winpath *path);

/** Does a name without a folder lie where `joined` says, rather than where Windows keeps its own?
 */
typedef bool sq_bare_fn(const struct sq_process *p, const struct sq_winpath *joined);

/**
 * Fold `token`, and call `add` with it; with where it leads when it is relative and the event says
 * from which folder; once for each folder when the event names several. From a folder that is not
 * told "..\..\users\public\a.dll" leads to where everybody may write.
 *
 * @param bare  decides about a name with an extension and no folder. NULL: it is left as it is
 */
void sq_library_read(struct sq_process *p, struct sq_sv token, sq_bare_fn *bare,
                     sq_library_fn *add);
