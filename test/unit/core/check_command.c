/* SPDX-License-Identifier: PostgreSQL */
/* Commands as bytes: what comes back, and what hostile bytes do. */
#include "core/command.h"

#include "given_command.h"
#include "hostile.h"
#include "test/unit/run.h"

static json_t *config;

/* One of each kind, the fields as full as they can be. */
static int
samples(struct mt_command out[32])
{
	int n = 0;

	if (config == NULL)
		config = json_pack("{s:i,s:{s:b,s:n,s:[f,s]}}", "ttl", 30,
				   "postgresql", "use_pg_rewind", 1, "x", "y",
				   1.5, "\xc3\xa9");
	out[n++] = member_put("a", BIG);
	out[n++] = claim("a", BIG);
	out[n++] = withdraw("b", 1);
	out[n] = withdraw("b", 1);
	out[n++].u.withdraw.index = BIG;
	out[n++] = initialize("a", 10, config);
	out[n] = initialize("a", 10, config);
	out[n++].u.initialize.claim.index = 7;
	out[n++] = adopt("a", 10, BIG, true, 7, config);
	out[n++] = adopt("a", 10, 1, false, 0, config);
	out[n++] = assign(BIG, true, "b", false);
	out[n++] = assign(1, false, "a", true);
	out[n++] = release(3, "a", true);
	out[n++] = release(3, "a", false);
	out[n++] = request_put("a", "b");
	out[n++] = request_put("a", "");
	out[n] = failover_put("b");
	out[n++].u.request_put.accept_loss = true;
	out[n++] = failover_put("b");
	out[n++] = scheduled_put("a", 1700000000000, BIG);
	out[n++] = due_put("a", "b", BIG);
	out[n++] = request_clear(7);
	out[n++] = history_put(1, "a", MT_HISTORY_MAX);
	out[n++] = history_put(1, "a", 0);
	out[n++] = status_put(1, "a", BIG);
	out[n++] = config_put(4, config);
	out[n++] = exempt(4, "a", BIG, 0);
	out[n++] = decision_put(BIG, 2, "a");
	out[n++] = rejoin_put(2, "b", BIG);
	out[n++] = sync_put(5, "a", BIG, "bc", 2);
	out[n++] = sync_put(5, "a", 0, "", 0);
	out[n++] = asked_by("J\xc3\xb6rg", request_put("a", ""));
	out[n++] = asked_by("-", request_clear(7));
	out[n++] = asked_by("ann", config_put(4, config));
	out[n] = assign(1, false, "a", false);
	out[n].u.assign.expect_sync = BIG;
	out[n++].u.assign.ground = MT_GROUND_SYNC_FENCE;
	return n;
}

/* The document compares by value, the rest by its bytes. */
static bool
equal(struct mt_command a, struct mt_command b)
{
	json_t *da = NULL, *db = NULL;

	if (a.kind != b.kind)
		return false;
	if (a.kind == MT_CMD_CLUSTER_INITIALIZE) {
		da = a.u.initialize.config;
		db = b.u.initialize.config;
		a.u.initialize.config = b.u.initialize.config = NULL;
	} else if (a.kind == MT_CMD_CONFIG_PUT) {
		da = a.u.config_put.config;
		db = b.u.config_put.config;
		a.u.config_put.config = b.u.config_put.config = NULL;
	}
	return memcmp(&a, &b, sizeof(a)) == 0 &&
	       (da == NULL || json_equal(da, db));
}

static int
decode(const char *text)
{
	struct mt_command cmd;
	struct mt_err err = {0};
	int rv = mt_command_decode(&cmd, text, strlen(text), &err);

	if (rv == 0)
		mt_command_release(&cmd);
	else
		ck_assert_str_ne(err.text, "");
	return rv;
}

START_TEST(every_command_comes_back)
{
	struct mt_command all[32];
	int n = samples(all);
	unsigned kinds = 0;

	for (int i = 0; i < n; i++) {
		struct mt_command have;
		struct mt_err err;
		char *text;
		size_t size;

		ck_assert_int_eq(mt_command_encode(&all[i], &text, &size), 0);
		ck_assert_uint_eq(size, strlen(text));
		ck_assert_int_eq(mt_command_decode(&have, text, size, &err), 0);
		ck_assert_msg(equal(all[i], have), "%s", text);
		mt_command_release(&have);
		ck_assert_int_eq(have.kind, MT_CMD_NONE);
		free(text);
		kinds |= 1u << all[i].kind;
	}
	ck_assert_uint_eq(kinds, (2u << MT_CMD_SYNC_PUT) - 2);
}
END_TEST

