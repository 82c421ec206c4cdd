/* SPDX-License-Identifier: PostgreSQL */
/*
 * Configuration of those that stand before a cluster, printed from what the
 * cluster says of itself: HAProxy's file and PgBouncer's.
 */
#ifndef MT_CLI_BALANCE_H
#define MT_CLI_BALANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/addr.h"
#include "base/err.h"

/* A member as others reach it. */
struct mt_balanced {
	char name[64];         /* fit for both files */
	struct mt_addr pg;     /* PostgreSQL */
	struct mt_addr api;    /* port 0: none is known */
	bool is_tls;           /* of the REST API */
	struct mt_addr agent;  /* port 0: none, or not known */
	bool is_agent_unknown; /* it did not answer */
};

/* Of a member of /cluster. False: it has no address (yet), or one with
 * characters that no address has and that could be more than an address. */
bool mt_balanced_of(const json_t *member, struct mt_balanced *b);
/* What a member's /patroni says of its agent check. */
void mt_balanced_agent(const json_t *status, struct mt_balanced *b);

/* "16MB", as the API's parameter "lag" takes it */
bool mt_is_size(const char *text);
/* A port of an option, 1 to 65535; 0 if it is none. */
uint16_t mt_port_of(const char *text);
/* Nothing that would end a word of the files: letters, digits, and some. */
bool mt_is_word(const char *text);

/* An option's value: NULL, or the complaint; the word is borrowed. */
const char *mt_balance_port(const char *text, uint16_t *port);
const char *mt_balance_word(const char *text, const char **word);
/* The exit status, once all is printed. */
int mt_balance_end(void);

struct mt_haproxy {
	const char *scope;
	const char *bind;    /* address, or "*" */
	const char *lag;     /* NULL: any */
	const char *ca_file; /* that signed REST APIs' certificates, whatever
			      * name they have; NULL: the system's, which
			      * sign names */
	const char *crt;     /* what to show them, or NULL */
	uint16_t primary_port, replica_port, stats_port;
	int n;
	const struct mt_balanced *members;
};

void mt_haproxy_print(const struct mt_haproxy *h, FILE *out);

struct mt_pgbouncer {
	const char *scope;
	const char *host; /* of HAProxy or of the primary */
	uint16_t primary_port, replica_port;
	bool is_direct; /* to the primary, without HAProxy */
	uint16_t listen_port;
	const char *auth_file;
	int n; /* of databases; 0 = all, for writes */
	const char *const *databases;
};

void mt_pgbouncer_print(const struct mt_pgbouncer *p, FILE *out);

#endif
