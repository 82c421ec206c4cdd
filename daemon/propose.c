/* SPDX-License-Identifier: PostgreSQL */
/*
 * Commands on their way to the log. A proposal goes to the Raft leader, here or
 * by a message, waits for one where there is none, and ends when it is applied,
 * refused, or out of time. Commands carry their conditions, so that one which
 * arrives twice does no harm.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/node_internal.h"

#define PLANNED_TIMEOUT_MS 3000
#define PLANNED_AGAIN_MS 200
#define REMOTE_TIMEOUT_MS 10000
#define ANSWER_MAX 512

static struct node_proposal *
find(struct mt_node *n, uint64_t id)
{
	struct node_proposal *p = n->proposals;

	while (p != NULL && p->id != id)
		p = p->next;
	return p;
}

/* The one end of each proposal. */
static void
finish(struct mt_node *n, struct node_proposal *p, int rv, uint64_t index,
       const char *why)
{
	struct node_proposal **at = &n->proposals;
	uint8_t buf[ANSWER_MAX];
	struct mt_writer w = {.p = buf, .cap = sizeof(buf)};

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	if (p->cb != NULL) {
		p->cb(p->cb_arg, rv, index, why);
	} else if (p->from != 0 && !n->closing) {
		mt_put_u64(&w, p->from_id);
		mt_put_u32(&w, (uint32_t)-rv);
		mt_put_u64(&w, index);
		mt_put_str(&w, why);
		mt_peers_send(n->peers, p->from, MT_FRAME_PROPOSE_ANS, buf,
			      w.n);
	}
	free(p->text);
	free(p);
}

static void
send_on(struct mt_node *n, struct node_proposal *p)
{
	uint64_t leader;
	struct mt_writer w;
	uint8_t *buf;

	if (n->driver == NULL || p->sent_to != 0)
		return;
	leader = mt_driver_leader(n->driver);
	if (node__leads(n)) {
		p->sent_to = n->raft_id;
		mt_driver_submit(n->driver, p->text, p->n, p->id);
		return;
	}
	if (leader == 0 || leader == n->raft_id || p->from != 0)
		return; /* forwarded once at most */
	buf = malloc(p->n + 16);
	if (buf == NULL)
		return;
	w = (struct mt_writer){.p = buf, .cap = p->n + 16};
	mt_put_u64(&w, p->id);
	mt_put_bytes(&w, p->text, p->n);
	if (mt_peers_send(n->peers, leader, MT_FRAME_PROPOSE, buf, w.n))
		p->sent_to = leader;
	free(buf);
}

static struct node_proposal *
add(struct mt_node *n, int64_t timeout_ms)
{
	struct node_proposal *p = calloc(1, sizeof(*p));

	MT_ASSERT(p != NULL);
	p->id = ++n->next_proposal;
	p->until_ms = mt_clock_ms() + timeout_ms;
	p->next = n->proposals;
	n->proposals = p;
	return p;
}

void
node__propose(struct mt_node *n, const struct mt_command *cmd,
	      int64_t timeout_ms, mt_propose_cb cb, void *arg)
{
	struct mt_command known = *cmd;
	struct node_proposal *p;
	char *text;
	size_t size;

	mt_command_lower(&known, mt_state_command_version(&n->state));
	if (mt_command_encode(&known, &text, &size) != 0) {
		cb(arg, MT_EINVAL, 0, "the command is too large");
		return;
	}
	p = add(n, timeout_ms);
	p->text = text;
	p->n = size;
	p->cb = cb;
	p->cb_arg = arg;
	send_on(n, p);
	node__wake(n);
}

/* ---- for plans ---- */

struct planned {
	struct mt_node *n;
	enum mt_command_kind kind;
};

static void
planned_cb(void *arg, int rv, uint64_t index, const char *why)
{
	struct planned *p = arg;
	struct mt_node *n = p->n;

	n->pending[p->kind].in_flight = false;
	/* The leader has applied it; until this node has, its state would
	 * make it propose the same again. */
	n->pending[p->kind].index = rv == 0 ? index : 0;
	n->pending[p->kind].again_ms =
	    rv == 0 ? 0 : mt_clock_ms() + PLANNED_AGAIN_MS;
	if (rv != 0)
		mt_debug("proposal %s: %s", mt_command_name(p->kind), why);
	free(p);
	if (!n->closing)
		node__wake(n);
}

bool
node__propose_planned(struct mt_node *n, const struct mt_command *cmd)
{
	struct node_pending *pending = &n->pending[cmd->kind];
	struct planned *p;

	if (pending->in_flight || mt_clock_ms() < pending->again_ms ||
	    (n->driver != NULL &&
	     mt_driver_applied_index(n->driver) < pending->index))
		return false;
	p = malloc(sizeof(*p));
	MT_ASSERT(p != NULL);
	*p = (struct planned){n, cmd->kind};
	pending->in_flight = true;
	node__propose(n, cmd, PLANNED_TIMEOUT_MS, planned_cb, p);
	return true;
}

/* ---- from and to other nodes ---- */

/* Commands of the holder are taken from the holder alone, those of the
 * claimant from the claimant, the controller's from nobody. */
