/* SPDX-License-Identifier: PostgreSQL */
/*
 * Single options into struct mt_conf. Happy path: a row says which member an
 * option fills; text, addresses and numbers each have one way in. The shapes of
 * lists that users write in two ways are made one here. Types were checked
 * before, so what fails here is only length, an address, or memory.
 */
#include "conf/fill.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/methods.h"
#include "conf/options.h"
#include "conf/pgconf.h"
#include "conf/secret.h"

struct row {
	const char *path;
	size_t offset, size;
	enum { TEXT, ADDRESS, TRUTH, NUMBER, INT, MAYBE } kind;
	uint16_t port; /* ADDRESS: where none is written; 0: required */
};

#define AT(m) offsetof(struct mt_conf, m), sizeof(((struct mt_conf *)NULL)->m)
#define PG(m) AT(postgresql.m)
#define OF_USER(user, member, key) \
	{ \
		"postgresql.authentication." #user "." key, PG(user.member), \
		    TEXT, 0 \
	}
#define LIBPQ(user, key) OF_USER(user, libpq.key, #key)
#define USER(user) \
	OF_USER(user, username, "username"), \
	    OF_USER(user, password, "password"), LIBPQ(user, sslmode), \
	    LIBPQ(user, sslcert), LIBPQ(user, sslkey), \
	    LIBPQ(user, sslpassword), LIBPQ(user, sslrootcert), \
	    LIBPQ(user, sslcrl), LIBPQ(user, sslcrldir), \
	    LIBPQ(user, sslnegotiation), LIBPQ(user, gssencmode), \
	    LIBPQ(user, channel_binding)

