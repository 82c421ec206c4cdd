/* SPDX-License-Identifier: PostgreSQL */
/*
 * matriarchd(8), DECISION ORDER and EXISTING DATA, lists the rules that there
 * are, in their order. Run from the top of the tree.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/agent.h"
#include "core/controller.h"
#include "core/found.h"

#include "test/unit/run.h"

#define MANUAL "man/matriarchd.8"

/* The items of this subsection have exactly these names. */
static void
compare(const char *subsection, const char *const *names)
{
	FILE *file = fopen(MANUAL, "re");
	char line[512], heading[64], name[64];
	bool is_inside = false;

	ck_assert_msg(file != NULL, "could not open \"%s\"", MANUAL);
	mt_format(heading, sizeof(heading), ".Ss %s\n", subsection);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, ".Ss ", 4) == 0 ||
		    strncmp(line, ".Sh ", 4) == 0)
			is_inside = strcmp(line, heading) == 0;
		if (!is_inside || sscanf(line, ".It Ic %63s", name) != 1)
			continue;
		ck_assert_msg(*names != NULL, "\"%s\" is no rule, but in %s",
			      name, MANUAL);
		ck_assert_str_eq(name, *names);
		names++;
	}
	fclose(file);
	ck_assert_msg(*names == NULL, "rule \"%s\" is not in %s", *names,
		      MANUAL);
}

START_TEST(the_manual_lists_the_rules_of_the_agent_in_their_order)
{
	compare("The agent", mt_agent_rules());
}
END_TEST

START_TEST(the_manual_lists_the_rules_of_the_controller_in_their_order)
{
	compare("The controller", mt_controller_rules());
}
END_TEST

START_TEST(the_manual_lists_the_rules_for_existing_data_in_their_order)
{
	compare("Whose data", mt_found_rules());
}
END_TEST

int
main(void)
{
	RUN_TESTS("manual",
		  the_manual_lists_the_rules_of_the_agent_in_their_order,
		  the_manual_lists_the_rules_of_the_controller_in_their_order,
		  the_manual_lists_the_rules_for_existing_data_in_their_order);
}
