/* SPDX-License-Identifier: PostgreSQL */
/*
 * The file against the table of options. Happy path: every key is walked once,
 * finds its row and has its type; nothing is said. Failure modes: an unknown
 * key is warned of with the name that was probably meant, and ignored; a wrong
 * type is an error where the option does something, else a warning. Slips that
 * circulate in guides are mended and said. Values are never shown: any of them
 * may be a password in the wrong place.
 */
#include "conf/check.h"

#include <string.h>

#include "base/text.h"
#include "conf/options.h"

#define PATH_BYTES 256

struct walk {
	struct mt_conf_source *src;
	enum mt_option_where where;
	const char *prefix; /* of file paths before option paths */
};

static void walk_section(const struct walk *w, const char *section,
			 json_t *object);

static bool
join(char *buf, const char *a, const char *b)
{
	return mt_format(buf, PATH_BYTES, "%s%s%s", a, a[0] != '\0' ? "." : "",
			 b);
}

/* Unknown keys. */

/* The only option anywhere that ends in this name, or NULL. */
static const struct mt_option *
elsewhere(const char *key)
{
	size_t n, found = 0;
	const struct mt_option *o = mt_options(&n), *it = NULL;

	for (; n-- > 0; o++) {
		const char *dot = strrchr(o->path, '.');

		if (mt_streq(dot != NULL ? dot + 1 : o->path, key)) {
			it = o;
			found++;
		}
	}
	return found == 1 ? it : NULL;
}

static bool
string_in(const json_t *list, const char *s)
{
	const json_t *item;
	size_t i;

	if (json_is_string(list))
		return mt_streq(json_string_value(list), s);
	json_array_foreach ((json_t *)list, i, item)
		if (json_is_string(item) &&
		    mt_streq(json_string_value(item), s))
			return true;
	return false;
}

/* Keys that the user names: sections of custom methods, tags. */
static bool
is_free_key(const struct walk *w, const char *section, const char *key)
{
	const json_t *root = w->src->root;
	char path[PATH_BYTES];

	if (w->where == MT_OPT_DYNAMIC)
		return mt_streq(section, "postgresql") &&
		       join(path, section, key) &&
		       mt_option_find(MT_OPT_LOCAL, path) != NULL;
	if (mt_streq(section, "tags"))
		return true;
	if (mt_streq(section, "postgresql"))
		return string_in(mt_conf_lookup(
				     root, "postgresql.create_replica_methods"),
				 key) ||
		       string_in(mt_conf_lookup(
				     root, "postgresql.create_replica_method"),
				 key);
	if (mt_streq(section, "bootstrap"))
		return string_in(mt_conf_lookup(root, "bootstrap.method"), key);
	return false;
}

static void
unknown_key(const struct walk *w, const char *section, const char *key,
	    const char *path)
{
	const struct mt_option *other;
	char near[PATH_BYTES];

	if (is_free_key(w, section, key))
		return;
	if (mt_streq(path, "postgresql.cluster_name")) {
		mt_conf_unknown(w->src, path,
				"unknown key \"%s\" is ignored; PostgreSQL's "
				"cluster_name is the scope",
				path);
		return;
	}
	other = elsewhere(key);
	if (other != NULL) {
		bool dynamic = other->where == MT_OPT_DYNAMIC;

		mt_conf_unknown(w->src, path,
				"unknown key \"%s\" is ignored, did you mean "
				"\"%s%s\"?",
				path, dynamic ? "bootstrap.dcs." : "",
				other->path);
	} else if (mt_option_nearest(w->where, section, key, near,
				     sizeof(near)) != NULL) {
		mt_conf_unknown(w->src, path,
				"unknown key \"%s\" is ignored, did you mean "
				"\"%s\"?",
				path, near);
	} else {
		mt_conf_unknown(w->src, path, "unknown key \"%s\" is ignored",
				path);
	}
}

/* Known keys. */

static void
check_minimum(const struct walk *w, const struct mt_option *o, const char *path,
	      const json_t *v)
{
	bool time = o->type == MT_OPT_SECONDS || o->type == MT_OPT_MS;
	int64_t n;

	if (o->min == INT64_MIN || mt_option_value(o, v, &n) != 0 ||
	    n >= o->min)
		return;
	mt_conf_warn(w->src, path,
		     "\"%s\" is below its minimum and raised to %lld%s", path,
		     (long long)o->min, time ? " ms" : "");
}

