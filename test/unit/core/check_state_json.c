/* SPDX-License-Identifier: PostgreSQL */
/* Snapshots of the state: round trip, and what is refused. */
#include "core/state.h"

#include "given_command.h"
#include "hostile.h"
#include "test/unit/run.h"

static struct mt_state s;

/* A state with something in every corner. */
static void
given_full_state(void)
{
	struct mt_command claimed = claim("b", BIG);
	json_t *config = json_pack("{s:i,s:{s:b}}", "ttl", 9, "postgresql",
				   "use_pg_rewind", 1);
	char name[MT_NAME_MAX];

	given_initialized(&s);
	for (int i = 0; i < MT_NODES_MAX - 3; i++) {
		mt_format(name, sizeof(name), "n%02d", i);
		applied(&s, member_put(name, BIG + (uint64_t)i));
	}
	applied(&s, config_put(1, config));
	json_decref(config);
	applied(&s, history_put(1, "a", MT_HISTORY_MAX));
	applied(&s, status_put(1, "a", BIG));
	applied(&s, request_put("a", "b"));
	applied(&s, request_clear(s.request.id));
	for (int i = 0; i < MT_DECISIONS_MAX + 10; i++)
		applied(&s, assign(s.leader.epoch, false, "b", i > 0));
	applied(&s, asked_by("ann", scheduled_put("b", 1700000000000, 0)));
	config = json_pack("{s:i,s:b}", "ttl", 9, "pause", 1);
	applied(&s, asked_by("bob", config_put(s.config_version, config)));
	json_decref(config);
	applied(&s, sync_put(s.leader.epoch, "b", 0, "acn", 2));
	s.leader.after_fence = true;
	applied(&s, release(s.leader.epoch, "b", true));
	s.claim = claimed.u.claim; /* cannot be, but must come back too */
	s.claim.index = BIG - 1;
}

static char *
saved(const struct mt_state *from)
{
	char *text;
	size_t n;

	ck_assert_int_eq(mt_state_save(from, &text, &n), 0);
	ck_assert_uint_eq(n, strlen(text));
	return text;
}

/* Refused with words, and the state that was there stays. */
static void
refused(const char *text)
{
	struct mt_err err = {0};
	uint64_t digest;
	int rv;

	given_initialized(&s);
	digest = mt_state_digest(&s);
	rv = mt_state_load(&s, text, strlen(text), &err);
	ck_assert_msg(rv == MT_EIO, "%d: %.200s", rv, text);
	ck_assert_str_ne(err.text, "");
	ck_assert_uint_eq(mt_state_digest(&s), digest);
	mt_state_release(&s);
}

START_TEST(a_full_state_comes_back)
{
	struct mt_state back;
	struct mt_err err;
	char *text, *again;

	given_full_state();
	text = saved(&s);
	mt_state_init(&back);
	ck_assert_int_eq(mt_state_load(&back, text, strlen(text), &err), 0);
	again = saved(&back);
	ck_assert_str_eq(text, again);
	ck_assert_uint_eq(mt_state_digest(&s), mt_state_digest(&back));
	ck_assert(json_equal(s.config, back.config));
	json_decref(back.config); /* the rest is plain bytes */
	back.config = s.config;
	ck_assert_mem_eq(&s, &back, sizeof(s));
	free(text);
	free(again);
	mt_state_release(&s);
}
END_TEST

START_TEST(an_empty_state_comes_back)
{
	struct mt_state back;
	struct mt_err err;
	char *text;

	mt_state_init(&s);
	text = saved(&s);
	given_initialized(&back); /* is replaced */
	back.unknown_command = 2;
	ck_assert_int_eq(mt_state_load(&back, text, strlen(text), &err), 0);
	ck_assert_mem_eq(&s, &back, sizeof(s));
	free(text);
}
END_TEST

START_TEST(a_loaded_state_goes_on_like_the_one_that_was_saved)
{
	struct mt_state back;
	struct mt_err err;
	char *text;

	given_full_state();
	memset(&s.claim, 0, sizeof(s.claim));
	text = saved(&s);
	mt_state_init(&back);
	ck_assert_int_eq(mt_state_load(&back, text, strlen(text), &err), 0);
	free(text);
	for (int i = 0; i < 5; i++) {
		struct mt_command next =
		    assign(s.leader.epoch, s.leader.released, "a", i > 0);

		next.u.assign.expect_sync = s.sync.version;
		applied(&s, next);
		applied(&back, next);
		ck_assert_uint_eq(mt_state_digest(&s), mt_state_digest(&back));
	}
	mt_state_release(&s);
	mt_state_release(&back);
}
END_TEST

