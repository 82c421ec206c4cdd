/* SPDX-License-Identifier: PostgreSQL */
/*
 * How commands change the state. One function a command: it checks the
 * condition that the command carries and either changes the state or refuses.
 * Deterministic: no clock, no chance, no addresses; times of day are fields of
 * the command. A refused command changes nothing but the index.
 */
#include "core/apply_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

static int
apply_member_put(struct mt_state *s, const struct mt_member *m,
		 struct mt_err *err)
{
	int i = 0;

	while (i < s->n_members && strcmp(s->members[i].name, m->name) < 0)
		i++;
	if (i < s->n_members && strcmp(s->members[i].name, m->name) == 0) {
		s->members[i] = *m;
		return 0;
	}
	if (s->n_members == MT_NODES_MAX)
		return mt_err_set(err, MT_EREFUSED,
				  "cannot add member \"%s\": there are %d, "
				  "the most that a cluster can have",
				  m->name, MT_NODES_MAX);
	memmove(&s->members[i + 1], &s->members[i],
		(size_t)(s->n_members - i) * sizeof(*m));
	s->members[i] = *m;
	s->n_members++;
	return 0;
}

static int
apply_claim(struct mt_state *s, uint64_t index, const struct mt_claim *c,
	    struct mt_err *err)
{
	const struct mt_member *m = mt_state_member(s, c->member);

	if (s->sysid[0] != '\0')
		return mt_err_set(err, MT_EREFUSED,
				  "the cluster is initialized already");
	if (s->claim.member[0] != '\0')
		return mt_err_set(err, MT_EREFUSED,
				  "member \"%s\" is initializing the cluster",
				  s->claim.member);
	if (m == NULL || m->witness)
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" is no member with PostgreSQL",
				  c->member);
	s->claim = *c;
	s->claim.index = index;
	return 0;
}

/* A command may come long after it was proposed: what was to initialize under
 * one claim must not do so under the next, when its data is gone. */
static bool
claim_stands(const struct mt_state *s, const struct mt_claim *c)
{
	return strcmp(s->claim.member, c->member) == 0 &&
	       s->claim.incarnation == c->incarnation &&
	       s->claim.adopts == c->adopts &&
	       (c->index == 0 || c->index == s->claim.index);
}

static int
apply_withdraw(struct mt_state *s, const struct mt_claim *c, struct mt_err *err)
{
	if (!claim_stands(s, c))
		return mt_err_set(err, MT_EREFUSED,
				  "no such claim of member \"%s\" stands",
				  c->member);
	memset(&s->claim, 0, sizeof(s->claim));
	return 0;
}

static void
record_decision(struct mt_state *s, const struct mt_decision *d)
{
	struct mt_decision *to;

	s->last_decision++;
	to = &s->decisions[s->last_decision % MT_DECISIONS_MAX];
	*to = *d;
	to->id = s->last_decision;
	to->epoch = s->leader.epoch;
}

/* A server that ran before there was a turn has no lease yet. Nobody may take
 * the turn from it for that: it ends the exemption itself, under a lease. */
static void
begin_adoption(struct mt_leader *l, const struct mt_claim *claim, bool runs)
{
	l->adopts = claim->adopts;
	if (!runs)
		return;
	l->exempt = l->index;
	l->exempt_incarnation = claim->incarnation;
	mt_copy(l->exempt_reason, sizeof(l->exempt_reason), "adoption");
}

static int
apply_initialize(struct mt_state *s, uint64_t index,
		 const struct mt_command *cmd, struct mt_err *err)
{
	struct mt_decision d = {0};
	const char *name = cmd->u.initialize.claim.member;
	uint32_t timeline = cmd->u.initialize.timeline;
	bool adopts = cmd->u.initialize.claim.adopts != 0;

	if (s->sysid[0] != '\0' || !claim_stands(s, &cmd->u.initialize.claim))
		return mt_err_set(err, MT_EREFUSED,
				  "the claim of member \"%s\" to initialize "
				  "the cluster does not stand",
				  name);
	mt_copy(s->sysid, sizeof(s->sysid), cmd->u.initialize.sysid);
	memset(&s->claim, 0, sizeof(s->claim));
	json_decref(s->config);
	s->config = json_incref(cmd->u.initialize.config);
	s->config_version = 1;
	s->leader = (struct mt_leader){
	    .epoch = 1,
	    .since = 1,
	    .ttl_ms = cmd->u.initialize.ttl_ms,
	    .timeline = timeline != 0 ? timeline : 1,
	    .continues = true,
	    .index = index,
	};
	mt_copy(s->leader.holder, sizeof(s->leader.holder), name);
	if (adopts)
		begin_adoption(&s->leader, &cmd->u.initialize.claim,
			       cmd->u.initialize.runs);
	mt_copy(d.rule, sizeof(d.rule), adopts ? "adoption" : "bootstrap");
	mt_copy(d.to, sizeof(d.to), name);
	mt_format(d.why, sizeof(d.why),
		  "member \"%s\" initialized the cluster%s", name,
		  !adopts                  ? ""
		  : cmd->u.initialize.runs ? " with its running primary"
					   : " with its data");
	d.at_ms = cmd->u.initialize.at_ms;
	record_decision(s, &d);
	return 0;
}

