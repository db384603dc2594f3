/* Who may send: names with their secrets, and what a request shows.
 *
 *	Authorization: Bearer TOKEN
 *	Authorization: Splunk TOKEN
 *	Authorization: ApiKey base64(NAME:TOKEN)      as Beats send api_key
 *	Authorization: Basic base64(NAME:PASSWORD)    or base64(anything:TOKEN), as Splunk takes it
 *
 * Whether a secret fits is found out in a time that tells nothing of the secrets: each is compared
 * to its end. Pure.
 */
#pragma once

#include "lib/base/err.h"

enum {
	SQ_CREDENTIALS_MAX = 1024,
	SQ_CREDENTIAL_NAME = 64, /* bytes, with the terminator */
	SQ_CREDENTIAL_SECRET = 256,
};

struct sq_credential {
	char name[SQ_CREDENTIAL_NAME];
	char secret[SQ_CREDENTIAL_SECRET]; /* filled up with zeros */
	bool user;                         /* name and password; else a token that stands alone */
};

/** Begin with `= { 0 }`. */
struct sq_credentials {
	struct sq_credential *list;
	size_t n, cap;
};

void sq_credentials_fini(struct sq_credentials *c);

/** Add the lines "NAME:SECRET" of a file; empty lines and those that begin with '#' are skipped.
 * A name may stand there more than once, a token under one name alone. What is wrong goes into
 * `diags` under `file`, without any secret. @return 0, -EINVAL (see diags), -ENOMEM */
int sq_credentials_read(struct sq_credentials *c, struct sq_sv text, bool users, const char *file,
                        struct sq_diags *diags) SQ_MUST_CHECK;

enum sq_credential_result {
	SQ_CREDENTIAL_FITS,
	SQ_CREDENTIAL_NONE,    /* nothing was shown */
	SQ_CREDENTIAL_INVALID, /* what was shown is of no kind we know */
	SQ_CREDENTIAL_WRONG,
};

/** Judge the value of a header Authorization. On FITS `*ret` is the row; it lives as long as `c`.
 */
enum sq_credential_result sq_credentials_check(const struct sq_credentials *c, struct sq_sv header,
                                               const struct sq_credential **ret);
