/* SPDX-License-Identifier: PostgreSQL */
/*
 * PostgreSQL's parameters. Happy path: the cluster's parameters, then the local
 * ones over them, then the controlled ones from the table below, which only the
 * cluster's document may set. Failure modes: a controlled value that PostgreSQL
 * or a standby could not live with has its default; a parameter that the daemon
 * sets itself, and a value that is no scalar, are left out; each with a
 * warning. Does not know PostgreSQL's own list of parameters.
 */
#include "conf/pgconf.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/options.h"

#define NAME_BYTES 128
#define VALUE_BYTES 64
#define MB INT64_C(1048576)
#define SEGMENT_MB 16
#define VERSION_KEEP_SIZE 130000 /* before: wal_keep_segments */
#define VERSION_REPLICA 90600    /* before: wal_level hot_standby */

/* The same on all members, lest a standby refuse to start. */
static const struct controlled {
	const char *name, *def;
	enum { WHOLE, TRUTH, ALWAYS_ON, LEVEL } kind;
	int64_t min;
} controlled[] = {
    {"max_connections", "100", WHOLE, 25},
    {"max_locks_per_transaction", "64", WHOLE, 32},
    {"max_worker_processes", "8", WHOLE, 2},
    {"max_prepared_transactions", "0", WHOLE, 0},
    {"max_wal_senders", "10", WHOLE, 3},
    {"max_replication_slots", "10", WHOLE, 4},
    {"wal_level", "replica", LEVEL, 0},
    {"hot_standby", "on", ALWAYS_ON, 0},
    {"track_commit_timestamp", "off", TRUTH, 0},
    {"wal_log_hints", "on", TRUTH, 0},
};

/* From the local file or the scope; nobody else sets them. */
static const char *const identity[] = {"listen_addresses", "port",
				       "cluster_name"};
/* What the daemon writes for the role, or gives on the command line. */
static const char *const own[] = {"primary_conninfo", "primary_slot_name",
				  "data_directory", "config_file"};
static const char *const keep[] = {"wal_keep_segments", "wal_keep_size"};

static bool
among(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (mt_streq(list[i], name))
			return true;
	return false;
}

static const struct controlled *
find_controlled(const char *name)
{
	for (size_t i = 0; i < MT_COUNT(controlled); i++)
		if (mt_streq(controlled[i].name, name))
			return &controlled[i];
	return NULL;
}

