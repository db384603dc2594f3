#include "lib/host/pack.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/host/threads.h"
#include "lib/rules/sigma.h"

enum {
	RULE_FILE_MAX = 4 << 20, /* bytes */
	CACHE_FILE_MAX = 256 << 20,
};

/* Read and parse one file of rules into `rules`; what is wrong goes into `diags`. */
static int parse_file(struct sq_rules *rules, const char *path, struct sq_outbuf *text,
                      struct sq_diags *diags)
{
	struct sq_err err = { 0 };
	int r;

	sq_outbuf_reset(text);
	r = sq_file_read(path, text, &err);
	if (r < 0) {
		/* The text begins with the path, which the finding says by itself. */
		size_t skip = strlen(path) + 2;

		sq_diag_add(diags, SQ_DIAG_ERROR, path, 0, 0, "%s",
		            strlen(err.text) > skip ? err.text + skip : err.text);
		return r == -ENOMEM ? r : 0;
	}
	r = sq_sigma_parse(rules, sq_outbuf_view(text), path, diags);
	return r == -ENOMEM ? r : 0;
}

static int parse_all(const struct sq_pack_opts *opts, struct sq_rules *rules,
                     struct sq_diags *diags)
{
	struct sq_outbuf text = sq_outbuf_of(RULE_FILE_MAX);
	struct sq_paths paths = { 0 };
	size_t errors = diags->errors;
	int r = 0;

	for (size_t i = 0; i < opts->n_paths && r == 0; i++) {
		struct sq_err err = { 0 };
		size_t before = paths.n;

		r = sq_paths_add(&paths, opts->paths[i], ".yml", ".yaml", &err);
		/* With one path it is an error, which is told at the end. */
		if (r >= 0 && paths.n == before && opts->n_paths > 1)
			sq_diag_add(diags, SQ_DIAG_WARNING, opts->paths[i], 0, 0,
			            "no rules (*.yml, *.yaml) in this folder");
		if (r < 0 && r != -ENOMEM) {
			size_t skip = strlen(opts->paths[i]);

			/* As below: the path is said once. */
			if (strncmp(err.text, opts->paths[i], skip) != 0 ||
			    strncmp(err.text + skip, ": ", 2) != 0)
				skip = 0;
			sq_diag_add(diags, SQ_DIAG_ERROR, opts->paths[i], 0, 0, "%s",
			            err.text + (skip ? skip + 2 : 0));
			r = 0;
		}
	}
	for (size_t i = 0; i < paths.n && r == 0; i++)
		r = parse_file(rules, paths.list[i], &text, diags);
	if (r == 0 && diags->errors == errors) /* else some rules are not there to be filtered */
		r = sq_sigma_finish(rules, diags);
	sq_paths_fini(&paths);
	sq_outbuf_fini(&text);
	return r;
}

static int no_rules(const struct sq_pack_opts *opts, struct sq_err *err)
{
	char names[SQ_ERR_TEXT / 2] = "";
	size_t len = 0;

	for (size_t i = 0; i < opts->n_paths; i++) {
		int n = snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
		                 opts->paths[i]);

		if (n < 0 || (size_t)n >= sizeof(names) - len)
			break;
		len += (size_t)n;
	}
	return sq_err_set(err, -EINVAL, "no rules (*.yml, *.yaml) in %s",
	                  opts->n_paths ? names : "an empty list of paths");
}

/* mkdir -p with folders that only we may enter; those that are there stay as they are. */
static int make_folders(const char *path, struct sq_err *err)
{
	char *copy = strdup(path);
	int r = 0;

	if (!copy)
		return sq_err_set(err, -ENOMEM, "%s: out of memory", path);
	for (char *p = copy + 1; r == 0 && copy[0]; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			r = sq_err_set(err, -errno, "%s: %s", copy, sq_strerror(errno));
		*p = was;
		if (was == '\0')
			break;
	}
	free(copy);
	return r;
}

/* A compiled database is close to code. One that somebody else could have written is left alone,
 * as is one that is not there. */
static bool trusted(const char *file, struct sq_diags *diags)
{
	struct stat st;

	if (stat(file, &st) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			sq_diag_add(diags, SQ_DIAG_WARNING, file, 0, 0,
			            "cache not read, compiling: %s", sq_strerror(errno));
		return false;
	}
	if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		sq_diag_add(diags, SQ_DIAG_WARNING, file, 0, 0,
		            "cache not read, compiling: others may write to it");
		return false;
	}
	return true;
}

static void read_cache(const char *file, struct sq_outbuf *bytes, struct sq_diags *diags)
{
	struct sq_err err = { 0 };

	if (!trusted(file, diags))
		return;
	if (sq_file_read(file, bytes, &err) < 0) {
		sq_diag_add(diags, SQ_DIAG_WARNING, file, 0, 0, "cache not read, compiling: %s",
		            err.text);
		sq_outbuf_reset(bytes);
	}
}

