#include "lib/engine/event_id.h"

#include <endian.h>

#include "lib/base/siphash.h"

/* What is hashed begins with one of these, so that a name of one kind is none of another. */
enum kind { OF_RECORD = 1, OF_CONTENT, OF_ALERT, OF_REPEATS };

enum { HOST_MAX = 256 }; /* bytes; DNS allows 255 */

static void begin(struct sq_siphash *h, enum kind kind)
{
	/* "squiblyd" and "event-id", little endian. */
	static const struct sq_siphash_key key = { { 0x64796c6269757173u, 0x64692d746e657665u } };

	sq_siphash_begin(h, &key);
	sq_siphash_put_number(h, kind);
}

/* Zero means that there is none. */
static void end(struct sq_siphash *h, uint64_t ret[2])
{
	sq_siphash_end(h, ret);
	if (!sq_id_known(ret))
		ret[1] = 1;
}

static void put_host(struct sq_siphash *h, struct sq_sv host)
{
	char lower[HOST_MAX];

	host = sq_sv_first(host, sizeof(lower));
	for (size_t i = 0; i < host.n; i++)
		lower[i] = (char)sq_lower((unsigned char)host.p[i]);
	sq_siphash_put_text(h, (struct sq_sv){ lower, host.n });
}

/* Last, and left out when there is none, so that the names of events without one are what they
 * always were. */
static void put_tenant(struct sq_siphash *h, struct sq_sv tenant)
{
	if (tenant.n)
		sq_siphash_put_text(h, tenant);
}

void sq_event_id_of_bytes(struct sq_sv host, struct sq_sv bytes, struct sq_sv tenant,
                          uint64_t ret[2])
{
	struct sq_siphash h;

	begin(&h, OF_CONTENT);
	put_host(&h, host);
	sq_siphash_put_text(&h, sq_sv_trim(bytes));
	put_tenant(&h, tenant);
	end(&h, ret);
}

void sq_event_id(const struct sq_event *ev, struct sq_sv tenant, uint64_t ret[2])
{
	static const enum sq_field rest[] = { SQ_F_PROVIDER, SQ_F_TIME, SQ_F_EVENT_ID,
		                              SQ_F_COMMAND_LINE };
	struct sq_sv host = sq_event_get(ev, SQ_F_COMPUTER);
	struct sq_sv channel = sq_event_get(ev, SQ_F_CHANNEL);
	struct sq_sv record = sq_event_get(ev, SQ_F_RECORD_ID);
	struct sq_siphash h;

	if (!host.n || !channel.n || !record.n) {
		sq_event_id_of_bytes(host, ev->raw, tenant, ret);
		return;
	}
	begin(&h, OF_RECORD);
	put_host(&h, host);
	sq_siphash_put_text(&h, channel);
	sq_siphash_put_text(&h, record);
	for (size_t i = 0; i < SQ_LEN(rest); i++)
		sq_siphash_put_text(&h, sq_event_get(ev, rest[i]));
	put_tenant(&h, tenant);
	end(&h, ret);
}

void sq_alert_id(const uint64_t event[2], const struct sq_rule *rule, const struct sq_event *ev,
                 const struct sq_hit *hit, uint64_t ret[2])
{
	struct sq_sv command_line = sq_event_get(ev, SQ_F_COMMAND_LINE);
	struct sq_siphash h;

	begin(&h, OF_ALERT);
	sq_siphash_put_number(&h, event[0]);
	sq_siphash_put_number(&h, event[1]);
	sq_siphash_put_text(&h, rule->id.n ? rule->id : rule->title);
	for (uint32_t i = 0; i < hit->n_matched; i++) {
		/* The command line is in the event's name already, and long. */
		if (!sq_sv_eq(hit->matched[i].value, command_line))
			sq_siphash_put_text(&h, hit->matched[i].value);
	}
	end(&h, ret);
}

void sq_repeats_id(const uint64_t last[2], uint64_t n, uint64_t ret[2])
{
	struct sq_siphash h;

	begin(&h, OF_REPEATS);
	sq_siphash_put_number(&h, last[0]);
	sq_siphash_put_number(&h, last[1]);
	sq_siphash_put_number(&h, n);
	end(&h, ret);
}

/* Eight digits at once, one byte each: spread the nibbles, then add '0', or what makes 'a' of ten.
 */
static void put_digits(uint32_t v, char to[8])
{
	uint64_t d = v, letters;

	d = (d << 16 | d) & UINT64_C(0x0000ffff0000ffff);
	d = (d << 8 | d) & UINT64_C(0x00ff00ff00ff00ff);
	d = (d << 4 | d) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	letters = (d + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
	d += UINT64_C(0x3030303030303030) + letters * ('a' - 10 - '0');
	d = htobe64(d);
	memcpy(to, &d, sizeof(d));
}

void sq_id_format(const uint64_t id[2], char to[SQ_ID_TEXT])
{
	for (unsigned i = 0; i < 2; i++) {
		put_digits((uint32_t)(id[i] >> 32), to + (size_t)16 * i);
		put_digits((uint32_t)id[i], to + (size_t)16 * i + 8);
	}
}
