/* SPDX-License-Identifier: PostgreSQL */
/* A change of the primary that people ask for: switchover and failover. */
#ifndef MT_CLI_CHANGE_H
#define MT_CLI_CHANGE_H

#include "base/clock.h"
#include "cli/cli.h"

struct mt_change {
	bool failover;
	const char *leader, *candidate, *scheduled; /* as given, or NULL */
	bool force, dry_run;
	bool accept_loss; /* of acknowledged commits; a failover only */
	/* as decided; "" = nobody, anybody, now */
	char from[256], to[256], at[MT_ISO_MAX];
};

/* Ask, confirm, do; the exit status. */
int mt_change_run(struct mt_cli *cli, struct mt_change *p);

/* The answer to a dry run as a table; 0 if the change would be made. */
int mt_change_preview(const struct mt_http_reply *reply);

#endif
