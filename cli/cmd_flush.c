/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch flush CLUSTER switchover, and flush CLUSTER [MEMBER ...] restart:
 * take back what was scheduled. A switchover is taken back by any living node,
 * and nothing is asked; a restart by its member. That there is nothing to take
 * back is no failure; that it has begun meanwhile is one.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/select.h"

#define FLUSH_TIMEOUT_MS 30000

static int
flush_switchover(struct mt_cli *cli)
{
	struct mt_http_reply reply = {0};
	struct mt_cluster c = {0};
	struct mt_err err;
	bool is_scheduled;
	int status = MT_EXIT_DONE;

	if (mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	is_scheduled =
	    json_is_object(json_object_get(c.cluster, "scheduled_switchover"));
	mt_cluster_release(&c);
	if (!is_scheduled) {
		printf("No pending scheduled switchover\n");
		return MT_EXIT_DONE;
	}
	if (mt_http_delete(cli->http, "/switchover", FLUSH_TIMEOUT_MS, &reply,
			   &err) != 0)
		return mt_cli_fail(&err);
	if (reply.status == 200 || reply.status == 404) {
		printf("Success: %s\n", reply.body);
	} else {
		printf("Failed: %d, %s\n", reply.status, reply.body);
		status = MT_EXIT_FAILED;
	}
	mt_http_reply_release(&reply);
	return status;
}

static int
flush_member(const struct mt_cli *cli, const json_t *member)
{
	const char *name = mt_text_of(member, "name");
	struct mt_http_reply reply = {0};
	struct mt_err err;
	int status = MT_EXIT_FAILED;

	if (!json_is_object(json_object_get(member, "scheduled_restart"))) {
		printf("No scheduled restart for member %s\n", name);
		return MT_EXIT_DONE;
	}
	if (mt_member_tell(cli, member, "/restart", NULL, FLUSH_TIMEOUT_MS,
			   &reply, &err) != 0) {
		printf("Failed: flush scheduled restart for member %s, (%s)\n",
		       name, err.text);
	} else if (reply.status == 200 || reply.status == 404) {
		printf("Success: flush scheduled restart for member %s\n",
		       name);
		status = MT_EXIT_DONE;
	} else {
		printf("Failed: flush scheduled restart for member %s, status "
		       "code=%d, (%s)\n",
		       name, reply.status, reply.body);
	}
	mt_http_reply_release(&reply);
	return status;
}

static int
flush_restarts(struct mt_cli *cli, struct mt_selection *s)
{
	struct mt_cluster c = {0};
	struct mt_err err;
	json_t *members, *m;
	int status;
	size_t i;

	if (mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	status = mt_members_select(s, &c, &members);
	if (status == 0) {
		json_array_foreach (members, i, m)
			status |= flush_member(cli, m);
		json_decref(members);
	}
	mt_cluster_release(&c);
	return status;
}

int
mt_cmd_flush(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"role", required_argument, NULL, 'r'},
	    {"force", no_argument, NULL, 'F'},
	    {NULL, 0, NULL, 0},
	};
	struct mt_selection s = {.verb = "flush"};
	struct mt_err err;
	const char *what;
	int c;

	while ((c = getopt_long(argc, argv, "r:", options, NULL)) != -1) {
		if (c == 'r')
			s.role = optarg;
		else if (c == 'F')
			s.force = true;
		else
			return mt_cli_usage(argv[0], NULL);
	}
	if (argc - optind < 2)
		return mt_cli_usage(argv[0],
				    "name the cluster and what to take back");
	what = argv[argc - 1];
	if (strcmp(what, "switchover") != 0 && strcmp(what, "restart") != 0)
		return mt_cli_usage(argv[0], "only \"restart\" and "
					     "\"switchover\" can be taken "
					     "back");
	if (s.role != NULL && !mt_role_is_known(s.role))
		return mt_cli_usage(argv[0], "there is no such role");
	s.n = argc - optind - 2;
	s.names = argv + optind + 1;
	if (mt_cli_open_cluster(cli, 1, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	return strcmp(what, "restart") == 0 ? flush_restarts(cli, &s)
					    : flush_switchover(cli);
}
