/* SPDX-License-Identifier: PostgreSQL */
/*
 * Synchronous sets and ground Y: a silent primary is replaced without waiting
 * for its lease, and nothing acknowledged is lost. lib/core/sync.c, agent_sync.c,
 * sync_target.c and controller_fence.c are the same in C.
 *
 * Node 0 is the primary of epoch 1. A commit is a position 1..COMMITS on the
 * timeline of its epoch. Primaries that were replaced live on and acknowledge
 * as long as they can: no lease at all is assumed. Each primary p of an epoch
 * has its own idea of two things, which change at different times:
 *
 *	the log's	(set, quorum): leader.assign counts by it
 *	PostgreSQL's	(set, quorum): synchronous_standby_names, ANY quorum (set).
 *			While a reload is under way walsenders act on either, so
 *			the worst mix of old and new counts (rule 3)
 *
 * Rule COEXIST (1) says which may stand beside which:
 *	quorum of PostgreSQL + [the primary is in the log's set]
 *	    >= quorum of the log + |PostgreSQL's set without the log's set|
 *
 * Invariant: what a primary has acknowledged, at whatever time, is in the
 * history of each later epoch's primary (NOTHING_LOST).
 *
 * Bounds, by -D: NODES, EPOCHS, COMMITS, SET and QUORUM at the beginning,
 * CHANGES = in how many epochs sets are changed. LESS_ONE: a new primary, which
 * holds everything itself, begins with ANY quorum - 1.
 *
 *  1 COEXIST		M_LOGFIRST M_ADDPGFIRST M_LOOSENFIRST
 *  2 caught up first	M_NOCATCHUP
 *  3 the mix of a reload	M_NOMIX
 *  4 compare and set	M_NOCAS M_PUTNOEPOCH
 *  5 the first set	M_FIRSTSET M_FIRSTALONE (quorum 2)
 *  6 n - k + 1, always	M_SLOWANY M_NMINUSK
 * 18 fence, stop, position	M_LSNEARLY M_FENCEVOLATILE M_NOSTOP
 * 19 data that went back	M_WIPE
 * 20 timeline, then LSN	M_LSNONLY
 */
#ifndef NODES
#define NODES 3
#endif
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifndef COMMITS
#define COMMITS 2
#endif
#ifndef SET
#define SET 6			/* nodes 1 and 2 */
#endif
#ifndef QUORUM
#define QUORUM 1
#endif
#ifndef CHANGES
#define CHANGES 1
#endif
#define MIN(a, b) ((a) < (b) -> (a) : (b))
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define HAS(set, n) (((set) >> (n)) & 1)
#define SIZE(set) (HAS(set, 0) + HAS(set, 1) + HAS(set, 2) + HAS(set, 3))
#define WITHOUT(set, other) ((set) & (15 - (other)))
#define LINK(e, n) ((e) * NODES + (n))

/* ---- state: the log --------------------------------------------------------- */

byte epoch = 1;
byte log_set = SET, log_quorum = QUORUM;

/* ---- state: the primary of each epoch ------------------------------------------ */

byte primary[EPOCHS + 1];	/* which node */
bit lives[EPOCHS + 1];
byte written[EPOCHS + 1];	/* the end of its WAL */
byte begins[EPOCHS + 1];	/* where its timeline begins */
byte acked[EPOCHS + 1];		/* acknowledged up to here, 0 = nothing */
byte has_1[EPOCHS + 1];		/* how far its history follows timeline 1 */
byte has_2[EPOCHS + 1];		/* ... timeline 2 */
byte names[EPOCHS + 1], any[EPOCHS + 1];	/* PostgreSQL's set, quorum */
byte old_names[EPOCHS + 1], old_any[EPOCHS + 1]; /* until the reload is over */
byte knows_set[EPOCHS + 1], knows_quorum[EPOCHS + 1]; /* the log's, applied */
byte put[EPOCHS + 1];		/* sync.put: see below */
#define IN_FLIGHT 1
#define COMMITTED 2		/* and not applied by the primary yet */
byte put_set[EPOCHS + 1], put_quorum[EPOCHS + 1];
byte flushed[(EPOCHS + 1) * NODES];	/* what a node confirmed to it */
bit connected[(EPOCHS + 1) * NODES];	/* it did stream from it, ever */

