/* SPDX-License-Identifier: PostgreSQL */
/*
 * The daemon's side of the sentinel.
 *
 * Happy path: uv_spawn the sentinel with one end of a socket pair, get HELLO
 * with the page and two pidfds, map the page, confirm with a KICK, watch both
 * pidfds and the socket; from then on arming is a store. Attaching is the same
 * with a connected socket and ATTACH in place of the spawn.
 *
 * What may fail: no answer in time, FAILED, or the socket's end before HELLO
 * are on_started's error; the socket is closed then, on which the sentinel ends
 * what no daemon has heard of. The socket's end after HELLO means what the page
 * says: all over, replaced by another daemon, or the sentinel died.
 *
 * What the sentinel is started with stands in guard_spawn.c, what a guard that
 * stands is told and tells in guard_use.c. It does not decide when PostgreSQL
 * may run.
 */
#include "daemon/guard.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core_limit.h"
#include "daemon/guard_internal.h"

#define START_TIMEOUT_MS 5000

/* ---- handles ---- */

static void
handle_closed(struct mt_guard *g)
{
	if (--g->handles > 0 || !g->released)
		return;
	if (g->page != NULL)
		munmap(g->page, g->page_bytes);
	if (g->closed_cb != NULL)
		g->closed_cb(g->closed_arg);
	free(g);
}

static void
watched_closed_cb(uv_handle_t *handle)
{
	struct guard__watched *w = handle->data;

	close(w->fd);
	w->fd = -1;
	handle_closed(w->guard);
}

static void
other_closed_cb(uv_handle_t *handle)
{
	handle_closed(handle->data);
}

static void
watched_close(struct guard__watched *w)
{
	if (!w->is_open)
		return;
	w->is_open = false;
	uv_close((uv_handle_t *)&w->poll, watched_closed_cb);
}

/* Takes fd, on an error too. */
static int
watched_open(struct mt_guard *g, struct guard__watched *w, int fd,
	     uv_poll_cb cb)
{
	if (uv_poll_init(g->loop, &w->poll, fd) != 0) {
		close(fd);
		return MT_ENOMEM;
	}
	w->guard = g;
	w->fd = fd;
	w->is_open = true;
	w->poll.data = w;
	g->handles++;
	if (uv_poll_start(&w->poll, UV_READABLE | UV_DISCONNECT, cb) != 0) {
		watched_close(w);
		return MT_ENOMEM;
	}
	return 0;
}

/* ---- what happens to sentinel and postmaster ---- */

static void
fail(struct mt_guard *g, const struct mt_err *err)
{
	g->failed = true;
	uv_timer_stop(&g->timer);
	watched_close(&g->conn);
	watched_close(&g->self);
	watched_close(&g->master);
	if (g->events.on_started != NULL)
		g->events.on_started(g->events.arg, 0, err);
}

/* Report the end once both halves of it are known. */
static void
check_end(struct mt_guard *g)
{
	int status = MT_SENTINEL_STATUS_UNKNOWN;

	if (g->released || g->exited || !g->died || (!g->ended && !g->lost))
		return;
	g->exited = true;
	if (g->ended)
		status = atomic_load(&g->page->exit_status);
	if (g->events.on_exit != NULL)
		g->events.on_exit(g->events.arg, status);
}

static void
master_died(struct mt_guard *g)
{
	if (g->died)
		return;
	g->died = true;
	watched_close(&g->master);
	if (g->events.on_died != NULL)
		g->events.on_died(g->events.arg);
	check_end(g);
}

/* The socket or the process has ended: the page says what it means. */
static void
sentinel_ended(struct mt_guard *g)
{
	const char *why = "the sentinel died";

	if (g->ended || g->lost)
		return;
	watched_close(&g->conn);
	watched_close(&g->self);
	if (atomic_load(&g->page->state) == MT_SENTINEL_ENDED) {
		g->ended = true;
		if (g->died)
			check_end(g);
		else
			master_died(g);
		return;
	}
	if (atomic_load(&g->page->owner) != g->owner)
		why = "another daemon attached to the sentinel";
	g->lost = true;
	if (g->events.on_sentinel_lost != NULL)
		g->events.on_sentinel_lost(g->events.arg, why);
	check_end(g);
}

static void
self_cb(uv_poll_t *poll_handle, int status, int events)
{
	struct guard__watched *w = poll_handle->data;

	(void)status;
	(void)events;
	sentinel_ended(w->guard);
}

static void
master_cb(uv_poll_t *poll_handle, int status, int events)
{
	struct guard__watched *w = poll_handle->data;

	(void)status;
	(void)events;
	master_died(w->guard);
}

/* ---- messages ---- */

