/* From what a rule asks of an event to the words that must stand in the bytes of its record.
 *
 * Between the two lie: JSON's escapes, perhaps several times over (JSON in a string); the entities
 * of XML, perhaps twice; what the reader makes of values (semantics.c); and for derived fields all
 * of lib/derive. The letters of a text stand in the record one behind the other, unless
 *   - the record is odd (sieve_odd.h): an escape or entity spells one of them, or something stands
 *     between them that folding, the splitting of arguments or a shell takes away;
 *   - the text has a character that is written otherwise as a matter of course (quotes, slashes,
 *     backslashes, & < >, control characters, all but ASCII): texts are cut at those;
 *   - the reader made the value of several: those fields are cut where they were joined.
 * What is in doubt promises nothing.
 */
#include "lib/engine/sieve_evidence.h"

#include <stdio.h>

#include "lib/derive/identity.h"
#include "lib/engine/sieve_plan.h"
#include "lib/rules/literals.h"

enum {
	LITERAL_MIN = 4,      /* bytes */
	FOLDED_MIN = 3,       /* of names and arguments: those may be short */
	NEED_MAX = 400,       /* words of one need */
	NUMBER_MIN = 1000,    /* shorter ones stand everywhere */
	NUMBER_MAX = 1 << 30, /* what all ways to read a number read alike */
};

/* A need in the making. Once something could not be added it promises nothing. */
struct maker {
	struct sq_arena *a;
	struct sq_need need;
	bool failed;
};

static struct maker maker_of(struct sq_arena *a)
{
	struct maker m = { .a = a };

	m.need.words = sq_arena_alloc(a, NEED_MAX * sizeof(*m.need.words));
	m.failed = !m.need.words;
	return m;
}

static void add(struct maker *m, struct sq_sv word)
{
	struct sq_sv copy = sq_arena_dup(m->a, word);

	if (m->failed || m->need.n == NEED_MAX || copy.n < SQ_SIEVE_WORD_MIN)
		m->failed = true;
	else
		m->need.words[m->need.n++] = copy;
}

static void finish(struct maker *m, struct sq_needs *ret)
{
	if (!m->failed && ret->n < SQ_NEEDS_MAX)
		ret->list[ret->n++] = m->need;
}

/* Numbers. */

/* Every way to write a number of four digits or more: as it is, in hexadecimal, with an exponent.
 * Then a point may stand in it, and zeros at its end need not be there: 4720 is also 472e1. */
static void add_number(struct maker *m, uint64_t u)
{
	char text[40], digits[24];
	int n, all;

	if (u < NUMBER_MIN || u > NUMBER_MAX) {
		m->failed = true;
		return;
	}
	all = n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)u);
	add(m, sq_sv_of(digits));
	n = snprintf(text, sizeof(text), "%llx", (unsigned long long)u);
	if (n >= LITERAL_MIN) {
		add(m, sq_sv_of(text));
	} else {
		/* "0x44e", "0x044e" */
		(void)snprintf(text, sizeof(text), "x%llx", (unsigned long long)u);
		add(m, sq_sv_of(text));
		text[0] = '0';
		add(m, sq_sv_of(text));
	}
	for (n = all; n > 1 && digits[n - 1] == '0';)
		n--;
	if (n < LITERAL_MIN - 1) { /* 1000 is also 1e3 */
		m->failed = true;
		return;
	}
	if (n < all) {
		(void)snprintf(text, sizeof(text), "%.*se", n, digits);
		add(m, sq_sv_of(text));
		(void)snprintf(text, sizeof(text), "%.*s.", n, digits);
		add(m, sq_sv_of(text));
	}
	for (int i = 1; i < n; i++) {
		(void)snprintf(text, sizeof(text), "%.*s.%.*s", i, digits, n - i, digits + i);
		add(m, sq_sv_of(text));
	}
}

