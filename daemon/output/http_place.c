/* Where requests go: the configured URL and its alternates. */
#include <errno.h>
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

uint64_t sqd_http_asked_for(const struct sqd_http_answer *a)
{
	return a->retry_after_ms < SQD_HTTP_ASKED_MAX_MS ? a->retry_after_ms
	                                                 : SQD_HTTP_ASKED_MAX_MS;
}

/* How long it is to be left alone yet. Near the end there will be no later. */
static uint64_t peace_ms(const struct sqd_http_out *o, size_t place)
{
	uint64_t until = o->places[place].not_before_ms, now = uv_now(o->base.loop);

	return !o->insists && until > now ? until - now : 0;
}

/* In their order from the one behind this; this one: there is no other. */
static size_t next_of_round(const struct sqd_http_out *o)
{
	size_t n = n_places(o), k;

	for (k = (o->place + 1) % n; k != o->place; k = (k + 1) % n)
		if (o->places[k].round != o->round && !peace_ms(o, k))
			break;
	return k;
}

/* The first that may be asked. */
static size_t first_of_next_round(const struct sqd_http_out *o)
{
	size_t n = n_places(o), best = (o->place + 1) % n;

	for (size_t k = best, i = 0; i < n; i++, k = (k + 1) % n)
		if (peace_ms(o, k) < peace_ms(o, best))
			best = k;
	return best;
}

void sqd_http_place_answered(struct sqd_http_out *o, const struct sqd_http_answer *a)
{
	o->round += !is_away(a);
}

bool sqd_http_place_next(struct sqd_http_out *o, const struct sqd_http_answer *a, const char *why,
                         uint64_t *ret_ms)
{
	struct sqd_http_place *here = &o->places[o->place];
	size_t next;

	*ret_ms = sqd_http_asked_for(a);
	if (n_places(o) == 1 || !is_away(a))
		return false;
	here->round = o->round;
	here->not_before_ms = uv_now(o->base.loop) + *ret_ms;
	o->stale = true; /* aims at the one that is chosen, before the next request */
	next = next_of_round(o);
	if (next == o->place) {
		o->round++;
		o->place = first_of_next_round(o);
		*ret_ms = peace_ms(o, o->place);
		return false;
	}
	/* An outage is that none is there: it has told of one already. */
	if (!o->base.outage.since.wall_us)
		sqd_log_limited(&o->log_limit, SQD_LOG_WARNING, "%s: %s: %s; asking the next",
		                o->base.name, o->place_shown, why);
	o->place = next;
	o->places[next].round = o->round; /* it is its turn, also when it cannot be aimed at */
	return true;
}

void sqd_http_place_works(struct sqd_http_out *o)
{
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
	if (shows_secret && o->plain && !o->plain_told)
		sqd_log(SQD_LOG_WARNING,
		        "%s: the secret goes over the network as plain text; use https",
		        o->base.name);
	o->plain_told |= shows_secret;
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

int sqd_http_places_init(struct sqd_http_out *o, struct sq_err *err)
{
	const struct sqd_http_cfg *cfg = cfg_of(o);
	struct sqd_http_url url;
	bool tls = false;

	o->round = 1;
	o->places = calloc(n_places(o), sizeof(*o->places));
	if (!o->places)
		return sq_err_set(err, -ENOMEM, "%s output: out of memory", o->base.ops->kind);

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
