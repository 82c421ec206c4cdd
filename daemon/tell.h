/* SPDX-License-Identifier: PostgreSQL */
/* What matriarchd tells about a configuration without running a node. */
#ifndef MT_DAEMON_TELL_H
#define MT_DAEMON_TELL_H

#include <stdbool.h>

#include <jansson.h>

/* Exit statuses: 0 it is good, 1 it is not, or could not be told. file may be
 * NULL: only variables. */

struct mt_tell {
	bool strict;  /* what nobody knows is an error */
	bool print;   /* what is in force follows, if it is good */
	bool machine; /* what the machine lacks is found, too */
	bool ports;   /* and ports that are in use */
};

/* All errors and warnings, a line each, to standard error. */
int mt_tell_findings(const char *file, const json_t *environment,
		     const struct mt_tell *how);
/* What is in force, as YAML, secrets masked. */
int mt_tell_effective(const char *file, const json_t *environment);
int mt_tell_sample(void);

#endif