static void number_needs(struct sq_arena *a, const struct sq_pred *p, struct sq_needs *ret)
{
	struct maker m = maker_of(a);
	uint64_t u;

	if (p->compare != SQ_EQ || p->text.n > 15 || !sq_sv_to_u64(p->text, &u) ||
	    !sq_is_digit(p->text.p[0]) || p->text.p[0] == '0')
		return;
	add_number(&m, u);
	/* 4687.999999999999999 is 4688 as a number with a floating point. */
	add(&m, SQ_SV("999999"));
	finish(&m, ret);
}

/* Log sources. */

/* What lib/model/logsource.c makes categories of; a test compares the two. */
static void category_needs(struct sq_arena *a, uint64_t categories, struct sq_needs *ret)
{
	static const uint64_t powershell = UINT64_C(1) << SQ_CATEGORY_PS_SCRIPT |
	                                   UINT64_C(1) << SQ_CATEGORY_PS_MODULE |
	                                   UINT64_C(1) << SQ_CATEGORY_PS_CLASSIC_START |
	                                   UINT64_C(1) << SQ_CATEGORY_PS_CLASSIC_PROVIDER_START |
	                                   UINT64_C(1) << SQ_CATEGORY_PS_CLASSIC_SCRIPT;
	static const struct {
		enum sq_category category;
		uint16_t id;
		bool any; /* in a record that names no log, too */
	} ids[] = {
		{ SQ_CATEGORY_PROCESS_CREATION, 4688, true },
		{ SQ_CATEGORY_REGISTRY_SET, 4657, true },
		{ SQ_CATEGORY_PS_SCRIPT, 4104, false },
		{ SQ_CATEGORY_PS_MODULE, 4103, false },
	};
	struct maker source = maker_of(a), id = maker_of(a);
	uint64_t by_id = 0;

	if (categories & ~powershell)
		add(&source, SQ_SV("sysmon"));
	if (categories & powershell)
		add(&source, SQ_SV("powershell"));
	for (size_t i = 0; i < SQ_LEN(ids); i++) {
		if (!(categories >> ids[i].category & 1))
			continue;
		if (ids[i].any) {
			add_number(&source, ids[i].id);
		} else {
			add_number(&id, ids[i].id);
			by_id |= UINT64_C(1) << ids[i].category;
		}
	}
	finish(&source, ret);
	if (by_id == categories)
		finish(&id, ret);
}

/* What texts may consist of. */

struct alphabet {
	bool raw[256];  /* values as they come */
	bool args[256]; /* those that may have been joined of several with blanks */
	bool hash[256]; /* those that may have been joined with commas */
	bool word[256]; /* folded texts */
	bool line[256]; /* those with colons */
};

static const struct alphabet *alphabet(struct sq_arena *a)
{
	struct alphabet *x = sq_arena_alloc(a, sizeof(*x));

	if (!x)
		return NULL;
	memset(x, 0, sizeof(*x));
	for (int c = 0x20; c < 0x7f; c++) {
		bool word =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || sq_is_digit((char)c);

		x->raw[c] = !strchr("\"\\/&<>':?+=`", c);
		x->args[c] = x->raw[c] && c != ' ';
		x->hash[c] = x->args[c] && c != ',';
		x->word[c] = word || c == '_' || c == '-' || c == '.';
		x->line[c] = x->word[c] || c == ':';
	}
	return x;
}

static struct sq_literal_opts opts_of(const bool *safe, uint32_t min)
{
	return (struct sq_literal_opts){ .safe = safe, .min = min, .max = SQ_SIEVE_WORD_MAX };
}

/* The best text of a wildcard pattern: each must occur. */
static struct sq_sv glob_run(struct sq_arena *a, const struct sq_pred *p,
                             const struct sq_literal_opts *opts)
{
	struct sq_sv best = { "", 0 };

	for (uint32_t i = 0; i < p->n_globs; i++) {
		struct sq_sv run;

		if (p->globs[i].kind != SQ_GLOB_TEXT)
			continue;
		run = sq_literal_run(a, p->globs[i].text, opts);
		if (run.n && (!best.n || sq_literal_cost(run) < sq_literal_cost(best)))
			best = run;
	}
	return best;
}

