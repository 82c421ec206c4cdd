/* SPDX-License-Identifier: PostgreSQL */
/* matriarchd FILE, and what it tells of a configuration: see matriarchd(8). */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"

#include "base/core_limit.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/environ.h"
#include "daemon/generate.h"
#include "daemon/node.h"
#include "daemon/tell.h"

/* How long the end waits for what the log goes to. */
#define LAST_WORDS_MS 2000
/* How many descriptors it wants. */
#define DESCRIPTORS 4096

static void
usage(FILE *to)
{
	fprintf(
	    to,
	    "usage: matriarchd [FILE]\n"
	    "       matriarchd --validate-config [--strict] [-i] [-p] [FILE]\n"
	    "       matriarchd --print-config [FILE]\n"
	    "       matriarchd --generate-sample-config\n"
	    "       matriarchd --generate-config [--dsn DSN] [FILE]\n"
	    "       matriarchd --version\n");
}

/* The configuration, and the log that it asks for: what is to be said of it
 * is said there. */
static int
begin(struct mt_conf **conf, const char *file, const json_t *environment,
      struct mt_err *err)
{
	struct mt_findings found = {0};
	int rv = mt_conf_read(conf, file, environment, &found);

	if (rv == 0) {
		const struct mt_log_options *o = &(*conf)->log.options;

		if (o->dir[0] != '\0')
			mt_info("the log goes to \"%s/%s\"", o->dir,
				MT_LOG_FILE_NAME);
		rv = mt_log_start(o, err);
		if (rv != 0)
			mt_conf_free(*conf);
	}
	if (mt_findings_log(&found, rv == 0 ? NULL : err) != 0 && rv == 0)
		rv = MT_EINVAL;
	mt_findings_release(&found);
	return rv;
}

/* Half of what may be open is for HTTP clients (lib/http/limits.c). Many
 * systems set 1024 and allow more; programs that it starts inherit it, so no
 * more than is of use. */
static void
raise_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 ||
	    files.rlim_cur >= DESCRIPTORS)
		return;
	files.rlim_cur =
	    files.rlim_max < DESCRIPTORS ? files.rlim_max : DESCRIPTORS;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

/* Without a file the configuration is that of the variables. */
static int
run(const char *file, const json_t *environment)
{
	struct mt_conf *conf;
	struct mt_err err = {0};
	int status;

	if (geteuid() == 0) {
		mt_critical("PostgreSQL does not run as root, and neither "
			    "does matriarchd: start it as the user that owns "
			    "the data directory (in a systemd unit: "
			    "User=postgres)");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	mt_core_forbid(); /* from here on there are passwords */
	if (begin(&conf, file, environment, &err) != 0) {
		mt_critical("%s", err.text);
		return 1;
	}
	mt_info("matriarchd %s starts as \"%s\" of \"%s\"", PACKAGE_VERSION,
		conf->name, conf->scope);
	status = mt_node_run(conf, &err);
	if (status != 0)
		mt_critical("%s", err.text);
	else
		mt_info("ended");
	mt_log_stop(LAST_WORDS_MS);
	mt_conf_free(conf);
	return status;
}

/* Only a node ends in order. */
static void
heed_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* There may be a password in it: ps shall not show it for long. */
static char *
hidden_copy(char *argument)
{
	char *copy = strdup(argument);

	MT_ASSERT(copy != NULL);
	explicit_bzero(argument, strlen(argument));
	return copy;
}

int
main(int argc, char **argv)
{
	enum {
		VERSION = 256,
		HELP,
		VALIDATE,
		STRICT,
		PRINT,
		SAMPLE,
		GENERATE,
		DSN
	};
	static const struct option options[] = {
	    {"version", no_argument, NULL, VERSION},
	    {"help", no_argument, NULL, HELP},
	    {"validate-config", no_argument, NULL, VALIDATE},
	    {"strict", no_argument, NULL, STRICT},
	    {"print", no_argument, NULL, 'p'},
	    {"ignore-listen-port", no_argument, NULL, 'i'},
	    {"print-config", no_argument, NULL, PRINT},
	    {"generate-sample-config", no_argument, NULL, SAMPLE},
	    {"generate-config", no_argument, NULL, GENERATE},
	    {"dsn", required_argument, NULL, DSN},
	    {NULL, 0, NULL, 0},
	};
	const char *file;
	char *dsn = NULL;
	json_t *environment;
	struct mt_tell how = {.machine = true, .ports = true};
	int c, what = 0, status;

	mt_node_hold_signals(); /* from here on it ends in order */
	while ((c = getopt_long(argc, argv, "ip", options, NULL)) != -1) {
		if (c == STRICT)
			how.strict = true;
		else if (c == 'p')
			how.print = true;
		else if (c == 'i')
			how.ports = false;
		else if (c == DSN)
			dsn = hidden_copy(optarg);
		else if (c == '?' || what != 0)
			what = '?';
		else
			what = c;
	}
	if ((what != VALIDATE && (how.strict || how.print || !how.ports)) ||
	    (what != GENERATE && dsn != NULL) || argc > optind + 1 ||
	    what == '?') {
		usage(stderr);
		return 2;
	}
	if (what != 0)
		heed_signals();
	file = argv[optind];
	environment = mt_conf_environ((const char *const *)environ);
	mt_conf_environ_hide(environ);
	if (file == NULL && json_object_size(environment) == 0 &&
	    (what == 0 || what == VALIDATE || what == PRINT)) {
		usage(stderr);
		status = 2;
	} else if (what == VERSION) {
		printf("matriarchd %s\n", PACKAGE_VERSION);
		status = 0;
	} else if (what == HELP) {
		usage(stdout);
		status = 0;
	} else if (what == VALIDATE) {
		status = mt_tell_findings(file, environment, &how);
	} else if (what == PRINT) {
		status = mt_tell_effective(file, environment);
	} else if (what == SAMPLE) {
		status = mt_tell_sample();
	} else if (what == GENERATE) {
		status = mt_generate(dsn, file);
	} else {
		status = run(file, environment);
	}
	json_decref(environment);
	free(dsn);
	return status;
}