bool
mt_pgconf_on_command_line(const char *name)
{
	char lower[NAME_BYTES];

	if (!mt_copy(lower, sizeof(lower), name))
		return false;
	for (char *p = lower; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return find_controlled(lower) != NULL ||
	       among(identity, MT_COUNT(identity), lower);
}

/* A scalar as PostgreSQL reads it; NULL for others. A new reference. */
static json_t *
as_text(const json_t *v)
{
	char text[VALUE_BYTES];

	if (json_is_string(v))
		return json_string(json_string_value(v));
	if (json_is_boolean(v))
		return json_string(json_is_true(v) ? "on" : "off");
	if (json_is_integer(v)) {
		mt_format(text, sizeof(text), "%lld",
			  (long long)json_integer_value(v));
		return json_string(text);
	}
	if (json_is_real(v)) {
		/* the shortest of the texts that mean the same number */
		for (int digits = 6; digits <= 17; digits++) {
			mt_format(text, sizeof(text), "%.*g", digits,
				  json_real_value(v));
			if (strtod(text, NULL) == json_real_value(v))
				break;
		}
		return json_string(text);
	}
	return NULL;
}

/* The value of a name in any case: PostgreSQL's names have none. */
static const json_t *
get_any_case(const json_t *params, const char *name)
{
	const json_t *v = json_object_get(params, name), *item;
	const char *key;

	if (v == NULL)
		json_object_foreach ((json_t *)params, key, item)
			if (strcasecmp(key, name) == 0)
				v = item;
	return v != NULL && json_is_null(v) ? NULL : v;
}

static int
add_params(json_t *out, const json_t *params, const char *source, bool special)
{
	char name[NAME_BYTES];
	const char *key;
	json_t *v, *text;

	json_object_foreach ((json_t *)params, key, v) {
		if (!mt_copy(name, sizeof(name), key)) {
			mt_warn("a parameter's name in %s is too long; it is "
				"left out",
				source);
			continue;
		}
		for (char *p = name; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		if (json_is_null(v))
			continue;
		if (find_controlled(name) != NULL ||
		    among(keep, MT_COUNT(keep), name)) {
			/* else later, from the document alone */
			if (special)
				mt_warn("parameter \"%s\" in %s must be alike "
					"on all members; it is ignored there, "
					"set it in \"parameters\" of the "
					"dynamic configuration",
					name, source);
			continue;
		}
		if (among(identity, MT_COUNT(identity), name) ||
		    among(own, MT_COUNT(own), name) ||
		    strncmp(name, "recovery_target", 15) == 0) {
			mt_warn("parameter \"%s\" in %s is managed and cannot "
				"be set there; it is left out",
				name, source);
			continue;
		}
		text = as_text(v);
		if (text == NULL) {
			mt_warn("parameter \"%s\" in %s is no single value; it "
				"is left out",
				name, source);
			continue;
		}
		if (json_object_set_new(out, name, text) != 0)
			return MT_ENOMEM;
	}
	return 0;
}

static void
warn_local(const json_t *params)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)params, key, v) {
		bool kept = strcasecmp(key, keep[0]) == 0 ||
			    strcasecmp(key, keep[1]) == 0;
		bool own_name = strcasecmp(key, identity[0]) == 0 ||
				strcasecmp(key, identity[1]) == 0 ||
				strcasecmp(key, identity[2]) == 0;

		if (!own_name && (kept || mt_pgconf_on_command_line(key)))
			mt_warn(
			    "parameter \"%s\" must be alike on all members; "
			    "the local value is ignored, set it in the "
			    "dynamic configuration",
			    key);
	}
}

/* The document's value of a controlled parameter, if it is a good one. */
static bool
controlled_value(const struct controlled *c, const json_t *v, char *buf,
		 size_t size)
{
	const struct mt_option whole = {.type = MT_OPT_INT};
	const struct mt_option truth = {.type = MT_OPT_BOOL};
	const char *s;
	int64_t n;

	switch (c->kind) {
	case WHOLE:
		if (mt_option_value(&whole, v, &n) != 0 || n < c->min ||
		    n > INT32_MAX)
			return false;
		return mt_format(buf, size, "%lld", (long long)n);
	case TRUTH:
	case ALWAYS_ON:
		if (mt_option_value(&truth, v, &n) != 0 ||
		    (c->kind == ALWAYS_ON && n == 0))
			return false;
		return mt_copy(buf, size, n != 0 ? "on" : "off");
	case LEVEL:
		s = json_is_string(v) ? json_string_value(v) : "";
		if (strcasecmp(s, "hot_standby") == 0)
			return mt_copy(buf, size, "replica");
		if (strcasecmp(s, "replica") == 0)
			return mt_copy(buf, size, "replica");
		if (strcasecmp(s, "logical") == 0)
			return mt_copy(buf, size, "logical");
		return false;
	}
	return false;
}

static int
add_controlled(json_t *out, const json_t *dynamic, int version)
{
	char buf[VALUE_BYTES];
	const char *text;

	for (size_t i = 0; i < MT_COUNT(controlled); i++) {
		const struct controlled *c = &controlled[i];
		const json_t *v = get_any_case(dynamic, c->name);

		text = c->def;
		if (v != NULL && controlled_value(c, v, buf, sizeof(buf)))
			text = buf;
		else if (v != NULL)
			mt_warn("the dynamic configuration's value of "
				"parameter \"%s\" cannot be used; %s is taken",
				c->name, c->def);
		if (c->kind == LEVEL && version < VERSION_REPLICA &&
		    mt_streq(text, "replica"))
			text = "hot_standby";
		if (json_object_set_new(out, c->name, json_string(text)) != 0)
			return MT_ENOMEM;
	}
	return 0;
}