static bool is_exact(const struct sq_pred *p, struct sq_sv *ret)
{
	if (p->match != SQ_MATCH_GLOB || p->n_globs > 1)
		return false;
	if (p->n_globs && p->globs[0].kind != SQ_GLOB_TEXT)
		return false;
	*ret = p->n_globs ? p->globs[0].text : SQ_SV("");
	return true;
}

static bool is_exactly(const struct sq_pred *p, struct sq_sv text)
{
	struct sq_sv v;

	return is_exact(p, &v) && sq_sv_ieq(v, text);
}

/* Texts that the value must hold, one of each. */
static struct sq_literals texts_of(struct sq_arena *a, const struct sq_pred *p,
                                   const struct sq_literal_opts *opts)
{
	struct sq_literals r = { 0 };
	struct sq_sv run;

	if (p->match == SQ_MATCH_REGEX) {
		(void)sq_literals_of_regex(a, p->text, opts, &r);
		return r;
	}
	if (p->match != SQ_MATCH_GLOB)
		return r;
	run = glob_run(a, p, opts);
	r.v = sq_arena_alloc(a, sizeof(*r.v));
	if (run.n && r.v) {
		r.v[0] = run;
		r.n = 1;
	}
	return r;
}

/* Values as they stand in the record. */

/* Could the reader have put the text there? It is part of one of `words`, or has one in it. */
static bool overlaps(struct sq_sv text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sq_sv_ifind(sq_sv_of(words[i]), text) != SIZE_MAX ||
		    sq_sv_ifind(text, sq_sv_of(words[i])) != SIZE_MAX)
			return true;
	return false;
}

static void raw_needs(struct sq_arena *a, const struct sq_pred *p, struct sq_needs *ret)
{
	/* "SHA1=..,MD5=..": the reader may have put the names there, and the commas. */
	static const char *const names[] = { "sha1", "md5", "sha256", "imphash" };
	const struct alphabet *x = alphabet(a);
	bool joined = p->field == SQ_F_COMMAND_LINE || p->field == SQ_F_PARENT_COMMAND_LINE;
	struct maker m = maker_of(a);
	struct sq_literal_opts opts;
	struct sq_literals texts;

	if (!x)
		return;
	opts = opts_of(p->field == SQ_F_HASHES ? x->hash : joined ? x->args : x->raw, LITERAL_MIN);
	texts = texts_of(a, p, &opts);
	if (!texts.n)
		return;
	for (uint32_t i = 0; i < texts.n; i++) {
		if (p->field == SQ_F_HASHES && overlaps(texts.v[i], names, SQ_LEN(names)))
			return;
		add(&m, texts.v[i]);
	}
	finish(&m, ret);
}

/* Derived fields. */

/* `program` may have been told by its file's name, with or without ".exe", or by its resources. */
static void program_needs(struct sq_arena *a, struct sq_sv program, struct sq_needs *ret)
{
	const struct alphabet *x = alphabet(a);
	struct maker m = maker_of(a);
	struct sq_literal_opts opts;
	struct sq_sv name = program, sign, run;

	if (!x)
		return;
	opts = opts_of(x->word, FOLDED_MIN);
	if (sq_sv_iends(name, SQ_SV(".exe")))
		name.n -= 4;
	run = sq_literal_run(a, name, &opts);
	if (!run.n)
		return;
	add(&m, run);
	opts.safe = x->raw;
	for (size_t i = 0; sq_identity_sign(program, i, &sign); i++) {
		if (sq_sv_iends(sign, SQ_SV(".exe")))
			sign.n -= 4;
		run = sq_literal_run(a, sign, &opts);
		if (!run.n)
			return;
		if (m.need.n && sq_sv_find(run, m.need.words[0]) == SIZE_MAX)
			add(&m, run);
	}
	finish(&m, ret);
}

/* A folded text. A quote before its colon may have gone; two are odd, and so is a line end there.
 */
