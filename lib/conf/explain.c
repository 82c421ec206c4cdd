/* SPDX-License-Identifier: PostgreSQL */
/*
 * The table of options, told. Happy path: each row in force gives one entry,
 * each parameter of PostgreSQL one more; precedence is that of the loading
 * code: default, dynamic document, files in their order, variables. Fails only
 * without memory, and ends then. Asks nobody: what is known is given.
 */
#include "conf/explain.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "conf/effective.h"
#include "conf/pgconf.h"
#include "conf/settings.h"
#include "conf/source.h"

#define PATH_BYTES 256
#define PLACE_BYTES 1200

static const char parameters_path[] = "postgresql.parameters";
static const char by_system[] = "ALTER SYSTEM";

/* ---- entries ---- */

/* v is taken, and masked; NULL is null. */
static void
set_value(json_t *entry, const char *key, const char *path, json_t *v)
{
	json_object_set_new(entry, key,
			    v != NULL ? mt_conf_masked(path, v) : json_null());
	json_decref(v);
}

/* v is borrowed. */
static void
add_overridden(json_t *entry, const char *path, const char *source,
	       const json_t *v)
{
	json_t *list = json_object_get(entry, "overridden");
	json_t *it = json_pack("{ss}", "source", source);

	MT_ASSERT(it != NULL);
	set_value(it, "value", path, json_incref((json_t *)v));
	if (list == NULL) {
		list = json_array();
		json_object_set_new(entry, "overridden", list);
	}
	json_array_append_new(list, it);
}

static json_t *
new_entry(const char *path, json_t *value, const char *source)
{
	json_t *entry = json_pack("{ss}", "key", path);

	MT_ASSERT(entry != NULL);
	set_value(entry, "value", path, value);
	json_object_set_new(entry, "source", json_string(source));
	return entry;
}

static json_t *
default_of(const struct mt_option *o)
{
	if (o->def == NULL)
		return NULL;
	if (o->type == MT_OPT_STRING || o->type == MT_OPT_LIST ||
	    o->type == MT_OPT_ANY)
		return json_string(o->def);
	return mt_option_written(o, mt_option_default(o));
}

static void
set_default(json_t *entry, const struct mt_option *o)
{
	json_t *v = default_of(o);

	if (v != NULL)
		json_object_set_new(entry, "default", v);
}

/* ---- places ---- */

static void
place_text(const struct mt_conf_part *part, const struct mt_yaml_place *place,
	   char *buf, size_t size)
{
	if (part->is_variable)
		mt_copy(buf, size, part->name);
	else
		mt_format(buf, size, "%s:%d:%d", part->name, place->line,
			  place->column);
}

/* The value below a path whose last word may have dots of its own. */
static const json_t *
value_at(const json_t *root, const char *path)
{
	char section[PATH_BYTES];
	const char *dot;

	if (strncmp(path, parameters_path, sizeof(parameters_path) - 1) != 0)
		return mt_conf_lookup(root, path);
	dot = strchr(path + sizeof(parameters_path) - 1, '.');
	if (dot == NULL)
		return mt_conf_lookup(root, path);
	mt_format(section, sizeof(section), "%.*s", (int)(dot - path), path);
	return json_object_get(mt_conf_lookup(root, section), dot + 1);
}

/* The part that gives a path its value; those below it go to entry, if that is
 * not NULL. False: none gives it one. */
static bool
find_local(const struct mt_conf *c, const char *path, char *source, size_t size,
	   json_t *entry)
{
	const struct mt_conf_source *src = c->source;
	const struct mt_yaml_place *place;
	const struct mt_conf_part *part;
	char text[PLACE_BYTES];
	bool found = false;

	if (value_at(src->root, path) == NULL)
		return false;
	for (size_t n = src->n; n > 0; n = (size_t)(part - src->parts)) {
		const json_t *v;

		part = mt_conf_source_part(src, path, n, &place);
		if (part == NULL)
			break;
		v = value_at(part->yaml.root, path);
		if (v == NULL || json_is_null(v))
			continue; /* it takes away what is below it */
		place_text(part, place, text, sizeof(text));
		if (!found)
			mt_copy(source, size, text);
		else if (entry != NULL)
			add_overridden(entry, path, text, v);
		found = true;
	}
	return found;
}

/* ---- options ---- */

/* What the document says of an option, under one of its names, or NULL. */
static const json_t *
in_document(const struct mt_option *o, const struct mt_conf_facts *f)
{
	const char *alias = mt_settings_alias(o->path);
	const json_t *v = mt_conf_lookup(f->document, o->path);

	return v == NULL && alias != NULL ? mt_conf_lookup(f->document, alias)
					  : v;
}

