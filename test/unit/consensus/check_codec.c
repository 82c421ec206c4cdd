/* SPDX-License-Identifier: PostgreSQL */
/*
 * The codec of Raft messages: what goes in comes out, and bytes that nobody
 * sent on purpose are refused or harmless. Cuts and flips run over copies of
 * exact size, so that a sanitizer sees a read beyond the end.
 */
#include "consensus/codec.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/run.h"

static struct mt_image image;

static void
make_image(void)
{
	static const uint64_t ids[] = {3, 1, 2};
	static const char *const addresses[] = {"c:1", "a:1", "b:1"};
	struct mt_snapshot s = {.index = 2,
				.term = 1,
				.configuration_index = 1,
				.configuration_term = 1};
	unsigned i;

	ck_assert_int_eq(mt_image_bootstrap(&image, ids, addresses, 3, NULL),
			 0);
	s.configuration = image.entries[0].data;
	s.data = (struct mt_blob){.p = (uint8_t *)"machine", .n = 7};
	mt_image_set_snapshot(&image, &s);
	image.term = 5;
	for (i = 0; i < 6; i++)
		mt_image_append(&image, 2 + i / 2, MT_ENTRY_COMMAND, "command",
				1 + i);
	mt_image_append(&image, 5, MT_ENTRY_CHANGE, image.entries[0].data.p,
			image.entries[0].data.n);
	mt_image_append(&image, 5, MT_ENTRY_BARRIER, "\0\0\0\0\0\0\0", 8);
}

static void
drop_image(void)
{
	mt_image_release(&image);
}

/* One of each type, with all fields different. */
static struct raft_message
sample(int type)
{
	struct raft_message m;

	memset(&m, 0, sizeof m);
	m.type = (enum raft_message_type)type;
	switch (type) {
	case RAFT_REQUEST_VOTE:
		m.request_vote =
		    (struct raft_request_vote){2, 9, 7, 30, 8, true, true};
		break;
	case RAFT_REQUEST_VOTE_RESULT:
		m.request_vote_result =
		    (struct raft_request_vote_result){3, 9, true, true, 0, 0};
		break;
	case RAFT_APPEND_ENTRIES:
		m.append_entries =
		    (struct raft_append_entries){1, 6, 1, 1, 4, NULL, 8};
		break;
	case RAFT_APPEND_ENTRIES_RESULT:
		m.append_entries_result =
		    (struct raft_append_entries_result){1, 6, 11, 12, 0, 0};
		break;
	case RAFT_INSTALL_SNAPSHOT:
		m.install_snapshot.term = 6;
		m.install_snapshot.last_index = 2;
		break;
	default:
		m.timeout_now = (struct raft_timeout_now){1, 6, 13, 5};
		break;
	}
	return m;
}

static struct mt_blob
encoded(int type)
{
	struct raft_message m = sample(type);
	struct mt_blob b;

	ck_assert_int_eq(mt_message_encode(&m, &image, &b, NULL), 0);
	return b;
}

START_TEST(votes_come_out_as_they_went_in)
{
	struct mt_blob b = encoded(RAFT_REQUEST_VOTE);
	struct mt_message m;
	const struct raft_request_vote *v = &m.raft.request_vote;
	const struct raft_request_vote_result *r = &m.raft.request_vote_result;

	ck_assert_int_eq(mt_message_decode(&m, b.p, b.n, NULL), 0);
	ck_assert_int_eq(m.raft.type, RAFT_REQUEST_VOTE);
	ck_assert_uint_eq(v->version, 2);
	ck_assert_uint_eq(v->term, 9);
	ck_assert_uint_eq(v->candidate_id, 7);
	ck_assert_uint_eq(v->last_log_index, 30);
	ck_assert_uint_eq(v->last_log_term, 8);
	ck_assert(v->disrupt_leader && v->pre_vote);
	mt_message_release(&m);
	mt_blob_release(&b);

	b = encoded(RAFT_REQUEST_VOTE_RESULT);
	ck_assert_int_eq(mt_message_decode(&m, b.p, b.n, NULL), 0);
	ck_assert_uint_eq(r->version, 3);
	ck_assert_uint_eq(r->term, 9);
	ck_assert(r->vote_granted && r->pre_vote);
	mt_message_release(&m);
	mt_blob_release(&b);
}
END_TEST

