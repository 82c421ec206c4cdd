/* SPDX-License-Identifier: PostgreSQL */
/*
 * What switchover and failover share: ask what is not given, confirm, POST, and
 * show the outcome. With --force nothing is asked; with --dry-run nothing is
 * asked either, and the server only tells what would come of it.
 *
 * The words that scripts wait for are those of the tool that they were written
 * for: "Primary", "Candidate", "When should the switchover take place", "Are
 * you sure you want to switchover cluster". What differs is the exit status: a
 * change that was refused or failed ends with 1, after the server's reason.
 */
#include "cli/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/members.h"
#include "cli/when.h"

/* The server waits for the outcome itself, at most about 20 s, or as long as
 * a fast stop takes. */
#define CHANGE_TIMEOUT_MS 120000

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

static const char *
verb_of(const struct mt_change *p)
{
	return p->failover ? "failover" : "switchover";
}

/* Whom the change starts from; from is "" for a failover without a leader. 0,
 * or the exit status. */
static int
choose_leader(struct mt_change *p, const json_t *cluster)
{
	const json_t *leader = mt_cluster_leader(cluster);
	const char *now = mt_text_of(leader, "name");
	struct mt_err err;

	if (leader == NULL && !p->failover) {
		mt_err_set(&err, MT_EREFUSED,
			   "this cluster has no leader to switch over from");
		return mt_cli_fail(&err);
	}
	if (p->leader != NULL)
		mt_copy(p->from, sizeof(p->from), p->leader);
	else if (p->force || p->dry_run || p->failover)
		mt_copy(p->from, sizeof(p->from), now);
	else if (!mt_cli_ask(
		     strcmp(mt_text_of(leader, "role"), "standby_leader") == 0
			 ? "Standby Leader"
			 : "Primary",
		     now, p->from, sizeof(p->from)))
		return mt_cli_aborted();
	if (strcmp(p->from, now) != 0) {
		mt_err_set(&err, MT_EREFUSED,
			   "member \"%s\" is not the leader of the cluster, "
			   "\"%s\" is",
			   p->from, now);
		return mt_cli_fail(&err);
	}
	return 0;
}

/* "Candidate ['a', 'b']"; how many there are. */
static size_t
candidate_prompt(const struct mt_change *p, const json_t *cluster,
		 char prompt[1024])
{
	char *end = prompt + strlen(strcpy(prompt, "Candidate ["));
	json_t *m;
	size_t i, n = 0;

	json_array_foreach (json_object_get(cluster, "members"), i, m) {
		if (!is_candidate(m, p->from))
			continue;
		mt_format(end, 1024 - (size_t)(end - prompt), "%s'%s'",
			  n++ > 0 ? ", " : "", mt_text_of(m, "name"));
		end += strlen(end);
	}
	mt_format(end, 1024 - (size_t)(end - prompt), "]");
	return n;
}

