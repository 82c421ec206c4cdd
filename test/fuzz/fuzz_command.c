/* SPDX-License-Identifier: PostgreSQL */
/*
 * Commands, one a line, on a state that the first byte chooses. What decodes
 * encodes to a command that says the same; what is refused changes nothing but
 * the index; what is applied does the same to two equal states, and the state
 * can be saved and loaded.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/command.h"
#include "history.h"

static char *prepared[MT_COUNT(history) + 1]; /* saved states */

static void
apply(struct mt_state *s, const char *line)
{
	struct mt_err err;

	MT_ASSERT(mt_state_apply(s, s->index + 1, line, strlen(line), &err) ==
		  0);
}

static void
prepare(void)
{
	static struct mt_state s;
	size_t n;

	mt_state_init(&s);
	/* A snapshot needs a document or null: all these states have one. */
	for (size_t i = 0; i <= MT_COUNT(history); i++) {
		MT_ASSERT(mt_state_save(&s, &prepared[i], &n) == 0);
		if (i < MT_COUNT(history))
			apply(&s, history[i]);
	}
	mt_state_release(&s);
}

static void
try_decode(const char *text, size_t n)
{
	static struct mt_command cmd, again;
	char *first, *second;
	size_t n_first, n_second;
	struct mt_err err;
	int rv = mt_command_decode(&cmd, text, n, &err);

	if (rv != 0) {
		MT_ASSERT(rv == MT_EPROTO || rv == MT_EREFUSED);
		return;
	}
	mt_command_name(cmd.kind);
	MT_ASSERT(mt_command_encode(&cmd, &first, &n_first) == 0);
	MT_ASSERT(mt_command_decode(&again, first, n_first, &err) == 0);
	MT_ASSERT(mt_command_encode(&again, &second, &n_second) == 0);
	MT_ASSERT(mt_streq(first, second));
	free(first);
	free(second);
	mt_command_release(&cmd);
	mt_command_release(&again);
}

static void
look(const struct mt_state *s)
{
	MT_ASSERT(s->n_members >= 0 && s->n_members <= MT_NODES_MAX);
	MT_ASSERT(s->n_history >= 0 && s->n_history <= MT_HISTORY_MAX);
	for (int i = 1; i < s->n_members; i++)
		MT_ASSERT(strcmp(s->members[i - 1].name, s->members[i].name) <
			  0);
	MT_ASSERT(s->leader.since <= s->leader.epoch);
	MT_ASSERT(s->sync.n <= MT_NODES_MAX && s->sync.k <= s->sync.n);
	MT_ASSERT((s->sync.k == 0) == (s->sync.n == 0));
	mt_sync_find(&s->sync, "n2");
	mt_state_fork_lsn(s, 1);
	mt_state_member(s, "n2");
	if (s->last_decision > 0)
		MT_ASSERT(mt_state_decision(s, s->last_decision) != NULL);
}

static char *
save(const struct mt_state *s)
{
	char *text;
	size_t n;

	MT_ASSERT(mt_state_save(s, &text, &n) == 0 && strlen(text) == n);
	return text;
}

/* *saved is *s, before and after. False: the state stopped for ever. */
static bool
try_apply(struct mt_state *s, char **saved, const char *text, size_t n)
{
	static struct mt_state other;
	uint64_t index = s->index;
	struct mt_err err;
	char *after;
	int rv = mt_state_apply(s, index + 1, text, n, &err);

	look(s);
	if (s->unknown_command != 0)
		MT_ASSERT(rv != 0 && s->index == index);
	else
		MT_ASSERT(s->index == index + 1);
	if (rv != 0) {
		s->index = index;
		after = save(s);
		MT_ASSERT(mt_streq(after, *saved));
		free(after);
		return s->unknown_command == 0;
	}
	mt_state_init(&other);
	MT_ASSERT(mt_state_load(&other, *saved, strlen(*saved), &err) == 0);
	MT_ASSERT(mt_state_apply(&other, index + 1, text, n, &err) == 0);
	free(*saved);
	*saved = save(s);
	after = save(&other);
	MT_ASSERT(mt_streq(after, *saved));
	free(after);
	mt_state_release(&other);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct mt_state s;
	struct mt_err err;
	bool on = true;
	char *saved;

	if (prepared[0] == NULL)
		prepare();
	if (n < 2)
		return 0;
	saved = strdup(prepared[data[0] % MT_COUNT(prepared)]);
	mt_state_init(&s);
	MT_ASSERT(mt_state_load(&s, saved, strlen(saved), &err) == 0);
	for (data++, n--; n > 0 && on;) {
		const uint8_t *end = memchr(data, '\n', n);
		size_t line = end != NULL ? (size_t)(end - data) : n;
		uint8_t *text = fuzz_bytes(data, line);

		try_decode((const char *)text, line);
		on = try_apply(&s, &saved, (const char *)text, line);
		free(text);
		line += end != NULL;
		data += line;
		n -= line;
	}
	free(saved);
	mt_state_release(&s);
	return 0;
}

void
fuzz_seeds(void)
{
	char all[8192];
	size_t at = 0;

	for (size_t i = 0; i < MT_COUNT(history); i++) {
		size_t n = strlen(history[i]);

		fuzz_seed_choice((uint8_t)i, history[i], n);
		MT_ASSERT(at + n + 1 <= sizeof(all));
		memcpy(all + at, history[i], n);
		all[at + n] = '\n';
		at += n + 1;
	}
	fuzz_seed_choice(0, all, at);
}
