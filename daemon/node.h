/* SPDX-License-Identifier: PostgreSQL */
/* One node of the cluster: everything that the daemon is, on one loop. */
#ifndef MT_DAEMON_NODE_H
#define MT_DAEMON_NODE_H

#include "base/err.h"
#include "conf/conf.h"

/* Hold back the signals that ask a node to end, from the first moment on: their
 * default effect would end the process out of order. mt_node_run takes them up.
 */
void mt_node_hold_signals(void);

/* Run until the node has ended: asked to by SIGTERM or SIGINT (0), or because
 * it must not run (1, err says why). conf is borrowed. Signals were held. */
int mt_node_run(const struct mt_conf *conf, struct mt_err *err);

#endif
