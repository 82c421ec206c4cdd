/* SPDX-License-Identifier: PostgreSQL */
/* Questions on the terminal, or to whoever writes to standard input. */
#ifndef MT_CLI_ASK_H
#define MT_CLI_ASK_H

#include <stdbool.h>
#include <stddef.h>

/* "prompt [def]: " and a line; def (may be NULL) is the answer to an empty one.
 * False: there is none. */
bool mt_cli_ask(const char *prompt, const char *def, char *buf, size_t size);
/* Says so on standard error; the exit status. */
int mt_cli_aborted(void);
/* "prompt [y/N]: "; 0 and *yes, or the exit status. */
int mt_cli_ask_yes(const char *prompt, bool *yes);

#endif
