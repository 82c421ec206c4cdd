/* SPDX-License-Identifier: PostgreSQL */
/*
 * Addresses "host:port" in canonical form, so that two spellings of one address
 * compare equal as bytes: names in lower case, IPv6 in its shortest form, "*"
 * where the host was empty or "*". Nothing is looked up.
 */
#ifndef MT_BASE_ADDR_H
#define MT_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MT_ADDR_HOST_MAX 256 /* a host with its zero, without brackets */
#define MT_ADDR_MAX 272      /* "[" host "]:" port with its zero */

struct mt_addr {
	char host[MT_ADDR_HOST_MAX]; /* without brackets; "" only where never
					set */
	uint16_t port;
};

/* "host:port", "[v6]:port", ":port", "*:port"; without ":port" only if
 * default_port is not 0. On error *a is unchanged. */
int mt_addr_parse(struct mt_addr *a, const char *text, uint16_t default_port,
		  struct mt_err *err) MT_MUSTCHECK;

/* The same from a host (with or without brackets; "" is "*") and a port. */
int mt_addr_set(struct mt_addr *a, const char *host, uint16_t port,
		struct mt_err *err) MT_MUSTCHECK;

/* The canonical text; returns buf, which should have MT_ADDR_MAX. */
char *mt_addr_format(const struct mt_addr *a, char *buf, size_t size);

/* 127.0.0.0/8, ::1 or "localhost" */
bool mt_addr_is_loopback(const struct mt_addr *a);
/* "*", "0.0.0.0" or "::": to listen on, never to connect to */
bool mt_addr_is_wildcard(const struct mt_addr *a);
bool mt_addr_equal(const struct mt_addr *a, const struct mt_addr *b);

#endif
