/* SPDX-License-Identifier: PostgreSQL */
/*
 * Files and variables into one tree. Happy path: each becomes a part and is
 * merged over those before it, objects key by key, null takes a key away; a
 * part keeps its places, so the last part that has a path tells where it is
 * from. Failure modes: a file that cannot be read, or is no mapping, is an
 * error and left out; the others are still looked at. Does not know options.
 */
#include "conf/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "conf/document.h"
#include "conf/environ.h"

#define PATH_BYTES 256
#define WORDS_BYTES 768
#define FILES_MAX 256

/* ---- words ---- */

const struct mt_conf_part *
mt_conf_source_part(const struct mt_conf_source *src, const char *path,
		    size_t n, const struct mt_yaml_place **place)
{
	while (n-- > 0) {
		*place = mt_yaml_place(&src->parts[n].yaml, path);
		if (*place != NULL)
			return &src->parts[n];
	}
	return NULL;
}

void
mt_conf_source_place(const struct mt_conf_source *src, const char *path,
		     char *buf, size_t size)
{
	const struct mt_conf_part *part = NULL;
	const struct mt_yaml_place *place;
	char at[PATH_BYTES], *dot;

	mt_copy(at, sizeof(at), path);
	while (at[0] != '\0') {
		part = mt_conf_source_part(src, at, src->n, &place);
		dot = strrchr(at, '.');
		if (part != NULL || dot == NULL)
			break;
		*dot = '\0';
	}
	if (part == NULL)
		mt_copy(buf, size, src->name);
	else if (part->is_variable)
		mt_copy(buf, size, part->name);
	else
		mt_format(buf, size, "%s:%d:%d", part->name, place->line,
			  place->column);
}

static void find_(struct mt_conf_source *src, enum mt_finding_kind kind,
		  const char *path, const char *fmt, va_list ap)
    MT_PRINTF(4, 0);

static void
find_(struct mt_conf_source *src, enum mt_finding_kind kind, const char *path,
      const char *fmt, va_list ap)
{
	char place[WORDS_BYTES], words[WORDS_BYTES];

	mt_conf_source_place(src, path, place, sizeof(place));
	if (vsnprintf(words, sizeof(words), fmt, ap) < 0)
		words[0] = '\0';
	mt_findings_add(src->found, kind, path, place, words);
}

int
mt_conf_fail(struct mt_conf_source *src, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	find_(src, MT_FINDING_ERROR, path, fmt, ap);
	va_end(ap);
	return MT_EINVAL;
}

void
mt_conf_warn(struct mt_conf_source *src, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	find_(src, MT_FINDING_WARNING, path, fmt, ap);
	va_end(ap);
}

void
mt_conf_unknown(struct mt_conf_source *src, const char *path, const char *fmt,
		...)
{
	va_list ap;

	va_start(ap, fmt);
	find_(src, MT_FINDING_UNKNOWN, path, fmt, ap);
	va_end(ap);
}

json_t *
mt_conf_lookup(const json_t *root, const char *path)
{
	const json_t *at = root;
	char part[PATH_BYTES];
	size_t n;

	for (;; path += n + 1) {
		n = strcspn(path, ".");
		if (n >= sizeof(part))
			return NULL;
		memcpy(part, path, n);
		part[n] = '\0';
		at = json_object_get(at, part);
		if (at == NULL || json_is_null(at))
			return NULL;
		if (path[n] == '\0')
			return (json_t *)at;
	}
}

/* ---- parts ---- */

void
mt_conf_source_add(struct mt_conf_source *src, char *name, bool is_variable,
		   struct mt_yaml *y)
{
	json_t *merged;
	bool changed;

