/* SPDX-License-Identifier: PostgreSQL */
/*
 * What we ask PostgreSQL for over a session.
 *
 * The look is one statement with one row, on a primary and on a standby, from
 * version 13 on: functions that are an error in the other role stand behind
 * CASE, and what has several rows comes as JSON. A server in between two roles
 * may still refuse it; the next look will not.
 *
 * A standby's timeline is the one that it receives, else the highest of what
 * its control file says (last restart point, minimum recovery point). Its
 * received position is null after a restart until something has been streamed,
 * and 0 here.
 */
#include "pg/session.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/text.h"

static const char look_sql[] =
    "SELECT pg_is_in_recovery(),"
    " pg_postmaster_start_time()::text,"
    " (SELECT system_identifier FROM pg_control_system()),"
    " CASE WHEN pg_is_in_recovery() THEN coalesce(nullif(r.received_tli, 0),"
    "  (SELECT greatest(c.timeline_id, m.min_recovery_end_timeline)"
    "   FROM pg_control_checkpoint() c, pg_control_recovery() m))::bigint"
    " ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))"
    "  ::bit(32)::bigint END,"
    " (SELECT timeline_id FROM pg_control_checkpoint())::bigint,"
    " CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END,"
    " CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END,"
    " CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() END,"
    " CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END,"
    " pg_last_xact_replay_timestamp()::text,"
    " CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused()"
    "  ELSE false END,"
    " r.pid IS NOT NULL, coalesce(r.status = 'streaming', false),"
    " r.latest_end_lsn, r.last_msg_receipt_time::text,"
    " (SELECT json_agg(w) FROM (SELECT usename, application_name,"
    "   client_addr::text, state, sync_state, sync_priority, flush_lsn::text"
    "  FROM pg_stat_replication ORDER BY pid LIMIT 32) w),"
    " (SELECT json_agg(x) FROM (SELECT slot_name, active,"
    "   slot_type = 'physical' AND NOT temporary AS physical,"
    "   restart_lsn::text"
    "  FROM pg_replication_slots ORDER BY 3 DESC, 1 LIMIT 32) x),"
    " CASE WHEN current_setting('synchronous_standby_names') <> ''"
    "  THEN (SELECT count(*) FROM pg_stat_activity"
    "   WHERE wait_event = 'SyncRep') ELSE 0 END"
    " FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver r ON true";

enum column {
	C_RECOVERY,
	C_START,
	C_SYSID,
	C_TIMELINE,
	C_CHECKPOINT_TIMELINE,
	C_CURRENT,
	C_FLUSH,
	C_RECEIVED,
	C_REPLAYED,
	C_REPLAYED_TIME,
	C_PAUSED,
	C_RECEIVER,
	C_STREAMING,
	C_LATEST_END,
	C_RECEIPT,
	C_SENDERS,
	C_SLOTS,
	C_WAITING,
	C_COUNT
};

static bool
is_true(const struct mt_session_result *r, enum column c)
{
	return mt_streq(mt_session_value(r, 0, (int)c), "t");
}

static uint64_t
lsn_of(const char *text)
{
	uint64_t lsn = 0;

	if (!text || mt_lsn_parse(text, &lsn) < 0)
		return 0;
	return lsn;
}

static void
put_text(char *dst, size_t size, const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	mt_copy(dst, size, s ? s : "");
}

static void
read_senders(struct mt_pg_info *info, const char *text)
{
	json_t *list = json_loads(text, 0, NULL), *o;
	struct mt_pg_walsender *w;
	size_t i;

	json_array_foreach (list, i, o) {
		if (info->n_walsenders == MT_PG_WALSENDERS_MAX)
			break;
		w = &info->walsenders[info->n_walsenders++];
		put_text(w->usename, sizeof(w->usename), o, "usename");
		put_text(w->application_name, sizeof(w->application_name), o,
			 "application_name");
		put_text(w->client_addr, sizeof(w->client_addr), o,
			 "client_addr");
		put_text(w->state, sizeof(w->state), o, "state");
		put_text(w->sync_state, sizeof(w->sync_state), o, "sync_state");
		w->sync_priority = (int)json_integer_value(
		    json_object_get(o, "sync_priority"));
		w->flush_lsn =
		    lsn_of(json_string_value(json_object_get(o, "flush_lsn")));
	}
	json_decref(list);
}

