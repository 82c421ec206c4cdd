/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch restart CLUSTER [MEMBER ...]: the PostgreSQL of each member is
 * restarted, one after the other, or a restart of it is scheduled. What is not
 * given is asked, unless --force. Each member's answer is a line; where one is
 * not what was asked for the others are still asked, and the exit status is 1.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/select.h"
#include "cli/when.h"
#include "core/errand.h"

/* A restart takes as long as the stop and the start do; its own timeout is the
 * server's affair. */
#define RESTART_TIMEOUT_MS 3600000

struct restart {
	struct mt_selection s;
	const char *scheduled, *timeout;
	bool any, pending;
	char version[32];
	char at[MT_ISO_MAX]; /* "" = now */
};

static json_t *
body_of(const struct restart *p)
{
	json_t *body = json_object();

	if (p->pending)
		json_object_set_new(body, "restart_pending", json_true());
	if (p->version[0] != '\0')
		json_object_set_new(body, "postgres_version",
				    json_string(p->version));
	if (p->timeout != NULL)
		json_object_set_new(body, "timeout", json_string(p->timeout));
	if (p->at[0] != '\0')
		json_object_set_new(body, "schedule", json_string(p->at));
	return body;
}

/* What the servers would refuse is refused before one of them has restarted. */
static int
check(const struct restart *p)
{
	json_t *body = body_of(p);
	struct mt_restart parsed;
	struct mt_err err;
	int rv;

	json_object_del(body, "schedule"); /* their clocks tell */
	rv = mt_restart_parse(body, 0, &parsed, &err);
	json_decref(body);
	return rv == 0 ? 0 : mt_cli_fail(&err);
}

/* Those that wait for one now. */
static void
keep_pending(json_t *members)
{
	size_t i = json_array_size(members);

	while (i-- > 0)
		if (!json_is_true(json_object_get(json_array_get(members, i),
						  "pending_restart")))
			json_array_remove(members, i);
}

static void
keep_one(json_t *members)
{
	unsigned seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = 0;
	while (json_array_size(members) > 1)
		json_array_remove(members, seed++ % json_array_size(members));
}

/* What is not given, and the last word. 0, or the exit status. */
static int
ask(struct restart *p, const struct mt_cluster *c, json_t *members)
{
	char answer[256], until[64] = "";
	const char *when = p->scheduled != NULL ? p->scheduled : "now";
	int status;

	if (p->scheduled == NULL && !p->s.force) {
		if (!mt_cli_ask("When should the restart take place "
				"(e.g. " MT_CLI_WHEN_EXAMPLE ") ",
				"now", answer, sizeof(answer)))
			return mt_cli_aborted();
		when = answer;
	}
	status = mt_cli_when(when, c->cluster, "restart", p->at);
	if (status != 0)
		return status;
	if (p->pending && p->at[0] == '\0')
		keep_pending(members);
	if (json_array_size(members) == 0)
		return 0;
	if (p->any)
		keep_one(members);
	if (p->at[0] != '\0')
		mt_format(until, sizeof(until), " at %s", p->at);
	status = mt_members_confirm(
	    &p->s, members,
	    p->at[0] != '\0' ? "schedule restart of members" : NULL, until);
	if (status == 0 && p->version[0] == '\0' && !p->s.force &&
	    !mt_cli_ask("Restart if the PostgreSQL version is less than "
			"provided (e.g. 16.4) ",
			"", p->version, sizeof(p->version)))
		status = mt_cli_aborted();
	return status != 0 ? status : check(p);
}

/* In place of what is scheduled. */
static void
unschedule(const struct mt_cli *cli, const json_t *member)
{
	struct mt_http_reply reply = {0};
	struct mt_err err;

	if (json_object_get(member, "scheduled_restart") == NULL)
		return;
	/* Where it does not work the new one is refused, and that is told. */
	if (mt_member_tell(cli, member, "/restart", NULL, MT_CLI_CHANGE_MS,
			   &reply, &err) == 0 &&
	    reply.status == 200)
		printf("Success: flush scheduled restart for member %s\n",
		       mt_text_of(member, "name"));
	mt_http_reply_release(&reply);
}

