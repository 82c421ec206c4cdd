/* SPDX-License-Identifier: PostgreSQL */
/*
 * Commands to and from JSON. One pair of functions a command, one table.
 * Decoding checks form only; whether a command holds is decided in apply.c.
 */
#include "core/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/settings.h"
#include "core/json_fields.h"

static void
claim_to(const struct mt_claim *c, json_t *o)
{
	mt_jset_str(o, "member", c->member);
	mt_jset_u64(o, "incarnation", c->incarnation);
	if (c->index != 0)
		mt_jset_u64(o, "claim", c->index);
	mt_jset_u64(o, "adopts", c->adopts);
}

static void
claim_from(const json_t *o, struct mt_claim *c, bool *bad)
{
	mt_jget_str(o, "member", c->member, sizeof(c->member), bad);
	mt_jget_u64(o, "incarnation", &c->incarnation, bad);
	mt_jget_u64(o, "claim", &c->index, bad);
	mt_jget_u64(o, "adopts", &c->adopts, bad);
	if (c->member[0] == '\0')
		*bad = true;
}

static void
member_put_to(const struct mt_command *c, json_t *o)
{
	json_object_set_new(o, "member", mt_member_to_json(&c->u.member_put));
}

static void
member_put_from(const json_t *o, struct mt_command *c, bool *bad)
{
	mt_member_from_json(mt_jget_object(o, "member", bad), &c->u.member_put,
			    bad);
}

static void
bootstrap_claim_to(const struct mt_command *c, json_t *o)
{
	claim_to(&c->u.claim, o);
}

static void
bootstrap_claim_from(const json_t *o, struct mt_command *c, bool *bad)
{
	claim_from(o, &c->u.claim, bad);
}

static void
initialize_to(const struct mt_command *c, json_t *o)
{
	claim_to(&c->u.initialize.claim, o);
	mt_jset_str(o, "sysid", c->u.initialize.sysid);
	mt_jset_i64(o, "timeline", c->u.initialize.timeline);
	mt_jset_bool(o, "runs", c->u.initialize.runs);
	mt_jset_i64(o, "ttl_ms", c->u.initialize.ttl_ms);
	mt_jset_i64(o, "at_ms", c->u.initialize.at_ms);
	json_object_set(o, "config", c->u.initialize.config);
}

static void
initialize_from(const json_t *o, struct mt_command *c, bool *bad)
{
	json_t *config = json_object_get(o, "config");

	claim_from(o, &c->u.initialize.claim, bad);
	mt_jget_str(o, "sysid", c->u.initialize.sysid,
		    sizeof(c->u.initialize.sysid), bad);
	mt_jget_u32(o, "timeline", &c->u.initialize.timeline, bad);
	mt_jget_bool(o, "runs", &c->u.initialize.runs, bad);
	mt_jget_i64(o, "ttl_ms", &c->u.initialize.ttl_ms, bad);
	mt_jget_i64(o, "at_ms", &c->u.initialize.at_ms, bad);
	if (!json_is_object(config) || c->u.initialize.sysid[0] == '\0' ||
	    c->u.initialize.ttl_ms <= 0 ||
	    c->u.initialize.ttl_ms > MT_TTL_MAX_MS) {
		*bad = true;
		return;
	}
	c->u.initialize.config = json_incref(config);
}

static void
assign_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "expect_epoch", c->u.assign.expect_epoch);
	mt_jset_bool(o, "expect_released", c->u.assign.expect_released);
	mt_jset_u64(o, "expect_sync", c->u.assign.expect_sync);
	mt_jset_i64(o, "ground", c->u.assign.ground);
	mt_jset_str(o, "holder", c->u.assign.holder);
	mt_jset_i64(o, "ttl_ms", c->u.assign.ttl_ms);
	mt_jset_bool(o, "continues", c->u.assign.continues);
	mt_jset_position(o, "min", c->u.assign.min);
	json_object_set_new(o, "decision",
			    mt_decision_to_json(&c->u.assign.decision));
}

