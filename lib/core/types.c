/* SPDX-License-Identifier: PostgreSQL */
/* Names of the small enums, and the order of positions. */
#include "core/types.h"

#include <stddef.h>

const char *
mt_pg_state_name(enum mt_pg_state state)
{
	switch (state) {
	case MT_PG_INITIALIZING:
		return "initializing new cluster";
	case MT_PG_INITDB_FAILED:
		return "initdb failed";
	case MT_PG_BOOTSTRAPPING:
		return "running custom bootstrap script";
	case MT_PG_BOOTSTRAP_FAILED:
		return "custom bootstrap failed";
	case MT_PG_CREATING_REPLICA:
		return "creating replica";
	case MT_PG_RUNNING:
		return "running";
	case MT_PG_STARTING:
		return "starting";
	case MT_PG_START_FAILED:
		return "start failed";
	case MT_PG_RESTARTING:
		return "restarting";
	case MT_PG_RESTART_FAILED:
		return "restart failed";
	case MT_PG_STOPPING:
		return "stopping";
	case MT_PG_STOPPED:
		return "stopped";
	case MT_PG_STOP_FAILED:
		return "stop failed";
	case MT_PG_CRASHED:
		return "crashed";
	}
	return "unknown";
}

const char *
mt_pg_role_name(enum mt_pg_role role)
{
	switch (role) {
	case MT_ROLE_UNINITIALIZED:
		return "uninitialized";
	case MT_ROLE_REPLICA:
		return "replica";
	case MT_ROLE_PRIMARY:
		return "primary";
	case MT_ROLE_PROMOTED:
		return "promoted";
	case MT_ROLE_DEMOTED:
		return "demoted";
	}
	return "unknown";
}

int
mt_position_compare(struct mt_position a, struct mt_position b)
{
	if (a.timeline != b.timeline)
		return a.timeline < b.timeline ? -1 : 1;
	if (a.lsn != b.lsn)
		return a.lsn < b.lsn ? -1 : 1;
	return 0;
}
