/* SPDX-License-Identifier: PostgreSQL */
/* A configuration made from a PostgreSQL that runs. */
#ifndef MT_DAEMON_GENERATE_H
#define MT_DAEMON_GENERATE_H

#include <stdbool.h>

#include <jansson.h>
#include <libpq-fe.h>

#include "base/err.h"

/*
 * Connect as dsn says (NULL: as libpq's variables say), a password is asked for
 * on the terminal if one is needed, and write the configuration of a member
 * with that server to file (mode 0600), or to standard output where it is NULL.
 * The exit status; what went wrong goes to standard error.
 */
int mt_generate(const char *dsn, const char *file);

/* Inside daemon/generate*.c: what the server says of itself, with names as in
 * the file: "scope", "bootstrap", "postgresql". A new reference. */
json_t *generate__server(PGconn *conn, const char *address, struct mt_err *err);

#endif
