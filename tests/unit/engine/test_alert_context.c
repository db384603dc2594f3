/* What lookup tables know reaches an alert in every format, whatever bytes the tables hold: a value
 * neither ends its field nor begins another, and whoever undoes the escapes has what JSON says. */
#include <errno.h>
#include <yajl/yajl_tree.h>

#include "tests/support/fault_alloc.h"
#include "tests/unit/engine/sample.h"

/* Of everything that is a separator somewhere. The last two bytes are no UTF-8. */
#define OWNER_CSV "a=b|c\\d\te\"\"f\ng\r\nh cs1=x\x01\xc2\x85 squibly,}]<1>\xff\xfe"
#define OWNER_READ(c1)                                                                             \
	"a=b|c\\d\te\"f\ng\r\nh cs1=x\x01" c1 " squibly,}]<1>\xef\xbf\xbd\xef\xbf\xbd"

/* Lines have no control characters beyond ASCII either. */
static const char in_documents[] = OWNER_READ("\xc2\x85"), in_lines[] = OWNER_READ("?");

static const char assets[] = "host,own=er| \tx\nws5.EXAMPLE.com,\"" OWNER_CSV "\"\nother,x\n";
static const char sites[] = "net,site\n192.0.2.0/24,Berlin\n";

static int add(struct sq_lookups *l, const char *name, enum sq_lookup_key key, const char *csv)
{
	const struct sq_lookup_opts opts = {
		.name = name, .file = "f.csv", .key = key, .max_rows = 10, .max_bytes = 65536
	};
	struct sq_diags diags = { 0 };
	char text[512];
	int r;

	snprintf(text, sizeof(text), "%s", csv);
	r = sq_lookups_add(l, &opts, text, strlen(text), &diags);
	sq_diags_fini(&diags);
	return r;
}

static struct sq_lookups *tables(void)
{
	struct sq_lookups *l = sq_lookups_new();

	assert_non_null(l);
	assert_int_equal(add(l, "as\"se=ts|", SQ_LOOKUP_HOST, assets), 0);
	assert_int_equal(add(l, "network", SQ_LOOKUP_PEER, sites), 0);
	return l;
}

static char *alert_text(enum sq_format format, const struct sq_lookups *l)
{
	struct sample s;

	sample_attack(&s);
	s.alert.lookups = l;
	return sample_text(&s, format);
}

/* The object is what the tables hold, to the byte. */
static void check_object(yajl_val context, const char *want)
{
	const char *owner[] = { "as\"se=ts|", "own=er| \tx", NULL };
	const char *site[] = { "network", "site", NULL };
	yajl_val v;

	assert_true(YAJL_IS_OBJECT(context));
	assert_int_equal(YAJL_GET_OBJECT(context)->len, 2);
	v = yajl_tree_get(context, owner, yajl_t_string);
	assert_non_null(v);
	assert_string_equal(YAJL_GET_STRING(v), want);
	v = yajl_tree_get(context, site, yajl_t_string);
	assert_non_null(v);
	assert_string_equal(YAJL_GET_STRING(v), "Berlin");
}

static void check_json(const char *text, const char **path, const char *want)
{
	yajl_val doc = yajl_tree_parse(text, NULL, 0);

	assert_non_null(doc);
	check_object(yajl_tree_get(doc, path, yajl_t_object), want);
	yajl_tree_free(doc);
}

static void documents_have_it_as_an_object(void **state SQ_UNUSED)
{
	const char *in_json[] = { "squibly", "context", NULL };
	const char *in_ocsf[] = { "unmapped", "squibly", "context", NULL };
	struct sq_lookups *l = tables();
	const struct {
		enum sq_format format;
		const char **path;
	} formats[] = {
		{ SQ_FORMAT_JSON, in_json },
		{ SQ_FORMAT_SYSLOG, in_json },
		{ SQ_FORMAT_SYSLOG3164, in_json },
		{ SQ_FORMAT_OCSF, in_ocsf },
	};

	for (size_t i = 0; i < SQ_LEN(formats); i++) {
		char *text = alert_text(formats[i].format, l);

		for (const char *p = text; *p; p++)
			assert_true((unsigned char)*p >= 0x20);
		check_json(strchr(text, '{'), formats[i].path, in_documents);
		free(text);
	}
	sq_lookups_unref(l);
}

/* A value of CEF as a receiver reads it: up to a blank, a key and an equals sign that no backslash
 * stands before. */
