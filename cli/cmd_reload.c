/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch reload CLUSTER [MEMBER ...]: each member reads its own file again,
 * one after the other. A member with a bad file says what is wrong with it and
 * goes on as before; the others are still asked, and the exit status is 1.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/select.h"

/* How long until the configuration is in force: that of the cluster. */
static long long
loop_wait_s(const struct mt_cluster *c)
{
	const json_t *config = json_object_get(c->state, "config");
	struct mt_settings s;

	mt_settings_parse(&s, config);
	return (long long)(s.loop_wait_ms / 1000);
}

static int
reload(const struct mt_cli *cli, const json_t *member, long long seconds)
{
	const char *name = mt_text_of(member, "name");
	struct mt_http_reply reply = {0};
	struct mt_http *http = NULL;
	struct mt_err err;
	json_t *body = json_object();
	int status = MT_EXIT_FAILED;
	int rv = mt_cli_client(cli, &http, &err);

	if (rv == 0)
		rv = mt_http_add(http, mt_text_of(member, "api_url"), &err);
	if (rv == 0)
		rv = mt_http_post(http, "/reload", body, MT_CLI_CHANGE_MS,
				  &reply, &err);
	if (rv != 0) {
		printf("Failed: reload for member %s, (%s)\n", name, err.text);
	} else if (reply.status == 202) {
		printf("Reload request received for member %s and will be "
		       "processed within %lld seconds\n",
		       name, seconds);
		status = MT_EXIT_DONE;
	} else {
		printf("Failed: reload for member %s, status code=%d, (%s)\n",
		       name, reply.status, reply.body);
	}
	mt_http_reply_release(&reply);
	mt_http_free(http);
	json_decref(body);
	return status;
}

int
mt_cmd_reload(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"role", required_argument, NULL, 'r'},
	    {"force", no_argument, NULL, 'F'},
	    {NULL, 0, NULL, 0},
	};
	struct mt_selection s = {.verb = "reload"};
	struct mt_cluster c = {0};
	struct mt_err err;
	json_t *members, *m;
	int opt, status;
	size_t i;

	while ((opt = getopt_long(argc, argv, "r:", options, NULL)) != -1) {
		if (opt == 'r')
			s.role = optarg;
		else if (opt == 'F')
			s.force = true;
		else
			return mt_cli_usage(argv[0], NULL);
	}
	if (optind == argc)
		return mt_cli_usage(argv[0], "name the cluster");
	if (s.role != NULL && !mt_role_is_known(s.role))
		return mt_cli_usage(argv[0], "there is no such role");
	s.n = argc - optind - 1;
	s.names = argv + optind + 1;
	if (mt_cli_open_cluster(cli, 1, argv + optind, &err) != 0 ||
	    mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	status = mt_members_select(&s, &c, &members);
	if (status == 0) {
		json_array_foreach (members, i, m)
			status |= reload(cli, m, loop_wait_s(&c));
		json_decref(members);
	}
	mt_cluster_release(&c);
	return status;
}
