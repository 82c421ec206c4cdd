/* SPDX-License-Identifier: PostgreSQL */
/*
 * Socket addresses.
 *
 * Happy path: bytes to a spelling and back, by inet_pton() and inet_ntop().
 * Failure: a host that is a name is not numeric; a family other than IPv4 and
 * IPv6 is "unknown" and no loopback. Does no I/O and resolves no names.
 */
#include "peer/sockaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

bool
mt_sockaddr_numeric(const char *host, uint16_t port,
		    struct sockaddr_storage *ss)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		v4.sin_port = htons(port);
		memcpy(ss, &v4, sizeof(v4));
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
		v6.sin6_port = htons(port);
		memcpy(ss, &v6, sizeof(v6));
		return true;
	}
	return false;
}

bool
mt_sockaddr_is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, sa, sizeof(v4));
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, sa, sizeof(v6));
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
			return v6.sin6_addr.s6_addr[12] == 127;
		return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
	}
	return false;
}

char *
mt_sockaddr_text(char out[MT_ADDR_MAX], const struct sockaddr *sa)
{
	struct mt_addr a = {.port = 0};

	if (sa->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, sa, sizeof(v4));
		inet_ntop(AF_INET, &v4.sin_addr, a.host, sizeof(a.host));
		a.port = ntohs(v4.sin_port);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, sa, sizeof(v6));
		inet_ntop(AF_INET6, &v6.sin6_addr, a.host, sizeof(a.host));
		a.port = ntohs(v6.sin6_port);
	} else {
		mt_copy(out, MT_ADDR_MAX, "unknown");
		return out;
	}
	return mt_addr_format(&a, out, MT_ADDR_MAX);
}
