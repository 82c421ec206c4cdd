/* SPDX-License-Identifier: PostgreSQL */
/*
 * The log. Happy path: a record that is wanted is made on the stack and given
 * to the writer's thread; where there is none it leaves in one write(2), so
 * that lines of two threads do not mix. Failure modes: a message longer than
 * the buffer is cut; a standard error that does not take a line loses it, as a
 * log must never stop the daemon.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log_format.h"
#include "base/log_internal.h"
#include "base/log_writer.h"
#include "base/text.h"

#define MESSAGE_MAX_BYTES 4096

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the filter */
static struct mt_log_filter filter = {.level = MT_LOG_INFO};
/* What nobody wants is known without the mutex. */
static _Atomic int least_level = MT_LOG_INFO;
static _Atomic int64_t began_us;
static mt_log_sink the_sink;
static void *the_sink_arg;

/* ---- levels ---- */

static void
set_filter(const struct mt_log_filter *f)
{
	pthread_mutex_lock(&mutex);
	filter = *f;
	atomic_store(&least_level, (int)mt_log_filter_least(f));
	pthread_mutex_unlock(&mutex);
}

void
mt_log_set_level(enum mt_log_level least)
{
	set_filter(&(const struct mt_log_filter){.level = least});
}

static bool
is_wanted(enum mt_log_level level, const char *file)
{
	bool wanted;

	if ((int)level < atomic_load(&least_level))
		return false;
	pthread_mutex_lock(&mutex);
	wanted = mt_log_filter_passes(&filter, level, file);
	pthread_mutex_unlock(&mutex);
	return wanted;
}

/* ---- records ---- */

void
log__stamp(struct mt_log_record *r)
{
	int64_t never = 0;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	r->wall_us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
	atomic_compare_exchange_strong(&began_us, &never, r->wall_us);
	r->since_us = r->wall_us - atomic_load(&began_us);
	r->process = (int)getpid();
	r->thread = (int)gettid();
}

static void
write_at_once(const struct mt_log_record *r)
{
	static const struct mt_log_format none;
	struct mt_log_format *f = malloc(sizeof(*f));
	char *line = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&line, &n);

	if (f != NULL && to != NULL) {
		*f = none;
		if (mt_log_format_plain(f, MT_LOG_PATTERN, NULL) == 0)
			mt_log_print(f, r, to);
	}
	if (to != NULL && fclose(to) == 0 && n > 0 &&
	    write(STDERR_FILENO, line, n) < 0)
		n = 0; /* nowhere left to say it */
	free(line);
	free(f);
}

void
mt_log_at(enum mt_log_level level, const struct mt_log_place *at,
	  const char *fmt, ...)
{
	char text[MESSAGE_MAX_BYTES];
	struct mt_log_record r = {.level = level, .at = *at, .text = text};
	va_list ap;
	int n;

	if (!is_wanted(level, at->file))
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (the_sink != NULL) {
		for (char *p = text; *p != '\0'; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				*p = ' ';
		the_sink(the_sink_arg, level, text);
		return;
	}
	log__stamp(&r);
	if (!log__writer_take(&r))
		write_at_once(&r);
}

void
mt_log_set_sink(mt_log_sink sink, void *arg)
{
	the_sink = sink;
	the_sink_arg = arg;
}

/* ---- the writer ---- */

int
mt_log_start(const struct mt_log_options *o, struct mt_err *err)
{
	int rv = log__writer_start(o, err);

	if (rv == 0)
		set_filter(&o->filter);
	return rv;
}

void
mt_log_configure(const struct mt_log_options *o)
{
	set_filter(&o->filter);
	log__writer_configure(o);
}

bool
mt_log_drain(int64_t wait_ms)
{
	return log__writer_drain(wait_ms);
}

void
mt_log_stop(int64_t wait_ms)
{
	log__writer_stop(wait_ms);
}

void
mt_log_stats(struct mt_log_stats *stats)
{
	log__writer_stats(stats);
}
