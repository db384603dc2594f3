/* What the two files of a link share: link.c gets to the peer, link_io.c speaks with it. */
#pragma once

#include "daemon/output/link.h"

/** The connection is made: begin to speak; the timer of connect_timeout still runs. */
void sqd_link_io_begin(struct sqd_link *l);
/** Say what is left to say (an alert, close_notify), without waiting: the socket is closed next. */
void sqd_link_io_end(struct sqd_link *l);
/** The socket is closed: what belonged to it goes. */
void sqd_link_io_forget(struct sqd_link *l);