static void read_cef(const char *from, char *to)
{
	for (; *from; from++) {
		if (*from == ' ') {
			const char *p = from + 1;

			while (sq_is_digit(*p) || (sq_lower((unsigned char)*p) >= 'a' &&
			                           sq_lower((unsigned char)*p) <= 'z'))
				p++;
			if (p > from + 1 && *p == '=')
				break;
		}
		if (*from == '\\')
			from++;
		*to++ = *from;
	}
	*to = '\0';
}

static void cef_has_it_as_one_value(void **state SQ_UNUSED)
{
	const char *all[] = { NULL };
	struct sq_lookups *l = tables();
	char *text = alert_text(SQ_FORMAT_CEF, l), value[1024];
	const char *at = strstr(text, " squiblydContext=");

	assert_non_null(at);
	assert_null(strstr(at, " cs1=")); /* nor is it there unescaped */
	read_cef(strchr(at, '=') + 1, value);
	check_json(value, all, in_lines);
	free(text);
	sq_lookups_unref(l);
}

static void leef_has_it_as_one_value(void **state SQ_UNUSED)
{
	const char *all[] = { NULL };
	struct sq_lookups *l = tables();
	char *text = alert_text(SQ_FORMAT_LEEF, l);
	char *at = strstr(text, "\tcontext=");

	assert_non_null(at);
	at += strlen("\tcontext=");
	*strchr(at, '\t') = '\0';
	check_json(at, all, in_lines);
	free(text);
	sq_lookups_unref(l);
}

/* Nothing known, nothing said; and the length of what is known is no reason to cut it. */
static void what_nobody_knows_is_left_out(void **state SQ_UNUSED)
{
	struct sq_lookups *none = sq_lookups_new(), *l = tables();

	for (enum sq_format f = 0; f < SQ_FORMATS; f++) {
		char *without = alert_text(f, NULL), *empty = alert_text(f, none),
		     *with = alert_text(f, l);

		assert_string_equal(without, empty);
		assert_null(strstr(without, "ontext"));
		assert_non_null(strstr(with, "ontext"));
		free(without);
		free(empty);
		free(with);
	}
	sq_lookups_unref(none);
	sq_lookups_unref(l);
}

/* Each allocation of reading the tables fails once: then there is no such table, and what was there
 * before is there still. */
static void reading_survives_a_lack_of_memory(void **state SQ_UNUSED)
{
	unsigned n = 1;

	for (bool failed = true; failed; n++) {
		struct sq_lookups *l;
		int r;

		fault_alloc_at(0);
		l = sq_lookups_new();
		assert_int_equal(add(l, "network", SQ_LOOKUP_PEER, sites), 0);
		fault_alloc_at(n);
		r = add(l, "assets", SQ_LOOKUP_HOST, assets);
		failed = fault_alloc_end();
		assert_true(failed ? r == -ENOMEM || r == -EINVAL : r == 0);
		assert_int_equal(sq_lookups_rows(l), failed ? 1 : 3);
		sq_lookups_unref(l);
	}
	assert_true(n > 3);
	fault_alloc_at(1);
	assert_null(sq_lookups_new());
	assert_true(fault_alloc_end());
}

/* Each allocation of writing fails once: the buffer says so, and nothing is read behind its end. */
static void writing_survives_a_lack_of_memory(void **state SQ_UNUSED)
{
	struct sq_lookups *l = tables();
	struct sample s;

	sample_attack(&s);
	s.alert.lookups = l;
	for (enum sq_format f = 0; f < SQ_FORMATS; f++) {
		bool failed = true;

		for (unsigned n = 1; failed; n++) {
			struct sq_outbuf out = sq_outbuf_of(1 << 20);

			fault_alloc_at(n);
			sq_alert_write(&out, f, &s.alert);
			failed = fault_alloc_end();
			assert_int_equal(out.failed, failed);
			sq_outbuf_fini(&out);
		}
	}
	sq_lookups_unref(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_have_it_as_an_object),
		cmocka_unit_test(cef_has_it_as_one_value),
		cmocka_unit_test(leef_has_it_as_one_value),
		cmocka_unit_test(what_nobody_knows_is_left_out),
		cmocka_unit_test(reading_survives_a_lack_of_memory),
		cmocka_unit_test(writing_survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests_name("alert_context", tests, NULL, NULL);
}
