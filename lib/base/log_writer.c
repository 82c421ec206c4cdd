/* SPDX-License-Identifier: PostgreSQL */
/*
 * The thread that writes the log, so that nobody else waits for a volume that
 * hangs or for a reader of standard error who does not read.
 *
 * Happy path: a record is copied to the end of the queue; the thread takes the
 * first one, prints it and writes it, by one write(2) a record. A new
 * configuration goes through the queue as well, so that what was said before it
 * looks and goes as before.
 *
 * Failure modes: a queue that is full drops what comes, counts it, and says so
 * in that place of the log when there is room again. What the file does not
 * take goes to standard error. A directory that cannot be used when it is new
 * is said, and the file stays; at the start it is an error. At the end
 * the queue is written out, for a bounded time.
 *
 * It does not: retry records, or call fsync: a log must not wear out disks.
 */
#include "base/log_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_internal.h"

/* One of the queue: a record, or a configuration. */
struct item {
	struct item *next;
	struct mt_log_options *options; /* owned; NULL: a record */
	struct mt_log_record record;
	uint64_t lost; /* records that were dropped right before it */
	char text[];
};

/* What the thread writes to, and how; its own. */
struct target {
	struct mt_log_format format;
	bool to_file;
	struct mt_log_file file;
	bool file_fails; /* that was said */
};

static struct writer {
	pthread_mutex_t mutex; /* guards all but target */
	pthread_cond_t work, idle;
	bool running;  /* there is a thread */
	bool stopping; /* it ends when the queue is empty */
	bool given_up; /* it hung at the end: no more is taken */
	bool busy;     /* it writes */
	struct item *head, *tail;
	size_t n, max;                   /* records in the queue */
	uint64_t lost;                   /* by a full queue, and not told yet */
	uint64_t all_lost;               /* since the start */
	struct item *next_configuration; /* in the queue, or NULL */
	struct target target;
	pthread_t thread;
} w = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- the thread's side ---- */

/* Standard error may be shared with somebody who made it non-blocking. */
static bool
write_stderr(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(STDERR_FILENO, p, n);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (k < 0 && errno == EAGAIN) {
			struct pollfd out = {STDERR_FILENO, POLLOUT, 0};

			(void)poll(&out, 1, -1);
		} else if (k == 0 || errno != EINTR) {
			return false;
		}
	}
	return true;
}

static void
count_lost(void)
{
	pthread_mutex_lock(&w.mutex);
	w.all_lost++;
	pthread_mutex_unlock(&w.mutex);
}

static void say(bool to_file, const char *fmt, ...) MT_PRINTF(2, 3);

/* to_file: if the log goes there. */
static void
put(const struct mt_log_record *r, bool to_file)
{
	struct target *t = &w.target;
	struct mt_err err;
	char *line = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&line, &n);
	bool done = false;

	if (to != NULL)
		mt_log_print(&t->format, r, to);
	if (to == NULL || fclose(to) != 0) {
		free(line);
		count_lost();
		return;
	}
	if (to_file && t->to_file) {
		/* the old file goes on */
		if (mt_log_file_rotate(&t->file, n, &err) != 0)
			say(true, "%s; the file grows on", err.text);
		done = mt_log_file_write(&t->file, line, n, &err) == 0;
		if (!done && !t->file_fails)
			say(false,
			    "%s; what the log has to say stands here until "
			    "that can be written again",
			    err.text);
		t->file_fails = !done;
	}
	if (!done && !write_stderr(line, n))
		count_lost();
	free(line);
}

/* The thread's own words, as a record of this file. */
static void
say(bool to_file, const char *fmt, ...)
{
	char text[1024];
	struct mt_log_record r = {.level = MT_LOG_WARNING,
				  .at = {__FILE__, __func__, __LINE__},
				  .text = text};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log__stamp(&r);
	put(&r, to_file);
}

static void
say_lost(uint64_t lost)
{
	if (lost > 0)
		say(true,
		    "%" PRIu64 " record%s of the log %s dropped here: more "
		    "came than could be written, see log.max_queue_size",
		    lost, lost == 1 ? "" : "s", lost == 1 ? "was" : "were");
}

static int
open_target(struct mt_log_file *file, const struct mt_log_options *o,
	    struct mt_err *err)
{
	*file = (struct mt_log_file){.fd = -1};
	return o->dir[0] == '\0' ? 0
				 : mt_log_file_open(file, o->dir, o->mode, err);
}

static void
bound(struct mt_log_file *file, const struct mt_log_options *o)
{
	file->rotate_bytes = o->file_size_bytes;
	file->keep = o->file_num;
}

static void
take_configuration(const struct mt_log_options *o)
{
	struct target *t = &w.target;
	struct mt_log_file file;
	struct mt_err err;
	bool can = open_target(&file, o, &err) == 0;

	t->format = o->format;
	if (can) {
		mt_log_file_close(&t->file);
		t->file = file;
		t->to_file = o->dir[0] != '\0';
		t->file_fails = false;
	}
	bound(&t->file, o);
	if (!can)
		say(true, "%s; the log goes on where it was", err.text);
}

/* The first of the queue, or NULL: the thread ends. The mutex is held. */
static struct item *
next_item(uint64_t *lost)
{
	struct item *it;

	while (w.head == NULL && w.lost == 0 && !w.stopping) {
		pthread_cond_broadcast(&w.idle);
		pthread_cond_wait(&w.work, &w.mutex);
	}
	it = w.head;
	*lost = it != NULL ? it->lost : w.lost;
	if (it == NULL) {
		w.lost = 0;
		return NULL;
	}
	w.head = it->next;
	if (w.head == NULL)
		w.tail = NULL;
	if (it->options == NULL)
		w.n--;
	else
		w.next_configuration = NULL;
	return it;
}

