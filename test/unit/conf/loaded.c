/* SPDX-License-Identifier: PostgreSQL */
/* A local file that is loaded, from a place of its own for a moment. */
#include "loaded.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

char seen[16384];
struct mt_err last_err;
struct mt_conf *conf;
static char file[64];

static void
sink(void *arg, enum mt_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	strncat(seen, text, sizeof(seen) - strlen(seen) - 1);
	strncat(seen, "\n", sizeof(seen) - strlen(seen) - 1);
}

int
load_file(const char *name)
{
	int rc;

	seen[0] = '\0';
	conf = NULL;
	mt_log_set_sink(sink, NULL);
	rc = mt_conf_load(&conf, name, NULL, &last_err);
	mt_log_set_sink(NULL, NULL);
	return rc;
}

int
load(const char *text)
{
	int fd, rc;

	mt_copy(file, sizeof(file), "/tmp/check_conf.XXXXXX");
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	rc = load_file(file);
	unlink(file);
	return rc;
}

void
refused(const char *text, const char *at, const char *words)
{
	char start[128];

	ck_assert_int_eq(load(text), MT_EINVAL);
	mt_format(start, sizeof(start), "%s:%s", file, at);
	ck_assert_msg(strncmp(last_err.text, start, strlen(start)) == 0 &&
			  strstr(last_err.text, words) != NULL,
		      "%s", last_err.text);
	ck_assert_ptr_null(conf);
}

void
warned(const char *words)
{
	ck_assert_msg(strstr(seen, words) != NULL, "no \"%s\" in:\n%s", words,
		      seen);
}
