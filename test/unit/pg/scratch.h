/* SPDX-License-Identifier: PostgreSQL */
/* A scratch directory, as a data directory, anew for each test. */
#ifndef MT_TEST_PG_SCRATCH_H
#define MT_TEST_PG_SCRATCH_H

#include "conf/conf.h"

extern char dir[64];

/* The fixture: makes it, and removes it with all that is in it. */
void setup(void);
void teardown(void);
/* The path of what is in it; good for three calls more. */
char *in(const char *name);
void put(const char *name, const char *text);
/* A file of it has this text. */
void expect(const char *name, const char *text);
/* The configuration of a server with that data; free_pg() frees it. */
struct mt_conf_postgresql *make_pg(void);
void free_pg(struct mt_conf_postgresql *pg);

#endif