static int
restart(const struct mt_cli *cli, const struct restart *p, const json_t *member,
	const json_t *body)
{
	const char *name = mt_text_of(member, "name");
	struct mt_http_reply reply = {0};
	struct mt_err err;
	int status = MT_EXIT_FAILED, rv;

	if (p->at[0] != '\0' && p->s.force)
		unschedule(cli, member);
	rv = mt_member_tell(cli, member, "/restart", body, RESTART_TIMEOUT_MS,
			    &reply, &err);
	if (rv == 0 && (reply.status == 200 || reply.status == 202)) {
		printf("Success: restart %son member %s\n",
		       reply.status == 202 ? "scheduled " : "", name);
		status = MT_EXIT_DONE;
	} else if (rv != 0) {
		printf("Failed: restart for member %s, (%s)\n", name, err.text);
	} else if (reply.status == 409) {
		printf("Failed: another restart is already scheduled on member "
		       "%s\n",
		       name);
	} else {
		printf("Failed: restart for member %s, status code=%d, (%s)\n",
		       name, reply.status, reply.body);
	}
	fflush(stdout);
	mt_http_reply_release(&reply);
	return status;
}

static int
restart_all(const struct mt_cli *cli, const struct restart *p,
	    const json_t *members)
{
	json_t *body = body_of(p), *m;
	int status = MT_EXIT_DONE;
	size_t i;

	json_array_foreach ((json_t *)members, i, m)
		status |= restart(cli, p, m, body);
	json_decref(body);
	return status;
}

static int
run(struct mt_cli *cli, struct restart *p)
{
	struct mt_cluster c = {0};
	struct mt_err err;
	json_t *members;
	int status;

	if (mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	status = mt_members_choose(&p->s, &c, &members);
	if (status == 0) {
		status = ask(p, &c, members);
		if (status == 0 && json_array_size(members) == 0)
			printf("No member waits for a restart\n");
		else if (status == 0)
			status = restart_all(cli, p, members);
		json_decref(members);
	}
	mt_cluster_release(&c);
	return status;
}

int
mt_cmd_restart(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"role", required_argument, NULL, 'r'},
	    {"any", no_argument, NULL, 'A'},
	    {"scheduled", required_argument, NULL, 'S'},
	    {"pg-version", required_argument, NULL, 'V'},
	    {"pending", no_argument, NULL, 'P'},
	    {"timeout", required_argument, NULL, 'T'},
	    {"force", no_argument, NULL, 'F'},
	    {NULL, 0, NULL, 0},
	};
	struct restart p = {.s = {.verb = "restart"}};
	struct mt_err err;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "r:", options, NULL)) != -1) {
		if (opt == 'r')
			p.s.role = optarg;
		else if (opt == 'A')
			p.any = true;
		else if (opt == 'S')
			p.scheduled = optarg;
		else if (opt == 'V')
			mt_copy(p.version, sizeof(p.version), optarg);
		else if (opt == 'P')
			p.pending = true;
		else if (opt == 'T')
			p.timeout = optarg;
		else if (opt == 'F')
			p.s.force = true;
		else
			return mt_cli_usage(argv[0], NULL);
	}
	if (optind == argc)
		return mt_cli_usage(argv[0], "name the cluster");
	if (p.s.role != NULL && !mt_role_is_known(p.s.role))
		return mt_cli_usage(argv[0], "there is no such role");
	p.s.n = argc - optind - 1;
	p.s.names = argv + optind + 1;
	status = check(&p);
	if (status != 0)
		return status;
	if (mt_cli_open_cluster(cli, 1, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	return run(cli, &p);
}
