/* Log sources, and warnings about rules that can be read and never match. */
#include "tests/unit/rules/sigma_text.h"

#include "lib/rules/catalog.h"

struct check_case {
	const char *name;
	const char *logsource; /* in line 4 */
	const char *body;      /* of the selection, from line 7 */
	const char *condition;
	const char *want;
};

#define CREATION "{category: process_creation, product: windows}"
#define IMAGES   "{category: image_load, product: windows}"
#define PRODUCT  "{product: windows}"

static struct check_case cases[] = {
	/* fields */
	{ "a field mistyped", CREATION, "    Imge: a\n    User: b", "sel",
	  "7:5: warning: field 'Imge' never occurs in process_creation events; did you mean 'Image'?\n"
	  "9:14: warning: the rule can never match: its condition is never true\n" },
	{ "a field of another category", CREATION, "    TargetObject: a", "sel or not sel",
	  "7:5: warning: field 'TargetObject' never occurs in process_creation events\n"
	  "8:14: warning: the rule matches every event of its log source\n" },
	{ "the names of 4688", CREATION,
	  "    NewProcessName: a\n    ParentProcessName: b\n    SubjectUserName: c", "sel", "" },
	{ "the names of Sysmon 1", CREATION,
	  "    Image: a\n    OriginalFileName: b\n    Hashes: c\n    ParentUser: d", "sel", "" },
	{ "what every event has", CREATION,
	  "    EventID: 4688\n    Channel: Security\n    Computer: c\n    Provider_Name: d", "sel",
	  "" },
	{ "a parent is not known of an image load", IMAGES, "    ParentImage: a", "sel",
	  "7:5: warning: field 'ParentImage' never occurs in image_load events\n"
	  "8:14: warning: the rule can never match: its condition is never true\n" },
	{ "names of fields keep their case", IMAGES, "    imageloaded: a", "sel",
	  "7:5: warning: field 'imageloaded' never occurs in image_load events; did you mean "
	  "'ImageLoaded'?\n"
	  "8:14: warning: the rule can never match: its condition is never true\n" },
	{ "a digest has no field of its own", CREATION, "    Imphash: a", "sel",
	  "7:5: warning: field 'Imphash' never occurs: write Hashes|contains: 'Imphash=...'\n"
	  "8:14: warning: the rule can never match: its condition is never true\n" },
	{ "one of two fields is enough", CREATION, "    - Imge: a\n    - Image: b", "sel",
	  "7:7: warning: field 'Imge' never occurs in process_creation events; did you mean "
	  "'Image'?\n" },
	{ "an absent field is always null", CREATION, "    Imge: null\n    Image: a", "sel",
	  "7:5: warning: field 'Imge' never occurs in process_creation events; did you mean "
	  "'Image'?\n" },
	{ "without a category any field may occur", PRODUCT, "    Imge: a", "sel", "" },
	{ "a field of any of the four registry events", "{category: registry_event}",
	  "    NewName: a\n    Details: b", "sel", "" },
	{ "the data of old PowerShell events has no names", "{category: ps_classic_start}",
	  "    HostApplication: a", "sel", "" },
	{ "keywords may match", CREATION, "    - evil", "sel", "" },

	/* event ids */
	{ "an event id of another category", CREATION, "    EventID: 7\n    Image: a", "sel",
	  "7:14: warning: no process_creation event has the id 7\n"
	  "9:14: warning: the rule can never match: its condition is never true\n" },
	{ "as text", CREATION, "    EventID: '4689'", "sel",
	  "7:14: warning: no process_creation event has the id 4689\n"
	  "8:14: warning: the rule can never match: its condition is never true\n" },
	{ "one of two ids is enough", CREATION, "    EventID: [7, 1]", "sel",
	  "7:15: warning: no process_creation event has the id 7\n" },
	{ "a range of ids is not judged", CREATION, "    EventID|gt: 5", "sel", "" },
	{ "without a category any id may occur", PRODUCT, "    EventID: 7", "sel", "" },

	/* conditions */
	{ "true and not true", CREATION, "    Image: a", "sel and not sel", "" },
	{ "an unused selection", CREATION, "    Image: a\n  _other:\n    Image: b", "sel",
	  "8:3: warning: no condition asks for selection '_other': use it or remove it\n" },

	/* log sources */
	{ "another product", "{product: linux, category: process_creation}", "    Imge: a", "sel",
	  "4:22: warning: the rule can never match: no event comes from product 'linux'\n" },
	{ "Windows in capitals", "{product: Windows}", "    Image: a", "sel", "" },
	{ "an unknown category", "{category: proces_creation}", "    Image: a", "sel",
	  "4:23: warning: the rule can never match: no event comes from category "
	  "'proces_creation'; did you mean 'process_creation'?\n" },
	{ "a category of other machines", "{category: proxy}", "    c-uri: a", "sel",
	  "4:23: warning: the rule can never match: no event comes from category 'proxy'\n" },
	{ "an unknown service", "{product: windows, service: secur1ty}", "    Image: a", "sel",
	  "4:40: warning: the rule can never match: no event comes from service 'secur1ty'; did "
	  "you mean 'security'?\n" },
	{ "one reason is enough", "{product: macos, service: unified_log, category: x}",
	  "    Image: a", "sel",
	  "4:22: warning: the rule can never match: no event comes from product 'macos'\n" },
	{ "a text as logsource", "windows", "    Image: a", "sel",
	  "4:12: error: logsource is a map of category, product and service\n" },
	{ "an empty logsource", "{}", "    Image: a", "sel",
	  "4:12: error: logsource names nothing: give a category, product or service\n" },
	{ "only a definition", "{definition: x}", "    Image: a", "sel",
	  "4:12: error: logsource names nothing: give a category, product or service\n" },
	{ "a mistyped key", "{product: windows, categorx: x}", "    Image: a", "sel",
	  "4:31: error: unknown key 'categorx' in logsource; did you mean 'category'?\n" },
	{ "a product that is a list", "{product: [windows]}", "    Image: a", "sel",
	  "4:22: error: product needs a name\n" },

