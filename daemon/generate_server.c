/* SPDX-License-Identifier: PostgreSQL */
/*
 * A running server as sections of a configuration. Happy path: its settings
 * that came from files, the command line or the environment are divided among
 * the cluster's settings and this member's; access files in their usual place
 * become lists of lines; the user of the connection is the superuser. Failure
 * modes: a user who may not see all of that, and a server that does not answer.
 * Changes nothing there, and asks for nothing but what is written.
 */
#include "daemon/generate.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/options.h"

/* Where the files are is the member's business, and so is what may differ from
 * one machine to the next. */
static const char *const local[] = {
    "archive_command",      "restore_command",        "archive_cleanup_command",
    "recovery_end_command", "ssl_passphrase_command", "hba_file",
    "ident_file",
};
/* Set by the daemon, or from other options. */
static const char *const left_out[] = {
    "listen_addresses",     "port",
    "cluster_name",         "data_directory",
    "config_file",          "primary_conninfo",
    "primary_slot_name",    "external_pid_file",
    "promote_trigger_file",
};

static bool
among(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (mt_streq(list[i], name))
			return true;
	return false;
}

/* Rows of a statement, or NULL. */
static PGresult *
ask(PGconn *conn, const char *sql, struct mt_err *err)
{
	PGresult *res = PQexec(conn, sql);
	char words[400];

	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		return res;
	mt_copy(words, sizeof(words), PQerrorMessage(conn));
	words[strcspn(words, "\n")] = '\0';
	mt_err_set(err, MT_EREFUSED, "%s", words);
	PQclear(res);
	return NULL;
}

static json_t *
text_of(const PGresult *res, int row, int col)
{
	return json_string(PQgetvalue(res, row, col));
}

/* ---- settings ---- */

static void
add_setting(json_t *cluster, json_t *member, const char *name, json_t *value)
{
	if (among(left_out, MT_COUNT(left_out), name) ||
	    strncmp(name, "recovery_target", 15) == 0)
		json_decref(value);
	else if (among(local, MT_COUNT(local), name))
		json_object_set_new(member, name, value);
	else
		json_object_set_new(cluster, name, value);
}

static int
add_settings(PGconn *conn, json_t *cluster, json_t *member, struct mt_err *err)
{
	/* An archive_command that is not used is shown as "(disabled)". */
	PGresult *res = ask(
	    conn,
	    "SELECT name, CASE WHEN current_setting(name) = '(disabled)' THEN "
	    "(SELECT f.setting FROM pg_file_settings f WHERE f.name = s.name "
	    "ORDER BY f.seqno DESC LIMIT 1) ELSE current_setting(name) END "
	    "FROM pg_settings s WHERE source IN ('configuration file', "
	    "'command line', 'environment variable') ORDER BY name",
	    err);

	if (res == NULL)
		return err->code;
	for (int i = 0; i < PQntuples(res); i++)
		add_setting(cluster, member, PQgetvalue(res, i, 0),
			    text_of(res, i, 1));
	PQclear(res);
	return 0;
}

/* ---- access files ---- */

/* Lines that say something. */
static json_t *
lines_of(const char *text)
{
	json_t *list = json_array();

	while (*text != '\0') {
		size_t n = strcspn(text, "\n"), blank = strspn(text, " \t\r");

		if (blank < n && text[blank] != '#')
			json_array_append_new(
			    list, json_stringn(text + blank, n - blank));
		text += n + (text[n] == '\n');
	}
	return list;
}

/* What stands elsewhere stays there: hba_file and ident_file name it. */
static int
add_file(PGconn *conn, json_t *pg, const char *key, const char *setting,
	 const char *name, struct mt_err *err)
{
	char sql[512];
	PGresult *res;

	mt_format(sql, sizeof(sql),
		  "SELECT CASE WHEN current_setting('%s') = "
		  "current_setting('data_directory') || '/%s' OR "
		  "current_setting('%s') = regexp_replace("
		  "current_setting('config_file'), '[^/]*$', '') || '%s' "
		  "THEN pg_read_file(current_setting('%s')) END",
		  setting, name, setting, name, setting);
	res = ask(conn, sql, err);
	if (res == NULL)
		return err->code;
	if (PQgetisnull(res, 0, 0) == 0) {
		json_t *lines = lines_of(PQgetvalue(res, 0, 0));

		if (json_array_size(lines) > 0)
			json_object_set(pg, key, lines);
		json_decref(lines);
		json_object_del(json_object_get(pg, "parameters"), setting);
	}
	PQclear(res);
	return 0;
}

/* ---- the rest ---- */

