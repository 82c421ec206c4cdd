/* SPDX-License-Identifier: PostgreSQL */
/*
 * The HTTP server over TLS, on loopback. Client and server share one thread:
 * the loop turns until OpenSSL's client has what it waits for.
 */
#include "http/server.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/tls.h"
#include "test/unit/http/certs.h"
#include "test/unit/run.h"

#define WAIT_MS 5000

static uv_loop_t loop;
static struct mt_http_server *server;
static int n_requests;

/* "verified" or "unknown" */
static void
on_request(void *arg, struct mt_http_request *r)
{
	const char *text = r->client_verified ? "verified" : "unknown";
	const struct mt_http_answer answer = {
	    .status = 200,
	    .type = "text/plain",
	    .body = text,
	    .body_bytes = strlen(text),
	};

	(void)arg;
	ck_assert((strncmp(r->client_subject, "CN=", 3) == 0) ==
		  r->client_verified);
	ck_assert((r->client_subject[0] != '\0') == r->client_verified);
	n_requests++;
	mt_http_respond(r, &answer);
}

/* Speak TLS from now on, as node1, with the certificate of this name. */
static void
secure(const char *name, enum mt_tls_verify verify)
{
	char file[32];
	struct mt_tls *tls = NULL;
	struct mt_err err;
	struct mt_tls_files files = {.section = "restapi",
				     .cafile = certs_path("ca.crt"),
				     .verify_client = verify};

	mt_format(file, sizeof(file), "%s.pem", name);
	files.certfile = certs_path(file);
	ck_assert_msg(mt_tls_new(&tls, &files, NULL, &err) == 0, "%s",
		      err.text);
	mt_http_secure(server, tls);
	mt_tls_free(tls);
}

static void
setup_with(int64_t timeout_ms)
{
	const struct mt_http_options options = {
	    .host = "127.0.0.1",
	    .request_timeout_ms = timeout_ms,
	};
	struct mt_err err;

	signal(SIGPIPE, SIG_IGN);
	certs_make("ca", NULL, 100);
	certs_make("stranger", NULL, 100);
	certs_make("one", "ca", 30);
	certs_make("two", "ca", 30);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	n_requests = 0;
	ck_assert_int_eq(
	    mt_http_start(&server, &loop, &options, on_request, NULL, &err), 0);
}

static void
setup(void)
{
	setup_with(20000);
}

static void
setup_hasty(void)
{
	setup_with(300);
}

static void
teardown(void)
{
	mt_http_close(server, NULL, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	certs_remove();
}

/* ---- the client ---- */

struct client {
	int fd;
	SSL_CTX *context;
	SSL *ssl;
};

static int
dial(void)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(mt_http_port(server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* cert: "two" or NULL */
static void
prepare(struct client *c, const char *cert)
{
	char file[32];

	c->fd = dial();
	c->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(c->context, SSL_VERIFY_PEER, NULL);
	ck_assert_int_eq(
	    SSL_CTX_load_verify_file(c->context, certs_path("ca.crt")), 1);
	if (cert != NULL) {
		mt_format(file, sizeof(file), "%s.pem", cert);
		ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(
				     c->context, certs_path(file)),
				 1);
		ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(c->context,
							     certs_path(file),
							     SSL_FILETYPE_PEM),
				 1);
	}
	c->ssl = SSL_new(c->context);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl); /* the first write shakes hands */
	ck_assert_int_eq(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

static void
hang_up(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->context);
	close(c->fd);
}

static void
turn(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	uv_run(&loop, UV_RUN_NOWAIT);
	poll(&p, 1, 2);
}

static char said[1024]; /* before the end */

/* Turn until the server has closed. False: it did not. */
static bool
ends(int fd)
{
	int64_t end_ms = mt_clock_ms() + WAIT_MS;
	size_t n_said = 0;

	said[0] = '\0';
	while (mt_clock_ms() < end_ms) {
		ssize_t n = recv(fd, said + n_said, sizeof(said) - 1 - n_said,
				 MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n > 0)
			said[n_said += (size_t)n] = '\0';
		turn(fd);
	}
	return false;
}

static const char *alert; /* that ended the last request */

static const char *
refused(void)
{
	alert = ERR_reason_error_string(ERR_peek_error());
	if (alert == NULL)
		alert = "none";
	return "";
}

/* Ask once: what the answer says of the client, or "" where there is none. */
static const char *
ask(struct client *c)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	static char in[4096];
	int64_t end_ms = mt_clock_ms() + WAIT_MS;
	size_t n = 0;
	int rv;

	in[0] = '\0';
	ERR_clear_error(); /* the server's errors are in the same queue */
	while ((rv = SSL_write(c->ssl, request, sizeof(request) - 1)) <= 0) {
		if (SSL_get_error(c->ssl, rv) != SSL_ERROR_WANT_READ ||
		    mt_clock_ms() > end_ms)
			return refused();
		turn(c->fd);
		ERR_clear_error();
	}
	while (strstr(in, "verified") == NULL &&
	       strstr(in, "unknown") == NULL) {
		rv = SSL_read(c->ssl, in + n, (int)(sizeof(in) - 1 - n));
		if (rv > 0) {
			n += (size_t)rv;
			in[n] = '\0';
		} else if (SSL_get_error(c->ssl, rv) != SSL_ERROR_WANT_READ ||
			   mt_clock_ms() > end_ms) {
			return refused();
		}
		turn(c->fd);
		ERR_clear_error();
	}
	return strstr(in, "verified") != NULL ? "verified" : "unknown";
}