/* ---- state: each node as a standby ------------------------------------------------- */

byte timeline[NODES], end[NODES];	/* the end of its data */
byte source[NODES];			/* it streams from the primary of this */
byte fenced[NODES];			/* durable */

/* ---- state: a failover under way ---------------------------------------------------- */

byte seen_set, seen_quorum;	/* the log's, as the controller saw it */
bit unchanged;			/* the log still says so: sync and mode version */
byte answered;			/* set: who answered the fence */
byte i, x;			/* of one step, the same again after it */

#define OLDEST(e) MAX(acked[e], begins[e])

#if EPOCHS == 2
#define NOTHING_LOST (epoch < 2 || acked[1] <= has_1[2])
#else
#define NOTHING_LOST ((epoch < 2 || acked[1] <= has_1[2]) && \
	(epoch < 3 || (acked[1] <= has_1[3] && acked[2] <= has_2[3])))
#endif

/* ---- writing and acknowledging ----------------------------------------------------------- */

inline write(e)
{
	d_step { e <= epoch && lives[e] && written[e] < COMMITS -> written[e]++ }
}

#define CONFIRMS(e, n) (n != primary[e] && HAS(names[e] | old_names[e], n) && \
	flushed[LINK(e, n)] > OLDEST(e))
#if NODES == 4
#define SUM(X, e) (X(e, 0) + X(e, 1) + X(e, 2) + X(e, 3))
#else
#define SUM(X, e) (X(e, 0) + X(e, 1) + X(e, 2))
#endif
inline acknowledge(e)
{
	d_step {
		e <= epoch && lives[e] && OLDEST(e) < written[e] &&
		SUM(CONFIRMS, e) >= MIN(any[e], old_any[e]) ->
		acked[e] = OLDEST(e) + 1;
		assert(NOTHING_LOST)
	}
}

inline die(e)
{
	d_step {
		e <= epoch && lives[e] ->
		lives[e] = 0;
		x = primary[e];
		timeline[x] = e;
		end[x] = written[e];
		source[x] = 0;
		x = 0
	}
}

/* ---- streaming ------------------------------------------------------------------------------ */

#ifdef M_NOSTOP
#define UNFENCED(n, e) true
#else
#define UNFENCED(n, e) (e > fenced[n])
#endif
#define IS_PRIMARY(n) ((lives[epoch] && primary[epoch] == n) || \
	(lives[timeline[n]] && primary[timeline[n]] == n))
/* Never to a lower epoch than the data's (19), nor to a fenced one (18). */
#define MAY_FOLLOW(n, e) (e <= epoch && lives[e] && e >= timeline[n] && \
	e > source[n] && primary[e] != n && !IS_PRIMARY(n) && UNFENCED(n, e))

/* What lies beyond the fork is rewound. */
inline follow(n, e)
{
	d_step {
		MAY_FOLLOW(n, e) ->
		source[n] = e;
		connected[LINK(e, n)] = 1;
		if
		:: timeline[n] == 1 && e > 1 -> end[n] = MIN(end[n], has_1[e])
		:: timeline[n] == 2 && e > 2 ->
			if
			:: has_2[e] == 0 ->
				timeline[n] = 1;
				end[n] = MIN(end[n], has_1[e])
			:: else -> end[n] = MIN(end[n], has_2[e])
			fi
		:: else
		fi;
		flushed[LINK(e, n)] = MAX(flushed[LINK(e, n)], end[n])
	}
}

inline stream(n)
{
	d_step {
		source[n] > 0 && end[n] < written[source[n]] ->
		end[n]++;
		flushed[LINK(source[n], n)] = end[n];
		if
		:: end[n] > begins[source[n]] -> timeline[n] = source[n]
		:: else
		fi
	}
}

