/* SPDX-License-Identifier: PostgreSQL */
/*
 * Secrets that stand in files of their own rather than in the configuration:
 * beside each option X that is a secret there is X_file, the name of a file.
 */
#ifndef MT_CONF_SECRET_H
#define MT_CONF_SECRET_H

#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "conf/options.h"

struct mt_conf_source;

/* What a secret, its newline cut, may have at most, with its end. */
#define MT_SECRET_MAX 512

/*
 * Read the secret in a file into buf (MT_SECRET_MAX). A relative name is looked
 * for in $CREDENTIALS_DIRECTORY, then in dir (NULL: nowhere else). One newline
 * at the end is cut. MT_EINVAL, and buf is empty: there is none, others may
 * read or write it, it is no plain file, empty, too long, or not one line of
 * text. The words name the file, never what is in it.
 */
int mt_secret_read(char *buf, const char *name, const char *dir,
		   struct mt_err *err) MT_MUSTCHECK;

/* Inside lib/conf. */

/* The option that names o's file, or NULL where o is no secret. */
const struct mt_option *mt_secret_file_of(const struct mt_option *o);
/* Read all files that the tree names: each secret becomes a part of src, as if
 * it stood there. Where it stands there, too, the later part wins, and the same
 * one is an error. */
void mt_conf_secrets(struct mt_conf_source *src);
/* The same for a mapping below path with "password" and "password_file". */
void mt_conf_secret_in(struct mt_conf_source *src, const char *path,
		       json_t *object);

#endif
