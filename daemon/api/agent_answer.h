/* SPDX-License-Identifier: PostgreSQL */
/*
 * What HAProxy's agent check hears: one line, as a pure function of the facts
 * that the health checks have. "AGENT CHECK" of matriarch-api(7) is the
 * reference; the words are those of HAProxy's manual, "agent-check".
 */
#ifndef MT_DAEMON_API_AGENT_ANSWER_H
#define MT_DAEMON_API_AGENT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mt_health_input;

#define MT_AGENT_LINE_MAX 256   /* a request with its zero */
#define MT_AGENT_ANSWER_MAX 128 /* an answer with its zero */

/* line is what was sent, without its end: a check as the REST API calls it, and
 * its parameters after blanks, "&" or "?": "replica lag=16MB". "" is primary.
 * stopping: this node is about to end. The answer, a line with its end, goes to
 * buf, which has MT_AGENT_ANSWER_MAX; returns its length. */
size_t mt_agent_answer(const struct mt_health_input *in, bool stopping,
		       const char *line, char *buf);

/* 100 without a lag, 1 at limit_bytes and beyond, falling evenly between them
 * (rounded down); with a limit of 0, 1 for any lag. */
int mt_agent_weight(uint64_t lag_bytes, int64_t limit_bytes);

#endif
