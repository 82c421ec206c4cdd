/* SPDX-License-Identifier: PostgreSQL */
/*
 * TLS of the streams. Happy path: a context is made once from files or from a
 * password; each connection gets a pump, whose two memory BIOs stand for the
 * socket; the handshake runs while bytes are read.
 *
 * By a password: it is stretched (scrypt, RFC 7914), since who records a
 * handshake can try passwords against it, and becomes the external pre-shared
 * key of TLS 1.3, always with fresh Diffie-Hellman keys, so that a password
 * that is known later opens no old stream. The cluster's name is the salt.
 *
 * Failure modes: whatever OpenSSL refuses ends the pump with its reason and
 * what to look at. There are no tickets, no resumption and no early data: each
 * connection proves itself, and nothing of it can be replayed.
 *
 * It does not know which member is on the other side: handshake.c asks.
 */
#include "peer/secure.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/text.h"

#define KEY_BYTES 48 /* of the hash of SUITE */
#define SUITE "TLS_AES_256_GCM_SHA384"
#define SCRYPT_N 32768
#define SCRYPT_R 8
#define SCRYPT_MEMORY (64UL * 1024 * 1024)

static const unsigned char context_name[] =
    "peers"; /* of sessions; OpenSSL's */

struct key {
	uint8_t secret[KEY_BYTES];
	char identity[40]; /* two that differ say so */
};

struct mt_secure {
	unsigned references; /* one thread's */
	SSL_CTX *context;
	struct mt_tls *tls; /* owns the context; NULL: by a password */
	struct key keys[2]; /* the second is the one before */
	unsigned n_keys;
};

struct mt_pump {
	struct mt_secure *secure;
	SSL *ssl;
	BIO *in, *out; /* owned by ssl */
	unsigned key;  /* that is offered */
	bool is_ready;
};

static const char *
reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s != NULL ? s : "OpenSSL gives no reason";
}

static int
give_up(struct mt_err *err, const char *what)
{
	mt_err_set(err, MT_EINVAL, "%s: %s", what, reason());
	ERR_clear_error();
	return MT_EINVAL;
}

/* ---- by a password ---- */

static SSL_SESSION *
session_of(SSL *ssl, const struct key *key)
{
	static const unsigned char suite[] = {0x13, 0x02};
	SSL_SESSION *session = SSL_SESSION_new();

	if (session != NULL &&
	    SSL_SESSION_set1_master_key(session, key->secret,
					sizeof(key->secret)) == 1 &&
	    SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, suite)) == 1 &&
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1 &&
	    SSL_SESSION_set1_id_context(session, context_name,
					sizeof(context_name) - 1) == 1)
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

static int
use_key_cb(SSL *ssl, const EVP_MD *md, const unsigned char **identity,
	   size_t *n, SSL_SESSION **session)
{
	const struct mt_pump *p = SSL_get_app_data(ssl);
	const struct key *key = &p->secure->keys[p->key % p->secure->n_keys];

	*session = NULL;
	if (md != NULL && EVP_MD_get_type(md) != NID_sha384)
		return 1; /* offers none */
	*session = session_of(ssl, key);
	*identity = (const unsigned char *)key->identity;
	*n = strlen(key->identity);
	return *session != NULL;
}

/* Another key: no session, and so no handshake, for there is no certificate. */
static int
find_key_cb(SSL *ssl, const unsigned char *identity, size_t n,
	    SSL_SESSION **session)
{
	const struct mt_pump *p = SSL_get_app_data(ssl);

	*session = NULL;
	for (unsigned i = 0; i < p->secure->n_keys; i++) {
		const struct key *key = &p->secure->keys[i];

		if (n == strlen(key->identity) &&
		    memcmp(identity, key->identity, n) == 0) {
			*session = session_of(ssl, key);
			return *session != NULL;
		}
	}
	return 1;
}

