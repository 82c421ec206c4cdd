/* SPDX-License-Identifier: PostgreSQL */
/* Commands and states for the tests of the log. */
#ifndef MT_TEST_CORE_GIVEN_COMMAND_H
#define MT_TEST_CORE_GIVEN_COMMAND_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/command.h"

#define SYSID "7300000000000000001"
#define BIG UINT64_C(0xfedcba9876543210)

static inline struct mt_command
member_put(const char *name, uint64_t raft_id)
{
	struct mt_command c = {.kind = MT_CMD_MEMBER_PUT};
	struct mt_member *m = &c.u.member_put;

	mt_copy(m->name, sizeof(m->name), name);
	m->raft_id = raft_id;
	m->command_version = 1;
	mt_format(m->peer_addr, sizeof(m->peer_addr), "%s:2380", name);
	mt_format(m->api_url, sizeof(m->api_url), "http://%s:8008/", name);
	mt_format(m->conn_url, sizeof(m->conn_url), "postgres://%s/", name);
	mt_copy(m->tags, sizeof(m->tags), "{\"nofailover\":true}");
	mt_copy(m->version, sizeof(m->version), "0.1.0");
	return c;
}

static inline struct mt_command
claim(const char *name, uint64_t incarnation)
{
	struct mt_command c = {.kind = MT_CMD_BOOTSTRAP_CLAIM};

	mt_copy(c.u.claim.member, MT_NAME_MAX, name);
	c.u.claim.incarnation = incarnation;
	return c;
}

static inline struct mt_command
withdraw(const char *name, uint64_t incarnation)
{
	struct mt_command c = claim(name, incarnation);

	c.kind = MT_CMD_BOOTSTRAP_WITHDRAW;
	return c;
}

/* config is borrowed */
static inline struct mt_command
initialize(const char *name, uint64_t incarnation, json_t *config)
{
	struct mt_command c = {.kind = MT_CMD_CLUSTER_INITIALIZE};

	mt_copy(c.u.initialize.claim.member, MT_NAME_MAX, name);
	c.u.initialize.claim.incarnation = incarnation;
	mt_copy(c.u.initialize.sysid, MT_SYSID_MAX, SYSID);
	c.u.initialize.ttl_ms = 5000;
	c.u.initialize.at_ms = 1700000000000;
	c.u.initialize.config = config;
	return c;
}

/* The same of data that was there before; config is borrowed. */
static inline struct mt_command
adopt(const char *name, uint64_t incarnation, uint64_t data_id, bool runs,
      uint32_t timeline, json_t *config)
{
	struct mt_command c = initialize(name, incarnation, config);

	c.u.initialize.claim.adopts = data_id;
	c.u.initialize.runs = runs;
	c.u.initialize.timeline = timeline;
	return c;
}

static inline struct mt_command
assign(uint64_t expect_epoch, bool expect_released, const char *holder,
       bool continues)
{
	struct mt_command c = {.kind = MT_CMD_LEADER_ASSIGN};
	struct mt_decision *d = &c.u.assign.decision;

	c.u.assign.expect_epoch = expect_epoch;
	c.u.assign.expect_released = expect_released;
	mt_copy(c.u.assign.holder, MT_NAME_MAX, holder);
	c.u.assign.ttl_ms = 6000;
	c.u.assign.continues = continues;
	c.u.assign.min = (struct mt_position){.timeline = 2, .lsn = 100};
	d->at_ms = 1700000000001;
	mt_copy(d->rule, sizeof(d->rule), "released");
	mt_copy(d->from, sizeof(d->from), "a");
	mt_copy(d->to, sizeof(d->to), holder);
	mt_copy(d->why, sizeof(d->why), "because");
	d->n_verdicts = 2;
	mt_copy(d->verdicts[0].name, MT_NAME_MAX, "a");
	mt_copy(d->verdicts[0].rule, MT_RULE_MAX, "leaves");
	mt_copy(d->verdicts[1].name, MT_NAME_MAX, holder);
	mt_copy(d->verdicts[1].rule, MT_RULE_MAX, "chosen");
	d->verdicts[1].at = (struct mt_position){.timeline = 2, .lsn = BIG};
	return c;
}

