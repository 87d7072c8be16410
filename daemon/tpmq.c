// SPDX-License-Identifier: GPL-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* pthread_setname_np */
#endif
#include "tpmq.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/queue.h>

#include "clock.h"

struct job {
	STAILQ_ENTRY(job) next;
	tpmq_work_fn work;
	tpmq_done_fn done;
	void *arg;
	int r;
	uint64_t took_us;
};
STAILQ_HEAD(jobs, job);

struct tpmq {
	struct keystore *ks;		/* owned; only the thread uses it */
	pthread_t thread;
	pthread_mutex_t lock;		/* waiting, finished, stop */
	pthread_cond_t wake;
	struct jobs waiting;
	struct jobs finished;
	bool stop;
	/* Of the loop's thread only: */
	int fd;				/* eventfd: something is in @finished */
	struct event *event;
	size_t depth;
	int last;
	uint64_t moved_ms;		/* monotonic: a job was done, or came to an empty queue */
	struct tpmq_stats stats;
};

/* Cannot fail but by EAGAIN: a counter that is full wakes the loop all the same. */
static void wake_loop(struct tpmq *q)
{
	ssize_t n;

	do
		n = write(q->fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	while (n < 0 && errno == EINTR);
}

/* The next job, or NULL: stop. The lock is held. */
static struct job *wait_for_job(struct tpmq *q)
{
	struct job *j;

	while (!q->stop && STAILQ_EMPTY(&q->waiting))
		pthread_cond_wait(&q->wake, &q->lock);
	if (q->stop)
		return NULL;
	j = STAILQ_FIRST(&q->waiting);
	STAILQ_REMOVE_HEAD(&q->waiting, next);
	return j;
}

static void do_job(struct tpmq *q, struct job *j)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	j->r = j->work(q->ks, j->arg);
	clock_gettime(CLOCK_MONOTONIC, &to);
	j->took_us = (uint64_t)((to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
}

static void *run(void *arg)
{
	struct tpmq *q = arg;
	struct job *j;

	pthread_mutex_lock(&q->lock);
	while ((j = wait_for_job(q))) {
		pthread_mutex_unlock(&q->lock);
		do_job(q, j);
		pthread_mutex_lock(&q->lock);
		STAILQ_INSERT_TAIL(&q->finished, j, next);
		wake_loop(q);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static void count(struct tpmq_stats *s, const struct job *j)
{
	s->jobs++;
	s->failed += j->r < 0;
	s->sum_us += j->took_us;
	if (s->max_us < j->took_us)
		s->max_us = j->took_us;
}

/* On the loop. done() may submit again: what that brings comes with its own wake-up. */
static void deliver(struct tpmq *q, struct jobs *list)
{
	struct job *j;

	while ((j = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, next);
		q->depth--;
		q->last = j->r;
		q->moved_ms = now_ms();
		count(&q->stats, j);
		j->done(j->arg, j->r);
		free(j);
	}
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct jobs list = STAILQ_HEAD_INITIALIZER(list);
	struct tpmq *q = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0)
		return;		/* EAGAIN: taken with the wake-up before; the event stays added */
	pthread_mutex_lock(&q->lock);
	STAILQ_CONCAT(&list, &q->finished);
	pthread_mutex_unlock(&q->lock);
	deliver(q, &list);
}

/* Signals are the loop's: the thread takes none. */
static int start_thread(struct tpmq *q)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (r)
		return -r;
	r = pthread_create(&q->thread, NULL, run, q);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return -r;
	pthread_setname_np(q->thread, "akm-tpm");
	return 0;
}

static void release(struct tpmq *q)
{
	if (q->event)
		event_free(q->event);
	if (q->fd >= 0)
		close(q->fd);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static int set_up(struct tpmq *q, struct event_base *base)
{
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->fd < 0)
		return -errno;
	q->event = event_new(base, q->fd, EV_READ | EV_PERSIST, on_finished, q);
	if (!q->event || event_add(q->event, NULL) < 0)
		return -ENOMEM;
	return start_thread(q);
}

int tpmq_new(struct event_base *base, struct keystore *ks, struct tpmq **ret)
{
	struct tpmq *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->fd = -1;
	STAILQ_INIT(&q->waiting);
	STAILQ_INIT(&q->finished);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->wake, NULL);
	r = set_up(q, base);
	if (r < 0) {
		release(q);
		return r;
	}
	q->ks = ks;
	*ret = q;
	return 0;
}

void tpmq_free(struct tpmq *q)
{
	struct job *j;

	if (!q)
		return;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);

	/* Alone now: no lock. */
	STAILQ_FOREACH(j, &q->waiting, next)
		j->r = -ECANCELED;
	deliver(q, &q->finished);
	deliver(q, &q->waiting);
	keystore_close(q->ks);
	release(q);
}

int tpmq_submit(struct tpmq *q, tpmq_work_fn work, tpmq_done_fn done, void *arg)
{
	struct job *j;
	int r = 0;

	if (q->depth >= TPMQ_MAX)
		return -EBUSY;
	j = malloc(sizeof(*j));
	if (!j)
		return -ENOMEM;
	*j = (struct job){ .work = work, .done = done, .arg = arg };

	pthread_mutex_lock(&q->lock);
	if (q->stop) {
		r = -ESHUTDOWN;
	} else {
		STAILQ_INSERT_TAIL(&q->waiting, j, next);
		pthread_cond_signal(&q->wake);
	}
	pthread_mutex_unlock(&q->lock);
	if (r < 0) {
		free(j);
		return r;
	}
	if (!q->depth++)
		q->moved_ms = now_ms();
	return 0;
}

size_t tpmq_depth(const struct tpmq *q)
{
	return q->depth;
}

uint64_t tpmq_waiting_ms(const struct tpmq *q)
{
	return q->depth ? now_ms() - q->moved_ms : 0;
}

struct tpmq_stats tpmq_stats(const struct tpmq *q)
{
	return q->stats;
}

int tpmq_last(const struct tpmq *q)
{
	return q->last;
}
