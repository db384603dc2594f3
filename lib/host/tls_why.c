/* Why a session failed, in words for the person who has to mend it.
 *
 * OpenSSL knows reasons by number, from the view of its own source. Those that people meet are put
 * into words here; what nobody meets is passed on as OpenSSL words it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/host/tls_private.h"

void sq_tls_say(struct sq_tls *t, const char *fmt, ...)
{
	char text[SQ_TLS_WHY_TEXT];
	va_list ap;

	if (t->why)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	t->why = strdup(text);
}

const char *sq_tls_why(const struct sq_tls *t)
{
	if (t->why)
		return t->why;
	return t->error ? sq_strerror(t->error) : "nothing is wrong";
}

/* ---- plain text -------------------------------------------------------------------------- */

const char *sq_tls_not_tls(struct sq_sv head, bool server, bool *ret_wait)
{
	static const char *const methods[] = { "GET ",     "POST ",  "PUT ",   "HEAD ",   "DELETE ",
		                               "OPTIONS ", "PATCH ", "TRACE ", "CONNECT " };
	const char *plain = server ? "it sent plain text on a TLS port"
	                           : "it answered with plain text: no TLS is spoken there";
	unsigned char first;

	if (!head.n)
		return NULL;
	first = (unsigned char)head.p[0];
	if (first == SSL3_RT_HANDSHAKE || (first == SSL3_RT_ALERT && !server))
		return NULL;
	for (size_t i = 0; server && i < SQ_LEN(methods); i++) {
		struct sq_sv method = sq_sv_first(sq_sv_of(methods[i]), SQ_TLS_HEAD);

		if (sq_sv_starts(head, method))
			return "HTTP request on a TLS port";
		if (sq_sv_starts(method, head)) {
			*ret_wait = true;
			return NULL;
		}
	}
	if ((first >= 0x20 && first < 0x7f) || sq_is_space((char)first) || first >= 0xc0)
		return plain;
	return "it sent bytes that are not TLS";
}

/* ---- certificates ------------------------------------------------------------------------ */

/* What is wrong with `whose` certificate. */
static const char *certificate_trouble(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "is not valid yet";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
		return "is signed by nobody we trust";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return "is self-signed, or its authority is, and we do not trust it";
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return "has a signature that is wrong";
	case X509_V_ERR_CERT_REVOKED:
		return "has been revoked";
	case X509_V_ERR_INVALID_PURPOSE:
		return "is not meant for this use";
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return "uses a key or a hash that is too weak";
	default:
		return X509_verify_cert_error_string(error);
	}
}

int sq_tls_on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct sq_tls *t = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	int error = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);
	const char *whose = t->ctx->server ? "the client's" : "the server's";
	char subject[256] = "unknown";

	if (cert)
		sq_tls_subject(cert, subject, sizeof(subject), true);
	if (ok && (depth || !t->ctx->server || sq_tls_name_fits(cert, &t->ctx->names)))
		return 1;
	if (ok) {
		sq_tls_say(t, "no name of the client's certificate is allowed (%s)", subject);
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	} else if (error == X509_V_ERR_HOSTNAME_MISMATCH ||
	           error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		char *address = X509_VERIFY_PARAM_get1_ip_asc(SSL_get0_param(ssl));
		const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

		if (!name)
			name = address ? address : "it was called by";
		sq_tls_say(t, "the server's certificate is for another name than %s (%s)", name,
		           subject);
		OPENSSL_free(address);
	} else if (error == X509_V_ERR_OUT_OF_MEM) {
		t->no_memory = true;
	} else {
		sq_tls_say(t, "%s certificate%s %s (%s)", whose, depth ? "'s authority" : "",
		           certificate_trouble(error), subject);
	}
	return 0;
}

/* ---- what OpenSSL says ------------------------------------------------------------------- */

/* The peer sent an alert. */
static void say_alert(struct sq_tls *t, int alert)
{
	const char *text = SSL_alert_desc_string_long(alert);

	switch (alert) {
	case SSL_AD_UNKNOWN_CA:
		sq_tls_say(t, "the peer does not trust our certificate (unknown ca)");
		break;
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
		sq_tls_say(t, "the peer refuses our certificate (%s)", text);
		break;
	case SSL_AD_CERTIFICATE_REQUIRED:
		sq_tls_say(t, "the peer wants a certificate of ours");
		break;
	case SSL_AD_PROTOCOL_VERSION:
		sq_tls_say(t, "no common TLS version");
		break;
	case SSL_AD_HANDSHAKE_FAILURE:
		sq_tls_say(t, "the peer refused the handshake: no shared cipher, or it wants a "
		              "certificate of ours");
		break;
	case SSL_AD_UNRECOGNIZED_NAME:
		sq_tls_say(t, "the peer does not know the name it was called by");
		break;
	case SSL_AD_USER_CANCELLED:
	case SSL_AD_ACCESS_DENIED:
	default:
		sq_tls_say(t, "the peer sent a TLS alert (%s)", text);
	}
}

/* The first word of TLS among those of the libraries below it; the first of all if there is none.
 * `*ret_no_memory`: one of them had none. */
static unsigned long first_reason(bool *ret_no_memory)
{
	unsigned long first = 0, code;

	while ((code = ERR_get_error()) != 0) {
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			*ret_no_memory = true;
		if (!first ||
		    (ERR_GET_LIB(first) != ERR_LIB_SSL && ERR_GET_LIB(code) == ERR_LIB_SSL))
			first = code;
	}
	return first;
}

int sq_tls_explain(struct sq_tls *t)
{
	bool no_memory = false;
	unsigned long code = first_reason(&no_memory);
	int reason = ERR_GET_REASON(code);
	const char *text;

	if (no_memory) {
		sq_tls_say(t, "out of memory");
		return -ENOMEM;
	}
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
	    reason < SSL_AD_REASON_OFFSET + 256) {
		say_alert(t, reason - SSL_AD_REASON_OFFSET);
		return -EPROTO;
	}
	switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? reason : 0) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED: /* the words are sq_tls_on_verify()'s */
		sq_tls_say(t, "the peer's certificate is refused");
		return -EACCES;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		sq_tls_say(t, "no client certificate was shown");
		return -EACCES;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
	case SSL_R_UNKNOWN_SSL_VERSION:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
		sq_tls_say(t, "no common TLS version");
		return -EPROTO;
	case SSL_R_NO_SHARED_CIPHER:
		sq_tls_say(t, "no shared cipher");
		return -EPROTO;
	case SSL_R_WRONG_VERSION_NUMBER:
		sq_tls_say(t, "it sent bytes that are not TLS");
		return -EPROTO;
	case SSL_R_HTTP_REQUEST:
		sq_tls_say(t, "HTTP request on a TLS port");
		return -EPROTO;
	default:
		text = ERR_reason_error_string(code);
		sq_tls_say(t, "it broke the TLS protocol (%s)", text ? text : "no reason given");
		return -EPROTO;
	}
}
