/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is to be said of a configuration: every error and warning that one
 * reading of it found, with its place. Never a value: any may be a password.
 */
#ifndef MT_CONF_FINDINGS_H
#define MT_CONF_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define MT_FINDINGS_MAX 1000 /* what comes after them is not kept */

enum mt_finding_kind {
	MT_FINDING_WARNING,
	MT_FINDING_UNKNOWN, /* a warning: a key or variable nobody knows */
	MT_FINDING_ERROR,
};

struct mt_finding {
	enum mt_finding_kind kind;
	char path[256];  /* "raft.self_addr"; "": of the whole */
	char text[1024]; /* "FILE:LINE:COLUMN: words" */
	size_t words;    /* where they begin in text */
};

struct mt_findings {
	struct mt_finding *list; /* owned */
	size_t n, cap;
	size_t n_errors;
};

/* place and words are copied; place may be "". An error at a path, or in a
 * section, that has one already is left out: it follows from the first. */
void mt_findings_add(struct mt_findings *f, enum mt_finding_kind kind,
		     const char *path, const char *place, const char *words);
void mt_findings_release(struct mt_findings *f);

/* All but the first error go to the log; that becomes *err, if there is one,
 * and its code is returned. */
int mt_findings_log(const struct mt_findings *f, struct mt_err *err);

#endif
