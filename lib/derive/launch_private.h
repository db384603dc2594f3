/* What launch.c asks launch_path.c. */
#pragma once

#include "lib/derive/launch.h"

/** Where a text comes from. */
enum sq_launch_kind {
	SQ_LAUNCH_LINE,    /* the command line of a process */
	SQ_LAUNCH_STORED,  /* a command for later */
	SQ_LAUNCH_SCRIPT,  /* a script, whose comments are in it */
	SQ_LAUNCH_ENCODED, /* a script that was the encoded command of a line */
};

/** What the paths and file names in the plain text of regsvr32's arguments say, as bits
 *  (1 << enum sq_carries). Takes nothing from the arena for good. */
uint32_t sq_launch_libraries(struct sq_arena *arena, struct sq_sv args, enum sq_launch_kind kind);