static const struct row rows[] = {
    {"scope", AT(scope), TEXT, 0},
    {"namespace", AT(namespace), TEXT, 0},
    {"name", AT(name), TEXT, 0},
    {"fencing", AT(fencing), TRUTH, 0},
    {"log.type", AT(log.type), NUMBER, 0},
    {"log.level", AT(log.level), NUMBER, 0},
    {"log.dateformat", AT(log.dateformat), TEXT, 0},
    {"log.dir", AT(log.dir), TEXT, 0},
    {"log.max_queue_size", AT(log.max_queue_size), NUMBER, 0},
    {"log.file_num", AT(log.file_num), NUMBER, 0},
    {"log.file_size", AT(log.file_size_bytes), NUMBER, 0},
    {"log.deduplicate_heartbeat_logs", AT(log.deduplicate_heartbeats), TRUTH,
     0},
    {"restapi.listen", AT(restapi.listen), ADDRESS, 8008},
    {"restapi.connect_address", AT(restapi.connect_address), ADDRESS, 8008},
    {"restapi.agent_check", AT(restapi.agent_check), ADDRESS, 0},
    {"restapi.certfile", AT(restapi.certfile), TEXT, 0},
    {"restapi.keyfile", AT(restapi.keyfile), TEXT, 0},
    {"restapi.keyfile_password", AT(restapi.keyfile_password), TEXT, 0},
    {"restapi.cafile", AT(restapi.cafile), TEXT, 0},
    {"restapi.ciphers", AT(restapi.ciphers), TEXT, 0},
    {"restapi.verify_client", AT(restapi.verify_client), NUMBER, 0},
    {"ctl.authentication.username", AT(ctl.username), TEXT, 0},
    {"ctl.authentication.password", AT(ctl.password), TEXT, 0},
    {"ctl.insecure", AT(ctl.insecure), TRUTH, 0},
    {"ctl.cacert", AT(ctl.cacert), TEXT, 0},
    {"ctl.certfile", AT(ctl.certfile), TEXT, 0},
    {"ctl.keyfile", AT(ctl.keyfile), TEXT, 0},
    {"ctl.keyfile_password", AT(ctl.keyfile_password), TEXT, 0},
    {"restapi.authentication.username", AT(restapi.username), TEXT, 0},
    {"restapi.authentication.password", AT(restapi.password), TEXT, 0},
    {"restapi.allowlist_include_members", AT(restapi.allowlist_include_members),
     TRUTH, 0},
    {"restapi.allow_shell_settings", AT(restapi.allow_shell_settings), TRUTH,
     0},
    {"restapi.server_tokens", AT(restapi.server_tokens), TEXT, 0},
    {"restapi.request_queue_size", AT(restapi.request_queue_size), NUMBER, 0},
    {"raft.self_addr", AT(raft.self_addr), ADDRESS, 0},
    {"raft.bind_addr", AT(raft.bind_addr), ADDRESS, 0},
    {"raft.data_dir", AT(raft.data_dir), TEXT, 0},
    {"raft.insecure", AT(raft.insecure), TRUTH, 0},
    {"raft.password", AT(raft.password), TEXT, 0},
    {"raft.certfile", AT(raft.certfile), TEXT, 0},
    {"raft.keyfile", AT(raft.keyfile), TEXT, 0},
    {"raft.keyfile_password", AT(raft.keyfile_password), TEXT, 0},
    {"raft.cafile", AT(raft.cafile), TEXT, 0},
    {"raft.election_timeout", AT(raft.election_timeout_ms), NUMBER, 0},
    {"raft.heartbeat", AT(raft.heartbeat_ms), NUMBER, 0},
    {"bootstrap.method", AT(bootstrap.method), TEXT, 0},
    {"bootstrap.post_bootstrap", AT(bootstrap.post_bootstrap), TEXT, 0},
    {"postgresql.connect_address", PG(connect_address), ADDRESS, 5432},
    {"postgresql.proxy_address", PG(proxy_address), ADDRESS, 5432},
    {"postgresql.data_dir", PG(data_dir), TEXT, 0},
    {"postgresql.config_dir", PG(config_dir), TEXT, 0},
    {"postgresql.config_base_name", PG(config_base_name), TEXT, 0},
    {"postgresql.custom_conf", PG(custom_conf), TEXT, 0},
    {"postgresql.bin_dir", PG(bin_dir), TEXT, 0},
    {"postgresql.bin_name.postgres", PG(bin_name.postgres), TEXT, 0},
    {"postgresql.bin_name.initdb", PG(bin_name.initdb), TEXT, 0},
    {"postgresql.bin_name.pg_controldata", PG(bin_name.pg_controldata), TEXT,
     0},
    {"postgresql.bin_name.pg_basebackup", PG(bin_name.pg_basebackup), TEXT, 0},
    {"postgresql.bin_name.pg_rewind", PG(bin_name.pg_rewind), TEXT, 0},
    {"postgresql.pgpass", PG(pgpass), TEXT, 0},
    {"postgresql.pre_promote", PG(pre_promote), TEXT, 0},
    {"postgresql.before_stop", PG(before_stop), TEXT, 0},
    {"postgresql.database", PG(database), TEXT, 0},
    {"postgresql.use_unix_socket", PG(use_unix_socket), TRUTH, 0},
    {"postgresql.use_unix_socket_repl", PG(use_unix_socket_repl), TRUTH, 0},
    {"postgresql.krbsrvname", PG(krbsrvname), TEXT, 0},
    USER(superuser),
    USER(replication),
    USER(rewind),
    {"postgresql.pg_ctl_timeout", PG(pg_ctl_timeout_ms), NUMBER, 0},
    {"postgresql.use_pg_rewind", PG(use_pg_rewind), MAYBE, 0},
    {"postgresql.remove_data_directory_on_rewind_failure",
     PG(remove_data_directory_on_rewind_failure), MAYBE, 0},
    {"postgresql.remove_data_directory_on_diverged_timelines",
     PG(remove_data_directory_on_diverged_timelines), MAYBE, 0},
    {"tags.nofailover", AT(nofailover), TRUTH, 0},
    {"tags.noloadbalance", AT(noloadbalance), TRUTH, 0},
    {"tags.clonefrom", AT(clonefrom), TRUTH, 0},
    {"tags.nosync", AT(nosync), TRUTH, 0},
    {"tags.failover_priority", AT(failover_priority), INT, 0},
    {"tags.sync_priority", AT(sync_priority), INT, 0},
};

