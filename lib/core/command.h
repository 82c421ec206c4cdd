/* SPDX-License-Identifier: PostgreSQL */
/*
 * Commands: the entries of the Raft log. A command is one JSON object,
 * {"v":1,"c":"leader.assign",...}. What depends on what its proposer saw is a
 * condition in the command, checked at apply: a command whose condition does
 * not hold is refused and changes nothing, so that retrying is always safe.
 *
 *   command             conditions                      proposed by
 *   member.put          room for another member         controller
 *   bootstrap.claim     not initialized, not claimed    controller
 *   bootstrap.withdraw  claim is that one               controller
 *   cluster.initialize  claim is the proposer's         claimant
 *   leader.assign       epoch, release, sync as seen    controller
 *   leader.release      epoch as seen, by its holder    holder
 *   leader.exempt       epoch as seen, by its holder;   holder
 *                       to end it: that exemption stands
 *   request.put         no other is under way, and the  any (for a client),
 *                       scheduled one is as seen; when  holder (when due)
 *                       due, no exemption stands
 *   request.clear       request id as seen              holder, any (cancel)
 *   history.put         epoch as seen, by its holder    holder
 *   sync.put            epoch and sync as seen          holder
 *   status.put          epoch as seen, by its holder    holder
 *   config.put          config version as seen          any (for a client)
 *   decision.put        decision as seen, by its `to`   holder
 *   rejoin.put          epoch as seen, not named yet    who throws data away
 */
#ifndef MT_CORE_COMMAND_H
#define MT_CORE_COMMAND_H

#include "core/state.h"

enum mt_command_kind {
	MT_CMD_NONE,
	MT_CMD_MEMBER_PUT,
	MT_CMD_BOOTSTRAP_CLAIM,
	MT_CMD_BOOTSTRAP_WITHDRAW,
	MT_CMD_CLUSTER_INITIALIZE,
	MT_CMD_LEADER_ASSIGN,
	MT_CMD_LEADER_RELEASE,
	MT_CMD_REQUEST_PUT,
	MT_CMD_REQUEST_CLEAR,
	MT_CMD_HISTORY_PUT,
	MT_CMD_STATUS_PUT,
	MT_CMD_CONFIG_PUT,
	MT_CMD_LEADER_EXEMPT,
	MT_CMD_DECISION_PUT,
	MT_CMD_REJOIN_PUT,
	MT_CMD_SYNC_PUT,
};

struct mt_command {
	enum mt_command_kind kind;
	union {
		struct mt_member member_put;
		struct mt_claim claim, withdraw;
		struct {
			struct mt_claim claim;
			char sysid[MT_SYSID_MAX];
			uint32_t timeline; /* of the data; 0 counts as 1 */
			/* The claimant's server runs as primary: it is exempt
			 * from stopping until it has a lease. */
			bool runs;
			int64_t ttl_ms;
			int64_t at_ms;
			json_t *config; /* borrowed */
		} initialize;
		struct {
			uint64_t expect_epoch;
			bool expect_released;
			uint64_t expect_sync; /* version */
			enum mt_ground ground;
			char holder[MT_NAME_MAX];
			int64_t ttl_ms;
			bool continues;
			struct mt_position min;
			struct mt_decision decision; /* id is given at apply */
		} assign;
		struct {
			uint64_t epoch;
			char holder[MT_NAME_MAX];
			bool clean;
			struct mt_position end;
			char why[MT_WHY_MAX];
			int64_t at_ms;
		} release;
		/* id is that of the scheduled request which it replaces, 0 =
		 * there was none; its own is given at apply. An assignment to
		 * another holder ends the request, whatever it asked for. */
		struct mt_request request_put;
		struct mt_request_result request_clear;
		struct {
			uint64_t epoch;
			char holder[MT_NAME_MAX];
			uint32_t timeline; /* that the lines lead to */
			int n;
			struct mt_history lines[MT_HISTORY_MAX];
		} history_put;
		struct {
			uint64_t epoch;
			char holder[MT_NAME_MAX];
			struct mt_position optime;
		} status_put;
		struct {
			uint64_t expect_version;
			json_t *config; /* borrowed */
			/* With an origin it is recorded as a decision. */
			struct mt_origin by;
			int64_t at_ms;
			char why[MT_WHY_MAX];
		} config_put;
		/* ends 0: from here on the holder need not stop at its lease's
		 * end; else that exemption (its log index) is over. */
		struct {
			uint64_t epoch;
			char holder[MT_NAME_MAX];
			uint64_t incarnation;
			uint64_t ends;
			char reason[MT_RULE_MAX];
		} exempt;
		struct { /* the phases that only the new holder can know */
			uint64_t id, epoch; /* of the decision */
			char holder[MT_NAME_MAX];
			struct mt_phases phases;
		} decision_put;
		struct {
			uint64_t epoch;
			char member[MT_NAME_MAX]; /* who throws it away */
			char how[MT_RULE_MAX];    /* "pg_rewind", "clone" */
			struct mt_loss loss;
			int64_t at_ms;
		} rejoin_put;
		struct {
			uint64_t epoch;
			struct mt_sync sync; /* version: the one as seen */
		} sync_put;
	} u;
	/* REQUEST_CLEAR: time, verdicts and who cancels it, for the record. */
	struct mt_decision seen;
};

#define MT_COMMAND_MAX (256 * 1024) /* bytes of one encoded command */

/* Make it a command that members can apply of whom one knows this version at
 * most, and all alike: what later ones have besides is dropped. */
void mt_command_lower(struct mt_command *cmd, uint32_t version);

/* *text is owned by the caller (free). The version is the least that has all
 * that is in it. */
int mt_command_encode(const struct mt_command *cmd, char **text,
		      size_t *n) MT_MUSTCHECK;

/* Decode a command that came from outside, to see what it is. The document of
 * initialize and config_put is a new reference: mt_command_release. */
int mt_command_decode(struct mt_command *cmd, const char *text, size_t n,
		      struct mt_err *err) MT_MUSTCHECK;
void mt_command_release(struct mt_command *cmd);

/* Apply the entry at this index. Returns 0, or a negative code and why it was
 * refused; a refusal is part of the agreed history and changes nothing but
 * s->index. An entry of a version or kind that we do not know sets
 * s->unknown_command: the node must stop applying and say so. */
int mt_state_apply(struct mt_state *s, uint64_t index, const char *text,
		   size_t n, struct mt_err *err);

const char *mt_command_name(enum mt_command_kind kind);

#endif
