/* SPDX-License-Identifier: PostgreSQL */
/*
 * The sample is etc/matriarch.yml itself, which the Makefile puts between
 * quotes: it is written for people, in one place, and a unit test holds it
 * against the table of options.
 */
#include "conf/sample.h"

const char *
mt_conf_sample(void)
{
	static const char text[] =
#include "sample.inc"
	    ;

	return text;
}
