/* SPDX-License-Identifier: PostgreSQL */
/* Shared by postgres*.c. */
#ifndef MT_DAEMON_POSTGRES_INTERNAL_H
#define MT_DAEMON_POSTGRES_INTERNAL_H

#include "daemon/guard.h"
#include "daemon/postgres.h"
#include "pg/accept.h"
#include "pg/bins.h"
#include "pg/conninfo.h"
#include "pg/control.h"
#include "pg/files.h"
#include "pg/jobs.h"
#include "pg/session.h"
#include "pg/walend.h"

/* What the "unfinished" marker says of a bootstrapped directory that the
 * cluster has not taken yet: all there, and nobody's. */
#define POSTGRES_UNCLAIMED "unclaimed"

/* A deadline that never comes: an exemption in the sentinel's page. */
#define POSTGRES_NEVER_MS (INT64_MAX / 2)

struct mt_postgres;
struct postgres__volume; /* postgres_hang.c */
struct postgres__end;    /* postgres_end.c */
struct postgres__script; /* postgres_script.c */

/* A piece of file work: inputs, then what came of it. */
struct file_work {
	uv_work_t req;
	struct file_work *next;
	struct mt_postgres *pg;
	void (*work)(struct file_work *w); /* in a worker */
	void (*done)(struct file_work *w); /* on the loop */
	int rv;
	struct mt_err err;
	/* inspect, adopt */
	enum mt_pg_dir kind;
	char what[MT_PG_UNFINISHED_MAX];
	uint64_t data_id;
	char first_segment[MT_PG_SEGMENT_MAX];
	bool only_read, has_label;
	/* role */
	json_t *parameters;  /* owned */
	json_t *other_files; /* owned; mt_pgconf_files */
	uint64_t version;    /* of both */
	struct mt_pg_follow follow;
	bool standby, only_conf, changed;
	struct mt_names names; /* kept beside, for a restarted daemon */
	bool names_any;
	int64_t deadline_ms;
	struct mt_pg_pidfile pidfile;
	/* timelines to pass over */
	uint32_t own_timeline, timeline;
	/* pgpass */
	struct mt_pg_target targets[MT_NODES_MAX];
	size_t n_targets;
};

/* Where a change of names, or a fence, is on its way. */
enum sync_step {
	SYNC_SHOWN,
	SYNC_WALSENDERS,
	SYNC_CHECKPOINT,
	SYNC_NUDGE,
	SYNC_MARK,
	SYNC_FENCE,
	SYNC_IDENTIFY,
	SYNC_PAUSE,
	SYNC_POSITION,
	SYNC_RESUME,
};

enum stop_mode { STOP_NONE, STOP_FAST, STOP_IMMEDIATE };

struct mt_postgres {
	uv_loop_t *loop;
	const struct mt_conf *conf;
	void (*wake)(void *arg);
	void *wake_arg;
	struct mt_pg_bins bins;
	bool asking_version;   /* of them; under way */
	bool begun;            /* what there is is looked at now */
	bool use_slots;        /* a standby asks for its slot */
	json_t *document;      /* agreed on; NULL: none yet */
	bool document_stale;   /* its copy beside the data may be another one */
	json_t *kept_document; /* that copy at the start, or NULL */
	/* in a role, postgres_conf.c */
	json_t *given[MT_CONF_ROLES];       /* as document and file have them */
	bool judged[MT_CONF_ROLES];         /* PostgreSQL was asked */
	json_t *parameters[MT_CONF_ROLES];  /* as it takes them */
	json_t *other_files[MT_CONF_ROLES]; /* mt_pgconf_files */
	uint64_t version;                   /* counts changes of the last two */
	struct mt_pg_accept *accepting;     /* asking */
	enum mt_conf_role accepting_role;
	bool given_anew;  /* what is asked counts no more */
	bool configured;  /* all were judged once */
	bool has_members; /* pgpass is written for those there are */
	uint64_t reloads; /* that went well */
	char trouble[MT_WHY_MAX];

	/* data directory */
	enum mt_data_kind data;
	char sysid[MT_SYSID_MAX];
	uint64_t data_id;
	bool bootstrapped; /* by this node; still marked as unclaimed */
	bool fresh;        /* by this process, and never started since */
	bool restored;     /* from a backup, and has followed nobody since */
	bool has_label;    /* backup_label: a copy, never started */
	bool bootstrap_failed;
	struct mt_pg_control control;
	bool control_known;
	struct mt_child *reading;              /* pg_controldata under way */
	struct postgres__end *ending;          /* pg_waldump under way */
	char first_segment[MT_PG_SEGMENT_MAX]; /* of the newest timeline */
	struct mt_position end; /* of the write-ahead log; timeline 0 unknown */
	int64_t rewound_ms;
	int rewinds; /* in short succession */

