/* SPDX-License-Identifier: PostgreSQL */
/*
 * The lease of promises: who may be primary until when. doc/protocol.md has
 * the rules in words, lib/core/{lease,keep,controller,apply}.c in C; the number
 * at each rule here is that of the table at the end of this comment.
 *
 * Three voters, of which the first DATA run PostgreSQL and the rest are
 * witnesses. Node 0 holds epoch 1. One process takes one step after the other:
 * support, fence, assign, release, restart, late apply, exemption, time. What
 * may be late or lost is a step that is taken late or never.
 *
 * Where the code could do several things the model does the worst of them:
 *  - A request travels in no time. One that was on its way makes the voter
 *    promise as long, and is worth less to the holder. Answers too, unless
 *    DELAY is defined: then they fly, and age.
 *  - There is no controller. Whatever a controller could do, also a deposed
 *    one that knows nothing, happens at any time; the answers to all of them
 *    are in one pot. The log alone is one: an assignment compares and sets.
 *  - What is written and fsynced before an answer is one step with it: a node
 *    that restarts in between has not answered, and is only stricter.
 *  - The holder asks as long as it believes to hold the turn. The code asks
 *    only with a fit PostgreSQL, and stops that one well before lease[] says.
 *
 * Invariant: at most one node may write (ONE_PRIMARY). With PATIENCE also: no
 * fence reaches a majority while the lease of the holder lives.
 *
 * Bounds, by -D: DATA, EPOCHS, TTL, MARGIN; WANDER = bits of the nodes whose
 * clock wanders, by one unit to and fro; DELAY; NORESTART and NORELEASE leave
 * those steps out, NOFALLBACK keeps applied[] over restarts. Extensions by -D:
 *	TTL2=n	assignments choose TTL or TTL2, epoch 1 has TTL (rule 10)
 *	EXEMPT	leader.exempt, as a pause uses it (rule 21)
 *	SYNC	ground Y beside the timed lease; sync.pml shows that whom Y
 *		displaces acknowledges nothing any more
 *
 *  7 given_up		M_NOGIVEUP M_GUVOLATILE M_LATEREL
 *  8 one promise		M_PEREPOCH
 * 10 ttl of the epoch	M_VOTERTTL M_BOOTTTL M_LOWERTTL
 * 14 margin		M_NOMARGIN M_FROMASK M_FROMRECV
 * 15 own rounds		M_STALE
 * 16 answers keyed		M_MASKKEPT (three epochs)
 * 17 no own shortcut	M_SELFBYPASS
 * 21 exemptions		M_EXEMPTFIRST M_EXEMPTIGNORED M_EXEMPTLOST
 *			M_EXEMPTOLD M_CLEARFIRST M_CLEARANY
 * 25 the voter judges	M_NOREFUSE (PATIENCE) M_NOWAIT
 * fence on disk		M_NODURABLE; boot hold M_NOBOOT; majority M_MINORITY
 * ground Y		M_YRELEASE M_YCONTINUED M_YNOMODE
 */
#ifndef DATA
#define DATA 2
#endif
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifndef TTL
#define TTL 2
#endif
#ifndef MARGIN
#define MARGIN 0
#endif
#ifndef WANDER
#define WANDER 0
#endif
#define VOTERS 3
#define LINK(n, v) ((n) * VOTERS + (v))
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define MIN(a, b) ((a) < (b) -> (a) : (b))

/* ---- state: the committed log ----------------------------------------- */

byte epoch = 1;			/* of the last leader.assign */
byte holder[EPOCHS + 1];	/* by epoch */
bit released;			/* leader.release of the epoch */
bit releasing;			/* ... is proposed, and may yet be committed */

/* ---- state: each voter -------------------------------------------------- */

byte applied[VOTERS];		/* 2e: up to the assignment of e, 2e+1: and
				 * up to its release */
byte fenced[VOTERS];		/* durable */
byte promise[VOTERS];		/* what is left of it, by the own clock */
byte answer[VOTERS];		/* to a fence of the epoch; see below */
#define NO_ANSWER 0
#define WITH_LEFT 1		/* fenced, and something was promised still */
#define NOTHING_LEFT 2		/* fenced, and nothing was promised any more */
bit fast[VOTERS];		/* this clock is one unit ahead */

