/* SPDX-License-Identifier: PostgreSQL */
/*
 * One session to a PostgreSQL server on the loop: connected while it is wanted,
 * connected again when it was lost, statements one after the other. A long
 * statement (checkpoint) delays those behind it: use a second session for them.
 *
 * All calls are on the loop's thread. Callbacks never come from inside a call,
 * except that mt_session_want(false) and mt_session_close complete what waits.
 */
#ifndef MT_PG_SESSION_H
#define MT_PG_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/err.h"
#include "pg/conninfo.h"
#include "pg/info.h"

struct mt_session;

/* All strings are copied. */
struct mt_session_options {
	struct mt_pg_target target; /* hostaddr "" and no socket: looked up */
	const char *user;
	const char *password; /* NULL or "": none (or the password file's) */
	const struct mt_conf_libpq *libpq; /* more options; NULL: none */
	const char *database;
	const char *application_name; /* NULL: "Matriarch" */
	int64_t connect_timeout_ms;   /* 0: 3 s */
	/* Replication commands are understood, too (replication=database), and
	 * statements have no parameters. */
	bool replication;
	/* Connected and answering, or not any more; only changes are told, and
	 * not those that mt_session_want(false) makes. err says why not,
	 * borrowed, NULL when accepting. May close. */
	void (*on_accepting)(void *arg, bool accepting,
			     const struct mt_err *err);
	/* A connection attempt failed (or the first words of the server were
	 * "starting up"); the next follows by itself. May be NULL. */
	void (*on_refused)(void *arg, const struct mt_err *err);
	void *arg;
};

int mt_session_create(struct mt_session **s, uv_loop_t *loop,
		      const struct mt_session_options *options,
		      struct mt_err *err) MT_MUSTCHECK;
/* Every waiting statement is completed with MT_ECANCELED, on_accepting is not
 * called any more; closed_cb (may be NULL) is the last. */
void mt_session_close(struct mt_session *s, void (*closed_cb)(void *arg),
		      void *arg);

/* Does the server run? true: connect, and again 50 ms (at first) to 500 ms
 * after a failure. false: disconnect; waiting statements get MT_ECANCELED. */
void mt_session_want(struct mt_session *s, bool wanted);
/* Try now rather than after the pause (the server said it is ready). */
void mt_session_poke(struct mt_session *s);
/* From the next connection on; a connection that stands is dropped. */
void mt_session_retarget(struct mt_session *s, const struct mt_pg_target *t);
/* Who it is, from the next connection on; one that stands stays. */
int mt_session_login(struct mt_session *s,
		     const struct mt_conf_user *user) MT_MUSTCHECK;
bool mt_session_accepting(const struct mt_session *s);
/* Why the last attempt failed: code 0 if it did not. */
const struct mt_err *mt_session_last_error(const struct mt_session *s);
/* SQLSTATE of it, "57P03" while starting up; "" if none. */
const char *mt_session_last_sqlstate(const struct mt_session *s);
int mt_session_server_version(const struct mt_session *s); /* 150020, 0 */
/* The backend's pid on the server, 0 = not connected. */
int mt_session_backend_pid(const struct mt_session *s);

/* What a statement gave. Borrowed for the call. */
struct mt_session_result {
	struct mt_err err; /* code 0: done */
	char sqlstate[6];  /* "" if the server did not say */
	int n_rows, n_cols;
	const void *res; /* for mt_session_value; NULL on error */
};
/* Text of a value; "" for null and out of range. */
const char *mt_session_value(const struct mt_session_result *r, int row,
			     int col);
bool mt_session_is_null(const struct mt_session_result *r, int row, int col);

typedef void (*mt_session_cb)(void *arg, const struct mt_session_result *r);

/*
 * Queue a statement; waits for the connection, if there is none, within
 * timeout_ms (0: 10 s), which counts from now. At the deadline the connection
 * is dropped (the server ends the statement when it notices), the statement
 * has MT_ETIMEDOUT and a new connection is made. cb exactly once (may be NULL).
 * Refused statements give MT_EREFUSED and the server's words; a lost connection
 * gives MT_ESYS. n_params text parameters ($1..) are copied; 0: the simple
 * protocol, several statements at once are allowed. secret: sql may hold a
 * password, no word of it goes into an error. Returns an id for cancel, never
 * 0; 0 if memory ran out (cb is not called).
 */
struct mt_session_stmt {
	const char *sql;
	const char *const *params;
	int n_params;
	int64_t timeout_ms;
	bool secret;
	mt_session_cb cb;
	void *arg;
};
uint64_t mt_session_query(struct mt_session *s,
			  const struct mt_session_stmt *stmt);
/* A waiting one is completed with MT_ECANCELED (by a callback soon after), a
 * running one by dropping the connection. Unknown ids are ignored. */
void mt_session_cancel(struct mt_session *s, uint64_t id);

/* ---- what we ask for, ready made; all as mt_session_query ---- */

/* One look. info is borrowed; NULL with err set. */
typedef void (*mt_session_look_cb)(void *arg, const struct mt_pg_info *info,
				   const struct mt_err *err);
uint64_t mt_session_look(struct mt_session *s, int64_t timeout_ms,
			 mt_session_look_cb cb, void *arg);

uint64_t mt_session_checkpoint(struct mt_session *s, int64_t timeout_ms,
			       mt_session_cb cb, void *arg);
/* pg_promote(false): asked for, not waited for. */
uint64_t mt_session_promote(struct mt_session *s, int64_t timeout_ms,
			    mt_session_cb cb, void *arg);
/* Physical, WAL reserved at once. One that exists already is no error. */
uint64_t mt_session_slot_create(struct mt_session *s, const char *slot,
				int64_t timeout_ms, mt_session_cb cb,
				void *arg);
/* A physical one that nobody uses; one that is not there is no error. */
uint64_t mt_session_slot_drop(struct mt_session *s, const char *slot,
			      int64_t timeout_ms, mt_session_cb cb, void *arg);
/* Row 0, column 0: a JSON object of "pending", name to {"old", "new", "unit",
 * "type"} of the parameters whose value in the files waits for a restart, as
 * this session has read them; "altered", name to value of those that ALTER
 * SYSTEM has set; "running", name to number of mt_pg_recorded's. */
uint64_t mt_session_settings(struct mt_session *s, int64_t timeout_ms,
			     mt_session_cb cb, void *arg);
/* pg_reload_conf() */
uint64_t mt_session_reload(struct mt_session *s, int64_t timeout_ms,
			   mt_session_cb cb, void *arg);
/* Text of the timeline's history file: row 0, column 0; null for timeline 1 and
 * where there is none. */
uint64_t mt_session_history(struct mt_session *s, uint32_t timeline,
			    int64_t timeout_ms, mt_session_cb cb, void *arg);

#endif