static void
assign_from(const json_t *o, struct mt_command *c, bool *bad)
{
	uint32_t ground = MT_GROUND_PROMISES;

	mt_jget_u64(o, "expect_epoch", &c->u.assign.expect_epoch, bad);
	mt_jget_u64(o, "expect_sync", &c->u.assign.expect_sync, bad);
	mt_jget_u32(o, "ground", &ground, bad);
	if (ground > MT_GROUND_SYNC_FENCE)
		*bad = true;
	c->u.assign.ground = (enum mt_ground)ground;
	mt_jget_bool(o, "expect_released", &c->u.assign.expect_released, bad);
	mt_jget_str(o, "holder", c->u.assign.holder, sizeof(c->u.assign.holder),
		    bad);
	mt_jget_i64(o, "ttl_ms", &c->u.assign.ttl_ms, bad);
	mt_jget_bool(o, "continues", &c->u.assign.continues, bad);
	mt_jget_position(o, "min", &c->u.assign.min, bad);
	mt_decision_from_json(mt_jget_object(o, "decision", bad),
			      &c->u.assign.decision, bad);
	if (c->u.assign.ttl_ms <= 0 || c->u.assign.ttl_ms > MT_TTL_MAX_MS ||
	    c->u.assign.holder[0] == '\0')
		*bad = true;
}

static void
release_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "epoch", c->u.release.epoch);
	mt_jset_str(o, "holder", c->u.release.holder);
	mt_jset_bool(o, "clean", c->u.release.clean);
	mt_jset_position(o, "end", c->u.release.end);
	mt_jset_str(o, "why", c->u.release.why);
	mt_jset_i64(o, "at_ms", c->u.release.at_ms);
}

static void
release_from(const json_t *o, struct mt_command *c, bool *bad)
{
	mt_jget_u64(o, "epoch", &c->u.release.epoch, bad);
	mt_jget_str(o, "holder", c->u.release.holder,
		    sizeof(c->u.release.holder), bad);
	mt_jget_bool(o, "clean", &c->u.release.clean, bad);
	mt_jget_position(o, "end", &c->u.release.end, bad);
	mt_jget_str(o, "why", c->u.release.why, sizeof(c->u.release.why), bad);
	mt_jget_i64(o, "at_ms", &c->u.release.at_ms, bad);
}

static const struct {
	enum mt_request_kind kind;
	const char *name;
} request_kinds[] = {
    {MT_REQUEST_SWITCHOVER, "switchover"},
    {MT_REQUEST_FAILOVER, "failover"},
};

static void
request_put_to(const struct mt_command *c, json_t *o)
{
	for (size_t i = 0; i < MT_COUNT(request_kinds); i++)
		if (request_kinds[i].kind == c->u.request_put.kind)
			mt_jset_str(o, "kind", request_kinds[i].name);
	mt_jset_str(o, "leader", c->u.request_put.leader);
	mt_jset_str(o, "candidate", c->u.request_put.candidate);
	mt_jset_i64(o, "scheduled_ms", c->u.request_put.scheduled_ms);
	mt_jset_bool(o, "due", c->u.request_put.due);
	mt_jset_bool(o, "accept_loss", c->u.request_put.accept_loss);
	mt_jset_origin(o, &c->u.request_put.by);
	mt_jset_u64(o, "replaces", c->u.request_put.id);
}

static void
request_put_from(const json_t *o, struct mt_command *c, bool *bad)
{
	const char *kind = json_string_value(json_object_get(o, "kind"));

	for (size_t i = 0; kind != NULL && i < MT_COUNT(request_kinds); i++)
		if (strcmp(request_kinds[i].name, kind) == 0)
			c->u.request_put.kind = request_kinds[i].kind;
	mt_jget_str(o, "leader", c->u.request_put.leader,
		    sizeof(c->u.request_put.leader), bad);
	mt_jget_str(o, "candidate", c->u.request_put.candidate,
		    sizeof(c->u.request_put.candidate), bad);
	mt_jget_i64(o, "scheduled_ms", &c->u.request_put.scheduled_ms, bad);
	mt_jget_bool(o, "due", &c->u.request_put.due, bad);
	mt_jget_bool(o, "accept_loss", &c->u.request_put.accept_loss, bad);
	mt_jget_origin(o, &c->u.request_put.by, bad);
	mt_jget_u64(o, "replaces", &c->u.request_put.id, bad);
	if (c->u.request_put.kind == MT_REQUEST_NONE ||
	    c->u.request_put.scheduled_ms < 0)
		*bad = true;
}

static void
request_clear_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "id", c->u.request_clear.id);
	mt_jset_bool(o, "ok", c->u.request_clear.ok);
	mt_jset_str(o, "text", c->u.request_clear.text);
	json_object_set_new(o, "seen", mt_decision_to_json(&c->seen));
}

