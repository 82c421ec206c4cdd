/* SPDX-License-Identifier: PostgreSQL */
/*
 * The dynamic document as plain data. Happy path: each row below names an
 * option and the member of the struct; type, default and minimum come from the
 * table of options. A value that cannot be read has the default, a lower one
 * the minimum: every member reads the same document to the same settings, and
 * no document can stop a cluster. Who changes the document tells the user.
 */
#include "conf/settings.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "conf/options.h"

struct row {
	const char *path;
	const char *alias; /* an old name, or NULL */
	size_t offset;
	enum { NUMBER, TRUTH, SYNC } kind;
};

#define MEMBER(m) offsetof(struct mt_settings, m)

static const struct row rows[] = {
    {"ttl", NULL, MEMBER(ttl_ms), NUMBER},
    {"loop_wait", NULL, MEMBER(loop_wait_ms), NUMBER},
    {"retry_timeout", NULL, MEMBER(retry_timeout_ms), NUMBER},
    {"maximum_lag_on_failover", NULL, MEMBER(maximum_lag_on_failover), NUMBER},
    {"max_concurrent_clones", NULL, MEMBER(max_concurrent_clones), NUMBER},
    {"max_timelines_history", NULL, MEMBER(max_timelines_history), NUMBER},
    {"primary_start_timeout", "master_start_timeout",
     MEMBER(primary_start_timeout_ms), NUMBER},
    {"primary_stop_timeout", "master_stop_timeout",
     MEMBER(primary_stop_timeout_ms), NUMBER},
    {"suspect_timeout", NULL, MEMBER(suspect_timeout_ms), NUMBER},
    {"primary_hang_timeout", NULL, MEMBER(primary_hang_timeout_ms), NUMBER},
    {"synchronous_mode", NULL, MEMBER(synchronous_mode), SYNC},
    {"synchronous_node_count", NULL, MEMBER(synchronous_node_count), NUMBER},
    {"synchronous_mode_strict", NULL, MEMBER(synchronous_mode_strict), TRUTH},
    {"failover_in_sync", NULL, MEMBER(sync_waits_for_lease), TRUTH},
    {"maximum_lag_on_syncnode", NULL, MEMBER(maximum_lag_on_syncnode), NUMBER},
    {"check_timeline", NULL, MEMBER(check_timeline), TRUTH},
    {"pause", NULL, MEMBER(pause), TRUTH},
    {"postgresql.use_pg_rewind", NULL, MEMBER(use_pg_rewind), TRUTH},
    {"postgresql.use_slots", NULL, MEMBER(use_slots), TRUTH},
    {"postgresql.remove_data_directory_on_rewind_failure", NULL,
     MEMBER(remove_data_directory_on_rewind_failure), TRUTH},
    {"postgresql.remove_data_directory_on_diverged_timelines", NULL,
     MEMBER(remove_data_directory_on_diverged_timelines), TRUTH},
};

static void
store(struct mt_settings *s, const struct row *r, int64_t v)
{
	char *at = (char *)s + r->offset;

	switch (r->kind) {
	case NUMBER:
		*(int64_t *)(void *)at = v;
		break;
	case TRUTH:
		*(bool *)(void *)at = v != 0;
		break;
	case SYNC:
		*(enum mt_sync_mode *)(void *)at = (enum mt_sync_mode)v;
		break;
	}
}

static const json_t *
look_up(const json_t *doc, const char *path)
{
	static const char section[] = "postgresql.";

	if (strncmp(path, section, sizeof(section) - 1) == 0) {
		doc = json_object_get(doc, "postgresql");
		path += sizeof(section) - 1;
	}
	return json_object_get(doc, path);
}

const char *
mt_settings_alias(const char *path)
{
	for (size_t i = 0; i < MT_COUNT(rows); i++)
		if (mt_streq(rows[i].path, path))
			return rows[i].alias;
	return NULL;
}

bool
mt_settings_is_alias(const char *path)
{
	for (size_t i = 0; i < MT_COUNT(rows); i++)
		if (rows[i].alias != NULL && mt_streq(rows[i].alias, path))
			return true;
	return false;
}

void
mt_settings_parse(struct mt_settings *s, const json_t *doc)
{
	memset(s, 0, sizeof(*s)); /* holders compare it as bytes */
	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		const struct mt_option *o =
		    mt_option_find(MT_OPT_DYNAMIC, r->path);
		const json_t *v = look_up(doc, r->path);
		int64_t n;

		MT_ASSERT(o != NULL);
		if ((v == NULL || json_is_null(v)) && r->alias != NULL)
			v = look_up(doc, r->alias);
		n = mt_option_default(o);
		if (v != NULL && mt_option_value(o, v, &n) == 0 && n < o->min)
			n = o->min;
		store(s, r, n);
	}
	if (s->ttl_ms > MT_TTL_MAX_MS)
		s->ttl_ms = MT_TTL_MAX_MS;
	/* A standby that has just connected again may have two walsenders for
	 * a while, and PostgreSQL would count both of them. A slot is used by
	 * one at a time. */
	if (s->synchronous_mode != MT_SYNC_OFF && s->synchronous_node_count > 1)
		s->use_slots = true;
}

void
mt_settings_defaults(struct mt_settings *s)
{
	mt_settings_parse(s, NULL);
}
