/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who may talk to whom when streams are encrypted: by a password, by
 * certificates, and while either changes. That all else goes on as without is
 * shown by check_peers.c, which runs its tests both ways.
 */
#include <errno.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "nodes.h"
#include "test/unit/run.h"

#define OLD "what all of them had"
#define NEW "what all of them get"

static char dir[64];

/* Certificates of the authorities a and b: for this host (here-a, here-b), and
 * for another one. Certificate and key stand in one file. */
static void
make_certificates(void)
{
	static const char script[] =
	    "cd %s && exec 2>err && new='openssl req -x509 -newkey ec "
	    "-pkeyopt ec_paramgen_curve:P-256 -nodes -days 2' && "
	    "for ca in a b; do $new -subj /CN=$ca -keyout $ca.key -out $ca.crt "
	    "|| exit; for at in here-127.0.0.1 other-192.0.2.9; do "
	    "f=${at%%-*}-$ca.pem; "
	    "$new -subj /CN=n -addext subjectAltName=IP:${at#*-} -addext "
	    "basicConstraints=critical,CA:FALSE -CA $ca.crt -CAkey $ca.key "
	    "-keyout key -out crt || exit; cat crt key > $f; done; done && "
	    "cat a.crt b.crt > ab.crt";
	char command[1024];

	mt_copy(dir, sizeof(dir), "/tmp/check_secure.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	mt_format(command, sizeof(command), script, dir);
	ck_assert_int_eq(system(command), 0);
}

static void
remove_certificates(void)
{
	char command[128];

	mt_format(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static const char *
in(const char *name)
{
	static char paths[8][128];
	static int i;

	i = (i + 1) % 8;
	mt_format(paths[i], sizeof(paths[i]), "%s/%s", dir, name);
	return paths[i];
}

/* Nodes 0 and 1 dial each other. */
static void
start_two(void)
{
	start(0, "n1");
	start(1, "n2");
	dial(0, 1);
	dial(1, 0);
}

static void
expect_up(void)
{
	WAIT_FOR(nodes[0].n_up == 1 && nodes[1].n_up == 1);
	ck_assert(
	    mt_peers_send(nodes[0].peers, 2, MT_FRAME_SUPPORT_REQ, "x", 1));
	WAIT_FOR(nodes[1].n_frames == 1);
}

/* Neither comes up, and what a node says of the other has these words. */
static void
expect_apart(int i, const char *words)
{
	struct mt_peer_info info = {.last_error = ""};

	run_for(600);
	ck_assert_int_eq(nodes[0].n_up + nodes[1].n_up, 0);
	mt_peers_each(nodes[i].peers, see_peer, &info);
	ck_assert_msg(strstr(info.last_error, words) != NULL, "%s",
		      info.last_error);
}

START_TEST(who_has_another_password_is_no_peer)
{
	armours[0].password = OLD;
	armours[1].password = NEW;
	start_two();
	expect_apart(0, "raft.password");
	expect_apart(1, "raft.password");
	ck_assert_int_eq(nodes[0].n_hellos + nodes[1].n_hellos, 0);
}
END_TEST

START_TEST(who_speaks_plainly_is_told_why_that_is_refused)
{
	armours[0].password = OLD;
	start_two();
	WAIT_FOR(nodes[1].n_refused > 0);
	ck_assert_int_eq((int)nodes[1].refused, MT_REFUSE_INSECURE);
	ck_assert_ptr_nonnull(strstr(nodes[1].refused_text, "encrypted"));
	expect_apart(1, "encrypted");
	ck_assert_int_eq(nodes[0].n_hellos + nodes[1].n_hellos, 0);
}
END_TEST

START_TEST(plain_ones_are_let_in_for_as_long_as_it_says_insecure)
{
	armours[0].password = OLD;
	armours[0].is_insecure = true;
	start_two();
	expect_up();
	/* and now it has one, too */
	armours[1].password = OLD;
	armours[1].is_insecure = true;
	stop(1);
	WAIT_FOR(nodes[0].n_down == 1);
	start_at(1, "n2", nodes[1].port);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 2 && nodes[1].n_up == 1);
}
END_TEST

START_TEST(a_password_is_changed_on_one_after_the_other)
{
	struct armour later = {.password = NEW};
	struct mt_err err;

	armours[0].password = armours[1].password = OLD;
	start_two();
	expect_up();
	ck_assert_int_eq(mt_peers_set_secure(nodes[0].peers, arm(&later), &err),
			 0);
	/* streams that are there go on */
	run_for(100);
	ck_assert_int_eq(nodes[0].n_down + nodes[1].n_down, 0);
	/* new ones are made, whoever dials, with what both have */
	stop(1);
	WAIT_FOR(nodes[0].n_down == 1);
	start_at(1, "n2", nodes[1].port);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 2 && nodes[1].n_up == 1);
	/* the second node has it only when it was started anew with it */
	stop(1);
	WAIT_FOR(nodes[0].n_down == 2);
	armours[1] = later;
	start_at(1, "n2", nodes[1].port);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 3 && nodes[1].n_up == 1);
}
END_TEST

