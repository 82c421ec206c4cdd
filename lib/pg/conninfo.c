/* SPDX-License-Identifier: PostgreSQL */
/*
 * Connection strings and addresses of servers.
 *
 * Everything that PostgreSQL's own programs are told about another member is
 * made here. A password is in none of these strings: they end up in files and
 * argument vectors, and the password file is named instead; for the passphrase
 * of a client key that can be done for programs only. Names are not
 * looked up here; a literal address is recognised, so that libpq need not look
 * it up either.
 */
#include "pg/conninfo.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool
is_literal(const char *host)
{
	unsigned char a[16];

	return inet_pton(AF_INET, host, a) == 1 ||
	       inet_pton(AF_INET6, host, a) == 1;
}

int
mt_pg_url_parse(struct mt_pg_target *t, char *database, size_t size,
		const char *url, struct mt_err *err)
{
	struct mt_pg_target r = {0};
	struct mt_addr addr;
	char text[MT_ADDR_MAX];
	const char *p, *slash;
	size_t n;
	int rc;

	if (strncmp(url, "postgres://", 11) == 0)
		p = url + 11;
	else if (strncmp(url, "postgresql://", 13) == 0)
		p = url + 13;
	else
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" is no URL of a "
				  "PostgreSQL server",
				  url);
	n = strcspn(p, "/?");
	if (n == 0 || n >= sizeof(text) || memchr(p, '@', n))
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" does not name one host", url);
	memcpy(text, p, n);
	text[n] = '\0';
	rc = mt_addr_parse(&addr, text, 5432, err);
	if (rc)
		return rc;
	if (mt_addr_is_wildcard(&addr))
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" does not name one host", url);
	mt_copy(r.host, sizeof(r.host), addr.host);
	r.port = addr.port;
	if (is_literal(r.host))
		mt_copy(r.hostaddr, sizeof(r.hostaddr), r.host);
	if (database) {
		slash = p[n] == '/' ? p + n + 1 : "";
		n = strcspn(slash, "?");
		if (n >= size)
			return mt_err_set(err, MT_EINVAL,
					  "the database's name "
					  "in \"%s\" is too long",
					  url);
		memcpy(database, slash, n);
		database[n] = '\0';
	}
	*t = r;
	return 0;
}

char *
mt_pg_url_format(char *buf, size_t size, const struct mt_addr *addr)
{
	char text[MT_ADDR_MAX];

	mt_format(buf, size, "postgres://%s/postgres",
		  mt_addr_format(addr, text, sizeof(text)));
	return buf;
}

/* The first absolute entry of a list; false where the list is given and has
 * none. *dir "" = the default. */
static bool
socket_dir(const json_t *parameters, char *dir, size_t size)
{
	const json_t *v =
	    json_object_get(parameters, "unix_socket_directories");
	const char *p = json_string_value(v);
	size_t n;

	dir[0] = '\0';
	if (!p)
		return true;
	while (*p) {
		p += strspn(p, " ,\"");
		n = strcspn(p, ",\"");
		while (n && p[n - 1] == ' ')
			n--;
		if (*p == '/' && n < size) {
			memcpy(dir, p, n);
			dir[n] = '\0';
			return true;
		}
		p += n;
		p += strcspn(p, ",");
	}
	return false;
}

static void
first_listen_host(const char *list, char *host, size_t size)
{
	size_t n;

	list += strspn(list, " ,");
	n = strcspn(list, " ,");
	if (n >= size)
		n = size - 1;
	memcpy(host, list, n);
	host[n] = '\0';
	/* "[::1]" is how an address with a port is written */
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
	}
}

