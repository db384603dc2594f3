/* A table of open addresses: a peer is found from the place of its hash on, up to the first free
 * one. Nobody can choose addresses that meet there, since the hash is keyed.
 */
#include "daemon/input/peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#include "lib/base/siphash.h"

struct place {
	struct sqd_peer who;
	uint32_t n; /* connections; 0: free */
};

struct sqd_peers {
	pthread_mutex_t lock; /* guards places[] */
	struct sq_siphash_key key;
	uint32_t each;
	size_t mask; /* number of places, a power of two, less one */
	struct place places[];
};

struct sqd_peers *sqd_peers_new(uint32_t connections, uint32_t each)
{
	size_t n = 8;
	struct sqd_peers *p;

	while (n < 2 * (size_t)connections) /* half of them stay free: searches are short */
		n *= 2;
	p = calloc(1, sizeof(*p) + n * sizeof(p->places[0]));
	if (!p)
		return NULL;
	p->mask = n - 1;
	p->each = each;
	if (uv_random(NULL, NULL, &p->key, sizeof(p->key), 0, NULL) < 0)
		p->key.k[0] = uv_hrtime();
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void sqd_peers_free(struct sqd_peers *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* @return false: it has no address */
static bool peer_of(const struct sockaddr_storage *sa, struct sqd_peer *ret)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)sa;

	*ret = (struct sqd_peer){ 0 };
	if (sa->ss_family == AF_INET) {
		ret->address[10] = ret->address[11] = 0xff;
		memcpy(ret->address + 12, &four->sin_addr, 4);
		return true;
	}
	if (sa->ss_family != AF_INET6)
		return false;
	memcpy(ret->address, &six->sin6_addr, sizeof(ret->address));
	if (IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
		ret->scope = six->sin6_scope_id;
	return true;
}

static bool same(const struct sqd_peer *a, const struct sqd_peer *b)
{
	return memcmp(a->address, b->address, sizeof(a->address)) == 0 && a->scope == b->scope;
}

static size_t home_of(const struct sqd_peers *p, const struct sqd_peer *who)
{
	struct sq_siphash h;
	uint64_t hash[2];

	sq_siphash_begin(&h, &p->key);
	sq_siphash_put(&h, (struct sq_sv){ (const char *)who->address, sizeof(who->address) });
	sq_siphash_put_number(&h, who->scope);
	sq_siphash_end(&h, hash);
	return hash[0] & p->mask;
}

/* Where it is, or would be. */
static size_t find(const struct sqd_peers *p, const struct sqd_peer *who)
{
	size_t i = home_of(p, who);

	while (p->places[i].n && !same(&p->places[i].who, who))
		i = (i + 1) & p->mask;
	return i;
}

bool sqd_peers_add(struct sqd_peers *p, const struct sockaddr_storage *sa, struct sqd_peer *ret)
{
	struct place *at;

	if (!p || !peer_of(sa, ret)) {
		*ret = (struct sqd_peer){ 0 };
		return true;
	}
	pthread_mutex_lock(&p->lock);
	at = &p->places[find(p, ret)];
	if (at->n < p->each) {
		at->who = *ret;
		at->n++;
		ret->counted = true;
	}
	pthread_mutex_unlock(&p->lock);
	return ret->counted;
}

/* The place `i` is free: who stands behind it because of that is moved up. */
static void close_gap(struct sqd_peers *p, size_t i)
{
	for (size_t k = (i + 1) & p->mask; p->places[k].n; k = (k + 1) & p->mask) {
		size_t home = home_of(p, &p->places[k].who);

		/* It is found from its home on, so it may not be moved to before that. */
		if (((k - home) & p->mask) < ((k - i) & p->mask))
			continue;
		p->places[i] = p->places[k];
		p->places[k].n = 0;
		i = k;
	}
}

void sqd_peers_drop(struct sqd_peers *p, struct sqd_peer *who)
{
	size_t i;

	if (!who->counted)
		return;
	who->counted = false;
	pthread_mutex_lock(&p->lock);
	i = find(p, who);
	sq_assert(p->places[i].n);
	if (--p->places[i].n == 0)
		close_gap(p, i);
	pthread_mutex_unlock(&p->lock);
}