static void
request_clear_from(const json_t *o, struct mt_command *c, bool *bad)
{
	mt_jget_u64(o, "id", &c->u.request_clear.id, bad);
	mt_jget_bool(o, "ok", &c->u.request_clear.ok, bad);
	mt_jget_str(o, "text", c->u.request_clear.text,
		    sizeof(c->u.request_clear.text), bad);
	mt_decision_from_json(mt_jget_object(o, "seen", bad), &c->seen, bad);
}

static void
history_put_to(const struct mt_command *c, json_t *o)
{
	json_t *lines = json_array();

	mt_jset_u64(o, "epoch", c->u.history_put.epoch);
	mt_jset_str(o, "holder", c->u.history_put.holder);
	mt_jset_i64(o, "timeline", c->u.history_put.timeline);
	for (int i = 0; i < c->u.history_put.n; i++)
		json_array_append_new(
		    lines, mt_history_to_json(&c->u.history_put.lines[i]));
	json_object_set_new(o, "lines", lines);
}

static void
history_put_from(const json_t *o, struct mt_command *c, bool *bad)
{
	const json_t *item;
	size_t i;

	mt_jget_u64(o, "epoch", &c->u.history_put.epoch, bad);
	mt_jget_str(o, "holder", c->u.history_put.holder,
		    sizeof(c->u.history_put.holder), bad);
	mt_jget_u32(o, "timeline", &c->u.history_put.timeline, bad);
	json_array_foreach (mt_jget_array(o, "lines", bad), i, item) {
		if (i >= MT_HISTORY_MAX) {
			*bad = true;
			return;
		}
		mt_history_from_json(item, &c->u.history_put.lines[i], bad);
		c->u.history_put.n = (int)i + 1;
	}
}

static void
status_put_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "epoch", c->u.status_put.epoch);
	mt_jset_str(o, "holder", c->u.status_put.holder);
	mt_jset_position(o, "optime", c->u.status_put.optime);
}

static void
status_put_from(const json_t *o, struct mt_command *c, bool *bad)
{
	mt_jget_u64(o, "epoch", &c->u.status_put.epoch, bad);
	mt_jget_str(o, "holder", c->u.status_put.holder,
		    sizeof(c->u.status_put.holder), bad);
	mt_jget_position(o, "optime", &c->u.status_put.optime, bad);
}

static void
config_put_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "expect_version", c->u.config_put.expect_version);
	json_object_set(o, "config", c->u.config_put.config);
	if (c->u.config_put.by.who[0] == '\0')
		return;
	mt_jset_origin(o, &c->u.config_put.by);
	mt_jset_i64(o, "at_ms", c->u.config_put.at_ms);
	mt_jset_str(o, "why", c->u.config_put.why);
}

static void
config_put_from(const json_t *o, struct mt_command *c, bool *bad)
{
	json_t *config = json_object_get(o, "config");

	mt_jget_u64(o, "expect_version", &c->u.config_put.expect_version, bad);
	mt_jget_origin(o, &c->u.config_put.by, bad);
	mt_jget_i64(o, "at_ms", &c->u.config_put.at_ms, bad);
	mt_jget_str(o, "why", c->u.config_put.why, sizeof(c->u.config_put.why),
		    bad);
	if (!json_is_object(config))
		*bad = true;
	else
		c->u.config_put.config = json_incref(config);
}

static void
exempt_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "epoch", c->u.exempt.epoch);
	mt_jset_str(o, "holder", c->u.exempt.holder);
	mt_jset_u64(o, "incarnation", c->u.exempt.incarnation);
	mt_jset_u64(o, "ends", c->u.exempt.ends);
	mt_jset_str(o, "reason", c->u.exempt.reason);
}

static void
exempt_from(const json_t *o, struct mt_command *c, bool *bad)
{
	mt_jget_u64(o, "epoch", &c->u.exempt.epoch, bad);
	mt_jget_str(o, "holder", c->u.exempt.holder, sizeof(c->u.exempt.holder),
		    bad);
	mt_jget_u64(o, "incarnation", &c->u.exempt.incarnation, bad);
	mt_jget_u64(o, "ends", &c->u.exempt.ends, bad);
	mt_jget_str(o, "reason", c->u.exempt.reason, sizeof(c->u.exempt.reason),
		    bad);
}