void
mt_pg_target_local(struct mt_pg_target *t, const struct mt_conf_postgresql *pg,
		   const json_t *parameters, bool replication)
{
	bool want =
	    replication ? pg->use_unix_socket_repl : pg->use_unix_socket;
	const char *host = t->host;

	*t = (struct mt_pg_target){.port = pg->port};
	if (want && socket_dir(parameters, t->host, sizeof(t->host))) {
		t->is_socket = true;
		return;
	}
	first_listen_host(pg->listen_addresses, t->host, sizeof(t->host));
	if (host[0] == '\0' || mt_streq(host, "*") ||
	    mt_streq(host, "0.0.0.0") || mt_streq(host, "localhost"))
		mt_copy(t->host, sizeof(t->host), "127.0.0.1");
	else if (mt_streq(host, "::"))
		mt_copy(t->host, sizeof(t->host), "::1");
	if (is_literal(host))
		mt_copy(t->hostaddr, sizeof(t->hostaddr), host);
}

/* One code point of UTF-8; a byte that is none counts as itself. */
static uint32_t
next_char(const unsigned char **p)
{
	const unsigned char *s = *p;
	int more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
	uint32_t c = more ? s[0] & (0x3fU >> more) : s[0];

	for (int i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*p = s + 1;
			return s[0];
		}
		c = c << 6 | (s[i] & 0x3fU);
	}
	*p = s + more + 1;
	return c;
}

char *
mt_pg_slot_name(char *buf, const char *member)
{
	const unsigned char *p = (const unsigned char *)member;
	char part[16];
	uint32_t c;

	buf[0] = '\0';
	while (*p) {
		c = next_char(&p);
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c == '-' || c == '.')
			c = '_';
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '_')
			mt_format(part, sizeof(part), "%c", (int)c);
		else
			mt_format(part, sizeof(part), "u%04u", c);
		/* cut at 63 characters */
		for (size_t n = strlen(buf), i = 0; part[i] && n < 63; i++) {
			buf[n++] = part[i];
			buf[n] = '\0';
		}
	}
	return buf;
}

char *
mt_pg_conninfo_quote(char *buf, size_t size, const char *value)
{
	bool plain = value[0] && !strpbrk(value, " \t\r\n\v\f'\\=");
	size_t n = 0;

	if (plain)
		return mt_copy(buf, size, value) ? buf : NULL;
	if (size < 3)
		return NULL;
	buf[n++] = '\'';
	for (; *value; value++) {
		if (n + 4 > size)
			return NULL;
		if (*value == '\'' || *value == '\\')
			buf[n++] = '\\';
		buf[n++] = *value;
	}
	buf[n++] = '\'';
	buf[n] = '\0';
	return buf;
}

/* " key=value" onto the end; false if it did not fit. "" is left out. */
static bool
add(char *buf, size_t size, const char *key, const char *value)
{
	char quoted[1100];
	size_t n = strlen(buf);

	if (!value[0])
		return true;
	return mt_pg_conninfo_quote(quoted, sizeof(quoted), value) &&
	       mt_format(buf + n, size - n, "%s%s=%s", n ? " " : "", key,
			 quoted);
}

static bool
add_target(char *buf, size_t size, const struct mt_pg_target *t)
{
	char port[8];

	mt_format(port, sizeof(port), "%u", (unsigned)t->port);
	return add(buf, size, "host", t->host) && add(buf, size, "port", port);
}

/* What a connection string may have between its address and its end, in the
 * order that users of the known format have: it is compared as text. */
static const struct {
	const char *key,
	    *def; /* def: written where nothing is given, or NULL */
	size_t offset;
	int since; /* version that knows it; 0: all */
	bool first;
} libpq_rows[MT_PG_OPTIONS_MAX] = {
#define ROW(key, def, since, first) \
	{ \
#key, def, offsetof(struct mt_conf_libpq, key), since, first \
	}
    ROW(sslmode, "prefer", 0, true),
    ROW(sslcert, NULL, 0, true),
    ROW(sslkey, NULL, 0, true),
    ROW(sslpassword, NULL, 130000, true),
    ROW(sslrootcert, NULL, 0, true),
    ROW(sslcrl, NULL, 0, true),
    ROW(sslcrldir, NULL, 140000, true),
    ROW(krbsrvname, NULL, 0, false),
    ROW(gssencmode, "prefer", 120000, false),
    ROW(channel_binding, "prefer", 130000, false),
    ROW(sslnegotiation, "postgres", 170000, false),
#undef ROW
};

