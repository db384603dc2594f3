/* Who a certificate says that somebody is, and whether we know that name. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/host/tls_private.h"

/* ---- text -------------------------------------------------------------------------------- */

/* Cut to `room` at the beginning of a character; what could forge a line of a log becomes '?'. */
static void put_text(char *to, size_t room, const char *from, size_t n)
{
	if (n >= room) {
		n = room - 1;
		while (n && ((unsigned char)from[n] & 0xc0) == 0x80)
			n--;
	}
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];
	to[n] = '\0';
}

void sq_tls_subject(X509 *cert, char *to, size_t room, bool ascii)
{
	unsigned long how =
		ascii ? XN_FLAG_RFC2253 : XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n = 0;

	*to = '\0';
	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, how) >= 0)
		n = BIO_get_mem_data(bio, &text);
	if (n > 0)
		put_text(to, room, text, (size_t)n);
	BIO_free(bio);
}

/* The text of a name of a kind that has one. */
static struct sq_sv text_of(const GENERAL_NAME *name)
{
	const ASN1_STRING *s = NULL;

	if (name->type == GEN_DNS)
		s = name->d.dNSName;
	else if (name->type == GEN_URI)
		s = name->d.uniformResourceIdentifier;
	else if (name->type == GEN_EMAIL)
		s = name->d.rfc822Name;
	if (!s)
		return (struct sq_sv){ 0 };
	return (struct sq_sv){ (const char *)ASN1_STRING_get0_data(s),
		               (size_t)ASN1_STRING_length(s) };
}

static bool address_of(const GENERAL_NAME *name, char to[INET6_ADDRSTRLEN])
{
	int n;

	if (name->type != GEN_IPADD)
		return false;
	n = ASN1_STRING_length(name->d.iPAddress);
	return (n == 4 || n == 16) &&
	       inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), to,
	                 INET6_ADDRSTRLEN);
}

/* "DNS:ws-7.example.org, IP:192.0.2.7"; names that do not fit are left out whole. */
static void put_names(X509 *cert, char *to, size_t room)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t used = 0;

	*to = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		struct sq_sv text = text_of(name);
		const char *kind = "DNS";
		char address[INET6_ADDRSTRLEN], one[512];
		int n;

		if (name->type == GEN_URI)
			kind = "URI";
		else if (name->type == GEN_EMAIL)
			kind = "email";
		if (address_of(name, address)) {
			kind = "IP";
			text = sq_sv_of(address);
		}
		if (!text.n || text.n > 400)
			continue;
		n = snprintf(one, sizeof(one), "%s%s:%.*s", used ? ", " : "", kind,
		             SQ_SV_ARG(text));
		if ((size_t)n >= room - used)
			break;
		/* No name has blanks; one that does must not look like two. */
		for (char *c = one + (used ? 2 : 0); *c; c++)
			if (*c == ' ')
				*c = '?';
		put_text(to + used, room - used, one, strlen(one));
		used += strlen(to + used);
	}
	GENERAL_NAMES_free(names);
}

bool sq_tls_identity(const struct sq_tls *t, struct sq_identity *to)
{
	X509 *cert = SSL_get0_peer_certificate(t->ssl);

	if (!cert)
		return false;
	sq_tls_subject(cert, to->subject, sizeof(to->subject), false);
	put_names(cert, to->names, sizeof(to->names));
	ERR_clear_error();
	return true;
}

/* ---- names that are asked for ------------------------------------------------------------ */

/* A name of hosts, or a pattern "*.example.org" for exactly one label in front. */
static bool host_fits(struct sq_sv name, struct sq_sv wanted)
{
	size_t dot;

	if (memchr(name.p, '\0', name.n))
		return false; /* "good.example\0.evil.example" */
	if (sq_sv_ieq(name, wanted))
		return true;
	if (!sq_sv_starts(wanted, SQ_SV("*.")))
		return false;
	dot = sq_sv_chr(name, '.');
	return dot != SIZE_MAX && dot > 0 && !memchr(name.p, '*', dot) &&
	       sq_sv_ieq(sq_sv_skip(name, dot), sq_sv_skip(wanted, 1));
}

/* The part before '@' may tell upper from lower case; the domain does not. */
static bool mail_fits(struct sq_sv name, struct sq_sv wanted)
{
	size_t at = sq_sv_chr(wanted, '@');

	return at != SIZE_MAX && sq_sv_eq(sq_sv_first(name, at + 1), sq_sv_first(wanted, at + 1)) &&
	       sq_sv_ieq(sq_sv_skip(name, at + 1), sq_sv_skip(wanted, at + 1));
}

static bool address_fits(const GENERAL_NAME *name, const char *wanted)
{
	unsigned char bytes[16];
	int n = ASN1_STRING_length(name->d.iPAddress);

	return inet_pton(n == 4 ? AF_INET : AF_INET6, wanted, bytes) == 1 && (n == 4 || n == 16) &&
	       memcmp(bytes, ASN1_STRING_get0_data(name->d.iPAddress), (size_t)n) == 0;
}

static bool general_fits(const GENERAL_NAME *name, const char *wanted)
{
	struct sq_sv text = text_of(name);

	if (name->type == GEN_IPADD)
		return address_fits(name, wanted);
	if (!text.n)
		return false;
	if (name->type == GEN_DNS)
		return host_fits(text, sq_sv_of(wanted));
	if (name->type == GEN_EMAIL)
		return mail_fits(text, sq_sv_of(wanted));
	return sq_sv_eq(text, sq_sv_of(wanted));
}

static bool common_fits(X509 *cert, const char *wanted)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	int at = -1;

	for (;;) {
		unsigned char *text;
		bool fits;
		int n;

		at = X509_NAME_get_index_by_NID(subject, NID_commonName, at);
		if (at < 0)
			return false;
		n = ASN1_STRING_to_UTF8(&text,
		                        X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
		if (n < 0)
			continue;
		fits = host_fits((struct sq_sv){ (const char *)text, (size_t)n }, sq_sv_of(wanted));
		OPENSSL_free(text);
		if (fits)
			return true;
	}
}

bool sq_tls_name_fits(X509 *cert, const struct sq_opt_strs *wanted)
{
	GENERAL_NAMES *names;
	bool fits = !wanted->n;

	if (fits)
		return true;
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (size_t i = 0; i < wanted->n && !fits; i++) {
		fits = common_fits(cert, wanted->list[i]);
		for (int k = 0; k < sk_GENERAL_NAME_num(names) && !fits; k++)
			fits = general_fits(sk_GENERAL_NAME_value(names, k), wanted->list[i]);
	}
	GENERAL_NAMES_free(names);
	return fits;
}
