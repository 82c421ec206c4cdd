/* SPDX-License-Identifier: PostgreSQL */
/* A directory with configuration files, anew for each test. */
#ifndef MT_TEST_CONF_SCRATCH_H
#define MT_TEST_CONF_SCRATCH_H

#include <sys/types.h>

extern char dir[64];

/* The fixture's two halves; the second removes all that is in it. */
void make_dir(void);
void remove_dir(void);
/* The path of what is in it; good until the next call. */
const char *in_dir(const char *name);
/* For the owner's eyes alone, or with that mode. */
void put(const char *name, const char *text);
void put_mode(const char *name, const char *text, mode_t mode);

#endif