/* ---- state: each data node, as holder -------------------------------------- */

byte given_up[DATA];		/* durable */
byte lease[DATA];		/* PostgreSQL may write while > 0. It is kept by
				 * the sentinel, so that a restart of the
				 * daemon leaves it alone. */
byte confirmed[DATA * VOTERS];	/* what the newest asking that this voter has
				 * confirmed is still worth */
#ifdef DELAY
byte flying[DATA * VOTERS];	/* the same, of an answer on its way */
#endif
byte i, h, ahead;		/* of one step, 0 or the same again after it */

/* ---- ttl: rule 10, an assignment fixes it for its epoch ------------------------- */

#ifdef TTL2
byte ttl[EPOCHS + 1];
byte max_ttl[VOTERS];		/* durable: no longer promise was given since */
#define TTL_OF(e) ttl[e]
#define TTL_LONG MAX(TTL, TTL2)
#define TTL_SHORT MIN(TTL, TTL2)
#else
#define TTL_OF(e) TTL
#endif
#if !defined(TTL2)
#define BOOT_HOLD(v) TTL
#elif defined(M_BOOTTTL)	/* the ttl that happens to be in the state */
#define BOOT_HOLD(v) ttl[EPOCH_OF(v)]
#else
#define BOOT_HOLD(v) max_ttl[v]
#endif
#ifdef M_NOMARGIN
#define WORTH(e) TTL_OF(e)
#else
#define WORTH(e) (TTL_OF(e) - MARGIN)	/* rule 14 */
#endif
#if defined(M_VOTERTTL)		/* the voter's own idea of the ttl */
#define PROMISED(n, v) TTL_OF(EPOCH_OF(v))
#elif defined(M_FROMASK)	/* from the asker's stamp; its clock is behind */
#define PROMISED(n, v) (TTL_OF(EPOCH_OF(n)) - 1)
#else
#define PROMISED(n, v) TTL_OF(EPOCH_OF(n))
#endif

/* ---- who holds, who supports ------------------------------------------------------ */

#define EPOCH_OF(n) (applied[n] / 2)
#define SAW_RELEASE(n) (applied[n] % 2)
/* Rule 7: what was given up is never asked for again. */
#define HOLDS(n) (holder[EPOCH_OF(n)] == n && !SAW_RELEASE(n) && \
	EPOCH_OF(n) > given_up[n])
#ifdef M_SELFBYPASS
#define UNFENCED(n, v) (v == n || EPOCH_OF(n) > fenced[v])
#else
#define UNFENCED(n, v) (EPOCH_OF(n) > fenced[v])	/* rule 17 */
#endif
#define SUPPORTS(v, n) (UNFENCED(n, v) && applied[v] <= 2 * EPOCH_OF(n))

/* The best that two of three have confirmed. */
#ifdef M_MINORITY
#define OF_MAJORITY(a, b, c) MAX(a, MAX(b, c))
#else
#define OF_MAJORITY(a, b, c) MAX(MIN(a, b), MIN(MAX(a, b), c))
#endif

#ifdef EXEMPT
bit unarmed[DATA];		/* its sentinel stops nothing, lease or not */
#define UNARMED(n) unarmed[n]
#else
#define UNARMED(n) 0
#endif
#ifdef SYNC
bit displaced[DATA];		/* by ground Y: it cannot acknowledge */
#define DISPLACED(n) displaced[n]
#else
#define DISPLACED(n) 0
#endif
#define WRITES(n) ((lease[n] > 0 || UNARMED(n)) && !DISPLACED(n))
#if DATA == 3
#define ONE_PRIMARY (WRITES(0) + WRITES(1) + WRITES(2) <= 1)
#else
#define ONE_PRIMARY (WRITES(0) + WRITES(1) <= 1)
#endif

/* ---- support --------------------------------------------------------------------------- */

/* The open rounds are void: another epoch, a restart, a release. */
inline void_rounds(n)
{
	for (i : 0 .. VOTERS - 1) {
		confirmed[LINK(n, i)] = 0
#ifdef DELAY
#ifndef M_STALE
		; flying[LINK(n, i)] = 0
#endif
#endif
	}
}

