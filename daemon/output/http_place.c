/* Where requests go: the configured URL and its alternates. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/output/http_out.h"

static const struct sqd_http_cfg *cfg_of(const struct sqd_http_out *o)
{
	return o->base.cfg;
}

static size_t n_places(const struct sqd_http_out *o)
{
	return 1 + cfg_of(o)->alternates.n;
}

static const char *url_of(const struct sqd_http_out *o, size_t place)
{
	return place ? cfg_of(o)->alternates.list[place - 1] : cfg_of(o)->url;
}

/* Nobody is there, or a gateway says that nobody is behind it. */
static bool is_away(const struct sqd_http_answer *a)
{
	return a->status == 0 || (a->status >= 502 && a->status <= 504);
}

bool sqd_http_place_next(struct sqd_http_out *o, const struct sqd_http_answer *a)
{
	size_t n = n_places(o);

	o->tried = is_away(a) ? o->tried + 1 : 0;
	if (!o->tried || n == 1)
		return false;
	o->place = (o->place + 1) % n;
	o->stale = true; /* aims at it, before the next request */
	o->tried %= n;
	return o->tried;
}

void sqd_http_place_works(struct sqd_http_out *o)
{
	o->tried = 0;
	if (o->place != o->place_worked)
		sqd_log_limited(&o->log_limit, SQD_LOG_NOTICE, "%s: connected to %s", o->base.name,
		                o->place_shown);
	o->place_worked = o->place;
}

/* NULL: no memory */
static char *whole_url(const char *url, const char *path)
{
	size_t n = strlen(url);
	char *whole;

	while (*path && n && url[n - 1] == '/')
		n--;
	return asprintf(&whole, "%.*s%s", (int)n, url, path) < 0 ? NULL : whole;
}

int sqd_http_out_aim(struct sqd_http_out *o, const char *path, const char *const *headers,
                     const struct sqd_http_login *login, struct sq_err *err)
{
	const struct sqd_http_cfg *cfg = cfg_of(o);
	bool shows_secret = login;
	struct sqd_http_url url;
	size_t n_own = 0;
	const char **all;
	char *whole;
	int r = sqd_http_url_read(url_of(o, o->place), &url, err);

	if (r < 0)
		return r;
	for (; headers[n_own]; n_own++)
		shows_secret |= sq_sv_starts(sq_sv_of(headers[n_own]), SQ_SV("Authorization:"));
	if (shows_secret && o->plain && o->place == o->place_worked)
		sqd_log(SQD_LOG_WARNING,
		        "%s: the secret goes over the network as plain text; use https",
		        o->base.name);
	all = calloc(n_own + cfg->headers.n + 2, sizeof(*all));
	whole = all ? whole_url(url_of(o, o->place), path) : NULL;
	if (whole) {
		struct sqd_http_target to = { .url = whole,
			                      .headers = all,
			                      .proxy = cfg->proxy,
			                      .login = login,
			                      .tls = &cfg->tls,
			                      .connect_ms = cfg->connect_timeout,
			                      .request_ms = cfg->request_timeout };

		for (size_t i = 0; i < n_own; i++)
			all[i] = headers[i];
		for (size_t i = 0; i < cfg->headers.n; i++)
			all[n_own + i] = cfg->headers.list[i];
		if (cfg->gzip)
			all[n_own + cfg->headers.n] = "Content-Encoding: gzip";
		r = sqd_http_client_aim(o->client, &to, err);
	} else {
		r = sq_err_set(err, -ENOMEM, "out of memory");
	}
	if (r == 0) {
		o->aimed_at = o->place;
		memcpy(o->place_shown, url.shown, sizeof(o->place_shown));
	}
	free(whole);
	free(all);
	return r;
}

int sqd_http_places_check(struct sqd_http_out *o, struct sq_err *err)
{
	const struct sqd_http_cfg *cfg = cfg_of(o);
	struct sqd_http_url url;
	bool tls = false;

	for (size_t i = n_places(o); i-- > 0;) { /* the first names us */
		int r = sqd_http_url_read(url_of(o, i), &url, err);

		if (r < 0)
			return sq_err_wrap(err, r, "%s output: %s", o->base.ops->kind,
			                   i ? "alternates" : "url");
		tls |= url.tls;
		o->plain |= !url.tls;
	}
	snprintf(o->base.name, sizeof(o->base.name), "%s %s", o->base.ops->kind, url.shown);
	for (size_t i = 0; i < cfg->headers.n; i++)
		if (sqd_http_header_check(cfg->headers.list[i], err) < 0)
			return sq_err_wrap(err, -EINVAL, "%s: headers", o->base.name);
	if (tls && !cfg->tls.verify)
		sqd_log(SQD_LOG_WARNING, "%s: tls_verify is off: anybody may pose as it",
		        o->base.name);
	return 0;
}
