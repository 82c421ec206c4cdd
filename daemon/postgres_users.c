/* SPDX-License-Identifier: PostgreSQL */
/*
 * Is there the user that the standbys log in as? A cluster that was made here
 * has it from its bootstrap; data that was there before may not. Asked once in
 * a primary's life, and again every few seconds while it is missing: then it is
 * said what to do. No user is made or changed: they are the operator's.
 *
 * A question that fails is asked again. Passwords and pg_hba.conf are not
 * looked at; the standbys' own logs tell of those.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"

#define ASK_EVERY_MS 5000
#define TIMEOUT_MS 5000

static void
users_cb(void *arg, const struct mt_session_result *r)
{
	struct mt_postgres *pg = arg;
	char text[MT_WHY_MAX] = "";

	pg->users_asked = false;
	if (pg->closed || r->err.code != 0 || !postgres__running(pg))
		return;
	if (r->n_rows == 0)
		mt_format(text, sizeof(text),
			  "standbys cannot stream: there is no user \"%.40s\" "
			  "(postgresql.authentication.replication); create it "
			  "with REPLICATION and LOGIN",
			  pg->conf->postgresql.replication.username);
	else if (strcmp(mt_session_value(r, 0, 0), "t") != 0)
		mt_format(text, sizeof(text),
			  "standbys cannot stream: the user \"%.40s\" "
			  "(postgresql.authentication.replication) lacks "
			  "REPLICATION or LOGIN",
			  pg->conf->postgresql.replication.username);
	pg->users_known = text[0] == '\0';
	if (strcmp(text, pg->users_trouble) == 0)
		return;
	if (text[0] != '\0')
		mt_warn("%s", text);
	else
		mt_info("standbys can log in now");
	mt_copy(pg->users_trouble, sizeof(pg->users_trouble), text);
	postgres__wake(pg);
}

void
postgres__ask_users(struct mt_postgres *pg)
{
	const char *params[] = {pg->conf->postgresql.replication.username};
	struct mt_session_stmt stmt = {
	    .sql = "SELECT rolcanlogin AND (rolreplication OR rolsuper)"
		   " FROM pg_catalog.pg_roles WHERE rolname = $1",
	    .params = params,
	    .n_params = 1,
	    .timeout_ms = TIMEOUT_MS,
	    .cb = users_cb,
	    .arg = pg,
	};
	int64_t now_ms = mt_clock_ms();

	if (pg->users_known || pg->users_asked || !pg->as_primary ||
	    pg->info.in_recovery || pg->job != MT_JOB_NONE ||
	    (pg->foreign && !pg->joined) ||
	    (pg->users_ms != 0 && now_ms - pg->users_ms < ASK_EVERY_MS))
		return;
	if (params[0][0] == '\0')
		return;
	pg->users_ms = now_ms;
	pg->users_asked = mt_session_query(pg->session, &stmt) != 0;
}
