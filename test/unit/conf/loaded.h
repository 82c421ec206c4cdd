/* SPDX-License-Identifier: PostgreSQL */
/* A local file that is loaded: what came of it, and what was said of it. */
#ifndef MT_TEST_CONF_LOADED_H
#define MT_TEST_CONF_LOADED_H

#include "conf/conf.h"

extern char seen[16384]; /* what was logged, in lines */
extern struct mt_err last_err;
extern struct mt_conf *conf; /* of the last load that went well */

/* The result of mt_conf_load(). */
int load_file(const char *name);
/* The same with a file that has this text. */
int load(const char *text);
/* The load fails at this place with these words. */
void refused(const char *text, const char *at, const char *words);
/* These words were logged. */
void warned(const char *words);

#endif
