/* SPDX-License-Identifier: PostgreSQL */
/* What changed between two pictures, and the ring of what was told. */
#include "daemon/api/events.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "test/unit/run.h"

/* One picture: role, state, leader, members, decisions, config; ' for ". */
#define PICTURE(r, m, d) \
	"{'role':{'role':'" r "'},'state':{'state':'running'}," \
	"'leader':{'leader':'a'},'config':{'version':1}," \
	"'members':{" m "},'decisions':{" d "}}"
#define A "'a':{'name':'a','state':'running'}"
#define B "'b':{'name':'b','state':'streaming'}"
#define B2 "'b':{'name':'b','state':'stopped'}"
#define D1 "'1':{'id':1}"
#define D2 "'2':{'id':2}"
#define D2B "'2':{'id':2,'phases':{}}"
#define PLAIN PICTURE("replica", A "," B, D1)

static const struct {
	const char *old, *new, *told;
} rows[] = {
    {PLAIN, PLAIN, ""},
    {PLAIN, PICTURE("primary", A "," B, D1), "role:{'role':'primary'}\n"},
    {PLAIN, PICTURE("replica", A "," B2, D1),
     "member:{'name':'b','state':'stopped'}\n"},
    {PLAIN, PICTURE("replica", A, D1), "member:{'name':'b','removed':true}\n"},
    {PICTURE("replica", A, D1), PLAIN,
     "member:{'name':'b','state':'streaming'}\n"},
    {PLAIN, PICTURE("replica", A "," B, D1 "," D2), "decision:{'id':2}\n"},
    {PICTURE("replica", A "," B, D1 "," D2), PICTURE("replica", A "," B, D2B),
     "decision:{'id':2,'phases':{}}\n"},
    /* the own role first, decisions after members */
    {PLAIN, PICTURE("none", B2, D1 "," D2),
     "role:{'role':'none'}\nmember:{'name':'b','state':'stopped'}\n"
     "member:{'name':'a','removed':true}\ndecision:{'id':2}\n"},
    {PLAIN,
     "{'role':{'role':'replica'},'state':{'state':'stopped'},"
     "'leader':{'leader':null},'config':{'version':2},"
     "'members':{" A "," B "},'decisions':{" D1 "}}",
     "state:{'state':'stopped'}\nleader:{'leader':null}\n"
     "config:{'version':2}\n"},
};

static json_t *
parse(const char *text)
{
	char copy[2048];
	json_t *o;

	mt_copy(copy, sizeof(copy), text);
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(copy, 0, NULL);
	ck_assert_ptr_nonnull(o);
	return o;
}

static char told[2048];

static void
on_difference(void *arg, const char *type, json_t *data)
{
	char *text = json_dumps(data, JSON_COMPACT);
	size_t n = strlen(told);

	ck_assert_ptr_eq(arg, told);
	for (char *p = text; *p != '\0'; p++)
		if (*p == '"')
			*p = '\'';
	mt_format(told + n, sizeof(told) - n, "%s:%s\n", type, text);
	free(text);
	/* it is a copy, and this is seen nowhere else */
	json_object_set_new(data, "x", json_true());
}

START_TEST(differences_are_told_in_order)
{
	json_t *old = parse(rows[_i].old), *new = parse(rows[_i].new);
	json_t *same = json_deep_copy(new);

	told[0] = '\0';
	api__events_diff(old, new, on_difference, told);
	ck_assert_str_eq(told, rows[_i].told);
	ck_assert(json_equal(new, same));
	json_decref(old);
	json_decref(new);
	json_decref(same);
}
END_TEST

/* ---- the ring --------------------------------------------------------- */

static struct api__ring ring;
static char out[65536];

static void
push(const char *type, int n, size_t bytes)
{
	char *filler = calloc(1, bytes + 1);
	json_t *o;

	memset(filler, 'x', bytes);
	o = json_pack("{s:i, s:s}", "n", n, "x", filler);
	api__ring_push(&ring, type, o);
	json_decref(o);
	free(filler);
}

static const char *
copy_after(uint64_t number)
{
	size_t n = api__ring_copy(&ring, &number, out, sizeof(out) - 1);

	out[n] = '\0';
	return out;
}

START_TEST(what_came_after_an_id_is_found_in_its_form)
{
	uint64_t number = 99;

	api__ring_init(&ring, 0xab);
	ck_assert(api__ring_find(&ring, "00000000000000ab-0", &number));
	ck_assert_uint_eq(number, 0);
	push("state", 1, 0);
	push("member", 2, 1);
	ck_assert(api__ring_find(&ring, "00000000000000ab-1", &number));
	ck_assert_uint_eq(number, 1);
	ck_assert_str_eq(copy_after(1), "id: 00000000000000ab-2\n"
					"event: member\n"
					"data: {\"n\":2,\"x\":\"x\"}\n\n");
	ck_assert_str_eq(copy_after(2), "");
	api__ring_release(&ring);
}
END_TEST