inline restart(n)
{
	d_step {
		source[n] > 0 || fenced[n] > 0 ->
		source[n] = 0;
#ifdef M_FENCEVOLATILE
		fenced[n] = 0
#endif
	}
}

/* ---- changes of the set: the primary proposes, one in doubt at a time -------------------------- */

/* May PostgreSQL have (set, quorum) while the log has (lset, lquorum)? */
#define COEXIST(set, quorum, lset, lquorum, p) \
	((quorum) + HAS(lset, p) >= \
	(lquorum) + SIZE(WITHOUT(set, lset)))

#define NAMES_RULE(s, k, e) COEXIST(s | names[e], MIN(k, any[e]), \
	knows_set[e], knows_quorum[e], primary[e])
#if defined(M_LOOSENFIRST)	/* a lower quorum in PostgreSQL first */
#define MAY_NAME(s, k, e) (k < any[e] || NAMES_RULE(s, k, e))
#elif defined(M_ADDPGFIRST)	/* another standby in PostgreSQL first */
#define MAY_NAME(s, k, e) ((k == any[e] && (s & names[e]) == names[e]) || \
	NAMES_RULE(s, k, e))
#elif defined(M_NOMIX)		/* the new setting alone is looked at */
#define MAY_NAME(s, k, e) COEXIST(s, k, knows_set[e], knows_quorum[e], \
	primary[e])
#else
#define MAY_NAME(s, k, e) NAMES_RULE(s, k, e)
#endif
inline set_names(s, k, e)
{
	d_step {
		e <= epoch && lives[e] && put[e] == 0 &&
		old_names[e] == names[e] && old_any[e] == any[e] &&
		(s != names[e] || k != any[e]) && !HAS(s, primary[e]) &&
		MAY_NAME(s, k, e) ->
		old_names[e] = names[e];
		old_any[e] = any[e];
		names[e] = s;
		any[e] = k
	}
}

inline reloaded(e)
{
	d_step {
		old_names[e] != names[e] || old_any[e] != any[e] ->
		old_names[e] = names[e];
		old_any[e] = any[e]
	}
}

#define PUT_RULE(s, k, e) COEXIST(names[e] | old_names[e], \
	MIN(any[e], old_any[e]), s, k, primary[e])
#ifdef M_LOGFIRST		/* the log drops a standby first */
#define MAY_PUT(s, k, e) ((k == knows_quorum[e] && \
	(s & knows_set[e]) == s) || PUT_RULE(s, k, e))
#else
#define MAY_PUT(s, k, e) PUT_RULE(s, k, e)
#endif
/* Rule 2: a quorum of the new set has confirmed all that was acknowledged. */
#define IS_UP(e, n) (connected[LINK(e, n)] && flushed[LINK(e, n)] >= OLDEST(e))
#define UP_0(s, e) (HAS(s, 0) && IS_UP(e, 0))
#define UP_1(s, e) (HAS(s, 1) && IS_UP(e, 1))
#define UP_2(s, e) (HAS(s, 2) && IS_UP(e, 2))
#if NODES == 4
#define UP_3(s, e) (HAS(s, 3) && IS_UP(e, 3))
#else
#define UP_3(s, e) 0
#endif
#ifdef M_NOCATCHUP
#define CAUGHT_UP(s, k, e) true
#else
#define CAUGHT_UP(s, k, e) (UP_0(s, e) + UP_1(s, e) + UP_2(s, e) + \
	UP_3(s, e) >= k)
#endif
inline propose_put(s, k, e)
{
	d_step {
		e <= epoch && lives[e] && put[e] == 0 &&
		(s != knows_set[e] || k != knows_quorum[e]) &&
		!HAS(s, primary[e]) && MAY_PUT(s, k, e) && CAUGHT_UP(s, k, e) ->
		put[e] = IN_FLIGHT;
		put_set[e] = s;
		put_quorum[e] = k
	}
}