	if (src->n == src->cap) {
		size_t cap = src->cap == 0 ? 8 : 2 * src->cap;
		struct mt_conf_part *p = realloc(src->parts, cap * sizeof(*p));

		MT_ASSERT(p != NULL);
		src->parts = p;
		src->cap = cap;
	}
	src->parts[src->n++] = (struct mt_conf_part){
	    .name = name, .is_variable = is_variable, .yaml = *y};
	memset(y, 0, sizeof(*y));
	/* The first one stays as it is written, with its nulls. */
	merged =
	    src->root == NULL
		? json_deep_copy(src->parts[src->n - 1].yaml.root)
		: mt_document_merge(src->root, src->parts[src->n - 1].yaml.root,
				    &changed);
	MT_ASSERT(merged != NULL);
	json_decref(src->root);
	src->root = merged;
}

/* {a: {b: value}} for "a.b"; takes value. */
static json_t *
wrap(const char *path, json_t *value)
{
	char part[PATH_BYTES];
	const char *dot = strchr(path, '.');

	if (dot == NULL)
		return json_pack("{so}", path, value);
	mt_format(part, sizeof(part), "%.*s", (int)(dot - path), path);
	return json_pack("{so}", part, wrap(dot + 1, value));
}

void
mt_conf_source_put(struct mt_conf_source *src, const char *name,
		   bool is_variable, const char *path, json_t *value)
{
	struct mt_yaml y = {.root = wrap(path, value),
			    .places = calloc(1, sizeof(*y.places)),
			    .n_places = 1};
	char *copy = strdup(name);

	MT_ASSERT(y.root != NULL && y.places != NULL && copy != NULL);
	mt_copy(y.places[0].path, sizeof(y.places[0].path), path);
	mt_conf_source_add(src, copy, is_variable, &y);
}

/* The object that holds a path's last word, or NULL; *word is that. */
static json_t *
parent_of(json_t *root, const char *path, const char **word)
{
	char section[PATH_BYTES];
	const char *dot = strrchr(path, '.');

	*word = dot != NULL ? dot + 1 : path;
	if (dot == NULL)
		return root;
	mt_format(section, sizeof(section), "%.*s", (int)(dot - path), path);
	return mt_conf_lookup(root, section);
}

void
mt_conf_source_drop(struct mt_conf_source *src, const char *path)
{
	const char *word;
	json_t *section = parent_of(src->root, path, &word);

	json_object_del(section, word);
}

static void
move_value(json_t *root, const char *from, const char *to)
{
	const char *word, *new_word;
	json_t *old = parent_of(root, from, &word), *new;
	json_t *v = json_object_get(old, word);

	if (v == NULL)
		return;
	new = parent_of(root, to, &new_word);
	if (new == NULL) {
		char section[PATH_BYTES];
		const char *dot = strrchr(to, '.');
		json_t *above;

		mt_format(section, sizeof(section), "%.*s", (int)(dot - to),
			  to);
		above = parent_of(root, section, &word);
		new = json_object();
		json_object_set_new(above, word, new);
		parent_of(root, from, &word);
	}
	json_object_set(new, new_word, v);
	json_object_del(old, word);
}

static void
move_places(struct mt_yaml *y, const char *from, const char *to)
{
	size_t n = strlen(from);

	for (size_t i = 0; i < y->n_places; i++) {
		char *at = y->places[i].path, rest[PATH_BYTES];

		if (strncmp(at, from, n) != 0 ||
		    (at[n] != '\0' && at[n] != '.'))
			continue;
		mt_copy(rest, sizeof(rest), at + n);
		mt_format(at, sizeof(y->places[i].path), "%s%s", to, rest);
	}
}

void
mt_conf_source_move(struct mt_conf_source *src, const char *from,
		    const char *to)
{
	for (size_t i = 0; i < src->n; i++) {
		move_value(src->parts[i].yaml.root, from, to);
		move_places(&src->parts[i].yaml, from, to);
	}
	move_value(src->root, from, to);
}

