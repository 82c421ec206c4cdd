/* SPDX-License-Identifier: PostgreSQL */
/*
 * Tables: how they are built, and the ASCII form with its borders.
 *
 *	+ Cluster: demo (7362) -----------+
 *	| Member | Host      | Role   | TL |
 *	+--------+-----------+--------+----+
 *	| node1  | 127.0.0.1 | Leader |  1 |
 *	+--------+-----------+--------+----+
 *
 * The widths come from the widest line of each column; where the header needs
 * more room than the columns give, the last column grows. A cell of several
 * lines puts rulers between all rows, so that it stays clear what belongs
 * together. Widths count characters, not bytes; wide (East Asian) characters
 * count as one.
 *
 * Memory that runs out ends the program: there is nothing sensible to print.
 */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/yaml.h"

void
mt_table_init(struct mt_table *t)
{
	*t = (struct mt_table){.rows = json_array()};
	MT_ASSERT(t->rows != NULL);
}

void
mt_table_release(struct mt_table *t)
{
	json_decref(t->rows);
	t->rows = NULL;
}

void
mt_table_column(struct mt_table *t, const char *title, const char *pretty,
		unsigned flags)
{
	MT_ASSERT(t->n_columns < MT_TABLE_COLUMNS_MAX);
	t->columns[t->n_columns++] = (struct mt_column){
	    .title = title,
	    .pretty = pretty != NULL ? pretty : title,
	    .flags = flags,
	};
}

void
mt_table_row(struct mt_table *t)
{
	MT_ASSERT(json_array_append_new(t->rows, json_array()) == 0);
}

void
mt_table_put(struct mt_table *t, json_t *cell)
{
	size_t n = json_array_size(t->rows);
	json_t *row;

	MT_ASSERT(n > 0);
	row = json_array_get(t->rows, n - 1);
	MT_ASSERT(json_array_size(row) < t->n_columns);
	if (cell == NULL)
		cell = json_null();
	MT_ASSERT(json_array_append_new(row, cell) == 0);
}

int
mt_format_parse(const char *word, enum mt_format *format, struct mt_err *err)
{
	static const struct {
		const char *word;
		enum mt_format format;
	} formats[] = {
	    {"pretty", MT_FORMAT_PRETTY}, {"tsv", MT_FORMAT_TSV},
	    {"json", MT_FORMAT_JSON},     {"yaml", MT_FORMAT_YAML},
	    {"yml", MT_FORMAT_YAML},
	};

	for (size_t i = 0; i < MT_COUNT(formats); i++)
		if (strcmp(word, formats[i].word) == 0) {
			*format = formats[i].format;
			return 0;
		}
	return mt_err_set(err, MT_EINVAL,
			  "unknown format \"%s\"; use pretty, json, tsv or "
			  "yaml",
			  word);
}

char *
mt_cell_text(const json_t *cell)
{
	char *text = NULL;

	if (cell == NULL || json_is_null(cell))
		text = strdup("");
	else if (json_is_string(cell))
		text = strdup(json_string_value(cell));
	else if (json_is_object(cell) || json_is_array(cell))
		text = mt_yaml_flow(cell);
	else
		text = json_dumps(cell, JSON_ENCODE_ANY);
	MT_ASSERT(text != NULL);
	return text;
}