#ifdef M_PUTNOEPOCH		/* rule 4: sync.put names its epoch */
#define PUT_STANDS(e) true
#else
#define PUT_STANDS(e) (e == epoch)
#endif
inline commit_put(e)
{
	d_step {
		put[e] == IN_FLIGHT && PUT_STANDS(e) ->
		log_set = put_set[e];
		log_quorum = put_quorum[e];
		put[e] = COMMITTED;
		unchanged = 0
	}
}

inline apply_put(e)
{
	d_step {
		put[e] == COMMITTED ->
		put[e] = 0;
		knows_set[e] = put_set[e];
		knows_quorum[e] = put_quorum[e];
		put_set[e] = 0;
		put_quorum[e] = 0
	}
}

/* ---- ground Y ------------------------------------------------------------------------------------- */

inline look()
{
	d_step {
		epoch < EPOCHS && log_set != 0 && (!unchanged || answered != 0) ->
		seen_set = log_set;
		seen_quorum = log_quorum;
		unchanged = 1;
		answered = 0
	}
}

/* Rule 18: the fence is durable, streaming has ended, only then the position is
 * read and answered. A fenced node's position does not change any more. */
#define IS_ASKED(n) (epoch < EPOCHS && HAS(seen_set, n) && \
	!HAS(answered, n) && !(lives[epoch] && primary[epoch] == n))
#ifdef M_LSNEARLY
byte read_early[NODES];
#define POSITION(n) read_early[n]
inline read_position(n)
{
	d_step {
		IS_ASKED(n) && fenced[n] < epoch ->
		read_early[n] = end[n];
		fenced[n] = epoch
	}
}
#define ANSWERS(n) (fenced[n] >= epoch)
#else
#define POSITION(n) end[n]
#define ANSWERS(n) true
#endif
inline fence(n)
{
	d_step {
		IS_ASKED(n) && ANSWERS(n) ->
		fenced[n] = epoch;
#ifndef M_NOSTOP
		source[n] = 0;
#endif
		answered = answered | (1 << n)
	}
}

/* Rule 20: the furthest is that of the newest timeline first. */
#ifdef M_LSNONLY
#define RANK(n) POSITION(n)
#else
#define RANK(n) (16 * timeline[n] + POSITION(n))
#endif
#define NOT_BEHIND(n, m) (!HAS(answered, m) || RANK(m) <= RANK(n))
#if NODES == 4
#define FURTHEST(n) (NOT_BEHIND(n, 0) && NOT_BEHIND(n, 1) && \
	NOT_BEHIND(n, 2) && NOT_BEHIND(n, 3))
#else
#define FURTHEST(n) (NOT_BEHIND(n, 0) && NOT_BEHIND(n, 1) && NOT_BEHIND(n, 2))
#endif
#ifdef M_NMINUSK
#define NEEDED (SIZE(seen_set) - seen_quorum)
#else
#define NEEDED (SIZE(seen_set) - seen_quorum + 1)
#endif
#ifdef M_NOCAS
#define UNCHANGED true
#else
#define UNCHANGED unchanged
#endif

/* Rule 5: the assignment leaves the log's set as it is, the new primary in it;
 * it promotes with ANY quorum (the others) in effect. */
inline promote(n)
{
	epoch++;
	primary[epoch] = n;
	lives[epoch] = 1;
	written[epoch] = end[n];
	begins[epoch] = end[n];
	if
	:: timeline[n] == 1 -> has_1[epoch] = end[n]; has_2[epoch] = 0
	:: else ->
		has_1[epoch] = has_1[timeline[n]];
		has_2[epoch] = end[n]
	fi;
	timeline[n] = epoch;
	source[n] = 0;
	acked[epoch] = 0;
#ifdef M_FIRSTSET		/* the others are the log's set at once */
	log_set = WITHOUT(seen_set, 1 << n);
	log_quorum = MIN(seen_quorum, SIZE(log_set));
#endif
	names[epoch] = WITHOUT(log_set, 1 << n);
	any[epoch] = log_quorum;
#ifdef LESS_ONE
	any[epoch] = log_quorum - 1;
	names[epoch] = (any[epoch] == 0 -> 0 : names[epoch]);
#endif
#ifdef M_FIRSTALONE		/* it acknowledges alone at first */
	names[epoch] = 0;
	any[epoch] = 0;
#endif
	old_names[epoch] = names[epoch];
	old_any[epoch] = any[epoch];
	knows_set[epoch] = log_set;
	knows_quorum[epoch] = log_quorum;
	put[epoch] = 0;
	answered = 0;
	unchanged = 0;
	seen_set = 0;
	seen_quorum = 0;
	assert(NOTHING_LOST)
}

