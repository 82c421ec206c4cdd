/* SPDX-License-Identifier: PostgreSQL */
/*
 * The tree of what is in force. Happy path: what was given, and over it the
 * members of struct mt_conf that options have filled. Masking goes by the type
 * of an option, by the names that secrets have in sections which the table does
 * not know in detail, and by the forms of connection strings: a value too many
 * is masked rather than one too few. Fails only without memory, and ends then.
 */
#include "conf/effective.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "conf/fill.h"
#include "conf/source.h"

#define PATH_BYTES 256

/* ---- values ---- */

static json_t *
listen_of(const struct mt_conf_postgresql *p)
{
	char all[sizeof(p->listen_addresses) * 2] = "", *save = NULL;
	char text[sizeof(p->listen_addresses)];

	mt_copy(text, sizeof(text), p->listen_addresses);
	for (char *s = strtok_r(text, ",", &save); s != NULL;
	     s = strtok_r(NULL, ",", &save)) {
		bool v6 = strchr(s, ':') != NULL;
		size_t n = strlen(all);

		mt_format(all + n, sizeof(all) - n, "%s%s%s%s",
			  n > 0 ? "," : "", v6 ? "[" : "", s, v6 ? "]" : "");
	}
	mt_format(text, sizeof(text), "%s:%d", all, p->port);
	return json_string(text);
}

static json_t *
partners_of(const struct mt_conf_raft *r)
{
	json_t *list = json_array();
	char text[MT_ADDR_MAX];

	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(
		    list, json_string(mt_addr_format(&r->partner_addrs[i], text,
						     sizeof(text))));
	return list;
}

json_t *
mt_conf_value(const struct mt_conf *c, const struct mt_option *o)
{
	bool pg = strncmp(o->path, "postgresql.", strlen("postgresql.")) == 0;
	json_t *v;

	if (pg && !c->has_postgresql)
		return NULL;
	if (mt_streq(o->path, "postgresql.listen"))
		return listen_of(&c->postgresql);
	if (mt_streq(o->path, "raft.partner_addrs"))
		return partners_of(&c->raft);
	/* It may have been given by its old name. */
	if (mt_streq(o->path, "postgresql.create_replica_methods"))
		return json_incref(c->postgresql.create_replica_methods);
	v = mt_fill_value(c, o);
	if (v != NULL)
		return v;
	return json_incref(mt_conf_lookup(c->source->root, o->path));
}

/* ---- masks ---- */

static bool
is_secret_name(const char *path)
{
	static const char *const ends[] = {"password",   "passwd",
					   "passphrase", "secret",
					   "token",      "authorization"};
	const struct mt_option *o = mt_option_find(MT_OPT_BOTH, path);
	size_t n = strlen(path);

	if (o != NULL && o->type == MT_OPT_SECRET)
		return true;
	for (size_t i = 0; i < MT_COUNT(ends); i++) {
		size_t k = strlen(ends[i]);

		if (n >= k && strcasecmp(path + n - k, ends[i]) == 0)
			return true;
	}
	return false;
}

/* "password=x" and "//user:x@" within a text; x may be in quotes. */
static json_t *
mask_text(const char *text)
{
	static const char key[] = "password";
	size_t size = strlen(text) * (sizeof(MT_CONF_MASK) + 1) + 1, n = 0;
	char *to = malloc(size);
	json_t *v;

	MT_ASSERT(to != NULL);
	while (*text != '\0') {
		size_t skip = 0, eq = sizeof(key) - 1;
		const char *at;

		if (strncasecmp(text, key, sizeof(key) - 1) == 0) {
			eq += strspn(text + eq, " ");
			if (text[eq] == '=') {
				eq++;
				eq += strspn(text + eq, " ");
				memcpy(to + n, text, eq);
				n += eq;
				text += eq;
				skip = *text == '\'' || *text == '"'
					   ? strcspn(text + 1, "'\"") + 1
					   : strcspn(text, " &'\"");
			}
		} else if (strncmp(text, "//", 2) == 0) {
			size_t user = strcspn(text + 2, ":@/ ?") + 2;

			at = text + user + strcspn(text + user, "@/ ");
			if (text[user] == ':' && *at == '@') {
				memcpy(to + n, text, user + 1);
				n += user + 1;
				skip = (size_t)(at - text) - user - 1;
				text += user + 1;
			}
		}
		if (skip > 0) {
			memcpy(to + n, MT_CONF_MASK, sizeof(MT_CONF_MASK) - 1);
			n += sizeof(MT_CONF_MASK) - 1;
			text += skip;
		}
		if (*text != '\0')
			to[n++] = *text++;
	}
	to[n] = '\0';
	v = json_string(to);
	explicit_bzero(to, size);
	free(to);
	return v;
}

json_t *
mt_conf_masked(const char *path, const json_t *v)
{
	char sub[PATH_BYTES];
	const char *key;
	json_t *to, *item;
	size_t i;

	if (json_is_object(v)) {
		to = json_object();
		json_object_foreach ((json_t *)v, key, item) {
			mt_format(sub, sizeof(sub), "%s%s%s", path,
				  path[0] != '\0' ? "." : "", key);
			json_object_set_new(to, key, mt_conf_masked(sub, item));
		}
	} else if (json_is_array(v)) {
		to = json_array();
		json_array_foreach ((json_t *)v, i, item)
			json_array_append_new(to, mt_conf_masked(path, item));
	} else if (json_is_null(v)) {
		to = json_null();
	} else if (is_secret_name(path)) {
		to = json_string(MT_CONF_MASK);
	} else if (json_is_string(v)) {
		to = mask_text(json_string_value(v));
	} else {
		to = json_incref((json_t *)v);
	}
	MT_ASSERT(to != NULL);
	return to;
}

/* ---- the whole ---- */

/* Takes v. */
static void
set_at(json_t *root, const char *path, json_t *v)
{
	char part[PATH_BYTES];
	const char *dot;

	for (; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
		json_t *inner;

		mt_format(part, sizeof(part), "%.*s", (int)(dot - path), path);
		inner = json_object_get(root, part);
		if (!json_is_object(inner)) {
			inner = json_object();
			json_object_set_new(root, part, inner);
		}
		root = inner;
	}
	json_object_set_new(root, path, v);
}

/* A secret that is in a file of its own is named by that alone: what is printed
 * shall be a configuration again. */
static void
drop_secrets(json_t *root, const struct mt_conf_source *src)
{
	for (size_t i = 0; i < src->n; i++) {
		char section[PATH_BYTES], *dot;

		if (!src->parts[i].is_secret)
			continue;
		mt_copy(section, sizeof(section),
			src->parts[i].yaml.places[0].path);
		dot = strrchr(section, '.');
		*dot = '\0';
		json_object_del(mt_conf_lookup(root, section), dot + 1);
	}
}

json_t *
mt_conf_effective(const struct mt_conf *c)
{
	json_t *all = json_deep_copy(c->source->root), *masked;
	size_t n;
	const struct mt_option *o = mt_options(&n);

	MT_ASSERT(all != NULL);
	for (; n-- > 0; o++) {
		json_t *v;

		/* An old name says what the new one has. */
		if (!o->effective || (o->where & MT_OPT_LOCAL) == 0 ||
		    mt_streq(o->path, "postgresql.name") ||
		    (o->type == MT_OPT_SECRET &&
		     mt_conf_lookup(c->source->root, o->path) == NULL))
			continue;
		v = mt_conf_value(c, o);
		if (v != NULL)
			set_at(all, o->path, v);
	}
	drop_secrets(all, c->source);
	masked = mt_conf_masked("", all);
	json_decref(all);
	return masked;
}
