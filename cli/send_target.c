#include <stdlib.h>

#include "cli/send.h"

/* HOST:PORT apart, in place; `port`: when it names none. */
static int split(char *text, const char *port, struct send_target *ret)
{
	char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
	uint64_t n;

	if (colon && bracket && colon < bracket)
		colon = NULL;
	if (!colon && !port)
		return cli_usage("send", "'%s' is not HOST:PORT", text);
	if (colon) {
		if (colon == text || !colon[1])
			return cli_usage("send", "'%s' is not HOST:PORT", text);
		*colon = '\0';
		port = colon + 1;
	}
	if (sq_is_digit(port[0]) && (!sq_sv_to_u64(sq_sv_of(port), &n) || n < 1 || n > 65535))
		return cli_usage("send", "'%s': a port is a number from 1 to 65535", port);
	ret->port = port;
	ret->host = text;
	if (text[0] == '[' && text[strlen(text) - 1] == ']') {
		text[strlen(text) - 1] = '\0';
		ret->host = text + 1;
	} else if (strchr(text, ':')) {
		return cli_usage("send", "write an IPv6 address in brackets: [%s]:%s", text, port);
	}
	return ret->host[0] ? CLI_OK : cli_usage("send", "there is no host before ':%s'", port);
}

static int read_url(char *rest, bool tls, struct send_target *ret)
{
	char *slash = strchr(rest, '/');

	ret->url = true;
	ret->url_tls = tls;
	if (slash && slash[1]) { /* a lone '/' leaves the choice to --path */
		ret->http_path = strdup(slash);
		if (!ret->http_path)
			return cli_fail("out of memory");
	}
	if (slash)
		*slash = '\0';
	return split(rest, tls ? "443" : "80", ret);
}

int send_target_read(char *text, struct send_target *ret)
{
	struct sq_sv v = sq_sv_of(text);

	*ret = (struct send_target){ 0 };
	if (sq_sv_starts(v, SQ_SV("unix:"))) {
		ret->local = true;
		ret->host = "localhost";
		ret->path = text + 5;
		return ret->path[0] ? CLI_OK : cli_usage("send", "unix: needs a path");
	}
	if (sq_sv_istarts(v, SQ_SV("http://")))
		return read_url(text + 7, false, ret);
	if (sq_sv_istarts(v, SQ_SV("https://")))
		return read_url(text + 8, true, ret);
	return split(text, NULL, ret);
}
