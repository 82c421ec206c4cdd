/* SPDX-License-Identifier: PostgreSQL */
/* Connection strings, and where the local server and the others are. */
#ifndef MT_PG_CONNINFO_H
#define MT_PG_CONNINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "conf/conf.h"

/* In the service file that a program is given for a passphrase. */
#define MT_PG_SERVICE "matriarch"

/* Where a server is. */
struct mt_pg_target {
	char host[256];    /* name, address, socket directory; "" with
			    * local_default: libpq's own socket directory */
	char hostaddr[64]; /* literal address; "" = a socket, or not known */
	uint16_t port;
	bool is_socket;
};

/* "postgres://host:port/db", host may be [v6]; port 5432 if missing. database
 * may be NULL. hostaddr is set where host is a literal address. */
int mt_pg_url_parse(struct mt_pg_target *t, char *database, size_t size,
		    const char *url, struct mt_err *err) MT_MUSTCHECK;
/* "postgres://host:port/postgres" of a canonical address; returns buf. */
char *mt_pg_url_format(char *buf, size_t size, const struct mt_addr *addr);

/*
 * The local server: its socket (use_unix_socket, or use_unix_socket_repl for
 * a replication connection, and an absolute first entry in
 * unix_socket_directories or none set), else its first address; "*",
 * "localhost" and wildcards become a loopback address. parameters as from
 * mt_pgconf_parameters, or NULL.
 */
void mt_pg_target_local(struct mt_pg_target *t,
			const struct mt_conf_postgresql *pg,
			const json_t *parameters, bool replication);

/* The slot that a member uses on its upstream; buf has 64. Returns buf. */
char *mt_pg_slot_name(char *buf, const char *member);

/*
 * A value for a connection string: as it is, or in single quotes with
 * backslashes before quotes and backslashes. Returns buf, or NULL if it did
 * not fit.
 */
char *mt_pg_conninfo_quote(char *buf, size_t size, const char *value);

/*
 * What a standby of version_num (150004) has in primary_conninfo to follow the
 * member behind url: user and passfile, never a password; the passphrase of a
 * client key has no other place, though, and stands there. member is our own
 * name. On error buf is "".
 */
int mt_pg_primary_conninfo(char *buf, size_t size,
			   const struct mt_conf_postgresql *pg,
			   const char *member, const char *url, int version_num,
			   struct mt_err *err) MT_MUSTCHECK;

/* For a program of version_num that works on the member behind url as user, in
 * database (NULL: none). PGPASSFILE has the password, and PGSERVICEFILE the
 * passphrase where user has one (mt_pg_service_write). */
int mt_pg_tool_conninfo(char *buf, size_t size, const struct mt_conf_user *user,
			const char *database, const char *application,
			const char *url, int version_num,
			struct mt_err *err) MT_MUSTCHECK;

/* An option of libpq and its value, borrowed. */
struct mt_pg_option {
	const char *key, *value;
};

/* Those that a user's connections have with libpq, or a server, of a version:
 * given, or with a default that is always written; in the order of
 * primary_conninfo, *n_first of them before application_name. Returns how many,
 * at most MT_PG_OPTIONS_MAX. */
#define MT_PG_OPTIONS_MAX 11
size_t mt_pg_libpq_options(struct mt_pg_option *list,
			   const struct mt_conf_libpq *libpq, int version_num,
			   size_t *n_first);

#endif
