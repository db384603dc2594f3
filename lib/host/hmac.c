#include "lib/host/hmac.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

int sq_hmac_sha256(struct sq_sv key, const struct sq_sv *pieces, size_t n,
                   unsigned char to[SQ_HMAC_BYTES])
{
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
		                OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	size_t len = 0;
	bool ok = ctx && EVP_MAC_init(ctx, (const unsigned char *)key.p, key.n, params) == 1;

	for (size_t i = 0; ok && i < n; i++)
		if (pieces[i].n)
			ok = EVP_MAC_update(ctx, (const unsigned char *)pieces[i].p, pieces[i].n) ==
			     1;
	ok = ok && EVP_MAC_final(ctx, to, &len, SQ_HMAC_BYTES) == 1 && len == SQ_HMAC_BYTES;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return ok ? 0 : -ENOMEM;
}