static void
check_value(const struct walk *w, const struct mt_option *o, const char *path,
	    json_t *v)
{
	const char *quotes = "";

	if (json_is_null(v))
		return; /* "key:" alone: not given */
	if (mt_option_accepts(o, v)) {
		check_minimum(w, o, path, v);
		return;
	}
	if ((o->type == MT_OPT_STRING || o->type == MT_OPT_SECRET) &&
	    (json_is_boolean(v) || json_is_real(v)))
		quotes = "; put it in quotes";
	if (w->where == MT_OPT_LOCAL && o->effective)
		mt_conf_fail(w->src, path, "\"%s\" must be %s%s", path,
			     mt_option_wants(o), quotes);
	else
		mt_conf_warn(w->src, path, "\"%s\" must be %s%s; it is ignored",
			     path, mt_option_wants(o), quotes);
}

static void
walk_key(const struct walk *w, const char *section, const char *key, json_t *v)
{
	char opt_path[PATH_BYTES], path[PATH_BYTES];
	const struct mt_option *o;

	if (!join(opt_path, section, key) || !join(path, w->prefix, opt_path)) {
		mt_conf_warn(w->src, section, "a key is too long");
		return;
	}
	o = mt_option_find(w->where, opt_path);
	if (o != NULL) {
		check_value(w, o, path, v);
		if (mt_streq(path, "bootstrap.dcs") && json_is_object(v)) {
			struct walk sub = {w->src, MT_OPT_DYNAMIC, path};

			walk_section(&sub, "", v);
		}
		return;
	}
	if (!mt_option_is_section(w->where, opt_path)) {
		unknown_key(w, section, key, path);
		return;
	}
	if (json_is_null(v))
		return;
	if (!json_is_object(v))
		mt_conf_fail(w->src, path,
			     "section \"%s\" must be a mapping; write "
			     "its keys indented below it",
			     path);
	else
		walk_section(w, opt_path, v);
}

static void
walk_section(const struct walk *w, const char *section, json_t *object)
{
	const char *key;
	json_t *v;

	json_object_foreach (object, key, v)
		walk_key(w, section, key, v);
}

/* Slips of guides. */

/*
 *	slots:
 *	      name:
 *	      type: physical
 *
 * is a slot without a body and one called "type". The body goes where it was
 * meant if there is one slot that it can belong to.
 */
static void
mend_slots(struct mt_conf_source *src, const char *path)
{
	static const char *const words[] = {"type", "database", "plugin",
					    "cluster_type"};
	json_t *slots = mt_conf_lookup(src->root, path), *v, *body;
	const char *key, *empty = NULL;
	char at[PATH_BYTES];
	size_t n_empty = 0;

	json_object_foreach (slots, key, v) {
		if (json_is_null(v)) {
			empty = key;
			n_empty++;
		}
	}
	body = json_object();
	for (size_t i = 0; n_empty > 0 && i < MT_COUNT(words); i++) {
		v = json_object_get(slots, words[i]);
		if (!json_is_string(v))
			continue;
		join(at, path, words[i]);
		mt_conf_warn(
		    src, at,
		    "\"%s\" stands beside the slots; indent it below "
		    "its slot%s%s%s",
		    words[i], n_empty == 1 ? ", taken as part of \"" : "",
		    n_empty == 1 ? empty : "", n_empty == 1 ? "\"" : "");
		json_object_set(body, words[i], v);
		json_object_del(slots, words[i]);
	}
	if (n_empty == 1 && json_object_size(body) > 0)
		json_object_set(slots, empty, body);
	json_decref(body);
}

/* Users stood beside "authentication" once; then pg_rewind was used where it
 * had a user of its own, who was the superuser where there was none. */