static void add_folded(struct maker *m, const struct alphabet *x, struct sq_sv text)
{
	struct sq_literal_opts opts = opts_of(x->word, FOLDED_MIN);
	size_t colon = sq_sv_chr(text, ':');
	char quoted[SQ_SIEVE_WORD_MAX + 1];

	if (colon == SIZE_MAX) {
		add(m, text);
	} else if (colon + 1 == text.n && text.n < SQ_SIEVE_WORD_MAX) {
		memcpy(quoted, text.p, colon);
		memcpy(quoted + colon, "\":", 2);
		add(m, text);
		add(m, (struct sq_sv){ quoted, colon + 2 });
	} else {
		add(m, sq_literal_run(m->a, text, &opts));
	}
}

/* A command of regsvr32 inside of another, or of its arguments: by its name, by the engine, by the
 * moniker, or by an i-switch, which is odd. */
static void launch_needs(struct sq_arena *a, struct sq_needs *ret)
{
	const struct alphabet *x = alphabet(a);
	struct maker m = maker_of(a);

	if (!x)
		return;
	add(&m, SQ_SV("regsvr32"));
	add(&m, SQ_SV("scrobj"));
	add_folded(&m, x, SQ_SV("script:"));
	finish(&m, ret);
}

/* An encoded command is decoded for PowerShell alone; nothing of it stands in the record. */
static void encoded_needs(struct sq_arena *a, struct sq_needs *ret)
{
	struct maker m = maker_of(a);

	add(&m, SQ_SV("powershell"));
	add(&m, SQ_SV("pwsh"));
	finish(&m, ret);
}

/* Switches are odd; beside them a command has either an i-switch or the engine. */
static void shape_needs(struct sq_arena *a, struct sq_needs *ret)
{
	struct maker m = maker_of(a);

	add(&m, SQ_SV("scrobj"));
	finish(&m, ret);
}

/* A switch of one letter: it is odd. */
static void weak_shape_needs(struct sq_arena *a, struct sq_needs *ret)
{
	struct maker m = maker_of(a);

	finish(&m, ret);
}

/* Texts of folded fields. What paths may have been given by resolving them is no evidence. Before a
 * colon of a stored command a single quote or a backtick may have stood. */
static void folded_needs(struct sq_arena *a, const struct sq_pred *p, bool path,
                         struct sq_needs *ret)
{
	static const char *const given[] = { "windows",
		                             "system32",
		                             "device",
		                             "programdata",
		                             "program files (x86)",
		                             "documents and settings" };
	const struct alphabet *x = alphabet(a);
	struct maker m = maker_of(a);
	struct sq_literal_opts opts;
	struct sq_literals texts;

	if (!x)
		return;
	opts = opts_of(path || p->field == SQ_F_D_STORED_COMMAND ? x->word : x->line, FOLDED_MIN);
	if (p->field == SQ_F_D_LINE || p->field == SQ_F_D_ARGUMENT)
		opts.lead = "/\\"; /* what escapes it stands before it */
	texts = texts_of(a, p, &opts);
	if (!texts.n)
		return;
	for (uint32_t i = 0; i < texts.n; i++) {
		if (path && overlaps(texts.v[i], given, SQ_LEN(given)))
			return;
		add_folded(&m, x, texts.v[i]);
	}
	finish(&m, ret);
}

/* What must have happened for the field to be there at all. */
static void presence_needs(struct sq_arena *a, uint32_t field, struct sq_needs *ret)
{
	if (field == SQ_F_D_LAUNCH_COMMAND || field == SQ_F_D_LAUNCH_CARRIES)
		launch_needs(a, ret);
	else if (field == SQ_F_D_ENCODED_COMMAND || field == SQ_F_D_ENCODED_CARRIES)
		encoded_needs(a, ret);
	else if (field >= SQ_F_D_RD_LIBRARY && field <= SQ_F_D_RD_ARGUMENT)
		program_needs(a, SQ_SV("rundll32.exe"), ret);
	else if (field >= SQ_F_D_RS_SWITCH && field <= SQ_F_D_RS_SCROBJ)
		program_needs(a, SQ_SV("regsvr32.exe"), ret);
}

