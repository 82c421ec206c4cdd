/* SPDX-License-Identifier: PostgreSQL */
/*
 * The thread that writes the store.
 *
 * Happy path: the owner submits a job with a copy of its data; the thread takes
 * it, writes and fsyncs, puts it on the list of finished jobs and calls notify;
 * the owner collects and runs the completion on its own thread.
 *
 * Failure modes: a failed write completes with the store's words; the jobs
 * behind it fail too, until a test or a reload has opened the store anew. A
 * write that hangs keeps the thread; the owner sees it in the statistics and
 * goes on.
 *
 * It does not: time out, or retry.
 */
#include "consensus/writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum job_kind {
	JOB_BATCH,
	JOB_RECORD,
	JOB_BOOTSTRAP,
	JOB_TEST,
	JOB_RELOAD,
};

struct job {
	struct job *next;
	enum job_kind kind;
	struct mt_batch batch;
	struct mt_image image; /* in: to bootstrap; out: reloaded */
	uint8_t record[MT_RECORD_MAX];
	size_t record_n;
	mt_disk_cb cb;
	mt_disk_image_cb image_cb;
	void *arg;
	int rv;
	struct mt_err err;
};

struct list {
	struct job *head, **end;
};

struct mt_disk {
	struct mt_store *store;
	void (*notify)(void *arg);
	void *arg;
	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	bool stopping;
	struct list todo, done;
	struct mt_disk_stats stats;
	int64_t began_ms; /* of the write under way; 0: none */
};

static void
push(struct list *l, struct job *j)
{
	j->next = NULL;
	*l->end = j;
	l->end = &j->next;
}

static struct job *
pop(struct list *l)
{
	struct job *j = l->head;

	if (j != NULL) {
		l->head = j->next;
		if (l->head == NULL)
			l->end = &l->head;
	}
	return j;
}

static void
run(struct mt_store *store, struct job *j)
{
	switch (j->kind) {
	case JOB_BATCH:
		j->rv = mt_store_write(store, &j->batch, &j->err);
		break;
	case JOB_RECORD:
		j->rv = mt_store_write_record(store, j->record, j->record_n,
					      &j->err);
		break;
	case JOB_BOOTSTRAP:
		j->rv = mt_store_bootstrap(store, &j->image, &j->err);
		break;
	case JOB_TEST:
		j->rv = mt_store_test_write(store, &j->err);
		break;
	case JOB_RELOAD:
		j->rv = mt_store_test_write(store, &j->err);
		if (j->rv == 0)
			j->rv = mt_store_reload(store, &j->image, &j->err);
		break;
	}
}

static void
measure(struct mt_disk *d, const struct job *j)
{
	int64_t took_ms = mt_clock_ms() - d->began_ms;

	d->began_ms = 0;
	d->stats.writes++;
	d->stats.failures += j->rv != 0;
	d->stats.last_ms = took_ms;
	if (took_ms > d->stats.max_ms)
		d->stats.max_ms = took_ms;
}

static void *
writer_main(void *arg)
{
	struct mt_disk *d = arg;
	struct job *j;

	pthread_mutex_lock(&d->mutex);
	for (;;) {
		while (!d->stopping && d->todo.head == NULL)
			pthread_cond_wait(&d->wake, &d->mutex);
		if (d->stopping)
			break;
		j = pop(&d->todo);
		d->began_ms = mt_clock_ms();
		pthread_mutex_unlock(&d->mutex);

		run(d->store, j);

		pthread_mutex_lock(&d->mutex);
		measure(d, j);
		push(&d->done, j);
		pthread_mutex_unlock(&d->mutex);
		d->notify(d->arg);
		pthread_mutex_lock(&d->mutex);
	}
	pthread_mutex_unlock(&d->mutex);
	return NULL;
}

