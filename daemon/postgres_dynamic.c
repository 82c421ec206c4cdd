/* SPDX-License-Identifier: PostgreSQL */
/*
 * patroni.dynamic.json: the cluster's document beside the data, for scripts
 * that read it there, and for this daemon's next life. Happy path: whenever a
 * server runs and the agreed document is another one than was written, or the
 * server is new, a worker writes it. At the start it is read before anything
 * else is looked at, and PostgreSQL's parameters come from it until the log has
 * told the document: the first one of the local file may long be out of date.
 *
 * Failure modes: what cannot be written is warned of and written with the next
 * change or start; what cannot be read is as if it were not there. Never
 * written where no server runs: the directory may be about to be emptied or
 * filled. Nothing about leadership, leases or members is taken from it.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"

static void
write_work(struct file_work *w)
{
	w->rv = mt_pg_dynamic_write(w->pg->conf->postgresql.data_dir,
				    w->parameters, &w->err);
}

static void
write_done(struct file_work *w)
{
	if (w->rv != 0)
		mt_warn("could not keep a copy of the dynamic configuration: "
			"%s",
			w->err.text);
}

void
postgres__keep_document(struct mt_postgres *pg)
{
	struct file_work *w;

	if (!pg->document_stale || pg->document == NULL ||
	    !postgres__running(pg) || pg->adopting ||
	    (pg->foreign && !pg->joined) || pg->job != MT_JOB_NONE ||
	    pg->stopping != STOP_NONE)
		return; /* the next look tries again */
	pg->document_stale = false;
	w = postgres__file_work(pg, write_work, write_done);
	/* jansson's counters are not for two threads */
	w->parameters = json_deep_copy(pg->document);
	MT_ASSERT(w->parameters != NULL);
	postgres__file_queue(w);
}

static void
read_work(struct file_work *w)
{
	w->rv = mt_pg_dynamic_read(w->pg->conf->postgresql.data_dir,
				   &w->parameters, &w->err);
}

static void
read_done(struct file_work *w)
{
	struct mt_postgres *pg = w->pg;

	if (w->rv != 0 && w->rv != MT_ENOENT)
		mt_warn("%s; it is ignored", w->err.text);
	pg->kept_document = json_incref(w->parameters);
	pg->begun = true;
	postgres__configure(pg);
}

void
postgres__recall_document(struct mt_postgres *pg)
{
	postgres__file_queue(postgres__file_work(pg, read_work, read_done));
}
