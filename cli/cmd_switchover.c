/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch switchover: ask what is not given, confirm, POST /switchover and
 * show the outcome. With --force nothing is asked.
 *
 * The words that scripts wait for are those of the tool that they were written
 * for: "Primary", "Candidate", "When should the switchover take place", "Are
 * you sure you want to switchover cluster". What differs is the exit status: a
 * switchover that was refused or failed ends with 1, after the server's reason.
 *
 * It does not schedule anything: a time other than "now" is refused, rather
 * than sent to a server that would act at once.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>

#include "base/text.h"
#include "cli/members.h"

/* The server waits for the outcome itself, at most about 20 s, or as long as
 * a fast stop takes. */
#define SWITCHOVER_TIMEOUT_MS 120000

struct plan {
	const char *leader, *candidate; /* as given, or NULL */
	bool force;
	char from[256], to[256]; /* as decided; to "" = any */
};

/* Print a prompt and read a line without its end. Nothing typed means the
 * default. False at the end of the input. */
static bool
ask(const char *prompt, const char *def, char *buf, size_t size)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (def != NULL)
		printf("%s [%s]: ", prompt, def);
	else
		printf("%s: ", prompt);
	fflush(stdout);
	n = getline(&line, &cap, stdin);
	if (n > 0)
		line[strcspn(line, "\r\n")] = '\0';
	if (n >= 0)
		mt_copy(buf, size, line[0] == '\0' && def != NULL ? def : line);
	free(line);
	return n >= 0;
}

static int
aborted(void)
{
	fflush(stdout);
	fputs("\nAborted!\n", stderr);
	return MT_EXIT_FAILED;
}

static bool
is_candidate(const json_t *m, const char *leader)
{
	const json_t *tags = json_object_get(m, "tags");
	const json_t *priority = json_object_get(tags, "failover_priority");
	const json_t *nofailover = json_object_get(tags, "nofailover");

	if (strcmp(mt_text_of(m, "name"), leader) == 0)
		return false;
	if (json_is_boolean(nofailover)) /* it wins over the priority */
		return !json_is_true(nofailover);
	return !json_is_integer(priority) || json_integer_value(priority) > 0;
}

/* Whom the switchover starts from. 0, or the exit status. */
static int
choose_leader(struct plan *p, const json_t *cluster)
{
	const json_t *leader = mt_cluster_leader(cluster);
	const char *now = mt_text_of(leader, "name");
	struct mt_err err;

	if (leader == NULL) {
		mt_err_set(&err, MT_EREFUSED,
			   "this cluster has no leader to switch over from");
		return mt_cli_fail(&err);
	}
	if (p->leader != NULL)
		mt_copy(p->from, sizeof(p->from), p->leader);
	else if (p->force)
		mt_copy(p->from, sizeof(p->from), now);
	else if (!ask(strcmp(mt_text_of(leader, "role"), "standby_leader") == 0
			  ? "Standby Leader"
			  : "Primary",
		      now, p->from, sizeof(p->from)))
		return aborted();
	if (strcmp(p->from, now) != 0) {
		mt_err_set(&err, MT_EREFUSED,
			   "member \"%s\" is not the leader of the cluster, "
			   "\"%s\" is",
			   p->from, now);
		return mt_cli_fail(&err);
	}
	return 0;
}

/* Whom it leads to. 0, or the exit status. */
static int
choose_candidate(struct plan *p, const json_t *cluster)
{
	char prompt[1024] = "Candidate [", *end = prompt + strlen(prompt);
	const json_t *chosen;
	struct mt_err err;
	json_t *m;
	size_t i, n = 0;

	json_array_foreach (json_object_get(cluster, "members"), i, m) {
		if (!is_candidate(m, p->from))
			continue;
		mt_format(end, sizeof(prompt) - (size_t)(end - prompt),
			  "%s'%s'", n++ > 0 ? ", " : "", mt_text_of(m, "name"));
		end += strlen(end);
	}
	mt_format(end, sizeof(prompt) - (size_t)(end - prompt), "]");
	if (n == 0) {
		mt_err_set(&err, MT_EREFUSED,
			   "No candidates found to switchover to");
		return mt_cli_fail(&err);
	}
	if (p->candidate != NULL)
		mt_copy(p->to, sizeof(p->to), p->candidate);
	else if (!p->force && !ask(prompt, "", p->to, sizeof(p->to)))
		return aborted();
	if (p->to[0] == '\0')
		return 0;
	chosen = mt_cluster_member(cluster, p->to);
	if (chosen != NULL && is_candidate(chosen, p->from))
		return 0;
	mt_err_set(&err, MT_EREFUSED, "member \"%s\" %s", p->to,
		   chosen == NULL ? "does not exist in the cluster"
		   : strcmp(p->to, p->from) == 0
		       ? "is the leader already"
		       : "is not allowed to be promoted (nofailover)");
	return mt_cli_fail(&err);
}