inline ground_Y(n)
{
	d_step {
		epoch < EPOCHS && HAS(answered, n) &&
		SIZE(answered & seen_set) >= NEEDED && UNCHANGED &&
		FURTHEST(n) ->
		promote(n)
	}
}

#ifdef M_SLOWANY	/* rule 6: the old primary is dead, any of the set will do */
inline slow_way(n)
{
	d_step {
		epoch < EPOCHS && !lives[epoch] && HAS(log_set, n) &&
		primary[epoch] != n ->
		seen_set = log_set;
		seen_quorum = log_quorum;
		fenced[n] = epoch;
		promote(n)
	}
}
#endif

#ifdef M_WIPE		/* rule 19: its data goes back, and it stays in the set */
inline wipe(n)
{
	d_step {
		epoch == 1 && end[n] > 0 ->
		end[n] = 0;
		source[n] = 0;
		timeline[n] = 1
	}
}
#endif

/* ---- the steps ---------------------------------------------------------------------------------------- */

#define PRIMARY(e) \
	:: write(e) :: acknowledge(e) :: die(e) :: reloaded(e) \
	:: commit_put(e) :: apply_put(e)
#define NODE(n) :: stream(n) :: restart(n) :: fence(n) :: ground_Y(n) \
	:: follow(n, 1) :: follow(n, 2)
#define CHANGE(s, k, e) :: set_names(s, k, e) :: propose_put(s, k, e)
#if NODES == 4
#define CHANGES_IN(e) CHANGE(0, 0, e) CHANGE(2, 1, e) CHANGE(4, 1, e) \
	CHANGE(8, 1, e) CHANGE(6, 1, e) CHANGE(6, 2, e) CHANGE(10, 1, e) \
	CHANGE(10, 2, e) CHANGE(12, 1, e) CHANGE(12, 2, e) \
	CHANGE(14, 1, e) CHANGE(14, 2, e)
#else
#define CHANGES_IN(e) CHANGE(0, 0, e) CHANGE(1, 1, e) CHANGE(2, 1, e) \
	CHANGE(4, 1, e) CHANGE(3, 1, e) CHANGE(3, 2, e) CHANGE(5, 1, e) \
	CHANGE(5, 2, e) CHANGE(6, 1, e) CHANGE(6, 2, e)
#endif

init {
	d_step {
		primary[1] = 0;
		lives[1] = 1;
		names[1] = SET;
		any[1] = QUORUM;
		old_names[1] = SET;
		old_any[1] = QUORUM;
		knows_set[1] = SET;
		knows_quorum[1] = QUORUM;
		for (i : 0 .. NODES - 1) {
			timeline[i] = 1;
			source[i] = (i > 0);
			connected[LINK(1, i)] = (i > 0)
		}
	}
	do
	PRIMARY(1) PRIMARY(2)
	NODE(0) NODE(1) NODE(2)
#if NODES == 4
	NODE(3)
#endif
#if EPOCHS == 3
	PRIMARY(3)
	:: follow(0, 3)
	:: follow(1, 3)
	:: follow(2, 3)
#if NODES == 4
	:: follow(3, 3)
#endif
#endif
#if CHANGES >= 1
	CHANGES_IN(1)
#endif
#if CHANGES >= 2
	CHANGES_IN(2)
#endif
	:: look()
#ifdef M_LSNEARLY
	:: read_position(0)
	:: read_position(1)
	:: read_position(2)
#endif
#ifdef M_SLOWANY
	:: slow_way(1)
#endif
#ifdef M_WIPE
	:: wipe(1)
#endif
	od
}
