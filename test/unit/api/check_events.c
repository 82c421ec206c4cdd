/* SPDX-License-Identifier: PostgreSQL */
/* GET /events of a node made up in memory: what a stream says, and when. */
#include <time.h>

#include "fake.h"
#include "test/unit/run.h"

#define PATIENCE_MS 20000

/* The clock of this program can be wound: these stand in for base/clock.c. */
static int64_t skew_ms;

int64_t
mt_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
mt_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + skew_ms;
}

char *
mt_wall_iso(char *buf, int64_t wall_ms)
{
	mt_format(buf, MT_ISO_MAX, "%lld", (long long)wall_ms);
	return buf;
}

static char heard[262144];
static size_t n_heard;

/* Reports that do not grow old: only what a test changes is told. */
static void
setup(void)
{
	fake_setup();
	for (int i = 0; i < fake.reports.n; i++)
		fake.reports.seen[i].at_ms += 3600000;
}

/* Read until this was heard; NULL: until the server ends it. */
static void
hear(int fd, const char *text)
{
	int64_t end_ms = mt_clock_ms() + PATIENCE_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n = 1;

	while (n > 0 && (text == NULL || strstr(heard, text) == NULL)) {
		ck_assert_msg(mt_clock_ms() < end_ms, "heard only: %s", heard);
		uv_run(&fake.loop, UV_RUN_NOWAIT);
		if (poll(&p, 1, 1) == 0)
			continue;
		n = recv(fd, heard + n_heard, sizeof(heard) - 1 - n_heard, 0);
		n_heard += n > 0 ? (size_t)n : 0;
		heard[n_heard] = '\0';
	}
	ck_assert_msg(text == NULL || n > 0, "ended after: %s", heard);
}

static int
listen_after(const char *id, const char *query)
{
	char text[512], header[128] = "";

	if (id != NULL)
		mt_format(header, sizeof(header), "Last-Event-ID: %s\r\n", id);
	mt_format(text, sizeof(text),
		  "GET /events%s HTTP/1.1\r\nHost: h\r\n%s\r\n", query, header);
	n_heard = 0;
	heard[0] = '\0';
	return send_request(text);
}

static void
changed(void)
{
	fake.state.index++;
	fake.watch_fn(fake.watch_arg);
}

/* The id of the last event that was heard. */
static char *
last_id(char id[64])
{
	const char *at = NULL, *next = heard;

	while ((next = strstr(next, "id: ")) != NULL)
		at = next += 4;
	ck_assert_ptr_nonnull(at);
	mt_format(id, 64, "%.*s", (int)strcspn(at, "\n"), at);
	return id;
}

START_TEST(a_stream_begins_with_a_snapshot_and_goes_on_with_changes)
{
	int fd = listen_after(NULL, "");

	hear(fd, "\"reason\":\"new\"");
	hear(fd, "\n\n\r\n");
	ck_assert_ptr_nonnull(strstr(heard, "content-type: text/event-stream"));
	ck_assert_ptr_nonnull(strstr(heard, "cache-control: no-cache\r\n"));
	ck_assert_ptr_nonnull(strstr(heard, "retry: 1000\n\n"));
	ck_assert_ptr_nonnull(strstr(heard, "event: snapshot\n"));
	ck_assert_ptr_nonnull(strstr(heard, "\"role\":\"primary\""));
	ck_assert_ptr_nonnull(strstr(heard, "\"node3\":{"));
	ck_assert_ptr_null(strstr(heard, "lag"));
	ck_assert_ptr_null(strstr(heard, "\"node4\""));
	/* where a member just is, is no event */
	fake_report(1)->at.lsn += 100;
	changed();
	fake_report(1)->pg_state = MT_PG_CRASHED;
	changed();
	hear(fd, "event: member\ndata: {\"name\":\"node2\"");
	hear(fd, "\"crashed\"");
	fake.settings.pause = true;
	changed();
	hear(fd, "event: config\n");
	fake.state.leader.released = true;
	changed();
	hear(fd, "event: leader\ndata: {\"leader\":null");
	ck_assert_ptr_nonnull(strstr(heard, "event: role\n"));
	ck_assert_ptr_nonnull(strstr(heard, "-4\n"));
	ck_assert_ptr_nonnull(strstr(heard, "\"role\":\"none\""));
	close(fd);
}
END_TEST