/* A request ends with the assignment to another holder, or with the old
 * holder's return. One that waits for its time ends where its leader is gone.
 */
static void
settle_request(struct mt_state *s, const char *from)
{
	struct mt_request *r = &s->request;
	bool failover = r->kind == MT_REQUEST_FAILOVER;
	const char *holder = s->leader.holder;
	struct mt_request_result *o = &s->outcome;

	if (r->kind == MT_REQUEST_NONE ||
	    (r->scheduled_ms != 0 && strcmp(holder, r->leader) == 0))
		return;
	*o = (struct mt_request_result){.id = r->id};
	if (r->scheduled_ms != 0) {
		mt_format(o->text, sizeof(o->text),
			  "Switchover failed: the leader has changed");
	} else if (strcmp(holder, r->candidate) == 0 ||
		   (r->candidate[0] == '\0' &&
		    strcmp(holder, r->leader) != 0)) {
		o->ok = true;
		mt_format(o->text, sizeof(o->text),
			  "Successfully %s over to \"%s\"",
			  failover ? "failed" : "switched", holder);
	} else if (strcmp(holder, failover ? from : r->leader) == 0) {
		mt_format(o->text, sizeof(o->text), "%s failed",
			  failover ? "Failover" : "Switchover");
	} else {
		o->ok = true;
		mt_format(o->text, sizeof(o->text),
			  "%s over to \"%s\" instead of \"%s\"",
			  failover ? "Failed" : "Switched", holder,
			  r->candidate);
	}
	memset(r, 0, sizeof(*r));
}

static void
end_exemption(struct mt_leader *l)
{
	l->exempt = l->exempt_incarnation = 0;
	memset(l->exempt_reason, 0, sizeof(l->exempt_reason));
}

static int
apply_assign(struct mt_state *s, uint64_t index, const struct mt_command *cmd,
	     struct mt_err *err)
{
	const struct mt_member *m = mt_state_member(s, cmd->u.assign.holder);
	struct mt_leader *l = &s->leader;
	bool continues = cmd->u.assign.continues;
	struct mt_decision d = cmd->u.assign.decision;
	char from[MT_NAME_MAX];