static bool
may_propose(const struct mt_node *n, uint64_t from,
	    const struct mt_command *cmd)
{
	const struct mt_member *m = mt_state_member_by_id(&n->state, from);
	const char *who = NULL;

	switch (cmd->kind) {
	case MT_CMD_CLUSTER_INITIALIZE:
		who = cmd->u.initialize.claim.member;
		break;
	case MT_CMD_LEADER_RELEASE:
		who = cmd->u.release.holder;
		break;
	case MT_CMD_HISTORY_PUT:
		who = cmd->u.history_put.holder;
		break;
	case MT_CMD_STATUS_PUT:
		who = cmd->u.status_put.holder;
		break;
	case MT_CMD_SYNC_PUT:
		who = cmd->u.sync_put.sync.leader;
		break;
	case MT_CMD_LEADER_EXEMPT:
		who = cmd->u.exempt.holder;
		break;
	case MT_CMD_DECISION_PUT:
		who = cmd->u.decision_put.holder;
		break;
	case MT_CMD_REJOIN_PUT:
		who = cmd->u.rejoin_put.member;
		break;
	case MT_CMD_REQUEST_PUT:
	case MT_CMD_REQUEST_CLEAR:
	case MT_CMD_CONFIG_PUT:
		return m != NULL;
	case MT_CMD_NONE:
	case MT_CMD_MEMBER_PUT:
	case MT_CMD_BOOTSTRAP_CLAIM:
	case MT_CMD_BOOTSTRAP_WITHDRAW:
	case MT_CMD_LEADER_ASSIGN:
		return false;
	}
	return m != NULL && strcmp(m->name, who) == 0;
}

void
node__propose_remote(struct mt_node *n, uint64_t from, const uint8_t *bytes,
		     size_t size)
{
	struct mt_reader r = {.p = bytes, .left = size};
	uint64_t id = mt_get_u64(&r);
	struct mt_command cmd;
	struct node_proposal *p;
	struct mt_err err;
	bool may;

	if (r.bad ||
	    mt_command_decode(&cmd, (const char *)r.p, r.left, &err) != 0) {
		mt_warn("dropped a malformed proposal");
		return;
	}
	may = may_propose(n, from, &cmd);
	mt_command_release(&cmd);
	p = add(n, REMOTE_TIMEOUT_MS);
	p->from = from;
	p->from_id = id;
	p->n = r.left;
	p->text = malloc(r.left);
	MT_ASSERT(p->text != NULL);
	memcpy(p->text, r.p, r.left);
	if (!may)
		finish(n, p, MT_EREFUSED, 0,
		       "this command is not that member's to propose");
	else if (!node__leads(n))
		finish(n, p, MT_EBUSY, 0, "not the Raft leader");
	else
		send_on(n, p);
}

void
node__propose_answered(struct mt_node *n, uint64_t from, const uint8_t *bytes,
		       size_t size)
{
	struct mt_reader r = {.p = bytes, .left = size};
	uint64_t id = mt_get_u64(&r);
	uint32_t code = mt_get_u32(&r);
	uint64_t index = mt_get_u64(&r);
	char why[MT_WHY_MAX + 64];
	struct node_proposal *p;

	mt_get_str(&r, why, sizeof(why));
	p = find(n, id);
	if (!mt_reader_done(&r) || p == NULL || p->sent_to != from)
		return;
	if (code == (uint32_t)-MT_EBUSY) { /* not the leader any more */
		p->sent_to = 0;
		return;
	}
	finish(n, p, -(int)code, index, why);
}

/* ---- from the driver ---- */

void
node__propose_submitted(struct mt_node *n, uint64_t cookie, int rv)
{
	struct node_proposal *p = find(n, cookie);

	if (rv == 0 || p == NULL)
		return;
	if (p->from != 0)
		finish(n, p, MT_EBUSY, 0, "not the Raft leader");
	else
		p->sent_to = 0; /* to whoever leads now, within its time */
}

void
node__propose_done(struct mt_node *n, uint64_t cookie, enum mt_outcome outcome)
{
	struct node_proposal *p = find(n, cookie);

	if (p == NULL)
		return;
	switch (outcome) {
	case MT_OUTCOME_APPLIED:
		finish(n, p, n->apply_rv, n->apply_index,
		       n->apply_rv != 0 ? n->apply_why : "");
		break;
	case MT_OUTCOME_LOST:
	case MT_OUTCOME_UNKNOWN:
		finish(n, p, MT_ECANCELED, 0,
		       "the Raft leader changed meanwhile");
		break;
	}
}

void
node__propose_tick(struct mt_node *n, int64_t now_ms)
{
	struct node_proposal *p, *next;

	for (p = n->proposals; p != NULL; p = next) {
		next = p->next;
		/* A leader that lost its place never answers. */
		if (p->sent_to != 0 && n->driver != NULL &&
		    p->sent_to != n->raft_id &&
		    p->sent_to != mt_driver_leader(n->driver))
			p->sent_to = 0;
		if (now_ms >= p->until_ms)
			finish(n, p, MT_ETIMEDOUT, 0,
			       "no answer of the Raft leader in time");
		else
			send_on(n, p);
	}
}

int64_t
node__propose_next_ms(const struct mt_node *n)
{
	int64_t next = 0;

	for (const struct node_proposal *p = n->proposals; p != NULL;
	     p = p->next)
		if (next == 0 || p->until_ms < next)
			next = p->until_ms;
	return next;
}

void
node__propose_close(struct mt_node *n)
{
	while (n->proposals != NULL)
		finish(n, n->proposals, MT_ECANCELED, 0,
		       "the daemon is ending");
}
