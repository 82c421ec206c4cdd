/* SPDX-License-Identifier: PostgreSQL */
/*
 * The soft limit of the size of core dumps, taken down and given back. Happy
 * path: the old one is noted and 0 is set, which needs no right; a handler that
 * dumps are piped to is told the limit, and those in use obey it. Fails
 * nowhere: where the limit cannot be read it is left alone. Wipes no memory.
 */
#include "base/core_limit.h"

#include <stdbool.h>
#include <sys/resource.h>

static struct rlimit before;
static bool noted;

void
mt_core_forbid(void)
{
	struct rlimit none;

	if (!noted && getrlimit(RLIMIT_CORE, &before) == 0)
		noted = true;
	if (!noted)
		return;
	none = before;
	none.rlim_cur = 0;
	(void)setrlimit(RLIMIT_CORE, &none);
}

void
mt_core_allow(void)
{
	if (noted)
		(void)setrlimit(RLIMIT_CORE, &before);
}