START_TEST(appends_carry_entries_of_the_log)
{
	struct mt_blob b = encoded(RAFT_APPEND_ENTRIES);
	struct mt_message m;
	const struct raft_append_entries *v = &m.raft.append_entries;
	unsigned i;

	ck_assert_int_eq(mt_message_decode(&m, b.p, b.n, NULL), 0);
	ck_assert_uint_eq(v->version, 1);
	ck_assert_uint_eq(v->term, 6);
	ck_assert_uint_eq(v->prev_log_index, 1);
	ck_assert_uint_eq(v->prev_log_term, 1);
	ck_assert_uint_eq(v->leader_commit, 4);
	ck_assert_uint_eq(v->n_entries, 8);
	for (i = 0; i < 8; i++) {
		const struct mt_entry *e = mt_image_at(&image, 2 + i);

		ck_assert_uint_eq(m.entries[i].term, e->term);
		ck_assert_int_eq((int)m.entries[i].type, (int)e->type);
		ck_assert_uint_eq(m.entries[i].data.n, e->data.n);
		ck_assert_mem_eq(m.entries[i].data.p, e->data.p, e->data.n);
	}
	mt_message_release(&m);
	mt_blob_release(&b);
}
END_TEST

START_TEST(results_and_transfers_come_out_as_they_went_in)
{
	struct mt_blob b = encoded(RAFT_APPEND_ENTRIES_RESULT);
	struct mt_message m;

	ck_assert_int_eq(mt_message_decode(&m, b.p, b.n, NULL), 0);
	ck_assert_uint_eq(m.raft.append_entries_result.term, 6);
	ck_assert_uint_eq(m.raft.append_entries_result.rejected, 11);
	ck_assert_uint_eq(m.raft.append_entries_result.last_log_index, 12);
	mt_message_release(&m);
	mt_blob_release(&b);

	b = encoded(RAFT_TIMEOUT_NOW);
	ck_assert_int_eq(mt_message_decode(&m, b.p, b.n, NULL), 0);
	ck_assert_uint_eq(m.raft.timeout_now.term, 6);
	ck_assert_uint_eq(m.raft.timeout_now.last_log_index, 13);
	ck_assert_uint_eq(m.raft.timeout_now.last_log_term, 5);
	mt_message_release(&m);
	mt_blob_release(&b);
}
END_TEST

START_TEST(snapshots_carry_configuration_and_state_machine)
{
	struct mt_blob b = encoded(RAFT_INSTALL_SNAPSHOT);
	struct mt_message m;

	ck_assert_int_eq(mt_message_decode(&m, b.p, b.n, NULL), 0);
	ck_assert_uint_eq(m.raft.install_snapshot.term, 6);
	ck_assert_uint_eq(m.raft.install_snapshot.last_index, 2);
	ck_assert_uint_eq(m.raft.install_snapshot.last_term, 1);
	ck_assert_uint_eq(m.raft.install_snapshot.conf_index, 1);
	ck_assert_uint_eq(m.configuration_term, 1);
	ck_assert_uint_eq(m.data.n, 7);
	ck_assert_mem_eq(m.data.p, "machine", 7);
	ck_assert_uint_eq(m.configuration.n, image.entries[0].data.n);
	mt_message_release(&m);
	mt_blob_release(&b);
}
END_TEST

START_TEST(what_the_log_lacks_cannot_be_encoded)
{
	struct raft_message m = sample(RAFT_APPEND_ENTRIES);
	struct mt_blob b;

	m.append_entries.n_entries = 100;
	ck_assert_int_eq(mt_message_encode(&m, &image, &b, NULL), MT_EINVAL);
	m = sample(RAFT_INSTALL_SNAPSHOT);
	m.install_snapshot.last_index = 1;
	ck_assert_int_eq(mt_message_encode(&m, &image, &b, NULL), MT_EINVAL);
}
END_TEST

