/* SPDX-License-Identifier: PostgreSQL */
/* Changes of who votes, as an operator makes them. */
#ifndef MT_SIM_MEMBERS_H
#define MT_SIM_MEMBERS_H

#include "test/sim/sim.h"

/* A role beside those of enum mt_server_role: in no configuration. */
#define MEMBER_GONE (-1)

/* Rule 9: may the leader propose the next change? */
bool members_may_go_on(const struct node *leader);
/* Asked of the driver, which may refuse it. */
void members_change(struct node *leader, const struct node *n, int role);
/* In the leader's newest committed configuration. */
int members_role(const struct node *leader, const struct node *n);

/* The operator has a new wish, which is drawn. */
void members_wish(struct sim *w);
/* EV_OPERATOR: the next step to the wish of this number. */
void members_step(struct sim *w, uint32_t number);
/* There is no wish any more; a change that was begun goes on. */
void members_rest(struct sim *w);

#endif