static const char *const foreign[] = {
    "",
    "1",
    "00000000000000ac-1", /* another life */
    "00000000000000ab-",
    "00000000000000ab",
    "00000000000000ab-3", /* was not told yet */
    "00000000000000ab-1x",
    "00000000000000ab--1",
    "00000000000000ab-18446744073709551617",
};

START_TEST(an_id_that_says_nothing_here_is_not_found)
{
	uint64_t number = 99;

	api__ring_init(&ring, 0xab);
	push("state", 1, 0);
	push("state", 2, 0);
	ck_assert(!api__ring_find(&ring, foreign[_i], &number));
	ck_assert_uint_eq(number, 99);
	api__ring_release(&ring);
}
END_TEST

START_TEST(the_oldest_go_when_there_are_too_many_or_too_much)
{
	uint64_t number;
	char id[40];

	api__ring_init(&ring, 0xab);
	for (int i = 1; i <= EVENT_RING_MAX + 3; i++)
		push("state", i, 0);
	ck_assert_uint_eq(ring.first, 4);
	ck_assert(!api__ring_find(&ring, "00000000000000ab-2", &number));
	ck_assert(api__ring_find(&ring, "00000000000000ab-3", &number));
	for (int i = 0; i < 20; i++)
		push("state", i, 50000);
	ck_assert_uint_le(ring.n_bytes, EVENT_RING_BYTES);
	ck_assert_uint_le(ring.last - ring.first, 10);
	/* one that is larger than all is there alone */
	push("state", 0, EVENT_RING_BYTES);
	ck_assert_uint_eq(ring.first, ring.last);
	mt_format(id, sizeof(id), "00000000000000ab-%d", (int)ring.last - 1);
	ck_assert(api__ring_find(&ring, id, &number));
	push("state", 0, 0);
	ck_assert_uint_eq(ring.first, ring.last);
	api__ring_release(&ring);
	ck_assert_uint_eq(ring.n_bytes, 0);
}
END_TEST

START_TEST(of_this_nodes_role_only_the_newest_word_is_repeated)
{
	api__ring_init(&ring, 0xab);
	push("role", 1, 0);
	push("state", 2, 0);
	push("role", 3, 0);
	push("state", 4, 0);
	copy_after(0);
	ck_assert_ptr_null(strstr(out, "\"n\":1"));
	ck_assert_ptr_nonnull(strstr(out, "\"n\":2"));
	ck_assert_ptr_nonnull(strstr(out, "\"n\":3"));
	ck_assert_ptr_nonnull(strstr(out, "\"n\":4"));
	api__ring_release(&ring);
}
END_TEST

START_TEST(what_does_not_fit_into_one_piece_comes_with_the_next)
{
	uint64_t number = 0;
	size_t n;

	api__ring_init(&ring, 0xab);
	for (int i = 1; i <= 5; i++)
		push("state", i, 20000);
	n = api__ring_copy(&ring, &number, out, sizeof(out));
	ck_assert_uint_eq(number, 3);
	ck_assert_uint_gt(n, 60000);
	n = api__ring_copy(&ring, &number, out, sizeof(out));
	ck_assert_uint_eq(number, 5);
	ck_assert_uint_gt(n, 40000);
	/* one that never fits is left out, and stops nobody */
	push("state", 6, sizeof(out));
	push("state", 7, 0);
	n = api__ring_copy(&ring, &number, out, sizeof(out));
	ck_assert_uint_eq(number, 7);
	ck_assert_uint_lt(n, 100);
	api__ring_release(&ring);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("event_diff");
	TCase *tc = tcase_create("events");

	tcase_add_loop_test(tc, differences_are_told_in_order, 0,
			    (int)MT_COUNT(rows));
	tcase_add_test(tc, what_came_after_an_id_is_found_in_its_form);
	tcase_add_loop_test(tc, an_id_that_says_nothing_here_is_not_found, 0,
			    (int)MT_COUNT(foreign));
	tcase_add_test(tc, the_oldest_go_when_there_are_too_many_or_too_much);
	tcase_add_test(tc, of_this_nodes_role_only_the_newest_word_is_repeated);
	tcase_add_test(tc,
		       what_does_not_fit_into_one_piece_comes_with_the_next);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
