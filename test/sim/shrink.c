/* SPDX-License-Identifier: PostgreSQL */
/*
 * A seed that failed, with as few faults as still do it. Halves of the faults
 * are left out, then quarters, and in the end each alone, as long as the run
 * fails with the same words; numbers in them may differ. Since each fault draws
 * from numbers of its own, the rest of the schedule stays as it was.
 *
 * It does not: shorten what a fault does, or leave out what the world does by
 * itself (delays, failed jobs, clocks).
 */
#include "test/sim/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 600 /* then it is small enough */

static struct sim_options
of_these(const struct sim_options *o, const bool *keep)
{
	struct sim_options these = *o;

	these.keep = keep;
	these.trace = false;
	return these;
}

/* Try without `count` of the kept ones, from the one at `from` on. */
static bool
fails_without(struct sim *w, const struct sim_options *o, const char *kind,
	      bool *keep, int from, int count)
{
	static bool less[SIM_FAULTS_MAX];
	struct sim_options these = of_these(o, less);
	int seen = 0, dropped = 0;

	memcpy(less, keep, sizeof(less));
	for (int k = 0; k < SIM_FAULTS_MAX; k++)
		if (keep[k] && seen++ >= from && dropped < count) {
			less[k] = false;
			dropped++;
		}
	if (dropped == 0 || sim_run(w, &these) || w->failure_kind != kind)
		return false;
	/* What it did not come to any more is out, too. */
	for (int k = 0; k < SIM_FAULTS_MAX; k++)
		keep[k] = less[k] && w->faults[k].at_us != 0;
	return true;
}

static int
count_kept(const bool *keep)
{
	int n = 0;

	for (int k = 0; k < SIM_FAULTS_MAX; k++)
		n += keep[k];
	return n;
}

static void
shrink(struct sim *w, const struct sim_options *o, const char *kind, bool *keep)
{
	int runs = 0, size = count_kept(keep);

	while (size > 0 && runs < RUNS_MAX) {
		bool smaller = false;

		for (int from = 0; from < count_kept(keep) && runs < RUNS_MAX;
		     runs++)
			if (fails_without(w, o, kind, keep, from, size))
				smaller = true;
			else
				from += size;
		if (size > 1)
			size /= 2;
		else if (!smaller)
			break;
	}
}

static void
print_command(const struct sim_options *o, const bool *keep)
{
	const char *before = "";

	printf("    test/sim/run --seed %" PRIu64 " --keep ", o->seed);
	for (int k = 0; k < SIM_FAULTS_MAX; k++)
		if (keep[k]) {
			printf("%s%d", before, k);
			before = ",";
		}
	printf("%s%s%s", *before == '\0' ? "none" : "",
	       o->lease_only ? " --lease" : "",
	       o->liveness ? " --liveness" : "");
	if (o->drift_percent != 1)
		printf(" --drift %d", o->drift_percent);
	putchar('\n');
}

void
shrink_print(struct sim *w, const struct sim_options *o)
{
	static bool keep[SIM_FAULTS_MAX];
	struct sim_options these = of_these(o, keep);
	const char *kind = w->failure_kind;
	int all = 0;

	for (int k = 0; k < SIM_FAULTS_MAX; k++) {
		keep[k] = w->faults[k].at_us != 0;
		all += keep[k];
	}
	shrink(w, o, kind, keep);
	if (sim_run(w, &these) || w->failure_kind != kind) {
		printf("    it does not fail again: not the same to the "
		       "byte\n");
		return;
	}
	printf("    %d of its %d faults are enough, at %.3f s: %s\n",
	       count_kept(keep), all, (double)w->now_us / 1e6, w->failure);
	for (int k = 0; k < SIM_FAULTS_MAX; k++)
		if (keep[k])
			printf("      %3d at %7.3f s: %s\n", k,
			       (double)w->faults[k].at_us / 1e6,
			       w->faults[k].name);
	print_command(o, keep);
}

bool
shrink_parse(const char *list, bool keep[SIM_FAULTS_MAX])
{
	char *end;

	memset(keep, 0, SIM_FAULTS_MAX * sizeof(*keep));
	if (strcmp(list, "none") == 0)
		return true;
	do {
		long k = strtol(list, &end, 10);

		if (end == list || k < 1 || k >= SIM_FAULTS_MAX)
			return false;
		keep[k] = true;
		list = end + 1;
	} while (*end == ',');
	return *end == '\0';
}
