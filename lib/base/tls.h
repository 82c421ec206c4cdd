/* SPDX-License-Identifier: PostgreSQL */
/*
 * TLS as it stands in files: certificate, key, the authorities of others. Made
 * whole or not at all, so that who listens always has one that works.
 * mt_tls_new may be called on any thread.
 */
#ifndef MT_BASE_TLS_H
#define MT_BASE_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ssl_ctx_st;

/* In the order of restapi.verify_client's words. */
enum mt_tls_verify {
	MT_TLS_VERIFY_NONE,     /* no certificate is asked for */
	MT_TLS_VERIFY_OPTIONAL, /* who has one may show it; a bad one ends it */
	MT_TLS_VERIFY_REQUIRED, /* nobody is heard without a good one */
};

/* What a configuration says; NULL and "" are the same. */
struct mt_tls_files {
	const char *section;  /* "restapi": for messages */
	const char *certfile; /* PEM: the certificate, then those above it */
	const char *keyfile;  /* PEM; none: the key is in certfile */
	const char *keyfile_password; /* a secret */
	const char *cafile;           /* PEM: who may sign others' ones */
	const char *ciphers;          /* of TLS 1.2; none: OpenSSL's */
	enum mt_tls_verify verify_client;
};

struct mt_tls;

/*
 * Read the files and see that all of it fits together: files is not needed
 * afterwards. On error *tls is unchanged, *at (may be NULL) is the key of the
 * option that is at fault, "keyfile", and the words name option and file, what
 * is wrong and what to do; never what is in a file. Waits for the files'
 * volume.
 */
int mt_tls_new(struct mt_tls **tls, const struct mt_tls_files *files,
	       const char **at, struct mt_err *err) MT_MUSTCHECK;
/* NULL is allowed. Connections that were made with it live on. */
void mt_tls_free(struct mt_tls *tls);

/* Were both made of the same bytes and options? */
bool mt_tls_same(const struct mt_tls *a, const struct mt_tls *b);
/* When the certificate ends, in seconds since 1970. */
int64_t mt_tls_ends_s(const struct mt_tls *tls);
/* "CN = node1, serial 1A2B": for the log. Lives as long as tls. */
const char *mt_tls_name(const struct mt_tls *tls);

/* OpenSSL's, borrowed. */
struct ssl_ctx_st *mt_tls_context(const struct mt_tls *tls);

#endif
