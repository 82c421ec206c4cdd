/* SPDX-License-Identifier: PostgreSQL */
/*
 * From PEM files to OpenSSL's context. Happy path: each file is read once into
 * memory, parsed there, and what came of it is put together; a digest of those
 * very bytes tells later whether anything has changed.
 *
 * Failure modes: each says which option and file, what is wrong, and what to
 * do. Keys are wiped from our memory after use. There is no resumption of
 * sessions: each connection is checked against the authorities of today, and
 * what an old context promised ends with it.
 *
 * It does not watch files, and knows no sockets.
 */
#include "base/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/text.h"

#define FILE_MAX_BYTES (1024 * 1024)

struct mt_tls {
	SSL_CTX *context;
	int64_t ends_s;
	char name[256];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_bytes;
};

/* While one is made. */
struct making {
	const struct mt_tls_files *files;
	const char *at; /* the option that is looked at */
	const char *path;
	struct mt_err *err;
	struct mt_tls *tls;
	EVP_MD_CTX *md;
	X509 *cert;
	bool asked; /* for a passphrase */
};

static bool
given(const char *s)
{
	return s != NULL && s[0] != '\0';
}

/* "restapi.keyfile": "/etc/x.pem" <words> */
static int complain(struct making *m, const char *fmt, ...) MT_PRINTF(2, 3);

static int
complain(struct making *m, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return mt_err_set(m->err, MT_EINVAL, "\"%s.%s\": \"%.*s\" %s",
			  m->files->section, m->at, 180,
			  m->path != NULL ? m->path : "", text);
}

static const char *
reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s != NULL ? s : "OpenSSL gives no reason";
}

/* ---- files ---- */

/* The whole file; wiped and freed with drop(). */
struct bytes {
	char *p;
	size_t n;
};

static void
drop(struct bytes *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->n);
	free(b->p);
	*b = (struct bytes){0};
}

static int
read_all(struct making *m, int fd, struct bytes *to)
{
	ssize_t got = 1;

	to->p = malloc(FILE_MAX_BYTES);
	if (to->p == NULL)
		return mt_err_set(m->err, MT_ENOMEM, "out of memory");
	while (got > 0 && to->n < FILE_MAX_BYTES) {
		got = read(fd, to->p + to->n, FILE_MAX_BYTES - to->n);
		if (got > 0)
			to->n += (size_t)got;
	}
	if (got < 0)
		return complain(m, "could not be read: %s", strerror(errno));
	if (to->n == FILE_MAX_BYTES)
		return complain(m, "is no PEM file: it has a megabyte or more");
	return 0;
}

/* Sets what later complaints speak of, too. */
static int
read_file(struct making *m, const char *at, const char *path, struct bytes *to)
{
	struct stat st;
	int fd, rv;

	m->at = at;
	m->path = path;
	/* a named pipe must not make us wait */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return complain(m,
				"could not be opened: %s; correct the name, or "
				"let this user read it",
				strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		rv = complain(m, "is not a plain file; name a PEM file");
	else
		rv = read_all(m, fd, to);
	close(fd);
	if (rv != 0) {
		drop(to);
		return rv;
	}
	EVP_DigestUpdate(m->md, &to->n, sizeof(to->n));
	EVP_DigestUpdate(m->md, to->p, to->n);
	return 0;
}

static BIO *
bio_of(const struct bytes *b)
{
	BIO *bio = BIO_new_mem_buf(b->p, (int)b->n);

	MT_ASSERT(bio != NULL);
	return bio;
}

/* Has the last PEM read failed for want of more to read? */
static bool
at_end(void)
{
	unsigned long e = ERR_peek_last_error();
	bool end = ERR_GET_LIB(e) == ERR_LIB_PEM &&
		   ERR_GET_REASON(e) == PEM_R_NO_START_LINE;

	if (end)
		ERR_clear_error();
	return end;
}

/* ---- parts ---- */

/* Certificates that are encrypted would be asked for at a terminal. */
static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int
use_certificates(struct making *m, const struct bytes *b)
{
	BIO *bio = bio_of(b);
	X509 *more;
	int rv = 0;

	m->cert = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL);
	if (m->cert == NULL) {
		rv = complain(m, "holds no certificate in PEM form (%s)",
			      reason());
	} else if (SSL_CTX_use_certificate(m->tls->context, m->cert) != 1) {
		rv = complain(m, "holds a certificate that cannot be used: %s",
			      reason());
	} else {
		while ((more = PEM_read_bio_X509(bio, NULL, no_password,
						 NULL)) != NULL)
			if (SSL_CTX_add0_chain_cert(m->tls->context, more) !=
			    1) {
				X509_free(more);
				break;
			}
		if (!at_end())
			rv = complain(m,
				      "has a damaged certificate after the "
				      "first one: %s",
				      reason());
	}
	BIO_free(bio);
	return rv;
}

