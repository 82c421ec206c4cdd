/* SPDX-License-Identifier: PostgreSQL */
/*
 * YAML to a jansson tree. Happy path: libyaml's events are read once, depth
 * first; each key leaves its place behind. An alias becomes a copy of what the
 * anchor holds, at the place of the alias; "<<" merges mappings, own keys win.
 *
 * Failure modes: every bound (size, depth, nodes, anchors) and every fault of
 * syntax is an error with file, line and column. An alias inside its own anchor
 * finds no anchor, as that is known only when it is complete: no cycles. Does
 * not know which keys mean something; that is lib/conf's.
 */
#include "base/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "base/text.h"
#include "base/yaml_plain.h"

#define SIZE_MAX_BYTES (1024 * 1024)
#define DEPTH_MAX 32
#define NODES_MAX 100000
#define ANCHORS_MAX 256
#define PATH_MAX_BYTES sizeof(((struct mt_yaml_place *)NULL)->path)
#define CORE_TAG "tag:yaml.org,2002:"

struct anchor {
	char *name;
	json_t *value; /* a reference of its own */
};

struct loader {
	yaml_parser_t parser;
	const char *name;
	struct mt_err *err;
	struct mt_yaml out;
	size_t cap_places, n_nodes;
	struct anchor anchors[ANCHORS_MAX];
	size_t n_anchors;
};

static json_t *read_node(struct loader *l, yaml_event_t *ev, const char *path,
			 int depth);

/* what is ours or libyaml's, never from the file: that may be a password */
static int
fail_at(struct loader *l, yaml_mark_t at, const char *what)
{
	return mt_err_set(l->err, MT_EINVAL, "%s:%zu:%zu: %s", l->name,
			  at.line + 1, at.column + 1, what);
}

static int
next_event(struct loader *l, yaml_event_t *ev)
{
	const yaml_parser_t *p = &l->parser;
	yaml_mark_t at = p->problem_mark;

	if (yaml_parser_parse(&l->parser, ev))
		return 0;
	if (p->error == YAML_MEMORY_ERROR)
		return mt_err_set(l->err, MT_ENOMEM, "%s: out of memory",
				  l->name);
	at = p->problem_mark;
	if (p->error == YAML_READER_ERROR)
		at = p->mark; /* bad encoding: only the scanner's place */
	return fail_at(l, at, p->problem != NULL ? p->problem : "not YAML");
}

static int
count_node(struct loader *l, yaml_mark_t at)
{
	if (++l->n_nodes > NODES_MAX)
		return fail_at(l, at, "too many values");
	return 0;
}

static int
add_place(struct loader *l, const char *path, yaml_mark_t at)
{
	struct mt_yaml *y = &l->out;
	struct mt_yaml_place *p;

	if (y->n_places == l->cap_places) {
		size_t cap = l->cap_places == 0 ? 64 : 2 * l->cap_places;

		p = realloc(y->places, cap * sizeof(*p));
		if (p == NULL)
			return mt_err_set(l->err, MT_ENOMEM,
					  "%s: out of memory", l->name);
		y->places = p;
		l->cap_places = cap;
	}
	p = &y->places[y->n_places];
	if (!mt_copy(p->path, sizeof(p->path), path))
		return 0; /* a path that nobody can ask for */
	p->line = (int)at.line + 1;
	p->column = (int)at.column + 1;
	y->n_places++;
	return 0;
}

static void
join_key(char *buf, const char *path, const char *key)
{
	mt_format(buf, PATH_MAX_BYTES + 1, "%s%s%s", path,
		  path[0] != '\0' ? "." : "", key);
}