/* All signals stay with the main thread. */
static int
start_thread(struct mt_disk *d)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&d->thread, NULL, writer_main, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int
mt_disk_start(struct mt_disk **disk, struct mt_store *store,
	      void (*notify)(void *arg), void *arg, struct mt_err *err)
{
	struct mt_disk *d = calloc(1, sizeof *d);
	int rc;

	if (d == NULL)
		return mt_err_set(err, MT_ENOMEM, "could not start a thread");
	d->store = store;
	d->notify = notify;
	d->arg = arg;
	d->todo.end = &d->todo.head;
	d->done.end = &d->done.head;
	pthread_mutex_init(&d->mutex, NULL);
	pthread_cond_init(&d->wake, NULL);
	rc = start_thread(d);
	if (rc != 0) {
		pthread_cond_destroy(&d->wake);
		pthread_mutex_destroy(&d->mutex);
		free(d);
		return mt_err_sys(err, rc, "could not start a thread");
	}
	*disk = d;
	return 0;
}

static void
complete(struct job *j)
{
	if (j->kind == JOB_RELOAD)
		j->image_cb(j->arg, j->rv, &j->image, &j->err);
	else
		j->cb(j->arg, j->rv, &j->err);
	mt_batch_release(&j->batch);
	mt_image_release(&j->image);
	free(j);
}

void
mt_disk_collect(struct mt_disk *d)
{
	struct list done;
	struct job *j;

	/* One list at a time: completions may submit. */
	pthread_mutex_lock(&d->mutex);
	done = d->done;
	if (done.head == NULL)
		done.end = &done.head;
	d->done.head = NULL;
	d->done.end = &d->done.head;
	pthread_mutex_unlock(&d->mutex);
	while ((j = pop(&done)) != NULL) {
		pthread_mutex_lock(&d->mutex);
		d->stats.waiting--;
		pthread_mutex_unlock(&d->mutex);
		complete(j);
	}
}

void
mt_disk_stop(struct mt_disk *d)
{
	struct job *j;

	if (d == NULL)
		return;
	pthread_mutex_lock(&d->mutex);
	d->stopping = true;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->mutex);
	pthread_join(d->thread, NULL);
	mt_disk_collect(d);
	while ((j = pop(&d->todo)) != NULL) {
		j->rv = mt_err_set(&j->err, MT_ECANCELED,
				   "not written: shutting down");
		complete(j);
	}
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->mutex);
	free(d);
}

/* ---- jobs ---- */

static struct job *
new_job(enum job_kind kind, mt_disk_cb cb, void *arg)
{
	struct job *j = calloc(1, sizeof *j);

	MT_ASSERT(j != NULL);
	j->kind = kind;
	j->cb = cb;
	j->arg = arg;
	mt_image_init(&j->image);
	return j;
}

static void
submit(struct mt_disk *d, struct job *j)
{
	pthread_mutex_lock(&d->mutex);
	push(&d->todo, j);
	d->stats.waiting++;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->mutex);
}

void
mt_disk_write(struct mt_disk *d, const struct mt_batch *batch, mt_disk_cb cb,
	      void *arg)
{
	struct job *j = new_job(JOB_BATCH, cb, arg);

	mt_batch_copy(&j->batch, batch);
	submit(d, j);
}

void
mt_disk_write_record(struct mt_disk *d, const void *p, size_t n, mt_disk_cb cb,
		     void *arg)
{
	struct job *j = new_job(JOB_RECORD, cb, arg);

	MT_ASSERT(n <= sizeof j->record);
	memcpy(j->record, p, n);
	j->record_n = n;
	submit(d, j);
}

void
mt_disk_bootstrap(struct mt_disk *d, const struct mt_image *image,
		  mt_disk_cb cb, void *arg)
{
	struct job *j = new_job(JOB_BOOTSTRAP, cb, arg);

	mt_image_copy(&j->image, image);
	submit(d, j);
}

void
mt_disk_test(struct mt_disk *d, mt_disk_cb cb, void *arg)
{
	submit(d, new_job(JOB_TEST, cb, arg));
}

void
mt_disk_reload(struct mt_disk *d, mt_disk_image_cb cb, void *arg)
{
	struct job *j = new_job(JOB_RELOAD, NULL, arg);

	j->image_cb = cb;
	submit(d, j);
}

void
mt_disk_stats(struct mt_disk *d, struct mt_disk_stats *stats)
{
	pthread_mutex_lock(&d->mutex);
	*stats = d->stats;
	if (d->began_ms != 0)
		stats->running_ms = mt_clock_ms() - d->began_ms;
	pthread_mutex_unlock(&d->mutex);
}
