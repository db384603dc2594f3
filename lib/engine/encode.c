#include "lib/engine/encode.h"

enum { HOST_MAX = 255 }; /* bytes of a host's name beside an alert, as in DNS */

/* Write the text of slot `slot` of `ref`. @return false: it does not fit */
static bool write_text(struct sq_batch *b, struct sq_alert_ref *ref, unsigned slot,
                       const struct sq_alert *al)
{
	size_t at = b->out.len;

	sq_alert_write(&b->out, (enum sq_format)(slot % SQ_FORMATS), al);
	if (b->out.failed || b->out.len > UINT32_MAX)
		return false;
	ref->text[slot].at = (uint32_t)at;
	ref->text[slot].n = (uint32_t)(b->out.len - at);
	return true;
}

/* The text is too long for a datagram, and whoever can pad a command line could hide like that: say
 * less, until it fits. @return as write_text() */
static bool write_short(struct sq_batch *b, struct sq_alert_ref *ref, enum sq_format f,
                        const struct sq_alert *al)
{
	static const uint32_t value_max[] = { 0, 8192, SQ_ENCODE_SMALL };
	struct sq_alert less = *al;
	size_t at = b->out.len;

	less.without_original = true;
	less.shared = NULL;
	for (size_t i = 0; i < SQ_LEN(value_max); i++) {
		if (value_max[i] && (!al->value_max || value_max[i] < al->value_max))
			less.value_max = value_max[i];
		sq_outbuf_cut(&b->out, at);
		if (!write_text(b, ref, SQ_FORMATS + f, &less))
			return false;
		if (ref->text[SQ_FORMATS + f].n <= SQ_DATAGRAM_TEXT)
			break;
	}
	return true;
}

static void write_host(struct sq_outbuf *out, const struct sq_event *ev,
                       struct sq_encode_host *host)
{
	struct sq_sv name = sq_sv_first(sq_event_get(ev, SQ_F_COMPUTER), HOST_MAX);

	if (host->written)
		return;
	host->at = (uint32_t)out->len;
	host->n = (uint32_t)name.n;
	host->written = true;
	sq_outbuf_put(out, name);
}

bool sq_encode(struct sq_batch *b, const struct sq_pipeline_opts *opts, const struct sq_alert *al,
               struct sq_encode_host *host)
{
	struct sq_alert_ref *ref;

	if (!opts->formats)
		return true;
	if (b->n_alerts == b->cap_alerts)
		return false;
	if (b->out.len > UINT32_MAX)
		return false;
	write_host(&b->out, al->event, host);
	ref = &b->alerts[b->n_alerts];
	*ref = (struct sq_alert_ref){
		.level = (uint8_t)al->rule->level,
		.id = { al->id[0], al->id[1] },
		.host = { host->at, host->n },
	};
	sq_alert_fold_key(al, ref->fold_key);
	for (unsigned f = 0; f < SQ_FORMATS; f++) {
		if (!(opts->formats & 1u << f))
			continue;
		if (!write_text(b, ref, f, al))
			return false;
		if (opts->datagram_formats & 1u << f && ref->text[f].n > SQ_DATAGRAM_TEXT &&
		    !write_short(b, ref, (enum sq_format)f, al))
			return false;
	}
	b->n_alerts++;
	return true;
}
