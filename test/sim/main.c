/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarch-sim: run the cluster simulator.
 *
 *   --seeds A-B       each seed of the range, on all processors; N is 1-N. Of
 *                     those that fail the first few are made smaller
 *   --seed N          one, with its trace; the same to the byte each time
 *   --liveness        drawn seeds heal for as long as it takes, and one fault
 *                     more and a loss come after that; else none lasts longer
 *                     than 30 simulated seconds
 *   --drift N         clocks run up to N percent wrong, not 1
 *   --keep 3,7,9      of its faults only these ("none": none)
 *   --schedule NAME   a written schedule (with --seed's number as its chance)
 *   --schedules       all of them
 *   --list            their names
 *   --lease           only what endangers the lease counts as a failure: what
 *                     a mutant has to die of
 *
 * Exit status: 0 all held, 1 a run failed, 2 wrong usage.
 */
#include "test/sim/shrink.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define SHOWN_MAX 10
#define SHRUNK_MAX 2 /* by each process */

struct result {
	uint64_t runs, failed;
	uint64_t first_failed;
	struct sim_stats sum;
	int64_t run_us;     /* the longest run */
	int64_t longest_us; /* until all worked again */
	int64_t outage_us; /* without writing, by one fault while all is well */
};

bool
sim_run(struct sim *w, const struct sim_options *o)
{
	sim_init(w, o);
	if (o->schedule == NULL)
		schedule_run(w);
	else if (!scenario_run(w, o->schedule))
		sim_fail(w, "there is no schedule \"%s\"", o->schedule);
	if (w->end_us != 0 && w->now_us > w->end_us)
		sim_fail(w, "the run goes on beyond its end");
	sim_release(w);
	return !w->failed;
}

static void
add(struct sim_stats *to, const struct sim_stats *s)
{
	to->events += s->events;
	to->promotions += s->promotions;
	to->assignments += s->assignments;
	to->fences += s->fences;
	to->releases += s->releases;
	to->boots += s->boots;
	to->faults += s->faults;
	to->writes_failed += s->writes_failed;
	to->snapshots += s->snapshots;
	to->renewals += s->renewals;
	to->clones += s->clones;
	to->rewinds += s->rewinds;
	to->wipes += s->wipes;
	to->hopeless += s->hopeless;
	to->acks += s->acks;
	to->stopped += s->stopped;
	to->puts += s->puts;
	to->sync_turns += s->sync_turns;
	to->probes += s->probes;
	to->fast_turns += s->fast_turns;
	to->losses += s->losses;
	to->digests += s->digests;
	to->cancels += s->cancels;
	to->reads += s->reads;
	to->members += s->members;
	to->members_waited += s->members_waited;
	to->restarts += s->restarts;
	to->reinits += s->reinits;
	to->healed += s->healed;
	to->outages += s->outages;
	to->simulated_us += s->simulated_us;
}

static void
failed(struct sim *w, const struct sim_options *o, bool shrink,
       struct result *r)
{
	if (r->failed == 0)
		r->first_failed = o->seed;
	if (r->failed < SHOWN_MAX)
		printf("seed %" PRIu64 " at %.3f s: %s\n", o->seed,
		       (double)w->now_us / 1e6, w->failure);
	if (r->failed++ < SHRUNK_MAX && shrink)
		shrink_print(w, o);
	fflush(stdout);
}

static void
work(struct sim *w, const struct sim_options *base, uint64_t first,
     uint64_t last, uint64_t step, bool stop, struct result *r)
{
	struct sim_options o = *base;

	for (uint64_t seed = first; seed <= last; seed += step) {
		o.seed = seed;
		r->runs++;
		bool ok = sim_run(w, &o);

		add(&r->sum, &w->stats);
		if (w->stats.simulated_us > r->run_us)
			r->run_us = w->stats.simulated_us;
		if (w->stats.converge_us > r->longest_us)
			r->longest_us = w->stats.converge_us;
		if (w->stats.outage_us > r->outage_us)
			r->outage_us = w->stats.outage_us;
		if (!ok)
			failed(w, &o, !stop, r);
		if (stop && r->failed > 0)
			break;
	}
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
print(const struct result *r, double took_s)
{
	const struct sim_stats *s = &r->sum;
	double simulated_s = (double)s->simulated_us / 1e6;

	printf("%" PRIu64 " runs, %" PRIu64 " failed; %.0f s simulated in "
	       "%.1f s (%.0f times real time)\n",
	       r->runs, r->failed, simulated_s, took_s,
	       took_s > 0 ? simulated_s / took_s : 0);
	printf("%" PRIu64 " faults, %" PRIu64 " starts of daemons, %" PRIu64
	       " assignments, %" PRIu64 " promotions, %" PRIu64
	       " releases, %" PRIu64 " fences, %" PRIu64 " renewals, %" PRIu64
	       " clones, %" PRIu64 " rewinds, %" PRIu64 " snapshots, %" PRIu64
	       " failed writes, %" PRIu64 " events\n",
	       s->faults, s->boots, s->assignments, s->promotions, s->releases,
	       s->fences, s->renewals, s->clones, s->rewinds, s->snapshots,
	       s->writes_failed, s->events);
	printf("synchronous: %" PRIu64 " changes of the sets, %" PRIu64
	       " standbys fenced, %" PRIu64 " ports tried, %" PRIu64
	       " holders displaced, %" PRIu64 " promotions, %" PRIu64
	       " acknowledgements, %" PRIu64 " cancelled, %" PRIu64
	       " reads, %" PRIu64 " disks lost, with too little left %" PRIu64
	       " times, accepted losses %" PRIu64 "\n",
	       s->puts, s->stopped, s->probes, s->fast_turns, s->sync_turns,
	       s->acks, s->cancels, s->reads, s->wipes, s->hopeless, s->losses);
	printf("members changed %" PRIu64 " times, and waited to be %" PRIu64
	       " times; restarts that people asked for: %" PRIu64
	       ", replicas made anew: %" PRIu64 "\n",
	       s->members, s->members_waited, s->restarts, s->reinits);
	printf(
	    "states compared %" PRIu64 " times; healing judged %" PRIu64
	    " times, the longest way back to normal: %.1f s; one fault %" PRIu64
	    " times, the longest without a primary: %.1f s; the longest "
	    "run: %.1f s\n",
	    s->digests, s->healed, (double)r->longest_us / 1e6, s->outages,
	    (double)r->outage_us / 1e6, (double)r->run_us / 1e6);
}

static int
run_range(struct sim *w, const struct sim_options *o, uint64_t first,
	  uint64_t last, int jobs, bool stop)
{
	struct result *all =
	    mmap(NULL, sizeof(*all) * JOBS_MAX, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double begin_s = seconds();
	struct result sum = {0};
	int status, bad = 0;

	MT_ASSERT(all != MAP_FAILED);
	fflush(stdout);
	for (int i = 0; i < jobs; i++)
		if (fork() == 0) {
			work(w, o, first + (uint64_t)i, last, (uint64_t)jobs,
			     stop, &all[i]);
			exit(0);
		}
	while (wait(&status) > 0)
		if (status != 0)
			bad = 1;
	for (int i = 0; i < jobs; i++) {
		sum.runs += all[i].runs;
		sum.failed += all[i].failed;
		add(&sum.sum, &all[i].sum);
		if (all[i].run_us > sum.run_us)
			sum.run_us = all[i].run_us;
		if (all[i].longest_us > sum.longest_us)
			sum.longest_us = all[i].longest_us;
		if (all[i].outage_us > sum.outage_us)
			sum.outage_us = all[i].outage_us;
	}
	print(&sum, seconds() - begin_s);
	if (bad != 0)
		printf("a worker ended by a signal\n");
	return sum.failed > 0 || bad ? 1 : 0;
}

static int
usage(void)
{
	fprintf(
	    stderr,
	    "usage: matriarch-sim --seeds A-B [--jobs N] [--stop] [--lease]\n"
	    "                     [--liveness] [--drift N]\n"
	    "       matriarch-sim --seed N [--keep 3,7,9] [--lease] "
	    "[--liveness] [--quiet]\n"
	    "       matriarch-sim --schedule NAME [--seed N] [--quiet] "
	    "[--lease]\n"
	    "       matriarch-sim --schedules | --list\n");
	return 2;
}

static int
run_one(struct sim *w, struct sim_options *o, bool quiet)
{
	bool ok;

	o->trace = !quiet;
	ok = sim_run(w, o);
	if (ok)
		printf("held, %.3f s\n", (double)w->now_us / 1e6);
	else
		printf("failed at %.3f s: %s\n", (double)w->now_us / 1e6,
		       w->failure);
	return ok ? 0 : 1;
}

static int
run_schedules(struct sim *w, struct sim_options *o)
{
	int bad = 0;

	for (int i = 0; scenario_name(i) != NULL; i++) {
		o->schedule = scenario_name(i);
		printf("%-24s", o->schedule);
		if (run_one(w, o, true) != 0)
			bad = 1;
	}
	return bad;
}

/* "A-B", or "N" for the first N. */
static bool
parse_range(const char *arg, uint64_t *first, uint64_t *last)
{
	int n = sscanf(arg, "%" SCNu64 "-%" SCNu64, first, last);

	if (n == 1) {
		*last = *first;
		*first = 1;
	}
	return n >= 1 && *last >= *first;
}

int
main(int argc, char **argv)
{
	static struct sim w;
	static bool keep[SIM_FAULTS_MAX];
	struct sim_options o = {.seed = 1, .drift_percent = 1};
	uint64_t first = 0, last = 0;
	long jobs = sysconf(_SC_NPROCESSORS_ONLN);
	bool one = false, quiet = false, stop = false;

	for (int i = 1; i < argc; i++) {
		const char *arg = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--list") == 0) {
			for (int k = 0; scenario_name(k) != NULL; k++)
				puts(scenario_name(k));
			return 0;
		} else if (strcmp(argv[i], "--schedules") == 0) {
			return run_schedules(&w, &o);
		} else if (strcmp(argv[i], "--quiet") == 0) {
			quiet = true;
			continue;
		} else if (strcmp(argv[i], "--lease") == 0) {
			o.lease_only = true;
			continue;
		} else if (strcmp(argv[i], "--liveness") == 0) {
			o.liveness = true;
			continue;
		} else if (strcmp(argv[i], "--stop") == 0) {
			stop = true;
			continue;
		} else if (arg == NULL) {
			return usage();
		} else if (strcmp(argv[i], "--seeds") == 0) {
			if (!parse_range(arg, &first, &last))
				return usage();
		} else if (strcmp(argv[i], "--seed") == 0) {
			o.seed = strtoull(arg, NULL, 10);
			one = true;
		} else if (strcmp(argv[i], "--drift") == 0) {
			o.drift_percent = atoi(arg);
		} else if (strcmp(argv[i], "--keep") == 0) {
			if (!shrink_parse(arg, keep))
				return usage();
			o.keep = keep;
		} else if (strcmp(argv[i], "--schedule") == 0) {
			o.schedule = arg;
			one = true;
		} else if (strcmp(argv[i], "--jobs") == 0) {
			jobs = strtol(arg, NULL, 10);
		} else {
			return usage();
		}
		i++;
	}
	if (one)
		return run_one(&w, &o, quiet);
	if (last == 0)
		return usage();
	if (jobs < 1 || jobs > JOBS_MAX)
		jobs = jobs < 1 ? 1 : JOBS_MAX;
	return run_range(&w, &o, first, last, (int)jobs, stop);
}
