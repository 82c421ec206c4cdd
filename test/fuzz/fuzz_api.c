/* SPDX-License-Identifier: PostgreSQL */
/*
 * The REST API over a real connection: any bytes, or a request in form with any
 * path, query, field and body. The server and the router are the daemon's, the
 * node behind them that of the unit tests, which refuses what is proposed.
 *
 * What must hold: whatever came, what comes back are answers in form, each
 * request ends, and the next client is served.
 *
 * The first byte says how: in which pieces the bytes are sent, and by its high
 * bits which method and path they are put behind, or none.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

/* What the fake node uses of Check, which has no tests to report here. */
#define CHECK_H
#define ck_assert(e) MT_ASSERT(e)
#define ck_assert_msg(e, ...) MT_ASSERT(e)
#define ck_assert_int_eq(a, b) MT_ASSERT((a) == (b))
#define ck_assert_int_ge(a, b) MT_ASSERT((a) >= (b))
#define ck_assert_uint_gt(a, b) MT_ASSERT((a) > (b))
#define ck_assert_ptr_nonnull(p) MT_ASSERT((p) != NULL)
#define ck_assert_str_eq(a, b) MT_ASSERT(mt_streq(a, b))
#include "test/unit/api/fake.h"

#define QUIET_TURNS 3
#define TURNS_MAX 2000

static const char *const lines[] = {
    "POST /switchover",
    "POST /failover",
    "PATCH /config",
    "PUT /config",
    "POST /reload",
    "DELETE /switchover",
    "GET /replica?",
    "GET /readiness?",
    "GET /decisions?",
    "GET /history?",
    "PUT /config?",
    "POST /sigterm",
    "GET /",
    "OPTIONS /primary",
    "HEAD /",
};

static char out[1 << 20];
static size_t n_out;

static void
begin_once(void)
{
	static bool begun;

	if (begun)
		return;
	begun = true;
	fake_setup();
}

