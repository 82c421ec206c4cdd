/* SPDX-License-Identifier: PostgreSQL */
/*
 * The local PostgreSQL as the daemon handles it: facts for the view, and the
 * actions that a plan names. It joins the guard (the postmaster and its
 * sentinel), the sessions and the jobs of lib/pg; it decides nothing. One long
 * action (mt_job) is under way at most; its end is a fact like any other.
 */
#ifndef MT_DAEMON_POSTGRES_H
#define MT_DAEMON_POSTGRES_H

#include <uv.h>

#include "conf/conf.h"
#include "core/view.h"
#include "pg/info.h"

struct mt_postgres;

/* wake is called whenever a fact has changed. conf is borrowed. Finds the
 * programs, and begins to look at what there is: until that is done the data is
 * MT_DATA_UNKNOWN. */
int mt_postgres_open(struct mt_postgres **pg, uv_loop_t *loop,
		     const struct mt_conf *conf, void (*wake)(void *arg),
		     void *arg, struct mt_err *err) MT_MUSTCHECK;
/* Leaves PostgreSQL as it is. closed_cb is the last callback. */
void mt_postgres_close(struct mt_postgres *pg, void (*closed_cb)(void *arg),
		       void *arg);

/* Facts. */
void mt_postgres_observe(const struct mt_postgres *pg, const struct mt_state *s,
			 bool use_slots, struct mt_local *local);
enum mt_pg_state mt_postgres_state(const struct mt_postgres *pg);
enum mt_pg_role mt_postgres_role(const struct mt_postgres *pg);
const struct mt_pg_info *mt_postgres_info(const struct mt_postgres *pg);
const struct mt_history *mt_postgres_history(const struct mt_postgres *pg,
					     int *n);
int mt_postgres_clone_percent(const struct mt_postgres *pg);
/* How far a clone is: "pg_basebackup, 12 % of 345 MB", "by x for 6 s"; "" if
 * there is none. Returns buf. */
char *mt_postgres_progress(const struct mt_postgres *pg, char *buf,
			   size_t size);
/* What went wrong last, "" = nothing. */
const char *mt_postgres_trouble(const struct mt_postgres *pg);
bool mt_postgres_bootstrap_failed(const struct mt_postgres *pg);
/* When to look again at the latest. */
int64_t mt_postgres_next_ms(const struct mt_postgres *pg);
void mt_postgres_tick(struct mt_postgres *pg, int64_t now_ms);
/* Look at positions at least so often from now on; 0 = the usual second. */
void mt_postgres_hurry(struct mt_postgres *pg, int64_t every_ms);

/* Ask a running primary and its data volume whether they still answer, so that
 * it can be told when they have not for timeout_ms; 0 = do not ask. */
void mt_postgres_watch_hang(struct mt_postgres *pg, int64_t timeout_ms);
/* It is about to be stopped because they did not. */
void mt_postgres_hung(struct mt_postgres *pg, int64_t now_ms);

/* The cluster's document (NULL before there is one: its copy beside the data,
 * or the file's first one, stands in) and the members: configuration files are
 * written anew, a running server is reloaded. */
void mt_postgres_configure(struct mt_postgres *pg, const json_t *document,
			   const struct mt_state *s);

/* Is something under way that uses the configuration? */
bool mt_postgres_is_busy(const struct mt_postgres *pg);
/* Another configuration, while nothing is; the old one is used no more. The
 * next mt_postgres_configure goes on. */
void mt_postgres_take(struct mt_postgres *pg, const struct mt_conf *conf);

/* What the server says of its settings, or NULL: an object of "pending", as
 * mt_pg_pending has it, and "altered", name to value by ALTER SYSTEM. */
const json_t *mt_postgres_settings(const struct mt_postgres *pg);
/* The parameters as its file has them, or NULL; and the role that they are
 * for. */
enum mt_conf_role mt_postgres_conf_role(const struct mt_postgres *pg);
const json_t *mt_postgres_parameters(const struct mt_postgres *pg);
/* What waits for a restart, and why, as JSON: mt_pg_pending; "" = nothing. */
const char *mt_postgres_pending(const struct mt_postgres *pg);

/* Actions; failures become facts. */
/* No deadline from now on, told to the sentinel in a way that a restarted
 * daemon finds again; until mt_postgres_rearm, what mt_postgres_arm says is
 * ignored. */
void mt_postgres_exempt(struct mt_postgres *pg);
void mt_postgres_rearm(struct mt_postgres *pg, int64_t deadline_ms);
void mt_postgres_arm(struct mt_postgres *pg, int64_t deadline_ms);
/* A fast stop waits for before_stop, if there is one; with hurry it does not,
 * and ends one that runs. */
void mt_postgres_stop(struct mt_postgres *pg, bool immediate, bool hurry);
void mt_postgres_cancel(struct mt_postgres *pg);
void mt_postgres_start_primary(struct mt_postgres *pg, int64_t deadline_ms);
/* member "" = nobody */
void mt_postgres_start_standby(struct mt_postgres *pg, const char *member,
			       const char *url);
void mt_postgres_follow(struct mt_postgres *pg, const char *member,
			const char *url);
/* Ask the script whether it may be promoted; turn: its first epoch. */
void mt_postgres_pre_promote(struct mt_postgres *pg, uint64_t turn);
/* The new timeline takes at least this number. */
void mt_postgres_promote(struct mt_postgres *pg, int64_t deadline_ms,
			 uint32_t timeline);
void mt_postgres_checkpoint(struct mt_postgres *pg, uint64_t request_id);
/* Bring the names into effect and prove it; any: in the form of a quorum.
 * managed false: the operator's own value is to stand. */
void mt_postgres_names(struct mt_postgres *pg, const struct mt_names *names,
		       bool any, bool managed);
/* Receive no more WAL, and read the position. */
void mt_postgres_fence(struct mt_postgres *pg, uint64_t epoch);
const struct mt_flushed *mt_postgres_flushed(const struct mt_postgres *pg,
					     int *n);
void mt_postgres_slots(struct mt_postgres *pg, const struct mt_state *s);
void mt_postgres_bootstrap(struct mt_postgres *pg);
void mt_postgres_discard(struct mt_postgres *pg);
/* member, url "": from a backup. sysid: what the data has to have. plain: by
 * pg_basebackup, whatever the methods are. */
void mt_postgres_clone(struct mt_postgres *pg, const char *member,
		       const char *url, const char *sysid, bool plain);
/* Shut down cleanly what crashed as primary, before a rewind. */
void mt_postgres_recover(struct mt_postgres *pg);
void mt_postgres_rewind(struct mt_postgres *pg, const char *member,
			const char *url);
/* Its epoch is being made durable: what ran without a sentinel before this one
 * was not the cluster's. */
void mt_postgres_taken(struct mt_postgres *pg);
/* Before there is a cluster people may start a server, move data away or bring
 * some: wanted true: notice that. To be said again and again. */
void mt_postgres_watch_dir(struct mt_postgres *pg, bool wanted);
/* Claimed data: is it still down? Then it may be started as fresh. */
void mt_postgres_offer(struct mt_postgres *pg);
/* The bootstrapped directory is the cluster's now, and so is a server that was
 * found running: its files may be written. */
void mt_postgres_settled(struct mt_postgres *pg);

#endif
