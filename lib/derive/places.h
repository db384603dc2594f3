/* Where the arguments of a program lead: for programs that load or run what they are given, and
 * whose arguments deserve no model of their own.
 */
#pragma once

#include "lib/derive/process.h"

/** Sets squibly.argument_place. */
sq_program_fn sq_places_derive;
