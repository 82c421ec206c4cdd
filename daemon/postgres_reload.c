/* SPDX-License-Identifier: PostgreSQL */
/*
 * The configuration files of a running server: when the parameters have
 * changed they are written anew by a worker, and read by the server if any file
 * came out different. What needs a restart is only noted.
 *
 * It waits for the end of a long action and for the session; the next look
 * tries again. A standby that does not know whom it follows (the daemon was
 * restarted) is told both at once by the action that follows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"
#include "pg/params.h"
#include "pg/pending.h"

#define RELOAD_TIMEOUT_MS 10000
#define PENDING_EVERY_MS 1000

static void
reloaded(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;

	pg->reloading = false;
	if (pg->closed)
		return;
	if (r->err.code != 0) {
		mt_warn("could not reload PostgreSQL: %s", r->err.text);
		pg->stale = true;
	} else {
		mt_info("PostgreSQL reads its changed configuration");
		pg->reloads++;
		pg->pending_ms = 0;
	}
	postgres__wake(pg);
}

static void
written(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;

	pg->reloading = false;
	if (w->rv != 0) {
		/* Tried again with the next change, or the next start. */
		postgres__trouble(pg, &w->err);
		mt_error("%s", w->err.text);
		return;
	}
	if (!postgres__running(pg) || !w->changed)
		return;
	pg->reloading = true;
	if (mt_session_reload(pg->session, RELOAD_TIMEOUT_MS, reloaded, pg) ==
	    0)
		pg->reloading = false;
}

void
postgres__refresh(struct mt_postgres *pg)
{
	struct mt_pg_follow f;
	struct file_work *w;
	struct mt_err err;
	json_t *own, *p = NULL;

	if (!pg->stale || pg->reloading || pg->adopting ||
	    (pg->foreign && !pg->joined) || !postgres__running(pg) ||
	    pg->job != MT_JOB_NONE || pg->stopping != STOP_NONE ||
	    pg->parameters[0] == NULL || !mt_session_accepting(pg->session) ||
	    (!pg->as_primary && pg->upstream[0] == '\0'))
		return;
	/* Whom PostgreSQL waits for is in them, and stays as it is. */
	own = postgres__parameters(pg, pg->as_primary ? MT_CONF_PRIMARY
						      : MT_CONF_REPLICA);
	if (!pg->as_primary) {
		p = mt_pg_raise_for_standby(own, &pg->control, NULL);
		if (p == NULL ||
		    postgres__follow_of(pg, pg->upstream, pg->upstream_url, &f,
					&err) != 0) {
			json_decref(own);
			json_decref(p);
			return;
		}
	}
	w = postgres__role_work(pg, p != NULL ? p : own,
				pg->as_primary ? NULL : &f, written);
	json_decref(own);
	json_decref(p);
	w->only_conf = true;
	pg->stale = false;
	pg->reloading = true;
	postgres__file_queue(w);
}

/* ---- another local configuration ---- */

bool
mt_postgres_is_busy(const struct mt_postgres *pg)
{
	return pg->job != MT_JOB_NONE || pg->work != NULL || pg->files != NULL;
}

/* The sentinel of a server that runs goes by the new word at once. */
static void
take_fencing(struct mt_postgres *pg, bool fencing)
{
	int rv;

	if (!postgres__running(pg) || !pg->as_primary || pg->exempt)
		return;
	rv = fencing ? mt_guard_arm(pg->guard, pg->armed_ms)
		     : mt_guard_disarm(pg->guard);
	if (rv != 0)
		mt_error("could not arm the sentinel");
}

void
mt_postgres_take(struct mt_postgres *pg, const struct mt_conf *conf)
{
	struct mt_session *const sessions[] = {
	    pg->session, pg->worker, pg->settler, pg->identifier, pg->probe};
	const struct mt_conf_user *user = &conf->postgresql.superuser;
	bool fenced = pg->conf->fencing;

	MT_ASSERT(!mt_postgres_is_busy(pg));
	pg->conf = conf;
	pg->bins.names = conf->postgresql.bin_name;
	pg->stale = true; /* what the files have may come from there */
	for (size_t i = 0; i < MT_COUNT(sessions); i++)
		if (mt_session_login(sessions[i], user) != 0)
			mt_error("could not take over the superuser: out of "
				 "memory");
	if (fenced != conf->fencing)
		take_fencing(pg, conf->fencing);
}

