/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the streams between nodes are encrypted with: TLS 1.3 (RFC 8446) in both
 * directions, by certificates that both sides show, or by a key that all have.
 */
#ifndef MT_PEER_SECURE_H
#define MT_PEER_SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/tls.h"

struct mt_secure;

/* Strings are not needed afterwards. */
struct mt_secure_options {
	const char *password; /* NULL or "": by certificates */
	const char *cluster;  /* of that name the password is */
	/* certfile, keyfile, keyfile_password and cafile, by which the others'
	 * certificates are judged; without a password */
	struct mt_tls_files files;
};

/* Reads files and works for about 0.1 s, so not on the loop while anybody waits
 * for it. On error *s is unchanged, and the words name the option. */
int mt_secure_new(struct mt_secure **s, const struct mt_secure_options *o,
		  struct mt_err *err) MT_MUSTCHECK;
/* Each pump holds it, too. NULL is allowed. */
void mt_secure_unref(struct mt_secure *s);

/* By a password? Else by certificates. */
bool mt_secure_is_password(const struct mt_secure *s);
/* Do both prove themselves by the same? */
bool mt_secure_same(const struct mt_secure *a, const struct mt_secure *b);
/* Let those in, too, who have the password of old; both are by a password. */
void mt_secure_also(struct mt_secure *s, const struct mt_secure *old);
/* How many keys there are to offer: 1, or 2 after mt_secure_also(). */
unsigned mt_secure_keys(const struct mt_secure *s);

/*
 * One connection's TLS, between the socket's bytes and plain ones. It does no
 * I/O: bytes are brought and fetched.
 */
struct mt_pump;

/* is_in: accepted; else dialled, and key is the one to offer, from 0. */
int mt_pump_new(struct mt_pump **p, struct mt_secure *s, bool is_in,
		unsigned key, struct mt_err *err) MT_MUSTCHECK;
void mt_pump_free(struct mt_pump *p);

/* Bytes came from the socket. They are kept until read. */
void mt_pump_put(struct mt_pump *p, const uint8_t *bytes, size_t n);
/* The next plain bytes; also drives the handshake, which the dialler begins by
 * calling it. 0: none yet; -MT_PUMP_END: the other side has ended it;
 * -MT_PUMP_BROKEN: it failed, and err says why. */
enum { MT_PUMP_END = 1, MT_PUMP_BROKEN = 2 };
ssize_t mt_pump_read(struct mt_pump *p, uint8_t *buf, size_t size,
		     struct mt_err *err);
/* The handshake is done: it may be written to. */
bool mt_pump_is_ready(const struct mt_pump *p);
int mt_pump_write(struct mt_pump *p, const uint8_t *bytes, size_t n,
		  struct mt_err *err) MT_MUSTCHECK;
/* Nothing more will be written. */
void mt_pump_finish(struct mt_pump *p);
/* What has to go to the socket now: from malloc, NULL if there is nothing. */
uint8_t *mt_pump_take(struct mt_pump *p, size_t *n);

/* Is the other side's certificate for this host (a name or an address)? With a
 * password everybody who has it is believed. */
bool mt_pump_is_host(const struct mt_pump *p, const char *host);

#endif
