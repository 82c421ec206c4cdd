/* SPDX-License-Identifier: PostgreSQL */
/*
 * Ports and files of a demo.
 *
 * A port is taken if it can be bound on loopback now and no other demo has
 * chosen it: between choosing and PostgreSQL's start there is time, so each
 * demo also holds an abstract Unix socket with the port's number in its name
 * until it ends. The kernel frees it whatever becomes of the process.
 *
 * Everything is written for 127.0.0.1, where Raft needs no encryption. The
 * passwords are random and stand in files of mode 0600 only.
 */
#include "cli/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "config.h"

#define SOCKET_PATH_MAX 107
#define LAST_PORT 65535

/* Stays open until the process ends. */
static bool
reserve(int port)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n;

	if (fd < 0)
		return false;
	mt_format(sun.sun_path + 1, sizeof(sun.sun_path) - 1,
		  "matriarch-demo/%d", port);
	n = offsetof(struct sockaddr_un, sun_path) + 1 +
	    strlen(sun.sun_path + 1);
	if (bind(fd, (struct sockaddr *)&sun, (socklen_t)n) == 0)
		return true;
	close(fd);
	return false;
}

/* Both on the wildcard and on loopback nobody else may listen. */
static bool
is_free(int port)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	bool free;

	if (fd < 0)
		return false;
	/* Connections that have ended do not count, listeners do. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	free = bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
	       listen(fd, 1) == 0;
	close(fd);
	return free;
}

/* The next free port from *from on. */
static int
take_port(int *from, uint16_t *port, struct mt_err *err)
{
	for (int p = *from; p <= LAST_PORT; p++)
		if (is_free(p) && reserve(p)) {
			*port = (uint16_t)p;
			*from = p + 1;
			return 0;
		}
	return mt_err_set(err, MT_ENOENT,
			  "there is no free port left from %d on; choose a "
			  "lower --base-port",
			  *from);
}

static int
choose_ports(struct mt_demo *d, struct mt_err *err)
{
	int from = d->base_port > 0 ? d->base_port : MT_DEMO_BASE_PORT;
	int rv = 0;

	/* kind by kind, so that a user sees PostgreSQL's in a row */
	for (int i = 0; rv == 0 && i < d->n; i++)
		rv = take_port(&from, &d->nodes[i].pg_port, err);
	for (int i = 0; rv == 0 && i < d->n; i++)
		rv = take_port(&from, &d->nodes[i].api_port, err);
	for (int i = 0; rv == 0 && i < d->n; i++)
		rv = take_port(&from, &d->nodes[i].raft_port, err);
	for (int i = 0; rv == 0 && i < d->n; i++) {
		size_t h = strlen(d->hosts), p = strlen(d->ports);

		mt_format(d->hosts + h, sizeof(d->hosts) - h, "%s127.0.0.1",
			  i > 0 ? "," : "");
		mt_format(d->ports + p, sizeof(d->ports) - p, "%s%d",
			  i > 0 ? "," : "", d->nodes[i].pg_port);
	}
	return rv;
}

static FILE *
create(const char *path, struct mt_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (out == NULL)
		mt_err_sys(err, errno, "could not create \"%s\"", path);
	return out;
}

static int
finish(FILE *out, const char *path, struct mt_err *err)
{
	bool failed = ferror(out) != 0;

	if (fclose(out) != 0 || failed)
		return mt_err_sys(err, errno, "could not write \"%s\"", path);
	return 0;
}

static void
write_head(const struct mt_demo *d, const struct mt_demo_node *n, FILE *out)
{
	fprintf(out,
		"scope: demo\n"
		"name: %s\n\n"
		"restapi:\n"
		"  listen: 127.0.0.1:%d\n"
		"  connect_address: 127.0.0.1:%d\n\n"
		"raft:\n"
		"  self_addr: 127.0.0.1:%d\n"
		"  data_dir: \"%s/raft\"\n",
		n->name, n->api_port, n->api_port, n->raft_port, n->dir);
	fputs(d->n > 1 ? "  partner_addrs:\n" : "  partner_addrs: []\n", out);
	for (int i = 0; i < d->n; i++)
		if (&d->nodes[i] != n)
			fprintf(out, "  - 127.0.0.1:%d\n",
				d->nodes[i].raft_port);
	fprintf(out, "\nbootstrap:\n"
		     "  dcs:\n"
		     "    ttl: 5\n"
		     "    postgresql:\n"
		     "      use_pg_rewind: true\n"
		     "  initdb:\n"
		     "  - encoding: UTF8\n"
		     "  - data-checksums\n\n");
}

