/* SPDX-License-Identifier: PostgreSQL */
/*
 * Waiting for the cluster of a demo, through the REST API of its nodes.
 *
 * The API has nothing that would tell of a change by itself, so it is asked
 * every 50 ms, of any node that answers; each wait has an end, and says at that
 * end what it saw last. A daemon that dies meanwhile ends the wait as well.
 */
#include "cli/demo.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/members.h"

#define LOOK_MS 50
#define ANSWER_MS 2000
#define SWITCHOVER_MS 60000

static int
get_cluster(struct mt_demo *d, json_t **cluster, struct mt_err *err)
{
	struct mt_http_reply reply = {0};
	int rv = mt_http_get(d->http, "/cluster", ANSWER_MS, &reply, err);

	if (rv == 0 && reply.status != 200)
		rv = mt_err_set(err, MT_EREFUSED,
				"%s answered \"/cluster\" with status %d",
				reply.base, reply.status);
	if (rv == 0)
		rv = mt_http_json(&reply, cluster, err);
	mt_http_reply_release(&reply);
	return rv;
}

/* "node1 leader running, node2 replica streaming" */
static void
describe(const json_t *cluster, char *buf, size_t size)
{
	json_t *m;
	size_t i, n = 0;

	mt_copy(buf, size, "no member yet");
	json_array_foreach (json_object_get(cluster, "members"), i, m) {
		mt_format(buf + n, size - n, "%s%s %s %s", n > 0 ? ", " : "",
			  mt_text_of(m, "name"), mt_text_of(m, "role"),
			  mt_text_of(m, "state"));
		n = strlen(buf);
	}
}

static int
count_streaming(const json_t *cluster)
{
	json_t *m;
	size_t i;
	int n = 0;

	json_array_foreach (json_object_get(cluster, "members"), i, m)
		n += strcmp(mt_text_of(m, "state"), "streaming") == 0;
	return n;
}

static bool
is_healthy(const json_t *cluster, const char *leader, const char *not_leader,
	   int n_streaming)
{
	const json_t *m = mt_cluster_leader(cluster);
	const char *name = mt_text_of(m, "name");

	return m != NULL && strcmp(mt_text_of(m, "state"), "running") == 0 &&
	       (leader == NULL || strcmp(name, leader) == 0) &&
	       (not_leader == NULL || strcmp(name, not_leader) != 0) &&
	       count_streaming(cluster) >= n_streaming;
}

int
mt_demo_wait_healthy(struct mt_demo *d, const char *leader,
		     const char *not_leader, int n_streaming,
		     struct mt_err *err)
{
	int64_t end_ms = mt_clock_ms() + MT_DEMO_PATIENCE_MS;
	char seen[256] = "nothing";

	for (;;) {
		struct mt_err why = {0};
		json_t *cluster = NULL;
		bool healthy = false;
		int rv = get_cluster(d, &cluster, &why);

		if (rv == 0) {
			healthy = is_healthy(cluster, leader, not_leader,
					     n_streaming);
			describe(cluster, seen, sizeof(seen));
			json_decref(cluster);
		} else {
			mt_copy(seen, sizeof(seen), why.text);
		}
		if (healthy)
			return 0;
		rv = mt_demo_pause(d, LOOK_MS, err);
		if (rv != 0)
			return rv;
		if (mt_clock_ms() > end_ms)
			return mt_err_set(err, MT_ETIMEDOUT,
					  "waited %d s for a primary and %d "
					  "streaming replicas; last seen: %s",
					  MT_DEMO_PATIENCE_MS / 1000,
					  n_streaming, seen);
	}
}

struct mt_demo_node *
mt_demo_primary(struct mt_demo *d, struct mt_err *err)
{
	struct mt_demo_node *found = NULL;
	const char *name;
	json_t *cluster;

	if (get_cluster(d, &cluster, err) != 0)
		return NULL;
	name = mt_text_of(mt_cluster_leader(cluster), "name");
	for (int i = 0; i < d->n; i++)
		if (strcmp(d->nodes[i].name, name) == 0)
			found = &d->nodes[i];
	json_decref(cluster);
	if (found == NULL)
		mt_err_set(err, MT_ENOENT, "the cluster has no primary");
	return found;
}

int
mt_demo_switchover(struct mt_demo *d, const char *leader, const char *candidate,
		   char *answer, size_t size, struct mt_err *err)
{
	struct mt_http_reply reply = {0};
	json_t *body =
	    json_pack("{ssss}", "leader", leader, "candidate", candidate);
	int rv = mt_http_post(d->http, "/switchover", body, SWITCHOVER_MS,
			      &reply, err);

	json_decref(body);
	if (rv != 0)
		return rv;
	mt_copy(answer, size, reply.body);
	answer[strcspn(answer, "\r\n")] = '\0';
	if (reply.status != 200)
		rv = mt_err_set(err, MT_EREFUSED,
				"the switchover from \"%s\" to \"%s\" failed: "
				"%d, %.200s",
				leader, candidate, reply.status, reply.body);
	mt_http_reply_release(&reply);
	return rv;
}

int
mt_demo_print_table(struct mt_demo *d, struct mt_err *err)
{
	struct mt_cluster c = {0};
	int rv = mt_cluster_fetch(d->http, &c, err);

	if (rv == 0) {
		putchar('\n');
		mt_members_print(&c, MT_FORMAT_PRETTY, 0, stdout);
		putchar('\n');
		fflush(stdout);
	}
	mt_cluster_release(&c);
	return rv;
}