	if (l->epoch != cmd->u.assign.expect_epoch ||
	    l->released != cmd->u.assign.expect_released)
		return mt_err_set(err, MT_EREFUSED,
				  "the turn has changed: epoch %" PRIu64
				  "%s, not %" PRIu64 "%s",
				  l->epoch, l->released ? " (released)" : "",
				  cmd->u.assign.expect_epoch,
				  cmd->u.assign.expect_released ? " (released)"
								: "");
	/* Who counted over other sets than the present ones counted wrong. */
	if (s->sync.version != cmd->u.assign.expect_sync)
		return mt_err_set(
		    err, MT_EREFUSED,
		    "the synchronous sets have changed meanwhile");
	if (l->epoch == 0 || m == NULL || m->witness)
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" cannot hold the turn",
				  cmd->u.assign.holder);
	if (continues &&
	    (l->released || strcmp(l->holder, cmd->u.assign.holder) != 0))
		return mt_err_set(err, MT_EREFUSED,
				  "only the present holder can continue");
	/* It runs on beyond its lease's end: that end proves nothing. */
	if (l->exempt != 0 && !continues && !l->released &&
	    !mt_state_asked_for(s, cmd->u.assign.holder))
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" is exempt from stopping (%s)",
				  l->holder, l->exempt_reason);
	/* Only commits that wait for a fenced standby are kept from clients. */
	if (cmd->u.assign.ground == MT_GROUND_SYNC_FENCE && !mt_sync_stands(s))
		return mt_err_set(err, MT_EREFUSED,
				  "no synchronous set stands: the end of "
				  "\"%s\"'s lease has to be waited for",
				  l->holder);
	l->epoch++;
	if (!continues) {
		end_exemption(l);
		l->since = l->epoch;
		if (l->timeline < cmd->u.assign.min.timeline)
			l->timeline = cmd->u.assign.min.timeline;
		l->timeline++;
	}
	mt_copy(from, sizeof(from), l->holder);
	mt_copy(l->holder, sizeof(l->holder), cmd->u.assign.holder);
	l->ttl_ms = cmd->u.assign.ttl_ms;
	l->continues = continues;
	if (cmd->u.assign.ground == MT_GROUND_SYNC_FENCE)
		l->after_fence = true;
	else if (cmd->u.assign.ground == MT_GROUND_PROMISES)
		l->after_fence = false;
	l->min = cmd->u.assign.min;
	l->released = false;
	l->clean = false;
	l->end = (struct mt_position){0};
	l->index = index;
	d.by = mt_state_asked_by(s);
	if (continues)
		memset(&d.by, 0, sizeof(d.by));
	else
		settle_request(s, from);
	record_decision(s, &d);
	return 0;
}

/* Is the command of him who holds this epoch now? */
static int
check_holder(const struct mt_state *s, uint64_t epoch, const char *holder,
	     struct mt_err *err)
{
	if (!mt_state_held(s) || s->leader.epoch != epoch ||
	    strcmp(s->leader.holder, holder) != 0)
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" does not hold epoch %" PRIu64, holder,
				  epoch);
	return 0;
}

static int
apply_release(struct mt_state *s, uint64_t index, const struct mt_command *cmd,
	      struct mt_err *err)
{
	struct mt_decision d = {0};
	int rv =
	    check_holder(s, cmd->u.release.epoch, cmd->u.release.holder, err);

	if (rv != 0)
		return rv;
	s->leader.released = true;
	s->leader.clean = cmd->u.release.clean;
	s->leader.end = cmd->u.release.end;
	s->leader.index = index;
	end_exemption(&s->leader);
	if (s->leader.clean)
		s->status.optime = s->leader.end;
	mt_copy(d.rule, sizeof(d.rule), "release");
	mt_copy(d.from, sizeof(d.from), cmd->u.release.holder);
	mt_copy(d.why, sizeof(d.why), cmd->u.release.why);
	d.at_ms = cmd->u.release.at_ms;
	d.optime = s->status.optime;
	d.by = mt_state_asked_by(s);
	record_decision(s, &d);
	return 0;
}

/* Does it ask for something that can be, as things are? */
static int
check_request(const struct mt_state *s, const struct mt_request *r,
	      struct mt_err *err)
{
	const struct mt_member *m = mt_state_member(s, r->candidate);

	if (r->kind == MT_REQUEST_SWITCHOVER && r->accept_loss)
		return mt_err_set(err, MT_EREFUSED,
				  "a switchover loses nothing");
	if (r->kind == MT_REQUEST_SWITCHOVER && r->scheduled_ms != 0) {
		/* Who leads counts when it is due. */
		if (mt_state_member(s, r->leader) == NULL)
			return mt_err_set(err, MT_EREFUSED,
					  "\"%s\" is no member", r->leader);
		return 0;
	}
	if (r->kind == MT_REQUEST_SWITCHOVER) {
		if (!mt_state_held_by(s, r->leader))
			return mt_err_set(err, MT_EREFUSED,
					  "\"%s\" is not the leader",
					  r->leader);
		return 0;
	}
	if (m == NULL || m->witness)
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" cannot hold the turn", r->candidate);
	if (mt_state_held_by(s, r->candidate))
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" is the leader already", r->candidate);
	if (r->leader[0] != '\0' || r->scheduled_ms != 0 ||
	    s->leader.epoch == 0)
		return mt_err_set(err, MT_EREFUSED,
				  "a failover needs an initialized cluster, "
				  "names no leader and is not scheduled");
	return 0;
}

