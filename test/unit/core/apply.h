/* SPDX-License-Identifier: PostgreSQL */
/* Commands applied to one state, and how a refusal is told from a change. */
#ifndef MT_TEST_CORE_APPLY_H
#define MT_TEST_CORE_APPLY_H

#include "core/command.h"

#include "given_command.h"

static struct mt_state s;

/* The digest as if nothing but the index had moved. */
static inline uint64_t
digest_at(uint64_t index)
{
	uint64_t index_now = s.index, digest;

	s.index = index;
	digest = mt_state_digest(&s);
	s.index = index_now;
	return digest;
}

static inline void
refused(const char *what, struct mt_command cmd)
{
	uint64_t digest = digest_at(0), index = s.index;
	int rv = apply(&s, &cmd);

	ck_assert_msg(rv == MT_EREFUSED, "%s: %d", what, rv);
	ck_assert_msg(s.index == index + 1, "%s: the index moves", what);
	ck_assert_msg(digest_at(0) == digest, "%s: nothing else does", what);
	ck_assert_msg(s.unknown_command == 0, "%s", what);
}

#endif
