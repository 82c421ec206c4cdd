/* SPDX-License-Identifier: PostgreSQL */
/*
 * Where does the write-ahead log of a primary end that is down? Its control
 * file tells where the last checkpoint is; from there pg_waldump reads until
 * nothing valid follows, and its complaint says where that was. Told before
 * anything of it is thrown away; where it cannot be found in time, the end
 * stays unknown and nothing waits for it any longer.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/postgres_internal.h"

#define FIND_WITHIN_MS 10000

/* It outlives the interest in it, and pg, when it is canceled. */
struct postgres__end {
	struct mt_postgres *pg; /* NULL: nobody wants to know any more */
	struct mt_child *child;
	uint32_t timeline;
	uint64_t segment_bytes;
	uint64_t lsn; /* 0 = not found */
};

static void
on_line(void *arg, bool is_stderr, const char *line)
{
	struct postgres__end *e = arg;
	uint64_t lsn;

	if (is_stderr && mt_pg_wal_end_parse(line, e->segment_bytes, &lsn) == 0)
		e->lsn = lsn;
}

static void
on_exit_(void *arg, const struct mt_child_result *r)
{
	struct postgres__end *e = arg;
	struct mt_postgres *pg = e->pg;

	if (pg != NULL) {
		pg->ending = NULL;
		if (e->lsn != 0)
			pg->end = (struct mt_position){.timeline = e->timeline,
						       .lsn = e->lsn};
		else
			mt_warn("could not find the end of the write-ahead "
				"log: %s",
				r->timed_out ? "it takes too long"
					     : r->err.text);
		postgres__wake(pg);
	}
	free(e);
}

void
postgres__end_find(struct mt_postgres *pg)
{
	const struct mt_pg_control *c = &pg->control;
	struct postgres__end *e;
	struct mt_argv argv = {0};
	struct mt_child_options o = {
	    .timeout_ms = FIND_WITHIN_MS,
	    .on_line = on_line,
	    .on_exit = on_exit_,
	};
	uint32_t timeline = c->timeline, newest;
	uint64_t start = c->redo_lsn, first;
	char lsn[MT_LSN_MAX];
	struct mt_err err;
	int rv;

	/* A standby's end is what it has replayed; the control file knows. */
	if (c->state == MT_PGCTL_SHUT_DOWN_IN_RECOVERY ||
	    c->state == MT_PGCTL_ARCHIVE_RECOVERY || c->redo_lsn == 0 ||
	    pg->ending != NULL || pg->end.timeline != 0)
		return;
	/* Promoted, and not yet come to a checkpoint. */
	if (mt_pg_segment_parse(pg->first_segment, c->wal_segment_bytes,
				&newest, &first) == 0 &&
	    newest > timeline) {
		timeline = newest;
		if (first > start)
			start = first;
	}
	e = calloc(1, sizeof(*e));
	MT_ASSERT(e != NULL);
	e->pg = pg;
	e->timeline = timeline;
	e->segment_bytes = c->wal_segment_bytes;
	mt_pg_bins_arg(&argv, &pg->bins, "pg_waldump");
	mt_argv_add(&argv, "--quiet");
	mt_argv_add(&argv, "--path=%s/pg_wal", pg->conf->postgresql.data_dir);
	mt_argv_add(&argv, "--timeline=%u", timeline);
	mt_argv_add(&argv, "--start=%s", mt_lsn_format(lsn, start));
	o.argv = argv.v;
	o.arg = e;
	rv = argv.bad ? mt_err_set(&err, MT_ENOMEM, "out of memory")
		      : mt_child_start(&e->child, pg->loop, &o, &err);
	mt_argv_free(&argv);
	if (rv != 0) {
		mt_warn("could not find the end of the write-ahead log: %s",
			err.text);
		free(e);
		return;
	}
	pg->ending = e;
}

void
postgres__end_cancel(struct mt_postgres *pg)
{
	struct postgres__end *e = pg->ending;

	pg->end = (struct mt_position){0};
	if (e == NULL)
		return;
	e->pg = NULL;
	pg->ending = NULL;
	mt_child_cancel(e->child);
}