static int
fill_text(struct mt_conf_source *src, const struct row *r,
	  const struct mt_option *o, const json_t *v, char *to)
{
	const char *s = o->def != NULL ? o->def : "";
	char number[32];

	if (json_is_string(v)) {
		s = json_string_value(v);
	} else if (json_is_integer(v)) {
		/* YAML may have read 0123 or 1_000 in its own way. */
		mt_conf_warn(src, r->path,
			     "\"%s\" is a number and read as decimal text; put "
			     "it in quotes",
			     r->path);
		mt_format(number, sizeof(number), "%lld",
			  (long long)json_integer_value(v));
		s = number;
	}
	if (!mt_copy(to, r->size, s))
		return mt_conf_fail(src, r->path,
				    "\"%s\" is too long, at most %zu bytes",
				    r->path, r->size - 1);
	for (const char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return mt_conf_fail(src, r->path,
					    "\"%s\" holds a line break or "
					    "another control character",
					    r->path);
	return 0;
}

static int
fill_address(struct mt_conf_source *src, const struct row *r, const json_t *v,
	     struct mt_addr *to)
{
	struct mt_err why;

	if (v == NULL)
		return 0;
	if (mt_addr_parse(to, json_string_value(v), r->port, &why) != 0)
		return mt_conf_fail(src, r->path, "\"%s\": %s", r->path,
				    why.text);
	if (mt_streq(r->path, "postgresql.proxy_address") &&
	    mt_addr_is_wildcard(to))
		return mt_conf_fail(src, r->path,
				    "\"%s\" is where clients connect to; write "
				    "the proxy's address",
				    r->path);
	return 0;
}

static void
fill_number(const struct row *r, const struct mt_option *o, const json_t *v,
	    char *to)
{
	int64_t n = mt_option_default(o);

	if (v != NULL && mt_option_value(o, v, &n) == 0 && n < o->min)
		n = o->min;
	if (n > INT32_MAX && r->kind == INT)
		n = INT32_MAX;
	if (n < INT32_MIN && r->kind == INT)
		n = INT32_MIN;
	if (r->kind == TRUTH)
		*(bool *)(void *)to = n != 0;
	else if (r->kind == NUMBER)
		*(int64_t *)(void *)to = n;
	else if (r->kind == MAYBE)
		*(int *)(void *)to = v == NULL ? -1 : n != 0;
	else
		*(int *)(void *)to = (int)n;
}

/* All servers of a cluster have one, whoever connects to them. */
static void
spread_krbsrvname(struct mt_conf_postgresql *p)
{
	struct mt_conf_user *users[] = {&p->superuser, &p->replication,
					&p->rewind};

	for (size_t i = 0; i < MT_COUNT(users); i++)
		mt_copy(users[i]->libpq.krbsrvname,
			sizeof(users[i]->libpq.krbsrvname), p->krbsrvname);
}

void
mt_fill_rows(struct mt_conf_source *src, struct mt_conf *c)
{
	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		const struct mt_option *o =
		    mt_option_find(MT_OPT_LOCAL, r->path);
		const json_t *v = mt_conf_lookup(src->root, r->path);
		char *to = (char *)c + r->offset;

		MT_ASSERT(o != NULL);
		/* Not in force yet: a wrong type was only warned of. */
		if (v != NULL && !mt_option_accepts(o, v))
			v = NULL;
		if (r->kind == TEXT)
			(void)fill_text(src, r, o, v, to);
		else if (r->kind == ADDRESS)
			(void)fill_address(src, r, v,
					   (struct mt_addr *)(void *)to);
		else
			fill_number(r, o, v, to);
	}
	spread_krbsrvname(&c->postgresql);
}

static json_t *
text_of(const char *s)
{
	return s[0] != '\0' ? json_string(s) : NULL;
}

json_t *
mt_fill_value(const struct mt_conf *c, const struct mt_option *o)
{
	char text[MT_ADDR_MAX];

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		const char *at = (const char *)c + rows[i].offset;
		const void *p = at;

		if (!mt_streq(rows[i].path, o->path))
			continue;
		switch (rows[i].kind) {
		case TEXT:
			return text_of(at);
		case ADDRESS:
			if (((const struct mt_addr *)p)->port == 0)
				return NULL;
			return json_string(
			    mt_addr_format(p, text, sizeof(text)));
		case TRUTH:
			return json_boolean(*(const bool *)p);
		case NUMBER:
			return mt_option_written(o, *(const int64_t *)p);
		case INT:
			return json_integer(*(const int *)p);
		case MAYBE:
			return *(const int *)p < 0
				   ? NULL
				   : json_boolean(*(const int *)p);
		}
	}
	return NULL;
}

void
mt_fill_keep(const struct mt_conf *old, struct mt_conf *now)
{
	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		const struct mt_option *o =
		    mt_option_find(MT_OPT_LOCAL, r->path);

		if (o->reload == MT_RELOAD_START)
			memcpy((char *)now + r->offset,
			       (const char *)old + r->offset, r->size);
	}
	/* what several members hold together */
	memcpy(now->postgresql.listen_addresses,
	       old->postgresql.listen_addresses,
	       sizeof(now->postgresql.listen_addresses));
	now->postgresql.port = old->postgresql.port;
	memcpy(now->raft.partner_addrs, old->raft.partner_addrs,
	       sizeof(now->raft.partner_addrs));
	now->raft.n = old->raft.n;
}

