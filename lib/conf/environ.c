/* SPDX-License-Identifier: PostgreSQL */
/*
 * Variables into parts of the configuration. Happy path: the name of a variable
 * follows from its option's path, so that the table of options is the only
 * list; its text becomes a value of the option's type. Failure modes: a name
 * that no option has is warned of; text that is not of the type is warned of
 * and dropped. The process's environment is its caller's.
 */
#include "conf/environ.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "conf/source.h"

#define NAME_BYTES 128

static const char *const prefixes[] = {"PATRONI_", "MATRIARCH_"};
static const char whole[] = "CONFIGURATION";

/* ---- names ---- */

/* What has no variable: too large, or of a cluster that is being made. */
static bool
is_left_out(const struct mt_option *o)
{
	static const char *const sections[] = {
	    "bootstrap.", "watchdog.", "tags.", "postgresql.callbacks."};

	if (o->where != MT_OPT_LOCAL)
		return true;
	for (size_t i = 0; i < MT_COUNT(sections); i++)
		if (strncmp(o->path, sections[i], strlen(sections[i])) == 0)
			return true;
	/* PostgreSQL's lists and mappings; those of other stores. */
	if (strncmp(o->path, "postgresql.", strlen("postgresql.")) == 0)
		return o->type == MT_OPT_LIST || o->type == MT_OPT_FLAGS ||
		       o->type == MT_OPT_MAP;
	return o->type == MT_OPT_ANY && strchr(o->path, '.') == NULL &&
	       !mt_streq(o->path, "thread_stack_size");
}

bool
mt_option_variable(const struct mt_option *o, char *buf, size_t size)
{
	static const struct {
		const char *in_path, *in_name;
	} parts[] = {
	    {"postgresql.authentication.", ""},
	    {"postgresql.bin_name.", "POSTGRESQL_BIN_"},
	    {"restapi.authentication.", "RESTAPI_"},
	    {"ctl.authentication.", "CTL_"},
	};
	const char *rest = o->path, *start = "";
	size_t n;

	if (is_left_out(o))
		return false;
	for (size_t i = 0; i < MT_COUNT(parts); i++) {
		n = strlen(parts[i].in_path);
		if (strncmp(o->path, parts[i].in_path, n) == 0) {
			rest = o->path + n;
			start = parts[i].in_name;
		}
	}
	if (!mt_format(buf, size, "%s%s", start, rest))
		return false;
	for (char *p = buf; *p != '\0'; p++)
		*p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
	return true;
}

/* The option of a variable's name without its prefix, or NULL. */
static const struct mt_option *
option_of(const char *name)
{
	static const struct {
		const char *name, *path;
	} old[] = {
	    {"LOGLEVEL", "log.level"},
	    {"LOGFORMAT", "log.format"},
	    {"LOG_DATEFMT", "log.dateformat"},
	    {"POSTGRESQL_BIN_IS_READY", "postgresql.bin_name.pg_isready"},
	};
	char its[NAME_BYTES];
	size_t n;
	const struct mt_option *o = mt_options(&n);

	for (; n-- > 0; o++)
		if (mt_option_variable(o, its, sizeof(its)) &&
		    mt_streq(its, name))
			return o;
	for (size_t i = 0; i < MT_COUNT(old); i++)
		if (mt_streq(old[i].name, name))
			return mt_option_find(MT_OPT_LOCAL, old[i].path);
	return NULL;
}

/* "etcd3" of "ETCD3_HOSTS": a section that is read as a whole, or NULL. */
static const char *
store_of(const char *name)
{
	static const char *const stores[] = {
	    "etcd",      "etcd3",      "consul", "zookeeper",
	    "exhibitor", "kubernetes", "citus"};

	for (size_t i = 0; i < MT_COUNT(stores); i++) {
		size_t n = strlen(stores[i]);

		if (strncasecmp(name, stores[i], n) == 0 && name[n] == '_')
			return stores[i];
	}
	return NULL;
}

/* ---- values ---- */

/* A mapping or a list, with or without its brackets; NULL: it is none. */
static json_t *
read_flow(char open, const char *text, char close)
{
	size_t size = strlen(text) + 3;
	char *buf = malloc(size);
	struct mt_yaml y = {0};
	json_t *v = NULL;

	if (buf == NULL)
		return NULL;
	if (text[0] == open)
		mt_copy(buf, size, text);
	else
		mt_format(buf, size, "%c%s%c", open, text, close);
	if (mt_yaml_parse(&y, buf, strlen(buf), "", NULL) == 0)
		v = json_incref(y.root);
	mt_yaml_release(&y);
	explicit_bzero(buf, size);
	free(buf);
	return v;
}

