/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch reinit CLUSTER [MEMBER ...]: replicas throw their data away and are
 * cloned anew. Where another action is under way there it is asked whether that
 * one is to be cancelled; --force says so from the beginning. With --wait it
 * ends when the copies are there.
 *
 * A member that refuses is told, the others are still asked, and the exit
 * status is 1. One that does not answer while it is waited for may come back:
 * it is waited for on.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/select.h"

#define WAIT_S 2
#define BUSY " already in progress"

struct reinit {
	struct mt_selection s;
	bool from_leader, wait;
	char name[256]; /* that was asked for */
	char *names[1];
};

static bool
is_busy(const char *text)
{
	size_t n = strlen(text), k = strlen(BUSY);

	return n >= k && strcmp(text + n - k, BUSY) == 0;
}

static int
post(const struct mt_cli *cli, const struct reinit *p, const json_t *member,
     bool force, struct mt_http_reply *reply, struct mt_err *err)
{
	json_t *body = json_pack("{s:b, s:b}", "force", force, "from_leader",
				 p->from_leader);
	int rv = mt_member_tell(cli, member, "/reinitialize", body,
				MT_CLI_CHANGE_MS, reply, err);

	json_decref(body);
	return rv;
}

static int
reinit(const struct mt_cli *cli, const struct reinit *p, const json_t *member)
{
	const char *name = mt_text_of(member, "name");
	struct mt_http_reply reply = {0};
	char prompt[512];
	struct mt_err err;
	bool yes = false;
	int status = MT_EXIT_FAILED;
	int rv = post(cli, p, member, p->s.force, &reply, &err);

	if (rv == 0 && reply.status != 200 && !p->s.force &&
	    is_busy(reply.body)) {
		mt_format(prompt, sizeof(prompt),
			  "%s, do you want to cancel it and reinitialize "
			  "anyway?",
			  reply.body);
		status = mt_cli_ask_yes(prompt, &yes);
		if (status != 0) {
			mt_http_reply_release(&reply);
			return status;
		}
		status = MT_EXIT_FAILED;
	}
	if (yes) {
		mt_http_reply_release(&reply);
		reply = (struct mt_http_reply){0};
		rv = post(cli, p, member, true, &reply, &err);
	}
	if (rv != 0) {
		printf("Failed: reinitialize for member %s, (%s)\n", name,
		       err.text);
	} else if (reply.status == 200) {
		printf("Success: reinitialize for member %s\n", name);
		status = MT_EXIT_DONE;
	} else {
		printf("Failed: reinitialize for member %s, status code=%d, "
		       "(%s)\n",
		       name, reply.status, reply.body);
	}
	mt_http_reply_release(&reply);
	return status;
}

/* ---- --wait ---- */

/* The member's own word on its PostgreSQL; "" where it has none. */
static void
state_of(struct mt_http *http, const json_t *member, char *state, size_t size)
{
	struct mt_http_reply reply = {0};
	struct mt_err err;
	json_t *doc = NULL;

	state[0] = '\0';
	if (mt_http_get_url(http, mt_text_of(member, "api_url"),
			    MT_CLI_TIMEOUT_MS, &reply, &err) != 0)
		return;
	if (mt_http_json(&reply, &doc, &err) == 0)
		mt_copy(state, size, mt_text_of(doc, "state"));
	json_decref(doc);
	mt_http_reply_release(&reply);
}

static void
print_waiting(const json_t *members)
{
	json_t *m;
	size_t i;

	printf("Waiting for reinitialize to complete on:");
	json_array_foreach ((json_t *)members, i, m)
		printf("%s %s", i > 0 ? "," : "", mt_text_of(m, "name"));
	printf("\n");
	fflush(stdout);
}

static int
wait_for(struct mt_http *http, json_t *members)
{
	char state[64];
	int status = MT_EXIT_DONE;

	while (json_array_size(members) > 0) {
		size_t i = json_array_size(members);

		print_waiting(members);
		sleep(WAIT_S);
		while (i-- > 0) {
			const json_t *m = json_array_get(members, i);
			const char *name = mt_text_of(m, "name");

			state_of(http, m, state, sizeof(state));
			if (state[0] == '\0' ||
			    mt_streq(state, "creating replica"))
				continue;
			if (mt_streq(state, "running") ||
			    mt_streq(state, "starting")) {
				printf("Reinitialize is completed on: %s\n",
				       name);
			} else {
				printf("Reinitialize has ended on: %s, state "
				       "\"%s\"\n",
				       name, state);
				status = MT_EXIT_FAILED;
			}
			json_array_remove(members, i);
		}
	}
	return status;
}

/* ---- */

/* Without a name one is asked for; with --force, none is meant. 0, or the exit
 * status. */
static int
choose_name(struct reinit *p, const struct mt_cluster *c)
{
	char prompt[1024] = "Which member do you want to reinitialize [";
	json_t *m;
	size_t i, n;
	bool first = true;

	json_array_foreach (json_object_get(c->cluster, "members"), i, m) {
		if (strcmp(mt_text_of(m, "role"), "leader") == 0)
			continue;
		n = strlen(prompt);
		mt_format(prompt + n, sizeof(prompt) - n, "%s%s",
			  first ? "" : ", ", mt_text_of(m, "name"));
		first = false;
	}
	n = strlen(prompt);
	mt_format(prompt + n, sizeof(prompt) - n, "]?");
	if (!mt_cli_ask(prompt, NULL, p->name, sizeof(p->name)))
		return mt_cli_aborted();
	p->names[0] = p->name;
	p->s.names = p->names;
	p->s.n = 1;
	return 0;
}

static int
run(struct mt_cli *cli, struct reinit *p)
{
	struct mt_cluster c = {0};
	json_t *members, *started = json_array(), *m;
	struct mt_err err;
	int status = 0;
	size_t i;

	MT_ASSERT(started != NULL);
	if (mt_cluster_fetch(cli->http, &c, &err) != 0) {
		json_decref(started);
		return mt_cli_fail(&err);
	}
	if (p->s.n == 0 && p->s.force) {
		mt_members_print(&c, MT_FORMAT_PRETTY, 0, stdout);
		printf("No member was named\n");
		status = MT_EXIT_FAILED;
	} else if (p->s.n == 0) {
		status = choose_name(p, &c);
	}
	if (status == 0)
		status = mt_members_choose(&p->s, &c, &members);
	if (status == 0) {
		status = mt_members_confirm(&p->s, members, NULL, NULL);
		if (status == 0)
			json_array_foreach (members, i, m) {
				int rv = reinit(cli, p, m);

				if (rv == 0)
					json_array_append(started, m);
				status |= rv;
			}
		json_decref(members);
	}
	if (p->wait)
		status |= wait_for(cli->http, started);
	json_decref(started);
	mt_cluster_release(&c);
	return status;
}

int
mt_cmd_reinit(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"force", no_argument, NULL, 'F'},
	    {"from-leader", no_argument, NULL, 'L'},
	    {"wait", no_argument, NULL, 'W'},
	    {NULL, 0, NULL, 0},
	};
	struct reinit p = {.s = {.verb = "reinitialize", .role = "replica"}};
	struct mt_err err;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'F')
			p.s.force = true;
		else if (opt == 'L')
			p.from_leader = true;
		else if (opt == 'W')
			p.wait = true;
		else
			return mt_cli_usage(argv[0], NULL);
	}
	if (optind == argc)
		return mt_cli_usage(argv[0], "name the cluster");
	p.s.n = argc - optind - 1;
	p.s.names = argv + optind + 1;
	if (mt_cli_open_cluster(cli, 1, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	return run(cli, &p);
}