/* A size in PostgreSQL's notation, plain numbers are MB; -1 if it is none. */
static int64_t
size_mb(const json_t *v)
{
	static const struct {
		const char *name;
		int64_t bytes;
	} units[] = {{"", MB},   {"B", 1},          {"kB", 1024},
		     {"MB", MB}, {"GB", 1024 * MB}, {"TB", 1024 * 1024 * MB}};
	const char *s;
	char *end;
	double d;

	if (json_is_integer(v))
		return json_integer_value(v);
	s = json_is_string(v) ? json_string_value(v) : "";
	if (strchr(".0123456789", s[0]) == NULL || s[0] == '\0')
		return -1;
	d = strtod(s, &end);
	end += strspn(end, " ");
	for (size_t i = 0; i < MT_COUNT(units); i++) {
		if (!mt_streq(end, units[i].name))
			continue;
		d *= (double)units[i].bytes / (double)MB;
		return d >= 0 && d <= INT32_MAX ? (int64_t)d : -1;
	}
	return -1;
}

/* One of two names by version; each can be given, both mean the same. */
static int
add_wal_keep(json_t *out, const json_t *dynamic, int version)
{
	const struct mt_option whole = {.type = MT_OPT_INT};
	const json_t *size = get_any_case(dynamic, "wal_keep_size");
	const json_t *segments = get_any_case(dynamic, "wal_keep_segments");
	bool new = version >= VERSION_KEEP_SIZE;
	int64_t mb = 128, n;
	char buf[VALUE_BYTES];

	/* Where both are given, the one of this version counts. */
	if (size != NULL && segments != NULL) {
		size = new ? size : NULL;
		segments = new ? NULL : segments;
	}
	if (size != NULL) {
		n = size_mb(size);
		if (n >= SEGMENT_MB && n <= INT32_MAX)
			mb = n;
		else
			mt_warn("the dynamic configuration's value of "
				"parameter \"wal_keep_size\" cannot be used; "
				"128MB is taken");
	} else if (segments != NULL) {
		if (mt_option_value(&whole, segments, &n) == 0 && n >= 1 &&
		    n <= INT32_MAX / SEGMENT_MB)
			mb = n * SEGMENT_MB;
		else
			mt_warn("the dynamic configuration's value of "
				"parameter \"wal_keep_segments\" cannot be "
				"used; 8 is taken");
	}
	if (new &&segments != NULL)
		mt_warn("parameter \"wal_keep_segments\" is unknown from "
			"PostgreSQL 13 on; it is taken as \"wal_keep_size\", "
			"%lldMB",
			(long long)mb);
	if (new)
		mt_format(buf, sizeof(buf), "%lldMB", (long long)mb);
	else
		mt_format(buf, sizeof(buf), "%lld",
			  (long long)((mb + SEGMENT_MB - 1) / SEGMENT_MB));
	return json_object_set_new(out, new ? keep[1] : keep[0],
				   json_string(buf));
}

static int
add_identity(json_t *out, const struct mt_conf *conf)
{
	const struct mt_conf_postgresql *p = &conf->postgresql;
	char port[16];

	mt_format(port, sizeof(port), "%u", (unsigned int)p->port);
	if (json_object_set_new(out, "listen_addresses",
				json_string(p->listen_addresses)) != 0 ||
	    json_object_set_new(out, "port", json_string(port)) != 0 ||
	    json_object_set_new(out, "cluster_name",
				json_string(conf->scope)) != 0)
		return MT_ENOMEM;
	return 0;
}

json_t *
mt_pgconf_parameters(const struct mt_conf *conf, const json_t *dynamic_doc,
		     int pg_version_num)
{
	const json_t *section = json_object_get(dynamic_doc, "postgresql");
	const json_t *dynamic = json_object_get(section, "parameters");
	const json_t *local = conf->postgresql.parameters;
	json_t *out = json_object();

	if (out == NULL)
		return NULL;
	warn_local(local);
	if (add_params(out, dynamic, "the dynamic configuration", false) != 0 ||
	    add_params(out, local, "the local file", false) != 0 ||
	    add_params(out, json_object_get(section, "recovery_conf"),
		       "\"recovery_conf\" of the dynamic configuration",
		       true) != 0 ||
	    add_params(out, conf->postgresql.recovery_conf,
		       "\"recovery_conf\" of the local file", true) != 0 ||
	    add_controlled(out, dynamic, pg_version_num) != 0 ||
	    add_wal_keep(out, dynamic, pg_version_num) != 0 ||
	    add_identity(out, conf) != 0) {
		json_decref(out);
		return NULL;
	}
	return out;
}

