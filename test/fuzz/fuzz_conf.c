/* SPDX-License-Identifier: PostgreSQL */
/*
 * The configuration, through files in memory: what loads has what its header
 * promises, can be shown, and PostgreSQL's parameters can be made of it. Zeros
 * divide the input: a file, a second one (then it is a directory of both), and
 * variables.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "base/yaml.h"
#include "conf/conf.h"
#include "conf/effective.h"
#include "conf/environ.h"
#include "conf/explain.h"
#include "conf/pgconf.h"
#include "conf/settings.h"

static void
check(const struct mt_conf *c)
{
	struct mt_settings settings;
	json_t *parameters;

	FUZZ_ENDS(c->scope);
	FUZZ_ENDS(c->name);
	FUZZ_ENDS(c->namespace);
	FUZZ_ENDS(c->raft.data_dir);
	MT_ASSERT(c->scope[0] != '\0' && c->name[0] != '\0');
	MT_ASSERT(c->raft.present && c->raft.self_addr.port > 0);
	MT_ASSERT(c->raft.n <= MT_CONF_PARTNERS_MAX);
	MT_ASSERT(c->restapi.listen.port > 0);
	MT_ASSERT(json_is_object(c->tags));
	MT_ASSERT(c->nofailover == (c->failover_priority == 0));
	memset(&settings, 0, sizeof(settings));
	mt_conf_overlay(c, &settings);
	if (!c->has_postgresql)
		return;
	MT_ASSERT(c->postgresql.data_dir[0] == '/');
	MT_ASSERT(c->postgresql.port > 0);
	MT_ASSERT(json_is_object(c->postgresql.parameters));
	MT_ASSERT(json_is_array(c->postgresql.basebackup));
	parameters = mt_pgconf_parameters(
	    c, c->bootstrap.present ? c->bootstrap.dcs : NULL, 150004);
	MT_ASSERT(json_is_object(parameters));
	for (int i = 0; i < MT_CONF_ROLES; i++) {
		json_t *of_role = mt_pgconf_for_role(
		    parameters, c,
		    c->bootstrap.present ? c->bootstrap.dcs : NULL,
		    (enum mt_conf_role)i);

		MT_ASSERT(json_is_object(of_role));
		json_decref(of_role);
	}
	json_decref(parameters);
}

/* What is in force can be written, and read again. */
static void
show(const struct mt_conf *c)
{
	json_t *all = mt_conf_effective(c);
	char *text = mt_yaml_block(all);
	struct mt_conf_facts f = {0};
	struct mt_yaml y;
	struct mt_err err;

	MT_ASSERT(text != NULL);
	if (strlen(text) < 1 << 20) {
		MT_ASSERT(
		    mt_yaml_parse(&y, text, strlen(text), "again", &err) == 0);
		mt_yaml_release(&y);
	}
	free(text);
	json_decref(all);
	f.document = c->bootstrap.dcs;
	f.document_name = "dynamic";
	f.parameters = c->has_postgresql
			   ? mt_pgconf_parameters(c, f.document, 150004)
			   : NULL;
	all = mt_conf_explain(c, &f);
	MT_ASSERT(json_array_size(all) > 10);
	json_decref(all);
	json_decref((json_t *)f.parameters);
}

#define VARIABLES_MAX 16

/* Two files in memory, and a directory that has both. */
static int fds[2];
static char files[2][64], dir[64];

static void
make_files(void)
{
	char link[96];

	mt_copy(dir, sizeof(dir), "/tmp/fuzz_conf.XXXXXX");
	MT_ASSERT(mkdtemp(dir) != NULL);
	for (int i = 0; i < 2; i++) {
		fds[i] = memfd_create("conf", MFD_CLOEXEC);
		MT_ASSERT(fds[i] >= 0);
		mt_format(files[i], sizeof(files[i]), "/proc/%d/fd/%d",
			  (int)getpid(), fds[i]);
		mt_format(link, sizeof(link), "%s/%d.yml", dir, i);
		MT_ASSERT(symlink(files[i], link) == 0);
	}
}

