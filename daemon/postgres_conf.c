/* SPDX-License-Identifier: PostgreSQL */
/*
 * The parameters of the local PostgreSQL, from the document and the file to
 * what its files get, by role: whoever writes files next takes those of the
 * role that it writes them for, and a running server's are written at once.
 */
#include "base/log.h"
#include "base/text.h"
#include "conf/pgconf.h"
#include "daemon/postgres_internal.h"

static void
configure_role(struct mt_postgres *pg, json_t *common, enum mt_conf_role role)
{
	json_t *p = mt_pgconf_for_role(common, pg->conf, pg->document, role);
	json_t *other = mt_pgconf_files(pg->conf, pg->document, role);

	MT_ASSERT(p != NULL && other != NULL);
	if (!json_equal(p, pg->parameters[role]) ||
	    !json_equal(other, pg->other_files[role])) {
		pg->version++;
		pg->stale = true;
	}
	json_decref(pg->parameters[role]);
	json_decref(pg->other_files[role]);
	pg->parameters[role] = p;
	pg->other_files[role] = other;
}

void
postgres__configure(struct mt_postgres *pg)
{
	json_t *common;

	if (pg->bins.version_num == 0)
		return; /* called again when it is known */
	common =
	    mt_pgconf_parameters(pg->conf, pg->document, pg->bins.version_num);
	MT_ASSERT(common != NULL);
	/* A standby comes back at once after its primary's restart, not after
	 * the server's default of 5 s. */
	if (json_object_get(common, "wal_retrieve_retry_interval") == NULL)
		json_object_set_new(common, "wal_retrieve_retry_interval",
				    json_string("500ms"));
	for (int i = 0; i < MT_CONF_ROLES; i++)
		configure_role(pg, common, (enum mt_conf_role)i);
	json_decref(common);
	postgres__refresh(pg);
	postgres__wake(pg);
}

void
mt_postgres_configure(struct mt_postgres *pg, const json_t *document,
		      const struct mt_state *s)
{
	json_t *old = pg->document;

	pg->document = json_incref((json_t *)document);
	json_decref(old);
	if (s != NULL) {
		pg->n_members = 0;
		for (int i = 0; i < s->n_members; i++)
			if (!s->members[i].witness)
				mt_copy(pg->members[pg->n_members++],
					MT_NAME_MAX, s->members[i].name);
		postgres__write_pgpass(pg, s);
	}
	postgres__configure(pg);
}

/* ---- roles ---- */

enum mt_conf_role
postgres__role(const struct mt_postgres *pg)
{
	return pg->is_standby ? MT_CONF_REPLICA : MT_CONF_PRIMARY;
}

/* What both roles have alike stands in its files already; a primary's files
 * are else left as they are, for that costs it nothing. */
void
postgres__role_changed(struct mt_postgres *pg)
{
	json_t *const *p = pg->parameters, *const *other = pg->other_files;

	if (!json_equal(p[MT_CONF_PRIMARY], p[MT_CONF_REPLICA]) ||
	    !json_equal(other[MT_CONF_PRIMARY], other[MT_CONF_REPLICA]))
		pg->stale = true;
}
