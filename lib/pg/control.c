/* SPDX-License-Identifier: PostgreSQL */
/*
 * The control file by way of pg_controldata.
 *
 * The program knows its own version's layout and checks the checksum; we read
 * its lines, "Label:   value", in English. Labels that we do not know are
 * passed over; the system identifier, the state and the checkpoint must be
 * there. A checksum warning is an error: such a control file says nothing.
 * Nothing is kept: the caller asks again when the server has ended.
 */
#include "pg/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define TEXT_MAX_BYTES 16384

static const struct {
	const char *text;
	enum mt_pgctl_state state;
} states[] = {
    {"starting up", MT_PGCTL_STARTING_UP},
    {"shut down", MT_PGCTL_SHUT_DOWN},
    {"shut down in recovery", MT_PGCTL_SHUT_DOWN_IN_RECOVERY},
    {"shutting down", MT_PGCTL_SHUTTING_DOWN},
    {"in crash recovery", MT_PGCTL_CRASH_RECOVERY},
    {"in archive recovery", MT_PGCTL_ARCHIVE_RECOVERY},
    {"in production", MT_PGCTL_PRODUCTION},
};

enum field {
	F_SYSID,
	F_STATE,
	F_VERSION,
	F_CHECKPOINT,
	F_REDO,
	F_TLI,
	F_PREV_TLI,
	F_MIN_LSN,
	F_MIN_TLI,
	F_HINTS,
	F_CHECKSUMS,
	F_SEGMENT,
	F_CONNECTIONS,
	F_WORKERS,
	F_SENDERS,
	F_PREPARED,
	F_LOCKS,
	F_COUNT
};

static const char *const labels[F_COUNT] = {
    [F_SYSID] = "Database system identifier",
    [F_STATE] = "Database cluster state",
    [F_VERSION] = "pg_control version number",
    [F_CHECKPOINT] = "Latest checkpoint location",
    [F_REDO] = "Latest checkpoint's REDO location",
    [F_TLI] = "Latest checkpoint's TimeLineID",
    [F_PREV_TLI] = "Latest checkpoint's PrevTimeLineID",
    [F_MIN_LSN] = "Minimum recovery ending location",
    [F_MIN_TLI] = "Min recovery ending loc's timeline",
    [F_HINTS] = "wal_log_hints setting",
    [F_CHECKSUMS] = "Data page checksum version",
    [F_SEGMENT] = "Bytes per WAL segment",
    [F_CONNECTIONS] = "max_connections setting",
    [F_WORKERS] = "max_worker_processes setting",
    [F_SENDERS] = "max_wal_senders setting",
    [F_PREPARED] = "max_prepared_xacts setting",
    [F_LOCKS] = "max_locks_per_xact setting",
};

static bool
to_number(const char *v, uint64_t max, uint64_t *out)
{
	char *end;

	if (v[0] < '0' || v[0] > '9')
		return false;
	*out = strtoull(v, &end, 10);
	return *end == '\0' && *out <= max;
}

static bool
to_int(const char *v, int *out)
{
	uint64_t n;

	if (!to_number(v, INT32_MAX, &n))
		return false;
	*out = (int)n;
	return true;
}

