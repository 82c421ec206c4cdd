/* SPDX-License-Identifier: PostgreSQL */
/*
 * Synchronous sets; see the header. The order of changes is not written down as
 * cases: the planner searches the shortest way over pairs (PostgreSQL, log) in
 * which each step keeps rule COEXIST. Names in PostgreSQL first, or in the log
 * first, then comes out as the rule demands it. It does not say who is to be in
 * a set: sync_target.c does.
 */
#include "core/sync.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

uint32_t
mt_sync_bit(struct mt_sync_names *t, const char *name)
{
	int i = 0;

	if (strcmp(name, MT_SYNC_PLACEHOLDER) == 0)
		return MT_SYNC_NOBODY;
	while (i < t->n && strcmp(t->names[i], name) != 0)
		i++;
	if (i == t->n) {
		MT_ASSERT(t->n < (int)MT_COUNT(t->names));
		mt_copy(t->names[t->n++], MT_NAME_MAX, name);
	}
	return UINT32_C(1) << i;
}

static int
count(uint32_t set)
{
	return __builtin_popcount(set);
}

bool
mt_sync_coexist(struct mt_sync_conf pg, struct mt_sync_conf log,
		uint32_t holder)
{
	const uint32_t members = pg.set & ~MT_SYNC_NOBODY;
	int sure;

	/* A log without synchronous standbys promises nothing. Where more have
	 * to flush than there are, nothing is acknowledged. */
	if (log.k == 0 || pg.k > count(members))
		return true;
	/* Of those that flush a commit so many may be without the log's set. */
	sure = pg.k - count(members & ~log.set);
	return (sure > 0 ? sure : 0) + ((log.set & holder) != 0 ? 1 : 0) >=
	       log.k;
}

struct mt_sync_conf
mt_sync_mix(struct mt_sync_conf a, struct mt_sync_conf b)
{
	return (struct mt_sync_conf){
	    .set = a.set | b.set,
	    .k = a.k < b.k ? a.k : b.k,
	};
}

static bool
same(struct mt_sync_conf a, struct mt_sync_conf b)
{
	return a.set == b.set && a.k == b.k;
}

/* ---- the search ---- */

/* Ten sets of at most MT_NODES_MAX members each and the placeholder, with each
 * k. */
#define CONFS_MAX (10 * (MT_NODES_MAX + 1) + 5)

/* Settings that a way may lead over: the three sets, their meets and joins,
 * each with every k that it can have. Where the log counts the holder it may
 * go on doing so for a while. */
static int
list_confs(struct mt_sync_conf pg, struct mt_sync_conf log,
	   struct mt_sync_conf target, uint32_t holder,
	   struct mt_sync_conf out[CONFS_MAX])
{
	const uint32_t t = target.set & ~holder;
	const uint32_t sets[] = {pg.set,
				 log.set & ~holder,
				 t,
				 pg.set & t,
				 pg.set | t,
				 log.set & t,
				 (log.set | t) & ~holder,
				 log.set,
				 log.set | t,
				 (log.set & holder) | t};
	int n = 0;

	out[n++] = pg;
	out[n++] = log;
	out[n++] = target;
	out[n++] = (struct mt_sync_conf){0};
	for (size_t i = 0; i < MT_COUNT(sets); i++)
		for (int k = 1; k <= count(sets[i]) && n < CONFS_MAX; k++) {
			struct mt_sync_conf c = {sets[i], k};
			bool known = false;

			for (int j = 0; j < n && !known; j++)
				known = same(out[j], c);
			if (!known)
				out[n++] = c;
		}
	return n;
}

struct visit {
	uint8_t seen;  /* 0 not, else 1 + kind of the first step */
	uint8_t first; /* index of the first step's setting */
};

/* empty: may the log promise nothing on the way? */
static enum mt_sync_step
search(const struct mt_sync_conf *c, int n, struct mt_sync_conf target,
       struct mt_sync_conf target_log, uint32_t holder, bool empty,
       struct mt_sync_conf *next)
{
	struct visit v[CONFS_MAX][CONFS_MAX];
	uint16_t queue[CONFS_MAX * CONFS_MAX];
	int head = 0, tail = 0;

