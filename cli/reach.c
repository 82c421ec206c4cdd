/* SPDX-License-Identifier: PostgreSQL */
/*
 * The way from a configuration file to a living node, and the common words of
 * failure.
 *
 * A file names one node and its Raft partners. The node itself is asked first;
 * a partner's file is not here, so its REST API is taken to listen at its
 * Raft host and at our own port, which is how nearly every cluster is written.
 * As soon as one node has answered, the members that it names are known by
 * their real URLs (members.c adds them).
 *
 * Failures: all errors come back as words; nothing is printed but by
 * mt_cli_fail and mt_cli_usage.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/environ.h"
#include "conf/source.h"
#include "config.h"

int
mt_cli_fail(const struct mt_err *err)
{
	fflush(stdout);
	fprintf(stderr, "Error: %s\n", err->text);
	return MT_EXIT_FAILED;
}

int
mt_cli_usage(const char *verb, const char *complaint)
{
	fflush(stdout);
	if (complaint != NULL)
		fprintf(stderr, "matriarch %s: %s\n", verb, complaint);
	for (const struct mt_verb *v = mt_cli_verbs(); v->name != NULL; v++)
		if (strcmp(v->name, verb) == 0)
			fprintf(stderr, "usage: matriarch [-c FILE] %s\n",
				v->usage);
	return MT_EXIT_USAGE;
}

/* Members say themselves how they are reached; of those that nobody has asked
 * yet it is known from the file: where it speaks of certificates, it is TLS.
 * Never both, one after the other: a password would go out in the clear. */
static const char *
scheme(const struct mt_conf *c)
{
	return c->restapi.certfile[0] != '\0' || c->ctl.cacert[0] != '\0' ||
		       c->ctl.certfile[0] != '\0'
		   ? "https"
		   : "http";
}

static int
add_server(struct mt_cli *cli, const struct mt_addr *where, struct mt_err *err)
{
	struct mt_addr a = *where;
	char text[MT_ADDR_MAX], url[MT_ADDR_MAX + 16];

	if (mt_addr_is_wildcard(&a)) /* listens everywhere, so here, too */
		mt_copy(a.host, sizeof(a.host), "127.0.0.1");
	mt_format(url, sizeof(url), "%s://%s", scheme(cli->conf),
		  mt_addr_format(&a, text, sizeof(text)));
	return mt_http_add(cli->http, url, err);
}

void
mt_cli_own_url(const struct mt_cli *cli, const char *path, char *buf,
	       size_t size)
{
	char addr[MT_ADDR_MAX];

	mt_format(buf, size, "%s://%s%s", scheme(cli->conf),
		  mt_addr_format(&cli->conf->restapi.connect_address, addr,
				 sizeof(addr)),
		  path);
}

/* restapi.authentication.KEY; a password of digits may stand there as a number,
 * which the file's reader warns of. */
static const char *
of_restapi(const struct mt_conf *c, const char *key, char *buf, size_t size)
{
	char path[64];
	const json_t *v;

	mt_format(path, sizeof(path), "restapi.authentication.%s", key);
	v = mt_conf_lookup(c->source->root, path);
	if (json_is_integer(v))
		mt_format(buf, size, "%lld", (long long)json_integer_value(v));
	else if (!json_is_string(v) ||
		 !mt_copy(buf, size, json_string_value(v)))
		buf[0] = '\0';
	return buf;
}

int
mt_cli_client(const struct mt_cli *cli, struct mt_http **http,
	      struct mt_err *err)
{
	const struct mt_conf_ctl *ctl = &cli->conf->ctl;
	bool own = ctl->username[0] != '\0';
	char name[sizeof(ctl->username)], password[sizeof(ctl->password)];
	const struct mt_http_access access = {
	    .insecure = cli->insecure || ctl->insecure,
	    .cacert = ctl->cacert[0] != '\0' ? ctl->cacert
					     : cli->conf->restapi.cafile,
	    .certfile = ctl->certfile,
	    .keyfile = ctl->keyfile,
	    .keyfile_password = ctl->keyfile_password,
	    .username =
		own ? ctl->username
		    : of_restapi(cli->conf, "username", name, sizeof(name)),
	    .password = own ? ctl->password
			    : of_restapi(cli->conf, "password", password,
					 sizeof(password)),
	};
	int rv = mt_http_new(http, "matriarch/" PACKAGE_VERSION, err);

	if (rv == 0)
		rv = mt_http_use(*http, &access, err);
	explicit_bzero(password, sizeof(password));
	return rv;
}

/* Variables count as they do for the daemon; alone, too. */
static int
load(struct mt_cli *cli, struct mt_err *err)
{
	const char *file = cli->file, *env = getenv("PATRONICTL_CONFIG_FILE");
	json_t *environment = mt_conf_environ((const char *const *)environ);
	int rv;

	if (file == NULL && env != NULL && env[0] != '\0')
		file = env;
	if (file == NULL &&
	    (access(MT_CLI_DEFAULT_FILE, F_OK) == 0 || errno != ENOENT))
		file = MT_CLI_DEFAULT_FILE;
	if (file == NULL && json_object_size(environment) == 0)
		rv = mt_err_set(err, MT_ENOENT,
				"no configuration file: name one with -c FILE "
				"or in $PATRONICTL_CONFIG_FILE "
				"(" MT_CLI_DEFAULT_FILE " does not exist)");
	else
		rv = mt_conf_peruse(&cli->conf, file, environment, err);
	json_decref(environment);
	return rv;
}

int
mt_cli_open(struct mt_cli *cli, struct mt_err *err)
{
	const struct mt_conf_restapi *api;
	const struct mt_conf_raft *raft;
	int rv;

	rv = load(cli, err);
	if (rv != 0)
		return rv;
	api = &cli->conf->restapi;
	raft = &cli->conf->raft;
	rv = mt_cli_client(cli, &cli->http, err);
	if (rv == 0)
		rv = add_server(cli, &api->connect_address, err);
	for (size_t i = 0; rv == 0 && i < raft->n; i++) {
		struct mt_addr a = raft->partner_addrs[i];

		a.port = api->connect_address.port;
		rv = add_server(cli, &a, err);
	}
	return rv;
}

int
mt_cli_open_cluster(struct mt_cli *cli, int n, char **names, struct mt_err *err)
{
	int rv = mt_cli_open(cli, err);

	for (int i = 0; rv == 0 && i < n; i++)
		if (strcmp(names[i], cli->conf->scope) != 0)
			rv = mt_err_set(err, MT_EINVAL,
					"\"%s\" leads to cluster \"%s\", not "
					"to \"%s\"; name a file of that "
					"cluster with -c",
					cli->conf->file, cli->conf->scope,
					names[i]);
	return rv;
}

int
mt_cli_get(struct mt_http *http, const char *path, json_t **json,
	   struct mt_err *err)
{
	struct mt_http_reply reply = {0};
	int rv;

	rv = mt_http_get(http, path, MT_CLI_TIMEOUT_MS, &reply, err);
	if (rv == MT_ENOENT) {
		size_t n = strlen(err->text);

		mt_format(err->text + n, sizeof(err->text) - n,
			  "; is matriarchd running?");
	}
	if (rv != 0)
		return rv;
	if (reply.status == 200)
		rv = mt_http_json(&reply, json, err);
	else
		rv = mt_err_set(err,
				reply.status == 404 ? MT_ENOENT : MT_EREFUSED,
				"%s answered \"%s\" with status %d: %.200s",
				reply.base, path, reply.status, reply.body);
	mt_http_reply_release(&reply);
	return rv;
}
