/* SPDX-License-Identifier: PostgreSQL */
/*
 * Argument vectors of child programs.
 *
 * Strings are added one by one; a vector that ran out of memory stays bad, so
 * that the caller checks once. Options from the configuration are turned into
 * long options here, and only here, so that what must not be given is refused
 * in one place. Nothing is ever passed through a shell; a command line that a
 * person wrote is cut into words here.
 */
#include "pg/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

void
mt_argv_add(struct mt_argv *a, const char *fmt, ...)
{
	char *text = NULL, **v;
	size_t cap;
	va_list ap;

	if (a->n + 2 > a->cap) {
		cap = a->cap ? a->cap * 2 : 16;
		v = realloc(a->v, cap * sizeof(*v));
		if (!v) {
			a->bad = true;
			return;
		}
		a->v = v;
		a->cap = cap;
	}
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (!text) {
		a->bad = true;
		return;
	}
	a->v[a->n++] = text;
	a->v[a->n] = NULL;
}

void
mt_argv_free(struct mt_argv *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct mt_argv){0};
}

/* The end of one word, whose characters go to *to. NULL: a quote is open. */
static const char *
cut_word(const char *text, char *to)
{
	char quote = '\0';

	for (; *text != '\0'; text++) {
		if (quote == '\0' && strchr(" \t\n", *text) != NULL)
			break;
		if (quote == '\0' && (*text == '\'' || *text == '"')) {
			quote = *text;
		} else if (quote != '\0' && *text == quote) {
			quote = '\0';
		} else if (*text == '\\' && quote != '\'' &&
			   (quote == '\0' ||
			    (text[1] != '\0' && strchr("\"\\", text[1])))) {
			if (*++text == '\0')
				return NULL;
			*to++ = *text;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
	return quote == '\0' ? text : NULL;
}

/* The program itself has to be a path, and who writes "bash x.sh" means the one
 * in PATH. */
static int
find_program(char **word, struct mt_err *err)
{
	const char *path = getenv("PATH");
	char *file = NULL;

	if (strchr(*word, '/') != NULL)
		return 0;
	while (path != NULL && *path != '\0') {
		int n = (int)strcspn(path, ":");

		if (asprintf(&file, "%.*s/%s", n, path, *word) < 0)
			return mt_err_set(err, MT_ENOMEM, "out of memory");
		if (*path == '/' && access(file, X_OK) == 0) {
			free(*word);
			*word = file;
			return 0;
		}
		free(file);
		path += n + (path[n] == ':');
	}
	return mt_err_set(err, MT_ENOENT,
			  "there is no program \"%s\" in PATH; give its path",
			  *word);
}

int
mt_argv_add_words(struct mt_argv *a, const char *text, struct mt_err *err)
{
	char *word = malloc(strlen(text) + 1);
	const char *at = text;
	size_t before = a->n;

	if (word == NULL)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	while (*(at += strspn(at, " \t\n")) != '\0') {
		at = cut_word(at, word);
		if (at == NULL)
			break;
		mt_argv_add(a, "%s", word);
	}
	free(word);
	if (at == NULL)
		return mt_err_set(err, MT_EINVAL,
				  "a quote in the command is not closed");
	if (a->n == before && !a->bad)
		return mt_err_set(err, MT_EINVAL, "the command is empty");
	return a->bad ? 0 : find_program(&a->v[before], err);
}

/* Long options only: what getopt would take as something else is refused. A
 * prefix counts as the name, for getopt_long completes it. */
static int
check_option(const char *name, const char *const *refused, const char *program,
	     struct mt_err *err)
{
	size_t n = strlen(name);

	if (n == 0 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789-_") != n ||
	    name[0] == '-')
		return mt_err_set(err, MT_EINVAL,
				  "\"%s\" is no option of %s, give the name "
				  "without dashes in front",
				  name, program);
	for (; refused && *refused; refused++)
		if (strncmp(name, *refused, n) == 0)
			return mt_err_set(err, MT_EINVAL,
					  "option \"%s\" of %s must not be "
					  "given, remove it from the "
					  "configuration",
					  name, program);
	return 0;
}

static int
add_pair(struct mt_argv *a, const char *name, const json_t *value,
	 struct mt_err *err)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		mt_argv_add(a, "--%s=%s", name, json_string_value(value));
		return 0;
	case JSON_INTEGER:
		mt_argv_add(a, "--%s=%" JSON_INTEGER_FORMAT, name,
			    json_integer_value(value));
		return 0;
	case JSON_REAL:
		mt_argv_add(a, "--%s=%g", name, json_real_value(value));
		return 0;
	case JSON_TRUE:
	case JSON_NULL:
		mt_argv_add(a, "--%s", name);
		return 0;
	case JSON_FALSE:
		return 0;
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return mt_err_set(err, MT_EINVAL, "option \"%s\" needs a plain value",
			  name);
}

static int
add_option(struct mt_argv *a, const char *name, const json_t *value,
	   const char *const *refused, bool skip, const char *program,
	   struct mt_err *err)
{
	struct mt_err why = {0};
	int rc = check_option(name, refused, program, &why);

	if (rc == 0 && value)
		rc = add_pair(a, name, value, &why);
	else if (rc == 0)
		mt_argv_add(a, "--%s", name);
	if (rc && skip) {
		mt_error("%s; it is left out", why.text);
		return 0;
	}
	if (rc && err)
		*err = why;
	return rc;
}

int
mt_argv_add_options(struct mt_argv *a, const json_t *options,
		    const char *const *refused, bool skip, const char *program,
		    struct mt_err *err)
{
	const char *name;
	json_t *item, *value;
	size_t i;
	int rc;

	json_array_foreach (options, i, item) {
		if (json_is_string(item)) {
			rc = add_option(a, json_string_value(item), NULL,
					refused, skip, program, err);
			if (rc)
				return rc;
			continue;
		}
		if (!json_is_object(item))
			return mt_err_set(err, MT_EINVAL,
					  "options of %s are names, or pairs "
					  "of name and value",
					  program);
		json_object_foreach (item, name, value) {
			rc = add_option(a, name, value, refused, skip, program,
					err);
			if (rc)
				return rc;
		}
	}
	return 0;
}
