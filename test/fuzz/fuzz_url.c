/* SPDX-License-Identifier: PostgreSQL */
/*
 * URLs of PostgreSQL servers, which other members tell: what parses names one
 * host, and the connection strings made of it say to libpq what we meant and
 * nothing else.
 */
#include "fuzz.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pg/conninfo.h"

#define MEMBER "it's \\ a=b"

static const char *
option(const PQconninfoOption *all, const char *keyword)
{
	for (; all->keyword != NULL; all++)
		if (mt_streq(all->keyword, keyword))
			return all->val != NULL ? all->val : "";
	return "";
}

static void
check_conninfo(const char *text, const struct mt_pg_target *t, const char *user,
	       const char *database)
{
	PQconninfoOption *all = PQconninfoParse(text, NULL);
	char port[8];

	MT_ASSERT(all != NULL);
	mt_format(port, sizeof(port), "%u", t->port);
	MT_ASSERT(mt_streq(option(all, "host"), t->host));
	MT_ASSERT(mt_streq(option(all, "port"), port));
	MT_ASSERT(mt_streq(option(all, "user"), user));
	MT_ASSERT(mt_streq(option(all, "dbname"), database));
	MT_ASSERT(mt_streq(option(all, "application_name"), MEMBER));
	MT_ASSERT(option(all, "password")[0] == '\0');
	PQconninfoFree(all);
}

static void
check(const struct mt_pg_target *t, const char *database, const char *url)
{
	static struct mt_conf_postgresql pg = {
	    .database = "postgres",
	    .replication = {.username = "repl", .password = "x"},
	    .pgpass = "/tmp/pg pass"};
	static const struct mt_conf_user user = {.username = "u"};
	char text[2048];

	FUZZ_ENDS(t->host);
	FUZZ_ENDS(t->hostaddr);
	MT_ASSERT(t->host[0] != '\0' && t->port > 0 && !t->is_socket);
	if (mt_pg_primary_conninfo(text, sizeof(text), &pg, MEMBER, url, 150000,
				   NULL) == 0)
		check_conninfo(text, t, "repl", "postgres");
	if (mt_pg_tool_conninfo(text, sizeof(text), &user, database, MEMBER,
				url, 150000, NULL) == 0)
		check_conninfo(text, t, "u", database);
	else
		MT_ASSERT(text[0] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mt_pg_target t, before;
	char *url = fuzz_text(data, n), *database = malloc(64);
	struct mt_err err;

	memset(&t, 0x5a, sizeof(t));
	before = t;
	if (mt_pg_url_parse(&t, database, 64, url, &err) == 0) {
		fuzz_ends(database, 64);
		check(&t, database, url);
	} else {
		MT_ASSERT(err.code == MT_EINVAL);
		MT_ASSERT(memcmp(&t, &before, sizeof(t)) == 0);
	}
	free(database);
	free(url);
	return 0;
}

void
fuzz_seeds(void)
{
	static const char *const urls[] = {
	    "postgres://10.0.0.1:5432/postgres", "postgresql://db1/x?a=b",
	    "postgres://[fe80::1%eth0]:5432/post'gres",
	    "postgres://[::ffff:1.2.3.4]/"};

	for (size_t i = 0; i < MT_COUNT(urls); i++)
		fuzz_seed(urls[i], strlen(urls[i]));
}
