/* SPDX-License-Identifier: PostgreSQL */
/*
 * Files with secrets that libpq reads: the password file, a line for each user
 * and host, and a service file for the passphrase of a key, which a program may
 * get neither by its arguments nor by its environment. Both have mode 0600. A
 * password file that has the right content already is not touched. What was
 * read or made here is wiped from memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "pg/conninfo.h"
#include "pg/files.h"

/* Colons and backslashes get a backslash in front. */
static void
put_pass_field(FILE *f, const char *s, char end)
{
	for (; *s; s++) {
		if (*s == ':' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc(end, f);
}

static void
put_pass_line(FILE *f, const char *host, uint16_t port,
	      const struct mt_conf_user *u)
{
	if (!u->username[0] || !u->password[0])
		return;
	put_pass_field(f, host, ':');
	fprintf(f, "%u:*:", (unsigned)port);
	put_pass_field(f, u->username, ':');
	put_pass_field(f, u->password, '\n');
}

static void
put_pass_host(FILE *f, const char *host, uint16_t port,
	      const struct mt_conf_postgresql *pg)
{
	put_pass_line(f, host, port, &pg->replication);
	if (!mt_streq(pg->superuser.username, pg->replication.username))
		put_pass_line(f, host, port, &pg->superuser);
	if (!mt_streq(pg->rewind.username, pg->replication.username) &&
	    !mt_streq(pg->rewind.username, pg->superuser.username))
		put_pass_line(f, host, port, &pg->rewind);
}

int
mt_pgpass_write(const char *path, const struct mt_conf_postgresql *pg,
		const struct mt_pgpass_host *hosts, size_t n,
		struct mt_err *err)
{
	char *text = NULL, *old = NULL;
	size_t size = 0, old_n = 0;
	FILE *f = open_memstream(&text, &size);
	struct stat st;
	bool same;
	int rc = 0;

	if (!f)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		put_pass_host(f, hosts[i].host, hosts[i].port, pg);
		if (hosts[i].host[0] == '/')
			put_pass_host(f, "localhost", hosts[i].port, pg);
	}
	if (fclose(f) != 0) {
		free(text);
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	same =
	    stat(path, &st) == 0 && (st.st_mode & 0777) == 0600 &&
	    mt_file_read(path, MT_PG_FILE_MAX_BYTES, &old, &old_n, NULL) == 0 &&
	    old_n == size && memcmp(old, text, size) == 0;
	if (!same)
		rc = mt_file_write(path, text, size, 0600, err);
	if (old)
		explicit_bzero(old, old_n);
	free(old);
	explicit_bzero(text, size);
	free(text);
	return rc;
}

int
mt_pg_service_write(const char *path, const char *passphrase,
		    struct mt_err *err)
{
	char text[640];
	int rc;

	mt_format(text, sizeof(text), "[" MT_PG_SERVICE "]\nsslpassword=%s\n",
		  passphrase);
	rc = mt_file_write(path, text, strlen(text), 0600, err);
	explicit_bzero(text, sizeof(text));
	return rc;
}
