/* SPDX-License-Identifier: PostgreSQL */
/*
 * raftsim: the raft simulator's command line.
 *
 *   raftsim --seeds A-B [--mode MODE] [--without GUARD]... [--with GUARD]...
 *   raftsim --seed N    the same with a trace
 *   raftsim --guards    each guard's regression: fails without, passes with
 *
 * MODE is static, membership (the default) or reckless, which has D9 off; GUARD
 * is D1 to D9.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "raftsim.h"

#define STEPS 300
#define SHOWN 20 /* failures of a kind */

static const char *const modes[] = {"static", "membership", "reckless"};

static const struct {
	const char *name;
	enum mt_guard guard;
} guards[] = {
    {"D1", MT_GUARD_SPLIT},         {"D2", MT_GUARD_LONE_VOTER},
    {"D3", MT_GUARD_BARRIER},       {"D4", MT_GUARD_PREV},
    {"D5", MT_GUARD_PRE_VOTE_TERM}, {"D6", MT_GUARD_STALE_RESULT},
    {"D7", MT_GUARD_VOTE_RESULT},   {"D8", MT_GUARD_SNAPSHOT_TWICE},
    {"D9", MT_GUARD_PROMOTION},
};

enum effect { EFFECT_UNSAFE, EFFECT_STUCK, EFFECT_DEATH };

/* Schedules that need their guard. D6, D7 and D8 are no matter of schedules:
 * see test/unit/consensus/check_driver.c. */
static const struct regression {
	const char *guard;
	enum raftsim_mode mode;
	uint64_t seed;
	enum effect effect;
	const char *why; /* begins with this */
} regressions[] = {
    {"D1", RAFTSIM_RECKLESS, 214, EFFECT_UNSAFE, "configuration"},
    {"D1", RAFTSIM_RECKLESS, 230, EFFECT_UNSAFE, "configuration"},
    {"D2", RAFTSIM_RECKLESS, 12, EFFECT_UNSAFE, "election safety"},
    {"D2", RAFTSIM_RECKLESS, 15, EFFECT_UNSAFE, "election safety"},
    {"D3", RAFTSIM_RECKLESS, 5748, EFFECT_UNSAFE, "leader completeness"},
    {"D3", RAFTSIM_RECKLESS, 12815, EFFECT_UNSAFE, "leader completeness"},
    {"D4", RAFTSIM_RECKLESS, 5859, EFFECT_DEATH, ""},
    {"D5", RAFTSIM_STATIC, 3009, EFFECT_STUCK, ""},
    {"D5", RAFTSIM_STATIC, 8189, EFFECT_STUCK, ""},
    {"D9", RAFTSIM_RECKLESS, 6, EFFECT_STUCK, ""},
    {"D9", RAFTSIM_RECKLESS, 18, EFFECT_STUCK, ""},
};

static unsigned
guard_named(const char *name)
{
	size_t i;

	for (i = 0; i < MT_COUNT(guards); i++)
		if (mt_streq(guards[i].name, name))
			return guards[i].guard;
	return 0;
}

/* Reckless changes are what MT_GUARD_PROMOTION would refuse. */
static unsigned
guards_of(enum raftsim_mode mode)
{
	return mode == RAFTSIM_RECKLESS
		   ? MT_GUARDS_ALL & ~(unsigned)MT_GUARD_PROMOTION
		   : MT_GUARDS_ALL;
}

/* ---- --guards ---- */

/* In a child, because without its guard libraft may crash. */
static int
run_apart(const struct raftsim_options *o, struct raftsim_result *r)
{
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) != 0 || (pid = fork()) < 0) {
		perror("raftsim");
		exit(2);
	}
	if (pid == 0) {
		close(fds[0]);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(2);
		raftsim_run(o, r);
		_exit(write(fds[1], r, sizeof *r) == (ssize_t)sizeof *r ? 0
									: 2);
	}
	close(fds[1]);
	*r = (struct raftsim_result){0};
	(void)!read(fds[0], r, sizeof *r);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static bool
has_effect(const struct regression *g, int status,
	   const struct raftsim_result *r)
{
	switch (g->effect) {
	case EFFECT_DEATH:
		return status != 0; /* by signal or sanitizer */
	case EFFECT_UNSAFE:
		return status == 0 && r->verdict == RAFTSIM_UNSAFE &&
		       strncmp(r->why, g->why, strlen(g->why)) == 0;
	case EFFECT_STUCK:
		return status == 0 && r->verdict == RAFTSIM_STUCK;
	}
	return false;
}