START_TEST(the_digest_sees_every_part)
{
	uint64_t digest;

#define SEEN(change) \
	do { \
		given_full_state(); \
		digest = mt_state_digest(&s); \
		change; \
		ck_assert_uint_ne(mt_state_digest(&s), digest); \
		mt_state_release(&s); \
	} while (0)

	SEEN(s.index++);
	SEEN(s.sysid[0]++);
	SEEN(s.claim.incarnation++);
	SEEN(s.claim.index++);
	SEEN(s.claim.member[0]++);
	SEEN(s.claim.adopts++);
	SEEN(s.config_version++);
	SEEN(json_object_set_new(s.config, "ttl", json_integer(8)));
	SEEN(s.leader.epoch++);
	SEEN(s.leader.since++);
	SEEN(s.leader.holder[0]++);
	SEEN(s.leader.ttl_ms++);
	SEEN(s.leader.continues = !s.leader.continues);
	SEEN(s.leader.min.lsn++);
	SEEN(s.leader.min.timeline++);
	SEEN(s.leader.released = !s.leader.released);
	SEEN(s.leader.clean = !s.leader.clean);
	SEEN(s.leader.end.lsn++);
	SEEN(s.leader.index++);
	SEEN(s.leader.after_fence = !s.leader.after_fence);
	SEEN(s.sync.version++);
	SEEN(s.sync.leader[0]++);
	SEEN(s.sync.k--);
	SEEN(s.sync.n--);
	SEEN(s.sync.standbys[1].name[0]++);
	SEEN(s.sync.standbys[1].data_id++);
	SEEN(s.leader.exempt++);
	SEEN(s.leader.exempt_incarnation++);
	SEEN(s.leader.exempt_reason[0] = 'x');
	SEEN(s.leader.adopts++);
	SEEN(s.n_members--);
	SEEN(s.members[3].command_version++);
	SEEN(s.members[3].tags[0] = 'x');
	SEEN(s.members[3].proxy_url[0] = 'x');
	SEEN(s.request.id++);
	SEEN(s.request.kind = MT_REQUEST_NONE);
	SEEN(s.request.leader[0]++);
	SEEN(s.request.candidate[0]++);
	SEEN(s.request.scheduled_ms++);
	SEEN(s.request.by.who[0]++);
	SEEN(s.request.by.from[0]++);
	SEEN(s.decisions[(s.last_decision - 1) % MT_DECISIONS_MAX].by.who[0]++);
	SEEN(s.request.accept_loss = !s.request.accept_loss);
	SEEN(s.outcome.id++);
	SEEN(s.outcome.ok = !s.outcome.ok);
	SEEN(s.outcome.text[0]++);
	SEEN(s.n_history--);
	SEEN(s.history_of++);
	SEEN(s.leader.timeline++);
	SEEN(s.history[5].reason[0]++);
	SEEN(s.history[5].new_leader[0] = 'x');
	SEEN(s.last_decision--);
	SEEN(s.decisions[s.last_decision % MT_DECISIONS_MAX].why[0]++);
	SEEN(s.status.optime.lsn++);
#undef SEEN
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct mt_state into;
	char *text;
	size_t n;

	given_initialized(&s);
	applied(&s, assign(1, false, "b", false));
	text = saved(&s);
	n = strlen(text);
	mt_state_init(&into);
	for (size_t cut = 0; cut < n; cut++) {
		char *p = exact_copy(text, cut);

		if (mt_state_load(&into, p, cut, NULL) != MT_EIO)
			ck_abort_msg("%.*s", (int)cut, text);
		free(p);
	}
	free(text);
	mt_state_release(&s);
}
END_TEST

