/* SPDX-License-Identifier: PostgreSQL */
/*
 * Words of matriarch-api(7), for tests that hold it against what there is. Run
 * from the top of the tree.
 */
#ifndef MT_TEST_API_MANUAL_H
#define MT_TEST_API_MANUAL_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MANUAL "man/matriarch-api.7"

/* From this line on to the next one that begins with ".Ss": call word with each
 * word of the lines that begin with this macro, which it is without. section
 * "" = the whole page. */
static inline void
manual_words(const char *section, const char *macro,
	     void (*word)(const char *text, void *arg), void *arg)
{
	FILE *file = fopen(MANUAL, "re");
	bool is_inside = *section == '\0';
	char line[512];
	int n = 0;

	ck_assert_msg(file != NULL, "could not open \"%s\"", MANUAL);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *save = NULL;

		line[strcspn(line, "\n")] = '\0';
		if (*section != '\0' && strncmp(line, ".Ss ", 4) == 0)
			is_inside = strcmp(line + 4, section) == 0;
		if (!is_inside || strncmp(line, macro, strlen(macro)) != 0)
			continue;
		for (char *w = strtok_r(line + strlen(macro), " ,", &save);
		     w != NULL; w = strtok_r(NULL, " ,", &save), n++)
			word(w, arg);
	}
	fclose(file);
	ck_assert_msg(n > 0, "no \"%s\" in %s", macro, MANUAL);
}

struct manual_search {
	const char *text;
	bool found;
};

static inline void
manual_compare(const char *text, void *arg)
{
	struct manual_search *search = arg;

	if (strcmp(text, search->text) == 0)
		search->found = true;
}

static inline void
manual_has(const char *section, const char *macro, const char *text)
{
	struct manual_search search = {.text = text};

	manual_words(section, macro, manual_compare, &search);
	ck_assert_msg(search.found, "%s is not in %s", text, MANUAL);
}

#endif
