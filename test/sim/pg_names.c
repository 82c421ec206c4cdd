/* SPDX-License-Identifier: PostgreSQL */
/*
 * synchronous_standby_names, as the model of PostgreSQL reads it: the text that
 * the daemon writes is taken apart by PostgreSQL's own grammar, and not what
 * the daemon meant by it. "ANY 2 (a, b, c)" waits for whichever two; "FIRST 2
 * (a, b, c)", or without the word, for the first two of the list that are
 * connected; "a, b" is FIRST 1. Names are compared without case.
 *
 * A text that breaks the grammar fails the run. It does not: know "*".
 */
#include "test/sim/sim.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define WORD_MAX (2 * MT_NAME_MAX)

struct word {
	char
	    kind; /* 'a' a name or a number, '(' ')' ',', 0 the end, '?' none */
	bool quoted;
	char text[WORD_MAX];
};

static const char *
next(const char *p, struct word *to)
{
	size_t n = 0;

	memset(to, 0, sizeof(*to));
	while (*p == ' ')
		p++;
	to->kind = *p;
	if (*p == '\0')
		return p;
	if (*p == '(' || *p == ')' || *p == ',')
		return p + 1;
	to->kind = 'a';
	to->quoted = *p == '"';
	if (to->quoted) {
		for (p++; *p != '\0' && (*p != '"' || p[1] == '"') &&
			  n + 1 < sizeof(to->text);
		     p++) {
			if (*p == '"')
				p++;
			to->text[n++] = *p;
		}
		if (*p++ == '"')
			return p;
	} else {
		while ((isalnum((unsigned char)*p) || *p == '_') &&
		       n + 1 < sizeof(to->text))
			to->text[n++] = *p++;
		if (n > 0)
			return p;
	}
	to->kind = '?';
	return p;
}

static bool
is_number(const struct word *w)
{
	return w->kind == 'a' && !w->quoted &&
	       strspn(w->text, "0123456789") == strlen(w->text);
}

static bool
is_word(const struct word *w, const char *text)
{
	return w->kind == 'a' && !w->quoted && strcasecmp(w->text, text) == 0;
}

static bool
add(const struct sim *w, struct pg_names *names, const char *name)
{
	int8_t *standby = &names->standbys[names->n];

	if (names->n == (int)MT_COUNT(names->standbys))
		return false;
	*standby = -1;
	for (int i = 0; i < w->n; i++)
		if (strcasecmp(name, w->nodes[i].name) == 0)
			*standby = (int8_t)i;
	names->n++;
	return true;
}

/* "a, b, c" up to what ends it. */
static bool
read_list(const struct sim *w, const char *p, char end, struct pg_names *names)
{
	struct word name, after;

	do {
		p = next(p, &name);
		p = next(p, &after);
		if (name.kind != 'a' || !add(w, names, name.text))
			return false;
	} while (after.kind == ',');
	if (after.kind != end)
		return false;
	if (end != '\0')
		next(p, &after);
	return after.kind == '\0';
}

static bool
read_text(const struct sim *w, const char *text, struct pg_names *names)
{
	struct word word, number, open;
	const char *p = next(text, &word);

	names->first = true;
	if (word.kind == '\0')
		return true;
	if (is_word(&word, "first") || is_word(&word, "any")) {
		names->first = is_word(&word, "first");
		p = next(p, &number);
	} else {
		number = word;
	}
	p = next(p, &open);
	if (is_number(&number) && open.kind == '(') {
		names->k = atoi(number.text);
		return names->k > 0 && read_list(w, p, ')', names);
	}
	names->first = true;
	names->k = 1;
	return read_list(w, text, '\0', names);
}

void
pg_read_names(struct sim *w, const char *text, struct pg_names *names)
{
	memset(names, 0, sizeof(*names));
	if (!read_text(w, text, names))
		sim_fail(w,
			 "postgres cannot read synchronous_standby_names: %s",
			 text);
}

struct mt_sync_conf
pg_names_conf(const struct pg_names *names)
{
	struct mt_sync_conf c = {.k = names->k};

	for (int i = 0; i < names->n; i++)
		c.set |= names->standbys[i] < 0
			     ? SIM_NOBODY
			     : UINT32_C(1) << names->standbys[i];
	return c;
}