inline confirm(n, v, worth)
{
	confirmed[LINK(n, v)] = MAX(confirmed[LINK(n, v)], worth);
	lease[n] = MAX(lease[n], OF_MAJORITY(confirmed[LINK(n, 0)],
	    confirmed[LINK(n, 1)], confirmed[LINK(n, 2)]));
	assert(ONE_PRIMARY)
}

#ifdef M_PEREPOCH
byte promised_to[VOTERS];	/* the newest epoch that it supported */
#endif

/* Rule 8: one deadline, whatever it was promised for, and never earlier. */
inline promise_to(n, v)
{
	promise[v] = MAX(promise[v], PROMISED(n, v));
#ifdef TTL2
	max_ttl[v] = MAX(max_ttl[v], PROMISED(n, v));
#endif
#ifdef M_PEREPOCH
	promised_to[v] = EPOCH_OF(n);
#endif
}

inline support_self(n)
{
	d_step {
		HOLDS(n) && SUPPORTS(n, n) ->
		promise_to(n, n);
		confirm(n, n, WORTH(EPOCH_OF(n)))
	}
}

inline support(n, v)
{
	d_step {
		HOLDS(n) && SUPPORTS(v, n) ->
		promise_to(n, v);
#ifdef DELAY
		flying[LINK(n, v)] = WORTH(EPOCH_OF(n))
#else
		confirm(n, v, WORTH(EPOCH_OF(n)))
#endif
	}
}

/* The lease counts from the asking, whenever the answer arrives. An answer is
 * matched to its round; M_STALE takes it for one to the newest. */
#ifdef DELAY
#if defined(M_FROMRECV) || defined(M_STALE)
#define ARRIVED(n, v) WORTH(EPOCH_OF(n))
#else
#define ARRIVED(n, v) flying[LINK(n, v)]
#endif
inline arrive(n, v)
{
	d_step {
		HOLDS(n) && flying[LINK(n, v)] > 0 ->
		confirm(n, v, ARRIVED(n, v));
		flying[LINK(n, v)] = 0
	}
}
#endif

/* max_ttl is lowered only while what is promised is not longer. */
#ifdef TTL2
#ifdef M_LOWERTTL
#define MAY_LOWER(v) true
#else
#define MAY_LOWER(v) (promise[v] <= TTL_SHORT)
#endif
inline lower_ttl(v)
{
	d_step {
		max_ttl[v] > TTL_SHORT && MAY_LOWER(v) ->
		max_ttl[v] = TTL_SHORT
	}
}
#endif

/* ---- fence ------------------------------------------------------------------------------- */

#ifdef M_PEREPOCH
#define LEFT(v) (promised_to[v] == epoch -> promise[v] : 0)
#else
#define LEFT(v) promise[v]
#endif
/* Rule 25: the voter refuses while it has promised something. */
#if defined(M_NOREFUSE) || defined(M_NOWAIT)
#define REFUSES(v) false
#else
#define REFUSES(v) (LEFT(v) > 0)
#endif
#define FENCED(v) (fenced[v] >= epoch)
#ifdef PATIENCE
#define PATIENT (FENCED(0) + FENCED(1) + FENCED(2) < 2 || \
	lease[holder[epoch]] == 0)
#else
#define PATIENT true
#endif

inline fence(v)
{
	d_step {
		!FENCED(v) && !REFUSES(v) ->
		fenced[v] = epoch;
		assert(PATIENT)
	}
}

/* The answer tells what is left of the promise when it is given, the fence
 * being on disk. It is of this epoch (16), and counts with nothing left. */
#ifdef M_NOWAIT
#define ANSWER_OF(v) NOTHING_LEFT
#else
#define ANSWER_OF(v) (LEFT(v) == 0 -> NOTHING_LEFT : WITH_LEFT)
#endif
inline answer_fence(v)
{
	d_step { FENCED(v) -> answer[v] = MAX(answer[v], ANSWER_OF(v)) }
}
#define COUNTS(v, a) (answer[v] >= a)
#define MAJORITY(a) (COUNTS(0, a) + COUNTS(1, a) + COUNTS(2, a) >= 2)

/* ---- exemption: rule 21 ------------------------------------------------------------------- */

/*
 * exempt is the number of the leader.exempt that stands, 0 without. The holder
 * takes its sentinel's deadline away only on one that this incarnation of it
 * proposed, that is committed, and of which it has proposed no clearing; it
 * proposes the clearing, of just that number, when it is armed again. An
 * exemption goes on with the turn, over ground C.
 */
