/* SPDX-License-Identifier: PostgreSQL */
/* The order of positions, and the names that the REST API shows. */
#include "core/types.h"

#include "base/text.h"

#include "test/unit/run.h"

START_TEST(the_timeline_comes_before_the_lsn)
{
	static const struct {
		struct mt_position a, b;
		int want;
	} rows[] = {
	    {{1, 5}, {1, 5}, 0},          {{1, 5}, {1, 6}, -1},
	    {{1, 9}, {2, 1}, -1},         {{2, 0}, {1, UINT64_MAX}, 1},
	    {{0, 9}, {1, 0}, -1},         {{UINT32_MAX, 0}, {1, UINT64_MAX}, 1},
	    {{1, UINT64_MAX}, {1, 0}, 1},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		ck_assert_int_eq(mt_position_compare(rows[i].a, rows[i].b),
				 rows[i].want);
		ck_assert_int_eq(mt_position_compare(rows[i].b, rows[i].a),
				 -rows[i].want);
	}
}
END_TEST

START_TEST(states_have_the_names_and_numbers_of_the_api)
{
	static const struct {
		enum mt_pg_state state;
		int number;
		const char *name;
	} rows[] = {
	    {MT_PG_INITIALIZING, 0, "initializing new cluster"},
	    {MT_PG_INITDB_FAILED, 1, "initdb failed"},
	    {MT_PG_BOOTSTRAPPING, 2, "running custom bootstrap script"},
	    {MT_PG_BOOTSTRAP_FAILED, 3, "custom bootstrap failed"},
	    {MT_PG_CREATING_REPLICA, 4, "creating replica"},
	    {MT_PG_RUNNING, 5, "running"},
	    {MT_PG_STARTING, 6, "starting"},
	    {MT_PG_START_FAILED, 8, "start failed"},
	    {MT_PG_RESTARTING, 9, "restarting"},
	    {MT_PG_RESTART_FAILED, 10, "restart failed"},
	    {MT_PG_STOPPING, 11, "stopping"},
	    {MT_PG_STOPPED, 12, "stopped"},
	    {MT_PG_STOP_FAILED, 13, "stop failed"},
	    {MT_PG_CRASHED, 14, "crashed"},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		ck_assert_int_eq(rows[i].state, rows[i].number);
		ck_assert_str_eq(mt_pg_state_name(rows[i].state), rows[i].name);
	}
	ck_assert_str_eq(mt_pg_state_name((enum mt_pg_state)7), "unknown");
}
END_TEST

START_TEST(roles_have_names)
{
	static const char *const names[] = {
	    "uninitialized", "replica", "primary",
	    "promoted",      "demoted", "unknown",
	};

	for (size_t i = 0; i < MT_COUNT(names); i++)
		ck_assert_str_eq(mt_pg_role_name((enum mt_pg_role)i), names[i]);
}
END_TEST

int
main(void)
{
	RUN_TESTS("types", the_timeline_comes_before_the_lsn,
		  states_have_the_names_and_numbers_of_the_api,
		  roles_have_names);
}
