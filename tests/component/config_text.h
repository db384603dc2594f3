/* Configurations as text: for tests of what is found in them. */
#pragma once

#include "daemon/core/config.h"
#include "tests/support/test.h"

struct config_case {
	const char *name;
	const char *text;
	const char *finding; /* part of the first error; NULL: it is good */
	unsigned line;       /* of it; 0: none */
};

#define SQD_IN  "inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n"
#define SQD_OUT "outputs:\n  - type: stdout\n"

/** What is said of a name that is none; and the longest part of one. */
#define TENANT     "tenant: a name of 1 to 64 letters"
#define SIXTY_FOUR "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF"

/** Inputs of two of them. */
#define TENANTS                                                                                    \
	"inputs:\n  - {type: tcp, listen: \"*:1\", tenant: north}\n"                               \
	"  - {type: tcp, listen: \"*:2\", tenant: south}\n"

#define HOOK "outputs:\n  - type: webhook\n    url: http://h/\n"
#define ELASTIC(index)                                                                             \
	"outputs:\n  - type: elasticsearch\n    url: http://h/\n    index: " index "\n"

/* A file of that text; the path is given back in `path`. */
static inline void write_temp(char path[], const char *text)
{
	int fd = mkstemps(path, 5);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Without a finding; NULL: the defaults. */
static inline void load_good(const char *path, struct sqd_config *cfg)
{
	struct sq_diags diags = { 0 };
	struct sq_err err = { 0 };

	if (sqd_config_load(path, NULL, cfg, &diags, &err) < 0)
		fail_msg("%s: %s", path ? path : "the defaults", err.text);
	assert_int_equal(diags.n, 0);
	sq_diags_fini(&diags);
}
