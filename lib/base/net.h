/* SPDX-License-Identifier: PostgreSQL */
/*
 * Networks and single addresses of both families, to be compared. An IPv4
 * address is the IPv6 address that stands for it (::ffff:10.0.0.1), so that it
 * does not matter which kind of socket a client came by. Nothing is looked up.
 */
#ifndef MT_BASE_NET_H
#define MT_BASE_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct mt_net {
	uint8_t addr[16]; /* those beyond bits are 0 */
	uint8_t bits;     /* 128: one address */
};

/* "10.0.0.1", "10.0.0.0/8", "fd00::1", "fd00::/8". What stands beyond the
 * prefix is dropped. MT_EINVAL: it is no such thing; *net is unchanged. */
int mt_net_parse(struct mt_net *net, const char *text,
		 struct mt_err *err) MT_MUSTCHECK;
/* The address of a socket; false: of neither family, or NULL. */
bool mt_net_of(struct mt_net *net, const struct sockaddr *addr);
/* Does one lie within net? */
bool mt_net_has(const struct mt_net *net, const struct mt_net *one);

#define MT_NET_MAX 52 /* of the text, with its zero */
/* "10.0.0.1", "fd00::/8"; returns buf. */
char *mt_net_format(const struct mt_net *net, char buf[MT_NET_MAX]);

#endif
