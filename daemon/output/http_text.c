#include "daemon/output/http_text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/base/log.h"
#include "lib/host/files.h"
#include "lib/text/jsonfit.h"
#include "lib/text/jsonw.h"

enum { SECRET_BYTES = 16 * 1024 };

/* ---- secrets ----------------------------------------------------------------------------- */

void sqd_http_forget(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static int one_line(struct sq_sv text, char **ret)
{
	text = sq_sv_trim(text);
	if (!text.n)
		return -EINVAL;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return -EINVAL;
	*ret = strndup(text.p, text.n);
	return *ret ? 0 : -ENOMEM;
}

int sqd_http_secret(const char *who, const char *path, char **ret, struct sq_err *err)
{
	struct sq_outbuf text = sq_outbuf_of(SECRET_BYTES);
	struct stat st;
	int r = sq_file_read(path, &text, err);

	if (r == 0) {
		r = one_line(sq_outbuf_view(&text), ret);
		if (r < 0)
			sq_err_set(err, r, "%s: %s", path,
			           r == -ENOMEM ? "out of memory"
			                        : "one line of printable ASCII is expected");
	}
	if (r == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & (S_IROTH | S_IWOTH)))
		sqd_log(SQD_LOG_WARNING,
		        "%s: %s holds a secret and can be read by everybody; chmod 640 it", who,
		        path);
	if (text.p)
		explicit_bzero(text.p, text.cap);
	sq_outbuf_fini(&text);
	return r;
}

int sqd_http_secret_check(const char *key, const char *path, struct sq_err *err)
{
	char *secret = NULL;
	int r = path ? sqd_http_secret(key, path, &secret, err) : 0;

	sqd_http_forget(secret);
	return r < 0 ? sq_err_wrap(err, r, "%s", key) : 0;
}

/* ---- bodies and URLs --------------------------------------------------------------------- */

void sqd_http_put_escaped(struct sq_outbuf *to, const char *text)
{
	for (const char *p = text; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		             sq_is_digit(*p) || strchr("-._~", *p);

		if (plain)
			sq_outbuf_putc(to, *p);
		else
			sq_outbuf_printf(to, "%%%02X", (unsigned)(unsigned char)*p);
	}
}

void sqd_http_put_line(struct sq_outbuf *to, struct sq_sv text)
{
	size_t mark = to->len;

	sq_outbuf_put(to, text);
	if (to->failed)
		return;
	for (char *p = to->p + mark, *end = to->p + to->len; p < end; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	sq_outbuf_putc(to, '\n');
}

bool sqd_http_put_value(struct sq_outbuf *to, struct sq_sv text)
{
	enum sq_json_fitness fit = sq_json_judge(text);
	size_t at = to->len;

	/* What a sender wrote must not end its place, and say more in our name. */
	if (fit == SQ_JSON_BROKEN) {
		sq_outbuf_putc(to, '"');
		sq_json_escape(to, text);
		sq_outbuf_putc(to, '"');
		return false;
	}
	sq_outbuf_put(to, text);
	if (fit == SQ_JSON_MENDABLE)
		sq_json_mend(to, at);
	return fit == SQ_JSON_MENDABLE;
}
