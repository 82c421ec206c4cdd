/* SPDX-License-Identifier: PostgreSQL */
/*
 * The statements of a bootstrap: a quiet session, the passwords of the users
 * that the daemon needs, and the operator's users. In a cluster that was made
 * by a command some of them are there already: what is missing is created, and
 * all get the configured password and rights. A name or password goes into a
 * statement only as a quoted one; other text of the configuration only where it
 * is words.
 */
#include "pg/bootstrap.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static void
put_ident(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

static void
put_literal(FILE *f, const char *s)
{
	fputc('\'', f);
	for (; *s; s++) {
		if (*s == '\'')
			fputc('\'', f);
		fputc(*s, f);
	}
	fputc('\'', f);
}

/* Takes sql. */
static int
add_step(struct mt_pg_bootstrap *b, char *sql, const char *what)
{
	struct bootstrap_step *steps =
	    sql ? realloc(b->steps, (b->n + 1) * sizeof(*steps)) : NULL;

	if (!steps) {
		free(sql);
		return MT_ENOMEM;
	}
	b->steps = steps;
	b->steps[b->n].sql = sql;
	mt_copy(b->steps[b->n].what, sizeof(b->steps[b->n].what), what);
	b->n++;
	return 0;
}

/* Was the role made by an earlier step? */
static bool
is_made(const struct mt_pg_bootstrap *b, const char *what)
{
	for (size_t i = 0; i < b->n; i++)
		if (mt_streq(b->steps[i].what, what))
			return true;
	return false;
}

/* attributes: "LOGIN REPLICATION"; extra: more SQL, or NULL */
static int
add_role(struct mt_pg_bootstrap *b, const char *name, const char *password,
	 const char *attributes, const char *extra, bool exists)
{
	char *sql = NULL, what[128];
	size_t size = 0;
	FILE *f = open_memstream(&sql, &size);

	if (!f)
		return MT_ENOMEM;
	mt_format(what, sizeof(what), "role \"%s\"", name);
	exists = exists || is_made(b, what);
	if (b->section != NULL && !exists) {
		fputs("DO $make$ BEGIN CREATE ROLE ", f);
		put_ident(f, name);
		fputs(
		    "; EXCEPTION WHEN duplicate_object THEN NULL; END $make$;",
		    f);
		exists = true;
	}
	fputs(exists ? "ALTER ROLE " : "CREATE ROLE ", f);
	put_ident(f, name);
	fprintf(f, " WITH %s", attributes);
	if (password && password[0]) {
		fputs(" PASSWORD ", f);
		put_literal(f, password);
	}
	if (extra) {
		fputs(extra, f);
		put_ident(f, name);
	}
	if (fclose(f) != 0) {
		free(sql);
		return MT_ENOMEM;
	}
	return add_step(b, sql, what);
}

static int
add_user_options(char *buf, size_t size, const char *name,
		 const json_t *options, struct mt_err *err)
{
	bool login = false;
	const char *s;
	json_t *item;
	size_t i, n;

	buf[0] = '\0';
	json_array_foreach (options, i, item) {
		s = json_string_value(item);
		/* words only: attributes of CREATE ROLE, in any case */
		for (n = 0; s && (isalnum((unsigned char)s[n]) || s[n] == '_' ||
				  s[n] == ' ');
		     n++)
			continue;
		if (!s || s[n])
			return mt_err_set(err, MT_EINVAL,
					  "options of user \"%s\" in "
					  "bootstrap.users must be words such "
					  "as createdb",
					  name);
		login = login || strcasecmp(s, "login") == 0 ||
			strcasecmp(s, "nologin") == 0;
		n = strlen(buf);
		if (!mt_format(buf + n, size - n, "%s ", s))
			return mt_err_set(err, MT_EINVAL,
					  "user \"%s\" has too "
					  "many options",
					  name);
	}
	n = strlen(buf);
	mt_format(buf + n, size - n, "%s", login ? "" : "LOGIN");
	return 0;
}

static int
add_users(struct mt_pg_bootstrap *b, const json_t *users, struct mt_err *err)
{
	json_t *obj = (json_t *)(uintptr_t)users, *user, *password;
	char attributes[512], text[32];
	const char *name;
	int rc = 0;

	json_object_foreach (obj, name, user) {
		rc = add_user_options(attributes, sizeof(attributes), name,
				      json_object_get(user, "options"), err);
		if (rc)
			return rc;
		/* a password of digits arrives as a number */
		password = json_object_get(user, "password");
		text[0] = '\0';
		if (json_is_integer(password))
			mt_format(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
				  json_integer_value(password));
		rc = add_role(b, name,
			      json_is_string(password)
				  ? json_string_value(password)
				  : text,
			      attributes, NULL, false);
		explicit_bzero(text, sizeof(text));
		if (rc)
			return mt_err_set(err, rc, "out of memory");
	}
	return 0;
}

static const char quiet_sql[] =
    "SET log_statement = 'none'; SET log_duration = off;"
    "SET log_min_duration_statement = -1;"
    "SET log_min_error_statement = 'panic';"
    "SET log_min_duration_sample = -1;"
    "SET log_transaction_sample_rate = 0;"
    "SET standard_conforming_strings = on;"
    "SET synchronous_commit = local;"
    "SET pg_stat_statements.track_utility = off;"
    "SET pgaudit.log = 'none'";

static const char rewind_sql[] =
    ";GRANT EXECUTE ON FUNCTION"
    " pg_catalog.pg_ls_dir(text, boolean, boolean),"
    " pg_catalog.pg_stat_file(text, boolean),"
    " pg_catalog.pg_read_binary_file(text),"
    " pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO ";

int
bootstrap__make_steps(struct mt_pg_job *job, struct mt_err *err)
{
	const struct mt_conf_postgresql *pg = &job->o.conf->postgresql;
	struct mt_pg_bootstrap *b = job->bootstrap;
	const char *super = pg->superuser.username;
	int rc = add_step(b, strdup(quiet_sql), "session");

	if (rc == 0 && pg->superuser.password[0])
		rc = add_role(b, super, pg->superuser.password,
			      "SUPERUSER LOGIN", NULL, true);
	if (rc == 0 && pg->replication.username[0])
		rc = add_role(b, pg->replication.username,
			      pg->replication.password, "REPLICATION LOGIN",
			      NULL, mt_streq(pg->replication.username, super));
	if (rc == 0 && pg->rewind.username[0] &&
	    !mt_streq(pg->rewind.username, super))
		rc = add_role(b, pg->rewind.username, pg->rewind.password,
			      "LOGIN", rewind_sql, false);
	if (rc)
		return mt_err_set(err, rc, "out of memory");
	return add_users(b, job->o.conf->bootstrap.users, err);
}

void
bootstrap__free_steps(struct mt_pg_bootstrap *b)
{
	for (size_t i = 0; i < b->n; i++) {
		explicit_bzero(b->steps[i].sql, strlen(b->steps[i].sql));
		free(b->steps[i].sql);
	}
	free(b->steps);
}
