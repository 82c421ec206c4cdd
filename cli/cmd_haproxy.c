/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch haproxy: a complete configuration for the cluster as it is now, on
 * standard output. Happy path: /cluster names the members; each is asked
 * whether it answers agent checks. A member that does not answer is in the file
 * all the same; one without an address is not, and standard error says so.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/balance.h"
#include "cli/cli.h"
#include "cli/members.h"
#include "core/types.h"

#define AGENT_TIMEOUT_MS 2000

enum {
	BIND = 256,
	PRIMARY_PORT,
	REPLICA_PORT,
	STATS_PORT,
	LAG,
	CA_FILE,
	CRT,
};

static void
ask_agent(struct mt_cli *cli, const json_t *m, struct mt_balanced *b)
{
	struct mt_http_reply reply = {0};
	json_t *doc = NULL;
	struct mt_err err;

	if (mt_http_get_url(cli->http, mt_text_of(m, "api_url"),
			    AGENT_TIMEOUT_MS, &reply, &err) == 0 &&
	    mt_http_json(&reply, &doc, &err) != 0)
		doc = NULL;
	mt_balanced_agent(doc, b);
	json_decref(doc);
	mt_http_reply_release(&reply);
}

/* The members into list; how many there are, or negative. */
static int
members_of(struct mt_cli *cli, const json_t *cluster,
	   struct mt_balanced list[MT_NODES_MAX], struct mt_err *err)
{
	int n = 0;
	json_t *m;
	size_t i;

	json_array_foreach (json_object_get(cluster, "members"), i, m) {
		if (n == MT_NODES_MAX)
			break;
		if (!mt_balanced_of(m, &list[n])) {
			fprintf(stderr,
				"matriarch: \"%s\" has no address that could "
				"be written, and is left out\n",
				mt_text_of(m, "name"));
			continue;
		}
		ask_agent(cli, m, &list[n]);
		n++;
	}
	if (n == 0)
		return mt_err_set(err, MT_ENOENT,
				  "the cluster \"%s\" has no members with "
				  "addresses yet",
				  cli->conf->scope);
	return n;
}

/* Whom the command line believes itself; NULL: the system. */
static const char *
ca_of(const struct mt_conf *conf)
{
	const char *file = conf->ctl.cacert[0] != '\0' ? conf->ctl.cacert
						       : conf->restapi.cafile;

	return mt_is_word(file) ? file : NULL;
}

static const char *
parse(struct mt_haproxy *h, int argc, char **argv, bool *is_usage)
{
	static const struct option options[] = {
	    {"bind", required_argument, NULL, BIND},
	    {"primary-port", required_argument, NULL, PRIMARY_PORT},
	    {"replica-port", required_argument, NULL, REPLICA_PORT},
	    {"stats-port", required_argument, NULL, STATS_PORT},
	    {"lag", required_argument, NULL, LAG},
	    {"ca-file", required_argument, NULL, CA_FILE},
	    {"crt", required_argument, NULL, CRT},
	    {NULL, 0, NULL, 0},
	};
	const char *complaint = NULL;
	int c;

	while (complaint == NULL &&
	       (c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case BIND:
			complaint = mt_streq(optarg, "*")
					? NULL
					: mt_balance_word(optarg, &h->bind);
			break;
		case PRIMARY_PORT:
			complaint = mt_balance_port(optarg, &h->primary_port);
			break;
		case REPLICA_PORT:
			complaint = mt_balance_port(optarg, &h->replica_port);
			break;
		case STATS_PORT:
			complaint = mt_balance_port(optarg, &h->stats_port);
			break;
		case LAG:
			h->lag = optarg;
			if (!mt_is_size(optarg))
				complaint = "--lag wants a size like 16MB";
			break;
		case CA_FILE:
			complaint = mt_balance_word(optarg, &h->ca_file);
			break;
		case CRT:
			complaint = mt_balance_word(optarg, &h->crt);
			break;
		default:
			*is_usage = true;
			return NULL;
		}
	return complaint;
}

int
mt_cmd_haproxy(struct mt_cli *cli, int argc, char **argv)
{
	struct mt_balanced members[MT_NODES_MAX];
	struct mt_haproxy h = {
	    .bind = "*",
	    .primary_port = 5000,
	    .replica_port = 5001,
	    .stats_port = 7000,
	    .members = members,
	};
	bool is_usage = false;
	const char *complaint = parse(&h, argc, argv, &is_usage);
	struct mt_cluster c = {0};
	struct mt_err err;
	int rv;

	if (complaint != NULL || is_usage)
		return mt_cli_usage(argv[0], complaint);
	rv = mt_cli_open_cluster(cli, argc - optind, argv + optind, &err);
	if (rv == 0)
		rv = mt_cluster_fetch(cli->http, &c, &err);
	if (rv == 0)
		rv = members_of(cli, c.cluster, members, &err);
	mt_cluster_release(&c);
	if (rv < 0)
		return mt_cli_fail(&err);
	if (h.ca_file == NULL)
		h.ca_file = ca_of(cli->conf);
	h.n = rv;
	h.scope = cli->conf->scope;
	mt_haproxy_print(&h, stdout);
	return mt_balance_end();
}
