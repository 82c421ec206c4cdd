/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a verb prints: rows and columns, shown as an ASCII table, as tab
 * separated values, as JSON or as YAML. Cells are JSON values, so that numbers
 * stay numbers; a null cell is empty on paper and left out of JSON and YAML.
 */
#ifndef MT_CLI_TABLE_H
#define MT_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "base/err.h"

#define MT_TABLE_COLUMNS_MAX 20

enum mt_format {
	MT_FORMAT_PRETTY,
	MT_FORMAT_TSV,
	MT_FORMAT_JSON,
	MT_FORMAT_YAML,
};

enum mt_column_flag {
	MT_COLUMN_RIGHT = 1 << 0,  /* aligned right */
	MT_COLUMN_HIDDEN = 1 << 1, /* not in the ASCII table */
};

struct mt_column {
	const char *title;  /* borrowed */
	const char *pretty; /* heading of the ASCII table, NULL = title */
	unsigned flags;     /* enum mt_column_flag */
};

struct mt_table {
	char header[256]; /* stands in the top border; "" = none */
	struct mt_column columns[MT_TABLE_COLUMNS_MAX];
	size_t n_columns;
	json_t *rows; /* owned: array of arrays */
};

void mt_table_init(struct mt_table *t);
void mt_table_release(struct mt_table *t);
/* title and pretty must outlive the table. Columns come before rows. */
void mt_table_column(struct mt_table *t, const char *title, const char *pretty,
		     unsigned flags);
/* Begin a row; then mt_table_put fills it from the left. */
void mt_table_row(struct mt_table *t);
/* The next cell of the last row; cell is taken, NULL = empty. */
void mt_table_put(struct mt_table *t, json_t *cell);

/* "pretty", "tsv", "json", "yaml", "yml" */
int mt_format_parse(const char *word, enum mt_format *format,
		    struct mt_err *err) MT_MUSTCHECK;
void mt_table_print(const struct mt_table *t, enum mt_format format, FILE *out);

/* The text of a cell in the ASCII table; returned, free it. */
char *mt_cell_text(const json_t *cell);

/* Between the files of the table: the formats that are data. */
void mt_table_print_tsv(const struct mt_table *t, FILE *out);
void mt_table_print_json(const struct mt_table *t, FILE *out);
void mt_table_print_yaml(const struct mt_table *t, FILE *out);

#endif
