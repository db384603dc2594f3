#include "lib/text/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <yajl/yajl_parse.h>

/* A handle that has met an error must be made anew, and whoever sends what is not JSON shall not
 * have us ask for memory each time: yajl gets it from here, one piece behind the other until the
 * handle is dropped. Only what does not fit comes from the heap.
 *
 * yajl never looks whether it got what it asked for. So we do not come back to it when the heap has
 * nothing left: out of the allocator we jump to where it was called, and drop the handle with all
 * that it had.
 */
enum { POOL = 32 * 1024 };

struct piece {
	struct piece *next, *prev; /* of those from the heap */
	size_t n;                  /* bytes */
	_Alignas(16) char bytes[];
};

struct pool {
	jmp_buf no_memory;  /* while yajl runs */
	struct piece *heap; /* what does not fit */
	size_t used;
	_Alignas(struct piece) char bytes[POOL];
};

struct sq_json {
	const struct sq_json_sink *sink;
	void *ctx;
	struct sq_json_limits limits;
	yajl_handle yajl; /* NULL: to be made before the next text */
	const char *text, *end;
	uint32_t depth, keys;
	size_t used;  /* of the first value; 0: it has not ended */
	bool several; /* more than blanks follow the first value */
	bool cut;     /* the text ended, its value did not */
	bool refused; /* by us, not by yajl: `why` says it */
	char why[128];
	struct pool pool;
};

/* `n` is shown behind `why`; 0: nothing to show. */
static bool refuse(struct sq_json *js, const char *why, uint32_t n)
{
	if (n)
		(void)snprintf(js->why, sizeof(js->why), "%s %u", why, (unsigned)n);
	else
		(void)snprintf(js->why, sizeof(js->why), "%s", why);
	js->refused = true;
	return false;
}

static bool begin(struct sq_json *js, bool array)
{
	if (SQ_UNLIKELY(++js->depth > js->limits.max_depth))
		return refuse(js, "nested deeper than", js->limits.max_depth);
	return js->sink->begin(js->ctx, array);
}

/* The value ends here; yajl would read on and take a second one for part of the same event. */
static bool end_of_text(struct sq_json *js)
{
	const char *p;

	js->used = yajl_get_bytes_consumed(js->yajl);
	for (p = js->text + js->used; p < js->end && sq_is_space(*p); p++)
		;
	js->several = p < js->end;
	return !js->several;
}

static bool end(struct sq_json *js, bool array)
{
	if (!js->sink->end(js->ctx, array))
		return false;
	return --js->depth > 0 || end_of_text(js);
}

static bool scalar(struct sq_json *js, enum sq_json_kind kind, const char *p, size_t n)
{
	bool stays = (uintptr_t)p - (uintptr_t)js->text < (size_t)(js->end - js->text);

	if (SQ_UNLIKELY(js->depth == 0))
		return refuse(js, "a bare value, no object", 0);
	return js->sink->scalar(js->ctx, kind, (struct sq_sv){ p, n }, stays);
}

static int on_null(void *ctx)
{
	return scalar(ctx, SQ_JSON_NULL, "", 0);
}

static int on_boolean(void *ctx, int value)
{
	return value ? scalar(ctx, SQ_JSON_BOOL, "true", 4) : scalar(ctx, SQ_JSON_BOOL, "false", 5);
}

static int on_number(void *ctx, const char *p, size_t n)
{
	return scalar(ctx, SQ_JSON_NUMBER, p, n);
}

static int on_string(void *ctx, const unsigned char *p, size_t n)
{
	return scalar(ctx, SQ_JSON_STRING, (const char *)p, n);
}

static int on_start_map(void *ctx)
{
	return begin(ctx, false);
}

static int on_map_key(void *ctx, const unsigned char *p, size_t n)
{
	struct sq_json *js = ctx;

	if (SQ_UNLIKELY(++js->keys > js->limits.max_keys))
		return refuse(js, "keys over the limit of", js->limits.max_keys);
	return js->sink->key(js->ctx, (struct sq_sv){ (const char *)p, n });
}

static int on_end_map(void *ctx)
{
	return end(ctx, false);
}

static int on_start_array(void *ctx)
{
	return begin(ctx, true);
}

