/* SPDX-License-Identifier: PostgreSQL */
/*
 * Scripts for events. Happy path: an event finds its command line in the
 * configuration, "<action> <role> <scope>" is put behind it, and it runs beside
 * everything else; how it ends is logged and has no effect.
 *
 * Never two at once: an event that comes while a script runs ends that one by
 * force, with all its children, and takes its place. Reloads have a slot of
 * their own: they say nothing about roles.
 *
 * Failure modes: a command line that cannot be run is an error in the log.
 */
#include "daemon/callbacks.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "pg/command.h"

#define LAST_WORDS_MS 10000 /* for what runs when the daemon ends */

enum { SLOT_STATE, SLOT_RELOAD, SLOTS };

struct slot {
	struct mt_callbacks *owner;
	struct mt_child *child; /* NULL: none runs */
	enum mt_event_kind running;
	bool waits; /* for the end of the one that runs */
	struct mt_event next;
};

struct mt_callbacks {
	uv_loop_t *loop;
	const struct mt_conf *conf;
	struct mt_events events;
	struct slot slots[SLOTS];
	uv_timer_t timer; /* at the end */
	void (*closed_cb)(void *arg);
	void *closed_arg;
	bool closing, closed;
};

struct mt_callbacks *
mt_callbacks_new(uv_loop_t *loop, const struct mt_conf *conf)
{
	struct mt_callbacks *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->conf = conf;
	for (int i = 0; i < SLOTS; i++)
		c->slots[i].owner = c;
	uv_timer_init(loop, &c->timer);
	return c;
}

void
mt_callbacks_take(struct mt_callbacks *c, const struct mt_conf *conf)
{
	c->conf = conf;
}

static void
timer_closed_cb(uv_handle_t *h)
{
	struct mt_callbacks *c = h->data;

	c->closed_cb(c->closed_arg);
	free(c);
}

static void
close_when_done(struct mt_callbacks *c)
{
	if (!c->closing || c->closed)
		return;
	for (int i = 0; i < SLOTS; i++)
		if (c->slots[i].child != NULL)
			return;
	c->closed = true;
	c->timer.data = c;
	uv_close((uv_handle_t *)&c->timer, timer_closed_cb);
}

static void run(struct slot *s);

static void
on_line(void *arg, bool is_stderr, const char *line)
{
	struct slot *s = arg;

	(void)is_stderr;
	mt_info("%s: %s", mt_event_name(s->running), line);
}

static void
on_exit_(void *arg, const struct mt_child_result *r)
{
	struct slot *s = arg;

	s->child = NULL;
	if (r->err.code != 0 && !s->waits)
		mt_warn("callback %s: %s", mt_event_name(s->running),
			r->err.text);
	if (s->waits)
		run(s);
	close_when_done(s->owner);
}

static const char *
command_of(const struct mt_callbacks *c, enum mt_event_kind kind)
{
	return json_string_value(json_object_get(c->conf->postgresql.callbacks,
						 mt_event_name(kind)));
}

/* What waits in the slot, which is free. */
static void
run(struct slot *s)
{
	struct mt_callbacks *c = s->owner;
	const char *command = command_of(c, s->next.kind);
	struct mt_argv argv = {0};
	struct mt_child_options o = {
	    .on_line = on_line,
	    .on_exit = on_exit_,
	    .keep_locale = true,
	    .arg = s,
	};
	struct mt_err err = {0};
	int rv;

	s->waits = false;
	if (command == NULL)
		return; /* a reload took it away while it waited */
	s->running = s->next.kind;
	rv = mt_argv_add_words(&argv, command, &err);
	if (rv == 0) {
		mt_argv_add(&argv, "%s", mt_event_name(s->next.kind));
		mt_argv_add(&argv, "%s", mt_pg_role_name(s->next.role));
		mt_argv_add(&argv, "%s", c->conf->scope);
		o.argv = argv.v;
		rv = argv.bad ? mt_err_set(&err, MT_ENOMEM, "out of memory")
			      : mt_child_start(&s->child, c->loop, &o, &err);
	}
	if (rv != 0)
		mt_error("callback %s was not run: %s",
			 mt_event_name(s->next.kind), err.text);
	else
		mt_info("callback %s %s %s runs", mt_event_name(s->next.kind),
			mt_pg_role_name(s->next.role), c->conf->scope);
	mt_argv_free(&argv);
}

static void
fire(struct mt_callbacks *c, struct mt_event event)
{
	struct slot *s =
	    &c->slots[event.kind == MT_EVENT_RELOAD ? SLOT_RELOAD : SLOT_STATE];

	if (command_of(c, event.kind) == NULL)
		return;
	s->next = event;
	if (s->child == NULL) {
		run(s);
		return;
	}
	if (!s->waits)
		mt_warn("callback %s still runs; it is ended by force",
			mt_event_name(s->running));
	s->waits = true;
	mt_child_signal(s->child, SIGKILL);
}

void
mt_callbacks_look(struct mt_callbacks *c, const struct mt_local *local)
{
	struct mt_event list[MT_EVENTS_MAX];
	int n = mt_events_next(&c->events, local, list);

	for (int i = 0; i < n && !c->closing; i++)
		fire(c, list[i]);
}

static void
late_cb(uv_timer_t *timer)
{
	struct mt_callbacks *c =
	    container_of(timer, struct mt_callbacks, timer);

	for (int i = 0; i < SLOTS; i++) {
		c->slots[i].waits = false;
		if (c->slots[i].child != NULL)
			mt_child_signal(c->slots[i].child, SIGKILL);
	}
}

void
mt_callbacks_close(struct mt_callbacks *c, void (*closed_cb)(void *arg),
		   void *arg)
{
	c->closing = true;
	c->closed_cb = closed_cb;
	c->closed_arg = arg;
	uv_timer_start(&c->timer, late_cb, LAST_WORDS_MS, 0);
	close_when_done(c);
}
