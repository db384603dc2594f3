/* What outputs over HTTP say of where requests go, and what they may hold. */
#include "daemon/core/config_private.h"
#include "daemon/output/http_client.h"

void sqd_config_check_url(const struct sqd_config_place *at, const struct sq_yaml *map,
                          const struct sqd_config_item *item)
{
	const char *url = sqd_config_text(item, "url");
	const char *proxy = sqd_config_text(item, "proxy");
	const struct sq_opt_strs *alternates = sqd_config_texts(item, "alternates");
	const struct sq_opt_strs *headers = sqd_config_texts(item, "headers");
	struct sqd_http_url parts;
	struct sq_err err = { 0 };

	if (url && sqd_http_url_read(url, &parts, &err) < 0)
		sqd_config_complain(at, map, "url", err.text);
	for (size_t i = 0; url && alternates && i < alternates->n; i++)
		if (sqd_http_url_read(alternates->list[i], &parts, &err) < 0)
			sqd_config_complain(at, map, "alternates", err.text);
	if (url && proxy && *proxy && sqd_http_proxy_check(proxy, &err) < 0)
		sqd_config_complain(at, map, "proxy", err.text);
	for (size_t i = 0; url && headers && i < headers->n; i++)
		if (sqd_http_header_check(headers->list[i], &err) < 0)
			sqd_config_complain(at, map, "headers", err.text);
	if (item->output_ops->json && item->output->format != SQ_FORMAT_JSON &&
	    item->output->format != SQ_FORMAT_OCSF)
		sqd_config_complain(at, map, "format", "this kind of output takes JSON alone");
}
