/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reports: what decodes has ended strings and known states, and encodes to a
 * report that says the same (flags of a later version are dropped).
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/report.h"

static void
check(const struct mt_report *r, size_t n)
{
	static uint8_t first[MT_REPORT_SIZE_MAX], second[MT_REPORT_SIZE_MAX];
	static struct mt_reports all;
	struct mt_report again;
	struct mt_err err;

	FUZZ_ENDS(r->self.name);
	FUZZ_ENDS(r->self.peer_addr);
	FUZZ_ENDS(r->self.api_url);
	FUZZ_ENDS(r->self.conn_url);
	FUZZ_ENDS(r->self.proxy_url);
	FUZZ_ENDS(r->self.tags);
	FUZZ_ENDS(r->self.version);
	FUZZ_ENDS(r->sysid);
	FUZZ_ENDS(r->job);
	FUZZ_ENDS(r->why);
	mt_pg_state_name(r->pg_state);
	mt_pg_role_name(r->pg_role);
	MT_ASSERT(mt_report_encode(r, first, sizeof(first)) == n);
	MT_ASSERT(mt_report_decode(&again, first, n, &err) == 0);
	MT_ASSERT(mt_report_encode(&again, second, sizeof(second)) == n);
	MT_ASSERT(memcmp(first, second, n) == 0);
	all.n = 0;
	MT_ASSERT(mt_reports_take(&all, r, 1));
	MT_ASSERT(!mt_reports_take(&all, r, 2));
	MT_ASSERT(mt_reports_find(&all, r->self.name) == &all.seen[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *p = fuzz_bytes(data, n);
	struct mt_report r;
	struct mt_err err;

	if (mt_report_decode(&r, p, n, &err) == 0)
		check(&r, n);
	else
		MT_ASSERT(err.code == MT_EPROTO);
	free(p);
	return 0;
}

void
fuzz_seeds(void)
{
	uint8_t buf[MT_REPORT_SIZE_MAX];
	struct mt_report r = {
	    .incarnation = 3,
	    .seq = 4,
	    .self = {.name = "n1",
		     .raft_id = 1,
		     .command_version = 1,
		     .peer_addr = "10.0.0.1:7500",
		     .api_url = "http://10.0.0.1:8008/patroni",
		     .conn_url = "postgres://10.0.0.1:5432/postgres",
		     .tags = "{\"nofailover\":true}",
		     .version = "0.1.0"},
	    .fenced = 6,
	    .data_id = 7,
	    .stopped = 6,
	    .pg_state = MT_PG_RUNNING,
	    .pg_role = MT_ROLE_PRIMARY,
	    .has_data = true,
	    .holds_turn = true,
	    .failover_priority = 1,
	    .sysid = "7301234567890123456",
	    .at = {.timeline = 2, .lsn = 0x3000060},
	    .server_version = 150004,
	    .why = "waits for a quorum",
	};

	fuzz_seed(buf, mt_report_encode(&r, buf, sizeof(buf)));
	r = (struct mt_report){.self = {.name = "w", .raft_id = 9}};
	fuzz_seed(buf, mt_report_encode(&r, buf, sizeof(buf)));
}
