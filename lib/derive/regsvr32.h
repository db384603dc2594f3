/* What regsvr32 is asked to do: its switches, the value of /i, the libraries.
 *
 * Read as the program reads it: '-' or '/', of which only the first letter behind counts; what is
 * no switch is a library; order is free, several libraries are taken. Nothing is dropped.
 */
#pragma once

#include "lib/derive/process.h"

/** Sets the fields squibly.regsvr32.*. */
sq_program_fn sq_regsvr32_derive;

/** Sets squibly.regsvr32.shape: arguments that look like those of Squiblydoo, whatever the program
 *  calls itself. For a renamed regsvr32 in a log that does not say what it is. */
sq_program_fn sq_regsvr32_shape;
