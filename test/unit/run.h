/* SPDX-License-Identifier: PostgreSQL */
/*
 * One program, one suite: RUN_TESTS for a plain list of tests, run_suite() for
 * what needs fixtures or loops. The result of each is that of main().
 */
#ifndef MT_TEST_UNIT_RUN_H
#define MT_TEST_UNIT_RUN_H

#include <check.h>
#include <stdlib.h>

/* Runs and frees it. */
static inline int
run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int
run_tests(const char *name, const TTest **tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);

	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}

#define RUN_TESTS(name, ...) \
	do { \
		const TTest *run_tests_[] = {__VA_ARGS__}; \
		return run_tests(name, run_tests_, \
				 sizeof(run_tests_) / sizeof(run_tests_[0])); \
	} while (0)

#endif