static int
password_cb(char *buf, int size, int rwflag, void *arg)
{
	struct making *m = arg;
	const char *password = m->files->keyfile_password;

	(void)rwflag;
	m->asked = true;
	if (!given(password) || strlen(password) >= (size_t)size)
		return -1;
	mt_copy(buf, (size_t)size, password);
	return (int)strlen(password);
}

static int
use_key(struct making *m, const struct bytes *b)
{
	BIO *bio = bio_of(b);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, password_cb, m);
	int rv = 0;

	BIO_free(bio);
	if (key == NULL && m->asked && !given(m->files->keyfile_password))
		rv = complain(m,
			      "holds an encrypted key; give its passphrase as "
			      "\"%s.keyfile_password_file\"",
			      m->files->section);
	else if (key == NULL && m->asked)
		rv = complain(m,
			      "holds a key that could not be decrypted; "
			      "correct \"%s.keyfile_password\"",
			      m->files->section);
	else if (key == NULL && mt_streq(m->at, "certfile"))
		rv = complain(m,
			      "holds no key beside the certificate; name its "
			      "file as \"%s.keyfile\"",
			      m->files->section);
	else if (key == NULL)
		rv = complain(m, "holds no private key in PEM form");
	else if (X509_check_private_key(m->cert, key) != 1)
		rv = complain(
		    m, "holds the key of another certificate than \"%s\"",
		    m->files->certfile);
	else if (SSL_CTX_use_PrivateKey(m->tls->context, key) != 1)
		rv = complain(m, "holds a key that cannot be used: %s",
			      reason());
	EVP_PKEY_free(key);
	return rv;
}

