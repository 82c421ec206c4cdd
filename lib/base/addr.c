/* SPDX-License-Identifier: PostgreSQL */
/*
 * Addresses. Happy path: host and port are taken apart, the host is put in its
 * canonical spelling. An IPv6 address without brackets is refused, as nobody
 * can tell its last group from a port. Does not resolve names.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static int
bad(struct mt_err *err, const char *text, const char *why)
{
	return mt_err_set(err, MT_EINVAL,
			  "address \"%s\" %s; write it as \"10.0.0.1:5432\", "
			  "\"db1.example.com:5432\" or \"[fd00::1]:5432\"",
			  text, why);
}

static bool
parse_port(const char *s, uint16_t *port)
{
	size_t n = strspn(s, "0123456789");
	long v;

	if (n == 0 || n > 5 || s[n] != '\0')
		return false;
	v = strtol(s, NULL, 10);
	if (v < 1 || v > UINT16_MAX)
		return false;
	*port = (uint16_t)v;
	return true;
}

/* host, without brackets, to its shortest form; keeps a zone ("%eth0"). */
static bool
canonical_v6(char *host, size_t size)
{
	char zone[64] = "", text[INET6_ADDRSTRLEN];
	char *percent = strchr(host, '%');
	struct in6_addr in;

	if (percent != NULL) {
		if (percent[1] == '\0' || !mt_copy(zone, sizeof(zone), percent))
			return false;
		*percent = '\0';
	}
	if (inet_pton(AF_INET6, host, &in) != 1 ||
	    inet_ntop(AF_INET6, &in, text, sizeof(text)) == NULL)
		return false;
	memset(host, 0, size); /* nothing of the longer spelling stays */
	return mt_format(host, size, "%s%s", text, zone);
}

static bool
canonical_name(char *host)
{
	for (char *p = host; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (!isalnum(c) && c != '.' && c != '-' && c != '_')
			return false;
		*p = (char)tolower(c);
	}
	return true;
}

/* The host is n bytes at host, without brackets. text is for the words. */
static int
fill(struct mt_addr *a, const char *host, size_t n, bool is_v6, uint16_t port,
     const char *text, struct mt_err *err)
{
	struct mt_addr out;

	memset(&out, 0, sizeof(out)); /* equal addresses are equal bytes */
	if (n >= sizeof(out.host))
		return bad(err, "...", "is too long");
	memcpy(out.host, host, n);
	out.port = port;
	if (is_v6) {
		if (!canonical_v6(out.host, sizeof(out.host)))
			return bad(err, text, "is no IPv6 address");
	} else if (n == 0) {
		mt_copy(out.host, sizeof(out.host), "*");
	} else if (!mt_streq(out.host, "*") && !canonical_name(out.host)) {
		return bad(err, text, "holds a character that no name has");
	}
	*a = out;
	return 0;
}

int
mt_addr_parse(struct mt_addr *a, const char *text, uint16_t default_port,
	      struct mt_err *err)
{
	const char *host = text, *end, *rest;
	uint16_t port = default_port;
	bool is_v6 = text[0] == '[';

	if (is_v6) {
		host++;
		end = strchr(host, ']');
		if (end == NULL)
			return bad(err, text, "has no closing bracket");
		rest = end + 1;
	} else {
		end = text + strcspn(text, ":");
		rest = end;
		if (*end == ':' && strchr(end + 1, ':') != NULL)
			return bad(err, text, "has several colons");
	}
	if (*rest == '\0' && default_port == 0)
		return bad(err, text, "has no port");
	if (*rest != '\0' && (*rest != ':' || !parse_port(rest + 1, &port)))
		return bad(err, text, "has no port from 1 to 65535");
	return fill(a, host, (size_t)(end - host), is_v6, port, text, err);
}

int
mt_addr_set(struct mt_addr *a, const char *host, uint16_t port,
	    struct mt_err *err)
{
	const char *text = host;
	size_t n = strlen(host);
	bool is_bracketed = n >= 2 && host[0] == '[' && host[n - 1] == ']';
	bool is_v6 = is_bracketed || strchr(host, ':') != NULL;

	if (port == 0)
		return bad(err, text, "has no port from 1 to 65535");
	if (is_bracketed) {
		host++;
		n -= 2;
	}
	return fill(a, host, n, is_v6, port, text, err);
}

char *
mt_addr_format(const struct mt_addr *a, char *buf, size_t size)
{
	bool v6 = strchr(a->host, ':') != NULL;

	snprintf(buf, size, "%s%s%s:%u", v6 ? "[" : "", a->host, v6 ? "]" : "",
		 (unsigned int)a->port);
	return buf;
}

bool
mt_addr_is_loopback(const struct mt_addr *a)
{
	struct in_addr in;

	if (inet_pton(AF_INET, a->host, &in) == 1)
		return ntohl(in.s_addr) >> 24 == 127;
	return mt_streq(a->host, "::1") || mt_streq(a->host, "localhost");
}

bool
mt_addr_is_wildcard(const struct mt_addr *a)
{
	return mt_streq(a->host, "*") || mt_streq(a->host, "0.0.0.0") ||
	       mt_streq(a->host, "::");
}

bool
mt_addr_equal(const struct mt_addr *a, const struct mt_addr *b)
{
	return a->port == b->port && mt_streq(a->host, b->host);
}
