/* SPDX-License-Identifier: PostgreSQL */
/* Inside lib/base: what makes and what prints a format have in common. */
#ifndef MT_BASE_LOG_INTERNAL_H
#define MT_BASE_LOG_INTERNAL_H

#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "base/log_format.h"

#define LOG__DATE_MAX 256 /* bytes of asctime */

/* Who, and when: now. */
void log__stamp(struct mt_log_record *r);

/* What values a field has. */
enum log__kind { LOG__TEXT, LOG__WHOLE, LOG__REAL, LOG__NOTHING };

enum log__kind log__kind_of(enum mt_log_field field);
/* strftime(3) by a user's words; 0: no text, or too long a one. */
size_t log__put_date(char *buf, size_t size, const char *dateformat,
		     const struct tm *tm);
/* Text in quotes, as JSON has it; what is no UTF-8 becomes U+FFFD. */
void log__put_json(FILE *to, const char *text, size_t n);

#endif