static void
decision_put_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "id", c->u.decision_put.id);
	mt_jset_u64(o, "epoch", c->u.decision_put.epoch);
	mt_jset_str(o, "holder", c->u.decision_put.holder);
	mt_jset_i64(o, "leased_ms", c->u.decision_put.phases.leased_ms);
	mt_jset_i64(o, "promoted_ms", c->u.decision_put.phases.promoted_ms);
	mt_jset_i64(o, "writable_ms", c->u.decision_put.phases.writable_ms);
}

static void
decision_put_from(const json_t *o, struct mt_command *c, bool *bad)
{
	struct mt_phases *p = &c->u.decision_put.phases;

	mt_jget_u64(o, "id", &c->u.decision_put.id, bad);
	mt_jget_u64(o, "epoch", &c->u.decision_put.epoch, bad);
	mt_jget_str(o, "holder", c->u.decision_put.holder,
		    sizeof(c->u.decision_put.holder), bad);
	mt_jget_i64(o, "leased_ms", &p->leased_ms, bad);
	mt_jget_i64(o, "promoted_ms", &p->promoted_ms, bad);
	mt_jget_i64(o, "writable_ms", &p->writable_ms, bad);
	if (p->leased_ms < 0 || p->promoted_ms < 0 || p->writable_ms <= 0)
		*bad = true;
}

static void
rejoin_put_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "epoch", c->u.rejoin_put.epoch);
	mt_jset_str(o, "member", c->u.rejoin_put.member);
	mt_jset_str(o, "how", c->u.rejoin_put.how);
	mt_jset_loss(o, &c->u.rejoin_put.loss);
	mt_jset_i64(o, "at_ms", c->u.rejoin_put.at_ms);
}

static void
rejoin_put_from(const json_t *o, struct mt_command *c, bool *bad)
{
	mt_jget_u64(o, "epoch", &c->u.rejoin_put.epoch, bad);
	mt_jget_str(o, "member", c->u.rejoin_put.member,
		    sizeof(c->u.rejoin_put.member), bad);
	mt_jget_str(o, "how", c->u.rejoin_put.how, sizeof(c->u.rejoin_put.how),
		    bad);
	mt_jget_loss(o, &c->u.rejoin_put.loss, bad);
	mt_jget_i64(o, "at_ms", &c->u.rejoin_put.at_ms, bad);
	if (c->u.rejoin_put.member[0] == '\0')
		*bad = true;
}

static void
sync_put_to(const struct mt_command *c, json_t *o)
{
	mt_jset_u64(o, "epoch", c->u.sync_put.epoch);
	json_object_set_new(o, "sync", mt_sync_to_json(&c->u.sync_put.sync));
}

static void
sync_put_from(const json_t *o, struct mt_command *c, bool *bad)
{
	mt_jget_u64(o, "epoch", &c->u.sync_put.epoch, bad);
	mt_sync_from_json(mt_jget_object(o, "sync", bad), &c->u.sync_put.sync,
			  bad);
	if (c->u.sync_put.sync.leader[0] == '\0')
		*bad = true;
}

static const struct codec {
	enum mt_command_kind kind;
	const char *name;
	void (*to)(const struct mt_command *c, json_t *o);
	void (*from)(const json_t *o, struct mt_command *c, bool *bad);
} codecs[] = {
    {MT_CMD_MEMBER_PUT, "member.put", member_put_to, member_put_from},
    {MT_CMD_BOOTSTRAP_CLAIM, "bootstrap.claim", bootstrap_claim_to,
     bootstrap_claim_from},
    {MT_CMD_BOOTSTRAP_WITHDRAW, "bootstrap.withdraw", bootstrap_claim_to,
     bootstrap_claim_from},
    {MT_CMD_CLUSTER_INITIALIZE, "cluster.initialize", initialize_to,
     initialize_from},
    {MT_CMD_LEADER_ASSIGN, "leader.assign", assign_to, assign_from},
    {MT_CMD_LEADER_RELEASE, "leader.release", release_to, release_from},
    {MT_CMD_REQUEST_PUT, "request.put", request_put_to, request_put_from},
    {MT_CMD_REQUEST_CLEAR, "request.clear", request_clear_to,
     request_clear_from},
    {MT_CMD_HISTORY_PUT, "history.put", history_put_to, history_put_from},
    {MT_CMD_STATUS_PUT, "status.put", status_put_to, status_put_from},
    {MT_CMD_CONFIG_PUT, "config.put", config_put_to, config_put_from},
    {MT_CMD_LEADER_EXEMPT, "leader.exempt", exempt_to, exempt_from},
    {MT_CMD_DECISION_PUT, "decision.put", decision_put_to, decision_put_from},
    {MT_CMD_REJOIN_PUT, "rejoin.put", rejoin_put_to, rejoin_put_from},
    {MT_CMD_SYNC_PUT, "sync.put", sync_put_to, sync_put_from},
};

