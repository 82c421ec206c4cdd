/* SPDX-License-Identifier: PostgreSQL */
/*
 * Inside lib/conf: the local configuration as one tree, and what each key of it
 * came from: files, later ones over earlier ones, and variables over them.
 */
#ifndef MT_CONF_SOURCE_H
#define MT_CONF_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/yaml.h"
#include "conf/findings.h"

struct mt_conf_part {
	char *name;          /* of the file or the variable; owned */
	bool is_variable;    /* its places have no line */
	bool is_secret;      /* a secret's file: not to be written again */
	struct mt_yaml yaml; /* of a variable: one key */
};

struct mt_conf_source {
	const char *name; /* of the whole; borrowed */
	json_t *root;     /* owned */
	struct mt_conf_part *parts;
	size_t n, cap;
	struct mt_findings *found; /* borrowed */
	bool is_lenient; /* a secret's file that cannot be read is left out */
};

/* Read file, or the files of a directory, or nothing where it is NULL, and the
 * variables (an object of name to text, or NULL). What is wrong is found. */
void mt_conf_source_read(struct mt_conf_source *src, const char *file,
			 const json_t *environment);
void mt_conf_source_release(struct mt_conf_source *src);

/* A part above those that there are; takes name and y. */
void mt_conf_source_add(struct mt_conf_source *src, char *name,
			bool is_variable, struct mt_yaml *y);
/* The same for one path; name is copied, value taken. */
void mt_conf_source_put(struct mt_conf_source *src, const char *name,
			bool is_variable, const char *path, json_t *value);
/* As if no part had said anything of a path. */
void mt_conf_source_drop(struct mt_conf_source *src, const char *path);
/* What all parts say of a section they say of another one, of which none says
 * anything. Both are "a.b", their sections exist. */
void mt_conf_source_move(struct mt_conf_source *src, const char *from,
			 const char *to);

/* Where a path was set last, else its nearest section: "FILE:LINE:COLUMN", or
 * the name of a variable. */
void mt_conf_source_place(const struct mt_conf_source *src, const char *path,
			  char *buf, size_t size);
/* The part that set this very path last, or NULL; the next below n on. */
const struct mt_conf_part *
mt_conf_source_part(const struct mt_conf_source *src, const char *path,
		    size_t n, const struct mt_yaml_place **place);

/* An error or a warning about a path. mt_conf_fail returns MT_EINVAL. */
int mt_conf_fail(struct mt_conf_source *src, const char *path, const char *fmt,
		 ...) MT_PRINTF(3, 4);
/* The error that a required option is not there, or has no value. */
int mt_conf_missing(struct mt_conf_source *src, const char *path,
		    const char *example);
void mt_conf_warn(struct mt_conf_source *src, const char *path, const char *fmt,
		  ...) MT_PRINTF(3, 4);
void mt_conf_unknown(struct mt_conf_source *src, const char *path,
		     const char *fmt, ...) MT_PRINTF(3, 4);

/* The value of a path of plain section names; NULL if absent or null. */
json_t *mt_conf_lookup(const json_t *root, const char *path);

#endif
