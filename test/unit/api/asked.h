/* SPDX-License-Identifier: PostgreSQL */
/* What becomes of a request that was proposed, and what its client hears. */
#ifndef MT_TEST_API_ASKED_H
#define MT_TEST_API_ASKED_H

#include "fake.h"

#define BODY "{\"leader\":\"node1\",\"candidate\":\"node2\"}"

/* The request is in the log; this node may have applied it or not yet. */
static inline void
recorded(bool applied)
{
	if (applied) {
		fake.state.index = 41;
		fake.state.request = fake.cmd.u.request_put;
		fake.state.request.id = 41;
	}
	fake.propose_cb(fake.propose_arg, 0, 41, "");
}

static inline void
ended(bool ok, const char *text)
{
	fake.state.index = 50;
	fake.state.request.kind = MT_REQUEST_NONE;
	fake.state.outcome.id = 41;
	fake.state.outcome.ok = ok;
	mt_copy(fake.state.outcome.text, MT_WHY_MAX, text);
	fake.watch_fn(fake.watch_arg);
}

static inline void
assigned(const char *name)
{
	fake.state.leader.epoch = 8;
	mt_copy(fake.state.leader.holder, MT_NAME_MAX, name);
}

static inline void
writes(int i)
{
	fake_report(i)->writable = true;
	fake_report(i)->lease_epoch = 8;
	fake.watch_fn(fake.watch_arg);
}

static inline void
answered(int fd, int want, const char *text)
{
	read_answer(fd);
	ck_assert_int_eq(status, want);
	ck_assert_str_eq(answer_body, text);
}

static inline void
not_answered(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	turn(10);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
}

#endif