static json_t *
dynamic_option(const struct mt_option *o, const struct mt_conf_facts *f)
{
	const json_t *v = in_document(o, f);
	json_t *entry, *value = default_of(o);
	bool usable = v != NULL && mt_option_accepts(o, v);
	int64_t n;

	if (usable) {
		json_decref(value);
		if (mt_option_value(o, v, &n) != 0)
			value = json_incref((json_t *)v);
		else
			value = mt_option_written(o, n < o->min ? o->min : n);
	}
	entry =
	    new_entry(o->path, value, usable ? f->document_name : "default");
	if (v != NULL &&
	    (!usable || (mt_option_value(o, v, &n) == 0 && n < o->min)))
		add_overridden(entry, o->path, f->document_name, v);
	set_default(entry, o);
	return entry;
}

static json_t *
local_option(const struct mt_conf *c, const struct mt_option *o,
	     const struct mt_conf_facts *f)
{
	json_t *waiting = json_object_get(c->waiting, o->path);
	json_t *entry = new_entry(o->path, mt_conf_value(c, o), "default");
	const json_t *dynamic =
	    (o->where & MT_OPT_DYNAMIC) != 0 ? in_document(o, f) : NULL;
	char source[PLACE_BYTES];
	bool given = find_local(c, o->path, source, sizeof(source), entry);

	if (waiting != NULL) {
		json_object_set_new(entry, "source",
				    json_string("the daemon's start"));
		json_object_set_new(entry, "waits_for", json_string("daemon"));
		set_value(entry, "new", o->path, json_incref(waiting));
		if (given)
			json_object_set_new(entry, "new_source",
					    json_string(source));
	} else if (given) {
		json_object_set_new(entry, "source", json_string(source));
	}
	if (dynamic != NULL)
		add_overridden(entry, o->path, f->document_name, dynamic);
	set_default(entry, o);
	return entry;
}

static json_t *
option_entry(const struct mt_conf *c, const struct mt_option *o,
	     const struct mt_conf_facts *f)
{
	char source[PLACE_BYTES];

	if (o->where == MT_OPT_DYNAMIC)
		return dynamic_option(o, f);
	if (o->where == MT_OPT_BOTH &&
	    !find_local(c, o->path, source, sizeof(source), NULL))
		return dynamic_option(o, f);
	return local_option(c, o, f);
}

/* ---- parameters of PostgreSQL ---- */

/* A parameter's name as params write it, which may be in another case. */
static const char *
name_in(const json_t *params, const char *name)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)params, key, v)
		if (strcasecmp(key, name) == 0 && !json_is_null(v))
			return key;
	return NULL;
}

static const char *
identity_path(const char *name)
{
	if (mt_streq(name, "cluster_name"))
		return "scope";
	return mt_streq(name, "listen_addresses") || mt_streq(name, "port")
		   ? "postgresql.listen"
		   : NULL;
}

/* A parameter that is being told. */
struct told {
	const struct mt_conf *c;
	const struct mt_conf_facts *f;
	const char *name, *path;
	const json_t *dynamic;        /* "parameters" of the document */
	const char *in_doc, *in_file; /* its names there, or NULL */
	json_t *entry;
	char source[PLACE_BYTES];
};

/* Where the common sections have it from, what else they say to the entry. */
static void
common_source(struct told *t)
{
	const char *identity = identity_path(t->name);
	bool controlled = mt_pgconf_on_command_line(t->name), local;
	char from[PATH_BYTES];

	/* Two names of one thing. */
	if (t->in_doc == NULL && mt_streq(t->name, "wal_keep_size"))
		t->in_doc = name_in(t->dynamic, "wal_keep_segments");
	if (mt_streq(t->name, "wal_keep_size") ||
	    mt_streq(t->name, "wal_keep_segments"))
		controlled = true;
	mt_format(from, sizeof(from), "%s.%s", parameters_path,
		  t->in_file != NULL ? t->in_file : t->name);
	local = t->in_file != NULL &&
		find_local(t->c, from, t->source, sizeof(t->source), t->entry);
	if (identity != NULL)
		find_local(t->c, identity, t->source, sizeof(t->source), NULL);
	else if (controlled && local)
		add_overridden(
		    t->entry, t->path, t->source,
		    json_object_get(t->c->postgresql.parameters, t->in_file));
	if (t->in_doc != NULL && (local || identity != NULL) &&
	    (identity != NULL || !controlled))
		add_overridden(t->entry, t->path, t->f->document_name,
			       json_object_get(t->dynamic, t->in_doc));
	if (identity == NULL && (controlled || !local))
		mt_copy(t->source, sizeof(t->source),
			t->in_doc != NULL ? t->f->document_name : "default");
}

/* The same where a section (of its role, or recovery_conf) says something,
 * which wins over all of the common ones; false: it does not. own: the file's.
 */
