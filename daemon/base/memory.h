/* What the process has freed goes back to the system. */
#pragma once

#include <stdint.h>

/** Now and then, from the main loop: when much lies free in the heap, between what is in use, its
 *  pages are given back. Takes milliseconds when there is something to give. */
void sqd_memory_trim(uint64_t now_ms);