static void write_cache(const char *folder, const char *file, const struct sq_ruleset *rs,
                        struct sq_diags *diags)
{
	struct sq_outbuf bytes = sq_outbuf_of(CACHE_FILE_MAX);
	struct sq_err err = { 0 };
	int r = sq_ruleset_save(rs, &bytes);

	if (r == 0 && bytes.failed)
		r = -EFBIG;
	if (r == 0) {
		r = make_folders(folder, &err);
		if (r == 0)
			r = sq_file_replace(file, sq_outbuf_view(&bytes), 0600, &err);
	}
	if (r < 0 && r != -ENODATA)
		sq_diag_add(diags, SQ_DIAG_WARNING, file, 0, 0, "cache not written: %s",
		            err.text[0] ? err.text : sq_strerror(r));
	sq_outbuf_fini(&bytes);
}

static int build(const struct sq_pack_opts *opts, struct sq_rules *rules, struct sq_ruleset **ret,
                 struct sq_ruleset_report *report, struct sq_diags *diags, struct sq_err *err)
{
	bool caching = !opts->plain && opts->cache && opts->cache[0];
	struct sq_outbuf cached = sq_outbuf_of(CACHE_FILE_MAX);
	unsigned threads =
		opts->threads < SQ_PACK_THREADS_MAX ? opts->threads : SQ_PACK_THREADS_MAX;
	struct sq_ruleset_opts ro = { .plain = opts->plain,
		                      .each = { sq_threads_run, &threads, opts->stop } };
	char key[33], *file = NULL;
	int r;

	if (caching) {
		sq_rules_cache_key(rules, key);
		if (asprintf(&file, "%s/%s.hsdb", opts->cache, key) < 0) {
			sq_rules_fini(rules);
			return sq_err_set(err, -ENOMEM, "rules: out of memory");
		}
		read_cache(file, &cached, diags);
		ro.cached = sq_outbuf_view(&cached);
	}
	r = sq_ruleset_build(rules, &ro, ret, report, err);
	if (r == 0 && caching && !report->cache_used)
		write_cache(opts->cache, file, *ret, diags);
	sq_outbuf_fini(&cached);
	free(file);
	return r;
}

int sq_pack_load(const struct sq_pack_opts *opts, struct sq_ruleset **ret,
                 struct sq_ruleset_report *report, struct sq_diags *diags, struct sq_err *err)
{
	struct sq_ruleset_report own = { 0 };
	struct sq_rules rules = { 0 };
	size_t errors = diags->errors;
	int r;

	if (report)
		*report = (struct sq_ruleset_report){ 0 };
	r = sq_rules_init(&rules);
	if (r < 0)
		return sq_err_set(err, r, "rules: %s", sq_strerror(r));
	r = parse_all(opts, &rules, diags);
	if (r < 0)
		r = sq_err_set(err, r, "rules: %s", sq_strerror(r));
	else if (diags->errors > errors)
		r = sq_diags_to_err(diags, err);
	else if (rules.n == 0)
		r = no_rules(opts, err);
	if (r < 0) {
		sq_rules_fini(&rules);
		return r;
	}
	r = build(opts, &rules, ret, report ? report : &own, diags, err);
	sq_diags_fini(&own.notes);
	return r;
}

/* The running program lies in the source tree, or in a build folder made by meson elsewhere. */
static bool in_build_folder(void)
{
	char exe[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", exe, PATH_MAX);

	if (n <= 0 || n >= PATH_MAX)
		return false;
	exe[n] = '\0';
	if (sq_sv_starts(sq_sv_of(exe), SQ_SV(SQ_SOURCE_DIR "/")))
		return true;
	for (unsigned up = 0; up < 4; up++) {
		char *slash = strrchr(exe, '/');

		if (!slash || slash == exe)
			return false;
		(void)snprintf(slash, 32, "/meson-private");
		if (access(exe, F_OK) == 0)
			return true;
		*slash = '\0';
	}
	return false;
}

const char *sq_pack_shipped(void)
{
	const char *env = getenv("SQUIBLY_PATTERNS");

	if (env && env[0])
		return env;
	if (in_build_folder() && access(SQ_SOURCE_DIR "/patterns", R_OK) == 0)
		return SQ_SOURCE_DIR "/patterns";
	return SQ_DATA_DIR "/patterns";
}

const char *sq_pack_cache(void)
{
	static char path[PATH_MAX];
	const char *systemd = getenv("CACHE_DIRECTORY");
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	int n;

	/* systemd gives a list with colons when a unit names several folders; the first is ours. */
	if (systemd && systemd[0] == '/')
		n = snprintf(path, sizeof(path), "%.*s", (int)strcspn(systemd, ":"), systemd);
	else if (xdg && xdg[0] == '/') /* the XDG specification ignores relative paths */
		n = snprintf(path, sizeof(path), "%s/squibly", xdg);
	else if (home && home[0] == '/')
		n = snprintf(path, sizeof(path), "%s/.cache/squibly", home);
	else
		return NULL;
	return n > 0 && (size_t)n < sizeof(path) ? path : NULL;
}
