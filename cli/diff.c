/* SPDX-License-Identifier: PostgreSQL */
/*
 * A unified diff of two short texts: the longest common subsequence of their
 * lines by the plain table, then groups of changes with what is around them.
 * Documents have some hundred lines; the table is bounded by MAX_LINES.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/document.h"

#define MAX_LINES 4000
#define AROUND 3

struct lines {
	char *text; /* owned, cut at the line ends */
	char **line;
	int n;
};

/* One step of the way from one text to the other. */
struct edit {
	char kind; /* ' ', '-', '+' */
	const char *text;
	int a, b; /* lines before it in either text */
};

static void
split(const char *text, struct lines *l)
{
	char *p;

	l->text = strdup(text);
	l->line = calloc(MAX_LINES, sizeof(*l->line));
	l->n = 0;
	MT_ASSERT(l->text != NULL && l->line != NULL);
	for (p = l->text; *p != '\0' && l->n < MAX_LINES;) {
		char *end = strchr(p, '\n');

		l->line[l->n++] = p;
		if (end == NULL)
			break;
		*end = '\0';
		p = end + 1;
	}
}

static int
walk(const struct lines *a, const struct lines *b, struct edit *edits)
{
	size_t width = (size_t)b->n + 1;
	uint16_t *common = calloc(((size_t)a->n + 1) * width, sizeof(*common));
	int i, j, n = 0;

	MT_ASSERT(common != NULL);
	for (i = a->n - 1; i >= 0; i--)
		for (j = b->n - 1; j >= 0; j--) {
			size_t at = (size_t)i * width + (size_t)j;
			uint16_t down = common[at + width];
			uint16_t right = common[at + 1];

			if (mt_streq(a->line[i], b->line[j]))
				common[at] =
				    (uint16_t)(common[at + width + 1] + 1);
			else
				common[at] = down >= right ? down : right;
		}
	i = j = 0;
	while (i < a->n || j < b->n) {
		size_t at = (size_t)i * width + (size_t)j;
		struct edit e = {.a = i, .b = j};

		if (i < a->n && j < b->n && mt_streq(a->line[i], b->line[j])) {
			e.kind = ' ';
			e.text = a->line[i++];
			j++;
		} else if (i < a->n && (j == b->n ||
					common[at + width] >= common[at + 1])) {
			e.kind = '-';
			e.text = a->line[i++];
		} else {
			e.kind = '+';
			e.text = b->line[j++];
		}
		edits[n++] = e;
	}
	free(common);
	return n;
}

static void
put_hunk(const struct edit *edits, int from, int to, FILE *out)
{
	int na = 0, nb = 0;

	for (int i = from; i < to; i++) {
		na += edits[i].kind != '+';
		nb += edits[i].kind != '-';
	}
	fprintf(out, "@@ -%d,%d +%d,%d @@\n",
		na > 0 ? edits[from].a + 1 : edits[from].a, na,
		nb > 0 ? edits[from].b + 1 : edits[from].b, nb);
	for (int i = from; i < to; i++)
		fprintf(out, "%c%s\n", edits[i].kind, edits[i].text);
}

void
mt_text_diff(const char *before, const char *after, FILE *out)
{
	struct lines a, b;
	struct edit *edits;
	int n, from = -1, to = 0;

	split(before, &a);
	split(after, &b);
	edits = calloc((size_t)(a.n + b.n) + 1, sizeof(*edits));
	MT_ASSERT(edits != NULL);
	n = walk(&a, &b, edits);
	for (int i = 0; i < n; i++) {
		int begin = i > AROUND ? i - AROUND : 0;

		if (edits[i].kind == ' ')
			continue;
		if (from < 0) {
			fputs("--- \n+++ \n", out);
			from = begin;
		} else if (begin > to) {
			put_hunk(edits, from, to, out);
			from = begin;
		}
		to = i + 1 + AROUND < n ? i + 1 + AROUND : n;
	}
	if (from >= 0)
		put_hunk(edits, from, to, out);
	free(edits);
	free(a.line);
	free(a.text);
	free(b.line);
	free(b.text);
}