static int
dial(void)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(mt_api_port(fake.api)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MT_ASSERT(fd >= 0);
	/* so that no port waits after it */
	MT_ASSERT(
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0);
	MT_ASSERT(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	return fd;
}

/* The node answers what waits for it. */
static bool
answer_all(void)
{
	mt_propose_cb propose = fake.propose_cb;
	mt_reload_cb reload = fake.reload_cb;

	fake.propose_cb = NULL;
	fake.reload_cb = NULL;
	if (propose != NULL)
		propose(fake.propose_arg, MT_ECANCELED, 0, "no");
	if (reload != NULL)
		reload(fake.reload_arg, MT_EINVAL, "no");
	return propose != NULL || reload != NULL;
}

/* Turn the loop until nothing comes any more. False: the server closed. */
static bool
turn_until_quiet(int fd)
{
	bool is_open = true;

	for (int i = 0, quiet = 0; i < TURNS_MAX && quiet < QUIET_TURNS; i++) {
		ssize_t n;

		uv_run(&fake.loop, UV_RUN_NOWAIT);
		quiet = answer_all() ? 0 : quiet + 1;
		n = recv(fd, out + n_out, sizeof(out) - 1 - n_out,
			 MSG_DONTWAIT);
		if (n > 0) {
			n_out += (size_t)n;
			quiet = 0;
		} else if (n == 0 || errno != EAGAIN) {
			is_open = false;
		}
	}
	return is_open;
}

static void
exchange(const char *p, size_t n, size_t piece)
{
	int fd = dial();

	n_out = 0;
	turn_until_quiet(fd);
	while (n > 0) {
		size_t now = n < piece ? n : piece;
		ssize_t sent = send(fd, p, now, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		}
		if (!turn_until_quiet(fd) || (sent < 0 && errno != EAGAIN))
			break;
	}
	out[n_out] = '\0';
	close(fd);
	uv_run(&fake.loop, UV_RUN_NOWAIT);
	uv_run(&fake.loop, UV_RUN_NOWAIT);
}

/* The first answer is one: a status line, fields, an empty line. */
static void
check_answer(void)
{
	const char *end;

	if (n_out == 0)
		return;
	MT_ASSERT(strncmp(out, "HTTP/1.1 ", 9) == 0);
	MT_ASSERT(atoi(out + 9) >= 100 && atoi(out + 9) <= 599);
	end = strstr(out, "\r\n\r\n");
	MT_ASSERT(end != NULL);
	for (const char *p = out; p < end; p++)
		MT_ASSERT(*p != '\n' || p[-1] == '\r');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t pieces[] = {1 << 20, 1000, 100, 7};
	static char text[1 << 20];
	size_t line, used;

	if (n == 0 || n > sizeof(text) / 2)
		return 0;
	begin_once();
	line = data[0] >> 2;
	if (line >= MT_COUNT(lines)) {
		exchange((const char *)data + 1, n - 1, pieces[data[0] & 3]);
		check_answer();
	} else {
		bool has_body = strpbrk(lines[line], "?") == NULL;

		/* behind the path, or as the body of a length */
		mt_format(text, sizeof(text), "%s", lines[line]);
		used = strlen(text);
		if (!has_body) {
			memcpy(text + used, data + 1, n - 1);
			used += n - 1;
		}
		mt_format(text + used, sizeof(text) - used,
			  " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
			  "Content-Length: %zu\r\n\r\n",
			  has_body ? n - 1 : 0);
		used += strlen(text + used);
		if (has_body) {
			memcpy(text + used, data + 1, n - 1);
			used += n - 1;
		}
		exchange(text, used, pieces[data[0] & 3]);
		check_answer();
		/* What is in form has an answer. */
		MT_ASSERT(n_out > 0 || !has_body);
	}
	return 0;
}

static void
seed(size_t line, int pieces, const char *text)
{
	fuzz_seed_choice((uint8_t)(line << 2 | (unsigned)pieces), text,
			 strlen(text));
}

void
fuzz_seeds(void)
{
	seed(0, 0, "{\"leader\":\"node1\",\"candidate\":\"node2\"}");
	seed(0, 1,
	     "{\"leader\":\"node1\",\"scheduled_at\":"
	     "\"2030-01-01T00:00:00+00:00\"}");
	seed(0, 2, "{\"leader\":\"node1\",\"dry_run\":true}");
	seed(1, 0, "{\"candidate\":\"node3\"}");
	seed(2, 0, "{\"ttl\":30,\"postgresql\":{\"parameters\":null}}");
	seed(3, 3, "{\"ttl\":30}");
	seed(4, 0, "");
	seed(5, 0, "");
	seed(6, 0, "lag=1MB&replication_state=streaming&tag_a=b");
	seed(7, 0, "lag=1&mode=write");
	seed(8, 0, "limit=3&before=%34");
	seed(10, 0, "version=3");
	seed(12, 0, "");
	seed(63, 0,
	     "GET /patroni HTTP/1.1\r\nHost: h\r\n\r\n"
	     "GET //leader HTTP/1.1\r\nHost: h\r\n\r\n"
	     "GET /cluster HTTP/1.0\r\n\r\n");
	seed(63, 3,
	     "PATCH /config HTTP/1.1\r\nHost: h\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n"
	     "3;a=b\r\n{\"t\r\n5\r\ntl\":3\r\n1\r\n}\r\n0\r\n\r\n");
	seed(63, 2,
	     "PUT /config HTTP/1.1\r\nExpect: 100-continue\r\n"
	     "Content-Length: 2\r\n\r\n{}");
	seed(63, 0,
	     "GET /metrics HTTP/1.1\r\nContent-Length: 1\r\n"
	     "Transfer-Encoding: chunked\r\n\r\n");
	seed(63, 0, "OPTIONS * HTTP/1.1\r\n\r\n");
}
