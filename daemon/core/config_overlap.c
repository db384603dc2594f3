/* What two entries of the configuration may not share: an address, a folder, a file; and outputs
 * that send to an input of ours. */
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/base/address.h"
#include "daemon/core/config_private.h"

/* ---- addresses ----------------------------------------------------------------------------- */

static in_port_t port_of(const struct sqd_addr *a)
{
	if (a->sa.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->sa)->sin_port;
	return ((const struct sockaddr_in6 *)&a->sa)->sin6_port;
}

static bool is_any(const struct sqd_addr *a)
{
	if (a->sa.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

static bool is_loopback(const struct sqd_addr *a)
{
	if (a->sa.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

/* Is there an address that is of both? A port that the kernel chooses is of none. */
static bool overlap(const struct sqd_addr *a, const struct sqd_addr *b)
{
	bool local = a->sa.ss_family == AF_UNIX;

	if (local != (b->sa.ss_family == AF_UNIX))
		return false;
	if (!local && (port_of(a) != port_of(b) || !port_of(a)))
		return false;
	if (!local && (a->both || b->both))
		return true;
	if (a->sa.ss_family != b->sa.ss_family)
		return false;
	return (!local && (is_any(a) || is_any(b))) ||
	       (a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0);
}

/* Can both be there? UDP and TCP have ports of their own; the file of a unix socket is one. */
static bool may_share(const struct sqd_config_item *a, const struct sqd_config_item *b,
                      const struct sqd_addr *addr)
{
	bool udp_a = strcmp(a->input_ops->kind, "udp") == 0;
	bool udp_b = strcmp(b->input_ops->kind, "udp") == 0;
	const struct sockaddr_un *un = (const struct sockaddr_un *)&addr->sa;

	return udp_a != udp_b && (addr->sa.ss_family != AF_UNIX || !un->sun_path[0]);
}

/* What systemd has bound it may have bound to one device each. */
static bool is_passed(const struct sqd_config_item *item)
{
	return item->input->socket && item->input->socket[0];
}

static void blame_two(const struct sqd_config_place *at, const struct sq_yaml *map,
                      const struct sqd_config_item *a, const struct sqd_config_item *b)
{
	const char *on_a = sqd_config_text(a, "listen"), *on_b = sqd_config_text(b, "listen");
	struct sq_err where = { 0 };

	if (strcmp(on_a, on_b) == 0)
		(void)sq_err_set(&where, 0, "%s", on_a);
	else
		(void)sq_err_set(&where, 0, "%s and %s, which overlap", on_a, on_b);
	if (a->input_ops == b->input_ops)
		sq_diag_add(at->diags, SQ_DIAG_ERROR, at->file, map->line, map->col,
		            "two inputs of type %s listen on %s", a->input_ops->kind, where.text);
	else
		sq_diag_add(at->diags, SQ_DIAG_ERROR, at->file, map->line, map->col,
		            "two inputs, of type %s and %s, listen on %s", a->input_ops->kind,
		            b->input_ops->kind, where.text);
}

void sqd_config_check_twice(const struct sqd_config_place *at, const struct sq_yaml *map,
                            const struct sqd_config_list *inputs,
                            const struct sqd_config_item *item)
{
	const char *listen = sqd_config_text(item, "listen");
	struct sqd_addr here, there;

	if (!listen || sqd_addr_parse(listen, &here, NULL) < 0)
		return;
	for (const struct sqd_config_item *k = inputs->items; k < item; k++) {
		const char *other = sqd_config_text(k, "listen");

		if (!k->input_ops || !other || sqd_addr_parse(other, &there, NULL) < 0 ||
		    !overlap(&here, &there) || may_share(k, item, &here))
			continue;
		if (strcmp(other, listen) == 0 || (!is_passed(k) && !is_passed(item)))
			blame_two(at, map, k, item);
	}
}

/* ---- places on disk ------------------------------------------------------------------------- */

/* Where `path` leads; its last part need not be there. */
static bool resolve(const char *path, char to[PATH_MAX])
{
	char folder[PATH_MAX];
	size_t n = strlen(path), begin, len;

	if (realpath(path, to))
		return true;
	while (n > 1 && path[n - 1] == '/')
		n--;
	for (begin = n; begin && path[begin - 1] != '/';)
		begin--;
	if (begin >= sizeof(folder))
		return false;
	memcpy(folder, path, begin);
	folder[begin] = '\0';
	if (!realpath(begin ? folder : ".", to))
		return false;
	len = strlen(to);
	return (size_t)snprintf(to + len, PATH_MAX - len, "/%.*s", (int)(n - begin), path + begin) <
	       PATH_MAX - len;
}

bool sqd_config_same_place(const char *a, const char *b)
{
	char real_a[PATH_MAX], real_b[PATH_MAX];

	return strcmp(a, b) == 0 ||
	       (resolve(a, real_a) && resolve(b, real_b) && strcmp(real_a, real_b) == 0);
}

/* What these are, who starts the daemon says: another thing than for who looks at the configuration
 * in a shell. */
static bool is_inherited(struct sq_sv path)
{
	return sq_sv_eq(path, SQ_SV("/dev/stdout")) || sq_sv_eq(path, SQ_SV("/dev/stderr")) ||
	       sq_sv_starts(path, SQ_SV("/dev/fd/")) || sq_sv_starts(path, SQ_SV("/proc/self/fd/"));
}

/* Pipes and devices may be written by many; of a file one would move away, or mend, what the other
 * is writing. */
static bool is_exclusive(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || S_ISREG(st.st_mode);
}

static void check_file(const struct sqd_config *cfg, const struct sqd_config_item *item,
                       const struct sqd_config_item *end, const struct sqd_config_place *at)
{
	const char *path = sqd_config_text(item, "path");

	if (path && is_inherited(sq_sv_of(path)))
		return;
	for (const struct sqd_config_item *k = cfg->outputs.items; path && k < end; k++) {
		const char *other = sqd_config_text(k, "path");

		if (!other || is_inherited(sq_sv_of(other)) ||
		    !sqd_config_same_place(other, path) || !is_exclusive(path))
			continue;
		sqd_config_blame(item, at, SQ_DIAG_ERROR, "path: another output has this file");
		return;
	}
}

/* ---- loops ---------------------------------------------------------------------------------- */

/* Of an input that listens everywhere only the loopback is known to be ours. */
static bool is_ours(const struct sqd_config_item *in, const struct sqd_addr *peer)
{
	const char *listen = sqd_config_text(in, "listen");
	struct sqd_addr here;

	return listen && sqd_addr_parse(listen, &here, NULL) == 0 && here.sa.ss_family != AF_UNIX &&
	       overlap(&here, peer) && (!is_any(&here) || is_loopback(peer));
}

static void check_peer(const struct sqd_config *cfg, const struct sqd_config_item *item,
                       const struct sqd_config_place *at, const char *key, const char *address)
{
	bool udp = strcmp(item->output_ops->kind, "udp") == 0;
	char host[256], port[8], text[280];
	struct sqd_addr peer;
	struct sq_err err = { 0 };

	if (sqd_addr_split(address, host, port, NULL) < 0)
		return;
	(void)snprintf(text, sizeof(text), "127.0.0.1:%s", port);
	if (sqd_addr_parse(strcmp(host, "localhost") == 0 ? text : address, &peer, NULL) < 0)
		return; /* names are looked up when they are needed */
	for (size_t i = 0; i < cfg->inputs.n; i++) {
		const struct sqd_config_item *in = &cfg->inputs.items[i];

		if (udp != (strcmp(in->input_ops->kind, "udp") == 0) || !is_ours(in, &peer))
			continue;
		(void)sq_err_set(&err, 0,
		                 "%s: an input of our own, of type %s, listens on %s: what is sent "
		                 "comes in again",
		                 key, in->input_ops->kind, address);
		sqd_config_blame(item, at, SQ_DIAG_WARNING, err.text);
		return;
	}
}

static void check_loops(const struct sqd_config *cfg, const struct sqd_config_item *item,
                        const struct sqd_config_place *at)
{
	const struct sq_opt_strs *alternates = sqd_config_texts(item, "alternates");
	const char *address = sqd_config_text(item, "address");

	if (address)
		check_peer(cfg, item, at, "address", address);
	for (size_t i = 0; address && alternates && i < alternates->n; i++)
		check_peer(cfg, item, at, "alternates", alternates->list[i]);
}

void sqd_config_check_overlap(const struct sqd_config *cfg, const struct sqd_config_place *at)
{
	for (size_t i = 0; i < cfg->outputs.n; i++) {
		const struct sqd_config_item *item = &cfg->outputs.items[i];

		check_file(cfg, item, item, at);
		check_loops(cfg, item, at);
	}
	if (cfg->dead_letter.table)
		check_file(cfg, &cfg->dead_letter, cfg->outputs.items + cfg->outputs.n, at);
}
