/* SPDX-License-Identifier: PostgreSQL */
/* One node of the cluster: everything that the daemon is, on one loop. */
#ifndef MT_DAEMON_NODE_H
#define MT_DAEMON_NODE_H

#include "base/err.h"
#include "conf/conf.h"

/* Run until the node has ended: asked to by SIGTERM or SIGINT (0), or because
 * it must not run (1, err says why). conf is borrowed. */
int mt_node_run(const struct mt_conf *conf, struct mt_err *err);

#endif
