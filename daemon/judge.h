/* SPDX-License-Identifier: PostgreSQL */
/*
 * A configuration against the machine that it is for: what its file alone
 * cannot tell. For --validate-config; the daemon finds these out by itself.
 */
#ifndef MT_DAEMON_JUDGE_H
#define MT_DAEMON_JUDGE_H

#include <stdbool.h>

#include "conf/conf.h"

/*
 * Add to found what is wrong, each with its place: members that have errors
 * already, of mt_conf_examine, are passed over. ports: those that the daemon
 * would listen on have to be free. Asks programs and the network, and waits for
 * both, a few seconds at most. Changes nothing.
 */
void mt_judge_machine(struct mt_conf *conf, bool ports,
		      struct mt_findings *found);

/* Inside daemon/judge*.c: addresses and ports. */
void judge__ports(const struct mt_conf *conf);
void judge__addresses(const struct mt_conf *conf);
void judge__partners(const struct mt_conf *conf);

#endif
