/* SPDX-License-Identifier: PostgreSQL */
/*
 * The scheduled restart of this node, one at most. Happy path: the API has
 * checked a body and gives it here; it is written to scheduled_restart.json in
 * raft.data_dir, then answered, and told in the reports. When it is due, its
 * conditions are looked at, and it becomes an errand (errands.c) like any
 * other.
 *
 * Failure modes: the file cannot be written: then nothing is scheduled, and the
 * client is told. A daemon that restarts reads the file; one that comes too
 * late, or finds that PostgreSQL was started anew meanwhile, lets it go, and
 * says so. While the cluster is paused, or something else is under way, it
 * waits, until it is too late.
 *
 * When it is due, and what stands against it, is decided in core/errand.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/node_internal.h"
#include "pg/files.h"

#define FILE_MAX_BYTES 4096
#define REQUEST "request"
#define STARTED "postmaster_start_time"

struct node_schedule_write {
	uv_work_t req;
	struct mt_node *n;
	json_t *doc; /* owned; NULL: the file is to go */
	int rv;
	struct mt_err err;
	mt_schedule_cb cb;
	void *cb_arg;
};

static void
path_of(const struct mt_node *n, char *path, size_t size)
{
	mt_format(path, size, "%s/scheduled_restart.json",
		  n->conf->raft.data_dir);
}

static int
take(struct mt_node *n, json_t *doc, int64_t now_wall_ms, struct mt_err *err)
{
	struct mt_restart how;
	int rv = mt_restart_parse(json_object_get(doc, REQUEST), now_wall_ms,
				  &how, err);

	if (rv == 0 && how.at_ms == 0)
		rv = mt_err_set(err, MT_EINVAL, "it has no time");
	if (rv != 0)
		return rv;
	json_decref(n->schedule);
	n->schedule = json_incref(doc);
	n->scheduled = how;
	return 0;
}

void
node__schedule_open(struct mt_node *n)
{
	char path[MT_CONF_PATH_MAX + 32];
	struct mt_err err;
	json_t *doc = NULL;
	char *text = NULL;
	int rv;

	path_of(n, path, sizeof(path));
	rv = mt_file_read(path, FILE_MAX_BYTES, &text, NULL, &err);
	if (rv == MT_ENOENT)
		return;
	if (rv == 0) {
		doc = json_loads(text, 0, NULL);
		rv = take(n, doc, 0, &err);
	}
	if (rv != 0)
		mt_error("the scheduled restart in \"%s\" is lost: %s", path,
			 err.text);
	else
		mt_info("a restart of PostgreSQL is scheduled at %s",
			node__schedule_at(n));
	json_decref(doc);
	free(text);
}

const char *
node__schedule_at(const struct mt_node *n)
{
	const char *at = json_string_value(
	    json_object_get(json_object_get(n->schedule, REQUEST), "schedule"));

	return at != NULL ? at : "";
}

/* ---- the file ---- */

static void
write_work(uv_work_t *req)
{
	struct node_schedule_write *w =
	    container_of(req, struct node_schedule_write, req);
	char path[MT_CONF_PATH_MAX + 32];
	char *text;

	path_of(w->n, path, sizeof(path));
	if (w->doc == NULL) {
		w->rv = mt_file_remove(path, &w->err);
		return;
	}
	text = json_dumps(w->doc, JSON_INDENT(1));
	w->rv = text == NULL
		    ? mt_err_set(&w->err, MT_ENOMEM, "out of memory")
		    : mt_file_write(path, text, strlen(text), 0600, &w->err);
	free(text);
}

static void
write_done(uv_work_t *req, int status)
{
	struct node_schedule_write *w =
	    container_of(req, struct node_schedule_write, req);
	struct mt_node *n = w->n;

	(void)status; /* nobody cancels it */
	n->schedule_writing = false;
	if (w->rv == 0 && w->doc != NULL)
		w->rv = take(n, w->doc, 0, &w->err);
	if (w->rv != 0)
		mt_error("%s", w->err.text);
	else if (w->doc != NULL)
		mt_info("a restart of PostgreSQL is scheduled at %s",
			node__schedule_at(n));
	if (w->cb != NULL)
		w->cb(w->cb_arg, w->rv, w->rv != 0 ? w->err.text : "");
	json_decref(w->doc);
	free(w);
	if (n->schedule_again && !n->closing) {
		n->schedule_again = false;
		node__schedule(n, NULL, NULL, NULL);
	}
	node__wake(n);
}

/* Out of memory at once: what does not stand in the file any more is not to be
 * carried out, whatever becomes of the file. */
static void
drop(struct mt_node *n)
{
	json_decref(n->schedule);
	n->schedule = NULL;
	memset(&n->scheduled, 0, sizeof(n->scheduled));
}

void
node__schedule(struct mt_node *n, const json_t *body, mt_schedule_cb cb,
	       void *arg)
{
	struct node_schedule_write *w;

	if (n->schedule_writing) {
		if (cb != NULL)
			cb(arg, MT_EBUSY, "another change of it is under way");
		else
			n->schedule_again = true;
		return;
	}
	w = calloc(1, sizeof(*w));
	MT_ASSERT(w != NULL);
	w->n = n;
	w->cb = cb;
	w->cb_arg = arg;
	if (body != NULL)
		w->doc = json_pack("{s:O, s:s}", REQUEST, body, STARTED,
				   mt_postgres_info(n->pg)->start_time);
	else
		drop(n);
	n->schedule_writing = true;
	uv_queue_work(n->loop, &w->req, write_work, write_done);
}

void
node__schedule_free(struct mt_node *n)
{
	drop(n);
}

/* ---- its time ---- */

int64_t
node__schedule_look(struct mt_node *n, const struct mt_view *v)
{
	struct mt_restart how = n->scheduled;
	char why[MT_WHY_MAX], at[MT_ISO_MAX];
	const char *started;
	int64_t look_ms = 0;

	if (n->schedule == NULL)
		return 0;
	mt_copy(at, sizeof(at), node__schedule_at(n));
	started = json_string_value(json_object_get(n->schedule, STARTED));
	switch (mt_restart_due(v, &how, started != NULL ? started : "",
			       mt_postgres_info(n->pg)->start_time, &look_ms)) {
	case MT_DUE_LATER:
		return look_ms;
	case MT_DUE_NOW:
		if (*mt_restart_objection(v, &how, why, sizeof(why)) == '\0') {
			mt_info("the scheduled restart is due");
			node__restart(n, &how);
		} else {
			mt_warn("the scheduled restart is not done: %s", why);
		}
		break;
	case MT_DUE_MISSED:
		mt_warn("the scheduled restart is not done: its time, %s, has "
			"passed",
			at);
		break;
	case MT_DUE_OVERTAKEN:
		mt_info("the scheduled restart is not needed: PostgreSQL was "
			"started anew since");
		break;
	}
	node__schedule(n, NULL, NULL, NULL);
	return 0;
}

/* What the reports say of it. */
void
node__schedule_tell(const struct mt_node *n, char *buf, size_t size)
{
	char *text =
	    json_dumps(json_object_get(n->schedule, REQUEST), JSON_COMPACT);

	if (text == NULL || !mt_copy(buf, size, text))
		buf[0] = '\0';
	free(text);
}
