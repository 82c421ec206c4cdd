/* SPDX-License-Identifier: PostgreSQL */
/*
 * The cluster's dynamic document as a file of the data directory, under the
 * name that scripts know. Happy path: what is agreed is written whole and
 * durably, and read again by the next daemon. A file that is no JSON object is
 * as good as none, and said. It is a copy: the Raft store holds what counts,
 * and nothing about who is primary stands here.
 */
#include "pg/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NAME "patroni.dynamic.json"
#define MAX_BYTES ((size_t)4 << 20)

int
mt_pg_dynamic_read(const char *dir, json_t **document, struct mt_err *err)
{
	char path[MT_CONF_PATH_MAX + 64], *text;
	json_t *o;
	int rc;

	mt_format(path, sizeof(path), "%s/" NAME, dir);
	rc = mt_file_read(path, MAX_BYTES, &text, NULL, err);
	if (rc)
		return rc;
	o = json_loads(text, 0, NULL);
	free(text);
	if (!json_is_object(o)) {
		json_decref(o);
		return mt_err_set(err, MT_EIO, "\"%s\" is no JSON object",
				  path);
	}
	*document = o;
	return 0;
}

int
mt_pg_dynamic_write(const char *dir, const json_t *document, struct mt_err *err)
{
	char path[MT_CONF_PATH_MAX + 64];
	char *text = json_dumps(document, JSON_COMPACT);
	int rc;

	if (!text)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	mt_format(path, sizeof(path), "%s/" NAME, dir);
	rc = mt_file_renew(path, text, strlen(text), mt_pg_file_mode(dir), NULL,
			   err);
	free(text);
	return rc;
}