static int on_end_array(void *ctx)
{
	return end(ctx, true);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number, /* as text: takes the place of the two that convert */
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_map_key,
	.yajl_end_map = on_end_map,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

static struct piece *from_heap(struct pool *pool, size_t n)
{
	struct piece *p = n > SIZE_MAX - sizeof(*p) ? NULL : malloc(sizeof(*p) + n);

	if (!p)
		return NULL;
	p->prev = NULL;
	p->next = pool->heap;
	if (p->next)
		p->next->prev = p;
	return pool->heap = p;
}

static void to_heap(struct pool *pool, struct piece *p)
{
	if (p->next)
		p->next->prev = p->prev;
	if (p->prev)
		p->prev->next = p->next;
	else
		pool->heap = p->next;
	free(p);
}

static void *pool_alloc(void *ctx, size_t n)
{
	struct pool *pool = ctx;
	size_t align = _Alignof(struct piece);
	size_t whole = (sizeof(struct piece) + n + align - 1) / align * align;
	struct piece *p;

	if (whole < n || whole > sizeof(pool->bytes) - pool->used) {
		p = from_heap(pool, n);
	} else {
		p = (struct piece *)(pool->bytes + pool->used);
		pool->used += whole;
	}
	if (!p)
		longjmp(pool->no_memory, 1);
	p->n = n;
	return p->bytes;
}

static void pool_free(void *ctx, void *bytes)
{
	struct pool *pool = ctx;

	if (bytes && (uintptr_t)bytes - (uintptr_t)pool->bytes >= sizeof(pool->bytes))
		to_heap(pool, SQ_CONTAINER(bytes, struct piece, bytes));
}

static void *pool_realloc(void *ctx, void *bytes, size_t n)
{
	void *new = pool_alloc(ctx, n);
	size_t old;

	if (!bytes)
		return new;
	old = SQ_CONTAINER(bytes, struct piece, bytes)->n;
	memcpy(new, bytes, old < n ? old : n);
	pool_free(ctx, bytes);
	return new;
}

/* The pool is empty, and has room for the little that is asked for here. */
static void make_handle(struct sq_json *js)
{
	yajl_alloc_funcs from_pool = { pool_alloc, pool_realloc, pool_free, &js->pool };

	js->pool.used = 0;
	js->yajl = yajl_alloc(&callbacks, &from_pool, js);
	yajl_config(js->yajl, yajl_dont_validate_strings, 1);
	yajl_config(js->yajl, yajl_allow_multiple_values, 1);
}

/* All that it has is ours, and it may have been left in the middle: yajl is not asked to end it. */
static void drop_handle(struct sq_json *js)
{
	while (js->pool.heap)
		to_heap(&js->pool, js->pool.heap);
	js->yajl = NULL;
}

struct sq_json *sq_json_new(const struct sq_json_sink *sink, void *ctx,
                            const struct sq_json_limits *limits)
{
	struct sq_json *js = calloc(1, sizeof(*js));

	if (!js)
		return NULL;
	js->sink = sink;
	js->ctx = ctx;
	js->limits = *limits;
	make_handle(js);
	return js;
}

void sq_json_free(struct sq_json *js)
{
	if (!js)
		return;
	drop_handle(js);
	free(js);
}

/* yajl's reason without its "parse error: " and its line end, and where it was. */
static void explain(struct sq_json *js, size_t at)
{
	unsigned char *text = yajl_get_error(js->yajl, 0, NULL, 0);
	struct sq_sv why = sq_sv_trim(sq_sv_of((const char *)text));
	size_t colon = sq_sv_find(why, SQ_SV(": "));

	if (colon != SIZE_MAX)
		why = sq_sv_skip(why, colon + 2);
	(void)snprintf(js->why, sizeof(js->why), "not JSON at byte %zu: %.*s", at,
	               SQ_SV_ARG(sq_sv_first(why, 80)));
	yajl_free_error(js->yajl, text);
}

static int read_text(struct sq_json *js, struct sq_sv text, size_t *ret_used)
{
	yajl_status status = yajl_parse(js->yajl, (const unsigned char *)text.p, text.n);
	size_t at = status == yajl_status_ok ? text.n : yajl_get_bytes_consumed(js->yajl);

	if (status == yajl_status_ok) {
		status = yajl_complete_parse(js->yajl);
		js->cut = status == yajl_status_error && js->depth > 0;
	}
	if (SQ_LIKELY(status == yajl_status_ok && js->used)) {
		*ret_used = js->used;
		return 0;
	}
	*ret_used = js->several ? js->used : at;
	if (!js->several && !js->refused && status == yajl_status_error)
		explain(js, at);
	else if (!js->several && !js->refused)
		(void)snprintf(js->why, sizeof(js->why), "no JSON value");
	drop_handle(js); /* it stays in error for ever */
	if (js->several)
		return 0;
	return status == yajl_status_client_canceled && !js->refused ? -ECANCELED : -EBADMSG;
}

int sq_json_read(struct sq_json *js, struct sq_sv text, size_t *ret_used)
{
	*ret_used = 0;
	js->text = text.p;
	js->end = text.p + text.n;
	js->depth = js->keys = 0;
	js->used = 0;
	js->several = js->refused = js->cut = false;
	if (setjmp(js->pool.no_memory)) { /* C allows it in few places: not in SQ_UNLIKELY() */
		(void)refuse(js, "no memory", 0);
		*ret_used = yajl_get_bytes_consumed(js->yajl);
		drop_handle(js);
		return -ENOMEM;
	}
	if (!js->yajl)
		make_handle(js);
	return read_text(js, text, ret_used);
}

const char *sq_json_why(const struct sq_json *js)
{
	return js->why;
}

bool sq_json_was_cut(const struct sq_json *js)
{
	return js->cut;
}
