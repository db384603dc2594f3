/* Any YAML as a configuration: findings, or values within their ranges that print and read back. */
#include <errno.h>
#include <stdlib.h>

#include "lib/text/opt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct cfg {
	char *listen, *note;
	bool fast;
	uint32_t count;
	uint64_t size, wait;
	int color;
	struct sq_opt_strs paths;
};

static const struct sq_opt_enum colors[] = { { "red", 0 }, { "green", 1 }, { 0 } };

#define AT(member) .offset = offsetof(struct cfg, member)

/* clang-format off */
static const struct sq_opt table[] = {
	{ "listen", SQ_OPT_STR, AT(listen), .def = "127.0.0.1:5170", .doc = "Where to listen." },
	{ "note", SQ_OPT_STR, AT(note), .doc = "Any text." },
	{ "fast", SQ_OPT_BOOL, AT(fast), .def = "true", .doc = "Be fast." },
	{ "count", SQ_OPT_U32, AT(count), .min = 1, .max = 100, .def = "7", .doc = "How many." },
	{ "size", SQ_OPT_BYTES, AT(size), .min = 1024, .max = 16 << 20, .def = "1MiB", .doc = "How large." },
	{ "wait", SQ_OPT_MSEC, AT(wait), .min = 0, .max = 86400000, .def = "250ms", .doc = "How long." },
	{ "color", SQ_OPT_ENUM, AT(color), .enums = colors, .def = "green", .doc = "Which." },
	{ "paths", SQ_OPT_STRS, AT(paths), .def = "[a, /b/c]", .doc = "Some paths." },
	{ 0 }
};
/* clang-format on */

/* @return 0, or what refused the text */
static int read_text(struct sq_sv text, struct cfg *cfg)
{
	const struct sq_yaml_limits limits = { .max_nodes = 2000, .max_depth = 8 };
	struct sq_diags diags = { 0 };
	struct sq_yaml_doc **docs = NULL;
	int n = sq_yaml_load(text, "fuzz.yml", &limits, &docs, &diags);
	int r = -EINVAL;

	if (n == 1 && sq_yaml_root(docs[0])->kind == SQ_YAML_MAP) {
		r = sq_opt_read(table, sq_yaml_root(docs[0]), NULL, cfg, "fuzz.yml", &diags);
		sq_assert((r < 0) == (diags.errors > 0));
	}
	sq_yaml_free_all(docs, n > 0 ? (size_t)n : 0);
	sq_diags_fini(&diags);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_outbuf once = sq_outbuf_of(1 << 20), again = sq_outbuf_of(1 << 20);
	struct cfg cfg = { 0 }, back = { 0 };

	if (read_text((struct sq_sv){ (const char *)data, size }, &cfg) == 0) {
		sq_assert(cfg.count >= 1 && cfg.count <= 100);
		sq_assert(cfg.size >= 1024 && cfg.size <= 16 << 20 && cfg.wait <= 86400000);
		sq_assert(cfg.color == 0 || cfg.color == 1);
		sq_opt_print(table, &cfg, 0, &once);
		sq_assert(!once.failed && read_text(sq_outbuf_view(&once), &back) == 0);
		sq_opt_print(table, &back, 0, &again);
		sq_assert(sq_sv_eq(sq_outbuf_view(&once), sq_outbuf_view(&again)));
	}
	sq_opt_free(table, &cfg);
	sq_opt_free(table, &back);
	sq_outbuf_fini(&once);
	sq_outbuf_fini(&again);
	return 0;
}
