/* SPDX-License-Identifier: PostgreSQL */
/*
 * The addresses of a configuration: can they be listened on, can others reach
 * them, do the others answer. Happy path: sockets are bound and closed again,
 * and connections to the partners are made all at once and closed. Failure
 * modes: a partner that does not answer within two seconds is a warning, as it
 * may be started later; partners on this machine are not asked. Listens never.
 */
#include "daemon/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "conf/source.h"

#define ANSWER_WITHIN_MS 2000

/* ---- ports ---- */

static struct addrinfo *
look_up(const struct mt_addr *a, bool passive, const char **why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = passive ? AI_PASSIVE : 0};
	struct addrinfo *list = NULL;
	bool any = mt_addr_is_wildcard(a) && mt_streq(a->host, "*");
	char port[8];
	int rv;

	mt_format(port, sizeof(port), "%u", (unsigned)a->port);
	rv = getaddrinfo(any ? NULL : a->host, port, &hints, &list);
	*why = rv != 0 ? gai_strerror(rv) : NULL;
	return rv != 0 ? NULL : list;
}

/* 0, or the errno of the first address that cannot be bound. */
static int
try_bind(const struct addrinfo *list)
{
	int on = 1, fd, code = 0;

	for (; list != NULL && code == 0; list = list->ai_next) {
		fd = socket(list->ai_family, list->ai_socktype | SOCK_CLOEXEC,
			    0);
		if (fd < 0)
			continue; /* a machine without IPv6 */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
#ifdef IPV6_V6ONLY
		if (list->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
				   sizeof(on));
#endif
		if (bind(fd, list->ai_addr, list->ai_addrlen) != 0)
			code = errno;
		close(fd);
	}
	return code;
}

static void
judge_port(const struct mt_conf *c, const char *path, const struct mt_addr *a)
{
	char text[MT_ADDR_MAX];
	const char *why;
	struct addrinfo *list;
	int code;

	if (a->port == 0)
		return; /* told already */
	mt_addr_format(a, text, sizeof(text));
	list = look_up(a, true, &why);
	if (list == NULL) {
		mt_conf_fail(c->source, path,
			     "\"%s\": \"%s\" is no address: %s", path, text,
			     why);
		return;
	}
	code = try_bind(list);
	freeaddrinfo(list);
	if (code == EADDRINUSE)
		mt_conf_fail(c->source, path,
			     "\"%s\": \"%s\" is in use; take another port, or "
			     "give -i if it is the daemon that uses it",
			     path, text);
	else if (code != 0)
		mt_conf_fail(c->source, path,
			     "\"%s\": could not listen on \"%s\": %s", path,
			     text, strerror(code));
}

void
judge__ports(const struct mt_conf *c)
{
	char list[sizeof(c->postgresql.listen_addresses)], *save = NULL;
	struct mt_addr a;

	judge_port(c, "restapi.listen", &c->restapi.listen);
	judge_port(c, "restapi.agent_check", &c->restapi.agent_check);
	judge_port(c, "raft.bind_addr", &c->raft.bind_addr);
	if (!c->has_postgresql)
		return;
	mt_copy(list, sizeof(list), c->postgresql.listen_addresses);
	for (char *s = strtok_r(list, ",", &save); s != NULL;
	     s = strtok_r(NULL, ",", &save)) {
		memset(&a, 0, sizeof(a));
		mt_copy(a.host, sizeof(a.host), s);
		a.port = c->postgresql.port;
		judge_port(c, "postgresql.listen", &a);
	}
}

/* ---- addresses for others ---- */

void
judge__addresses(const struct mt_conf *c)
{
	const struct {
		const char *path;
		const struct mt_addr *addr;
	} rows[] = {
	    {"raft.self_addr", &c->raft.self_addr},
	    {"restapi.connect_address", &c->restapi.connect_address},
	    {"postgresql.connect_address", &c->postgresql.connect_address},
	    {"postgresql.proxy_address", &c->postgresql.proxy_address},
	};
	bool elsewhere = false;

	for (size_t i = 0; i < c->raft.n; i++)
		elsewhere = elsewhere ||
			    !mt_addr_is_loopback(&c->raft.partner_addrs[i]);
	if (!elsewhere)
		return; /* all of it is on this machine */
	for (size_t i = 0; i < MT_COUNT(rows); i++)
		if (rows[i].addr->port != 0 &&
		    mt_addr_is_loopback(rows[i].addr))
			mt_conf_fail(
			    c->source, rows[i].path,
			    "\"%s\" is a loopback address, where the "
			    "partners elsewhere cannot reach it; write "
			    "this member's address",
			    rows[i].path);
}

/* ---- partners ---- */

/* A connection under way, or -1. */
static int
begin(const struct mt_addr *a)
{
	const char *why;
	struct addrinfo *list = look_up(a, false, &why);
	int fd = -1;

	if (list != NULL)
		fd =
		    socket(list->ai_family,
			   list->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) != 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	if (list != NULL)
		freeaddrinfo(list);
	return fd;
}

static bool
is_connected(int fd)
{
	int code = 1;
	socklen_t n = sizeof(code);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &n) == 0 &&
	       code == 0;
}

void
judge__partners(const struct mt_conf *c)
{
	struct pollfd fds[MT_CONF_PARTNERS_MAX];
	int64_t until_ms = mt_clock_ms() + ANSWER_WITHIN_MS, left_ms;
	bool answered[MT_CONF_PARTNERS_MAX] = {false};
	size_t waiting = 0;
	char text[MT_ADDR_MAX];

	for (size_t i = 0; i < c->raft.n; i++) {
		const struct mt_addr *a = &c->raft.partner_addrs[i];

		answered[i] = mt_addr_is_loopback(a); /* started one by one */
		fds[i].events = POLLOUT;
		fds[i].fd = answered[i] ? -1 : begin(a);
		waiting += fds[i].fd >= 0;
	}
	while (waiting > 0 && (left_ms = until_ms - mt_clock_ms()) > 0 &&
	       poll(fds, c->raft.n, (int)left_ms) > 0)
		for (size_t i = 0; i < c->raft.n; i++) {
			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			answered[i] = is_connected(fds[i].fd);
			close(fds[i].fd);
			fds[i].fd = -1;
			waiting--;
		}
	for (size_t i = 0; i < c->raft.n; i++) {
		if (fds[i].fd >= 0)
			close(fds[i].fd);
		if (!answered[i])
			mt_conf_warn(c->source, "raft.partner_addrs",
				     "\"raft.partner_addrs\": \"%s\" does not "
				     "answer (yet)",
				     mt_addr_format(&c->raft.partner_addrs[i],
						    text, sizeof(text)));
	}
}
