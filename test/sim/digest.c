/* SPDX-License-Identifier: PostgreSQL */
/*
 * The digest of a node's state, cheap enough to be taken after each command
 * that any node applies. Members, history and decisions make up nearly all of
 * a state and hardly ever change: what each of them comes to is kept, and taken
 * anew where its bytes differ. All the rest is saved as a snapshot would be, so
 * a field that is added to the state is in the digest without a word here.
 *
 * It does not: compare; check.c does. Bytes behind the end of a text may cause
 * one more look, never another digest.
 */
#include "test/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/json_fields.h"

/* What was looked at last, by the node; right for whatever run comes next. */
struct cache {
	struct mt_member members[MT_NODES_MAX];
	struct mt_history history[MT_HISTORY_MAX];
	struct mt_decision decisions[MT_DECISIONS_MAX];
	uint64_t member[MT_NODES_MAX];
	uint64_t ended[MT_HISTORY_MAX];
	uint64_t decision[MT_DECISIONS_MAX];
};

static uint64_t
hash_json(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	uint64_t h;

	MT_ASSERT(text != NULL);
	h = mt_hash(MT_HASH_SEED, text, strlen(text));
	free(text);
	json_decref(o);
	return h;
}

static uint64_t
mix(uint64_t h, uint64_t other)
{
	return mt_hash(h, &other, sizeof(other));
}

/* Saved as if its long lists were empty. */
static uint64_t
hash_rest(struct mt_state *s)
{
	const int n_members = s->n_members, n_history = s->n_history;
	const uint64_t last = s->last_decision;
	uint64_t h;
	char *text;
	size_t n;

	s->n_members = s->n_history = 0;
	s->last_decision = 0;
	MT_ASSERT(mt_state_save(s, &text, &n) == 0);
	s->n_members = n_members;
	s->n_history = n_history;
	s->last_decision = last;
	h = mt_hash(MT_HASH_SEED, text, n);
	free(text);
	return mix(h, last);
}

uint64_t
digest_of(const struct node *n)
{
	static struct cache caches[SIM_NODES_MAX];
	struct cache *c = &caches[n->i];
	const struct mt_state *s = n->state;
	uint64_t h = hash_rest(n->state);

	for (int i = 0; i < s->n_members; i++) {
		if (c->member[i] == 0 || memcmp(&c->members[i], &s->members[i],
						sizeof(c->members[i])) != 0) {
			c->members[i] = s->members[i];
			c->member[i] =
			    hash_json(mt_member_to_json(&s->members[i]));
		}
		h = mix(h, c->member[i]);
	}
	for (int i = 0; i < s->n_history; i++) {
		if (c->ended[i] == 0 || memcmp(&c->history[i], &s->history[i],
					       sizeof(c->history[i])) != 0) {
			c->history[i] = s->history[i];
			c->ended[i] =
			    hash_json(mt_history_to_json(&s->history[i]));
		}
		h = mix(h, c->ended[i]);
	}
	for (int i = 0; i < MT_DECISIONS_MAX; i++) {
		const struct mt_decision *d = &s->decisions[i];

		if (d->id == 0)
			continue;
		if (c->decision[i] == 0 ||
		    memcmp(&c->decisions[i], d, sizeof(*d)) != 0) {
			c->decisions[i] = *d;
			c->decision[i] = hash_json(mt_decision_to_json(d));
		}
		h = mix(h, c->decision[i]);
	}
	return h;
}
