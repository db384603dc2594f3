/* What is to become of what is written to a spool; see mortal.c. */
#pragma once

/** From now on, counting from 1 again: "eio:1+", "full:3". Kept until the next; "" is nothing. */
void mortal_set(const char *what);

/** Calls that were counted since then, if anything was to become of one. */
unsigned mortal_calls(void);
