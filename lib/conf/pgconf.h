/* SPDX-License-Identifier: PostgreSQL */
/*
 * PostgreSQL's parameters as they shall be: defaults, the cluster's document,
 * the local file, what both have in recovery_conf, then what both say of the
 * role, in this order; the parameters
 * that must be alike on all members (the "controlled" ones) come from the
 * document alone.
 */
#ifndef MT_CONF_PGCONF_H
#define MT_CONF_PGCONF_H

#include <stdbool.h>

#include <jansson.h>

#include "conf/conf.h"

/*
 * Object of name (lower case) to string, a new reference; NULL if memory ran
 * out. dynamic_doc may be NULL. pg_version_num as in 150004. Values that are
 * replaced are warned of in the log: call it when something changed, not in a
 * loop. conf needs its postgresql section.
 */
json_t *mt_pgconf_parameters(const struct mt_conf *conf,
			     const json_t *dynamic_doc, int pg_version_num);

/* "primary", "replica": the end of the names of a role's own sections. */
const char *mt_pgconf_role_name(enum mt_conf_role role);

/*
 * parameters, as from the function before, with those of a role over them:
 * parameters_<role> of the document, then of the file. They may set what
 * "parameters" of the file may. A new reference, or NULL without memory.
 */
json_t *mt_pgconf_for_role(json_t *parameters, const struct mt_conf *conf,
			   const json_t *dynamic_doc, enum mt_conf_role role);

/* What else goes into its files: an object of "pg_hba" and "pg_ident", lists of
 * lines, the role's or else the common ones, of each the file's or else the
 * document's; what nobody gives is absent. A new reference, or NULL.
 */
json_t *mt_pgconf_files(const struct mt_conf *conf, const json_t *dynamic_doc,
			enum mt_conf_role role);

/* Would a standby of this member get WAL from a restore_command? */
bool mt_pgconf_restores(const struct mt_conf *conf, const json_t *dynamic_doc);

/* Given to the postmaster as --name=value, too, so that ALTER SYSTEM cannot
 * change it? */
bool mt_pgconf_on_command_line(const char *name);

#endif
