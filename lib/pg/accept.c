/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which parameters the server's own program takes.
 *
 * "postgres -C port" reads a configuration file, complains of all that it
 * cannot use, and ends; it touches no data directory and takes some 15 ms. The
 * file is one in memory, as its standard input: a value may be a secret, and
 * no argument shows it. What it complains of is left out or moved into its
 * range, and it is asked again, until it is content: it tells unknown names
 * first, and looks at values only when there is none.
 *
 * Those that change what it tells, or in which words, come last. Where it
 * cannot be asked, or complains without naming a parameter of ours, the caller
 * is told and decides. What only a start can find out (that there is not so
 * much memory, a library that is missing) is not found here.
 */
#include "pg/accept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/command.h"
#include "pg/files.h"

#define ROUNDS_MOST 8
#define ROUND_MS 5000

static const char *const telling[] = {"log_destination", "log_min_messages",
				      "log_error_verbosity", "lc_messages"};

struct mt_pg_accept {
	uv_loop_t *loop;
	const struct mt_pg_bins *bins;
	json_t *parameters;
	struct mt_child *child;
	mt_pg_accept_cb cb;
	void *arg;
	int rounds, changes; /* changes of this round */
};

/* ---- what it says ---- */

/* The name as we have it: PostgreSQL writes some with capitals. */
static const char *
find_name(const json_t *parameters, const char *name, size_t n)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)parameters, key, v)
		if (strlen(key) == n && strncasecmp(key, name, n) == 0)
			return key;
	return NULL;
}

/* "... (64 .. 2147483647)", with units from version 16 on: which end is nearer,
 * as a number in the parameter's own unit. */
static bool
nearest_end(const char *text, const char *range, char *buf, size_t size)
{
	static const char number[] = "+-.0123456789eE";
	const char *low = range + strspn(range, " ("), *high;
	double value = strtod(text, NULL);

	high = strstr(low, " .. ");
	if (high == NULL)
		return false;
	high += strlen(" .. ");
	if (value >= strtod(low, NULL))
		low = high;
	return strspn(low, number) > 0 &&
	       mt_format(buf, size, "%.*s", (int)strspn(low, number), low);
}

bool
mt_pg_accept_line(json_t *parameters, const char *line)
{
	static const char before[] = "parameter \"";
	static const char outside[] = " is outside the valid range for ";
	const char *text = strstr(line, "LOG:  "), *name, *own, *end;
	char taken[64];
	json_t *v;

	if (text == NULL)
		return false;
	text += strlen("LOG:  ");
	name = strstr(text, before);
	if (name == NULL)
		return false;
	name += sizeof(before) - 1;
	end = strchr(name, '"');
	if (end == NULL)
		return false;
	own = find_name(parameters, name, (size_t)(end - name));
	if (own == NULL)
		return false;
	if (strstr(text, outside) != NULL &&
	    nearest_end(text, end + 1, taken, sizeof(taken))) {
		v = json_string(taken);
		if (!json_equal(v, json_object_get(parameters, own))) {
			mt_warn("parameter \"%s\" is set to %s: PostgreSQL "
				"says: %s",
				own, taken, text);
			json_object_set_new(parameters, own, v);
			return true;
		}
		json_decref(v);
	}
	mt_warn("parameter \"%s\" is left out: PostgreSQL says: %s", own, text);
	json_object_del(parameters, own);
	return true;
}

/* ---- the program ---- */

static bool
is_telling(const char *name)
{
	for (size_t i = 0; i < MT_COUNT(telling); i++)
		if (mt_streq(name, telling[i]))
			return true;
	return false;
}

/* A file in memory; -1 without memory. */
static int
make_file(const json_t *parameters)
{
	int fd = memfd_create("parameters", MFD_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "w");
	const char *name;
	json_t *v;

	for (int last = 0; f != NULL && last < 2; last++)
		json_object_foreach ((json_t *)parameters, name, v)
			if (is_telling(name) == (last == 1))
				mt_pg_conf_put(f, name, json_string_value(v));
	if (f != NULL && fclose(f) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
on_line(void *arg, bool is_stderr, const char *line)
{
	struct mt_pg_accept *a = arg;

	if (is_stderr && mt_pg_accept_line(a->parameters, line))
		a->changes++;
}

static int ask(struct mt_pg_accept *a, struct mt_err *err);

static void
on_exit_(void *arg, const struct mt_child_result *r)
{
	struct mt_pg_accept *a = arg;
	struct mt_err err = r->err;
	bool again = err.code != 0 && !r->timed_out && !r->canceled &&
		     a->changes > 0 && ++a->rounds < ROUNDS_MOST;

	a->child = NULL;
	if (again && ask(a, &err) == 0)
		return;
	if (err.code != 0)
		a->cb(a->arg, NULL, &err);
	else
		a->cb(a->arg, a->parameters, NULL);
	json_decref(a->parameters);
	free(a);
}

static int
ask(struct mt_pg_accept *a, struct mt_err *err)
{
	struct mt_argv argv = {0};
	int fd = make_file(a->parameters), rc;

	mt_pg_bins_arg(&argv, a->bins, "postgres");
	mt_argv_add(&argv, "-C");
	mt_argv_add(&argv, "port");
	/* It has to be a directory, and is not looked into. */
	mt_argv_add(&argv, "-D");
	mt_argv_add(&argv, "/");
	mt_argv_add(&argv, "--config-file=/dev/stdin");
	a->changes = 0;
	if (fd < 0 || argv.bad)
		rc = mt_err_set(err, MT_ENOMEM, "out of memory");
	else
		rc = mt_child_start(&a->child, a->loop,
				    &(struct mt_child_options){
					.argv = argv.v,
					.input_fd = fd,
					.timeout_ms = ROUND_MS,
					.on_line = on_line,
					.on_exit = on_exit_,
					.arg = a,
				    },
				    err);
	if (fd >= 0)
		close(fd);
	mt_argv_free(&argv);
	return rc;
}

static void
drop_bad_names(json_t *parameters)
{
	const char *name;
	void *next;
	json_t *v;

	json_object_foreach_safe (parameters, next, name, v)
		if (!mt_pg_conf_is_name(name)) {
			mt_warn("parameter \"%s\" is left out: that is no name "
				"of a parameter",
				name);
			json_object_del(parameters, name);
		}
}

int
mt_pg_accept_start(struct mt_pg_accept **out, uv_loop_t *loop,
		   const struct mt_pg_bins *bins, const json_t *parameters,
		   mt_pg_accept_cb cb, void *arg, struct mt_err *err)
{
	struct mt_pg_accept *a = calloc(1, sizeof(*a));
	int rc;

	MT_ASSERT(a != NULL);
	*a = (struct mt_pg_accept){
	    .loop = loop, .bins = bins, .cb = cb, .arg = arg};
	a->parameters = json_copy((json_t *)(uintptr_t)parameters);
	MT_ASSERT(a->parameters != NULL);
	drop_bad_names(a->parameters);
	rc = ask(a, err);
	if (rc != 0) {
		json_decref(a->parameters);
		free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void
mt_pg_accept_cancel(struct mt_pg_accept *a)
{
	if (a->child != NULL)
		mt_child_cancel(a->child);
}
