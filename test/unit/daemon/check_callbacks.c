/* SPDX-License-Identifier: PostgreSQL */
/* Scripts for events, with real children: which run, and which do not. */
#include "daemon/callbacks.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "test/unit/run.h"

static uv_loop_t loop;
static struct mt_callbacks *c;
static struct mt_local l;
static char marker[64];
static bool closed;
static char said[2048];

static void
sink(void *arg, enum mt_log_level level, const char *text)
{
	size_t n = strlen(said);

	(void)arg;
	(void)level;
	mt_format(said + n, sizeof(said) - n, "%s\n", text);
}

static void
on_closed(void *arg)
{
	(void)arg;
	closed = true;
}

/* A script that would run for a minute, and one that leaves a mark. */
static struct mt_conf *
make_conf(bool marks)
{
	struct mt_conf *conf = calloc(1, sizeof(*conf));
	char text[128];

	ck_assert_ptr_nonnull(conf);
	mt_copy(conf->scope, sizeof(conf->scope), "demo");
	mt_format(text, sizeof(text), "sh -c 'echo $1 >%s' x", marker);
	conf->postgresql.callbacks =
	    json_pack("{s:s}", "on_start", "sh -c 'sleep 61.5' x");
	if (marks)
		json_object_set_new(conf->postgresql.callbacks,
				    "on_role_change", json_string(text));
	return conf;
}

static void
free_conf(struct mt_conf *conf)
{
	json_decref(conf->postgresql.callbacks);
	free(conf);
}

/* A name that nothing has. */
static void
begin(void)
{
	int fd;

	mt_copy(marker, sizeof(marker), "/tmp/mt_check_callbacks.XXXXXX");
	fd = mkstemp(marker);
	ck_assert_int_ge(fd, 0);
	close(fd);
	unlink(marker);
}

/* on_start runs, on_role_change waits for its end; meanwhile a reload may come.
 */
static void
run_both(const struct mt_conf *conf, const struct mt_conf *then)
{
	said[0] = '\0';
	closed = false;
	mt_log_set_sink(sink, NULL);
	uv_loop_init(&loop);
	c = mt_callbacks_new(&loop, conf);
	memset(&l, 0, sizeof(l));
	l.running = l.accepting = l.in_recovery = true;
	mt_callbacks_look(c, &l);
	l.as_primary = true;
	l.in_recovery = false;
	mt_callbacks_look(c, &l);
	if (then != NULL)
		mt_callbacks_take(c, then);
	mt_callbacks_close(c, on_closed, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert(closed);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	mt_log_set_sink(NULL, NULL);
	ck_assert_ptr_nonnull(strstr(said, "callback on_start replica demo "
					   "runs"));
	ck_assert_ptr_nonnull(strstr(said, "on_start still runs"));
}

START_TEST(what_waited_for_another_runs_in_its_place)
{
	struct mt_conf *conf;

	begin();
	conf = make_conf(true);
	run_both(conf, NULL);
	ck_assert_int_eq(access(marker, F_OK), 0);
	unlink(marker);
	free_conf(conf);
}
END_TEST

START_TEST(what_a_reload_took_away_while_it_waited_is_not_run)
{
	struct mt_conf *conf, *then;

	begin();
	conf = make_conf(true);
	then = make_conf(false);
	run_both(conf, then);
	ck_assert_int_ne(access(marker, F_OK), 0);
	ck_assert_ptr_null(strstr(said, "on_role_change"));
	free_conf(conf);
	free_conf(then);
}
END_TEST

int
main(void)
{
	RUN_TESTS("callbacks", what_waited_for_another_runs_in_its_place,
		  what_a_reload_took_away_while_it_waited_is_not_run);
}