static void
remove_files(void)
{
	char link[96];

	for (int i = 0; i < 2; i++) {
		mt_format(link, sizeof(link), "%s/%d.yml", dir, i);
		unlink(link);
	}
	rmdir(dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *variables[VARIABLES_MAX + 1] = {NULL};
	char *text = malloc(n + 1), *at = text, *end = text + n;
	struct mt_findings found = {0};
	struct mt_conf *conf = NULL;
	json_t *environment;
	int n_files = 0, n_variables = 0;

	if (dir[0] == '\0') {
		make_files();
		atexit(remove_files);
	}
	MT_ASSERT(text != NULL);
	memcpy(text, data, n);
	text[n] = '\0';
	for (; at <= end; at += strlen(at) + 1) {
		size_t part = strlen(at);

		if (n_files < 2) {
			MT_ASSERT(ftruncate(fds[n_files], 0) == 0);
			MT_ASSERT(pwrite(fds[n_files++], at, part, 0) ==
				  (ssize_t)part);
		} else if (n_variables < VARIABLES_MAX) {
			variables[n_variables++] = at;
		}
	}
	environment = mt_conf_environ(variables);
	if (mt_conf_read(&conf, n_files > 1 ? dir : files[0], environment,
			 &found) == 0) {
		MT_ASSERT(found.n_errors == 0);
		check(conf);
		show(conf);
		mt_conf_free(conf);
	} else {
		MT_ASSERT(conf == NULL && found.n_errors > 0);
	}
	for (size_t i = 0; i < found.n; i++) {
		FUZZ_ENDS(found.list[i].text);
		MT_ASSERT(found.list[i].words < sizeof(found.list[i].text));
		MT_ASSERT(found.list[i].text[found.list[i].words] != '\0');
	}
	mt_findings_release(&found);
	json_decref(environment);
	free(text);
	return 0;
}

static const char head[] = "scope: cluster_1\n"
			   "name: node1\n"
			   "restapi: {listen: \"0.0.0.0:8008\"}\n"
			   "raft:\n"
			   "  self_addr: 10.0.0.1:7500\n"
			   "  partner_addrs: [10.0.0.2:7500, \"[::1]:7500\"]\n"
			   "  insecure: true\n";

static const char full[] =
    "namespace: /service/\n"
    "postgresql:\n"
    "  listen: 10.0.0.1,127.0.0.1:5432\n"
    "  data_dir: /var/lib/postgresql/15/main\n"
    "  pgpass: /tmp/pgpass\n"
    "  use_unix_socket: on\n"
    "  authentication:\n"
    "    superuser: {username: postgres, password: a}\n"
    "    replication: {username: replicator, password: \"b\"}\n"
    "  parameters: {max_connections: 100, work_mem: 4MB, x.y: 1.5}\n"
    "  pg_hba: [local all all trust]\n"
    "  create_replica_methods: [basebackup]\n"
    "  basebackup: [verbose, {max-rate: 100M}]\n"
    "bootstrap:\n"
    "  dcs:\n"
    "    ttl: 30\n"
    "    loop_wait: 10\n"
    "    retry_timeout: 10\n"
    "    maximum_lag_on_failover: 1048576\n"
    "    postgresql:\n"
    "      use_pg_rewind: true\n"
    "      parameters: {wal_level: replica, max_wal_senders: 5}\n"
    "  initdb: [{encoding: UTF8}, data-checksums]\n"
    "  users:\n"
    "    admin: {password: c, options: [createrole, createdb]}\n"
    "tags: {nofailover: false, failover_priority: 2, zone: a}\n";

static const char partners[] = "scope: s\nname: w\n"
			       "restapi: {listen: \"127.0.0.1:8008\"}\n"
			       "raft: {self_addr: \"127.0.0.1:1\", "
			       "partner_addrs: \"127.0.0.1:2,127.0.0.1:3\"}\n";

static const char divided[] = "name: a\nraft: {self_addr: \"127.0.0.1:1\"}\n\0"
			      "name: b\nscope: s\ntags: {x: null}\n\0"
			      "PATRONI_RESTAPI_LISTEN=127.0.0.1:8008\0"
			      "MATRIARCH_RAFT_PARTNER_ADDRS=[127.0.0.1:2]\0"
			      "PATRONI_LOG_STATIC_FIELDS=a: b, c: d\0"
			      "PATRONI_SUPERUSER_PASSWORD=x";

void
fuzz_seeds(void)
{
	char whole[sizeof(head) + sizeof(full)];

	fuzz_seed(head, strlen(head));
	fuzz_seed(partners, strlen(partners));
	fuzz_seed(divided, sizeof(divided) - 1);
	snprintf(whole, sizeof(whole), "%s%s", head, full);
	fuzz_seed(whole, strlen(whole));
}
