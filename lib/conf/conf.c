/* SPDX-License-Identifier: PostgreSQL */
/*
 * The local configuration into struct mt_conf. Happy path: files and variables
 * become one tree, which is compared with the table of options; then each row
 * of fill.c puts one option into its member, the table's default where it is
 * not given; what depends on more than one option follows by hand. Failure
 * modes: all errors are found, each with its place and what to write; nothing
 * half-filled gets out. Touches no directory that it names.
 */
#include "conf/conf.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "conf/check.h"
#include "conf/fill.h"
#include "conf/log.h"
#include "conf/options.h"
#include "conf/secret.h"

/* Identity. */

static int
fill_name(struct mt_conf_source *src, struct mt_conf *c)
{
	/* the old place of it */
	if (c->name[0] == '\0') {
		const json_t *old =
		    mt_conf_lookup(src->root, "postgresql.name");

		if (json_is_string(old))
			mt_copy(c->name, sizeof(c->name),
				json_string_value(old));
	}
	if (c->name[0] == '\0')
		return mt_conf_missing(src, "name", "name: node1");
	if (mt_streq(c->name, MT_SYNC_PLACEHOLDER))
		return mt_conf_fail(src, "name",
				    "\"name\" is a reserved word; give the "
				    "member another name");
	/* In quotes, too, it is every standby to PostgreSQL. */
	if (mt_streq(c->name, "*"))
		return mt_conf_fail(src, "name",
				    "\"name\" is what PostgreSQL takes for any "
				    "name; give the member another one");
	return 0;
}

static int
fill_scope(struct mt_conf_source *src, struct mt_conf *c)
{
	char ns[sizeof(c->namespace)];
	size_t n;

	mt_copy(ns, sizeof(ns), c->namespace + strspn(c->namespace, "/"));
	for (n = strlen(ns); n > 0 && ns[n - 1] == '/'; n--)
		ns[n - 1] = '\0';
	mt_copy(c->namespace, sizeof(c->namespace), ns);
	if (c->scope[0] == '\0')
		return mt_conf_missing(src, "scope", "scope: cluster_1");
	if (strchr(c->scope, '/') != NULL || mt_streq(c->scope, ".") ||
	    mt_streq(c->scope, ".."))
		return mt_conf_fail(src, "scope",
				    "\"scope\" names a directory and must not "
				    "hold a slash");
	return 0;
}

/* REST API. */

static int
check_tls(struct mt_conf_source *src, const struct mt_conf_restapi *r)
{
	static const char *const words[] = {"none", "optional", "required"};
	const char *path = "restapi.verify_client";
	const char *given = json_string_value(mt_conf_lookup(src->root, path));

	/* as the known format has it, unlike other words */
	if (given != NULL && !mt_streq(given, words[r->verify_client]) &&
	    strcasecmp(given, words[r->verify_client]) == 0)
		return mt_conf_fail(src, path,
				    "\"%s\" must be one of none,optional,"
				    "required, in small letters",
				    path);
	if (r->verify_client == 0)
		return 0;
	if (r->certfile[0] == '\0')
		mt_conf_warn(src, path,
			     "\"%s\" has no effect: without "
			     "\"restapi.certfile\" the REST API does not speak "
			     "TLS",
			     path);
	else if (r->cafile[0] == '\0')
		return mt_conf_fail(src, path,
				    "\"%s\" is \"%s\", and nothing says whose "
				    "certificates are good; name the file of "
				    "their authority as \"restapi.cafile\"",
				    path, words[r->verify_client]);
	return 0;
}

static int
fill_restapi(struct mt_conf_source *src, struct mt_conf *c)
{
	struct mt_conf_restapi *r = &c->restapi;

	(void)check_tls(src, r);
	if (r->listen.port == 0)
		return mt_conf_missing(src, "restapi.listen",
				       "listen: 0.0.0.0:8008");
	if (r->connect_address.port == 0) {
		r->connect_address = r->listen;
		if (mt_addr_is_wildcard(&r->listen))
			mt_copy(r->connect_address.host,
				sizeof(r->connect_address.host),
				c->raft.self_addr.host);
	}
	/* Without self_addr there is an error already. */
	if (c->raft.self_addr.port != 0 &&
	    mt_addr_is_wildcard(&r->connect_address))
		return mt_conf_fail(src, "restapi.connect_address",
				    "\"restapi.connect_address\" is where "
				    "others connect to; write this member's "
				    "address");
	if (r->agent_check.port == r->listen.port &&
	    (mt_addr_is_wildcard(&r->listen) ||
	     mt_addr_is_wildcard(&r->agent_check) ||
	     mt_streq(r->listen.host, r->agent_check.host)))
		return mt_conf_fail(src, "restapi.agent_check",
				    "\"restapi.agent_check\" needs a port of "
				    "its own: \"restapi.listen\" has this one");
	return 0;
}