static bool
has_restore_command(const json_t *parameters)
{
	const char *text =
	    json_string_value(json_object_get(parameters, "restore_command"));

	return text != NULL && *text != '\0';
}

bool
mt_pgconf_restores(const struct mt_conf *conf, const json_t *dynamic_doc)
{
	const struct mt_conf_postgresql *local = &conf->postgresql;
	const json_t *section = json_object_get(dynamic_doc, "postgresql");

	return has_restore_command(local->recovery_conf) ||
	       has_restore_command(local->parameters) ||
	       has_restore_command(
		   local->for_role[MT_CONF_REPLICA].parameters) ||
	       has_restore_command(json_object_get(section, "recovery_conf")) ||
	       has_restore_command(json_object_get(section, "parameters")) ||
	       has_restore_command(
		   json_object_get(section, "parameters_replica"));
}

const char *
mt_pgconf_role_name(enum mt_conf_role role)
{
	return role == MT_CONF_PRIMARY ? "primary" : "replica";
}

json_t *
mt_pgconf_for_role(json_t *parameters, const struct mt_conf *conf,
		   const json_t *dynamic_doc, enum mt_conf_role role)
{
	const json_t *local = conf->postgresql.for_role[role].parameters;
	char key[32], source[96];
	const json_t *dynamic;
	json_t *out;
	int rc;

	mt_format(key, sizeof(key), "parameters_%s", mt_pgconf_role_name(role));
	dynamic =
	    json_object_get(json_object_get(dynamic_doc, "postgresql"), key);
	if (local == NULL && dynamic == NULL)
		return json_incref(parameters);
	out = json_copy(parameters);
	if (out == NULL)
		return NULL;
	mt_format(source, sizeof(source), "\"%s\" of the dynamic configuration",
		  key);
	rc = add_params(out, dynamic, source, true);
	mt_format(source, sizeof(source), "\"%s\" of the local file", key);
	if (rc == 0)
		rc = add_params(out, local, source, true);
	if (rc != 0) {
		json_decref(out);
		return NULL;
	}
	return out;
}

/* A list of lines, as it may be written: one line is a list, too. */
static json_t *
lines_of(const json_t *v)
{
	static const struct mt_option list = {.type = MT_OPT_LIST};

	if (v == NULL || json_is_null(v) || !mt_option_accepts(&list, v))
		return NULL;
	return json_is_string(v) ? json_pack("[O]", v)
				 : json_incref((json_t *)v);
}

json_t *
mt_pgconf_files(const struct mt_conf *conf, const json_t *dynamic_doc,
		enum mt_conf_role role)
{
	const struct mt_conf_postgresql *p = &conf->postgresql;
	const struct mt_conf_for_role *r = &p->for_role[role];
	const struct {
		const char *name;
		const json_t *of_role, *local;
	} lists[] = {{"pg_hba", r->pg_hba, p->pg_hba},
		     {"pg_ident", r->pg_ident, p->pg_ident}};
	char key[32];
	const json_t *dynamic = json_object_get(dynamic_doc, "postgresql");
	json_t *out = json_object(), *v;

	for (size_t i = 0; out != NULL && i < MT_COUNT(lists); i++) {
		mt_format(key, sizeof(key), "%s_%s", lists[i].name,
			  mt_pgconf_role_name(role));
		v = json_array_size(lists[i].of_role) > 0
			? lines_of(lists[i].of_role)
			: lines_of(json_object_get(dynamic, key));
		if (v == NULL)
			v = json_array_size(lists[i].local) > 0
				? lines_of(lists[i].local)
				: lines_of(
				      json_object_get(dynamic, lists[i].name));
		if (v != NULL)
			json_object_set_new(out, lists[i].name, v);
	}
	return out;
}
