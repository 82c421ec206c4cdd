/* SPDX-License-Identifier: PostgreSQL */
/*
 * The configuration file, through a file in memory: what loads has what its
 * header promises, and PostgreSQL's parameters can be made of it.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/conf.h"
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
	json_decref(parameters);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = -1;
	static char path[64];
	struct mt_conf *conf = NULL;
	struct mt_err err;

	if (fd < 0) {
		fd = memfd_create("conf", MFD_CLOEXEC);
		MT_ASSERT(fd >= 0);
		mt_format(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	MT_ASSERT(ftruncate(fd, 0) == 0);
	MT_ASSERT(pwrite(fd, data, n, 0) == (ssize_t)n);
	if (mt_conf_load(&conf, path, &err) == 0) {
		check(conf);
		mt_conf_free(conf);
	} else {
		MT_ASSERT(conf == NULL && err.code == MT_EINVAL);
		FUZZ_ENDS(err.text);
		MT_ASSERT(err.text[0] != '\0');
	}
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

void
fuzz_seeds(void)
{
	char whole[sizeof(head) + sizeof(full)];

	fuzz_seed(head, strlen(head));
	fuzz_seed(partners, strlen(partners));
	snprintf(whole, sizeof(whole), "%s%s", head, full);
	fuzz_seed(whole, strlen(whole));
}
