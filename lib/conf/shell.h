/* SPDX-License-Identifier: PostgreSQL */
/*
 * Settings of the cluster's document by which who may change them can have
 * programs of his choice run on the members: commands, libraries that the
 * server loads, places of programs.
 */
#ifndef MT_CONF_SHELL_H
#define MT_CONF_SHELL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* Does such a setting differ between two documents? Then the first one's path
 * is in buf, cut if it must be. What is null is as good as absent; 101 is
 * "101". Both are borrowed, either may be NULL. */
bool mt_conf_shell_differs(const json_t *before, const json_t *after, char *buf,
			   size_t size);

#endif