size_t
mt_pg_libpq_options(struct mt_pg_option *list,
		    const struct mt_conf_libpq *libpq, int version_num,
		    size_t *n_first)
{
	size_t n = 0;

	*n_first = 0;
	for (size_t i = 0; i < MT_COUNT(libpq_rows); i++) {
		const char *v = (const char *)libpq + libpq_rows[i].offset;

		if (v[0] == '\0')
			v = libpq_rows[i].def;
		if (v == NULL || version_num < libpq_rows[i].since)
			continue;
		list[n++] = (struct mt_pg_option){libpq_rows[i].key, v};
		*n_first += libpq_rows[i].first;
	}
	return n;
}

/* From the option with number i to that before n. */
static bool
add_options(char *buf, size_t size, const struct mt_pg_option *list, size_t i,
	    size_t n)
{
	for (; i < n; i++)
		if (!add(buf, size, list[i].key, list[i].value))
			return false;
	return true;
}

int
mt_pg_primary_conninfo(char *buf, size_t size,
		       const struct mt_conf_postgresql *pg, const char *member,
		       const char *url, int version_num, struct mt_err *err)
{
	struct mt_pg_option list[MT_PG_OPTIONS_MAX];
	struct mt_pg_target t;
	size_t n, n_first;
	int rc;

	buf[0] = '\0';
	rc = mt_pg_url_parse(&t, NULL, 0, url, err);
	if (rc)
		return rc;
	n = mt_pg_libpq_options(list, &pg->replication.libpq, version_num,
				&n_first);
	if (add(buf, size, "dbname", pg->database) &&
	    add(buf, size, "user", pg->replication.username) &&
	    (!pg->replication.password[0] ||
	     add(buf, size, "passfile", pg->pgpass)) &&
	    add_target(buf, size, &t) &&
	    add_options(buf, size, list, 0, n_first) &&
	    add(buf, size, "application_name", member) &&
	    add_options(buf, size, list, n_first, n))
		return 0;
	explicit_bzero(buf, size);
	return mt_err_set(err, MT_EINVAL,
			  "the connection string for \"%s\" is "
			  "too long",
			  url);
}

int
mt_pg_tool_conninfo(char *buf, size_t size, const struct mt_conf_user *user,
		    const char *database, const char *application,
		    const char *url, int version_num, struct mt_err *err)
{
	struct mt_conf_libpq libpq = user->libpq;
	struct mt_pg_option list[MT_PG_OPTIONS_MAX];
	bool secret = libpq.sslpassword[0] && version_num >= 130000;
	struct mt_pg_target t;
	size_t n, n_first;
	int rc;

	buf[0] = '\0';
	rc = mt_pg_url_parse(&t, NULL, 0, url, err);
	if (rc)
		return rc;
	explicit_bzero(libpq.sslpassword, sizeof(libpq.sslpassword));
	n = mt_pg_libpq_options(list, &libpq, version_num, &n_first);
	/* The last four: a source that vanished is noticed within half a
	 * minute, also by a program that only reads. */
	if (add(buf, size, "dbname", database ? database : "") &&
	    add(buf, size, "user", user->username) &&
	    add_target(buf, size, &t) &&
	    (!secret || add(buf, size, "service", MT_PG_SERVICE)) &&
	    add_options(buf, size, list, 0, n_first) &&
	    add(buf, size, "application_name", application) &&
	    add_options(buf, size, list, n_first, n) &&
	    add(buf, size, "connect_timeout", "10") &&
	    add(buf, size, "keepalives_idle", "10") &&
	    add(buf, size, "keepalives_interval", "5") &&
	    add(buf, size, "keepalives_count", "3") &&
	    add(buf, size, "tcp_user_timeout", "30000"))
		return 0;
	buf[0] = '\0';
	return mt_err_set(err, MT_EINVAL,
			  "the connection string for \"%s\" is "
			  "too long",
			  url);
}