static json_t *
read_scalar(struct loader *l, const yaml_event_t *ev)
{
	const char *s = (const char *)ev->data.scalar.value;
	const char *tag = (const char *)ev->data.scalar.tag;
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	json_t *v = NULL;

	if (strlen(s) != ev->data.scalar.length) {
		fail_at(l, ev->start_mark, "text holds a zero byte");
		return NULL;
	}
	if (tag != NULL) {
		if (mt_streq(tag, "!") || mt_streq(tag, CORE_TAG "str"))
			plain = false;
		else if (strncmp(tag, CORE_TAG, strlen(CORE_TAG)) == 0)
			plain = true;
		else {
			fail_at(l, ev->start_mark,
				"unknown tag; put text that begins with "
				"\"!\" in quotes");
			return NULL;
		}
	}
	if (plain)
		v = mt_yaml_plain(s);
	if (v == NULL)
		v = json_string(s);
	if (v == NULL)
		fail_at(l, ev->start_mark, "text is not UTF-8");
	return v;
}

/* Anchors and aliases. */

static int
keep_anchor(struct loader *l, const char *name, json_t *value, yaml_mark_t at)
{
	struct anchor *a = NULL;

	for (size_t i = 0; i < l->n_anchors; i++)
		if (mt_streq(l->anchors[i].name, name))
			a = &l->anchors[i];
	if (a != NULL) { /* a later anchor of the same name replaces it */
		json_decref(a->value);
		a->value = json_incref(value);
		return 0;
	}
	if (l->n_anchors == ANCHORS_MAX)
		return fail_at(l, at, "too many anchors, at most 256");
	a = &l->anchors[l->n_anchors];
	a->name = strdup(name);
	if (a->name == NULL)
		return mt_err_set(l->err, MT_ENOMEM, "%s: out of memory",
				  l->name);
	a->value = json_incref(value);
	l->n_anchors++;
	return 0;
}

/* Count a copied tree against the bounds and record its keys at the alias. */
static int
account_copy(struct loader *l, json_t *v, const char *path, yaml_mark_t at,
	     int depth)
{
	char sub[PATH_MAX_BYTES + 1];
	const char *key;
	json_t *item;
	size_t i;
	int rc;

	if (depth > DEPTH_MAX)
		return fail_at(l, at, "nested too deeply");
	rc = count_node(l, at);
	if (json_is_object(v)) {
		json_object_foreach (v, key, item) {
			if (rc != 0)
				return rc;
			join_key(sub, path, key);
			rc = add_place(l, sub, at);
			if (rc == 0)
				rc = account_copy(l, item, sub, at, depth + 1);
		}
	} else if (json_is_array(v)) {
		json_array_foreach (v, i, item) {
			if (rc != 0)
				return rc;
			mt_format(sub, sizeof(sub), "%s[%zu]", path, i);
			rc = add_place(l, sub, at);
			if (rc == 0)
				rc = account_copy(l, item, sub, at, depth + 1);
		}
	}
	return rc;
}

static json_t *
read_alias(struct loader *l, const yaml_event_t *ev, const char *path,
	   int depth)
{
	const char *name = (const char *)ev->data.alias.anchor;
	json_t *v = NULL;

	for (size_t i = 0; i < l->n_anchors; i++)
		if (mt_streq(l->anchors[i].name, name))
			v = l->anchors[i].value;
	if (v == NULL) {
		fail_at(l, ev->start_mark,
			"no complete anchor for this alias; put text that "
			"begins with \"*\" in quotes");
		return NULL;
	}
	if (account_copy(l, v, path, ev->start_mark, depth) != 0)
		return NULL;
	v = json_deep_copy(v);
	if (v == NULL)
		mt_err_set(l->err, MT_ENOMEM, "%s: out of memory", l->name);
	return v;
}

/* Collections. */

static json_t *
read_list(struct loader *l, const char *path, int depth)
{
	char sub[PATH_MAX_BYTES + 1];
	json_t *list = json_array(), *item;
	yaml_event_t ev;

	while (next_event(l, &ev) == 0) {
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return list;
		}
		mt_format(sub, sizeof(sub), "%s[%zu]", path,
			  json_array_size(list));
		item = add_place(l, sub, ev.start_mark) == 0
			   ? read_node(l, &ev, sub, depth + 1)
			   : NULL;
		yaml_event_delete(&ev);
		if (item == NULL || json_array_append_new(list, item) != 0)
			break;
	}
	json_decref(list);
	return NULL;
}

