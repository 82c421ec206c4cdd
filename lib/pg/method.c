/* SPDX-License-Identifier: PostgreSQL */
/*
 * Arguments of a method's command. What the scripts of the known file format
 * expect: truths are True and False, and without no_params the keys that are
 * meant for us (keep_data, no_leader) are passed as well. A command that cannot
 * be cut into words, or is not there, is an error of the method; a section was
 * checked when it was read.
 */
#include "pg/method.h"

#include "base/text.h"
#include "conf/methods.h"

static bool
is_ours(const char *key)
{
	return mt_streq(key, "no_params") || mt_streq(key, "no_leader") ||
	       mt_streq(key, "keep_data");
}

static void
add_value(struct mt_argv *argv, const char *key, const json_t *v)
{
	if (json_is_string(v))
		mt_argv_add(argv, "--%s=%s", key, json_string_value(v));
	else if (json_is_integer(v))
		mt_argv_add(argv, "--%s=%" JSON_INTEGER_FORMAT, key,
			    json_integer_value(v));
	else if (json_is_real(v))
		mt_argv_add(argv, "--%s=%g", key, json_real_value(v));
	else if (json_is_boolean(v))
		mt_argv_add(argv, "--%s=%s", key,
			    json_is_true(v) ? "True" : "False");
	else
		mt_argv_add(argv, "--%s=", key);
}

static int
add_command(struct mt_argv *argv, const char *method, const json_t *section,
	    struct mt_err *err)
{
	const char *command =
	    json_string_value(json_object_get(section, "command"));

	return mt_argv_add_words(argv, command != NULL ? command : method, err);
}

static void
add_keys(struct mt_argv *argv, const json_t *section)
{
	bool bare = mt_method_says(section, "no_params");
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)(uintptr_t)section, key, v)
		if (!mt_streq(key, "command") && !(bare && is_ours(key)))
			add_value(argv, key, v);
}

int
mt_argv_add_replica_method(struct mt_argv *argv, const struct mt_conf *conf,
			   const char *method, const json_t *section,
			   const char *connstring, struct mt_err *err)
{
	int rc = add_command(argv, method, section, err);

	if (rc)
		return rc;
	add_keys(argv, section);
	if (mt_method_says(section, "no_params"))
		return 0;
	mt_argv_add(argv, "--scope=%s", conf->scope);
	mt_argv_add(argv, "--role=replica");
	mt_argv_add(argv, "--datadir=%s", conf->postgresql.data_dir);
	mt_argv_add(argv, "--connstring=%s", connstring);
	return 0;
}

static bool
is_bootstraps(const char *key)
{
	return mt_streq(key, "command") || mt_streq(key, "no_params") ||
	       mt_streq(key, "recovery_conf") ||
	       mt_streq(key, "keep_existing_recovery_conf");
}

int
mt_argv_add_bootstrap_method(struct mt_argv *argv, const struct mt_conf *conf,
			     const json_t *section, struct mt_err *err)
{
	int rc = add_command(argv, "", section, err);
	const char *key;
	json_t *v;

	if (rc)
		return rc;
	if (!mt_method_says(section, "no_params")) {
		mt_argv_add(argv, "--scope=%s", conf->scope);
		mt_argv_add(argv, "--datadir=%s", conf->postgresql.data_dir);
	}
	json_object_foreach ((json_t *)(uintptr_t)section, key, v)
		if (!is_bootstraps(key))
			add_value(argv, key, v);
	return 0;
}
