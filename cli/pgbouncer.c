/* SPDX-License-Identifier: PostgreSQL */
/*
 * PgBouncer's file. PgBouncer connects to one host for a database, or to many
 * in turn, but never asks which of them is the primary: so what stands behind
 * it is HAProxy, which does. Without HAProxy the file is right until the
 * primary changes, and says so.
 *
 * No passwords: they are in the file of users, which its owner makes.
 */
#include "cli/balance.h"

static void
print_databases(const struct mt_pgbouncer *p, FILE *out)
{
	fputs("\n[databases]\n", out);
	for (int i = 0; i < p->n; i++) {
		fprintf(out, "%s = host=%s port=%u\n", p->databases[i], p->host,
			(unsigned int)p->primary_port);
		if (!p->is_direct)
			fprintf(out, "%s_ro = host=%s port=%u dbname=%s\n",
				p->databases[i], p->host,
				(unsigned int)p->replica_port, p->databases[i]);
	}
	if (p->n > 0)
		return;
	if (!p->is_direct)
		fprintf(out,
			"; For reads on replicas, a line for each database:\n"
			"; NAME_ro = host=%s port=%u dbname=NAME\n",
			p->host, (unsigned int)p->replica_port);
	fprintf(out, "* = host=%s port=%u\n", p->host,
		(unsigned int)p->primary_port);
}

void
mt_pgbouncer_print(const struct mt_pgbouncer *p, FILE *out)
{
	fprintf(out,
		"; PgBouncer for the cluster \"%s\", by matriarch "
		"pgbouncer.\n",
		p->scope);
	if (p->is_direct)
		fputs("; It goes to the present primary. After each change of "
		      "the primary print it anew\n"
		      "; and reload PgBouncer (a callback can), or go through "
		      "HAProxy, which finds it.\n",
		      out);
	else
		fputs("; It goes through HAProxy (matriarch haproxy), which "
		      "finds the primary.\n",
		      out);
	print_databases(p, out);
	fprintf(out,
		"\n[pgbouncer]\n"
		"listen_addr = *\n"
		"listen_port = %u\n"
		"auth_type = scram-sha-256\n"
		"; A line for each user: \"NAME\" \"SECRET\", the secret as "
		"in rolpassword of pg_authid.\n"
		"auth_file = %s\n"
		"; Or one user there, who looks the others up (pgbouncer(5), "
		"auth_query):\n"
		";auth_user = pgbouncer\n"
		";auth_query = SELECT uname, phash FROM user_lookup($1)\n"
		"; \"transaction\" shares more, for clients that keep nothing "
		"in their session.\n"
		"pool_mode = session\n"
		"max_client_conn = 1000\n"
		"ignore_startup_parameters = extra_float_digits\n"
		"; While the primary changes, try again soon: the default is "
		"15 s. Clients wait.\n"
		"server_login_retry = 1\n"
		"server_connect_timeout = 5\n"
		"query_wait_timeout = 60\n",
		(unsigned int)p->listen_port, p->auth_file);
}