static bool
section_source(struct told *t, const char *section, const json_t *own)
{
	const struct mt_conf_postgresql *p = &t->c->postgresql;
	char path[64], key[PATH_BYTES], text[PLACE_BYTES];
	const char *in_file = name_in(own, t->name), *in_doc;
	const json_t *dynamic;

	mt_format(path, sizeof(path), "postgresql.%s", section);
	dynamic = mt_conf_lookup(t->f->document, path);
	in_doc = name_in(dynamic, t->name);
	mt_format(text, sizeof(text), "%s, %s", t->f->document_name, section);
	if (in_file != NULL) {
		mt_format(key, sizeof(key), "%s.%s", path, in_file);
		find_local(t->c, key, t->source, sizeof(t->source), t->entry);
		if (in_doc != NULL)
			add_overridden(t->entry, t->path, text,
				       json_object_get(dynamic, in_doc));
	} else if (in_doc != NULL) {
		mt_copy(t->source, sizeof(t->source), text);
	} else {
		return false;
	}
	mt_format(key, sizeof(key), "%s.%s", parameters_path,
		  t->in_file != NULL ? t->in_file : t->name);
	if (t->in_file != NULL &&
	    find_local(t->c, key, text, sizeof(text), NULL))
		add_overridden(t->entry, t->path, text,
			       json_object_get(p->parameters, t->in_file));
	if (t->in_doc != NULL)
		add_overridden(t->entry, t->path, t->f->document_name,
			       json_object_get(t->dynamic, t->in_doc));
	return true;
}

static bool
special_source(struct told *t)
{
	const struct mt_conf_postgresql *p = &t->c->postgresql;
	char section[32];

	mt_format(section, sizeof(section), "parameters_%s",
		  mt_pgconf_role_name(t->f->role));
	return section_source(t, section, p->for_role[t->f->role].parameters) ||
	       section_source(t, "recovery_conf", p->recovery_conf);
}

static json_t *
parameter(const struct mt_conf *c, const struct mt_conf_facts *f,
	  const char *name, json_t *value)
{
	json_t *by_hand = json_object_get(f->altered, name);
	json_t *why = json_object_get(f->pending, name);
	bool everywhere = mt_pgconf_on_command_line(name);
	struct told t = {.c = c, .f = f, .name = name};
	char path[PATH_BYTES];

	mt_format(path, sizeof(path), "%s.%s", parameters_path, name);
	t.path = path;
	t.dynamic = mt_conf_lookup(f->document, parameters_path);
	t.in_doc = name_in(t.dynamic, name);
	t.in_file = name_in(c->postgresql.parameters, name);
	t.entry = new_entry(path, json_incref(value), "default");
	if (everywhere || !special_source(&t))
		common_source(&t);
	if (by_hand != NULL && !everywhere) {
		add_overridden(t.entry, path, t.source, value);
		set_value(t.entry, "value", path, json_incref(by_hand));
		mt_copy(t.source, sizeof(t.source), by_system);
	}
	json_object_set_new(t.entry, "source", json_string(t.source));
	if (why != NULL) {
		json_object_set_new(t.entry, "waits_for",
				    json_string("postgresql"));
		set_value(t.entry, "new", path,
			  json_incref(json_object_get(why, "new_value")));
	}
	return t.entry;
}

/* Tags that stand in no table are published all the same. */
static void
add_own_tag(json_t *all, const struct mt_conf *c, const char *name,
	    const json_t *value)
{
	char path[PATH_BYTES], source[PLACE_BYTES] = "default";
	const struct mt_option *o;

	mt_format(path, sizeof(path), "tags.%s", name);
	o = mt_option_find(MT_OPT_LOCAL, path);
	if (o != NULL && o->effective)
		return;
	find_local(c, path, source, sizeof(source), NULL);
	json_array_append_new(
	    all, new_entry(path, json_incref((json_t *)value), source));
}

static json_t *
altered(const char *name, const json_t *value)
{
	char path[PATH_BYTES];

	mt_format(path, sizeof(path), "%s.%s", parameters_path, name);
	return new_entry(path, json_incref((json_t *)value), by_system);
}

json_t *
mt_conf_explain(const struct mt_conf *c, const struct mt_conf_facts *f)
{
	json_t *all = json_array(), *v;
	const char *name;
	size_t n;
	const struct mt_option *o = mt_options(&n);

	MT_ASSERT(all != NULL);
	for (size_t i = 0; i < n; i++) {
		bool pg = strncmp(o[i].path, "postgresql.",
				  strlen("postgresql.")) == 0;

		/* Old names are told under the new ones, parameters each by
		 * itself, and a witness has none of it. */
		if (o[i].effective && !mt_settings_is_alias(o[i].path) &&
		    !mt_streq(o[i].path, "postgresql.name") &&
		    !mt_streq(o[i].path, parameters_path) &&
		    (!pg || c->has_postgresql))
			json_array_append_new(all, option_entry(c, &o[i], f));
	}
	json_object_foreach (c->tags, name, v)
		add_own_tag(all, c, name, v);
	json_object_foreach ((json_t *)f->parameters, name, v)
		json_array_append_new(all, parameter(c, f, name, v));
	/* what nobody here has set */
	json_object_foreach ((json_t *)f->altered, name, v)
		if (json_object_get(f->parameters, name) == NULL)
			json_array_append_new(all, altered(name, v));
	return all;
}