static int
use_authorities(struct making *m, const struct bytes *b)
{
	X509_STORE *store = SSL_CTX_get_cert_store(m->tls->context);
	BIO *bio = bio_of(b);
	X509 *ca;
	int n = 0, rv = 0;

	while (rv == 0 &&
	       (ca = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
		n++;
		if (X509_STORE_add_cert(store, ca) != 1 ||
		    SSL_CTX_add_client_CA(m->tls->context, ca) != 1)
			rv =
			    complain(m,
				     "holds a certificate that cannot be used: "
				     "%s",
				     reason());
		X509_free(ca);
	}
	if (rv == 0 && !at_end())
		rv = complain(m, "holds a damaged certificate: %s", reason());
	if (rv == 0 && n == 0)
		rv = complain(m, "holds no certificate in PEM form");
	BIO_free(bio);
	return rv;
}

/* ---- the whole ---- */

/* A passphrase cannot be asked for: nobody sits there. The same for files. */
static int
read_files(struct making *m)
{
	const struct mt_tls_files *f = m->files;
	struct bytes cert = {0}, key = {0}, ca = {0};
	int rv = read_file(m, "certfile", f->certfile, &cert);

	if (rv == 0)
		rv = use_certificates(m, &cert);
	if (rv == 0 && given(f->keyfile))
		rv = read_file(m, "keyfile", f->keyfile, &key);
	if (rv == 0)
		rv = use_key(m, given(f->keyfile) ? &key : &cert);
	if (rv == 0 && given(f->cafile))
		rv = read_file(m, "cafile", f->cafile, &ca);
	if (rv == 0 && given(f->cafile))
		rv = use_authorities(m, &ca);
	drop(&cert);
	drop(&key);
	drop(&ca);
	return rv;
}

static int
set_options(struct making *m)
{
	static const int modes[] = {
	    [MT_TLS_VERIFY_NONE] = SSL_VERIFY_NONE,
	    [MT_TLS_VERIFY_OPTIONAL] = SSL_VERIFY_PEER,
	    [MT_TLS_VERIFY_REQUIRED] =
		SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	};
	const struct mt_tls_files *f = m->files;
	SSL_CTX *c = m->tls->context;

	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
				   SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(c, 0);
	SSL_CTX_set_verify(c, modes[f->verify_client], NULL);
	EVP_DigestUpdate(m->md, &f->verify_client, sizeof(f->verify_client));
	if (!given(f->ciphers))
		return 0;
	m->at = "ciphers";
	m->path = f->ciphers;
	EVP_DigestUpdate(m->md, f->ciphers, strlen(f->ciphers));
	if (SSL_CTX_set_cipher_list(c, f->ciphers) != 1)
		return complain(m, "names no cipher that OpenSSL knows; "
				   "\"openssl ciphers -v 'LIST'\" shows what a "
				   "list means");
	return 0;
}

static void
note_certificate(struct making *m)
{
	const X509_NAME *subject = X509_get_subject_name(m->cert);
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(m->cert), NULL);
	char *serial = n != NULL ? BN_bn2hex(n) : NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	struct tm end = {0};
	char *text = NULL;
	long bytes = 0;

	/* escapes control characters */
	if (bio != NULL &&
	    X509_NAME_print_ex(bio, subject, 0, XN_FLAG_ONELINE) >= 0)
		bytes = BIO_get_mem_data(bio, &text);
	mt_format(m->tls->name, sizeof(m->tls->name), "%.*s, serial %.64s",
		  bytes > 180 ? 180 : (int)bytes, text != NULL ? text : "",
		  serial != NULL ? serial : "?");
	BIO_free(bio);
	OPENSSL_free(serial);
	BN_free(n);
	if (ASN1_TIME_to_tm(X509_get0_notAfter(m->cert), &end) == 1)
		m->tls->ends_s = timegm(&end);
}

int
mt_tls_new(struct mt_tls **tls, const struct mt_tls_files *files,
	   const char **at, struct mt_err *err)
{
	struct mt_tls *t = calloc(1, sizeof(*t));
	struct making m = {
	    .files = files, .at = "certfile", .err = err, .tls = t};
	int rv;

	if (at != NULL)
		*at = m.at;
	if (t == NULL)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	t->context = SSL_CTX_new(TLS_method());
	m.md = EVP_MD_CTX_new();
	if (t->context == NULL || m.md == NULL ||
	    EVP_DigestInit_ex(m.md, EVP_sha256(), NULL) != 1)
		rv = mt_err_set(err, MT_ENOMEM, "could not set up OpenSSL: %s",
				reason());
	else
		rv = read_files(&m);
	if (rv == 0)
		rv = set_options(&m);
	if (rv == 0) {
		note_certificate(&m);
		EVP_DigestFinal_ex(m.md, t->digest, &t->digest_bytes);
		*tls = t;
	} else {
		mt_tls_free(t);
		if (at != NULL)
			*at = m.at;
	}
	ERR_clear_error();
	X509_free(m.cert);
	EVP_MD_CTX_free(m.md);
	return rv;
}

void
mt_tls_free(struct mt_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	free(tls);
}

bool
mt_tls_same(const struct mt_tls *a, const struct mt_tls *b)
{
	return a->digest_bytes == b->digest_bytes &&
	       memcmp(a->digest, b->digest, a->digest_bytes) == 0;
}

int64_t
mt_tls_ends_s(const struct mt_tls *tls)
{
	return tls->ends_s;
}

const char *
mt_tls_name(const struct mt_tls *tls)
{
	return tls->name;
}

struct ssl_ctx_st *
mt_tls_context(const struct mt_tls *tls)
{
	return tls->context;
}
