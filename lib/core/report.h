/* SPDX-License-Identifier: PostgreSQL */
/*
 * A report: what a node tells all others about itself, every second, every
 * 100 ms in synchronous mode, and at once on a change. It is never logged and
 * may be lost.
 */
#ifndef MT_CORE_REPORT_H
#define MT_CORE_REPORT_H

#include "core/state.h"

/* What a member finds of the PostgreSQL of a holder that is silent. */
enum mt_port {
	MT_PORT_UNKNOWN, /* not silent, or its port was not tried yet */
	MT_PORT_ACCEPTS,
	MT_PORT_DEAD,    /* refused, or unanswered */
	MT_PORT_STREAMS, /* whatever the port does: WAL still arrives */
};

#define MT_REPORT_PENDING_MAX 1024
#define MT_REPORT_SCHEDULED_MAX 256

struct mt_report {
	uint64_t incarnation;
	uint64_t seq;          /* plus one for each report of an incarnation */
	struct mt_member self; /* as it wants to be known */
	uint64_t applied;      /* log index */
	uint64_t fenced, given_up;
	uint64_t pg_epoch;    /* of the data that is there */
	uint64_t lease_epoch; /* held with time left, or 0 */
	uint64_t data_id;     /* of its data directory */
	uint64_t stopped;     /* the fence under which it receives no WAL */
	uint16_t interval_ms; /* in which it reports */
	uint64_t port_epoch;  /* the epoch whose holder's port is meant */
	enum mt_port port;
	enum mt_pg_state pg_state;
	enum mt_pg_role pg_role;
	bool has_data;         /* a data directory with a cluster in it */
	bool no_data;          /* it looked, and there is none; if neither is
				* so, it does not know yet, or cannot tell */
	bool bootstrap_ready;  /* could bootstrap: has the section, no data */
	bool bootstrap_failed; /* and will not try again by itself */
	bool streaming;        /* a walreceiver streams */
	bool restoring; /* a standby that does not, and would get WAL from
			 * its restore_command */
	bool writable;  /* primary, out of recovery, answering */
	bool serving;   /* and has a slot for each member: follow it */
	bool nofailover;
	bool healthy; /* running, answering its session */
	bool pending_restart;
	bool rewindable; /* its control file is of its timeline: rewind to it */
	bool holds_turn; /* its data ran as primary in the present turn */
	bool unfenced;   /* fencing: off, no sentinel ends its primary */
	bool hung;       /* its primary does not answer, nor end when killed */
	bool stopping;   /* its daemon ends, and its PostgreSQL with it */
	bool refuses;    /* its pre_promote has failed less than ttl ago */
	bool restored;   /* from a backup, and followed nobody since */
	bool wants_clone; /* and waits for its place */
	int failover_priority;
	char sysid[MT_SYSID_MAX];
	/* Primary: current; standby: received. Before there is a cluster, and
	 * with the server down: where its data ends. */
	struct mt_position at;
	uint64_t replayed_lsn;
	uint32_t server_version;
	uint64_t config_index, config_term; /* of its last whole round */
	uint16_t clone_percent;             /* while creating a replica */
	uint8_t n_clones;                   /* as primary: who may clone now */
	uint64_t clones[MT_NODES_MAX];      /* their Raft ids */
	char job[48];                       /* long action under way, or "" */
	char why[MT_WHY_MAX]; /* what it waits for or suffers from, or "" */
	/* With pending_restart: name to {old_value, new_value}, as JSON. */
	char pending[MT_REPORT_PENDING_MAX];
	/* The scheduled restart, as JSON: the body of POST /restart; "" = none
	 */
	char scheduled[MT_REPORT_SCHEDULED_MAX];
};

#define MT_REPORT_SIZE_MAX 4096
/* Encode for a peer message; returns bytes written (always fits). */
size_t mt_report_encode(const struct mt_report *r, void *buf, size_t size);
int mt_report_decode(struct mt_report *r, const void *p, size_t n,
		     struct mt_err *err) MT_MUSTCHECK;

/* The newest report of each node, kept by name, own report included. */
struct mt_seen {
	struct mt_report report;
	int64_t at_ms; /* own clock when it arrived */
	bool gone;     /* its daemon's stream closed since */
};

struct mt_reports {
	int n;
	struct mt_seen seen[MT_NODES_MAX];
};

/* Take a report in: older ones of the same incarnation, and any of an older
 * incarnation, are dropped (false). */
bool mt_reports_take(struct mt_reports *all, const struct mt_report *r,
		     int64_t now_ms);
const struct mt_seen *mt_reports_find(const struct mt_reports *all,
				      const char *name);
/* A member counts as reported for 3 of its intervals, and at least 1 s. */
bool mt_report_is_fresh(const struct mt_seen *seen, int64_t now_ms);
#define MT_REPORT_INTERVAL_MS 1000
#define MT_REPORT_SYNC_INTERVAL_MS 100 /* while a synchronous set stands */
int64_t mt_report_interval_ms(const struct mt_state *s);

#endif
