/* SPDX-License-Identifier: PostgreSQL */
/* A configuration to begin with: all options that are in force, commented. */
#ifndef MT_CONF_SAMPLE_H
#define MT_CONF_SAMPLE_H

/* The text of etc/matriarch.yml. */
const char *mt_conf_sample(void);

#endif