START_TEST(damaged_snapshots_are_refused_or_read_in_bounds)
{
	uint64_t seed = 6;
	char *text;
	size_t n;

	given_initialized(&s);
	applied(&s, history_put(1, "a", 2));
	applied(&s, assign(1, false, "b", false));
	text = saved(&s);
	mt_state_release(&s);
	n = strlen(text);
	for (int i = 0; i < 3000; i++) {
		uint8_t *p = exact_copy(text, n);
		struct mt_err err;

		damage(p, n, &seed);
		mt_state_init(&s);
		if (mt_state_load(&s, (char *)p, n, &err) == 0) {
			free(saved(&s));
			mt_state_release(&s);
		}
		free(p);
	}
	free(text);
}
END_TEST

/* Each field of a wrong type, at the top and in the objects within. */
START_TEST(every_field_of_a_wrong_type_is_refused)
{
	static const char *const within[] = {NULL, "leader", "request",
					     "claim"};
	char *text;
	json_t *o;

	given_initialized(&s);
	text = saved(&s);
	mt_state_release(&s);
	o = json_loads(text, 0, NULL);
	free(text);
	for (size_t i = 0; i < MT_COUNT(within); i++) {
		json_t *part =
		    within[i] == NULL ? o : json_object_get(o, within[i]);
		const char *key;
		json_t *value;

		json_object_foreach (part, key, value) {
			json_t *bad = json_deep_copy(o);
			json_t *at = within[i] == NULL
					 ? bad
					 : json_object_get(bad, within[i]);

			json_object_set_new(at, key, json_real(1.5));
			text = json_dumps(bad, JSON_SORT_KEYS);
			refused(text);
			free(text);
			json_decref(bad);
		}
	}
	json_decref(o);
}
END_TEST

START_TEST(lists_beyond_their_limits_are_refused)
{
	static const struct {
		const char *list, *item;
		int limit;
	} rows[] = {
	    {"members", "{\"name\":\"a\",\"raft_id\":1}", MT_NODES_MAX},
	    {"history", "{\"timeline\":1}", MT_HISTORY_MAX},
	};

	for (size_t i = 0; i < MT_COUNT(rows); i++) {
		json_t *o = json_pack("{s:i,s:n}", "version", 1, "config");
		json_t *list = json_array();
		struct mt_err err;
		char *text;

		json_object_set_new(o, rows[i].list, list);
		for (int k = 0; k < rows[i].limit; k++)
			json_array_append_new(
			    list, json_loads(rows[i].item, 0, NULL));
		text = json_dumps(o, 0);
		mt_state_init(&s);
		ck_assert_int_eq(mt_state_load(&s, text, strlen(text), &err),
				 0);
		free(text);
		json_array_append_new(list, json_loads(rows[i].item, 0, NULL));
		text = json_dumps(o, 0);
		refused(text);
		free(text);
		json_decref(o);
	}
}
END_TEST

START_TEST(malformed_snapshots_are_refused)
{
	static const char *const bad[] = {
	    "",
	    "null",
	    "[]",
	    "{}",
	    "{\"version\":1}",
	    "{\"version\":2,\"config\":null}",
	    "{\"version\":0,\"config\":null}",
	    "{\"version\":\"1\",\"config\":null}",
	    "{\"version\":1,\"config\":1}",
	    "{\"version\":1,\"version\":1,\"config\":null}",
	    "{\"version\":1,\"config\":null,\"request\":{\"kind\":3}}",
	    "{\"version\":1,\"config\":null,\"request\":{\"kind\":-1}}",
	    "{\"version\":1,\"config\":null,\"members\":[1]}",
	    "{\"version\":1,\"config\":null,\"members\":[{}]}",
	    "{\"version\":1,\"config\":null,\"history\":[1]}",
	    "{\"version\":1,\"config\":null,\"history\":[{\"timeline\":0}]"
	    "}",
	    "{\"version\":1,\"config\":null,\"sync\":[]}",
	    "{\"version\":1,\"config\":null,\"sync\":{\"k\":1}}",
	    "{\"version\":1,\"config\":null,\"leader\":{\"after_fence\":1"
	    "}}",
	    "{\"version\":1,\"config\":null,\"optime\":[1]}",
	    "{\"version\":1,\"config\":{\"a\":1},\"optime\":[1,2,3]}",
	    "{\"version\":1,\"config\":null,\"sysid\":\"01234567890123456"
	    "78901234567\"}",
	};

	for (size_t i = 0; i < MT_COUNT(bad); i++)
		refused(bad[i]);
}
END_TEST

