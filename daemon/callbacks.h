/* SPDX-License-Identifier: PostgreSQL */
/*
 * The operator's scripts of postgresql.callbacks: told what became of
 * PostgreSQL, beside the loop, and never asked for anything.
 */
#ifndef MT_DAEMON_CALLBACKS_H
#define MT_DAEMON_CALLBACKS_H

#include <uv.h>

#include "conf/conf.h"
#include "core/event.h"

struct mt_callbacks;

/* conf is borrowed until the end. NULL: out of memory. */
struct mt_callbacks *mt_callbacks_new(uv_loop_t *loop,
				      const struct mt_conf *conf);
/* Another configuration; the old one is used no more. */
void mt_callbacks_take(struct mt_callbacks *c, const struct mt_conf *conf);
/* Look at the server; what became of it since the last look is told. */
void mt_callbacks_look(struct mt_callbacks *c, const struct mt_local *local);
/* What runs may end, for a while; closed_cb comes then, and c is gone. */
void mt_callbacks_close(struct mt_callbacks *c, void (*closed_cb)(void *arg),
			void *arg);

#endif
