/* SPDX-License-Identifier: PostgreSQL */
/*
 * The network. Raft's messages and forwarded proposals are an ordered stream
 * for each pair of nodes, as TCP gives it; messages of the lease and reports
 * come one by one: late, lost, overtaking each other, some of them twice.
 *
 * A blocked class is lost on that link, a held one waits until the link heals
 * (TCP sends again). What is under way to a daemon that has ended is lost.
 */
#include "test/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define ORDERED (CLASS_RAFT | CLASS_PROPOSE)

static void
schedule_delivery(struct sim *w, struct message *m)
{
	struct link *l = &w->net.links[m->from][m->to];
	int64_t at_us =
	    w->now_us + sim_between(w, w->net.least_us, w->net.most_us);

	if ((l->extra_classes & m->class) != 0)
		at_us += sim_between(w, 0, l->extra_us);
	if ((m->class & ORDERED) != 0) {
		if (at_us <= l->last_us)
			at_us = l->last_us + 1;
		l->last_us = at_us;
	}
	sim_push(w, at_us, EV_MESSAGE, m->to, m->to_life, 0, 0, m);
}

static struct message *
copy(const struct message *m)
{
	struct message *c = malloc(sizeof(*c) + m->n);

	MT_ASSERT(c != NULL);
	memcpy(c, m, sizeof(*c) + m->n);
	return c;
}

void
net_send(struct sim *w, int from, int to, enum message_class class, int kind,
	 const void *p, size_t n)
{
	struct link *l = &w->net.links[from][to];
	struct message *m;

	if ((l->blocked & class) != 0 || !w->nodes[to].powered ||
	    !w->nodes[to].alive)
		return;
	if ((class & ORDERED) == 0 && w->net.loss_percent > 0 &&
	    sim_chance(w, w->net.loss_percent))
		return;
	m = malloc(sizeof(*m) + n);
	MT_ASSERT(m != NULL);
	*m = (struct message){
	    .from = from,
	    .to = to,
	    .from_life = w->nodes[from].life,
	    .to_life = w->nodes[to].life,
	    .class = class,
	    .kind = kind,
	    .n = n,
	};
	memcpy(m->bytes, p, n);
	if ((l->held & class) != 0) {
		*l->hold_end = m;
		l->hold_end = &m->next;
		return;
	}
	if ((class & (CLASS_SUPPORT | CLASS_FENCE)) != 0 &&
	    w->net.twice_percent > 0 && sim_chance(w, w->net.twice_percent))
		schedule_delivery(w, copy(m));
	schedule_delivery(w, m);
}

void
net_block(struct sim *w, int from, int to, unsigned classes, bool hold)
{
	struct link *l = &w->net.links[from][to];

	if (hold) {
		l->held |= classes & ~(unsigned)(CLASS_PG | CLASS_PROBE);
		l->blocked |= classes & (CLASS_PG | CLASS_PROBE);
	} else {
		l->blocked |= classes;
	}
	TRACE(w, NULL, "link %s to %s %s %x", w->nodes[from].name,
	      w->nodes[to].name, hold ? "holds" : "loses", classes);
}

/* Who listens has to be the same still; a new daemon of the sender has closed
 * the stream of the old one. */
static bool
is_of_now(const struct sim *w, const struct message *m)
{
	return w->nodes[m->to].life == m->to_life &&
	       w->nodes[m->from].life == m->from_life;
}

void
net_heal(struct sim *w, int from, int to)
{
	struct link *l = &w->net.links[from][to];
	struct message *m = l->hold;

	l->blocked = l->held = 0;
	l->hold = NULL;
	l->hold_end = &l->hold;
	while (m != NULL) {
		struct message *next = m->next;

		m->next = NULL;
		if (is_of_now(w, m))
			schedule_delivery(w, m);
		else
			free(m);
		m = next;
	}
}

void
net_heal_all(struct sim *w)
{
	for (int i = 0; i < w->n; i++)
		for (int k = 0; k < w->n; k++) {
			net_heal(w, i, k);
			w->net.links[i][k].extra_us = 0;
			w->net.links[i][k].extra_classes = 0;
		}
}

void
net_isolate(struct sim *w, int node, unsigned classes, bool hold)
{
	for (int i = 0; i < w->n; i++) {
		if (i == node)
			continue;
		net_block(w, i, node, classes, hold);
		net_block(w, node, i, classes, hold);
	}
}

bool
net_passes(const struct sim *w, int from, int to, unsigned class)
{
	return (w->net.links[from][to].blocked & class) == 0 &&
	       (w->net.links[to][from].blocked & class) == 0;
}

void
net_release(struct sim *w)
{
	for (int i = 0; i < SIM_NODES_MAX; i++)
		for (int k = 0; k < SIM_NODES_MAX; k++) {
			struct message *m = w->net.links[i][k].hold;

			while (m != NULL) {
				struct message *next = m->next;

				free(m);
				m = next;
			}
		}
}
