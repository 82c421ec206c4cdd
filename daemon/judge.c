/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a configuration needs of its machine. Happy path: programs of PostgreSQL
 * are there and of the version of the data directory, users are named, tags and
 * the values that other parts read as words make sense; nothing is said. Each
 * check says all that it finds, so that one run is enough. Failure modes: what
 * cannot be looked at, because it is another user's, is a warning. Does not
 * judge what lib/conf has judged.
 */
#include "daemon/judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <uv.h>

#include "base/text.h"
#include "conf/options.h"
#include "conf/source.h"
#include "daemon/api/tls.h"
#include "daemon/encrypt.h"
#include "pg/bins.h"
#include "pg/files.h"

#define PATH_BYTES (MT_CONF_PATH_MAX + 64)

static const json_t *
given(const struct mt_conf *c, const char *path)
{
	return mt_conf_lookup(c->source->root, path);
}

/* ---- programs and data ---- */

static void
judge_programs(const struct mt_conf *c, const char *dir)
{
	const struct mt_conf_bin_names *names = &c->postgresql.bin_name;
	const char *const programs[] = {
	    names->postgres,      names->initdb,    names->pg_controldata,
	    names->pg_basebackup, names->pg_rewind, "pg_waldump"};
	char path[MT_PG_PATH_MAX + 128], missing[256] = "";

	for (size_t i = 0; i < MT_COUNT(programs); i++) {
		const char *name = programs[i];
		size_t n = strlen(missing);

		mt_format(path, sizeof(path), "%s/%s", dir, name);
		if (access(path, X_OK) != 0)
			mt_format(missing + n, sizeof(missing) - n, "%s%s",
				  n > 0 ? ", " : "", name);
	}
	if (missing[0] != '\0')
		mt_conf_fail(
		    c->source, "postgresql.bin_dir",
		    "\"postgresql.bin_dir\": there is no %s in \"%s\"; "
		    "install PostgreSQL, or name its directory",
		    missing, dir);
}

static void
version_cb(void *arg, const struct mt_err *err)
{
	struct mt_err *to = arg;

	if (err != NULL)
		*to = *err;
}

/* 15, or 0: that was told. */
static int
major_of_programs(const struct mt_conf *c, struct mt_pg_bins *bins)
{
	struct mt_err err = {0};
	uv_loop_t loop;

	uv_loop_init(&loop);
	if (mt_pg_bins_version(bins, &loop, version_cb, &err, &err) == 0)
		uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	if (err.code != 0)
		mt_conf_fail(c->source, "postgresql.bin_dir",
			     "\"postgresql.bin_dir\": %s", err.text);
	return bins->version_num / 10000;
}

static void
judge_data(const struct mt_conf *c, int programs)
{
	static const char path[] = "postgresql.data_dir";
	const char *dir = c->postgresql.data_dir;
	char wal[PATH_BYTES];
	enum mt_pg_dir kind;
	struct mt_err err;
	int major = 0;

	if (mt_pg_dir_classify(dir, &kind, &err) != 0) {
		if (err.sys_errno == EACCES)
			mt_conf_warn(c->source, path,
				     "\"%s\" cannot be looked into: %s", path,
				     err.text);
		else
			mt_conf_fail(c->source, path, "\"%s\": %s", path,
				     err.text);
		return;
	}
	if (kind == MT_PG_DIR_ABSENT || kind == MT_PG_DIR_EMPTY)
		return;
	mt_format(wal, sizeof(wal), "%s/pg_wal", dir);
	if (mt_pg_dir_major(dir, &major, &err) != 0)
		mt_conf_fail(c->source, path,
			     "\"%s\" has content and is no data directory: %s",
			     path, err.text);
	else if (!mt_file_exists(wal))
		mt_conf_fail(c->source, path,
			     "\"%s\" is no whole data directory: there is no "
			     "\"%s\"",
			     path, wal);
	else if (programs != 0 && programs != major)
		mt_conf_fail(c->source, path,
			     "\"%s\" is of PostgreSQL %d, and the programs are "
			     "of %d; correct \"postgresql.bin_dir\"",
			     path, major, programs);
}

static void
judge_postgresql(const struct mt_conf *c)
{
	struct mt_pg_bins bins = {.names = c->postgresql.bin_name};
	struct mt_err err;
	int major = 0;

	if (mt_pg_bins_find(&bins, c->postgresql.bin_dir, &err) == 0) {
		judge_programs(c, bins.dir);
		major = major_of_programs(c, &bins);
	} else if (c->postgresql.bin_dir[0] != '\0') {
		judge_programs(c, c->postgresql.bin_dir);
	} else {
		mt_conf_fail(c->source, "postgresql.bin_dir", "%s", err.text);
	}
	if (c->postgresql.data_dir[0] != '\0')
		judge_data(c, major);
}

/* ---- users, tags ---- */

