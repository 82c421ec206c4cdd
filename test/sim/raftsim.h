/* SPDX-License-Identifier: PostgreSQL */
/*
 * Raft alone under a virtual clock: the real driver and libraft, disks and a
 * network in memory. A seed decides delays, loss, duplicates, partitions,
 * crashes before and after a write, failing disks, membership changes. After
 * each event Raft's four safety properties are checked over all nodes (paper,
 * figure 3); after healing, that commands are committed again.
 *
 * The same options give the same run, to the byte.
 */
#ifndef MT_TEST_RAFTSIM_H
#define MT_TEST_RAFTSIM_H

#include <stdbool.h>
#include <stdint.h>

#include "consensus/driver.h"

enum raftsim_mode {
	RAFTSIM_STATIC,     /* 3 or 5 voters for good */
	RAFTSIM_MEMBERSHIP, /* changes as an operator would make them */
	RAFTSIM_RECKLESS, /* any change, at any time, without MT_GUARD_PROMOTION
			   */
};

struct raftsim_options {
	uint64_t seed;
	enum raftsim_mode mode;
	unsigned guards;
	unsigned steps; /* of the nemesis */
	bool trace;     /* each event to standard output */
	/* Messages of a stream stay in order and come once, as over TCP;
	 * libraft built with assertions needs that. Otherwise half of the runs
	 * do. */
	bool ordered;
};

enum raftsim_verdict {
	RAFTSIM_PASSED,
	RAFTSIM_UNSAFE, /* a safety property is broken */
	RAFTSIM_STUCK,  /* healed, and nothing is committed */
};

struct raftsim_result {
	enum raftsim_verdict verdict;
	char why[256];
	uint64_t events, commits, elections, changes, crashes, snapshots,
	    installs, restarts;
};

void raftsim_run(const struct raftsim_options *o, struct raftsim_result *r);

#endif