/* The name in the certificate that the server showed. */
static const char *
shown(const struct client *c)
{
	static char name[64];
	const X509 *cert = SSL_get0_peer_certificate(c->ssl);

	ck_assert_ptr_nonnull(cert);
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
				  name, sizeof(name));
	return name;
}

static const char *
asked_as(const char *cert)
{
	struct client c;
	const char *answer;

	prepare(&c, cert);
	answer = ask(&c);
	hang_up(&c);
	return answer;
}

START_TEST(with_a_certificate_it_speaks_tls_and_nothing_else)
{
	struct client c;
	int fd;

	secure("one", MT_TLS_VERIFY_NONE);
	ck_assert(mt_http_is_secure(server));
	prepare(&c, NULL);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(ask(&c), "unknown");
	ck_assert_str_eq(shown(&c), "one");
	fd = dial();
	ck_assert_int_gt(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 0);
	ck_assert(ends(fd));
	ck_assert_msg(strncmp(said, "HTTP/1.1 400 Bad Request\r\n", 26) == 0,
		      "%s", said);
	ck_assert_ptr_nonnull(
	    strstr(said, "Length: 42\r\n\r\nthis port speaks TLS: "));
	ck_assert_uint_eq(strlen(strstr(said, "this port")), 42);
	close(fd);
	ck_assert_int_eq(n_requests, 3);
	hang_up(&c);
}
END_TEST

/* In TLS 1.3 the client is done before its certificate is looked at. */
START_TEST(handlers_learn_who_showed_a_certificate_of_the_authority)
{
	secure("one", MT_TLS_VERIFY_NONE);
	ck_assert_str_eq(asked_as("two"), "unknown"); /* not asked for */
	secure("one", MT_TLS_VERIFY_OPTIONAL);
	ck_assert_str_eq(asked_as(NULL), "unknown");
	ck_assert_str_eq(asked_as("two"), "verified");
	ck_assert_str_eq(asked_as("stranger"), "");
	secure("one", MT_TLS_VERIFY_REQUIRED);
	n_requests = 0;
	ck_assert_str_eq(asked_as(NULL), "");
	ck_assert_str_eq(asked_as("stranger"), "");
	ck_assert_int_eq(n_requests, 0);
	ck_assert_str_eq(asked_as("two"), "verified");
}
END_TEST

