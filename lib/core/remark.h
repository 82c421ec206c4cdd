/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a node says in its own log of what became of it: texts that people's
 * log watchers know.
 */
#ifndef MT_CORE_REMARK_H
#define MT_CORE_REMARK_H

#include "core/view.h"

/* Of one that has the tag nofailover, where another is to take over. */
#define MT_REMARK_NOFAILOVER \
	"following a different leader because I am not allowed to promote"

/* Of a primary in strict synchronous mode that nobody is there to wait for. */
#define MT_REMARK_STRICT \
	"No active replication connections from Patroni members and " \
	"synchronous_mode_strict is requested"

/* Why the turn went to another than this member, as far as there are words for
 * it. False: there is nothing to say, and buf is "". */
bool mt_remark_on_choice(const struct mt_decision *d, const char *name,
			 char *buf, size_t size);

/* Is this node the primary of a strict synchronous mode, and no standby is
 * fit? */
bool mt_remark_waits_for_nobody(const struct mt_view *view);

#endif
