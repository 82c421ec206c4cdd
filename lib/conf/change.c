/* SPDX-License-Identifier: PostgreSQL */
/*
 * From one configuration to the next. Happy path: every option of the table is
 * compared as it would be written, and its column says what the change takes.
 * What has to wait is copied back, and so is what was derived from it. Fails
 * only without memory, and ends then. Does not apply anything.
 */
#include "conf/change.h"

#include <string.h>

#include "base/text.h"
#include "conf/document.h"
#include "conf/effective.h"
#include "conf/fill.h"
#include "conf/source.h"

#define PATH_BYTES 256

static bool
same(const json_t *a, const json_t *b)
{
	return a == b || (a != NULL && b != NULL && json_equal(a, b));
}

static json_t *
list_of(struct mt_conf_change *c, enum mt_option_reload reload)
{
	switch (reload) {
	case MT_RELOAD_LIVE:
		return c->live;
	case MT_RELOAD_POSTGRES:
		return c->postgres;
	case MT_RELOAD_START:
		return c->start;
	case MT_RELOAD_BOOTSTRAP:
		return c->bootstrap;
	}
	return NULL;
}

/* The keys of two mappings (or NULL) that differ, each with its path. */
static void
note_keys(const char *section, const json_t *before, const json_t *after,
	  json_t *list)
{
	char path[PATH_BYTES];
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)before, key, v) {
		mt_format(path, sizeof(path), "%s.%s", section, key);
		if (json_object_get(after, key) == NULL)
			json_array_append_new(list, json_string(path));
	}
	json_object_foreach ((json_t *)after, key, v) {
		mt_format(path, sizeof(path), "%s.%s", section, key);
		if (!same(json_object_get(before, key), v))
			json_array_append_new(list, json_string(path));
	}
}

static void
note(const struct mt_conf *old, struct mt_conf *now, const struct mt_option *o,
     struct mt_conf_change *c)
{
	json_t *before = mt_conf_value(old, o), *after = mt_conf_value(now, o);
	json_t *list = list_of(c, o->reload);

	if (!same(before, after)) {
		if (o->reload == MT_RELOAD_START)
			json_object_set_new(now->waiting, o->path,
					    after != NULL ? json_incref(after)
							  : json_null());
		if (o->type == MT_OPT_MAP)
			note_keys(o->path, before, after, list);
		else
			json_array_append_new(list, json_string(o->path));
	}
	json_decref(before);
	json_decref(after);
}

/* Tags of the user's own are published, and stand in no table. */
static void
note_tags(const struct mt_conf *old, const struct mt_conf *now,
	  struct mt_conf_change *c)
{
	json_t *list = json_array(), *path;
	size_t i;

	note_keys("tags", old->tags, now->tags, list);
	json_array_foreach (list, i, path) {
		const struct mt_option *o =
		    mt_option_find(MT_OPT_LOCAL, json_string_value(path));

		if (o == NULL || !o->effective)
			json_array_append(c->live, path);
	}
	json_decref(list);
}

/* An address that is not given goes by another one, which may have to stay. */
static void
keep_derived(const struct mt_conf *old, struct mt_conf *now)
{
	if (mt_conf_lookup(now->source->root, "restapi.connect_address") ==
		NULL &&
	    mt_conf_lookup(old->source->root, "restapi.connect_address") ==
		NULL)
		now->restapi.connect_address = old->restapi.connect_address;
	if (mt_conf_lookup(now->source->root, "postgresql.connect_address") ==
		NULL &&
	    mt_conf_lookup(old->source->root, "postgresql.connect_address") ==
		NULL)
		now->postgresql.connect_address =
		    old->postgresql.connect_address;
}

bool
mt_conf_succeed(const struct mt_conf *old, struct mt_conf *now,
		struct mt_conf_change *c)
{
	size_t n;
	const struct mt_option *o = mt_options(&n);

	*c = (struct mt_conf_change){json_array(), json_array(), json_array(),
				     json_array()};
	MT_ASSERT(c->live != NULL && c->postgres != NULL && c->start != NULL &&
		  c->bootstrap != NULL);
	if (old->has_postgresql != now->has_postgresql)
		return false;
	keep_derived(old, now);
	for (size_t i = 0; i < n; i++)
		if (o[i].effective && (o[i].where & MT_OPT_LOCAL) != 0 &&
		    !mt_streq(o[i].path, "postgresql.name"))
			note(old, now, &o[i], c);
	note_tags(old, now, c);
	note_keys("postgresql", old->postgresql.replica_sections,
		  now->postgresql.replica_sections, c->live);
	mt_fill_keep(old, now);
	return true;
}

void
mt_conf_change_release(struct mt_conf_change *c)
{
	json_decref(c->live);
	json_decref(c->postgres);
	json_decref(c->start);
	json_decref(c->bootstrap);
	memset(c, 0, sizeof(*c));
}

char *
mt_conf_keys(const json_t *paths, char *buf, size_t size)
{
	const json_t *path;
	size_t i, n = 0;

	buf[0] = '\0';
	json_array_foreach ((json_t *)paths, i, path) {
		mt_format(buf + n, size - n, "%s%s", i > 0 ? ", " : "",
			  json_string_value(path));
		n += strlen(buf + n);
	}
	return buf;
}

/* ---- the first document ---- */

static void
unmet_below(const char *section, const json_t *asked, const json_t *in_force,
	    json_t *list)
{
	char path[PATH_BYTES];
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)asked, key, v) {
		const json_t *there = json_object_get(in_force, key);

		mt_format(path, sizeof(path), "%s%s%s", section,
			  section[0] != '\0' ? "." : "", key);
		if (json_is_object(v) && json_is_object(there))
			unmet_below(path, v, there, list);
		else if (!(there == NULL && json_is_null(v)) &&
			 (there == NULL || !mt_document_same(there, v)))
			json_array_append_new(list,
					      json_pack("{ss, sO?}", "key",
							path, "value", there));
	}
}

json_t *
mt_conf_unmet(const json_t *asked, const json_t *in_force)
{
	json_t *list = json_array();

	MT_ASSERT(list != NULL);
	unmet_below("", asked, in_force, list);
	return list;
}