#ifdef EXEMPT
#define EXEMPTS 2
byte exempt;			/* the log */
byte exempts;			/* so many were committed */
bit exempting;			/* proposed by holder[epoch], in flight */
byte clearing;			/* the number in a clearing in flight */
bit asked[DATA];		/* this incarnation proposed that one */
byte granted[DATA];		/* and was given that number */

inline propose_exempt(n)
{
	d_step {
		HOLDS(n) && EPOCH_OF(n) == epoch && lease[n] > 0 &&
		!exempting && exempts < EXEMPTS && epoch < EPOCHS ->
		exempting = 1;
		asked[n] = 1;
#ifdef M_EXEMPTFIRST
		unarmed[n] = 1;
#endif
	}
}

inline commit_exempt()
{
	d_step {
		exempting && !released ->
		exempting = 0;
		exempts++;
		exempt = exempts;
		h = holder[epoch];
		if
		:: asked[h] -> granted[h] = exempt; asked[h] = 0
		:: else
		fi;
		h = 0
	}
}

#ifdef M_EXEMPTOLD	/* any that stands, though its clearing may be on its way */
#define MAY_DISARM(n) (exempt != 0 && holder[epoch] == n && HOLDS(n))
#else
#define MAY_DISARM(n) (granted[n] != 0)
#endif
inline disarm(n)
{
	d_step { MAY_DISARM(n) && lease[n] > 0 -> unarmed[n] = 1 }
}

inline arm(n)
{
	d_step { unarmed[n] && lease[n] > 0 -> unarmed[n] = 0 }
}

#ifdef M_CLEARFIRST
#define IS_ARMED(n) true
#else
#define IS_ARMED(n) (!unarmed[n])
#endif
inline propose_clear(n)
{
	d_step {
		HOLDS(n) && EPOCH_OF(n) == epoch && IS_ARMED(n) &&
		exempt != 0 && clearing == 0 ->
		clearing = exempt;
		granted[n] = 0
	}
}

#ifdef M_CLEARANY
#define CLEARS exempt != 0
#else
#define CLEARS clearing == exempt
#endif
inline commit_clear()
{
	d_step {
		clearing != 0 ->
		if
		:: CLEARS -> exempt = 0
		:: else
		fi;
		clearing = 0
	}
}

/* What was proposed under the old epoch is refused from now on. */
inline exempt_assigned(continues)
{
	exempting = 0;
	clearing = 0;
	for (i : 0 .. DATA - 1) { asked[i] = 0 };
	i = VOTERS;
#ifdef M_EXEMPTLOST
	exempt = 0
#else
	if
	:: continues
	:: else -> exempt = 0
	fi
#endif
}
#define EXEMPTION exempt
#else
#define EXEMPTION 0
#endif

#ifdef M_EXEMPTIGNORED
#define NOT_EXEMPT true
#else
#define NOT_EXEMPT (EXEMPTION == 0)
#endif

/* ---- assignment ------------------------------------------------------------------------------ */

#ifdef SYNC
bit synchronous = 1;		/* the mode, in the log */
bit displaces;			/* there was Y, and no wait for promises since */
#endif

inline assign(to, t, continues)
{
#ifndef M_MASKKEPT
	for (i : 0 .. VOTERS - 1) { answer[i] = NO_ANSWER };
#endif
#ifdef EXEMPT
	exempt_assigned(continues);
#endif
	epoch++;
	holder[epoch] = to;
#ifdef TTL2
	ttl[epoch] = t;
#endif
	released = 0;
	releasing = 0
}

/* The exception that ground Y makes ends with the next holder of a mode without
 * synchronous standbys, and for whoever becomes holder again. */
inline undisplace(to)
{
#ifdef SYNC
	displaced[to] = 0;
	if
	:: !synchronous ->
		for (i : 0 .. DATA - 1) { displaced[i] = 0 };
		i = VOTERS;
		displaces = 0
	:: else
	fi;
	assert(ONE_PRIMARY)
#else
	skip
#endif
}

/* N: a majority fenced, each with nothing left of its promise. */
inline ground_N(to, t)
{
	d_step {
		epoch < EPOCHS && MAJORITY(NOTHING_LEFT) && NOT_EXEMPT ->
		assign(to, t, false);
		undisplace(to)
	}
}