static inline struct mt_command
release(uint64_t epoch, const char *holder, bool clean)
{
	struct mt_command c = {.kind = MT_CMD_LEADER_RELEASE};

	c.u.release.epoch = epoch;
	mt_copy(c.u.release.holder, MT_NAME_MAX, holder);
	c.u.release.clean = clean;
	if (clean)
		c.u.release.end =
		    (struct mt_position){.timeline = 1, .lsn = 0x5000028};
	mt_copy(c.u.release.why, MT_WHY_MAX, "asked to end");
	return c;
}

static inline struct mt_command
request_put(const char *leader, const char *candidate)
{
	struct mt_command c = {.kind = MT_CMD_REQUEST_PUT};

	c.u.request_put.kind = MT_REQUEST_SWITCHOVER;
	mt_copy(c.u.request_put.leader, MT_NAME_MAX, leader);
	mt_copy(c.u.request_put.candidate, MT_NAME_MAX, candidate);
	return c;
}

static inline struct mt_command
failover_put(const char *candidate)
{
	struct mt_command c = request_put("", candidate);

	c.u.request_put.kind = MT_REQUEST_FAILOVER;
	return c;
}

/* In place of the scheduled one with the id replaces. */
static inline struct mt_command
scheduled_put(const char *leader, int64_t scheduled_ms, uint64_t replaces)
{
	struct mt_command c = request_put(leader, "");

	c.u.request_put.scheduled_ms = scheduled_ms;
	c.u.request_put.id = replaces;
	return c;
}

/* The scheduled one with that id, put anew by its leader. */
static inline struct mt_command
due_put(const char *leader, const char *candidate, uint64_t replaces)
{
	struct mt_command c = request_put(leader, candidate);

	c.u.request_put.id = replaces;
	c.u.request_put.due = true;
	return c;
}

static inline struct mt_command
request_clear(uint64_t id)
{
	struct mt_command c = {.kind = MT_CMD_REQUEST_CLEAR};

	c.u.request_clear.id = id;
	c.u.request_clear.ok = true;
	mt_copy(c.u.request_clear.text, MT_WHY_MAX, "it was withdrawn");
	return c;
}

/* Timelines 1 to n, ended at 16 times their number. */
static inline struct mt_command
history_put(uint64_t epoch, const char *holder, int n)
{
	struct mt_command c = {.kind = MT_CMD_HISTORY_PUT};

	c.u.history_put.epoch = epoch;
	mt_copy(c.u.history_put.holder, MT_NAME_MAX, holder);
	c.u.history_put.n = n;
	c.u.history_put.timeline = (uint32_t)n + 1;
	for (int i = 0; i < n; i++) {
		struct mt_history *h = &c.u.history_put.lines[i];

		h->timeline = (uint32_t)i + 1;
		h->lsn = 16 * ((uint64_t)i + 1);
		mt_copy(h->reason, sizeof(h->reason),
			"no recovery target specified");
	}
	return c;
}

static inline struct mt_command
status_put(uint64_t epoch, const char *holder, uint64_t lsn)
{
	struct mt_command c = {.kind = MT_CMD_STATUS_PUT};

	c.u.status_put.epoch = epoch;
	mt_copy(c.u.status_put.holder, MT_NAME_MAX, holder);
	c.u.status_put.optime = (struct mt_position){.timeline = 1, .lsn = lsn};
	return c;
}

/* Standbys are named by a letter each, in order. */
static inline struct mt_command
sync_put(uint64_t epoch, const char *holder, uint64_t version,
	 const char *letters, int k)
{
	struct mt_command c = {.kind = MT_CMD_SYNC_PUT};
	struct mt_sync *sync = &c.u.sync_put.sync;

	c.u.sync_put.epoch = epoch;
	mt_copy(sync->leader, MT_NAME_MAX, holder);
	sync->version = version;
	sync->k = k;
	for (; *letters != '\0'; letters++) {
		sync->standbys[sync->n].name[0] = *letters;
		sync->standbys[sync->n++].data_id = BIG + (uint64_t)*letters;
	}
	return c;
}