	/* server */
	struct mt_guard *guard;
	bool guard_ready; /* on_started came */
	bool adopting;    /* it was there before us; its files are looked at */
	bool foreign;     /* found running, by a sentinel that watches it */
	bool bare;        /* it was without one when this process came */
	bool found_primary; /* as its files say, while adopting */
	uint64_t found_id;
	pid_t found_pid;
	bool joined; /* the cluster is its, or it the cluster's */
	bool place_asked, place_known; /* that it reads what we write */
	bool as_primary;
	bool died;
	int64_t died_ms;
	enum stop_mode stopping;
	char upstream[MT_NAME_MAX], upstream_url[MT_URL_MAX];
	int64_t armed_ms;
	bool exempt; /* armed_ms does not count */

	/* what others do in the data directory, postgres_find.c */
	bool watching, was_absent;
	uv_fs_event_t changes;
	uv_timer_t settle;

	/* configuration of the running server, postgres_reload.c */
	bool stale; /* its files are not those of parameters */
	bool reloading;
	bool pending_asked;
	json_t *seen_settings; /* as mt_postgres_settings gives it; owned */
	char pending[MT_REPORT_PENDING_MAX]; /* what waits, "" = nothing */
	int64_t pending_ms;                  /* when it was last asked for */

	/* postgres_conflict.c */
	struct mt_child *conflict_reading; /* pg_controldata under way */
	bool pause_seen; /* this pause of the replay was looked into */

	/* who may log in, postgres_users.c */
	bool users_known, users_asked; /* all well; under way */
	int64_t users_ms;              /* when it was last asked */
	char users_trouble[MT_WHY_MAX];

	/* sessions */
	struct mt_session *session;    /* looks and short statements */
	struct mt_session *worker;     /* checkpoints before a switchover */
	struct mt_session *settler;    /* the one after a promotion */
	struct mt_session *identifier; /* where a standby's data ends */
	struct mt_pg_info info;        /* of this postmaster; at_ms 0 = none */
	struct mt_position at; /* the furthest it was seen at, see look_cb */
	bool looking;
	int64_t look_ms;    /* when the next look is due */
	int64_t asked_ms;   /* when the last one was asked */
	int64_t receipt_ms; /* and the one that info is of */
	int64_t heard_ms; /* after that the walreceiver had a message, 0 = none
			   * that two looks in a row have shown */
	int64_t every_ms;
	uint32_t history_of; /* timeline whose history was read, 0 none */
	bool history_asked;
	int n_history;
	struct mt_history history[MT_HISTORY_MAX];

	/* synchronous replication, postgres_sync.c */
	bool is_standby;                     /* as its files have it */
	struct mt_pg_follow follow;          /* of a standby */
	struct mt_names names, names_before; /* written; last proven */
	bool names_any, names_managed, names_settled;
	uint64_t names_mark;
	uint64_t fence, stopped;
	int n_flushed;
	struct mt_flushed flushed[MT_NODES_MAX];
	int n_members; /* names of all members with PostgreSQL */
	char members[MT_NODES_MAX][MT_NAME_MAX];
	enum sync_step sync_step;
	uv_timer_t again;
	int quiet;         /* looks in a row that found no walreceiver */
	bool at_end;       /* the replay has come to the end of what is there */
	uint64_t received; /* by this life's walreceivers, while it is fenced */
	bool adopted; /* this server's life did not begin before our eyes */

	/* the long action */
	enum mt_job job;
	int64_t job_since_ms, job_until_ms; /* until 0 = no limit */
	struct mt_pg_job *work;
	json_t *work_parameters; /* those that it was begun with */
	int percent;
	char step[64]; /* of work */
	enum mt_job last_job;
	bool last_job_failed;
	bool source_gone; /* the last rewind could not reach its source */
	int64_t last_job_ms;
	int failures;
	uint64_t checkpoint_id, checkpoint_for;
	int64_t promote_sent_ms;
	int slots_waiting;
	bool slots_failed;

	/* postgres_script.c; those that are waited for, and all that run */
	struct postgres__script *pre_promote, *before_stop, *scripts;
	uint64_t pre_promoted; /* the turn, by its first epoch, that it let */
	int64_t refused_ms;    /* when it last refused */

	/* postgres_hang.c */
	int64_t hang_timeout_ms, hang_tick_ms;
	struct mt_session *probe; /* a fresh connection each time */
	bool probing;
	int64_t probe_since_ms; /* of the first question without an answer */
	int64_t probe_next_ms;
	struct postgres__volume *volume;
	int64_t volume_every_ms;
	int64_t volume_due_ms;   /* when its next sign is due */
	int64_t volume_again_ms; /* start its watcher not before */
	bool hung; /* ended for that, and no server started since */
	int64_t hung_ms, hung_before_ms; /* the last time, and the one before */

	struct file_work *files; /* the first runs */

	int closing; /* handles still open */
	bool closed;
	void (*closed_cb)(void *arg);
	void *closed_arg;
};

void postgres__wake(struct mt_postgres *pg);
void postgres__job_begin(struct mt_postgres *pg, enum mt_job job,
			 int64_t timeout_ms);