/* "a, b" */
static json_t *
split(const char *text)
{
	json_t *list = json_array();

	while (list != NULL && *text != '\0') {
		size_t n, used;

		text += strspn(text, ", ");
		n = strcspn(text, ",");
		for (used = n; used > 0 && text[used - 1] == ' '; used--)
			;
		if (used > 0)
			json_array_append_new(list, json_stringn(text, used));
		text += n;
	}
	return list;
}

static json_t *
value_of(const struct mt_option *o, const char *text)
{
	json_t *v = NULL;

	if (o->type == MT_OPT_MAP || (o->type == MT_OPT_ANY && text[0] == '{'))
		v = read_flow('{', text, '}');
	else if (text[0] == '[' &&
		 (o->type == MT_OPT_LIST || o->type == MT_OPT_FLAGS ||
		  o->type == MT_OPT_ANY))
		v = read_flow('[', text, ']');
	else if (o->type == MT_OPT_LIST || o->type == MT_OPT_FLAGS)
		v = split(text);
	else
		v = json_string(text);
	return v;
}

/* ---- parts ---- */

static void
add_variable(struct mt_conf_source *src, const char *variable, const char *name,
	     const char *text)
{
	const struct mt_option *o = option_of(name);
	const char *store = store_of(name);
	char words[256];
	json_t *v;

	if (o == NULL && store != NULL) {
		if (mt_conf_lookup(src->root, store) == NULL)
			mt_conf_source_put(src, variable, true, store,
					   json_object());
		return;
	}
	if (o == NULL) {
		mt_findings_add(src->found, MT_FINDING_UNKNOWN, "", variable,
				"no option belongs to this variable; it is "
				"ignored");
		return;
	}
	v = text != NULL ? value_of(o, text) : NULL;
	if (v != NULL && mt_option_accepts(o, v)) {
		mt_conf_source_put(src, variable, true, o->path, v);
		return;
	}
	json_decref(v);
	mt_format(words, sizeof(words),
		  "\"%s\" must be %s; the variable is ignored", o->path,
		  text != NULL ? mt_option_wants(o) : "UTF-8");
	mt_findings_add(src->found, MT_FINDING_WARNING, o->path, variable,
			words);
}

void
mt_conf_environ_add(struct mt_conf_source *src, const json_t *environment)
{
	const char *variable;
	json_t *text;

	for (size_t i = 0; i < MT_COUNT(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		json_object_foreach ((json_t *)environment, variable, text)
			if (strncmp(variable, prefixes[i], n) == 0 &&
			    !mt_streq(variable + n, whole))
				add_variable(src, variable, variable + n,
					     json_string_value(text));
	}
}

const char *
mt_conf_environ_whole(const json_t *environment, const char **variable)
{
	char name[NAME_BYTES];
	const char *key;
	json_t *text;

	for (size_t i = MT_COUNT(prefixes); i-- > 0;) {
		mt_format(name, sizeof(name), "%s%s", prefixes[i], whole);
		json_object_foreach ((json_t *)environment, key, text)
			if (mt_streq(key, name) && json_is_string(text)) {
				*variable = key;
				return json_string_value(text);
			}
	}
	return NULL;
}

/* Text that is not UTF-8 is kept as null, and refused with its name. */
static void
add_text(json_t *o, const char *name, const char *text)
{
	json_t *v = json_string(text);

	json_object_set_new(o, name, v != NULL ? v : json_null());
}

json_t *
mt_conf_environ(const char *const *list)
{
	json_t *o = json_object();
	char name[NAME_BYTES];

	for (; o != NULL && *list != NULL; list++) {
		const char *eq = strchr(*list, '=');

		if (eq == NULL || eq[1] == '\0' ||
		    (size_t)(eq - *list) >= sizeof(name))
			continue;
		mt_format(name, sizeof(name), "%.*s", (int)(eq - *list), *list);
		for (size_t i = 0; i < MT_COUNT(prefixes); i++)
			if (strncmp(name, prefixes[i], strlen(prefixes[i])) ==
			    0)
				add_text(o, name, eq + 1);
	}
	return o;
}

void
mt_conf_environ_hide(char **list)
{
	char **kept = list;

	for (; *list != NULL; list++) {
		bool ours = false;

		for (size_t i = 0; i < MT_COUNT(prefixes); i++)
			if (strncmp(*list, prefixes[i], strlen(prefixes[i])) ==
			    0)
				ours = true;
		if (ours)
			explicit_bzero(*list, strlen(*list));
		else
			*kept++ = *list;
	}
	*kept = NULL;
}
