/* SPDX-License-Identifier: PostgreSQL */
/*
 * --generate-config: a configuration from a server that runs. Happy path: one
 * connection, what it told is written a section at a time in the order in which
 * people read them, and section "raft", which no server knows, stands there as
 * a comment to be filled in. Failure modes: no connection, no superuser, a file
 * that cannot be written: a line on standard error, and no file. The file is
 * its owner's alone, as it has a password if the connection had one.
 */
#include "daemon/generate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/text.h"
#include "base/yaml.h"
#include "pg/files.h"

/* ---- the connection ---- */

/* From the terminal, without an echo; false: there is none. */
static bool
ask_password(char *buf, size_t size)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	struct termios before, silent;
	bool got;

	if (tty == NULL)
		return false;
	if (tcgetattr(fileno(tty), &before) != 0) {
		fclose(tty);
		return false;
	}
	silent = before;
	silent.c_lflag &= (tcflag_t)~ECHO;
	fputs("Password: ", tty);
	fflush(tty);
	tcsetattr(fileno(tty), TCSAFLUSH, &silent);
	got = fgets(buf, (int)size, tty) != NULL;
	tcsetattr(fileno(tty), TCSAFLUSH, &before);
	fputc('\n', tty);
	fclose(tty);
	if (got)
		buf[strcspn(buf, "\r\n")] = '\0';
	return got && buf[0] != '\0';
}

static PGconn *
connect_with(const char *dsn, const char *password)
{
	const char *keys[] = {"dbname", "fallback_application_name",
			      "connect_timeout", password ? "password" : NULL,
			      NULL};
	const char *values[] = {dsn, "matriarchd --generate-config", "10",
				password, NULL};

	/* a dbname with "=" in it, or a URL, is a whole connection string */
	return PQconnectdbParams(keys, values, 1);
}

static PGconn *
open_connection(const char *dsn)
{
	const char *whole = dsn != NULL && dsn[0] != '\0' ? dsn : NULL;
	PGconn *conn;
	char password[512];

	conn = connect_with(whole, NULL);
	if (PQstatus(conn) != CONNECTION_OK &&
	    PQconnectionNeedsPassword(conn) &&
	    ask_password(password, sizeof(password))) {
		PQfinish(conn);
		conn = connect_with(whole, password);
		explicit_bzero(password, sizeof(password));
	}
	if (PQstatus(conn) == CONNECTION_OK)
		return conn;
	fprintf(stderr, "matriarchd: could not connect to PostgreSQL: %s",
		conn != NULL ? PQerrorMessage(conn) : "out of memory\n");
	PQfinish(conn);
	return NULL;
}

/* ---- the file ---- */

/* The first address of this machine that others may know. */
static void
find_address(char *buf, size_t size)
{
	struct ifaddrs *list = NULL, *it;

	mt_copy(buf, size, "127.0.0.1");
	if (getifaddrs(&list) != 0)
		return;
	for (it = list; it != NULL; it = it->ifa_next)
		if (it->ifa_addr != NULL &&
		    it->ifa_addr->sa_family == AF_INET &&
		    (it->ifa_flags & IFF_UP) != 0 &&
		    (it->ifa_flags & IFF_LOOPBACK) == 0) {
			const struct sockaddr_in *in =
			    (const void *)it->ifa_addr;

			inet_ntop(AF_INET, &in->sin_addr, buf, (socklen_t)size);
			break;
		}
	freeifaddrs(list);
}

/* v is taken. */
static void
put_section(FILE *out, const char *name, json_t *v)
{
	json_t *section = json_pack("{so}", name, v);
	char *text = mt_yaml_block(section);

	MT_ASSERT(text != NULL);
	fputs(text, out);
	explicit_bzero(text, strlen(text));
	free(text);
	json_decref(section);
}

static void
put_raft(FILE *out, const char *address)
{
	fprintf(
	    out,
	    "# The members agree among themselves. Fill in the addresses of "
	    "this member and\n"
	    "# of the others, and take the \"#\" away:\n"
	    "#raft:\n"
	    "#  self_addr: %s:7500\n"
	    "#  partner_addrs:\n"
	    "#  - 10.0.0.2:7500\n"
	    "#  - 10.0.0.3:7500\n"
	    "#  # Connections are not encrypted yet; beyond this machine "
	    "that must be said:\n"
	    "#  insecure: true\n",
	    address);
}

static char *
text_of(const json_t *server, const char *address)
{
	const json_t *scope = json_object_get(server, "scope");
	char host[256], *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	MT_ASSERT(out != NULL);
	if (gethostname(host, sizeof(host)) != 0)
		mt_copy(host, sizeof(host), "#FIXME");
	host[sizeof(host) - 1] = '\0';
	fputs("# Made by matriarchd --generate-config; see matriarch.yml(5). "
	      "Look for FIXME.\n",
	      out);
	put_section(out, "scope", json_incref((json_t *)scope));
	put_section(out, "name", json_string(host));
	put_section(
	    out, "restapi",
	    json_pack("{soso}", "listen", json_sprintf("%s:8008", address),
		      "connect_address", json_sprintf("%s:8008", address)));
	put_raft(out, address);
	put_section(out, "bootstrap",
		    json_incref(json_object_get(server, "bootstrap")));
	put_section(out, "postgresql",
		    json_incref(json_object_get(server, "postgresql")));
	put_section(out, "tags",
		    json_pack("{sbsbsbsb}", "nofailover", 0, "noloadbalance", 0,
			      "clonefrom", 0, "nosync", 0));
	MT_ASSERT(fclose(out) == 0);
	return text;
}

static int
put_text(const char *text, const char *file)
{
	struct mt_err err;

	if (file == NULL) {
		fputs(text, stdout);
		if (fflush(stdout) == 0 && !ferror(stdout))
			return 0;
		perror("matriarchd: could not write to standard output");
		return 1;
	}
	if (mt_file_write(file, text, strlen(text), 0600, &err) == 0)
		return 0;
	fprintf(stderr, "matriarchd: %s\n", err.text);
	return 1;
}

int
mt_generate(const char *dsn, const char *file)
{
	PGconn *conn = open_connection(dsn);
	char address[64], *text;
	struct mt_err err;
	json_t *server;
	int status;

	if (conn == NULL)
		return 1;
	find_address(address, sizeof(address));
	server = generate__server(conn, address, &err);
	PQfinish(conn);
	if (server == NULL) {
		fprintf(stderr,
			"matriarchd: could not make a configuration: %s\n",
			err.text);
		return 1;
	}
	text = text_of(server, address);
	status = put_text(text, file);
	explicit_bzero(text, strlen(text));
	free(text);
	json_decref(server);
	return status;
}