static void
read_slots(struct mt_pg_info *info, const char *text)
{
	json_t *list = json_loads(text, 0, NULL), *o;
	struct mt_pg_slot *slot;
	size_t i;

	json_array_foreach (list, i, o) {
		if (info->n_slots == MT_PG_SLOTS_MAX)
			break;
		slot = &info->slots[info->n_slots++];
		put_text(slot->name, sizeof(slot->name), o, "slot_name");
		slot->physical = json_is_true(json_object_get(o, "physical"));
		slot->active = json_is_true(json_object_get(o, "active"));
		slot->restart_lsn = lsn_of(
		    json_string_value(json_object_get(o, "restart_lsn")));
	}
	json_decref(list);
}

static int
read_info(struct mt_pg_info *info, const struct mt_session_result *r)
{
	if (r->n_rows != 1 || r->n_cols != C_COUNT)
		return MT_EPROTO;
#define TEXT(c) mt_session_value(r, 0, (int)(c))
	*info = (struct mt_pg_info){0};
	info->at_ms = mt_clock_ms();
	info->in_recovery = is_true(r, C_RECOVERY);
	mt_copy(info->start_time, sizeof(info->start_time), TEXT(C_START));
	mt_copy(info->sysid, sizeof(info->sysid), TEXT(C_SYSID));
	info->timeline = (uint32_t)strtoul(TEXT(C_TIMELINE), NULL, 10);
	info->checkpoint_timeline =
	    (uint32_t)strtoul(TEXT(C_CHECKPOINT_TIMELINE), NULL, 10);
	info->current_lsn = lsn_of(TEXT(C_CURRENT));
	info->flush_lsn = lsn_of(TEXT(C_FLUSH));
	info->received_lsn = lsn_of(TEXT(C_RECEIVED));
	info->replayed_lsn = lsn_of(TEXT(C_REPLAYED));
	mt_copy(info->replayed_time, sizeof(info->replayed_time),
		TEXT(C_REPLAYED_TIME));
	info->replay_paused = is_true(r, C_PAUSED);
	info->has_receiver = is_true(r, C_RECEIVER);
	info->streaming = is_true(r, C_STREAMING);
	info->latest_end_lsn = lsn_of(TEXT(C_LATEST_END));
	mt_copy(info->receipt_time, sizeof(info->receipt_time),
		TEXT(C_RECEIPT));
	read_senders(info, TEXT(C_SENDERS));
	read_slots(info, TEXT(C_SLOTS));
	info->n_sync_waiting = atoi(TEXT(C_WAITING));
#undef TEXT
	return 0;
}

struct look {
	struct mt_session *s;
	mt_session_look_cb cb;
	void *arg;
};

static void
look_done(void *arg, const struct mt_session_result *r)
{
	struct look *l = arg;
	struct mt_err err = r->err;
	struct mt_pg_info *info = NULL;

	if (err.code == 0) {
		info = malloc(sizeof(*info));
		if (!info)
			mt_err_set(&err, MT_ENOMEM, "out of memory");
		else if (read_info(info, r) < 0)
			mt_err_set(&err, MT_EPROTO,
				   "the monitoring query gave "
				   "another shape than asked for");
		else
			info->server_version = mt_session_server_version(l->s);
	}
	l->cb(l->arg, err.code ? NULL : info, err.code ? &err : NULL);
	free(info);
	free(l);
}

uint64_t
mt_session_look(struct mt_session *s, int64_t timeout_ms, mt_session_look_cb cb,
		void *arg)
{
	struct look *l = malloc(sizeof(*l));
	uint64_t id;

	if (!l)
		return 0;
	*l = (struct look){s, cb, arg};
	id = mt_session_query(s, &(struct mt_session_stmt){
				     .sql = look_sql,
				     .timeout_ms = timeout_ms,
				     .cb = look_done,
				     .arg = l,
				 });
	if (id == 0)
		free(l);
	return id;
}

