#include "lib/wire/hec.h"

#include <errno.h>

#include "lib/wire/peek.h"

enum sq_hec_path sq_hec_path(struct sq_sv path)
{
	static const struct {
		const char *path;
		enum sq_hec_path is;
	} paths[] = {
		{ "", SQ_HEC_EVENT },
		{ "/event", SQ_HEC_EVENT },
		{ "/event/1.0", SQ_HEC_EVENT },
		{ "/raw", SQ_HEC_RAW },
		{ "/raw/1.0", SQ_HEC_RAW },
		{ "/health", SQ_HEC_HEALTH },
		{ "/health/1.0", SQ_HEC_HEALTH },
		{ "/ack", SQ_HEC_ACK },
	};
	const struct sq_sv root = SQ_SV("/services/collector");

	if (!sq_sv_starts(path, root))
		return SQ_HEC_NOT;
	path = sq_sv_skip(path, root.n);
	if (path.n && path.p[path.n - 1] == '/')
		path.n--;
	for (size_t i = 0; i < SQ_LEN(paths); i++) {
		if (sq_sv_eq(path, sq_sv_of(paths[i].path)))
			return paths[i].is;
	}
	return SQ_HEC_NOT;
}

static const struct {
	enum sq_hec_code code;
	int status;
	const char *text;
} codes[] = {
	{ SQ_HEC_SUCCESS, 200, "Success" },
	{ SQ_HEC_TOKEN_REQUIRED, 401, "Token is required" },
	{ SQ_HEC_INVALID_AUTHORIZATION, 401, "Invalid authorization" },
	{ SQ_HEC_INVALID_TOKEN, 403, "Invalid token" },
	{ SQ_HEC_NO_DATA, 400, "No data" },
	{ SQ_HEC_INVALID_FORMAT, 400, "Invalid data format" },
	{ SQ_HEC_BUSY, 503, "Server is busy" },
	{ SQ_HEC_CHANNEL_MISSING, 400, "Data channel is missing" },
	{ SQ_HEC_CHANNEL_INVALID, 400, "Invalid data channel" },
	{ SQ_HEC_EVENT_REQUIRED, 400, "Event field is required" },
	{ SQ_HEC_EVENT_BLANK, 400, "Event field cannot be blank" },
	{ SQ_HEC_ACK_DISABLED, 400, "ACK is disabled" },
	{ SQ_HEC_HEALTHY, 200, "HEC is healthy" },
};

static size_t row_of(enum sq_hec_code code)
{
	size_t i = 0;

	while (codes[i].code != code)
		sq_assert(++i < SQ_LEN(codes));
	return i;
}

int sq_hec_status(enum sq_hec_code code)
{
	return codes[row_of(code)].status;
}

void sq_hec_answer(struct sq_outbuf *out, enum sq_hec_code code, int64_t number)
{
	sq_outbuf_printf(out, "{\"text\":\"%s\",\"code\":%d", codes[row_of(code)].text, (int)code);
	if (number >= 0)
		sq_outbuf_printf(out, ",\"invalid-event-number\":%lld", (long long)number);
	sq_outbuf_putc(out, '}');
}

/* Is there anything in it? */
static bool is_blank(struct sq_sv value)
{
	return sq_sv_eq(value, SQ_SV("\"\"")) || sq_sv_eq(value, SQ_SV("null"));
}

/* Looked at to the end: of what is cut off the answer says so, whatever a rule found in it. */
static enum sq_hec_code judge(struct sq_sv rec)
{
	enum sq_hec_code code = SQ_HEC_EVENT_REQUIRED;
	struct sq_sv key, value;
	struct sq_peek p;
	int r;

	if (!sq_peek_begin(&p, rec))
		return SQ_HEC_INVALID_FORMAT;
	while ((r = sq_peek_next(&p, &key, &value)) == 1)
		if (sq_sv_eq(key, SQ_SV("event")))
			code = is_blank(value) ? SQ_HEC_EVENT_BLANK : SQ_HEC_SUCCESS;
	return r < 0 ? SQ_HEC_INVALID_FORMAT : code;
}

int sq_hec_next(void *hec, struct sq_sv in, bool eof, size_t *ret_used, struct sq_sv *ret_rec)
{
	struct sq_hec *h = hec;
	int r = sq_frame_next(&h->frame, in, eof, ret_used, ret_rec);
	enum sq_hec_code code = r == 1 ? judge(*ret_rec) : SQ_HEC_SUCCESS;

	if (code != SQ_HEC_SUCCESS && h->code == SQ_HEC_SUCCESS) {
		h->code = code;
		h->wrong = h->events;
	}
	h->events += r == 1 || r == -EMSGSIZE;
	return r;
}

bool sq_hec_is_channel(struct sq_sv v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = sq_lower((unsigned char)v.p[i]);

		if (!sq_is_digit((char)c) && c != '-' && !(c >= 'a' && c <= 'z'))
			return false;
	}
	return v.n > 0 && v.n <= 64;
}

/* {"acks":[...]}: the inside of the list. */
static int find_acks(struct sq_sv *body)
{
	struct sq_sv key, value;
	struct sq_peek p;
	int r;

	if (!sq_peek_begin(&p, *body))
		return -EBADMSG;
	while ((r = sq_peek_next(&p, &key, &value)) == 1) {
		if (!sq_sv_eq(key, SQ_SV("acks")) || value.n < 2 || value.p[0] != '[')
			continue;
		*body = sq_sv_trim((struct sq_sv){ value.p + 1, value.n - 2 });
		return 0;
	}
	return -EBADMSG;
}

int sq_hec_ack_next(struct sq_sv *body, bool *began, uint64_t *ret_id)
{
	struct sq_sv id;

	if (!*began && find_acks(body) < 0)
		return -EBADMSG;
	*began = true;
	if (body->n == 0)
		return 0;
	id = sq_sv_trim(sq_sv_cut(body, ','));
	if (id.n == 0 || !sq_is_digit(id.p[0]) || !sq_sv_to_u64(id, ret_id))
		return -EBADMSG;
	return 1;
}