	memset(v, 0, sizeof(v));
	v[0][1].seen = 1; /* c[0] is pg, c[1] the log */
	queue[tail++] = 0 * CONFS_MAX + 1;
	while (head < tail) {
		int p = queue[head] / CONFS_MAX, l = queue[head] % CONFS_MAX;
		bool start = head++ == 0;
		struct visit from = v[p][l];

		if (same(c[p], target) && same(c[l], target_log)) {
			*next = c[from.first];
			return from.seen == 2 ? MT_SYNC_NAMES : MT_SYNC_PUT;
		}
		for (int i = 0; i < n; i++) {
			if (!v[i][l].seen && (c[i].set & holder) == 0 &&
			    mt_sync_coexist(mt_sync_mix(c[p], c[i]), c[l],
					    holder)) {
				v[i][l] = start ? (struct visit){2, (uint8_t)i}
						: from;
				queue[tail++] = (uint16_t)(i * CONFS_MAX + l);
			}
			if (!v[p][i].seen && (c[i].k > 0 || empty) &&
			    (c[i].set & MT_SYNC_NOBODY) == 0 &&
			    (c[i].set & holder & ~c[l].set & ~target_log.set) ==
				0 &&
			    mt_sync_coexist(c[p], c[i], holder)) {
				v[p][i] = start ? (struct visit){3, (uint8_t)i}
						: from;
				queue[tail++] = (uint16_t)(p * CONFS_MAX + i);
			}
		}
	}
	return MT_SYNC_STUCK;
}

/* A log that promises nothing may stand beside anything, so over it there is
 * always a way; but who is failed over meanwhile may lack what was
 * acknowledged. It is taken only where there is no other, or it is wanted. */
enum mt_sync_step
mt_sync_plan(struct mt_sync_conf pg, struct mt_sync_conf log,
	     struct mt_sync_conf target, struct mt_sync_conf target_log,
	     uint32_t holder, struct mt_sync_conf *next)
{
	struct mt_sync_conf c[CONFS_MAX];
	int n = list_confs(pg, log, target, holder, c);
	enum mt_sync_step step;

	c[n++] = target_log;
	if (same(pg, target) && same(log, target_log))
		return MT_SYNC_STAY;
	step = search(c, n, target, target_log, holder,
		      target_log.k == 0 || log.k == 0, next);
	if (step == MT_SYNC_STUCK)
		step = search(c, n, target, target_log, holder, true, next);
	return step;
}

int
mt_sync_needed(const struct mt_sync *sync)
{
	return sync->n - sync->k + 1;
}

/* ---- names ---- */

void
mt_names_sort(struct mt_names *names)
{
	char t[MT_NAME_MAX];

	for (int i = 1; i < names->n; i++)
		for (int j = i;
		     j > 0 && strcmp(names->names[j - 1], names->names[j]) > 0;
		     j--) {
			memcpy(t, names->names[j], sizeof(t));
			memcpy(names->names[j], names->names[j - 1], sizeof(t));
			memcpy(names->names[j - 1], t, sizeof(t));
		}
}

static bool
has_name(const struct mt_names *names, const char *name)
{
	for (int i = 0; i < names->n; i++)
		if (strcmp(names->names[i], name) == 0)
			return true;
	return false;
}

bool
mt_names_equal(const struct mt_names *a, const struct mt_names *b)
{
	if (a->n != b->n || a->k != b->k)
		return false;
	for (int i = 0; i < a->n; i++)
		if (!has_name(b, a->names[i]))
			return false;
	return true;
}

/* A plain identifier stands as it is, anything else in double quotes. */
static size_t
put_name(char *buf, size_t size, const char *name)
{
	bool plain = isalpha((unsigned char)name[0]) || name[0] == '_';
	size_t n = 0;

	for (const char *p = name; *p != '\0'; p++)
		if (!islower((unsigned char)*p) &&
		    !isdigit((unsigned char)*p) && *p != '_')
			plain = false;
	if (strcmp(name, "any") == 0 || strcmp(name, "first") == 0)
		plain = false;
	if (plain)
		return (size_t)snprintf(buf, size, "%s", name);
	buf[n++] = '"';
	for (const char *p = name; *p != '\0' && n + 3 < size; p++) {
		if (*p == '"')
			buf[n++] = '"';
		buf[n++] = *p;
	}
	buf[n++] = '"';
	buf[n] = '\0';
	return n;
}

char *
mt_sync_text(char *buf, const struct mt_names *names, bool quorum)
{
	size_t n = 0, size = MT_SYNC_TEXT_MAX;
	bool any = quorum || names->k < names->n;

	buf[0] = '\0';
	if (names->n == 0)
		return buf;
	if (any || names->n > 1)
		n += (size_t)snprintf(buf, size, any ? "ANY %d (" : "%d (",
				      names->k);
	for (int i = 0; i < names->n; i++) {
		if (i > 0)
			buf[n++] = ',';
		n += put_name(buf + n, size - n, names->names[i]);
	}
	if (any || names->n > 1)
		buf[n++] = ')';
	buf[n] = '\0';
	return buf;
}
