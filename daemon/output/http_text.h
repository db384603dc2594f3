/* What outputs over HTTP write into URLs and bodies, and the secrets that they read from files.
 */
#pragma once

#include "lib/base/err.h"
#include "lib/base/outbuf.h"

/** One line of a file that holds a secret, without its end; warns, in the name of `who`, when
 *  everybody may read it.
 *  @return 0 with `*ret` for sqd_http_forget(), -EINVAL (several lines, bytes that are no printable
 *  ASCII), another negative errno; `err` names the file */
int sqd_http_secret(const char *who, const char *path, char **ret,
                    struct sq_err *err) SQ_MUST_CHECK;
/** The same for a look at it alone; `path` may be NULL. `err` begins with `key`. */
int sqd_http_secret_check(const char *key, const char *path, struct sq_err *err) SQ_MUST_CHECK;
/** Overwrite and free. NULL is fine. */
void sqd_http_forget(char *secret);

/** All that is not unreserved in a URL (RFC 3986) as %XX. */
void sqd_http_put_escaped(struct sq_outbuf *to, const char *text);

/** A line: line ends inside of it, which JSON has only between its tokens, become blanks. */
void sqd_http_put_line(struct sq_outbuf *to, struct sq_sv text);

/** A JSON value: an object as it stands, anything else as a string. @return whether bytes of the
 *  object that JSON cannot hold were replaced (lib/text/jsonfit.h) */
bool sqd_http_put_value(struct sq_outbuf *to, struct sq_sv text);
