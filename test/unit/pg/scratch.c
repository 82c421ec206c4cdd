/* SPDX-License-Identifier: PostgreSQL */
/* A scratch directory, and what tests put there. */
#include "scratch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pg/files.h"

char dir[64];

void
setup(void)
{
	mt_copy(dir, sizeof(dir), "/tmp/mt_check_files.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

void
teardown(void)
{
	ck_assert_int_eq(mt_pg_dir_empty(dir, NULL), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

char *
in(const char *name)
{
	static char path[4][256];
	static int i;

	i = (i + 1) % 4;
	mt_format(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

void
put(const char *name, const char *text)
{
	struct mt_err err;

	ck_assert_msg(mt_file_write(in(name), text, strlen(text), 0600, &err) ==
			  0,
		      "%s", err.text);
}

void
expect(const char *name, const char *text)
{
	char *got;

	ck_assert_int_eq(mt_file_read(in(name), 65536, &got, NULL, NULL), 0);
	ck_assert_str_eq(got, text);
	free(got);
}

struct mt_conf_postgresql *
make_pg(void)
{
	struct mt_conf_postgresql *pg = calloc(1, sizeof(*pg));

	ck_assert_ptr_nonnull(pg);
	mt_copy(pg->data_dir, sizeof(pg->data_dir), dir);
	return pg;
}

void
free_pg(struct mt_conf_postgresql *pg)
{
	json_decref(pg->pg_hba);
	free(pg);
}