/* When, and the last question. 0, or the exit status. */
static int
confirm(const struct plan *p, const json_t *cluster)
{
	char answer[256], prompt[1024];
	struct mt_err err;

	if (p->force)
		return 0;
	if (!ask("When should the switchover take place", "now", answer,
		 sizeof(answer)))
		return aborted();
	if (strcmp(answer, "now") != 0) {
		if (json_is_true(json_object_get(cluster, "pause")))
			mt_err_set(&err, MT_EREFUSED,
				   "Can't schedule switchover in the paused "
				   "state");
		else
			mt_err_set(&err, MT_EREFUSED,
				   "could not schedule the switchover at "
				   "\"%s\": only \"now\" is supported",
				   answer);
		return mt_cli_fail(&err);
	}
	mt_format(prompt, sizeof(prompt),
		  "Are you sure you want to switchover cluster %s, demoting "
		  "current leader %s? [y/N]",
		  mt_text_of(cluster, "scope"), p->from);
	if (!ask(prompt, NULL, answer, sizeof(answer)))
		return aborted();
	if (strcasecmp(answer, "y") != 0 && strcasecmp(answer, "yes") != 0) {
		fputs("Error: Aborting switchover\n", stderr);
		return MT_EXIT_FAILED;
	}
	return 0;
}

static void
print_now(void)
{
	struct timeval tv;
	struct tm tm;
	char text[32];

	gettimeofday(&tv, NULL);
	localtime_r(&tv.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%05d ", text, (int)tv.tv_usec / 10);
}

static int
perform(struct mt_cli *cli, const struct plan *p)
{
	struct mt_http_reply reply = {0};
	struct mt_cluster c = {0};
	struct mt_err err;
	json_t *body;
	int rv, status;

	body = json_pack("{ss}", "leader", p->from);
	if (p->to[0] != '\0')
		json_object_set_new(body, "candidate", json_string(p->to));
	rv = mt_http_post(cli->http, "/switchover", body, SWITCHOVER_TIMEOUT_MS,
			  &reply, &err);
	json_decref(body);
	if (rv != 0) {
		if (rv != MT_ENOENT) /* it may have been heard */
			mt_err_prefix(&err, "switchover status unknown");
		return mt_cli_fail(&err);
	}
	status = reply.status;
	if (status != 200 && status != 202) {
		printf("Switchover %s, details: %d, %s\n",
		       strcasestr(reply.body, "status unknown") != NULL
			   ? "result unknown"
			   : "failed",
		       status, reply.body);
		mt_http_reply_release(&reply);
		return MT_EXIT_FAILED;
	}
	print_now();
	printf("%s\n", reply.body);
	mt_http_reply_release(&reply);
	/* The deed is done; a table that cannot be had does not undo it. */
	if (mt_cluster_fetch(cli->http, &c, &err) == 0)
		mt_members_print(&c, MT_FORMAT_PRETTY, 0, stdout);
	else
		fprintf(stderr, "matriarch: %s\n", err.text);
	mt_cluster_release(&c);
	return MT_EXIT_DONE;
}

static int
run(struct mt_cli *cli, struct plan *p)
{
	struct mt_cluster c = {0};
	struct mt_err err;
	int status;

	if (mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	printf("Current cluster topology\n");
	mt_members_print(&c, MT_FORMAT_PRETTY, 0, stdout);
	status = choose_leader(p, c.cluster);
	if (status == 0)
		status = choose_candidate(p, c.cluster);
	if (status == 0)
		status = confirm(p, c.cluster);
	mt_cluster_release(&c);
	return status != 0 ? status : perform(cli, p);
}

int
mt_cmd_switchover(struct mt_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
	    {"leader", required_argument, NULL, 'l'},
	    {"primary", required_argument, NULL, 'l'},
	    {"candidate", required_argument, NULL, 'n'},
	    {"force", no_argument, NULL, 'F'},
	    {NULL, 0, NULL, 0},
	};
	struct plan p = {0};
	struct mt_err err;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'l')
			p.leader = optarg;
		else if (c == 'n')
			p.candidate = optarg;
		else if (c == 'F')
			p.force = true;
		else
			return mt_cli_usage(argv[0], NULL);
	}
	if (argc - optind > 1)
		return mt_cli_usage(argv[0], "more than one cluster named");
	if (mt_cli_open_cluster(cli, argc - optind, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	return run(cli, &p);
}