/* rv of reading a file, or of text that was given as one. */
static void
add_file(struct mt_conf_source *src, const char *name, int rv,
	 const struct mt_err *err, struct mt_yaml *y)
{
	char *copy;

	if (rv != 0) {
		/* the place is in the text, where there is one */
		mt_findings_add(src->found, MT_FINDING_ERROR, "", "",
				err->text);
		return;
	}
	if (!json_is_object(y->root)) {
		mt_findings_add(src->found, MT_FINDING_ERROR, "", name,
				json_is_null(y->root)
				    ? "the file is empty"
				    : "not a mapping; write it as \"key: "
				      "value\" lines");
		mt_yaml_release(y);
		return;
	}
	copy = strdup(name);
	MT_ASSERT(copy != NULL);
	mt_conf_source_add(src, copy, false, y);
}

static void
read_one(struct mt_conf_source *src, const char *file)
{
	struct mt_yaml y = {0};
	struct mt_err err = {0};
	int rv = mt_yaml_load(&y, file, &err);

	add_file(src, file, rv, &err, &y);
}

static int
is_yaml(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot != NULL && (mt_streq(dot, ".yml") || mt_streq(dot, ".yaml"));
}

/* By bytes: the same order whatever the locale. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
read_directory(struct mt_conf_source *src, const char *dir)
{
	struct dirent **list = NULL;
	struct mt_err err = {0};
	char file[4096];
	int n = scandir(dir, &list, is_yaml, by_name);

	if (n < 0) {
		mt_err_sys(&err, errno, "could not read directory \"%s\"", dir);
		mt_findings_add(src->found, MT_FINDING_ERROR, "", "", err.text);
		return;
	}
	if (n == 0)
		mt_findings_add(src->found, MT_FINDING_ERROR, "", dir,
				"the directory has no file *.yml or *.yaml; "
				"put one there");
	for (int i = 0; i < n; i++) {
		struct stat st;

		mt_format(file, sizeof(file), "%s/%s", dir, list[i]->d_name);
		free(list[i]);
		if (stat(file, &st) == 0 && S_ISDIR(st.st_mode))
			continue;
		if (i < FILES_MAX)
			read_one(src, file);
		else if (i == FILES_MAX)
			mt_findings_add(src->found, MT_FINDING_ERROR, "", dir,
					"the directory has more than 256 "
					"files; put what they say into fewer");
	}
	free(list);
}

void
mt_conf_source_read(struct mt_conf_source *src, const char *file,
		    const json_t *environment)
{
	const char *variable, *text;
	struct stat st;

	text = mt_conf_environ_whole(environment, &variable);
	if (text != NULL && (file == NULL || stat(file, &st) != 0)) {
		struct mt_yaml y = {0};
		struct mt_err err = {0};
		int rv = mt_yaml_parse(&y, text, strlen(text), variable, &err);

		add_file(src, variable, rv, &err, &y);
		return;
	}
	if (file != NULL && stat(file, &st) == 0 && S_ISDIR(st.st_mode))
		read_directory(src, file);
	else if (file != NULL)
		read_one(src, file);
	if (src->found->n_errors == 0)
		mt_conf_environ_add(src, environment);
	if (src->root == NULL && src->found->n_errors == 0)
		mt_findings_add(src->found, MT_FINDING_ERROR, "", "",
				"no configuration: name a file, or set "
				"variables MATRIARCH_*");
}

void
mt_conf_source_release(struct mt_conf_source *src)
{
	for (size_t i = 0; i < src->n; i++) {
		free(src->parts[i].name);
		mt_yaml_release(&src->parts[i].yaml);
	}
	free(src->parts);
	json_decref(src->root);
	memset(src, 0, sizeof(*src));
}

int
mt_conf_missing(struct mt_conf_source *src, const char *path,
		const char *example)
{
	const struct mt_yaml_place *place;

	if (mt_conf_source_part(src, path, src->n, &place) != NULL)
		return mt_conf_fail(
		    src, path,
		    "\"%s\" has no value, as where a variable was not set; "
		    "write it, as in \"%s\"",
		    path, example);
	return mt_conf_fail(src, path,
			    "\"%s\" is missing; add it, as in \"%s\"", path,
			    example);
}