int
mt_fill_directory(struct mt_conf_source *src, const char *path, char *dir)
{
	size_t n;

	if (dir[0] == '\0')
		return mt_conf_fail(
		    src, path,
		    "\"%s\" is empty; give the absolute path of "
		    "a directory",
		    path);
	if (dir[0] != '/')
		return mt_conf_fail(src, path,
				    "\"%s\" is not an absolute path; begin it "
				    "with a slash",
				    path);
	for (n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--)
		dir[n - 1] = '\0';
	if (n == 1)
		return mt_conf_fail(src, path,
				    "\"%s\" is the root directory; give one of "
				    "its own",
				    path);
	return 0;
}

/* Lists and mappings. Each returns a new reference, or NULL without memory. */

static json_t *
as_map(const json_t *v)
{
	return json_is_object(v) ? json_incref((json_t *)v) : json_object();
}

static json_t *
as_list(const json_t *v)
{
	if (json_is_string(v))
		return json_pack("[O]", v);
	return json_is_array(v) ? json_incref((json_t *)v) : json_array();
}

/* A mapping {a: 1, b: null} becomes [{a: 1}, "b"]. */
static json_t *
as_flags(const json_t *v)
{
	json_t *list, *value, *item;
	const char *key;

	if (!json_is_object(v))
		return as_list(v);
	list = json_array();
	json_object_foreach ((json_t *)v, key, value) {
		item = json_is_null(value) ? json_string(key)
					   : json_pack("{sO}", key, value);
		if (json_array_append_new(list, item) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *
list_or_null(const json_t *v)
{
	return v != NULL ? as_list(v) : NULL;
}

/* One user of bootstrap.users: {} or {password, options}. */
static int
check_user(struct mt_conf_source *src, const char *name, json_t *user)
{
	static const struct mt_option options = {.type = MT_OPT_LIST};
	char path[256], number[32];
	const char *key;
	json_t *v;

	mt_format(path, sizeof(path), "bootstrap.users.%s", name);
	mt_conf_secret_in(src, path, user);
	if (!json_is_object(user))
		return mt_conf_fail(
		    src, path,
		    "user \"%s\" must be a mapping of \"password\" "
		    "and \"options\"",
		    name);
	json_object_foreach (user, key, v) {
		if (!mt_streq(key, "password") &&
		    !mt_streq(key, "password_file") &&
		    !mt_streq(key, "options"))
			mt_conf_warn(src, path,
				     "unknown key \"%s\" of user \"%s\" is "
				     "ignored, known are \"password\" and "
				     "\"options\"",
				     key, name);
	}
	v = json_object_get(user, "password");
	if (json_is_integer(v)) {
		mt_conf_warn(src, path,
			     "the password of user \"%s\" is a number and read "
			     "as decimal text; put it in quotes",
			     name);
		mt_format(number, sizeof(number), "%lld",
			  (long long)json_integer_value(v));
		json_object_set_new(user, "password", json_string(number));
	} else if (v != NULL && !json_is_null(v) && !json_is_string(v)) {
		return mt_conf_fail(src, path,
				    "the password of user \"%s\" must be text "
				    "in quotes",
				    name);
	}
	v = json_object_get(user, "options");
	if (v != NULL && !json_is_null(v) && !mt_option_accepts(&options, v))
		return mt_conf_fail(src, path,
				    "the options of user \"%s\" must be a list "
				    "as in \"[createrole, createdb]\"",
				    name);
	return 0;
}

static void
fill_users(struct mt_conf_source *src, json_t *users)
{
	const char *name;
	json_t *user;
	void *next;

	json_object_foreach_safe (users, next, name, user) {
		if (json_is_null(user))
			json_object_set_new(users, name, json_object());
		else
			(void)check_user(src, name, user);
	}
}

static void
drop_nested_tags(struct mt_conf_source *src, json_t *tags)
{
	const char *key;
	json_t *v;
	void *next;
	char path[256];

	json_object_foreach_safe (tags, next, key, v) {
		if (!json_is_object(v) && !json_is_array(v))
			continue;
		mt_format(path, sizeof(path), "tags.%s", key);
		mt_conf_warn(src, path,
			     "tag \"%s\" is no single value; it is ignored",
			     key);
		json_object_del(tags, key);
	}
}

static void
fill_role(const json_t *root, const char *role, struct mt_conf_for_role *to)
{
	char path[64];
	const json_t *v;

	mt_format(path, sizeof(path), "postgresql.parameters_%s", role);
	v = mt_conf_lookup(root, path);
	to->parameters = v != NULL ? as_map(v) : NULL;
	mt_format(path, sizeof(path), "postgresql.pg_hba_%s", role);
	to->pg_hba = list_or_null(mt_conf_lookup(root, path));
	mt_format(path, sizeof(path), "postgresql.pg_ident_%s", role);
	to->pg_ident = list_or_null(mt_conf_lookup(root, path));
}

void
mt_fill_json(struct mt_conf_source *src, struct mt_conf *c)
{
	struct mt_conf_postgresql *p = &c->postgresql;
	struct mt_conf_bootstrap *b = &c->bootstrap;
	const json_t *root = src->root, *v;

#define GET(path) mt_conf_lookup(root, path)
	c->tags = as_map(GET("tags"));
	p->parameters = as_map(GET("postgresql.parameters"));
	p->recovery_conf = as_map(GET("postgresql.recovery_conf"));
	p->callbacks = as_map(GET("postgresql.callbacks"));
	p->pg_hba = list_or_null(GET("postgresql.pg_hba"));
	p->pg_ident = list_or_null(GET("postgresql.pg_ident"));
	for (int i = 0; i < MT_CONF_ROLES; i++)
		fill_role(root, mt_pgconf_role_name((enum mt_conf_role)i),
			  &p->for_role[i]);
	p->basebackup = as_flags(GET("postgresql.basebackup"));
	p->rewind_options = as_flags(GET("postgresql.rewind"));
	v = GET("postgresql.create_replica_methods");
	if (v == NULL)
		v = GET("postgresql.create_replica_method");
	p->create_replica_methods =
	    v != NULL ? as_list(v) : json_pack("[s]", "basebackup");
	p->replica_sections = mt_fill_methods(src, p->create_replica_methods);
	b->present = GET("bootstrap") != NULL;
	b->dcs = as_map(GET("bootstrap.dcs"));
	b->initdb = as_flags(GET("bootstrap.initdb"));
	b->pg_hba = list_or_null(GET("bootstrap.pg_hba"));
	b->users = as_map(GET("bootstrap.users"));
	b->section = mt_fill_bootstrap_method(src, b->method);
	v = GET("bootstrap.post_init");
	if (b->post_bootstrap[0] == '\0' && json_is_string(v) &&
	    !mt_copy(b->post_bootstrap, sizeof(b->post_bootstrap),
		     json_string_value(v)))
		mt_conf_fail(src, "bootstrap.post_init",
			     "\"bootstrap.post_init\" is too long");
#undef GET
	if (c->tags == NULL || p->parameters == NULL ||
	    p->recovery_conf == NULL || p->callbacks == NULL ||
	    p->rewind_options == NULL || p->basebackup == NULL ||
	    p->create_replica_methods == NULL || p->replica_sections == NULL ||
	    b->dcs == NULL || b->initdb == NULL || b->users == NULL)
		mt_conf_fail(src, "", "out of memory");
	drop_nested_tags(src, c->tags);
	fill_users(src, b->users);
}

void
mt_fill_release(struct mt_conf *c)
{
	struct mt_conf_postgresql *p = &c->postgresql;
	struct mt_conf_bootstrap *b = &c->bootstrap;

	json_decref(c->restapi.allowlist);
	json_decref(c->restapi.http_headers);
	json_decref(c->restapi.https_headers);
	json_decref(c->tags);
	json_decref(p->parameters);
	json_decref(p->recovery_conf);
	json_decref(p->callbacks);
	json_decref(p->pg_hba);
	json_decref(p->pg_ident);
	for (int i = 0; i < MT_CONF_ROLES; i++) {
		json_decref(p->for_role[i].parameters);
		json_decref(p->for_role[i].pg_hba);
		json_decref(p->for_role[i].pg_ident);
	}
	json_decref(p->basebackup);
	json_decref(p->rewind_options);
	json_decref(p->create_replica_methods);
	json_decref(p->replica_sections);
	json_decref(b->dcs);
	json_decref(b->initdb);
	json_decref(b->pg_hba);
	json_decref(b->users);
	json_decref(b->section);
}
