/* SPDX-License-Identifier: PostgreSQL */
/*
 * Networks. Happy path: the address is sixteen bytes in either family, and two
 * of them are compared as far as the prefix goes. Fails where the text is no
 * address or the prefix too long. Zones ("%eth0") are not known here.
 */
#include "base/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define V4_BITS 96 /* before an IPv4 address */

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool
is_v4(const struct mt_net *net)
{
	return net->bits >= V4_BITS &&
	       memcmp(net->addr, v4_prefix, sizeof(v4_prefix)) == 0;
}

static bool
parse_bits(const char *s, unsigned most, unsigned *bits)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 3 || s[n] != '\0')
		return false;
	*bits = (unsigned)strtoul(s, NULL, 10);
	return *bits <= most;
}

static void
cut(struct mt_net *net)
{
	for (unsigned i = 0; i < 128; i++)
		if (i >= net->bits)
			net->addr[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
}

int
mt_net_parse(struct mt_net *net, const char *text, struct mt_err *err)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct mt_net out = {.bits = 128};
	unsigned before = 0, bits;

	if (n >= sizeof(host))
		goto bad;
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(AF_INET, host, out.addr + 12) == 1) {
		memcpy(out.addr, v4_prefix, sizeof(v4_prefix));
		before = V4_BITS;
	} else if (inet_pton(AF_INET6, host, out.addr) != 1) {
		goto bad;
	}
	if (slash != NULL) {
		if (!parse_bits(slash + 1, 128 - before, &bits))
			return mt_err_set(err, MT_EINVAL,
					  "\"%s\" has no prefix from 0 to %u "
					  "after its slash",
					  text, 128 - before);
		out.bits = (uint8_t)(before + bits);
	}
	cut(&out);
	*net = out;
	return 0;
bad:
	return mt_err_set(err, MT_EINVAL,
			  "\"%s\" is no address or network, as \"10.0.0.1\", "
			  "\"10.0.0.0/8\" or \"fd00::/8\"",
			  text);
}

bool
mt_net_of(struct mt_net *net, const struct sockaddr *addr)
{
	struct mt_net out = {.bits = 128};

	if (addr != NULL && addr->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		memcpy(out.addr, v4_prefix, sizeof(v4_prefix));
		memcpy(out.addr + 12, &in.sin_addr, 4);
	} else if (addr != NULL && addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, addr, sizeof(in));
		memcpy(out.addr, &in.sin6_addr, 16);
	} else {
		return false;
	}
	*net = out;
	return true;
}

bool
mt_net_has(const struct mt_net *net, const struct mt_net *one)
{
	struct mt_net to = *one;

	if (one->bits < net->bits)
		return false;
	to.bits = net->bits;
	cut(&to);
	return memcmp(to.addr, net->addr, sizeof(to.addr)) == 0;
}

char *
mt_net_format(const struct mt_net *net, char buf[MT_NET_MAX])
{
	bool v4 = is_v4(net);
	unsigned bits = net->bits - (v4 ? V4_BITS : 0u);
	size_t n;

	if (inet_ntop(v4 ? AF_INET : AF_INET6, net->addr + (v4 ? 12 : 0), buf,
		      INET6_ADDRSTRLEN) == NULL)
		buf[0] = '\0';
	n = strlen(buf);
	if (net->bits != 128)
		mt_format(buf + n, MT_NET_MAX - n, "/%u", bits);
	return buf;
}