	/* regular expressions */
	{ "an expression that does not compile", CREATION, "    Image|re: 'a('", "sel",
	  "7:15: error: regular expression: missing closing parenthesis, at byte 2\n" },
	{ "an expression that does", CREATION, "    Image|re|i: '(?<=a)b{2,3}'", "sel", "" },
};

static void check_findings(void **state)
{
	const struct check_case *tc = *state;
	struct sq_sv got;
	struct parsed t;
	char yaml[2048];

	(void)snprintf(yaml, sizeof(yaml),
	               "title: A rule\nlevel: low\nstatus: test\nlogsource: %s\n"
	               "detection:\n  sel:\n%s\n  condition: %s\n",
	               tc->logsource, tc->body, tc->condition);
	parse(&t, yaml);
	got = findings(&t);
	assert_sv_equal(got, sq_sv_of(tc->want));
	assert_int_equal(t.result, t.diags.errors ? -EINVAL : 1);
	parsed_fini(&t);
}

struct source_case {
	const char *name;
	const char *logsource;
	uint64_t categories;
	const char *channels; /* with a '|' behind each */
	bool never;
};

#define BIT(c) (UINT64_C(1) << SQ_CATEGORY_##c)

static struct source_case sources[] = {
	{ "a product alone is every event", PRODUCT, 0, "", false },
	{ "a category", CREATION, BIT(PROCESS_CREATION), "", false },
	{ "a category needs no product", "{category: dns_query}", BIT(DNS_QUERY), "", false },
	{ "registry_event is four categories", "{category: registry_event}",
	  BIT(REGISTRY_ADD) | BIT(REGISTRY_DELETE) | BIT(REGISTRY_SET) | BIT(REGISTRY_RENAME), "",
	  false },
	{ "an older name", "{category: clipboard_change}", BIT(CLIPBOARD_CAPTURE), "", false },
	{ "a service", "{service: security}", 0, "Security|", false },
	{ "Sysmon", "{product: windows, service: sysmon}", 0,
	  "Microsoft-Windows-Sysmon/Operational|", false },
	{ "a service of four channels", "{service: applocker}", 0,
	  "Microsoft-Windows-AppLocker/EXE and DLL|Microsoft-Windows-AppLocker/MSI and Script|"
	  "Microsoft-Windows-AppLocker/Packaged app-Deployment|"
	  "Microsoft-Windows-AppLocker/Packaged app-Execution|",
	  false },
	{ "a category and a service", "{category: process_creation, service: security}",
	  BIT(PROCESS_CREATION), "Security|", false },
	{ "another product", "{product: linux, category: process_creation}", BIT(PROCESS_CREATION),
	  "", true },
	{ "an unknown category", "{category: proxy}", 0, "", true },
	{ "an unknown service", "{service: sshd}", 0, "", true },
};

static void check_source(void **state)
{
	const struct source_case *tc = *state;
	const struct sq_logsource *ls;
	struct parsed t;
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml),
	               "title: A rule\nlevel: low\nlogsource: %s\n"
	               "detection:\n  sel:\n    EventID|gt: 0\n  condition: sel\n",
	               tc->logsource);
	parse(&t, yaml);
	assert_int_equal(t.result, 1);
	ls = &t.rules.list[0]->logsource;
	assert_true(ls->categories == tc->categories);
	assert_int_equal(ls->never, tc->never);
	sq_outbuf_reset(&t.text);
	for (const char *const *c = ls->channels; c && *c; c++)
		sq_outbuf_printf(&t.text, "%s|", *c);
	assert_sv_equal(t.text.len ? sq_outbuf_view(&t.text) : SQ_SV(""), sq_sv_of(tc->channels));
	parsed_fini(&t);
}

static void every_category_has_a_place_in_the_catalog(void **state)
{
	(void)state;
	for (unsigned c = SQ_CATEGORY_NONE + 1; c < SQ_CATEGORIES; c++) {
		const char *name = sq_category_name((enum sq_category)c);

		assert_true(name[0]);
		assert_true(sq_catalog_categories(sq_sv_of(name)) != 0);
		if (c != SQ_CATEGORY_REGISTRY_EVENT) /* a rule's only; four others stand for it */
			assert_false(sq_catalog_has_id(UINT64_C(1) << c, 9999));
		for (struct sq_sv names = sq_catalog_fields((enum sq_category)c); names.n;) {
			struct sq_sv field = sq_sv_cut(&names, ' ');

			assert_true(field.n > 0); /* one blank between, none at the end */
			assert_true(sq_catalog_has_field(UINT64_C(1) << c, field));
		}
	}
	assert_true(sq_catalog_categories(SQ_SV("")) == 0);
}

static void services_are_named_once(void **state)
{
	(void)state;
	for (size_t i = 0; sq_catalog_service(i); i++) {
		const char *const *channels = sq_catalog_channels(sq_sv_of(sq_catalog_service(i)));

		assert_non_null(channels);
		assert_non_null(channels[0]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(sq_catalog_service(i), sq_catalog_service(k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_category_has_a_place_in_the_catalog),
		cmocka_unit_test(services_are_named_once),
	};

	return RUN_TABLE("rules/check", cases, check_findings) +
	       RUN_TABLE("rules/source", sources, check_source) +
	       cmocka_run_group_tests_name("rules/catalog", tests, NULL, NULL);
}
