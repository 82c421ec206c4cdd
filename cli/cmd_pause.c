/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch pause and matriarch resume: the "pause" of the dynamic document.
 * With --wait until all members that are there say so, or loop_wait and a
 * second have passed; who lags then is named, and it is no failure.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/members.h"

#define LOOK_EVERY_MS 100
#define ASK_TIMEOUT_MS 1000

static bool
is_paused(const json_t *document)
{
	return json_is_true(json_object_get(document, "pause"));
}

/* Does this member say what it is asked for? */
static bool
has_taken(struct mt_cli *cli, const char *url, bool pause)
{
	struct mt_http_reply reply = {0};
	struct mt_err err;
	json_t *doc = NULL;
	bool yes = false;

	if (mt_http_get_url(cli->http, url, ASK_TIMEOUT_MS, &reply, &err) != 0)
		return false;
	if (mt_http_json(&reply, &doc, &err) == 0)
		yes = is_paused(doc) == pause;
	json_decref(doc);
	mt_http_reply_release(&reply);
	return yes;
}

static void
wait_for_all(struct mt_cli *cli, const json_t *cluster, bool pause,
	     int64_t wait_ms)
{
	const struct timespec moment = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
	int64_t until_ms = mt_clock_ms() + wait_ms;
	char lagging[512];
	json_t *m;
	size_t i;

	printf("'%s' request sent, waiting until it is recognized by all "
	       "nodes\n",
	       pause ? "pause" : "resume");
	for (;;) {
		lagging[0] = '\0';
		json_array_foreach (json_object_get(cluster, "members"), i, m) {
			const char *name = mt_text_of(m, "name");
			size_t n = strlen(lagging);

			if (mt_streq(mt_text_of(m, "state"), "unknown") ||
			    has_taken(cli, mt_text_of(m, "api_url"), pause))
				continue;
			mt_format(lagging + n, sizeof(lagging) - n, "%s%s",
				  n > 0 ? ", " : "", name);
		}
		if (lagging[0] == '\0' || mt_clock_ms() >= until_ms)
			break;
		nanosleep(&moment, NULL);
	}
	if (lagging[0] != '\0')
		printf("Not yet known to: %s\n", lagging);
}

static int
change(struct mt_cli *cli, bool pause, bool wait)
{
	struct mt_http_reply reply = {0};
	struct mt_cluster c = {0};
	struct mt_err err;
	json_t *body, *config;
	double loop_wait;
	int status = MT_EXIT_FAILED;

	if (mt_cluster_fetch(cli->http, &c, &err) != 0)
		return mt_cli_fail(&err);
	if (is_paused(c.cluster) == pause) {
		mt_err_set(&err, MT_EREFUSED, "cluster is %s paused",
			   pause ? "already" : "not");
		mt_cluster_release(&c);
		return mt_cli_fail(&err);
	}
	body = json_pack("{so}", "pause", pause ? json_true() : json_null());
	if (mt_http_send(cli->http, "PATCH", "/config", body, MT_CLI_CHANGE_MS,
			 &reply, &err) != 0) {
		mt_cli_fail(&err);
	} else if (reply.status != 200) {
		fprintf(stderr, "Error: %s answered with status %d: %.300s\n",
			reply.base, reply.status, reply.body);
	} else {
		if (wait && mt_http_json(&reply, &config, &err) == 0) {
			loop_wait = json_number_value(
			    json_object_get(config, "loop_wait"));
			json_decref(config);
			wait_for_all(
			    cli, c.cluster, pause,
			    (int64_t)((loop_wait > 0 ? loop_wait : 10) * 1000) +
				1000);
		}
		printf("Success: cluster management is %s\n",
		       pause ? "paused" : "resumed");
		status = MT_EXIT_DONE;
	}
	json_decref(body);
	mt_http_reply_release(&reply);
	mt_cluster_release(&c);
	return status;
}

static int
run(struct mt_cli *cli, int argc, char **argv, bool pause)
{
	static const struct option options[] = {
	    {"wait", no_argument, NULL, 'w'},
	    {NULL, 0, NULL, 0},
	};
	struct mt_err err;
	bool wait = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'w')
			return mt_cli_usage(argv[0], NULL);
		wait = true;
	}
	if (argc - optind > 1)
		return mt_cli_usage(argv[0], "more than one cluster named");
	if (mt_cli_open_cluster(cli, argc - optind, argv + optind, &err) != 0)
		return mt_cli_fail(&err);
	return change(cli, pause, wait);
}

int
mt_cmd_pause(struct mt_cli *cli, int argc, char **argv)
{
	return run(cli, argc, argv, true);
}

int
mt_cmd_resume(struct mt_cli *cli, int argc, char **argv)
{
	return run(cli, argc, argv, false);
}