/* err NULL or code 0: it went well. */
void postgres__job_end(struct mt_postgres *pg, const struct mt_err *err);
void postgres__trouble(struct mt_postgres *pg, const struct mt_err *err);
/* Find out anew what the data directory is (with no server on it). */
void postgres__inspect(struct mt_postgres *pg);
const struct mt_guard_events *postgres__guard_events(struct mt_postgres *pg);
void postgres__guard_gone(struct mt_postgres *pg);
/* One of the handles that mt_postgres_close waits for has closed. */
void postgres__one_closed(void *pg);
bool postgres__running(const struct mt_postgres *pg);
char *postgres__sock_path(const struct mt_postgres *pg, char *buf, size_t size);
void postgres__adopted(struct mt_postgres *pg, bool as_primary,
		       uint64_t data_id);
/* postgres_find.c: is there a server, with a sentinel or without? Else the data
 * directory is looked at. */
void postgres__find_server(struct mt_postgres *pg);
/* Does a server that was there have its settings from our file? */
void postgres__ask_place(struct mt_postgres *pg);
void postgres__find_open(struct mt_postgres *pg);
/* How many calls of postgres__one_closed will come. */
int postgres__find_close(struct mt_postgres *pg);
/* postgres_files.c */
struct file_work *postgres__file_work(struct mt_postgres *pg,
				      void (*work)(struct file_work *),
				      void (*done)(struct file_work *));
void postgres__file_queue(struct file_work *w);
int postgres__file_close(struct mt_postgres *pg);
void postgres__adopt(struct mt_postgres *pg);
struct file_work *postgres__role_work(struct mt_postgres *pg,
				      json_t *parameters,
				      const struct mt_pg_follow *follow,
				      void (*done)(struct file_work *));
void postgres__backup_files(struct mt_postgres *pg);
/* It has followed a primary, or is one: what was restored is proven. */
void postgres__proven(struct mt_postgres *pg);
void postgres__write_pgpass(struct mt_postgres *pg, const struct mt_state *s);
/* postgres_conf.c */
void postgres__configure(struct mt_postgres *pg);
/* postgres.c: they are known for the first time */
void postgres__configured(struct mt_postgres *pg);
/* postgres_reload.c: write the files of a running server anew, if they are
 * stale and nothing stands in the way, and have them read. */
void postgres__refresh(struct mt_postgres *pg);
void postgres__retarget(struct mt_postgres *pg);
/* Whether a parameter waits for a restart is asked from time to time. */
void postgres__ask_pending(struct mt_postgres *pg);
/* postgres_conflict.c: after a look; and at the end */
void postgres__resume(struct mt_postgres *pg);
int postgres__resume_close(struct mt_postgres *pg);
/* postgres_dynamic.c: write it if it is stale; read it, and begin. */
void postgres__keep_document(struct mt_postgres *pg);
void postgres__recall_document(struct mt_postgres *pg);
/* postgres_script.c */
/* True: it runs, and its end will call postgres__stop_now. */
bool postgres__before_stop(struct mt_postgres *pg);
void postgres__pre_promote_cancel(struct mt_postgres *pg);
/* Kill what is in the slot, if anything is; its end has no effect. */
void postgres__script_drop(struct postgres__script **slot);
/* How many calls of postgres__one_closed will come. */
int postgres__script_close(struct mt_postgres *pg);
/* postgres_users.c: is there the user that standbys log in as? */
void postgres__ask_users(struct mt_postgres *pg);
/* postgres_run.c */
/* The fast stop itself. */
void postgres__stop_now(struct mt_postgres *pg);
int postgres__follow_of(struct mt_postgres *pg, const char *member,
			const char *url, struct mt_pg_follow *f,
			struct mt_err *err);
/* postgres_look.c */
int postgres__sessions_open(struct mt_postgres *pg, struct mt_err *err);
void postgres__server_up(struct mt_postgres *pg);
void postgres__server_down(struct mt_postgres *pg);
void postgres__take_position(struct mt_postgres *pg);
void postgres__take_flushed(struct mt_postgres *pg);
void postgres__expect_standbys(struct mt_postgres *pg);
/* Parameters of a role with the names in them; a new reference. */
json_t *postgres__parameters(const struct mt_postgres *pg,
			     enum mt_conf_role role);
/* The role that its files are written for. */
enum mt_conf_role postgres__role(const struct mt_postgres *pg);
/* It is another one now: its files are to be written when there is time. */
void postgres__role_changed(struct mt_postgres *pg);
/* What a daemon before this one had PostgreSQL wait for. */
int postgres__keep_names(struct file_work *w);
void postgres__recall_names(struct mt_postgres *pg);
void postgres__look_now(struct mt_postgres *pg);
int postgres__open_session(struct mt_postgres *pg, struct mt_session **s,
			   const struct mt_session_options *more,
			   struct mt_err *err);
/* postgres_hang.c */
int postgres__hang_open(struct mt_postgres *pg, struct mt_err *err);
void postgres__hang_tick(struct mt_postgres *pg, int64_t now_ms);
int64_t postgres__hang_next_ms(const struct mt_postgres *pg);
void postgres__hang_observe(const struct mt_postgres *pg, struct mt_local *l);
/* How many calls of postgres__one_closed will come. */
int postgres__hang_close(struct mt_postgres *pg);
/* postgres_end.c: with the control file read, and no server */
void postgres__end_find(struct mt_postgres *pg);
void postgres__end_cancel(struct mt_postgres *pg);

#endif
