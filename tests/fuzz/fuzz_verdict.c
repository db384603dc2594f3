/* Hand on a record: what comes out holds the record and our part, whatever the record is. The first
 * byte says in which way.
 *
 * Of a record that is one JSON object more is certain: what comes out is valid JSON, and the object
 * less what is left out, with one member more. What is left out is found by yajl, slowly.
 */
#include <stdlib.h>
#include <yajl/yajl_parse.h>
#include <yajl/yajl_tree.h>

#include "lib/engine/verdict.h"
#include "lib/text/jsonfit.h"

#define OURS "\"squibly\":{\"level\":\"high\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With our part taken out, and nothing left out or replaced, it is what came. */
static void check_spliced(struct sq_sv raw, struct sq_sv got)
{
	for (size_t at = 0; at + sizeof(OURS) - 1 <= got.n; at++) {
		size_t comma = at && got.p[at - 1] == ',';
		struct sq_sv rest = sq_sv_skip(got, at + sizeof(OURS) - 1);

		if (!sq_sv_starts(sq_sv_skip(got, at), SQ_SV(OURS)))
			continue;
		for (size_t c = 0; c <= comma; c++)
			if (sq_sv_eq(sq_sv_first(raw, at - c), sq_sv_first(got, at - c)) &&
			    sq_sv_eq(sq_sv_skip(raw, at - c), rest))
				return;
	}
	sq_assert(false);
}

/* ---- the same by yajl -------------------------------------------------------------------- */

/* yajl skips \v and \f between tokens, which RFC 8259 does not; inside of a text it refuses them.
 */
static bool is_json(struct sq_sv v)
{
	yajl_handle h = yajl_alloc(NULL, NULL, NULL); /* its trees take comments, too */
	bool ok;

	sq_assert(h);
	ok = yajl_parse(h, (const unsigned char *)v.p, v.n) == yajl_status_ok &&
	     yajl_complete_parse(h) == yajl_status_ok;
	yajl_free(h);
	return ok && sq_sv_chr(v, '\v') == SIZE_MAX && sq_sv_chr(v, '\f') == SIZE_MAX;
}

/* NULL: it is no object, or one whose texts yajl's tree cannot hold. In brackets, too, since yajl
 * takes the beginning of one more token behind the end for nothing. */
static yajl_val tree_of(struct sq_sv v)
{
	struct sq_outbuf text = sq_outbuf_of(SIZE_MAX / 2);
	yajl_val array = NULL, tree = NULL;

	if (sq_sv_chr(v, '\0') != SIZE_MAX || sq_sv_find(v, SQ_SV("u0000")) != SIZE_MAX)
		return NULL;
	sq_outbuf_putc(&text, '[');
	sq_outbuf_put(&text, v);
	sq_outbuf_putc(&text, ']');
	if (is_json(v) && is_json(sq_outbuf_view(&text))) {
		sq_outbuf_putc(&text, '\0');
		array = yajl_tree_parse(text.p, NULL, 0);
		sq_assert(array);
	}
	if (array && array->u.array.len == 1 && YAJL_IS_OBJECT(array->u.array.values[0])) {
		tree = array->u.array.values[0];
		array->u.array.len = 0;
	}
	yajl_tree_free(array);
	sq_outbuf_fini(&text);
	return tree;
}

static bool same(yajl_val a, yajl_val b)
{
	if (a->type != b->type)
		return false;
	if (YAJL_IS_STRING(a))
		return strcmp(a->u.string, b->u.string) == 0;
	if (YAJL_IS_NUMBER(a))
		return strcmp(a->u.number.r, b->u.number.r) == 0;
	if (YAJL_IS_ARRAY(a)) {
		if (YAJL_GET_ARRAY(a)->len != YAJL_GET_ARRAY(b)->len)
			return false;
		for (size_t i = 0; i < YAJL_GET_ARRAY(a)->len; i++)
			if (!same(YAJL_GET_ARRAY(a)->values[i], YAJL_GET_ARRAY(b)->values[i]))
				return false;
	}
	if (YAJL_IS_OBJECT(a)) {
		if (YAJL_GET_OBJECT(a)->len != YAJL_GET_OBJECT(b)->len)
			return false;
		for (size_t i = 0; i < YAJL_GET_OBJECT(a)->len; i++)
			if (strcmp(YAJL_GET_OBJECT(a)->keys[i], YAJL_GET_OBJECT(b)->keys[i]) != 0 ||
			    !same(YAJL_GET_OBJECT(a)->values[i], YAJL_GET_OBJECT(b)->values[i]))
				return false;
	}
	return true;
}