/* Characters in the first n bytes of UTF-8. */
static size_t
width_of(const char *s, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

static size_t
widest_line(const char *s)
{
	size_t widest = 0;

	for (;;) {
		size_t n = strcspn(s, "\n"), width = width_of(s, n);

		if (width > widest)
			widest = width;
		if (s[n] == '\0')
			return widest;
		s += n + 1;
	}
}

/* Line number k of a text, from 0; returns its length, 0 past the end. */
static size_t
line_of(const char **s, size_t k)
{
	for (; k > 0; k--) {
		size_t n = strcspn(*s, "\n");

		if ((*s)[n] == '\0') {
			*s += n;
			return 0;
		}
		*s += n + 1;
	}
	return strcspn(*s, "\n");
}

static size_t
lines_in(const char *s)
{
	size_t n = 1;

	while ((s = strchr(s, '\n')) != NULL) {
		n++;
		s++;
	}
	return n;
}

static bool
is_shown(const struct mt_table *t, size_t column)
{
	return (t->columns[column].flags & MT_COLUMN_HIDDEN) == 0;
}

static void
repeat(FILE *out, char c, size_t n)
{
	while (n-- > 0)
		putc(c, out);
}

/* A border. The header takes the place of what it covers. */
static void
print_ruler(const struct mt_table *t, const size_t *widths, const char *header,
	    FILE *out)
{
	size_t at = 0, covered = width_of(header, strlen(header));

	fprintf(out, "+%s", header);
	for (size_t i = 0; i < t->n_columns; i++) {
		if (!is_shown(t, i))
			continue;
		for (size_t k = 0; k < widths[i] + 3; k++, at++)
			if (at >= covered)
				putc(k == widths[i] + 2 ? '+' : '-', out);
	}
	putc('\n', out);
}

/* One line of text as a cell. */
static void
print_cell(const char *s, size_t n_bytes, size_t width, unsigned flags,
	   FILE *out)
{
	size_t pad = width - width_of(s, n_bytes);
	bool right = (flags & MT_COLUMN_RIGHT) != 0;

	putc(' ', out);
	if (right)
		repeat(out, ' ', pad);
	fwrite(s, 1, n_bytes, out);
	if (!right)
		repeat(out, ' ', pad);
	fputs(" |", out);
}

/* One row, of as many lines as its tallest cell has. texts: one a column. */
static void
print_row(const struct mt_table *t, const size_t *widths, char **texts,
	  FILE *out)
{
	size_t height = 1;

	for (size_t i = 0; i < t->n_columns; i++)
		if (is_shown(t, i) && lines_in(texts[i]) > height)
			height = lines_in(texts[i]);
	for (size_t k = 0; k < height; k++) {
		putc('|', out);
		for (size_t i = 0; i < t->n_columns; i++) {
			const char *s = texts[i];
			size_t n;

			if (!is_shown(t, i))
				continue;
			n = line_of(&s, k);
			print_cell(s, n, widths[i], t->columns[i].flags, out);
		}
		putc('\n', out);
	}
}

/* Fill widths; returns whether any cell has several lines. */
static bool
measure(const struct mt_table *t, char **texts, size_t n_rows, size_t *widths)
{
	size_t total = 0, last = 0,
	       need = width_of(t->header, strlen(t->header)) + 1;
	bool tall = false;

	for (size_t i = 0; i < t->n_columns; i++) {
		const char *title = t->columns[i].pretty;

		if (!is_shown(t, i))
			continue;
		widths[i] = width_of(title, strlen(title));
		for (size_t r = 0; r < n_rows; r++) {
			char *text = texts[r * t->n_columns + i];

			if (widest_line(text) > widths[i])
				widths[i] = widest_line(text);
			tall = tall || lines_in(text) > 1;
		}
		total += widths[i] + 3;
		last = i;
	}
	if (total < need)
		widths[last] += need - total;
	return tall;
}

static void
print_pretty(const struct mt_table *t, FILE *out)
{
	size_t widths[MT_TABLE_COLUMNS_MAX] = {0};
	char *titles[MT_TABLE_COLUMNS_MAX] = {0}, **texts;
	size_t n_rows = json_array_size(t->rows), n = n_rows * t->n_columns;
	bool tall;

	texts = calloc(n + 1, sizeof(*texts));
	MT_ASSERT(texts != NULL);
	for (size_t i = 0; i < n; i++)
		texts[i] = mt_cell_text(
		    json_array_get(json_array_get(t->rows, i / t->n_columns),
				   i % t->n_columns));
	tall = measure(t, texts, n_rows, widths);
	for (size_t i = 0; i < t->n_columns; i++) {
		titles[i] = strdup(t->columns[i].pretty);
		MT_ASSERT(titles[i] != NULL);
	}
	print_ruler(t, widths, t->header, out);
	print_row(t, widths, titles, out);
	print_ruler(t, widths, "", out);
	for (size_t r = 0; r < n_rows; r++) {
		print_row(t, widths, texts + r * t->n_columns, out);
		if (tall || r == n_rows - 1)
			print_ruler(t, widths, "", out);
	}
	for (size_t i = 0; i < t->n_columns; i++)
		free(titles[i]);
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

void
mt_table_print(const struct mt_table *t, enum mt_format format, FILE *out)
{
	switch (format) {
	case MT_FORMAT_PRETTY:
		print_pretty(t, out);
		break;
	case MT_FORMAT_TSV:
		mt_table_print_tsv(t, out);
		break;
	case MT_FORMAT_JSON:
		mt_table_print_json(t, out);
		break;
	case MT_FORMAT_YAML:
		mt_table_print_yaml(t, out);
		break;
	}
}