static int
map_page(struct mt_guard *g, int fd, struct mt_err *err)
{
	struct mt_sentinel_page *page;
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(*page))
		return mt_err_set(err, MT_EPROTO,
				  "the sentinel's page is too small");
	page = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return mt_err_sys(err, errno,
				  "could not map the sentinel's page");
	if (page->magic != MT_SENTINEL_MAGIC ||
	    page->version != MT_SENTINEL_VERSION ||
	    page->bytes < sizeof(*page)) {
		munmap(page, (size_t)st.st_size);
		return mt_err_set(err, MT_EPROTO,
				  "the sentinel is of another version; stop "
				  "PostgreSQL once to replace it");
	}
	g->page = page;
	g->page_bytes = (size_t)st.st_size;
	return 0;
}

/* Takes fds. */
static void
got_hello(struct mt_guard *g, const struct mt_sentinel_msg *msg, const int *fds)
{
	struct mt_err err = {0};
	int rv = map_page(g, fds[0], &err);

	close(fds[0]);
	if (rv != 0) {
		close(fds[1]);
		close(fds[2]);
		fail(g, &err);
		return;
	}
	g->owner = msg->owner;
	rv = watched_open(g, &g->self, fds[1], self_cb);
	if (rv == 0)
		rv = watched_open(g, &g->master, fds[2], master_cb);
	else
		close(fds[2]);
	if (rv != 0) {
		mt_err_set(&err, rv, "could not watch the sentinel");
		fail(g, &err);
		return;
	}
	uv_timer_stop(&g->timer);
	guard__send(g, MT_SENTINEL_KICK);
	if (g->events.on_started != NULL)
		g->events.on_started(g->events.arg, g->page->postmaster_pid,
				     NULL);
}

/* Fills fds with what came along, or closes it if it is not all of it.
 * Returns as recvmsg does; *count is 0 or MT_SENTINEL_FDS. */
