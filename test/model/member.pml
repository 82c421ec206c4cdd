/* SPDX-License-Identifier: PostgreSQL */
/*
 * Voters change while node 0 holds the lease: rule 9 of doc/protocol.md. The
 * voters are added one at a time, configurations {0,1,2}, {0..3}, {0..4}, or
 * with SHRINK removed one at a time, the other way round.
 *
 * Time is left out: a promise outlives the lease that was counted on it, as
 * lease.pml shows, so here it just ends after it (promise_ends). Raft is taken
 * for granted: a configuration is committed once a majority of it has it in its
 * durable log, and one change is made at a time. Changing voters is designed
 * and not built; the counting by the durable log is lib/core/keep.c's.
 *
 * Invariant: when a majority of the newest committed configuration is fenced
 * with nothing promised (ground N), the holder has no lease.
 *
 * Mutants, all of rule 9:
 *	M_NORULE	the next change does not wait for a round under the last
 *	M_BYAPPLIED	after a restart the holder counts by what it has applied
 *	M_SEEMSDEAD	a silent holder is taken for one that has released
 *	M_FENCEOLD	the fence is counted over a configuration before the newest
 */
#define NODES 5
#define LAST 2			/* the last configuration; the first is 0 */
#ifdef SHRINK
#define VOTERS_OF(c) ((c) == 0 -> 31 : ((c) == 1 -> 15 : 7))
#define MAJORITY_OF(c) ((c) == LAST -> 2 : 3)
#else
#define VOTERS_OF(c) ((c) == 0 -> 7 : ((c) == 1 -> 15 : 31))
#define MAJORITY_OF(c) ((c) == 0 -> 2 : 3)
#endif
#define ALL 31
#define HAS(set, v) (((set) >> (v)) & 1)
#define SIZE(set) (HAS(set, 0) + HAS(set, 1) + HAS(set, 2) + HAS(set, 3) + \
	HAS(set, 4))
#define IS_MAJORITY(set, c) (SIZE((set) & VOTERS_OF(c)) >= MAJORITY_OF(c))

/* ---- Raft ------------------------------------------------------------------ */

byte in_log[NODES];	/* newest configuration in this node's durable log */
byte committed, proposed;

/* ---- the holder, node 0 -------------------------------------------------------- */

byte counts_by;		/* a configuration */
byte round;		/* set: who has supported the open round */
byte lease;		/* set: those on whose promises it stands; 0 without */
byte whole_round;	/* reported: the configuration of the last whole round */
bit released;		/* committed */

/* ---- the voters, as sets ------------------------------------------------------------ */

byte promised;
byte fenced;

inline support(v)
{
	d_step {
		!released && HAS(VOTERS_OF(counts_by), v) && !HAS(round, v) &&
		!HAS(fenced, v) ->
		round = round | (1 << v);
		promised = promised | (1 << v);
		if
		:: IS_MAJORITY(round, counts_by) ->
			lease = round;
			round = 0;
			if
			:: counts_by > whole_round -> whole_round = counts_by
			:: else
			fi
		:: else
		fi
	}
}

/* Not while an answer of his is on the way, or the lease counts on him. */
inline promise_ends(v)
{
	d_step {
		HAS(promised, v) && !HAS(round, v) && !HAS(lease, v) ->
		promised = promised & (ALL - (1 << v))
	}
}

inline fence(v)
{
	d_step { !HAS(fenced, v) -> fenced = fenced | (1 << v) }
}

inline append(v)
{
	d_step {
		in_log[v] < proposed && HAS(VOTERS_OF(proposed), v) ->
		in_log[v] = proposed
	}
}

/* The next change: the holder has renewed by the committed one, or is none. */
#if defined(M_NORULE)
#define MAY_CHANGE true
#elif defined(M_SEEMSDEAD)
#define MAY_CHANGE (committed == 0 || whole_round >= committed || round == 0)
#else
#define MAY_CHANGE (committed == 0 || whole_round >= committed || released)
#endif
inline propose()
{
	d_step {
		proposed == committed && committed < LAST && MAY_CHANGE ->
		proposed = committed + 1
	}
}

#define LOGGED(v) (HAS(VOTERS_OF(proposed), v) && in_log[v] >= proposed)
inline commit()
{
	d_step {
		proposed > committed && LOGGED(0) + LOGGED(1) + LOGGED(2) +
		LOGGED(3) + LOGGED(4) >= MAJORITY_OF(proposed) ->
		committed = proposed
	}
}

/* Ground N. */
inline count_fence(c)
{
	d_step {
		c <= committed && IS_MAJORITY(fenced & (ALL - promised), c) ->
		assert(lease == 0)
	}
}

#define NODE(v) \
	:: support(v) :: promise_ends(v) :: fence(v) :: append(v)

init {
	do
	NODE(0) NODE(1) NODE(2) NODE(3) NODE(4)
	/* The holder takes up what its durable log says, late; the open round
	 * is void. */
	:: d_step { counts_by < in_log[0] -> counts_by++; round = 0 }
#ifdef M_BYAPPLIED
	:: d_step { counts_by > 0 -> counts_by = 0; round = 0 }
#endif
	:: d_step { round != 0 -> round = 0 }		/* no answers, restart */
	:: d_step { lease != 0 -> lease = 0 }		/* it runs out */
	:: d_step { !released -> released = 1; lease = 0; round = 0 }
	:: propose()
	:: commit()
#ifdef M_FENCEOLD
	:: count_fence(0)
	:: count_fence(1)
	:: count_fence(2)
#else
	:: count_fence(committed)
#endif
	od
}