/* PostgreSQL. */

/* "a,[v6],b:port": the text for listen_addresses, the port, the first host. */
static int
fill_listen(struct mt_conf_source *src, struct mt_conf_postgresql *p,
	    struct mt_addr *first)
{
	const char *path = "postgresql.listen";
	const json_t *v = mt_conf_lookup(src->root, path);
	char text[sizeof(p->listen_addresses)], *save = NULL, *colon;
	struct mt_addr whole = {.port = 5432}, a;
	size_t n = 0;

	if (!json_is_string(v))
		return mt_conf_missing(src, path, "listen: 0.0.0.0:5432");
	if (!mt_copy(text, sizeof(text), json_string_value(v)))
		return mt_conf_fail(src, path, "\"%s\" is too long", path);
	colon = strrchr(text, ':');
	if (colon != NULL && strchr(colon, ']') == NULL) {
		char port[16];

		mt_format(port, sizeof(port), "x%s", colon);
		if (mt_addr_parse(&whole, port, 0, NULL) != 0)
			return mt_conf_fail(src, path,
					    "\"%s\" has no port from 1 to "
					    "65535 after its last colon",
					    path);
		*colon = '\0';
	}
	p->port = whole.port;
	memset(first, 0, sizeof(*first));
	for (char *s = strtok_r(text, ", ", &save); s != NULL;
	     s = strtok_r(NULL, ", ", &save)) {
		bool lone = s[0] == '[' ? s[strlen(s) - 1] == ']'
					: strchr(s, ':') == NULL;

		if (!lone || mt_addr_parse(&a, s, p->port, NULL) != 0 ||
		    strlen(a.host) + n + 2 > sizeof(p->listen_addresses))
			return mt_conf_fail(src, path,
					    "\"%s\" must be addresses and a "
					    "port, as in \"10.0.0.1,"
					    "127.0.0.1:5432\"",
					    path);
		n += (size_t)snprintf(p->listen_addresses + n,
				      sizeof(p->listen_addresses) - n, "%s%s",
				      n > 0 ? "," : "", a.host);
		if (first->port == 0)
			*first = a;
	}
	if (first->port == 0) { /* ":5432" */
		mt_copy(p->listen_addresses, sizeof(p->listen_addresses), "*");
		mt_copy(first->host, sizeof(first->host), "*");
		first->port = p->port;
	}
	return 0;
}

static int
check_config_names(struct mt_conf_source *src, struct mt_conf_postgresql *p)
{
	const char *name = p->config_base_name;

	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
		return mt_conf_fail(src, "postgresql.config_base_name",
				    "\"postgresql.config_base_name\" is the "
				    "name of a file without \".conf\", as in "
				    "\"postgresql\"");
	return 0;
}

static int
fill_directories(struct mt_conf_source *src, struct mt_conf *c)
{
	struct mt_conf_postgresql *p = &c->postgresql;
	size_t n;
	int rc = 0;

	if (p->bin_dir[0] != '\0')
		rc = mt_fill_directory(src, "postgresql.bin_dir", p->bin_dir);
	if (mt_conf_lookup(src->root, "postgresql.data_dir") == NULL)
		return mt_conf_missing(src, "postgresql.data_dir",
				       "data_dir: /var/lib/postgresql/15/main");
	rc |= mt_fill_directory(src, "postgresql.data_dir", p->data_dir);
	if (rc != 0)
		return MT_EINVAL;
	rc =
	    p->config_dir[0] != '\0'
		? mt_fill_directory(src, "postgresql.config_dir", p->config_dir)
		: 0;
	if (p->config_dir[0] == '\0')
		memcpy(p->config_dir, p->data_dir, sizeof(p->config_dir));
	rc |= check_config_names(src, p);
	if (rc != 0)
		return MT_EINVAL;
	/* A clone empties data_dir: the store must not lie in it. */
	n = strlen(p->data_dir);
	if (strncmp(c->raft.data_dir, p->data_dir, n) == 0 &&
	    (c->raft.data_dir[n] == '\0' || c->raft.data_dir[n] == '/'))
		return mt_conf_fail(src, "raft.data_dir",
				    "\"raft.data_dir\" lies in "
				    "\"postgresql.data_dir\", which is emptied "
				    "for a clone; give it a directory of its "
				    "own");
	if (p->pgpass[0] == '\0' && !mt_format(p->pgpass, sizeof(p->pgpass),
					       "%s/pgpass", c->raft.data_dir))
		return mt_conf_fail(src, "raft.data_dir",
				    "\"raft.data_dir\" is too long");
	return 0;
}

