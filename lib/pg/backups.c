/* SPDX-License-Identifier: PostgreSQL */
/*
 * Copies of the configuration files in the data directory.
 *
 * Happy path: after each successful start what differs is copied; after a clone
 * what is missing comes back. A file that is there is never overwritten by its
 * copy. Any failure ends it and is returned; what was copied before stays. It
 * does not write configuration: confwrite.c does.
 */
#include "pg/backups.h"

#include <stdlib.h>

#include "base/text.h"
#include "pg/files.h"

#define PATH_BYTES (MT_CONF_PATH_MAX + MT_CONF_NAME_MAX + 64)

/* What others write and we include is not ours to copy. */
static bool
is_copied(const struct mt_conf_postgresql *pg, enum mt_pg_conf_file which)
{
	return which != MT_PG_CONF_BASE || pg->custom_conf[0] == '\0';
}

/* These alone PostgreSQL cannot do without, and nobody else makes them. */
static bool
is_needed(enum mt_pg_conf_file which)
{
	return which == MT_PG_CONF_HBA || which == MT_PG_CONF_IDENT;
}

static void
place(const struct mt_conf_postgresql *pg, enum mt_pg_conf_file which,
      char *file, char *copy)
{
	mt_pg_conf_path(pg, which, file, PATH_BYTES);
	mt_pg_conf_copy_path(pg, which, copy, PATH_BYTES);
}

int
mt_pg_backup_files(const struct mt_conf_postgresql *pg, struct mt_err *err)
{
	char file[PATH_BYTES], copy[PATH_BYTES], *text;
	mode_t mode = mt_pg_file_mode(pg->data_dir);
	size_t n;
	int rc;

	for (int i = 0; i < MT_PG_CONF_FILES; i++) {
		place(pg, (enum mt_pg_conf_file)i, file, copy);
		if (!is_copied(pg, (enum mt_pg_conf_file)i))
			continue;
		rc = mt_file_read(file, MT_PG_FILE_MAX_BYTES, &text, &n, err);
		if (rc == MT_ENOENT)
			continue;
		if (rc == 0) {
			rc = mt_file_renew(copy, text, n, mode, NULL, err);
			free(text);
		}
		if (rc)
			return rc;
	}
	return 0;
}

int
mt_pg_restore_files(const struct mt_conf_postgresql *pg, struct mt_err *err)
{
	char file[PATH_BYTES], copy[PATH_BYTES], *text;
	mode_t mode = mt_pg_file_mode(pg->data_dir);
	size_t n;
	int rc;

	for (int i = 0; i < MT_PG_CONF_FILES; i++) {
		place(pg, (enum mt_pg_conf_file)i, file, copy);
		if (!is_copied(pg, (enum mt_pg_conf_file)i) ||
		    mt_file_exists(file))
			continue;
		rc = mt_file_read(copy, MT_PG_FILE_MAX_BYTES, &text, &n, err);
		if (rc == 0) {
			rc = mt_file_write(file, text, n, mode, err);
			free(text);
		} else if (rc == MT_ENOENT) {
			rc = is_needed((enum mt_pg_conf_file)i)
				 ? mt_file_write(file, "", 0, mode, err)
				 : 0;
		}
		if (rc)
			return rc;
	}
	return 0;
}
