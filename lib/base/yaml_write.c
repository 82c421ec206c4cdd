/* SPDX-License-Identifier: PostgreSQL */
/*
 * A jansson tree as YAML, written by hand, as it is little that is needed: a
 * string stays plain where no reader could take it for anything else, and is
 * otherwise quoted as in JSON, which is YAML too. Memory that runs out ends the
 * program, but in mt_yaml_block.
 */
#include "base/yaml.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* ---- on one line ---- */

/* Words that YAML 1.1 readers take for something else than a string. */
static bool
is_reserved(const char *s)
{
	static const char *const words[] = {"y",     "n",  "yes", "no",  "true",
					    "false", "on", "off", "null"};

	for (size_t i = 0; i < MT_COUNT(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return false;
}

static bool
is_plain(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || !isalpha((unsigned char)s[0]) || is_reserved(s) ||
	    s[n - 1] == ' ')
		return false;
	/* No colon or number sign: neither "a: b" nor "a #b" is a string. */
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789_./- ") == n;
}

static void
flow(const json_t *v, FILE *out)
{
	if (json_is_object(v)) {
		const char *key;
		json_t *item;
		const char *separator = "";

		putc('{', out);
		json_object_foreach ((json_t *)(uintptr_t)v, key, item) {
			json_t *name = json_string(key);

			fputs(separator, out);
			flow(name, out);
			fputs(": ", out);
			flow(item, out);
			separator = ", ";
			json_decref(name);
		}
		putc('}', out);
	} else if (json_is_array(v)) {
		putc('[', out);
		for (size_t i = 0; i < json_array_size(v); i++) {
			fputs(i > 0 ? ", " : "", out);
			flow(json_array_get(v, i), out);
		}
		putc(']', out);
	} else if (json_is_string(v) && is_plain(json_string_value(v))) {
		fputs(json_string_value(v), out);
	} else {
		json_dumpf(v, out, JSON_ENCODE_ANY);
	}
}

char *
mt_yaml_flow(const json_t *value)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	MT_ASSERT(out != NULL);
	flow(value, out);
	MT_ASSERT(fclose(out) == 0);
	return text;
}

/* ---- in blocks ---- */

static void put(const json_t *v, int level, FILE *out);

static void
put_scalar(const json_t *v, FILE *out)
{
	char *text = mt_yaml_flow(v);

	fprintf(out, " %s\n", text);
	free(text);
}

static bool
is_block(const json_t *v)
{
	return json_object_size(v) > 0 || json_array_size(v) > 0;
}

static void
put_value(const json_t *v, int level, FILE *out)
{
	if (!is_block(v)) {
		put_scalar(v, out);
		return;
	}
	putc('\n', out);
	/* a list stands below its key, not to the right of it */
	put(v, json_is_array(v) ? level : level + 1, out);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
put_object(const json_t *v, int level, FILE *out)
{
	size_t n = 0, i = 0, size = json_object_size(v);
	const char **keys = calloc(size + 1, sizeof(*keys));
	const char *key;
	json_t *item;

	MT_ASSERT(keys != NULL);
	json_object_foreach ((json_t *)v, key, item)
		keys[n++] = key;
	qsort(keys, n, sizeof(*keys), by_name);
	for (; i < n; i++) {
		json_t *name = json_string(keys[i]);
		char *text = mt_yaml_flow(name);

		fprintf(out, "%*s%s:", 2 * level, "", text);
		put_value(json_object_get(v, keys[i]), level, out);
		free(text);
		json_decref(name);
	}
	free(keys);
}

static void
put(const json_t *v, int level, FILE *out)
{
	size_t i;
	json_t *item;

	if (json_is_object(v)) {
		put_object(v, level, out);
		return;
	}
	json_array_foreach (v, i, item) {
		/* what is nested in a list is written in one line */
		fprintf(out, "%*s-", 2 * level, "");
		put_scalar(item, out);
	}
}

char *
mt_yaml_block(const json_t *value)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		return NULL;
	if (is_block(value))
		put(value, 0, out);
	else
		fputs("{}\n", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