START_TEST(the_names_of_commands_do_not_change)
{
	static const char *const names[] = {
	    "none",
	    "member.put",
	    "bootstrap.claim",
	    "bootstrap.withdraw",
	    "cluster.initialize",
	    "leader.assign",
	    "leader.release",
	    "request.put",
	    "request.clear",
	    "history.put",
	    "status.put",
	    "config.put",
	    "leader.exempt",
	    "decision.put",
	    "rejoin.put",
	    "sync.put",
	};

	for (size_t i = 0; i < MT_COUNT(names); i++)
		ck_assert_str_eq(mt_command_name((enum mt_command_kind)i),
				 names[i]);
	ck_assert_str_eq(mt_command_name((enum mt_command_kind)99), "none");
}
END_TEST

START_TEST(a_command_too_long_is_not_made)
{
	char *big = malloc(MT_COMMAND_MAX + 1);
	struct mt_command cmd;
	json_t *doc;
	char *text;
	size_t n;

	memset(big, 'x', MT_COMMAND_MAX);
	big[MT_COMMAND_MAX] = '\0';
	doc = json_pack("{s:s}", "x", big);
	cmd = config_put(1, doc);
	ck_assert_int_eq(mt_command_encode(&cmd, &text, &n), MT_EINVAL);
	json_decref(doc);
	free(big);
}
END_TEST

START_TEST(a_command_too_long_is_not_read)
{
	static const char start[] =
	    "{\"v\":1,\"c\":\"bootstrap.claim\",\"member\":\"a\"}";
	size_t n = MT_COMMAND_MAX + 1;
	char *text = malloc(n);
	struct mt_command cmd;
	struct mt_err err;

	memset(text, ' ', n);
	memcpy(text, start, strlen(start));
	ck_assert_int_eq(mt_command_decode(&cmd, text, n - 1, &err), 0);
	mt_command_release(&cmd);
	ck_assert_int_eq(mt_command_decode(&cmd, text, n, &err), MT_EPROTO);
	free(text);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct mt_command all[32];
	int n = samples(all);

	for (int i = 0; i < n; i++) {
		char *text;
		size_t size;

		if (all[i].kind == MT_CMD_HISTORY_PUT)
			all[i].u.history_put.n /= 16;
		ck_assert_int_eq(mt_command_encode(&all[i], &text, &size), 0);
		for (size_t cut = 0; cut < size; cut++) {
			char *p = exact_copy(text, cut);
			struct mt_command cmd;

			if (mt_command_decode(&cmd, p, cut, NULL) != MT_EPROTO)
				ck_abort_msg("%.*s", (int)cut, text);
			free(p);
		}
		free(text);
	}
}
END_TEST

START_TEST(damaged_commands_are_refused_or_read_in_bounds)
{
	struct mt_command all[32];
	int n = samples(all);
	uint64_t seed = 5;

	for (int i = 0; i < n; i++) {
		char *text;
		size_t size;

		if (all[i].kind == MT_CMD_HISTORY_PUT)
			all[i].u.history_put.n /= 16;
		ck_assert_int_eq(mt_command_encode(&all[i], &text, &size), 0);
		for (int k = 0; k < 600; k++) {
			uint8_t *p = exact_copy(text, size);
			struct mt_command cmd;
			struct mt_err err;

			damage(p, size, &seed);
			if (mt_command_decode(&cmd, (char *)p, size, &err) == 0)
				mt_command_release(&cmd);
			free(p);
		}
		free(text);
	}
}
END_TEST

/* A field of a wrong type makes a malformed command, never a default. */
START_TEST(every_field_of_a_wrong_type_is_refused)
{
	struct mt_command all[32];
	int n = samples(all);

	for (int i = 0; i < n; i++) {
		const char *key;
		json_t *value, *o;
		char *text;
		size_t size;

		ck_assert_int_eq(mt_command_encode(&all[i], &text, &size), 0);
		o = json_loadb(text, size, 0, NULL);
		free(text);
		json_object_foreach (o, key, value) {
			json_t *bad = json_deep_copy(o);

			/* No field is a real number. */
			json_object_set_new(bad, key, json_real(1.5));
			text = json_dumps(bad, JSON_COMPACT);
			ck_assert_msg(decode(text) == MT_EPROTO, "\"%s\": %s",
				      key, text);
			free(text);
			json_decref(bad);
		}
		json_decref(o);
	}
}
END_TEST

