/* SPDX-License-Identifier: PostgreSQL */
/*
 * How the postmaster is called.
 *
 * The controlled parameters stand in the file and on the command line, where
 * ALTER SYSTEM cannot reach them. A standby needs at least what its primary
 * had: what pg_control remembers of the primary wins over a lower configured
 * value, or hot standby would end with a pause or a refusal. Which parameters
 * are controlled is conf/pgconf.c's to know.
 */
#include "pg/params.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/pgconf.h"
#include "pg/files.h"

static long
number_of(const json_t *v)
{
	if (json_is_integer(v))
		return (long)json_integer_value(v);
	return json_is_string(v) ? strtol(json_string_value(v), NULL, 0) : -1;
}

json_t *
mt_pg_raise_for_standby(const json_t *parameters,
			const struct mt_pg_control *control, bool *raised)
{
	const struct {
		const char *name;
		int value;
	} rows[] = {
	    {"max_connections", control->max_connections},
	    {"max_prepared_transactions", control->max_prepared_transactions},
	    {"max_locks_per_transaction", control->max_locks_per_transaction},
	    {"max_worker_processes", control->max_worker_processes},
	    {"max_wal_senders", control->max_wal_senders},
	};
	json_t *copy = json_copy((json_t *)(uintptr_t)parameters), *v;
	char text[16];

	if (raised)
		*raised = false;
	for (size_t i = 0; copy && i < MT_COUNT(rows); i++) {
		v = json_object_get(copy, rows[i].name);
		if (!v || rows[i].value <= number_of(v))
			continue;
		mt_format(text, sizeof(text), "%d", rows[i].value);
		if (json_object_set_new(copy, rows[i].name, json_string(text)) <
		    0) {
			json_decref(copy);
			return NULL;
		}
		if (raised)
			*raised = true;
	}
	return copy;
}

int
mt_pg_postmaster_argv(struct mt_argv *argv, const struct mt_pg_bins *bins,
		      const struct mt_conf_postgresql *pg,
		      const json_t *parameters, struct mt_err *err)
{
	json_t *obj = (json_t *)(uintptr_t)parameters, *v;
	char path[MT_CONF_PATH_MAX + MT_CONF_NAME_MAX + 16];
	const char *name;

	mt_pg_bins_arg(argv, bins, "postgres");
	mt_argv_add(argv, "-D");
	mt_argv_add(argv, "%s", pg->data_dir);
	mt_argv_add(argv, "--config-file=%s",
		    mt_pg_conf_path(pg, MT_PG_CONF_MAIN, path, sizeof(path)));
	json_object_foreach (obj, name, v)
		if (mt_pgconf_on_command_line(name) && json_is_string(v))
			mt_argv_add(argv, "--%s=%s", name,
				    json_string_value(v));
	if (argv->bad)
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	return 0;
}