START_TEST(long_appends_are_cut_to_whole_entries)
{
	static uint8_t big[400 << 10];
	struct raft_message raft = sample(RAFT_APPEND_ENTRIES);
	struct mt_message m;
	struct mt_blob b;
	unsigned i;

	for (i = 0; i < 4; i++)
		mt_image_append(&image, 5, MT_ENTRY_COMMAND, big, sizeof big);
	raft.append_entries.n_entries = 12;
	ck_assert_int_eq(mt_message_encode(&raft, &image, &b, NULL), 0);
	ck_assert_uint_le(b.n, MT_RAFT_ENTRIES_BYTES + 256);
	ck_assert_int_eq(mt_message_decode(&m, b.p, b.n, NULL), 0);
	ck_assert_uint_eq(m.raft.append_entries.n_entries, 10);
	mt_message_release(&m);
	mt_blob_release(&b);
}
END_TEST

/* Decode a copy that ends where the bytes end. */
static int
decode_exactly(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	struct mt_message m;
	struct mt_err err;
	int rv;

	ck_assert_ptr_nonnull(copy);
	if (n > 0)
		memcpy(copy, p, n);
	err.text[0] = '\0';
	rv = mt_message_decode(&m, copy, n, &err);
	if (rv == 0)
		mt_message_release(&m);
	else
		ck_assert_int_ne(err.text[0], '\0');
	free(copy);
	return rv;
}

START_TEST(every_truncation_and_any_extra_byte_is_refused)
{
	struct mt_blob b = encoded(_i);
	uint8_t *longer = calloc(1, b.n + 1);
	size_t n;

	for (n = 0; n < b.n; n++)
		ck_assert_int_eq(decode_exactly(b.p, n), MT_EPROTO);
	memcpy(longer, b.p, b.n);
	ck_assert_int_eq(decode_exactly(longer, b.n + 1), MT_EPROTO);
	free(longer);
	mt_blob_release(&b);
}
END_TEST

START_TEST(every_flipped_byte_is_refused_or_harmless)
{
	struct mt_blob b = encoded(_i);
	size_t i;
	int v;

	for (i = 0; i < b.n; i++) {
		uint8_t was = b.p[i];

		for (v = 0; v < 256; v += i < 64 ? 1 : 15) {
			b.p[i] = (uint8_t)v;
			decode_exactly(b.p, b.n);
		}
		b.p[i] = was;
	}
	mt_blob_release(&b);
}
END_TEST

START_TEST(random_bytes_are_refused_or_harmless)
{
	struct mt_blob b = encoded(_i);
	unsigned seed = 7, round, k;
	uint8_t *p = malloc(b.n);

	for (round = 0; round < 3000; round++) {
		memcpy(p, b.p, b.n);
		for (k = rand_r(&seed) % 8 + 1; k > 0; k--)
			p[(unsigned)rand_r(&seed) % b.n] =
			    (uint8_t)rand_r(&seed);
		p[0] = (uint8_t)_i;
		decode_exactly(p, (unsigned)rand_r(&seed) % 4 == 0
				      ? (unsigned)rand_r(&seed) % b.n
				      : b.n);
	}
	free(p);
	mt_blob_release(&b);
}
END_TEST

/* Change one field of a good message; the offset is its place in the form. */
static int
with_u64(int type, size_t offset, uint64_t v)
{
	struct mt_blob b = encoded(type);
	int i, rv;

	for (i = 0; i < 8; i++)
		b.p[offset + (size_t)i] = (uint8_t)(v >> (56 - 8 * i));
	rv = decode_exactly(b.p, b.n);
	mt_blob_release(&b);
	return rv;
}

START_TEST(numbers_that_make_no_sense_are_refused)
{
	/* append: term, prev index, prev term, commit, count, entry's term */
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 1, 6), 0);
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 1, 0), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 1, 4), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 1, UINT64_MAX),
			 MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 9, UINT64_MAX),
			 MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 9, 0), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 17, 3), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 37, 0), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_APPEND_ENTRIES, 37, 5), MT_EPROTO);
	/* snapshot: term, index, its term, its configuration's index */
	ck_assert_int_eq(with_u64(RAFT_INSTALL_SNAPSHOT, 9, 0), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_INSTALL_SNAPSHOT, 17, 0), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_INSTALL_SNAPSHOT, 17, 7), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_INSTALL_SNAPSHOT, 25, 3), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_REQUEST_VOTE, 1, 0), MT_EPROTO);
	ck_assert_int_eq(with_u64(RAFT_REQUEST_VOTE, 25, 10), MT_EPROTO);
}
END_TEST