static int
apply_request_put(struct mt_state *s, uint64_t index,
		  const struct mt_request *r, struct mt_err *err)
{
	int rv;

	if (mt_state_is_asked(s))
		return mt_err_set(err, MT_EREFUSED, "another %s is under way",
				  s->request.kind == MT_REQUEST_FAILOVER
				      ? "failover"
				      : "switchover");
	if (r->id != s->request.id)
		return mt_err_set(err, MT_EREFUSED,
				  "the scheduled switchover was changed by "
				  "another");
	/* Proposed before the exemption was, and committed after it. */
	if (r->due && s->leader.exempt != 0)
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" is exempt from stopping (%s): what "
				  "is scheduled is left alone",
				  s->leader.holder, s->leader.exempt_reason);
	rv = check_request(s, r, err);
	if (rv != 0)
		return rv;
	s->request = *r;
	s->request.id = index;
	return 0;
}

static int
apply_request_clear(struct mt_state *s, const struct mt_command *cmd,
		    struct mt_err *err)
{
	const struct mt_request_result *o = &cmd->u.request_clear;
	struct mt_decision d = cmd->seen;

	if (s->request.kind == MT_REQUEST_NONE || s->request.id != o->id)
		return mt_err_set(err, MT_EREFUSED, "no such request stands");
	if (!o->ok) {
		mt_copy(d.rule, sizeof(d.rule),
			s->request.kind == MT_REQUEST_FAILOVER
			    ? "failover-failed"
			    : "switchover-failed");
		mt_copy(d.from, sizeof(d.from), s->request.leader);
		mt_copy(d.to, sizeof(d.to), s->request.candidate);
		mt_copy(d.why, sizeof(d.why), o->text);
		if (d.by.who[0] == '\0')
			d.by = s->request.by;
		record_decision(s, &d);
	}
	s->outcome = *o;
	memset(&s->request, 0, sizeof(s->request));
	return 0;
}

static int
apply_rejoin(struct mt_state *s, const struct mt_command *cmd,
	     struct mt_err *err)
{
	const char *member = cmd->u.rejoin_put.member;
	const struct mt_loss *loss = &cmd->u.rejoin_put.loss;
	struct mt_decision d = {0};

	if (s->leader.epoch != cmd->u.rejoin_put.epoch ||
	    mt_state_member(s, member) == NULL)
		return mt_err_set(err, MT_EREFUSED,
				  "\"%s\" does not join epoch %" PRIu64, member,
				  s->leader.epoch);
	if (mt_state_rejoin(s, member, loss) != NULL)
		return mt_err_set(err, MT_EREFUSED,
				  "what \"%s\" throws away is named already",
				  member);
	mt_copy(d.rule, sizeof(d.rule), "rejoin");
	mt_copy(d.from, sizeof(d.from), member);
	mt_copy(d.to, sizeof(d.to), s->leader.holder);
	mt_loss_text(loss, cmd->u.rejoin_put.how, d.why, sizeof(d.why));
	d.loss = *loss;
	d.at_ms = cmd->u.rejoin_put.at_ms;
	record_decision(s, &d);
	return 0;
}

/* What was known of a timeline's end (when, and who followed) is kept: the
 * server's own history file does not have it. */
static int
apply_history(struct mt_state *s, const struct mt_command *cmd,
	      struct mt_err *err)
{
	struct mt_history lines[MT_HISTORY_MAX];
	int n = cmd->u.history_put.n;
	int rv = check_holder(s, cmd->u.history_put.epoch,
			      cmd->u.history_put.holder, err);

	if (rv != 0)
		return rv;
	for (int i = 0; i < n; i++) {
		lines[i] = cmd->u.history_put.lines[i];
		for (int k = 0; k < s->n_history; k++)
			if (s->history[k].timeline == lines[i].timeline &&
			    s->history[k].lsn == lines[i].lsn &&
			    s->history[k].new_leader[0] != '\0')
				lines[i] = s->history[k];
	}
	memcpy(s->history, lines, (size_t)n * sizeof(lines[0]));
	s->n_history = n;
	s->history_of = cmd->u.history_put.timeline;
	return 0;
}

/* Only the holder knows what its PostgreSQL waits for. */
static int
apply_sync(struct mt_state *s, const struct mt_command *cmd, struct mt_err *err)
{
	const struct mt_sync *put = &cmd->u.sync_put.sync;
	int rv = check_holder(s, cmd->u.sync_put.epoch, put->leader, err);

	if (rv != 0)
		return rv;
	if (put->version != s->sync.version)
		return mt_err_set(err, MT_EREFUSED,
				  "the synchronous sets were changed by "
				  "another");
	s->sync = *put;
	s->sync.version++;
	return 0;
}