/* libpq would say it at every connection, and name no place. */
static int
check_words(struct mt_conf_source *src, const char *user)
{
	static const struct {
		const char *key, *words;
	} rows[] = {
	    {"sslmode", "disable,allow,prefer,require,verify-ca,verify-full"},
	    {"sslnegotiation", "postgres,direct"},
	    {"gssencmode", "disable,prefer,require"},
	    {"channel_binding", "disable,prefer,require"},
	};
	int rc = 0;

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		char path[128], word[32], all[80];
		const char *v;

		mt_format(path, sizeof(path), "postgresql.authentication.%s.%s",
			  user, rows[i].key);
		v = json_string_value(mt_conf_lookup(src->root, path));
		if (v == NULL)
			continue;
		mt_format(word, sizeof(word), ",%s,", v);
		mt_format(all, sizeof(all), ",%s,", rows[i].words);
		if (strchr(v, ',') != NULL || strstr(all, word) == NULL)
			rc = mt_conf_fail(src, path, "\"%s\" must be one of %s",
					  path, rows[i].words);
	}
	return rc;
}

static int
fill_postgresql(struct mt_conf_source *src, struct mt_conf *c)
{
	struct mt_conf_postgresql *p = &c->postgresql;
	struct mt_addr first;
	int rc;

	c->has_postgresql = mt_conf_lookup(src->root, "postgresql") != NULL;
	if (!c->has_postgresql) {
		if (json_object_get(src->root, "postgresql") != NULL)
			return mt_conf_fail(src, "postgresql",
					    "section \"postgresql\" is empty; "
					    "fill it, or leave it out for a "
					    "witness");
		return 0;
	}
	rc = fill_listen(src, p, &first);
	rc |= fill_directories(src, c);
	rc |= check_words(src, "superuser");
	rc |= check_words(src, "replication");
	rc |= check_words(src, "rewind");
	if (p->replication.libpq.sslpassword[0] != '\0')
		mt_conf_warn(src,
			     "postgresql.authentication.replication."
			     "sslpassword",
			     "PostgreSQL shows the passphrase of the "
			     "replication user's key in its log when a standby "
			     "gets another primary; a key without one, for its "
			     "owner only, is safer");
	if (p->rewind.username[0] == '\0')
		p->rewind = p->superuser;
	if (rc != 0)
		return MT_EINVAL;
	if (p->connect_address.port == 0) {
		p->connect_address = first;
		if (mt_addr_is_wildcard(&first))
			mt_copy(p->connect_address.host,
				sizeof(p->connect_address.host),
				c->raft.self_addr.host);
	}
	if (c->raft.self_addr.port != 0 &&
	    mt_addr_is_wildcard(&p->connect_address))
		return mt_conf_fail(src, "postgresql.connect_address",
				    "\"postgresql.connect_address\" is where "
				    "clients connect to; write this member's "
				    "address");
	return 0;
}

/* Tags. */

/* A truth and a priority that say the same: the truth wins. It is kept as such,
 * however it was written: others read the tags. */
static void
agree(struct mt_conf_source *src, struct mt_conf *c, const char *no_key,
      bool *no, const char *priority_key, int *priority)
{
	bool no_given = mt_conf_lookup(c->tags, no_key) != NULL;
	bool priority_given = mt_conf_lookup(c->tags, priority_key) != NULL;
	char path[64];

	mt_format(path, sizeof(path), "tags.%s", no_key);
	if (no_given && priority_given && *no != (*priority <= 0))
		mt_conf_warn(src, path,
			     "Conflicting configuration between %s: %s and %s: "
			     "%d. Defaulting to %s: %s",
			     no_key, *no ? "True" : "False", priority_key,
			     *priority, no_key, *no ? "True" : "False");
	if (no_given)
		json_object_set_new(c->tags, no_key, json_boolean(*no));
	else if (*priority <= 0)
		*no = true;
	if (*no)
		*priority = 0;
	else if (*priority <= 0)
		*priority = 1;
}

