/* SPDX-License-Identifier: PostgreSQL */
/*
 * TLS on the server's connections. Happy path: a connection is accepted with
 * the context of that moment and holds it until it is closed; at the
 * handshake's end it is noted whether the client showed a certificate that one
 * of the authorities has signed.
 *
 * Failure modes: a client that stays silent in the handshake is closed after
 * the time that a request has; one that speaks plain HTTP, or whose certificate
 * is bad, at once, and is told why: h2o drops what OpenSSL has to say then, so
 * that we send it. The log has one such failure a minute. Where OpenSSL's
 * connection cannot be found among ours, the client counts as unknown.
 *
 * It does not read files, and says nothing of who may do what.
 */
#include "http/internal.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/tls.h"

#define WARN_MS 60000

static const char plain_answer[] =
    "HTTP/1.1 400 Bad Request\r\n"
    "Connection: close\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 42\r\n"
    "\r\n"
    "this port speaks TLS: ask by https://...\r\n";

/* h2o's socket is the data of the BIO that it gives to OpenSSL; no function of
 * its leads there. Only an address that is also one of ours is believed. */
static struct connection *
find(struct mt_http_server *server, const SSL *ssl)
{
	BIO *bio = SSL_get_rbio(ssl);
	const void *sock = bio != NULL ? BIO_get_data(bio) : NULL;

	for (struct connection *c = server->connections;
	     sock != NULL && c != NULL; c = c->next)
		if (c->sock == sock)
			return c;
	return NULL;
}

/* Nothing is under way then: the client would have to speak first. What the
 * socket does not take at once is not worth waiting for. */
static void
send_now(struct connection *c, const char *p, size_t n)
{
	uv_buf_t buf = uv_buf_init((char *)p, (unsigned)n);

	(void)uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
}

/* The clients of one minute that cannot connect have mostly one reason. */
static void
say_refused(struct connection *c, const char *why, const char *more)
{
	struct mt_http_server *server = c->server;
	int64_t now_ms = mt_clock_ms();
	struct sockaddr_storage peer = {0};
	int size = sizeof(peer);
	char host[INET6_ADDRSTRLEN] = "?";

	if (server->refused_ms != 0 && now_ms < server->refused_ms + WARN_MS)
		return;
	server->refused_ms = now_ms;
	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &size) == 0)
		(void)uv_ip_name((struct sockaddr *)&peer, host, sizeof(host));
	mt_warn("REST API: no TLS with a client at %s: %s%s%s", host, why,
		more[0] != '\0' ? ": " : "", more);
}

/* An alert is one small write, and the last one before it is told. */
static long
bio_cb(BIO *bio, int oper, const char *p, size_t n, int argi, long argl, int rv,
       size_t *done)
{
	struct connection *c = (void *)BIO_get_callback_arg(bio);

	(void)argi;
	(void)argl;
	(void)done;
	if (oper == BIO_CB_WRITE) {
		c->n_last = n <= sizeof(c->last) ? n : 0;
		memcpy(c->last, p, c->n_last);
	}
	return rv;
}

static void
on_alert(const SSL *ssl, struct connection *c, bool ours, int value)
{
	long verified = SSL_get_verify_result(ssl);
	/* which OpenSSL has no words for */
	const char *what = (value & 0xff) == SSL_AD_CERTIFICATE_REQUIRED
			       ? "it shows no certificate"
			       : SSL_alert_desc_string_long(value);

	if (!SSL_in_init(ssl) || (value >> 8) != SSL3_AL_FATAL)
		return;
	if (ours && c->n_last > 0)
		send_now(c, c->last, c->n_last);
	if (ours)
		say_refused(c, what,
			    verified != X509_V_OK
				? X509_verify_cert_error_string(verified)
				: "");
	else
		say_refused(c, "it says", what);
}

/* What is long is cut; what is no plain character is written as "\C3\A4". */
static void
note_subject(struct connection *c, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio == NULL)
		return;
	if (X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
			       XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, c->client_subject,
			     (int)sizeof(c->client_subject) - 1);
	c->client_subject[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static void
note_client(const SSL *ssl, struct connection *c)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);

	c->client_verified =
	    cert != NULL && SSL_get_verify_result(ssl) == X509_V_OK;
	c->client_subject[0] = '\0';
	if (c->client_verified)
		note_subject(c, cert);
}

static void
info_cb(const SSL *ssl, int where, int value)
{
	const unsigned long error = ERR_peek_last_error();
	struct connection *c =
	    find(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), ssl);

	if (c == NULL)
		return;
	if (where == SSL_CB_HANDSHAKE_START) {
		BIO *bio = SSL_get_wbio(ssl);

		BIO_set_callback_ex(bio, bio_cb);
		BIO_set_callback_arg(bio, (char *)c);
	} else if (where == SSL_CB_HANDSHAKE_DONE) {
		note_client(ssl, c);
	} else if ((where & SSL_CB_ALERT) != 0) {
		on_alert(ssl, c, (where & SSL_CB_WRITE) != 0, value);
	} else if (where == SSL_CB_ACCEPT_EXIT && value < 0 &&
		   ERR_GET_LIB(error) == ERR_LIB_SSL &&
		   ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST) {
		send_now(c, plain_answer, sizeof(plain_answer) - 1);
		say_refused(c, "it speaks plain HTTP", "");
	}
}

void
mt_http_secure(struct mt_http_server *server, const struct mt_tls *tls)
{
	SSL_CTX *context = tls != NULL ? mt_tls_context(tls) : NULL;

	if (context != NULL) {
		SSL_CTX_up_ref(context);
		SSL_CTX_set_app_data(context, server);
		SSL_CTX_set_info_callback(context, info_cb);
	}
	SSL_CTX_free(server->accept.ssl_ctx);
	server->accept.ssl_ctx = context;
}

bool
mt_http_is_secure(const struct mt_http_server *server)
{
	return server->accept.ssl_ctx != NULL;
}

/* h2o keeps the context's address until the client's first bytes come. */
void
http__secure_connection(struct connection *c, h2o_socket_t *sock)
{
	c->sock = sock;
	c->tls = c->server->accept.ssl_ctx;
	if (c->tls != NULL)
		SSL_CTX_up_ref(c->tls);
	sock->on_close.data = c; /* on_close.cb is left: nobody calls */
}

void
http__forget_security(struct connection *c)
{
	SSL_CTX_free(c->tls);
	c->tls = NULL;
}

static const struct connection *
connection_of(h2o_req_t *req)
{
	h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);

	return sock != NULL ? sock->on_close.data : NULL;
}

bool
http__client_verified(h2o_req_t *req)
{
	const struct connection *c = connection_of(req);

	return c != NULL && c->client_verified;
}

const char *
http__client_subject(h2o_req_t *req)
{
	const struct connection *c = connection_of(req);

	return c != NULL ? c->client_subject : "";
}