static uint64_t
ask(struct mt_session *s, const char *sql, const char *param,
    int64_t timeout_ms, mt_session_cb cb, void *arg)
{
	return mt_session_query(s, &(struct mt_session_stmt){
				       .sql = sql,
				       .params = &param,
				       .n_params = param ? 1 : 0,
				       .timeout_ms = timeout_ms,
				       .cb = cb,
				       .arg = arg,
				   });
}

uint64_t
mt_session_checkpoint(struct mt_session *s, int64_t timeout_ms,
		      mt_session_cb cb, void *arg)
{
	return ask(s, "CHECKPOINT", NULL, timeout_ms, cb, arg);
}

uint64_t
mt_session_promote(struct mt_session *s, int64_t timeout_ms, mt_session_cb cb,
		   void *arg)
{
	return ask(s, "SELECT pg_promote(false)", NULL, timeout_ms, cb, arg);
}

uint64_t
mt_session_slot_create(struct mt_session *s, const char *slot,
		       int64_t timeout_ms, mt_session_cb cb, void *arg)
{
	return ask(s,
		   "SELECT pg_create_physical_replication_slot($1::name, true)"
		   " WHERE NOT EXISTS (SELECT 1 FROM pg_replication_slots"
		   " WHERE slot_name = $1::name)",
		   slot, timeout_ms, cb, arg);
}

uint64_t
mt_session_slot_drop(struct mt_session *s, const char *slot, int64_t timeout_ms,
		     mt_session_cb cb, void *arg)
{
	return ask(s,
		   "SELECT pg_drop_replication_slot(slot_name)"
		   " FROM pg_replication_slots WHERE slot_name = $1::name"
		   " AND slot_type = 'physical' AND NOT active",
		   slot, timeout_ms, cb, arg);
}

uint64_t
mt_session_settings(struct mt_session *s, int64_t timeout_ms, mt_session_cb cb,
		    void *arg)
{
	/* What is to come stands in the files, else it is the default; they
	 * are looked into for what waits only. */
	return ask(
	    s,
	    "WITH s AS MATERIALIZED (SELECT name, unit, vartype, boot_val,"
	    " pending_restart, sourcefile FROM pg_settings),"
	    " p AS (SELECT name, json_build_object("
	    "'old', current_setting(name), 'unit', unit, 'type', vartype,"
	    "'new', coalesce((SELECT f.setting FROM pg_file_settings f"
	    " WHERE lower(f.name) = lower(s.name)"
	    " ORDER BY f.seqno DESC LIMIT 1), boot_val)) AS reason"
	    " FROM s WHERE pending_restart AND name <> 'hot_standby'"
	    " AND name NOT LIKE 'recovery\\_target%')"
	    " SELECT json_build_object("
	    "'pending', (SELECT coalesce(json_object_agg(name, reason), '{}')"
	    " FROM p),"
	    "'altered', (SELECT coalesce(json_object_agg(name,"
	    " current_setting(name)), '{}') FROM s"
	    " WHERE sourcefile LIKE '%/postgresql.auto.conf'),"
	    "'running', (SELECT json_object_agg(x, current_setting(x)::int)"
	    " FROM unnest(ARRAY['max_connections',"
	    " 'max_prepared_transactions', 'max_locks_per_transaction',"
	    " 'max_worker_processes', 'max_wal_senders']) x))",
	    NULL, timeout_ms, cb, arg);
}

uint64_t
mt_session_reload(struct mt_session *s, int64_t timeout_ms, mt_session_cb cb,
		  void *arg)
{
	return ask(s, "SELECT pg_reload_conf()", NULL, timeout_ms, cb, arg);
}

uint64_t
mt_session_history(struct mt_session *s, uint32_t timeline, int64_t timeout_ms,
		   mt_session_cb cb, void *arg)
{
	char path[64];

	mt_format(path, sizeof(path), "pg_wal/%08X.history", timeline);
	return ask(s, "SELECT pg_read_file($1, 0, 1048576, true)", path,
		   timeout_ms, cb, arg);
}
