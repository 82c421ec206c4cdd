/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch pgbouncer: a complete configuration for the cluster, on standard
 * output. Nobody is asked, as HAProxy will find the primary; only with --direct
 * /cluster has to name one.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/balance.h"
#include "cli/cli.h"
#include "cli/members.h"

#define DATABASES_MAX 64

enum {
	HOST = 256,
	PRIMARY_PORT,
	REPLICA_PORT,
	LISTEN_PORT,
	DIRECT,
	AUTH_FILE,
};

static const char *
parse(struct mt_pgbouncer *p, const char **databases, int argc, char **argv,
      bool *is_usage)
{
	static const struct option options[] = {
	    {"host", required_argument, NULL, HOST},
	    {"primary-port", required_argument, NULL, PRIMARY_PORT},
	    {"replica-port", required_argument, NULL, REPLICA_PORT},
	    {"listen-port", required_argument, NULL, LISTEN_PORT},
	    {"database", required_argument, NULL, 'd'},
	    {"direct", no_argument, NULL, DIRECT},
	    {"auth-file", required_argument, NULL, AUTH_FILE},
	    {NULL, 0, NULL, 0},
	};
	const char *complaint = NULL;
	int c;

	while (complaint == NULL &&
	       (c = getopt_long(argc, argv, "d:", options, NULL)) != -1)
		switch (c) {
		case HOST:
			complaint = mt_balance_word(optarg, &p->host);
			break;
		case PRIMARY_PORT:
			complaint = mt_balance_port(optarg, &p->primary_port);
			break;
		case REPLICA_PORT:
			complaint = mt_balance_port(optarg, &p->replica_port);
			break;
		case LISTEN_PORT:
			complaint = mt_balance_port(optarg, &p->listen_port);
			break;
		case 'd':
			if (p->n == DATABASES_MAX)
				return "that are too many databases";
			complaint = mt_balance_word(optarg, &databases[p->n++]);
			break;
		case DIRECT:
			p->is_direct = true;
			break;
		case AUTH_FILE:
			complaint = mt_balance_word(optarg, &p->auth_file);
			break;
		default:
			*is_usage = true;
			return NULL;
		}
	return complaint;
}

/* Where the primary is, into p; its host is in b. */
static int
find_primary(struct mt_cli *cli, struct mt_pgbouncer *p, struct mt_balanced *b,
	     struct mt_err *err)
{
	struct mt_cluster c = {0};
	const json_t *leader;
	int rv = mt_cluster_fetch(cli->http, &c, err);

	if (rv != 0)
		return rv;
	leader = mt_cluster_leader(c.cluster);
	if (leader == NULL || !mt_balanced_of(leader, b))
		rv = mt_err_set(err, MT_ENOENT,
				"the cluster \"%s\" has no primary at the "
				"moment",
				cli->conf->scope);
	mt_cluster_release(&c);
	p->host = b->pg.host;
	p->primary_port = b->pg.port;
	return rv;
}

int
mt_cmd_pgbouncer(struct mt_cli *cli, int argc, char **argv)
{
	const char *databases[DATABASES_MAX];
	struct mt_pgbouncer p = {
	    .host = "127.0.0.1",
	    .primary_port = 5000,
	    .replica_port = 5001,
	    .listen_port = 6432,
	    .auth_file = "/etc/pgbouncer/userlist.txt",
	    .databases = databases,
	};
	struct mt_balanced primary;
	bool is_usage = false;
	const char *complaint = parse(&p, databases, argc, argv, &is_usage);
	struct mt_err err;
	int rv;

	if (complaint != NULL || is_usage)
		return mt_cli_usage(argv[0], complaint);
	rv = mt_cli_open_cluster(cli, argc - optind, argv + optind, &err);
	if (rv == 0 && p.is_direct)
		rv = find_primary(cli, &p, &primary, &err);
	if (rv != 0)
		return mt_cli_fail(&err);
	p.scope = cli->conf->scope;
	mt_pgbouncer_print(&p, stdout);
	return mt_balance_end();
}