static void
judge_users(const struct mt_conf *c)
{
	static const char *const users[] = {"superuser", "replication"};
	char path[64];

	for (size_t i = 0; i < MT_COUNT(users); i++) {
		mt_format(path, sizeof(path),
			  "postgresql.authentication.%s.username", users[i]);
		if (given(c, path) == NULL)
			mt_conf_fail(c->source, path,
				     "\"%s\" is missing; add it, as in "
				     "\"username: %s\"",
				     path,
				     i == 0
					 ? c->postgresql.superuser.username
					 : c->postgresql.replication.username);
	}
}

static void
judge_pair(const struct mt_conf *c, const char *a, const char *b)
{
	if (given(c, a) != NULL && given(c, b) != NULL)
		mt_conf_fail(
		    c->source, b,
		    "\"%s\" and \"%s\" say the same thing; give one of "
		    "them",
		    a, b);
}

/* ---- words and numbers ---- */

/* Of options that others than the table judge. */
static const struct rule {
	const char *path, *words; /* "a,b"; NULL: a number */
	int64_t min, max;
} rules[] = {
    {"restapi.server_tokens", "original,minimal,productonly", 0, 0},
    {"restapi.request_queue_size", NULL, 0, 4096},
    {"restapi.thread_pool_size", NULL, 5, INT32_MAX},
    {"watchdog.safety_margin", NULL, -1, INT32_MAX},
};

static bool
is_word(const struct rule *r, const json_t *v)
{
	const char *s = json_string_value(v), *w = r->words;

	while (s != NULL) {
		size_t n = strcspn(w, ",");

		if (strlen(s) == n && strncasecmp(s, w, n) == 0)
			return true;
		if (w[n] == '\0')
			break;
		w += n + 1;
	}
	return false;
}

static void
judge_rule(const struct mt_conf *c, const struct rule *r)
{
	static const struct mt_option whole = {.type = MT_OPT_INT};
	const json_t *v = given(c, r->path);
	int64_t n;

	if (v == NULL)
		return;
	if (r->words != NULL && !is_word(r, v))
		mt_conf_fail(c->source, r->path, "\"%s\" must be one of %s",
			     r->path, r->words);
	else if (r->words == NULL && (mt_option_value(&whole, v, &n) != 0 ||
				      n < r->min || n > r->max))
		mt_conf_fail(c->source, r->path,
			     "\"%s\" must be a whole number from %lld on%s",
			     r->path, (long long)r->min,
			     mt_streq(r->path, "log.mode") ? ", at most 0777"
			     : r->max == 4096              ? ", at most 4096"
							   : "");
}

static void
judge_words(const struct mt_conf *c)
{
	static const struct rule watchdog = {
	    "watchdog.mode", "off,automatic,auto,required,require,disabled", 0,
	    0};
	const json_t *mode = given(c, watchdog.path);

	for (size_t i = 0; i < MT_COUNT(rules); i++)
		judge_rule(c, &rules[i]);
	if (mode != NULL && !json_is_false(mode))
		judge_rule(c, &watchdog);
}

/* ---- TLS ---- */

static void
judge_tls(const struct mt_conf *c)
{
	struct mt_secure *secure = NULL;
	struct mt_tls *tls = NULL;

	if (mt_api_tls_read(c, &tls, c->source->found) == 0)
		mt_tls_free(tls);
	if (mt_encrypt_read(c, &secure, c->source->found) == 0)
		mt_secure_unref(secure);
}

/* The command line may run as another user, who may read what this one may
 * not; and the other way round. */
static void
judge_ctl(const struct mt_conf *c)
{
	const struct mt_tls_files files = {
	    .section = "ctl",
	    .certfile = c->ctl.certfile,
	    .keyfile = c->ctl.keyfile,
	    .keyfile_password = c->ctl.keyfile_password,
	    .cafile = c->ctl.cacert,
	};
	struct mt_tls *tls = NULL;
	struct mt_err err;
	const char *at;
	char path[64];

	if (c->ctl.certfile[0] == '\0') {
		if (c->ctl.cacert[0] != '\0' &&
		    access(c->ctl.cacert, R_OK) != 0)
			mt_conf_warn(c->source, "ctl.cacert",
				     "\"ctl.cacert\": \"%s\" cannot be read: "
				     "%s",
				     c->ctl.cacert, strerror(errno));
		return;
	}
	if (mt_tls_new(&tls, &files, &at, &err) != 0) {
		mt_format(path, sizeof(path), "ctl.%s",
			  mt_streq(at, "cafile") ? "cacert" : at);
		mt_conf_warn(c->source, path, "%s", err.text);
	}
	mt_tls_free(tls);
}

/* ---- the whole ---- */

void
mt_judge_machine(struct mt_conf *conf, bool ports, struct mt_findings *found)
{
	conf->source->found = found;
	if (ports)
		judge__ports(conf);
	judge__addresses(conf);
	if (conf->has_postgresql) {
		judge_postgresql(conf);
		judge_users(conf);
	}
	judge_pair(conf, "tags.nofailover", "tags.failover_priority");
	judge_pair(conf, "tags.nosync", "tags.sync_priority");
	judge_words(conf);
	judge_tls(conf);
	judge_ctl(conf);
	judge__partners(conf);
	conf->source->found = NULL;
}