START_TEST(the_loss_of_a_lease_is_told_when_it_ends_and_nothing_else_happens)
{
	int fd = listen_after(NULL, "");
	int64_t end_ms;

	hear(fd, "\"role\":\"primary\"");
	if (_i == 0) {
		fake.local.deadline_ms = end_ms = mt_clock_ms() + 50;
	} else {
		/* who may be displaced is none when a round is missed */
		fake_sync(MT_SYNC_ON);
		fake.local.missed_ms = end_ms = mt_clock_ms() + 50;
	}
	changed();
	hear(fd, "\"role\":\"none\"");
	ck_assert_int_ge(mt_clock_ms(), end_ms);
	/* and not with the next comment, a second after the last */
	ck_assert_int_le(mt_clock_ms(), end_ms + 700);
	ck_assert_int_eq(ask("GET", "/primary"), 503);
	close(fd);
}
END_TEST

START_TEST(who_comes_back_hears_what_was_missed)
{
	int fd = listen_after(NULL, "");
	char id[64], query[96];

	hear(fd, "event: snapshot");
	hear(fd, "\n\n\r\n");
	last_id(id);
	close(fd);
	fake_report(1)->pg_state = MT_PG_CRASHED;
	changed();
	fake.settings.pause = true;
	changed();
	mt_format(query, sizeof(query), "?last_event_id=%s", id);
	fd = _i == 0 ? listen_after(id, "") : listen_after(NULL, query);
	hear(fd, "event: config\n");
	ck_assert_ptr_null(strstr(heard, "snapshot"));
	ck_assert_ptr_nonnull(strstr(heard, "\"crashed\""));
	last_id(id);
	close(fd);
	/* nothing was missed: nothing is told but that it lives */
	fd = listen_after(id, "");
	hear(fd, "retry: 1000\n\n");
	hear(fd, "\n:\n\n");
	ck_assert_msg(strstr(heard, "event:") == NULL, "%s", heard);
	close(fd);
}
END_TEST

START_TEST(who_comes_back_too_late_or_from_elsewhere_gets_a_snapshot)
{
	int fd = listen_after(NULL, "");
	char id[64];

	hear(fd, "event: snapshot");
	hear(fd, "\n\n\r\n");
	last_id(id);
	close(fd);
	for (int i = 0; i < 520; i++) {
		fake.settings.pause = !fake.settings.pause;
		changed();
	}
	fd = listen_after(_i == 0 ? id : "0123456789abcdef-1", "");
	hear(fd, "event: snapshot\n");
	hear(fd, "\"reason\":\"lost\"");
	ck_assert_ptr_nonnull(strstr(heard, "-520\nevent: snapshot"));
	close(fd);
}
END_TEST

/* A client that takes a snapshot and no more. */
static int
listen_slowly(void)
{
	int fd = listen_after(NULL, ""), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	hear(fd, "event: snapshot");
	return fd;
}

/* An event of some length: tags are part of a member. */
static void
happen(int i)
{
	char *tags = fake.state.members[1].tags, filler[301];

	memset(filler, 'x', 300);
	filler[300] = '\0';
	mt_format(tags, sizeof(fake.state.members[1].tags), "{\"t\":\"%d%s\"}",
		  i, filler);
	changed();
}

/* What the kernel had is still read, and then it is over. */
static void
read_to_the_end(int fd)
{
	int64_t end_ms = mt_clock_ms() + PATIENCE_MS;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n = 1;

	while (n > 0) {
		ck_assert(mt_clock_ms() < end_ms);
		uv_run(&fake.loop, UV_RUN_NOWAIT);
		if (poll(&p, 1, 1) != 0)
			n = recv(fd, heard, sizeof(heard), 0);
	}
	close(fd);
	n_heard = 0;
	heard[0] = '\0';
}