START_TEST(malformed_commands)
{
	static const char *const bad[] = {
	    "",
	    " ",
	    "null",
	    "1",
	    "\"member.put\"",
	    "[1]",
	    "{",
	    "{}x",
	    "{\"v\":1,\"v\":1,\"c\":\"status.put\"}",
	    "{\"v\":1,\"c\":1}",
	    "{\"v\":\"1\",\"c\":\"status.put\"}",
	    "{\"v\":-1,\"c\":\"status.put\"}",
	    "{\"v\":99999999999999999999,\"c\":\"status.put\"}",
	    "{\"v\":1e999,\"c\":\"status.put\"}",
	    "{\"v\":1,\"c\":\"bootstrap.claim\"}",
	    "{\"v\":1,\"c\":\"bootstrap.claim\",\"member\":\"\"}",
	    "{\"v\":1,\"c\":\"bootstrap.claim\",\"member\":\"a\\u0000\"}",
	    "{\"v\":1,\"c\":\"bootstrap.claim\",\"member\":\"\xff\"}",
	    "{\"v\":1,\"c\":\"bootstrap.claim\",\"member\":\"0123456789"
	    "012345678901234567890123456789012345678901234567890123\"}",
	    "{\"v\":1,\"c\":\"cluster.initialize\",\"member\":\"a\","
	    "\"sysid\":\"1\",\"ttl_ms\":5000}",
	    "{\"v\":1,\"c\":\"cluster.initialize\",\"member\":\"a\","
	    "\"sysid\":\"\",\"ttl_ms\":5000,\"config\":{}}",
	    "{\"v\":1,\"c\":\"cluster.initialize\",\"member\":\"a\","
	    "\"sysid\":\"1\",\"ttl_ms\":0,\"config\":{}}",
	    "{\"v\":1,\"c\":\"cluster.initialize\",\"member\":\"a\","
	    "\"sysid\":\"1\",\"ttl_ms\":5000,\"config\":[]}",
	    "{\"v\":1,\"c\":\"cluster.initialize\",\"member\":\"\","
	    "\"sysid\":\"1\",\"ttl_ms\":5000,\"config\":{}}",
	    "{\"v\":1,\"c\":\"leader.assign\"}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":0}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":1,\"min\":[1]}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":1,\"min\":[-1,1]}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":1,\"min\":[4294967296,1]}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":1,\"min\":[1,\"1\"]}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":1,\"min\":{\"0\":1}}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":1,\"decision\":{\"verdicts\":[0,0,0,0,0,0,0,0,0,"
	    "0,0,0,0,0,0,0,0]}}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":1,\"ground\":5}",
	    "{\"v\":1,\"c\":\"leader.assign\",\"holder\":\"a\","
	    "\"ttl_ms\":1,\"ground\":-1}",
	    "{\"v\":1,\"c\":\"sync.put\"}",
	    "{\"v\":1,\"c\":\"sync.put\",\"sync\":{}}",
	    "{\"v\":1,\"c\":\"sync.put\",\"sync\":1}",
	    "{\"v\":1,\"c\":\"request.put\",\"leader\":\"a\"}",
	    "{\"v\":1,\"c\":\"request.put\",\"kind\":\"restart\"}",
	    "{\"v\":1,\"c\":\"member.put\",\"member\":{\"name\":\"a\"}}",
	    "{\"v\":1,\"c\":\"member.put\",\"member\":{\"raft_id\":1}}",
	    "{\"v\":1,\"c\":\"member.put\",\"member\":{\"name\":\"a\","
	    "\"raft_id\":1,\"command_version\":4294967296}}",
	    "{\"v\":1,\"c\":\"member.put\",\"member\":{\"name\":\"a\","
	    "\"raft_id\":1,\"command_version\":-1}}",
	    "{\"v\":1,\"c\":\"history.put\",\"lines\":[1]}",
	    "{\"v\":1,\"c\":\"history.put\",\"lines\":[{\"timeline\":0}]}",
	    "{\"v\":1,\"c\":\"history.put\",\"lines\":[{\"timeline\":-1}]"
	    "}",
	    "{\"v\":1,\"c\":\"history.put\",\"lines\":[{\"timeline\":"
	    "4294967296}]}",
	    "{\"v\":1,\"c\":\"config.put\"}",
	    "{\"v\":1,\"c\":\"config.put\",\"config\":null}",
	};

	for (size_t i = 0; i < MT_COUNT(bad); i++)
		ck_assert_msg(decode(bad[i]) == MT_EPROTO, "%s", bad[i]);
}
END_TEST

START_TEST(a_history_too_long_is_refused)
{
	json_t *lines = json_array();
	json_t *o = json_pack("{s:i,s:s,s:o}", "v", 1, "c", "history.put",
			      "lines", lines);
	char *text;

	for (int i = 1; i <= MT_HISTORY_MAX + 1; i++) {
		json_array_append_new(lines, json_pack("{s:i}", "timeline", i));
		text = json_dumps(o, 0);
		ck_assert_int_eq(decode(text),
				 i <= MT_HISTORY_MAX ? 0 : MT_EPROTO);
		free(text);
	}
	json_decref(o);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	static const char *const opens[] = {"[", "{\"a\":"};

	for (size_t k = 0; k < MT_COUNT(opens); k++) {
		size_t step = strlen(opens[k]), n = 0;
		char *text = malloc(MT_COMMAND_MAX + 1);

		n = (size_t)sprintf(text, "{\"v\":1,\"c\":\"config.put\","
					  "\"config\":");
		while (n + step < MT_COMMAND_MAX) {
			memcpy(text + n, opens[k], step);
			n += step;
		}
		text[n] = '\0';
		ck_assert_int_eq(decode(text), MT_EPROTO);
		free(text);
	}
}
END_TEST

