/* SPDX-License-Identifier: PostgreSQL */
/*
 * A session's inside, for session.c (the queue, time, what the owner calls) and
 * link.c (the connection and what goes over it) only.
 */
#ifndef MT_PG_SESSION_INTERNAL_H
#define MT_PG_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>
#include <uv.h>

#include "pg/session.h"

enum mt_session_phase {
	MT_LINK_DOWN,      /* not wanted, or waiting for retry_ms */
	MT_LINK_RESOLVING, /* name look-up under way */
	MT_LINK_CONNECTING,
	MT_LINK_UP,
};

struct mt_stmt {
	struct mt_stmt *next;
	uint64_t id; /* 0: our own */
	char *sql;
	char **params;
	int n_params;
	int64_t deadline_ms;
	bool secret, canceled;
	mt_session_cb cb;
	void *arg;
};

struct mt_watcher {
	uv_poll_t poll;
	struct mt_session *s;
};

struct mt_lookup {
	uv_getaddrinfo_t req;
	struct mt_session *s; /* NULL: nobody waits for it any more */
};

struct mt_session {
	uv_loop_t *loop;
	struct mt_session_options o; /* strings are those below */
	char *user, *password, *database, *application_name;
	struct mt_conf_libpq libpq;
	int handles; /* timer and watchers: not closed yet */
	bool wanted, closing;
	bool kick, moved; /* left for tick(): send, connect elsewhere */
	void (*closed_cb)(void *arg);
	void *closed_arg;
	enum mt_session_phase phase;
	unsigned attempt; /* counts look-ups that gave an address */
	unsigned gen;     /* counts connections that were dropped */
	PGconn *conn;
	struct mt_watcher *watcher;
	uv_timer_t timer;
	char hostaddr[64]; /* of this attempt */
	struct mt_lookup *lookup;
	int64_t connect_by_ms, retry_ms, pause_ms;
	uint64_t last_id;
	struct mt_stmt *queue; /* its head is running where `running` says so */
	bool running;
	PGresult *result; /* of the running statement, so far */
	struct mt_err last_err;
	char last_sqlstate[6];
};

/* ---- session.c ---- */
/* Take it out of the queue, tell, free. */
void mt_session_finish(struct mt_session *s, struct mt_stmt *t,
		       struct mt_session_result *r);
void mt_session_fail(struct mt_session *s, struct mt_stmt *t, int code,
		     const char *text);
void mt_session_free_stmt(struct mt_stmt *t);
/* The timer serves all deadlines: set it to the next. */
void mt_session_rearm(struct mt_session *s);
/* After a handle was closed. */
void mt_session_maybe_free(struct mt_session *s);

/* ---- link.c ---- */
/* Look up or connect: the outcome comes by callbacks. */
void mt_link_start(struct mt_session *s);
/* The connection's end, without a word. The running statement stays at the head
 * of the queue and is returned: the caller completes it. */
struct mt_stmt *mt_link_drop(struct mt_session *s);
/* An established connection is lost, or given up for a late statement. */
void mt_link_lost(struct mt_session *s, int code, const char *text);
/* An attempt to connect came to nothing. */
void mt_link_failed(struct mt_session *s, int code, const char *text);
/* The queue's head, if it is its turn. */
void mt_link_send(struct mt_session *s);

#endif