/* R: the holder's own release is committed. After Y it is not enough alone. */
#if !defined(SYNC) || defined(M_YRELEASE)
#define RELEASE_SUFFICES true
#else
#define RELEASE_SUFFICES \
	(synchronous || !displaces || MAJORITY(NOTHING_LEFT))
#endif
inline ground_R(to, t)
{
	d_step {
		epoch < EPOCHS && released && RELEASE_SUFFICES ->
		assign(to, t, false);
		undisplace(to)
	}
}

/* C: the same holder again, without any wait: after a half-done fence, and for
 * another ttl. The lease goes on. */
inline ground_C(t)
{
	d_step {
		epoch < EPOCHS && !released ->
		h = holder[epoch];
		assign(h, t, true);
#ifdef M_YCONTINUED
		displaces = 0;
#endif
		h = 0
	}
}

#ifdef SYNC
/* Y: a majority of the voters is fenced, promises or not; the new holder is
 * one of the synchronous standbys, fenced too (sync.pml counts those). A fence
 * of this kind is not refused. It compares the mode where it is applied. */
inline fence_sync(v)
{
	d_step { synchronous && !FENCED(v) -> fenced[v] = epoch }
}

#ifdef M_YNOMODE
#define MODE_STANDS true
#else
#define MODE_STANDS synchronous
#endif
inline ground_Y(to, t)
{
	d_step {
		epoch < EPOCHS && MODE_STANDS && MAJORITY(WITH_LEFT) &&
		COUNTS(to, WITH_LEFT) && to != holder[epoch] && NOT_EXEMPT ->
		h = holder[epoch];
		displaced[h] = synchronous;
		h = 0;
		displaces = 1;
		assign(to, t, false);
		displaced[to] = 0;
		assert(ONE_PRIMARY)
	}
}
#endif

/* ---- release: rule 7 ------------------------------------------------------------------------- */

/* PostgreSQL is stopped, given_up is on disk, then it is proposed, and proposed
 * again until the log shows it: that is to say, it stays in flight. */
inline release(n)
{
	d_step {
		HOLDS(n) && EPOCH_OF(n) == epoch && !released && !releasing ->
		lease[n] = 0;
		void_rounds(n);
#ifdef EXEMPT
		unarmed[n] = 0;
		granted[n] = 0;
		asked[n] = 0;
#endif
#ifndef M_NOGIVEUP
		given_up[n] = epoch;
#endif
		releasing = 1
	}
}

inline commit_release()
{
	d_step { releasing -> releasing = 0; released = 1 }
}

#ifdef M_LATEREL	/* it takes its release for lost, and goes on */
inline take_back(n)
{
	d_step {
		releasing && given_up[n] == epoch && holder[epoch] == n ->
		given_up[n] = epoch - 1
	}
}
#endif

/* ---- apply, late; restart ------------------------------------------------------------------------ */

inline apply_assign(v)
{
	d_step {
		EPOCH_OF(v) < epoch ->
		applied[v] = 2 * (EPOCH_OF(v) + 1);
		if
		:: v < DATA -> void_rounds(v)
		:: else
		fi
	}
}

inline apply_release(v)
{
	d_step {
		applied[v] == 2 * epoch && released ->
		applied[v] = 2 * epoch + 1;
		if
		:: v < DATA -> void_rounds(v)
		:: else
		fi
	}
}

/* The daemon restarts, what it had in memory is gone, and what it has applied
 * falls back to any earlier assignment (0: it does not). PostgreSQL runs on
 * under its sentinel. */
inline restart(v, e)
{
	d_step {
		e <= EPOCH_OF(v) ->
		if
		:: e > 0 -> applied[v] = 2 * e
		:: else
		fi;
#ifdef M_NOBOOT
		promise[v] = 0;
#else
		promise[v] = BOOT_HOLD(v);
#endif
#ifdef M_PEREPOCH
		promised_to[v] = 0;
#endif
#ifdef M_NODURABLE
		fenced[v] = 0;
#endif
		if
		:: v < DATA ->
			void_rounds(v);
#ifdef M_GUVOLATILE
			given_up[v] = 0;
#endif
#ifdef EXEMPT
			asked[v] = 0;
			granted[v] = 0;
#endif
		:: else
		fi
	}
}