/* The alert that a client of this kind gets. */
static const char *
refusal(const char *cert, int version)
{
	struct client c;

	prepare(&c, cert);
	SSL_set_max_proto_version(c.ssl, version);
	ck_assert_str_eq(ask(&c), "");
	hang_up(&c);
	return alert;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(who_is_refused_learns_why)
{
	int version = versions[_i];

	certs_make("old", "ca", -3);
	secure("one", MT_TLS_VERIFY_REQUIRED);
	ck_assert_str_eq(refusal(NULL, version),
			 version == TLS1_2_VERSION
			     ? "sslv3 alert handshake failure"
			     : "tlsv13 alert certificate required");
	ck_assert_str_eq(refusal("stranger", version),
			 "tlsv1 alert unknown ca");
	ck_assert_str_eq(refusal("old", version),
			 "sslv3 alert certificate expired");
}
END_TEST

START_TEST(a_certificate_that_has_ended_is_not_verified)
{
	certs_make("old", "ca", -3);
	secure("one", MT_TLS_VERIFY_OPTIONAL);
	ck_assert_str_eq(asked_as("old"), "");
}
END_TEST

START_TEST(a_client_that_is_silent_in_the_handshake_is_closed)
{
	int64_t since_ms = mt_clock_ms();
	int fds[3];

	secure("one", MT_TLS_VERIFY_NONE);
	for (size_t i = 0; i < MT_COUNT(fds); i++)
		fds[i] = dial();
	/* the first few bytes of a handshake, and no more */
	ck_assert_int_eq(send(fds[1], "\x16\x03\x01\x02", 4, 0), 4);
	ck_assert_str_eq(asked_as(NULL), "unknown");
	for (size_t i = 0; i < MT_COUNT(fds); i++) {
		ck_assert(ends(fds[i]));
		close(fds[i]);
	}
	ck_assert_int_ge(mt_clock_ms() - since_ms, 250);
}
END_TEST

START_TEST(a_new_certificate_leaves_open_connections_alone)
{
	struct client kept, waiting, fresh;

	secure("one", MT_TLS_VERIFY_NONE);
	prepare(&kept, NULL);
	ck_assert_str_eq(ask(&kept), "unknown");
	prepare(&waiting, NULL); /* accepted, and has not said anything */
	turn(waiting.fd);
	turn(waiting.fd);
	secure("two", MT_TLS_VERIFY_NONE);
	secure("two", MT_TLS_VERIFY_NONE);
	ck_assert_str_eq(ask(&waiting), "unknown");
	ck_assert_str_eq(shown(&waiting), "one");
	ck_assert_str_eq(ask(&kept), "unknown");
	ck_assert_str_eq(shown(&kept), "one");
	prepare(&fresh, NULL);
	ck_assert_str_eq(ask(&fresh), "unknown");
	ck_assert_str_eq(shown(&fresh), "two");
	mt_http_secure(server, NULL);
	ck_assert(!mt_http_is_secure(server));
	ck_assert_str_eq(ask(&kept), "unknown");
	hang_up(&kept);
	hang_up(&waiting);
	hang_up(&fresh);
}
END_TEST

/* What was promised to a session under old authorities would live on. */
START_TEST(sessions_are_not_resumed)
{
	struct client first, second;

	secure("one", MT_TLS_VERIFY_OPTIONAL);
	prepare(&first, "two");
	ck_assert_str_eq(ask(&first), "verified");
	prepare(&second, NULL);
	SSL_set_session(second.ssl, SSL_get_session(first.ssl));
	ck_assert_str_eq(ask(&second), "unknown");
	ck_assert_int_eq(SSL_session_reused(second.ssl), 0);
	hang_up(&first);
	hang_up(&second);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("secure");
	TCase *tc = tcase_create("secure"), *hasty = tcase_create("hasty");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, with_a_certificate_it_speaks_tls_and_nothing_else);
	tcase_add_test(
	    tc, handlers_learn_who_showed_a_certificate_of_the_authority);
	tcase_add_loop_test(tc, who_is_refused_learns_why, 0,
			    MT_COUNT(versions));
	tcase_add_test(tc, a_certificate_that_has_ended_is_not_verified);
	tcase_add_checked_fixture(hasty, setup_hasty, teardown);
	tcase_add_test(hasty,
		       a_client_that_is_silent_in_the_handshake_is_closed);
	tcase_add_test(tc, a_new_certificate_leaves_open_connections_alone);
	tcase_add_test(tc, sessions_are_not_resumed);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, hasty);
	return run_suite(suite);
}
