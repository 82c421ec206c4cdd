/* SPDX-License-Identifier: PostgreSQL */
/*
 * Questions and answers, a line each. Standard input that has ended is no
 * answer: the verb is aborted then, and nothing has happened.
 */
#include "cli/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "cli/cli.h"

bool
mt_cli_ask(const char *prompt, const char *def, char *buf, size_t size)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (def != NULL)
		printf("%s [%s]: ", prompt, def);
	else
		printf("%s: ", prompt);
	fflush(stdout);
	n = getline(&line, &cap, stdin);
	if (n > 0)
		line[strcspn(line, "\r\n")] = '\0';
	if (n >= 0)
		mt_copy(buf, size, line[0] == '\0' && def != NULL ? def : line);
	free(line);
	return n >= 0;
}

int
mt_cli_aborted(void)
{
	fflush(stdout);
	fputs("\nAborted!\n", stderr);
	return MT_EXIT_FAILED;
}

int
mt_cli_ask_yes(const char *prompt, bool *yes)
{
	char answer[16];

	if (!mt_cli_ask(prompt, "y/N", answer, sizeof(answer)))
		return mt_cli_aborted();
	*yes = strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
	return 0;
}