static void *
writer_main(void *arg)
{
	struct item *it;
	uint64_t lost;

	pthread_mutex_lock(&w.mutex);
	for (;;) {
		it = next_item(&lost);
		if (it == NULL && lost == 0)
			break;
		w.busy = true;
		pthread_mutex_unlock(&w.mutex);

		say_lost(lost);
		if (it != NULL && it->options != NULL)
			take_configuration(it->options);
		else if (it != NULL)
			put(&it->record, true);
		if (it != NULL)
			free(it->options);
		free(it);

		pthread_mutex_lock(&w.mutex);
		w.busy = false;
	}
	pthread_cond_broadcast(&w.idle);
	pthread_mutex_unlock(&w.mutex);
	return arg;
}

/* ---- the callers' side ---- */

/* The mutex is held. */
static void
push(struct item *it)
{
	it->next = NULL;
	if (w.tail != NULL)
		w.tail->next = it;
	else
		w.head = it;
	w.tail = it;
	pthread_cond_signal(&w.work);
}

bool
log__writer_take(const struct mt_log_record *r)
{
	size_t size = strlen(r->text) + 1;
	struct item *it = NULL;
	bool taken;

	pthread_mutex_lock(&w.mutex);
	taken = w.running || w.given_up;
	if (w.running && w.n < w.max)
		it = malloc(sizeof(*it) + size);
	if (it != NULL) {
		*it = (struct item){.record = *r, .lost = w.lost};
		memcpy(it->text, r->text, size);
		it->record.text = it->text;
		w.lost = 0;
		w.n++;
		push(it);
	} else if (taken) {
		w.lost++;
		w.all_lost++;
	}
	pthread_mutex_unlock(&w.mutex);
	return taken;
}

/* All signals stay with the main thread. */
static int
start_thread(void)
{
	sigset_t all, old;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	code = pthread_create(&w.thread, NULL, writer_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return code;
}

int
log__writer_start(const struct mt_log_options *o, struct mt_err *err)
{
	pthread_condattr_t clock;
	int rv, code;

	MT_ASSERT(!w.running);
	rv = open_target(&w.target.file, o, err);
	if (rv != 0)
		return rv;
	w.target.format = o->format;
	w.target.to_file = o->dir[0] != '\0';
	w.target.file_fails = false;
	bound(&w.target.file, o);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&w.work, &clock);
	pthread_cond_init(&w.idle, &clock);
	pthread_condattr_destroy(&clock);
	w.max = (size_t)o->max_queue_size;
	w.stopping = w.given_up = false;
	code = start_thread();
	if (code != 0) {
		mt_log_file_close(&w.target.file);
		return mt_err_sys(err, code, "could not start a thread");
	}
	pthread_mutex_lock(&w.mutex);
	w.running = true;
	pthread_mutex_unlock(&w.mutex);
	return 0;
}

void
log__writer_configure(const struct mt_log_options *o)
{
	struct mt_log_options *copy = malloc(sizeof(*copy));
	struct item *it = calloc(1, sizeof(*it) + 1);

	MT_ASSERT(copy != NULL && it != NULL);
	*copy = *o;
	pthread_mutex_lock(&w.mutex);
	w.max = (size_t)o->max_queue_size;
	/* One that the thread has not come to is overtaken by this one: the
	 * queue stays bounded whatever hangs. */
	if (w.next_configuration != NULL) {
		struct mt_log_options *old = w.next_configuration->options;

		w.next_configuration->options = copy;
		free(old);
		free(it);
	} else {
		it->options = copy;
		it->lost = w.lost;
		w.lost = 0;
		w.next_configuration = it;
		push(it);
	}
	pthread_mutex_unlock(&w.mutex);
}

/* The mutex is held. False: the time is over. */
static bool
wait_idle(int64_t wait_ms)
{
	struct timespec until;
	int code = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (code == 0 && (w.head != NULL || w.lost > 0 || w.busy))
		code = pthread_cond_timedwait(&w.idle, &w.mutex, &until);
	return code == 0;
}

bool
log__writer_drain(int64_t wait_ms)
{
	bool drained;

	pthread_mutex_lock(&w.mutex);
	drained = !w.running || wait_idle(wait_ms);
	pthread_mutex_unlock(&w.mutex);
	return drained;
}

void
log__writer_stop(int64_t wait_ms)
{
	bool drained;

	pthread_mutex_lock(&w.mutex);
	if (!w.running) {
		pthread_mutex_unlock(&w.mutex);
		return;
	}
	w.stopping = true;
	pthread_cond_signal(&w.work);
	drained = wait_idle(wait_ms);
	w.running = false;
	w.given_up = !drained;
	pthread_mutex_unlock(&w.mutex);
	/* One that hangs ends with the process. */
	if (!drained)
		return;
	pthread_join(w.thread, NULL);
	mt_log_file_close(&w.target.file);
	pthread_cond_destroy(&w.work);
	pthread_cond_destroy(&w.idle);
}

void
log__writer_stats(struct mt_log_stats *stats)
{
	pthread_mutex_lock(&w.mutex);
	stats->waiting = w.n;
	stats->lost = w.all_lost;
	pthread_mutex_unlock(&w.mutex);
}
