/* SPDX-License-Identifier: PostgreSQL */
/*
 * Data that was there before the cluster: whose becomes the cluster's. A pure
 * function of what the members report, the same on all of them: the controller
 * acts on it, the others say why nothing happens.
 */
#ifndef MT_CORE_FOUND_H
#define MT_CORE_FOUND_H

#include "core/view.h"

enum mt_found_kind {
	MT_FOUND_WAIT,    /* not all is known yet */
	MT_FOUND_NOTHING, /* no member has data: one may make it */
	MT_FOUND_REFUSED, /* people have to decide */
	MT_FOUND_RUNNING, /* this primary, without a restart */
	MT_FOUND_DOWN,    /* this data, which is started as primary */
};

struct mt_found {
	enum mt_found_kind kind;
	const char *rule;
	const struct mt_report *report; /* RUNNING, DOWN; of the view */
	char why[MT_WHY_MAX];
};

/* Only while the cluster is not initialized. */
void mt_found_judge(const struct mt_view *v, struct mt_found *found);

/* Where the data of a server that is down ends; timeline 0: not known yet. Of a
 * primary whose log could not be read to its end it is the last checkpoint, a
 * lower bound. */
struct mt_position mt_found_end(const struct mt_local *l);

/* The rules' names in order; NULL at the end. */
const char *const *mt_found_rules(void);

#endif
