/* SPDX-License-Identifier: PostgreSQL */
/*
 * The names of rules, which are the same in log, API and manual, become
 * sentences here. A name that this program does not know is shown as it is: the
 * daemon may be newer.
 */
#include "cli/explain.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/yaml.h"

static const struct words {
	const char *rule, *text;
} verdicts[] = {
    {"chosen", "was chosen"},
    {"behind", "could have been chosen, but another was better"},
    {"leaves", "could not: it had the turn"},
    {"not-asked-for", "could not: another was asked for"},
    {"silent", "could not: nothing was heard from it lately"},
    {"gone", "could not: its daemon had closed its connection"},
    {"pre-promote-failed", "could not: its pre_promote had failed less "
			   "than ttl ago"},
    {"nofailover", "could not: it has the tag nofailover"},
    {"stopping", "could not: its daemon was about to end"},
    {"not-running", "could not: its PostgreSQL did not run or answer"},
    {"other-cluster", "could not: its data belongs to another cluster"},
    {"not-a-standby", "could not: its PostgreSQL was no standby"},
    {"position-unknown", "could not: its position was not known"},
    {"report-too-old", "could not: its last report was too old"},
    {"restored", "could not: its data is from a backup and has followed no "
		 "primary"},
    {"lacks-the-end", "could not: it lacked the end of the primary's log"},
    {"lags", "could not: it lagged by more than maximum_lag_on_failover"},
    {"holder", "kept the turn"},
    {"not-asked", "was not asked"},
};

static const struct words decisions[] = {
    {"bootstrap", "The cluster was initialized."},
    {"released", "The primary had given its turn up; the best candidate got "
		 "it."},
    {"holder-silent", "The primary was replaced."},
    {"repair", "The primary kept the turn, under a new epoch."},
    {"ttl", "The primary kept the turn, with another ttl."},
    {"release", "The primary gave its turn up."},
    {"switchover-failed", "A switchover that was asked for did not take "
			  "place."},
    {"failover-failed", "A failover that was asked for did not take place."},
    {"rejoin", "A member threw data away to join the cluster again."},
    {"config", "The configuration of the cluster was changed."},
    {"pause", "The cluster was paused."},
    {"resume", "The pause was ended."},
};

static const char *
words_of(const struct words *all, size_t n, const char *rule)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].rule, rule) == 0)
			return all[i].text;
	return rule;
}

const char *
mt_explain_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

void
mt_explain_ms(int64_t ms, FILE *out)
{
	if (ms < 10000)
		fprintf(out, "%" PRId64 " ms", ms);
	else
		fprintf(out, "%.1f s", (double)ms / 1000);
}

static void
member(const json_t *m, FILE *out)
{
	const json_t *age = json_object_get(m, "report_age_ms");
	const json_t *lag = json_object_get(m, "lag");

	fprintf(out, "  %s %s\n", mt_explain_text(m, "name"),
		words_of(verdicts, MT_COUNT(verdicts),
			 mt_explain_text(m, "verdict")));
	if (!json_is_integer(age)) {
		fprintf(out, "    it had never reported\n");
		return;
	}
	fprintf(out, "    %s, %s", mt_explain_text(m, "role"),
		mt_explain_text(m, "state"));
	if (json_is_string(json_object_get(m, "lsn")))
		fprintf(out, ", at %s of timeline %" JSON_INTEGER_FORMAT,
			mt_explain_text(m, "lsn"),
			json_integer_value(json_object_get(m, "timeline")));
	if (json_integer_value(lag) > 0)
		fprintf(out, ", %" JSON_INTEGER_FORMAT " bytes behind",
			json_integer_value(lag));
	fprintf(out, "; reported ");
	mt_explain_ms(json_integer_value(age), out);
	fprintf(out, " before\n");
}

void
mt_explain_members(const json_t *members, FILE *out)
{
	const json_t *m;
	size_t i;

	if (json_array_size(members) == 0)
		return;
	fprintf(out, "\nThe members, as they were known:\n");
	json_array_foreach (members, i, m)
		member(m, out);
}

static void
phases(const json_t *p, FILE *out)
{
	static const struct words all[] = {
	    {"fenced_ms", "a majority had fenced it"},
	    {"assigned_ms", "the turn was assigned"},
	    {"leased_ms", "the new primary had its lease"},
	    {"promoted_ms", "PostgreSQL was told to promote"},
	    {"writable_ms", "it was writable"},
	};

	if (!json_is_object(p))
		return;
	fprintf(out,
		"\nHow long it took, since the first suspicion or the "
		"release, %s:\n",
		mt_explain_text(p, "suspected"));
	for (size_t i = 0; i < MT_COUNT(all); i++) {
		const json_t *ms = json_object_get(p, all[i].rule);

		if (!json_is_integer(ms))
			continue;
		fprintf(out, "  %6" JSON_INTEGER_FORMAT " ms  %s\n",
			json_integer_value(ms), all[i].text);
	}
}

void
mt_explain_decision(const json_t *d, FILE *out)
{
	const char *from = mt_explain_text(d, "from");
	const char *to = mt_explain_text(d, "to");
	const char *rule = mt_explain_text(d, "rule");
	const json_t *primary = json_object_get(d, "primary");
	const json_t *by = json_object_get(d, "by");

	fprintf(out,
		"Decision %" JSON_INTEGER_FORMAT ", epoch %" JSON_INTEGER_FORMAT
		", %s\n\n%s\n",
		json_integer_value(json_object_get(d, "id")),
		json_integer_value(json_object_get(d, "epoch")),
		mt_explain_text(d, "at"),
		words_of(decisions, MT_COUNT(decisions), rule));
	if (from[0] != '\0' || to[0] != '\0')
		fprintf(out, "  who:   %s%s%s\n", from,
			from[0] != '\0' && to[0] != '\0' ? " -> " : "", to);
	fprintf(out, "  why:   %s\n", mt_explain_text(d, "why"));
	if (json_is_object(by))
		fprintf(out, "  by:    %s from %s\n",
			mt_explain_text(by, "user"),
			mt_explain_text(by, "address"));
	fprintf(out, "  rule:  %s\n", rule);
	if (json_is_object(primary))
		fprintf(
		    out,
		    "  primary last known at %s of timeline "
		    "%" JSON_INTEGER_FORMAT "\n",
		    mt_explain_text(primary, "lsn"),
		    json_integer_value(json_object_get(primary, "timeline")));
	mt_explain_members(json_object_get(d, "members"), out);
	phases(json_object_get(d, "phases"), out);
}

void
mt_explain_data(const json_t *doc, enum mt_format format, FILE *out)
{
	char *text;

	if (format == MT_FORMAT_YAML) {
		text = mt_yaml_flow(doc);
		fputs(text, out);
		free(text);
	} else {
		json_dumpf(doc, out, 0);
	}
	putc('\n', out);
}
