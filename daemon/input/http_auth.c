#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/input/http_private.h"
#include "lib/host/files.h"

enum { FILE_MAX = 512 * 1024 };

/* Others than its owner and its group may read it. */
static void check_mode(const char *path, struct sq_diags *diags)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)))
		sq_diag_add(diags, SQ_DIAG_WARNING, path, 0, 0,
		            "it holds secrets and can be read by everybody; chmod 640 it");
}

static int read_file(const char *path, bool users, struct sq_credentials *to,
                     struct sq_diags *diags, struct sq_err *err)
{
	struct sq_outbuf text = sq_outbuf_of(FILE_MAX);
	int r;

	if (!path)
		return 0;
	r = sq_file_read(path, &text, err);
	if (r == 0) {
		check_mode(path, diags);
		r = sq_credentials_read(to, sq_outbuf_view(&text), users, path, diags);
		if (r == -ENOMEM)
			sq_err_set(err, r, "%s: out of memory", path);
		else if (r < 0)
			(void)sq_diags_to_err(diags, err);
	}
	if (text.p)
		explicit_bzero(text.p, text.cap);
	sq_outbuf_fini(&text);
	return r;
}

/* Both files. What is to be said of them goes to `diags`, the first reason for a failure to `err`
 * as well. */
static int read_both(const struct sqd_input_http_cfg *cfg, struct sq_credentials *to,
                     struct sq_diags *diags, struct sq_err *err)
{
	const char *any = cfg->tokens_file ? cfg->tokens_file : cfg->users_file;
	int r = read_file(cfg->tokens_file, false, to, diags, err);

	if (r == 0)
		r = read_file(cfg->users_file, true, to, diags, err);
	if (r == 0 && any && !to->n)
		sq_diag_add(diags, SQ_DIAG_WARNING, any, 0, 0,
		            "there is nobody in tokens_file or users_file: nobody may send");
	return r;
}

bool sqd_http_auth_open(const struct sqd_input_http_cfg *cfg, const char *name)
{
	struct sq_sv v = sq_sv_of(name);
	struct sq_sv kind = sq_sv_cut(&v, ' ');

	(void)kind;
	return !cfg->tokens_file && !cfg->users_file &&
	       cfg->server.tls.clients != SQ_TLS_CLIENTS_REQUIRED &&
	       !sq_sv_starts(v, SQ_SV("127.")) && !sq_sv_starts(v, SQ_SV("[::1]")) &&
	       !sq_sv_starts(v, SQ_SV("unix:"));
}

void sqd_http_auth_check(const void *config, struct sq_diags *diags)
{
	const struct sqd_input_http_cfg *cfg = config;
	struct sq_credentials found = { 0 };
	size_t errors = diags->errors;
	struct sq_err err = { 0 };
	char name[128];

	(void)snprintf(name, sizeof(name), "http %s", cfg->server.listen);
	if (sqd_http_auth_open(cfg, name))
		sq_diag_add(diags, SQ_DIAG_WARNING, "inputs", 0, 0, "%s: " SQD_HTTP_OPEN, name);
	if (read_both(cfg, &found, diags, &err) < 0 && diags->errors == errors)
		sq_diag_add(diags, SQ_DIAG_ERROR, "inputs", 0, 0, "%s", err.text);
	sq_credentials_fini(&found);
}

int sqd_http_auth_load(struct sqd_http_input *in, struct sq_err *err)
{
	const struct sqd_input_http_cfg *cfg = in->server.base.cfg;
	struct sq_credentials anew = { 0 };
	struct sq_diags diags = { 0 };
	int r = read_both(cfg, &anew, &diags, err);

	for (size_t i = 0; i < diags.n; i++)
		if (diags.list[i].severity == SQ_DIAG_WARNING)
			sqd_log(SQD_LOG_WARNING, "%s: %s: %s", in->server.base.name,
			        diags.list[i].file, diags.list[i].text);
	sq_diags_fini(&diags);
	if (r < 0) {
		sq_credentials_fini(&anew);
		return r;
	}
	sq_credentials_fini(&in->credentials);
	in->credentials = anew;
	in->guarded = cfg->tokens_file || cfg->users_file;
	return 0;
}
