/* SPDX-License-Identifier: PostgreSQL */
/* The directory is made under /tmp and removed whole; a failure fails the test.
 */
#include "scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"

char dir[64];

void
make_dir(void)
{
	mt_copy(dir, sizeof(dir), "/tmp/check_conf.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

void
remove_dir(void)
{
	char command[128];

	mt_format(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

const char *
in_dir(const char *name)
{
	static char path[128];

	mt_format(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

void
put_mode(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(in_dir(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(in_dir(name), mode), 0);
}

void
put(const char *name, const char *text)
{
	put_mode(name, text, 0600);
}
