/* The input over UDP and unix sockets of datagrams: one record a datagram, GELF's compressed and
 * chunked ones among them.
 */
#pragma once

#include "daemon/flow/input.h"

extern const struct sqd_input_ops sqd_input_udp;

/** What its option table fills. */
struct sqd_input_udp_cfg {
	char *listen;
	char *socket_mode;       /* of the file of a unix socket, octal */
	uint64_t max_record;     /* bytes, unpacked */
	uint64_t max_datagram;   /* bytes, as received */
	uint64_t receive_buffer; /* bytes; 0 = the kernel's choice */
	uint32_t gelf_messages;  /* chunked messages put together at one time */
	uint64_t gelf_memory;    /* bytes of all their chunks */
};
