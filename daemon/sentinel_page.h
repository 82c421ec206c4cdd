/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the daemon and its sentinel share: one page of memory (a memfd of
 * sealed size) and the datagrams on the sentinel's socket.
 *
 * A daemon may be newer than the sentinel that it attaches to: fields are only
 * ever added at the end, and a change of meaning raises the version.
 */
#ifndef MT_DAEMON_SENTINEL_PAGE_H
#define MT_DAEMON_SENTINEL_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#define MT_SENTINEL_MAGIC 0x4d545331u /* "MTS1" */
#define MT_SENTINEL_VERSION 1u

/* From SIGQUIT to SIGKILL, and the bound from deadline to the last SIGKILL:
 * the deadline must stand this long before the lease's end. */
#define MT_SENTINEL_QUIT_MS 100
#define MT_SENTINEL_ALLOWANCE_MS 250

/* How long children may outlive a postmaster that ended in good order. */
#define MT_SENTINEL_LINGER_MS 500

enum mt_sentinel_state {
	MT_SENTINEL_STARTING = 1, /* the postmaster has not been executed yet */
	MT_SENTINEL_WATCHING,     /* all is well, armed or not */
	MT_SENTINEL_QUITTING,     /* deadline over: SIGQUIT has been sent */
	MT_SENTINEL_LINGERING,    /* postmaster gone, waiting for children */
	MT_SENTINEL_KILLING,      /* SIGKILL to all until none is left */
	MT_SENTINEL_ENDED,        /* no process is left; the sentinel leaves */
};

enum mt_sentinel_flag {
	MT_SENTINEL_LOCKED = 1 << 0,   /* its memory cannot be paged out */
	MT_SENTINEL_REALTIME = 1 << 1, /* it runs with real-time priority */
	MT_SENTINEL_NO_OOM = 1 << 2,   /* the kernel will not pick it */
	MT_SENTINEL_FOREIGN = 1 << 3,  /* it watches what it did not start */
};

/* exit_status when nobody knows: foreign postmaster, or none has ended. */
#define MT_SENTINEL_STATUS_UNKNOWN (-1)

/* Times are mt_clock_ms() unless they say wall; 0 = has not happened. */
struct mt_sentinel_page {
	uint32_t magic;
	uint32_t version;
	uint32_t bytes; /* of this struct, at the writer's */
	uint32_t flags; /* enum mt_sentinel_flag */
	int32_t sentinel_pid;
	int32_t postmaster_pid;
	uint64_t postmaster_ticks;   /* its start, /proc/PID/stat field 22 */
	_Atomic int64_t deadline_ms; /* daemon writes; counts when armed */
	_Atomic uint32_t armed;      /* daemon writes, after deadline_ms */
	_Atomic uint32_t state;      /* enum mt_sentinel_state */
	_Atomic uint64_t owner;      /* number of the attached daemon */
	_Atomic int64_t fired_ms;    /* the deadline was found to be over */
	_Atomic int64_t fired_wall_ms;
	_Atomic int64_t ended_ms;    /* all are gone */
	_Atomic int32_t exit_status; /* postmaster's, as waitpid gives it */
	_Atomic uint32_t killed;     /* SIGKILLs that were sent */
};

/* Datagrams, SOCK_SEQPACKET. A daemon asks ATTACH (a bare connection does not
 * replace anybody); the sentinel answers HELLO with three descriptors: page,
 * pidfd of the sentinel, pidfd of the postmaster. ENDED or FAILED is the last
 * thing that it says. KICK: the page was armed or its deadline moved nearer. */
enum mt_sentinel_kind {
	MT_SENTINEL_ATTACH = 1, /* daemon to sentinel */
	MT_SENTINEL_KICK,       /* daemon to sentinel */
	MT_SENTINEL_HELLO,      /* sentinel to daemon, with descriptors */
	MT_SENTINEL_FAILED,     /* sentinel to daemon: text says why */
	MT_SENTINEL_OVER,       /* sentinel to daemon: state is ENDED */
};

#define MT_SENTINEL_FDS 3

struct mt_sentinel_msg {
	uint32_t magic;
	uint16_t version;
	uint16_t kind;  /* enum mt_sentinel_kind */
	uint64_t owner; /* HELLO: the number of this attachment */
	char text[256]; /* FAILED: one line, NUL-terminated */
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "the page needs lock-free atomics");
_Static_assert(sizeof(struct mt_sentinel_page) == 88, "layout is shared");

#endif