START_TEST(a_newer_snapshot_asks_for_an_upgrade)
{
	const char *text = "{\"version\":2,\"config\":null}";
	struct mt_err err;

	mt_state_init(&s);
	ck_assert_int_eq(mt_state_load(&s, text, strlen(text), &err), MT_EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "upgrade"));
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	size_t n = 100000;
	char *text = malloc(n + 1);

	memset(text, '[', n);
	memcpy(text, "{\"config\":", 10);
	text[n] = '\0';
	refused(text);
	free(text);
}
END_TEST

/* As long as its buffer allows, of bytes that JSON writes as six. */
#define FILL(str) fill(str, sizeof(str))
static void
fill(char *str, size_t size)
{
	memset(str, 1, size - 1);
	str[size - 1] = '\0';
}

static struct mt_decision
longest_decision(uint64_t id)
{
	struct mt_decision d = {
	    .id = id, .epoch = UINT64_MAX, .n_verdicts = MT_NODES_MAX};

	FILL(d.rule);
	FILL(d.from);
	FILL(d.to);
	FILL(d.why);
	FILL(d.by.who);
	FILL(d.by.from);
	d.at_ms = d.phases.fenced_ms = d.phases.assigned_ms = INT64_MIN;
	d.phases.leased_ms = d.phases.promoted_ms = INT64_MIN;
	d.phases.writable_ms = INT64_MIN;
	d.optime = (struct mt_position){UINT32_MAX, UINT64_MAX};
	d.loss = (struct mt_loss){UINT32_MAX, UINT64_MAX, UINT64_MAX};
	for (int i = 0; i < MT_NODES_MAX; i++) {
		struct mt_verdict *v = &d.verdicts[i];

		FILL(v->name);
		FILL(v->rule);
		v->at = d.optime;
		v->lag_bytes = UINT64_MAX;
		v->age_ms = INT64_MIN;
		v->failover_priority = INT32_MIN;
	}
	return d;
}

/* A state too long for a snapshot would let the log grow for ever: the limits
 * of its parts together have to be below the limit of a snapshot. */
START_TEST(the_longest_state_fits_a_snapshot)
{
	char *blank = malloc(MT_COMMAND_MAX);
	char *text;

	mt_state_init(&s);
	memset(blank, 'x', MT_COMMAND_MAX - 1);
	blank[MT_COMMAND_MAX - 1] = '\0';
	s.config = json_pack("{s:s}", "x", blank);
	s.n_members = s.sync.n = MT_NODES_MAX;
	for (int i = 0; i < MT_NODES_MAX; i++) {
		struct mt_member *m = &s.members[i];

		FILL(m->name);
		FILL(m->peer_addr);
		FILL(m->api_url);
		FILL(m->conn_url);
		FILL(m->proxy_url);
		FILL(m->tags);
		FILL(m->version);
		FILL(s.sync.standbys[i].name);
	}
	s.n_history = MT_HISTORY_MAX;
	for (int i = 0; i < MT_HISTORY_MAX; i++) {
		FILL(s.history[i].reason);
		FILL(s.history[i].new_leader);
	}
	FILL(s.outcome.text);
	for (uint64_t id = 1; id <= MT_DECISIONS_MAX; id++)
		s.decisions[id % MT_DECISIONS_MAX] = longest_decision(id);
	s.last_decision = MT_DECISIONS_MAX;
	text = saved(&s);
	/* what is left out here is short */
	ck_assert_uint_gt(strlen(text), MT_STATE_BYTES_MAX / 2);
	ck_assert_uint_lt(strlen(text), MT_STATE_BYTES_MAX - (64u << 10));
	free(text);
	free(blank);
	mt_state_release(&s);
}
END_TEST

int
main(void)
{
	RUN_TESTS("state_json", a_full_state_comes_back,
		  an_empty_state_comes_back,
		  a_loaded_state_goes_on_like_the_one_that_was_saved,
		  the_digest_sees_every_part, every_truncation_is_refused,
		  damaged_snapshots_are_refused_or_read_in_bounds,
		  every_field_of_a_wrong_type_is_refused,
		  lists_beyond_their_limits_are_refused,
		  malformed_snapshots_are_refused,
		  a_newer_snapshot_asks_for_an_upgrade, deep_nesting_is_refused,
		  the_longest_state_fits_a_snapshot);
}