static void
mend_users(struct mt_conf_source *src)
{
	static const char *const old[] = {"superuser", "replication",
					  "pg_rewind"};
	static const char *const now[] = {"superuser", "replication", "rewind"};
	bool given =
		 mt_conf_lookup(src->root, "postgresql.authentication") != NULL,
	     moved = false, rewind = false;
	char from[PATH_BYTES], to[PATH_BYTES];

	for (size_t i = 0; i < MT_COUNT(old); i++) {
		mt_format(from, sizeof(from), "postgresql.%s", old[i]);
		mt_format(to, sizeof(to), "postgresql.authentication.%s",
			  now[i]);
		if (!json_is_object(mt_conf_lookup(src->root, from)))
			continue;
		if (given) {
			mt_conf_warn(src, from,
				     "\"%s\" is the old place of \"%s\" and "
				     "ignored beside "
				     "\"postgresql.authentication\"",
				     from, to);
			continue;
		}
		if (i == 2 &&
		    mt_conf_lookup(src->root,
				   "postgresql.authentication.superuser") ==
			NULL)
			mt_copy(to, sizeof(to),
				"postgresql.authentication.superuser");
		mt_conf_warn(src, from,
			     "\"%s\" is the old place of \"%s\"; taken as "
			     "that",
			     from, to);
		mt_conf_source_move(src, from, to);
		moved = true;
		rewind = rewind || i == 2;
	}
	if (moved &&
	    mt_conf_lookup(src->root, "postgresql.use_pg_rewind") == NULL)
		mt_conf_source_put(src, "postgresql.pg_rewind", true,
				   "postgresql.use_pg_rewind",
				   json_boolean(rewind));
}

/* A mapping where a list stands in the documents: the same options, in the
 * order in which they are written. */
static void
say_flags(struct mt_conf_source *src, const char *path, const char *program)
{
	const json_t *flags = mt_conf_lookup(src->root, path);
	char names[PATH_BYTES] = "";
	const char *key;
	json_t *v;

	if (json_object_size(flags) == 0)
		return;
	json_object_foreach ((json_t *)flags, key, v) {
		size_t n = strlen(names);

		mt_format(names + n, sizeof(names) - n, "%s--%s",
			  n > 0 ? ", " : "", key);
	}
	mt_conf_warn(src, path,
		     "\"%s\" is a mapping, not a list; taken as options of "
		     "%s: %s",
		     path, program, names);
}

static void
say_other_stores(struct mt_conf_source *src)
{
	static const char *const stores[] = {
	    "etcd", "etcd3", "consul", "zookeeper", "exhibitor", "kubernetes"};

	for (size_t i = 0; i < MT_COUNT(stores); i++)
		if (json_object_get(src->root, stores[i]) != NULL)
			mt_conf_warn(src, stores[i],
				     "section \"%s\" is ignored; \"raft\" "
				     "replaces it, no other store is needed",
				     stores[i]);
}

/* The incumbent's rule; here it costs only promptness of periodic looks. */
static void
check_cycle(struct mt_conf_source *src)
{
	static const char *const keys[] = {"bootstrap.dcs.ttl",
					   "bootstrap.dcs.loop_wait",
					   "bootstrap.dcs.retry_timeout"};
	int64_t ms[MT_COUNT(keys)];

	for (size_t i = 0; i < MT_COUNT(keys); i++) {
		const json_t *v = mt_conf_lookup(src->root, keys[i]);
		const struct mt_option *o = mt_option_find(
		    MT_OPT_DYNAMIC, keys[i] + strlen("bootstrap.dcs."));

		if (v == NULL || mt_option_value(o, v, &ms[i]) != 0)
			return;
	}
	if (ms[1] + 2 * ms[2] > ms[0])
		mt_conf_warn(src, keys[0],
			     "loop_wait + 2 * retry_timeout is longer than "
			     "ttl; all three are kept as written");
}

void
mt_conf_check(struct mt_conf_source *src)
{
	struct walk w = {src, MT_OPT_LOCAL, ""};

	say_other_stores(src);
	mend_slots(src, "bootstrap.dcs.slots");
	mend_slots(src, "bootstrap.dcs.permanent_slots");
	mend_slots(src, "bootstrap.dcs.permanent_replication_slots");
	mend_users(src);
	say_flags(src, "postgresql.basebackup", "pg_basebackup");
	say_flags(src, "postgresql.rewind", "pg_rewind");
	walk_section(&w, "", src->root);
	check_cycle(src);
}
