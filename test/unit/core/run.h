/* SPDX-License-Identifier: PostgreSQL */
/* One program, one list of tests. */
#ifndef MT_TEST_CORE_RUN_H
#define MT_TEST_CORE_RUN_H

#include <check.h>
#include <stdlib.h>

/* Runs them all; the result is that of main(). */
static inline int
run_tests(const char *name, const TTest **tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define RUN_TESTS(name, ...) \
	do { \
		const TTest *run_tests_[] = {__VA_ARGS__}; \
		return run_tests(name, run_tests_, \
				 sizeof(run_tests_) / sizeof(run_tests_[0])); \
	} while (0)

#endif