static void
write_postgresql(const struct mt_demo *d, const struct mt_demo_node *n,
		 FILE *out)
{
	fprintf(out,
		"postgresql:\n"
		"  listen: 127.0.0.1:%d\n"
		"  connect_address: 127.0.0.1:%d\n"
		"  data_dir: \"%s\"\n"
		"  pgpass: \"%s/pgpass\"\n"
		"  use_pg_rewind: true\n"
		"  authentication:\n"
		"    superuser:\n"
		"      username: postgres\n"
		"      password: \"%s\"\n"
		"    replication:\n"
		"      username: replicator\n"
		"      password: \"%s\"\n",
		n->pg_port, n->pg_port, n->data, n->dir, d->superuser_password,
		d->replication_password);
	fprintf(out,
		"  pg_hba:\n"
		"  - local all all scram-sha-256\n"
		"  - host replication replicator 127.0.0.1/32 scram-sha-256\n"
		"  - host all all 127.0.0.1/32 scram-sha-256\n"
		"  parameters:\n"
		"    password_encryption: scram-sha-256\n"
		"    unix_socket_directories: \"%s\"\n"
		"    shared_buffers: 16MB\n"
		"    max_connections: 50\n"
		"    wal_keep_size: 128MB\n",
		n->dir);
}

static int
write_node(const struct mt_demo *d, struct mt_demo_node *n, struct mt_err *err)
{
	FILE *out;

	if (mkdir(n->dir, 0700) != 0)
		return mt_err_sys(err, errno, "could not create \"%s\"",
				  n->dir);
	out = create(n->conf, err);
	if (out == NULL)
		return err->code;
	write_head(d, n, out);
	write_postgresql(d, n, out);
	return finish(out, n->conf, err);
}

/* For whoever wants to look: libpq finds the password in it. */
static int
write_pgpass(const struct mt_demo *d, struct mt_err *err)
{
	char path[MT_DEMO_PATH_MAX + 16];
	FILE *out;

	mt_format(path, sizeof(path), "%s/pgpass", d->dir);
	out = create(path, err);
	if (out == NULL)
		return err->code;
	for (int i = 0; i < d->n; i++)
		fprintf(out, "127.0.0.1:%d:*:postgres:%s\n",
			d->nodes[i].pg_port, d->superuser_password);
	return finish(out, path, err);
}

static void
make_password(char *buf, size_t size)
{
	mt_format(buf, size, "%016llx%016llx",
		  (unsigned long long)mt_random_u64(),
		  (unsigned long long)mt_random_u64());
}

static int
name_nodes(struct mt_demo *d, struct mt_err *err)
{
	bool fits = true;

	for (int i = 0; i < d->n; i++) {
		struct mt_demo_node *n = &d->nodes[i];

		mt_format(n->name, sizeof(n->name), "node%d", i + 1);
		fits = fits &&
		       mt_format(n->dir, sizeof(n->dir), "%s/%s", d->dir,
				 n->name) &&
		       mt_format(n->conf, sizeof(n->conf), "%s/matriarch.yml",
				 n->dir) &&
		       mt_format(n->log, sizeof(n->log), "%s/matriarchd.log",
				 n->dir) &&
		       mt_format(n->data, sizeof(n->data), "%s/data", n->dir);
		/* PostgreSQL's socket is the longest name of any socket */
		fits = fits && strlen(n->dir) + strlen("/.s.PGSQL.65535") <=
				   SOCKET_PATH_MAX;
	}
	if (!fits)
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" is too long a path for PostgreSQL's "
				  "socket in it; choose a shorter --dir",
				  d->dir);
	if (strpbrk(d->dir, "\"\\\n,'") != NULL)
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" has a quote, a backslash or a comma "
				  "in it; choose another --dir",
				  d->dir);
	return 0;
}

int
mt_demo_configure(struct mt_demo *d, struct mt_err *err)
{
	char url[64];
	int rv;

	make_password(d->superuser_password, sizeof(d->superuser_password));
	make_password(d->replication_password, sizeof(d->replication_password));
	rv = name_nodes(d, err);
	if (rv == 0)
		rv = choose_ports(d, err);
	for (int i = 0; rv == 0 && i < d->n; i++)
		rv = write_node(d, &d->nodes[i], err);
	if (rv == 0)
		rv = write_pgpass(d, err);
	if (rv == 0)
		rv = mt_http_new(&d->http, "matriarch/" PACKAGE_VERSION, err);
	for (int i = 0; rv == 0 && i < d->n; i++) {
		mt_format(url, sizeof(url), "http://127.0.0.1:%d",
			  d->nodes[i].api_port);
		rv = mt_http_add(d->http, url, err);
	}
	return rv;
}
