/* SPDX-License-Identifier: PostgreSQL */
/* The hello: its bytes, hostile ones, and every rule of who may talk. */
#include "peer/hello.h"

#include <string.h>

#include <check.h>

#include "base/text.h"
#include "test/unit/run.h"

static struct mt_hello
make(const char *name, const char *addr, uint64_t nonce)
{
	static const char *const members[] = {"b:2", "a:1", "[fd00::1]:3"};
	struct mt_hello h = {
	    .protocol = MT_HELLO_PROTOCOL,
	    .nonce = nonce,
	    .connection_seq = 5,
	    .revision = 2,
	    .age_ms = 12345,
	    .member_id = nonce,
	    .incarnation = 4,
	};
	struct mt_err err;

	mt_copy(h.name, sizeof(h.name), name);
	mt_copy(h.addr, sizeof(h.addr), addr);
	ck_assert_int_eq(mt_hello_set_list(&h, members, 3, &err), 0);
	return h;
}

START_TEST(a_hello_comes_back_as_it_was)
{
	struct mt_hello h = make("node one", "a:1", 77), back;
	uint8_t bytes[MT_HELLO_BYTES_MAX];
	struct mt_err err;
	size_t n;

	h.cluster_id = UINT64_C(0xfedcba9876543210);
	h.is_witness = true;
	h.is_formed = true;
	n = mt_hello_encode(&h, bytes);
	ck_assert_int_eq(mt_hello_decode(&back, bytes, n, &err), 0);
	ck_assert_uint_eq(back.protocol, MT_HELLO_PROTOCOL);
	ck_assert_uint_eq(back.nonce, 77);
	ck_assert_uint_eq(back.connection_seq, 5);
	ck_assert_uint_eq(back.revision, 2);
	ck_assert_uint_eq(back.age_ms, 12345);
	ck_assert_uint_eq(back.cluster_id, h.cluster_id);
	ck_assert_uint_eq(back.member_id, 77);
	ck_assert_uint_eq(back.incarnation, 4);
	ck_assert_uint_eq(back.list_digest, h.list_digest);
	ck_assert(back.is_witness && back.is_formed);
	ck_assert_str_eq(back.name, "node one");
	ck_assert_str_eq(back.addr, "a:1");
	ck_assert_str_eq(back.list, "[fd00::1]:3,a:1,b:2");
}
END_TEST