START_TEST(unknown_commands_and_versions_are_told_apart)
{
	ck_assert_int_eq(decode("{\"v\":3,\"c\":\"status.put\"}"), MT_EREFUSED);
	ck_assert_int_eq(decode("{\"v\":1,\"c\":\"none\"}"), MT_EREFUSED);
	ck_assert_int_eq(decode("{\"v\":1,\"c\":\"\"}"), MT_EREFUSED);
	ck_assert_int_eq(decode("{\"v\":3,\"c\":\"x\",\"deep\":[[[]]]}"),
			 MT_EREFUSED);
	/* Fields that a newer program adds to a version that we know are
	 * none of our business. */
	ck_assert_int_eq(decode("{\"v\":1,\"c\":\"status.put\",\"epoch\":1,"
				"\"holder\":\"a\",\"new\":true}"),
			 0);
}
END_TEST

static int
version_of(const struct mt_command *cmd)
{
	char *text;
	size_t n;
	int version;

	ck_assert_int_eq(mt_command_encode(cmd, &text, &n), 0);
	ck_assert_int_eq(sscanf(text, "{\"v\":%d,", &version), 1);
	free(text);
	return version;
}

/* Members of another version would come to another state, and not know it. */
START_TEST(only_who_asked_needs_the_second_version)
{
	struct mt_command all[32];
	int n = samples(all);

	for (int i = 0; i < n; i++) {
		struct mt_command lower = all[i];
		bool asked = i >= n - 4 && i < n - 1;

		ck_assert_msg(version_of(&all[i]) == (asked ? 2 : 1), "%d", i);
		mt_command_lower(&lower, 2);
		ck_assert_mem_eq(&lower, &all[i], sizeof(lower));
		mt_command_lower(&lower, 1);
		ck_assert_int_eq(version_of(&lower), 1);
		ck_assert((memcmp(&lower, &all[i], sizeof(lower)) != 0) ==
			  asked);
	}
}
END_TEST

START_TEST(who_asked_is_not_read_from_the_first_version)
{
	static const char text[] =
	    "{\"v\":1,\"c\":\"request.put\",\"kind\":\"switchover\","
	    "\"leader\":\"a\",\"by\":\"ann\",\"by_from\":\"::1\"}";
	struct mt_command cmd;
	struct mt_err err;

	ck_assert_int_eq(mt_command_decode(&cmd, text, strlen(text), &err), 0);
	ck_assert_str_eq(cmd.u.request_put.by.who, "");
	ck_assert_str_eq(cmd.u.request_put.by.from, "");
	/* an address alone is nobody's */
	ck_assert_int_eq(decode("{\"v\":2,\"c\":\"request.put\",\"kind\":"
				"\"switchover\",\"leader\":\"a\","
				"\"by_from\":\"::1\"}"),
			 MT_EPROTO);
}
END_TEST

START_TEST(bytes_that_are_no_text_do_not_get_into_the_log)
{
	struct mt_command cmd = member_put("a", 1), have;
	struct mt_err err;
	char *text;
	size_t n;

	mt_copy(cmd.u.member_put.tags, MT_TAGS_MAX, "{\"x\":\"\xff\"}");
	ck_assert_int_eq(mt_command_encode(&cmd, &text, &n), 0);
	ck_assert_int_eq(mt_command_decode(&have, text, n, &err), 0);
	ck_assert_str_eq(have.u.member_put.tags, "?");
	free(text);
}
END_TEST

int
main(void)
{
	RUN_TESTS("command", every_command_comes_back,
		  the_names_of_commands_do_not_change,
		  a_command_too_long_is_not_made,
		  a_command_too_long_is_not_read, every_truncation_is_refused,
		  damaged_commands_are_refused_or_read_in_bounds,
		  every_field_of_a_wrong_type_is_refused, malformed_commands,
		  a_history_too_long_is_refused, deep_nesting_is_refused,
		  unknown_commands_and_versions_are_told_apart,
		  only_who_asked_needs_the_second_version,
		  who_asked_is_not_read_from_the_first_version,
		  bytes_that_are_no_text_do_not_get_into_the_log);
}