static inline struct mt_origin
origin(const char *who)
{
	struct mt_origin by = {.from = "fd00::1"};

	mt_copy(by.who, sizeof(by.who), who);
	return by;
}

/* The same command, asked for over the API. */
static inline struct mt_command
asked_by(const char *who, struct mt_command c)
{
	if (c.kind == MT_CMD_REQUEST_PUT) {
		c.u.request_put.by = origin(who);
	} else if (c.kind == MT_CMD_REQUEST_CLEAR) {
		c.seen.by = origin(who);
	} else {
		c.u.config_put.by = origin(who);
		c.u.config_put.at_ms = 1700000000002;
		mt_copy(c.u.config_put.why, MT_WHY_MAX, "changed: ttl");
	}
	return c;
}

/* config is borrowed */
static inline struct mt_command
config_put(uint64_t expect_version, json_t *config)
{
	struct mt_command c = {.kind = MT_CMD_CONFIG_PUT};

	c.u.config_put.expect_version = expect_version;
	c.u.config_put.config = config;
	return c;
}

static inline struct mt_command
exempt(uint64_t epoch, const char *holder, uint64_t incarnation, uint64_t ends)
{
	struct mt_command c = {.kind = MT_CMD_LEADER_EXEMPT};

	c.u.exempt.epoch = epoch;
	mt_copy(c.u.exempt.holder, MT_NAME_MAX, holder);
	c.u.exempt.incarnation = incarnation;
	c.u.exempt.ends = ends;
	mt_copy(c.u.exempt.reason, MT_RULE_MAX, "pause");
	return c;
}

static inline struct mt_command
decision_put(uint64_t id, uint64_t epoch, const char *holder)
{
	struct mt_command c = {.kind = MT_CMD_DECISION_PUT};

	c.u.decision_put.id = id;
	c.u.decision_put.epoch = epoch;
	mt_copy(c.u.decision_put.holder, MT_NAME_MAX, holder);
	c.u.decision_put.phases.leased_ms = 10;
	c.u.decision_put.phases.promoted_ms = 20;
	c.u.decision_put.phases.writable_ms = 30;
	return c;
}

static inline struct mt_command
rejoin_put(uint64_t epoch, const char *member, uint64_t to)
{
	struct mt_command c = {.kind = MT_CMD_REJOIN_PUT};

	c.u.rejoin_put.epoch = epoch;
	mt_copy(c.u.rejoin_put.member, MT_NAME_MAX, member);
	mt_copy(c.u.rejoin_put.how, MT_RULE_MAX, "pg_rewind");
	c.u.rejoin_put.loss =
	    (struct mt_loss){.timeline = 1, .from = 0x1000000, .to = to};
	c.u.rejoin_put.at_ms = 1700000000002;
	return c;
}

/* Apply by way of its bytes, as everything comes from the log. */
static inline int
apply(struct mt_state *s, const struct mt_command *cmd)
{
	struct mt_err err = {0};
	char *text;
	size_t n;
	int rv;

	ck_assert_int_eq(mt_command_encode(cmd, &text, &n), 0);
	rv = mt_state_apply(s, s->index + 1, text, n, &err);
	free(text);
	ck_assert_int_eq(err.code, rv);
	return rv;
}

static inline void
applied(struct mt_state *s, struct mt_command cmd)
{
	ck_assert_int_eq(apply(s, &cmd), 0);
}

/* Members a, b (with PostgreSQL) and the witness x. */
static inline void
given_members(struct mt_state *s)
{
	struct mt_command x = member_put("x", 3);

	mt_state_init(s);
	x.u.member_put.witness = true;
	applied(s, member_put("a", 1));
	applied(s, member_put("b", 2));
	applied(s, x);
}

/* Epoch 1 is a's. */
static inline void
given_initialized(struct mt_state *s)
{
	json_t *config = json_pack("{s:i}", "ttl", 5);

	given_members(s);
	applied(s, claim("a", 10));
	applied(s, initialize("a", 10, config));
	json_decref(config);
}

#endif
