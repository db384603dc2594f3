#include "lib/wire/syslog.h"

#include "lib/base/time.h"

enum {
	PRIORITY_MAX = 191,
	STAMP_MIN = 14,  /* "Jul 1 23:27:52" */
	LOOK_AHEAD = 64, /* brackets and blanks before the first object of an array */
};

static const struct sq_sv bom = { "\xef\xbb\xbf", 3 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct sq_sv skip_blanks(struct sq_sv v)
{
	while (v.n && is_blank(v.p[0]))
		v = sq_sv_skip(v, 1);
	return v;
}

/* Line ends, blanks and NUL at the end (a datagram may carry them), blanks and BOM at the front. */
static struct sq_sv trim(struct sq_sv v)
{
	while (v.n && (sq_is_space(v.p[v.n - 1]) || v.p[v.n - 1] == '\0'))
		v.n--;
	while (v.n && (sq_is_space(v.p[0]) || sq_sv_starts(v, bom)))
		v = sq_sv_skip(v, sq_is_space(v.p[0]) ? 1 : bom.n);
	return v;
}

static bool begins_xml(struct sq_sv v)
{
	return sq_sv_starts(v, SQ_SV("<Event")) || sq_sv_starts(v, SQ_SV("<?xml"));
}

/* Can an event begin here? Braces and brackets stand in other text too: a "{guid}", a "[pid]". */
static bool begins_payload(struct sq_sv v)
{
	if (v.n && v.p[0] == '<')
		return begins_xml(v);
	if (v.n && v.p[0] == '[') {
		for (size_t i = 0; i < LOOK_AHEAD && v.n && (v.p[0] == '[' || sq_is_space(v.p[0]));
		     i++)
			v = sq_sv_skip(v, 1);
	}
	if (v.n == 0 || v.p[0] != '{')
		return false;
	v = sq_sv_trim(sq_sv_skip(v, 1));
	return v.n && (v.p[0] == '"' || v.p[0] == '}');
}

/* The event inside of a message. */
static struct sq_sv find_payload(struct sq_sv v)
{
	const char *end = v.p + v.n;

	v = trim(v);
	if (sq_sv_starts(v, SQ_SV("@cee:")))
		v = trim(sq_sv_skip(v, 5));
	if (v.n && v.p[0] == '{')
		return v; /* whatever follows: it means to be JSON, and its reader says if it is */
	for (; v.n; v = sq_sv_skip(v, 1)) {
		char c = v.p[0];

		if ((c == '{' || c == '[' || c == '<') && begins_payload(v))
			return v;
	}
	return (struct sq_sv){ end, 0 };
}

/* What stands before the next blank; it and one blank are cut off. */
static struct sq_sv word(struct sq_sv *v)
{
	size_t n = 0;
	struct sq_sv w;

	while (n < v->n && !is_blank(v->p[n]))
		n++;
	w = sq_sv_first(*v, n);
	*v = sq_sv_skip(*v, n + 1);
	return w;
}

static struct sq_sv unless_nil(struct sq_sv v)
{
	return sq_sv_eq(v, SQ_SV("-")) ? (struct sq_sv){ v.p, 0 } : v;
}

static void take_time(struct sq_syslog *to, struct sq_sv v)
{
	int64_t us;
	bool zoned;

	to->time = v;
	if (sq_time_parse(v, &us, &zoned) && zoned)
		to->time_us = us;
}

/* "<13>": cut off when there are digits only, and kept when they are lawful. */
static void take_priority(struct sq_sv *v, struct sq_syslog *to)
{
	size_t n = 1;
	int priority = 0;

	while (n < v->n && sq_is_digit(v->p[n])) {
		if (priority <= PRIORITY_MAX)
			priority = priority * 10 + (v->p[n] - '0');
		n++;
	}
	if (n == v->n || v->p[n] != '>')
		return;
	if (n > 1 && priority <= PRIORITY_MAX && (n == 2 || v->p[1] != '0'))
		to->priority = priority;
	*v = sq_sv_skip(*v, n + 1);
}

/* One "[id name="value" ...]"; values hold \" \\ \] and any other byte. @return its length, or 0 */
static size_t element_length(struct sq_sv v, bool *ret_began)
{
	bool quoted = false;
	size_t i = 1;

	while (i < v.n && v.p[i] > ' ' && !strchr("=]\"{[", v.p[i]))
		i++;
	*ret_began = i > 1 && i < v.n && (v.p[i] == ' ' || v.p[i] == ']');
	if (!*ret_began)
		return 0;
	for (; i < v.n; i++) {
		if (v.p[i] == '"')
			quoted = !quoted;
		else if (quoted && v.p[i] == '\\')
			i++;
		else if (!quoted && v.p[i] == ']')
			return i + 1;
	}
	return 0;
}

/* STRUCTURED-DATA: what is quoted in it is not searched for events.
 * @return what follows; all of `v` when there is none, nothing when it does not end */
static struct sq_sv skip_structured(struct sq_sv v)
{
	bool began = true;

	if (v.n && v.p[0] == '-' && (v.n == 1 || is_blank(v.p[1])))
		return sq_sv_skip(v, 1);
	while (v.n && v.p[0] == '[') {
		size_t n = element_length(v, &began);

		if (n == 0)
			return began ? (struct sq_sv){ v.p + v.n, 0 } : v;
		v = sq_sv_skip(v, n);
	}
	return v;
}

/* RFC 5424 after the PRI: VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD MSG.
 * @return false when it is none; nothing is taken then */
static bool take_5424(struct sq_sv *v, struct sq_syslog *to)
{
	struct sq_sv rest = *v, version = word(&rest), time = word(&rest);
	int64_t us;

	if (version.n == 0 || version.n > 3 || version.p[0] == '0')
		return false;
	for (size_t i = 0; i < version.n; i++) {
		if (!sq_is_digit(version.p[i]))
			return false;
	}
	if (!sq_sv_eq(time, SQ_SV("-")) && !sq_time_parse(time, &us, NULL))
		return false;
	take_time(to, unless_nil(time));
	to->host = unless_nil(word(&rest));
	to->app = unless_nil(word(&rest));
	(void)word(&rest); /* PROCID and MSGID say nothing about a Windows event */
	(void)word(&rest);
	*v = skip_structured(skip_blanks(rest));
	return true;
}

/* "Jul 21 23:27:52", "Jul  1 ..." or "Jul 1 ...", perhaps with a year after the day. @return its
 * length, or 0 */
static size_t stamp_length(struct sq_sv v)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct sq_sv rest = sq_sv_skip(v, 4), day, clock;
	const char *at;

	if (v.n < STAMP_MIN || v.p[3] != ' ')
		return 0;
	at = memmem(months, sizeof(months) - 1, v.p, 3);
	if (!at || (at - months) % 3)
		return 0;
	rest = skip_blanks(rest);
	day = word(&rest);
	if (day.n == 0 || day.n > 2 || !sq_is_digit(day.p[0]) || !sq_is_digit(day.p[day.n - 1]))
		return 0;
	clock = word(&rest);
	if (clock.n == 4 && sq_is_digit(clock.p[0]))
		clock = word(&rest); /* that was the year */
	if (clock.n && clock.p[clock.n - 1] == ':')
		clock.n--;
	if (clock.n < 8 || !sq_is_digit(clock.p[0]) || clock.p[2] != ':' || clock.p[5] != ':' ||
	    !sq_is_digit(clock.p[7]))
		return 0;
	return (size_t)(clock.p + clock.n - v.p);
}

