/* SPDX-License-Identifier: PostgreSQL */
/*
 * Lines of agent checks: whatever is asked, the answer is one line of its kind,
 * and nobody is told that a node without the lease is the primary. The first
 * byte is the node's state.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/api/agent_answer.h"
#include "daemon/api/health.h"

static struct mt_health_input
input(uint8_t bits)
{
	return (struct mt_health_input){
	    .now_ms = 10000,
	    .holds = (bits & 1) != 0,
	    .epoch = 7,
	    .lease_epoch = 7,
	    .deadline_ms = (bits & 2) != 0 ? 10001 : 10000,
	    .fresh = (bits & 4) != 0,
	    .accepting = (bits & 8) != 0,
	    .in_recovery = (bits & 16) != 0,
	    .noloadbalance = (bits & 32) != 0,
	    .sync_standby = (bits & 64) != 0,
	    .leader_lsn = UINT64_MAX,
	    .replayed_lsn = bits,
	    .maximum_lag_on_failover = 1048576,
	};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mt_health_input in;
	char buf[MT_AGENT_ANSWER_MAX], *line;
	size_t length;

	if (n == 0 || n > MT_AGENT_LINE_MAX)
		return 0;
	in = input(data[0]);
	line = fuzz_text(data + 1, n - 1);
	length = mt_agent_answer(&in, (data[0] & 128) != 0, line, buf);
	FUZZ_ENDS(buf);
	MT_ASSERT(length == strlen(buf) && length > 0);
	MT_ASSERT(strcspn(buf, "\r\n") == length - 1);
	MT_ASSERT(strncmp(buf, "up", 2) == 0 || strncmp(buf, "down #", 6) == 0);
	if (!in.accepting || in.in_recovery || !in.holds ||
	    in.deadline_ms <= in.now_ms) {
		mt_agent_answer(&in, false, "primary", buf);
		MT_ASSERT(strncmp(buf, "down #", 6) == 0);
	}
	free(line);
	return 0;
}

void
fuzz_seeds(void)
{
	static const char *const texts[] = {
	    "primary", "replica lag=16MB&tag_zone=a", "/read-only?lag=1",
	    "sync\tmode=write  replication_state=streaming"};

	for (size_t i = 0; i < MT_COUNT(texts); i++)
		fuzz_seed_choice((uint8_t)(i * 21 + 11), texts[i],
				 strlen(texts[i]));
}
