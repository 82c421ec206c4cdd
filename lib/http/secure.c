/* SPDX-License-Identifier: PostgreSQL */
/*
 * TLS on the server's connections. Happy path: a connection is accepted with
 * the context of that moment and holds it until it is closed; at the
 * handshake's end it is noted whether the client showed a certificate that one
 * of the authorities has signed.
 *
 * Failure modes: a client that stays silent in the handshake is closed after
 * the time that a request has; one that speaks plain HTTP, or whose certificate
 * is bad, at once. Where OpenSSL's connection cannot be found among ours, the
 * client counts as unknown.
 *
 * It does not read files, and says nothing of who may do what.
 */
#include "http/internal.h"

#include <openssl/ssl.h>

#include "base/tls.h"

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

static void
info_cb(const SSL *ssl, int where, int value)
{
	struct connection *c;
	X509 *cert;

	(void)value;
	if ((where & SSL_CB_HANDSHAKE_DONE) == 0)
		return;
	c = find(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), ssl);
	cert = SSL_get0_peer_certificate(ssl);
	if (c != NULL)
		c->client_verified =
		    cert != NULL && SSL_get_verify_result(ssl) == X509_V_OK;
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

bool
http__client_verified(h2o_req_t *req)
{
	h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
	const struct connection *c = sock != NULL ? sock->on_close.data : NULL;

	return c != NULL && c->client_verified;
}