START_TEST(configurations_survive_a_round_trip_and_hostile_bytes_do_not)
{
	struct mt_configuration c = {0}, again = {0};
	struct mt_blob b = {0};
	size_t i, n;

	mt_image_configuration(&image, &c);
	ck_assert_uint_eq(c.index, 8);
	ck_assert_uint_eq(c.term, 5);
	ck_assert_uint_eq(c.n, 3);
	ck_assert_uint_eq(c.servers[0].id, 1);
	ck_assert_str_eq(c.servers[0].address, "a:1");
	ck_assert_uint_eq(mt_configuration_voters(&c), 3);
	c.servers[1].role = MT_SERVER_STANDBY;
	ck_assert_int_eq(mt_configuration_encode(&c, &b, NULL), 0);
	ck_assert_int_eq(mt_configuration_decode(&again, b.p, b.n, NULL), 0);
	ck_assert_uint_eq(mt_configuration_voters(&again), 2);
	ck_assert_ptr_null(mt_configuration_find(&again, 4));
	for (n = 0; n < b.n; n++)
		ck_assert_int_ne(mt_configuration_decode(&again, b.p, n, NULL),
				 0);
	for (i = 0; i < b.n; i++) {
		b.p[i] ^= 0xff;
		(void)!mt_configuration_decode(&again, b.p, b.n, NULL);
		b.p[i] ^= 0xff;
	}
	mt_blob_release(&b);
}
END_TEST

START_TEST(members_of_a_new_cluster_agree_on_its_first_image)
{
	static const uint64_t ids[] = {2, 3, 1}, twice[] = {1, 1};
	static const char *const addresses[] = {"b:1", "c:1", "a:1"};
	struct mt_image other;

	mt_image_release(&image);
	make_image();
	ck_assert_int_eq(mt_image_bootstrap(&other, ids, addresses, 3, NULL),
			 0);
	ck_assert_uint_eq(other.entries[0].data.n, image.entries[0].data.n);
	ck_assert_mem_eq(other.entries[0].data.p, image.entries[0].data.p,
			 other.entries[0].data.n);
	mt_image_release(&other);
	ck_assert_int_ne(mt_image_bootstrap(&other, twice, addresses, 2, NULL),
			 0);
	ck_assert_int_ne(mt_image_bootstrap(&other, ids, addresses, 0, NULL),
			 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("codec");
	TCase *tc = tcase_create("messages");

	tcase_add_checked_fixture(tc, make_image, drop_image);
	tcase_add_test(tc, votes_come_out_as_they_went_in);
	tcase_add_test(tc, appends_carry_entries_of_the_log);
	tcase_add_test(tc, results_and_transfers_come_out_as_they_went_in);
	tcase_add_test(tc, snapshots_carry_configuration_and_state_machine);
	tcase_add_test(tc, what_the_log_lacks_cannot_be_encoded);
	tcase_add_test(tc, long_appends_are_cut_to_whole_entries);
	tcase_add_loop_test(tc, every_truncation_and_any_extra_byte_is_refused,
			    RAFT_APPEND_ENTRIES, RAFT_TIMEOUT_NOW + 1);
	tcase_add_loop_test(tc, every_flipped_byte_is_refused_or_harmless,
			    RAFT_APPEND_ENTRIES, RAFT_TIMEOUT_NOW + 1);
	tcase_add_loop_test(tc, random_bytes_are_refused_or_harmless,
			    RAFT_APPEND_ENTRIES, RAFT_TIMEOUT_NOW + 1);
	tcase_add_test(tc, numbers_that_make_no_sense_are_refused);
	tcase_add_test(
	    tc, configurations_survive_a_round_trip_and_hostile_bytes_do_not);
	tcase_add_test(tc, members_of_a_new_cluster_agree_on_its_first_image);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
