/* Which program this really is, whatever its file is called.
 *
 * Windows' own programs say their name in their version resource (OriginalFileName, Description)
 * and can be told by their imports (IMPHASH); a copy under another name keeps all three. Other
 * programs are called what they call themselves: nobody gains by naming a tool of his regsvr32 in
 * the resource and something else on disk.
 */
#pragma once

#include "lib/derive/winpath.h"
#include "lib/model/event.h"

/** sq_winpath_fold() for the path of a program that runs: the same answer, sooner for the usual
 *  ones. */
void sq_image_fold(struct sq_arena *arena, struct sq_sv image, struct sq_winpath *ret);

struct sq_identity {
	struct sq_winpath image;
	struct sq_sv program; /* "regsvr32.exe"; the image's name when nothing says otherwise */
	bool renamed;         /* a program of Windows under another name */
	bool moved;           /* a program of Windows outside its folders */
};

/** `image` is one value of Image, folded by sq_fold_text(), and may be empty.
 *
 * @param is_start  the event tells of the process's start, so that OriginalFileName and its like
 * are the process's own (in an image load they are the library's) */
void sq_identity_find(const struct sq_event *ev, struct sq_arena *arena, struct sq_sv image,
                      bool is_start, struct sq_identity *ret);

/**
 * Text number `i` by which an event's resources give `program` away, or part of such a text: it
 * stands in OriginalFileName, Description or Hashes in either case when sq_identity.program is
 * `program` and the image is not called so.
 * @return false: there are no more
 */
bool sq_identity_sign(struct sq_sv program, size_t i, struct sq_sv *ret);