/* A date in front, of RFC 3164 or ISO 8601. */
static bool take_stamp(struct sq_sv *v, struct sq_syslog *to)
{
	struct sq_sv rest = *v, time;
	size_t n = stamp_length(*v);
	int64_t us;

	if (n) {
		time = sq_sv_first(*v, n);
		rest = sq_sv_skip(*v, n);
	} else {
		time = word(&rest);
		if (!sq_time_parse(time, &us, NULL))
			return false;
	}
	take_time(to, time);
	if (rest.n && rest.p[0] == ':')
		rest = sq_sv_skip(rest, 1);
	*v = skip_blanks(rest);
	return true;
}

/* A word of the header: not one that is a payload already, and without one that sticks to it. */
static struct sq_sv header_word(struct sq_sv *v)
{
	struct sq_sv from = skip_blanks(*v), w;

	*v = from;
	w = word(v);
	if (sq_sv_starts(w, SQ_SV("@cee:")))
		w.n = 0;
	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] == '{' || w.p[i] == '<' || (w.p[i] == '[' && i == 0) ||
		    sq_sv_starts(sq_sv_skip(w, i), bom))
			w.n = i;
	}
	if (w.p + w.n < v->p && !is_blank(w.p[w.n]))
		*v = sq_sv_skip(from, w.n);
	return w;
}

/* "app:" or "app[123]:", and "app[123]". */
static bool is_tag(struct sq_sv w)
{
	return w.n > 1 &&
	       (w.p[w.n - 1] == ':' || (w.p[w.n - 1] == ']' && sq_sv_chr(w, '[') != SIZE_MAX));
}

static struct sq_sv tag_name(struct sq_sv w)
{
	size_t n = sq_sv_chr(w, '[');

	return sq_sv_first(w, n != SIZE_MAX ? n : w.n - (w.p[w.n - 1] == ':'));
}

/* HOST and TAG of RFC 3164, either of which may be missing. What is neither stays message. */
static void take_host_and_tag(struct sq_sv *v, struct sq_syslog *to, bool dated)
{
	struct sq_sv rest = *v, first, second, after;

	first = header_word(&rest);
	if (is_tag(first)) {
		to->app = tag_name(first);
		*v = rest;
		return;
	}
	after = rest;
	second = header_word(&after);
	if (first.n == 0 || (!dated && !is_tag(second)))
		return;
	to->host = unless_nil(first);
	*v = rest;
	if (is_tag(second)) {
		to->app = tag_name(second);
		*v = after;
	} else if (second.n && begins_payload(skip_blanks(after))) {
		to->app = unless_nil(second); /* a tag without its colon */
		*v = after;
	}
}

void sq_syslog_strip(struct sq_sv record, struct sq_syslog *ret)
{
	struct sq_sv v = trim(record);
	bool marked, dated;

	*ret = (struct sq_syslog){ .payload = v, .priority = -1 };
	if (v.n == 0 || v.p[0] == '{' || begins_payload(v))
		return;
	marked = v.p[0] == '<';
	if (marked)
		take_priority(&v, ret);
	v = skip_blanks(v);
	if (!marked || !take_5424(&v, ret)) {
		dated = take_stamp(&v, ret);
		if (dated || ret->priority >= 0)
			take_host_and_tag(&v, ret, dated);
	}
	ret->payload = find_payload(v);
}
