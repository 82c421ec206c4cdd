/* SPDX-License-Identifier: PostgreSQL */
/* The encryption of the streams between members, as section "raft" has it. */
#ifndef MT_DAEMON_ENCRYPT_H
#define MT_DAEMON_ENCRYPT_H

#include "conf/conf.h"
#include "peer/secure.h"

/* *s: to be unreferenced; NULL: the streams are plain. Reads files and works
 * for about 0.1 s. */
int mt_encrypt_new(const struct mt_conf *c, struct mt_secure **s,
		   struct mt_err *err) MT_MUSTCHECK;

/* The same, with what is wrong among what is found, at its place. */
int mt_encrypt_read(const struct mt_conf *c, struct mt_secure **s,
		    struct mt_findings *found) MT_MUSTCHECK;

#endif