/* Whom it leads to. 0, or the exit status. */
static int
choose_candidate(struct mt_change *p, const json_t *cluster)
{
	const json_t *chosen;
	char prompt[1024];
	struct mt_err err;

	if (candidate_prompt(p, cluster, prompt) == 0 && !p->dry_run) {
		mt_err_set(&err, MT_EREFUSED, "No candidates found to %s to",
			   verb_of(p));
		return mt_cli_fail(&err);
	}
	if (p->candidate != NULL)
		mt_copy(p->to, sizeof(p->to), p->candidate);
	else if (!p->force && !p->dry_run &&
		 !mt_cli_ask(prompt, "", p->to, sizeof(p->to)))
		return mt_cli_aborted();
	if (p->to[0] == '\0' && p->failover) {
		mt_err_set(&err, MT_EREFUSED,
			   "Failover could be performed only to a specific "
			   "candidate");
		return mt_cli_fail(&err);
	}
	if (p->to[0] == '\0' || p->dry_run)
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

static int
choose_time(struct mt_change *p, const json_t *cluster)
{
	char answer[256];

	if (p->failover)
		return 0;
	if (p->scheduled != NULL)
		return mt_cli_when(p->scheduled, cluster, "switchover", p->at);
	if (p->force || p->dry_run)
		return 0;
	if (!mt_cli_ask("When should the switchover take place "
			"(e.g. 2026-11-23T06:00+01:00)",
			"now", answer, sizeof(answer)))
		return mt_cli_aborted();
	return mt_cli_when(answer, cluster, "switchover", p->at);
}

static int
ask_yes(const struct mt_change *p, const char *prompt)
{
	char answer[64];

	if (!mt_cli_ask(prompt, NULL, answer, sizeof(answer)))
		return mt_cli_aborted();
	if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
		return 0;
	fprintf(stderr, "Error: Aborting %s\n", verb_of(p));
	return MT_EXIT_FAILED;
}

/* Is this name none of those that hold all that was acknowledged? */
static bool
is_asynchronous(const json_t *state, const char *name)
{
	const json_t *sync = json_object_get(state, "sync");
	const char *list = mt_text_of(sync, "sync_standby");
	size_t n = strlen(name);

	if (list[0] == '\0' || strcmp(mt_text_of(sync, "leader"), name) == 0)
		return false;
	while (*list != '\0') {
		size_t word = strcspn(list, ",");

		if (word == n && strncmp(list, name, n) == 0)
			return false;
		list += word + (list[word] == ',' ? 1 : 0);
	}
	return true;
}

/* The last questions. 0, or the exit status. */
static int
confirm(const struct mt_change *p, const struct mt_cluster *c)
{
	const char *scope = mt_text_of(c->cluster, "scope");
	char prompt[1024], demoting[320] = "";
	int status = 0;

	if (p->force || p->dry_run)
		return 0;
	if (p->failover && is_asynchronous(c->state, p->to)) {
		mt_format(prompt, sizeof(prompt),
			  "Are you sure you want to failover to the "
			  "asynchronous node %s? [y/N]",
			  p->to);
		status = ask_yes(p, prompt);
	}
	if (status == 0 && p->accept_loss) {
		mt_format(prompt, sizeof(prompt),
			  "Commits that were acknowledged and that %s does not "
			  "have may be lost for good. Do you accept that? "
			  "[y/N]",
			  p->to);
		status = ask_yes(p, prompt);
	}
	if (status != 0)
		return status;
	if (p->from[0] != '\0')
		mt_format(demoting, sizeof(demoting),
			  ", demoting current leader %s", p->from);
	if (p->at[0] != '\0')
		mt_format(prompt, sizeof(prompt),
			  "Are you sure you want to schedule switchover of "
			  "cluster %s at %s%s? [y/N]",
			  scope, p->at, demoting);
	else
		mt_format(prompt, sizeof(prompt),
			  "Are you sure you want to %s cluster %s%s? [y/N]",
			  verb_of(p), scope, demoting);
	return ask_yes(p, prompt);
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

static json_t *
body_of(const struct mt_change *p)
{
	json_t *body = json_object();

	if (!p->failover)
		json_object_set_new(body, "leader", json_string(p->from));
	if (p->to[0] != '\0')
		json_object_set_new(body, "candidate", json_string(p->to));
	if (p->at[0] != '\0')
		json_object_set_new(body, "scheduled_at", json_string(p->at));
	if (p->accept_loss)
		json_object_set_new(body, "accept_loss", json_true());
	if (p->dry_run)
		json_object_set_new(body, "dry_run", json_true());
	return body;
}

/* The server's answer to people; the exit status. */
static int
show(struct mt_cli *cli, const struct mt_change *p,
     const struct mt_http_reply *reply)
{
	struct mt_cluster c = {0};
	struct mt_err err;

	if (reply->status != 200 && reply->status != 202) {
		printf("%s %s, details: %d, %s\n",
		       p->failover ? "Failover" : "Switchover",
		       strcasestr(reply->body, "status unknown") != NULL
			   ? "result unknown"
			   : "failed",
		       reply->status, reply->body);
		return MT_EXIT_FAILED;
	}
	if (p->dry_run)
		return mt_change_preview(reply);
	print_now();
	printf("%s\n", reply->body);
	/* The deed is done; a table that cannot be had does not undo it. */
	if (mt_cluster_fetch(cli->http, &c, &err) == 0)
		mt_members_print(&c, MT_FORMAT_PRETTY, 0, stdout);
	else
		fprintf(stderr, "matriarch: %s\n", err.text);
	mt_cluster_release(&c);
	return MT_EXIT_DONE;
}

static int
perform(struct mt_cli *cli, const struct mt_change *p)
{
	struct mt_http_reply reply = {0};
	struct mt_err err;
	json_t *body = body_of(p);
	int rv, status;

	rv = mt_http_post(cli->http, p->failover ? "/failover" : "/switchover",
			  body, CHANGE_TIMEOUT_MS, &reply, &err);
	json_decref(body);
	if (rv != 0) {
		if (rv != MT_ENOENT && !p->dry_run) /* it may have been heard */
			mt_err_prefix(&err, p->failover
						? "failover status unknown"
						: "switchover status unknown");
		return mt_cli_fail(&err);
	}
	status = show(cli, p, &reply);
	mt_http_reply_release(&reply);
	return status;
}

int
mt_change_run(struct mt_cli *cli, struct mt_change *p)
{
	struct mt_cluster c = {0};
	struct mt_err err;
	int status;

	if (mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	if (!p->dry_run) {
		printf("Current cluster topology\n");
		mt_members_print(&c, MT_FORMAT_PRETTY, 0, stdout);
	}
	status = choose_leader(p, c.cluster);
	if (status == 0)
		status = choose_candidate(p, c.cluster);
	if (status == 0)
		status = choose_time(p, c.cluster);
	if (status == 0)
		status = confirm(p, &c);
	mt_cluster_release(&c);
	return status != 0 ? status : perform(cli, p);
}