START_TEST(from_plain_to_encrypted_is_no_change_for_a_living_node)
{
	struct armour later = {.password = NEW};
	struct mt_secure *s = arm(&later);
	struct mt_err err;

	start(0, "n1");
	ck_assert_int_eq(mt_peers_set_secure(nodes[0].peers, s, &err),
			 MT_EREFUSED);
	ck_assert_ptr_nonnull(strstr(err.text, "restart"));
	mt_secure_unref(s);
}
END_TEST

static void
arm_by(int i, const char *cert, const char *ca)
{
	armours[i].cert = in(cert);
	armours[i].ca = in(ca);
}

START_TEST(certificates_of_one_authority_are_enough)
{
	arm_by(0, "here-a.pem", "a.crt");
	arm_by(1, "here-a.pem", "a.crt");
	start_two();
	expect_up();
}
END_TEST

START_TEST(a_certificate_of_another_authority_is_refused)
{
	arm_by(0, "here-a.pem", "a.crt");
	arm_by(1, "here-b.pem", "a.crt");
	start_two();
	expect_apart(0, "certificate");
	ck_assert_int_eq(nodes[0].n_hellos, 0);
}
END_TEST

START_TEST(a_certificate_for_another_host_is_refused)
{
	arm_by(0, "here-a.pem", "a.crt");
	arm_by(1, "other-a.pem", "a.crt");
	start_two();
	WAIT_FOR(nodes[0].n_refused > 0 && nodes[1].n_refused > 0);
	ck_assert_int_eq((int)nodes[0].refused, MT_REFUSE_CERTIFICATE);
	ck_assert(nodes[0].refused_by_us);
	expect_apart(0, "subjectAltName");
	ck_assert_int_eq(nodes[0].n_hellos, 0);
}
END_TEST

START_TEST(an_authority_is_changed_on_one_after_the_other)
{
	struct armour both = {.cert = in("here-a.pem"), .ca = in("ab.crt")};
	struct armour now = {.cert = in("here-b.pem"), .ca = in("ab.crt")};
	struct mt_err err;

	arm_by(0, "here-a.pem", "a.crt");
	arm_by(1, "here-a.pem", "a.crt");
	start_two();
	expect_up();
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
		    mt_peers_set_secure(nodes[i].peers, arm(&both), &err), 0);
	ck_assert_int_eq(mt_peers_set_secure(nodes[0].peers, arm(&now), &err),
			 0);
	ck_assert_int_eq(nodes[0].n_down + nodes[1].n_down, 0);
	armours[1] = both;
	stop(1);
	WAIT_FOR(nodes[0].n_down == 1);
	start_at(1, "n2", nodes[1].port);
	dial(1, 0);
	WAIT_FOR(nodes[0].n_up == 2 && nodes[1].n_up == 1);
}
END_TEST

