#include <errno.h>
#include <sys/stat.h>

#include "daemon/input/http_private.h"
#include "lib/host/files.h"

enum { FILE_MAX = 512 * 1024 };

/* Others than its owner and its group may read it. */
static void check_mode(const struct sqd_http_input *in, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)))
		sqd_log(SQD_LOG_WARNING,
		        "%s: %s holds secrets and can be read by everybody; chmod 640 it",
		        in->server.base.name, path);
}

static int load(struct sqd_http_input *in, const char *path, bool users, struct sq_credentials *to,
                struct sq_err *err)
{
	struct sq_outbuf text = sq_outbuf_of(FILE_MAX);
	struct sq_diags diags = { 0 };
	int r;

	if (!path)
		return 0;
	r = sq_file_read(path, &text, err);
	if (r == 0) {
		check_mode(in, path);
		r = sq_credentials_read(to, sq_outbuf_view(&text), users, path, &diags);
		if (r == -ENOMEM)
			sq_err_set(err, r, "%s: out of memory", path);
		else if (r < 0)
			(void)sq_diags_to_err(&diags, err);
	}
	if (text.p)
		explicit_bzero(text.p, text.cap);
	sq_outbuf_fini(&text);
	sq_diags_fini(&diags);
	return r;
}

int sqd_http_auth_load(struct sqd_http_input *in, struct sq_err *err)
{
	const struct sqd_input_http_cfg *cfg = in->server.base.cfg;
	struct sq_credentials anew = { 0 };
	int r = load(in, cfg->tokens_file, false, &anew, err);

	if (r == 0)
		r = load(in, cfg->users_file, true, &anew, err);
	if (r < 0) {
		sq_credentials_fini(&anew);
		return r;
	}
	sq_credentials_fini(&in->credentials);
	in->credentials = anew;
	in->guarded = cfg->tokens_file || cfg->users_file;
	if (in->guarded && !anew.n)
		sqd_log(SQD_LOG_WARNING,
		        "%s: there is nobody in tokens_file or users_file: nobody may send",
		        in->server.base.name);
	return 0;
}
