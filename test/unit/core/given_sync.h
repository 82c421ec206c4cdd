/* SPDX-License-Identifier: PostgreSQL */
/*
 * Synchronous mode, for the decision tests: sets are written as the numbers of
 * the members, "23" is node2 and node3.
 */
#ifndef MT_TEST_CORE_GIVEN_SYNC_H
#define MT_TEST_CORE_GIVEN_SYNC_H

#include <string.h>

#include "core/sync.h"

#include "given.h"

#define SYNC_VERSION UINT64_C(12)
#define MARK (LSN - 0x100) /* flushed when the names came into effect */

static struct mt_flushed flushed[MT_NODES_MAX];

static inline uint64_t
data_of(int number)
{
	return UINT64_C(0xda7a0) + (uint64_t)number;
}

static inline void
given_names(const char *members, int k)
{
	struct mt_names *names = &local()->names;

	memset(names, 0, sizeof(*names));
	for (; *members != '\0'; members++)
		mt_format(names->names[names->n++], MT_NAME_MAX, "node%c",
			  *members);
	names->k = k;
}

static inline void
given_log(const char *members, int k)
{
	struct mt_sync *sync = &w.state.sync;

	memset(sync, 0, sizeof(*sync));
	mt_copy(sync->leader, MT_NAME_MAX, w.state.leader.holder);
	sync->version = SYNC_VERSION;
	for (; *members != '\0'; members++) {
		struct mt_sync_standby *s = &sync->standbys[sync->n++];

		mt_format(s->name, MT_NAME_MAX, "node%c", *members);
		s->data_id = data_of(*members - '0');
	}
	sync->k = k;
}

static inline struct mt_flushed *
flushed_of(int number)
{
	return &flushed[number - 1];
}

/* Another member, a standby that is well. */
static inline void
given_another(int number)
{
	given_member(number - 1);
	given_report(number);
	report_of(number)->data_id = data_of(number);
	*flushed_of(number) = (struct mt_flushed){
	    .lsn = LSN,
	    .streaming = true,
	    .last_ms = NOW,
	};
	mt_format(flushed_of(number)->name, MT_NAME_MAX, "node%d", number);
	w.view.n_flushed = number;
}

/* Each member's report tells its data; those but node1 stream from it. */
static inline void
given_mode(enum mt_sync_mode mode, int count)
{
	w.settings.synchronous_mode = mode;
	w.settings.synchronous_node_count = count;
	memset(flushed, 0, sizeof(flushed));
	w.view.flushed = flushed;
	for (int n = 1; n <= 3; n++)
		report_of(n)->data_id = data_of(n);
	for (int n = 2; n <= 3; n++)
		given_another(n);
	if (local()->data_id != 0)
		local()->data_id = data_of((int)local()->raft_id);
	if (local()->record.data_id != 0)
		local()->record.data_id = local()->data_id;
	local()->names_settled = true;
	local()->names_mark = MARK;
	local()->names_any = mode == MT_SYNC_QUORUM;
}

/* node1 is primary and waits for these; the log counts on the same. */
static inline void
given_sync_primary(enum mt_sync_mode mode, int count, const char *members,
		   int k)
{
	given_primary();
	given_mode(mode, count);
	given_names(members, k);
	given_log(members, k);
}

static inline bool
names_are(const struct mt_names *have, const char *members, int k)
{
	struct mt_names want = {.k = k};

	for (; *members != '\0'; members++)
		mt_format(want.names[want.n++], MT_NAME_MAX, "node%c",
			  *members);
	return mt_names_equal(have, &want);
}

static inline bool
waits_for_nobody(const struct mt_names *names)
{
	return names->n == 1 && names->k == 1 &&
	       strcmp(names->names[0], MT_SYNC_PLACEHOLDER) == 0;
}

static inline bool
log_is(const struct mt_sync *have, const char *members, int k)
{
	int i = 0;

	for (; members[i] != '\0'; i++) {
		char name[MT_NAME_MAX];

		mt_format(name, sizeof(name), "node%c", members[i]);
		if (i >= have->n || strcmp(have->standbys[i].name, name) != 0 ||
		    have->standbys[i].data_id != data_of(members[i] - '0'))
			return false;
	}
	return have->n == i && have->k == k;
}

#endif
