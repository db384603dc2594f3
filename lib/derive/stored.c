#include "lib/derive/stored.h"

#include "lib/text/xml.h"

struct writer {
	char *to;
	size_t n;
	bool inside; /* an action */
};

static void put(struct writer *w, struct sq_sv text)
{
	for (size_t i = 0; i < text.n; i++)
		w->to[w->n++] = text.p[i] == '\n' || text.p[i] == '\r' ? ' ' : text.p[i];
}

static bool is_text(const struct sq_xml_token *t)
{
	return t->kind == SQ_XML_TEXT || t->kind == SQ_XML_CDATA;
}

/* The texts of the commands, or of everything else, of the action that begins `xml`.
 * @return what follows the action */
static struct sq_sv put_action(struct writer *w, struct sq_sv xml, bool commands)
{
	bool command = false;

	for (;;) {
		struct sq_sv before = xml;
		struct sq_xml_token t = sq_xml_next(&xml);

		if (t.kind == SQ_XML_END || t.kind == SQ_XML_BROKEN)
			return before;
		if (is_text(&t) && command == commands)
			put(w, t.text);
		if (is_text(&t))
			continue;
		if (t.kind == SQ_XML_CLOSE && sq_sv_ieq(t.name, SQ_SV("Exec")))
			return xml;
		if (sq_sv_ieq(t.name, SQ_SV("Command"))) {
			if (commands)
				w->to[w->n++] = ' ';
			command = t.kind == SQ_XML_OPEN;
		} else if (command == commands) { /* no tag joins what stands around it */
			w->to[w->n++] = ' ';
		}
	}
}

struct sq_sv sq_stored_task(struct sq_arena *arena, struct sq_sv xml)
{
	/* A tag is longer than the byte that is written for it, and a tag of an action than two. */
	struct writer w = { .to = sq_arena_bytes(arena, xml.n) };
	struct sq_sv rest = xml;

	if (!w.to)
		return xml;
	for (;;) {
		struct sq_sv before = rest;
		struct sq_xml_token t = sq_xml_next(&rest);

		if (t.kind == SQ_XML_BROKEN) /* what is left is text, whatever it is */
			put(&w, before);
		if (t.kind == SQ_XML_END || t.kind == SQ_XML_BROKEN)
			break;
		if (is_text(&t)) {
			put(&w, t.text);
		} else if (t.kind == SQ_XML_OPEN && sq_sv_ieq(t.name, SQ_SV("Exec"))) {
			w.to[w.n++] = '|';
			(void)put_action(&w, rest, true);
			rest = put_action(&w, rest, false);
			w.to[w.n++] = '|';
		} else {
			w.to[w.n++] = ' ';
		}
	}
	sq_arena_trim(arena, w.to + w.n);
	return sq_xml_decode((struct sq_sv){ w.to, w.n }, arena);
}

bool sq_stored_action(struct sq_arena *arena, struct sq_sv *xml, struct sq_sv *ret)
{
	for (;;) {
		struct sq_xml_token t = sq_xml_next(xml);
		struct writer w = { 0 };

		if (t.kind == SQ_XML_END || t.kind == SQ_XML_BROKEN)
			return false;
		if (t.kind != SQ_XML_OPEN || !sq_sv_ieq(t.name, SQ_SV("Exec")))
			continue;
		w.to = sq_arena_bytes(arena, xml->n);
		if (!w.to)
			return false;
		(void)put_action(&w, *xml, true);
		*xml = put_action(&w, *xml, false);
		sq_arena_trim(arena, w.to + w.n);
		*ret = sq_xml_decode((struct sq_sv){ w.to, w.n }, arena);
		return true;
	}
}

enum { NESTED_MAX = 64 };

/* Where in a script we are. */
struct place {
	struct sq_sv script;
	uint64_t blocks;   /* of the brackets that are open, innermost lowest: is it a block? */
	unsigned open;     /* brackets */
	char quote;        /* that is open: ' or ", or 0 */
	bool here;         /* it is of a here-string */
	char last;         /* not blank, in this command */
	bool line_comment; /* up to the line's end */
};