static bool
to_timeline(const char *v, uint32_t *out)
{
	uint64_t n;

	if (!to_number(v, UINT32_MAX, &n))
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool
to_state(struct mt_pg_control *c, const char *v)
{
	mt_copy(c->state_text, sizeof(c->state_text), v);
	for (size_t i = 0; i < MT_COUNT(states); i++)
		if (mt_streq(v, states[i].text))
			c->state = states[i].state;
	return c->state != MT_PGCTL_UNKNOWN;
}

static bool
set_field(struct mt_pg_control *c, enum field f, const char *v)
{
	uint64_t n = 0;

	switch (f) {
	case F_SYSID:
		return to_number(v, UINT64_MAX, &n) &&
		       mt_copy(c->sysid, sizeof(c->sysid), v);
	case F_STATE:
		return to_state(c, v);
	case F_VERSION:
		return to_int(v, &c->control_version);
	case F_CHECKPOINT:
		return mt_lsn_parse(v, &c->checkpoint_lsn) == 0;
	case F_REDO:
		return mt_lsn_parse(v, &c->redo_lsn) == 0;
	case F_TLI:
		return to_timeline(v, &c->timeline);
	case F_PREV_TLI:
		return to_timeline(v, &c->prev_timeline);
	case F_MIN_LSN:
		return mt_lsn_parse(v, &c->min_recovery_lsn) == 0;
	case F_MIN_TLI:
		return to_timeline(v, &c->min_recovery_timeline);
	case F_HINTS:
		c->wal_log_hints = mt_streq(v, "on");
		return true;
	case F_CHECKSUMS:
		c->checksums = to_number(v, UINT32_MAX, &n) && n != 0;
		return true;
	case F_SEGMENT:
		return to_number(v, UINT64_C(1) << 40, &c->wal_segment_bytes);
	case F_CONNECTIONS:
		return to_int(v, &c->max_connections);
	case F_WORKERS:
		return to_int(v, &c->max_worker_processes);
	case F_SENDERS:
		return to_int(v, &c->max_wal_senders);
	case F_PREPARED:
		return to_int(v, &c->max_prepared_transactions);
	case F_LOCKS:
		return to_int(v, &c->max_locks_per_transaction);
	case F_COUNT:
		break;
	}
	return true;
}

/* "Label:   value" into its field; lines of other kinds are no error. */
static int
parse_line(struct mt_pg_control *c, char *line, bool *seen, struct mt_err *err)
{
	char *v = strstr(line, ": ");
	size_t n;

	if (!v)
		return 0;
	*v++ = '\0';
	v += strspn(v, " \t");
	n = strlen(v);
	while (n && strchr(" \t\r", v[n - 1]))
		v[--n] = '\0';
	for (enum field f = 0; f < F_COUNT; f++) {
		if (!mt_streq(line, labels[f]))
			continue;
		seen[f] = true;
		if (!set_field(c, f, v))
			return mt_err_set(err, MT_EPROTO,
					  "pg_controldata says \"%s\" for "
					  "\"%s\", which is not understood",
					  v, line);
	}
	return 0;
}

int
mt_pg_control_parse(struct mt_pg_control *control, const char *text,
		    struct mt_err *err)
{
	static const enum field needed[] = {F_SYSID, F_STATE, F_CHECKPOINT,
					    F_TLI};
	struct mt_pg_control c = {
	    .max_connections = -1,
	    .max_worker_processes = -1,
	    .max_wal_senders = -1,
	    .max_prepared_transactions = -1,
	    .max_locks_per_transaction = -1,
	};
	bool seen[F_COUNT] = {false};
	char *copy = strdup(text), *save = NULL, *line;
	int rc = 0;

	if (!copy)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	/* Up to 16 on standard output, later on standard error. */
	if (strcasestr(text, "CRC checksum does not match") ||
	    strcasestr(text, "invalid WAL segment size"))
		rc = mt_err_set(err, MT_EIO, "the control file is damaged");
	for (line = strtok_r(copy, "\n", &save); line && rc == 0;
	     line = strtok_r(NULL, "\n", &save))
		rc = parse_line(&c, line, seen, err);
	free(copy);
	for (size_t i = 0; i < MT_COUNT(needed) && rc == 0; i++)
		if (!seen[needed[i]])
			rc = mt_err_set(err, MT_EPROTO,
					"pg_controldata does not tell \"%s\"",
					labels[needed[i]]);
	if (rc == 0)
		*control = c;
	return rc;
}

struct reading {
	mt_pg_control_cb cb;
	void *arg;
	size_t n;
	char text[TEXT_MAX_BYTES];
};

static void
read_line(void *arg, bool is_stderr, const char *line)
{
	struct reading *r = arg;
	size_t n = strlen(line);

	(void)is_stderr;
	if (r->n + n + 2 > sizeof(r->text))
		return;
	memcpy(r->text + r->n, line, n);
	r->n += n;
	r->text[r->n++] = '\n';
	r->text[r->n] = '\0';
}

static void
read_exit(void *arg, const struct mt_child_result *result)
{
	struct reading *r = arg;
	struct mt_err err = result->err;
	struct mt_pg_control control;

	if (err.code == 0)
		err.code = mt_pg_control_parse(&control, r->text, &err);
	if (err.code == 0)
		r->cb(r->arg, &control, NULL);
	else
		r->cb(r->arg, NULL, &err);
	free(r);
}

int
mt_pg_control_read(struct mt_child **child, uv_loop_t *loop,
		   const struct mt_pg_bins *bins, const char *data_dir,
		   mt_pg_control_cb cb, void *arg, struct mt_err *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct mt_argv argv = {0};
	struct mt_child *c;
	int rc;

	mt_pg_bins_arg(&argv, bins, "pg_controldata");
	mt_argv_add(&argv, "-D");
	mt_argv_add(&argv, "%s", data_dir);
	if (!r || argv.bad) {
		rc = mt_err_set(err, MT_ENOMEM, "out of memory");
	} else {
		r->cb = cb;
		r->arg = arg;
		rc = mt_child_start(&c, loop,
				    &(struct mt_child_options){
					.argv = argv.v,
					.timeout_ms = 10000,
					.on_line = read_line,
					.on_exit = read_exit,
					.arg = r,
				    },
				    err);
	}
	mt_argv_free(&argv);
	if (rc)
		free(r);
	else if (child)
		*child = c;
	return rc;
}
