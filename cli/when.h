/* SPDX-License-Identifier: PostgreSQL */
/* When something scheduled is to take place, as people write it. */
#ifndef MT_CLI_WHEN_H
#define MT_CLI_WHEN_H

#include <jansson.h>

#include "base/clock.h"

#define MT_CLI_WHEN_EXAMPLE "2026-11-23T06:00+01:00"

/* The time as the server takes it, in UTC; at, of MT_ISO_MAX, is left as it is
 * for "now". Without a zone it is meant as the clock on the wall here. 0, or
 * the exit status. */
int mt_cli_when(const char *text, const json_t *cluster, const char *verb,
		char *at);

#endif