/* "<<": keys of one mapping or of a list of them; the first one wins. */
static int
merge_into(struct loader *l, json_t *merged, json_t *from, yaml_mark_t at)
{
	json_t *item;
	size_t i;

	if (json_is_object(from))
		return json_object_update_missing(merged, from);
	if (!json_is_array(from))
		return fail_at(l, at, "\"<<\" needs a mapping");
	json_array_foreach (from, i, item) {
		if (!json_is_object(item))
			return fail_at(l, at, "\"<<\" needs mappings");
		if (json_object_update_missing(merged, item) != 0)
			return MT_ENOMEM;
	}
	return 0;
}

/* One key, whose event is given, and its value. */
static int
read_pair(struct loader *l, const yaml_event_t *kev, json_t *map,
	  json_t *merged, const char *path, int depth)
{
	char sub[PATH_MAX_BYTES + 1];
	yaml_event_t ev;
	const char *key;
	json_t *v;
	bool merge;
	int rc;

	if (kev->type != YAML_SCALAR_EVENT)
		return fail_at(l, kev->start_mark,
			       "a key must be a plain word");
	key = (const char *)kev->data.scalar.value;
	if (strlen(key) != kev->data.scalar.length)
		return fail_at(l, kev->start_mark, "a key holds a zero byte");
	merge = mt_streq(key, "<<") &&
		kev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (merge)
		mt_copy(sub, sizeof(sub), path);
	else
		join_key(sub, path, key);
	rc = merge ? 0 : add_place(l, sub, kev->start_mark);
	if (rc == 0)
		rc = next_event(l, &ev);
	if (rc != 0)
		return rc;
	v = read_node(l, &ev, sub, depth + 1);
	yaml_event_delete(&ev);
	if (v == NULL)
		return MT_EINVAL;
	if (merge) {
		rc = merge_into(l, merged, v, kev->start_mark);
		json_decref(v);
		return rc;
	}
	return json_object_set_new(map, key, v) == 0 ? 0 : MT_ENOMEM;
}

static json_t *
read_map(struct loader *l, const char *path, int depth)
{
	json_t *map = json_object(), *merged = json_object();
	yaml_event_t ev;
	int rc = 0;

	while (rc == 0 && (rc = next_event(l, &ev)) == 0) {
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			rc = json_object_update_missing(map, merged);
			json_decref(merged);
			if (rc == 0)
				return map;
			json_decref(map);
			return NULL;
		}
		rc = read_pair(l, &ev, map, merged, path, depth);
		yaml_event_delete(&ev);
	}
	json_decref(map);
	json_decref(merged);
	return NULL;
}

/* The value that ev begins. ev stays the caller's. NULL: error set. */
static json_t *
read_node(struct loader *l, yaml_event_t *ev, const char *path, int depth)
{
	const yaml_char_t *anchor = NULL;
	json_t *v = NULL;

	if (depth > DEPTH_MAX) {
		fail_at(l, ev->start_mark, "nested too deeply, at most 32");
		return NULL;
	}
	if (count_node(l, ev->start_mark) != 0)
		return NULL;
	if (ev->type == YAML_SCALAR_EVENT) {
		anchor = ev->data.scalar.anchor;
		v = read_scalar(l, ev);
	} else if (ev->type == YAML_SEQUENCE_START_EVENT) {
		anchor = ev->data.sequence_start.anchor;
		v = read_list(l, path, depth);
	} else if (ev->type == YAML_MAPPING_START_EVENT) {
		anchor = ev->data.mapping_start.anchor;
		v = read_map(l, path, depth);
	} else if (ev->type == YAML_ALIAS_EVENT) {
		v = read_alias(l, ev, path, depth);
	} else {
		fail_at(l, ev->start_mark, "a value is missing");
	}
	if (v != NULL && anchor != NULL &&
	    keep_anchor(l, (const char *)anchor, v, ev->start_mark) != 0) {
		json_decref(v);
		v = NULL;
	}
	return v;
}

