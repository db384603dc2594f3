/* What can be known of inputs, outputs and the control socket before anything is opened.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/base/listen.h"
#include "daemon/base/network.h"
#include "daemon/core/config_private.h"

enum { TENANT_MAX = 64 }; /* bytes of a name */

static void complain(const struct sqd_config_place *at, const struct sq_yaml *node,
                     const char *text, struct sq_sv what)
{
	sq_diag_add(at->diags, SQ_DIAG_ERROR, at->file, node ? node->line : 0, node ? node->col : 0,
	            "%s%.*s", text, SQ_SV_ARG(what));
}

static uint64_t option_ms(const struct sqd_config_item *item, const char *key)
{
	const struct sq_opt *o = sqd_config_row(item, key);

	if (!o || o->type != SQ_OPT_MSEC)
		return 0;
	return *(const uint64_t *)(const void *)((const char *)item->common + o->offset);
}

static void check_retries(const struct sqd_config_place *at, const struct sq_yaml *map,
                          const struct sqd_config_item *item)
{
	const struct sq_yaml *node = sq_yaml_get(map, "retry_max");

	if (option_ms(item, "retry_min") > option_ms(item, "retry_max"))
		complain(at, node ? node : sq_yaml_get(map, "retry_min"),
		         "retry_max is less than retry_min", SQ_SV(""));
}

void sqd_config_check_path(const struct sqd_config_place *at, const struct sq_yaml *map,
                           const struct sqd_config_item *item)
{
	const char *path = sqd_config_text(item, "path");

	if (path && !path[0])
		complain(at, sq_yaml_get(map, "path"), "path: is empty", SQ_SV(""));
}

/* Files that hold next to nothing would be all that a small slip leaves. */
static void check_rotation(const struct sqd_config_place *at, const struct sq_yaml *map,
                           const struct sqd_config_item *item)
{
	uint64_t interval = option_ms(item, "rotate_interval");
	const struct sq_opt *size = sqd_config_row(item, "rotate_size");
	uint64_t bytes = 0;

	if (size)
		memcpy(&bytes, (const char *)item->common + size->offset, sizeof(bytes));
	if (bytes && bytes < 1 << 20)
		complain(at, sq_yaml_get(map, "rotate_size"), "rotate_size: is less than 1MiB",
		         SQ_SV(""));
	if (interval && interval < 60000)
		complain(at, sq_yaml_get(map, "rotate_interval"),
		         "rotate_interval: is less than a minute", SQ_SV(""));
}

/* One that is sent to. */
static void check_peer(const struct sqd_config_place *at, const struct sqd_config_item *item,
                       const char *key, const char *address)
{
	struct sq_err err = { 0 };
	char host[256], port[8];

	if (sqd_addr_split(address, host, port, &err) >= 0) {
		if (strcmp(host, "*") != 0 && strtoul(port, NULL, 10) != 0)
			return;
		sq_err_set(&err, -EINVAL, "nothing can be sent to %s", address);
	}
	sq_err_wrap(&err, -EINVAL, "%s", key);
	sqd_config_blame(item, at, SQ_DIAG_ERROR, err.text);
}

/* What can be known of an address before anything is opened. */
static void check_addresses(const struct sqd_config_place *at, const struct sq_yaml *map,
                            const struct sqd_config_item *item)
{
	const char *listen = sqd_config_text(item, "listen");
	const char *address = sqd_config_text(item, "address");
	const struct sq_opt_strs *alternates = sqd_config_texts(item, "alternates");
	struct sq_err err = { 0 };
	struct sqd_addr addr;

	if (listen && sqd_addr_parse(listen, &addr, &err) < 0) {
		const struct sq_yaml *node = sq_yaml_get(map, "listen");

		complain(at, node ? node : map, "listen: ", sq_sv_of(err.text));
	}
	if (address)
		check_peer(at, item, "address", address);
	for (size_t i = 0; address && alternates && i < alternates->n; i++)
		check_peer(at, item, "alternates", alternates->list[i]);
}

