/* SPDX-License-Identifier: PostgreSQL */
/* Claim and initialization where data was there before the cluster. */
#include "apply.h"
#include "test/unit/run.h"

static struct mt_command
claim_data(const char *name, uint64_t incarnation, uint64_t data_id)
{
	struct mt_command c = claim(name, incarnation);

	c.u.claim.adopts = data_id;
	return c;
}

START_TEST(a_running_primary_is_exempt_from_epoch_1_on)
{
	json_t *config = json_pack("{s:i}", "ttl", 5);
	const struct mt_decision *d;

	given_members(&s);
	applied(&s, claim_data("a", 10, 77));
	ck_assert_uint_eq(s.claim.adopts, 77);
	refused("other data", adopt("a", 10, 78, true, 3, config));
	refused("by initdb", initialize("a", 10, config));
	applied(&s, adopt("a", 10, 77, true, 3, config));
	ck_assert_uint_eq(s.leader.epoch, 1);
	ck_assert_uint_eq(s.leader.adopts, 77);
	ck_assert_uint_eq(s.leader.timeline, 3);
	ck_assert_uint_eq(s.leader.exempt, s.index);
	ck_assert_uint_eq(s.leader.exempt_incarnation, 10);
	ck_assert_str_eq(s.leader.exempt_reason, "adoption");
	d = mt_state_decision(&s, 1);
	ck_assert_str_eq(d->rule, "adoption");
	ck_assert_ptr_nonnull(strstr(d->why, "running primary"));
	/* The end of promises proves nothing: it never gave a lease up. */
	refused("past the exemption", assign(1, false, "b", false));
	applied(&s, exempt(1, "a", 10, s.leader.exempt));
	ck_assert_uint_eq(s.leader.exempt, 0);
	applied(&s, assign(1, false, "b", false));
	ck_assert_uint_eq(s.leader.timeline, 4);
	mt_state_release(&s);
	json_decref(config);
}
END_TEST

START_TEST(data_that_is_down_is_not_exempt)
{
	json_t *config = json_pack("{s:i}", "ttl", 5);

	given_members(&s);
	applied(&s, claim_data("a", 10, 77));
	applied(&s, adopt("a", 10, 77, false, 0, config));
	ck_assert_uint_eq(s.leader.adopts, 77);
	ck_assert_uint_eq(s.leader.timeline, 1);
	ck_assert_uint_eq(s.leader.exempt, 0);
	mt_state_release(&s);

	given_members(&s);
	applied(&s, claim("a", 10));
	refused("no data was claimed", adopt("a", 10, 77, true, 3, config));
	applied(&s, adopt("a", 10, 0, true, 0, config));
	ck_assert_uint_eq(s.leader.exempt, 0);
	mt_state_release(&s);
	json_decref(config);
}
END_TEST

START_TEST(a_claim_of_data_is_withdrawn_as_it_was_made)
{
	struct mt_command c = withdraw("a", 10);

	given_members(&s);
	applied(&s, claim_data("a", 10, 77));
	refused("of an initdb", c);
	c.u.withdraw.adopts = 77;
	applied(&s, c);
	ck_assert_uint_eq(s.claim.adopts, 0);
	mt_state_release(&s);
}
END_TEST

int
main(void)
{
	RUN_TESTS("apply_adopt", a_running_primary_is_exempt_from_epoch_1_on,
		  data_that_is_down_is_not_exempt,
		  a_claim_of_data_is_withdrawn_as_it_was_made);
}
