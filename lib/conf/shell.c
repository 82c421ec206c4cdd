/* SPDX-License-Identifier: PostgreSQL */
/*
 * Settings that reach a shell. Happy path: both documents are walked together;
 * where a value differs its path is judged by the section that it lies in and
 * by its name, which is the same in parameters, their overlays for a role,
 * recovery_conf and standby_cluster. Names of PostgreSQL's parameters are told
 * by their endings, so that those of extensions and of later versions are
 * meant, too: one too many is kept rather than one too few.
 */
#include "conf/shell.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "conf/document.h"
#include "conf/options.h"

#define PATH_BYTES 256

/* All that is below. */
static const char *const sections[] = {
    "bootstrap",
    "postgresql.bin_name",
    "postgresql.callbacks",
};

static const char *const endings[] = {
    "_command", "_libraries", "_library", "_library_path", "_provider",
};

static const char *const names[] = {
    /* of sections of methods, by which replicas are made */
    "command",
    "create_replica_method",
    "create_replica_methods",
    /* run by the daemon, or what it runs, or read by PostgreSQL unseen */
    "before_stop",
    "bin_dir",
    "custom_conf",
    "post_bootstrap",
    "post_init",
    "pre_promote",
    /* parameters that do not end as the others do */
    "extension_control_path",
    "pljava.libjvm_location",
    "pljava.vmoptions",
    "plperl.on_init",
    "plperl.on_plperl_init",
    "plperl.on_plperlu_init",
    "pltcl.start_proc",
    "pltclu.start_proc",
};

static bool
is_below(const char *path, const char *section)
{
	size_t n = strlen(section);

	return strncmp(path, section, n) == 0 &&
	       (path[n] == '.' || path[n] == '\0');
}

static bool
ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n > k && strcasecmp(name + n - k, end) == 0;
}

/* A section of "postgresql" that no option is in: of a method. */
static bool
is_method(const char *path)
{
	static const char section[] = "postgresql.";
	char head[PATH_BYTES];
	size_t n = sizeof(section) - 1;

	if (strncmp(path, section, n) != 0 || strchr(path + n, '.') == NULL)
		return false;
	mt_format(head, sizeof(head), "%.*s", (int)(n + strcspn(path + n, ".")),
		  path);
	return mt_option_find(MT_OPT_BOTH, head) == NULL &&
	       !mt_option_is_section(MT_OPT_BOTH, head);
}

/* The plugin of a slot, where it is a file rather than a name. */
static bool
is_plugin_file(const char *name, const json_t *value)
{
	return mt_streq(name, "plugin") && json_is_string(value) &&
	       strchr(json_string_value(value), '/') != NULL;
}

static bool
reaches_a_shell(const char *path, const char *name, const json_t *after)
{
	for (size_t i = 0; i < MT_COUNT(sections); i++)
		if (is_below(path, sections[i]))
			return true;
	for (size_t i = 0; i < MT_COUNT(endings); i++)
		if (ends_in(name, endings[i]))
			return true;
	for (size_t i = 0; i < MT_COUNT(names); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return is_method(path) || is_plugin_file(name, after);
}

static bool differs(const char *section, const json_t *before,
		    const json_t *after, char *buf, size_t size);

static bool
key_differs(const char *section, const char *key, const json_t *before,
	    const json_t *after, char *buf, size_t size)
{
	char path[PATH_BYTES];
	bool is_section = json_is_object(before) || json_is_object(after);

	mt_format(path, sizeof(path), "%s%s%s", section,
		  section[0] != '\0' ? "." : "", key);
	if (is_section && differs(path, before, after, buf, size))
		return true;
	if (json_is_object(before) || json_is_null(before))
		before = NULL;
	if (json_is_object(after) || json_is_null(after))
		after = NULL;
	if ((before == NULL && after == NULL) ||
	    (before != NULL && after != NULL &&
	     mt_document_same(before, after)) ||
	    !reaches_a_shell(path, key, after))
		return false;
	mt_copy(buf, size, path);
	return true;
}

static bool
differs(const char *section, const json_t *before, const json_t *after,
	char *buf, size_t size)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)before, key, v)
		if (key_differs(section, key, v, json_object_get(after, key),
				buf, size))
			return true;
	json_object_foreach ((json_t *)after, key, v)
		if (json_object_get(before, key) == NULL &&
		    key_differs(section, key, NULL, v, buf, size))
			return true;
	return false;
}

bool
mt_conf_shell_differs(const json_t *before, const json_t *after, char *buf,
		      size_t size)
{
	return differs("", before, after, buf, size);
}
