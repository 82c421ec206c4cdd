/* SPDX-License-Identifier: PostgreSQL */
/*
 * Snapshots of the state: what is refused leaves the state untouched; what
 * loads can be saved, that loads to an equal state, and commands can be applied
 * to it.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/command.h"
#include "history.h"

static void
use(struct mt_state *s)
{
	struct mt_err err;

	MT_ASSERT(s->n_members >= 0 && s->n_members <= MT_NODES_MAX);
	MT_ASSERT(s->n_history >= 0 && s->n_history <= MT_HISTORY_MAX);
	MT_ASSERT(s->sync.n <= MT_NODES_MAX && s->sync.k <= s->sync.n);
	MT_ASSERT((s->sync.k == 0) == (s->sync.n == 0));
	mt_sync_find(&s->sync, "n2");
	mt_state_fork_lsn(s, 1);
	mt_state_member_by_id(s, 1);
	mt_state_held_by(s, "n1");
	for (size_t i = 0; i < MT_COUNT(history); i++)
		mt_state_apply(s, s->index + 1, history[i], strlen(history[i]),
			       &err);
	mt_state_digest(s);
}

static void
try_again(struct mt_state *s)
{
	static struct mt_state other;
	char *first, *second;
	size_t n, n_second;
	struct mt_err err;

	mt_state_init(&other);
	MT_ASSERT(mt_state_save(s, &first, &n) == 0);
	MT_ASSERT(mt_state_load(&other, first, n, &err) == 0);
	MT_ASSERT(mt_state_save(&other, &second, &n_second) == 0);
	MT_ASSERT(n == n_second && memcmp(first, second, n) == 0);
	MT_ASSERT(mt_state_digest(&other) == mt_state_digest(s));
	free(first);
	free(second);
	use(&other);
	mt_state_release(&other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct mt_state s, before;
	uint8_t *p = fuzz_bytes(data, n);
	struct mt_err err;

	mt_state_init(&s);
	s.index = 77;
	before = s;
	if (mt_state_load(&s, (const char *)p, n, &err) == 0) {
		try_again(&s);
		mt_state_release(&s);
	} else {
		MT_ASSERT(err.code == MT_EIO);
		MT_ASSERT(memcmp(&s, &before, sizeof(s)) == 0);
	}
	free(p);
	return 0;
}

/* The largest number where a loop may count up to it. */
static const char last[] =
    "{\"version\":1,\"index\":-1,\"config\":null,\"config_version\":-1,"
    "\"history_of\":4294967295,\"last_decision\":-1,\"leader\":{"
    "\"epoch\":-1,\"since\":-1,\"ttl_ms\":9223372036854775807,"
    "\"timeline\":4294967295},\"decisions\":[{\"id\":-1}]}";

void
fuzz_seeds(void)
{
	static struct mt_state s;
	char *text;
	size_t n;

	fuzz_seed(last, strlen(last));
	mt_state_init(&s);
	for (size_t i = 0; i <= MT_COUNT(history); i++) {
		if (i % 4 == 0) {
			MT_ASSERT(mt_state_save(&s, &text, &n) == 0);
			fuzz_seed(text, n);
			free(text);
		}
		if (i < MT_COUNT(history))
			MT_ASSERT(mt_state_apply(&s, i + 1, history[i],
						 strlen(history[i]),
						 NULL) == 0);
	}
	mt_state_release(&s);
}