START_TEST(who_does_not_read_is_cut_off_and_others_are_not)
{
	int slow = listen_slowly(), fast = listen_after(NULL, "");
	char word[32];

	hear(fast, "event: snapshot");
	for (int i = 0; i < 3000; i++) {
		happen(i);
		if (i % 16 != 0)
			continue;
		n_heard = 0;
		heard[0] = '\0';
		mt_format(word, sizeof(word), "\"t\":\"%dx", i);
		hear(fast, word);
	}
	read_to_the_end(slow);
	fake.settings.pause = true;
	changed();
	hear(fast, "event: config");
	close(fast);
}
END_TEST

START_TEST(what_nobody_takes_for_ten_seconds_is_cut_off)
{
	int slow = listen_slowly();

	/* too few to overtake it */
	for (int i = 0; i < 450; i++) {
		happen(i);
		uv_run(&fake.loop, UV_RUN_NOWAIT);
	}
	turn(20);
	skew_ms += 9000;
	changed();
	skew_ms += 2000;
	changed();
	read_to_the_end(slow);
}
END_TEST

START_TEST(streams_are_bounded_and_a_closed_one_makes_room)
{
	int64_t end_ms = mt_clock_ms() + PATIENCE_MS;
	int fd[64];

	for (int i = 0; i < 64; i++) {
		fd[i] = listen_after(NULL, "");
		hear(fd[i], "event: snapshot");
	}
	ck_assert_int_eq(ask("GET", "/events"), 503);
	ck_assert_ptr_nonnull(strstr(answer, "64 event streams"));
	ck_assert_int_eq(ask("HEAD", "/events"), 200);
	ck_assert_int_eq(ask("GET", "/primary"), 200);
	close(fd[7]);
	/* nothing happens: the comments find out */
	do {
		ck_assert(mt_clock_ms() < end_ms);
		turn(50);
		close(fd[7]);
		fd[7] = listen_after(NULL, "");
		hear(fd[7], "HTTP/1.1 ");
	} while (strstr(heard, "HTTP/1.1 503") != NULL);
	for (int i = 0; i < 64; i++)
		close(fd[i]);
}
END_TEST

START_TEST(head_and_options_answer_and_end)
{
	ck_assert_int_eq(ask("HEAD", "/events"), 200);
	ck_assert_ptr_nonnull(strstr(answer, "text/event-stream"));
	ck_assert_str_eq(answer_body, "");
	ck_assert_int_eq(ask("OPTIONS", "/events"), 204);
	ck_assert_ptr_nonnull(strstr(answer, "allow: GET, HEAD, OPTIONS\r\n"));
	ck_assert_int_eq(ask("POST", "/events"), 501);
}
END_TEST

START_TEST(streams_end_with_the_daemon_at_once)
{
	int64_t from_ms;
	int fd = listen_after(NULL, "");

	hear(fd, "event: snapshot");
	hear(fd, "\n\n\r\n");
	turn(20);
	from_ms = mt_clock_ms();
	mt_api_close(fake.api, fake_closed, &fake);
	fake.api = NULL;
	hear(fd, NULL);
	ck_assert_ptr_nonnull(strstr(heard, "\r\n0\r\n\r\n"));
	uv_run(&fake.loop, UV_RUN_DEFAULT);
	ck_assert(fake.closed);
	ck_assert_int_lt(mt_clock_ms() - from_ms, 900);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("events");
	TCase *tc = tcase_create("events");

	tcase_add_checked_fixture(tc, setup, fake_teardown);
	tcase_add_test(
	    tc, a_stream_begins_with_a_snapshot_and_goes_on_with_changes);
	tcase_add_loop_test(
	    tc,
	    the_loss_of_a_lease_is_told_when_it_ends_and_nothing_else_happens,
	    0, 2);
	tcase_add_loop_test(tc, who_comes_back_hears_what_was_missed, 0, 2);
	tcase_add_loop_test(
	    tc, who_comes_back_too_late_or_from_elsewhere_gets_a_snapshot, 0,
	    2);
	tcase_add_test(tc, who_does_not_read_is_cut_off_and_others_are_not);
	tcase_add_test(tc, what_nobody_takes_for_ten_seconds_is_cut_off);
	tcase_add_test(tc, streams_are_bounded_and_a_closed_one_makes_room);
	tcase_add_test(tc, head_and_options_answer_and_end);
	tcase_add_test(tc, streams_end_with_the_daemon_at_once);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
