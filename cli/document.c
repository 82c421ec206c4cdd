/* SPDX-License-Identifier: PostgreSQL */
/*
 * The dynamic document as people see it. Setting by path follows the rules of
 * the tool that scripts know.
 */
#include "cli/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/yaml.h"
#include "cli/table.h"

#define PARAMETERS "postgresql.parameters."

/* ---- pairs ---- */

/* The parts of a path; those of a parameter's name stay together. */
static int
split(const char *path, char parts[][256], int max)
{
	size_t fixed = strlen(PARAMETERS);
	int n = 0;

	if (strncmp(path, PARAMETERS, fixed) == 0 && path[fixed] != '\0') {
		mt_copy(parts[0], 256, "postgresql");
		mt_copy(parts[1], 256, "parameters");
		mt_copy(parts[2], 256, path + fixed);
		return 3;
	}
	while (n < max) {
		const char *dot = strchr(path, '.');
		size_t len = dot != NULL ? (size_t)(dot - path) : strlen(path);

		if (len == 0 || len >= 256)
			return -1;
		mt_format(parts[n++], 256, "%.*s", (int)len, path);
		if (dot == NULL)
			return n;
		path = dot + 1;
	}
	return -1;
}

/* Below o, parts[0..n): true if o is empty afterwards. */
static bool
set_parts(json_t *o, char parts[][256], int n, json_t *value)
{
	json_t *inner;

	if (n == 1) {
		if (json_is_null(value))
			json_object_del(o, parts[0]);
		else
			json_object_set(o, parts[0], value);
		return json_object_size(o) == 0;
	}
	inner = json_object_get(o, parts[0]);
	if (!json_is_object(inner)) {
		if (json_is_null(value))
			return false;
		inner = json_object();
		json_object_set_new(o, parts[0], inner);
	}
	if (set_parts(inner, parts + 1, n - 1, value))
		json_object_del(o, parts[0]);
	return json_object_size(o) == 0;
}

int
mt_document_set(json_t *document, const char *pair, struct mt_err *err)
{
	const char *eq = strchr(pair, '=');
	char path[1024], parts[16][256], *text;
	struct mt_yaml y;
	size_t size;
	int n, rv;

	if (eq == NULL || eq == pair)
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" is no pair: write PATH=VALUE", pair);
	mt_format(path, sizeof(path), "%.*s", (int)(eq - pair), pair);
	n = split(path, parts, (int)MT_COUNT(parts));
	if (n < 0)
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" is no path of keys with dots", path);
	/* a value is whatever it would be behind its key in a file */
	size = strlen(eq) + 8;
	text = malloc(size);
	if (text == NULL)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	mt_format(text, size, "v: %s\n", eq + 1);
	rv = mt_yaml_parse(&y, text, strlen(text), path, err);
	free(text);
	if (rv != 0)
		return rv;
	set_parts(document, parts, n, json_object_get(y.root, "v"));
	mt_yaml_release(&y);
	return 0;
}

/* ---- from the cluster ---- */

int
mt_document_fetch(struct mt_http *http, json_t **document, uint64_t *version,
		  struct mt_err *err)
{
	json_t *state, *config;
	int rv = mt_cli_get(http, "/raft/state", &state, err);

	if (rv != 0)
		return rv;
	config = json_object_get(state, "config");
	*version = (uint64_t)json_integer_value(
	    json_object_get(state, "config_version"));
	if (json_is_object(config))
		*document = json_incref(config);
	else
		rv = mt_err_set(err, MT_ENOENT,
				"the cluster has no configuration yet");
	json_decref(state);
	return rv;
}
