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

#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

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

void
mt_table_print_yaml(const struct mt_table *t, FILE *out)
{
	if (json_array_size(t->rows) == 0)
		fputs("[]\n", out);
	for (size_t r = 0; r < json_array_size(t->rows); r++) {
		json_t *object = row_object(t, r), *value;
		const char *key, *lead = "- ";

		json_object_foreach (object, key, value) {
			char *text = mt_yaml_flow(value);

			fprintf(out, "%s%s: %s\n", lead, key, text);
			free(text);
			lead = "  ";
		}
		json_decref(object);
	}
}