START_TEST(the_largest_hello_fits_its_frame)
{
	char texts[MT_HELLO_MEMBERS_MAX][MT_ADDR_MAX], host[MT_ADDR_HOST_MAX];
	const char *members[MT_HELLO_MEMBERS_MAX];
	struct mt_addr a;
	struct mt_hello h = make("n", "a:1", 1), back;
	uint8_t bytes[MT_HELLO_BYTES_MAX];
	struct mt_err err;

	memset(host, 'x', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	for (size_t i = 0; i < MT_HELLO_MEMBERS_MAX; i++) {
		ck_assert_int_eq(
		    mt_addr_set(&a, host, (uint16_t)(65000 + i), &err), 0);
		mt_addr_format(&a, texts[i], sizeof(texts[i]));
		members[i] = texts[i];
	}
	ck_assert_int_eq(
	    mt_hello_set_list(&h, members, MT_HELLO_MEMBERS_MAX, &err), 0);
	mt_copy(h.addr, sizeof(h.addr), texts[3]);
	memset(h.name, 'n', sizeof(h.name) - 1);
	ck_assert_int_eq(
	    mt_hello_decode(&back, bytes, mt_hello_encode(&h, bytes), &err), 0);
	ck_assert_str_eq(back.list, h.list);
}
END_TEST

START_TEST(the_list_does_not_depend_on_its_order)
{
	static const char *const one[] = {"c:1", "a:1", "b:1"};
	static const char *const two[] = {"b:1", "c:1", "a:1"};
	static const char *const twice[] = {"b:1", "c:1", "b:1"};
	struct mt_hello a = {0}, b = {0};
	struct mt_err err;

	ck_assert_int_eq(mt_hello_set_list(&a, one, 3, &err), 0);
	ck_assert_int_eq(mt_hello_set_list(&b, two, 3, &err), 0);
	ck_assert_uint_eq(a.list_digest, b.list_digest);
	ck_assert_str_eq(a.list, "a:1,b:1,c:1");
	ck_assert_int_eq(mt_hello_set_list(&b, twice, 3, &err), MT_EINVAL);
	ck_assert_str_eq(err.text, "member \"b:1\" is listed twice");
	ck_assert_str_eq(b.list, "a:1,b:1,c:1");
}
END_TEST

START_TEST(every_truncation_and_every_tail_is_refused)
{
	struct mt_hello h = make("n1", "a:1", 1), back;
	struct mt_hello_refuse r = {.code = MT_REFUSE_LIST, .text = "words"};
	struct mt_hello_refuse r_back;
	uint8_t bytes[MT_HELLO_BYTES_MAX] = {0};
	struct mt_err err;
	size_t n = mt_hello_encode(&h, bytes);

	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(mt_hello_decode(&back, bytes, cut, &err),
				 MT_EPROTO);
	ck_assert_int_eq(mt_hello_decode(&back, bytes, n + 1, &err), MT_EPROTO);
	n = mt_hello_refuse_encode(&r, bytes);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(
		    mt_hello_refuse_decode(&r_back, bytes, cut, &err),
		    MT_EPROTO);
	ck_assert_int_eq(mt_hello_refuse_decode(&r_back, bytes, n, &err), 0);
	ck_assert_int_eq((int)r_back.code, MT_REFUSE_LIST);
	ck_assert_str_eq(r_back.text, "words");
}
END_TEST

START_TEST(random_and_flipped_bytes_give_a_hello_in_form_or_an_error)
{
	struct mt_hello h = make("n1", "a:1", 1), back;
	struct mt_hello_refuse r;
	uint8_t bytes[MT_HELLO_BYTES_MAX], flipped[512];
	uint64_t x = 7;
	struct mt_err err;
	size_t n = mt_hello_encode(&h, bytes);

	ck_assert_uint_lt(n, sizeof(flipped));
	for (size_t bit = 0; bit < n * 8; bit++) {
		memcpy(flipped, bytes, n);
		flipped[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (mt_hello_decode(&back, flipped, n, &err) == 0)
			ck_assert_uint_lt(strlen(back.name), sizeof(back.name));
	}
	for (int round = 0; round < 20000; round++) {
		for (size_t i = 0; i < 160; i++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			flipped[i] = (uint8_t)(x >> 40);
		}
		flipped[0] = 0;
		flipped[1] = MT_HELLO_PROTOCOL;
		(void)!mt_hello_decode(&back, flipped, x % 160, &err);
		(void)!mt_hello_refuse_decode(&r, flipped, x % 160, &err);
	}
}
END_TEST

START_TEST(names_and_addresses_with_odd_characters_are_out_of_form)
{
	static const char *const addrs[] = {
	    "A:1", "a", "a:0", "fd00::1:5", "[FD00::1]:5", "a b:1", ""};
	uint8_t bytes[MT_HELLO_BYTES_MAX];
	struct mt_hello h, back;
	struct mt_err err;

	h = make("n\n1", "a:1", 1);
	ck_assert_int_eq(
	    mt_hello_decode(&back, bytes, mt_hello_encode(&h, bytes), &err),
	    MT_EPROTO);
	h = make("", "a:1", 1);
	ck_assert_int_eq(
	    mt_hello_decode(&back, bytes, mt_hello_encode(&h, bytes), &err),
	    MT_EPROTO);
	for (size_t i = 0; i < MT_COUNT(addrs); i++) {
		h = make("n1", addrs[i], 1);
		ck_assert_int_eq(mt_hello_decode(&back, bytes,
						 mt_hello_encode(&h, bytes),
						 &err),
				 MT_EPROTO);
	}
}
END_TEST

START_TEST(another_protocol_version_is_refused_in_words)
{
	struct mt_hello ours = make("n1", "a:1", 1), theirs;
	uint8_t bytes[] = {0, 9, 'w', 'h', 'a', 't', 'e', 'v', 'e', 'r'};
	char why[256];
	struct mt_err err;

	ck_assert_int_eq(mt_hello_decode(&theirs, bytes, sizeof(bytes), &err),
			 0);
	ck_assert_int_eq((int)mt_hello_check(&ours, &theirs, why, sizeof(why)),
			 MT_REFUSE_PROTOCOL);
	ck_assert_str_eq(why, "peer protocol 9 does not match protocol 1 of "
			      "\"n1\" at a:1");
}
END_TEST

static int
check(const struct mt_hello *ours, const struct mt_hello *theirs)
{
	char why[1024] = "";
	enum mt_refuse_code code =
	    mt_hello_check(ours, theirs, why, sizeof(why));

	ck_assert_int_eq(why[0] != '\0', code != MT_REFUSE_NONE);
	return (int)code;
}

START_TEST(two_nodes_must_differ_in_process_name_address_and_id)
{
	struct mt_hello a = make("n1", "a:1", 1), b = make("n2", "b:2", 2);
	struct mt_hello t;

	ck_assert_int_eq(check(&a, &b), MT_REFUSE_NONE);
	ck_assert_int_eq(check(&a, &a), MT_REFUSE_SELF);
	t = b;
	mt_copy(t.name, sizeof(t.name), "n1");
	ck_assert_int_eq(check(&a, &t), MT_REFUSE_NAME);
	t = b;
	mt_copy(t.addr, sizeof(t.addr), "a:1");
	ck_assert_int_eq(check(&a, &t), MT_REFUSE_ADDRESS);
	t = b;
	t.member_id = 1;
	ck_assert_int_eq(check(&a, &t), MT_REFUSE_MEMBER_ID);
	a.member_id = t.member_id = 0;
	ck_assert_int_eq(check(&a, &t), MT_REFUSE_NONE);
}
END_TEST

START_TEST(unformed_nodes_need_one_list_and_formed_ones_one_cluster)
{
	static const char *const members[] = {"a:1", "b:2"};
	struct mt_hello a = make("n1", "a:1", 1), b = make("n2", "b:2", 2);
	char why[1024];
	struct mt_err err;

	ck_assert_int_eq(mt_hello_set_list(&b, members, 2, &err), 0);
	ck_assert_int_eq((int)mt_hello_check(&a, &b, why, sizeof(why)),
			 MT_REFUSE_LIST);
	ck_assert_str_eq(why, "lists of members differ: \"n1\" at a:1 has "
			      "\"[fd00::1]:3,a:1,b:2\", \"n2\" at b:2 has "
			      "\"a:1,b:2\"");
	b.is_formed = true;
	b.cluster_id = 9;
	ck_assert_int_eq(check(&a, &b), MT_REFUSE_NONE);
	a.is_formed = true;
	a.cluster_id = 8;
	ck_assert_int_eq(check(&a, &b), MT_REFUSE_CLUSTER);
	a.cluster_id = 9;
	ck_assert_int_eq(check(&a, &b), MT_REFUSE_NONE);
}
END_TEST

static int
succeeds(const struct mt_hello *living, const struct mt_hello *theirs,
	 bool replaces)
{
	char why[1024] = "";
	bool r;
	enum mt_refuse_code code =
	    mt_hello_succeeds(living, theirs, &r, why, sizeof(why));

	ck_assert_int_eq(r, replaces);
	ck_assert_int_eq(why[0] != '\0', code != MT_REFUSE_NONE);
	return (int)code;
}

START_TEST(a_newer_incarnation_or_a_later_stream_replaces)
{
	struct mt_hello living = make("n1", "a:1", 1), t = living;

	t.connection_seq++;
	ck_assert_int_eq(succeeds(&living, &t, true), MT_REFUSE_NONE);
	ck_assert_int_eq(succeeds(&t, &living, false), MT_REFUSE_INCARNATION);
	t = living;
	t.nonce = 99;
	t.connection_seq++;
	ck_assert_int_eq(succeeds(&living, &t, false), MT_REFUSE_INCARNATION);
	t.incarnation--;
	ck_assert_int_eq(succeeds(&living, &t, false), MT_REFUSE_INCARNATION);
	t.incarnation = living.incarnation + 1;
	t.connection_seq = 1;
	ck_assert_int_eq(succeeds(&living, &t, true), MT_REFUSE_NONE);
}
END_TEST

START_TEST(what_a_third_member_has_is_taken)
{
	struct mt_hello living = make("n1", "a:1", 1);
	struct mt_hello t = make("n2", "b:2", 2);

	ck_assert_int_eq(succeeds(&living, &t, false), MT_REFUSE_NONE);
	t = make("n1", "b:2", 2);
	ck_assert_int_eq(succeeds(&living, &t, false), MT_REFUSE_TAKEN);
	t = make("n2", "a:1", 2);
	ck_assert_int_eq(succeeds(&living, &t, false), MT_REFUSE_TAKEN);
	t = make("n2", "b:2", 1);
	ck_assert_int_eq(succeeds(&living, &t, false), MT_REFUSE_TAKEN);
	t = make("n1", "a:1", 2);
	t.incarnation = 99;
	ck_assert_int_eq(succeeds(&living, &t, false), MT_REFUSE_TAKEN);
	/* without an id yet it is the same member */
	t.member_id = 0;
	ck_assert_int_eq(succeeds(&living, &t, true), MT_REFUSE_NONE);
}
END_TEST

int
main(void)
{
	RUN_TESTS("hello", a_hello_comes_back_as_it_was,
		  the_largest_hello_fits_its_frame,
		  the_list_does_not_depend_on_its_order,
		  every_truncation_and_every_tail_is_refused,
		  random_and_flipped_bytes_give_a_hello_in_form_or_an_error,
		  names_and_addresses_with_odd_characters_are_out_of_form,
		  another_protocol_version_is_refused_in_words,
		  two_nodes_must_differ_in_process_name_address_and_id,
		  unformed_nodes_need_one_list_and_formed_ones_one_cluster,
		  a_newer_incarnation_or_a_later_stream_replaces,
		  what_a_third_member_has_is_taken);
}