static int
run_guards(void)
{
	struct raftsim_result r;
	int failed = 0, status;
	size_t i;

	for (i = 0; i < MT_COUNT(regressions); i++) {
		const struct regression *g = &regressions[i];
		struct raftsim_options o = {
		    .seed = g->seed, .mode = g->mode, .steps = STEPS};
		bool needed, passed;

		o.guards = guards_of(g->mode) & ~guard_named(g->guard);
		status = run_apart(&o, &r);
		needed = has_effect(g, status, &r);
		printf("%s %s seed %llu without: %s\n", g->guard,
		       modes[g->mode], (unsigned long long)g->seed,
		       WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
		       : r.verdict == RAFTSIM_PASSED ? "passed"
						     : r.why);
		o.guards = guards_of(g->mode) | guard_named(g->guard);
		status = run_apart(&o, &r);
		passed = status == 0 && r.verdict == RAFTSIM_PASSED;
		printf("%s %s seed %llu with: %s\n", g->guard, modes[g->mode],
		       (unsigned long long)g->seed, passed ? "passed" : r.why);
		failed += !needed || !passed;
	}
	printf("%d of %zu regressions failed\n", failed, MT_COUNT(regressions));
	return failed != 0;
}

/* ---- seeds ---- */

static void
add(struct raftsim_result *sum, const struct raftsim_result *r)
{
	sum->events += r->events;
	sum->commits += r->commits;
	sum->elections += r->elections;
	sum->changes += r->changes;
	sum->crashes += r->crashes;
	sum->snapshots += r->snapshots;
	sum->installs += r->installs;
	sum->restarts += r->restarts;
}

static int
run_seeds(struct raftsim_options *o, uint64_t from, uint64_t to)
{
	struct raftsim_result r, sum = {0};
	uint64_t unsafe = 0, stuck = 0;
	double n = (double)(to - from + 1), seconds;
	struct timespec t0, t1;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (o->seed = from; o->seed <= to; o->seed++) {
		raftsim_run(o, &r);
		add(&sum, &r);
		unsafe += r.verdict == RAFTSIM_UNSAFE;
		stuck += r.verdict == RAFTSIM_STUCK;
		if ((r.verdict == RAFTSIM_UNSAFE && unsafe <= SHOWN) ||
		    (r.verdict == RAFTSIM_STUCK && stuck <= SHOWN))
			printf("seed %llu: %s\n", (unsigned long long)o->seed,
			       r.why);
		fflush(stdout);
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	seconds = (double)(t1.tv_sec - t0.tv_sec) +
		  (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("%s, seeds %llu to %llu: %llu unsafe, %llu stuck; %.0f "
	       "schedules/s; per schedule: %.0f events, %.0f commits, %.1f "
	       "elections, %.1f changes, %.1f crashes, %.1f snapshots, %.1f "
	       "restores, %.1f restarts in place\n",
	       modes[o->mode], (unsigned long long)from, (unsigned long long)to,
	       (unsigned long long)unsafe, (unsigned long long)stuck,
	       n / seconds, (double)sum.events / n, (double)sum.commits / n,
	       (double)sum.elections / n, (double)sum.changes / n,
	       (double)sum.crashes / n, (double)sum.snapshots / n,
	       (double)sum.installs / n, (double)sum.restarts / n);
	return unsafe != 0 || stuck != 0;
}

static int
usage(void)
{
	fputs("usage: raftsim --seeds A-B | --seed N | --guards\n"
	      "       [--mode static|membership|reckless] [--steps N]\n"
	      "       [--without D1..D9] [--with D9]"
	      " [--network ordered|any]\n",
	      stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	struct raftsim_options o = {.mode = RAFTSIM_MEMBERSHIP, .steps = STEPS};
	uint64_t from = 1, to = 0;
	unsigned with = 0, without = 0;
	char *end;
	int i;

	for (i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (mt_streq(argv[i], "--guards"))
			return run_guards();
		if (mt_streq(argv[i], "--seeds")) {
			from = strtoull(value, &end, 10);
			to = *end == '-' ? strtoull(end + 1, NULL, 10) : from;
		} else if (mt_streq(argv[i], "--seed")) {
			from = to = strtoull(value, NULL, 10);
			o.trace = true;
		} else if (mt_streq(argv[i], "--without")) {
			if (guard_named(value) == 0)
				return usage();
			without |= guard_named(value);
		} else if (mt_streq(argv[i], "--with")) {
			if (guard_named(value) == 0)
				return usage();
			with |= guard_named(value);
		} else if (mt_streq(argv[i], "--network")) {
			o.ordered = mt_streq(value, "ordered");
			if (!o.ordered && !mt_streq(value, "any"))
				return usage();
		} else if (mt_streq(argv[i], "--steps")) {
			o.steps = (unsigned)strtoul(value, NULL, 10);
		} else if (mt_streq(argv[i], "--mode")) {
			unsigned m = 0;

			while (m < MT_COUNT(modes) &&
			       !mt_streq(modes[m], value))
				m++;
			if (m == MT_COUNT(modes))
				return usage();
			o.mode = (enum raftsim_mode)m;
		} else {
			return usage();
		}
	}
	if (to < from)
		return usage();
	o.guards = (guards_of(o.mode) | with) & ~without;
	return run_seeds(&o, from, to);
}
