/* SPDX-License-Identifier: PostgreSQL */
/*
 * The body of POST /restart: conditions, timeout, time. Each key has its rule;
 * a key that is not known is an error, for what is left out by mistake would be
 * restarted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/iso.h"
#include "base/text.h"
#include "conf/options.h"
#include "core/errand.h"

static int
take_role(const json_t *v, struct mt_restart *r, struct mt_err *err)
{
	const char *role = json_string_value(v);

	r->has_role = true;
	if (role != NULL && strcmp(role, "primary") == 0)
		r->role = MT_ROLE_PRIMARY;
	else if (role != NULL && strcmp(role, "replica") == 0)
		r->role = MT_ROLE_REPLICA;
	else if (role != NULL && strcmp(role, "standby_leader") == 0)
		r->standby_leader = true;
	else
		return mt_err_set(err, MT_EINVAL,
				  "role must be \"primary\", "
				  "\"standby_leader\" or \"replica\"");
	return 0;
}

/* "16.4" is 160004, "9.6.24" is 90624. */
static int
take_version(const json_t *v, struct mt_restart *r, struct mt_err *err)
{
	const char *text = json_string_value(v);
	unsigned x = 0, y = 0, z = 0;
	int end2 = 0, end3 = 0, n;

	n = text == NULL || strspn(text, "0123456789.") != strlen(text)
		? 0
		: sscanf(text, "%3u.%3u%n.%3u%n", &x, &y, &end2, &z, &end3);
	if (n == 2 && (size_t)end2 == strlen(text))
		r->below_version = x * 10000 + y;
	else if (n == 3 && (size_t)end3 == strlen(text) && y < 100 && z < 100)
		r->below_version = x * 10000 + y * 100 + z;
	else
		return mt_err_set(err, MT_EINVAL,
				  "postgres_version must be written as X.Y or "
				  "X.Y.Z");
	if (r->below_version == 0)
		r->below_version = 1; /* nothing is older */
	return 0;
}

static int
take_timeout(const json_t *v, struct mt_restart *r, struct mt_err *err)
{
	static const struct mt_option seconds = {
	    .path = "timeout",
	    .type = MT_OPT_SECONDS,
	};

	if (mt_option_value(&seconds, v, &r->timeout_ms) != 0 ||
	    r->timeout_ms <= 0)
		return mt_err_set(err, MT_EINVAL,
				  "timeout must be a positive number of "
				  "seconds, or text as in \"1min\"");
	return 0;
}

static int
take_schedule(const json_t *v, int64_t now_wall_ms, struct mt_restart *r,
	      struct mt_err *err)
{
	struct mt_iso iso;

	if (!json_is_string(v) || mt_iso_parse(json_string_value(v), &iso) != 0)
		return mt_err_set(err, MT_EREFUSED,
				  "Unable to parse scheduled timestamp. It "
				  "should be in an unambiguous format, e.g. "
				  "ISO 8601");
	if (!iso.zoned)
		return mt_err_set(err, MT_EINVAL,
				  "Timezone information is mandatory for the "
				  "scheduled restart");
	if (iso.wall_ms <= now_wall_ms)
		return mt_err_set(err, MT_EREFUSED,
				  "Cannot schedule restart in the past");
	r->at_ms = iso.wall_ms;
	return 0;
}

int
mt_restart_parse(const json_t *body, int64_t now_wall_ms, struct mt_restart *r,
		 struct mt_err *err)
{
	struct mt_restart got = {0};
	const char *key;
	json_t *v;
	int rv = 0;

	if (!json_is_object(body))
		return mt_err_set(err, MT_EINVAL,
				  "the body must be a JSON object");
	json_object_foreach ((json_t *)(uintptr_t)body, key, v) {
		if (strcmp(key, "restart_pending") == 0)
			got.if_pending = true; /* whatever its value */
		else if (strcmp(key, "role") == 0)
			rv = take_role(v, &got, err);
		else if (strcmp(key, "postgres_version") == 0)
			rv = take_version(v, &got, err);
		else if (strcmp(key, "timeout") == 0)
			rv = take_timeout(v, &got, err);
		else if (strcmp(key, "schedule") == 0)
			rv = take_schedule(v, now_wall_ms, &got, err);
		else
			rv = mt_err_set(err, MT_EINVAL,
					"Unknown filter for the scheduled "
					"restart: \"%.64s\"",
					key);
		if (rv != 0)
			return rv;
	}
	*r = got;
	return 0;
}
