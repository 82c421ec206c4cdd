/* SPDX-License-Identifier: PostgreSQL */
/*
 * Times of day as people and programs write them, ISO 8601:
 * "2026-11-23T06:00", "2026-11-23 06:00:00.5 +01:00", "2026-11-23T05:00:00Z".
 */
#ifndef MT_BASE_ISO_H
#define MT_BASE_ISO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mt_iso {
	int64_t wall_ms; /* since 1970 in UTC; without a zone as if it were */
	bool zoned;
};

/* Date and time of day are required, seconds and zone are not. MT_EINVAL: it is
 * no such time, and *iso is as it was. */
int mt_iso_parse(const char *text, struct mt_iso *iso) MT_MUSTCHECK;

#endif