/* "a,[::1]:5432" */
static json_t *
listen_of(const char *addresses, const char *port)
{
	char list[512], all[1024] = "", *save = NULL;

	mt_copy(list, sizeof(list), addresses);
	for (char *s = strtok_r(list, ", ", &save); s != NULL;
	     s = strtok_r(NULL, ", ", &save)) {
		bool v6 = strchr(s, ':') != NULL;
		size_t n = strlen(all);

		mt_format(all + n, sizeof(all) - n, "%s%s%s%s",
			  n > 0 ? "," : "", v6 ? "[" : "", s, v6 ? "]" : "");
	}
	if (all[0] == '\0')
		mt_copy(all, sizeof(all), "127.0.0.1");
	return json_sprintf("%s:%s", all, port);
}

/* The connection's user, with what it was told of TLS. */
static json_t *
superuser_of(PGconn *conn)
{
	static const char *const keys[] = {
	    "sslmode",     "sslcert",        "sslkey",
	    "sslpassword", "sslrootcert",    "sslcrl",
	    "sslcrldir",   "sslnegotiation", "channel_binding"};
	PQconninfoOption *all = PQconninfo(conn);
	json_t *user = json_pack("{ss}", "username", PQuser(conn));

	if (PQpass(conn) != NULL && PQpass(conn)[0] != '\0')
		json_object_set_new(user, "password",
				    json_string(PQpass(conn)));
	for (PQconninfoOption *o = all; o != NULL && o->keyword != NULL; o++)
		if (o->val != NULL && o->val[0] != '\0' &&
		    among(keys, MT_COUNT(keys), o->keyword) &&
		    (o->compiled == NULL || !mt_streq(o->val, o->compiled)))
			json_object_set_new(user, o->keyword,
					    json_string(o->val));
	PQconninfoFree(all);
	return user;
}

static void
set_default(json_t *dcs, const char *name)
{
	const struct mt_option *o = mt_option_find(MT_OPT_DYNAMIC, name);

	json_object_set_new(dcs, name,
			    mt_option_written(o, mt_option_default(o)));
}

static json_t *
bootstrap_of(json_t *parameters, bool may_rewind)
{
	json_t *dcs = json_object();

	set_default(dcs, "ttl");
	set_default(dcs, "maximum_lag_on_failover");
	json_object_set_new(dcs, "postgresql",
			    json_pack("{s:b, s:O}", "use_pg_rewind", may_rewind,
				      "parameters", parameters));
	return json_pack("{so}", "dcs", dcs);
}

static int
check_user(PGconn *conn, struct mt_err *err)
{
	const char *is = PQparameterStatus(conn, "is_superuser");

	if (is != NULL && mt_streq(is, "on"))
		return 0;
	return mt_err_set(err, MT_EREFUSED,
			  "user \"%s\" is no superuser; connect as one",
			  PQuser(conn));
}

static PGresult *
ask_itself(PGconn *conn, struct mt_err *err)
{
	if (check_user(conn, err) != 0)
		return NULL;
	return ask(
	    conn,
	    "SELECT current_setting('cluster_name'), "
	    "current_setting('data_directory'), "
	    "current_setting('listen_addresses'), current_setting('port'), "
	    "(SELECT setting FROM pg_config WHERE name = 'BINDIR'), "
	    "current_setting('data_checksums') = 'on' OR "
	    "current_setting('wal_log_hints') = 'on'",
	    err);
}

json_t *
generate__server(PGconn *conn, const char *address, struct mt_err *err)
{
	json_t *cluster = json_object(), *member = json_object(), *pg, *all;
	const char *scope;
	PGresult *res;
	int rv;

	*err = (struct mt_err){0};
	res = ask_itself(conn, err);
	if (res == NULL || add_settings(conn, cluster, member, err) != 0) {
		PQclear(res);
		json_decref(cluster);
		json_decref(member);
		return NULL;
	}
	pg = json_pack("{s:o, s:o, s:o, s:o, s:{s:o, s:{s:s, s:s}}, s:O}",
		       "data_dir", text_of(res, 0, 1), "listen",
		       listen_of(PQgetvalue(res, 0, 2), PQgetvalue(res, 0, 3)),
		       "connect_address",
		       json_sprintf("%s:%s", address, PQgetvalue(res, 0, 3)),
		       "bin_dir", text_of(res, 0, 4), "authentication",
		       "superuser", superuser_of(conn), "replication",
		       "username", "replicator", "password", "#FIXME",
		       "parameters", member);
	MT_ASSERT(pg != NULL);
	rv = add_file(conn, pg, "pg_hba", "hba_file", "pg_hba.conf", err);
	if (rv == 0)
		rv = add_file(conn, pg, "pg_ident", "ident_file",
			      "pg_ident.conf", err);
	scope = PQgetvalue(res, 0, 0);
	all = json_pack(
	    "{s:s, s:o, s:o}", "scope", scope[0] != '\0' ? scope : "#FIXME",
	    "bootstrap",
	    bootstrap_of(cluster, mt_streq(PQgetvalue(res, 0, 5), "t")),
	    "postgresql", pg);
	MT_ASSERT(all != NULL);
	PQclear(res);
	json_decref(cluster);
	json_decref(member);
	if (rv == 0)
		return all;
	json_decref(all);
	return NULL;
}
