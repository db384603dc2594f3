/* What rundll32 is asked to do: "library,entry arguments".
 */
#pragma once

#include "lib/derive/process.h"

/** Sets the fields squibly.rundll32.*. */
sq_program_fn sq_rundll32_derive;
