/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sections of methods. Happy path: each name in the list finds its section, a
 * mapping of plain values, and is taken as it is; a name without one is a
 * command of that name. A value that is no plain one, or a truth that is none,
 * is an error of the file, told with its place. Nothing is run here, and no
 * command is looked for: the one who runs it tells what is missing.
 */
#include "conf/methods.h"

#include <string.h>

#include "base/text.h"
#include "conf/options.h"

#define PATH_BYTES 256

static const char *const truths[] = {"no_params", "keep_data", "no_leader",
				     "keep_existing_recovery_conf"};

static int
truth_of(const json_t *v, int64_t *out)
{
	static const struct mt_option o = {.type = MT_OPT_BOOL};

	return mt_option_value(&o, v, out);
}

static bool
is_truth(const char *key)
{
	for (size_t i = 0; i < MT_COUNT(truths); i++)
		if (mt_streq(truths[i], key))
			return true;
	return false;
}

/* inner: a key whose value is a mapping, or NULL */
static void
check_section(struct mt_conf_source *src, const char *path,
	      const json_t *section, const char *inner)
{
	char sub[PATH_BYTES];
	const char *key;
	int64_t n;
	json_t *v;

	json_object_foreach ((json_t *)section, key, v) {
		mt_format(sub, sizeof(sub), "%s.%s", path, key);
		if (inner != NULL && mt_streq(key, inner)) {
			if (json_is_object(v))
				check_section(src, sub, v, NULL);
			else if (!json_is_null(v))
				mt_conf_fail(src, sub,
					     "\"%s\" must be a mapping", sub);
			continue;
		}
		if (json_is_object(v) || json_is_array(v))
			mt_conf_fail(src, sub,
				     "\"%s\" becomes an argument of a command "
				     "and must be a single value",
				     sub);
		else if (is_truth(key) && !json_is_null(v) &&
			 truth_of(v, &n) != 0)
			mt_conf_fail(src, sub, "\"%s\" must be true or false",
				     sub);
		else if (mt_streq(key, "command") && !json_is_string(v))
			mt_conf_fail(src, sub, "\"%s\" must be a command line",
				     sub);
	}
}

json_t *
mt_fill_methods(struct mt_conf_source *src, const json_t *names)
{
	json_t *all = json_object(), *name;
	size_t i;

	json_array_foreach ((json_t *)names, i, name) {
		const char *s = json_string_value(name);
		char path[PATH_BYTES];
		json_t *v;

		if (s == NULL || mt_streq(s, MT_METHOD_BASEBACKUP))
			continue;
		mt_format(path, sizeof(path), "postgresql.%s", s);
		v = mt_conf_lookup(src->root, path);
		if (json_is_object(v)) {
			check_section(src, path, v, NULL);
			json_object_set(all, s, v);
		} else if (v == NULL || json_is_null(v)) {
			json_object_set_new(all, s, json_object());
		} else {
			mt_conf_fail(src, path,
				     "section \"%s\" of a method must be a "
				     "mapping; write its keys indented below "
				     "it",
				     path);
		}
	}
	return all;
}

json_t *
mt_fill_bootstrap_method(struct mt_conf_source *src, const char *method)
{
	char path[PATH_BYTES];
	json_t *v;

	if (method[0] == '\0' || mt_streq(method, "initdb"))
		return NULL;
	mt_format(path, sizeof(path), "bootstrap.%s", method);
	v = mt_conf_lookup(src->root, path);
	if (v != NULL && !json_is_object(v) && !json_is_null(v)) {
		mt_conf_fail(src, path,
			     "section \"%s\" of a method must be a mapping; "
			     "write its keys indented below it",
			     path);
		return NULL;
	}
	if (json_object_get(v, "command") == NULL) {
		mt_conf_warn(src, "bootstrap.method",
			     "\"%s\" has no command; initdb makes the "
			     "cluster",
			     path);
		return NULL;
	}
	check_section(src, path, v, "recovery_conf");
	return json_incref(v);
}

bool
mt_method_says(const json_t *section, const char *key)
{
	const json_t *v = json_object_get(section, key);
	int64_t n;

	return v != NULL && truth_of(v, &n) == 0 && n != 0;
}

bool
mt_method_any(const struct mt_conf_postgresql *pg, const char *key)
{
	const char *name;
	json_t *section;

	json_object_foreach (pg->replica_sections, name, section)
		if (mt_method_says(section, key))
			return true;
	return false;
}