/* Who may connect, and who is believed. */
static void check_listener(const struct sqd_config_place *at, const struct sq_yaml *map,
                           const struct sqd_config_item *item)
{
	const struct sq_opt_strs *proxies = sqd_config_texts(item, "proxy_from");
	const char *mode = sqd_config_text(item, "socket_mode");
	struct sqd_network network;
	struct sq_err err = { 0 };
	mode_t bits;

	if (mode && sqd_socket_mode_parse(mode, &bits, &err) < 0)
		complain(at, sq_yaml_get(map, "socket_mode"), "socket_mode: ", sq_sv_of(err.text));
	for (size_t i = 0; proxies && i < proxies->n; i++)
		if (sqd_network_parse(proxies->list[i], &network, &err) < 0)
			complain(at, sq_yaml_get(map, "proxy_from"),
			         "proxy_from: ", sq_sv_of(err.text));
}

static void check_tls(const struct sqd_config_place *at, const struct sqd_config_item *item,
                      bool input)
{
	struct sq_err err = { 0 };

	if (sqd_config_wants_tls(item, input, &err) < 0)
		sqd_config_blame(item, at, SQ_DIAG_ERROR, err.text);
}

/* Of an output alone. */
static void check_output(const struct sqd_config_place *at, const struct sq_yaml *map,
                         const struct sqd_config_item *item)
{
	struct sq_err err = { 0 };

	if (item->output_ops->check(item->cfg, false, &err) < 0)
		sqd_config_blame(item, at, SQ_DIAG_ERROR, err.text);
	sqd_config_check_url(at, map, item);
	sqd_config_check_forward(at, map, item->output);
}

/* What is told in every format, so nothing that one of them would have to escape. */
static void check_tenant(const struct sqd_config_place *at, const struct sq_yaml *map,
                         const struct sqd_config_item *item)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	const char *name = item->input->tenant;
	size_t n = name ? strlen(name) : 0;

	if (!name || (n && n <= TENANT_MAX && strspn(name, allowed) == n))
		return;
	complain(at, sq_yaml_get(map, "tenant"),
	         "tenant: a name of 1 to 64 letters, digits, '.', '_' and '-' is expected",
	         SQ_SV(""));
}

/* Not even one record would come by. */
static void check_rate(const struct sqd_config_place *at, const struct sq_yaml *map,
                       const struct sqd_config_item *item)
{
	if (item->input->max_rate && item->input->max_rate < 1024)
		complain(at, sq_yaml_get(map, "max_rate"), "max_rate: is less than 1KiB a second",
		         SQ_SV(""));
}

void sqd_config_check_item(const struct sqd_config_place *at, const struct sq_yaml *map,
                           const struct sqd_config_item *item, bool input)
{
	check_addresses(at, map, item);
	check_listener(at, map, item);
	check_tls(at, item, input);
	if (input) {
		check_tenant(at, map, item);
		check_rate(at, map, item);
	} else {
		check_output(at, map, item);
	}
	check_retries(at, map, item);
	sqd_config_check_path(at, map, item);
	check_rotation(at, map, item);
}

void sqd_config_check_control(const struct sqd_config_place *at, const struct sq_yaml *map,
                              const struct sqd_config *cfg)
{
	const struct sq_yaml *path = sq_yaml_get(map, "path"), *mode = sq_yaml_get(map, "mode");
	struct sq_err err = { 0 };
	char where[256];
	struct sqd_addr addr;
	mode_t bits;

	if (cfg->control_mode && sqd_socket_mode_parse(cfg->control_mode, &bits, &err) < 0)
		complain(at, mode, "control: mode: ", sq_sv_of(err.text));
	if (!cfg->control_path || !cfg->control_path[0])
		return;
	(void)snprintf(where, sizeof(where), "unix:%s", cfg->control_path);
	if (cfg->control_path[0] != '/')
		complain(at, path,
		         "control: path: a path begins with /: ", sq_sv_of(cfg->control_path));
	else if (sqd_addr_parse(where, &addr, &err) < 0)
		complain(at, path, "control: path: ", sq_sv_of(err.text));
}
