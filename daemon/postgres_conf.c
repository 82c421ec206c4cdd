/* SPDX-License-Identifier: PostgreSQL */
/*
 * The parameters of the local PostgreSQL, from the document and the file to
 * what its files get. Happy path: the parameters of each role are put together,
 * PostgreSQL's program is asked which it takes (pg/accept.c), and what it takes
 * is written by whoever writes files next; a running server's at once.
 *
 * It is asked when they have changed, one role after the other, and once for
 * both where they are alike. Until it has answered, the parameters before those
 * stand; at the start nothing is done to a server until then. Where it cannot
 * be asked they are taken as they are given: then the server judges itself.
 */
#include "base/log.h"
#include "base/text.h"
#include "conf/pgconf.h"
#include "conf/settings.h"
#include "daemon/postgres_internal.h"

static void ask_next(struct mt_postgres *pg);

static void
take(struct mt_postgres *pg, enum mt_conf_role role, json_t *accepted)
{
	if (!json_equal(accepted, pg->parameters[role])) {
		pg->version++;
		pg->stale = true;
	}
	json_incref(accepted);
	json_decref(pg->parameters[role]);
	pg->parameters[role] = accepted;
	pg->judged[role] = true;
}

static void
accepted_cb(void *arg, json_t *accepted, const struct mt_err *err)
{
	struct mt_postgres *pg = arg;

	pg->accepting = NULL;
	if (pg->closed) {
		postgres__one_closed(pg);
		return;
	}
	if (err != NULL)
		mt_warn("could not ask PostgreSQL which parameters it takes: "
			"%s",
			err->text);
	/* Others may be given meanwhile: then these are nobody's. */
	if (!pg->given_anew)
		take(pg, pg->accepting_role,
		     err == NULL ? accepted : pg->given[pg->accepting_role]);
	ask_next(pg);
}

static void
all_judged(struct mt_postgres *pg)
{
	bool first = !pg->configured;

	pg->configured = true;
	if (first)
		postgres__configured(pg);
	postgres__refresh(pg);
	postgres__wake(pg);
}

static void
ask_next(struct mt_postgres *pg)
{
	struct mt_err err;
	int i = 0;

	if (pg->accepting != NULL)
		return;
	pg->given_anew = false;
	while (i < MT_CONF_ROLES && pg->judged[i])
		i++;
	if (i == MT_CONF_ROLES) {
		all_judged(pg);
	} else if (i > 0 && json_equal(pg->given[i], pg->given[0])) {
		take(pg, (enum mt_conf_role)i, pg->parameters[0]);
		ask_next(pg);
	} else {
		pg->accepting_role = (enum mt_conf_role)i;
		if (mt_pg_accept_start(&pg->accepting, pg->loop, &pg->bins,
				       pg->given[i], accepted_cb, pg,
				       &err) == 0)
			return;
		pg->accepting = NULL;
		mt_warn("%s", err.text);
		take(pg, (enum mt_conf_role)i, pg->given[i]);
		ask_next(pg);
	}
}

/* The cluster's, or what stands in for it until that is known. */
static const json_t *
document_of(const struct mt_postgres *pg)
{
	if (pg->document != NULL)
		return pg->document;
	return pg->kept_document != NULL ? pg->kept_document
					 : pg->conf->bootstrap.dcs;
}

static void
configure_role(struct mt_postgres *pg, json_t *common, enum mt_conf_role role)
{
	json_t *given =
	    mt_pgconf_for_role(common, pg->conf, document_of(pg), role);
	json_t *other = mt_pgconf_files(pg->conf, document_of(pg), role);

	MT_ASSERT(given != NULL && other != NULL);
	if (!json_equal(given, pg->given[role])) {
		pg->judged[role] = false;
		pg->given_anew = true;
	}
	if (!json_equal(other, pg->other_files[role])) {
		pg->version++;
		pg->stale = true;
	}
	json_decref(pg->given[role]);
	json_decref(pg->other_files[role]);
	pg->given[role] = given;
	pg->other_files[role] = other;
}

static void
configure_slots(struct mt_postgres *pg)
{
	struct mt_settings settings;

	mt_settings_parse(&settings, document_of(pg));
	if (settings.use_slots != pg->use_slots)
		pg->stale = true;
	pg->use_slots = settings.use_slots;
}

void
postgres__configure(struct mt_postgres *pg)
{
	json_t *common;

	if (!pg->begun)
		return; /* called again then */
	configure_slots(pg);
	common = mt_pgconf_parameters(pg->conf, document_of(pg),
				      pg->bins.version_num);
	MT_ASSERT(common != NULL);
	/* A standby comes back at once after its primary's restart, not after
	 * the server's default of 5 s. */
	if (json_object_get(common, "wal_retrieve_retry_interval") == NULL)
		json_object_set_new(common, "wal_retrieve_retry_interval",
				    json_string("500ms"));
	for (int i = 0; i < MT_CONF_ROLES; i++)
		configure_role(pg, common, (enum mt_conf_role)i);
	json_decref(common);
	ask_next(pg);
}

void
mt_postgres_configure(struct mt_postgres *pg, const json_t *document,
		      const struct mt_state *s)
{
	json_t *old = pg->document;

	if (document == NULL || !json_equal(document, old))
		pg->document_stale = true;
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
	postgres__keep_document(pg);
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