/* Sends bytes, and returns what comes until the node ends it. */
static size_t
raw(const char *bytes, size_t n, char *answer, size_t size)
{
	struct sockaddr_in sa = {
	    .sin_family = AF_INET,
	    .sin_port = htons(nodes[0].port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t end_ms = mt_clock_ms() + PATIENCE_MS;
	size_t got = 0;
	ssize_t k = -1;

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
	do {
		ck_assert_int_lt(mt_clock_ms(), end_ms);
		uv_run(&loop, UV_RUN_ONCE);
		k = recv(fd, answer + got, size - 1 - got, MSG_DONTWAIT);
		got += k > 0 ? (size_t)k : 0;
	} while (k > 0 || (k < 0 && (errno == EAGAIN || errno == EINTR)));
	close(fd);
	answer[got] = '\0';
	return got;
}

START_TEST(http_is_answered_in_plain_words)
{
	char answer[1024];

	armours[0].password = OLD;
	start(0, "n1");
	raw("GET / HTTP/1.0\r\n\r\n", 18, answer, sizeof(answer));
	ck_assert_ptr_nonnull(strstr(answer, "restapi.listen"));
}
END_TEST

START_TEST(who_only_begins_to_encrypt_or_sends_garbage_is_closed)
{
	static const char *const what[] = {"\x16", "\x16\x03\x01",
					   "\x16\x03\x01\x3f\xff garbage",
					   "\x16\x16\x16\x16\x16\x16\x16\x16"};
	char answer[1024];

	armours[0].password = OLD;
	start(0, "n1");
	for (size_t i = 0; i < MT_COUNT(what); i++)
		raw(what[i], strlen(what[i]), answer, sizeof(answer));
	ck_assert_int_eq(nodes[0].n_hellos, 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_told_with_its_option)
{
	struct mt_secure_options o = {
	    .cluster = "batman",
	    .files = {.certfile = in("none.pem"), .cafile = in("a.crt")},
	};
	struct mt_secure *s = NULL;
	struct mt_err err;

	ck_assert_int_lt(mt_secure_new(&s, &o, &err), 0);
	ck_assert_ptr_null(s);
	ck_assert_ptr_nonnull(strstr(err.text, "\"raft.certfile\""));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("secure");
	TCase *password = tcase_create("password");
	TCase *certificates = tcase_create("certificates");

	tcase_add_checked_fixture(password, setup, teardown);
	tcase_set_timeout(password, 30);
	tcase_add_test(password, who_has_another_password_is_no_peer);
	tcase_add_test(password,
		       who_speaks_plainly_is_told_why_that_is_refused);
	tcase_add_test(password,
		       plain_ones_are_let_in_for_as_long_as_it_says_insecure);
	tcase_add_test(password, a_password_is_changed_on_one_after_the_other);
	tcase_add_test(password,
		       from_plain_to_encrypted_is_no_change_for_a_living_node);
	tcase_add_test(password, http_is_answered_in_plain_words);
	tcase_add_test(password,
		       who_only_begins_to_encrypt_or_sends_garbage_is_closed);
	tcase_add_unchecked_fixture(certificates, make_certificates,
				    remove_certificates);
	tcase_add_checked_fixture(certificates, setup, teardown);
	tcase_set_timeout(certificates, 30);
	tcase_add_test(certificates, certificates_of_one_authority_are_enough);
	tcase_add_test(certificates,
		       a_certificate_of_another_authority_is_refused);
	tcase_add_test(certificates, a_certificate_for_another_host_is_refused);
	tcase_add_test(certificates,
		       an_authority_is_changed_on_one_after_the_other);
	tcase_add_test(certificates,
		       what_cannot_be_read_is_told_with_its_option);
	suite_add_tcase(suite, password);
	suite_add_tcase(suite, certificates);
	return run_suite(suite);
}