static bool
stretch(struct mt_secure *s, const struct mt_secure_options *o)
{
	static const char digits[] = "0123456789abcdef";
	struct key *key = &s->keys[0];
	uint8_t md[EVP_MAX_MD_SIZE];
	char salt[320];
	unsigned n = 0;
	size_t len;

	mt_format(salt, sizeof(salt), "matriarch peers of %s", o->cluster);
	if (EVP_PBE_scrypt(o->password, strlen(o->password),
			   (const unsigned char *)salt, strlen(salt), SCRYPT_N,
			   SCRYPT_R, 1, SCRYPT_MEMORY, key->secret,
			   sizeof(key->secret)) != 1 ||
	    EVP_Digest(key->secret, sizeof(key->secret), md, &n, EVP_sha256(),
		       NULL) != 1)
		return false;
	mt_copy(key->identity, sizeof(key->identity), "matriarch-");
	len = strlen(key->identity);
	for (unsigned i = 0; i < 8; i++) {
		key->identity[len++] = digits[md[i] >> 4];
		key->identity[len++] = digits[md[i] & 15];
	}
	key->identity[len] = '\0';
	s->n_keys = 1;
	return true;
}

static int
by_password(struct mt_secure *s, const struct mt_secure_options *o,
	    struct mt_err *err)
{
	s->context = SSL_CTX_new(TLS_method());
	if (s->context == NULL ||
	    SSL_CTX_set_ciphersuites(s->context, SUITE) != 1 || !stretch(s, o))
		return give_up(err,
			       "could not make a key of \"raft.password\"");
	/* Whoever answers without the key would have to show a certificate
	 * that some authority signed, and there is none. */
	SSL_CTX_set_verify(s->context,
			   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
	/* OpenSSL wants one where others are verified */
	SSL_CTX_set_session_id_context(s->context, context_name,
				       sizeof(context_name) - 1);
	SSL_CTX_set_psk_use_session_callback(s->context, use_key_cb);
	SSL_CTX_set_psk_find_session_callback(s->context, find_key_cb);
	SSL_CTX_set_options(s->context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(s->context, 0);
	SSL_CTX_set_session_cache_mode(s->context, SSL_SESS_CACHE_OFF);
	return 0;
}

/* ---- by certificates ---- */

static int
by_certificates(struct mt_secure *s, const struct mt_secure_options *o,
		struct mt_err *err)
{
	struct mt_tls_files files = o->files;
	int rv;

	files.section = "raft";
	files.verify_client = MT_TLS_VERIFY_REQUIRED;
	rv = mt_tls_new(&s->tls, &files, NULL, err);
	if (rv == 0)
		s->context = mt_tls_context(s->tls);
	return rv;
}

int
mt_secure_new(struct mt_secure **secure, const struct mt_secure_options *o,
	      struct mt_err *err)
{
	struct mt_secure *s = calloc(1, sizeof(*s));
	int rv;

	if (s == NULL)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	s->references = 1;
	rv = o->password != NULL && o->password[0] != '\0'
		 ? by_password(s, o, err)
		 : by_certificates(s, o, err);
	if (rv == 0 &&
	    SSL_CTX_set_min_proto_version(s->context, TLS1_3_VERSION) != 1)
		rv = give_up(err, "could not set up TLS 1.3");
	if (rv == 0)
		*secure = s;
	else
		mt_secure_unref(s);
	return rv;
}

void
mt_secure_unref(struct mt_secure *s)
{
	if (s == NULL || --s->references > 0)
		return;
	if (s->tls != NULL)
		mt_tls_free(s->tls);
	else
		SSL_CTX_free(s->context);
	explicit_bzero(s->keys, sizeof(s->keys));
	free(s);
}

bool
mt_secure_is_password(const struct mt_secure *s)
{
	return s->tls == NULL;
}

static bool
same_key(const struct key *a, const struct key *b)
{
	return CRYPTO_memcmp(a->secret, b->secret, sizeof(a->secret)) == 0;
}

bool
mt_secure_same(const struct mt_secure *a, const struct mt_secure *b)
{
	if ((a->tls == NULL) != (b->tls == NULL))
		return false;
	return a->tls != NULL ? mt_tls_same(a->tls, b->tls)
			      : same_key(&a->keys[0], &b->keys[0]);
}

void
mt_secure_also(struct mt_secure *s, const struct mt_secure *old)
{
	if (same_key(&s->keys[0], &old->keys[0]))
		return;
	s->keys[1] = old->keys[0];
	s->n_keys = 2;
}

unsigned
mt_secure_keys(const struct mt_secure *s)
{
	return s->tls != NULL ? 1 : s->n_keys;
}

/* ---- one connection ---- */

int
mt_pump_new(struct mt_pump **pump, struct mt_secure *s, bool is_in,
	    unsigned key, struct mt_err *err)
{
	struct mt_pump *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return mt_err_set(err, MT_ENOMEM, "no memory for a stream");
	p->ssl = SSL_new(s->context);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	if (p->ssl == NULL || p->in == NULL || p->out == NULL) {
		BIO_free(p->in);
		BIO_free(p->out);
		SSL_free(p->ssl);
		free(p);
		return give_up(err, "could not begin TLS");
	}
	SSL_set_bio(p->ssl, p->in, p->out);
	SSL_set_app_data(p->ssl, p);
	if (is_in)
		SSL_set_accept_state(p->ssl);
	else
		SSL_set_connect_state(p->ssl);
	p->secure = s;
	p->key = key;
	s->references++;
	*pump = p;
	return 0;
}

void
mt_pump_free(struct mt_pump *p)
{
	if (p == NULL)
		return;
	SSL_free(p->ssl);
	mt_secure_unref(p->secure);
	free(p);
}

void
mt_pump_put(struct mt_pump *p, const uint8_t *bytes, size_t n)
{
	int put = BIO_write(p->in, bytes, (int)n);

	MT_ASSERT(put == (int)n); /* memory takes all */
}

/* What the operator can do depends on how they prove themselves. */
static ssize_t
broken(struct mt_pump *p, struct mt_err *err)
{
	long verdict = SSL_get_verify_result(p->ssl);

	if (p->secure->tls == NULL)
		mt_err_set(err, MT_EPROTO,
			   "TLS failed (%s); is \"raft.password\", and "
			   "\"scope\", the same on both?",
			   reason());
	else if (verdict != X509_V_OK)
		mt_err_set(err, MT_EPROTO,
			   "its certificate is refused: %s; see "
			   "\"raft.cafile\" here and \"raft.certfile\" there",
			   X509_verify_cert_error_string(verdict));
	else
		mt_err_set(err, MT_EPROTO,
			   "TLS failed (%s); do both have \"raft.certfile\" "
			   "and the authorities of each other's in "
			   "\"raft.cafile\"?",
			   reason());
	ERR_clear_error();
	return -MT_PUMP_BROKEN;
}

ssize_t
mt_pump_read(struct mt_pump *p, uint8_t *buf, size_t size, struct mt_err *err)
{
	int n, max = size > INT_MAX ? INT_MAX : (int)size;

	ERR_clear_error();
	if (!p->is_ready) {
		n = SSL_do_handshake(p->ssl);
		if (n != 1)
			return SSL_get_error(p->ssl, n) == SSL_ERROR_WANT_READ
				   ? 0
				   : broken(p, err);
		p->is_ready = true;
	}
	n = SSL_read(p->ssl, buf, max);
	if (n > 0)
		return n;
	switch (SSL_get_error(p->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return -MT_PUMP_END;
	default:
		return broken(p, err);
	}
}

bool
mt_pump_is_ready(const struct mt_pump *p)
{
	return p->is_ready;
}

int
mt_pump_write(struct mt_pump *p, const uint8_t *bytes, size_t n,
	      struct mt_err *err)
{
	ERR_clear_error();
	while (n > 0) {
		int put =
		    SSL_write(p->ssl, bytes, n > INT_MAX ? INT_MAX : (int)n);

		if (put <= 0)
			return give_up(err, "could not encrypt");
		bytes += put;
		n -= (size_t)put;
	}
	return 0;
}

void
mt_pump_finish(struct mt_pump *p)
{
	if (p->is_ready)
		(void)SSL_shutdown(p->ssl); /* one way is enough */
	ERR_clear_error();
}

uint8_t *
mt_pump_take(struct mt_pump *p, size_t *n)
{
	size_t pending = BIO_ctrl_pending(p->out);
	uint8_t *buf = pending > 0 ? malloc(pending) : NULL;
	int got;

	*n = 0;
	MT_ASSERT(pending == 0 || buf != NULL);
	if (buf == NULL)
		return NULL;
	got = BIO_read(p->out, buf, (int)pending);
	MT_ASSERT(got == (int)pending);
	*n = pending;
	return buf;
}

bool
mt_pump_is_host(const struct mt_pump *p, const char *host)
{
	X509 *cert = SSL_get0_peer_certificate(p->ssl);

	if (p->secure->tls == NULL)
		return true;
	return cert != NULL &&
	       (X509_check_ip_asc(cert, host, 0) == 1 ||
		X509_check_host(cert, host, 0,
				X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
				NULL) == 1);
}