static void
fill_tags(struct mt_conf_source *src, struct mt_conf *c)
{
	agree(src, c, "nofailover", &c->nofailover, "failover_priority",
	      &c->failover_priority);
	agree(src, c, "nosync", &c->nosync, "sync_priority", &c->sync_priority);
}

/* All of them, whatever the others found. */
static void
fill(struct mt_conf_source *src, struct mt_conf *c)
{
	mt_fill_rows(src, c);
	mt_fill_json(src, c);
	(void)fill_scope(src, c);
	(void)fill_name(src, c);
	(void)mt_fill_raft(src, c);
	(void)fill_restapi(src, c);
	(void)mt_fill_restapi(src, &c->restapi);
	(void)fill_postgresql(src, c);
	fill_tags(src, c);
	mt_fill_log(src, &c->log);
}

static int
examine(struct mt_conf **conf, const char *file, const json_t *environment,
	bool is_lenient, struct mt_findings *found)
{
	struct mt_conf *c = calloc(1, sizeof(*c));
	size_t errors = found->n_errors;

	if (c == NULL) {
		mt_findings_add(found, MT_FINDING_ERROR, "", "",
				"out of memory");
		return MT_ENOMEM;
	}
	mt_copy(c->file, sizeof(c->file), file != NULL ? file : "environment");
	c->has_file = file != NULL;
	c->environment = json_incref((json_t *)environment);
	c->waiting = json_object();
	c->source = calloc(1, sizeof(*c->source));
	MT_ASSERT(c->source != NULL && c->waiting != NULL);
	c->source->name = c->file;
	c->source->found = found;
	c->source->is_lenient = is_lenient;
	mt_conf_source_read(c->source, file, environment);
	if (found->n_errors > errors) {
		mt_conf_free(c);
		return MT_EINVAL;
	}
	mt_conf_check(c->source);
	mt_conf_secrets(c->source);
	fill(c->source, c);
	c->source->found = NULL;
	*conf = c;
	return found->n_errors > errors ? MT_EINVAL : 0;
}

int
mt_conf_examine(struct mt_conf **conf, const char *file,
		const json_t *environment, struct mt_findings *found)
{
	return examine(conf, file, environment, false, found);
}

int
mt_conf_read(struct mt_conf **conf, const char *file, const json_t *environment,
	     struct mt_findings *found)
{
	struct mt_conf *c = NULL;
	int rc = examine(&c, file, environment, false, found);

	if (rc == 0)
		*conf = c;
	else
		mt_conf_free(c);
	return rc;
}

static int
load(struct mt_conf **conf, const char *file, const json_t *environment,
     bool is_lenient, struct mt_err *err)
{
	struct mt_findings found = {0};
	struct mt_conf *c = NULL;
	int rc = examine(&c, file, environment, is_lenient, &found);

	if (mt_findings_log(&found, err) != 0 && rc == 0)
		rc = MT_EINVAL;
	if (rc == 0)
		*conf = c;
	else
		mt_conf_free(c);
	mt_findings_release(&found);
	return rc;
}

int
mt_conf_load(struct mt_conf **conf, const char *file, const json_t *environment,
	     struct mt_err *err)
{
	return load(conf, file, environment, false, err);
}

int
mt_conf_peruse(struct mt_conf **conf, const char *file,
	       const json_t *environment, struct mt_err *err)
{
	return load(conf, file, environment, true, err);
}

void
mt_conf_free(struct mt_conf *conf)
{
	if (conf == NULL)
		return;
	mt_fill_release(conf);
	if (conf->source != NULL)
		mt_conf_source_release(conf->source);
	free(conf->source);
	json_decref(conf->environment);
	json_decref(conf->waiting);
	explicit_bzero(conf, sizeof(*conf));
	free(conf);
}

void
mt_conf_overlay(const struct mt_conf *conf, struct mt_settings *s)
{
	const struct mt_conf_postgresql *p = &conf->postgresql;

	if (!conf->has_postgresql)
		return;
	if (p->use_pg_rewind >= 0)
		s->use_pg_rewind = p->use_pg_rewind != 0;
	if (p->remove_data_directory_on_rewind_failure >= 0)
		s->remove_data_directory_on_rewind_failure =
		    p->remove_data_directory_on_rewind_failure != 0;
	if (p->remove_data_directory_on_diverged_timelines >= 0)
		s->remove_data_directory_on_diverged_timelines =
		    p->remove_data_directory_on_diverged_timelines != 0;
}