const char *
mt_command_name(enum mt_command_kind kind)
{
	for (size_t i = 0; i < MT_COUNT(codecs); i++)
		if (codecs[i].kind == kind)
			return codecs[i].name;
	return "none";
}

/* Who asks, where the command says that. */
static struct mt_origin *
origin_of(struct mt_command *cmd)
{
	if (cmd->kind == MT_CMD_REQUEST_PUT)
		return &cmd->u.request_put.by;
	if (cmd->kind == MT_CMD_REQUEST_CLEAR)
		return &cmd->seen.by;
	if (cmd->kind == MT_CMD_CONFIG_PUT)
		return &cmd->u.config_put.by;
	return NULL;
}

void
mt_command_lower(struct mt_command *cmd, uint32_t version)
{
	struct mt_origin *by = origin_of(cmd);

	if (by != NULL && version < 2)
		memset(by, 0, sizeof(*by));
}

static int
version_of(const struct mt_command *cmd)
{
	const struct mt_origin *by = origin_of((struct mt_command *)cmd);

	return by != NULL && by->who[0] != '\0' ? 2 : 1;
}

int
mt_command_encode(const struct mt_command *cmd, char **text, size_t *n)
{
	json_t *o = json_object();
	char *t;

	mt_jset_i64(o, "v", version_of(cmd));
	mt_jset_str(o, "c", mt_command_name(cmd->kind));
	for (size_t i = 0; i < MT_COUNT(codecs); i++)
		if (codecs[i].kind == cmd->kind)
			codecs[i].to(cmd, o);
	t = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (t == NULL)
		return MT_ENOMEM;
	if (strlen(t) > MT_COMMAND_MAX) {
		free(t);
		return MT_EINVAL;
	}
	*text = t;
	*n = strlen(t);
	return 0;
}

/* MT_EPROTO: no command at all. MT_EREFUSED: one that we do not know. */
int
mt_command_decode(struct mt_command *cmd, const char *text, size_t n,
		  struct mt_err *err)
{
	json_error_t je;
	json_t *o = n <= MT_COMMAND_MAX
			? json_loadb(text, n, JSON_REJECT_DUPLICATES, &je)
			: NULL;
	const char *name = json_string_value(json_object_get(o, "c"));
	int64_t version = 0;
	bool bad = false;
	int rv = 0;
	size_t i;

	mt_jget_i64(o, "v", &version, &bad);
	memset(cmd, 0, sizeof(*cmd));
	if (name == NULL || bad || version <= 0) {
		rv = mt_err_set(err, MT_EPROTO, "malformed command");
		goto out;
	}
	for (i = 0; i < MT_COUNT(codecs); i++)
		if (strcmp(codecs[i].name, name) == 0)
			break;
	if (version > MT_COMMAND_VERSION || i == MT_COUNT(codecs)) {
		rv = mt_err_set(err, MT_EREFUSED,
				"command \"%s\" of version %lld is not known "
				"to this program; upgrade it",
				name, (long long)version);
		goto out;
	}
	cmd->kind = codecs[i].kind;
	codecs[i].from(o, cmd, &bad);
	mt_command_lower(cmd, (uint32_t)version);
	if (bad) {
		mt_command_release(cmd);
		rv = mt_err_set(err, MT_EPROTO, "malformed command \"%s\"",
				name);
	}
out:
	json_decref(o);
	return rv;
}

void
mt_command_release(struct mt_command *cmd)
{
	if (cmd->kind == MT_CMD_CLUSTER_INITIALIZE)
		json_decref(cmd->u.initialize.config);
	if (cmd->kind == MT_CMD_CONFIG_PUT)
		json_decref(cmd->u.config_put.config);
	cmd->kind = MT_CMD_NONE;
}