/* Stream start, at most one document, stream end. */
static int
read_stream(struct loader *l)
{
	yaml_event_t ev;
	bool end = false;
	int rc = 0;

	while (!end && (rc = next_event(l, &ev)) == 0) {
		yaml_event_type_t type = ev.type;
		yaml_mark_t at = ev.start_mark;

		if (type == YAML_STREAM_END_EVENT) {
			end = true;
		} else if (type == YAML_DOCUMENT_START_EVENT &&
			   l->out.root != NULL) {
			rc = fail_at(l, at, "more than one document");
			end = true;
		} else if (type != YAML_STREAM_START_EVENT &&
			   type != YAML_DOCUMENT_START_EVENT &&
			   type != YAML_DOCUMENT_END_EVENT) {
			l->out.root = read_node(l, &ev, "", 0);
			rc = l->out.root == NULL ? MT_EINVAL : 0;
			end = rc != 0;
		}
		yaml_event_delete(&ev);
	}
	if (rc == 0 && l->out.root == NULL)
		l->out.root = json_null();
	return rc;
}

int
mt_yaml_parse(struct mt_yaml *y, const char *text, size_t n, const char *name,
	      struct mt_err *err)
{
	struct mt_err local;
	struct loader *l;
	int rc;

	if (n > SIZE_MAX_BYTES)
		return mt_err_set(err, MT_EINVAL,
				  "%s: larger than 1 MiB, no configuration",
				  name);
	l = calloc(1, sizeof(*l));
	if (l == NULL || !yaml_parser_initialize(&l->parser)) {
		free(l);
		return mt_err_set(err, MT_ENOMEM, "%s: out of memory", name);
	}
	l->name = name;
	l->err = err != NULL ? err : &local;
	/* Where memory runs out below a reader, nobody else has set it. */
	mt_err_set(l->err, MT_ENOMEM, "%s: out of memory", name);
	yaml_parser_set_input_string(&l->parser, (const unsigned char *)text,
				     n);
	rc = read_stream(l);
	yaml_parser_delete(&l->parser);
	for (size_t i = 0; i < l->n_anchors; i++) {
		free(l->anchors[i].name);
		json_decref(l->anchors[i].value);
	}
	if (rc == 0) {
		*y = l->out;
		memset(l->err, 0, sizeof(*l->err));
	} else {
		rc = l->err->code;
		mt_yaml_release(&l->out);
	}
	free(l);
	return rc;
}

int
mt_yaml_load(struct mt_yaml *y, const char *file, struct mt_err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), rc, saved;
	size_t n = 0;
	ssize_t got;
	char *text;

	if (fd < 0)
		return mt_err_sys(err, errno, "could not open file \"%s\"",
				  file);
	text = malloc(SIZE_MAX_BYTES + 1);
	if (text == NULL) {
		close(fd);
		return mt_err_set(err, MT_ENOMEM, "%s: out of memory", file);
	}
	do {
		got = read(fd, text + n, SIZE_MAX_BYTES + 1 - n);
		if (got > 0)
			n += (size_t)got;
	} while ((got > 0 && n <= SIZE_MAX_BYTES) ||
		 (got < 0 && errno == EINTR));
	saved = errno;
	close(fd);
	if (got < 0)
		rc = mt_err_sys(err, saved, "could not read file \"%s\"", file);
	else
		rc = mt_yaml_parse(y, text, n, file, err);
	/* The text may hold passwords. */
	explicit_bzero(text, n);
	free(text);
	return rc;
}

void
mt_yaml_release(struct mt_yaml *y)
{
	json_decref(y->root);
	free(y->places);
	memset(y, 0, sizeof(*y));
}

const struct mt_yaml_place *
mt_yaml_place(const struct mt_yaml *y, const char *path)
{
	/* From the end: of a key that stands twice the last one counts. */
	for (size_t i = y->n_places; i-- > 0;)
		if (mt_streq(y->places[i].path, path))
			return &y->places[i];
	return NULL;
}