/* Where a server that is up now is reached: it has read what the configuration
 * says, which an older one may not have. */
void
postgres__retarget(struct mt_postgres *pg)
{
	struct mt_session *const sessions[] = {
	    pg->session, pg->worker, pg->settler, pg->identifier, pg->probe};
	const struct mt_conf_postgresql *c = &pg->conf->postgresql;
	/* The directory of its socket may be the cluster's, too. */
	const json_t *p = mt_postgres_parameters(pg);
	struct mt_pg_target target;

	for (size_t i = 0; i < MT_COUNT(sessions); i++) {
		mt_pg_target_local(&target, c, p != NULL ? p : c->parameters,
				   sessions[i] == pg->identifier);
		mt_session_retarget(sessions[i], &target);
	}
}

/* ---- what waits for a restart ---- */

/* ALTER SYSTEM wins over our file: whoever set a parameter in the configuration
 * is told that it does not count, once a value. */
static void
warn_altered(const struct mt_postgres *pg, const json_t *seen)
{
	const json_t *before = json_object_get(pg->seen_settings, "altered");
	const json_t *ours = mt_postgres_parameters(pg);
	const char *name;
	json_t *v;

	json_object_foreach (json_object_get(seen, "altered"), name, v)
		if (json_object_get(ours, name) != NULL &&
		    !json_equal(v, json_object_get(before, name)))
			mt_warn(
			    "parameter \"%s\" of the configuration does not "
			    "count: ALTER SYSTEM has set it; \"ALTER "
			    "SYSTEM RESET %s\" takes that back",
			    name, name);
}

static void
take_pending(struct mt_postgres *pg, const json_t *reasons)
{
	char text[sizeof(pg->pending)];

	mt_pg_pending_text(reasons, text, sizeof(text));
	if (strcmp(text, pg->pending) == 0)
		return;
	mt_copy(pg->pending, sizeof(pg->pending), text);
	if (text[0] != '\0')
		mt_info("changed parameters wait for PostgreSQL's restart: %s",
			text);
	else
		mt_info("no parameter waits for a restart any more");
	postgres__wake(pg);
}

static void
pending_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;
	json_t *seen, *reasons;

	pg->pending_asked = false;
	if (pg->closed || r->err.code != 0 || r->n_rows == 0)
		return;
	seen = json_loads(mt_session_value(r, 0, 0), 0, NULL);
	if (!json_is_object(seen)) {
		json_decref(seen);
		return;
	}
	reasons = mt_pg_pending(seen, pg->parameters[MT_CONF_REPLICA],
				pg->is_standby);
	warn_altered(pg, seen);
	json_object_set_new(seen, "pending", reasons);
	json_decref(pg->seen_settings);
	pg->seen_settings = seen;
	take_pending(pg, reasons);
}

/* The reload reaches a session a moment after it was asked for, and somebody
 * else may reload: it is asked for again and again, not with every look. */
void
postgres__ask_pending(struct mt_postgres *pg)
{
	int64_t now_ms = mt_clock_ms();

	if (pg->pending_asked || pg->job != MT_JOB_NONE ||
	    now_ms - pg->pending_ms < PENDING_EVERY_MS)
		return;
	pg->pending_ms = now_ms;
	pg->pending_asked = true;
	if (mt_session_settings(pg->session, RELOAD_TIMEOUT_MS, pending_cb,
				pg) == 0)
		pg->pending_asked = false;
}

const json_t *
mt_postgres_settings(const struct mt_postgres *pg)
{
	return postgres__running(pg) ? pg->seen_settings : NULL;
}

enum mt_conf_role
mt_postgres_conf_role(const struct mt_postgres *pg)
{
	return postgres__role(pg);
}

const json_t *
mt_postgres_parameters(const struct mt_postgres *pg)
{
	return pg->parameters[postgres__role(pg)];
}

const char *
mt_postgres_pending(const struct mt_postgres *pg)
{
	return postgres__running(pg) ? pg->pending : "";
}
