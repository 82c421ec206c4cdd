/* SPDX-License-Identifier: PostgreSQL */
/*
 * What else a seed draws: tags of members and settings that decide who may be
 * promoted, and rarer kinds of trouble. From numbers of its own, so that one
 * more of them leaves all other draws of a seed as they are.
 */
#include "test/sim/sim.h"

#include "base/text.h"
#include "test/sim/faults.h"

/* A number of this seed for this purpose. */
static uint64_t
number(const struct sim *w, uint64_t purpose)
{
	uint64_t f[] = {w->options.seed, purpose};

	return mt_hash(MT_HASH_SEED, f, sizeof(f)) >> 16;
}

/* The less usual ones. */
static void
draw_shape(const struct sim *w, struct setup *s)
{
	static const uint8_t shapes[][2] = {{4, 4}, {5, 4}, {4, 2}, {5, 2}};
	uint64_t four = number(w, 4);

	if (s->n_data < 2 || four % 8 != 0)
		return;
	s->n = shapes[four / 8 % MT_COUNT(shapes)][0];
	s->n_data = shapes[four / 8 % MT_COUNT(shapes)][1];
}

/* Spare ones come last, and have no PostgreSQL. */
static void
draw_members(const struct sim *w, struct setup *s)
{
	static const uint8_t shapes[][3] = {
	    {4, 3, 1}, {5, 3, 2}, {5, 3, 1}, {5, 4, 1},
	    {4, 2, 1}, {5, 2, 2}, {5, 3, 0}, {5, 5, 0},
	};
	uint64_t five = number(w, 5);
	const uint8_t *shape = shapes[five / 8 % MT_COUNT(shapes)];

	if (s->n_data < 2 || five % 8 != 0)
		return;
	s->members = true;
	s->n = shape[0];
	s->n_data = shape[1];
	s->n_spare = shape[2];
	s->weights[F_MEMBER] = 4 + (int)(five / 64 % 12);
}

void
schedule_draw_traits(struct sim *w, struct setup *s)
{
	uint64_t one = number(w, 1), two = number(w, 2), three = number(w, 3);

	draw_shape(w, s);
	draw_members(w, s);
	s->hang_s = 2 + (int)(three / 16 % 9);
	if (three % 3 == 0) {
		s->weights[F_ONE_WAY] = (int)(three / 3 % 4);
		s->weights[F_SENTINEL] = (int)(three / 12 % 2);
		s->weights[F_SLEEP] = (int)(three / 24 % 4);
		s->weights[F_HANG] = (int)(three / 96 % 4);
	}
	if (number(w, 6) % 4 == 0)
		s->weights[F_ERRAND] = 2 + (int)(number(w, 6) / 4 % 8);
	s->max_lag = SIM_MAX_LAG;
	s->nofailover = -1;
	s->sees_streams = number(w, 3) % 2 == 0;
	if (one % 3 != 0)
		return;
	for (int i = 0; i < s->n_data; i++)
		s->priority[i] = (int)(number(w, 100 + (uint64_t)i) % 3);
	s->check_timeline = two % 2 == 0;
	/* In synchronous mode the furthest has to be promoted, or nobody is;
	 * and somebody is to be left where one is lost. */
	if (!s->sync && s->n_data > 2)
		s->nofailover = (int)(one / 3 % (uint64_t)s->n_data);
	if (two / 2 % 3 == 0)
		s->max_lag = (int64_t)(two / 6 % 16384);
}