/* ---- time: rule 14 ------------------------------------------------------------------------------------ */

#define PASS(x) x = (x > ahead -> x - ahead : 0)

/* One unit passes. The clocks in the set go by two, or, if they are one ahead
 * already, stand still. */
inline tick(set)
{
	d_step {
		((set) & ~(WANDER)) == 0 ->
		for (h : 0 .. VOTERS - 1) {
			ahead = 1;
			if
			:: ((set) >> h) & 1 ->
				ahead = (fast[h] -> 0 : 2);
				fast[h] = 1 - fast[h]
			:: else
			fi;
			PASS(promise[h]);
			if
			:: h < DATA ->
				PASS(lease[h]);
				for (i : 0 .. VOTERS - 1) {
					PASS(confirmed[LINK(h, i)]);
#if defined(DELAY) && !defined(M_STALE)
					PASS(flying[LINK(h, i)]);
#endif
				}
			:: else
			fi
		};
		h = 0;
		ahead = 0;
		i = VOTERS
	}
}

/* ---- the steps: one a line, for each node, pair or choice --------------------------------------------------- */

#ifdef TTL2
#define ASSIGN_TO(n) \
	:: ground_N(n, TTL) :: ground_R(n, TTL) \
	:: ground_N(n, TTL2) :: ground_R(n, TTL2)
#define CONTINUE :: ground_C(TTL) :: ground_C(TTL2)
#define OF_TTL(v) :: lower_ttl(v)
#else
#define ASSIGN_TO(n) :: ground_N(n, TTL) :: ground_R(n, TTL)
#define CONTINUE :: ground_C(TTL)
#define OF_TTL(v)
#endif
#ifdef SYNC
#define SYNC_TO(n) :: ground_Y(n, TTL)
#define SYNC_FENCE(v) :: fence_sync(v)
#else
#define SYNC_TO(n)
#define SYNC_FENCE(v)
#endif
#ifdef DELAY
#define PAIR(n, v) :: support(n, v) :: arrive(n, v)
#else
#define PAIR(n, v) :: support(n, v)
#endif
#ifdef EXEMPT
#define EXEMPTION_OF(n) \
	:: propose_exempt(n) :: disarm(n) :: arm(n) :: propose_clear(n)
#else
#define EXEMPTION_OF(n)
#endif
#ifdef NORELEASE
#define RELEASE(n)
#else
#define RELEASE(n) :: release(n)
#endif
#define HOLDER(n) \
	:: support_self(n) RELEASE(n) ASSIGN_TO(n) SYNC_TO(n) EXEMPTION_OF(n)
#if defined(NORESTART)
#define RESTART(v)
#elif defined(NOFALLBACK)
#define RESTART(v) :: restart(v, 0)
#elif EPOCHS == 2
#define RESTART(v) :: restart(v, 0) :: restart(v, 1) :: restart(v, 2)
#else
#define RESTART(v) \
	:: restart(v, 0) :: restart(v, 1) :: restart(v, 2) :: restart(v, 3)
#endif
#define VOTER(v) \
	:: fence(v) :: answer_fence(v) :: apply_assign(v) :: apply_release(v) \
	RESTART(v) OF_TTL(v) SYNC_FENCE(v)

init {
	d_step {
		for (i : 0 .. VOTERS - 1) { applied[i] = 2 };
#ifdef TTL2
		ttl[1] = TTL;
#endif
	}
	do
	HOLDER(0) PAIR(0, 1) PAIR(0, 2)
	HOLDER(1) PAIR(1, 0) PAIR(1, 2)
#if DATA == 3
	HOLDER(2) PAIR(2, 0) PAIR(2, 1)
#endif
	VOTER(0) VOTER(1) VOTER(2)
	CONTINUE
	:: commit_release()
#ifdef SYNC
	:: d_step { synchronous -> synchronous = 0 }
#endif
#ifdef EXEMPT
	:: commit_exempt()
	:: commit_clear()
#endif
#ifdef M_LATEREL
	:: take_back(0)
	:: take_back(1)
#endif
	:: tick(0)
#if WANDER != 0
	:: tick(1)
	:: tick(2)
	:: tick(3)
	:: tick(4)
	:: tick(5)
	:: tick(6)
	:: tick(7)
#endif
	od
}