static ssize_t
receive(int fd, struct mt_sentinel_msg *msg, int *fds, unsigned *count)
{
	union {
		char space[CMSG_SPACE(sizeof(int) * MT_SENTINEL_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	struct msghdr hdr = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	ssize_t n = recvmsg(fd, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*count = 0;
	if (n < 0)
		return n;
	c = CMSG_FIRSTHDR(&hdr);
	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS)
		return n;
	*count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(c), *count * sizeof(int));
	if (*count == MT_SENTINEL_FDS)
		return n;
	while (*count > 0)
		close(fds[--*count]);
	return n;
}

static void
conn_ended(struct mt_guard *g)
{
	struct mt_err err = {0};

	if (g->page != NULL) {
		sentinel_ended(g);
		return;
	}
	mt_err_set(&err, MT_EPROTO,
		   "the sentinel ended before it had answered");
	fail(g, &err);
}

static void
conn_cb(uv_poll_t *poll_handle, int status, int events)
{
	struct guard__watched *w = poll_handle->data;
	struct mt_guard *g = w->guard;
	struct mt_sentinel_msg msg = {0};
	struct mt_err err = {0};
	int fds[MT_SENTINEL_FDS];
	unsigned count;
	ssize_t n;

	(void)status;
	(void)events;
	n = receive(w->fd, &msg, fds, &count);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == sizeof(msg) && msg.magic == MT_SENTINEL_MAGIC &&
	    msg.kind == MT_SENTINEL_HELLO && count > 0 && g->page == NULL) {
		got_hello(g, &msg, fds);
		return;
	}
	while (count > 0)
		close(fds[--count]);
	if (n == sizeof(msg) && msg.magic == MT_SENTINEL_MAGIC &&
	    msg.kind == MT_SENTINEL_FAILED && g->page == NULL) {
		msg.text[sizeof(msg.text) - 1] = '\0';
		mt_err_set(&err, MT_EREFUSED, "%s", msg.text);
		fail(g, &err);
		return;
	}
	conn_ended(g); /* OVER, end of file, or nonsense */
}

static void
timeout_cb(uv_timer_t *timer)
{
	struct mt_guard *g = timer->data;
	struct mt_err err = {0};

	mt_err_set(&err, MT_ETIMEDOUT,
		   "the sentinel did not answer within %llu ms",
		   (unsigned long long)g->timeout_ms);
	fail(g, &err);
}

static void
process_cb(uv_process_t *process, int64_t status, int signo)
{
	/* Whatever it was, the socket tells what became of the sentinel. */
	(void)status;
	(void)signo;
	uv_close((uv_handle_t *)process, other_closed_cb);
	((struct mt_guard *)process->data)->has_process = false;
}

/* ---- start ---- */

static struct mt_guard *
guard_new(uv_loop_t *loop, const struct mt_guard_events *events,
	  uint64_t timeout_ms)
{
	struct mt_guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->loop = loop;
	g->events = *events;
	g->timeout_ms = timeout_ms != 0 ? timeout_ms : START_TIMEOUT_MS;
	uv_timer_init(loop, &g->timer);
	g->timer.data = g;
	g->handles = 1;
	return g;
}

static int
spawn(struct mt_guard *g, const struct mt_guard_options *o, char *program,
      int child_fd, struct mt_err *err)
{
	uv_stdio_container_t stdio[GUARD__CHILD_FD + 1] = {
	    {.flags = UV_IGNORE},
	    {.flags = UV_INHERIT_FD, .data.fd = STDOUT_FILENO},
	    {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
	    {.flags = UV_INHERIT_FD, .data.fd = child_fd},
	};
	uv_process_options_t options = {.file = program,
					.exit_cb = process_cb,
					.flags = UV_PROCESS_DETACHED,
					.stdio_count = GUARD__CHILD_FD + 1,
					.stdio = stdio};
	char nums[GUARD__NUMS][32], parent[48], arena[64];
	const char *arena_max = getenv("PG_MALLOC_ARENA_MAX");
	long pid = o->grandparent_pid > 0 ? o->grandparent_pid : getpid();
	int rv;

	snprintf(parent, sizeof(parent), "PG_GRANDPARENT_PID=%ld", pid);
	snprintf(arena, sizeof(arena), "MALLOC_ARENA_MAX=%.32s",
		 arena_max != NULL ? arena_max : "");
	options.env = guard__make_env(parent, arena_max != NULL ? arena : NULL);
	options.args = guard__make_args(o, program, nums);
	if (options.env == NULL || options.args == NULL) {
		rv = mt_err_set(err, MT_ENOMEM, "out of memory");
	} else {
		/* Initialised even where it fails, so it must be closed. */
		g->process.data = g;
		g->handles++;
		mt_core_allow(); /* for PostgreSQL */
		rv = uv_spawn(g->loop, &g->process, &options);
		mt_core_forbid();
		g->has_process = rv == 0;
		if (rv != 0) {
			rv = mt_err_sys(err, -rv, "could not execute \"%s\"",
					program);
			uv_close((uv_handle_t *)&g->process, other_closed_cb);
		}
	}
	free(options.env);
	free(options.args);
	return rv;
}

int
mt_guard_start(struct mt_guard **guard, uv_loop_t *loop,
	       const struct mt_guard_options *options,
	       const struct mt_guard_events *events, struct mt_err *err)
{
	char program[PATH_MAX];
	struct mt_guard *g;
	int pair[2], rv;

	if ((options->argv == NULL) == (options->watch_pid <= 0) ||
	    (options->argv != NULL && options->argv[0] == NULL))
		return mt_err_set(err, MT_EINVAL,
				  "a sentinel needs a command or a process");
	if (options->sentinel_path == NULL) {
		rv = mt_guard_find_sentinel(program, sizeof(program), err);
		if (rv != 0)
			return rv;
	} else {
		snprintf(program, sizeof(program), "%s",
			 options->sentinel_path);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return mt_err_sys(err, errno, "could not create socket pair");
	g = guard_new(loop, events, options->timeout_ms);
	if (g == NULL) {
		close(pair[0]);
		close(pair[1]);
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	rv = watched_open(g, &g->conn, pair[0], conn_cb);
	if (rv != 0)
		mt_err_set(err, rv, "could not watch the sentinel's socket");
	else
		rv = spawn(g, options, program, pair[1], err);
	close(pair[1]);
	if (rv != 0) {
		mt_guard_release(g, NULL, NULL);
		return rv;
	}
	uv_timer_start(&g->timer, timeout_cb, g->timeout_ms, 0);
	*guard = g;
	return 0;
}

int
mt_guard_attach(struct mt_guard **guard, uv_loop_t *loop, const char *sock_path,
		const struct mt_guard_events *events, struct mt_err *err)
{
	struct mt_guard *g;
	int rv, fd = guard__connect_socket(sock_path, err);

	if (fd < 0)
		return fd;
	g = guard_new(loop, events, 0);
	if (g == NULL) {
		close(fd);
		return mt_err_set(err, MT_ENOMEM, "out of memory");
	}
	rv = watched_open(g, &g->conn, fd, conn_cb);
	if (rv != 0) {
		mt_guard_release(g, NULL, NULL);
		return mt_err_set(err, rv, "could not watch \"%s\"", sock_path);
	}
	guard__send(g, MT_SENTINEL_ATTACH);
	uv_timer_start(&g->timer, timeout_cb, g->timeout_ms, 0);
	*guard = g;
	return 0;
}

void
mt_guard_release(struct mt_guard *g, void (*closed_cb)(void *arg), void *arg)
{
	g->released = true;
	memset(&g->events, 0, sizeof(g->events));
	g->closed_cb = closed_cb;
	g->closed_arg = arg;
	watched_close(&g->conn);
	watched_close(&g->self);
	watched_close(&g->master);
	/* Not waited for: it may be a zombie until the daemon ends, no more. */
	if (g->has_process)
		uv_close((uv_handle_t *)&g->process, other_closed_cb);
	g->has_process = false;
	uv_close((uv_handle_t *)&g->timer, other_closed_cb);
}
