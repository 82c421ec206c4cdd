/* SPDX-License-Identifier: PostgreSQL */
/*
 * The forms of a table that programs read: tab separated values, JSON on one
 * line, YAML as a block list. All columns are in them, hidden ones as well.
 *
 * YAML is written here by hand, as the little that is needed: a string stays
 * plain where no reader could take it for anything else, and is otherwise
 * quoted as in JSON, which is YAML too.
 */
#include "cli/table.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

void
mt_table_print_tsv(const struct mt_table *t, FILE *out)
{
	for (size_t i = 0; i < t->n_columns; i++)
		fprintf(out, "%s%c", t->columns[i].title,
			i + 1 < t->n_columns ? '\t' : '\n');
	for (size_t r = 0; r < json_array_size(t->rows); r++)
		for (size_t i = 0; i < t->n_columns; i++) {
			char *text = mt_cell_text(
			    json_array_get(json_array_get(t->rows, r), i));

			/* a cell cannot hold what ends it */
			for (char *c = text; *c != '\0'; c++)
				if (*c == '\t' || *c == '\n' || *c == '\r')
					*c = ' ';
			fprintf(out, "%s%c", text,
				i + 1 < t->n_columns ? '\t' : '\n');
			free(text);
		}
}

/* A row as an object, without its empty cells. */
static json_t *
row_object(const struct mt_table *t, size_t r)
{
	json_t *object = json_object(), *row = json_array_get(t->rows, r);

	MT_ASSERT(object != NULL);
	for (size_t i = 0; i < t->n_columns; i++) {
		json_t *cell = json_array_get(row, i);

		if (cell != NULL && !json_is_null(cell))
			MT_ASSERT(json_object_set(object, t->columns[i].title,
						  cell) == 0);
	}
	return object;
}

void
mt_table_print_json(const struct mt_table *t, FILE *out)
{
	json_t *all = json_array();

	MT_ASSERT(all != NULL);
	for (size_t r = 0; r < json_array_size(t->rows); r++)
		MT_ASSERT(json_array_append_new(all, row_object(t, r)) == 0);
	json_dumpf(all, out, 0);
	putc('\n', out);
	json_decref(all);
}

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

void
mt_table_print_yaml(const struct mt_table *t, FILE *out)
{
	if (json_array_size(t->rows) == 0)
		fputs("[]\n", out);
	for (size_t r = 0; r < json_array_size(t->rows); r++) {
		json_t *object = row_object(t, r), *value;
		const char *key, *lead = "- ";

		json_object_foreach (object, key, value) {
			fprintf(out, "%s%s: ", lead, key);
			flow(value, out);
			putc('\n', out);
			lead = "  ";
		}
		json_decref(object);
	}
}