/* Take member `i` out. */
static void leave_out(yajl_val object, size_t i)
{
	size_t *len = &object->u.object.len;

	free((char *)(uintptr_t)object->u.object.keys[i]);
	yajl_tree_free(object->u.object.values[i]);
	for ((*len)--; i < *len; i++) {
		object->u.object.keys[i] = object->u.object.keys[i + 1];
		object->u.object.values[i] = object->u.object.values[i + 1];
	}
}

/* Every member of that name. @return whether there was one */
static bool leave_out_all(yajl_val object, const char *name, bool others)
{
	bool any = false;

	for (size_t i = 0; i < object->u.object.len;) {
		bool is = strcmp(object->u.object.keys[i], name) == 0;

		any |= is;
		if (is != others)
			leave_out(object, i);
		else
			i++;
	}
	return any;
}

/* `a` and `b.c`, or all but these. */
static void choose(yajl_val object, bool keep)
{
	for (size_t i = 0; i < object->u.object.len;) {
		const char *key = object->u.object.keys[i];
		yajl_val v = object->u.object.values[i];
		bool named = strcmp(key, "a") == 0 || strcmp(key, "b.c") == 0;
		bool inside = strcmp(key, "b") == 0 && YAJL_IS_OBJECT(v);

		if (inside)
			named = leave_out_all(v, "c", keep) && keep;
		if (named != keep)
			leave_out(object, i);
		else
			i++;
	}
}

static void check_object(struct sq_sv raw, const struct sq_view *view, bool said,
                         enum sq_verdict_shape shape, struct sq_sv got)
{
	yajl_val want = tree_of(raw), is;
	size_t n;

	if (!want)
		return;
	if (shape == SQ_VERDICT_AS_IT_CAME) {
		sq_assert(!said && !view->fields.n);
		yajl_tree_free(want);
		return;
	}
	sq_assert(shape == SQ_VERDICT_SPLICED || shape == SQ_VERDICT_REPLACED ||
	          shape == SQ_VERDICT_LEFT_OUT);
	is = tree_of(got);
	sq_assert(is);
	if (view->fields.n)
		choose(want, view->fields.keep);
	if (said) {
		(void)leave_out_all(want, "squibly", false);
		n = is->u.object.len;
		sq_assert(n && strcmp(is->u.object.keys[n - 1], "squibly") == 0);
		leave_out(is, n - 1);
	}
	sq_assert(same(want, is));
	yajl_tree_free(want);
	yajl_tree_free(is);
}

/* The record as it is handed on to receivers of JSON: where it was mended, yajl reads the texts of
 * both differently. Empty: it is no object by itself. */
static struct sq_sv mend(struct sq_outbuf *to, struct sq_sv raw)
{
	struct sq_sv object = sq_sv_trim(raw);

	if (sq_json_judge(object) != SQ_JSON_MENDABLE)
		return SQ_SV("");
	sq_outbuf_put(to, object);
	sq_json_mend(to, 0);
	return sq_outbuf_view(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_view view = { .min_level = SQ_LEVEL_INFORMATIONAL };
	struct sq_finding v = { .text = sq_outbuf_of(4096), .rules = 1, .level = 4 };
	struct sq_outbuf out = sq_outbuf_of(64 << 20), like = sq_outbuf_of(64 << 20);
	enum sq_verdict_shape shape;
	bool mended;
	struct sq_sv raw;
	char *copy;

	if (!size)
		return 0;
	view.json = data[0] & 1;
	v.level = data[0] & 4 ? 4 : 0;
	if (data[0] & 8) {
		view.fields.names[view.fields.n++] = SQ_SV("a");
		view.fields.names[view.fields.n++] = SQ_SV("b.c");
		view.fields.keep = data[0] & 2;
	}
	raw = (struct sq_sv){ (const char *)data + 1, size - 1 };
	copy = malloc(raw.n ? raw.n : 1); /* so that a byte too many is noticed */
	if (!copy)
		abort();
	if (raw.n)
		memcpy(copy, raw.p, raw.n);
	raw.p = copy;
	sq_outbuf_put(&v.text, SQ_SV("\"level\":\"high\""));
	shape = sq_verdict_write(&out, &view, raw, &v, &mended);
	sq_assert(shape != SQ_VERDICT_FAILED);
	sq_assert((shape == SQ_VERDICT_AS_IT_CAME) == (out.len == 0));
	if (view.json && out.len)
		sq_assert(sq_json_judge(sq_outbuf_view(&out)) == SQ_JSON_FIT);
	if (shape == SQ_VERDICT_SPLICED && !view.json && !view.fields.n)
		check_spliced(raw, sq_outbuf_view(&out));
	check_object(mended ? mend(&like, raw) : raw, &view, v.level != 0, shape,
	             sq_outbuf_view(&out));
	sq_outbuf_fini(&like);
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&v.text);
	free(copy);
	return 0;
}