static int
apply_config(struct mt_state *s, const struct mt_command *cmd,
	     struct mt_err *err)
{
	struct mt_decision d;

	if (s->config == NULL ||
	    s->config_version != cmd->u.config_put.expect_version)
		return mt_err_set(err, MT_EREFUSED,
				  "the configuration was changed by another");
	/* The same again only proves that it was in force just now. */
	if (json_equal(s->config, cmd->u.config_put.config))
		return 0;
	if (apply__change(s, cmd, &d))
		record_decision(s, &d);
	json_decref(s->config);
	s->config = json_incref(cmd->u.config_put.config);
	s->config_version++;
	return 0;
}

/* Each exemption is another one, told by its index: the end of an older one,
 * proposed before and committed late, does not end it. */
static int
apply_exempt(struct mt_state *s, uint64_t index, const struct mt_command *cmd,
	     struct mt_err *err)
{
	struct mt_leader *l = &s->leader;
	int rv =
	    check_holder(s, cmd->u.exempt.epoch, cmd->u.exempt.holder, err);

	if (rv != 0)
		return rv;
	if (cmd->u.exempt.ends != 0) {
		if (cmd->u.exempt.ends != l->exempt)
			return mt_err_set(err, MT_EREFUSED,
					  "no such exemption stands");
		end_exemption(l);
		return 0;
	}
	l->exempt = index;
	l->exempt_incarnation = cmd->u.exempt.incarnation;
	mt_copy(l->exempt_reason, sizeof(l->exempt_reason),
		cmd->u.exempt.reason);
	return 0;
}

static int
apply_one(struct mt_state *s, uint64_t index, const struct mt_command *cmd,
	  struct mt_err *err)
{
	int rv;

	switch (cmd->kind) {
	case MT_CMD_MEMBER_PUT:
		return apply_member_put(s, &cmd->u.member_put, err);
	case MT_CMD_BOOTSTRAP_CLAIM:
		return apply_claim(s, index, &cmd->u.claim, err);
	case MT_CMD_BOOTSTRAP_WITHDRAW:
		return apply_withdraw(s, &cmd->u.withdraw, err);
	case MT_CMD_CLUSTER_INITIALIZE:
		return apply_initialize(s, index, cmd, err);
	case MT_CMD_LEADER_ASSIGN:
		return apply_assign(s, index, cmd, err);
	case MT_CMD_LEADER_RELEASE:
		return apply_release(s, index, cmd, err);
	case MT_CMD_REQUEST_PUT:
		return apply_request_put(s, index, &cmd->u.request_put, err);
	case MT_CMD_REQUEST_CLEAR:
		return apply_request_clear(s, cmd, err);
	case MT_CMD_HISTORY_PUT:
		return apply_history(s, cmd, err);
	case MT_CMD_STATUS_PUT:
		rv = check_holder(s, cmd->u.status_put.epoch,
				  cmd->u.status_put.holder, err);
		if (rv == 0)
			s->status.optime = cmd->u.status_put.optime;
		return rv;
	case MT_CMD_CONFIG_PUT:
		return apply_config(s, cmd, err);
	case MT_CMD_SYNC_PUT:
		return apply_sync(s, cmd, err);
	case MT_CMD_LEADER_EXEMPT:
		return apply_exempt(s, index, cmd, err);
	case MT_CMD_DECISION_PUT:
		return apply__phases(s, cmd, err);
	case MT_CMD_REJOIN_PUT:
		return apply_rejoin(s, cmd, err);
	case MT_CMD_NONE:
		break;
	}
	return mt_err_set(err, MT_EPROTO, "no command");
}

int
mt_state_apply(struct mt_state *s, uint64_t index, const char *text, size_t n,
	       struct mt_err *err)
{
	struct mt_command cmd;
	int rv = mt_command_decode(&cmd, text, n, err);

	if (rv == MT_EREFUSED) {
		/* It may mean anything: skipping it would be a guess. */
		s->unknown_command = MT_COMMAND_VERSION + 1;
		return rv;
	}
	s->index = index;
	if (rv != 0)
		return rv;
	rv = apply_one(s, index, &cmd, err);
	mt_command_release(&cmd);
	return rv;
}