static bool is_among(int32_t field, const uint16_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (field == list[i])
			return true;
	return false;
}

/* The fields that are not named here hold words of our own, which no record holds. */
static void derived_needs(struct sq_arena *a, const struct sq_pred *p, struct sq_needs *ret)
{
	static const uint16_t paths[] = {
		SQ_F_D_NAME,           SQ_F_D_PARENT_NAME,     SQ_F_D_PATH,
		SQ_F_D_RS_LIBRARY,     SQ_F_D_RS_LIBRARY_NAME, SQ_F_D_RD_LIBRARY,
		SQ_F_D_RD_LIBRARY_NAME
	};
	static const uint16_t lines[] = {
		SQ_F_D_LINE,     SQ_F_D_ARGUMENT,    SQ_F_D_RS_INSTALL,
		SQ_F_D_RD_ENTRY, SQ_F_D_RD_ARGUMENT, SQ_F_D_STORED_COMMAND
	};
	struct sq_sv text;

	presence_needs(a, (uint32_t)p->field, ret);
	if (p->field == SQ_F_D_PROGRAM && is_exact(p, &text))
		program_needs(a, text, ret);
	else if (p->field == SQ_F_D_RS_SHAPE && is_exactly(p, SQ_SV("true")))
		shape_needs(a, ret);
	else if (p->field == SQ_F_D_RS_WEAK_SHAPE && is_exactly(p, SQ_SV("true")))
		weak_shape_needs(a, ret);
	else if (is_among(p->field, paths, SQ_LEN(paths)))
		folded_needs(a, p, true, ret);
	else if (is_among(p->field, lines, SQ_LEN(lines)))
		folded_needs(a, p, false, ret);
}

/* The reader makes event ids plain decimal numbers. */
static void event_id_needs(struct sq_arena *a, const struct sq_pred *p, struct sq_needs *ret)
{
	struct maker m = maker_of(a);
	struct sq_sv text;
	uint64_t u;

	if (!is_exact(p, &text) || !text.n || text.n > 9 || !sq_is_digit(text.p[0]) ||
	    text.p[0] == '0' || !sq_sv_to_u64(text, &u))
		return;
	add_number(&m, u);
	finish(&m, ret);
}

/* Does a value have to be there for `p` to be true? */
static bool asks_value(const struct sq_pred *p)
{
	return p->match != SQ_MATCH_NULL && (p->match != SQ_MATCH_EXISTS || p->expect);
}

void sq_evidence_of_pred(struct sq_arena *a, const struct sq_pred *p, struct sq_needs *ret)
{
	*ret = (struct sq_needs){ 0 };
	if (!asks_value(p))
		return;
	if (p->field >= 0 && sq_field_is_derived((uint32_t)p->field))
		derived_needs(a, p, ret);
	else if (p->field == SQ_F_PROCESS_ID || p->field == SQ_F_PARENT_PROCESS_ID ||
	         p->field == SQ_F_INTEGRITY_LEVEL)
		return; /* the reader makes these anew */
	else if (p->match == SQ_MATCH_NUMBER)
		number_needs(a, p, ret);
	else if (p->field == SQ_F_EVENT_ID)
		event_id_needs(a, p, ret);
	else if (p->match == SQ_MATCH_GLOB || p->match == SQ_MATCH_REGEX)
		raw_needs(a, p, ret);
}

void sq_evidence_of_source(struct sq_arena *a, const struct sq_logsource *ls, struct sq_needs *ret)
{
	const struct alphabet *x = alphabet(a);
	struct maker m = maker_of(a);

	*ret = (struct sq_needs){ .never = ls->never };
	if (ls->categories)
		category_needs(a, ls->categories, ret);
	if (!ls->channels || !x)
		return;
	for (const char *const *name = ls->channels; *name; name++) {
		const struct sq_literal_opts opts = opts_of(x->raw, LITERAL_MIN);
		struct sq_sv run = sq_literal_run(a, sq_sv_of(*name), &opts);

		if (!run.n)
			return;
		add(&m, run);
	}
	finish(&m, ret);
}