static char at(const struct place *p, size_t i)
{
	return i < p->script.n ? p->script.p[i] : 0;
}

/* A quote of any form that PowerShell takes for one. @return ' or ", or 0; and its bytes */
static char quote_at(const struct place *p, size_t i, size_t *ret_len)
{
	unsigned char third = (unsigned char)at(p, i + 2);

	*ret_len = 1;
	if (at(p, i) == '\'' || at(p, i) == '"')
		return at(p, i);
	if (at(p, i) != '\xe2' || at(p, i + 1) != '\x80' || third < 0x98 || third > 0x9e)
		return 0;
	*ret_len = 3;
	return third < 0x9c ? '\'' : '"';
}

static bool ends_line(char c)
{
	return c == '\n' || c == '\r';
}

/* Within quotes. @return bytes to pass over */
static size_t pass_quoted(struct place *p, size_t i)
{
	size_t len;
	char quote = quote_at(p, i, &len);

	if (at(p, i) == '`' && p->quote == '"' && !p->here)
		return 2;
	if (quote != p->quote ||
	    (p->here && !(i && ends_line(at(p, i - 1)) && at(p, i + len) == '@')))
		return quote ? len : 1;
	p->quote = 0;
	p->here = false;
	p->last = quote;
	return len;
}

static void open_bracket(struct place *p, bool block)
{
	p->open++;
	p->blocks = p->blocks << 1 | block;
}

static void close_bracket(struct place *p)
{
	if (p->open) {
		p->open--;
		p->blocks >>= 1;
	}
}

static bool begins_comment(const struct place *p, size_t i)
{
	return at(p, i) == '#' && (i == 0 || memchr(" \t\r\n;(){}|&,<", at(p, i - 1), 13));
}

/* Outside of quotes and comments. @return bytes to pass over */
static size_t pass_plain(struct place *p, size_t i)
{
	char c = at(p, i), quote;
	size_t len;

	if (c == '`' || (c == '^' && ends_line(at(p, i + 1))))
		return at(p, i + 1) == '\r' && at(p, i + 2) == '\n' ? 3 : 2;
	if (begins_comment(p, i)) {
		struct sq_sv rest = sq_sv_skip(p->script, i);
		size_t end = i && at(p, i - 1) == '<' ? sq_sv_find(rest, SQ_SV("#>")) : SIZE_MAX;

		p->line_comment = end == SIZE_MAX;
		return end == SIZE_MAX ? 1 : end + 2;
	}
	quote = quote_at(p, i, &len);
	if (quote) {
		p->quote = quote;
		p->here = i && at(p, i - 1) == '@' && ends_line(at(p, i + len));
		return len;
	}
	if (c == '(' || c == '[')
		open_bracket(p, false);
	else if (c == '{')
		open_bracket(p, !(i && at(p, i - 1) == '@'));
	else if (c == ')' || c == ']' || c == '}')
		close_bracket(p);
	if (!sq_is_space(c))
		p->last = c;
	return 1;
}

/* Does the line end here end a command, too? */
static bool ends_command(const struct place *p)
{
	return !p->quote && p->open <= NESTED_MAX && (!p->open || p->blocks & 1) &&
	       !(p->last && memchr(",+=&", p->last, 4));
}

struct sq_sv sq_stored_script(struct sq_arena *arena, struct sq_sv script)
{
	struct place p = { .script = script };
	char *to;

	if (!script.n || (!memchr(script.p, '\n', script.n) && !memchr(script.p, '\r', script.n)))
		return script;
	to = sq_arena_bytes(arena, script.n);
	if (!to)
		return script;
	memcpy(to, script.p, script.n);
	for (size_t i = 0; i < script.n;) {
		if (!ends_line(script.p[i])) {
			i += p.line_comment ? 1 : p.quote ? pass_quoted(&p, i) : pass_plain(&p, i);
			continue;
		}
		p.line_comment = false;
		if (ends_command(&p)) {
			to[i] = '|';
			p.last = 0;
		}
		i++;
	}
	return (struct sq_sv){ to, script.n };
}
